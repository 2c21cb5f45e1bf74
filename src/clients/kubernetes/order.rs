//! In which order the objects of a bundle are applied. Pure.
//!
//! What stands in one stage is applied side by side, and a stage begins when all before it are written. What names
//! another object may come before it (Kubernetes settles that), unless a server or controller would refuse it or undo it
//! meanwhile. Must never: depend on the order in which the bundle was written.

use super::manifest::{Manifest, group};

/// One after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What others live in, and what gives others their kinds.
    Ground,
    /// What others are judged by when they come to be: accounts, roles (nobody may bind what is not there), limits,
    /// classes.
    Rules,
    /// What workloads start with: bindings, configuration, addresses, storage. A token's Secret without its account
    /// would be deleted.
    Supplies,
    /// What runs.
    Workloads,
    /// What others define, and all that is not told apart: objects of CRDs, Ingresses, autoscalers.
    Rest,
    /// What judges everything else from then on, through workloads that come up only now.
    Gates,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Self; 6] =
        [Self::Ground, Self::Rules, Self::Supplies, Self::Workloads, Self::Rest, Self::Gates];

    /// Of an object, by its group and kind: others may well call theirs a `Service` too.
    pub fn of(manifest: &Manifest) -> Self {
        let name = manifest.name();
        match (group(&name.api_version), name.kind.as_str()) {
            ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Ground,
            ("", "ServiceAccount" | "ResourceQuota" | "LimitRange" | "PersistentVolume")
            | ("rbac.authorization.k8s.io", "Role" | "ClusterRole")
            | ("scheduling.k8s.io", _)
            | ("storage.k8s.io", _)
            | ("node.k8s.io", _)
            | ("networking.k8s.io", "IngressClass" | "NetworkPolicy") => Self::Rules,
            ("", "ConfigMap" | "Secret" | "Service" | "PersistentVolumeClaim")
            | ("rbac.authorization.k8s.io", _)
            | ("policy", _) => Self::Supplies,
            ("", "Pod" | "ReplicationController") | ("apps", _) | ("batch", _) => Self::Workloads,
            ("admissionregistration.k8s.io", _) | ("apiregistration.k8s.io", _) => Self::Gates,
            _ => Self::Rest,
        }
    }
}
