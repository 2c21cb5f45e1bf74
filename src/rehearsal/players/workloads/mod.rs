//! What runs in a cluster: its controllers, its scheduler and its nodes' kubelets, a player for each process.
//!
//! What becomes of a pod stands in its annotations ([`play`]); without any it is ready as soon as its image is pulled and it
//! has started, and completes if it is not to be started again. Conditions, states and events are in the real servers' words.
//! Not played: CronJobs, autoscaling, disruption budgets, quotas and limits as such, resources that nodes have room for,
//! volumes but claims, controller revisions, indexed Jobs, pod failure policies, graceful deletion. A pod is bound by writing
//! its node's name, which a real API server takes from nobody: beside one, [`Controllers`] and [`Scheduler`] stay at home and
//! the real ones work with [`Kubelet`].

mod claims;
mod daemon_sets;
mod deployments;
mod endpoints;
pub(super) mod events;
mod jobs;
mod kubelet;
mod missing;
pub mod play;
mod pods;
mod replica_sets;
mod rollout;
mod scheduler;
mod stateful_sets;
mod statuses;

pub use kubelet::Kubelet;
pub use scheduler::Scheduler;

use super::{Kind, Objects, Pace, Player, Reaction};
use jiff::Timestamp;
use pods::Owned;

pub(super) const POD: Kind = Kind { group: "", version: "v1", kind: "Pod", plural: "pods" };
pub(super) const NODE: Kind = Kind { group: "", version: "v1", kind: "Node", plural: "nodes" };
pub(super) const SERVICE: Kind = Kind { group: "", version: "v1", kind: "Service", plural: "services" };
pub(super) const EVENT: Kind = Kind { group: "", version: "v1", kind: "Event", plural: "events" };
pub(super) const CONFIG_MAP: Kind =
    Kind { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" };
pub(super) const CLAIM: Kind =
    Kind { group: "", version: "v1", kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims" };
const VOLUME: Kind = Kind { group: "", version: "v1", kind: "PersistentVolume", plural: "persistentvolumes" };
pub(super) const STORAGE_CLASS: Kind =
    Kind { group: "storage.k8s.io", version: "v1", kind: "StorageClass", plural: "storageclasses" };
pub(super) const DEPLOYMENT: Kind =
    Kind { group: "apps", version: "v1", kind: "Deployment", plural: "deployments" };
const REPLICA_SET: Kind = Kind { group: "apps", version: "v1", kind: "ReplicaSet", plural: "replicasets" };
pub(super) const STATEFUL_SET: Kind =
    Kind { group: "apps", version: "v1", kind: "StatefulSet", plural: "statefulsets" };
pub(super) const DAEMON_SET: Kind =
    Kind { group: "apps", version: "v1", kind: "DaemonSet", plural: "daemonsets" };
pub(super) const JOB: Kind = Kind { group: "batch", version: "v1", kind: "Job", plural: "jobs" };
const ENDPOINTS: Kind = Kind { group: "", version: "v1", kind: "Endpoints", plural: "endpoints" };
const ENDPOINT_SLICE: Kind =
    Kind { group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice", plural: "endpointslices" };

/// kube-controller-manager, and the provisioner of volumes.
#[derive(Debug, Clone)]
pub struct Controllers {
    /// How long it lets pass before it tries again.
    pub pace: Pace,
}

impl Controllers {
    /// As they sign what they change.
    pub const NAME: &str = "kube-controller-manager";
}

impl Player for Controllers {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn watches(&self) -> &'static [Kind] {
        &[
            DEPLOYMENT,
            REPLICA_SET,
            STATEFUL_SET,
            DAEMON_SET,
            JOB,
            POD,
            NODE,
            CLAIM,
            VOLUME,
            STORAGE_CLASS,
            SERVICE,
            ENDPOINTS,
            ENDPOINT_SLICE,
            EVENT,
        ]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut look = Look {
            pace: self.pace,
            objects,
            pods: Owned::of(objects.all(POD)),
            sets: Owned::of(objects.all(REPLICA_SET)),
            now,
            reaction: Reaction::default(),
        };
        deployments::react(&mut look);
        replica_sets::react(&mut look);
        stateful_sets::react(&mut look);
        daemon_sets::react(&mut look);
        jobs::react(&mut look);
        claims::react(&mut look);
        endpoints::react(&mut look);
        look.reaction
    }
}

/// One look of the controllers.
struct Look<'a> {
    pace: Pace,
    objects: &'a Objects<'a>,
    pods: Owned<'a>,
    sets: Owned<'a>,
    now: Timestamp,
    reaction: Reaction,
}
