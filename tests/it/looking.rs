//! `berth list`, `show`, `history` and `extend`, as people see them: the real binary over documents that are there.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    claims::{pull, removal, run, uid},
    executable::{CANARY, User, Vault, block},
};
use berth::{
    clock::Clock,
    domain::{
        claim::{Cause, Claim, Counted, Gone, Removal, Reported, Told},
        history::{History, Life},
        names::Generation,
        results::Results,
    },
};
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde_json::{Value, json};

const HEAD: &str = "9f2c1ab0000000000000000000000000000000aa";

/// So long ago: a little more, so that what is shown is the same whenever the test runs.
fn ago(minutes: i64) -> Timestamp {
    Clock::system().now() - SignedDuration::from_secs(minutes * 60 + 1)
}

fn ahead(minutes: i64) -> Timestamp {
    Clock::system().now() + SignedDuration::from_secs(minutes * 60 + 59)
}

/// A day of a year that is not this one.
fn day(time: &str) -> Timestamp {
    format!("2020-01-05T{time}Z").parse().unwrap()
}

fn claimed(holder: &str, since: Timestamp) -> Claim {
    let (repo, number) = holder.split_once('/').unwrap().1.split_once('#').unwrap();
    let hosts = vec![format!("pr-{number}-{repo}.preview.example.com").parse().unwrap()];
    let removal = Removal { hosts, ..removal() };
    let life = SignedDuration::from_hours(72);
    let ids = (uid(&format!("uid-{number}")), run("r"));
    let claim = Claim::first(pull(holder), ids, HEAD.parse().ok(), removal, since, life);
    claim.at("pool lab".parse().ok())
}

fn told(outcome: &str, counted: Option<Counted>, at: Timestamp) -> Reported {
    Reported {
        outcome: outcome.to_owned(),
        by: Generation::FIRST,
        head: HEAD.parse().ok(),
        at,
        tests: counted.map(|_| "cypress".to_owned()),
        counted,
        took: 192,
        phases: vec![Told { step: "cluster".to_owned(), millis: 124_000, detail: "k3s".to_owned() }],
    }
}

fn put(vault: &Vault, path: &str, document: Value) {
    let Value::Object(document) = document else { panic!("a document is an object") };
    vault.served.lock().vault.put(&format!("ephemeral-clusters/{path}"), document);
}

fn gone(what: &str, at: Timestamp, proof: &str) -> Gone {
    Gone { what: what.to_owned(), at, proof: proof.to_owned() }
}

#[test]
fn the_list_tells_how_each_stands_and_how_full_the_pool_is() {
    let vault = Vault::with(json!({
        "192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42",
        "192.168.1.142": "pr-web-88", "192.168.1.143": "pr-web-88",
        "192.168.1.144": "pr-shop-39", "192.168.1.145": "pr-shop-39",
        "192.168.1.146": "pr-web-80", "192.168.1.147": "pr-web-80",
        "192.168.1.148": "pr-legacy-7",
    }));
    let passed = Some(Counted { passed: 148, failed: 0 });
    let ready = claimed("acme/shop#42", ago(120)).held(Some(block(140))).unwrap();
    vault.claim(&ready.reporting(told("ready", passed, ago(110))));
    let closing = claimed("acme/web#88", ago(1680)).held(Some(block(142))).unwrap();
    let closing = closing.reporting(told("ready", Some(Counted { passed: 97, failed: 0 }), ago(1600)));
    vault.claim(&closing.closed(ahead(26) - SignedDuration::from_hours(1)).unwrap());
    let draining = claimed("acme/shop#39", ago(2880)).held(Some(block(144))).unwrap();
    vault.claim(&draining.clone().draining(ago(3)).unwrap());
    let cooling = claimed("acme/web#80", ago(300)).held(Some(block(146))).unwrap();
    vault.claim(&cooling.draining(ago(9)).unwrap().cooling(ahead(14)).unwrap());
    // The name decides between two that came at once.
    let at_once = ago(20);
    for holder in ["acme/web#92", "acme/web#91"] {
        vault.claim(&claimed(holder, at_once));
    }
    vault.claim(&claimed("acme/api#1", ago(19)));
    let failing = claimed("acme/docs#3", ago(4321)).held(None).unwrap();
    vault.claim(&failing.reporting(told("tests-failed", Some(Counted { passed: 11, failed: 1 }), ago(4000))));
    let user = User::of(&vault).with("BERTH_PLATFORM", "p.yaml");
    user.writes("p.yaml", "version: 1\npools: {lab: {range: 192.168.1.140-192.168.1.149, block: 2}}\n");
    insta::assert_snapshot!(user.berth(&["list"]).seen(), @r#"
    $ berth list
    ENVIRONMENT   PROVIDER  STATE     SHA      TESTS    AGE   ENDS      HOST
    acme/api#1    capi-k3s  queued 3  9f2c1ab  -        19m   -         -
    acme/docs#3   capi-k3s  failing   9f2c1ab  11/12    3d    overdue   pr-3-docs
    acme/shop#39  capi-k3s  draining  9f2c1ab  -        2d    -         -
    acme/shop#42  capi-k3s  ready     9f2c1ab  148/148  2h    in 2d21h  pr-42-shop
    acme/web#80   capi-k3s  cooling   9f2c1ab  -        5h    in 14m    -
    acme/web#88   capi-k3s  closing   9f2c1ab  97/97    1d4h  in 26m    pr-88-web
    acme/web#91   capi-k3s  queued 1  9f2c1ab  -        20m   -         -
    acme/web#92   capi-k3s  queued 2  9f2c1ab  -        20m   -         -
    pool lab: 0 of 5 blocks free (2 held, 1 draining, 1 cooling, 1 not ours), 3 queued; never swept
    exit 0
    "#);
    put(&vault, "berth/sweep", json!({"at": ago(9)}));
    let listed = user.berth(&["list"]).stdout;
    assert!(listed.ends_with("1 not ours), 3 queued; swept 9 min ago\n"), "{listed}");
    let rows = user.berth(&["list", "-o", "json"]).json();
    let row =
        |name: &str| rows.as_array().unwrap().iter().find(|row| row["environment"] == name).unwrap().clone();
    assert_eq!(row("acme/web#92")["queued"], 2);
    assert_eq!(row("acme/docs#3")["tests"], json!({"passed": 11, "failed": 1}));
}

#[test]
fn results_of_another_commit_are_not_those_of_this_one() {
    let vault = Vault::start();
    let counted = Some(Counted { passed: 1, failed: 0 });
    let old = claimed("acme/shop#42", ago(5)).held(None).unwrap().reporting(told("ready", counted, ago(2)));
    vault.claim(&old.wanting("e41b6d0000000000000000000000000000000000".parse().ok()));
    let row = &User::of(&vault).berth(&["list", "-o", "json"]).json()[0];
    assert_eq!((&row["state"], row.get("tests")), (&json!("starting"), None));
}

#[test]
fn each_pool_has_a_line_and_what_cannot_be_read_is_neither_free_nor_left_out() {
    let vault = Vault::with(json!({"192.168.1.140": "pr-shop-42"}));
    put(&vault, "pr-shop-42/claim", json!({"schema": 1}));
    let user = User::of(&vault);
    user.writes(
        "p.yaml",
        "version: 1\npools: {lab: {range: 192.168.1.140-192.168.1.143, block: 2}, other: {range: 10.0.0.0-10.0.0.1, block: 2}}\n",
    );
    let said = user.berth(&["list", "--platform", "p.yaml"]);
    assert_eq!(said.code, 4, "{}", said.seen());
    assert_eq!(
        said.stdout,
        "pool lab: at most 1 of 2 blocks free (1 unreadable); never swept\n\
         pool other: at most 1 of 1 blocks free; never swept\n"
    );
    assert!(said.stderr.contains("pr-shop-42: "), "{}", said.stderr);
    put(&vault, "berth/sweep", json!({"at": "yesterday"}));
    let said = user.berth(&["list", "--platform", "p.yaml"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.seen());
    assert!(said.stderr.contains("does not say when all was swept last"), "{}", said.stderr);
}

#[test]
fn one_environment_tells_since_when_it_is_so_and_what_is_gone_of_it() {
    let vault = Vault::start();
    let held = claimed("acme/shop#42", day("12:00:00")).held(Some(block(140))).unwrap();
    let cooling = held.draining(day("13:00:00")).unwrap().because(Cause::Closed);
    let host = gone("pr-42-shop.preview.example.com", day("13:01:00"), "NXDOMAIN, 2 of 2 servers");
    let cooling = cooling.without([host]).cooling(day("13:12:00")).unwrap().cooling_since(day("13:02:00"));
    vault.claim(&cooling);
    vault.claim(&claimed("acme/shop#43", day("12:00:00")).held(None).unwrap().warned());
    let user = User::of(&vault);
    insta::assert_snapshot!(user.berth(&["show", "acme/shop#42"]).stdout, @r#"
    environment  acme/shop#42
    name         pr-shop-42
    state        cooling
    provider     capi-k3s
    commit       9f2c1ab0000000000000000000000000000000aa
    generation   1
    addresses    192.168.1.140, 192.168.1.141
    hosts        pr-42-shop.preview.example.com
    created      2020-01-05 12:00 UTC
    since        2020-01-05 13:02 UTC
    ends         2020-01-05 13:12 UTC
    gone         pr-42-shop.preview.example.com at 2020-01-05 13:01 UTC: NXDOMAIN, 2 of 2 servers
    "#);
    let warned = user.berth(&["show", "acme/shop#43"]).stdout;
    assert!(warned.contains("2020-01-08 12:00 UTC, and people were warned of it"), "{warned}");
}

fn life(number: u32, created: &str, ended: &str, cause: Cause) -> Life {
    let holder = format!("acme/shop#{number}");
    let claim = claimed(&holder, day(created)).held(Some(block(140))).unwrap();
    let claim = claim.reporting(told("ready", Some(Counted { passed: 148, failed: 0 }), day(created)));
    let end = day(ended);
    let going = claim.draining(end - SignedDuration::from_mins(12)).unwrap().because(cause);
    let cooling = going.cooling(end).unwrap().cooling_since(end - SignedDuration::from_mins(10));
    let receipt = [
        gone(
            "pr-42-shop.preview.example.com",
            end - SignedDuration::from_mins(11),
            "NXDOMAIN, 2 of 2 servers",
        ),
        gone("192.168.1.140, 192.168.1.141", end, "cooled 10 min, freed"),
    ];
    Life { uid: uid(&format!("uid-{ended}").replace(':', "")), ..Life::of(&cooling, &receipt, end) }
}

#[test]
fn a_history_tells_of_each_life_and_of_the_results_also_when_nothing_is_there_any_more() {
    let vault = Vault::start();
    let results = Results { passed: 146, failed: 2, skipped: 2, ..Results::default() };
    let history = History::default()
        .with_life(life(42, "12:00:00", "14:00:00", Cause::Closed))
        .with_life(life(42, "15:00:00", "18:30:00", Cause::Expired))
        .with(&HEAD.parse().unwrap(), "cypress\u{1b}[31m", &results, day("12:04:00"));
    put(&vault, "pr-shop-42/history", Value::Object(history.into_document()));
    let user = User::of(&vault);
    insta::assert_snapshot!(user.berth(&["history", "acme/shop#42"]).seen(), @r#"
    $ berth history acme/shop#42
    environment  acme/shop#42
    ended        5 Jan 2020 18:30 UTC, expired, after 3h30m
    provider     capi-k3s
    commit       9f2c1ab0000000000000000000000000000000aa
    addresses    192.168.1.140, 192.168.1.141
    reported     ready at 5 Jan 2020 15:00 UTC, after 3m, 148 passed, 0 failed: cluster 2m
    times        created 5 Jan 2020 15:00 UTC, draining 5 Jan 2020 18:18 UTC, cooling 5 Jan 2020 18:20 UTC, freed 5 Jan 2020 18:30 UTC
      GONE                            SEEN AT       PROOF
      pr-42-shop.preview.example.com  18:19:00 UTC  NXDOMAIN, 2 of 2 servers
      192.168.1.140, 192.168.1.141    18:30:00 UTC  cooled 10 min, freed

    environment  acme/shop#42
    ended        5 Jan 2020 14:00 UTC, closed, after 2h
    provider     capi-k3s
    commit       9f2c1ab0000000000000000000000000000000aa
    addresses    192.168.1.140, 192.168.1.141
    reported     ready at 5 Jan 2020 12:00 UTC, after 3m, 148 passed, 0 failed: cluster 2m
    times        created 5 Jan 2020 12:00 UTC, draining 5 Jan 2020 13:48 UTC, cooling 5 Jan 2020 13:50 UTC, freed 5 Jan 2020 14:00 UTC
      GONE                            SEEN AT       PROOF
      pr-42-shop.preview.example.com  13:49:00 UTC  NXDOMAIN, 2 of 2 servers
      192.168.1.140, 192.168.1.141    14:00:00 UTC  cooled 10 min, freed

    COMMIT   REPORT        PASSED  FAILED  SKIPPED  AT
    9f2c1ab  cypress�[31m  146     2       2        5 Jan 2020 12:04 UTC
    exit 0
    "#);
    let told = user.berth(&["history", "pr-shop-42", "-o", "json"]).json();
    assert_eq!(told["lives"][0]["why"], "expired", "the last first");
    assert_eq!(told["lives"][1]["receipt"][0]["proof"], "NXDOMAIN, 2 of 2 servers");
    assert_eq!(told["results"][0]["failed"], 2);
    vault.claim(&claimed("acme/shop#42", day("19:00:00")));
    let said = user.berth(&["history", "acme/shop#42"]);
    assert_eq!(said.stderr, "it has a life that goes on: `berth show acme/shop#42`\n");
}

#[test]
fn a_history_that_is_another_s_or_cannot_be_read_is_not_an_empty_one() {
    let vault = Vault::start();
    let user = User::of(&vault);
    let unknown = user.berth(&["history", "acme/shop#7"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""), "{}", unknown.seen());
    assert!(unknown.stderr.contains("nothing is known of an environment pr-shop-7"), "{}", unknown.stderr);
    let theirs = History::default().with_life(life(42, "12:00:00", "14:00:00", Cause::Closed));
    put(&vault, "pr-shop-42/history", Value::Object(theirs.into_document()));
    let said = user.berth(&["history", "other/shop#42"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{}", said.seen());
    put(&vault, "pr-shop-42/history", json!({"lives": [{"uid": "u"}]}));
    let said = user.berth(&["history", "acme/shop#42"]);
    assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.seen());
    assert!(said.stderr.contains("correct its `results` or `lives`"), "{}", said.stderr);
}

#[test]
fn more_time_is_told_with_what_limits_it() {
    let vault = Vault::start();
    let user = User::of(&vault).with("GITHUB_TOKEN", CANARY);
    vault.claim(&claimed("acme/shop#42", ago(60)).held(None).unwrap());
    let times = Regex::new("until .* UTC").unwrap();
    let extend = |by: &str| {
        let said = user.berth(&["extend", "acme/shop#42", by]);
        assert_eq!(said.code, 0, "{}", said.seen());
        times.replace(&said.stderr, "until then").into_owned()
    };
    assert_eq!(extend("30m"), "acme/shop#42 lives until then at the latest\n");
    insta::assert_snapshot!(extend("24h"), @r#"
    acme/shop#42 lives until then at the latest
    that is less than asked for: nobody gets more than `lifetime.max` from now
    "#);
    let closed = claimed("acme/shop#42", ago(60)).held(None).unwrap().closed(ago(1)).unwrap();
    vault.claim(&closed);
    insta::assert_snapshot!(extend("30m"), @r#"
    acme/shop#42 lives until then at the latest
    it is closed, and goes once its grace is over all the same, unless it is reopened
    "#);
}

#[test]
fn a_history_keeps_the_last_lives_and_each_once() {
    let mut history = History::default();
    let long = "x".repeat(5_000);
    for n in 0..15 {
        let ended = format!("{:02}:30:00", n);
        let mut life = life(42, "00:00:00", &ended, Cause::Closed);
        let receipt = vec![gone(&long, life.ended, &long); 200];
        let claim = claimed("acme/shop#42", day("00:00:00"));
        life.receipt = Life::of(&claim, &receipt, life.ended).receipt;
        history = history.with_life(life.clone()).with_life(life);
    }
    let uids: Vec<&str> = history.lives().iter().map(|life| life.uid.as_ref()).collect();
    let last = uids.last().copied();
    assert!(uids.is_sorted() && last == Some("uid-143000"), "{uids:?}");
    let text = serde_json::to_string(&history.clone().into_document()).unwrap();
    assert!(text.len() <= 65 << 10, "{} bytes", text.len());
    let small = (0..15).map(|n| life(42, "00:00:00", &format!("{n:02}:30:00"), Cause::Closed));
    let history =
        small.fold(History::default(), |history, life| history.with_life(life.clone()).with_life(life));
    assert_eq!(history.lives().len(), berth::domain::history::LIVES);
    let read = History::of(history.clone().into_document()).unwrap();
    assert_eq!(read, history);
}
