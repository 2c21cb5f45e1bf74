//! kube-scheduler: the first node that is ready and that a pod selects, or why there is none.
//!
//! What nodes have room for is not played: a pod that is to find none says so in its annotation.

use super::super::{
    Kind, Objects, Player, Reaction,
    conditions::{is_true, tell_briefly},
    draft::Draft,
    objects::{is_going, label, list, name, namespace, text, yes},
};
use super::{CLAIM, EVENT, NODE, POD, STORAGE_CLASS, claims::waits_for_a_pod, events::Teller, play};
use jiff::Timestamp;
use serde_json::Value;

/// kube-scheduler.
#[derive(Debug, Clone)]
pub struct Scheduler;

impl Player for Scheduler {
    fn name(&self) -> &'static str {
        "kube-scheduler"
    }

    fn watches(&self) -> &'static [Kind] {
        &[POD, NODE, CLAIM, STORAGE_CLASS, EVENT]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        for pod in objects.all(POD).filter(|pod| !is_going(pod) && !is_true(pod, "PodScheduled")) {
            let mut draft = Draft::of(POD, pod);
            if !text(pod, "/spec/nodeName").is_empty() {
                tell_briefly(&mut draft, now, "PodScheduled", ("True", "", ""));
                reaction.push(draft.end());
                continue;
            }
            match place(objects, pod) {
                Ok(node) => {
                    let message = format!("Successfully assigned {}/{} to {node}", namespace(pod), name(pod));
                    draft.set(&["spec", "nodeName"], node);
                    let teller = Teller { objects, component: "default-scheduler", now };
                    teller.note(&mut reaction, POD, pod, "Scheduled", &message);
                }
                Err(why) => {
                    draft.set(&["status", "phase"], "Pending");
                    tell_briefly(&mut draft, now, "PodScheduled", ("False", "Unschedulable", &why));
                    let teller = Teller { objects, component: "default-scheduler", now };
                    teller.warn(&mut reaction, POD, pod, "FailedScheduling", &why);
                }
            }
            reaction.push(draft.end());
        }
        reaction
    }
}

/// The node of a pod that has one, or that asks for one by name as a DaemonSet's do.
pub(super) fn node_of(pod: &Value) -> &str {
    let by_name = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/\
        matchFields/0/values/0";
    match text(pod, "/spec/nodeName") {
        "" => text(pod, by_name),
        node => node,
    }
}

/// Whether the selector of a pod's specification fits a node.
pub(super) fn selects(spec: &Value, node: &Value) -> bool {
    let wanted = spec["nodeSelector"].as_object().into_iter().flatten();
    wanted.into_iter().all(|(key, value)| label(node, key) == value.as_str().unwrap_or_default())
}

fn place(objects: &Objects<'_>, pod: &Value) -> Result<String, String> {
    let nodes: Vec<&Value> = objects.all(NODE).filter(|node| !is_going(node)).collect();
    let all = nodes.len();
    let unhelpful = |why: &str| {
        let preemption = format!(
            "preemption: 0/{all} nodes are available: {all} Preemption is not helpful for scheduling."
        );
        format!("0/{all} nodes are available: {why}. {preemption}")
    };
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    for volume in list(pod, "/spec/volumes") {
        let claim = text(volume, "/persistentVolumeClaim/claimName");
        if claim.is_empty() {
            continue;
        }
        let Some(claim) = objects.get(CLAIM, namespace(pod), claim) else {
            return Err(unhelpful(&format!("persistentvolumeclaim \"{claim}\" not found")));
        };
        let class = objects.get(STORAGE_CLASS, "", text(claim, "/spec/storageClassName"));
        let kept = [pod, claim].into_iter().any(|one| play::word(one) == play::PENDING_CLAIM);
        let bound = text(claim, "/status/phase") == "Bound";
        if !bound && (kept || !waits_for_a_pod(class)) {
            return Err(unhelpful("pod has unbound immediate PersistentVolumeClaims"));
        }
    }
    if play::word(pod) == play::UNSCHEDULABLE {
        return Err(format!(
            "0/{all} nodes are available: {all} Insufficient memory. preemption: 0/{all} nodes are available: {all} No \
             preemption victims found for incoming pod."
        ));
    }
    let named = node_of(pod);
    let fits = |node: &&&Value| selects(&pod["spec"], node) && (named.is_empty() || name(node) == named);
    let fitting: Vec<&&Value> = nodes.iter().filter(fits).collect();
    if fitting.is_empty() {
        return Err(unhelpful(&format!("{all} node(s) didn't match Pod's node affinity/selector")));
    }
    let free = fitting.iter().find(|node| is_true(node, "Ready") && !yes(node, "/spec/unschedulable"));
    let tainted = || unhelpful(&format!("{all} node(s) had untolerated taint(s)"));
    free.map(|node| name(node).to_owned()).ok_or_else(tainted)
}
