//! The action, this repository's workflows and those that users copy, under the two checkers that users run, too: zizmor
//! for weaknesses, actionlint for what GitHub would refuse. Neither may have anything to say.
//!
//! The script `build` beside this file gets them; without them these facts fail, they are not left out.

use crate::harness::keeper;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn checker(name: &str) -> Command {
    let program = keeper::built("bin").join(name);
    assert!(program.exists(), "{} is not there: run tests/bench/action/build first", program.display());
    let mut command = Command::new(program);
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Those of a directory and of what is below it.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = Path::new(folder).join(entry.unwrap().file_name());
        if path.is_dir() {
            found.extend(files(path.to_str().unwrap()));
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            found.push(path);
        }
    }
    found
}

/// GitHub's own place for workflows, and the examples' one; what is called `action.yml` is an action.
fn all() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut found = [files(".github/workflows"), files("workflows-examples")].concat();
    found.push("action.yml".into());
    found.into_iter().partition(|file| file.ends_with("action.yml"))
}

fn zizmor(files: &[PathBuf]) -> Output {
    // Offline, so that nothing but these files and the checker's version decides.
    let mut command = checker("zizmor");
    command.args(["--offline", "--no-progress", "--strict-collection", "--format", "json", "--no-config"]);
    command.args(files).output().unwrap()
}

fn actionlint(files: &[PathBuf]) -> Output {
    // What other checkers find in scripts depends on whether they are there.
    checker("actionlint").args(["-shellcheck=", "-pyflakes=", "-no-color"]).args(files).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream).into_owned()).concat()
}

#[test]
fn zizmor_finds_nothing_in_the_action_and_in_any_workflow() {
    let (actions, workflows) = all();
    assert!(actions.len() == 2 && workflows.len() >= 13, "{actions:?} {workflows:?}");
    let ran = zizmor(&[actions, workflows].concat());
    assert!(ran.status.success(), "{}", said(&ran));
    assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), "[]");
}

#[test]
fn actionlint_finds_nothing_in_any_workflow() {
    let ran = actionlint(&all().1);
    assert!(ran.status.success() && ran.stdout.is_empty(), "{}", said(&ran));
}

#[test]
fn both_checkers_see_what_they_are_here_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.yml");
    let bad = "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      \
               - run: echo ${{ github.event.pull_request.title }}\n      - run: echo ${{ steps.none.outputs.x }}\n";
    fs::write(&file, bad).unwrap();
    let ran = zizmor(std::slice::from_ref(&file));
    assert!(!ran.status.success() && said(&ran).contains("template-injection"), "{}", said(&ran));
    let ran = actionlint(&[file]);
    assert!(
        !ran.status.success() && said(&ran).contains("property \"none\" is not defined"),
        "{}",
        said(&ran)
    );
}
