//! Removal, by what the claim says alone: the Clusters first, and nothing else before all that they own was seen gone.
//!
//! Cluster API needs credentials, templates and namespace to take a machine down. Must never: delete what is not ours by its
//! labels; take a namespace that is on its way out for one that has gone.

use super::{super::Here, is_ending};
use crate::{
    clients::kubernetes::{Area, Deletion, Dependents, Kubernetes, Object, Seen},
    domain::{claim::ObjectName, scope::Scope},
    errors::{Exit, UserError},
    progress::Progress,
};
use anyhow::Result;
use serde_json::json;

/// What is deleted in one go, and is seen gone before the next.
const ORDER: [fn(&ObjectName) -> bool; 3] =
    [is_cluster, |name| !is_cluster(name) && name.kind != "Namespace", |name| name.kind == "Namespace"];

fn is_cluster(name: &ObjectName) -> bool {
    name.kind == "Cluster" && name.api_version.starts_with("cluster.x-k8s.io/")
}

/// What a complete list says of what it does not hold.
const UNLISTED: &str = "not in a complete list";
/// What the server has said of some at least, when they were to be deleted.
const NOT_FOUND: &str = "404, or not in a complete list";

/// Makes it gone.
pub(super) async fn remove(management: &Kubernetes, here: &Here<'_>) -> Result<Progress> {
    let names = &here.scope.removal.objects;
    for (stage, belongs) in ORDER.iter().enumerate() {
        let names: Vec<ObjectName> = names.iter().filter(|name| belongs(name)).cloned().collect();
        let seen = management.observe_all(&names).await?;
        if stage == 0 && seen.iter().any(|seen| seen.object().is_some()) {
            // They go before it does, and nobody else knows which virtual machines they were.
            let machines = management.survey(&machines(here.scope)).await?;
            machines.seen.iter().map(called).for_each(|machine| here.witness.met(machine));
        }
        // Looked at, then the claim, then exactly what was seen.
        here.guard.look().await?;
        let (mut going, mut proof) = (Vec::new(), UNLISTED);
        for seen in seen {
            match management.writer(here.fence).delete(&seen, Dependents::First).await? {
                Deletion::Absent if seen.object().is_some() => proof = NOT_FOUND,
                Deletion::Absent => {}
                Deletion::UnderWay => {
                    // Cluster API does nothing about a paused Cluster, its end neither. Only now: before it was deleted
                    // it could have come to life.
                    if is_ending(&seen)
                        && seen.object().is_some_and(|cluster| cluster.value()["spec"]["paused"] == true)
                    {
                        let resumed = json!({"spec": {"paused": false}});
                        management.writer(here.fence).merge_over(&seen, resumed).await?;
                    }
                    going.push(seen);
                }
                Deletion::Foreign(why) => {
                    let message =
                        format!("{} is to go with {} and is not ours: {why}", seen.name(), here.scope.name);
                    let hint =
                        "it was left alone; remove it by hand, or give it the labels of the environment";
                    return Err(UserError::new(Exit::Failed, message).hint(hint).into());
                }
            }
        }
        if let Some(first) = going.first() {
            let on = format!("{}{} to be gone", first.name(), held(first));
            return Ok(Progress::Waiting(Seen::any_changed(&going, on)));
        }
        if stage == 0 {
            let machines = management.survey(&machines(here.scope)).await?;
            if let Some(first) = machines.seen.first() {
                let on = format!("{}{} to be gone", first.name(), held(first));
                return Ok(Progress::Waiting(machines.changed(on)));
            }
            names.iter().for_each(|name| here.witness.gone(&told(name), proof));
            here.witness.none_left("its machines", "none in a complete list");
        } else if !names.is_empty() {
            here.witness.gone(&names.iter().map(told).collect::<Vec<_>>().join(", "), proof);
        }
    }
    Ok(Progress::done(format!("{} objects gone", names.len())))
}

/// Whether all of it is.
pub(super) async fn is_absent(management: &Kubernetes, scope: &Scope) -> Result<bool> {
    let seen = management.observe_all(&scope.removal.objects).await?;
    let machines = management.survey(&machines(scope)).await?;
    Ok(seen.iter().all(|seen| seen.object().is_none()) && machines.seen.is_empty())
}

/// `Cluster pr-shop-42`.
fn told(name: &ObjectName) -> String {
    format!("{} {}", name.kind, name.name)
}

/// A machine, with what stands behind it, if Cluster API says so.
fn called(machine: &Seen) -> String {
    let behind = machine.object().and_then(|object| object.value()["spec"]["providerID"].as_str());
    let behind = behind.map_or(String::new(), |id| format!(" ({id})"));
    format!("{}{behind}", told(machine.name()))
}

/// Whatever Cluster API has made there.
fn machines(scope: &Scope) -> Area {
    Area::of("cluster.x-k8s.io/v1beta2", "Machine").within(scope.name.as_ref())
}

/// Who keeps it, if anybody says so.
fn held(seen: &Seen) -> String {
    let by = seen.object().and_then(Object::held_by);
    by.map_or(String::new(), |by| format!(" ({by} holds it)"))
}
