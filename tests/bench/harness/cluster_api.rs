//! The real Cluster API core manager on the shared control plane, and the CRDs of the providers that are played.
//!
//! Its own CRDs and webhook configurations are those of its module, as the build rendered them. The webhooks are pointed at this
//! machine: the manager is no pod and has no Service. It listens for them on all interfaces, for nothing else beyond
//! loopback.

use super::{
    ask,
    control_plane::{self, ControlPlane},
    keeper::{self, Process},
    ports,
};
use k8s_openapi::ByteString;
use kube::{
    Api,
    api::{DynamicObject, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tokio::sync::OnceCell;

static MANAGER: OnceCell<Process> = OnceCell::const_new();
static ENVIRONMENT: OnceCell<ControlPlane> = OnceCell::const_new();

/// The shared control plane, with a Cluster API that takes on whatever is made there.
pub(crate) async fn management() -> &'static ControlPlane {
    let plane = control_plane::management().await;
    MANAGER.get_or_init(|| start(plane)).await;
    plane
}

/// The control plane that plays every environment's own cluster.
pub(crate) async fn environment() -> &'static ControlPlane {
    ENVIRONMENT.get_or_init(|| ControlPlane::start("environment")).await
}

async fn start(plane: &ControlPlane) -> Process {
    let (port, certificates) = (ports::free(), keeper::directory("webhooks"));
    let pair = plane.authority.server("webhooks");
    fs::copy(pair.certificate, certificates.join("tls.crt")).unwrap();
    fs::copy(pair.key, certificates.join("tls.key")).unwrap();
    // The manager would end without its CRDs, and not find the providers' kinds for a while.
    let objects: Vec<Value> = own(plane, port).into_iter().chain(providers()).collect();
    let kinds = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition");
    let kinds: Vec<&str> = kinds.map(|crd| crd["metadata"]["name"].as_str().unwrap()).collect();
    let kinds = kinds.join(",");
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    plane.kubectl(&["create", "-f", "-"], &objects.to_string());
    plane.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "");
    // A young kind is refused for a second, "storage is (re)initializing"; kubectl asks again.
    plane.kubectl(&["get", &kinds, "--all-namespaces"], "");

    let mut command = keeper::command("cluster-api");
    command.args([
        format!("--kubeconfig={}", plane.kubeconfig.display()),
        format!("--webhook-cert-dir={}", certificates.display()),
        format!("--webhook-port={port}"),
    ]);
    command.args([
        "--diagnostics-address=127.0.0.1:0",
        "--health-addr=127.0.0.1:0",
        "--insecure-diagnostics",
    ]);
    // As a pod is told who it is.
    for (name, value) in [("POD_NAMESPACE", "capi-system"), ("POD_NAME", "core"), ("POD_UID", "core")] {
        command.env(name, value);
    }
    let process = Process::start("cluster-api", command, &plane.directory);
    let clusters = clusters(plane, "default").await;
    ask("webhooks that answer", &process, async || {
        let dry_run = PostParams { dry_run: true, ..Default::default() };
        match clusters.create(&dry_run, &with_bad_cidr()).await {
            // Nobody but them looks at what a CIDR is.
            Err(kube::Error::Api(status)) if status.message.contains("not-a-cidr") => Some(()),
            _ => None,
        }
    })
    .await;
    process
}

/// The Clusters of a namespace, as the administrator.
pub(crate) async fn clusters(plane: &ControlPlane, namespace: &str) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", "Cluster"));
    Api::namespaced_with(plane.client("bench").await, namespace, &kind)
}

/// A Cluster that its webhooks refuse.
pub(crate) fn with_bad_cidr() -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": "bad"},
        "spec": {
            "clusterNetwork": {"pods": {"cidrBlocks": ["not-a-cidr"]}},
            "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "ProxmoxCluster", "name": "bad"},
        },
    }))
    .unwrap()
}

/// The documents of a YAML text.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    // A file of our own or of a pinned module, and a long one.
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).unwrap()
}

/// The CRDs of all that is played.
fn providers() -> Vec<Value> {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/crds");
    let mut files: Vec<PathBuf> = fs::read_dir(crds).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| documents(&fs::read_to_string(file).unwrap())).collect()
}

/// Cluster API's own CRDs and webhook configurations, with its webhooks on this machine.
fn own(plane: &ControlPlane, port: u16) -> Vec<Value> {
    let mut objects = documents(&fs::read_to_string(keeper::built("cluster-api.yaml")).unwrap());
    objects.retain(|object| {
        let kind = object["kind"].as_str().unwrap();
        kind == "CustomResourceDefinition" || kind.ends_with("WebhookConfiguration")
    });
    for object in &mut objects {
        let conversion = object.pointer_mut("/spec/conversion/webhook/clientConfig");
        conversion.into_iter().for_each(|client| here(client, plane, port));
        for webhook in object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
            here(&mut webhook["clientConfig"], plane, port);
        }
    }
    objects
}

fn here(client: &mut Value, plane: &ControlPlane, port: u16) {
    let url = format!("https://127.0.0.1:{port}{}", client["service"]["path"].as_str().unwrap());
    *client = json!({"url": url, "caBundle": ByteString(plane.authority.pem().into_bytes())});
}
