//! `tests/run` itself: what it leaves out it says, and where nothing may be left out it fails.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Output},
};

/// Runs the script on a machine that has these tools and a cargo that only says what it was asked for.
fn run(tools: &[&str], argument: &str, required: &str) -> Output {
    let path = tempfile::tempdir().unwrap();
    for tool in ["bash", "dirname", "env"] {
        let real = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
        symlink(real.iter().find(|tool| tool.exists()).unwrap(), path.path().join(tool)).unwrap();
    }
    let stub = |name: &str, script: &str| {
        let file = path.path().join(name);
        fs::write(&file, format!("#!/usr/bin/env bash\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    stub("cargo", "echo \"cargo $*\"");
    for tool in tools {
        stub(tool, "echo a tool was called >&2; exit 9");
    }
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run"))
        .arg(argument)
        .env_clear()
        .env("PATH", path.path())
        .env("BERTH_REQUIRE_BENCH", required)
        .output()
        .unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn without_a_go_toolchain_the_hermetic_suite_runs_and_one_line_says_what_was_left_out() {
    let ran = run(&["python3", "npm"], "pool", "");
    let (out, talk) = said(&ran);
    assert_eq!(out, "cargo test --locked --test it -- pool\n");
    assert_eq!(talk, "tests/run: LEFT OUT, for lack of go: everything on real servers (tests/bench)\n");
    assert!(ran.status.success());
}

#[test]
fn where_the_real_servers_are_required_leaving_them_out_is_an_error() {
    let ran = run(&[], "pool", "1");
    let (out, talk) = said(&ran);
    assert_eq!(out, "", "tests ran as if nothing were missing");
    assert_eq!(
        talk,
        "tests/run: LEFT OUT, for lack of go python3 npm: everything on real servers (tests/bench)\n"
    );
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn a_build_of_the_real_servers_that_fails_is_an_error_everywhere() {
    let ran = run(&["go", "python3", "npm"], "pool", "");
    let (out, _) = said(&ran);
    assert_eq!(out, "", "tests ran as if the servers were there");
    assert!(!ran.status.success());
}

#[test]
fn there_is_no_measuring_without_the_real_servers() {
    let ran = run(&["go", "npm"], "bench", "");
    assert_eq!(said(&ran).0, "");
    assert_eq!(ran.status.code(), Some(1));
}
