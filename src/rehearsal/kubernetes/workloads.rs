//! What the server refuses of workloads and services before it stores them.
//!
//! Only what somebody who writes manifests leaves out or mistypes. It must never look at other objects.

use super::builtin_shapes::{CONTAINERS, pod};
use super::refusal::Cause;
use serde_json::Value;

fn required(field: &str) -> Cause {
    Cause::new("FieldValueRequired", field, "Required value".to_owned())
}

/// What of this object breaks a rule.
pub(super) fn validate(resource: &str, object: &Value) -> Vec<Cause> {
    let mut causes = vec![];
    let spec = &object["spec"];
    if matches!(resource, "deployments.apps" | "replicasets.apps" | "statefulsets.apps" | "daemonsets.apps") {
        selector(spec, &mut causes);
    }
    if let Some(place) = pod(resource) {
        containers(object, place, &mut causes);
    }
    let portless = spec["ports"].as_array().is_none_or(Vec::is_empty);
    if resource == "services" && portless && spec["type"] != "ExternalName" && spec["clusterIP"] != "None" {
        causes.push(required("spec.ports"));
    }
    causes
}

fn selector(spec: &Value, causes: &mut Vec<Cause>) {
    let labels = &spec["template"]["metadata"]["labels"];
    let wanted = spec["selector"]["matchLabels"].as_object();
    let matches = wanted.into_iter().flatten().all(|(key, value)| labels[key] == *value);
    if spec["selector"].is_null() {
        causes.push(required("spec.selector"));
    }
    if spec["selector"].is_null() || !matches {
        let message = format!("Invalid value: {labels}: `selector` does not match template `labels`");
        causes.push(Cause::new("FieldValueInvalid", "spec.template.metadata.labels", message));
    }
}

fn containers(object: &Value, place: &str, causes: &mut Vec<Cause>) {
    let pod = object.pointer(&format!("/{}", place.replace('.', "/"))).unwrap_or(&Value::Null);
    if pod["containers"].as_array().is_none_or(Vec::is_empty) {
        causes.push(required(&format!("{place}.containers")));
    }
    for list in CONTAINERS {
        for (at, container) in pod[list].as_array().into_iter().flatten().enumerate() {
            for field in ["name", "image"] {
                if container[field].as_str().is_none_or(str::is_empty) {
                    causes.push(required(&format!("{place}.{list}[{at}].{field}")));
                }
            }
        }
    }
}
