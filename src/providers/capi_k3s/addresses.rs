//! Which addresses live clusters use, whatever the documents say: the shell tool of old can erase what stands in the pool.
//!
//! Must never: miss one because a list was cut (then it is unknown); take what is no IPv4 address for one.

use crate::{
    clients::kubernetes::{Area, Kubernetes},
    domain::names::EnvironmentName,
};
use anyhow::Result;
use futures::future::try_join;
use serde_json::Value;
use std::{collections::BTreeSet, net::Ipv4Addr};

/// A range that is larger is no range of machines.
const LARGEST: u32 = 1 << 16;

/// Of all clusters but this environment's own.
pub(super) async fn in_use(management: &Kubernetes, own: &EnvironmentName) -> Result<BTreeSet<Ipv4Addr>> {
    let (clusters, proxmox) = (
        Area::of("cluster.x-k8s.io/v1beta2", "Cluster"),
        Area::of("infrastructure.cluster.x-k8s.io/v1alpha1", "ProxmoxCluster"),
    );
    let (clusters, proxmox) = try_join(management.survey(&clusters), management.survey(&proxmox)).await?;
    let others = clusters
        .objects()
        .chain(proxmox.objects())
        .filter(|object| object.name().namespace.as_deref() != Some(own.as_ref()));
    Ok(others.flat_map(|object| of(object.value())).collect())
}

fn of(object: &Value) -> Vec<Ipv4Addr> {
    let spec = &object["spec"];
    let endpoint = spec["controlPlaneEndpoint"]["host"].as_str().into_iter();
    let nodes = spec["ipv4Config"]["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
    endpoint.chain(nodes).flat_map(range).collect()
}

/// `192.168.1.141`, `192.168.1.141-192.168.1.143` or `192.168.1.0/28`.
fn range(text: &str) -> Vec<Ipv4Addr> {
    let ends = match (text.split_once('-'), text.split_once('/')) {
        (Some((first, last)), _) => first.trim().parse().ok().zip(last.trim().parse().ok()),
        (None, Some((first, bits))) => first.parse().ok().zip(bits.parse::<u32>().ok()).and_then(network),
        (None, None) => text.parse().ok().map(|one: Ipv4Addr| (one, one)),
    };
    let Some((first, last)) = ends else { return Vec::new() };
    let (first, last) = (u32::from(first), u32::from(last));
    if last.checked_sub(first).is_none_or(|more| more >= LARGEST) {
        tracing::warn!("the addresses {text:?} of a cluster are no range of machines");
        return Vec::new();
    }
    (first..=last).map(Ipv4Addr::from).collect()
}

fn network((first, bits): (Ipv4Addr, u32)) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let rest = 32u32.checked_sub(bits)?;
    let mask = u32::MAX.checked_shr(bits).unwrap_or(0);
    let first = u32::from(first) & !mask;
    (rest <= 16).then(|| (Ipv4Addr::from(first), Ipv4Addr::from(first | mask)))
}
