//! `tests/run` itself: what it leaves out it says, and where nothing may be left out it fails.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Output},
};

/// All that the real servers take.
const TOOLS: &[&str] = &["go", "python3", "npm", "node", "flock", "sha256sum", "curl", "jq"];

/// A clone with nothing in it but the script, on a machine with these tools, each of which only succeeds, and a cargo that
/// only says what it was asked for. The builds of the real servers say that they ran, and end as told.
fn run(tools: &[&str], builds: u8, arguments: &[&str], required: &str) -> Output {
    let clone = tempfile::tempdir().unwrap();
    let path = clone.path().join("path");
    fs::create_dir(&path).unwrap();
    for tool in ["bash", "dirname", "env", "uname"] {
        let real = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
        symlink(real.iter().find(|tool| tool.exists()).unwrap(), path.join(tool)).unwrap();
    }
    let stub = |file: &Path, script: &str| {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("#!/usr/bin/env bash\n{script}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    stub(&path.join("cargo"), "echo \"cargo $*\"");
    for tool in tools {
        stub(&path.join(tool), "exit 0");
    }
    for builds_what in ["servers/build", "github/fetch", "action/build"] {
        let file = clone.path().join("tests/bench").join(builds_what);
        stub(&file, &format!("echo {builds_what}; exit {builds}"));
    }
    let script = clone.path().join("tests/run");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run"), &script).unwrap();
    let mut command = Command::new(script);
    command.args(arguments).env_clear().env("PATH", path).env("BERTH_REQUIRE_BENCH", required);
    command.output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn without(tool: &str) -> Vec<&'static str> {
    TOOLS.iter().copied().filter(|one| *one != tool).collect()
}

#[test]
fn with_all_tools_the_servers_are_built_and_both_suites_run_the_counts_last() {
    let ran = run(TOOLS, 0, &[], "1");
    let expected = "cargo test --locked --doc\nservers/build\ngithub/fetch\naction/build\ncargo test --locked --test it --test bench --\n";
    assert_eq!(said(&ran), (expected.to_owned(), String::new()));
    assert!(ran.status.success());
}

#[test]
fn without_a_go_toolchain_the_hermetic_suite_runs_and_one_line_says_what_was_left_out() {
    let ran = run(&without("go"), 0, &["pool"], "");
    let (out, talk) = said(&ran);
    assert_eq!(out, "cargo test --locked --test it -- pool\n");
    assert_eq!(talk, "tests/run: LEFT OUT, for lack of go: everything on real servers (tests/bench)\n");
    assert!(ran.status.success());
}

#[test]
fn where_the_real_servers_are_required_leaving_them_out_is_an_error() {
    for required in ["1", "true"] {
        let ran = run(&[], 0, &["pool"], required);
        let (out, talk) = said(&ran);
        assert_eq!(out, "", "tests ran as if nothing were missing");
        let lack = "go python3 npm node flock sha256sum";
        let expected =
            format!("tests/run: LEFT OUT, for lack of {lack}: everything on real servers (tests/bench)\n");
        assert_eq!(talk, expected);
        assert_eq!(ran.status.code(), Some(1));
    }
}

#[test]
fn a_build_of_the_real_servers_that_fails_is_an_error_everywhere() {
    let ran = run(TOOLS, 9, &["pool"], "");
    assert_eq!(said(&ran).0, "servers/build\n", "tests ran as if the servers were there");
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn there_is_no_measuring_without_the_real_servers_nor_without_what_the_rival_takes() {
    for lacking in ["python3", "jq"] {
        let ran = run(&without(lacking), 0, &["bench"], "");
        assert_eq!(said(&ran).0, "");
        assert_eq!(ran.status.code(), Some(1));
    }
    let ran = run(TOOLS, 0, &["bench", "apply"], "");
    assert!(said(&ran).0.ends_with("cargo bench --locked --bench measure -- apply\n"));
}
