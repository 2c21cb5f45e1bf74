//! What must hold after every request.

use berth::rehearsal::{Request, World};
use serde_json::Value;
use std::collections::BTreeMap;

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
