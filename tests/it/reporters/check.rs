//! The check run: the tests, each failure at its line.

use super::{LOG, REPOSITORY, Site, asked, green, of_run, outcomes, pull, red, tests_failed, told};
use berth::{
    clients::{Failure as Fault, Kind},
    domain::{
        report::{Outcome, Report},
        results::{Failure, Results},
    },
    rehearsal::{
        gate::Verdict,
        github::{Grant, Role},
    },
    reporters::{
        Reporter,
        check::{Check, NAME},
        markdown::Beside,
    },
};
use insta::assert_snapshot;

fn beside() -> Beside {
    Beside { log: Some(LOG.to_owned()), ..Beside::default() }
}

fn on(site: &Site, run: &str) -> Check {
    Check::new(of_run(site, run), pull(1), beside())
}

/// All that there are: how they ended, and what they say at lines.
fn checks(site: &Site) -> Vec<String> {
    let world = site.served.lock();
    let all = world.github.repository(REPOSITORY).unwrap().checks();
    let brief = |one: &berth::rehearsal::github::CheckRun| {
        let at = |note: &serde_json::Value| {
            format!("\n  {}:{} {}: {}", note["path"], note["start_line"], note["title"], note["message"])
        };
        let notes: String = one.annotations.iter().map(at).collect();
        format!("{}: {:?} {}{notes}", one.name, one.conclusion, one.output["title"])
    };
    all.into_iter().map(brief).collect()
}

#[tokio::test]
async fn tests_that_passed_are_a_success() {
    let site = Site::start().await;
    on(&site, "run").show(&green()).await.unwrap();
    assert_snapshot!(checks(&site).join("\n"), @r#"berth tests: Some("success") 148 passed, 2 skipped"#);
}

#[tokio::test]
async fn tests_that_failed_stand_at_their_lines() {
    let site = Site::start().await;
    on(&site, "run").show(&tests_failed()).await.unwrap();
    assert_snapshot!(checks(&site).join("\n"), @r#"
    berth tests: Some("failure") 2 tests failed: cart adds an item, login expires
      "cart.cy.ts":31 "cart adds an item": "expected 1, got 0"
      "login.cy.ts":12 "login expires": "timed out after 4 s"
    "#);
    let world = site.served.lock();
    assert_snapshot!(world.github.repository(REPOSITORY).unwrap().checks()[0].output["summary"], @r#"
    146 passed, **2 failed**, 2 skipped

    | failed | message |
    |---|---|
    | `cart adds an item` | `expected 1, got 0` at `cart.cy.ts:31` |
    | `login expires` | `timed out after 4 s` at `login.cy.ts:12` |
    "#);
}

#[tokio::test]
async fn a_line_that_was_not_told_is_not_made_up() {
    let site = Site::start().await;
    let at = [
        "a.ts:1",
        "./b.ts:2",
        "src/c.ts:3:14",
        "C:4",
        "d.ts",
        "d.ts:",
        "d.ts:0",
        "d.ts:-1",
        "/etc/passwd:1",
        "../e.ts:1",
        "a//b.ts:1",
        "f\n.ts:1",
        ":7",
        "C:\\g.ts:1",
    ];
    let failures =
        at.map(|at| Failure { name: "fails".to_owned(), message: " ".to_owned(), at: Some(at.to_owned()) });
    let tests = Results { failed: 14, failures: failures.to_vec(), ..Results::default() };
    on(&site, "run").show(&Report { tests: Some(tests), ..tests_failed() }).await.unwrap();
    assert_snapshot!(checks(&site).join("\n"), @r#"
    berth tests: Some("failure") 14 tests failed: fails, fails, fails, fails, fails, fails, fails, fails, fails, fails, fails, fails, fails, fails
      "a.ts":1 "fails": "failed"
      "b.ts":2 "fails": "failed"
      "src/c.ts":3 "fails": "failed"
      "C":4 "fails": "failed"
    "#);
}

#[tokio::test]
async fn a_run_again_says_it_in_the_same_place() {
    let site = Site::start().await;
    on(&site, "run").show(&green()).await.unwrap();
    let more = Report { tests: Some(Results { passed: 149, ..Results::default() }), ..green() };
    on(&site, "again").show(&more).await.unwrap();
    assert_snapshot!(checks(&site).join("\n"), @r#"berth tests: Some("success") 149 passed"#);
    // What stands already is read, and no more.
    let before = site.served.gate.log().len();
    on(&site, "once-more").show(&more).await.unwrap();
    assert_eq!(asked(&site, before).len(), 1);
}

#[tokio::test]
async fn what_failed_before_does_not_stand_at_its_lines_for_ever() {
    let site = Site::start().await;
    on(&site, "run").show(&tests_failed()).await.unwrap();
    on(&site, "again").show(&tests_failed()).await.unwrap();
    assert_eq!(checks(&site).len(), 1);
    // GitHub takes no annotation away: a new one stands in its place.
    on(&site, "mended").show(&green()).await.unwrap();
    assert_eq!(checks(&site).len(), 2);
    assert_eq!(checks(&site)[1], r#"berth tests: Some("success") 148 passed, 2 skipped"#);
    let github = of_run(&site, "reader");
    let id = "berth:acme/web#1";
    let latest =
        github.find_check(&super::repo(), &super::SHA.parse().unwrap(), NAME, id).await.unwrap().unwrap();
    assert_eq!(latest.annotations, 0);
}

#[tokio::test]
async fn tests_of_which_nothing_is_known_make_no_check() {
    let site = Site::start().await;
    on(&site, "run").show(&red()).await.unwrap();
    on(&site, "run").show(&Report { tests: green().tests, ..told(None) }).await.unwrap();
    for outcome in outcomes("why") {
        if matches!(outcome, Outcome::Nothing { .. } | Outcome::Superseded | Outcome::WithoutSecrets { .. }) {
            on(&site, "run").show(&Report { tests: green().tests, ..told(Some(outcome)) }).await.unwrap();
        }
    }
    assert_eq!(asked(&site, 0), [""; 0]);
}

#[tokio::test]
async fn tests_that_did_not_run_are_no_success() {
    let skipped = Some(Results { skipped: 3, ..Results::default() });
    let reports = [
        Report { tests: skipped, ..green() },
        Report { tests: green().tests, ..told(Some(Outcome::Interrupted { signal: 15 })) },
    ];
    let mut said = Vec::new();
    for report in reports {
        let site = Site::start().await;
        on(&site, "run").show(&report).await.unwrap();
        said.extend(checks(&site));
    }
    assert_snapshot!(said.join("\n"), @r#"
    berth tests: Some("neutral") 0 passed, 3 skipped
    berth tests: Some("cancelled") 148 passed, 2 skipped
    "#);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_one() {
    let site = Site::start().await;
    let mut lost = true;
    site.served.gate.rule(move |request| {
        if request.method == "POST" && std::mem::take(&mut lost) { Verdict::CutAfter } else { Verdict::Pass }
    });
    let check = on(&site, "run");
    check.show(&green()).await.unwrap_err();
    check.show(&green()).await.unwrap();
    assert_eq!(checks(&site).len(), 1);
}

#[tokio::test]
async fn a_persons_token_is_refused_and_told_what_it_lacks() {
    let site = Site::start().await;
    {
        let github = &mut site.served.lock().github;
        github.change(REPOSITORY).unwrap().collaborators.insert("carol".to_owned(), Role::Write);
        github.add_token("ghp_canary", Grant::personal("carol").may_all());
    }
    let error = Check::new(site.by("ghp_canary"), pull(1), beside()).show(&green()).await.unwrap_err();
    assert_eq!(Fault::of(&error), Kind::Refused);
    assert!(error.to_string().contains("checks: write"), "{error}");
}
