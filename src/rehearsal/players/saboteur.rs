//! Somebody because of whom things fail as they do in real life. For rehearsals: no such player is in the bench.

use super::{
    Change, Kind, Objects, Player, Reaction,
    objects::{annotation, namespace, target, text},
    workloads::play,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const DEPLOYMENT: Kind = Kind { group: "apps", version: "v1", kind: "Deployment", plural: "deployments" };
const JOB: Kind = Kind { group: "batch", version: "v1", kind: "Job", plural: "jobs" };

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saboteur {
    /// What is installed beside the app: it crashes.
    Operators,
    /// The app: its image is not to be had.
    App,
    /// The Jobs of the app.
    Jobs,
}

impl Player for Saboteur {
    fn name(&self) -> &'static str {
        "saboteur"
    }

    fn watches(&self) -> &'static [Kind] {
        &[DEPLOYMENT, JOB]
    }

    fn react(&self, objects: &Objects<'_>, _: Timestamp) -> Reaction {
        let (kind, word) = match self {
            Self::Operators => (DEPLOYMENT, play::CRASH_LOOP),
            Self::App => (DEPLOYMENT, play::IMAGE_PULL_BACK_OFF),
            Self::Jobs => (JOB, play::FAIL),
        };
        let is_meant = |object: &&Value| (namespace(object) == "default") != (*self == Self::Operators);
        let mut reaction = Reaction::default();
        for object in objects.all(kind).filter(is_meant) {
            let template = &object["spec"]["template"];
            if annotation(template, play::PLAY) != word {
                let patch = json!({
                    "metadata": {"resourceVersion": text(object, "/metadata/resourceVersion")},
                    "spec": {"template": {"metadata": {"annotations": {play::PLAY: word}}}},
                });
                reaction.push([Change::Merge(target(kind, object), patch)]);
            }
        }
        reaction
    }
}
