//! The defaults of built-in kinds that a client finds in what it reads back.
//!
//! Those of workloads, services and volumes; of other kinds none. It must never change what a client has set.

use super::builtin_shapes::{CONTAINERS, pod};
use super::quantity::{canonical, is_quantity};
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
    ("volumes[].projected?.sources[].serviceAccountToken?.expirationSeconds", "3600"),
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
            ("spec.volumeClaimTemplates[].apiVersion", r#""v1""#),
            ("spec.volumeClaimTemplates[].kind", r#""PersistentVolumeClaim""#),
            ("spec.volumeClaimTemplates[].spec.volumeMode", r#""Filesystem""#),
            ("spec.volumeClaimTemplates[].status", r#"{"phase":"Pending"}"#),
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
            ("spec.ports[].protocol", r#""TCP""#),
            ("status", r#"{"loadBalancer":{}}"#),
        ],
        "ingresses.networking.k8s.io" => &[("status", r#"{"loadBalancer":{}}"#)],
        "persistentvolumeclaims" => {
            &[("spec.volumeMode", r#""Filesystem""#), ("status", r#"{"phase":"Pending"}"#)]
        }
        "pods" => &[("spec.enableServiceLinks", "true"), ("status", r#"{"phase":"Pending"}"#)],
        "resourcequotas" => &[("status", "{}")],
        "networkpolicies.networking.k8s.io" => {
            &[("spec.ingress[].ports[].protocol", r#""TCP""#), ("spec.egress[].ports[].protocol", r#""TCP""#)]
        }
        "horizontalpodautoscalers.autoscaling" => {
            &[("spec.minReplicas", "1"), ("status", r#"{"currentMetrics":null,"desiredReplicas":0}"#)]
        }
        "poddisruptionbudgets.policy" => &[(
            "status",
            r#"{"currentHealthy":0,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0}"#,
        )],
        _ => &[],
    }
}

/// Puts in what is missing.
pub(super) fn fill(resource: &str, object: &mut Value) {
    all(object, own(resource));
    if resource == "deployments.apps" && object["spec"]["strategy"]["type"] == "RollingUpdate" {
        let rolling = r#"{"maxUnavailable":"25%","maxSurge":"25%"}"#;
        put(object, "spec.strategy.rollingUpdate", rolling);
    }
    match resource {
        "services" if object["spec"].is_object() => service(&mut object["spec"]),
        "networkpolicies.networking.k8s.io" if object["spec"].is_object() => {
            network_policy(&mut object["spec"])
        }
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            subjects(object);
        }
        "resourcequotas" => quantities(object.pointer_mut("/spec/hard")),
        "persistentvolumeclaims" => quantities(object.pointer_mut("/spec/resources/requests")),
        _ => {}
    }
    let Some(place) = pod(resource) else { return };
    let pointer = format!("/{}", place.replace('.', "/"));
    let Some(pod) = object.pointer_mut(&pointer).filter(|pod| pod.is_object()) else { return };
    all(pod, POD);
    if let Some(account) = pod.get("serviceAccountName").filter(|account| account.is_string()) {
        // Its older name.
        pod["serviceAccount"] = account.clone();
    }
    for containers in CONTAINERS {
        for container in items(pod, containers) {
            if !container.is_object() {
                continue;
            }
            all(container, CONTAINER);
            resources(&mut container["resources"]);
            if container["imagePullPolicy"].is_null() {
                container["imagePullPolicy"] =
                    json!(pull_policy(container["image"].as_str().unwrap_or_default()));
            }
            for probe in PROBES {
                if container[probe].is_object() {
                    all(&mut container[probe], PROBE);
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
    for port in items(spec, "ports") {
        if port.is_object() && port["targetPort"].is_null() {
            port["targetPort"] = port["port"].clone();
        }
    }
    if spec["type"] != "ExternalName" {
        let [families, policy] = [json!(["IPv4"]), json!("SingleStack")];
        let traffic = ("internalTrafficPolicy", json!("Cluster"));
        for (field, value) in [("ipFamilies", families), ("ipFamilyPolicy", policy), traffic] {
            if spec[field].is_null() {
                spec[field] = value;
            }
        }
    }
}

fn network_policy(spec: &mut Value) {
    if spec["policyTypes"].is_null() {
        let egress = !spec["egress"].is_null();
        spec["policyTypes"] = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    }
}

fn subjects(binding: &mut Value) {
    for subject in items(binding, "subjects") {
        if subject.is_object() && subject["apiGroup"].is_null() && subject["kind"] != "ServiceAccount" {
            subject["apiGroup"] = json!("rbac.authorization.k8s.io");
        }
    }
}

fn resources(resources: &mut Value) {
    for part in ["limits", "requests"] {
        quantities(resources.get_mut(part));
    }
}

/// In the form in which the server writes them back.
fn quantities(map: Option<&mut Value>) {
    for value in map.and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(canonical) = canonical(&text) {
            *value = json!(canonical);
        }
    }
}

/// Whether one of the quantities that the server writes back is none.
pub(super) fn misread_quantity(resource: &str, object: &Value) -> bool {
    let mut maps = match resource {
        "resourcequotas" => vec![&object["spec"]["hard"]],
        "persistentvolumeclaims" => vec![&object["spec"]["resources"]["requests"]],
        _ => vec![],
    };
    let pod = pod(resource).and_then(|place| object.pointer(&format!("/{}", place.replace('.', "/"))));
    let lists = CONTAINERS.iter().filter_map(|containers| pod?[*containers].as_array());
    for container in lists.flatten() {
        maps.extend(["limits", "requests"].map(|part| &container["resources"][part]));
    }
    let values = maps.into_iter().filter_map(Value::as_object).flat_map(|map| map.values());
    values.into_iter().any(|value| match value {
        Value::String(text) => !is_quantity(text),
        other => !other.is_number() && !other.is_null(),
    })
}

/// The items of a list, if it is there. Indexing would put a null there.
fn items<'a>(object: &'a mut Value, list: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

fn all(object: &mut Value, defaults: Defaults) {
    for (path, value) in defaults {
        put(object, path, value);
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
        items(here, list).for_each(|item| put(item, rest, value));
    } else if let Some(field) = step.strip_suffix('?') {
        if let Some(below) = here.get_mut(field).filter(|below| below.is_object()) {
            put(below, rest, value);
        }
    } else if here.is_object() {
        if here.get(step).is_none_or(Value::is_null) {
            here[step] = json!({});
        }
        put(&mut here[step], rest, value);
    }
}
