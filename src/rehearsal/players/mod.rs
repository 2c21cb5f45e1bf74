//! The controllers of the world outside: what reacts to objects in a management cluster, or in an environment's own, and is
//! not on this machine.
//!
//! Each player is a pure function of all objects of the kinds that it watches, and of the time. The embedded world calls it
//! after each request; the bench calls it over watches against a real API server, beside the real Cluster API core.
//! A reaction is idempotent: reacting to what one's own changes made ends in rest. It names at most one change per object, and
//! each is made over the version that was seen, so a stale look is answered with a conflict and looks again.
//! Must never: do I/O, ask the time, panic on an object as users write it, or touch what a real one would leave alone.

mod addresses;
pub mod argo_cd;
mod conditions;
mod definitions;
mod draft;
mod names;
mod objects;

pub mod cert_manager;
pub mod cloudnative_pg;
pub mod cluster_api;
pub mod external_dns;
pub mod external_secrets;
pub mod flux;
pub mod helm;
pub mod k3s;
pub mod k3s_server;
pub mod metal3;
pub mod proxmox;
pub mod saboteur;
pub mod workloads;

pub use objects::{Kind, Objects};

use super::kubernetes::Webhook;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// A part of the world that reacts.
pub trait Player: Send + Sync {
    /// As its deployment is called.
    fn name(&self) -> &'static str;
    /// What it must see, all of it: an incomplete view is no view.
    fn watches(&self) -> &'static [Kind];
    /// What it does about these objects now.
    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction;
    /// What it refuses before it is stored.
    fn webhooks(&self) -> &'static [(Kind, Webhook)] {
        &[]
    }
}

/// Everybody who plays within an environment whatever is installed in it, and who plays once it is. (external-dns and
/// external-secrets have to be told whose records and which secrets are meant: add [`external_dns`] and [`external_secrets`].)
pub fn environment_players(pace: Pace) -> Vec<Arc<dyn Player>> {
    vec![
        Arc::new(k3s_server::K3sServer),
        Arc::new(helm::HelmController { pace }),
        Arc::new(cert_manager::CertManager { pace }),
        Arc::new(cloudnative_pg::CloudNativePg { pace }),
        Arc::new(workloads::Controllers { pace }),
        Arc::new(workloads::Scheduler),
        Arc::new(workloads::Kubelet { pace }),
    ]
}

/// What a player does, and when it wants to look again although nothing happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reaction {
    /// At most one for each object, so they may be carried out side by side; `Join`, `Leave` and those of records first.
    pub changes: Vec<Change>,
    /// None: only when something changes.
    pub again: Option<Timestamp>,
}

impl Reaction {
    fn push(&mut self, change: impl IntoIterator<Item = Change>) {
        self.changes.extend(change);
    }

    /// Whether this much time has passed since; if not, looks again when it has.
    fn passed(&mut self, since: Timestamp, delay: SignedDuration, now: Timestamp) -> bool {
        let due = since.saturating_add(delay).unwrap_or(Timestamp::MAX);
        if due > now {
            self.again = Some(self.again.map_or(due, |again| again.min(due)));
        }
        due <= now
    }
}

/// One request, or what stands for something that is not in the cluster at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// POST; that it exists already is as good.
    Create(Value),
    /// A merge patch, with the `resourceVersion` that was seen in it.
    Merge(Target, Value),
    /// The same for the status subresource.
    MergeStatus(Target, Value),
    /// DELETE; that it is gone already is as good.
    Delete(Target),
    /// A DNS record is there, in place of what was under its name and type.
    Publish(Record),
    /// A DNS record of this name and type is gone.
    Withdraw(Record),
    /// A machine's kubelet registers this Node with its environment's own API server; that it exists already is as good.
    Join(Cluster, Value),
    /// That machine is no more, and with it the Node of this name.
    Leave(Cluster, String),
}

/// A Cluster API Cluster: the environment whose own API server is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its kind, with the version that was seen.
    pub kind: Kind,
    /// Empty for what has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.kind, self.namespace, self.name)
    }
}

/// A DNS record, with the mark of ownership that external-dns keeps in a TXT record beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Without a dot at its end.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`.
    pub kind: String,
    /// Sorted.
    pub targets: Vec<String>,
    /// In seconds.
    pub ttl: u32,
    /// Whose it is; empty if nobody has marked it.
    pub owner: String,
    /// The object that asked for it: `ingress/NAMESPACE/NAME`.
    pub resource: String,
}

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Proxmox clones a template, fully.
    pub clone: SignedDuration,
    /// A VM starts.
    pub power_on: SignedDuration,
    /// A VM is stopped and destroyed.
    pub destroy: SignedDuration,
    /// From the VM's start until k3s answers.
    pub server: SignedDuration,
    /// From k3s's first answer until its node is ready.
    pub node: SignedDuration,
    /// Flux fetches and packs a chart.
    pub chart: SignedDuration,
    /// Helm installs or upgrades, and waits until what it made is ready.
    pub install: SignedDuration,
    /// Helm uninstalls.
    pub uninstall: SignedDuration,
    /// Metal3 reaches a host's management controller.
    pub register: SignedDuration,
    /// A host boots the inspection image and reports its hardware.
    pub inspect: SignedDuration,
    /// RAID and firmware settings.
    pub prepare: SignedDuration,
    /// A host boots, writes the image and boots again.
    pub provision: SignedDuration,
    /// A host boots and cleans its disks.
    pub deprovision: SignedDuration,
    /// A host is shut down.
    pub power_off: SignedDuration,
    /// external-dns looks once in this time.
    pub dns: SignedDuration,
    /// external-secrets fetches a secret.
    pub secret: SignedDuration,
    /// An issuer signs a certificate.
    pub issue: SignedDuration,
    /// A database server is initialised.
    pub database: SignedDuration,
    /// A node pulls a pod's images.
    pub pull: SignedDuration,
    /// From a pulled image until the container is ready.
    pub start: SignedDuration,
    /// From a Job's first failure until its next try; each further one takes twice as long.
    pub retry: SignedDuration,
}

impl Pace {
    /// Nothing takes time.
    pub const AT_ONCE: Pace = Pace {
        clone: SignedDuration::ZERO,
        power_on: SignedDuration::ZERO,
        destroy: SignedDuration::ZERO,
        server: SignedDuration::ZERO,
        node: SignedDuration::ZERO,
        chart: SignedDuration::ZERO,
        install: SignedDuration::ZERO,
        uninstall: SignedDuration::ZERO,
        register: SignedDuration::ZERO,
        inspect: SignedDuration::ZERO,
        prepare: SignedDuration::ZERO,
        provision: SignedDuration::ZERO,
        deprovision: SignedDuration::ZERO,
        power_off: SignedDuration::ZERO,
        dns: SignedDuration::ZERO,
        secret: SignedDuration::ZERO,
        issue: SignedDuration::ZERO,
        database: SignedDuration::ZERO,
        pull: SignedDuration::ZERO,
        start: SignedDuration::ZERO,
        retry: SignedDuration::ZERO,
    };

    /// As on hardware that people have at home and in small racks.
    pub const REAL: Pace = Pace {
        clone: SignedDuration::from_secs(40),
        power_on: SignedDuration::from_secs(10),
        destroy: SignedDuration::from_secs(15),
        server: SignedDuration::from_secs(60),
        node: SignedDuration::from_secs(20),
        chart: SignedDuration::from_secs(5),
        install: SignedDuration::from_secs(25),
        uninstall: SignedDuration::from_secs(5),
        register: SignedDuration::from_secs(15),
        inspect: SignedDuration::from_secs(300),
        prepare: SignedDuration::from_secs(30),
        provision: SignedDuration::from_secs(420),
        deprovision: SignedDuration::from_secs(180),
        power_off: SignedDuration::from_secs(15),
        dns: SignedDuration::from_secs(60),
        secret: SignedDuration::from_secs(2),
        issue: SignedDuration::from_secs(30),
        database: SignedDuration::from_secs(20),
        pull: SignedDuration::from_secs(8),
        start: SignedDuration::from_secs(4),
        retry: SignedDuration::from_secs(10),
    };
}
