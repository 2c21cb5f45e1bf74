//! The ways in which environments are made real, checked: each has its pool, its cluster and its sources.
//!
//! All of it is the platform's. Must never: know what an app file says.

use super::{
    Cluster, PoolSettings,
    amounts::Bytes,
    app_values::ObjectName,
    capi_k3s::{self, CapiK3s},
    defaults,
    file::{ArgoCdLayer, At, ClusterLayer, Layer, PostgresLayer, ProviderLayer, VaultTokenLayer},
    layers::{Found, Layers, Place},
    nearest::nearest,
    placeholders::Names,
    provider_values::{ImageReference, ProviderKind, TokenRole},
    secrets::{self, Secret},
    source::{self, Source},
    store,
    values::{Namespace, PoolName, ProviderName},
};
use crate::domain::duration::Duration;
use crate::errors::UserError;
use jiff::SignedDuration;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

/// One provider.
#[derive(Debug, Clone, PartialEq)]
pub enum ProviderSettings {
    /// A cluster of k3s on a virtual machine, brought up by Cluster API.
    CapiK3s(Box<CapiK3s>),
}

impl ProviderSettings {
    /// Of which kind it is, as it is written.
    pub fn kind(&self) -> ProviderKind {
        match self {
            Self::CapiK3s(_) => ProviderKind::CapiK3s,
        }
    }

    /// What has room for its environments.
    pub fn within(&self) -> Within<'_> {
        match self {
            Self::CapiK3s(of) => Within::Pool(&of.pool),
        }
    }
}

/// What has room for a provider's environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within<'a> {
    /// A pool, for each has addresses of it.
    Pool(&'a PoolName),
    /// Nothing but the provider's own `max`.
    Most(u32),
}

/// What is put into each environment before its app.
#[derive(Debug, Clone, PartialEq)]
pub struct Inside {
    /// What is installed first.
    pub operators: Vec<Source>,
    /// What is applied when the operators are available.
    pub resources: Vec<Source>,
    /// Secrets, beside those that the app asks for.
    pub secrets: Vec<Secret>,
    /// A token of Vault of its own.
    pub vault_token: Option<VaultToken>,
    /// A PostgreSQL; its operator is one of `operators`.
    pub postgres: Option<Postgres>,
    /// Where Argo CD runs.
    pub argo_cd: ArgoCd,
}

/// A token of Vault, made for one environment and revoked with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultToken {
    /// The Secret that it is put into.
    pub name: ObjectName,
    /// That Secret's namespace.
    pub namespace: Namespace,
    /// The role by which it is made.
    pub role: TokenRole,
    /// The policies that it has; there is one.
    pub policies: Vec<String>,
    /// How long it lives.
    pub ttl: SignedDuration,
}

/// A PostgreSQL, by CloudNativePG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// What it is called.
    pub name: ObjectName,
    /// The namespace that it is in.
    pub namespace: Namespace,
    /// How many servers.
    pub instances: NonZeroU32,
    /// The size of each one's disk.
    pub storage: Bytes,
    /// The image; none is the operator's own.
    pub image: Option<ImageReference>,
    /// The database.
    pub database: String,
    /// Whose the database is.
    pub owner: String,
}

/// Where Argo CD runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgoCd {
    /// Its cluster.
    pub cluster: Cluster,
    /// Its namespace.
    pub namespace: Namespace,
    /// The project that Applications are put into.
    pub project: String,
}

/// What is known beside the provider itself.
pub(super) struct Around<'a> {
    pub(super) pools: &'a BTreeMap<PoolName, PoolSettings>,
    /// How long an environment lives at most.
    pub(super) life: SignedDuration,
    /// The names of berth's own: an app's could put a value of its choice into what is the platform's.
    pub(super) names: &'a Names,
}

/// All that are configured.
pub(super) fn resolve(
    layers: &Layers,
    around: &Around<'_>,
) -> Result<BTreeMap<ProviderName, ProviderSettings>, UserError> {
    let providers = names(layers).into_iter().map(|name| {
        let keys = Keys { layers, name: &name };
        let Some(kind) = keys.find(|p| p.kind.as_ref()) else {
            return Err(keys.place().wrong(format!("the provider `{name}` needs `kind`: capi-k3s")));
        };
        let provider = match kind.value {
            ProviderKind::CapiK3s => ProviderSettings::CapiK3s(Box::new(capi_k3s::resolve(&keys, around)?)),
        };
        Ok((name.clone(), provider))
    });
    providers.collect()
}

/// Whether there is one, so that it is known what the platform gives.
pub(super) fn is_any(layers: &Layers) -> bool {
    !names(layers).is_empty()
}

fn names(layers: &Layers) -> BTreeSet<ProviderName> {
    let named = layers.0.iter().filter_map(|source| source.layer.providers.as_ref());
    named.flat_map(BTreeMap::keys).cloned().collect()
}

/// The provider that is meant: the one of this name, or the only one.
pub(super) fn named<'a>(
    providers: &'a BTreeMap<ProviderName, ProviderSettings>,
    name: Option<&ProviderName>,
) -> Result<(&'a ProviderName, &'a ProviderSettings), UserError> {
    let all = || providers.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match name {
        _ if providers.is_empty() => Err(UserError::usage("no provider is configured")
            .hint("set `providers` in the platform file (--platform, BERTH_PLATFORM or the action's `platform` input)")),
        Some(name) => providers.get_key_value(name).ok_or_else(|| {
            let message = match nearest(name.as_ref(), providers.keys().map(AsRef::as_ref)) {
                Some(near) => format!("there is no provider `{name}`, did you mean `{near}`?"),
                None => format!("there is no provider `{name}`"),
            };
            UserError::usage(message).hint(format!("the providers are {}", all()))
        }),
        None => providers.first_key_value().filter(|_| providers.len() == 1).ok_or_else(|| {
            UserError::usage("there are several providers, and none is named")
                .hint(format!("name one by `provider`: {}", all()))
        }),
    }
}

/// The keys of one provider.
pub(super) struct Keys<'a> {
    pub(super) layers: &'a Layers,
    pub(super) name: &'a ProviderName,
}

impl<'a> Keys<'a> {
    pub(super) fn find<T>(&self, pick: impl Fn(&ProviderLayer) -> Option<&At<T>>) -> Option<Found<'a, T>> {
        let name = self.name;
        self.layers.find(|layer| pick(&at(layer, name)?.value))
    }

    /// Where it is spoken of.
    pub(super) fn place(&self) -> Place<'a> {
        let found = self.layers.find_among(|_| true, |layer| at(layer, self.name));
        found.expect("its name was found in a layer").place
    }

    /// An error about one of its keys.
    pub(super) fn wrong<T>(&self, key: Option<Found<'_, T>>, message: String) -> UserError {
        match key {
            Some(found) => found.wrong(message),
            None => self.place().wrong(message),
        }
    }

    pub(super) fn cluster(
        &self,
        pick: impl Fn(&ProviderLayer) -> Option<&At<ClusterLayer>>,
    ) -> Result<Option<Cluster>, UserError> {
        let Some(group) = self.layers.find_among(|_| true, |layer| pick(&at(layer, self.name)?.value)) else {
            return Ok(None);
        };
        let context = self.find(|p| pick(p)?.value.context.as_ref());
        let own = self.find(|p| pick(p)?.value.in_cluster.as_ref());
        store::cluster(group.place, context, own).map(Some)
    }

    /// What is put into its environments.
    pub(super) fn inside(&self, around: &Around<'_>, cluster: &Cluster) -> Result<Inside, UserError> {
        let Around { names, life, .. } = around;
        let what = |key: &str| format!("providers.{}.{key}", self.name);
        let mut operators = source::list(self.find(|p| p.operators.as_ref()), &what("operators"), names)?;
        let postgres = self.postgres();
        if let Some((_, place)) = &postgres {
            let operator = source::cloudnative_pg(place.to_string());
            if !operators.iter().any(|other| source::is_same_chart(other, &operator)) {
                operators.push(operator);
            }
        }
        Ok(Inside {
            operators,
            resources: source::list(self.find(|p| p.resources.as_ref()), &what("resources"), names)?,
            secrets: secrets::list(
                self.find(|p| p.secrets.as_ref()),
                &what("secrets"),
                (secrets::Reach::All, true),
                names,
            )?,
            vault_token: self.vault_token(*life)?,
            postgres: postgres.map(|(postgres, _)| postgres),
            argo_cd: self.argo_cd(cluster)?,
        })
    }

    /// A group of keys, as the uppermost source has it: where it is said at all.
    pub(super) fn group<T>(&self, pick: fn(&ProviderLayer) -> Option<&At<T>>) -> Option<Found<'a, T>> {
        let name = self.name;
        self.layers.find_among(|_| true, |layer| pick(&at(layer, name)?.value))
    }

    fn vault_token(&self, life: SignedDuration) -> Result<Option<VaultToken>, UserError> {
        fn keys(provider: &ProviderLayer) -> Option<&VaultTokenLayer> {
            Some(&provider.vault_token.as_ref()?.value)
        }
        let Some(group) = self.group(|p| p.vault_token.as_ref()) else { return Ok(None) };
        let policies = self.find(|p| keys(p)?.policies.as_ref());
        let policies: Vec<String> =
            policies.iter().flat_map(|found| found.value.iter().map(|policy| policy.0.clone())).collect();
        if policies.is_empty() {
            let message = format!("`providers.{}.vault-token` needs `policies`", self.name);
            return Err(group.wrong(message).hint("a token with none of its own would have berth's"));
        }
        Ok(Some(VaultToken {
            name: self.find(|p| keys(p)?.name.as_ref()).map_or_else(defaults::vault_token, Found::cloned),
            namespace: self
                .find(|p| keys(p)?.namespace.as_ref())
                .map_or_else(defaults::deploy_namespace, Found::cloned),
            role: self.find(|p| keys(p)?.role.as_ref()).map_or_else(defaults::token_role, Found::cloned),
            policies,
            ttl: self.find(|p| keys(p)?.ttl.as_ref()).map_or(life, |found| found.value.0),
        }))
    }

    fn postgres(&self) -> Option<(Postgres, Place<'a>)> {
        fn keys(provider: &ProviderLayer) -> Option<&PostgresLayer> {
            Some(&provider.postgres.as_ref()?.value)
        }
        let group = self.group(|p| p.postgres.as_ref())?;
        let text = |found: Option<Found<'_, super::values::Word>>, default: &str| {
            found.map_or_else(|| default.to_owned(), |found| found.value.0.clone())
        };
        let postgres = Postgres {
            name: self.find(|p| keys(p)?.name.as_ref()).map_or_else(defaults::postgres, Found::cloned),
            namespace: self
                .find(|p| keys(p)?.namespace.as_ref())
                .map_or_else(defaults::deploy_namespace, Found::cloned),
            instances: self
                .find(|p| keys(p)?.instances.as_ref())
                .map_or(defaults::POSTGRES_INSTANCES, |found| found.value.0),
            storage: self
                .find(|p| keys(p)?.storage.as_ref())
                .map_or(defaults::POSTGRES_STORAGE, |found| *found.value),
            image: self.find(|p| keys(p)?.image.as_ref()).map(Found::cloned),
            database: text(self.find(|p| keys(p)?.database.as_ref()), defaults::POSTGRES_DATABASE),
            owner: text(self.find(|p| keys(p)?.owner.as_ref()), defaults::POSTGRES_OWNER),
        };
        Some((postgres, group.place))
    }

    fn argo_cd(&self, cluster: &Cluster) -> Result<ArgoCd, UserError> {
        fn keys(provider: &ProviderLayer) -> Option<&ArgoCdLayer> {
            Some(&provider.argo_cd.as_ref()?.value)
        }
        let own = self.cluster(|p| keys(p)?.kubernetes.as_ref())?;
        let project = self.find(|p| keys(p)?.project.as_ref());
        Ok(ArgoCd {
            cluster: own.unwrap_or_else(|| cluster.clone()),
            namespace: self
                .find(|p| keys(p)?.namespace.as_ref())
                .map_or_else(defaults::argo_cd, Found::cloned),
            project: project
                .map_or_else(|| defaults::ARGO_CD_PROJECT.to_owned(), |found| found.value.0.clone()),
        })
    }
}

fn at<'a>(layer: &'a Layer, name: &ProviderName) -> Option<&'a At<ProviderLayer>> {
    layer.providers.as_ref()?.get(name)
}

/// What a duration that is found is, or the default.
pub(super) fn length(found: Option<Found<'_, Duration>>, default: SignedDuration) -> SignedDuration {
    found.map_or(default, |found| found.value.0)
}
