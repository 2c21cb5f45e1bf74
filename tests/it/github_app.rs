//! berth as a GitHub App: which tokens it gets, when, and what is told if it gets none.

use super::{
    github_client::{REPOSITORY, Site, pull, repo, says, sha, status},
    github_reports::check,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use berth::{
    clients::{
        Failure, Kind,
        github::{Access, Credential, GitHub, Progress, Revision, State, TIMEOUT},
    },
    rehearsal::{
        Server,
        gate::Verdict,
        github::{App, Level, Permission},
    },
};
use futures::future::join_all;
use jiff::SignedDuration;
use ring::rsa::KeyPair;
use serde_json::json;
use std::sync::{Arc, Mutex};

const KEY: &str = include_str!("github_app.pem");
const ID: u64 = 104_729;

pub(crate) fn der() -> Vec<u8> {
    let lines = KEY.lines().skip_while(|line| !line.starts_with("-----BEGIN"));
    let text: String = lines.filter(|line| !line.starts_with("-----")).collect();
    BASE64_STANDARD.decode(text).unwrap()
}

/// The same key in the other form that there is.
fn pkcs8() -> String {
    let key = der();
    let length = |n: usize| u16::try_from(n).unwrap().to_be_bytes();
    // Version 0, and that it is an RSA key.
    let head = [2, 1, 0, 48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
    let mut whole = vec![48, 130];
    whole.extend(length(head.len() + 4 + key.len()));
    whole.extend(head);
    whole.extend([4, 130]);
    whole.extend(length(key.len()));
    whole.extend(key);
    let text = BASE64_STANDARD.encode(whole);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// An app with this key that was given everything in these repositories.
pub(crate) fn app(repositories: &[&str]) -> App {
    let all = [
        Permission::Actions,
        Permission::Contents,
        Permission::PullRequests,
        Permission::Statuses,
        Permission::Checks,
        Permission::Deployments,
        Permission::Issues,
    ];
    App {
        id: ID,
        slug: "berth".to_owned(),
        public_key: KeyPair::from_der(&der()).unwrap().public().as_ref().to_vec(),
        permissions: all.into_iter().map(|permission| (permission, Level::Write)).collect(),
        repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn access(site: &Site, key: &str) -> Access {
    let credential = Credential::App { id: ID, key: key.to_owned().into() };
    Access { address: site.served.url(Server::GitHub), credential, timeout: TIMEOUT }
}

fn by_key(site: &Site) -> GitHub {
    GitHub::new(access(site, KEY), site.clock.clone(), "run").unwrap()
}

async fn start() -> Site {
    let site = Site::start().await;
    site.served.lock().github.add_app(app(&[REPOSITORY]));
    site
}

/// How often something was asked for.
fn count(site: &Site, what: &str) -> usize {
    site.asked().iter().filter(|line| line.contains(what)).count()
}

fn shows_no_key(told: &str) {
    let secret = |line: &&str| line.len() == 64;
    assert!(KEY.lines().filter(secret).count() > 20);
    let shown = KEY.lines().filter(secret).any(|line| told.contains(line));
    assert!(!shown && !told.contains("eyJ") && !told.contains("ghs_"), "{told}");
}

fn refused(failure: &Failure, because: &str) {
    assert_eq!(failure.kind, Kind::Refused, "{failure}");
    assert!(failure.detail.contains(because), "{failure}");
    shows_no_key(&format!("{failure:?}"));
}

#[tokio::test]
async fn an_app_gets_a_token_for_one_repository_and_for_what_berth_does_there() {
    let site = start().await;
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = sent.clone();
    site.served.gate.rule(move |request| {
        if request.path.last().is_some_and(|last| last == "access_tokens") {
            seen.lock().unwrap().push(request.body.clone());
        }
        Verdict::Pass
    });
    let github = by_key(&site);
    assert!(github.pull(&pull(1)).await.unwrap().is_some());
    github.create_status(&repo(), &sha(), &status(State::Success)).await.unwrap();
    github.create_check(&repo(), &sha(), &check(Progress::Running, 0)).await.unwrap();
    assert_eq!(
        github.create_comment(&pull(1), "x").await.unwrap().author,
        Some("berth[bot]".parse().unwrap())
    );
    let expected = json!({
        "repositories": ["web"],
        "permissions": {
            "actions": "write", "checks": "write", "contents": "read", "deployments": "write", "metadata": "read",
            "pull_requests": "write", "statuses": "write",
        },
    });
    assert_eq!(*sent.lock().unwrap(), [expected]);
    assert_eq!((count(&site, "/installation"), count(&site, "/access_tokens")), (2, 1), "it is kept");
}

#[tokio::test]
async fn each_repository_has_a_token_of_its_own() {
    let site = start().await;
    {
        let github = &mut site.served.lock().github;
        github.add_repository("other/shop").unwrap().private = true;
        github.add_app(app(&[REPOSITORY, "other/shop"]));
    }
    let github = by_key(&site);
    let main = Revision::Branch("main".parse().unwrap());
    for _ in 0..2 {
        assert!(github.file(&repo(), "berth.yaml", &main).await.is_ok());
        assert!(github.file(&"other/shop".parse().unwrap(), "berth.yaml", &main).await.is_ok());
    }
    assert_eq!(count(&site, "/access_tokens"), 2);
}

#[tokio::test]
async fn whoever_asks_at_the_same_time_takes_the_same_token() {
    let site = start().await;
    let github = by_key(&site);
    let (first, second) = (pull(1), pull(2));
    let looks = (0..10).map(|n| github.pull(if n % 2 == 0 { &first } else { &second }));
    assert!(join_all(looks).await.into_iter().all(|found| found.is_ok()));
    assert_eq!(count(&site, "/access_tokens"), 1);
}

#[tokio::test]
async fn a_token_is_made_anew_before_it_ends() {
    let site = start().await;
    let github = by_key(&site);
    for (minutes, tokens) in [(0, 1), (55, 1), (1, 2), (54, 2), (2, 3), (600, 4)] {
        site.served.lock().pass(minutes * 60);
        site.clock.advance(SignedDuration::from_mins(minutes.into()));
        assert!(github.pull(&pull(1)).await.unwrap().is_some());
        assert_eq!(count(&site, "/access_tokens"), tokens, "{minutes} more minutes");
    }
    assert_eq!(count(&site, "web/installation"), 1, "where it is installed is known");
}

#[tokio::test]
async fn a_key_is_taken_in_both_forms_and_nothing_else_is() {
    let site = start().await;
    for key in [KEY.to_owned(), pkcs8(), KEY.replace('\n', "\r\n")] {
        let github = GitHub::new(access(&site, &key), site.clock.clone(), "run").unwrap();
        assert!(github.pull(&pull(1)).await.unwrap().is_some());
    }
    for key in
        ["", "canary", &KEY[..900], &KEY.replace("RSA PRIVATE", "PUBLIC"), &KEY.replace("MII", "canary")]
    {
        let failure = GitHub::new(access(&site, key), site.clock.clone(), "run").err().unwrap();
        assert_eq!(failure.kind, Kind::Invalid);
        assert!(
            failure.detail.contains("no RSA key in PEM") && !failure.detail.contains("canary"),
            "{failure}"
        );
        shows_no_key(&failure.detail);
    }
    let shown = format!("{:?}", access(&site, KEY));
    assert!(shown.contains("104729"), "{shown}");
    shows_no_key(&shown);
}

#[tokio::test]
async fn another_ones_key_or_a_wrong_clock_is_told_as_such() {
    let site = start().await;
    for (ahead, because) in [
        (SignedDuration::from_mins(-10), "must be a numeric value representing the future time"),
        (SignedDuration::from_mins(2), "'exp') is too far in the future"),
    ] {
        let clock = berth::clock::Clock::stepped(site.clock.now().checked_add(ahead).unwrap());
        let github = GitHub::new(access(&site, KEY), clock, "run").unwrap();
        let failure = github.pull(&pull(1)).await.unwrap_err();
        refused(&failure, because);
        assert!(
            failure.detail.ends_with("is it the app's key, and is this machine's clock right?"),
            "{failure}"
        );
    }
    let near = site.clock.now().checked_add(SignedDuration::from_secs(45)).unwrap();
    let github = GitHub::new(access(&site, KEY), berth::clock::Clock::stepped(near), "run").unwrap();
    assert!(github.pull(&pull(1)).await.is_ok(), "a clock may be a little ahead");
    let other = App { public_key: vec![48; 270], ..app(&[REPOSITORY]) };
    site.served.lock().github.add_app(other);
    let failure = by_key(&site).pull(&pull(1)).await.unwrap_err();
    refused(&failure, "A JSON web token could not be decoded");
}

#[tokio::test]
async fn where_an_app_is_not_installed_nothing_is_absent() {
    let site = Site::start().await;
    refused(&by_key(&site).pull(&pull(9)).await.unwrap_err(), "the app is not installed there");
    site.served.lock().github.add_app(app(&["acme/other"]));
    let failure = by_key(&site).pull(&pull(9)).await.unwrap_err();
    refused(&failure, "could not find out whether app 104729 is installed in acme/web");
    refused(&failure, "the app is not installed there");
    refused(&by_key(&site).edit_comment(&repo(), 9, "x").await.unwrap_err(), "not installed");
    site.served.lock().github.add_app(app(&[REPOSITORY]));
    assert_eq!(by_key(&site).pull(&pull(9)).await, Ok(None));
}

#[tokio::test]
async fn an_app_that_was_given_less_does_what_it_may_and_names_what_it_lacks() {
    let site = Site::start().await;
    let mut little = app(&[REPOSITORY]);
    little.permissions.remove(&Permission::Checks);
    little.permissions.insert(Permission::Statuses, Level::Read);
    site.served.lock().github.add_app(little);
    let github = by_key(&site);
    assert!(github.pull(&pull(1)).await.unwrap().is_some());
    assert_eq!(github.latest_status(&repo(), &sha(), "berth").await, Ok(None));
    let failure = github.create_status(&repo(), &sha(), &status(State::Success)).await.unwrap_err();
    refused(&failure, "; the token needs `statuses: write`");
    let failure = github.create_check(&repo(), &sha(), &check(Progress::Running, 0)).await.unwrap_err();
    refused(&failure, "; the token needs `checks: write`");
}

#[tokio::test]
async fn an_app_reaches_a_renamed_repository_under_its_old_name() {
    let site = start().await;
    site.served.lock().github.rename(REPOSITORY, "acme/shop").unwrap();
    let github = by_key(&site);
    assert!(github.pull(&pull(1)).await.unwrap().is_some());
    github.create_status(&repo(), &sha(), &status(State::Success)).await.unwrap();
}

#[tokio::test]
async fn an_installation_that_has_gone_is_looked_for_anew() {
    let site = start().await;
    let github = by_key(&site);
    github.pull(&pull(1)).await.unwrap();
    // It is installed once more, under another id.
    site.served.lock().github.add_app(app(&[REPOSITORY]));
    site.served.lock().pass(3600);
    site.clock.advance(SignedDuration::from_mins(60));
    refused(&github.pull(&pull(1)).await.unwrap_err(), "could not get a token for app 104729 in acme/web");
    assert!(github.pull(&pull(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn what_happens_on_the_way_to_a_token_is_told_as_it_is() {
    let site = start().await;
    let suspended = "This installation has been suspended";
    for (at, answer, kind) in [
        ("installation", says(500, "Server Error"), Kind::Unavailable { wait: None }),
        ("installation", Verdict::json(200, &json!({})), Kind::Unavailable { wait: None }),
        ("installation", Verdict::html(404, "<html>"), Kind::Refused),
        ("installation", Verdict::html(304, ""), Kind::Unavailable { wait: None }),
        ("access_tokens", Verdict::Cut, Kind::Unavailable { wait: None }),
        ("access_tokens", Verdict::json(201, &json!({ "token": "ghs_x" })), Kind::Unavailable { wait: None }),
        ("access_tokens", says(403, suspended), Kind::Refused),
        ("access_tokens", says(422, "Validation Failed"), Kind::Refused),
    ] {
        site.served.gate.rule(move |request| {
            if request.path.last().is_some_and(|last| last == at) { answer.clone() } else { Verdict::Pass }
        });
        let asked = site.asked().len();
        let failure = by_key(&site).pull(&pull(9)).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(!failure.detail.contains("needs"), "{failure}");
        shows_no_key(&format!("{failure:?}"));
        assert!(site.asked().len() - asked <= 2, "it was tried again");
    }
}
