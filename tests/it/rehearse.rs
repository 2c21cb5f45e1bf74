//! `berth rehearse` as its users meet it: the real binary, on a machine that has nothing.

use crate::executable::User;
use std::{
    io::Read,
    net::TcpListener,
    process::{Command, Stdio},
};

const STEPS: [&str; 10] =
    ["claim", "cluster", "access", "secrets", "operators", "resources", "deploy", "dns", "health", "tests"];

#[test]
fn a_rehearsal_goes_from_an_event_to_a_green_report() {
    let ran = User::newcomer().berth(&["rehearse"]);
    assert_eq!(ran.code, 0, "{}", ran.seen());
    for step in STEPS {
        assert!(ran.stderr.contains(&format!("✓ {step} ")), "{step}: {}", ran.seen());
    }
    assert!(ran.stderr.contains("Ready in "), "{}", ran.stderr);
    assert!(ran.stderr.contains("objects  14: "), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("<!-- berth v1 acme/shop#42 g1 -->\n### ✅ Ready · "), "{}", ran.stdout);
    assert!(ran.stdout.contains("**3 passed**"), "{}", ran.stdout);
}

#[test]
fn a_rehearsal_is_the_json_of_a_run_with_its_objects_and_its_comment() {
    let ran = User::newcomer().berth(&["rehearse", "-o", "json"]);
    let report = ran.json();
    assert_eq!(report["outcome"], "ready", "{}", ran.seen());
    assert_eq!(report["addresses"][0], "192.168.1.140");
    assert_eq!(report["phases"].as_array().unwrap().len(), STEPS.len());
    assert_eq!(report["objects"].as_array().unwrap().len(), 14);
    assert!(report["comment"].as_str().unwrap().contains("Ready"));
}

#[test]
fn every_step_that_fails_is_named_with_its_likely_cause() {
    let fails = |step: &str, code: i32, says: &str| {
        let ran = User::newcomer().berth(&["rehearse", "--fail", step]);
        assert_eq!(ran.code, code, "{}", ran.seen());
        assert!(ran.stdout.contains(&format!("`{step}`")) || step == "tests", "{}", ran.stdout);
        assert!(ran.stdout.contains(says), "{step} does not say {says:?}: {}", ran.seen());
    };
    fails("cluster", 1, "proxmox-credentials");
    fails("access", 4, "kubeconfig");
    fails("secrets", 1, "there is nothing at kv/ephemeral-clusters/pr-shop-42/secrets");
    fails("operators", 1, "Likely cause: container crashes");
    // From the begin on: there is nothing of before that has to go.
    fails("operators", 1, "deployment cert-manager/cert-manager: 0 of 1 are available");
    fails("resources", 1, "clusterissuer self-signed");
    fails("deploy", 1, "Likely cause: image not found");
    fails("dns", 1, "NXDOMAIN");
    fails("health", 1, "it answers 503, not 200");
    fails("tests", 1, "1 test failed");
}

#[test]
fn an_outage_is_unknown_and_never_a_verdict() {
    for server in ["vault", "kubernetes", "github", "dns"] {
        let ran = User::newcomer().berth(&["rehearse", "--outage", server]);
        assert_eq!(ran.code, 4, "{}", ran.seen());
        assert!(ran.stdout.contains("### ❔ Unknown during"), "{}", ran.stdout);
    }
}

#[test]
fn killed_in_the_middle_the_same_event_goes_on_from_there() {
    let ran = User::newcomer().berth(&["rehearse", "--kill-at", "resources"]);
    assert_eq!(ran.code, 0, "{}", ran.seen());
    let (first, again) =
        ran.stderr.split_once("the same event once more, after a kill at resources").unwrap();
    assert!(first.contains("✓ operators") && !first.contains("✓ resources"), "{first}");
    assert!(again.contains("generation 2, 192.168.1.140-141") && again.contains("✓ tests"), "{again}");
}

#[test]
fn a_full_pool_is_a_place_in_the_queue() {
    let ran = User::newcomer().berth(&["rehearse", "--full-pool"]);
    assert_eq!(ran.code, 0, "{}", ran.seen());
    assert!(ran.stdout.contains("### 🕓 Queued"), "{}", ran.stdout);
}

#[test]
fn a_step_that_there_is_not_is_told_with_those_that_there_are() {
    insta::assert_snapshot!(User::newcomer().berth(&["rehearse", "--fail", "lunch"]).seen(), @r#"
    $ berth rehearse --fail lunch
    | error: "lunch" is no step
    | hint: the steps are cluster, access, secrets, operators, resources, deploy, dns, health, tests
    exit 2
    "#);
}

/// A pull request's payload, as far as it is read.
fn payload(state: &str) -> String {
    let head = "9f2c1abd3e4f5061728394a5b6c7d8e9f0a1b2c3";
    let repository = serde_json::json!({"id": 1, "full_name": "acme/shop"});
    serde_json::json!({
        "action": if state == "open" { "opened" } else { "closed" }, "number": 42, "repository": repository,
        "sender": {"login": "ada"},
        "pull_request": {
            "number": 42, "state": state, "draft": false, "merged": false, "merge_commit_sha": head,
            "user": {"login": "ada"}, "labels": [],
            "head": {"sha": head, "ref": "cart", "repo": repository}, "base": {"ref": "main", "sha": head, "repo": repository},
        },
    })
    .to_string()
}

#[test]
fn a_plan_says_what_an_event_leads_to_without_reaching_anything() {
    let user = User::newcomer();
    let platform = "version: 1\ndns: {domain: preview.example.com}\nproviders: {k3s: {kind: capi-k3s, kubernetes: {in-cluster: true}}}\n";
    user.writes("platform.yaml", platform);
    user.writes("opened.json", &payload("open"));
    user.writes("closed.json", &payload("closed"));
    insta::assert_snapshot!(user.berth(&["plan", "--platform", "platform.yaml", "--event", "opened.json"]).seen(), @r"
    $ berth plan --platform platform.yaml --event opened.json
    acme/shop#42 at 9f2c1ab, provider k3s: an environment is wanted
    name     pr-shop-42
    url      https://pr-42-shop.preview.example.com
    steps    cluster, access, secrets, operators, resources, deploy, dns, health, tests
    objects  namespace pr-shop-42
             cluster pr-shop-42/pr-shop-42
             proxmoxcluster pr-shop-42/pr-shop-42
             kthreescontrolplane pr-shop-42/pr-shop-42-cp
             proxmoxmachinetemplate pr-shop-42/pr-shop-42-cp-mt
    exit 0
    ");
    for (event, says) in
        [("push", "nothing follows from the event `push`\n"), ("schedule", "every claim is looked at\n")]
    {
        user.writes("other.json", "{}");
        let other = user.berth(&["plan", "--event", "other.json", "--event-name", event]);
        assert_eq!((other.code, other.stdout.as_str()), (0, says), "{}", other.seen());
    }
    let closed = user.berth(&["plan", "--platform", "platform.yaml", "--event", "closed.json"]);
    assert!(
        closed.stdout.contains("none is wanted") && closed.stdout.contains("steps    tests, health"),
        "{}",
        closed.seen()
    );
    let objects =
        user.berth(&["plan", "--platform", "platform.yaml", "--event", "opened.json", "-o", "yaml"]);
    assert!(objects.stdout.contains("{{ ds.meta_data.local_hostname }}"), "{}", objects.stdout);
}

#[test]
fn asked_to_end_a_run_tells_so_and_ends_with_the_signals_own_code() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let home = tempfile::tempdir().unwrap();
        // Takes connections, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let head = "9f2c1abd3e4f5061728394a5b6c7d8e9f0a1b2c3";
        let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(["up", "acme/shop#42", "--sha", head, "-o", "json"])
            .env_clear()
            .env("HOME", home.path())
            .env("VAULT_ADDR", format!("http://{}", silent.local_addr().unwrap()))
            .env("VAULT_TOKEN", "hvs.nobodys")
            .current_dir(home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It is at it: somebody has called.
        let called = silent.accept().unwrap();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let mut report = String::new();
        child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{report}");
        assert!(report.contains(r#""outcome":"interrupted""#), "{report}");
        drop(called);
    }
}
