//! Cluster API's core, which joins its providers: a Cluster with its infrastructure and its control plane ([`cluster`]), a
//! Machine with its VM and its bootstrap data ([`machine`]).
//!
//! It speaks `v1beta2`, and the older contract with providers: `status.ready`, `status.initialized`, conditions with a
//! severity. What it would learn from an environment's own API server it takes from the control plane's word: that k3s
//! answers, and how many nodes are ready. Not played: topologies, workers, the time until a connection that failed is tried
//! again, conditions about rollouts and remediation, the older conditions of a Cluster.

mod cluster;
mod machine;

use super::{
    Change, Kind, Objects, Player, Reaction,
    conditions::{Not, find, is_true, tell},
    draft::Draft,
    k3s::{CONFIG, CONTROL_PLANE},
    objects::{CLUSTER, CLUSTER_NAME, MACHINE, SECRET, group, is_going, namespace, target, text, yes},
    proxmox::{PROXMOX_CLUSTER, PROXMOX_MACHINE},
};
use jiff::Timestamp;
use serde_json::Value;

/// The core.
#[derive(Debug, Clone, Copy)]
pub struct ClusterApi;

impl Player for ClusterApi {
    fn name(&self) -> &'static str {
        "capi-controller-manager"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CLUSTER, MACHINE, SECRET, CONTROL_PLANE, CONFIG, PROXMOX_CLUSTER, PROXMOX_MACHINE]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        cluster::react(&mut reaction, objects, now);
        machine::react(&mut reaction, objects, now);
        reaction
    }
}

/// What is referred to: a provider's object, which may not be there.
struct Part<'a> {
    /// The kind, as the reference writes it.
    called: &'a str,
    found: Option<(Kind, &'a Value)>,
}

impl<'a> Part<'a> {
    /// None if there is no such reference.
    fn of(objects: &Objects<'a>, object: &'a Value, reference: &str) -> Option<Self> {
        let reference = object.pointer(reference)?;
        let (called, of) = (text(reference, "/kind"), text(reference, "/apiGroup"));
        if called.is_empty() {
            return None;
        }
        let kinds = [CONTROL_PLANE, CONFIG, PROXMOX_CLUSTER, PROXMOX_MACHINE].into_iter();
        let found = kinds.filter(|kind| (kind.kind, kind.group) == (called, of)).find_map(|kind| {
            let object = objects.get(kind, namespace(object), text(reference, "/name"))?;
            Some((kind, object))
        });
        Some(Self { called, found })
    }

    fn object(&self) -> Option<&'a Value> {
        self.found.map(|(_, object)| object)
    }

    fn says(&self, pointer: &str) -> bool {
        self.object().is_some_and(|object| yes(object, pointer))
    }

    /// Gives it the cluster's label and this owner.
    fn adopt(&self, reaction: &mut Reaction, cluster: &str, owner: Value) {
        let Some((kind, object)) = self.found.filter(|(_, object)| !is_going(object)) else { return };
        let mut draft = Draft::of(kind, object);
        draft.set(&["metadata", "labels", CLUSTER_NAME], cluster);
        // Whoever made it for a Machine owned it until there was one.
        let is_makers = |other: &Value| {
            owner["kind"] == MACHINE.kind
                && text(other, "/kind") == CONTROL_PLANE.kind
                && group(other) == CONTROL_PLANE.group
        };
        draft.list(&["metadata", "ownerReferences"]).retain(|other| !is_makers(other));
        draft.own(owner);
        reaction.push(draft.end());
    }

    /// Deletes it, if it is there. Whether it is.
    fn delete(&self, reaction: &mut Reaction) -> bool {
        if let Some((kind, object)) = self.found.filter(|(_, object)| !is_going(object)) {
            reaction.push([Change::Delete(target(kind, object))]);
        }
        self.found.is_some()
    }

    /// What it says of itself in this condition, as its owner repeats it. Before it says anything, that `field` of it, or
    /// what was once known of that, is true or false.
    fn mirror(&self, owner: &Value, condition: &str, (good, bad): Words, known: bool, field: &str) -> Said {
        let Some(object) = self.object() else { return self.missing(owner, known) };
        let Some(own) = find(object, condition) else {
            return match known {
                true => Said::new("True", good, ""),
                false => Said::new(
                    "False",
                    bad,
                    &format!("{} status.initialization.{field} is false", self.called),
                ),
            };
        };
        let (status, reason) = (text(own, "/status"), text(own, "/reason"));
        let reason = if reason.is_empty() && status == "True" { good } else { reason };
        Said::new(status, reason, text(own, "/message"))
    }

    fn missing(&self, owner: &Value, known: bool) -> Said {
        let (reason, what) = match (known, is_going(owner)) {
            (true, true) => (DELETED, "has been deleted".to_owned()),
            (true, false) => {
                let owner = if text(owner, "/kind") == CLUSTER.kind { "cluster" } else { "Machine" };
                (DELETED, format!("has been deleted while the {owner} still exists"))
            }
            (false, _) => ("ObjectDoesNotExist", "does not exist".to_owned()),
        };
        Said::new("False", reason, &format!("{} {what}", self.called))
    }

    /// The same in the older dialect.
    fn mirror_older(&self, ready: bool, waiting: &str) -> Result<(), Not> {
        let Some(object) = self.object() else { return Err(Not::yet("Deleted")) };
        match find(object, "Ready") {
            None if ready => Ok(()),
            None => Err(Not::yet(waiting)),
            Some(own) if own["status"] == "True" => Ok(()),
            Some(own) => {
                let severity = ["Error", "Warning"].into_iter().find(|one| own["severity"] == *one);
                let (reason, message) = (text(own, "/reason").to_owned(), text(own, "/message").to_owned());
                Err(Not { severity: severity.unwrap_or("Info"), reason, message })
            }
        }
    }
}

const DELETED: &str = "ObjectDeleted";

/// The reasons of a condition that is true and of one that is not.
type Words = (&'static str, &'static str);

/// What a condition says.
struct Said {
    status: String,
    reason: String,
    message: String,
}

impl Said {
    fn new(status: &str, reason: &str, message: &str) -> Self {
        Self { status: status.to_owned(), reason: reason.to_owned(), message: message.to_owned() }
    }

    fn tell(&self, draft: &mut Draft<'_>, now: Timestamp, kind: &str) {
        tell(draft, now, kind, &self.status, &self.reason, &self.message);
    }
}

/// Says whether it is paused. None: it says so already, and it is not.
fn pause(draft: &mut Draft<'_>, cluster: &Value, now: Timestamp) -> Option<()> {
    let object = draft.wanted();
    let kind = text(object, "/kind").to_owned();
    let by_cluster = yes(cluster, "/spec/paused").then(|| "Cluster spec.paused is set to true".to_owned());
    let annotations = object.pointer("/metadata/annotations");
    let by_annotation = annotations
        .and_then(|all| all.get("cluster.x-k8s.io/paused"))
        .map(|_| format!("{kind} has the cluster.x-k8s.io/paused annotation"));
    let why: Vec<String> = by_cluster.into_iter().chain(by_annotation).collect();
    let known = find(object, "Paused").is_some_and(|condition| condition["status"] == "False");
    if why.is_empty() && known {
        return None;
    }
    let (status, reason) = if why.is_empty() { ("False", "NotPaused") } else { ("True", "Paused") };
    tell(draft, now, "Paused", status, reason, &why.join(", "));
    Some(())
}

/// What follows from these conditions together: what is wrong with each, worst first. `Deleting` is wrong when it is true; then
/// what is gone is as it should be.
fn sum_up(object: &Value, of: &[&str], (good, bad, unknown): (&str, &str, &str)) -> Said {
    let deleting = is_true(object, "Deleting");
    let told = of.iter().filter_map(|kind| Some((*kind, find(object, kind)?))).filter(|(kind, condition)| {
        let expected = if *kind == "Deleting" { "False" } else { "True" };
        let gone =
            deleting && matches!(text(condition, "/reason"), DELETED | "ObjectDoesNotExist" | "NodeDeleted");
        condition["status"] != expected && !gone
    });
    let (unknowns, issues): (Vec<_>, Vec<_>) =
        told.partition(|(_, condition)| condition["status"] == "Unknown");
    let (status, reason) = match (issues.is_empty(), unknowns.is_empty()) {
        (false, _) => ("False", bad),
        (true, false) => ("Unknown", unknown),
        (true, true) => ("True", good),
    };
    let lines = issues.iter().chain(&unknowns).map(|(kind, condition)| {
        let (reason, message) = (text(condition, "/reason"), text(condition, "/message"));
        match (*kind, text(object, "/kind") == MACHINE.kind) {
            ("Deleting", true) => format!("* Deleting: Machine deletion in progress, stage: {reason}"),
            _ => format!("* {kind}: {}", if message.is_empty() { reason } else { message }),
        }
    });
    Said::new(status, reason, &lines.collect::<Vec<_>>().join("\n"))
}

/// In the real one's order, which is not that of saying.
fn sort(draft: &mut Draft<'_>, first: &[&str]) {
    let place =
        |condition: &Value| first.iter().position(|kind| condition["type"] == *kind).unwrap_or(first.len());
    draft.list(&["status", "conditions"]).sort_by_key(place);
}
