//! The comment: what people read of a run within five seconds, and what hostile texts cannot make of it.

use berth::{
    domain::{
        claim::Gone,
        diagnosis::Diagnosis,
        holder::Holder,
        names::Generation,
        plan::{Direction, StepName},
        queue::{Full, GoesOn, Queue, Stage, Taken},
        report::{Outcome, Phase, Report, Status},
        results::{Failure, Results},
    },
    reporters::markdown::{BYTES, Base, Beside, body, generation, is_of, marker, may_replace},
};
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const HEAD: &str = "9f2c1ab0000000000000000000000000000000aa";

fn at(time: &str) -> Timestamp {
    format!("2026-01-21T{time}Z").parse().unwrap()
}

fn step(name: &'static str) -> StepName {
    StepName::new(name)
}

fn holder() -> Holder {
    Holder::PullRequest("acme/shop#42".parse().unwrap())
}

fn phase(name: &'static str, status: Status, seconds: f64, detail: &str) -> Phase {
    let began = (status != Status::Pending).then(|| at("12:00:00"));
    Phase { step: step(name), status, seconds, detail: detail.to_owned(), began }
}

/// Of a run that has come up to its tests.
pub(crate) fn report(outcome: Option<Outcome>) -> Report {
    let mut report = Report::new(&holder(), at("12:00:00"));
    report.provider = Some("k3s".into());
    report.direction = Some(Direction::Up);
    report.generation = Some("3".parse().unwrap());
    report.head_sha = Some(HEAD.parse().unwrap());
    report.url = Some("https://pr-42-shop.preview.example.com".into());
    report.addresses = vec!["192.168.1.140".parse().unwrap(), "192.168.1.141".parse().unwrap()];
    report.expires_at = Some("2026-01-24T12:06:00Z".parse().unwrap());
    report.ended = outcome.is_some().then(|| at("12:03:12"));
    report.outcome = outcome;
    report.phases = vec![
        phase("claim", Status::Done, 0.01, "held, generation 3, 192.168.1.140-141"),
        phase("cluster", Status::Done, 124.0, "5 objects applied, API server ready"),
        phase("deploy", Status::Done, 21.0, "deployment/shop 2/2"),
    ];
    report
}

pub(crate) fn results() -> Results {
    let failure = |name: &str, message: &str, at: &str| Failure {
        name: name.into(),
        message: message.into(),
        at: Some(at.into()),
    };
    Results {
        passed: 146,
        failed: 2,
        skipped: 2,
        failures: vec![
            failure("cart adds an item", "expected 1, got 0", "cart.cy.ts:31"),
            failure("login expires", "timed out after 4 s", "login.cy.ts:12"),
        ],
        seconds: Some(72.0),
        name: "cypress".into(),
    }
}

pub(crate) fn diagnosed(outcome: Outcome) -> Report {
    let mut report = report(Some(outcome));
    report.phases[2] = phase("deploy", Status::Failed, 900.0, "deploy gave up after 15 m");
    report.phases.push(phase("dns", Status::Pending, 0.0, ""));
    report.diagnosis = Some(Diagnosis {
        cause: "image not found",
        object: "pod default/shop-7d9".into(),
        detail: "harbor.example.com/shop:pr-42-c07d9e2: not found".into(),
        advice: "look at the job that builds it, and at the name and tag under `deploy.images`",
    });
    report.evidence =
        Some("pod default/shop-7d9\n  Ready=False: ContainersNotReady\n  12:01 Failed: not found\n".into());
    report
}

pub(crate) fn gave_up() -> Outcome {
    let why = "deploy gave up after 15 m, waiting for deployment/shop 0/2\nhint: `timeouts.deploy` says how long it may take";
    Outcome::Failed { step: step("deploy"), why: why.into() }
}

fn shown(report: &Report, beside: &Beside) -> String {
    body(report, at("12:03:20"), beside)
}

fn plain(report: &Report) -> String {
    shown(report, &Beside::default())
}

// ---- what people see ----

#[test]
fn ready() {
    let mut report = report(Some(Outcome::Ready));
    report.tests = Some(Results { passed: 148, failed: 0, failures: vec![], ..results() });
    let beside = Beside { grace: Some(SignedDuration::from_hours(1)), ..Beside::default() };
    assert_snapshot!(shown(&report, &beside), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ✅ Ready · [pr-42-shop.preview.example.com](https://pr-42-shop.preview.example.com)

    `9f2c1ab` up in 3 m 12 s · **148 passed**, 2 skipped · removed 1 h after close, at latest 24 Jan 12:06 UTC

    <details><summary>Phases, access, commands</summary>

    | phase | time | |
    |---|--:|---|
    | claim | under 1 s | `held, generation 3, 192.168.1.140-141` |
    | cluster | 2 m 04 s | `5 objects applied, API server ready` |
    | deploy | 21 s | `deployment/shop 2/2` |

    `berth kubeconfig acme/shop#42` · `/berth retest` · `/berth extend 24h` · `/berth down`
    </details>
    "#);
    // Without a name, tests, an end: nothing is made up.
    (report.url, report.tests, report.expires_at) = (None, None, None);
    assert_snapshot!(plain(&report).lines().take(4).collect::<Vec<_>>().join("\n"), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ✅ Ready

    `9f2c1ab` up in 3 m 12 s
    "#);
}

#[test]
fn up_while_another_job_tests() {
    assert_snapshot!(plain(&report(Some(Outcome::AwaitingTests { report: "cypress".into() }))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### 🕓 Up, its tests are awaited · [pr-42-shop.preview.example.com](https://pr-42-shop.preview.example.com)

    `9f2c1ab` up in 3 m 12 s · removed at latest 24 Jan 12:06 UTC

    `berth` stays pending until `cypress` hands in its results for this commit.

    <details><summary>Phases, access, commands</summary>

    | phase | time | |
    |---|--:|---|
    | claim | under 1 s | `held, generation 3, 192.168.1.140-141` |
    | cluster | 2 m 04 s | `5 objects applied, API server ready` |
    | deploy | 21 s | `deployment/shop 2/2` |

    `berth kubeconfig acme/shop#42` · `/berth extend 24h` · `/berth down`
    </details>
    "#);
}

#[test]
fn tests_failed_and_those_that_fail_in_any_case_are_told_apart() {
    let mut report = report(Some(Outcome::TestsFailed));
    report.tests = Some(results());
    let beside = Beside {
        log: Some("https://github.com/acme/shop/actions/runs/512".into()),
        base: Some(Base { branch: "main".into(), failing: ["login expires".to_owned()].into() }),
        ..Beside::default()
    };
    assert_snapshot!(shown(&report, &beside), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ 2 tests failed · [environment is up](https://pr-42-shop.preview.example.com)

    `9f2c1ab` · 146 passed, **2 failed** (1 new), 2 skipped · [log](https://github.com/acme/shop/actions/runs/512)

    | failed | message |
    |---|---|
    | `cart adds an item` (new) | `expected 1, got 0` at `cart.cy.ts:31` |
    | `login expires` (fails on `main`) | `timed out after 4 s` at `login.cy.ts:12` |
    "#);
    // What fails elsewhere is not known: then nothing is called new.
    assert!(!plain(&report).contains("new"));
    report.tests = Some(Results { failures: vec![], ..results() });
    assert!(plain(&report).contains("The results name none of them: 2 by their own sum."));
}

#[test]
fn not_ready_with_its_likely_cause() {
    let without_evidence = Report { evidence: None, ..diagnosed(gave_up()) };
    assert!(
        plain(&without_evidence).contains("<summary>The error in full</summary>\n\n```text\ndeploy gave up")
    );
    let undiagnosed = Report { diagnosis: None, ..diagnosed(gave_up()) };
    assert!(
        plain(&undiagnosed)
            .contains("<summary>The error in full; conditions, events, last log lines</summary>")
    );
    assert_snapshot!(plain(&diagnosed(gave_up())), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ Not ready: `deploy` gave up after 15 m

    **Likely cause: image not found.** `pod default/shop-7d9`: `harbor.example.com/shop:pr-42-c07d9e2: not found`; look at the job that builds it, and at the name and tag under `deploy.images`.
    The cluster is kept: push a fix or comment `/berth up`.

    <details><summary><code>pod default/shop-7d9</code>: conditions, events, last log lines</summary>

    ```text
    deploy gave up after 15 m, waiting for deployment/shop 0/2
    hint: `timeouts.deploy` says how long it may take
    ```

    ```text
    pod default/shop-7d9
      Ready=False: ContainersNotReady
      12:01 Failed: not found
    ```
    </details>
    "#);
}

#[test]
fn not_ready_and_nobody_knows_why() {
    let mut report =
        report(Some(Outcome::Failed { step: step("cluster"), why: "the server said no".into() }));
    report.phases.truncate(1);
    assert_snapshot!(plain(&report), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ Not ready: `cluster` failed

    `the server said no`
    What stands is kept: push a fix or comment `/berth up`.
    "#);
}

#[test]
fn not_removed() {
    let mut report = report(Some(Outcome::Failed {
        step: step("cluster"),
        why: "cluster gave up after 15 m, waiting for Machine a".into(),
    }));
    report.direction = Some(Direction::Down);
    assert_snapshot!(plain(&report), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ Not removed: `cluster` gave up after 15 m

    `cluster gave up after 15 m, waiting for Machine a`
    What is left stays marked for removal, and the sweep goes on with it.
    "#);
}

#[test]
fn queued() {
    assert_snapshot!(plain(&report(Some(Outcome::Queued))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### 🕓 Queued: no addresses are free

    `berth` stays pending and no runner is held. A push, re-running the job or `/berth up` tries again.
    "#);
    let queue = Queue {
        place: 2,
        of: 2,
        begins: Some((at("14:45:00"), at("15:10:00"))),
        blocks: vec![
            Taken {
                whose: Some("acme/shop 80".into()),
                stage: Stage::Cooling,
                frees: Some((at("14:20:00"), at("14:20:00"))),
            },
            Taken {
                whose: None,
                stage: Stage::Grace { until: at("14:32:00") },
                frees: Some((at("14:46:00"), at("14:52:00"))),
            },
        ],
        others: 3,
        goes_on: GoesOn::ByJob,
        ..Queue::default()
    };
    let queued = |queue: &Queue| Report { queue: Some(queue.clone()), ..report(Some(Outcome::Queued)) };
    assert_snapshot!(plain(&queued(&queue)), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### 🕓 Queued: 2nd of 2 · starts about 14:45–15:10 UTC

    All 5 blocks are taken. It starts by itself if the token of whoever frees a block may run this job once more (`actions: write`); else a push, re-running the job or `/berth up` tries again. Until then `berth` stays pending and no runner is held.

    | block | frees |
    |---|---|
    | `acme/shop 80` | 14:20 UTC, goes to the pull request ahead |
    | another repository | about 14:46–14:52 UTC: grace until 14:32 UTC, removal, cooling |
    | 3 others | later |
    "#);
    assert_snapshot!(plain(&report(Some(Outcome::PoolFull { why: Full::Taken }))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ No addresses are free

    Every block of the pool is taken, and `when-full: fail` does not wait. No environment was made; try again with `/berth up`, or let it wait with `when-full: queue`.
    "#);
    let text = |goes_on| plain(&queued(&Queue { goes_on, ..queue.clone() }));
    assert!(text(GoesOn::ByEvent).contains(
        "this repository is sent an event, if a workflow here listens to `repository_dispatch: [berth]`"
    ));
    assert!(!text(GoesOn::ByHand).contains("starts by itself"));
    assert_snapshot!(plain(&report(Some(Outcome::PoolFull { why: Full::Limited }))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ This repository has as many environments as it may

    What is free is for other repositories (`max-per-repository`), and `when-full: fail` does not wait. No environment was made; try again with `/berth up`, or let it wait with `when-full: queue`.
    "#);
    assert_snapshot!(plain(&report(Some(Outcome::PoolFull { why: Full::Kept }))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ What is free is kept for those ahead in line

    Others have come before, and wait for all that is free, and `when-full: fail` does not wait. No environment was made; try again with `/berth up`, or let it wait with `when-full: queue`.
    "#);
}

#[test]
fn cancelled() {
    let mut up = report(Some(Outcome::Interrupted { signal: 2 }));
    up.phases.push(phase("operators", Status::Running, 3.0, "2 of 3"));
    assert_snapshot!(plain(&up), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ⏹️ Cancelled during `operators` · environment kept

    Cluster and addresses stay held, nothing was removed; there is no working URL for `9f2c1ab`.
    Continue by a push, by re-running the job, or with `/berth up`.
    "#);
    let mut down = report(Some(Outcome::Interrupted { signal: 1 }));
    down.direction = Some(Direction::Down);
    assert_snapshot!(plain(&down), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ⏹️ Cancelled by signal 1 · removal is not over

    What is left stays marked for removal, and its addresses stay held. The next event or sweep goes on; so does re-running the job.
    "#);
}

#[test]
fn closed_and_removed() {
    assert_snapshot!(plain(&report(Some(Outcome::Closing { until: at("15:04:00"), why: None }))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ⏳ Closed · removed at 15:04 UTC unless reopened

    Reopening keeps URL, address and data. `/berth down` removes it now.
    "#);
    let seen =
        |what: &str, time: &str, proof: &str| Gone { what: what.into(), at: at(time), proof: proof.into() };
    let mut gone = report(Some(Outcome::Removed { free_at: Some(at("12:13:12")) }));
    gone.phases = vec![
        phase("claim", Status::Done, 0.1, "draining, generation 4"),
        phase("dns", Status::Done, 10.0, "its names are gone"),
        phase("cluster", Status::Done, 162.0, "6 objects gone"),
    ];
    gone.receipt = vec![
        seen("pr-42-shop.preview.example.com", "12:00:10", "NXDOMAIN, 2 of 2 servers"),
        seen("Cluster pr-shop-42, Secret proxmox", "12:02:42", "not in a complete list"),
    ];
    assert_snapshot!(plain(&gone), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### 🧹 Removed · nothing left

    | gone | seen at | proof |
    |---|---|---|
    | `pr-42-shop.preview.example.com` | 12:00:10 | `NXDOMAIN, 2 of 2 servers` |
    | `Cluster pr-shop-42`, `Secret proxmox` | 12:02:42 | `not in a complete list` |
    | `192.168.1.140`, `.141` | | cooling, free at 12:13 UTC |
    "#);
    // The same comment, once more at the end.
    let mut end = Report { outcome: Some(Outcome::Removed { free_at: None }), ..gone.clone() };
    end.receipt.push(seen("192.168.1.140, 192.168.1.141", "12:13:15", "cooled 10 min, freed"));
    end.phases.truncate(1);
    assert_snapshot!(plain(&end), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### 🧹 Removed · nothing left

    | gone | seen at | proof |
    |---|---|---|
    | `pr-42-shop.preview.example.com` | 12:00:10 | `NXDOMAIN, 2 of 2 servers` |
    | `Cluster pr-shop-42`, `Secret proxmox` | 12:02:42 | `not in a complete list` |
    | `192.168.1.140`, `.141` | 12:13:15 | `cooled 10 min, freed` |
    "#);
    gone.phases[1].status = Status::Unverified;
    let unsure = plain(&gone);
    assert!(unsure.contains("### 🧹 Removed · not all of it could be verified"));
    assert!(unsure.contains("| dns | | not verified: `its names are gone` |"), "{unsure}");
    gone.phases.truncate(1);
    gone.receipt.clear();
    assert!(!plain(&gone).contains("nothing left"), "who has removed nothing has proven nothing");
}

#[test]
fn what_could_not_be_read() {
    let why = "read the claim of pr-shop-42\n  because: 503 Service Unavailable".to_owned();
    assert_snapshot!(plain(&report(Some(Outcome::Unknown { step: Some(step("claim")), why }))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❔ Unknown during `claim`: something could not be read or reached

    `read the claim of pr-shop-42: 503 Service Unavailable`

    Nothing was decided on that ground, and what stands is kept. The next event or sweep goes on from here; so does re-running the job, or `/berth up`.

    <details><summary>The error in full</summary>

    ```text
    read the claim of pr-shop-42
      because: 503 Service Unavailable
    ```
    </details>
    "#);
}

#[test]
fn what_was_read_is_shown_also_where_something_could_not_be() {
    let why = "could not read the pods\n  because: 503".to_owned();
    let mut report = report(Some(Outcome::Unknown { step: Some(step("deploy")), why }));
    report.evidence = Some("12:01 Failed: not found".to_owned());
    let text = plain(&report);
    assert!(text.contains("could not read the pods\n  because: 503\n"), "{text}");
    assert!(text.contains("12:01 Failed: not found"), "{text}");
}

#[test]
fn of_several_things_that_failed_the_first_is_named_with_its_cause() {
    let why = "2 things could not be done\n  because: \n  could not apply service default/it: no owner\n  could not apply \
               pod default/it: no owner";
    let text = plain(&report(Some(Outcome::Failed { step: step("deploy"), why: why.to_owned() })));
    assert!(
        text.contains("\n`2 things could not be done: could not apply service default/it: no owner`\n"),
        "{text}"
    );
}

#[test]
fn what_is_left_alone() {
    let nothing = Outcome::Nothing { why: "there is no environment, and none is wanted".into() };
    assert_snapshot!(plain(&report(Some(nothing))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ✅ Nothing to do

    `there is no environment, and none is wanted`
    "#);
    assert_snapshot!(plain(&report(Some(Outcome::Superseded))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ⏭️ Superseded by a newer event

    The run of that event goes on from here, and tells how it went.
    "#);
    let refused = Outcome::Refused { why: "the name pr-shop-42 is held by other/shop#42".into() };
    assert_snapshot!(plain(&report(Some(refused))), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ❌ Refused

    `the name pr-shop-42 is held by other/shop#42`

    What stands was left as it is.
    "#);
}

#[test]
fn while_it_runs_time_alone_changes_nothing() {
    let mut running = report(None);
    running.phases[2] = phase("deploy", Status::Running, 3.0, "deployment/shop 1/2");
    running.phases.push(phase("dns", Status::Pending, 0.0, ""));
    assert_snapshot!(plain(&running), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### ⏳ Coming up: `deploy`

    `9f2c1ab` · since 12:00 UTC

    | phase | time | |
    |---|--:|---|
    | claim | under 1 s | `held, generation 3, 192.168.1.140-141` |
    | cluster | 2 m 04 s | `5 objects applied, API server ready` |
    | deploy | since 12:00 UTC | `deployment/shop 1/2` |
    | dns | – |  |
    "#);
    let later = body(&running, at("12:20:00"), &Beside::default());
    assert_eq!(later, plain(&running));
    running.direction = Some(Direction::Down);
    assert!(plain(&running).contains("### ⏳ Going down: `deploy`"));
    running.direction = None;
    assert!(plain(&running).contains("### ⏳ Begun: `deploy`"));
}

// ---- whose comment it is ----

#[test]
fn a_comment_knows_whose_it_is_and_of_which_taking() {
    let mut report = report(Some(Outcome::Ready));
    let three: Generation = "3".parse().unwrap();
    assert_eq!(marker(&report), "<!-- berth v1 acme/shop#42 g3 -->");
    let comment = plain(&report);
    assert!(is_of(&comment, &holder()));
    assert_eq!(generation(&comment, &holder()), Some(three));
    // As GitHub gives it back.
    assert_eq!(generation(&comment.replace('\n', "\r\n"), &holder()), Some(three));
    for other in ["acme/shop#4", "acme/shop#421", "acme/shop2#42"] {
        assert!(!is_of(&comment, &Holder::PullRequest(other.parse().unwrap())), "{other}");
    }
    for foreign in [
        "",
        "LGTM",
        "> <!-- berth v1 acme/shop#42 g3 -->",
        "a\n<!-- berth v1 acme/shop#42 g3 -->",
        "<!-- berth v1 acme/shop#42 g3",
    ] {
        assert!(!is_of(foreign, &holder()), "{foreign}");
    }
    report.generation = None;
    assert_eq!(marker(&report), "<!-- berth v1 acme/shop#42 -->");
    assert!(is_of(&plain(&report), &holder()));
    assert_eq!(generation(&plain(&report), &holder()), None);
}

#[test]
fn a_report_never_stands_where_one_of_a_higher_generation_stood() {
    let of = |generation: Option<&str>| Report {
        generation: generation.map(|g| g.parse().unwrap()),
        ..report(Some(Outcome::Ready))
    };
    let may = |new, old| may_replace(&of(new), &plain(&of(old)));
    assert!(may(Some("4"), Some("3")) && may(Some("3"), Some("3")) && may(Some("10"), Some("9")));
    assert!(!may(Some("3"), Some("4")) && !may(Some("9"), Some("10")));
    assert!(may(Some("1"), None) && may(None, None) && !may(None, Some("1")));
}

// ---- hostile ----

/// What GitHub would take for Markdown: all but code spans and the inside of code blocks.
fn outside_of_code(markdown: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<usize> = None;
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if ticks >= open && line.trim_start_matches('`').is_empty() => fence = None,
            Some(_) => {}
            None if ticks >= 3 && !line[ticks..].contains('`') => fence = Some(ticks),
            None => outside.push_str(&(without_spans(line) + "\n")),
        }
    }
    assert_eq!(fence, None, "a block is open at the end");
    outside
}

/// A span runs to the next run of just as many backticks; without one, its opener is text.
fn without_spans(line: &str) -> String {
    let (mut outside, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('`') {
        let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        outside.push_str(&rest[..at]);
        let behind = &rest[at + run..];
        let mut from = 0;
        let close = loop {
            let Some(next) = behind[from..].find('`').map(|n| n + from) else { break None };
            let other = behind[next..].len() - behind[next..].trim_start_matches('`').len();
            if other == run {
                break Some(next + run);
            }
            from = next + other;
        };
        match close {
            Some(end) => rest = &behind[end..],
            None => {
                outside.push_str(&rest[at..at + run]);
                rest = behind;
            }
        }
    }
    outside + rest
}

/// Cells of a row, as GitHub parts it: before it looks for code, and a backslash takes the next character along.
fn cells(row: &str) -> usize {
    let (mut pipes, mut characters) = (0, row.chars());
    while let Some(c) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '|' => pipes += 1,
            _ => {}
        }
    }
    pipes - 1
}

/// A report in which whatever may come from outside is this.
fn poisoned(text: &str, outcome: Outcome) -> (Report, Beside) {
    let mut report = diagnosed(outcome);
    let failure = Failure { name: text.into(), message: text.into(), at: Some(text.into()) };
    report.tests = Some(Results { failures: vec![failure; 100], failed: 1_000, ..results() });
    report.phases.iter_mut().for_each(|phase| phase.detail = text.into());
    // With a space they are no addresses, whatever the text.
    report.url = Some(format!("https:// {text}"));
    report.receipt = vec![Gone { what: text.into(), at: at("12:00:10"), proof: text.into() }; 40];
    report.evidence = Some(text.into());
    report.diagnosis.iter_mut().for_each(|found| (found.object, found.detail) = (text.into(), text.into()));
    let taken = Taken { whose: Some(text.into()), stage: Stage::Removal, frees: None };
    report.queue = Some(Queue { place: 1, of: 1, blocks: vec![taken; 40], ..Queue::default() });
    let beside = Beside {
        log: Some(format!("https://x/ {text}")),
        base: Some(Base { branch: text.into(), failing: [text.to_owned()].into() }),
        ..Beside::default()
    };
    (report, beside)
}

fn outcomes(text: &str) -> Vec<Outcome> {
    let (why, report) = (text.to_owned(), text.to_owned());
    vec![
        Outcome::Ready,
        Outcome::AwaitingTests { report },
        Outcome::TestsFailed,
        Outcome::Failed { step: step("deploy"), why: why.clone() },
        Outcome::Failed { step: step("deploy"), why: format!("deploy gave up after {why}") },
        Outcome::Removed { free_at: None },
        Outcome::Closing { until: at("15:00:00"), why: None },
        Outcome::AwaitsApproval { label: why.clone() },
        Outcome::WithoutSecrets { why: why.clone() },
        Outcome::Nothing { why: why.clone() },
        Outcome::Queued,
        Outcome::PoolFull { why: Full::Taken },
        Outcome::Unknown { step: None, why: why.clone() },
        Outcome::Superseded,
        Outcome::Refused { why },
        Outcome::Interrupted { signal: 15 },
    ]
}

/// Whatever the text: the comment is short enough, begins as it should, and nothing of the text is Markdown.
fn holds(text: &str) {
    for outcome in outcomes(text) {
        let (mut report, beside) = poisoned(text, outcome);
        for outcome in [report.outcome.clone(), None] {
            report.outcome = outcome;
            let comment = shown(&report, &beside);
            let which = report.outcome.as_ref().map(Outcome::word);
            assert!(comment.len() <= BYTES, "{which:?}: {} bytes", comment.len());
            assert!(comment.starts_with("<!-- berth v1 acme/shop#42 g3 -->\n### "), "{which:?}");
            let outside = outside_of_code(&comment);
            for never in ["EVIL", "@everyone", "#1 ", "<script", "javascript:"] {
                // In the summary it is HTML's code.
                let outside: Vec<&str> = outside.lines().filter(|line| !line.contains("<summary>")).collect();
                let seen = outside.iter().find(|line| line.contains(never));
                assert_eq!(seen, None, "{which:?} of {text:?}");
            }
            for line in comment.lines().filter(|line| line.contains("<summary>")) {
                assert!(!line.contains("<script"), "{line}");
                assert_eq!(line.matches("<code>").count(), line.matches("</code>").count());
            }
            let wide = |line: &&str| line.starts_with("| ");
            let mut table = 0;
            for line in comment.lines().filter(wide) {
                if line.starts_with("| phase") || line.starts_with("| gone") {
                    table = 3;
                } else if line.starts_with("| failed |") || line.starts_with("| block |") {
                    table = 2;
                }
                if table > 0 {
                    assert_eq!(cells(line), table, "{line}");
                }
            }
        }
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let long = "EVIL @everyone ".repeat(8_000);
    let accents = "é👩‍👩‍👧 EVIL".repeat(9_000);
    let ticks = "`".repeat(100_000);
    for text in [
        "@everyone EVIL",
        "`@everyone` ``EVIL`` ```EVIL",
        "`",
        "``` \n@everyone EVIL\n```\n# EVIL",
        "a | EVIL | @everyone",
        "a \\| EVIL \\\\| b \\",
        "EVIL\r\n\n### ✅ Ready\n<!-- berth v1 acme/shop#42 g9 -->",
        "</code></summary></details><script>EVIL</script>",
        "[EVIL](javascript:x) ![EVIL](https://evil)",
        "x) EVIL [a](https://evil",
        "\u{202e}EVIL\u{202c}\u{200b}@everyone",
        "\u{1b}[31mEVIL\u{7}\0",
        "",
        &long,
        &accents,
        &ticks,
    ] {
        holds(text);
    }
}

#[test]
fn a_link_leads_to_a_plain_page_or_is_none() {
    let title = |url: &str| {
        let mut report = report(Some(Outcome::Ready));
        report.url = Some(url.into());
        plain(&report).lines().nth(1).unwrap().to_owned()
    };
    assert_snapshot!(title("http://a.example.com:8080/"), @r#"### ✅ Ready · [a.example.com:8080](http://a.example.com:8080/)"#);
    assert_snapshot!(title("https://a.example.com/x?y=1"), @r#"### ✅ Ready · [the environment](https://a.example.com/x?y=1)"#);
    for never in [
        "https://github.com@evil.com",
        "javascript:x",
        "https://a)b",
        "https://",
        "//a",
        "https://a b",
        "HTTPS://a",
    ] {
        assert!(!title(never).contains("]("), "{never}: {}", title(never));
    }
}

#[test]
fn a_long_log_is_cut_in_its_middle_and_says_so() {
    let mut report = diagnosed(gave_up());
    let log: String = (0..20_000).map(|n| format!("line {n} 👩‍👩‍👧\n")).collect();
    report.evidence = Some(log);
    let comment = plain(&report);
    assert!((BYTES - 2_000..=BYTES).contains(&comment.len()), "{}", comment.len());
    assert!(comment.contains("line 0 ") && comment.contains("line 19999 "));
    assert!(comment.contains(" bytes are left out here …]"));
    assert!(comment.ends_with("\n```\n</details>\n"));
}

proptest! {
    #[test]
    fn no_text_is_more_than_a_text(text in "([`|\\\\\n<>\\[\\]()@*_~# ]|EVIL|@everyone|\\PC){0,40}") {
        holds(&text);
    }
}

// ---- the same as data ----

#[test]
fn the_json_of_a_run_has_the_keys_of_the_manual() {
    let mut report = diagnosed(gave_up());
    report.tests = Some(results());
    let value = serde_json::to_value(&report).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut all = vec![
        "environment",
        "name",
        "provider",
        "outcome",
        "generation",
        "head_sha",
        "url",
        "addresses",
        "phases",
        "tests",
        "diagnosis",
        "expires_at",
    ];
    all.sort_unstable();
    let sorted = |value| {
        let mut keys = keys(value);
        keys.sort_unstable();
        keys
    };
    assert_eq!(sorted(&value), all);
    assert_eq!(value["environment"], "acme/shop#42");
    assert_eq!((&value["outcome"], &value["generation"]), (&"failed".into(), &3.into()));
    assert_eq!(value["addresses"][1], "192.168.1.141");
    assert_eq!(value["expires_at"], "2026-01-24T12:06:00Z");
    assert_eq!(sorted(&value["phases"][0]), ["detail", "seconds", "status", "step"]);
    assert_eq!(
        (&value["phases"][2]["step"], &value["phases"][2]["status"]),
        (&"deploy".into(), &"failed".into())
    );
    assert_eq!(sorted(&value["tests"]), ["failed", "failures", "passed", "skipped"]);
    assert_eq!(sorted(&value["diagnosis"]), ["advice", "cause", "detail", "object"]);
    for outcome in outcomes("x") {
        let word = outcome.word();
        report.outcome = Some(outcome);
        assert_eq!(serde_json::to_value(&report).unwrap()["outcome"], word);
    }
    (report.objects, report.comment) = (Some(vec![]), Some("…".into()));
    let rehearsed = serde_json::to_value(&report).unwrap();
    assert!(rehearsed["objects"].is_array() && rehearsed["comment"].is_string());
}
