//! What the real Cluster API makes of the original template, as berth's client applies it, beside the players of the
//! providers that are on no single machine.

use crate::{
    bed::crypto,
    harness::{
        cluster_api::{self, documents},
        control_plane::ControlPlane,
        players::{self, NoRecords, Running},
        watching,
    },
    taking::Takings,
};
use berth::{
    clients::kubernetes::{
        Deletion, Dependents, Judgement, Kubernetes, Seen,
        condition::condition,
        manifest::{Bundle, Manifest},
    },
    clock::Clock,
    domain::claim::ObjectName,
    rehearsal::players::{
        Pace, Player,
        k3s::{Environment, K3s},
        proxmox::Proxmox,
    },
};
use k8s_openapi::api::core::v1::{Namespace, Node, Secret};
use kube::{
    Api,
    api::{DynamicObject, ListParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{fs, sync::Arc, time::Duration};

const TEMPLATE: &str = include_str!("manifests/k3s-cluster.yaml");
/// Longer than the real core ever takes: it tries a connection that failed again after 30 s.
const PATIENCE: Duration = Duration::from_secs(180);

/// The players of environments on Proxmox, whose own API server is `environment`.
async fn on_proxmox(management: &ControlPlane, environment: &ControlPlane) -> Running {
    let authority = environment.authority.pem();
    // k3s makes an authority for each cluster; these all have the bench's. The core asks only that there is a key.
    let own = Environment {
        kubeconfig: fs::read_to_string(&environment.kubeconfig).unwrap(),
        key: authority.clone(),
        certificate: authority,
    };
    let pace = Pace::AT_ONCE;
    let players: Vec<Arc<dyn Player>> =
        vec![Arc::new(Proxmox { pace }), Arc::new(K3s { pace, environment: own })];
    let (here, there) = (management.client("players").await, environment.client("players").await);
    let records = Arc::new(NoRecords) as Arc<dyn players::Records>;
    players::run(players, &here, "", Some(&there), &records)
}

fn name(object: &Value) -> ObjectName {
    Manifest::parse(object.clone()).unwrap().name().clone()
}

/// `Available=True`, in the order in which a Cluster said it, each once.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_the_original_template_becomes_available_and_goes_without_a_trace() {
    crypto();
    let (management, environment) = (cluster_api::management().await, cluster_api::environment().await);
    let playing = on_proxmox(management, environment).await;
    let cluster = Kubernetes::new(management.client("berth").await, Duration::from_secs(30), Clock::system());
    let fence = Takings::new().take(42).await;
    let writer = cluster.writer(&fence);
    let mut objects = documents(TEMPLATE);
    let namespace = objects[0]["metadata"]["name"].as_str().unwrap().to_owned();
    objects.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "proxmox-credentials", "namespace": namespace},
        "stringData": {"url": "https://proxmox.example:8006", "token": "ops@pve!capi", "secret": "not-one"},
    }));
    let the_cluster = objects.iter().find(|object| object["kind"] == "Cluster").map(name).unwrap();

    let applied = writer.apply(&Bundle::of(objects.clone()).unwrap()).await.unwrap();
    assert_eq!(applied.written.len(), 6, "{applied:?}");
    let mut said = Said::default();
    let judge = |seen: &[Seen]| {
        let Some(object) = seen[0].object() else { return Ok(Judgement::Lacking("the Cluster".to_owned())) };
        said.hear(object.value());
        let available = condition(object.value(), "Available");
        Ok(if available.is_true() { Judgement::Met } else { Judgement::Lacking(format!("{available:?}")) })
    };
    let names = [the_cluster];
    let available = cluster.wait_until(&names, "an available Cluster", PATIENCE, judge).await;
    available.unwrap_or_else(|error| panic!("{error:?}; refused: {:#?}", playing.refused()));
    // "Provisioned" is said before there is a control plane, so it is no reason to go on; the probe is.
    assert!(said.at("phase Provisioned") < said.at("ControlPlaneAvailable"), "{:?}", said.0);
    assert!(said.at("InfrastructureReady") < said.at("RemoteConnectionProbe"), "{:?}", said.0);
    assert!(said.at("RemoteConnectionProbe") <= said.at("Available"), "{:?}", said.0);

    // What the engine will do at the next event of the same commit.
    let again = writer.apply(&Bundle::of(objects).unwrap()).await.unwrap();
    assert_eq!(
        (again.written.len(), again.marked.len()),
        (0, 0),
        "what the others wrote is not ours: {again:?}"
    );
    let kubeconfig: Api<Secret> = Api::namespaced(management.client("bench").await, &namespace);
    let kubeconfig = kubeconfig.get(&format!("{namespace}-kubeconfig")).await.unwrap();
    assert_eq!(kubeconfig.type_.as_deref(), Some("cluster.x-k8s.io/secret"));

    // The Cluster first, its namespace when nothing is left of it.
    let seen = cluster.observe(&names[0]).await.unwrap();
    assert_eq!(writer.delete(&seen, Dependents::First).await.unwrap(), Deletion::UnderWay);
    let clusters = cluster_api::clusters(management, &namespace).await;
    watching::until_gone(&clusters, &names[0].name).await;
    let left = left(management, &namespace).await;
    assert_eq!(left, Vec::<String>::new(), "players were refused: {:#?}", playing.refused());
    let object = name(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    let seen = cluster.observe(&object).await.unwrap();
    assert_eq!(writer.delete(&seen, Dependents::First).await.unwrap(), Deletion::UnderWay);
    let namespaces: Api<Namespace> = Api::all(management.client("bench").await);
    watching::until_gone(&namespaces, &namespace).await;
    let nodes: Api<Node> = Api::all(environment.client("bench").await);
    assert_eq!(nodes.list(&ListParams::default()).await.unwrap().items, vec![], "its node has left");
    assert_eq!(playing.refused(), Vec::<String>::new(), "what the API server would not have of the players");
}

/// Whatever is still there of a cluster when the Cluster is gone.
async fn left(management: &ControlPlane, namespace: &str) -> Vec<String> {
    let mut left = vec![];
    for (group, version, kind) in [
        ("cluster.x-k8s.io", "v1beta2", "Machine"),
        ("controlplane.cluster.x-k8s.io", "v1beta2", "KThreesControlPlane"),
        ("bootstrap.cluster.x-k8s.io", "v1beta2", "KThreesConfig"),
        ("infrastructure.cluster.x-k8s.io", "v1alpha1", "ProxmoxCluster"),
        ("infrastructure.cluster.x-k8s.io", "v1alpha1", "ProxmoxMachine"),
    ] {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let all: Api<DynamicObject> =
            Api::namespaced_with(management.client("bench").await, namespace, &kind);
        let items = all.list(&ListParams::default()).await.unwrap().items;
        left.extend(items.iter().map(|item| format!("{} {:?}", kind.kind, item.metadata.name)));
    }
    left
}

#[tokio::test]
async fn what_cluster_api_refuses_is_refused_by_its_own_webhooks() {
    crypto();
    let clusters = cluster_api::clusters(cluster_api::management().await, "default").await;
    let refused = clusters.create(&PostParams::default(), &cluster_api::with_bad_cidr()).await.unwrap_err();
    let kube::Error::Api(status) = refused else { panic!("{refused}") };
    assert_eq!(status.code, 422, "{}", status.message);
    assert!(status.message.contains("spec.clusterNetwork.pods.cidrBlocks"), "{}", status.message);
}
