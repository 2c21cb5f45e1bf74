//! What must hold after every request.

use berth::rehearsal::{Request, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Two Clusters at work never have one address, and what is at work stands in the pool under its own name.
pub(super) fn no_address_twice(world: &World, _: &Request) -> Result<(), String> {
    let mut held: BTreeMap<&str, &str> = BTreeMap::new();
    let pool = world.vault.document("ephemeral-clusters/ip-allocations");
    for (_, name, cluster) in world.kubernetes.all("clusters.cluster.x-k8s.io") {
        if cluster["spec"]["paused"] == true {
            continue;
        }
        let Some(host) = cluster["spec"]["controlPlaneEndpoint"]["host"].as_str() else { continue };
        if let Some(other) = held.insert(host, name) {
            return Err(format!("{host} is the endpoint of {other} and of {name}"));
        }
        let holder = pool.and_then(|pool| pool.get(host)).and_then(Value::as_str);
        if holder != Some(name) {
            return Err(format!("{name} is at work at {host}, which the pool gives to {holder:?}"));
        }
    }
    Ok(())
}

/// Nothing of the environment is there that no claim explains, and no address of it is free as long as something uses it. Of
/// one process at a time: what a superseded one had under way may come late.
pub(super) fn nothing_unexplained(world: &World, _: &Request) -> Result<(), String> {
    const NAME: &str = "pr-shop-42";
    let of_ours = |(_, object): &(&str, &Value)| {
        let metadata = &object["metadata"];
        metadata["namespace"] == NAME
            || metadata["name"] == NAME
            || metadata["labels"]["berth.dev/environment"] == NAME
    };
    let object = world.kubernetes.stored().find(of_ours);
    let claim = world.vault.document(&format!("ephemeral-clusters/{NAME}/claim"));
    let is_claimed = claim.is_some_and(|claim| !claim.contains_key("_gone"));
    let pool = world.vault.document("ephemeral-clusters/ip-allocations");
    let held: Vec<&str> = pool
        .into_iter()
        .flatten()
        .filter(|(_, holder)| *holder == NAME)
        .map(|(address, _)| address.as_str())
        .collect();
    if !is_claimed && let Some((resource, object)) = object {
        return Err(format!("no claim explains {resource} {}", object["metadata"]["name"]));
    }
    if !is_claimed && !held.is_empty() {
        return Err(format!("no claim explains {held:?} in the pool"));
    }
    if held.is_empty()
        && let Some((resource, object)) = object
    {
        return Err(format!(
            "its addresses are free, and {resource} {} is there",
            object["metadata"]["name"]
        ));
    }
    let mut targets =
        world.zone.records().iter().filter(|record| record.kind == "A").flat_map(|record| &record.targets);
    match targets.find(|target| !held.contains(&target.as_str())) {
        Some(target) => Err(format!("{target} is free, and a name leads there")),
        None => Ok(()),
    }
}

/// Of one environment there is one machine ever, and its address is never another.
pub(super) fn provisioned_once() -> impl FnMut(&World, &Request) -> Result<(), String> + Send + 'static {
    let (mut machines, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    move |world, _| {
        let all = world.kubernetes.all("machines.cluster.x-k8s.io");
        machines.extend(all.map(|(_, _, machine)| machine["metadata"]["uid"].to_string()));
        let all = world.kubernetes.all("clusters.cluster.x-k8s.io");
        hosts.extend(all.map(|(_, _, cluster)| cluster["spec"]["controlPlaneEndpoint"]["host"].to_string()));
        if machines.len() > 1 || hosts.len() > 1 {
            return Err(format!("provisioned twice: {machines:?} at {hosts:?}"));
        }
        Ok(())
    }
}
