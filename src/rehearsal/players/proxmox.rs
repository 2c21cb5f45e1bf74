//! The Proxmox infrastructure provider of Cluster API, with the Proxmox behind it: it clones VMs from a template, starts and
//! destroys them.
//!
//! It speaks the provider's `v1alpha1`, which keeps the older contract with Cluster API core. What its webhook refuses is
//! [`refused`], for an API server to ask; what has come in all the same never gets ready and says why. Not played: the IPAM
//! provider's pools and claims (addresses are taken from the range directly), and the guest agent's checks.

pub(super) mod machine;

use super::{
    Cluster, Kind, Objects, Pace, Player, Reaction,
    addresses::Range,
    conditions::{Not, find, say, summarize},
    draft::{Draft, reference},
    objects::{
        CLUSTER, CLUSTER_NAME, MACHINE, SECRET, is_going, is_paused, label, list, name, namespace, text, uid,
    },
};
use crate::rehearsal::kubernetes::{Denied, Webhook};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::IpAddr;

const GROUP: &str = "infrastructure.cluster.x-k8s.io";
const fn kind(kind: &'static str, plural: &'static str) -> Kind {
    Kind { group: GROUP, version: "v1alpha1", kind, plural }
}
pub(super) const PROXMOX_CLUSTER: Kind = kind("ProxmoxCluster", "proxmoxclusters");
pub(super) const PROXMOX_MACHINE: Kind = kind("ProxmoxMachine", "proxmoxmachines");
pub(super) const PROXMOX_MACHINE_TEMPLATE: Kind = kind("ProxmoxMachineTemplate", "proxmoxmachinetemplates");

const CLUSTER_FINALIZER: &str = "proxmoxcluster.infrastructure.cluster.x-k8s.io";
const SECRET_FINALIZER: &str = "proxmoxcluster.infrastructure.cluster.x-k8s.io/secret";
const CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";
const WEBHOOK: &str = "validation.proxmoxcluster.infrastructure.cluster.x-k8s.io";
const READY: &str = "ClusterReady";
const MISCONFIGURED: &str = "InvalidConfiguration";

/// The provider.
#[derive(Debug, Clone)]
pub struct Proxmox {
    /// How long VMs take.
    pub pace: Pace,
}

impl Player for Proxmox {
    fn name(&self) -> &'static str {
        "capmox-controller-manager"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CLUSTER, MACHINE, SECRET, PROXMOX_CLUSTER, PROXMOX_MACHINE]
    }

    fn webhooks(&self) -> &'static [(Kind, Webhook)] {
        const { &[(PROXMOX_CLUSTER, Webhook { name: WEBHOOK, create: refused, update: refused_update })] }
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        for proxmox in objects.all(PROXMOX_CLUSTER) {
            let Some(cluster) = objects.owner(proxmox, CLUSTER) else { continue };
            if is_paused(cluster, proxmox) {
                continue;
            }
            if is_going(proxmox) {
                end(&mut reaction, objects, cluster, proxmox);
            } else {
                keep(&mut reaction, objects, cluster, proxmox, now);
            }
        }
        machine::react(&mut reaction, objects, &self.pace, now);
        reaction
    }
}

fn keep(reaction: &mut Reaction, objects: &Objects<'_>, cluster: &Value, proxmox: &Value, now: Timestamp) {
    let mut draft = Draft::of(PROXMOX_CLUSTER, proxmox);
    if draft.hold(CLUSTER_FINALIZER) {
        return reaction.push(draft.end());
    }
    let pools: Vec<Value> = [("ipv4Config", "v4"), ("ipv6Config", "v6")]
        .into_iter()
        .filter(|(config, _)| proxmox["spec"].get(config).is_some())
        .map(|(_, version)| json!({ "name": format!("{}-{version}-icip", name(proxmox)) }))
        .collect();
    draft.set(&["status", "inClusterIpPoolRef"], pools);
    let credentials = text(proxmox, "/spec/credentialsRef/name");
    let found = credentials_of(objects, proxmox);
    let said = match (refused(proxmox), &found) {
        (Some(denied), _) => Err(denied.why().to_owned()),
        (None, None) if !credentials.is_empty() => {
            draft.set(&["status", "failureReason"], MISCONFIGURED);
            draft.set(&["status", "failureMessage"], "credentials secret not found");
            Err(format!("secrets {credentials:?} not found"))
        }
        (None, _) => Ok(()),
    };
    if let Some(secret) = found {
        let mut secret = Draft::of(SECRET, secret);
        secret.own(reference(PROXMOX_CLUSTER, proxmox));
        secret.hold(SECRET_FINALIZER);
        reaction.push(secret.end());
    }
    if said.is_ok() {
        draft.unset(&["status", "failureReason"]);
        draft.unset(&["status", "failureMessage"]);
        draft.set(&["status", "ready"], true);
    }
    say(&mut draft, now, READY, said.map_err(|why| Not::error("ProxmoxUnreachable", why)));
    summarize(&mut draft, now, &[READY]);
    locate(&mut draft, objects, cluster);
    reaction.push(draft.end());
}

/// Which VM runs on which of Proxmox's own nodes.
fn locate(draft: &mut Draft<'_>, objects: &Objects<'_>, cluster: &Value) {
    for (role, is_control_plane) in [("controlPlane", true), ("workers", false)] {
        let placed: Vec<Value> = objects
            .of_cluster(PROXMOX_MACHINE, cluster)
            .filter(|m| m["metadata"]["labels"].get(CONTROL_PLANE).is_some() == is_control_plane)
            .filter(|m| !text(m, "/status/proxmoxNode").is_empty())
            .map(|m| json!({ "machine": { "name": name(m) }, "node": text(m, "/status/proxmoxNode") }))
            .collect();
        if placed.is_empty() {
            draft.unset(&["status", "nodeLocations", role]);
        } else {
            draft.set(&["status", "nodeLocations", role], placed);
        }
    }
}

/// As the real one: not before its Cluster is going, nor while a VM is left; the credentials are let go first.
fn end(reaction: &mut Reaction, objects: &Objects<'_>, cluster: &Value, proxmox: &Value) {
    if !is_going(cluster) || objects.of_cluster(PROXMOX_MACHINE, cluster).next().is_some() {
        return;
    }
    if let Some(secret) = credentials_of(objects, proxmox) {
        let mut draft = Draft::of(SECRET, secret);
        // The last owner stays in the list, so that the Secret goes with it.
        if list(secret, "/metadata/ownerReferences").len() > 1 {
            draft.disown(proxmox);
        } else if list(secret, "/metadata/ownerReferences").iter().any(|o| text(o, "/uid") == uid(proxmox)) {
            draft.let_go(SECRET_FINALIZER);
        }
        if let Some(change) = draft.end() {
            return reaction.push([change]);
        }
    }
    let mut draft = Draft::of(PROXMOX_CLUSTER, proxmox);
    draft.let_go(CLUSTER_FINALIZER);
    reaction.push(draft.end());
}

fn credentials_of<'a>(objects: &Objects<'a>, proxmox: &Value) -> Option<&'a Value> {
    let elsewhere = text(proxmox, "/spec/credentialsRef/namespace");
    let namespace = if elsewhere.is_empty() { namespace(proxmox) } else { elsewhere };
    objects.get(SECRET, namespace, text(proxmox, "/spec/credentialsRef/name"))
}

/// What the provider's webhook says to a new ProxmoxCluster that it does not take.
pub fn refused(proxmox: &Value) -> Option<Denied> {
    let spec = &proxmox["spec"];
    if spec.get("ipv4Config").is_none() && spec.get("ipv6Config").is_none() {
        return Some(Denied::Forbidden("proxmox cluster must define at least one IP pool config".to_owned()));
    }
    refused_update(proxmox)
}

/// The same to what one would become: it asks less.
fn refused_update(proxmox: &Value) -> Option<Denied> {
    let spec = &proxmox["spec"];
    let host = text(proxmox, "/spec/controlPlaneEndpoint/host");
    let invalid = |field: &str, value: &Value, why: &str| {
        let name = name(proxmox);
        let why = format!(
            "ProxmoxCluster.{GROUP} {name:?} is invalid: spec.{field}: Invalid value: {value}: {why}"
        );
        Some(Denied::Invalid(why))
    };
    let Ok(endpoint) = host.parse::<IpAddr>() else {
        let why = "provided endpoint address is not a valid IP or FQDN";
        return if is_host_name(host) { None } else { invalid("controlplaneEndpoint", &json!(host), why) };
    };
    ["ipv4Config", "ipv6Config"].into_iter().filter(|config| spec.get(config).is_some()).find_map(|config| {
        let addresses = &spec[config]["addresses"];
        let field = format!("IP{}.addresses", &config[2..]);
        match ranges(proxmox, config) {
            None => {
                let why = "provided addresses are not valid IP addresses, ranges or CIDRs";
                invalid(&field, addresses, why)
            }
            Some(ranges) if ranges.iter().any(|range| range.contains(endpoint)) => {
                invalid(&field, addresses, "addresses may not contain the endpoint IP")
            }
            Some(_) => None,
        }
    })
}

/// None if one of them is none.
fn ranges(proxmox: &Value, config: &str) -> Option<Vec<Range>> {
    let addresses = list(proxmox, &format!("/spec/{config}/addresses"));
    addresses.iter().map(|range| Range::parse(range.as_str()?)).collect()
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label of digits alone would be an address that is none.
    let last = text.rsplit('.').next().unwrap_or("");
    text.len() <= 253 && text.split('.').all(label) && !last.chars().all(|c| c.is_ascii_digit())
}

/// The Cluster that these objects are parts of.
fn cluster_of(object: &Value) -> Cluster {
    Cluster { namespace: namespace(object).to_owned(), name: label(object, CLUSTER_NAME).to_owned() }
}

/// Whether a VM has been up since a time, by its own condition.
pub(super) fn up_since(proxmox_machine: &Value) -> Option<Timestamp> {
    let up = find(proxmox_machine, machine::PROVISIONED).filter(|condition| condition["status"] == "True")?;
    super::objects::time(up, "/lastTransitionTime")
}
