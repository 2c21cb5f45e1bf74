//! The runner itself: that it reads and ends a step as GitHub's does.

use super::{Ran, Runner, files};
use std::{fs, time::Duration};

/// An action of one step, whose output `said` is what the step says.
fn action(run: &str) -> Runner {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("action.yml");
    let step = serde_json::json!({"id": "one", "shell": "bash", "run": run});
    let action = serde_json::json!({
        "inputs": {"word": {"default": "none for ${{ github.repository }}"}},
        "outputs": {"said": {"value": "<${{ steps.one.outputs.said }}>"}},
        "runs": {"using": "composite", "steps": [step, {"shell": "bash", "run": "echo the second step"}]},
    });
    fs::write(&file, action.to_string()).unwrap();
    Runner::new(&file)
}

fn run(script: &str) -> Ran {
    action(script).run()
}

#[test]
fn a_step_stops_at_its_first_error_and_so_does_the_action_and_its_outputs_come_out_all_the_same() {
    let ran = run("echo said=before >>$GITHUB_OUTPUT\nfalse | cat\necho never");
    assert_eq!((ran.exit, ran.log.as_str(), ran.outputs["said"].as_str()), (1, "", "<before>"));
    let ran = run("echo fine");
    assert_eq!(
        (ran.exit, ran.log.as_str(), ran.outputs["said"].as_str()),
        (0, "fine\nthe second step\n", "<>")
    );
}

#[test]
fn outputs_are_read_as_github_reads_them() {
    let read = |text: &str| files::outputs(text).map(|found| found.into_iter().collect::<Vec<_>>());
    let pair = |name: &str, value: &str| Ok(vec![(name.to_owned(), value.to_owned())]);
    assert_eq!(read("a=b=c\n"), pair("a", "b=c"));
    assert_eq!(read("a=<<b\n"), pair("a", "<<b"));
    assert_eq!(read("\na<<END\none\ntwo=2\n\nEND\n"), pair("a", "one\ntwo=2\n"));
    assert_eq!(read("a<<=\n1\n=\n"), pair("a", "1"));
    for wrong in ["word\n", "=value\n", "a<<END\none\n"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_masked_is_in_no_later_line_of_either_stream() {
    let script =
        "echo early-word; echo ::add-mask::early-word; echo 'an early-word'; echo '::error::early-word'";
    let ran = run(script);
    assert_eq!(ran.log, "early-word\nan ***\n##[error]***\nthe second step\n");
    assert_eq!(ran.commands, [("error".to_owned(), "***".to_owned())]);
    let ran = action("echo $WORD; echo ::add-mask::by-stderr >&2; exec 2>&-")
        .env("WORD", "a-secret")
        .secret("a-secret")
        .run();
    assert_eq!(ran.log, "***\nthe second step\n");
}

#[test]
fn between_stop_commands_and_its_end_nothing_is_a_command() {
    let ran = run(
        "echo ::stop-commands::halt; echo ::error::no; echo 'x ##[error]no'; echo ::halt::; echo ::notice::100%25",
    );
    assert_eq!(ran.commands, [("notice".to_owned(), "100%".to_owned())]);
    assert!(ran.log.starts_with("::error::no\nx ##[error]no\n"), "{}", ran.log);
}

#[test]
fn an_older_command_counts_wherever_it_stands() {
    assert_eq!(run("echo 'pod: ##[error]of a pod'").commands, [("error".to_owned(), "of a pod".to_owned())]);
}

#[test]
fn a_summary_beyond_a_mebibyte_is_not_shown() {
    let script = |bytes: u32| format!("head -c {bytes} /dev/zero | tr '\\0' x >>$GITHUB_STEP_SUMMARY");
    assert_eq!(run(&script(1_048_576)).summary.len(), 1_048_576);
    let ran = run(&script(1_048_577));
    assert_eq!((ran.summary.as_str(), ran.exit, ran.commands.len()), ("", 0, 1));
}

#[test]
fn a_cancelled_step_hears_sigint_then_sigterm_and_is_killed_with_what_it_started() {
    let soon = [Duration::from_millis(50), Duration::from_millis(50)];
    let waits = "echo ready; while :; do read -r -t 1 <> <(:) || :; done";
    let polite = action(&format!("trap 'echo INT; exit 9' INT; {waits}")).cancel_at("ready").run();
    assert_eq!((polite.exit, polite.log.as_str()), (9, "ready\nINT\n"));
    let slow = action(&format!("trap '' INT; trap 'echo TERM; exit 8' TERM; {waits}"));
    let slow = slow.cancel_at("ready").patience(soon).run();
    assert_eq!((slow.exit, slow.log.as_str()), (8, "ready\nTERM\n"));
    let deaf = action(&format!("trap '' INT TERM; {waits}")).cancel_at("ready").patience(soon).run();
    assert_eq!((deaf.exit, deaf.log.as_str()), (128 + 9, "ready\n"));
}

#[test]
fn what_runs_on_a_machine_that_is_lost_is_asked_nothing() {
    let waits = "while :; do read -r -t 1 <> <(:) || :; done";
    let ran = action(&format!("trap 'echo asked' INT TERM; echo ready; {waits}")).lost_at("ready").run();
    assert_eq!((ran.exit, ran.log.as_str()), (128 + 9, "ready\n"));
}

#[test]
fn behind_a_cancelled_step_nothing_runs() {
    let runner = action("trap 'exit 0' INT; echo ready; while :; do read -r -t 1 <> <(:) || :; done");
    let (cancel, ran) = (runner.cancel(), runner);
    cancel.now();
    let ran = ran.run();
    assert!(!ran.log.contains("second"), "{}", ran.log);
}

#[test]
fn a_shell_swallows_what_it_is_signalled_while_its_program_runs() {
    // Why the action's step is nothing but an `exec`.
    let soon = [Duration::from_millis(50), Duration::from_millis(50)];
    let program = "bash -c \"trap 'echo heard; exit 7' INT TERM; echo ready; while :; do read -r -t 1 <> <(:) || :; done\"";
    let without = action(&format!("{program}\necho")).cancel_at("ready").patience(soon).run();
    assert!(!without.log.contains("heard"), "{}", without.log);
    let with = action(&format!("exec {program}")).cancel_at("ready").run();
    assert_eq!((with.exit, with.log.as_str()), (7, "ready\nheard\n"));
}

#[test]
fn a_composite_action_gets_no_input_variables_and_no_token() {
    let ran = action("env").input("word", "given").run();
    assert!(
        !ran.log.contains("INPUT_") && !ran.log.contains("CANARY") && !ran.log.contains("***"),
        "{}",
        ran.log
    );
    assert!(ran.log.contains("\nGITHUB_ACTION_REPOSITORY=\n"), "{}", ran.log);
}

#[test]
fn a_step_finds_the_event_and_the_checkout() {
    let payload = serde_json::json!({"number": 42});
    let ran = action("echo $GITHUB_EVENT_NAME $(<$GITHUB_EVENT_PATH) $(<berth.yaml)")
        .event("pull_request", payload);
    let ran = ran.file("berth.yaml", "version: 1").run();
    assert!(ran.log.starts_with("pull_request {\"number\":42} version: 1\n"), "{}", ran.log);
    assert!(ran.workspace.join("berth.yaml").exists());
}

#[test]
#[should_panic(expected = "`github.nonsense` is not known here")]
fn what_is_not_known_is_refused() {
    super::Contexts::default().evaluate("${{ github.nonsense }}");
}
