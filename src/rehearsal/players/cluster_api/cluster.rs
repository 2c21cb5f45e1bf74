//! A Cluster: owns its infrastructure and its control plane, repeats what they say, and takes them away again: the control plane
//! first.
//!
//! The probe of the remote connection is a controller of its own in the real one, so it says so a look before the rest.

use super::{CLUSTER, Draft, Part, SECRET, Said, is_true, pause, sort, sum_up, yes};
use crate::rehearsal::players::{
    Objects, Reaction,
    conditions::{find, tell},
    draft::reference,
    objects::{is_going, name, namespace, number, text},
};
use jiff::Timestamp;
use serde_json::Value;

const FINALIZER: &str = "cluster.cluster.x-k8s.io";
const PROBE: &str = "RemoteConnectionProbe";
const AVAILABLE: &[&str] =
    &["Deleting", PROBE, "InfrastructureReady", "ControlPlaneAvailable", "WorkersAvailable"];
const ORDER: &[&str] = &[
    "Available",
    PROBE,
    "InfrastructureReady",
    "ControlPlaneInitialized",
    "ControlPlaneAvailable",
    "WorkersAvailable",
    "Deleting",
    "Paused",
];
const PROVISIONED: &str = "/status/initialization/infrastructureProvisioned";
const INITIALIZED: &str = "/status/initialization/controlPlaneInitialized";

pub(super) fn react(reaction: &mut Reaction, objects: &Objects<'_>, now: Timestamp) {
    for cluster in objects.all(CLUSTER) {
        let mut draft = Draft::of(CLUSTER, cluster);
        if !draft.hold(FINALIZER) && pause(&mut draft, cluster, now).is_none() {
            let infrastructure = Part::of(objects, cluster, "/spec/infrastructureRef");
            let plane = Part::of(objects, cluster, "/spec/controlPlaneRef");
            Look { objects, cluster, infrastructure, plane, now }.go_on(&mut draft, reaction);
        }
        reaction.push(draft.end());
    }
}

struct Look<'a> {
    objects: &'a Objects<'a>,
    cluster: &'a Value,
    infrastructure: Option<Part<'a>>,
    plane: Option<Part<'a>>,
    now: Timestamp,
}

impl Look<'_> {
    fn go_on(&self, draft: &mut Draft<'_>, reaction: &mut Reaction) {
        let deleting = if is_going(self.cluster) {
            match self.end(reaction) {
                Some(waits) => waits,
                None => return draft.let_go(FINALIZER),
            }
        } else {
            for part in [&self.infrastructure, &self.plane].into_iter().flatten() {
                part.adopt(reaction, name(self.cluster), reference(CLUSTER, self.cluster));
            }
            Said::new("False", "NotDeleting", "")
        };
        let probed = is_true(self.cluster, PROBE);
        let answers = probed || self.answers();
        match (answers, find(self.cluster, PROBE)) {
            (true, _) => tell(draft, self.now, PROBE, "True", "ProbeSucceeded", ""),
            (false, None) => {
                tell(draft, self.now, PROBE, "False", "ProbeFailed", "Remote connection not established yet");
            }
            (false, Some(_)) => {}
        }
        self.infrastructure(draft);
        if probed || !answers {
            self.control_plane(draft);
        }
        tell(draft, self.now, "WorkersAvailable", "True", "NoWorkers", "");
        deleting.tell(draft, self.now, "Deleting");
        let words = ("Available", "NotAvailable", "AvailableUnknown");
        sum_up(draft.wanted(), AVAILABLE, words).tell(draft, self.now, "Available");
        sort(draft, ORDER);
        let phase = self.phase(draft.wanted());
        draft.set(&["status", "phase"], phase);
        if let Some(generation) = number(self.cluster, "/metadata/generation") {
            draft.set(&["status", "observedGeneration"], generation);
        }
    }

    /// Whether the environment's API server can be reached by the kubeconfig that there is.
    fn answers(&self) -> bool {
        let kubeconfig = format!("{}-kubeconfig", name(self.cluster));
        self.plane.as_ref().is_some_and(|plane| plane.says("/status/initialized"))
            && self.objects.get(SECRET, namespace(self.cluster), &kubeconfig).is_some()
    }

    fn infrastructure(&self, draft: &mut Draft<'_>) {
        let Some(part) = &self.infrastructure else {
            // Nothing to wait for.
            return draft.set(&["status", "initialization", "infrastructureProvisioned"], true);
        };
        let provisioned = yes(self.cluster, PROVISIONED) || part.says("/status/ready");
        part.mirror(self.cluster, "Ready", ("Ready", "NotReady"), provisioned, "provisioned").tell(
            draft,
            self.now,
            "InfrastructureReady",
        );
        let Some(object) = part.object().filter(|object| provisioned && !is_going(object)) else { return };
        if text(self.cluster, "/spec/controlPlaneEndpoint/host").is_empty()
            && let Some(endpoint) = object.pointer("/spec/controlPlaneEndpoint").filter(|at| at.is_object())
        {
            draft.set(&["spec", "controlPlaneEndpoint"], endpoint.clone());
        }
        draft.set(&["status", "initialization", "infrastructureProvisioned"], true);
    }

    fn control_plane(&self, draft: &mut Draft<'_>) {
        let Some(part) = &self.plane else { return };
        let initialized = yes(self.cluster, INITIALIZED) || part.says("/status/initialized");
        let words = ("Available", "NotAvailable");
        part.mirror(self.cluster, "Available", words, initialized, "controlPlaneInitialized").tell(
            draft,
            self.now,
            "ControlPlaneAvailable",
        );
        if !is_true(self.cluster, "ControlPlaneInitialized") {
            let said = match (part.object(), initialized) {
                (None, _) => {
                    Said::new("Unknown", "ObjectDoesNotExist", &format!("{} does not exist", part.called))
                }
                (Some(_), true) => Said::new("True", "Initialized", ""),
                (Some(_), false) => Said::new("False", "NotInitialized", "Control plane not yet initialized"),
            };
            said.tell(draft, self.now, "ControlPlaneInitialized");
        }
        let Some(plane) = part.object() else { return draft.unset(&["status", "controlPlane"]) };
        if initialized && !is_going(plane) {
            draft.set(&["status", "initialization", "controlPlaneInitialized"], true);
        }
        let wanted = number(plane, "/spec/replicas");
        let missing = number(plane, "/status/unavailableReplicas");
        let available = wanted.zip(missing).map(|(wanted, missing)| wanted.saturating_sub(missing).max(0));
        for (field, count) in [
            ("desiredReplicas", wanted),
            ("replicas", number(plane, "/status/replicas")),
            ("readyReplicas", number(plane, "/status/readyReplicas")),
            ("availableReplicas", available),
            ("upToDateReplicas", number(plane, "/status/updatedReplicas")),
        ] {
            if let Some(count) = count {
                draft.set(&["status", "controlPlane", field], count);
            }
        }
    }

    /// `Provisioned` comes before there is a control plane.
    fn phase(&self, wanted: &Value) -> &'static str {
        if is_going(self.cluster) {
            "Deleting"
        } else if yes(wanted, PROVISIONED) && !text(wanted, "/spec/controlPlaneEndpoint/host").is_empty() {
            "Provisioned"
        } else if self.infrastructure.is_some() || self.plane.is_some() {
            "Provisioning"
        } else {
            "Pending"
        }
    }

    /// What it waits for; none when all that was its own is gone.
    fn end(&self, reaction: &mut Reaction) -> Option<Said> {
        let parts = [(&self.plane, "ControlPlane"), (&self.infrastructure, "Infrastructure")];
        let parts = parts.into_iter().filter_map(|(part, what)| Some((part.as_ref()?, what)));
        let (part, what) = parts.into_iter().find(|(part, _)| part.found.is_some())?;
        part.delete(reaction);
        let message = format!("Waiting for {} to be deleted", part.called);
        Some(Said::new("True", &format!("WaitingFor{what}Deletion"), &message))
    }
}
