//! The defaults of built-in kinds that a client finds in what it reads back.
//!
//! Those of workloads, services and volumes; of other kinds none. It must never change what a client has set.

use super::builtin_shapes::{CONTAINERS, pod};
use serde_json::{Value, json};

/// Of ports.
pub(super) const PROTOCOL: &str = "TCP";

type Defaults = &'static [(&'static str, &'static str)];

const POD: Defaults = &[
    ("restartPolicy", r#""Always""#),
    ("terminationGracePeriodSeconds", "30"),
    ("dnsPolicy", r#""ClusterFirst""#),
    ("securityContext", "{}"),
    ("schedulerName", r#""default-scheduler""#),
    ("volumes[].configMap?.defaultMode", "420"),
    ("volumes[].secret?.defaultMode", "420"),
    ("volumes[].projected?.defaultMode", "420"),
    ("volumes[].downwardAPI?.defaultMode", "420"),
    ("volumes[].hostPath?.type", r#""""#),
];

const CONTAINER: Defaults = &[
    ("resources", "{}"),
    ("terminationMessagePath", r#""/dev/termination-log""#),
    ("terminationMessagePolicy", r#""File""#),
    ("ports[].protocol", r#""TCP""#),
    ("env[].valueFrom?.fieldRef?.apiVersion", r#""v1""#),
];

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const PROBE: Defaults = &[
    ("timeoutSeconds", "1"),
    ("periodSeconds", "10"),
    ("successThreshold", "1"),
    ("failureThreshold", "3"),
    ("httpGet?.path", r#""/""#),
    ("httpGet?.scheme", r#""HTTP""#),
];

fn own(resource: &str) -> Defaults {
    match resource {
        "deployments.apps" => &[
            ("spec.replicas", "1"),
            ("spec.strategy", r#"{"type":"RollingUpdate"}"#),
            ("spec.revisionHistoryLimit", "10"),
            ("spec.progressDeadlineSeconds", "600"),
            ("status", "{}"),
        ],
        "replicasets.apps" => &[("spec.replicas", "1"), ("status", r#"{"replicas":0}"#)],
        "statefulsets.apps" => &[
            ("spec.replicas", "1"),
            ("spec.podManagementPolicy", r#""OrderedReady""#),
            ("spec.updateStrategy", r#"{"type":"RollingUpdate","rollingUpdate":{"partition":0}}"#),
            ("spec.revisionHistoryLimit", "10"),
            (
                "spec.persistentVolumeClaimRetentionPolicy",
                r#"{"whenDeleted":"Retain","whenScaled":"Retain"}"#,
            ),
            ("status", r#"{"replicas":0,"availableReplicas":0}"#),
        ],
        "daemonsets.apps" => &[
            (
                "spec.updateStrategy",
                r#"{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":0}}"#,
            ),
            ("spec.revisionHistoryLimit", "10"),
            (
                "status",
                r#"{"currentNumberScheduled":0,"numberMisscheduled":0,"desiredNumberScheduled":0,"numberReady":0}"#,
            ),
        ],
        "jobs.batch" => &[
            ("spec.parallelism", "1"),
            ("spec.completions", "1"),
            ("spec.backoffLimit", "6"),
            ("spec.completionMode", r#""NonIndexed""#),
            ("spec.suspend", "false"),
            ("spec.manualSelector", "false"),
            ("spec.podReplacementPolicy", r#""TerminatingOrFailed""#),
            ("status", "{}"),
        ],
        "cronjobs.batch" => &[
            ("spec.concurrencyPolicy", r#""Allow""#),
            ("spec.suspend", "false"),
            ("spec.successfulJobsHistoryLimit", "3"),
            ("spec.failedJobsHistoryLimit", "1"),
            ("status", "{}"),
        ],
        "services" => &[
            ("spec.type", r#""ClusterIP""#),
            ("spec.sessionAffinity", r#""None""#),
            ("spec.internalTrafficPolicy", r#""Cluster""#),
            ("spec.ports[].protocol", r#""TCP""#),
            ("status", r#"{"loadBalancer":{}}"#),
        ],
        "ingresses.networking.k8s.io" => &[("status", r#"{"loadBalancer":{}}"#)],
        "persistentvolumeclaims" => {
            &[("spec.volumeMode", r#""Filesystem""#), ("status", r#"{"phase":"Pending"}"#)]
        }
        "pods" => &[("spec.enableServiceLinks", "true"), ("status", r#"{"phase":"Pending"}"#)],
        "resourcequotas" => &[("status", "{}")],
        _ => &[],
    }
}

/// Puts in what is missing.
pub(super) fn fill(resource: &str, object: &mut Value) {
    all(object, "", own(resource));
    if resource == "deployments.apps" && object["spec"]["strategy"]["type"] == "RollingUpdate" {
        let rolling = r#"{"maxUnavailable":"25%","maxSurge":"25%"}"#;
        put(object, "spec.strategy.rollingUpdate", rolling);
    }
    if resource == "services" {
        service(&mut object["spec"]);
    }
    let Some(place) = pod(resource) else { return };
    let pointer = format!("/{}", place.replace('.', "/"));
    let Some(pod) = object.pointer_mut(&pointer).filter(|pod| pod.is_object()) else { return };
    all(pod, "", POD);
    for containers in CONTAINERS {
        for container in pod[containers].as_array_mut().into_iter().flatten() {
            if !container.is_object() {
                continue;
            }
            all(container, "", CONTAINER);
            if container["imagePullPolicy"].is_null() {
                container["imagePullPolicy"] =
                    json!(pull_policy(container["image"].as_str().unwrap_or_default()));
            }
            for probe in PROBES {
                if container[probe].is_object() {
                    all(&mut container[probe], "", PROBE);
                }
            }
        }
    }
}

/// A tag that may move is looked up each time.
fn pull_policy(image: &str) -> &'static str {
    let last = image.rsplit('/').next().unwrap_or_default();
    let moves = !image.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    if moves { "Always" } else { "IfNotPresent" }
}

fn service(spec: &mut Value) {
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        if port.is_object() && port["targetPort"].is_null() {
            port["targetPort"] = port["port"].clone();
        }
    }
    if spec["type"] != "ExternalName" && spec.is_object() {
        for (field, value) in [("ipFamilies", json!(["IPv4"])), ("ipFamilyPolicy", json!("SingleStack"))] {
            if spec[field].is_null() {
                spec[field] = value;
            }
        }
    }
}

fn all(object: &mut Value, prefix: &str, defaults: Defaults) {
    for (path, value) in defaults {
        put(object, &format!("{prefix}{path}"), value);
    }
}

/// `a.b[].c` is in each item of the list; `a?.b` only if `a` is there. An object on the way that is missing is made.
fn put(here: &mut Value, path: &str, value: &str) {
    let Some((step, rest)) = path.split_once('.') else {
        if here.is_object() && here.get(path).is_none_or(Value::is_null) {
            here[path] = serde_json::from_str(value).expect("a constant of this file");
        }
        return;
    };
    if let Some(list) = step.strip_suffix("[]") {
        if here.is_object() {
            let items = here.get_mut(list).and_then(Value::as_array_mut);
            items.into_iter().flatten().for_each(|item| put(item, rest, value));
        }
    } else if let Some(field) = step.strip_suffix('?') {
        if let Some(below) = here.get_mut(field).filter(|below| below.is_object()) {
            put(below, rest, value);
        }
    } else if here.is_object() {
        if here[step].is_null() {
            here[step] = json!({});
        }
        put(&mut here[step], rest, value);
    }
}
