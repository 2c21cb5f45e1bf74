//! StatefulSets: pods with numbers, each with claims of its own, made one after the other and replaced from the last to the
//! first.

use super::super::{
    Change,
    conditions::is_true,
    draft::Draft,
    objects::{is_going, label, list, name, namespace, number, target, text},
};
use super::{
    CLAIM, Look, POD, STATEFUL_SET,
    pods::{count, hash, is_available, make, object, observe, wanted},
};
use serde_json::{Value, json};

const REVISION: &str = "controller-revision-hash";
const ORDINAL: &str = "apps.kubernetes.io/pod-index";
const NAME: &str = "statefulset.kubernetes.io/pod-name";

pub(super) fn react(look: &mut Look<'_>) {
    for set in look.objects.all(STATEFUL_SET).filter(|set| !is_going(set)) {
        let revision = format!("{}-{}", name(set), hash(&set["spec"]["template"]));
        let mut pods = look.pods.by(set);
        pods.sort_by_key(|pod| ordinal(pod));
        let moved = scale(look, set, &pods, &revision) || replace(look, set, &pods, &revision);
        status(look, set, &pods, &revision, !moved);
    }
}

fn ordinal(pod: &Value) -> usize {
    label(pod, ORDINAL).parse().unwrap_or(usize::MAX)
}

/// Whether there was something to make or to take away.
fn scale(look: &mut Look<'_>, set: &Value, pods: &[&Value], revision: &str) -> bool {
    let wanted = wanted(set, "/spec/replicas");
    let one_by_one = text(set, "/spec/podManagementPolicy") != "Parallel";
    for at in 0..wanted {
        match pods.iter().find(|pod| ordinal(pod) == at) {
            // One that has ended is made anew.
            Some(pod) if matches!(text(pod, "/status/phase"), "Failed" | "Succeeded") => {
                look.reaction.push([Change::Delete(target(POD, pod))]);
                return true;
            }
            Some(pod) if one_by_one && (!is_true(pod, "Ready") || is_going(pod)) => return false,
            Some(_) => {}
            None => {
                create(look, set, at, revision);
                if one_by_one {
                    return true;
                }
            }
        }
    }
    let spare = pods.iter().rev().find(|pod| ordinal(pod) >= wanted);
    look.reaction.push(spare.map(|pod| Change::Delete(target(POD, pod))));
    spare.is_some()
}

fn create(look: &mut Look<'_>, set: &Value, at: usize, revision: &str) {
    let (called, index) = (format!("{}-{at}", name(set)), at.to_string());
    let labels = [(REVISION, revision), (ORDINAL, &index), (NAME, &called)];
    let mut pod = match make(STATEFUL_SET, set, &set["spec"]["template"], &called, &labels) {
        Ok(pod) => pod,
        Err(why) => {
            let message = format!("create Pod {called} in StatefulSet {} failed error: {why}", name(set));
            return look.warn("statefulset-controller", STATEFUL_SET, set, "FailedCreate", &message);
        }
    };
    pod["spec"]["hostname"] = called.as_str().into();
    pod["spec"]["subdomain"] = set["spec"]["serviceName"].clone();
    for template in list(set, "/spec/volumeClaimTemplates") {
        let volume = name(template);
        let claim = format!("{volume}-{called}");
        let of_claim = json!({ "name": volume, "persistentVolumeClaim": { "claimName": claim } });
        match pod["spec"]["volumes"].as_array_mut() {
            Some(volumes) => {
                volumes.retain(|other| text(other, "/name") != volume);
                volumes.push(of_claim);
            }
            None => pod["spec"]["volumes"] = json!([of_claim]),
        }
        if look.objects.get(CLAIM, namespace(set), &claim).is_none() {
            let mut metadata = object(&template["metadata"]);
            metadata["name"] = claim.into();
            metadata["namespace"] = namespace(set).into();
            look.reaction.push([Change::Create(json!({
                "apiVersion": "v1", "kind": CLAIM.kind, "metadata": metadata, "spec": template["spec"],
                "status": { "phase": "Pending" },
            }))]);
        }
    }
    look.reaction.push([Change::Create(pod)]);
}

/// The last pod of an older template, once all behind it are as they should be. Whether there was one.
fn replace(look: &mut Look<'_>, set: &Value, pods: &[&Value], revision: &str) -> bool {
    if text(set, "/spec/updateStrategy/type") == "OnDelete" {
        return false;
    }
    let first = number(set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let first = usize::try_from(first).unwrap_or(0);
    for pod in pods.iter().rev().filter(|pod| ordinal(pod) >= first) {
        if label(pod, REVISION) != revision {
            look.reaction.push([Change::Delete(target(POD, pod))]);
            return true;
        }
        if !is_true(pod, "Ready") {
            return false;
        }
    }
    false
}

fn status(look: &mut Look<'_>, set: &Value, pods: &[&Value], revision: &str, rests: bool) {
    let mut draft = Draft::of(STATEFUL_SET, set);
    let least = number(set, "/spec/minReadySeconds").unwrap_or(0);
    let updated = pods.iter().filter(|pod| label(pod, REVISION) == revision).count();
    let ready = pods.iter().filter(|pod| is_true(pod, "Ready")).count();
    let available = pods.iter().filter(|pod| is_available(pod, least, &mut look.reaction, look.now)).count();
    observe(&mut draft);
    draft.set(&["status", "replicas"], pods.len());
    draft.set(&["status", "availableReplicas"], available);
    draft.set(&["status", "collisionCount"], 0);
    draft.set(&["status", "updateRevision"], revision);
    count(&mut draft, "readyReplicas", ready);
    let all = wanted(set, "/spec/replicas");
    let current = text(set, "/status/currentRevision").to_owned();
    let done = rests && updated == all && ready == all && pods.len() == all;
    if current.is_empty() || done {
        draft.set(&["status", "currentRevision"], revision);
    }
    let current = text(draft.wanted(), "/status/currentRevision").to_owned();
    count(&mut draft, "currentReplicas", pods.iter().filter(|pod| label(pod, REVISION) == current).count());
    count(&mut draft, "updatedReplicas", updated);
    look.reaction.push(draft.end());
}
