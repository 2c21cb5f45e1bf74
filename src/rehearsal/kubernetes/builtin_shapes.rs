//! How the lists and maps of built-in kinds merge, as the real server's own description of itself says
//! (`x-kubernetes-list-type`, `-list-map-keys`, `-map-type`).
//!
//! What is named nowhere here merges field by field if it is an object, and as one if it is a list.

use super::builtin_defaults::PROTOCOL;
use serde_json::{Value, json};

type Rules = &'static [(&'static str, Rule)];

#[derive(Clone, Copy)]
enum Rule {
    /// A list of objects that are told apart by these fields.
    By(&'static [&'static str]),
    /// A list of values that are their own names.
    Set,
    /// An object that is one value.
    Atomic,
    /// An object whose keys are the user's.
    Map,
}
use Rule::{Atomic, By, Map, Set};

const METADATA: Rules = &[
    ("labels", Map),
    ("annotations", Map),
    ("finalizers", Set),
    ("ownerReferences", By(&["uid"])),
    ("ownerReferences[]", Atomic),
];

const CONTAINER: Rules = &[
    ("env", By(&["name"])),
    ("env[].valueFrom.configMapKeyRef", Atomic),
    ("env[].valueFrom.fieldRef", Atomic),
    ("env[].valueFrom.resourceFieldRef", Atomic),
    ("env[].valueFrom.secretKeyRef", Atomic),
    ("ports", By(&["containerPort", "protocol"])),
    ("resources.limits", Map),
    ("resources.requests", Map),
    ("resources.claims", By(&["name"])),
    ("volumeDevices", By(&["devicePath"])),
    ("volumeMounts", By(&["mountPath"])),
];

const POD: Rules = &[
    ("affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution", Atomic),
    ("hostAliases", By(&["ip"])),
    ("imagePullSecrets", By(&["name"])),
    ("imagePullSecrets[]", Atomic),
    ("nodeSelector", Atomic),
    ("overhead", Map),
    ("resourceClaims", By(&["name"])),
    ("schedulingGates", By(&["name"])),
    ("topologySpreadConstraints", By(&["topologyKey", "whenUnsatisfiable"])),
    ("topologySpreadConstraints[].labelSelector", Atomic),
    ("volumes", By(&["name"])),
    ("volumes[].csi.nodePublishSecretRef", Atomic),
    ("volumes[].csi.volumeAttributes", Map),
];

const CONDITIONS: (&str, Rule) = ("status.conditions", By(&["type"]));

/// Of a resource, as kubectl writes it, without its metadata and its pods.
fn own(resource: &str) -> Rules {
    match resource {
        "configmaps" | "secrets" => &[("data", Map), ("binaryData", Map), ("stringData", Map)],
        "services" => &[("spec.ports", By(&["port", "protocol"])), ("spec.selector", Atomic), CONDITIONS],
        "pods" => &[CONDITIONS, ("status.podIPs", By(&["ip"]))],
        "nodes" => &[
            CONDITIONS,
            ("spec.podCIDRs", Set),
            ("status.addresses", By(&["type"])),
            ("status.allocatable", Map),
            ("status.capacity", Map),
        ],
        "resourcequotas" => {
            &[("spec.hard", Map), ("spec.scopeSelector", Atomic), ("status.hard", Map), ("status.used", Map)]
        }
        "persistentvolumeclaims" => &[
            CONDITIONS,
            ("spec.dataSource", Atomic),
            ("spec.selector", Atomic),
            ("spec.resources.requests", Map),
            ("spec.resources.limits", Map),
        ],
        "persistentvolumes" => &[("spec.capacity", Map), ("spec.claimRef", Atomic)],
        "serviceaccounts" => &[("secrets", By(&["name"])), ("secrets[]", Atomic)],
        "events" => &[("involvedObject", Atomic), ("related", Atomic)],
        "deployments.apps"
        | "replicasets.apps"
        | "statefulsets.apps"
        | "daemonsets.apps"
        | "poddisruptionbudgets.policy" => &[CONDITIONS, ("spec.selector", Atomic)],
        "jobs.batch" => &[("spec.selector", Atomic)],
        "ingresses.networking.k8s.io" => {
            &[("spec.defaultBackend.resource", Atomic), ("spec.defaultBackend.service.port", Atomic)]
        }
        "networkpolicies.networking.k8s.io" => &[("spec.podSelector", Atomic)],
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            &[("roleRef", Atomic)]
        }
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        | "validatingwebhookconfigurations.admissionregistration.k8s.io" => &[
            ("webhooks", By(&["name"])),
            ("webhooks[].matchConditions", By(&["name"])),
            ("webhooks[].namespaceSelector", Atomic),
            ("webhooks[].objectSelector", Atomic),
        ],
        "storageclasses.storage.k8s.io" => &[("parameters", Map)],
        "customresourcedefinitions.apiextensions.k8s.io"
        | "namespaces"
        | "horizontalpodautoscalers.autoscaling"
        | "apiservices.apiregistration.k8s.io" => &[CONDITIONS],
        _ => &[],
    }
}

/// Where in objects of this resource a pod's specification stands.
pub(super) fn pod(resource: &str) -> Option<&'static str> {
    Some(match resource {
        "pods" => "spec",
        "deployments.apps" | "replicasets.apps" | "statefulsets.apps" | "daemonsets.apps" | "jobs.batch" => {
            "spec.template.spec"
        }
        "cronjobs.batch" => "spec.jobTemplate.spec.template.spec",
        _ => return None,
    })
}

/// The places of containers in a pod's specification.
pub(super) const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// The schema that says how objects of this resource merge.
pub(super) fn of(resource: &str) -> Value {
    let mut schema = json!({});
    let mut add = |prefix: &str, rules: Rules| {
        for (path, rule) in rules {
            set(&mut schema, &format!("{prefix}{path}"), *rule);
        }
    };
    add("metadata.", METADATA);
    add("", own(resource));
    if let Some(place) = pod(resource) {
        add(&format!("{place}."), POD);
        if let Some(template) = place.strip_suffix(".spec") {
            add(&format!("{template}.metadata."), METADATA);
        }
        for containers in CONTAINERS {
            add(&format!("{place}."), if containers == "containers" { MAIN } else { INIT });
            add(&format!("{place}.{containers}[]."), CONTAINER);
        }
    }
    schema
}

const MAIN: Rules = &[("containers", By(&["name"]))];
const INIT: Rules = &[("initContainers", By(&["name"]))];

fn set(schema: &mut Value, path: &str, rule: Rule) {
    let mut here = schema;
    for part in path.split('.') {
        let name = part.trim_end_matches("[]");
        here = &mut here["properties"][name];
        if part.ends_with("[]") {
            here = &mut here["items"];
        }
    }
    match rule {
        By(keys) => {
            here["x-kubernetes-list-type"] = json!("map");
            here["x-kubernetes-list-map-keys"] = json!(keys);
            if keys.contains(&"protocol") {
                here["items"]["properties"]["protocol"]["default"] = json!(PROTOCOL);
            }
        }
        Set => here["x-kubernetes-list-type"] = json!("set"),
        Atomic => here["x-kubernetes-map-type"] = json!("atomic"),
        Map => here["additionalProperties"] = json!({"type": "string"}),
    }
}
