//! One VM: cloned, given an address and its bootstrap data, started; destroyed.
//!
//! Its stage is what its condition says, and since when: nothing else is remembered.

use super::{
    CLUSTER, CLUSTER_NAME, CONTROL_PLANE, MACHINE, PROXMOX_CLUSTER, PROXMOX_MACHINE, SECRET, cluster_of,
    ranges,
};
use crate::rehearsal::players::{
    Change, Objects, Pace, Reaction,
    conditions::{Not, find, say, since, summarize},
    draft::Draft,
    names,
    objects::{has_finalizer, is_going, is_paused, label, list, name, namespace, number, text, uid, yes},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::IpAddr};

const FINALIZER: &str = "proxmoxmachine.infrastructure.cluster.x-k8s.io";
pub(super) const PROVISIONED: &str = "VMProvisioned";
/// What Proxmox gives out when nobody asked for a range.
const ANY_ID: (i64, i64) = (100, 999_999_999);

/// What is taken already, in this look too.
#[derive(Default)]
struct Taken {
    ids: BTreeSet<i64>,
    addresses: BTreeSet<(String, IpAddr)>,
}

pub(super) fn react(reaction: &mut Reaction, objects: &Objects<'_>, pace: &Pace, now: Timestamp) {
    let mut taken = Taken::default();
    for vm in objects.all(PROXMOX_MACHINE) {
        taken.ids.extend(number(vm, "/spec/virtualMachineID"));
        for (_, addresses) in vm["status"]["ipAddresses"].as_object().into_iter().flatten() {
            let addresses = ["ipv4", "ipv6"].into_iter().filter_map(|v| addresses[v].as_str()?.parse().ok());
            taken.addresses.extend(addresses.map(|ip| (namespace(vm).to_owned(), ip)));
        }
    }
    for vm in objects.all(PROXMOX_MACHINE) {
        let Some(machine) = objects.owner(vm, MACHINE) else { continue };
        let cluster = objects.get(CLUSTER, namespace(machine), label(machine, CLUSTER_NAME));
        let Some(cluster) = cluster.filter(|cluster| !is_paused(cluster, vm)) else { continue };
        let infrastructure = text(cluster, "/spec/infrastructureRef/name");
        let Some(proxmox) = objects.get(PROXMOX_CLUSTER, namespace(vm), infrastructure) else { continue };
        if is_going(vm) {
            destroy(reaction, vm, pace, now);
        } else {
            let look = Look { objects, cluster, proxmox, machine, vm, pace, now };
            look.go_on(reaction, &mut taken);
        }
    }
}

fn destroy(reaction: &mut Reaction, vm: &Value, pace: &Pace, now: Timestamp) {
    if !has_finalizer(vm, FINALIZER) {
        return;
    }
    let mut draft = Draft::of(PROXMOX_MACHINE, vm);
    match since(vm, PROVISIONED, "Deleting") {
        None => {
            say(&mut draft, now, PROVISIONED, Err(Not::yet("Deleting")));
            summarize(&mut draft, now, &[PROVISIONED]);
        }
        Some(begun) if reaction.passed(begun, pace.destroy, now) => {
            draft.let_go(FINALIZER);
            if vm["status"].get("addresses").is_some() {
                reaction.push([Change::Leave(cluster_of(vm), name(vm).to_owned())]);
            }
        }
        Some(_) => {}
    }
    reaction.push(draft.end());
}

struct Look<'a> {
    objects: &'a Objects<'a>,
    cluster: &'a Value,
    proxmox: &'a Value,
    machine: &'a Value,
    vm: &'a Value,
    pace: &'a Pace,
    now: Timestamp,
}

impl Look<'_> {
    fn go_on(&self, reaction: &mut Reaction, taken: &mut Taken) {
        if !text(self.vm, "/status/failureReason").is_empty() {
            return;
        }
        let mut draft = Draft::of(PROXMOX_MACHINE, self.vm);
        let said = self.stage(&mut draft, reaction, taken);
        if let Some(said) = said {
            say(&mut draft, self.now, PROVISIONED, said);
            summarize(&mut draft, self.now, &[PROVISIONED]);
        }
        reaction.push(draft.end());
    }

    /// The next stage, if it is time: what there is now to say of it.
    fn stage(
        &self,
        draft: &mut Draft<'_>,
        reaction: &mut Reaction,
        taken: &mut Taken,
    ) -> Option<Result<(), Not>> {
        if !yes(self.cluster, "/status/initialization/infrastructureProvisioned") {
            return Some(Err(Not::yet("WaitingForClusterInfrastructure")));
        }
        let bootstrap = text(self.machine, "/spec/bootstrap/dataSecretName");
        if bootstrap.is_empty() {
            return Some(Err(Not::yet("WaitingForBootstrapData")));
        }
        if draft.hold(FINALIZER) {
            return None;
        }
        if find(self.vm, PROVISIONED).is_some_and(|condition| condition["status"] == "True") {
            return None;
        }
        if self.vm["spec"].get("virtualMachineID").is_none() {
            return self.clone(draft, taken);
        }
        let Some(cloning) = since(self.vm, PROVISIONED, "Cloning") else {
            return self.after_cloning(draft, reaction, taken, bootstrap);
        };
        if !reaction.passed(cloning, self.pace.clone, self.now) {
            return None;
        }
        if text(self.vm, "/spec/providerID").is_empty() {
            let uuid = names::uuid(&["vm", namespace(self.vm), name(self.vm), uid(self.vm)]);
            draft.set(&["spec", "providerID"], format!("proxmox://{uuid}"));
            return None;
        }
        draft.unset(&["status", "taskRef"]);
        Some(Err(Not::yet("WaitingForStaticIPAllocation")))
    }

    /// Says so first, then takes an id; where none is free it says that instead, until one is.
    fn clone(&self, draft: &mut Draft<'_>, taken: &mut Taken) -> Option<Result<(), Not>> {
        let from = number(self.vm, "/spec/vmIDRange/start").unwrap_or(ANY_ID.0);
        let to = number(self.vm, "/spec/vmIDRange/end").unwrap_or(ANY_ID.1);
        let Some(id) = (from..=to).find(|id| !taken.ids.contains(id)) else {
            let why = format!("no free vmid in the range {from}-{to}");
            return Some(Err(Not::warning("CloningFailed", why)));
        };
        taken.ids.insert(id);
        if since(self.vm, PROVISIONED, "Cloning").is_some() {
            draft.set(&["spec", "virtualMachineID"], id);
            return None;
        }
        let allowed = list(self.proxmox, "/spec/allowedNodes").first().and_then(Value::as_str).unwrap_or("");
        let nodes = [text(self.vm, "/spec/target"), allowed, text(self.vm, "/spec/sourceNode")];
        let node = nodes.into_iter().find(|node| !node.is_empty()).unwrap_or("");
        draft.set(&["status", "proxmoxNode"], node);
        draft.set(&["status", "vmStatus"], "pending");
        let task = format!("UPID:{node}:{}:qmclone", names::token(&["task", name(self.vm), uid(self.vm)]));
        draft.set(&["status", "taskRef"], task);
        Some(Err(Not::yet("Cloning")))
    }

    fn after_cloning(
        &self,
        draft: &mut Draft<'_>,
        reaction: &mut Reaction,
        taken: &mut Taken,
        bootstrap: &str,
    ) -> Option<Result<(), Not>> {
        if let Some(on) = since(self.vm, PROVISIONED, "PoweringOn") {
            if !reaction.passed(on, self.pace.power_on, self.now) {
                return None;
            }
            self.is_up(draft);
            return Some(Ok(()));
        }
        if self.vm["status"].get("ipAddresses").is_none() {
            let Some(addresses) = self.addresses(taken) else {
                return Some(Err(Not::warning("WaitingForStaticIPAllocation", "no ip address")));
            };
            draft.set(&["status", "ipAddresses"], json!({ "net0": addresses }));
            return None;
        }
        let Some(secret) = self.objects.get(SECRET, namespace(self.vm), bootstrap) else {
            return Some(Err(Not::warning(
                "CloningFailed",
                format!("failed to retrieve bootstrap data secret: secrets {bootstrap:?} not found"),
            )));
        };
        if secret["data"].get("value").is_none() {
            let why = "error retrieving bootstrap data: secret `value` key is missing";
            return Some(Err(Not::warning("CloningFailed", why)));
        }
        draft.set(&["status", "bootstrapDataProvided"], true);
        Some(Err(Not::yet("PoweringOn")))
    }

    /// The first of each range that no VM of the namespace has.
    fn addresses(&self, taken: &mut Taken) -> Option<Value> {
        let mut found = json!({});
        for (config, version) in [("ipv4Config", "ipv4"), ("ipv6Config", "ipv6")] {
            if self.proxmox["spec"].get(config).is_none() {
                continue;
            }
            let mut all = ranges(self.proxmox, config)?.into_iter().flat_map(|range| range.iter());
            let free = all.find(|ip| !taken.addresses.contains(&(namespace(self.vm).to_owned(), *ip)))?;
            taken.addresses.insert((namespace(self.vm).to_owned(), free));
            found[version] = free.to_string().into();
        }
        Some(found)
    }

    fn is_up(&self, draft: &mut Draft<'_>) {
        let mut addresses = vec![json!({ "type": "Hostname", "address": name(self.vm) })];
        for version in ["ipv4", "ipv6"] {
            let address = text(self.vm, &format!("/status/ipAddresses/net0/{version}"));
            if !address.is_empty() {
                addresses.push(json!({ "type": "InternalIP", "address": address }));
            }
        }
        draft.set(&["status", "addresses"], addresses);
        draft.set(&["status", "vmStatus"], "ready");
        draft.set(&["status", "ready"], true);
    }
}

/// The Node that a VM's kubelet registers.
pub(in crate::rehearsal::players) fn node(vm: &Value, node_name: &str, version: &str, now: &str) -> Value {
    let cpu =
        number(vm, "/spec/numCores").unwrap_or(2).saturating_mul(number(vm, "/spec/numSockets").unwrap_or(1));
    let room = json!({
        "cpu": cpu.to_string(), "pods": "110",
        "memory": format!("{}Mi", number(vm, "/spec/memoryMiB").unwrap_or(4096)),
    });
    let is_control_plane = vm["metadata"]["labels"].get(CONTROL_PLANE).is_some();
    let mut labels = json!({
        "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": node_name, "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "k3s",
    });
    if is_control_plane {
        labels["node-role.kubernetes.io/control-plane"] = "true".into();
        labels["node-role.kubernetes.io/master"] = "true".into();
    }
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    let conditions = [
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ];
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": node_name, "labels": labels },
        "spec": { "providerID": text(vm, "/spec/providerID") },
        "status": {
            "addresses": vm["status"]["addresses"], "allocatable": room, "capacity": room,
            "conditions": conditions,
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": version, "kubeProxyVersion": version,
                "bootID": "", "containerRuntimeVersion": "containerd://1.7.22-k3s1", "kernelVersion": "6.1.0",
                "machineID": "", "osImage": "Debian GNU/Linux 12 (bookworm)", "systemUUID": "",
            },
        },
    })
}
