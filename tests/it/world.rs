//! The players in the embedded world: what they do is done when a request is answered, and what takes its time when that has
//! passed.

use crate::{
    bed::{Bed, crypto},
    environment::{self, documents, original},
    players::{NS, everybody, host, release, repository},
};
use berth::{
    clients::kubernetes::for_url,
    rehearsal::{
        Server,
        players::{
            Change, Kind, Objects, Pace, Player, Reaction, Target,
            cluster_api::ClusterApi,
            external_dns::{ExternalDns, Policy},
            k3s::{Environment, K3s},
            proxmox::Proxmox,
        },
    },
};
use hyper::Request;
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use std::sync::Arc;

/// The kinds that players know. (Those of Cluster API take everything: its own definitions come with its module.)
const DEFINITIONS: [&str; 7] = [
    include_str!("../bench/crds/proxmox.yaml"),
    include_str!("../bench/crds/k3s.yaml"),
    include_str!("../bench/crds/flux.yaml"),
    include_str!("../bench/crds/metal3.yaml"),
    include_str!("../bench/crds/external-dns.yaml"),
    include_str!("../bench/crds/external-secrets.yaml"),
    include_str!("../bench/crds/argo-cd.yaml"),
];
const CLUSTER: &str = "clusters.cluster.x-k8s.io";
const NAME: &str = "pr-shop-42";

/// With all kinds, and with nobody who plays.
async fn staged() -> Bed {
    let bed = Bed::start().await;
    {
        let mut world = bed.world();
        for (kind, plural) in [("Cluster", "clusters"), ("Machine", "machines")] {
            world.kubernetes.add_kind(&format!("{plural}.cluster.x-k8s.io"), "v1beta2", kind, true);
        }
        for definition in DEFINITIONS.into_iter().flat_map(documents) {
            let name = definition["metadata"]["name"].as_str().unwrap();
            let resource = "customresourcedefinitions.apiextensions.k8s.io";
            world.kubernetes.put(resource, "", name, definition.clone());
            world.environment.put(resource, "", name, definition.clone());
        }
        world.kubernetes.settle();
        world.environment.settle();
    }
    bed
}

/// With those who play environments on Proxmox.
async fn on_proxmox(pace: Pace) -> Bed {
    let bed = staged().await;
    let environment = Environment::at(&bed.served.url(Server::Environment));
    let mut world = bed.world();
    world.play(Arc::new(ClusterApi));
    world.play(Arc::new(Proxmox { pace }));
    world.play(Arc::new(K3s { pace, environment }));
    drop(world);
    bed
}

fn client(bed: &Bed, server: Server) -> Client {
    crypto();
    for_url(&bed.served.url(server), None, "run").unwrap()
}

async fn send(client: &Client, method: &str, path: &str, body: &Value) -> kube::Result<Value> {
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    client.request(request.body(body.to_string().into_bytes()).unwrap()).await
}

/// As a user makes them by hand.
async fn make(bed: &Bed, objects: &[Value]) {
    let management = client(bed, Server::Kubernetes);
    for object in objects {
        let text = |field: &str| object[field].as_str().unwrap();
        let resource = bed.world().kubernetes.resource(text("apiVersion"), text("kind")).unwrap();
        let plural = resource.split('.').next().unwrap();
        let api = if text("apiVersion").contains('/') { "apis" } else { "api" };
        let place = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => format!("namespaces/{namespace}/{plural}"),
            None => plural.to_owned(),
        };
        let path = format!("/{api}/{}/{place}", text("apiVersion"));
        send(&management, "POST", &path, object).await.unwrap();
    }
}

/// The status of the Cluster's condition, and since when.
fn said(bed: &Bed, kind: &str) -> (String, Timestamp) {
    let world = bed.world();
    let cluster = world.kubernetes.get(CLUSTER, NAME, NAME).unwrap();
    let all = cluster["status"]["conditions"].as_array().unwrap();
    let condition = all.iter().find(|condition| condition["type"] == kind).unwrap();
    let text = |field: &str| condition[field].as_str().unwrap();
    (text("status").to_owned(), text("lastTransitionTime").parse().unwrap())
}

fn refused(bed: &Bed) -> Vec<String> {
    bed.world().refused().to_vec()
}

#[tokio::test]
async fn a_cluster_of_the_original_template_becomes_available_and_goes_without_a_trace() {
    let bed = on_proxmox(Pace::AT_ONCE).await;
    let (management, environment) = (client(&bed, Server::Kubernetes), client(&bed, Server::Environment));
    environment::comes_and_goes(management, environment, || refused(&bed)).await;
}

#[tokio::test]
async fn one_long_pass_of_time_plays_what_happens_in_between_when_it_happens() {
    let pace = Pace::REAL;
    let bed = on_proxmox(pace).await;
    let begun = bed.world().now();
    make(&bed, &original()).await;
    assert_eq!(said(&bed, "InfrastructureReady"), ("True".to_owned(), begun));
    let server = pace.clone + pace.power_on + pace.server;
    let whole = server + pace.node;
    let before = u32::try_from(whole.as_secs()).unwrap() - 1;
    let short = bed.world().clone();
    bed.pass(600);
    assert_eq!(said(&bed, "RemoteConnectionProbe"), ("True".to_owned(), begun + server));
    assert_eq!(said(&bed, "Available"), ("True".to_owned(), begun + whole));
    assert_eq!(bed.world().now(), begun + jiff::SignedDuration::from_secs(600));
    assert_eq!(refused(&bed), Vec::<String>::new());
    // A second earlier it is not; and a clone of the world has a time of its own.
    *bed.world() = short;
    bed.pass(before);
    assert_eq!(said(&bed, "Available").0, "False");
    assert_eq!(said(&bed, "RemoteConnectionProbe"), ("True".to_owned(), begun + server));
    bed.pass(1);
    assert_eq!(said(&bed, "Available"), ("True".to_owned(), begun + whole));
}

#[tokio::test]
async fn an_ingress_of_an_environment_ends_in_a_record_and_takes_it_away_again() {
    let bed = staged().await;
    let player =
        ExternalDns { pace: Pace::REAL, owner: "here".to_owned(), domains: vec![], policy: Policy::Sync };
    bed.world().play_in_environments(Arc::new(player));
    let environment = client(&bed, Server::Environment);
    let path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
    let backend = json!({ "service": { "name": "shop", "port": { "number": 80 } } });
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": "shop", "annotations": { "external-dns.alpha.kubernetes.io/target": "192.168.1.140" },
        },
        "spec": { "rules": [{
            "host": "shop.example.org",
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] },
        }] },
    });
    send(&environment, "POST", path, &ingress).await.unwrap();
    let targets = || bed.world().zone.get("Shop.example.org.", "A").map(|record| record.targets.clone());
    bed.pass(59);
    assert_eq!(targets(), None, "it looks once in a minute");
    bed.pass(1);
    assert_eq!(targets(), Some(vec!["192.168.1.140".to_owned()]));
    send(&environment, "DELETE", &format!("{path}/shop"), &Value::Null).await.unwrap();
    assert_eq!(targets(), None);
    assert_eq!(refused(&bed), Vec::<String>::new());
}

#[tokio::test]
async fn a_range_that_holds_the_endpoint_is_refused_by_the_provider_s_webhook_while_it_plays() {
    let proxmox = original().into_iter().find(|object| object["kind"] == "ProxmoxCluster").unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut proxmox = proxmox.clone();
        proxmox["metadata"]["namespace"] = "default".into();
        change(&mut proxmox["spec"]);
        proxmox
    };
    let path = "/apis/infrastructure.cluster.x-k8s.io/v1alpha1/namespaces/default/proxmoxclusters";
    let within = with(&|spec| spec["ipv4Config"]["addresses"] = json!(["192.168.1.140-192.168.1.149"]));
    let denied = "admission webhook \"validation.proxmoxcluster.infrastructure.cluster.x-k8s.io\" denied the request: ";
    let invalid = format!(
        "{denied}ProxmoxCluster.infrastructure.cluster.x-k8s.io \"{NAME}\" is invalid: spec.IPv4Config.addresses: \
         Invalid value: [\"192.168.1.140-192.168.1.149\"]: addresses may not contain the endpoint IP"
    );
    let bed = on_proxmox(Pace::AT_ONCE).await;
    let management = client(&bed, Server::Kubernetes);
    let said = |answer: kube::Result<Value>| match answer.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("{other}"),
    };
    let create = send(&management, "POST", path, &within).await;
    assert_eq!(said(create), (422, "Invalid".to_owned(), invalid.clone()));
    let without = with(&|spec| drop(spec.as_object_mut().unwrap().remove("ipv4Config")));
    let create = send(&management, "POST", path, &without).await;
    let no_pool = format!("{denied}proxmox cluster must define at least one IP pool config");
    assert_eq!(said(create), (403, "Forbidden".to_owned(), no_pool));
    send(&management, "POST", path, &with(&|_| {})).await.unwrap();
    let update =
        send(&management, "PATCH", &format!("{path}/{NAME}"), &json!({ "spec": within["spec"] })).await;
    assert_eq!(said(update), (422, "Invalid".to_owned(), invalid));
    let nobody = staged().await;
    send(&client(&nobody, Server::Kubernetes), "POST", path, &within).await.unwrap();
}

#[tokio::test]
async fn all_players_together_come_to_rest() {
    let bed = staged().await;
    everybody(&bed.served.url(Server::Environment)).into_iter().for_each(|player| bed.world().play(player));
    bed.world().kubernetes.add_namespace(NS);
    make(&bed, &original()).await;
    make(&bed, &[repository(), release(&json!({ "prNumber": 7 })), host(json!({}))]).await;
    let mut world = bed.world();
    world.rest();
    assert_eq!(world.refused(), Vec::<String>::new());
    let all = |world: &berth::rehearsal::World| -> Vec<Value> {
        world.kubernetes.objects().chain(world.environment.objects()).collect()
    };
    let before = all(&world);
    let status = |kind: &str| &before.iter().find(|object| object["kind"] == kind).unwrap()["status"];
    assert_eq!(status("Cluster")["controlPlane"]["readyReplicas"], 1);
    assert_eq!(status("BareMetalHost")["errorType"], "registration error");
    assert_eq!(status("HelmRelease")["history"][0]["status"], "deployed");
    world.rest();
    assert_eq!(all(&world), before, "at rest nothing moves");
    world.pass(3600);
    assert_eq!(world.refused(), Vec::<String>::new());
}

const CONFIG_MAP: Kind = Kind { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" };
const COINS: &str = "/api/v1/namespaces/default/configmaps";

fn turn(side: &str, version: Option<&str>) -> Change {
    let target = Target { kind: CONFIG_MAP, namespace: "default".to_owned(), name: "coin".to_owned() };
    Change::Merge(target, json!({ "metadata": { "resourceVersion": version }, "data": { "side": side } }))
}

async fn toss(player: Arc<dyn Player>) -> Bed {
    let bed = Bed::start().await;
    bed.world().play(player);
    let coin = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "coin" }, "data": { "side": "edge" } });
    send(&client(&bed, Server::Kubernetes), "POST", COINS, &coin).await.unwrap();
    bed
}

/// Changes its mind at every look.
struct Restless;

impl Player for Restless {
    fn name(&self) -> &'static str {
        "restless"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CONFIG_MAP]
    }

    fn react(&self, _: &Objects<'_>, now: Timestamp) -> Reaction {
        Reaction { changes: vec![turn("heads", None), turn("tails", None)], again: Some(now) }
    }
}

#[tokio::test]
async fn a_player_that_never_rests_is_told_of_and_the_request_is_answered() {
    let refused = refused(&toss(Arc::new(Restless)).await);
    assert_eq!(refused.len(), 2, "each once: {refused:#?}");
    assert!(refused[0].starts_with("restless would look again at "), "{refused:?}");
    assert!(refused[1].ends_with("there is no rest for restless"), "{refused:?}");
}

/// Has always seen this version of the coin.
struct Late {
    version: Option<String>,
    side: &'static str,
}

impl Player for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CONFIG_MAP]
    }

    fn react(&self, _: &Objects<'_>, _: Timestamp) -> Reaction {
        Reaction { changes: vec![turn(self.side, self.version.as_deref())], again: None }
    }
}

#[tokio::test]
async fn a_stale_change_is_a_lost_race_and_one_of_nothing_is_told_of() {
    let coin = |bed: &Bed| bed.world().kubernetes.get("configmaps", "default", "coin").unwrap().clone();
    let stale = toss(Arc::new(Late { version: Some("1".to_owned()), side: "heads" })).await;
    assert_eq!((&coin(&stale)["data"]["side"], refused(&stale)), (&json!("edge"), vec![]));
    // Every world counts alike.
    let version = coin(&stale)["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    let fresh = toss(Arc::new(Late { version: version.clone(), side: "heads" })).await;
    assert_eq!((&coin(&fresh)["data"]["side"], refused(&fresh)), (&json!("heads"), vec![]));
    let idle = toss(Arc::new(Late { version, side: "edge" })).await;
    let refused = refused(&idle);
    assert!(refused.len() == 1 && refused[0].starts_with("late: it changes nothing: "), "{refused:?}");
}
