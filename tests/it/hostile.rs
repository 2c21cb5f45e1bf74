//! A pull request whose author wants the job's secrets, through the real binary as a job runs it: what its files may say, and
//! what its programs find.

use crate::executable::{CANARY, Said, User};
use std::{fs, os::unix::fs::PermissionsExt as _};

const PLATFORM: &str = "\
version: 1
providers: {k3s: {kind: capi-k3s, kubernetes: {in-cluster: true}, copy-secrets: [dev/proxmox-credentials]}}
";

/// Looks wherever a program of the same user may look, and tells what it finds to a file that the test reads.
const SEARCH: &str = r#"
found=$1
{
  env
  pid=self
  while [ "$pid" != 0 ]; do
    tr '\0' '\n' < /proc/$pid/environ
    cat /proc/$pid/cmdline /proc/$pid/maps
    read -r _ _ _ pid _ < /proc/$pid/stat || break
  done
  cat "$HOME"/* "$HOME"/.[a-z]* "$TMPDIR"/* ./* ./.[a-z]*
} 2>/dev/null </dev/null | grep -a -c "CANARY-""7f3a" > "$found"
"#;

/// A job's checkout and platform file, and secrets in its environment; on its PATH a `kustomize` that does as it is told.
fn job(app: &str) -> User {
    let user = User::newcomer();
    let bin = user.home().join("bin");
    fs::create_dir(&bin).unwrap();
    user.writes("platform.yaml", PLATFORM);
    user.writes("berth.yaml", app);
    user.writes("search.sh", SEARCH);
    user.writes("kustomization.yaml", "resources: []\n");
    let search = user.home().join("search.sh");
    let kustomize = format!(
        "#!/bin/sh\nsh {} {}/kustomize.found\nprintf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {{name: shop}}\\n'\n",
        search.display(),
        bin.display(),
    );
    fs::write(bin.join("kustomize"), kustomize).unwrap();
    fs::set_permissions(bin.join("kustomize"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let secrets = ["VAULT_TOKEN", "GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
    let user =
        user.with("PATH", &path).with("GITHUB_ACTIONS", "true").with("VAULT_ADDR", "http://127.0.0.1:1");
    secrets.iter().fold(user, |user, name| user.with(name, CANARY))
}

fn rehearsed(user: &User) -> Said {
    user.berth(&["rehearse", "--platform", "platform.yaml"])
}

fn found(user: &User, by: &str) -> String {
    fs::read_to_string(user.home().join(by)).unwrap().trim().to_owned()
}

#[test]
fn neither_a_kustomization_nor_a_test_command_finds_a_token() {
    let app = "\
version: 1
deploy: {kustomize: .}
tests: {command: [sh, search-and-report.sh], junit: report.xml}
";
    let user = job(app);
    user.writes(
        "search-and-report.sh",
        "sh ./search.sh ./tests.found\nn=$(cat ./tests.found)\n\
         printf '<testsuite name=\"search\" tests=\"1\"><testcase name=\"finds %s\"/></testsuite>' \"$n\" > report.xml\n",
    );
    // It does find what there is: in its own environment, and in its parent's.
    let command = |program: &str| {
        let mut command = std::process::Command::new(program);
        command.current_dir(user.home()).env("HOME", user.home()).env("TMPDIR", user.home());
        command
    };
    for open in ["sh search.sh open.found", "env -u TOKEN sh search.sh open.found; true"] {
        command("sh").args(["-c", open]).env("TOKEN", CANARY).status().unwrap();
        assert_ne!(found(&user, "open.found"), "0", "{open}");
        fs::remove_file(user.home().join("open.found")).unwrap();
    }

    let ran = rehearsed(&user);
    assert_eq!(ran.code, 0, "{}", ran.seen());
    assert_eq!(found(&user, "bin/kustomize.found"), "0");
    assert_eq!(found(&user, "tests.found"), "0");
    assert!(ran.stdout.contains("**1 passed**"), "{}", ran.seen());
}

#[test]
fn an_app_file_sets_nothing_of_the_platforms() {
    for theirs in [
        "store: {vault: {address: \"https://evil.example.com\"}}",
        "providers: {k3s: {kind: capi-k3s, copy-secrets: [kube-system/everything]}}",
        "pools: {lab: {range: 10.0.0.0/8}}",
        "github: {repositories: [\"*/*\"]}",
        "dns: {domain: evil.example.com}",
        "lifetime: {max: 30d}",
    ] {
        let ran = rehearsed(&job(&format!("version: 1\n{theirs}\n")));
        assert_eq!(ran.code, 2, "{theirs}: {}", ran.seen());
        assert!(ran.stderr.contains("berth.yaml"), "{theirs}: {}", ran.seen());
    }
}

#[test]
fn what_never_ends_and_what_never_stops_talking_is_ended_and_cut() {
    for (script, says) in [
        ("exec sleep 1000000", "took longer than it may"),
        ("trap '' INT TERM HUP; while :; do :; done", "took longer than it may"),
        ("exec yes CANNOT-FLOOD", "took longer than it may"),
        ("setsid sleep 1000000 & exit 0", "report.xml"),
    ] {
        let app = "version: 1\ndeploy: {kustomize: .}\ntests: {command: [sh, t.sh], junit: report.xml, timeout: 1s}\n";
        let user = job(app);
        user.writes("t.sh", script);
        let ran = rehearsed(&user);
        assert_eq!(ran.code, 1, "{script}: {}", ran.seen());
        assert!(ran.seen().contains(says), "{script}: {}", ran.seen());
        assert!(ran.seen().len() < 200_000, "{script}: {} bytes", ran.seen().len());
    }
}
