//! Who plays a control plane's nodes and kubelets: the real scheduler, and kwok with Stages of our own (`../stages`).
//!
//! What becomes of a pod stands in its annotations; without any it is ready at once, and completes if it is not to be
//! started again (a Job's). Whether it is scheduled at all is the scheduler's own word. kwok knows no container: logs
//! are what [`Workloads::logs`] says they are, also of a container that a kubelet would have none of.

use super::{
    ask,
    control_plane::{self, ControlPlane},
    keeper::{self, Process, file},
    ports, proxy, watching,
};
use k8s_openapi::{
    api::core::v1::{Node, Pod},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::{Value, json};
use std::{fmt::Write, path::PathBuf};
use tokio::sync::OnceCell;

/// What becomes of a pod: one of [`IMAGE_PULL_BACK_OFF`], [`CRASH_LOOP`], [`NEVER_READY`], [`FAIL`], [`HANG`].
pub(crate) const PLAY: &str = "play.berth.dev/play";
/// How long it is creating its containers, as Go writes durations.
pub(crate) const DELAY: &str = "play.berth.dev/delay";
/// What [`CRASH_LOOP`] and [`FAIL`] end with, else 1.
pub(crate) const EXIT_CODE: &str = "play.berth.dev/exit-code";

/// Its image is not to be had.
pub(crate) const IMAGE_PULL_BACK_OFF: &str = "image-pull-back-off";
/// It starts, ends before it is ready, and is started again, ever later.
pub(crate) const CRASH_LOOP: &str = "crash-loop";
/// It runs, and its readiness probe fails.
pub(crate) const NEVER_READY: &str = "never-ready";
/// It ends with an error, if it is not to be started again.
pub(crate) const FAIL: &str = "fail";
/// It is ready and does not end, also where it should.
pub(crate) const HANG: &str = "hang";

/// Each has room for 4 cpu, 16 GiB, 1000 pods.
const NODES: [&str; 2] = ["node-a", "node-b"];

/// The running scheduler and kwok. They end when it is dropped.
pub(crate) struct Workloads {
    client: PathBuf,
    kubelet: String,
    directory: PathBuf,
    kwok: Process,
    scheduler: Process,
}

static MANAGEMENT: OnceCell<Workloads> = OnceCell::const_new();

/// Those of the control plane that all facts share.
pub(crate) async fn management() -> (&'static ControlPlane, &'static Workloads) {
    let plane = control_plane::management().await;
    (plane, MANAGEMENT.get_or_init(|| Workloads::start(plane)).await)
}

impl Workloads {
    /// Usable when this returns: a first pod has been ready.
    pub(crate) async fn start(plane: &ControlPlane) -> Self {
        let client = plane.client("bench").await;
        for name in NODES {
            add_node(&client, name).await;
        }
        let workloads = Self::without_nodes(plane).await;
        workloads.play_a_first_pod(&client).await;
        workloads
    }

    /// For nodes that others register; nobody has tried whether it is ready.
    pub(crate) async fn without_nodes(plane: &ControlPlane) -> Self {
        let directory = keeper::directory("workloads");
        let scheduler = plane.scheduler();
        define_logs(&plane.client("bench").await).await;
        let port = ports::free();
        let serving = plane.authority.server("kwok");
        let mut command = keeper::command("kwok");
        for (name, stages) in [
            ("node.yaml", include_str!("../stages/node.yaml")),
            ("pod.yaml", include_str!("../stages/pod.yaml")),
            ("failures.yaml", include_str!("../stages/failures.yaml")),
        ] {
            command.arg(format!("--config={}", file(&directory, name, stages).display()));
        }
        command.args([
            &format!("--kubeconfig={}", plane.kubeconfig.display()),
            &format!("--tls-cert-file={}", serving.certificate.display()),
            &format!("--tls-private-key-file={}", serving.key.display()),
            &format!("--server-address=127.0.0.1:{port}"),
            &format!("--node-port={port}"),
            "--node-ip=127.0.0.1",
            "--cidr=10.244.0.0/16",
            "--manage-all-nodes=true",
            "--enable-crds=ClusterLogs",
        ]);
        let kwok = Process::start("kwok", command, &directory);
        let kubelet = format!("http://127.0.0.1:{port}");
        Self { client: plane.kubeconfig.clone(), kubelet, directory, kwok, scheduler }
    }

    /// The scheduler gives no other sign that it is ready.
    async fn play_a_first_pod(&self, client: &Client) {
        let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
        let pod =
            json!({"metadata": {"name": "first"}, "spec": {"containers": [{"name": "app", "image": "app"}]}});
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        ask("a first pod that is ready", &self.kwok, async || {
            self.scheduler.must_run();
            let pod = pods.get("first").await.unwrap();
            let conditions = pod.status?.conditions?;
            conditions.into_iter().find(|condition| condition.type_ == "Ready" && condition.status == "True")
        })
        .await;
        pods.delete("first", &DeleteParams::default()).await.unwrap();
        watching::until_gone(&pods, "first").await;
    }

    /// From now on the pods' containers of this name in this namespace have said these lines, and those before they
    /// were started again.
    pub(crate) async fn logs(&self, namespace: &str, container: &str, now: &[&str], before: &[&str]) {
        let name = format!("{namespace}-{container}");
        let log = |which: &str, lines: &[&str]| {
            let mut text = String::new();
            for (second, line) in lines.iter().enumerate() {
                writeln!(text, "2026-01-01T00:00:{second:02}.000000000Z stdout F {line}").unwrap();
            }
            file(&self.directory, &format!("{name}-{which}.log"), &text)
        };
        let logs = json!({
            "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs", "metadata": {"name": name},
            "spec": {
                "selector": {"matchNamespaces": [namespace]},
                "logs": [{
                    "containers": [container],
                    "logsFile": log("now", now),
                    "previousLogsFile": log("before", before),
                }],
            },
        });
        let kind = GroupVersionKind::gvk("kwok.x-k8s.io", "v1alpha1", "ClusterLogs");
        let resource = ApiResource::from_gvk_with_plural(&kind, "clusterlogs");
        let client = control_plane::connect_as(&self.client, "bench").await;
        let api: Api<DynamicObject> = Api::all_with(client, &resource);
        api.create(&PostParams::default(), &serde_json::from_value(logs).unwrap()).await.unwrap();
        // kwok watches these objects, and answers for any name of a pod.
        let url = format!("{}/containerLogs/{namespace}/any/{container}", self.kubelet);
        ask("logs that kwok serves", &self.kwok, async || {
            proxy::plain().get(&url).send().await.ok()?.error_for_status().ok()
        })
        .await;
    }
}

/// A node with room. kwok says the rest.
async fn add_node(client: &Client, name: &str) {
    let room = json!({"cpu": "4", "memory": "16Gi", "pods": "1000"});
    let node = json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"capacity": room, "allocatable": room},
    });
    let nodes: Api<Node> = Api::all(client.clone());
    nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
}

/// kwok takes logs from objects of this kind; it must be known when kwok starts.
async fn define_logs(client: &Client) {
    let definition = json!({
        "metadata": {"name": "clusterlogs.kwok.x-k8s.io"},
        "spec": {
            "group": "kwok.x-k8s.io",
            "names": {"kind": "ClusterLogs", "listKind": "ClusterLogsList", "plural": "clusterlogs", "singular": "clusterlogs"},
            "scope": "Cluster",
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }},
            }],
        },
    });
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    api.create(&PostParams::default(), &serde_json::from_value(definition).unwrap()).await.unwrap();
    watching::until(&api, "clusterlogs.kwok.x-k8s.io", |definition| {
        let conditions = definition.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|is| is.type_ == "Established" && is.status == "True").map(|_| ())
    })
    .await;
}

/// A pod as this play has it, for a template or by itself.
pub(crate) fn pod(annotations: &[(&str, &str)], spec: Value) -> Value {
    let annotations: std::collections::BTreeMap<_, _> = annotations.iter().copied().collect();
    let mut whole = json!({"containers": [{"name": "app", "image": "registry.example/app:1"}]});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"metadata": {"annotations": annotations, "labels": {"app": "app"}}, "spec": whole})
}
