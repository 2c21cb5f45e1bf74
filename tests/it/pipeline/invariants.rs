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
