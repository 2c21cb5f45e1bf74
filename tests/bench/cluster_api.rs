//! What the real Cluster API makes of the original template, as berth's client applies it, beside the players of the
//! providers that are on no single machine.

use crate::{
    bed::crypto,
    environment::{comes_and_goes, original},
    harness::{
        cluster_api,
        control_plane::ControlPlane,
        players::{self, NoRecords, Running},
    },
};
use berth::rehearsal::players::{
    Pace, Player,
    k3s::{Environment, K3s},
    proxmox::Proxmox,
};
use kube::api::PostParams;
use std::{fs, sync::Arc};

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
    // Other facts have players and environments of their own.
    players::run(players, &here, &namespace(), Some(&there), &records)
}

fn namespace() -> String {
    original()[0]["metadata"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_the_original_template_becomes_available_and_goes_without_a_trace() {
    crypto();
    let (management, environment) = (cluster_api::management().await, cluster_api::environment().await);
    let playing = on_proxmox(management, environment).await;
    let (here, there) = (management.client("berth").await, environment.client("bench").await);
    comes_and_goes(here, there, || playing.refused()).await;
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
