//! A Machine: owns its VM and its bootstrap data, hands the data's name to the one and takes the address from it, and takes them
//! away again: the VM first.

use super::{CLUSTER, CONTROL_PLANE, Draft, MACHINE, Part, Said, pause, sort, sum_up, yes};
use crate::rehearsal::players::{
    Objects, Reaction,
    conditions::{OLDER, is_true, say_at, stamp, summarize_at, tell},
    draft::controller,
    k3s::machines::node_name,
    objects::{CLUSTER_NAME, is_going, name, namespace, number, owner_of_kind, text, time, uid},
};
use jiff::Timestamp;
use serde_json::{Value, json};

const FINALIZER: &str = "machine.cluster.x-k8s.io";
const READY: &[&str] = &["Deleting", "BootstrapConfigReady", "InfrastructureReady", "NodeHealthy"];
const ORDER: &[&str] = &[
    "Available",
    "Ready",
    "BootstrapConfigReady",
    "InfrastructureReady",
    "NodeHealthy",
    "NodeReady",
    "Deleting",
    "Paused",
];
const DATA: &str = "/spec/bootstrap/dataSecretName";

pub(super) fn react(reaction: &mut Reaction, objects: &Objects<'_>, now: Timestamp) {
    for machine in objects.all(MACHINE) {
        let cluster = objects.get(CLUSTER, namespace(machine), text(machine, "/spec/clusterName"));
        let Some(cluster) = cluster else { continue };
        let mut draft = Draft::of(MACHINE, machine);
        if !draft.hold(FINALIZER) && pause(&mut draft, cluster, now).is_none() {
            let config = Part::of(objects, machine, "/spec/bootstrap/configRef");
            let vm = Part::of(objects, machine, "/spec/infrastructureRef");
            if let Some(vm) = vm {
                Look { objects, cluster, machine, config, vm, now }.go_on(&mut draft, reaction);
            }
        }
        reaction.push(draft.end());
    }
}

struct Look<'a> {
    objects: &'a Objects<'a>,
    cluster: &'a Value,
    machine: &'a Value,
    config: Option<Part<'a>>,
    vm: Part<'a>,
    now: Timestamp,
}

impl Look<'_> {
    fn go_on(&self, draft: &mut Draft<'_>, reaction: &mut Reaction) {
        let deleting = if is_going(self.machine) {
            match self.end(reaction) {
                Some(waits) => waits,
                None => return draft.let_go(FINALIZER),
            }
        } else {
            for part in self.config.iter().chain([&self.vm]) {
                part.adopt(reaction, name(self.cluster), controller(MACHINE, self.machine));
            }
            Said::new("False", "NotDeleting", "")
        };
        draft.set(&["metadata", "labels", CLUSTER_NAME], name(self.cluster));
        self.bootstrap(draft);
        self.infrastructure(draft);
        self.node(draft);
        summarize_at(OLDER, draft, self.now, &["BootstrapReady", "InfrastructureReady"]);
        deleting.tell(draft, self.now, "Deleting");
        sum_up(draft.wanted(), READY, ("Ready", "NotReady", "ReadyUnknown")).tell(draft, self.now, "Ready");
        match is_true(draft.wanted(), "Ready") {
            true => tell(draft, self.now, "Available", "True", "Available", ""),
            false => tell(draft, self.now, "Available", "False", "NotReady", ""),
        }
        sort(draft, ORDER);
        let phase = phase(draft.wanted());
        if text(self.machine, "/status/phase") != phase {
            draft.set(&["status", "phase"], phase);
            draft.set(&["status", "lastUpdated"], stamp(self.now));
        }
        if let Some(generation) = number(self.machine, "/metadata/generation") {
            draft.set(&["status", "observedGeneration"], generation);
        }
    }

    fn bootstrap(&self, draft: &mut Draft<'_>) {
        let Some(config) = &self.config else { return };
        let made = !text(self.machine, DATA).is_empty() || config.says("/status/ready");
        let said = config.mirror(self.machine, "Ready", ("Ready", "NotReady"), made, "dataSecretCreated");
        said.tell(draft, self.now, "BootstrapConfigReady");
        let older = config.mirror_older(made, "WaitingForDataSecret");
        say_at(OLDER, draft, self.now, "BootstrapReady", older);
        let secret = config.object().map_or("", |config| text(config, "/status/dataSecretName"));
        if text(self.machine, DATA).is_empty() && made && !secret.is_empty() {
            draft.set(&["spec", "bootstrap", "dataSecretName"], secret);
        }
        if !text(draft.wanted(), DATA).is_empty() {
            draft.set(&["status", "initialization", "bootstrapDataSecretCreated"], true);
        }
    }

    fn infrastructure(&self, draft: &mut Draft<'_>) {
        let provisioned = yes(self.machine, "/status/initialization/infrastructureProvisioned")
            || self.vm.says("/status/ready");
        let said = self.vm.mirror(self.machine, "Ready", ("Ready", "NotReady"), provisioned, "provisioned");
        said.tell(draft, self.now, "InfrastructureReady");
        let older = self.vm.mirror_older(provisioned, "WaitingForInfrastructure");
        say_at(OLDER, draft, self.now, "InfrastructureReady", older);
        let id = self.vm.object().map_or("", |vm| text(vm, "/spec/providerID"));
        let Some(vm) = self.vm.object().filter(|vm| provisioned && !is_going(vm) && !id.is_empty()) else {
            return;
        };
        if let Some(addresses) = vm.pointer("/status/addresses") {
            draft.set(&["status", "addresses"], addresses.clone());
        }
        draft.set(&["spec", "providerID"], id);
        draft.set(&["status", "initialization", "infrastructureProvisioned"], true);
    }

    fn node(&self, draft: &mut Draft<'_>) {
        let known = text(self.machine, "/status/nodeRef/name");
        let (kind, id) = (self.vm.called, text(draft.wanted(), "/spec/providerID").to_owned());
        let waits = |why: &str| ("Unknown", "InspectionFailed", why.to_owned());
        let (status, reason, why) = if !yes(self.cluster, "/status/initialization/infrastructureProvisioned")
        {
            waits("Waiting for Cluster status.initialization.infrastructureProvisioned to be true")
        } else if !is_true(self.cluster, "ControlPlaneInitialized") {
            waits("Waiting for Cluster control plane to be initialized")
        } else if is_going(self.machine) && self.vm.object().is_none() {
            match known {
                "" => ("Unknown", "NodeDoesNotExist", "Node does not exist".to_owned()),
                node => ("False", "NodeDeleted", format!("Node {node} has been deleted")),
            }
        } else if !known.is_empty() || self.joined(draft) {
            ("True", "", String::new())
        } else if id.is_empty() {
            waits(&format!("Waiting for {kind} to report spec.providerID"))
        } else {
            waits(&format!("Waiting for a Node with spec.providerID {id} to exist"))
        };
        for condition in ["NodeHealthy", "NodeReady"] {
            let reason = if reason.is_empty() { condition } else { reason };
            tell(draft, self.now, condition, status, reason, &why);
        }
    }

    /// The oldest machines have the nodes that the control plane counts. Whether this is one of them; it is written down.
    fn joined(&self, draft: &mut Draft<'_>) -> bool {
        let Some((plane, vm)) = self.objects.owner(self.machine, CONTROL_PLANE).zip(self.vm.object()) else {
            return false;
        };
        let nodes = number(plane, "/status/readyReplicas").and_then(|nodes| usize::try_from(nodes).ok());
        let age = |machine: &Value| (time(machine, "/metadata/creationTimestamp"), name(machine).to_owned());
        let is_older = |other: &&Value| {
            let owner = owner_of_kind(other, CONTROL_PLANE);
            owner.is_some_and(|owner| text(owner, "/uid") == uid(plane)) && age(other) < age(self.machine)
        };
        let older = self.objects.of_cluster(MACHINE, self.cluster).filter(is_older).count();
        let joined = yes(vm, "/status/ready") && nodes.is_some_and(|nodes| older < nodes);
        if joined {
            draft.set(&["status", "nodeRef"], json!({ "name": node_name(plane, vm) }));
        }
        joined
    }

    /// What it waits for; none when all that was its own is gone.
    fn end(&self, reaction: &mut Reaction) -> Option<Said> {
        let parts = [(Some(&self.vm), "Infrastructure"), (self.config.as_ref(), "Bootstrap")];
        let parts = parts.into_iter().filter_map(|(part, what)| Some((part?, what)));
        let (part, what) = parts.into_iter().find(|(part, _)| part.found.is_some())?;
        part.delete(reaction);
        let message = format!("Waiting for {} to be deleted", part.called);
        Some(Said::new("True", &format!("WaitingFor{what}Deletion"), &message))
    }
}

fn phase(wanted: &Value) -> &'static str {
    let has = |pointer: &str| !text(wanted, pointer).is_empty();
    if is_going(wanted) {
        "Deleting"
    } else if has("/status/nodeRef/name") {
        "Running"
    } else if has("/spec/providerID") {
        "Provisioned"
    } else if has(DATA) {
        "Provisioning"
    } else {
        "Pending"
    }
}
