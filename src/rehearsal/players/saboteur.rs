//! Somebody because of whom things fail as they do in real life. For rehearsals: no such player is in the bench.

use super::{
    Change, Kind, Objects, Player, Reaction,
    conditions::tell_briefly,
    draft::Draft,
    objects::{annotation, namespace, target, text},
    workloads::{DAEMON_SET, DEPLOYMENT, JOB, NODE, STATEFUL_SET, play},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saboteur {
    /// What is installed beside the app: it crashes.
    Operators,
    /// The app: its image is not to be had.
    App,
    /// The Jobs of the app.
    Jobs,
    /// The network of the nodes: it never comes up.
    Nodes,
}

impl Player for Saboteur {
    fn name(&self) -> &'static str {
        "saboteur"
    }

    fn watches(&self) -> &'static [Kind] {
        &[DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, NODE]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let workloads = &[DEPLOYMENT, STATEFUL_SET, DAEMON_SET][..];
        let (kinds, word) = match self {
            Self::Nodes => return without_network(objects, now),
            Self::Operators => (workloads, play::CRASH_LOOP),
            Self::App => (workloads, play::IMAGE_PULL_BACK_OFF),
            Self::Jobs => (&[JOB][..], play::FAIL),
        };
        let is_meant = |object: &&Value| (namespace(object) == "default") != (*self == Self::Operators);
        let mut reaction = Reaction::default();
        let all = kinds.iter().flat_map(|kind| objects.all(*kind).map(move |object| (*kind, object)));
        for (kind, object) in all.filter(|(_, object)| is_meant(object)) {
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

fn without_network(objects: &Objects<'_>, now: Timestamp) -> Reaction {
    let mut reaction = Reaction::default();
    for node in objects.all(NODE) {
        let mut draft = Draft::of(NODE, node);
        let why = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network \
                   plugin returns error: cni plugin not initialized";
        tell_briefly(&mut draft, now, "Ready", ("False", "KubeletNotReady", why));
        reaction.push(draft.end());
    }
    reaction
}
