//! DaemonSets: a pod on each node.

use super::super::{
    Change,
    conditions::is_true,
    draft::Draft,
    names,
    objects::{is_going, label, name, number, target, text, uid},
};
use super::{
    DAEMON_SET, Look, NODE, POD,
    pods::{count, hash, is_active, is_available, make, observe},
    scheduler::{node_of, selects},
};
use serde_json::{Value, json};

const REVISION: &str = "controller-revision-hash";

pub(super) fn react(look: &mut Look<'_>) {
    for set in look.objects.all(DAEMON_SET).filter(|set| !is_going(set)) {
        let template = &set["spec"]["template"];
        let revision = hash(template);
        let nodes: Vec<&Value> =
            look.objects.all(NODE).filter(|node| selects(&template["spec"], node)).collect();
        let all = look.pods.by(set);
        let (pods, over): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|pod| is_active(pod));
        // One that has ended is made anew.
        look.reaction
            .push(over.iter().filter(|pod| !is_going(pod)).map(|pod| Change::Delete(target(POD, pod))));
        let of = |node: &Value| pods.iter().copied().find(|pod| node_of(pod) == name(node));
        for node in nodes.iter().filter(|node| of(node).is_none()) {
            create(look, set, node, &revision);
        }
        let wanted = |pod: &Value| nodes.iter().any(|node| name(node) == node_of(pod));
        let strays = pods.iter().filter(|pod| !wanted(pod));
        look.reaction.push(strays.map(|pod| Change::Delete(target(POD, pod))));
        replace(look, set, &nodes, &pods, &revision);
        status(look, set, &nodes, &pods, &revision);
    }
}

fn create(look: &mut Look<'_>, set: &Value, node: &Value, revision: &str) {
    let called = format!("{}-{}", name(set), names::suffix(&[uid(set), revision, uid(node)]));
    match make(DAEMON_SET, set, &set["spec"]["template"], &called, &[(REVISION, revision)]) {
        Ok(mut pod) => {
            let field = json!({ "key": "metadata.name", "operator": "In", "values": [name(node)] });
            pod["spec"]["affinity"] = json!({ "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [{ "matchFields": [field] }] },
            } });
            look.reaction.push([Change::Create(pod)]);
        }
        Err(why) => {
            let message = format!("Error creating: {why}");
            look.warn("daemonset-controller", DAEMON_SET, set, "FailedCreate", &message);
        }
    }
}

/// One after the other: the next when all are available. What is not available yet is no loss.
fn replace(look: &mut Look<'_>, set: &Value, nodes: &[&Value], pods: &[&Value], revision: &str) {
    if text(set, "/spec/updateStrategy/type") == "OnDelete" {
        return;
    }
    let (ready, broken): (Vec<&Value>, Vec<&Value>) = pods.iter().partition(|pod| is_true(pod, "Ready"));
    let older = |pod: &&&Value| label(pod, REVISION) != revision;
    let all = ready.len() == nodes.len();
    let next: Vec<&&Value> =
        broken.iter().filter(older).chain(ready.iter().filter(older).take(usize::from(all))).collect();
    look.reaction.push(next.into_iter().map(|pod| Change::Delete(target(POD, pod))));
}

fn status(look: &mut Look<'_>, set: &Value, nodes: &[&Value], pods: &[&Value], revision: &str) {
    let mut draft = Draft::of(DAEMON_SET, set);
    let least = number(set, "/spec/minReadySeconds").unwrap_or(0);
    let ready = pods.iter().filter(|pod| is_true(pod, "Ready")).count();
    let available = pods.iter().filter(|pod| is_available(pod, least, &mut look.reaction, look.now)).count();
    observe(&mut draft);
    draft.set(&["status", "desiredNumberScheduled"], nodes.len());
    draft.set(&["status", "currentNumberScheduled"], pods.len().min(nodes.len()));
    draft.set(&["status", "numberMisscheduled"], 0);
    draft.set(&["status", "numberReady"], ready);
    count(&mut draft, "numberAvailable", available);
    count(&mut draft, "numberUnavailable", nodes.len().saturating_sub(available));
    let updated = pods.iter().filter(|pod| label(pod, REVISION) == revision);
    count(&mut draft, "updatedNumberScheduled", updated.count());
    look.reaction.push(draft.end());
}
