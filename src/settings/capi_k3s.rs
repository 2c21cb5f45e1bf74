//! A cluster of k3s on a virtual machine, brought up by Cluster API: what its manifests are made of.
//!
//! Every number is a key, and the default is what the shell tool of old makes. Must never: accept numbers with which
//! no machine can come up, as far as they alone can tell.

mod machine;
mod network;

pub use machine::Machine;
pub use network::Network;

use super::{
    Cluster, PoolSettings,
    app_values::ObjectName,
    defaults,
    file::{KubeVipLayer, ProviderLayer},
    layers::Found,
    pools,
    provider_values::{ImageReference, LabelKey, LabelValue, SecretName, ServerVersion},
    providers::{Around, Inside, Keys, length},
    values::PoolName,
};
use crate::domain::duration::Duration;
use crate::errors::UserError;
use jiff::SignedDuration;
use std::{collections::BTreeMap, path::PathBuf};

/// A provider of this kind.
#[derive(Debug, Clone, PartialEq)]
pub struct CapiK3s {
    /// Which pool its addresses are of: the first of a block is the API server's, the second the machine's.
    pub pool: PoolName,
    /// Where Cluster API runs.
    pub cluster: Cluster,
    /// What a cluster is made of.
    pub manifests: Manifests,
    /// More labels of the namespace that an environment's objects are in.
    pub namespace_labels: BTreeMap<LabelKey, LabelValue>,
    /// Secrets that are copied into it.
    pub copy_secrets: Vec<SecretName>,
    /// The ClusterRole by which it may use that namespace's Secrets; `None`: it may use those of all.
    pub secrets_role: Option<ObjectName>,
    /// What is put into the cluster.
    pub inside: Inside,
}

/// What a cluster is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Manifests {
    /// Of what berth knows.
    BuiltIn(Box<BuiltIn>),
    /// Of a file or a directory with templates.
    Templates(PathBuf),
}

/// The numbers of the built-in manifests.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltIn {
    /// The version of k3s.
    pub version: ServerVersion,
    /// Its networks.
    pub network: Network,
    /// Its virtual machine.
    pub machine: Machine,
    /// What announces its address.
    pub kube_vip: KubeVip,
}

/// What announces a cluster's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeVip {
    /// Its image.
    pub image: ImageReference,
    /// How long a leader leads without renewing.
    pub lease: SignedDuration,
    /// By when it must have renewed.
    pub renew: SignedDuration,
    /// How long between two tries.
    pub retry: SignedDuration,
}

/// What the keys say.
pub(super) fn resolve(keys: &Keys<'_>, around: &Around<'_>) -> Result<CapiK3s, UserError> {
    let named = keys.find(|p| p.pool.as_ref());
    let (pool, addresses) = pools::named(around.pools, named.map(|found| found.value)).map_err(|error| {
        let all = around.pools.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        keys.wrong(named, format!("the provider `{}`: {error}", keys.name))
            .hint(format!("name one by `pool`: {all}"))
    })?;
    if addresses.layout.size.get() < 2 {
        let message = format!(
            "the provider `{}` needs 2 addresses, and a block of the pool `{pool}` has one",
            keys.name
        );
        return Err(keys.wrong(named, message).hint(format!("set `pools.{pool}.block` to 2")));
    }
    let cluster = keys.cluster(|p| p.kubernetes.as_ref())?.unwrap_or(Cluster::Current);
    let manifests = match keys.find(|p| p.templates.as_ref()) {
        Some(templates) => {
            nothing_beside(keys)?;
            Manifests::Templates(templates.place.path(&templates.value.0))
        }
        None => Manifests::BuiltIn(Box::new(built_in(keys, addresses)?)),
    };
    let copied = keys.find(|p| p.copy_secrets.as_ref());
    Ok(CapiK3s {
        pool: pool.clone(),
        manifests,
        namespace_labels: labels(keys),
        copy_secrets: copied.map(Found::cloned).unwrap_or_default(),
        secrets_role: keys.find(|p| p.secrets_role.as_ref()).map(Found::cloned),
        inside: keys.inside(around, &cluster)?,
        cluster,
    })
}

/// What templates replace must not be set: it would be without effect, and nobody would know.
fn nothing_beside(keys: &Keys<'_>) -> Result<(), UserError> {
    let idle = [
        keys.find(|p| p.version.as_ref()).map(|found| ("version", found.place)),
        keys.group(|p| p.network.as_ref()).map(|found| ("network", found.place)),
        keys.group(|p| p.machine.as_ref()).map(|found| ("machine", found.place)),
        keys.group(|p| p.kube_vip.as_ref()).map(|found| ("kube-vip", found.place)),
    ];
    match idle.into_iter().flatten().next() {
        Some((key, place)) => Err(place
            .wrong(format!("`{key}` is of the built-in manifests, which `templates` replaces"))
            .hint("write it into the templates, and leave it out here")),
        None => Ok(()),
    }
}

fn labels(keys: &Keys<'_>) -> BTreeMap<LabelKey, LabelValue> {
    let mut said = keys.layers.0.iter().rev().filter_map(|source| {
        source.layer.providers.as_ref()?.get(keys.name)?.value.namespace_labels.as_ref()
    });
    match said.next() {
        Some(labels) => labels.iter().map(|(key, at)| (key.clone(), at.value.clone())).collect(),
        None => BTreeMap::from([defaults::namespace_label()]),
    }
}

fn built_in(keys: &Keys<'_>, pool: &PoolSettings) -> Result<BuiltIn, UserError> {
    Ok(BuiltIn {
        version: keys.find(|p| p.version.as_ref()).map_or_else(defaults::k3s, Found::cloned),
        network: network::resolve(keys, pool)?,
        machine: machine::resolve(keys, pool)?,
        kube_vip: kube_vip(keys)?,
    })
}

fn kube_vip(keys: &Keys<'_>) -> Result<KubeVip, UserError> {
    fn group(provider: &ProviderLayer) -> Option<&KubeVipLayer> {
        Some(&provider.kube_vip.as_ref()?.value)
    }
    let lease = keys.find(|p| group(p)?.lease.as_ref());
    let vip = KubeVip {
        image: keys.find(|p| group(p)?.image.as_ref()).map_or_else(defaults::kube_vip, Found::cloned),
        lease: length(lease, defaults::VIP_LEASE),
        renew: length(keys.find(|p| group(p)?.renew.as_ref()), defaults::VIP_RENEW),
        retry: length(keys.find(|p| group(p)?.retry.as_ref()), defaults::VIP_RETRY),
    };
    match SignedDuration::ZERO < vip.retry && vip.retry < vip.renew && vip.renew < vip.lease {
        true => Ok(vip),
        false => {
            let [retry, renew, lease_length] = [vip.retry, vip.renew, vip.lease].map(Duration);
            let message = format!(
                "`retry` {retry}, `renew` {renew} and `lease` {lease_length} must grow in this order"
            );
            Err(keys.wrong(keys.group(|p| p.kube_vip.as_ref()), message))
        }
    }
}
