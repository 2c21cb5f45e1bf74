//! Whose last words are worth hearing: those of what the diagnosis is about, then of whatever else has fallen. Pure.

use super::{
    Diagnosis, Snapshot,
    signs::{containers, items, named, text},
};
use crate::domain::removal::ObjectName;
use serde_json::Value;
use std::collections::BTreeSet;

/// Which life of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The last that has begun.
    Present,
    /// The one before it.
    Before,
}

/// The containers to be heard, the first above all: pod, container, and which life of it. Of pods of one owner, which tell
/// the same, one is enough.
pub fn speakers<'a>(
    all: &'a Snapshot,
    found: Option<&Diagnosis>,
) -> impl Iterator<Item = (ObjectName, &'a str, Life)> {
    let is_meant = |pod: &Value| found.is_some_and(|found| belongs(all, pod, &found.object, OWNERS));
    let pods = all.of("Pod").map(|pod| (pod, is_meant(pod)));
    let mut pods: Vec<(&Value, bool)> =
        pods.filter(|(pod, meant)| words(pod, *meant).next().is_some()).collect();
    pods.sort_by_key(|(_, meant)| !meant);
    let mut heard = BTreeSet::new();
    pods.retain(|(pod, _)| heard.insert(family(pod)));
    let all = pods.into_iter();
    all.flat_map(|(pod, meant)| words(pod, meant).map(|(name, life)| (ObjectName::of(pod), name, life)))
}

/// A container that has ended badly; of the pod that is meant, also one that runs and is not ready.
fn words(pod: &Value, is_meant: bool) -> impl Iterator<Item = (&str, Life)> {
    containers(pod).filter(|container| container["ready"] != true).filter_map(move |container| {
        let bad =
            |state: &str| container[state]["terminated"]["exitCode"].as_i64().is_some_and(|code| code != 0);
        let life = if bad("state") {
            Life::Present
        } else if bad("lastState") {
            Life::Before
        } else if is_meant && container["state"]["running"].is_object() {
            Life::Present
        } else {
            return None;
        };
        Some((text(container, "name"), life))
    })
}

/// From a pod to its CronJob or Deployment there are no more; what a cluster says need not end.
const OWNERS: usize = 3;

/// Whether it is what is called so, or was made by it.
fn belongs(all: &Snapshot, object: &Value, called: &str, owners: usize) -> bool {
    named(object) == called
        || owners > 0
            && items(&object["metadata"], "ownerReferences").any(|owner| {
                let mut made_it = all.objects.iter().filter(|one| one["metadata"]["uid"] == owner["uid"]);
                made_it.any(|one| belongs(all, one, called, owners - 1))
            })
}

fn family(pod: &Value) -> &str {
    let owner = items(&pod["metadata"], "ownerReferences").next();
    text(owner.unwrap_or(&pod["metadata"]), "uid")
}
