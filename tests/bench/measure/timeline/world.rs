//! A fresh embedded world for each run: that of `berth rehearse`, at the machine's own time, with a slow infrastructure.

use super::{
    super::harness::keeper::{self, file},
    delays::BUILD,
    late::late,
};
use berth::{
    clock::Clock,
    rehearsal::{
        Server, World,
        example::{Credentials, FILES, Given, HEAD, NUMBER},
        gate::Verdict,
        players::{
            Pace, Player,
            cluster_api::ClusterApi,
            environment_players,
            external_dns::{ExternalDns, Policy},
            k3s::{Environment, K3s},
            proxmox::Proxmox,
        },
        serve::Served,
    },
};
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How exactly the world keeps time.
const TICK: Duration = Duration::from_millis(5);

/// See the module. It ends when it is dropped.
pub(super) struct Stage {
    pub(super) served: Served,
    /// With what the users of the example have written.
    pub(super) directory: PathBuf,
    _time: JoinSet<()>,
}

impl Stage {
    /// From here on the image is being built.
    pub(super) async fn set() -> Self {
        let directory = keeper::directory("timeline");
        for (name, text) in FILES {
            let (at, name) = match name.rsplit_once('/') {
                Some((below, name)) => (directory.join(below), name),
                None => (directory.clone(), name),
            };
            std::fs::create_dir_all(&at).unwrap();
            file(&at, name, text);
        }
        let secrets = vec!["ephemeral-clusters/pr-shop-42/secrets".to_owned()];
        let given = Given { vault: secrets, ..Given::default() };
        let mut world = World::example(&Credentials::default(), &given).unwrap();
        // The shell tool leaves an empty pool like this, and cannot begin without it.
        world.vault.put("ephemeral-clusters/ip-allocations", serde_json::Map::new());
        let served = Served::start(world).await.unwrap();
        let all = served.clone();
        // Whoever asks for it by its name is shown a certificate.
        served.gate.rule(move |request| {
            let is_certified = || all.lock().environment.get("secrets", "default", "shop-tls").is_some();
            match request.server {
                Server::App if !is_certified() => Verdict::json(503, &json!({})),
                _ => Verdict::Pass,
            }
        });
        keep_time(&served);
        play(&served);
        let mut time = JoinSet::new();
        time.spawn(pass_time(served.clone()));
        let mut world = served.lock();
        let (kind, built) = ("application/vnd.oci.image.manifest.v1+json", world.now() + BUILD.takes());
        world.registry.push("shop", &format!("pr-{NUMBER}-{HEAD}"), kind, json!({"schemaVersion": 2}), built);
        drop(world);
        Self { served, directory, _time: time }
    }

    /// Nobody was refused anything.
    pub(super) fn refused(&self) -> Vec<String> {
        self.served.lock().refused().to_vec()
    }
}

fn play(served: &Served) {
    let (pace, environment) = (Pace::AT_ONCE, Environment::at(&served.url(Server::Environment)));
    let outside: [Arc<dyn Player>; 3] =
        [Arc::new(ClusterApi), late(Arc::new(Proxmox { pace })), Arc::new(K3s { pace, environment })];
    let dns =
        ExternalDns { pace, owner: "environment".to_owned(), domains: Vec::new(), policy: Policy::Sync };
    let inside = environment_players(pace).into_iter().chain([Arc::new(dns) as Arc<dyn Player>]);
    let mut world = served.lock();
    outside.into_iter().for_each(|player| world.play(player));
    inside.for_each(|player| world.play_in_environments(late(player)));
}

async fn pass_time(served: Served) {
    loop {
        Clock::system().pass(TICK).await;
        keep_time(&served);
    }
}

fn keep_time(served: &Served) {
    let mut world = served.lock();
    let passed = Clock::system().now().duration_since(world.now());
    world.pass_by(passed);
}
