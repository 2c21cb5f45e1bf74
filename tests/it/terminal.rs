//! A run on stderr: a table that is drawn anew for people, lines for logs.

use crate::markdown::{diagnosed, gave_up, report, results};
use berth::{
    clock::Clock,
    domain::{
        claim::{Gone, ObjectName},
        plan::{Direction, StepName},
        queue::Full,
        report::{Outcome, Report, Status},
    },
    mask::Mask,
    reporters::{
        Reporter, Reporters,
        terminal::{Look, Terminal, rehearsed},
    },
};
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What was written, for the test to read.
#[derive(Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    /// What was written since it was last taken.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

fn began() -> Timestamp {
    "2026-01-21T12:00:00Z".parse().unwrap()
}

struct Shown {
    paper: Paper,
    clock: Clock,
    terminal: Terminal,
}

fn shown_as(look: Look, note: &str) -> Shown {
    let (paper, clock) = (Paper::default(), Clock::stepped(began()));
    let terminal = Terminal::new(Box::new(paper.clone()), look, note, clock.clone());
    Shown { paper, clock, terminal }
}

const LOG: Look = Look::Lines { groups: false };
const WIDE: Look = Look::Live { width: 100, colour: false };

impl Shown {
    async fn show(&self, report: &Report) -> String {
        self.terminal.show(report).await.unwrap();
        self.paper.take()
    }
    /// Lets time pass second by second, as it does, and gives what was written meanwhile.
    async fn pass(&self, seconds: usize) -> String {
        let others_go_on = async || {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        };
        others_go_on().await;
        for _ in 0..seconds {
            self.clock.advance(SignedDuration::from_secs(1));
            others_go_on().await;
        }
        self.paper.take()
    }
}

fn running(detail: &str) -> Report {
    let mut report = report(None);
    let now = began();
    report.phases.truncate(1);
    report.phase(StepName::new("cluster"), Status::Running, detail, now);
    report.phase(StepName::new("deploy"), Status::Pending, "", now);
    report
}

// ---- a log ----

#[tokio::test]
async fn a_log_is_told_what_ended_and_how_it_went() {
    let shown = shown_as(LOG, "embedded world, offline");
    assert_snapshot!(shown.show(&running("5 objects applied")).await, @r#"
    acme/shop#42 at 9f2c1ab, provider k3s, embedded world, offline
      ✓ claim      held, generation 3, 192.168.1.140-141                                        0.01 s
    "#);
    assert_eq!(shown.show(&running("5 objects applied")).await, "", "the same again is no news");
    let mut ready = report(Some(Outcome::Ready));
    assert_snapshot!(shown.show(&ready).await, @r#"
      ✓ cluster    5 objects applied, API server ready                                        2 m 04 s
      ✓ deploy     deployment/shop 2/2                                                         21.00 s
    Ready in 3 m 12 s: https://pr-42-shop.preview.example.com
    "#);
    ready.phases[2].detail = "else".into();
    assert_eq!(shown.show(&ready).await, "", "the last word is the last");
}

#[tokio::test]
async fn a_log_is_told_once_what_is_waited_for_for_long() {
    let shown = shown_as(LOG, "");
    shown.show(&running("Machine a is made")).await;
    assert_eq!(shown.pass(9).await, "");
    assert_snapshot!(shown.pass(1).await, @r#"  … cluster    Machine a is made                                                           10.00 s"#);
    assert_eq!(shown.pass(60).await, "", "and not again");
    shown.show(&running("Machine a boots")).await;
    assert_eq!(shown.pass(9).await, "", "another thing, another time");
    assert_snapshot!(shown.pass(1).await, @r#"  … cluster    Machine a boots                                                            1 m 20 s"#);
}

#[tokio::test]
async fn nothing_is_said_of_a_step_that_looks_for_the_first_time() {
    let shown = shown_as(LOG, "");
    shown.show(&running("")).await;
    assert_eq!(shown.pass(30).await, "");
}

#[tokio::test]
async fn in_a_job_the_phases_are_a_group_and_the_verdict_stands_outside() {
    let shown = shown_as(Look::Lines { groups: true }, "");
    let text = shown.show(&report(Some(Outcome::Ready))).await;
    assert_snapshot!(text, @r#"
    ::group::acme/shop#42 at 9f2c1ab, provider k3s
      ✓ claim      held, generation 3, 192.168.1.140-141                                        0.01 s
      ✓ cluster    5 objects applied, API server ready                                        2 m 04 s
      ✓ deploy     deployment/shop 2/2                                                         21.00 s
    ::endgroup::
    Ready in 3 m 12 s: https://pr-42-shop.preview.example.com
    "#);
}

#[tokio::test]
async fn no_text_of_others_is_a_command_of_the_runner() {
    let evil = "::add-mask::x\n::error::y\r\n  ::stop-commands::z\n##[error]a\n\u{1b}[31mred";
    let outcomes = [
        Outcome::Ready,
        Outcome::TestsFailed,
        Outcome::AwaitingTests { report: evil.into() },
        Outcome::Failed { step: StepName::new("deploy"), why: evil.into() },
        Outcome::Unknown { step: None, why: evil.into() },
        Outcome::Refused { why: evil.into() },
        Outcome::Nothing { why: evil.into() },
        Outcome::WithoutSecrets { why: evil.into() },
        Outcome::AwaitsApproval { label: evil.into() },
    ];
    for outcome in outcomes {
        let mut report = diagnosed(outcome);
        report.tests = Some(results());
        report.tests.as_mut().unwrap().failures[0].name = evil.into();
        report.evidence = Some(evil.into());
        report.phases.iter_mut().for_each(|phase| phase.detail = evil.into());
        let text = shown_as(Look::Lines { groups: true }, "").show(&report).await;
        let commands: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("::")).collect();
        assert_eq!(commands, ["::group::acme/shop#42 at 9f2c1ab, provider k3s", "::endgroup::"], "{text}");
        assert!(!text.contains("##[") && !text.contains('\u{1b}') && !text.contains('\r'), "{text}");
    }
}

// ---- how it ended ----

#[tokio::test]
async fn an_ending_says_what_to_do() {
    let end = async |report: &Report| {
        let text = shown_as(LOG, "").show(report).await;
        // Without the phases.
        text.lines()
            .skip(1)
            .filter(|line| !line.starts_with("  ✓"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let mut failed = report(Some(Outcome::TestsFailed));
    failed.tests = Some(results());
    assert_snapshot!(end(&failed).await, @r#"
    2 tests failed, 146 passed, 2 skipped in 3 m 12 s: https://pr-42-shop.preview.example.com
      ✗ cart adds an item: expected 1, got 0 (cart.cy.ts:31)
      ✗ login expires: timed out after 4 s (login.cy.ts:12)
    "#);
    assert_snapshot!(end(&diagnosed(gave_up())).await, @r#"
      ✗ deploy     deploy gave up after 15 m                                                      15 m
    Not ready after 3 m 12 s: deploy gave up after 15 m, waiting for deployment/shop 0/2
      | hint: `timeouts.deploy` says how long it may take
    likely cause: image not found: pod default/shop-7d9: harbor.example.com/shop:pr-42-c07d9e2: not found
    what to do: look at the job that builds it, and at the name and tag under `deploy.images`
      | pod default/shop-7d9
      |   Ready=False: ContainersNotReady
      |   12:01 Failed: not found
    "#);
    let unknown = Outcome::Unknown { step: None, why: "read the claim\n  because: 503".into() };
    assert_snapshot!(end(&report(Some(unknown))).await, @r#"
    Unknown after 3 m 12 s, and nothing was decided on that ground: read the claim
      | because: 503
    "#);
    let unknown =
        Outcome::Unknown { step: Some(StepName::new("deploy")), why: "read the pods\n  because: 503".into() };
    assert_snapshot!(end(&diagnosed(unknown)).await, @r#"
      ✗ deploy     deploy gave up after 15 m                                                      15 m
    Unknown after 3 m 12 s, and nothing was decided on that ground: read the pods
      | because: 503
    likely cause: image not found: pod default/shop-7d9: harbor.example.com/shop:pr-42-c07d9e2: not found
    what to do: look at the job that builds it, and at the name and tag under `deploy.images`
      | pod default/shop-7d9
      |   Ready=False: ContainersNotReady
      |   12:01 Failed: not found
    "#);
    let mut gone = report(Some(Outcome::Removed { free_at: None }));
    let at = "2026-01-21T12:02:42Z".parse().unwrap();
    gone.receipt =
        vec![Gone { what: "Cluster pr-shop-42".into(), at, proof: "not in a\n complete list".into() }];
    assert!(
        end(&gone)
            .await
            .ends_with("Removed in 3 m 12 s\n  gone 12:02:42  Cluster pr-shop-42: not in a complete list\n")
    );
    let mut said = String::new();
    for outcome in [
        Outcome::AwaitingTests { report: "cypress".into() },
        Outcome::Removed { free_at: Some("2026-01-21T12:13:00Z".parse().unwrap()) },
        Outcome::Removed { free_at: None },
        Outcome::Closing { until: "2026-01-21T15:04:00Z".parse().unwrap(), why: None },
        Outcome::Nothing { why: "there is no environment".into() },
        Outcome::AwaitsApproval { label: "berth/approved".into() },
        Outcome::WithoutSecrets { why: "it comes from the fork eve/shop".into() },
        Outcome::Queued,
        Outcome::PoolFull { why: Full::Taken },
        Outcome::Superseded,
        Outcome::Refused { why: "the name is held by other/shop#42".into() },
        Outcome::Interrupted { signal: 2 },
    ] {
        said += &end(&report(Some(outcome))).await;
    }
    assert_snapshot!(said, @r#"
    Up in 3 m 12 s: https://pr-42-shop.preview.example.com
    its tests are awaited from cypress
    Removed in 3 m 12 s; its addresses are free at 12:13 UTC
    Removed in 3 m 12 s
    Closed; removed at 15:04 UTC unless reopened
    Nothing to do: there is no environment
    Waits for approval: a maintainer sets the label berth/approved
    Left alone, for lack of secrets: it comes from the fork eve/shop
    Queued: no addresses are free; the same command tries again
    No addresses are free, and `when-full: fail` does not wait
    Superseded by a newer event, whose run goes on from here
    Refused: the name is held by other/shop#42
    Interrupted by signal 2 after 3 m 12 s; the same command goes on from here
    "#);
}

#[test]
fn a_rehearsal_names_the_first_kinds_of_what_would_be_applied_and_where_its_comment_is() {
    let mut report = report(Some(Outcome::Ready));
    assert_eq!(rehearsed(&report), "");
    let object = |kind: &str| ObjectName {
        api_version: "v1".into(),
        kind: kind.into(),
        namespace: None,
        name: "a".into(),
    };
    report.objects = Some(["Namespace", "Cluster", "Secret", "Secret", "Job"].map(object).to_vec());
    assert_snapshot!(rehearsed(&report), @"objects  5: Namespace, Cluster, Secret, Job (-o yaml prints all)");
    report.objects.as_mut().unwrap().push(object("Service"));
    report.comment = Some("…".into());
    assert_snapshot!(rehearsed(&report), @r"
    objects  6: Namespace, Cluster, Secret, Job, ... (-o yaml prints all)
    comment  as posted, on stdout:
    ");
}

#[tokio::test]
async fn evidence_of_any_length_is_cut_to_its_end_and_says_so() {
    let mut report = diagnosed(gave_up());
    let log: String = (0..5_000).map(|n| format!("line {n} {}\n", "é".repeat(2_000))).collect();
    report.evidence = Some(log);
    let text = shown_as(LOG, "").show(&report).await;
    assert!(text.contains("  | [… 4600 lines are left out here …]\n  | line 4600 "));
    assert!(text.contains("  | line 4999 ") && text.len() < 500_000);
}

// ---- a terminal ----

#[tokio::test]
async fn on_a_terminal_the_table_is_drawn_over_itself_with_the_time_that_has_passed() {
    let shown = shown_as(WIDE, "");
    let first = shown.show(&running("5 objects applied")).await;
    assert_snapshot!(first, @r#"
    acme/shop#42 at 9f2c1ab, provider k3s
      ✓ claim      held, generation 3, 192.168.1.140-141                                        0.01 s
      … cluster    5 objects applied                                                            0.00 s
      · deploy
    "#);
    let second = shown.pass(1).await;
    let redrawn = second.strip_prefix("\x1b[4A\r\x1b[J").expect("up over its four lines, and all below away");
    assert_snapshot!(redrawn, @r#"
    acme/shop#42 at 9f2c1ab, provider k3s
      ✓ claim      held, generation 3, 192.168.1.140-141                                        0.01 s
      … cluster    5 objects applied                                                            1.00 s
      · deploy
    "#);
    let mut ready = report(Some(Outcome::Ready));
    ready.phases.truncate(2);
    let last = shown.show(&ready).await;
    assert_snapshot!(last.strip_prefix("\x1b[4A\r\x1b[J").unwrap(), @r#"
    acme/shop#42 at 9f2c1ab, provider k3s
      ✓ claim      held, generation 3, 192.168.1.140-141                                        0.01 s
      ✓ cluster    5 objects applied, API server ready                                        2 m 04 s
    Ready in 3 m 12 s: https://pr-42-shop.preview.example.com
    "#);
    assert_eq!(shown.pass(5).await, "", "and then it is still");
}

#[tokio::test]
async fn a_narrow_terminal_loses_the_times_and_no_line_wraps() {
    for width in [20, 40, 79, 99, 100, 200] {
        let mut report = running(&"名前 of a very long thing ".repeat(20));
        report.provider = Some("x".repeat(120));
        let text = shown_as(Look::Live { width, colour: false }, "embedded").show(&report).await;
        for line in text.lines() {
            let columns: usize = line.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum();
            assert!(columns < width.max(17), "{width}: {columns} columns of {line:?}");
        }
        assert_eq!(text.contains("0.00 s"), width >= 100, "{width}");
        assert_eq!(text.lines().count(), 4, "{width}");
    }
}

#[tokio::test]
async fn colours_are_the_marks_alone_and_none_where_none_are_wanted() {
    let coloured = shown_as(Look::Live { width: 100, colour: true }, "").show(&running("x")).await;
    assert!(coloured.contains("  \x1b[32m✓\x1b[0m claim"));
    let plain = shown_as(WIDE, "").show(&running("x")).await;
    assert!(!plain.contains('\x1b'));
    assert_eq!(
        coloured
            .replace("\x1b[32m", "")
            .replace("\x1b[36m", "")
            .replace("\x1b[2m", "")
            .replace("\x1b[0m", ""),
        plain
    );
}

#[tokio::test]
async fn a_step_that_could_not_be_verified_says_so() {
    let mut report = report(Some(Outcome::Removed { free_at: None }));
    report.direction = Some(Direction::Down);
    report.phases[1].status = Status::Unverified;
    let text = shown_as(LOG, "").show(&report).await;
    assert!(text.starts_with("acme/shop#42 going down, provider k3s\n"));
    assert!(text.contains("  ! cluster    not verified: 5 objects applied"));
}

#[tokio::test]
async fn its_last_word_is_shown_before_a_run_ends() {
    let (paper, clock) = (Paper::default(), Clock::stepped(began()));
    let terminal = Terminal::new(Box::new(paper.clone()), LOG, "", clock);
    let telling = Reporters::new(vec![Arc::new(terminal)]).start(
        running(""),
        &Mask::default(),
        &berth::clock::Clock::system(),
    );
    telling.say(|all| *all = report(Some(Outcome::Ready)));
    telling.finish(Duration::from_secs(10)).await;
    assert!(paper.take().ends_with("Ready in 3 m 12 s: https://pr-42-shop.preview.example.com\n"));
}
