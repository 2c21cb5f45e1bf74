//! ReplicaSets: as many pods as are wanted, and why there are fewer.

use super::super::conditions::is_true;
use super::super::{
    Change,
    conditions::{find, tell_plainly},
    draft::Draft,
    objects::{is_going, list, name, number, target, text, time},
};
use super::{
    Look, POD, REPLICA_SET,
    pods::{count, free_names, is_active, is_available, make, observe, wanted},
};
use serde_json::Value;
use std::cmp::Reverse;

pub(super) fn react(look: &mut Look<'_>) {
    for set in look.objects.all(REPLICA_SET).filter(|set| !is_going(set)) {
        let all = look.pods.by(set);
        let pods: Vec<&Value> = all.iter().copied().filter(|pod| is_active(pod)).collect();
        let wanted = wanted(set, "/spec/replicas");
        let mut failure = None;
        if pods.len() < wanted {
            for called in free_names(set, &all, wanted - pods.len()) {
                match make(REPLICA_SET, set, &set["spec"]["template"], &called, &[]) {
                    Ok(pod) => look.reaction.push([Change::Create(pod)]),
                    Err(why) => failure = failure.or(Some(why)),
                }
            }
        }
        let mut rank = pods.clone();
        // Those that are furthest from being ready go first, then the youngest.
        rank.sort_by_key(|pod| {
            let born = time(pod, "/metadata/creationTimestamp");
            (is_true(pod, "Ready"), !text(pod, "/spec/nodeName").is_empty(), Reverse(born), name(pod))
        });
        let spare = rank.into_iter().take(pods.len().saturating_sub(wanted));
        look.reaction.push(spare.map(|pod| Change::Delete(target(POD, pod))));
        if let Some(why) = &failure {
            look.warn(
                "replicaset-controller",
                REPLICA_SET,
                set,
                "FailedCreate",
                &format!("Error creating: {why}"),
            );
        }
        status(look, set, &pods, failure);
    }
}

fn status(look: &mut Look<'_>, set: &Value, pods: &[&Value], failure: Option<String>) {
    let mut draft = Draft::of(REPLICA_SET, set);
    let least = number(set, "/spec/minReadySeconds").unwrap_or(0);
    draft.set(&["status", "replicas"], pods.len());
    count(&mut draft, "fullyLabeledReplicas", pods.len());
    count(&mut draft, "readyReplicas", pods.iter().filter(|pod| is_true(pod, "Ready")).count());
    let available = pods.iter().filter(|pod| is_available(pod, least, &mut look.reaction, look.now));
    count(&mut draft, "availableReplicas", available.count());
    observe(&mut draft);
    match failure {
        Some(why) => tell_plainly(&mut draft, look.now, "ReplicaFailure", "True", "FailedCreate", &why),
        None if find(set, "ReplicaFailure").is_some() => match list(set, "/status/conditions").len() {
            1 => draft.unset(&["status", "conditions"]),
            _ => draft.list(&["status", "conditions"]).retain(|said| said["type"] != "ReplicaFailure"),
        },
        None => {}
    }
    look.reaction.push(draft.end());
}
