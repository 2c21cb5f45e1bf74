//! The names of environments in DNS.

use super::{
    file::DnsLayer,
    layers::{Found, Layers},
};
use crate::domain::names::DnsName;
use std::net::SocketAddr;

/// Where environments have their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Below what domain; none: they have no name.
    pub domain: Option<DnsName>,
    /// Who must know a name before it counts, beside the servers of the domain; none: the system's own resolvers.
    pub resolvers: Vec<SocketAddr>,
}

/// What the keys say.
pub(super) fn resolve(layers: &Layers) -> Dns {
    fn keys(layer: &super::file::Layer) -> Option<&DnsLayer> {
        layer.dns.as_ref()
    }
    let resolvers = layers.find(|layer| keys(layer)?.resolvers.as_ref());
    Dns {
        domain: layers.find(|layer| keys(layer)?.domain.as_ref()).map(Found::cloned),
        resolvers: resolvers
            .map(|found| found.value.iter().map(|server| server.0).collect())
            .unwrap_or_default(),
    }
}
