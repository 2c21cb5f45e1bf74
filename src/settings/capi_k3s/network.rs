//! The networks of a cluster, checked against its pool and against each other.
//!
//! Must never: accept a network in which an address would be two machines'.

use super::super::{
    PoolSettings,
    amounts::{Cidr, Prefix},
    defaults,
    file::{NetworkLayer, ProviderLayer},
    pools,
    providers::Keys,
};
use crate::errors::UserError;
use std::net::Ipv4Addr;

/// The networks of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The gateway of the pool's network.
    pub gateway: Ipv4Addr,
    /// How many bits name that network.
    pub prefix: Prefix,
    /// The metric of the route through the gateway.
    pub metric: u32,
    /// The machine's resolvers; there is one.
    pub dns: Vec<Ipv4Addr>,
    /// The network of pods.
    pub pods: Cidr,
    /// The network of services.
    pub services: Cidr,
    /// Where the API server listens.
    pub port: u16,
}

/// What the keys say.
pub(super) fn resolve(keys: &Keys<'_>, pool: &PoolSettings) -> Result<Network, UserError> {
    fn group(provider: &ProviderLayer) -> Option<&NetworkLayer> {
        Some(&provider.network.as_ref()?.value)
    }
    let gateway = keys.find(|p| group(p)?.gateway.as_ref());
    let prefix = keys.find(|p| group(p)?.prefix.as_ref());
    let pods = keys.find(|p| group(p)?.pods.as_ref());
    let services = keys.find(|p| group(p)?.services.as_ref());
    let dns = keys.find(|p| group(p)?.dns.as_ref());
    let network = Network {
        gateway: gateway.map_or(defaults::GATEWAY, |found| found.value.0),
        prefix: prefix.map_or(defaults::PREFIX, |found| *found.value),
        metric: keys.find(|p| group(p)?.metric.as_ref()).map_or(defaults::METRIC, |found| found.value.0),
        dns: dns.map_or_else(
            || vec![defaults::NODE_DNS],
            |found| found.value.iter().map(|address| address.0).collect(),
        ),
        pods: pods.map_or_else(defaults::pods, |found| *found.value),
        services: services.map_or_else(defaults::services, |found| *found.value),
        port: keys.find(|p| group(p)?.port.as_ref()).map_or(defaults::API_SERVER, |found| found.value.0),
    };
    if network.dns.is_empty() {
        return Err(keys.wrong(dns, "a machine needs a resolver in `dns`".to_owned()));
    }
    let outside = Cidr::around(network.gateway, network.prefix);
    let (first, last) = pools::ends(pool.layout.range);
    if let Some(far) = [first, last].into_iter().find(|address| !outside.contains(*address)) {
        let message =
            format!("the gateway {} is in {outside}, and {far} of the pool is not", network.gateway);
        return Err(keys.wrong(gateway, message).hint("set `network.gateway` and `network.prefix`"));
    }
    if pool.layout.blocks().any(|block| block.addresses().any(|address| address == network.gateway)) {
        let message = format!("the gateway {} is one of the pool's own addresses", network.gateway);
        return Err(keys.wrong(gateway, message).hint("name it in the pool's `exclude`"));
    }
    for (key, inner, found) in [("pods", network.pods, pods), ("services", network.services, services)] {
        if inner.overlaps(outside) {
            let message =
                format!("the network {inner} of `{key}` overlaps {outside}, where the machines are");
            return Err(keys.wrong(found, message));
        }
    }
    if network.pods.overlaps(network.services) {
        let message = format!("`pods` {} and `services` {} overlap", network.pods, network.services);
        return Err(keys.wrong(pods.or(services), message));
    }
    Ok(network)
}
