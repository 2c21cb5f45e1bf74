//! How an environment of the original template comes and goes, as berth's client sees it. Asked of the embedded world; in the
//! bench of a real API server with the real Cluster API core.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::taking::Takings;
use berth::{
    clients::{
        Failure, Kind as FailureKind,
        kubernetes::{
            Deletion, Dependents, Judgement, Kubernetes, Seen, Target,
            condition::condition,
            connect,
            manifest::{Bundle, Manifest},
        },
    },
    clock::Clock,
    domain::claim::ObjectName,
};
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{fs, time::Duration};
use tokio::sync::Notify;

const TEMPLATE: &str = include_str!("../bench/manifests/k3s-cluster.yaml");
/// Longer than the real core ever takes: it tries a connection that failed again after 30 s.
const PATIENCE: Duration = Duration::from_secs(180);

/// The documents of a YAML text.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    // A file of our own or of a pinned module, and a long one.
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).unwrap()
}

/// The original template, its namespace first, with the credentials that a user adds.
pub(crate) fn original() -> Vec<Value> {
    let mut objects = documents(TEMPLATE);
    let namespace = objects[0]["metadata"]["name"].clone();
    objects.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "proxmox-credentials", "namespace": namespace},
        "stringData": {"url": "https://proxmox.example:8006", "token": "ops@pve!capi", "secret": "not-one"},
    }));
    objects
}

pub(crate) fn name(object: &Value) -> ObjectName {
    Manifest::parse(object.clone()).unwrap().name().clone()
}

/// `Available`, `phase Provisioned`: what a Cluster said to be so, in the order in which it did, each once.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn hear(&mut self, cluster: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let conditions = cluster["status"]["conditions"].as_array().into_iter().flatten();
        let conditions = conditions.filter(|said| said["status"] == "True").map(|said| text(&said["type"]));
        let phase = Some(format!("phase {}", text(&cluster["status"]["phase"])));
        for said in phase.into_iter().chain(conditions) {
            if !self.0.contains(&said) {
                self.0.push(said);
            }
        }
    }

    fn at(&self, said: &str) -> usize {
        self.0.iter().position(|one| one == said).unwrap_or_else(|| panic!("no {said} in {:?}", self.0))
    }
}

/// `management` has the kinds and the players of environments on Proxmox, `environment` is the API server that their
/// kubeconfigs lead to; `refused` is what players were refused so far.
pub(crate) async fn comes_and_goes(
    management: Client,
    environment: Client,
    refused: impl Fn() -> Vec<String>,
) {
    let cluster = Kubernetes::new(management.clone(), Duration::from_secs(30), Clock::system());
    let fence = Takings::new().take(42).await;
    let writer = cluster.writer(&fence);
    let objects = original();
    let namespace = objects[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let names = [objects.iter().find(|object| object["kind"] == "Cluster").map(name).unwrap()];

    let (mut said, looked) = (Said::default(), Notify::new());
    let judge = |seen: &[Seen]| {
        looked.notify_one();
        let Some(object) = seen[0].object() else { return Ok(Judgement::Lacking("the Cluster".to_owned())) };
        said.hear(object.value());
        let available = condition(object.value(), "Available");
        Ok(if available.is_true() { Judgement::Met } else { Judgement::Lacking(format!("{available:?}")) })
    };
    let available = cluster.wait_until(&names, "an available Cluster", PATIENCE, judge);
    // So that nothing of it is missed.
    let applied = async {
        looked.notified().await;
        writer.apply(&Bundle::of(objects.clone()).unwrap()).await
    };
    let both = tokio::try_join!(available, applied);
    let (_, applied) = both.unwrap_or_else(|error| panic!("{error:?}; refused: {:#?}", refused()));
    assert_eq!(applied.written.len(), 6, "{applied:?}");
    // "Provisioned" is said before there is a control plane, so it is no reason to go on; the probe is.
    assert!(said.at("phase Provisioning") < said.at("phase Provisioned"), "{:?}", said.0);
    assert!(said.at("phase Provisioned") < said.at("ControlPlaneAvailable"), "{:?}", said.0);
    assert!(said.at("InfrastructureReady") < said.at("RemoteConnectionProbe"), "{:?}", said.0);
    assert!(said.at("RemoteConnectionProbe") <= said.at("Available"), "{:?}", said.0);

    // What the engine will do at the next event of the same commit.
    let again = writer.apply(&Bundle::of(objects).unwrap()).await.unwrap();
    let changed = (again.written.len(), again.marked.len());
    assert_eq!(changed, (0, 0), "what the others wrote is not ours: {again:?}");
    let kubeconfig: Api<Secret> = Api::namespaced(management.clone(), &namespace);
    let kubeconfig = kubeconfig.get(&format!("{namespace}-kubeconfig")).await.unwrap();
    assert_eq!(kubeconfig.type_.as_deref(), Some("cluster.x-k8s.io/secret"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &kubeconfig.data.unwrap()["value"].0).unwrap();
    let target = Target::Kubeconfig { files: vec![file.path().to_owned()], context: None };
    let nodes: Api<Node> = Api::all(connect(&target, "berth").await.unwrap());
    assert_eq!(nodes.list(&ListParams::default()).await.unwrap().items.len(), 1, "its node");

    // The Cluster first, its namespace when nothing is left of it.
    delete(&cluster, &writer, &names[0]).await;
    assert_eq!(left(&management, &namespace).await, Vec::<String>::new(), "refused: {:#?}", refused());
    let object = name(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    delete(&cluster, &writer, &object).await;
    let nodes: Api<Node> = Api::all(environment);
    assert_eq!(nodes.list(&ListParams::default()).await.unwrap().items, vec![], "its node has left");
    assert_eq!(refused(), Vec::<String>::new(), "what the API server would not have of the players");
}

/// Until it is gone.
async fn delete(cluster: &Kubernetes, writer: &berth::clients::kubernetes::Writer<'_>, name: &ObjectName) {
    loop {
        let seen = cluster.observe(name).await.unwrap();
        match writer.delete(&seen, Dependents::First).await {
            Ok(deletion) => break assert_eq!(deletion, Deletion::UnderWay),
            // Its controllers have written since: it is looked at again.
            Err(error) => assert_eq!(Failure::of(&error), FailureKind::Conflict, "{error:#}"),
        }
    }
    let gone = |seen: &[Seen]| {
        Ok(match seen[0].object() {
            None => Judgement::Met,
            Some(object) => Judgement::Lacking(object.value().to_string()),
        })
    };
    cluster.wait_until(std::slice::from_ref(name), "its end", PATIENCE, gone).await.unwrap();
}

/// Whatever is still there of a cluster when the Cluster is gone.
async fn left(management: &Client, namespace: &str) -> Vec<String> {
    let mut left = vec![];
    for (group, version, kind) in [
        ("cluster.x-k8s.io", "v1beta2", "Machine"),
        ("controlplane.cluster.x-k8s.io", "v1beta2", "KThreesControlPlane"),
        ("bootstrap.cluster.x-k8s.io", "v1beta2", "KThreesConfig"),
        ("infrastructure.cluster.x-k8s.io", "v1alpha1", "ProxmoxCluster"),
        ("infrastructure.cluster.x-k8s.io", "v1alpha1", "ProxmoxMachine"),
    ] {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let all: Api<DynamicObject> = Api::namespaced_with(management.clone(), namespace, &kind);
        let items = all.list(&ListParams::default()).await.unwrap().items;
        left.extend(items.iter().map(|item| format!("{} {:?}", kind.kind, item.metadata.name)));
    }
    left
}
