//! A world as a small team has it: a management cluster with Cluster API on Proxmox, Vault, GitHub with one repository and one
//! pull request, a zone in DNS, a registry.
//!
//! `berth rehearse` begins here, and so do the stories of the tests. Must never: know anything of berth but what any user
//! would set up for it.

use super::{
    Server, World,
    github::{Grant as Token, Opening},
    kv::Grant,
    players::{
        Pace, Player,
        cluster_api::ClusterApi,
        k3s::{Environment, K3s},
        proxmox::Proxmox,
    },
    serve::Served,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The repository.
pub const REPOSITORY: &str = "acme/shop";
/// Its pull request.
pub const NUMBER: u64 = 42;
/// Where berth keeps its documents, if it keeps them in Kubernetes.
pub const NAMESPACE: &str = "berth";

/// What the servers' definitions are: the real fields as far as berth and the players touch them.
const DEFINITIONS: [&str; 7] = [
    include_str!("../../tests/bench/crds/proxmox.yaml"),
    include_str!("../../tests/bench/crds/k3s.yaml"),
    include_str!("../../tests/bench/crds/flux.yaml"),
    include_str!("../../tests/bench/crds/metal3.yaml"),
    include_str!("../../tests/bench/crds/external-dns.yaml"),
    include_str!("../../tests/bench/crds/external-secrets.yaml"),
    include_str!("../../tests/bench/crds/argo-cd.yaml"),
];

/// Who may do what.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// In Vault.
    pub vault: String,
    /// On GitHub.
    pub github: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self { vault: "hvs.rehearsal".to_owned(), github: "ghs_rehearsal".to_owned() }
    }
}

impl World {
    /// See the module; nobody plays so far. `head` is the pull request's commit.
    pub fn example(credentials: &Credentials, head: &str) -> Result<Self, String> {
        let mut world = Self::default();
        world.vault.add_token(&credentials.vault, Grant::default());
        world.kubernetes.add_namespace(NAMESPACE);
        world.kubernetes.add_namespace("dev");
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "proxmox-credentials", "namespace": "dev"},
            "data": {"url": "aHR0cHM6Ly9wcm94bW94LmV4YW1wbGU6ODAwNg==", "token": "b3BzQHB2ZSFjYXBp", "secret": "bm90LW9uZQ=="},
        });
        world.kubernetes.put("secrets", "dev", "proxmox-credentials", secret);
        world.define()?;
        world.github.add_repository(REPOSITORY)?.last_number = NUMBER - 1;
        world.github.add_token(&credentials.github, Token::app("berth", &[REPOSITORY]).may_all());
        world.github.open(REPOSITORY, Opening::new("ada", "cart", head))?;
        Ok(world)
    }

    fn define(&mut self) -> Result<(), String> {
        for (kind, plural) in [("Cluster", "clusters"), ("Machine", "machines")] {
            self.kubernetes.add_kind(&format!("{plural}.cluster.x-k8s.io"), "v1beta2", kind, true);
        }
        for text in DEFINITIONS {
            let all: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
            for definition in all {
                let name = definition["metadata"]["name"].as_str().unwrap_or_default();
                let resource = "customresourcedefinitions.apiextensions.k8s.io";
                self.kubernetes.put(resource, "", name, definition.clone());
            }
        }
        self.kubernetes.settle();
        Ok(())
    }
}

impl Served {
    /// Lets all play who make environments real.
    pub fn play(&self, pace: Pace) {
        let environment = Environment::at(&self.url(Server::Environment));
        let players: [Arc<dyn Player>; 3] =
            [Arc::new(ClusterApi), Arc::new(Proxmox { pace }), Arc::new(K3s { pace, environment })];
        let mut world = self.lock();
        players.into_iter().for_each(|player| world.play(player));
    }
}
