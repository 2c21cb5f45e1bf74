//! Metal3's baremetal-operator, and the hosts that it drives, through the states of a BareMetalHost.
//!
//! Not played: errors other than missing credentials, detaching, firmware settings.

use super::{
    Kind, Objects, Pace, Player, Reaction,
    conditions::stamp,
    draft::Draft,
    names,
    objects::{SECRET, annotation, has_finalizer, is_going, name, namespace, text, time, uid, yes},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const HOST: Kind =
    Kind { group: "metal3.io", version: "v1alpha1", kind: "BareMetalHost", plural: "baremetalhosts" };
const FINALIZER: &str = "baremetalhost.metal3.io";
const PAUSED: &str = "baremetalhost.metal3.io/paused";
const INSPECT: &str = "inspect.metal3.io";
const REGISTRATION_ERROR: &str = "registration error";

/// The operator.
#[derive(Debug, Clone)]
pub struct Metal3 {
    /// How long hosts take.
    pub pace: Pace,
}

impl Player for Metal3 {
    fn name(&self) -> &'static str {
        "baremetal-operator-controller-manager"
    }

    fn watches(&self) -> &'static [Kind] {
        &[HOST, SECRET]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        for host in objects.all(HOST) {
            if host["metadata"]["annotations"].get(PAUSED).is_none() {
                let look = Look { pace: &self.pace, objects, host, now };
                look.go_on(&mut reaction);
            }
        }
        reaction
    }
}

struct Look<'a> {
    pace: &'a Pace,
    objects: &'a Objects<'a>,
    host: &'a Value,
    now: Timestamp,
}

impl Look<'_> {
    fn go_on(&self, reaction: &mut Reaction) {
        let host = self.host;
        if is_going(host) && !has_finalizer(host, FINALIZER) {
            return;
        }
        let mut draft = Draft::of(HOST, host);
        if draft.hold(FINALIZER) {
            return reaction.push(draft.end());
        }
        let state = text(host, "/status/provisioning/state");
        if state == "deleting" {
            draft.let_go(FINALIZER);
            return reaction.push(draft.end());
        }
        let since = time(host, "/status/lastUpdated").unwrap_or(Timestamp::MIN);
        let takes = self.takes(state);
        let next = if takes.is_zero() || reaction.passed(since, takes, self.now) {
            self.next(state)
        } else {
            self.turns_back(state)
        };
        if state == "registering" && self.lacks_credentials() && !is_going(host) {
            self.fails(&mut draft);
        } else if let Some(next) = next {
            self.enter(&mut draft, state, next);
        }
        if matches!(state, "provisioned" | "externally provisioned" | "available") && next.is_none() {
            // Not while it is at work: then it is on as the work wants it.
            draft.set(&["status", "poweredOn"], yes(host, "/spec/online"));
        }
        reaction.push(draft.end());
    }

    fn takes(&self, state: &str) -> SignedDuration {
        match state {
            "registering" => self.pace.register,
            "inspecting" => self.pace.inspect,
            "preparing" => self.pace.prepare,
            "provisioning" => self.pace.provision,
            "deprovisioning" => self.pace.deprovision,
            "powering off before delete" => self.pace.power_off,
            _ => SignedDuration::ZERO,
        }
    }

    /// Where it goes when the work of this state is done.
    fn next(&self, state: &str) -> Option<&'static str> {
        if let Some(back) = self.turns_back(state) {
            return Some(back);
        }
        let spec = &self.host["spec"];
        let going = is_going(self.host);
        match state {
            "" | "unmanaged" if !text(spec, "/bmc/address").is_empty() => Some("registering"),
            "" => Some("unmanaged"),
            "registering" if yes(spec, "/externallyProvisioned") => Some("externally provisioned"),
            "registering" if annotation(self.host, INSPECT) == "disabled" => Some("preparing"),
            "registering" => Some("inspecting"),
            "inspecting" => Some("preparing"),
            "preparing" => Some("available"),
            "available" if yes(spec, "/externallyProvisioned") => Some("externally provisioned"),
            "available" if !text(spec, "/image/url").is_empty() => Some("provisioning"),
            "provisioning" => Some("provisioned"),
            "externally provisioned" if !yes(spec, "/externallyProvisioned") => Some("provisioned"),
            "deprovisioning" if going => Some("powering off before delete"),
            "deprovisioning" => Some("available"),
            "powering off before delete" => Some("deleting"),
            _ => None,
        }
    }

    /// Where it goes although that work is not done: its deletion has begun, or its image is no longer wanted.
    fn turns_back(&self, state: &str) -> Option<&'static str> {
        if is_going(self.host) {
            return match state {
                "deprovisioning" | "powering off before delete" => None,
                "provisioning" | "provisioned" => Some("deprovisioning"),
                "" | "unmanaged" | "registering" => Some("deleting"),
                _ => Some("powering off before delete"),
            };
        }
        let (wanted, written) =
            (text(self.host, "/spec/image/url"), text(self.host, "/status/provisioning/image/url"));
        let cancelled = wanted.is_empty() || (!written.is_empty() && wanted != written);
        (cancelled && matches!(state, "provisioning" | "provisioned")).then_some("deprovisioning")
    }

    fn enter(&self, draft: &mut Draft<'_>, from: &str, state: &'static str) {
        let now = stamp(self.now);
        draft.set(&["status", "provisioning", "state"], state);
        draft.set(&["status", "lastUpdated"], now.clone());
        draft.set(&["status", "errorCount"], 0);
        draft.set(&["status", "errorMessage"], "");
        draft.unset(&["status", "errorType"]);
        draft.set(&["status", "operationalStatus"], if state == "unmanaged" { "discovered" } else { "OK" });
        let id = match from {
            "" | "unmanaged" => String::new(),
            _ => names::uuid(&["host", namespace(self.host), name(self.host), uid(self.host)]),
        };
        draft.set(&["status", "provisioning", "ID"], id);
        let works =
            matches!(state, "inspecting" | "preparing" | "provisioning" | "provisioned" | "deprovisioning");
        draft.set(&["status", "poweredOn"], works);
        if state == "provisioning" {
            draft.set(&["status", "provisioning", "image"], self.host["spec"]["image"].clone());
        } else if from == "deprovisioning" {
            draft.unset(&["status", "provisioning", "image"]);
        }
        if let Some(operation) = operation(from) {
            draft.set(&["status", "operationHistory", operation, "end"], now.clone());
        }
        if let Some(operation) = operation(state) {
            draft.set(&["status", "operationHistory", operation], json!({ "start": now, "end": null }));
        }
    }

    fn lacks_credentials(&self) -> bool {
        let secret = text(self.host, "/spec/bmc/credentialsName");
        self.objects.get(SECRET, namespace(self.host), secret).is_none()
    }

    fn fails(&self, draft: &mut Draft<'_>) {
        draft.set(&["status", "operationalStatus"], "error");
        draft.set(&["status", "errorType"], REGISTRATION_ERROR);
        draft.set(&["status", "errorCount"], 1);
        let secret = text(self.host, "/spec/bmc/credentialsName");
        let message = format!("The BMC secret {}/{secret} does not exist", namespace(self.host));
        draft.set(&["status", "errorMessage"], message);
    }
}

/// Under which name the history keeps a state.
fn operation(state: &str) -> Option<&'static str> {
    match state {
        "registering" => Some("register"),
        "inspecting" => Some("inspect"),
        "provisioning" => Some("provision"),
        "deprovisioning" => Some("deprovision"),
        _ => None,
    }
}
