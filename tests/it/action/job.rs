//! The action as its users run it: every input and output of `action.yml`, and what is left of a job that was cancelled or
//! lost.

use super::bed::{Bed, Event, sha};
use crate::runner::Ran;
use berth::rehearsal::{Request, Server, gate::Verdict};
use rustix::process::Signal;
use serde_json::json;
use std::fs;

/// Its tests do not end by themselves: they wait until berth is gone.
const WAITS: &str = "\
version: 1
deploy: {manifests: app.yaml}
tests: {command: [sh, -c, 'echo at-tests; exec tail --pid=$PPID -f /dev/null'], junit: r.xml}
";
/// The same where somebody has mended them.
const ENDS: &str = "\
version: 1
deploy: {manifests: app.yaml}
tests: {command: [sh, -c, 'echo \"<testsuite><testcase name=\\\"t\\\"/></testsuite>\" >r.xml'], junit: r.xml}
";

/// The next request after these lines of the log: so that a run stands where the line says.
type Held = fn(&Request) -> bool;
const PLACES: [(&str, &str, Held); 4] = [
    ("✓ claim", "cluster", |request| request.server == Server::Kubernetes && request.mutates()),
    ("✓ cluster", "access", |request| request.path.last().is_some_and(|last| last == "kubeconfig")),
    ("✓ resources", "deploy", |request| request.server == Server::Environment && request.mutates()),
    ("at-tests", "tests", |_| false),
];

fn hold(bed: &Bed, held: Held) {
    bed.served.gate.rule(move |request| if held(request) { Verdict::Hang } else { Verdict::Pass });
}

/// Whatever was left, the same job once more ends as if nothing had been.
fn goes_on(bed: &Bed, event: &Event) {
    bed.served.gate.open();
    bed.writes("berth.yaml", ENDS);
    let ran = bed.acts(event);
    assert_eq!((ran.exit, ran.output("outcome")), (0, "ready"), "{}", ran.log);
    assert_eq!(bed.deployed(), Some(sha('a')));
    assert_eq!(bed.statuses(&sha('a')).last().unwrap(), "success: 1 passed");
    assert!(bed.comment().contains("### ✅ Ready"), "{}", bed.comment());
    let pool = bed.document("ip-allocations").unwrap();
    assert_eq!(pool, json!({"192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42"}));
}

/// All that are not empty.
fn outputs(ran: &Ran) -> Vec<(&str, &str)> {
    let said = ran.outputs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    said.filter(|(_, value)| !value.is_empty()).collect()
}

#[test]
fn a_job_has_the_outputs_of_the_action_its_summary_comment_and_status() {
    let bed = Bed::of(ENDS);
    let ran = bed.acts(&bed.opened());
    assert_eq!(ran.exit, 0, "{}", ran.log);
    let kubeconfig = ran.temp.join("berth/kubeconfig");
    let expected = [
        ("addresses", "192.168.1.140,192.168.1.141"),
        ("kubeconfig-path", kubeconfig.to_str().unwrap()),
        ("name", "pr-shop-42"),
        ("outcome", "ready"),
        ("tests-failed", "0"),
        ("tests-passed", "1"),
    ];
    assert_eq!(outputs(&ran), expected, "there is no domain, so neither a name nor an address of a page");
    assert!(ran.summary.contains("### ✅ Ready") && ran.summary.contains("gantt"), "{}", ran.summary);
    assert!(bed.comment().contains("**1 passed**"), "{}", bed.comment());
    assert_eq!(bed.statuses(&sha('a')).last().unwrap(), "success: 1 passed");
    let told = ran.commands.iter().find(|(command, _)| !command.ends_with("group"));
    assert_eq!(told, None, "nothing went wrong");
}

#[test]
fn an_environment_that_does_not_stand_leads_nobody_to_its_name() {
    let bed = Bed::of(ENDS).named();
    hold(&bed, |request| request.server == Server::Environment && request.mutates());
    let ran = bed.ran(bed.job(&bed.opened()).cancel_at("✓ resources"));
    assert_eq!((ran.output("dns"), ran.output("url")), ("", ""), "{}", ran.log);
    assert_eq!(ran.output("name"), "pr-shop-42");
}

#[test]
fn what_the_inputs_say_counts_and_not_what_lies_where_they_would_be_without() {
    let bed = Bed::of("of: nobody's choice\n");
    bed.writes("ci/preview.yaml", "version: 1\ndeploy: {manifests: ../app.yaml}\n");
    bed.checked_out(&sha('a'));
    let by_hand = json!({
        "inputs": {}, "ref": "refs/heads/main", "workflow": ".github/workflows/preview.yml",
        "repository": bed.opened().body["repository"], "sender": {"login": "ada"},
    });
    let by_hand = Event::new("workflow_dispatch", by_hand);
    let job = || bed.job(&by_hand).input("environment", "acme/shop#42");
    let ran = bed.ran(job().input("config", "ci/preview.yaml").input("command", "up"));
    assert_eq!(
        (ran.exit, ran.output("outcome"), bed.deployed()),
        (0, "ready", Some(sha('a'))),
        "{}",
        ran.log
    );
    let ran = bed.ran(job().input("config", "ci/preview.yaml").input("command", "down"));
    assert_eq!((ran.exit, ran.output("outcome")), (0, "removed"), "it is open: {}", ran.log);
    let ran = bed.ran(job().input("command", "up"));
    assert_eq!(ran.exit, 2, "the app file is wrong: {}", ran.log);
    let ran =
        bed.ran(job().input("config", "ci/preview.yaml").input("command", "up").input("platform", "none"));
    assert_eq!(ran.exit, 2, "{}", ran.log);
    let ran = job()
        .input("config", "ci/preview.yaml")
        .input("command", "up")
        .input("github-token", "ghs_of-nobody");
    let ran = bed.ran(ran);
    assert_eq!(ran.exit, 4, "by the token of the input, and it is none: {}", ran.log);
}

/// GitHub.md 7.9: as GitHub cancels a run.
#[test]
fn a_cancelled_job_ends_by_itself_and_says_so_everywhere_and_the_same_job_once_more_goes_on() {
    for (line, step, held) in PLACES {
        let bed = Bed::of(WAITS);
        hold(&bed, held);
        let event = bed.opened();
        let ran = bed.ran(bed.job(&event).cancel_at(line));
        assert_eq!((ran.exit, &ran.signals[..]), (130, &[Signal::INT][..]), "{}", ran.log);
        let cancelled = format!("### ⏹️ Cancelled during `{step}` · environment kept");
        assert!(bed.comment().contains(&cancelled), "{line}: {}", bed.comment());
        assert!(ran.summary.contains(&cancelled), "{line}: {}", ran.summary);
        assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("error"));
        assert_eq!((ran.output("outcome"), ran.output("name")), ("interrupted", "pr-shop-42"));
        assert!(ran.log.contains("Interrupted by signal 2"), "{}", ran.log);
        goes_on(&bed, &event);
    }
}

/// GitHub.md 7.9: SIGTERM and SIGKILL would come 7.5 and 10 seconds later.
#[test]
fn a_cancelled_job_ends_in_time_also_where_github_answers_no_more() {
    let bed = Bed::of(WAITS);
    let event = bed.opened();
    bed.served.gate.rule(|request| {
        let hangs = request.server == Server::GitHub
            && (request.mutates() || request.path.contains(&"comments".to_owned()));
        if hangs { Verdict::Hang } else { Verdict::Pass }
    });
    let ran = bed.ran(bed.job(&event).cancel_at("at-tests"));
    assert_eq!((ran.exit, &ran.signals[..]), (130, &[Signal::INT][..]), "{}", ran.log);
    assert!(ran.summary.contains("### ⏹️ Cancelled during `tests`"), "{}", ran.summary);
    assert_eq!(ran.output("outcome"), "interrupted");
    goes_on(&bed, &event);
}

#[test]
fn a_job_that_is_cancelled_before_it_knows_what_is_wanted_says_so_too() {
    let bed = Bed::of(ENDS);
    let event = bed.says("ada", "/berth up");
    let job = bed.job(&event);
    let cancel = job.cancel();
    bed.served.gate.rule(move |request| {
        if request.path.contains(&"collaborators".to_owned()) {
            cancel.now();
            return Verdict::Hang;
        }
        Verdict::Pass
    });
    let ran = bed.ran(job);
    assert_eq!((ran.exit, &ran.signals[..]), (130, &[Signal::INT][..]), "{}", ran.log);
    assert_eq!(ran.output("outcome"), "interrupted", "{}", ran.log);
    assert!(ran.summary.contains("### ⏹️ Cancelled"), "{}", ran.summary);
    assert_eq!(
        (bed.deployed(), bed.comments().len()),
        (None, 0),
        "nothing was begun, so nothing is told of it"
    );
}

/// GitHub.md 7.9: a runner that is lost says nothing to anybody.
#[test]
fn a_job_whose_machine_was_lost_is_made_good_by_the_same_job_once_more() {
    for (line, _, held) in PLACES {
        let bed = Bed::of(WAITS);
        hold(&bed, held);
        let event = bed.opened();
        let ran = bed.ran(bed.job(&event).lost_at(line));
        assert_eq!((ran.exit, &ran.signals[..]), (128 + 9, &[Signal::KILL][..]), "{}", ran.log);
        assert_eq!(ran.output("outcome"), "", "it had no time for it");
        goes_on(&bed, &event);
    }
}

#[test]
fn a_second_job_of_the_run_hands_in_what_the_first_one_has_tested() {
    let bed = Bed::of("version: 1\ndeploy: {manifests: app.yaml}\ntests: {report: cypress}\n");
    let event = bed.opened();
    let ran = bed.acts(&event);
    assert_eq!((ran.exit, ran.output("outcome")), (0, "awaiting-tests"), "{}", ran.log);
    // What the other job brings along, and nothing of the app.
    fs::remove_file(bed.path("checkout/berth.yaml")).unwrap();
    bed.writes("results/a.xml", "<testsuite><testcase name=\"opens\"/></testsuite>");
    bed.writes(
        "results/b.xml",
        "<testsuite><testcase name=\"closes\"><failure message=\"no\"/></testcase></testsuite>",
    );
    let ran = bed.reports(&event, "results");
    assert_eq!(ran.exit, 1, "{}", ran.log);
    assert_eq!(
        ["outcome", "tests-passed", "tests-failed"].map(|name| ran.output(name)),
        ["tests-failed", "1", "1"]
    );
    assert!(bed.comment().contains("### ❌ 1 test failed"), "{}", bed.comment());
    assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("failure"));
}

#[test]
fn a_scheduled_job_sweeps() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    let schedule = Event::new("schedule", json!({"schedule": "17 * * * *"}));
    let kept = bed.acts(&schedule);
    assert_eq!((kept.exit, bed.deployed()), (0, Some(sha('a'))), "{}", kept.log);
    assert!(kept.summary.contains("### Swept: nothing removed, of 1"), "{}", kept.summary);
}
