//! A BareMetalHost: as Metal3's operator treats it.

use super::{Heard, Outside};
use berth::rehearsal::players::{Pace, metal3::Metal3};
use serde_json::{Value, json};

fn host(outside: &Outside, online: bool, image: Option<&str>) -> Value {
    let bmc = json!({"address": "redfish://bmc.example/1", "credentialsName": "bmc"});
    let mut spec = json!({"online": online, "bootMACAddress": "00:53:00:00:00:07", "bmc": bmc});
    if let Some(url) = image {
        spec["image"] = json!({"url": url});
    }
    outside.object("metal3.io/v1alpha1", "BareMetalHost", "rack1-host7", spec)
}

fn credentials(outside: &Outside) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bmc", "namespace": outside.namespace},
        "stringData": {"username": "admin", "password": "not-one"},
    })
}

fn state(host: &Value) -> &str {
    host["status"]["provisioning"]["state"].as_str().unwrap_or_default()
}

/// Lets something happen, and hears all states until the last of these, with the power as it is wanted there.
async fn goes_through(
    outside: &Outside,
    host: &Value,
    begun: impl Future<Output = ()>,
    states: &[&str],
    power: bool,
) {
    let mut heard = Heard::default();
    let last = states.last().unwrap();
    outside
        .follow(host, last, begun, |host| {
            heard.hear(state(host?).to_owned());
            let done = heard.0.len() > 1 && state(host?) == *last && host?["status"]["poweredOn"] == power;
            done.then_some(())
        })
        .await;
    assert_eq!(heard.0, states);
}

#[tokio::test]
async fn a_host_is_provisioned_with_an_image_cleaned_without_and_goes() {
    let outside = Outside::with(Metal3 { pace: Pace::AT_ONCE }).await;
    let (secret, idle) = (credentials(&outside), host(&outside, true, None));
    outside.apply(&[&idle]).await;
    let lacks = outside.until(&idle, "the missing credentials named", |host| {
        (host?["status"]["errorType"] == "registration error")
            .then(|| host?["status"]["errorMessage"].as_str().map(str::to_owned))
            .flatten()
    });
    assert_eq!(lacks.await, format!("The BMC secret {}/bmc does not exist", outside.namespace));
    let found = ["registering", "inspecting", "preparing", "available"];
    goes_through(&outside, &idle, outside.apply(&[&secret]), &found, true).await;

    let taken = host(&outside, true, Some("http://images.example/a.qcow2"));
    let provisioned = ["available", "provisioning", "provisioned"];
    goes_through(&outside, &idle, outside.apply(&[&taken]), &provisioned, true).await;
    outside
        .until(&taken, "the image that was written", |host| {
            let written = &host?["status"]["provisioning"]["image"]["url"];
            (written == "http://images.example/a.qcow2").then_some(())
        })
        .await;
    outside.is_unchanged(&[&secret, &taken]).await;

    let freed = ["provisioned", "deprovisioning", "available"];
    goes_through(&outside, &idle, outside.apply(&[&idle]), &freed, true).await;
    outside
        .until(&idle, "no image written", |host| {
            host?["status"]["provisioning"].get("image").is_none().then_some(())
        })
        .await;
    outside.end();
}

#[tokio::test]
async fn a_host_is_on_as_it_is_wanted_while_it_stays_as_it_is() {
    let outside = Outside::with(Metal3 { pace: Pace::AT_ONCE }).await;
    let image = Some("http://images.example/a.qcow2");
    let (secret, on, off) =
        (credentials(&outside), host(&outside, true, image), host(&outside, false, image));
    outside.apply(&[&secret, &on]).await;
    for (wanted, power) in [(&on, true), (&off, false), (&on, true)] {
        outside.apply(&[wanted]).await;
        outside
            .until(wanted, "the power that is wanted", |host| {
                (state(host?) == "provisioned" && host?["status"]["poweredOn"] == power).then_some(())
            })
            .await;
    }
    outside.end();
}

#[tokio::test]
async fn a_deleted_host_is_cleaned_and_powered_off_before_it_goes() {
    let outside = Outside::with(Metal3 { pace: Pace::AT_ONCE }).await;
    let (secret, host) = (credentials(&outside), host(&outside, true, Some("http://images.example/a.qcow2")));
    outside.apply(&[&secret, &host]).await;
    outside.until(&host, "a provisioned host", |host| (state(host?) == "provisioned").then_some(())).await;
    let (mut heard, mut was_on) = (Heard::default(), false);
    outside
        .follow(&host, "it gone", outside.delete(&host), |host| {
            let Some(host) = host else { return Some(()) };
            heard.hear(state(host).to_owned());
            was_on = host["status"]["poweredOn"] == true;
            None
        })
        .await;
    assert_eq!(heard.0, ["provisioned", "deprovisioning", "powering off before delete", "deleting"]);
    assert!(!was_on);
    outside.end();
}
