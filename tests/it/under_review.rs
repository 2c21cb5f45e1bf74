//! The rule that the code under review never meets what is ours, in every workflow that users copy.
//!
//! It is decided so. A job *has the head* if it checks out what an event of a pull request, a merge group or a payload leads
//! to. A job *holds something* if its token may do more than read contents, or anything in it names a secret or the token. A
//! job that has the head and holds nothing may run it. One that has it and holds something only hands it to berth, which
//! renders it: behind that checkout there is no script and no action but berth, and a variable of the job says which tests
//! are run, so that the head's `berth.yaml` cannot name a command.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    settings::case,
    workflows::{BERTH, examples, is_berth, jobs, steps, uses},
};
use berth::settings::Run;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CHECKOUT: &str = "actions/checkout@";
const PINS: [&str; 2] = ["BERTH_TESTS_JOB", "BERTH_TESTS_REPORT"];

/// Whether this checkout brings the code of a pull request, as the workflow's events have it.
fn brings_the_head(workflow: &Value, step: &Value) -> bool {
    let with = &step["with"];
    let is_event = |name: &str| !workflow["on"][name].is_null();
    // Without `ref`, these two check out what is under review; a reusable workflow has its caller's event.
    let by_default = ["pull_request", "merge_group", "workflow_call"].into_iter().any(is_event);
    by_default || !with["ref"].is_null() || !with["repository"].is_null()
}

fn head(workflow: &Value, job: &Value) -> Option<usize> {
    steps(job).iter().position(|step| uses(step, CHECKOUT).is_some() && brings_the_head(workflow, step))
}

fn holds_something(job: &Value) -> bool {
    let may_read =
        job["permissions"].as_object().unwrap().iter().all(|(of, how)| of == "contents" && how == "read");
    let all = job.to_string();
    !may_read
        || ["secrets.", "secrets[", "github.token", "GITHUB_TOKEN"].iter().any(|word| all.contains(word))
}

/// Why the head's code could reach what is ours in this workflow.
fn leaks(workflow: &Value) -> Vec<String> {
    let mut why = Vec::new();
    let is_privileged = !workflow["on"]["pull_request_target"].is_null();
    for (name, job) in jobs(workflow) {
        let steps = steps(job);
        for step in steps.iter().filter(|step| uses(step, CHECKOUT).is_some()) {
            if step["with"]["persist-credentials"] != json!(false) {
                why.push(format!("{name} leaves the token in the checkout"));
            }
            if is_privileged && brings_the_head(workflow, step) {
                why.push(format!("{name} checks out the head, with the default branch's rights"));
            }
        }
        // What comes from a job that ran the head is data for one that holds something.
        let takes = steps.iter().any(|step| uses(step, "actions/download-artifact@").is_some())
            || job.to_string().contains("gh run download");
        let runs: String = steps.iter().filter_map(|step| step["run"].as_str()).collect();
        let executes = [
            "docker run",
            "docker load",
            "docker build",
            "npm",
            "npx",
            "./",
            "bash ",
            "sh ",
            "python",
            "make",
            "source ",
        ];
        if takes
            && holds_something(job)
            && let Some(word) = executes.iter().find(|word| runs.contains(**word))
        {
            why.push(format!("{name} holds something and runs what was handed over: {word}"));
        }
        let Some(at) = head(workflow, job).filter(|_| holds_something(job)) else { continue };
        for step in &steps[at + 1..] {
            let trusted = uses(step, CHECKOUT).is_some() || is_berth(step);
            if !trusted {
                why.push(format!(
                    "{name} holds something and has the head, and does more than berth: {step}"
                ));
            }
        }
        if !PINS.iter().any(|pin| job["env"][*pin].is_string()) {
            why.push(format!("{name} lets the head's berth.yaml name a command"));
        }
        let place = steps[at]["with"]["path"].as_str().map(|path| format!("{path}/"));
        for step in steps {
            let platform = step["with"]["platform"].as_str().unwrap_or("${{ github.action_path }}");
            let outside = platform.starts_with("${{ github.action_path }}")
                || place.as_ref().is_some_and(|place| !platform.starts_with(place.as_str()));
            if !outside {
                why.push(format!("{name} takes the platform's file from the head: {platform}"));
            }
        }
    }
    why
}

#[test]
fn the_heads_code_reaches_no_token_no_kubeconfig_and_no_platform_key_in_any_example() {
    let mut with_head = 0;
    for (name, workflow) in examples() {
        assert_eq!(leaks(&workflow), Vec::<String>::new(), "{name}");
        with_head += jobs(&workflow).values().filter(|job| head(&workflow, job).is_some()).count();
    }
    assert!(with_head >= 10, "the walk has lost its way: {with_head}");
}

#[test]
fn a_leak_would_be_seen() {
    let examples: BTreeMap<&str, Value> = examples().collect();
    let changed = |name: &str, pointer: &str, value: Value| {
        let mut workflow = examples[name].clone();
        *workflow.pointer_mut(pointer).unwrap_or_else(|| panic!("{name} has no {pointer}")) = value;
        leaks(&workflow)
    };
    let head = "${{ github.event.pull_request.head.sha }}";
    for (name, pointer, value, seen) in [
        ("app.yml", "/jobs/build/permissions", json!({"contents": "write"}), "does more than berth"),
        ("app.yml", "/jobs/test/permissions", json!({"id-token": "write"}), "does more than berth"),
        ("app.yml", "/jobs/build/steps/0/with", json!({}), "leaves the token"),
        ("app.yml", "/jobs/test/steps/1/env", json!({"KEY": "${{ secrets.KEY }}"}), "does more than berth"),
        ("app.yml", "/jobs/berth/env", json!({}), "name a command"),
        (
            "app.yml",
            "/jobs/berth/steps/1",
            json!({"uses": BERTH[0], "with": {"platform": "p.yaml"}}),
            "platform's file",
        ),
        ("app.yml", "/jobs/push/steps/1/run", json!("docker load -i image.tar"), "handed over"),
        (
            "fork.yml",
            "/jobs/berth/steps/0/with",
            json!({"ref": head, "persist-credentials": false}),
            "checks out the head",
        ),
        (
            "dispatch-infra.yml",
            "/jobs/berth/steps/2/with/platform",
            json!("app/platform.yaml"),
            "platform's file",
        ),
        ("comment.yml", "/jobs/berth/steps/2", json!({"run": "make"}), "does more than berth"),
        ("merge-queue.yml", "/jobs/berth/env", json!({}), "name a command"),
        ("platform-reusable.yml", "/jobs/berth/env", json!({}), "name a command"),
    ] {
        let why = changed(name, pointer, value);
        assert!(why.iter().any(|why| why.contains(seen)), "{name} {pointer}: {why:?}");
    }
}

#[test]
fn the_variable_of_the_examples_is_stronger_than_a_command_in_the_heads_file() {
    let hostile = "tests: {command: [cat, /etc/passwd], junit: junit.xml}";
    let run = |name: &'static str, value: &'static str| {
        case().app(hostile).var(name, value).settings().app.tests.unwrap().run
    };
    let [job, report] = PINS;
    assert!(matches!(run(report, "cypress"), Run::Report(_)));
    assert!(matches!(run(job, "tests.yaml"), Run::Job { .. }));
}
