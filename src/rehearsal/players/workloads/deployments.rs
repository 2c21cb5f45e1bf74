//! Deployments: a ReplicaSet for each template, the newest in place of the others, and how far that has come.

use super::super::{
    Change,
    conditions::{find, stamp},
    draft::{Draft, controller},
    objects::{is_going, label, list, name, namespace, number, target, text, time, yes},
};
use super::{
    DEPLOYMENT, Look, REPLICA_SET,
    pods::{count, hash, object, observe},
    rollout::{Strategy, available, seen, size},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn react(look: &mut Look<'_>) {
    for deployment in look.objects.all(DEPLOYMENT).filter(|deployment| !is_going(deployment)) {
        let hash = hash(&deployment["spec"]["template"]);
        let sets: Vec<&Value> = look.sets.by(deployment).into_iter().filter(|set| !is_going(set)).collect();
        let (new, mut old): (Vec<&Value>, Vec<&Value>) =
            sets.iter().partition(|set| label(set, HASH) == hash);
        old.sort_by_key(|set| revision(set));
        let new = new.first().copied();
        let strategy = Strategy::of(deployment);
        let latest = old.last().map_or(0, |set| revision(set)).saturating_add(1);
        let revision =
            new.map_or(latest, |new| if old.is_empty() { revision(new) } else { revision(new).max(latest) });
        if !yes(deployment, "/spec/paused") {
            roll(look, (deployment, &hash, revision), new, &old, &strategy);
        }
        let mut draft = Draft::of(DEPLOYMENT, deployment);
        draft.set(&["metadata", "annotations", REVISION], revision.to_string());
        status(look, &mut draft, new, &sets, &strategy);
        look.reaction.push(draft.end());
    }
}

fn revision(set: &Value) -> u64 {
    super::super::objects::annotation(set, REVISION).parse().unwrap_or(0)
}

fn roll(
    look: &mut Look<'_>,
    (deployment, hash, revision): (&Value, &str, u64),
    new: Option<&Value>,
    old: &[&Value],
    strategy: &Strategy,
) {
    let replicas = strategy.new_size(new, old);
    match new {
        None => look.reaction.push([Change::Create(made(deployment, hash, revision, replicas))]),
        Some(new) => {
            let mut draft = Draft::of(REPLICA_SET, new);
            draft.set(&["metadata", "annotations", REVISION], revision.to_string());
            draft.set(&["spec", "replicas"], replicas);
            // Its status is its own controller's.
            look.reaction.push(draft.end());
        }
    }
    for (set, replicas) in old.iter().zip(strategy.old_sizes(new, old)) {
        let mut draft = Draft::of(REPLICA_SET, set);
        draft.set(&["spec", "replicas"], replicas);
        look.reaction.push(draft.end());
    }
    let kept = usize::try_from(number(deployment, "/spec/revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
    let empty = old.iter().filter(|set| size(set) == 0 && seen(set, "/status/replicas") == 0);
    let spare = old.len().saturating_sub(kept);
    look.reaction.push(empty.take(spare).map(|set| Change::Delete(target(REPLICA_SET, set))));
}

fn made(deployment: &Value, hash: &str, revision: u64, replicas: usize) -> Value {
    let mut template = object(&deployment["spec"]["template"]);
    template["metadata"] = object(&template["metadata"]);
    let mut selector = object(&deployment["spec"]["selector"]);
    for labels in [&mut template["metadata"]["labels"], &mut selector["matchLabels"]] {
        *labels = object(labels);
        labels[HASH] = hash.into();
    }
    let mut spec = json!({ "replicas": replicas, "selector": selector, "template": template });
    if let Some(least) = number(deployment, "/spec/minReadySeconds") {
        spec["minReadySeconds"] = least.into();
    }
    json!({
        "apiVersion": REPLICA_SET.api_version(), "kind": REPLICA_SET.kind,
        "metadata": {
            "namespace": namespace(deployment), "name": format!("{}-{hash}", name(deployment)),
            "labels": spec["template"]["metadata"]["labels"],
            "annotations": { REVISION: revision.to_string() },
            "ownerReferences": [controller(DEPLOYMENT, deployment)],
        },
        "spec": spec, "status": { "replicas": 0 },
    })
}

fn status(
    look: &mut Look<'_>,
    draft: &mut Draft<'_>,
    new: Option<&Value>,
    sets: &[&Value],
    strategy: &Strategy,
) {
    let sum = |pointer: &str| sets.iter().map(|set| seen(set, pointer)).sum::<usize>();
    let updated = new.map_or(0, |new| seen(new, "/status/replicas"));
    let (total, ready, is_available) = (
        sum("/status/replicas"),
        sum("/status/readyReplicas"),
        sets.iter().map(|set| available(set)).sum::<usize>(),
    );
    let before = ["updatedReplicas", "readyReplicas", "availableReplicas"]
        .map(|field| seen(draft.wanted(), &format!("/status/{field}")));
    let old_before = seen(draft.wanted(), "/status/replicas").saturating_sub(before[0]);
    observe(draft);
    count(draft, "replicas", total);
    count(draft, "updatedReplicas", updated);
    count(draft, "readyReplicas", ready);
    count(draft, "availableReplicas", is_available);
    let sizes: usize = sets.iter().map(|set| size(set)).sum();
    count(draft, "unavailableReplicas", sizes.saturating_sub(is_available));
    let (is, reason, message) = match is_available >= strategy.least() {
        true => ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        false => ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
    };
    say(look, draft, "Available", is, reason, message, false);
    let failure = new.into_iter().chain(sets.iter().copied()).find_map(|set| find(set, "ReplicaFailure"));
    match failure {
        Some(said) => {
            say(
                look,
                draft,
                "ReplicaFailure",
                text(said, "/status"),
                text(said, "/reason"),
                text(said, "/message"),
                false,
            );
        }
        None if find(draft.wanted(), "ReplicaFailure").is_some() => {
            draft.list(&["status", "conditions"]).retain(|said| said["type"] != "ReplicaFailure");
        }
        None => {}
    }
    let moved = updated > before[0]
        || ready > before[1]
        || is_available > before[2]
        || total.saturating_sub(updated) < old_before;
    let done = updated == strategy.replicas && total == updated && is_available >= updated;
    if let Some(new) = new {
        progress(look, draft, name(new), done, moved);
    }
}

fn progress(look: &mut Look<'_>, draft: &mut Draft<'_>, set: &str, done: bool, moved: bool) {
    let known = find(draft.wanted(), "Progressing").cloned();
    let about_it = known.as_ref().is_some_and(|said| text(said, "/message").contains(&format!("\"{set}\"")));
    let is = |reason: &str| known.as_ref().is_some_and(|said| about_it && text(said, "/reason") == reason);
    if done {
        let message = format!("ReplicaSet \"{set}\" has successfully progressed.");
        return say(look, draft, "Progressing", "True", "NewReplicaSetAvailable", &message, false);
    }
    if !about_it {
        let message = format!("Created new replica set \"{set}\"");
        return say(look, draft, "Progressing", "True", "NewReplicaSetCreated", &message, true);
    }
    // A rollout that was done is not begun again by a pod that is lost.
    if is("NewReplicaSetAvailable") && !moved {
        return;
    }
    if moved {
        let message = format!("ReplicaSet \"{set}\" is progressing.");
        return say(look, draft, "Progressing", "True", "ReplicaSetUpdated", &message, true);
    }
    let deadline = number(draft.wanted(), "/spec/progressDeadlineSeconds").unwrap_or(600);
    let since = known.as_ref().and_then(|said| time(said, "/lastUpdateTime")).unwrap_or(look.now);
    if is("ProgressDeadlineExceeded")
        || look.reaction.passed(since, SignedDuration::from_secs(deadline), look.now)
    {
        let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
        say(look, draft, "Progressing", "False", "ProgressDeadlineExceeded", &message, false);
    }
}

/// A Deployment's conditions tell two times: of the last change, and of the last change of their status.
fn say(
    look: &Look<'_>,
    draft: &mut Draft<'_>,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    again: bool,
) {
    let known = find(draft.wanted(), kind);
    let same =
        |field: &str, value: &str| known.is_some_and(|known| text(known, &format!("/{field}")) == value);
    if same("status", status) && same("reason", reason) && same("message", message) && !again {
        return;
    }
    let now: Value = stamp(look.now).into();
    let since = known.filter(|_| same("status", status)).map(|known| known["lastTransitionTime"].clone());
    let condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": now, "lastTransitionTime": since.unwrap_or(now.clone()),
    });
    let mut all = list(draft.wanted(), "/status/conditions").to_vec();
    match all.iter_mut().find(|known| known["type"] == kind) {
        Some(known) => *known = condition,
        None => all.push(condition),
    }
    draft.set(&["status", "conditions"], all);
}
