//! The commit status: what it says of each ending, and how seldom.

use super::{LOG, REPOSITORY, SHA, Site, asked, green, of_run, outcomes, red, repo, tests_failed, told};
use berth::{
    domain::{
        names::HeadSha,
        plan::Direction,
        queue::Queue,
        report::{Outcome, Report},
        results::{Failure, Results},
    },
    rehearsal::gate::Verdict,
    reporters::{
        Reporter,
        markdown::Beside,
        status::CommitStatus,
        verdict::{BYTES, verdict},
    },
    settings::default_status,
};
use insta::assert_snapshot;
use jiff::SignedDuration;
use serde_json::json;

fn on(site: &Site, run: &str, head: Option<HeadSha>) -> CommitStatus {
    let beside = Beside { log: Some(LOG.to_owned()), ..Beside::default() };
    CommitStatus::new(of_run(site, run), repo(), default_status(), head, beside)
}

/// All that were ever posted.
fn statuses(site: &Site) -> Vec<String> {
    let world = site.served.lock();
    let all = world.github.repository(REPOSITORY).unwrap().statuses();
    let line = |one: &berth::rehearsal::github::Status| {
        let to = match one.target_url.as_deref() {
            None => "nowhere",
            Some(LOG) => "log",
            Some(_) => "environment",
        };
        format!("{} {}: {} -> {to}", one.context, one.state, one.description.as_deref().unwrap_or_default())
    };
    all.iter().map(line).collect()
}

#[tokio::test]
async fn it_says_of_each_ending_what_the_manual_says() {
    let mut said = Vec::new();
    let running = |direction| Report { direction, ..told(None) };
    let mut reports = vec![
        running(None),
        running(Some(Direction::Up)),
        running(Some(Direction::Down)),
        green(),
        tests_failed(),
        red(),
    ];
    reports.extend(outcomes("why\nin full").into_iter().map(|outcome| told(Some(outcome))));
    for report in reports {
        let site = Site::start().await;
        on(&site, "run", None).show(&report).await.unwrap();
        let word = report.outcome.as_ref().map_or("running", Outcome::word);
        said.push(format!("{word:15} {}", statuses(&site).pop().unwrap_or_else(|| "untouched".to_owned())));
    }
    assert_snapshot!(said.join("\n"), @r#"
    running         untouched
    running         berth pending: Coming up -> log
    running         berth pending: Going down -> log
    ready           berth success: 148 passed, 2 skipped -> environment
    tests-failed    berth failure: 2 tests failed: cart adds an item, login expires -> log
    failed          berth failure: Not ready: deploy gave up after 15 m: image not found -> log
    ready           berth success: Ready -> environment
    awaiting-tests  berth pending: Up; its tests are awaited from why in full -> environment
    tests-failed    berth failure: Its tests failed -> log
    failed          berth failure: Not ready: deploy failed -> log
    removed         berth success: Removed -> log
    closing         berth success: Closed; removed at 1 Jan 01:00 UTC unless reopened -> log
    awaits-approval berth pending: Waits for approval: a maintainer sets the label why in full -> log
    without-secrets untouched
    nothing         berth success: Nothing to do: why -> log
    queued          berth pending: Queued: no addresses are free -> log
    pool-full       berth failure: No addresses are free -> log
    unknown         berth error: Unknown during claim: something could not be read or reached -> log
    superseded      untouched
    refused         berth failure: Refused: why -> log
    interrupted     berth error: Cancelled; environment kept -> log
    "#);
}

#[tokio::test]
async fn it_is_posted_once_for_each_transition() {
    let site = Site::start().await;
    let status = on(&site, "run", None);
    for detail in ["1/3", "2/3", "3/3"] {
        let mut report = told(None);
        report.phases[2].detail = detail.to_owned();
        status.show(&report).await.unwrap();
    }
    status.show(&green()).await.unwrap();
    status.show(&green()).await.unwrap();
    assert_snapshot!(statuses(&site).join("\n"), @r#"
    berth pending: Coming up -> log
    berth success: 148 passed, 2 skipped -> environment
    "#);
    assert_eq!(asked(&site, 0).len(), 4, "a look and a post for each");
}

#[tokio::test]
async fn a_day_of_polling_every_minute_makes_one_status() {
    let site = Site::start().await;
    let queued = told(Some(Outcome::Queued));
    let one = on(&site, "run", None);
    for minute in 0..24 * 60 {
        one.show(&queued).await.unwrap();
        // Another process each hour.
        if minute % 60 == 0 {
            on(&site, "run", None).show(&queued).await.unwrap();
        }
        site.clock.advance(SignedDuration::from_mins(1));
    }
    assert_snapshot!(statuses(&site).join("\n"), @"berth pending: Queued: no addresses are free -> log");
}

#[tokio::test]
async fn a_push_is_told_on_the_new_commit() {
    let site = Site::start().await;
    let pushed = "2".repeat(40);
    site.served.lock().github.push(REPOSITORY, 1, "alice", &pushed).unwrap();
    let status = on(&site, "run", None);
    status.show(&green()).await.unwrap();
    status.show(&Report { head_sha: Some(pushed.parse().unwrap()), ..green() }).await.unwrap();
    let world = site.served.lock();
    let all = world.github.repository(REPOSITORY).unwrap().statuses();
    let commits: Vec<&str> = all.iter().map(|status| status.sha.as_str()).collect();
    assert_eq!(commits, [SHA, &pushed]);
}

#[tokio::test]
async fn where_a_report_names_no_commit_it_is_the_one_of_the_event() {
    let site = Site::start().await;
    let unread = Outcome::Unknown { step: None, why: "503".to_owned() };
    let unread = Report { head_sha: None, ..told(Some(unread)) };
    on(&site, "run", None).show(&unread).await.unwrap();
    assert_eq!(asked(&site, 0), [""; 0]);
    on(&site, "run", Some(SHA.parse().unwrap())).show(&unread).await.unwrap();
    assert_snapshot!(statuses(&site).join("\n"), @"berth error: Unknown: something could not be read or reached -> log");
}

#[tokio::test]
async fn what_stands_must_be_known_before_anything_is_posted() {
    let site = Site::start().await;
    site.served
        .gate
        .rule(|request| if request.method == "GET" { Verdict::json(503, &json!({})) } else { Verdict::Pass });
    let status = on(&site, "run", None);
    status.show(&green()).await.unwrap_err();
    assert_eq!(statuses(&site), [""; 0]);
    // With the next state it is tried again, also if that says the same.
    site.served.gate.open();
    status.show(&green()).await.unwrap();
    assert_eq!(statuses(&site).len(), 1);
}

#[tokio::test]
async fn a_commit_that_has_its_thousand_statuses_is_left_at_that() {
    let site = Site::start().await;
    site.served.gate.rule(|request| match request.method.as_str() {
        "POST" => Verdict::json(
            422,
            &json!({
                "message": "Validation Failed", "documentation_url": "https://docs.github.com/rest", "status": "422",
                "errors": [{"message": "This SHA and context has reached the maximum number of statuses."}],
            }),
        ),
        _ => Verdict::Pass,
    });
    let status = on(&site, "run", None);
    status.show(&green()).await.unwrap();
    status.show(&green()).await.unwrap();
    assert_eq!(asked(&site, 0).len(), 2, "it is not tried again and again");
}

#[tokio::test]
async fn nothing_but_a_page_is_linked_to() {
    let site = Site::start().await;
    let beside = Beside { log: Some("javascript:x".to_owned()), ..Beside::default() };
    let status = CommitStatus::new(of_run(&site, "run"), repo(), "preview", None, beside);
    status.show(&Report { url: Some("ssh://a".to_owned()), ..green() }).await.unwrap();
    assert_snapshot!(statuses(&site).join("\n"), @"preview success: 148 passed, 2 skipped -> nowhere");
}

#[test]
fn a_verdict_is_one_line_that_fits() {
    let name = "кошик 🛒 adds\r\nan \u{202e}item ".repeat(50);
    let failures = vec![Failure { name: name.clone(), message: String::new(), at: None }];
    let tests = Results { failed: 1, failures, ..Results::default() };
    for outcome in outcomes(&name) {
        let report = Report { tests: Some(tests.clone()), ..told(Some(outcome)) };
        let line = verdict(&report, BYTES);
        assert!(line.len() <= 140 && !line.is_empty(), "{line}");
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line}");
    }
}

#[test]
fn a_verdict_tells_the_place_in_the_queue() {
    let queue = Some(Queue { place: 2, of: 3, ..Queue::default() });
    let line = verdict(&Report { queue, ..told(Some(Outcome::Queued)) }, BYTES);
    assert_eq!(line, "Queued: 2nd of 3");
}
