//! Whether an object is at work, as it is now. Pure.
//!
//! By what its own controller says of its present generation. Must never: take what was said about an earlier generation for
//! this one; wait for what its kind never says.

use super::condition::{Condition, condition};
use serde_json::Value;

/// How far an object has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is at work, or there is nothing to wait for.
    Ready,
    /// Not yet: what is lacking.
    Pending(String),
    /// It has given up: why.
    Broken(String),
}

use Readiness::{Broken, Pending, Ready};

/// Groups whose objects say `Ready` of themselves, sooner or later.
const SAYING_READY: [&str; 4] =
    ["cert-manager.io/", "external-secrets.io/", "postgresql.cnpg.io/", "helm.toolkit.fluxcd.io/"];

/// Of any object.
pub fn readiness(object: &Value) -> Readiness {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return Pending("it is being deleted".to_owned());
    }
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    match (api_version, object["kind"].as_str().unwrap_or_default()) {
        ("apps/v1", "Deployment") => deployment(object),
        ("apps/v1", "StatefulSet") => stateful_set(object),
        ("apps/v1", "DaemonSet") => daemon_set(object),
        ("batch/v1", "Job") => job(object),
        ("v1", "Pod") => pod(object),
        ("argoproj.io/v1alpha1", "Application") => application(object),
        ("apiextensions.k8s.io/v1", _) => said(condition(object, "Established")),
        ("apiregistration.k8s.io/v1", _) => said(condition(object, "Available")),
        (_, "HelmChart") if api_version.starts_with("helm.cattle.io/") => chart(object),
        (_, "ExternalSecret") if api_version.starts_with("external-secrets.io/") => external_secret(object),
        _ if SAYING_READY.iter().any(|group| api_version.starts_with(group)) => {
            said(condition(object, "Ready"))
        }
        _ => Ready,
    }
}

/// A condition that must hold. That it does not is no end: its controller goes on.
fn said(condition: Condition) -> Readiness {
    if condition.is_true() { Ready } else { Pending(condition.to_string()) }
}

fn count(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or(0)
}

/// Whether its controller has seen its present generation.
fn is_seen(object: &Value) -> bool {
    count(&object["status"], "observedGeneration") >= count(&object["metadata"], "generation")
}

const UNSEEN: &str = "its controller has not seen it so far";

fn deployment(object: &Value) -> Readiness {
    let (spec, status) = (&object["spec"], &object["status"]);
    if !is_seen(object) {
        return Pending(UNSEEN.to_owned());
    }
    if let Condition::False { reason, message } = condition(object, "Progressing")
        && reason == "ProgressDeadlineExceeded"
    {
        return Broken(message);
    }
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let (updated, all, available) =
        (count(status, "updatedReplicas"), count(status, "replicas"), count(status, "availableReplicas"));
    if updated < wanted {
        Pending(format!("{updated} of {wanted} are new"))
    } else if all > updated {
        Pending(format!("{} old ones are still there", all - updated))
    } else if available < wanted {
        Pending(format!("{available} of {wanted} are available"))
    } else {
        Ready
    }
}

fn stateful_set(object: &Value) -> Readiness {
    let (spec, status) = (&object["spec"], &object["status"]);
    if !is_seen(object) {
        return Pending(UNSEEN.to_owned());
    }
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let ready = count(status, "readyReplicas");
    if ready < wanted {
        return Pending(format!("{ready} of {wanted} are ready"));
    }
    let rolls = spec["updateStrategy"]["type"] != "OnDelete";
    let partition = count(&spec["updateStrategy"]["rollingUpdate"], "partition");
    let updated = count(status, "updatedReplicas");
    if rolls && status["currentRevision"] != status["updateRevision"] && updated < wanted - partition {
        return Pending(format!("{updated} of {} are new", wanted - partition));
    }
    Ready
}

fn daemon_set(object: &Value) -> Readiness {
    let status = &object["status"];
    if !is_seen(object) {
        return Pending(UNSEEN.to_owned());
    }
    let wanted = count(status, "desiredNumberScheduled");
    let (updated, available) = (count(status, "updatedNumberScheduled"), count(status, "numberAvailable"));
    let rolls = object["spec"]["updateStrategy"]["type"] != "OnDelete";
    if rolls && updated < wanted {
        Pending(format!("{updated} of {wanted} are new"))
    } else if available < wanted {
        Pending(format!("{available} of {wanted} are available"))
    } else {
        Ready
    }
}

fn job(object: &Value) -> Readiness {
    // A Job does not tell generations: it cannot be changed.
    let holds = |kind: &str| {
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().find(|said| said["type"] == kind && said["status"] == "True")
    };
    if let Some(failed) = holds("Failed") {
        let text = |field: &str| failed[field].as_str().unwrap_or_default();
        return Broken(format!("{}: {}", text("reason"), text("message")));
    }
    match holds("Complete") {
        Some(_) => Ready,
        None => Pending(format!("{} have succeeded", count(&object["status"], "succeeded"))),
    }
}

fn pod(object: &Value) -> Readiness {
    match object["status"]["phase"].as_str() {
        Some("Succeeded") => Ready,
        Some("Failed") => Broken(object["status"]["message"].as_str().unwrap_or("it has failed").to_owned()),
        _ => said(condition(object, "Ready")),
    }
}

/// Its Job tells the rest.
fn chart(object: &Value) -> Readiness {
    if let condition @ Condition::True = condition(object, "Failed") {
        return Broken(condition.to_string());
    }
    match object["status"]["jobName"].as_str() {
        Some(name) if !name.is_empty() => Ready,
        _ => Pending("nobody has begun to install it so far".to_owned()),
    }
}

/// Argo CD's word on what it has deployed.
fn application(object: &Value) -> Readiness {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or("unknown");
    let (sync, health) = (text("/status/sync/status"), text("/status/health/status"));
    match text("/status/operationState/phase") {
        "Failed" | "Error" => Broken(text("/status/operationState/message").to_owned()),
        _ if (sync, health) == ("Synced", "Healthy") => Ready,
        _ => Pending(format!("sync {sync}, health {health}")),
    }
}

/// It says for which generation it has fetched.
fn external_secret(object: &Value) -> Readiness {
    let generation = count(&object["metadata"], "generation");
    let synced =
        object["status"]["syncedResourceVersion"].as_str().and_then(|version| version.split('-').next());
    if synced.and_then(|synced| synced.parse().ok()) == Some(generation) {
        return said(condition(object, "Ready"));
    }
    match condition(object, "Ready") {
        Condition::True => Pending("what it has fetched is of an earlier generation".to_owned()),
        condition => Pending(condition.to_string()),
    }
}
