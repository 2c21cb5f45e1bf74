//! Argo CD: what an Application asks for is synced once its cluster is known. Not played: what is in the Application's own
//! source, which nobody here can fetch.

use super::{
    Kind, Objects, Player, Reaction,
    draft::Draft,
    objects::{SECRET, is_going, label, namespace, text, time},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::Value;

const APPLICATION: Kind =
    Kind { group: "argoproj.io", version: "v1alpha1", kind: "Application", plural: "applications" };

/// Argo CD.
#[derive(Debug, Clone, Default)]
pub struct ArgoCd {
    /// Until an Application that is new is looked at.
    pub first_look: SignedDuration,
}

impl Player for ArgoCd {
    fn name(&self) -> &'static str {
        "argocd-application-controller"
    }

    fn watches(&self) -> &'static [Kind] {
        &[APPLICATION, SECRET]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        for application in objects.all(APPLICATION).filter(|application| !is_going(application)) {
            let created = time(application, "/metadata/creationTimestamp").unwrap_or(Timestamp::MIN);
            if !reaction.passed(created, self.first_look, now) {
                continue;
            }
            let wanted = text(application, "/spec/destination/name");
            let knows = |secret: &&Value| {
                namespace(secret) == namespace(application)
                    && label(secret, "argocd.argoproj.io/secret-type") == "cluster"
                    && decoded(&secret["data"]["name"]).as_deref() == Some(wanted)
            };
            let is_known = objects.all(SECRET).any(|secret| knows(&secret));
            let (sync, health) = if is_known { ("Synced", "Healthy") } else { ("Unknown", "Unknown") };
            let mut draft = Draft::of(APPLICATION, application);
            draft.set(&["status", "sync", "status"], sync);
            draft.set(&["status", "health", "status"], health);
            reaction.push(draft.end_as_one());
        }
        reaction
    }
}

fn decoded(value: &Value) -> Option<String> {
    let bytes: ByteString = serde_json::from_value(value.clone()).ok()?;
    String::from_utf8(bytes.0).ok()
}
