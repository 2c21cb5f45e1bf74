//! `berth sweep --dry-run` over ever more environments, ten times as many each time: what one of them costs must not grow.
//!
//! Each has a claim, an open pull request, a Namespace and a Cluster, and the first ones have addresses; beside them lie histories of
//! environments that have ended. A few are past their time. It is read by the real binary from real servers, the pull requests
//! from the embedded GitHub. Nothing acts on the Clusters, whose kind is one of our own here.

use super::{
    cost::{self, Cost},
    harness::{
        control_plane::ControlPlane,
        keeper::{self, file},
        openbao::OpenBao,
        proxy::{self, Proxy},
    },
};
use berth::{
    clients::vault::{self, Access, Auth, Vault},
    clock::Clock,
    documents::{Document, Key, Store},
    domain::{
        claim::{Claim, ObjectName, ProviderKind, Removal, Reported},
        holder::Holder,
        names::EnvironmentName,
        pool::Block,
    },
    rehearsal::{
        Server, World,
        gate::Verdict,
        github::{Grant, Opening},
        serve::Served,
    },
    stores::{kubernetes::KubernetesStore, vault::VaultStore},
};
use futures::{StreamExt as _, stream};
use hyper::Request;
use jiff::SignedDuration;
use kube::Client;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    net::Ipv4Addr,
    num::NonZeroU8,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Each a part of the next.
const SIZES: [usize; 3] = [100, 1_000, 10_000];
const ROUNDS: usize = 3;
const REPOSITORIES: usize = 10;
/// Of so many claims, the first two are past their lifetime, and the next two are of closed pull requests.
const EXPIRED: usize = 2;
const OVER: usize = 4;
/// So many have addresses: OpenBao takes no document of more than a thousand texts, so no larger pool either.
const WITH_ADDRESSES: usize = 200;
/// One in so many has ended, and left its history.
const ENDED: usize = 10;
/// Requests under way while the servers are filled.
const SIDE_BY_SIDE: usize = 32;
const TOKEN: &str = "ghs_measured";
const HEAD: &str = "9f2c1ab09f2c1ab09f2c1ab09f2c1ab09f2c1ab0";

const PLATFORM: &str = "\
version: 1
store: STORE
pools: {lab: {range: 10.64.0.0/16}}
providers:
  k3s:
    kind: capi-k3s
    pool: lab
    kubernetes: {context: bench}
    network: {gateway: 10.64.0.1, prefix: 16, dns: [10.64.0.2]}
    machine: {vm-ids: 1000-49999}
";

/// The servers, as full as they are.
struct Bed {
    vault: OpenBao,
    plane: ControlPlane,
    served: Served,
    stores: [(&'static str, Arc<dyn Store>); 2],
    directory: PathBuf,
    client: Client,
}

/// What one size came to in one store.
struct Swept {
    costs: Vec<(Cost, u64)>,
    /// To Vault, to the API server, to GitHub.
    requests: [usize; 3],
}

/// It prints what it finds: there is nothing beside it.
pub(crate) async fn measure() {
    let (bed, clock) = (Bed::start().await, Clock::system());
    println!(
        "\n| `sweep --dry-run` of | store | wall | CPU | for each | peak memory | requests to Vault, API server, GitHub |\n\
         |--:|---|--:|--:|--:|--:|--:|"
    );
    let mut from = 0;
    for size in SIZES {
        let began = clock.now();
        bed.fill(from..size).await;
        let took = began.duration_until(clock.now()).as_secs_f64();
        eprintln!("from {from} to {size} environments: filled in {took:.1} s");
        from = size;
        for (store, _) in &bed.stores {
            let Swept { costs, requests: [vault, api_server, github] } = bed.sweep(store, size).await;
            let mut walls: Vec<f64> = costs.iter().map(|(cost, _)| cost.wall).collect();
            walls.sort_by(f64::total_cmp);
            let wall = walls[walls.len() / 2];
            let cpu = costs.iter().map(|(cost, _)| cost.cpu).sum::<f64>() / costs.len() as f64;
            let peak = costs.iter().map(|(_, peak)| *peak).max().unwrap() as f64 / 1024.0;
            println!(
                "| {size} | {store} | {wall:.0} ms | {cpu:.0} ms | {:.2} ms | {peak:.0} MiB | {vault}, {api_server}, {github} |",
                wall / size as f64
            );
        }
    }
}

impl Bed {
    async fn start() -> Self {
        let (vault, plane) = tokio::join!(OpenBao::start(), ControlPlane::quiet("swept"));
        vault.root(Method::POST, "sys/mounts/kv", json!({"type": "kv", "options": {"version": "2"}})).await;
        let cluster = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "clusters.cluster.x-k8s.io"},
            "spec": {
                "group": "cluster.x-k8s.io", "scope": "Namespaced",
                "names": {"kind": "Cluster", "listKind": "ClusterList", "plural": "clusters", "singular": "cluster"},
                "versions": [{"name": "v1beta2", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }}}],
            },
        });
        let application = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "applications.argoproj.io", "annotations": {"api-approved.kubernetes.io": "unapproved"}},
            "spec": {
                "group": "argoproj.io", "scope": "Namespaced",
                "names": {"kind": "Application", "listKind": "ApplicationList", "plural": "applications", "singular": "application"},
                "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }}}],
            },
        });
        let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "berth"}});
        let all = json!({"apiVersion": "v1", "kind": "List", "items": [cluster, application, own]});
        plane.kubectl(&["create", "-f", "-"], &all.to_string());
        plane.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"], "");
        // A young kind is refused for a second; kubectl asks again.
        plane.kubectl(&["get", "clusters,applications", "--all-namespaces"], "");

        let mut world = World::default();
        let repositories: Vec<String> = (0..REPOSITORIES).map(repository).collect();
        for one in &repositories {
            world.github.add_repository(one).unwrap();
        }
        let names: Vec<&str> = repositories.iter().map(String::as_str).collect();
        world.github.add_token(TOKEN, Grant::app("berth", &names).may_all());
        let served = Served::start(world).await.unwrap();

        let auth = Auth::Token(vault.root.clone().into());
        let access =
            Access { address: vault.url.clone(), namespace: None, ca: None, auth, timeout: vault::TIMEOUT };
        let in_vault = Vault::new(access, Clock::system(), "fill").unwrap();
        let client = plane.client("fill").await;
        let stores: [(_, Arc<dyn Store>); 2] = [
            ("vault", Arc::new(VaultStore::new(in_vault, "kv", "ephemeral-clusters"))),
            (
                "kubernetes",
                Arc::new(KubernetesStore::new(client.clone(), "berth".to_owned(), vault::TIMEOUT)),
            ),
        ];
        let directory = keeper::directory("sweep");
        for (store, named) in [
            ("vault", "{vault: {mount: kv, path: ephemeral-clusters}}"),
            ("kubernetes", "{kubernetes: {namespace: berth, context: bench}}"),
        ] {
            file(&directory, &format!("{store}.yaml"), &PLATFORM.replace("STORE", named));
        }
        Self { vault, plane, served, stores, directory, client }
    }

    /// With these more, side by side.
    async fn fill(&self, numbers: std::ops::Range<usize>) {
        {
            let mut world = self.served.lock();
            for number in numbers.clone() {
                let (repository, branch) = (repository(number), format!("branch-{number}"));
                let pull = world.github.open(&repository, Opening::new("ada", &branch, HEAD)).unwrap();
                assert_eq!(holder(number), pull_request(&repository, pull));
                if (EXPIRED..OVER).contains(&number) {
                    world.github.close(&repository, pull, "ada").unwrap();
                }
            }
        }
        let mut pool = Document::new();
        for number in 0..numbers.end.min(WITH_ADDRESSES) {
            let name = json!(holder(number).name());
            pool.extend(block(number).addresses().map(|address| (address.to_string(), name.clone())));
        }
        for (_, store) in &self.stores {
            let create = store.read(&Key::Claim("nobody".parse().unwrap())).await.unwrap().version().clone();
            let documents = numbers.clone().flat_map(|number| {
                let claim = serde_json::to_value(claim(number)).unwrap();
                let ended =
                    (number % ENDED == 0).then(|| (Key::History(ended(number)), json!({"schema": 1})));
                [(Key::Claim(holder(number).name()), claim)].into_iter().chain(ended)
            });
            let writes = documents.map(|(key, document)| {
                let (store, create) = (store.clone(), &create);
                async move { store.write(&key, document.as_object().unwrap(), create).await.unwrap() }
            });
            stream::iter(writes).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await;
            let before = store.read(&Key::Pool).await.unwrap();
            store.write(&Key::Pool, &pool, before.version()).await.unwrap();
        }
        for made in [namespace, cluster] {
            let writes = numbers.clone().map(|number| {
                let (path, object) = made(&holder(number).name());
                let request = Request::post(path).header("content-type", "application/json");
                let request = request.body(object.to_string().into_bytes()).unwrap();
                let client = self.client.clone();
                async move { drop(client.request::<Value>(request).await.unwrap()) }
            });
            stream::iter(writes).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await;
        }
    }

    /// Some timed, and one more whose requests are counted on the way.
    async fn sweep(&self, store: &str, size: usize) -> Swept {
        let timed = |kubeconfig: &Path, vault: &str| {
            let mut berth = cost::program(env!("CARGO_BIN_EXE_berth"));
            berth
                .args(["sweep", "--dry-run", "--platform"])
                .arg(self.directory.join(format!("{store}.yaml")));
            berth.env("HOME", &self.directory).env("KUBECONFIG", kubeconfig);
            berth.env("VAULT_ADDR", vault).env("VAULT_TOKEN", &self.vault.root);
            berth.env("GITHUB_API_URL", self.served.url(Server::GitHub)).env("GITHUB_TOKEN", TOKEN);
            // So that nobody is told to wait for asking too often.
            self.served.lock().pass(3600);
            let (cost, peak, said) = tokio::task::block_in_place(|| cost::with_peak(&mut berth));
            let read = format!(
                "{size} claims, {} objects, {} pool entries, {} open",
                2 * size,
                2 * size.min(WITH_ADDRESSES),
                size - (OVER - EXPIRED)
            );
            assert!(said.contains(&read) && said.contains(&format!("\n{OVER} removals")), "{read}\n{said}");
            (cost, peak)
        };
        let costs = (0..ROUNDS).map(|_| timed(&self.plane.kubeconfig, &self.vault.url)).collect();
        let counts = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let counted = |count: &Arc<AtomicUsize>| {
            let count = count.clone();
            move |_: &Request<hyper::body::Incoming>| {
                count.fetch_add(1, Ordering::Relaxed);
                Verdict::Pass
            }
        };
        let vault = Proxy::start(&self.vault.url, proxy::plain(), counted(&counts[0])).await;
        let trusting = proxy::trusting(&self.plane.authority);
        let plane = Proxy::start(&self.plane.url, trusting, counted(&counts[1])).await;
        let config = std::fs::read_to_string(&self.plane.kubeconfig).unwrap();
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["clusters"][0]["cluster"] = json!({"server": plane.url});
        let kubeconfig = file(&self.directory, "counted.kubeconfig", &config.to_string());
        let before = self.served.gate.log().len();
        timed(&kubeconfig, &vault.url);
        let github = self.served.gate.log().len() - before;
        let [vault, api_server] = counts.map(|count| count.load(Ordering::Relaxed));
        Swept { costs, requests: [vault, api_server, github] }
    }
}

fn repository(number: usize) -> String {
    format!("acme/shop-{}", number % REPOSITORIES)
}

fn pull_request(repository: &str, number: u64) -> Holder {
    Holder::PullRequest(format!("{repository}#{number}").parse().unwrap())
}

fn holder(number: usize) -> Holder {
    pull_request(&repository(number), (number / REPOSITORIES + 1) as u64)
}

fn ended(number: usize) -> EnvironmentName {
    format!("pr-ended-{number}").parse().unwrap()
}

/// The API server's address, and the machine's.
fn block(number: usize) -> Block {
    let first = Ipv4Addr::new(10, 64, 0, 16).to_bits() + 2 * number as u32;
    Block::new(Ipv4Addr::from_bits(first), NonZeroU8::MIN.saturating_add(1)).unwrap()
}

fn claim(number: usize) -> Claim {
    let (holder, now, hour) = (holder(number), Clock::system().now(), SignedDuration::from_hours(1));
    let objects = [namespace(&holder.name()).1, cluster(&holder.name()).1];
    let removal = Removal {
        provider: ProviderKind::CapiK3s,
        context: Some("bench".parse().unwrap()),
        objects: objects.iter().map(ObjectName::of).collect(),
        elsewhere: vec![],
        hosts: vec![],
    };
    let begun = now - 2 * hour;
    let (uid, run) = (format!("uid-{number}").parse().unwrap(), format!("run-{number}").parse().unwrap());
    let life = if number < EXPIRED { hour } else { 72 * hour };
    let claim = Claim::first(holder, (uid, run), Some(HEAD.parse().unwrap()), removal, begun, life);
    let mut claim = claim.held((number < WITH_ADDRESSES).then(|| block(number))).unwrap();
    if (EXPIRED..OVER).contains(&number) {
        claim = claim.closed(begun).unwrap();
    }
    let reported = Reported {
        outcome: "ready".to_owned(),
        by: claim.generation(),
        head: claim.head().cloned(),
        at: begun,
        tests: None,
        counted: None,
        took: 192,
        phases: vec![],
    };
    claim.reporting(reported)
}

/// Where it is made, and as what.
fn namespace(name: &EnvironmentName) -> (String, Value) {
    let metadata = json!({"name": name, "labels": labels(name)});
    ("/api/v1/namespaces".to_owned(), json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
}

fn cluster(name: &EnvironmentName) -> (String, Value) {
    let metadata = json!({"name": name, "namespace": name, "labels": labels(name)});
    let spec = json!({
        "clusterNetwork": {"pods": {"cidrBlocks": ["10.42.0.0/16"]}, "services": {"cidrBlocks": ["10.43.0.0/16"]}},
        "controlPlaneEndpoint": {"host": "10.64.0.1", "port": 6443},
        "controlPlaneRef": {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KThreesControlPlane", "name": name},
        "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "ProxmoxCluster", "name": name},
    });
    let object = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": metadata, "spec": spec});
    (format!("/apis/cluster.x-k8s.io/v1beta2/namespaces/{name}/clusters"), object)
}

fn labels(name: &EnvironmentName) -> Value {
    json!({"berth.dev/environment": name, "berth.dev/generation": "1"})
}
