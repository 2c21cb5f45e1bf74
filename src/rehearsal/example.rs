//! A world as a small team has it: a management cluster with Cluster API on Proxmox, Vault, GitHub with one repository and one
//! pull request, a zone in DNS, a registry.
//!
//! `berth rehearse` begins here, and so do the stories of the tests. Must never: know anything of berth but what any user
//! would set up for it.

use super::{
    Server, World,
    github::{Grant as Token, Opening},
    kv::Grant,
    play::Playing,
    players::{
        Pace, Player,
        argo_cd::ArgoCd,
        cluster_api::ClusterApi,
        environment_players,
        external_dns::{ExternalDns, Policy},
        k3s::{Environment, K3s},
        proxmox::Proxmox,
        saboteur::Saboteur,
        workloads::Controllers,
    },
    serve::Served,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The repository of the built-in example.
pub const REPOSITORY: &str = "acme/shop";
/// Its pull request.
pub const NUMBER: u64 = 42;
/// Its commit.
pub const HEAD: &str = "9f2c1abd3e4f5061728394a5b6c7d8e9f0a1b2c3";
/// Where berth keeps its documents, if it keeps them in Kubernetes.
pub const NAMESPACE: &str = "berth";

/// What the users of the example have written: each file's name and text.
pub const FILES: [(&str, &str); 5] = [
    ("platform.yaml", include_str!("example/platform.yaml")),
    ("berth.yaml", include_str!("example/berth.yaml")),
    ("resources/issuer.yaml", include_str!("example/resources/issuer.yaml")),
    ("app/shop.yaml", include_str!("example/app/shop.yaml")),
    ("tests.yaml", include_str!("example/tests.yaml")),
];

/// What is to be in the world beside its servers.
#[derive(Debug, Clone)]
pub struct Given {
    /// The repository.
    pub repository: String,
    /// Its pull request, which is open.
    pub number: u64,
    /// Its commit.
    pub head: String,
    /// Below which domain environments have their names.
    pub domain: String,
    /// Secrets of the management cluster: namespace and name.
    pub secrets: Vec<(String, String)>,
    /// Secrets in Vault, by their paths.
    pub vault: Vec<String>,
    /// Images that are in their registry: repository and tag.
    pub images: Vec<(String, String)>,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            repository: REPOSITORY.to_owned(),
            number: NUMBER,
            head: HEAD.to_owned(),
            domain: "preview.example.com".to_owned(),
            secrets: vec![("dev".to_owned(), "proxmox-credentials".to_owned())],
            vault: Vec::new(),
            images: Vec::new(),
        }
    }
}

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
    /// See the module; nobody plays so far.
    pub fn example(credentials: &Credentials, given: &Given) -> Result<Self, String> {
        let mut world = Self::default();
        world.vault.add_token(&credentials.vault, Grant::default());
        for path in &given.vault {
            let document = json!({"username": "rehearsal", "password": "not-a-secret"});
            world.vault.put(path, document.as_object().cloned().unwrap_or_default());
        }
        world.kubernetes.add_namespace(NAMESPACE);
        world.kubernetes.add_namespace("argocd");
        for (namespace, name) in &given.secrets {
            world.kubernetes.add_namespace(namespace);
            let data = json!({"url": "aHR0cHM6Ly9wcm94bW94LmV4YW1wbGU6ODAwNg==", "token": "b3BzQHB2ZSFjYXBp", "secret": "bm90LW9uZQ=="});
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": name, "namespace": namespace}, "data": data,
            });
            world.kubernetes.put("secrets", namespace, name, secret);
        }
        for (repository, tag) in &given.images {
            let (kind, now) = ("application/vnd.oci.image.manifest.v1+json", world.now);
            world.registry.push(repository, tag, kind, json!({"schemaVersion": 2}), now);
        }
        world.zone.servers = vec![(format!("ns.{}", given.domain), std::net::Ipv4Addr::LOCALHOST.into())];
        world.zone.apex = given.domain.clone();
        world.define()?;
        world.github.add_repository(&given.repository)?.last_number = given.number.saturating_sub(1);
        let grant = Token::app("berth", &[given.repository.as_str()]).may_all();
        world.github.add_token(&credentials.github, grant);
        world.github.open(&given.repository, Opening::new("ada", "cart", &given.head))?;
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
                let is_inside = name.ends_with(".externaldns.k8s.io");
                let server = if is_inside { &mut self.environment } else { &mut self.kubernetes };
                server.put(resource, "", name, definition.clone());
            }
        }
        self.kubernetes.settle();
        self.environment.settle();
        self.live_on_machines();
        Ok(())
    }
}

impl Served {
    /// Lets all play who make environments real.
    pub fn play(&self, pace: Pace) {
        self.play_where(pace, Environment::at(&self.url(Server::Environment)));
    }

    /// The same, with environments that are reached so.
    pub fn play_where(&self, pace: Pace, environment: Environment) {
        let players: [Arc<dyn Player>; 3] =
            [Arc::new(ClusterApi), Arc::new(Proxmox { pace }), Arc::new(K3s { pace, environment })];
        let inside = environment_players(pace);
        let dns =
            ExternalDns { pace, owner: "environment".to_owned(), domains: Vec::new(), policy: Policy::Sync };
        let mut world = self.lock();
        players.into_iter().for_each(|player| world.play(player));
        world.play(Arc::new(ArgoCd::default()));
        world.play_in_environments(Arc::new(dns));
        inside.into_iter().for_each(|player| world.play_in_environments(player));
    }
}

impl World {
    /// Lets a step fail from now on, as it does in real life; what fails for lack of something given is left out of
    /// [`Given`] instead.
    pub fn fail(&mut self, step: &str) {
        match step {
            "operators" => self.begin_with(Saboteur::Operators),
            "deploy" => self.begin_with(Saboteur::App),
            "tests" => self.begin_with(Saboteur::Jobs),
            "dns" => self.leave("external-dns"),
            "resources" => self.leave("cert-manager"),
            "health" => self.is_app_down = true,
            _ => {}
        }
    }

    /// Before all others, and once more before pods are made, of what they have made of charts: what it does must be there
    /// when it is looked at.
    pub fn begin_with(&mut self, saboteur: Saboteur) {
        let playing = Playing::new(Server::Environment, Arc::new(saboteur));
        let controllers = self.players.iter().position(|one| one.name() == Controllers::NAME);
        self.players.insert(controllers.unwrap_or(0), playing.clone());
        self.players.insert(0, playing);
    }

    fn leave(&mut self, player: &str) {
        self.players.retain(|one| one.name() != player);
    }
}
