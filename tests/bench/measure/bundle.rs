//! What operators bring along: 300 objects of the kinds and sizes that cert-manager, external-dns, external-secrets and a
//! database operator consist of. No pods: what they would cost is nobody's here.

use serde_json::{Value, json};
use std::fmt::Write;

/// How many objects one bundle has.
pub(crate) const OBJECTS: usize = 300;

/// A bundle of its own: no name of it is in another's.
pub(crate) fn bundle(name: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    let namespaces: Vec<String> = (0..4).map(|n| format!("{name}-{n}")).collect();
    for namespace in &namespaces {
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    objects.extend((0..20).map(|number| crd(name, number)));
    for number in 0..12 {
        objects.extend(cluster_role(&format!("{name}-{number}"), &namespaces[0]));
    }
    let mut number = 0;
    while objects.len() < OBJECTS {
        let namespace = &namespaces[number % namespaces.len()];
        objects.extend(component(&format!("part-{number}"), namespace));
        number += 1;
    }
    objects.truncate(OBJECTS);
    objects
}

/// As a file for kubectl.
pub(crate) fn as_yaml(objects: &[Value]) -> String {
    objects.iter().fold(String::new(), |mut text, object| {
        // JSON is YAML.
        writeln!(text, "---\n{object}").unwrap();
        text
    })
}

/// With a schema of some forty fields.
fn crd(name: &str, number: usize) -> Value {
    let (group, kind) = (format!("{name}.bench.berth.dev"), format!("Kind{number}"));
    let field = |n: usize| {
        (
            format!("field{n}"),
            json!({"type": "string", "description": "What this field of the operator's resource is for."}),
        )
    };
    let fields: serde_json::Map<String, Value> = (0..40).map(field).collect();
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": fields},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("kind{number}s.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": format!("kind{number}s"), "singular": format!("kind{number}")},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

fn cluster_role(name: &str, namespace: &str) -> [Value; 2] {
    let rbac = "rbac.authorization.k8s.io";
    let rules: Vec<Value> = ["", "apps", "batch", "networking.k8s.io"]
        .map(|group| json!({"apiGroups": [group], "resources": ["*"], "verbs": ["get", "list", "watch", "update", "patch"]}))
        .into();
    [
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "part-0", "namespace": namespace}],
        }),
    ]
}

fn component(name: &str, namespace: &str) -> [Value; 7] {
    let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"});
    let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
    let rbac = "rbac.authorization.k8s.io";
    let text = "a line of configuration that an operator reads when it starts\n".repeat(20);
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config.yaml": text}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": "value"}}),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get", "list", "watch"]}],
        }),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": {"app.kubernetes.io/name": name}, "ports": [{"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"}]},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {
                "replicas": 0, "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
                "template": {"metadata": {"labels": labels}, "spec": {"serviceAccountName": name, "containers": [{
                    "name": "manager", "image": "registry.example.com/manager:v1.16.2", "args": ["--leader-elect=false", "--v=2"],
                    "ports": [{"name": "https", "containerPort": 8443, "protocol": "TCP"}],
                    "env": [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
                    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": "https", "scheme": "HTTPS"}, "periodSeconds": 5},
                }]}},
            },
        }),
    ]
}
