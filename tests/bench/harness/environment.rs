//! An environment's own cluster: a control plane whose only node is the machine that Cluster API brings up, with a kwok for
//! its kubelet, and the players of what is on no single machine.
//!
//! It is there before its machine, but nobody is told the way in before that. When it is dropped it ends, as it would with its
//! machine: what berth leaves in it is nobody's business.

use super::{
    control_plane::ControlPlane,
    dns::Dns,
    players::{self, NoRecords, Records, Running},
    workloads::Workloads,
};
use berth::rehearsal::players::{
    Change, Kind, Objects, Pace, Player, Reaction,
    external_dns::{ExternalDns, Policy},
    helm::HelmController,
    k3s::{self, K3s},
    k3s_server::K3sServer,
    proxmox::Proxmox,
};
use jiff::Timestamp;
use std::{fs, sync::Arc};

/// See the module.
pub(crate) struct Environment {
    pub(crate) plane: ControlPlane,
    pub(crate) workloads: Workloads,
    outside: Running,
    inside: Running,
}

impl Environment {
    /// Of the Cluster in this namespace of the management cluster, with its names in this zone.
    pub(crate) async fn of(
        namespace: &str,
        management: &ControlPlane,
        dns: &'static Dns,
        zone: &str,
    ) -> Self {
        let plane = ControlPlane::start(namespace).await;
        let workloads = Workloads::without_nodes(&plane).await;
        let (pace, authority) = (Pace::AT_ONCE, plane.authority.pem());
        // k3s makes an authority for each cluster. The core asks only that there is a key.
        let environment = k3s::Environment {
            kubeconfig: fs::read_to_string(&plane.kubeconfig).unwrap(),
            key: authority.clone(),
            certificate: authority,
        };
        let (here, there) = (management.client("players").await, plane.client("players").await);
        let k3s = WithoutKubelets(K3s { pace, environment });
        let players: Vec<Arc<dyn Player>> = vec![Arc::new(Proxmox { pace }), Arc::new(k3s)];
        let no_records = Arc::new(NoRecords) as Arc<dyn Records>;
        let outside = players::run(players, &here, namespace, Some(&there), &no_records);
        let names = ExternalDns {
            pace,
            owner: namespace.to_owned(),
            domains: vec![zone.to_owned()],
            policy: Policy::Sync,
        };
        let players: Vec<Arc<dyn Player>> =
            vec![Arc::new(K3sServer), Arc::new(HelmController { pace }), Arc::new(names)];
        let inside = players::run(players, &there, "", None, &(Arc::new(dns) as Arc<dyn Records>));
        Self { plane, workloads, outside, inside }
    }

    /// What the API servers would not have of the players.
    pub(crate) fn refused(&self) -> Vec<String> {
        [self.outside.refused(), self.inside.refused()].concat()
    }
}

/// A node is registered without a word about its state: here a kwok is the kubelet, and says it.
struct WithoutKubelets(K3s);

impl Player for WithoutKubelets {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn watches(&self) -> &'static [Kind] {
        self.0.watches()
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = self.0.react(objects, now);
        for change in &mut reaction.changes {
            if let Change::Join(_, node) = change {
                let status = node["status"].as_object_mut().unwrap();
                status.retain(|field, _| !matches!(field.as_str(), "conditions" | "addresses"));
            }
        }
        reaction
    }
}
