//! Vault's store beyond the contract: hostile answers to every request that it sends, KV v2's own kinds of absence, and
//! being let in and staying so.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::bed::{Bed, MOUNT, ROOT, TOKEN, crypto, document, name};
use anyhow::Result;
use berth::{
    clients::vault::{Access, Auth, Jwt, Vault},
    documents::{Document, Key, NotWritten, Read, Store, Version, remove_surely, write_surely},
    errors::{self, Exit},
    rehearsal::{
        Reply, Request, Server,
        gate::Verdict,
        kv::{Capability, Grant, Login, Rule},
    },
    stores::vault::VaultStore,
};
use futures::{StreamExt, future::BoxFuture, future::join_all, stream};
use insta::assert_snapshot;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const SECRET_ID: &str = "canary-secret-id";
const POD_TOKEN: &str = "canary.pod.token";
const JOB_TOKEN: &str = "canary.job.token";
const BEARER: &str = "canary-bearer";
/// In bodies of which nobody knows what is in them.
pub(crate) const BODY: &str = "canary-in-a-body";
/// Seconds that a token lasts from its login or renewal.
const TTL: u32 = 60;
/// Two thirds of it.
const DUE: u32 = 40;

/// What a request needs and does that is answered with a fault.
struct Kind {
    what: &'static str,
    /// Tells it from all other requests of the store.
    is: fn(&Request) -> bool,
    /// Who sends it.
    auth: fn(&Bed, &Path) -> Auth,
    /// Does what sends it.
    act: for<'a> fn(&'a Bed, &'a dyn Store) -> BoxFuture<'a, Result<()>>,
    /// What its failure must name, beside the server.
    object: &'static str,
    /// What a failure comes to.
    ends: Ends,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Nobody knows.
    Unknown,
    /// By a tombstone that stands already: only an answer that is none of success is unknown.
    Removed,
    /// Without harm: there is another way.
    Well,
}

/// Every request that the store sends. That none is missing is a test too.
const KINDS: [Kind; 11] = [
    Kind {
        what: "read",
        is: |request| is(request, "GET", &["kv", "data"]) && !ends(request, "claim"),
        auth: |_, _| given(),
        act: |_, store| Box::pin(change(store)),
        object: "read kv/ephemeral-clusters/ip-allocations on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "write",
        is: |request| is(request, "POST", &["kv", "data"]) && request.body["data"]["_gone"].is_null(),
        auth: |_, _| given(),
        act: |_, store| {
            Box::pin(async {
                let before = store.read(&Key::Pool).await?;
                unknown(store.write(&Key::Pool, &document(json!({})), before.version()).await)
            })
        },
        object: "write kv/ephemeral-clusters/ip-allocations on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "tombstone",
        is: |request| is(request, "POST", &["kv", "data"]) && !request.body["data"]["_gone"].is_null(),
        auth: |_, _| given(),
        act: |_, store| Box::pin(remove(store)),
        object: "remove kv/ephemeral-clusters/ip-allocations on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "delete",
        is: |request| is(request, "POST", &["kv", "delete"]),
        auth: |_, _| given(),
        act: |_, store| Box::pin(remove(store)),
        object: "remove kv/ephemeral-clusters/ip-allocations on",
        ends: Ends::Removed,
    },
    Kind {
        what: "list",
        is: |request| is(request, "LIST", &["kv", "metadata"]),
        auth: |_, _| given(),
        act: |_, store| Box::pin(async { store.claims().await.map(drop) }),
        object: "list kv/ephemeral-clusters on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "read within a listing",
        is: |request| is(request, "GET", &["kv", "data"]) && ends(request, "claim"),
        auth: |_, _| given(),
        act: |_, store| {
            Box::pin(async {
                let mut entries = store.claims().await?;
                assert_eq!(entries.len(), 1, "a claim that cannot be read is listed all the same");
                entries.remove(0).read.map(drop)
            })
        },
        object: "read kv/ephemeral-clusters/env/claim on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "login by AppRole",
        is: |request| is(request, "POST", &["auth", "approle", "login"]),
        auth: |_, _| approle(),
        act: |_, store| Box::pin(change(store)),
        object: "log in by AppRole at auth/approle on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "login by Kubernetes",
        is: |request| is(request, "POST", &["auth", "kubernetes", "login"]),
        auth: |_, directory| pod(directory),
        act: |_, store| Box::pin(change(store)),
        object: "log in by Kubernetes at auth/kubernetes on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "login by JWT",
        is: |request| is(request, "POST", &["auth", "ci", "jwt", "login"]),
        auth: |bed, _| job(bed),
        act: |_, store| Box::pin(change(store)),
        object: "log in by JWT at auth/ci/jwt on",
        ends: Ends::Unknown,
    },
    Kind {
        what: "asking GitHub for a signed token",
        is: is_github,
        auth: |bed, _| job(bed),
        act: |_, store| Box::pin(change(store)),
        object: "get a signed token of this job from",
        ends: Ends::Unknown,
    },
    Kind {
        what: "renewal",
        is: |request| is(request, "POST", &["auth", "token", "renew-self"]),
        auth: |_, _| approle(),
        act: |bed, store| {
            Box::pin(async {
                store.read(&Key::Pool).await.unwrap();
                bed.pass(DUE);
                change(store).await?;
                assert_eq!(logins(bed), 2, "a token that cannot be renewed is replaced");
                Ok(())
            })
        },
        object: "",
        ends: Ends::Well,
    },
];

fn is(request: &Request, method: &str, begins: &[&str]) -> bool {
    let path = request.path.strip_prefix(&["v1".to_owned()]).unwrap_or_default();
    request.method == method && path.len() >= begins.len() && path.iter().zip(begins).all(|(a, b)| a == b)
}

fn ends(request: &Request, last: &str) -> bool {
    request.path.last().is_some_and(|segment| segment == last)
}

fn is_github(request: &Request) -> bool {
    request.path == ["github", "token"]
}

fn logins(bed: &Bed) -> usize {
    bed.gate().log().iter().filter(|line| line.ends_with("/login")).count()
}

fn renewals(bed: &Bed) -> usize {
    bed.gate().log().iter().filter(|line| line.ends_with("POST vault /v1/auth/token/renew-self")).count()
}

/// As the engine does: what is written follows from what was read.
async fn change(store: &dyn Store) -> Result<()> {
    let before = store.read(&Key::Pool).await?;
    let mut next = before.document().cloned().unwrap_or_default();
    next.insert("192.168.1.142".to_owned(), "pr-2".into());
    unknown(write_surely(store, &Key::Pool, &next, before.version()).await)
}

async fn remove(store: &dyn Store) -> Result<()> {
    let before = store.read(&Key::Pool).await?;
    unknown(store.remove(&Key::Pool, before.version()).await)
}

fn unknown<T>(written: Result<T, NotWritten>) -> Result<()> {
    written.map(drop).map_err(|not| match not {
        NotWritten::Unknown(error) => error,
        NotWritten::Conflict => panic!("an answer that says nothing was taken for a conflict"),
    })
}

fn given() -> Auth {
    Auth::Token(TOKEN.to_owned().into())
}

fn approle() -> Auth {
    Auth::AppRole {
        path: "approle".to_owned(),
        role_id: "berth".to_owned(),
        secret_id: SECRET_ID.to_owned().into(),
    }
}

fn pod(directory: &Path) -> Auth {
    Auth::Kubernetes {
        path: "kubernetes".to_owned(),
        role: "berth".to_owned(),
        token_file: file(directory, "pod-token", &format!("{POD_TOKEN}\n")),
    }
}

fn job(bed: &Bed) -> Auth {
    let url = format!("{}/github/token?api-version=2.0", bed.served.url(Server::Vault));
    let token = Jwt::Issuer { url, bearer: BEARER.to_owned().into(), audience: "https://vault".to_owned() };
    Auth::Jwt { path: "ci/jwt".to_owned(), role: "berth".to_owned(), token }
}

/// A job's token out of a file, as GitLab gives it.
fn job_file(directory: &Path) -> Auth {
    let token = Jwt::File(file(directory, "job-token", &format!("{JOB_TOKEN}\n")));
    Auth::Jwt { path: "ci/jwt".to_owned(), role: "berth".to_owned(), token }
}

fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// GitHub's endpoint for a job's token; everything else passes.
fn github(request: &Request) -> Verdict {
    if !is_github(request) {
        return Verdict::Pass;
    }
    let asked = (request.headers.get("authorization"), request.query.get("audience"));
    let right = (Some(&format!("Bearer {BEARER}")), Some(&"https://vault".to_owned()));
    match asked == right && request.query.get("api-version").is_some_and(|version| version == "2.0") {
        true => Verdict::json(200, &json!({"value": JOB_TOKEN, "count": 1})),
        false => Verdict::json(401, &json!({"message": "no"})),
    }
}

/// A world with a pool, a claim, and all ways to log in.
async fn bed() -> Bed {
    let bed = Bed::start().await;
    {
        let vault = &mut bed.world().vault;
        vault.put(&format!("{ROOT}/ip-allocations"), document(json!({"192.168.1.140": "pr-1"})));
        vault.put(&format!("{ROOT}/env/claim"), document(json!({"says": "env"})));
        let grant = Grant { ttl: Some(TTL), ..Grant::default() };
        vault.add_login("approle", Login::approle("berth", SECRET_ID), grant.clone());
        vault.add_login("kubernetes", Login::kubernetes("berth", POD_TOKEN), grant.clone());
        vault.add_login("ci/jwt", Login::jwt("berth", JOB_TOKEN), grant);
    }
    bed.gate().rule(github);
    bed
}

fn store(bed: &Bed, access: Access) -> Arc<dyn Store> {
    Arc::new(VaultStore::new(Vault::new(access, bed.clock.clone(), "run").unwrap(), MOUNT, ROOT))
}

fn by(bed: &Bed, auth: Auth) -> Arc<dyn Store> {
    store(bed, bed.access(auth))
}

/// All documents with their versions.
fn kept(bed: &Bed) -> BTreeMap<String, (u64, Document)> {
    let vault = &bed.world().vault;
    let all = vault
        .paths()
        .map(|path| (path.to_owned(), (vault.version(path), vault.document(path).unwrap().clone())));
    all.collect()
}

/// As somebody with Vault's own tool.
fn operator(bed: &Bed, method: &str, path: &str, body: &Value) {
    let request = Request {
        server: Server::Vault,
        run: "operator".to_owned(),
        method: method.to_owned(),
        path: ["v1"].into_iter().chain(path.split('/')).map(str::to_owned).collect(),
        query: BTreeMap::new(),
        headers: BTreeMap::from([("x-vault-token".to_owned(), TOKEN.to_owned())]),
        body: body.clone(),
    };
    let Reply::Json(status, answer) = bed.world().handle(&request) else { panic!("Vault answers in JSON") };
    assert!(status < 300, "{status} {answer}");
}

/// What nobody may ever read in a message.
#[track_caller]
pub(crate) fn tells_no_secret(text: &str) {
    for secret in ["canary", "hvs."] {
        assert!(!text.contains(secret), "{secret} stands in: {text}");
    }
}

/// An envelope of Vault's around something.
pub(crate) fn vaults(data: Value) -> Value {
    json!({
        "request_id": "1", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data, "auth": null,
        "wrap_info": null, "warnings": null,
    })
}

pub(crate) fn errors(status: u16, error: &str) -> Verdict {
    Verdict::json(status, &json!({"errors": [error]}))
}

const NOT_VAULTS: &str = "and not in Vault's words";
const NOT_KV2S: &str = "not what Vault answers";

/// Answers that are no answer, and what must be said of them.
pub(crate) fn faults(elsewhere: &str) -> Vec<(Verdict, &'static str)> {
    let page = format!("<html><p>{BODY}</p></html>");
    let moved = format!("{elsewhere}/v1/kv/data/{ROOT}/ip-allocations");
    vec![
        (errors(403, "permission denied"), "Vault answered 403: permission denied"),
        (Verdict::html(403, &page), "403, and not in Vault's words"),
        (Verdict::json(404, &Value::Null), NOT_VAULTS),
        (Verdict::html(404, &page), NOT_VAULTS),
        (Verdict::json(404, &json!({"message": "Not Found"})), NOT_VAULTS),
        (Verdict::json(404, &json!({})), NOT_VAULTS),
        (Verdict::json(404, &json!({"data": null})), NOT_VAULTS),
        (Verdict::json(404, &json!({"data": {"data": null, "metadata": {"version": null}}})), NOT_VAULTS),
        (Verdict::json(404, &json!({"data": {"data": {"a": 1}, "metadata": {"version": 3}}})), NOT_VAULTS),
        (
            errors(404, "no handler for route \"kv/data\". route entry not found."),
            "404: no handler for route",
        ),
        (errors(405, "unsupported operation"), "405: unsupported operation"),
        (
            errors(400, "check-and-set parameter required for this call"),
            "400: check-and-set parameter required",
        ),
        (Verdict::html(200, &page), NOT_KV2S),
        (Verdict::json(200, &json!({})), NOT_KV2S),
        (Verdict::json(200, &json!({"data": {}})), NOT_KV2S),
        (Verdict::json(200, &json!(BODY)), NOT_KV2S),
        (Verdict::json(200, &vaults(json!({"value": BODY}))), NOT_KV2S),
        (Verdict::json(200, &vaults(json!(BODY))), NOT_KV2S),
        (Verdict::json(200, &vaults(Value::Null)), NOT_KV2S),
        (Verdict::json(204, &Value::Null), NOT_KV2S),
        (Verdict::html(301, &page).header("location", &moved), "301, a redirect, which is not followed"),
        (Verdict::html(302, &page).header("location", &moved), "302, a redirect, which is not followed"),
        (Verdict::html(307, &page).header("location", &moved), "307, a redirect, which is not followed"),
        (Verdict::html(308, &page).header("location", &moved), "308, a redirect, which is not followed"),
        (errors(429, "request path quota exceeded"), "Vault answered 429: request path quota exceeded"),
        (errors(500, "internal error"), "Vault answered 500: internal error"),
        (Verdict::html(502, &page), "502, and not in Vault's words"),
        (errors(503, "Vault is sealed"), "Vault answered 503: Vault is sealed"),
        (Verdict::Hang, "no answer in time"),
        (Verdict::Cut, "the connection broke"),
        (Verdict::Truncate, "the connection broke"),
    ]
}

/// One kind of request answered with one fault.
async fn faulty(bed: &Bed, kind: &'static Kind, fault: &Verdict) -> Result<()> {
    let directory = tempfile::tempdir().unwrap();
    let mut access = bed.access((kind.auth)(bed, directory.path()));
    if matches!(fault, Verdict::Hang) {
        // Long enough for the requests before it, on a busy machine too.
        access.timeout = Duration::from_secs(2);
    }
    tells_no_secret(&format!("{access:?}"));
    let fault = fault.clone();
    bed.gate().rule(move |request| if (kind.is)(request) { fault.clone() } else { github(request) });
    let store = store(bed, access);
    (kind.act)(bed, &*store).await
}

async fn check(kind: &'static Kind, fault: Verdict, says: &'static str, elsewhere: &str) {
    let bed = bed().await;
    let server = bed.served.url(Server::Vault);
    let before = kept(&bed);
    let result = faulty(&bed, kind, &fault).await;
    let case = format!("a {} answered by {fault:?}", kind.what);
    let success = matches!(fault, Verdict::Answer { status: 200..300, .. });
    let error = match (kind.ends, result) {
        (Ends::Well, result) => return result.expect(&case),
        (Ends::Removed, Ok(())) if success => return only_the_tombstone_stands(&bed, &case),
        (_, Ok(())) => panic!("{case} was taken for an answer"),
        (_, Err(error)) => error,
    };
    assert_eq!(errors::exit(&error), Exit::Unknown, "{case}");
    let told = errors::render(&error);
    for part in [kind.object, &server, "\nhint: "] {
        assert!(told.contains(part), "{case} is told without {part:?}: {told}");
    }
    assert!(told.contains(says) || is_issuers(kind), "{case} is told without {says:?}: {told}");
    for text in [&told, &format!("{error:?}"), &format!("{error:#}")] {
        tells_no_secret(text);
        assert!(!text.contains(elsewhere), "{case}: {text}");
    }
    match (kind.ends, fault) {
        // It landed, all but its answer.
        (_, Verdict::Truncate) => {}
        (Ends::Removed, _) => only_the_tombstone_stands(&bed, &case),
        _ => assert_eq!(kept(&bed), before, "{case} changed something"),
    }
}

fn only_the_tombstone_stands(bed: &Bed, case: &str) {
    let world = bed.world();
    let left = world.vault.document(&format!("{ROOT}/ip-allocations"));
    assert_eq!(left, Some(&document(json!({"_gone": true}))), "{case}");
}

/// GitHub's answers are not Vault's.
fn is_issuers(kind: &Kind) -> bool {
    kind.object.starts_with("get a signed token")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_is_taken_for_an_answer_and_nothing_follows_from_one() {
    let elsewhere = Bed::start().await;
    let url = elsewhere.served.url(Server::Vault);
    let cases = KINDS.iter().flat_map(|kind| faults(&url).into_iter().map(move |fault| (kind, fault)));
    stream::iter(cases)
        .map(async |(kind, (fault, says))| check(kind, fault, says, &url).await)
        .buffer_unordered(16)
        .for_each(async |()| ())
        .await;
    assert_eq!(elsewhere.gate().log(), [""; 0], "a redirect was followed, and the token with it");
}

#[tokio::test]
async fn every_request_of_the_store_is_among_those_that_were_answered_with_faults() {
    let bed = bed().await;
    let directory = tempfile::tempdir().unwrap();
    let seen = Arc::new(Mutex::new(vec![0; KINDS.len()]));
    let (count, strangers) = (seen.clone(), Arc::new(Mutex::new(Vec::new())));
    let others = strangers.clone();
    bed.gate().rule(move |request| {
        match KINDS.iter().position(|kind| (kind.is)(request)) {
            Some(kind) => count.lock().unwrap()[kind] += 1,
            None => others.lock().unwrap().push(request.to_string()),
        }
        github(request)
    });
    let logins = [given(), approle(), pod(directory.path()), job(&bed), job_file(directory.path())];
    for store in logins.map(|auth| by(&bed, auth)) {
        change(&*store).await.unwrap();
        store.claims().await.unwrap();
        bed.pass(DUE);
        remove(&*store).await.unwrap();
    }
    assert_eq!(*strangers.lock().unwrap(), [""; 0]);
    for (kind, times) in KINDS.iter().zip(seen.lock().unwrap().iter()) {
        assert!(*times > 0, "no {} was sent", kind.what);
    }
}

/// As it is rendered, with a server that is always called the same.
async fn told(what: &str, fault: Verdict) -> String {
    let bed = bed().await;
    let kind = KINDS.iter().find(|kind| kind.what == what).unwrap();
    let error = faulty(&bed, kind, &fault).await.unwrap_err();
    errors::render(&error).replace(&bed.served.url(Server::Vault), "http://vault")
}

#[tokio::test]
async fn a_failure_says_what_was_done_where_why_it_failed_and_what_to_do() {
    let denied = errors(403, "1 error occurred:\n\t* permission denied\n\n");
    assert_snapshot!(told("read", denied.clone()).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `read` on `kv/data/ephemeral-clusters/ip-allocations`
    ");
    assert_snapshot!(told("write", denied.clone()).await, @"
    error: could not write kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `create, update` on `kv/data/ephemeral-clusters/ip-allocations`
    ");
    assert_snapshot!(told("delete", denied.clone()).await, @"
    error: could not remove kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `update` on `kv/delete/ephemeral-clusters/ip-allocations`
    ");
    assert_snapshot!(told("list", denied).await, @"
    error: could not list kv/ephemeral-clusters on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `list` on `kv/metadata/ephemeral-clusters`
    ");
    assert_snapshot!(told("login by AppRole", errors(400, "invalid role or secret ID")).await, @"
    error: could not log in by AppRole at auth/approle on http://vault
      because: Vault answered 400: invalid role or secret ID
    hint: is this the address of a Vault server? the login method must be mounted there, and its role let berth in (bound claims, secret id)
    ");
    assert_snapshot!(told("asking GitHub for a signed token", Verdict::html(403, BODY)).await, @"
    error: could not get a signed token of this job from http://vault
      because: HTTP status client error (403 Forbidden)
    hint: the job needs `permissions: id-token: write`; runs of forks do not get it
    ");
    assert_snapshot!(told("asking GitHub for a signed token", Verdict::html(500, BODY)).await, @"
    error: could not get a signed token of this job from http://vault
      because: HTTP status server error (500 Internal Server Error)
    hint: nothing was changed on that ground: try again
    ");
    assert_snapshot!(told("asking GitHub for a signed token", Verdict::json(200, &json!(BODY))).await, @"
    error: could not get a signed token of this job from http://vault
      because: the answer is not what GitHub answers
    hint: nothing was changed on that ground: try again
    ");
    assert_snapshot!(told("read", Verdict::html(404, BODY)).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: the server answered 404, and not in Vault's words
    hint: is this the address of a Vault server, and its mount of type KV v2? nothing was changed
    ");
    let redirect = Verdict::html(307, BODY).header("location", "http://elsewhere");
    assert_snapshot!(told("read", redirect).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: the server answered 307, a redirect, which is not followed: the token would go along
    hint: give the address of the active node, or of a load balancer that forwards to it
    ");
    assert_snapshot!(told("read", errors(503, "Vault is sealed")).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 503: Vault is sealed
    hint: nothing was changed on that ground; `vault status` tells more, then try again
    ");
    assert_snapshot!(told("read", Verdict::Hang).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: no answer in time
    hint: nothing was changed on that ground; `vault status` tells more, then try again
    ");
    assert_snapshot!(told("read", Verdict::Cut).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: the connection broke: connection closed before message completed
    hint: nothing was changed on that ground; `vault status` tells more, then try again
    ");
    assert_snapshot!(told("read", Verdict::json(200, &vaults(json!({"value": BODY})))).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: the answer is not what Vault answers
    hint: is this the address of a Vault server, and its mount of type KV v2? nothing was changed
    ");
    let text = json!({"created_time": "", "deletion_time": "", "destroyed": false, "version": 1});
    let text = vaults(json!({"data": BODY, "metadata": text}));
    assert_snapshot!(told("read", Verdict::json(200, &text)).await, @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
      because: its data is no object
    hint: is `kv` a KV v2 mount? `vault secrets list -detailed` tells
    ");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    let bed = bed().await;
    // Nothing listens there.
    let access = Access { address: "http://127.0.0.1:1".to_owned(), ..bed.access(given()) };
    let error = store(&bed, access).read(&Key::Pool).await.unwrap_err();
    assert_eq!(errors::exit(&error), Exit::Unknown);
    assert_snapshot!(errors::render(&error), @"
    error: could not read kv/ephemeral-clusters/ip-allocations on http://127.0.0.1:1
      because: no connection: Connection refused (os error 111)
    hint: nothing was changed on that ground; `vault status` tells more, then try again
    ");
}

#[tokio::test]
async fn a_document_that_was_deleted_by_hand_is_absent_and_can_be_created_over_its_version() {
    let bed = bed().await;
    let store = by(&bed, given());
    let destroy = json!({"versions": [1]});
    for (number, (method, part, body)) in
        [("DELETE", "data", &Value::Null), ("POST", "delete", &destroy), ("POST", "destroy", &destroy)]
            .into_iter()
            .enumerate()
    {
        let env = name(&format!("env-{number}"));
        let key = Key::Claim(env.clone());
        bed.world().vault.put(&format!("{ROOT}/{env}/claim"), document(json!({"says": "old"})));
        operator(&bed, method, &format!("kv/{part}/{ROOT}/{env}/claim"), body);
        let read = store.read(&key).await.unwrap();
        assert_eq!(read, Read::Absent { create: Version::opaque(1) }, "{method} {part}");
        let listed = store.claims().await.unwrap();
        assert!(listed.iter().all(|entry| entry.name != env), "{method} {part} leaves it in the listing");
        let version = store.write(&key, &document(json!({"says": "new"})), read.version()).await.unwrap();
        assert_eq!(version, Version::opaque(2));
        let read = store.read(&key).await.unwrap();
        assert_eq!(read.document(), Some(&document(json!({"says": "new"}))));
    }
}

#[tokio::test]
async fn a_document_whose_metadata_was_deleted_is_as_if_it_had_never_been() {
    let bed = bed().await;
    let store = by(&bed, given());
    operator(&bed, "DELETE", &format!("kv/metadata/{ROOT}/ip-allocations"), &Value::Null);
    assert_eq!(store.read(&Key::Pool).await.unwrap(), Read::Absent { create: Version::opaque(0) });
    change(&*store).await.unwrap();
}

#[tokio::test]
async fn cas_required_disturbs_nothing() {
    let bed = bed().await;
    let store = by(&bed, given());
    for path in ["ip-allocations", "new/claim"] {
        operator(&bed, "POST", &format!("kv/metadata/{ROOT}/{path}"), &json!({"cas_required": true}));
    }
    for key in [Key::Pool, Key::Claim(name("new"))] {
        let read = store.read(&key).await.unwrap();
        let version = store.write(&key, &document(json!({})), read.version()).await.unwrap();
        store.remove(&key, &version).await.unwrap();
        assert!(matches!(store.read(&key).await.unwrap(), Read::Absent { .. }));
    }
}

#[tokio::test]
async fn a_tombstone_is_absent_and_can_be_created_over() {
    let bed = bed().await;
    let store = by(&bed, given());
    bed.world().vault.put(&format!("{ROOT}/env/claim"), document(json!({"_gone": true})));
    let key = Key::Claim(name("env"));
    let read = store.read(&key).await.unwrap();
    assert_eq!(read, Read::Absent { create: Version::opaque(2) });
    assert!(store.claims().await.unwrap().is_empty());
    store.write(&key, &document(json!({"says": "new"})), read.version()).await.unwrap();
    assert_eq!(store.claims().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_removal_that_died_between_its_two_requests_has_removed() {
    let bed = bed().await;
    bed.gate().rule(|request| match is(request, "POST", &["kv", "delete"]) {
        true => Verdict::DieBefore,
        false => Verdict::Pass,
    });
    let (dying, heir) = (bed.vault("dying"), bed.vault("heir"));
    let key = Key::Claim(name("env"));
    let before = dying.read(&key).await.unwrap();
    assert!(dying.remove(&key, before.version()).await.is_err());
    assert!(bed.gate().is_dead("dying"));
    bed.gate().open();
    assert_eq!(
        bed.world().vault.document(&format!("{ROOT}/env/claim")),
        Some(&document(json!({"_gone": true})))
    );
    let left = heir.read(&key).await.unwrap();
    assert!(matches!(left, Read::Absent { .. }), "{left:?}");
    assert!(heir.claims().await.unwrap().is_empty());
    remove_surely(&*heir, &key, left.version()).await.unwrap();
    assert_eq!(
        bed.world().vault.document(&format!("{ROOT}/env/claim")),
        None,
        "a second removal clears it away"
    );
    let left = heir.read(&key).await.unwrap();
    heir.write(&key, &document(json!({})), left.version()).await.unwrap();
}

#[tokio::test]
async fn a_removal_whose_second_answer_is_lost_is_settled() {
    for verdict in [Verdict::Cut, Verdict::CutAfter] {
        let bed = bed().await;
        let store = by(&bed, given());
        bed.gate().rule(move |request| match is(request, "POST", &["kv", "delete"]) {
            true => verdict.clone(),
            false => Verdict::Pass,
        });
        let before = store.read(&Key::Pool).await.unwrap();
        remove_surely(&*store, &Key::Pool, before.version()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_made_between_the_two_requests_of_a_removal_survives_it() {
    let bed = bed().await;
    let store = by(&bed, given());
    let world = bed.served.world.clone();
    bed.gate().rule(move |request| {
        if is(request, "POST", &["kv", "delete"]) {
            let vault = &mut world.lock().unwrap().vault;
            assert_eq!(vault.version(&format!("{ROOT}/env/claim")), 2, "the tombstone stands");
            vault.put(&format!("{ROOT}/env/claim"), document(json!({"says": "new"})));
        }
        Verdict::Pass
    });
    let key = Key::Claim(name("env"));
    let before = store.read(&key).await.unwrap();
    store.remove(&key, before.version()).await.unwrap();
    let read = store.read(&key).await.unwrap();
    assert_eq!(
        (read.document(), read.version()),
        (Some(&document(json!({"says": "new"}))), &Version::opaque(3))
    );
}

#[tokio::test]
async fn what_is_no_environment_is_no_claim_of_the_listing() {
    let bed = bed().await;
    for path in ["UPPER/claim", "under_score/claim", "-edge/claim", "leaf", "berth/sweep", "deep/er/claim"] {
        bed.world().vault.put(&format!("{ROOT}/{path}"), document(json!({})));
    }
    let entries = by(&bed, given()).claims().await.unwrap();
    let names: Vec<String> = entries.iter().map(|entry| entry.name.to_string()).collect();
    assert_eq!(names, ["env"]);
}

#[tokio::test]
async fn a_policy_of_the_requests_that_are_sent_suffices() {
    use Capability::{Create, List, Read, Update};
    let bed = bed().await;
    let policy = vec![
        Rule::new(&format!("kv/data/{ROOT}/*"), &[Create, Read, Update]),
        Rule::new(&format!("kv/delete/{ROOT}/*"), &[Update]),
        Rule::new(&format!("kv/metadata/{ROOT}"), &[List]),
    ];
    bed.world().vault.add_token("least", Grant { policy: Some(policy), ..Grant::default() });
    let store = by(&bed, Auth::Token("least".to_owned().into()));
    let claim = Key::Claim(name("new"));
    let absent = store.read(&claim).await.unwrap();
    let version = store.write(&claim, &document(json!({})), absent.version()).await.unwrap();
    assert_eq!(store.claims().await.unwrap().len(), 2);
    store.remove(&claim, &version).await.unwrap();
    change(&*store).await.unwrap();
}

#[tokio::test]
async fn the_namespace_goes_along_and_without_it_the_server_refuses() {
    let bed = bed().await;
    bed.world().vault.namespace = Some("team/a".to_owned());
    for auth in [given(), approle()] {
        let within = Access { namespace: Some("team/a".to_owned()), ..bed.access(auth.clone()) };
        change(&*store(&bed, within)).await.unwrap();
        for namespace in [None, Some("team/b".to_owned())] {
            let without = Access { namespace, ..bed.access(auth.clone()) };
            let error = change(&*store(&bed, without)).await.unwrap_err();
            assert_eq!(errors::exit(&error), Exit::Unknown, "{error:?}");
        }
    }
}

#[tokio::test]
async fn each_way_to_log_in_works() {
    let bed = bed().await;
    let directory = tempfile::tempdir().unwrap();
    let ways = [given(), approle(), pod(directory.path()), job(&bed), job_file(directory.path())];
    for (number, auth) in ways.into_iter().enumerate() {
        change(&*by(&bed, auth)).await.unwrap();
        assert_eq!(logins(&bed), number, "all but the given token log in once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_requests_at_once_log_in_once_and_renew_once() {
    let bed = bed().await;
    let store = by(&bed, approle());
    let all_at_once = async || {
        let reads = (0..50).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.read(&Key::Pool).await.map(drop) })
        });
        for read in join_all(reads).await {
            read.unwrap().unwrap();
        }
    };
    all_at_once().await;
    assert_eq!((logins(&bed), renewals(&bed)), (1, 0));
    bed.pass(DUE);
    all_at_once().await;
    assert_eq!((logins(&bed), renewals(&bed)), (1, 1));
}

#[tokio::test]
async fn a_token_is_renewed_at_two_thirds_of_its_time_and_not_before() {
    let bed = bed().await;
    let store = by(&bed, approle());
    change(&*store).await.unwrap();
    for round in 1..=5 {
        bed.pass(DUE - 1);
        change(&*store).await.unwrap();
        assert_eq!(renewals(&bed), round - 1, "too early");
        bed.pass(1);
        change(&*store).await.unwrap();
        assert_eq!(renewals(&bed), round);
    }
    assert_eq!(logins(&bed), 1, "a token that is renewed lasts");
}

#[tokio::test]
async fn a_token_past_its_longest_life_is_replaced_by_a_new_login() {
    let bed = bed().await;
    let grant = Grant { ttl: Some(TTL), max_ttl: Some(100), ..Grant::default() };
    bed.world().vault.add_login("short", Login::approle("berth", SECRET_ID), grant);
    let Auth::AppRole { role_id, secret_id, .. } = approle() else { unreachable!() };
    let store = by(&bed, Auth::AppRole { path: "short".to_owned(), role_id, secret_id });
    for second in 0..300 {
        change(&*store).await.unwrap_or_else(|error| panic!("at second {second}: {error:?}"));
        bed.pass(1);
    }
    assert_eq!(logins(&bed), 3, "one for every 100 seconds");
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_replaced_by_a_new_login_without_asking() {
    let bed = bed().await;
    let grant = Grant { ttl: Some(TTL), fixed: true, ..Grant::default() };
    bed.world().vault.add_login("fixed", Login::approle("berth", SECRET_ID), grant);
    let Auth::AppRole { role_id, secret_id, .. } = approle() else { unreachable!() };
    let store = by(&bed, Auth::AppRole { path: "fixed".to_owned(), role_id, secret_id });
    change(&*store).await.unwrap();
    bed.pass(DUE);
    change(&*store).await.unwrap();
    assert_eq!((logins(&bed), renewals(&bed)), (2, 0));
}

#[tokio::test]
async fn a_renewal_that_is_refused_leads_to_a_new_login() {
    let bed = bed().await;
    bed.gate().rule(|request| match is(request, "POST", &["auth", "token", "renew-self"]) {
        true => errors(403, "permission denied"),
        false => Verdict::Pass,
    });
    let store = by(&bed, approle());
    change(&*store).await.unwrap();
    bed.pass(DUE);
    change(&*store).await.unwrap();
    change(&*store).await.unwrap();
    assert_eq!((logins(&bed), renewals(&bed)), (2, 1));
}

#[tokio::test]
async fn a_token_serves_to_its_end_when_neither_renewal_nor_login_succeeds() {
    let bed = bed().await;
    let grant = Grant { ttl: Some(TTL), ..Grant::default() };
    bed.world().vault.add_login("once", Login::approle("berth", SECRET_ID).uses(1), grant);
    bed.gate().rule(|request| match is(request, "POST", &["auth", "token", "renew-self"]) {
        true => errors(403, "permission denied"),
        false => Verdict::Pass,
    });
    let Auth::AppRole { role_id, secret_id, .. } = approle() else { unreachable!() };
    let store = by(&bed, Auth::AppRole { path: "once".to_owned(), role_id, secret_id });
    for second in 0..TTL {
        change(&*store).await.unwrap_or_else(|error| panic!("at second {second}: {error:?}"));
        bed.pass(1);
    }
    let tried = renewals(&bed);
    assert!((2..=8).contains(&tried), "now and then, and not with every request: {tried} times");
    let error = change(&*store).await.unwrap_err();
    assert_eq!(renewals(&bed), tried, "a token that has ended cannot be renewed");
    assert_snapshot!(errors::render(&error).replace(&bed.served.url(Server::Vault), "http://vault"), @"
    error: could not log in by AppRole at auth/once on http://vault
      because: Vault answered 400: invalid role or secret ID
    hint: is this the address of a Vault server? the login method must be mounted there, and its role let berth in (bound claims, secret id)
    ");
    // A new secret id, and all is well.
    bed.world().vault.add_login("once", Login::approle("berth", SECRET_ID), Grant::default());
    change(&*store).await.unwrap();
}

#[tokio::test]
async fn a_given_token_is_never_renewed() {
    let bed = bed().await;
    bed.world().vault.add_token("theirs", Grant { ttl: Some(TTL), ..Grant::default() });
    let store = by(&bed, Auth::Token("theirs".to_owned().into()));
    for _ in 0..TTL {
        change(&*store).await.unwrap();
        bed.pass(1);
    }
    let error = change(&*store).await.unwrap_err();
    assert_eq!(errors::exit(&error), Exit::Unknown);
    assert_eq!((logins(&bed), renewals(&bed)), (0, 0));
}

#[tokio::test]
async fn a_login_that_never_ends_is_never_renewed() {
    let bed = bed().await;
    bed.world().vault.add_login("ever", Login::approle("berth", SECRET_ID), Grant::default());
    let Auth::AppRole { role_id, secret_id, .. } = approle() else { unreachable!() };
    let store = by(&bed, Auth::AppRole { path: "ever".to_owned(), role_id, secret_id });
    change(&*store).await.unwrap();
    bed.pass(u32::MAX);
    change(&*store).await.unwrap();
    assert_eq!((logins(&bed), renewals(&bed)), (1, 0));
}

#[tokio::test]
async fn the_pods_token_is_read_again_for_each_login() {
    let bed = bed().await;
    let directory = tempfile::tempdir().unwrap();
    let grant = Grant { ttl: Some(TTL), ..Grant::default() };
    bed.world().vault.add_login("kubernetes", Login::kubernetes("berth", "canary.rotated"), grant);
    let store = by(&bed, pod(directory.path()));
    change(&*store).await.unwrap();
    file(directory.path(), "pod-token", "canary.rotated");
    bed.pass(TTL);
    change(&*store).await.unwrap();
    fs::remove_file(directory.path().join("pod-token")).unwrap();
    bed.pass(TTL);
    let error = change(&*store).await.unwrap_err();
    let told = errors::render(&error).replace(directory.path().to_str().unwrap(), "/pod");
    assert_snapshot!(told, @"
    error: could not read the login token /pod/pod-token
      because: No such file or directory (os error 2)
    hint: is the service account's token mounted, or the path right?
    ");
}

#[tokio::test]
async fn a_line_break_behind_a_token_is_forgiven_and_one_within_it_is_a_mistake_of_the_user() {
    let bed = bed().await;
    for token in [format!("{TOKEN}\n"), format!(" {TOKEN}\r\n")] {
        change(&*by(&bed, Auth::Token(token.into()))).await.unwrap();
    }
    for token in ["canary\ntwo", "canary\r\ntwo", "canary\0"] {
        let error = change(&*by(&bed, Auth::Token(token.to_owned().into()))).await.unwrap_err();
        assert_eq!(errors::exit(&error), Exit::Usage);
        tells_no_secret(&format!("{error:?} {}", errors::render(&error)));
    }
    let access = Access { namespace: Some("team\na".to_owned()), ..bed.access(given()) };
    let error = change(&*store(&bed, access)).await.unwrap_err();
    assert_snapshot!(errors::render(&error), @"
    error: Vault's namespace has a character that no HTTP header can carry
    hint: look for a line break in it
    ");
}

#[tokio::test]
async fn an_issuers_bearer_that_no_header_can_carry_is_not_shown() {
    let bed = bed().await;
    let Auth::Jwt { path, role, token: Jwt::Issuer { url, audience, .. } } = job(&bed) else {
        unreachable!()
    };
    for (url, bearer) in [(url, "canary\nbearer"), ("canary, no URL".to_owned(), BEARER)] {
        let token = Jwt::Issuer { url, bearer: bearer.to_owned().into(), audience: audience.clone() };
        let auth = Auth::Jwt { path: path.clone(), role: role.clone(), token };
        let error = change(&*by(&bed, auth)).await.unwrap_err();
        tells_no_secret(&format!("{error:?} {}", errors::render(&error)));
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_a_mistake_of_the_user() {
    let bed = bed().await;
    for address in ["", "canary", "vault.example:8200", "ftp://canary@vault", "http://", "https://gw/canary"]
    {
        let access = Access { address: address.to_owned(), ..bed.access(given()) };
        let error = Vault::new(access, bed.clock.clone(), "run").err().expect(address);
        assert_eq!(errors::exit(&error), Exit::Usage, "{address}");
        tells_no_secret(&format!("{error:?} {}", errors::render(&error)));
    }
}

#[tokio::test]
async fn a_certificate_authority_that_is_none_is_a_mistake_of_the_user() {
    let bed = bed().await;
    let directory = tempfile::tempdir().unwrap();
    let written = file(directory.path(), "ca.pem", "canary, no certificate");
    for ca in [written, directory.path().join("none.pem"), directory.path().to_owned()] {
        let access =
            Access { address: "https://127.0.0.1:1".to_owned(), ca: Some(ca.clone()), ..bed.access(given()) };
        let error = Vault::new(access, bed.clock.clone(), "run").err().expect("it is no authority");
        assert_eq!(errors::exit(&error), Exit::Usage);
        let told = errors::render(&error);
        assert!(told.contains(ca.to_str().unwrap()), "{told}");
        tells_no_secret(&told);
    }
}

/// Until 2120, of `berth test CA` for 127.0.0.1; the authority's own key is gone.
const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBMzCB2qADAgECAgEBMAoGCCqGSM49BAMCMBgxFjAUBgNVBAMMDWJlcnRoIHRl
c3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBgxFjAUBgNV
BAMMDWJlcnRoIHRlc3QgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQYsdak
hL6iW/zRtV1y09LdsAOvvRQzS1F4mcEmwYl5lkLdS5OoV5LZIIxwh0TFoprq2DWs
yMUdYRG1Av9kKQv9oxMwETAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gA
MEUCIQCIlaefbfloTjimmXFBYS4gYiEh5Bx3oOiKaLp/XD8yBgIgfmKrGR+WO2mq
ybiDzmGSk8N1qhhijmjdTff+jcTYL+M=
-----END CERTIFICATE-----
";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBLjCB1qADAgECAgECMAoGCCqGSM49BAMCMBgxFjAUBgNVBAMMDWJlcnRoIHRl
c3QgQ0EwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNV
BAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABD4HwrsdOPSd
lQPiQetkTCAQe1KiYwQ4M/iaEqM5rP+A6vlOmTGO1nMmQkN/Jp7VVRcraoobsKOa
Vg41suQ6XrKjEzARMA8GA1UdEQQIMAaHBH8AAAEwCgYIKoZIzj0EAwIDRwAwRAIg
DeXy3WqEIBBYOMHSpcgGbjHMlR+XJoFmT2l5o/cbNmgCIEeMSBYkq8X7FAx2ph4R
PwxLbJO12Q12BOpK4stouYeG
-----END CERTIFICATE-----
";
/// Of that certificate, without the lines that scanners for secrets look for.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg10YGNmWmv8KmfLYE
qX+a0UBhInTqK7GeqA0fhTo92qKhRANCAAQ+B8K7HTj0nZUD4kHrZEwgEHtSomME
ODP4mhKjOaz/gOr5TpkxjtZzJkJDfyae1VUXK2qKG7CjmlYONbLkOl6y";

/// A server with that certificate, to which nothing was ever written. It takes one connection.
fn empty_vault_over_tls() -> String {
    crypto();
    let key = format!("-----BEGIN {0}-----\n{KEY}\n-----END {0}-----\n", "PRIVATE KEY");
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, socket);
        let mut request = Vec::new();
        let mut byte = [0];
        // Whoever does not trust the certificate goes away before the first byte.
        while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
            request.push(byte[0]);
        }
        let _ = stream.write_all(
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"errors\":[]}",
        );
        let _ = stream.flush();
    });
    address
}

#[tokio::test]
async fn a_certificate_authority_of_ones_own_is_trusted_and_an_unknown_one_is_not() {
    let bed = bed().await;
    let directory = tempfile::tempdir().unwrap();
    let ca = Some(file(directory.path(), "ca.pem", CA));
    let access = Access { address: empty_vault_over_tls(), ca, ..bed.access(given()) };
    let read = store(&bed, access).read(&Key::Pool).await.unwrap();
    assert_eq!(read, Read::Absent { create: Version::opaque(0) });
    let address = empty_vault_over_tls();
    let access = Access { address: address.clone(), ..bed.access(given()) };
    let error = store(&bed, access).read(&Key::Pool).await.unwrap_err();
    assert_snapshot!(errors::render(&error).replace(&address, "https://vault"), @"
    error: could not read kv/ephemeral-clusters/ip-allocations on https://vault
      because: no connection: invalid peer certificate: UnknownIssuer
    hint: name the authority that signed the server's certificate: `store.vault.ca`, or VAULT_CACERT
    ");
}

/// vaultrs takes all that it is not told from there: another server, a token, no verification.
#[test]
fn the_variables_of_vaults_own_tools_have_no_influence() {
    let (_, module) = module_path!().split_once("::").unwrap();
    for test in [
        "each_way_to_log_in_works",
        "the_namespace_goes_along_and_without_it_the_server_refuses",
        "a_certificate_authority_of_ones_own_is_trusted_and_an_unknown_one_is_not",
    ] {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{test}")])
            .env("VAULT_ADDR", "http://127.0.0.1:1")
            .env("VAULT_TOKEN", "hvs.canary-of-the-environment")
            .env("VAULT_NAMESPACE", "nowhere")
            .env("VAULT_CACERT", "/nonexistent/ca.pem")
            .env("VAULT_CAPATH", "/nonexistent")
            .env("VAULT_CLIENT_CERT", "/nonexistent/cert.pem")
            .env("VAULT_CLIENT_KEY", "/nonexistent/key.pem")
            .env("VAULT_SKIP_VERIFY", "")
            .env("VAULT_WRAP_TTL", "60s")
            .env("VAULT_CLIENT_TIMEOUT", "1ns")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
    }
}
