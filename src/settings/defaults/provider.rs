//! The numbers of the cluster that the shell tool of old makes.

use super::super::{
    amounts::{Bytes, Cidr, Prefix, VmIds},
    app_values::{ObjectName, Release},
    provider_values::{
        DiskFormat, ImageReference, LabelKey, LabelValue, NetworkModel, ServerVersion, TokenRole,
    },
    values::Namespace,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{net::Ipv4Addr, num::NonZeroU32};

/// The version of k3s.
pub(in crate::settings) fn k3s() -> ServerVersion {
    "v1.30.6+k3s1".parse().expect("a release of k3s")
}

/// The gateway of the pool's network.
pub(in crate::settings) const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
/// How many bits name that network.
pub(in crate::settings) const PREFIX: Prefix = Prefix::new(24).expect("at most 32 bits");
/// The metric of the route through the gateway.
pub(in crate::settings) const METRIC: u32 = 100;
/// The machines' resolver.
pub(in crate::settings) const NODE_DNS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
/// Where the environment's API server listens.
pub(in crate::settings) const API_SERVER: u16 = 6443;

/// The network of pods.
pub(in crate::settings) fn pods() -> Cidr {
    "10.244.0.0/16".parse().expect("a network")
}
/// The network of services.
pub(in crate::settings) fn services() -> Cidr {
    "10.96.0.0/12".parse().expect("a network")
}

/// The node of Proxmox that machines run on.
pub(in crate::settings) const NODE: &str = "node03";
/// The template's id.
pub(in crate::settings) const TEMPLATE: u32 = 9004;
/// Whether the template's disk is copied.
pub(in crate::settings) const FULL_CLONE: bool = true;
/// Cores of each socket.
pub(in crate::settings) const CORES: NonZeroU32 = NonZeroU32::new(4).expect("four is not zero");
/// Sockets.
pub(in crate::settings) const SOCKETS: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");
/// Memory.
pub(in crate::settings) const MEMORY: Bytes = Bytes::gibibytes(16);
/// How many per cent of a node's memory all machines may have; 0 is no limit.
pub(in crate::settings) const MEMORY_ADJUSTMENT: u32 = 0;
/// The size of the disk.
pub(in crate::settings) const DISK: Bytes = Bytes::gibibytes(20);
/// Which disk of the template that is.
pub(in crate::settings) const DISK_DEVICE: &str = "scsi0";
/// How the disk is kept.
pub(in crate::settings) const DISK_FORMAT: DiskFormat = DiskFormat::Qcow2;
/// The bridge of the network.
pub(in crate::settings) const BRIDGE: &str = "vmbr0";
/// The network card.
pub(in crate::settings) const NETWORK_MODEL: NetworkModel = NetworkModel::Virtio;
/// The template of old tells nobody when cloud-init is done.
pub(in crate::settings) const WAIT_FOR_CLOUD_INIT: bool = false;
/// The template of old has no agent.
pub(in crate::settings) const WAIT_FOR_GUEST_AGENT: bool = false;

/// The ids that machines may get.
pub(in crate::settings) fn vm_ids() -> VmIds {
    "401-450".parse().expect("fifty ids")
}
/// The Secret with which Proxmox is asked.
pub(in crate::settings) fn credentials() -> ObjectName {
    "proxmox-credentials".parse().expect("a label of letters")
}
/// The label by which the management cluster's external-secrets finds the namespace of an environment.
pub(in crate::settings) fn namespace_label() -> (LabelKey, LabelValue) {
    ("cluster-secrets".parse().expect("a label"), "true".parse().expect("a word"))
}

/// The image of what announces the first address of a block.
pub(in crate::settings) fn kube_vip() -> ImageReference {
    "ghcr.io/kube-vip/kube-vip:v0.8.7".parse().expect("a reference with a tag")
}
/// How long its leader leads without renewing.
pub(in crate::settings) const VIP_LEASE: SignedDuration = SignedDuration::from_secs(15);
/// By when the leader must have renewed.
pub(in crate::settings) const VIP_RENEW: SignedDuration = SignedDuration::from_secs(10);
/// How long between two tries.
pub(in crate::settings) const VIP_RETRY: SignedDuration = SignedDuration::from_secs(2);

/// The Secret of an environment's token of Vault.
pub(in crate::settings) fn vault_token() -> ObjectName {
    "vault-token".parse().expect("a label of letters")
}
/// The role by which that token is made.
pub(in crate::settings) fn token_role() -> TokenRole {
    "berth-environment".parse().expect("a word of letters")
}
/// What a PostgreSQL is called.
pub(in crate::settings) fn postgres() -> ObjectName {
    "postgres".parse().expect("a label of letters")
}
/// How many servers.
pub(in crate::settings) const POSTGRES_INSTANCES: NonZeroU32 = NonZeroU32::MIN;
/// The size of each one's disk.
pub(in crate::settings) const POSTGRES_STORAGE: Bytes = Bytes::gibibytes(1);
/// The database.
pub(in crate::settings) const POSTGRES_DATABASE: &str = "app";
/// Whose the database is.
pub(in crate::settings) const POSTGRES_OWNER: &str = "app";

/// The namespace of Argo CD.
pub(in crate::settings) fn argo_cd() -> Namespace {
    "argocd".parse().expect("a label of letters")
}
/// The project of Applications.
pub(in crate::settings) const ARGO_CD_PROJECT: &str = "default";

/// A chart that needs no more than its name.
pub(in crate::settings) struct KnownChart {
    pub(in crate::settings) name: &'static str,
    pub(in crate::settings) repo: &'static str,
    pub(in crate::settings) version: &'static str,
    pub(in crate::settings) namespace: &'static str,
}

/// The operator of PostgreSQL.
pub(in crate::settings) const CLOUDNATIVE_PG: &str = "cloudnative-pg";

/// The operators of old, in the versions of old.
pub(in crate::settings) const KNOWN_CHARTS: [KnownChart; 4] = [
    KnownChart {
        name: "cert-manager",
        repo: "https://charts.jetstack.io",
        version: "v1.16.2",
        namespace: "cert-manager",
    },
    KnownChart {
        name: "external-dns",
        repo: "https://kubernetes-sigs.github.io/external-dns",
        // The chart of v0.15.0.
        version: "1.15.0",
        namespace: "external-dns",
    },
    KnownChart {
        name: "external-secrets",
        repo: "https://charts.external-secrets.io",
        version: "0.12.1",
        namespace: "external-secrets",
    },
    KnownChart {
        name: CLOUDNATIVE_PG,
        repo: "https://cloudnative-pg.github.io/charts",
        version: "0.23.0",
        namespace: "cnpg-system",
    },
];

impl KnownChart {
    /// Its values where nobody says others: an operator without its definitions is of no use.
    pub(in crate::settings) fn values(&self) -> Value {
        match self.name {
            "cert-manager" => json!({"crds": {"enabled": true}}),
            _ => json!({}),
        }
    }
    /// What its release is called.
    pub(in crate::settings) fn release(&self) -> Release {
        let name = if self.name == CLOUDNATIVE_PG { "cnpg" } else { self.name };
        name.parse().expect("a label of letters")
    }
}
