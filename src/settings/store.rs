//! Where berth keeps its documents: what was configured, else what the environment shows, else a directory.
//!
//! Two stores for one pool hand out one address twice. So must never: fall back from a store that was meant.

use super::{
    defaults,
    environment::Environment,
    file::{At, KubernetesLayer, Layer, StoreLayer, VaultLayer},
    layers::{Found, Layers, Owner, Place},
    values::{FilePath, Namespace, StoreChoice, Switch},
    vault::{self, Vault},
};
use crate::{domain::names::ContextName, errors::UserError};
use std::{fmt, path::PathBuf};

/// Where the documents are.
#[allow(clippy::large_enum_variant, reason = "one of them a process; a box would only be noise")]
#[derive(Debug, Clone)]
pub enum Store {
    /// In Vault.
    Vault(Vault),
    /// In a cluster.
    Kubernetes {
        /// Berth's own namespace.
        namespace: Namespace,
        /// Which cluster.
        cluster: Cluster,
    },
    /// In a directory, which need not exist yet.
    File(PathBuf),
    /// In the user's state directory, because nothing points to another place: worth a word, as it is easily mistaken for
    /// the pool that others share.
    Own(PathBuf),
}

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// By this context of the kubeconfig.
    Context(ContextName),
    /// By the kubeconfig's current context.
    Current,
    /// As the pod that berth runs in.
    Own,
}

/// The kinds, for looking up which was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vault,
    Kubernetes,
    File,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Vault => "vault",
            Kind::Kubernetes => "kubernetes",
            Kind::File => "file",
        })
    }
}

/// What `--store` and `BERTH_STORE` say, as a layer.
pub(super) fn choice(choice: &StoreChoice) -> Layer {
    let mut store = StoreLayer::default();
    match choice {
        StoreChoice::Vault => store.vault = Some(VaultLayer::default().into()),
        StoreChoice::Kubernetes => store.kubernetes = Some(KubernetesLayer::default().into()),
        StoreChoice::File(directory) => store.file = Some(FilePath(directory.clone()).into()),
    }
    Layer { store: Some(store), ..Default::default() }
}

/// The store to use.
pub(super) fn resolve(layers: &Layers, environment: &Environment) -> Result<Store, UserError> {
    match layers.choice("store", (Owner::Platform, super::variables::STORE), kinds)? {
        Some((Kind::Vault, _)) => vault::resolve(layers, environment).map(Store::Vault),
        Some((Kind::Kubernetes, place)) => kubernetes(layers, place),
        Some((Kind::File, _)) => {
            let directory = layers.find(|layer| layer.store.as_ref()?.file.as_ref());
            let directory = directory.expect("the choice was made by this key");
            Ok(Store::File(directory.place.path(&directory.value.0)))
        }
        None if environment.text(vault::ADDRESS)?.is_some() => {
            vault::resolve(layers, environment).map(Store::Vault)
        }
        None => state_directory(environment),
    }
}

fn kinds(layer: &Layer) -> Vec<At<Kind>> {
    let Some(store) = &layer.store else { return Vec::new() };
    let kinds = [
        store.vault.as_ref().map(|at| at.mark(Kind::Vault)),
        store.kubernetes.as_ref().map(|at| at.mark(Kind::Kubernetes)),
        store.file.as_ref().map(|at| at.mark(Kind::File)),
    ];
    kinds.into_iter().flatten().collect()
}

fn kubernetes(layers: &Layers, place: Place<'_>) -> Result<Store, UserError> {
    let namespace = layers.find(|l| l.store.as_ref()?.kubernetes.as_ref()?.value.namespace.as_ref());
    let context = layers.find(|l| l.store.as_ref()?.kubernetes.as_ref()?.value.context.as_ref());
    let own = layers.find(|l| l.store.as_ref()?.kubernetes.as_ref()?.value.in_cluster.as_ref());
    let cluster = cluster(place, context, own)?;
    let namespace = namespace.map_or_else(defaults::namespace, |found| found.value.clone());
    Ok(Store::Kubernetes { namespace, cluster })
}

/// Which cluster is meant at this place.
pub(super) fn cluster(
    place: Place<'_>,
    context: Option<Found<'_, ContextName>>,
    own: Option<Found<'_, Switch>>,
) -> Result<Cluster, UserError> {
    match (context, own.filter(|own| own.value.0)) {
        (Some(context), Some(_)) => {
            let message =
                format!("`context` {} and `in-cluster` are two clusters; say one of them", context.value);
            Err(place.wrong(message))
        }
        (Some(Found { value, .. }), None) => Ok(Cluster::Context(value.clone())),
        (None, Some(_)) => Ok(Cluster::Own),
        (None, None) => Ok(Cluster::Current),
    }
}

/// The command line's own store, where nothing points to another one.
fn state_directory(environment: &Environment) -> Result<Store, UserError> {
    let lack = environment.lack(vault::ADDRESS);
    if environment.text(vault::TOKEN)?.is_some() {
        return Err(UserError::usage(format!("{} is set without an address: {lack}", vault::TOKEN))
            .hint("set VAULT_ADDR, or say --store file:DIR to keep the pool in a directory instead"));
    }
    if environment.text("GITHUB_ACTIONS")? == Some("true") {
        let message = "no store is configured, and a directory would be lost with this job's runner";
        return Err(UserError::usage(format!("{message} ({lack})")).hint(
            "set VAULT_ADDR, or `store` in the platform file \
             (--platform, BERTH_PLATFORM or the action's `platform` input)",
        ));
    }
    // A relative XDG directory is invalid and to be ignored (XDG Base Directory Specification).
    let state = environment.path("XDG_STATE_HOME").filter(|state| state.is_absolute());
    let state = state.or_else(|| environment.path("HOME").map(|home| home.join(".local/state")));
    match state {
        Some(state) => Ok(Store::Own(state.join(defaults::STATE_DIRECTORY))),
        None => Err(UserError::usage("no store is configured, and HOME does not say where one could be")
            .hint("say --store file:DIR")),
    }
}
