//! A HelmRelease: as Flux's controllers treat it.

use super::{Heard, Outside};
use berth::rehearsal::players::{
    Pace,
    flux::{FAILS, Flux},
};
use serde_json::{Value, json};

const RELEASE: &str = "helm.toolkit.fluxcd.io/v2";
const SOURCE: &str = "source.toolkit.fluxcd.io/v1";

async fn flux() -> Outside {
    Outside::with(Flux { pace: Pace::AT_ONCE }).await
}

fn repository(outside: &Outside) -> Value {
    let spec = json!({"interval": "1m", "url": "https://git.example/apps"});
    outside.object(SOURCE, "GitRepository", "apps", spec)
}

fn release(outside: &Outside, values: &Value) -> Value {
    let source = json!({"kind": "GitRepository", "name": "apps", "namespace": outside.namespace});
    let chart = json!({"spec": {"chart": "charts/app", "version": "0.1.0", "sourceRef": source}});
    let spec = json!({"interval": "5m", "releaseName": "relpr-7", "chart": chart, "values": values});
    outside.object(RELEASE, "HelmRelease", "relpr-7", spec)
}

fn chart(outside: &Outside) -> Value {
    outside.object(SOURCE, "HelmChart", &format!("{}-relpr-7", outside.namespace), json!({}))
}

/// What it says of `Ready`, and of which generation.
fn said(release: &Value) -> Option<String> {
    let said = release["status"]["conditions"].as_array()?.iter().find(|said| said["type"] == "Ready")?;
    let text = |field: &str| said[field].as_str().unwrap().to_owned();
    let observed = [&said["observedGeneration"], &release["status"]["observedGeneration"]];
    Some(format!("{} {} of {} after {}", text("status"), text("reason"), observed[0], observed[1]))
}

#[tokio::test]
async fn a_release_becomes_ready_in_the_real_order_and_anew_when_it_changes() {
    let outside = flux().await;
    let (git, first) = (repository(&outside), release(&outside, &json!({"prNumber": 7, "prSHA": "a"})));
    let mut heard = Heard::default();
    let ready = outside
        .follow(&first, "a ready release", outside.apply(&[&git, &first]), |release| {
            let said = said(release?)?;
            heard.hear(said.clone());
            said.starts_with("True").then(|| release.unwrap().clone())
        })
        .await;
    let order = [
        "False SourceNotReady of 1 after -1",
        "Unknown Progressing of 1 after -1",
        "True InstallSucceeded of 1 after 1",
    ];
    assert_eq!(heard.0, order);
    let status = &ready["status"];
    let last = &status["history"][0];
    assert_eq!(
        (&last["version"], &last["status"], &last["chartName"]),
        (&json!(1), &json!("deployed"), &json!("app"))
    );
    assert_eq!(
        (&status["lastAttemptedRevision"], &status["lastAttemptedGeneration"]),
        (&json!("0.1.0"), &json!(1))
    );
    assert_eq!(ready["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
    outside.is_unchanged(&[&git, &first]).await;

    let second = release(&outside, &json!({"prNumber": 7, "prSHA": "b"}));
    outside.apply(&[&git, &second]).await;
    // At once, as the engine does: what was said before the change is no answer.
    let ready = outside.until_true(&second, "Ready").await;
    let status = &ready["status"];
    assert_eq!((&ready["metadata"]["generation"], &status["observedGeneration"]), (&json!(2), &json!(2)));
    let history = status["history"].as_array().unwrap();
    let versions: Vec<_> =
        history.iter().map(|one| (one["version"].as_i64().unwrap(), &one["status"])).collect();
    assert_eq!(versions, [(2, &json!("deployed")), (1, &json!("superseded"))]);
    assert_ne!(history[0]["configDigest"], history[1]["configDigest"]);

    // What is no matter of Helm's is observed, and nothing is upgraded.
    let mut slower = second.clone();
    slower["spec"]["interval"] = json!("10m");
    outside.apply(&[&git, &slower]).await;
    let ready = outside.until_true(&slower, "Ready").await;
    assert_eq!(ready["status"]["observedGeneration"], 3);
    assert_eq!(ready["status"]["history"][0]["version"], 2);
    outside.end();
}

#[tokio::test]
async fn a_release_whose_chart_is_broken_says_why_until_it_is_mended() {
    let outside = flux().await;
    let why = "timed out waiting for the condition";
    let broken = release(&outside, &json!({"prSHA": "a", FAILS: why}));
    outside.apply(&[&broken]).await;
    let (reason, message) = outside.until_false(&broken, "Ready").await;
    assert_eq!(reason, "SourceNotReady");
    assert!(message.starts_with("HelmChart '"), "{message}");
    let lacks = r#"failed to get source: gitrepositories.source.toolkit.fluxcd.io "apps" not found"#;
    outside
        .until(&broken, "the missing source named", |release| {
            let message =
                release?["status"]["conditions"].as_array()?.iter().find(|said| said["type"] == "Ready");
            message?["message"].as_str()?.ends_with(lacks).then_some(())
        })
        .await;

    let git = repository(&outside);
    outside.apply(&[&git]).await;
    let said = outside.until(&broken, "a failed install", |release| {
        let conditions = release?["status"]["conditions"].as_array()?;
        conditions.iter().find(|said| said["type"] == "Ready" && said["reason"] == "InstallFailed").cloned()
    });
    let message = said.await["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with(why), "{message}");
    let (reason, _) = outside.until_false(&broken, "Ready").await;
    assert_eq!(reason, "InstallFailed");

    let mended = release(&outside, &json!({"prSHA": "b"}));
    outside.apply(&[&git, &mended]).await;
    let ready = outside.until_true(&mended, "Ready").await;
    assert_eq!(ready["status"]["installFailures"], Value::Null);
    outside.end();
}

#[tokio::test]
async fn a_deleted_release_is_uninstalled_with_its_chart() {
    let outside = flux().await;
    let (git, release) = (repository(&outside), release(&outside, &json!({"prSHA": "a"})));
    outside.apply(&[&git, &release]).await;
    outside.until_true(&release, "Ready").await;
    let chart = chart(&outside);
    assert!(outside.is_there(&chart).await);
    let mut held = false;
    let begun = outside.delete(&release);
    outside
        .follow(&release, "it gone", begun, |release| {
            let Some(release) = release else { return Some(()) };
            let finalizers = release["metadata"]["finalizers"].as_array();
            let ending = !release["metadata"]["deletionTimestamp"].is_null();
            held |= ending && finalizers.is_some_and(|all| all.contains(&json!("finalizers.fluxcd.io")));
            None
        })
        .await;
    assert!(held, "it went only when its finalizer was taken away");
    outside.until_gone(&chart).await;
    assert!(outside.is_there(&git).await);
    outside.end();
}
