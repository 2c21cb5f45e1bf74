//! What users copy: the action's interface and the example workflows, held against each other. (What the code under review
//! can reach in them: `under_review`.)

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use regex::Regex;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const INPUTS: &[&str] = &["command", "config", "environment", "github-token", "junit", "name", "platform"];
const OUTPUTS: &[&str] =
    &["addresses", "dns", "kubeconfig-path", "name", "outcome", "tests-failed", "tests-passed", "url"];
const EXAMPLES: &[&str] = &[
    "app-flux-release.yml",
    "app-namespace.yml",
    "app.yml",
    "comment.yml",
    "dispatch-app.yml",
    "dispatch-infra.yml",
    "fork-build.yml",
    "fork.yml",
    "merge-queue.yml",
    "platform-reusable.yml",
    "sweep.yml",
];
/// berth, and the platform team's action around it.
pub(crate) const BERTH: [&str; 2] = ["OWNER/berth@", "OWNER/platform/preview@"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn folder(path: &str) -> Vec<String> {
    let names =
        fs::read_dir(root(path)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yml")).collect();
    names.sort();
    names
}

pub(crate) fn examples() -> impl Iterator<Item = (&'static str, Value)> {
    EXAMPLES.iter().map(|name| (*name, yaml(&format!("workflows-examples/{name}"))))
}

/// The examples, and this repository's own.
fn workflows() -> Vec<(String, Value)> {
    let own = folder(".github/workflows").into_iter().map(|name| {
        let workflow = yaml(&format!(".github/workflows/{name}"));
        (name, workflow)
    });
    examples().map(|(name, workflow)| (name.to_owned(), workflow)).chain(own).collect()
}

pub(crate) fn jobs(workflow: &Value) -> &Map<String, Value> {
    workflow["jobs"].as_object().unwrap()
}

pub(crate) fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().unwrap()
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

pub(crate) fn uses<'a>(step: &'a Value, action: &str) -> Option<&'a str> {
    step["uses"].as_str()?.strip_prefix(action)
}

pub(crate) fn is_berth(step: &Value) -> bool {
    BERTH.iter().any(|action| uses(step, action).is_some())
}

/// Of one step's action: its inputs, and its outputs.
fn interface(step: &Value) -> Option<Value> {
    let [berth, platform] = BERTH.map(|action| uses(step, action).is_some());
    let file = if berth { "action.yml" } else { "workflows-examples/platform-action/action.yml" };
    (berth || platform).then(|| yaml(file))
}

// ---- the action ----

#[test]
fn the_action_takes_and_gives_exactly_what_is_documented() {
    let action = yaml("action.yml");
    assert_eq!(names(&action["inputs"]).into_iter().collect::<Vec<_>>(), INPUTS);
    assert_eq!(names(&action["outputs"]).into_iter().collect::<Vec<_>>(), OUTPUTS);
    for output in OUTPUTS {
        assert_eq!(action["outputs"][output]["value"], format!("${{{{ steps.run.outputs.{output} }}}}"));
    }
    assert_eq!(action["inputs"]["command"]["default"], "auto");
    assert_eq!(action["inputs"]["github-token"]["default"], "${{ github.token }}");
    let described = ["inputs", "outputs"].iter().flat_map(|of| action[of].as_object().unwrap());
    for (name, of) in described {
        assert!(of["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        assert!(of["required"].is_null(), "GitHub does not enforce `required`, so it would be a lie: {name}");
    }
}

#[test]
fn each_input_reaches_berth_as_a_variable_and_berths_step_is_nothing_but_an_exec() {
    let action = yaml("action.yml");
    let [_, run] = steps(&action["runs"]) else { panic!("two steps") };
    assert_eq!(run["run"], "exec \"$BERTH\" action");
    let mut given: BTreeMap<String, String> =
        [("BERTH", "steps.get.outputs.path"), ("BERTH_JOB_ID", "job.check_run_id")]
            .map(|(a, b)| (a.into(), b.into()))
            .into();
    for input in INPUTS {
        let variable = format!("BERTH_{}", input.to_uppercase().replace('-', "_"));
        given.insert(variable, format!("inputs.{input}"));
    }
    let expected: Map<String, Value> =
        given.into_iter().map(|(name, value)| (name, json!(format!("${{{{ {value} }}}}")))).collect();
    assert_eq!(run["env"], Value::Object(expected));
}

#[test]
fn no_expression_stands_in_a_script() {
    let mut scripts: Vec<(String, String)> = Vec::new();
    for path in ["action.yml", "workflows-examples/platform-action/action.yml"] {
        let action = yaml(path);
        let runs = steps(&action["runs"]).iter().filter_map(|step| step["run"].as_str());
        scripts.extend(runs.map(|run| (path.to_owned(), run.to_owned())));
    }
    for (name, workflow) in workflows() {
        for job in jobs(&workflow).values() {
            let runs = steps(job).iter().filter_map(|step| step["run"].as_str());
            scripts.extend(runs.map(|run| (name.clone(), run.to_owned())));
        }
    }
    assert!(scripts.len() > 15, "the walk has lost its way: {scripts:?}");
    for (name, script) in scripts {
        assert!(!script.contains("${{"), "{name}: {script}");
    }
}

// ---- the examples, against the action ----

#[test]
fn every_example_is_looked_at() {
    assert_eq!(folder("workflows-examples"), EXAMPLES);
}

#[test]
fn examples_give_berth_only_inputs_that_it_has() {
    let mut used = 0;
    let platform = yaml("workflows-examples/platform-action/action.yml");
    let of_examples = examples().flat_map(|(name, workflow)| {
        let steps: Vec<Value> = jobs(&workflow).values().flat_map(steps).cloned().collect();
        steps.into_iter().map(move |step| (name, step))
    });
    let of_platform = steps(&platform["runs"]).iter().map(|step| ("platform-action", step.clone()));
    for (name, step) in of_examples.chain(of_platform) {
        let Some(action) = interface(&step) else { continue };
        used += 1;
        let strange: Vec<_> =
            names(&step["with"]).difference(&names(&action["inputs"])).copied().map(str::to_owned).collect();
        assert!(strange.is_empty(), "{name} gives {strange:?}");
        let command = step["with"]["command"].as_str().unwrap_or("auto");
        assert!(["auto", "sweep", "up", "down", "report"].contains(&command), "{name}: {command}");
    }
    assert!(used >= EXAMPLES.len() - 2, "all but fork-build and dispatch-app use it: {used}");
}

#[test]
fn every_output_that_an_example_reads_exists() {
    let of_step = Regex::new(r"\bsteps\.([\w-]+)\.outputs\.([\w-]+)").unwrap();
    let of_job = Regex::new(r"\b(?:needs|jobs)\.([\w-]+)\.outputs\.([\w-]+)").unwrap();
    let mut read = 0;
    let mut check = |place: &str, given: &[Value], text: String| {
        for found in of_step.captures_iter(&text) {
            let step = given.iter().find(|step| step["id"] == found[1]);
            let step = step.unwrap_or_else(|| panic!("{place}: there is no step {}", &found[1]));
            let says = format!("{}=", &found[2]);
            let exists = match (interface(step), step["run"].as_str()) {
                (Some(action), _) => !action["outputs"][&found[2]].is_null(),
                (None, Some(run)) => run.contains(&says) && run.contains("$GITHUB_OUTPUT"),
                (None, None) => false,
            };
            assert!(exists, "{place}: the step {} says no {}", &found[1], &found[2]);
            read += 1;
        }
    };
    for (name, workflow) in workflows() {
        for job in jobs(&workflow).values() {
            check(&name, steps(job), job.to_string());
        }
        for found in of_job.captures_iter(&workflow.to_string()) {
            let job = &workflow["jobs"][&found[1]];
            assert!(
                !job["outputs"][&found[2]].is_null(),
                "{name}: the job {} says no {}",
                &found[1],
                &found[2]
            );
        }
    }
    let platform = yaml("workflows-examples/platform-action/action.yml");
    check("platform-action", steps(&platform["runs"]), platform["outputs"].to_string());
    assert!(read >= 7, "the walk has lost its way: {read}");
}

// ---- what every workflow keeps to ----

#[test]
fn every_workflow_gives_no_right_but_to_the_job_that_needs_it_and_every_job_ends() {
    for (name, workflow) in workflows() {
        assert_eq!(workflow["permissions"], json!({}), "{name}");
        assert!(workflow["env"].is_null(), "{name}: what all jobs get, the head's code gets");
        for (job, of) in jobs(&workflow) {
            assert!(of["permissions"].is_object(), "{name}: {job} says not what its token may do");
            assert!(
                of["timeout-minutes"].as_u64().is_some_and(|minutes| minutes <= 90),
                "{name}: {job} may run for ever"
            );
        }
    }
}

#[test]
fn whatever_hears_of_a_pull_requests_end_has_the_documented_concurrency() {
    let documented = json!({
        "group": "berth-${{ github.event.number }}",
        "cancel-in-progress": "${{ github.event.action == 'synchronize' || github.event.action == 'closed' }}",
    });
    let types = json!([
        "opened",
        "reopened",
        "synchronize",
        "ready_for_review",
        "converted_to_draft",
        "labeled",
        "unlabeled",
        "closed"
    ]);
    let mut heard = 0;
    for (name, workflow) in examples() {
        let closed = |event: &str| {
            let types = workflow["on"][event]["types"].as_array();
            types.is_some_and(|types| types.contains(&json!("closed")))
        };
        if closed("pull_request") {
            assert_eq!(workflow["concurrency"], documented, "{name}");
            assert_eq!(workflow["on"]["pull_request"]["types"], types, "{name}");
            heard += 1;
        }
        if closed("pull_request_target") {
            // In the group of those above, their run for a push could cancel the one that takes the approval away.
            let own = json!("berth-fork-${{ github.event.number }}");
            let mut expected = documented.clone();
            expected["group"] = own;
            assert_eq!(workflow["concurrency"], expected, "{name}");
            heard += 1;
        }
    }
    assert_eq!(heard, 5);
    let caller = text("workflows-examples/platform-reusable.yml");
    for line in [&documented["group"], &documented["cancel-in-progress"]] {
        assert!(caller.contains(line.as_str().unwrap()), "platform-reusable's caller");
    }
}

#[test]
fn no_schedule_is_at_the_minutes_at_which_all_the_world_has_theirs() {
    let sweep = yaml("workflows-examples/sweep.yml");
    let crons = sweep["on"]["schedule"].as_array().unwrap();
    assert!(!crons.is_empty());
    for cron in crons {
        for minute in cron["cron"].as_str().unwrap().split(' ').next().unwrap().split(',') {
            let minute: u8 = minute.parse().unwrap();
            assert!(minute % 2 == 1 && !minute.is_multiple_of(5), "{cron}");
        }
    }
}

#[test]
fn every_example_says_what_it_needs_and_what_the_heads_code_can_reach() {
    let files = EXAMPLES.iter().copied().chain(["platform-action/action.yml"]);
    for name in files {
        let text = text(&format!("workflows-examples/{name}"));
        let opening: String =
            text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
        for part in ["\n# It needs", "\n# What the head's code can reach: nothing"] {
            assert!(opening.contains(part), "{name} says not:{part}");
        }
    }
}
