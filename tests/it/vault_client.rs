//! Vault's client beyond what the store asks of it: secrets at any path, and tokens for others.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    bed::{Bed, MOUNT, document},
    vault::{BODY, errors as vaults_errors, faults, tells_no_secret, vaults},
};
use anyhow::Result;
use berth::{
    clients::{
        Failure, Kind,
        vault::{Auth, BORN, Made, Renewal, Vault},
    },
    documents::{Document, Read},
    errors::{self, Exit},
    rehearsal::{
        Request, Server,
        gate::Verdict,
        kv::{Capability, Grant, Rule, TokenRole},
    },
};
use futures::{StreamExt, future::BoxFuture, stream};
use insta::assert_snapshot;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);
const PATH: &str = "berth/github-app";

/// A world with a secret and a role.
async fn bed() -> Bed {
    let bed = Bed::start().await;
    {
        let vault = &mut bed.world().vault;
        vault.put(PATH, secret());
        let rules = vec![Rule::new("kv/data/berth/*", &[Capability::Read])];
        vault.add_token_role("env", TokenRole::default().allowing("theirs", rules.clone()).orphans());
        vault.add_token_role("children", TokenRole::default().allowing("theirs", rules));
    }
    bed
}

fn secret() -> Document {
    document(json!({"key": "canary-in-a-secret"}))
}

async fn make(vault: &Vault, role: &str, life: Duration) -> Result<Made> {
    let meta = BTreeMap::from([("environment".to_owned(), "pr-1".to_owned())]);
    vault.create_token(role, &["theirs".to_owned()], life, &meta).await
}

fn made_tokens(bed: &Bed) -> Vec<(String, Value)> {
    bed.world().vault.made_tokens().map(|(accessor, meta)| (accessor, meta.clone())).collect()
}

/// Somebody with nothing but this token.
fn by(bed: &Bed, made: &Made) -> Vault {
    Vault::new(bed.access(Auth::Token(made.token.clone())), bed.clock.clone(), "theirs").unwrap()
}

#[track_caller]
fn is_kind(error: &anyhow::Error, kind: fn(Kind) -> bool) {
    assert!(kind(Failure::of(error)) && errors::exit(error) == Exit::Unknown, "{error:?}");
}

#[tokio::test]
async fn a_secret_is_read_and_absent_only_by_vaults_own_word() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    assert_eq!(vault.read(MOUNT, PATH).await.unwrap().document(), Some(&secret()));
    for path in ["berth/never", "berth", "berth/github-app/below"] {
        assert!(matches!(vault.read(MOUNT, path).await.unwrap(), Read::Absent { .. }), "{path}");
    }
    // Another mount is a 404 too, and nothing is known of what lies in it.
    is_kind(&vault.read("other", PATH).await.unwrap_err(), |kind| kind == Kind::Invalid);
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_not_asked_for() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    for path in ["", "/", "berth/", "/berth", "berth//a", "a/../berth", "..", "berth/./a", "a\n/b", "a\t"] {
        let error = vault.read(MOUNT, path).await.unwrap_err();
        assert_eq!(errors::exit(&error), Exit::Usage, "{path:?}");
    }
    assert_eq!(bed.gate().log(), [""; 0]);
    // What only looks so is a name like any other.
    for path in ["%2e%2e/secret", "a?b", "a#b", "a b", "..a", "a\\..\\b", "a%2fb"] {
        bed.world().vault.put(path, document(json!({"at": path})));
        assert_eq!(vault.read(MOUNT, path).await.unwrap().document().unwrap()["at"], path);
    }
}

#[tokio::test]
async fn a_token_is_born_with_minutes_and_lives_on_by_renewal() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    let made = make(&vault, "env", 24 * HOUR).await.unwrap();
    assert_eq!(made_tokens(&bed), [(made.accessor.clone(), json!({"environment": "pr-1"}))]);
    tells_no_secret(&format!("{made:?}"));
    assert_eq!(by(&bed, &made).read(MOUNT, PATH).await.unwrap().document(), Some(&secret()));
    assert_eq!(vault.renew_accessor(&made.accessor, HOUR).await.unwrap(), Renewal::Lasts(HOUR));
    bed.pass(3599);
    assert_eq!(made_tokens(&bed).len(), 1);
    bed.pass(1);
    is_kind(&by(&bed, &made).read(MOUNT, PATH).await.unwrap_err(), |kind| kind == Kind::Refused);
    assert_eq!(vault.renew_accessor(&made.accessor, HOUR).await.unwrap(), Renewal::Gone);
    vault.revoke_accessor(&made.accessor).await.unwrap();
}

#[tokio::test]
async fn a_token_whose_accessor_nobody_noted_ends_by_itself() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    bed.gate().rule(|request| if is_create(request) { Verdict::CutAfter } else { Verdict::Pass });
    is_kind(&make(&vault, "env", 24 * HOUR).await.unwrap_err(), |kind| {
        matches!(kind, Kind::Unavailable { .. })
    });
    assert_eq!(made_tokens(&bed).len(), 1);
    bed.pass(u32::try_from(BORN.as_secs()).unwrap());
    assert_eq!(made_tokens(&bed), []);
    // One that shall not even live so long does not.
    bed.gate().open();
    for (life, seconds) in [(Duration::from_secs(60), 60), (Duration::ZERO, 1)] {
        make(&vault, "env", life).await.unwrap();
        assert_eq!(made_tokens(&bed).len(), 1);
        bed.pass(seconds);
        assert_eq!(made_tokens(&bed), []);
    }
    let made = make(&vault, "env", HOUR).await.unwrap();
    let least = vault.renew_accessor(&made.accessor, Duration::ZERO).await.unwrap();
    assert_eq!(least, Renewal::Lasts(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_revocation_ends_a_token_and_is_no_failure_where_none_is() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    let made = make(&vault, "env", HOUR).await.unwrap();
    for _ in 0..2 {
        vault.revoke_accessor(&made.accessor).await.unwrap();
        assert_eq!(made_tokens(&bed), []);
    }
    // Older and newer servers refuse it in these words.
    for status in [400, 403, 404] {
        for words in ["invalid accessor", "1 error occurred:\n\t* invalid accessor\n\n"] {
            bed.gate().rule(move |_| vaults_errors(status, words));
            vault.revoke_accessor(&made.accessor).await.unwrap();
            assert_eq!(vault.renew_accessor(&made.accessor, HOUR).await.unwrap(), Renewal::Gone);
        }
        for words in ["permission denied", "invalid accessor of a mount", "no handler for route"] {
            bed.gate().rule(move |_| vaults_errors(status, words));
            vault.revoke_accessor(&made.accessor).await.unwrap_err();
            vault.renew_accessor(&made.accessor, HOUR).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn a_role_that_gives_what_ends_with_us_or_cannot_be_renewed_is_refused() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    let told = async |role: &str| {
        let error = make(&vault, role, HOUR).await.unwrap_err();
        is_kind(&error, |kind| kind == Kind::Invalid);
        errors::render(&error).replace(&bed.served.url(Server::Vault), "http://vault")
    };
    assert_snapshot!(told("children").await, @"
    error: could not use the token role children on http://vault
      because: its tokens end with the one that makes them, or cannot be renewed
    hint: there must be a token role `children` which allows these policies, with orphan=true and renewable=true: `vault read auth/token/roles/children`
    ");
    assert_snapshot!(told("nowhere").await, @"
    error: could not make a token at auth/token/create/nowhere on http://vault
      because: Vault answered 400: unknown role nowhere
    hint: there must be a token role `nowhere` which allows these policies, with orphan=true and renewable=true: `vault read auth/token/roles/nowhere`
    ");
    for role in ["", ".", "..", "a/b", "a b", "a?b"] {
        assert_eq!(errors::exit(&make(&vault, role, HOUR).await.unwrap_err()), Exit::Usage, "{role:?}");
    }
    let none = vault.create_token("env", &[], HOUR, &BTreeMap::new()).await.unwrap_err();
    assert_eq!(errors::exit(&none), Exit::Usage, "it would have our own policies");
}

#[tokio::test]
async fn what_a_policy_must_allow_is_named() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    let made = make(&vault, "env", HOUR).await.unwrap();
    bed.world().vault.add_token("nothing", Grant { policy: Some(vec![]), ..Grant::default() });
    let nobody = Made { token: "nothing".to_owned().into(), accessor: made.accessor.clone() };
    let nobody = by(&bed, &nobody);
    let told = |error: anyhow::Error| {
        is_kind(&error, |kind| kind == Kind::Refused);
        errors::render(&error).replace(&bed.served.url(Server::Vault), "http://vault")
    };
    assert_snapshot!(told(nobody.read(MOUNT, PATH).await.unwrap_err()), @"
    error: could not read kv/berth/github-app on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `read` on `kv/data/berth/github-app`
    ");
    assert_snapshot!(told(make(&nobody, "env", HOUR).await.unwrap_err()), @"
    error: could not make a token at auth/token/create/env on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `update` on `auth/token/create/env`
    ");
    assert_snapshot!(told(nobody.renew_accessor(&made.accessor, HOUR).await.unwrap_err()), @"
    error: could not renew a token at auth/token/renew-accessor on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `update` on `auth/token/renew-accessor`
    ");
    assert_snapshot!(told(nobody.revoke_accessor(&made.accessor).await.unwrap_err()), @"
    error: could not revoke a token at auth/token/revoke-accessor on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `update` on `auth/token/revoke-accessor`
    ");
    assert_eq!(made_tokens(&bed).len(), 1);
}

fn is_create(request: &Request) -> bool {
    request.path.get(3).is_some_and(|part| part == "create")
}

/// A request, what its failure must name, and what sends it.
struct Sent {
    object: &'static str,
    act: for<'a> fn(&'a Vault, &'a str) -> BoxFuture<'a, Result<()>>,
}

const SENT: [Sent; 4] = [
    Sent {
        object: "read kv/berth/github-app on",
        act: |vault, _| Box::pin(async { vault.read(MOUNT, PATH).await.map(drop) }),
    },
    Sent {
        object: "make a token at auth/token/create/env on",
        act: |vault, _| Box::pin(async { make(vault, "env", HOUR).await.map(drop) }),
    },
    Sent {
        object: "renew a token at auth/token/renew-accessor on",
        act: |vault, accessor| Box::pin(async { vault.renew_accessor(accessor, HOUR).await.map(drop) }),
    },
    Sent {
        object: "revoke a token at auth/token/revoke-accessor on",
        act: |vault, accessor| Box::pin(async { vault.revoke_accessor(accessor).await }),
    },
];

/// It is what a revocation answers.
fn is_revocation(sent: &Sent, fault: &Verdict) -> bool {
    sent.object.starts_with("revoke") && matches!(fault, Verdict::Answer { status: 204, .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_is_taken_for_an_answer() {
    let elsewhere = Bed::start().await;
    let url = elsewhere.served.url(Server::Vault);
    let cases = SENT.iter().flat_map(|sent| faults(&url).into_iter().map(move |(fault, _)| (sent, fault)));
    stream::iter(cases.filter(|(sent, fault)| !is_revocation(sent, fault)))
        .map(async |(sent, fault)| {
            let case = format!("{} answered by {fault:?}", sent.object);
            let bed = bed().await;
            let made = make(&bed.vault_client("before"), "env", HOUR).await.unwrap();
            let mut access = bed.access(Auth::Token(crate::bed::TOKEN.to_owned().into()));
            if fault == Verdict::Hang {
                access.timeout = Duration::from_secs(2);
            }
            let vault = Vault::new(access, bed.clock.clone(), "run").unwrap();
            let cut_on_the_way_back = fault == Verdict::Truncate;
            bed.gate().rule(move |_| fault.clone());
            let error = match (sent.act)(&vault, &made.accessor).await {
                Ok(()) => panic!("{case} was taken for an answer"),
                Err(error) => error,
            };
            let told = errors::render(&error);
            for part in [sent.object, &bed.served.url(Server::Vault), "\nhint: "] {
                assert!(told.contains(part), "{case} is told without {part:?}: {told}");
            }
            for text in [&told, &format!("{error:?}"), &format!("{error:#}")] {
                tells_no_secret(text);
                assert!(!text.contains(made.token.expose_secret()), "{case}: {text}");
            }
            if !cut_on_the_way_back {
                assert_eq!(made_tokens(&bed).len(), 1, "{case}");
            }
        })
        .buffer_unordered(16)
        .for_each(async |()| ())
        .await;
    assert_eq!(elsewhere.gate().log(), [""; 0], "a redirect was followed, and the token with it");
}

/// Truncated before its end an answer of Vault's is none; whole, but about something else, neither.
#[tokio::test]
async fn an_answer_about_something_else_is_none() {
    let bed = bed().await;
    let vault = bed.vault_client("run");
    let made = make(&vault, "env", HOUR).await.unwrap();
    let mut warned = vaults(Value::Null);
    warned["warnings"] = json!([BODY]);
    for body in [warned, vaults(json!({"value": 1})), vaults(Value::Null)] {
        let answer = Verdict::json(200, &body);
        bed.gate().rule(move |_| answer.clone());
        for sent in &SENT {
            (sent.act)(&vault, &made.accessor).await.expect_err(sent.object);
        }
    }
}
