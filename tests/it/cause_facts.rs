//! What keeps an app from running, as a cluster's own controllers tell it, and the line that berth makes of that. Asked of the
//! embedded world; in the bench of the real controllers, the real scheduler and kwok.
//!
//! What becomes of a pod stands in its annotations, for both. Where a real API server refuses pods by an object, that object
//! stands beside the workload: the embedded one goes by the annotation alone.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use berth::{
    clients::kubernetes::{Area, Kubernetes, Survey},
    domain::diagnosis::{Snapshot, diagnose},
    progress::Wait,
};
use futures::future::try_join_all;
use hyper::Request;
use kube::Client;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than any controller takes to tell it.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Fact {
    /// What is there before, in this namespace.
    pub(crate) beside: fn(&str) -> Vec<Value>,
    /// The Deployment or Job `shop`.
    pub(crate) workload: fn() -> Value,
    /// Whether a real API server refuses its pods.
    #[allow(dead_code, reason = "only there it takes a moment")]
    pub(crate) is_refused: bool,
    /// What is told; a `*` stands for what servers name, and for what they say differently.
    pub(crate) says: &'static str,
}

const NOTHING: fn(&str) -> Vec<Value> = |_| vec![];

fn pods(annotations: Value, spec: Value) -> Value {
    let mut whole = json!({"containers": [{"name": "app", "image": "registry.example/app:1"}]});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"metadata": {"labels": {"app": "shop"}, "annotations": annotations}, "spec": whole})
}

fn deployment(annotations: Value, spec: Value) -> Value {
    let spec = json!({
        "selector": {"matchLabels": {"app": "shop"}}, "progressDeadlineSeconds": 600,
        "template": pods(annotations, spec),
    });
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec})
}

fn plays(word: &str) -> Value {
    deployment(json!({"play.berth.dev/play": word}), json!({}))
}

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        beside: NOTHING,
        workload: || plays("image-pull-back-off"),
        is_refused: false,
        says: "image not found: pod */shop-*: registry.example/app:1: not found",
    },
    Fact {
        beside: NOTHING,
        workload: || plays("crash-loop"),
        is_refused: false,
        says: "container crashes: pod */shop-*: container app ended with exit code 1, restarted *",
    },
    Fact {
        beside: NOTHING,
        workload: || plays("never-ready"),
        is_refused: false,
        says: "probe fails: pod */shop-*: container app: *",
    },
    Fact {
        beside: NOTHING,
        workload: || {
            let annotations = json!({"play.berth.dev/play": "fail", "play.berth.dev/exit-code": "3"});
            let spec =
                json!({"backoffLimit": 0, "template": pods(annotations, json!({"restartPolicy": "Never"}))});
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "shop"}, "spec": spec})
        },
        is_refused: false,
        says: "job failed: job */shop: Job has reached the specified backoff limit; pod */shop-*: container app ended \
               with exit code 3",
    },
    Fact {
        beside: NOTHING,
        workload: || deployment(json!({}), json!({"nodeSelector": {"disk": "none-has-it"}})),
        is_refused: false,
        says: "unschedulable: pod */shop-*: 0/* nodes are available: * node(s) didn't match Pod's node \
               affinity/selector.",
    },
    Fact {
        beside: |_| {
            let spec = json!({
                "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                "resources": {"requests": {"storage": "1Gi"}},
            });
            vec![
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}),
            ]
        },
        workload: || {
            let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
            deployment(json!({}), json!({"volumes": [volume]}))
        },
        is_refused: false,
        says: "volume pending: persistentvolumeclaim */data: storageclass.storage.k8s.io \"fast\" not found",
    },
    Fact {
        beside: |_| vec![quota(json!({"pods": "0"}))],
        workload: || plays("quota"),
        is_refused: true,
        says: "quota exceeded: replicaset */shop-*: pods \"shop-*\" is forbidden: exceeded quota: compute, requested: \
               pods=1, used: pods=*, limited: pods=*",
    },
    Fact {
        beside: |_| vec![quota(json!({"requests.cpu": "1"}))],
        workload: || plays("no-requests"),
        is_refused: true,
        says: "requests missing: replicaset */shop-*: pods \"shop-*\" is forbidden: failed quota: compute: must specify \
               requests.cpu for: app",
    },
    Fact {
        beside: |_| {
            let limit = json!({"type": "Container", "min": {"cpu": "100m"}, "default": {"cpu": "1"}});
            vec![json!({
                "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "least"}, "spec": {"limits": [limit]},
            })]
        },
        workload: || {
            let asks = json!({"requests": {"cpu": "50m"}});
            let app = json!({"name": "app", "image": "registry.example/app:1", "resources": asks});
            deployment(json!({"play.berth.dev/play": "too-small"}), json!({"containers": [app]}))
        },
        is_refused: true,
        says: "requests too small: replicaset */shop-*: pods \"shop-*\" is forbidden: minimum cpu usage per Container is \
               100m, but request is 50m",
    },
    Fact {
        beside: NOTHING,
        workload: || {
            deployment(json!({"play.berth.dev/play": "no-account"}), json!({"serviceAccountName": "shop"}))
        },
        is_refused: true,
        says: "configuration missing: replicaset */shop-*: pods \"shop-*\" is forbidden: error looking up service account \
               */shop: serviceaccount \"shop\" not found",
    },
    Fact {
        beside: policy,
        workload: || plays("against-policy"),
        is_refused: true,
        says: "not permitted: replicaset */shop-*: pods \"shop-*\" is forbidden: ValidatingAdmissionPolicy '*' with binding \
               '*' denied request: it has no owner",
    },
    Fact {
        beside: |namespace| vec![webhook(namespace)],
        workload: || plays("webhook-down"),
        is_refused: true,
        says: UNANSWERED,
    },
    // Its Service is there, and nobody behind it.
    Fact {
        beside: |namespace| {
            let spec = json!({"selector": {"app": "nobody"}, "ports": [{"port": 443}]});
            let service =
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "webhook"}, "spec": spec});
            vec![service, webhook(namespace)]
        },
        workload: || plays("webhook-down"),
        is_refused: true,
        says: UNANSWERED,
    },
    Fact {
        beside: |namespace| {
            let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
            vec![
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}),
            ]
        },
        workload: || plays("not-permitted"),
        is_refused: true,
        says: "not permitted: replicaset */shop-*: pods \"shop-*\" is forbidden: violates PodSecurity \
               \"restricted:latest\": allowPrivilegeEscalation != false (container \"app\" must set \
               securityContext.allowPrivilegeEscalation=false)*",
    },
    Fact {
        beside: NOTHING,
        workload: || {
            let mut slow = deployment(json!({"play.berth.dev/delay": "1h"}), json!({}));
            slow["spec"]["progressDeadlineSeconds"] = json!(1);
            slow
        },
        is_refused: false,
        says: "rollout stuck: deployment */shop: ReplicaSet \"shop-*\" has timed out progressing.",
    },
];

const UNANSWERED: &str = "webhook in the way: replicaset */shop-*: failed calling webhook \"pods.play.berth.dev\": Post \
    \"https://webhook.*.svc:443/mutate?timeout=*s\": *";

fn webhook(namespace: &str) -> Value {
    let rule =
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [{
            "name": "pods.play.berth.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 2,
            "clientConfig": {"service": {"namespace": namespace, "name": "webhook", "path": "/mutate"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [rule],
        }],
    })
}

fn policy(namespace: &str) -> Vec<Value> {
    let api = "admissionregistration.k8s.io/v1";
    let rule =
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    let spec = json!({
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "it has no owner", "reason": "Forbidden"}],
    });
    let here = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
    let binding = json!({"policyName": namespace, "validationActions": ["Deny"], "matchResources": here});
    let named = |kind: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": namespace}, "spec": spec});
    vec![named("ValidatingAdmissionPolicy", spec), named("ValidatingAdmissionPolicyBinding", binding)]
}

fn quota(hard: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "compute"}, "spec": {"hard": hard}})
}

/// A pod of this workload.
#[allow(dead_code, reason = "a real API server is asked beforehand")]
pub(crate) fn pod_of(fact: &Fact) -> Value {
    let mut pod = (fact.workload)()["spec"]["template"].clone();
    pod["metadata"]["name"] = json!("tried");
    pod
}

/// Makes one, or, if it is there, what it is to be.
pub(crate) async fn make(client: &Client, namespace: &str, object: Value) {
    let (api, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let group = if api.contains('/') { format!("/apis/{api}") } else { format!("/api/{api}") };
    let name = object["metadata"]["name"].as_str().unwrap();
    let path = match kind {
        "Namespace" => format!("{group}/namespaces/{name}"),
        "MutatingWebhookConfiguration" => format!("{group}/mutatingwebhookconfigurations/{name}"),
        "ValidatingAdmissionPolicy" => format!("{group}/validatingadmissionpolicies/{name}"),
        "ValidatingAdmissionPolicyBinding" => format!("{group}/validatingadmissionpolicybindings/{name}"),
        kind => format!("{group}/namespaces/{namespace}/{}s/{name}", kind.to_lowercase()),
    };
    let request = Request::patch(format!("{path}?fieldManager=facts&force=true"))
        .header("content-type", "application/apply-patch+yaml")
        .body(object.to_string().into_bytes())
        .unwrap();
    client.request::<Value>(request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
}

/// What an engine sees of a namespace, or of all, and how it is waited for something else.
pub(crate) async fn seen(cluster: &Kubernetes, namespace: Option<&str>) -> (Snapshot, Wait) {
    let kinds = [
        ("v1", "Pod"),
        ("v1", "Event"),
        ("v1", "PersistentVolumeClaim"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("cert-manager.io/v1", "Certificate"),
    ];
    let areas = kinds.map(|(api_version, kind)| Area {
        namespace: namespace.map(str::to_owned),
        ..Area::of(api_version, kind)
    });
    let surveys: Vec<Survey> = try_join_all(areas.iter().map(|area| cluster.survey(area))).await.unwrap();
    let objects = surveys.iter().flat_map(Survey::objects).map(|object| object.value().clone()).collect();
    let changed = surveys.into_iter().map(|survey| survey.changed("")).collect();
    (Snapshot { objects, ..Snapshot::default() }, Wait::any(changed))
}

/// Sooner or later this is what is told, and until then something happens.
pub(crate) async fn is_named(cluster: &Kubernetes, namespace: &str, fact: &Fact) {
    let mut told = String::new();
    let named = async {
        loop {
            let (snapshot, changed) = seen(cluster, Some(namespace)).await;
            told = diagnose(&snapshot).map_or("nothing".to_owned(), |diagnosis| diagnosis.to_string());
            if fits(&told, fact.says) {
                return;
            }
            changed.wake.await.unwrap();
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, named).await.is_ok();
    assert!(in_time, "{}\nis not told, but\n{told}", fact.says);
}

fn fits(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = first;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], part);
    }
    rest.is_empty() || last.is_empty()
}
