//! The engine of one process, from settings and from where the world is met: the same for users, for the rehearsal and for
//! the tests.

use crate::{
    clients::kubernetes::Clusters,
    clock::Clock,
    documents::{Store, claims::Claims},
    domain::{
        claim::{Elsewhere, Job, ProviderKind, Removal},
        holder::Holder,
        intent::Terms,
        names::{ContextName, PlaceName},
        queue::{Place, Places, Room},
        scope::Hosts,
    },
    engine::{Calls, Engine, Ground, HostsOf, Ids, Pace, Pools, Protocol, Retry, Sweeper, Wishes},
    errors::{Exit, UserError},
    providers::{
        Provider, Providers,
        capi_k3s::{self, CapiK3s},
    },
    reporters::Reporters,
    settings::{
        self, CapiK3s as OfCapiK3s, PoolName, PoolSettings, ProviderName, ProviderSettings, Settings, Within,
        host_variable,
    },
    steps::{self, Tools, deploy::HandOver},
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Where the world is met, and as whom.
pub struct Outside {
    /// The documents.
    pub store: Arc<dyn Store>,
    /// Management clusters.
    pub clusters: Arc<Clusters>,
    /// What holders want.
    pub wishes: Arc<dyn Wishes>,
    /// Calls those whose turn has come.
    pub calls: Option<Arc<dyn Calls>>,
    /// Where it is told.
    pub reporters: Reporters,
    /// Of the process.
    pub clock: Clock,
    /// Of its takings.
    pub ids: Ids,
    /// Which job this is, if it is one.
    pub job: Option<Job>,
    /// How to wait between two decisions.
    pub pace: Pace,
    /// How long to go on where something does not answer.
    pub retry: Retry,
    /// What steps work with beside this.
    pub tools: Tools,
}

/// The engine for this holder's environment; without a provider in the settings it can only take environments down.
pub fn engine(settings: &Settings, holder: &Holder, outside: Outside) -> Result<Engine> {
    let configured = match settings.providers.is_empty() {
        true => None,
        false => Some(settings.provider()?),
    };
    let hosts = hosts_of(settings);
    let names = hosts(holder)?;
    let (of, provider) = match configured {
        Some((name, ProviderSettings::CapiK3s(of))) => (Some((**of).clone()), Some(name.to_string())),
        None => (None, None),
    };
    let (_, pool) = match &of {
        Some(of) => settings.pool(Some(&of.pool))?,
        // What goes is freed by its name, whichever pool it was of.
        None => settings.pools.first_key_value().context("there is always a pool")?,
    };
    let removal = match &of {
        Some(of) => Removal {
            elsewhere: match settings.app.deploy.as_ref().map(|deploy| &deploy.source.form) {
                Some(settings::Form::ArgoCd(_)) => handing_over(&outside.clusters, of)?.names(&holder.name()),
                _ => Vec::new(),
            },
            ..made(of, context(&outside.clusters, &of.cluster)?, holder, &names)?
        },
        // Nothing is brought up by it: what goes stands in its claim.
        None => Removal {
            provider: ProviderKind::CapiK3s,
            context: None,
            objects: Vec::new(),
            elsewhere: Vec::new(),
            hosts: Vec::new(),
        },
    };
    let terms = Terms {
        life: settings.lifetime.max,
        grace: settings.lifetime.grace,
        reuse_after: pool.reuse_after,
        removal,
        place: configured.map(|(name, provider)| place(name, provider.within())),
        job: outside.job.clone(),
    };
    let handing = of.as_ref().map(|of| handing_over(&outside.clusters, of)).transpose()?;
    let Outside { store, clusters, wishes, calls, reporters, clock, ids, pace, retry, tools, job: _ } =
        outside;
    let pools = Pools {
        claims: Claims::new(store),
        layout: pool.layout.clone(),
        places: places(&settings.pools, rooms(settings)),
        taken: BTreeSet::new(),
        pace,
        clock: clock.clone(),
    };
    let run = ids.to_string();
    let mask = tools.mask.clone();
    Ok(Engine {
        protocol: Protocol { pools, terms, ids },
        wishes,
        hosts,
        steps: steps::all(settings, of.as_ref(), tools, clusters.clone(), handing),
        providers: Arc::new(Configured { of, clusters, clock, run }),
        reporters,
        mask,
        retry,
        calls,
        when_full: pool.when_full,
        provider,
    })
}

/// What is made for a holder, and is removed again.
fn made(of: &OfCapiK3s, context: Option<ContextName>, holder: &Holder, hosts: &Hosts) -> Result<Removal> {
    Ok(Removal {
        provider: ProviderKind::CapiK3s,
        context,
        objects: capi_k3s::names(of, holder, hosts)?,
        elsewhere: Vec::new(),
        hosts: hosts.all().cloned().collect(),
    })
}

/// What looks at all environments, of whichever provider. It brings nothing up.
pub fn sweeper(settings: &Settings, outside: Outside) -> Result<Sweeper> {
    let ground = |(name, of): (&ProviderName, &ProviderSettings)| -> Result<Ground> {
        let ProviderSettings::CapiK3s(of) = of;
        let (of, hosts) = ((**of).clone(), hosts_of(settings));
        let context = context(&outside.clusters, &of.cluster)?;
        let handing = handing_over(&outside.clusters, &of)?;
        let (tools, clusters) = (outside.tools.clone(), outside.clusters.clone());
        let steps = steps::all(settings, Some(&of), tools, clusters, Some(handing.clone()));
        let own = context.clone();
        let removal = Box::new(move |holder: &Holder, found: &[Elsewhere]| {
            let made = made(&of, own.clone(), holder, &hosts(holder)?)?;
            // Its registration lies where nobody may look, and goes with the Application.
            let handed = handing.names(&holder.name());
            let was_handed_over = found.iter().any(|one| handed.contains(one));
            Ok(Removal { elsewhere: if was_handed_over { handed } else { Vec::new() }, ..made })
        });
        Ok(Ground {
            name: format!("provider {name}"),
            provider: ProviderKind::CapiK3s,
            context,
            steps,
            removal,
        })
    };
    let grounds = settings.providers.iter().map(ground).collect::<Result<_>>()?;
    let bare = Settings { providers: BTreeMap::new(), ..settings.clone() };
    let nobody = Holder::Named("sweep".parse()?);
    let mut engine = engine(&bare, &nobody, outside)?;
    engine.protocol.pools.places = places(&settings.pools, rooms(settings));
    Ok(Sweeper {
        engine,
        grounds,
        warn: settings.lifetime.warn,
        stuck: settings.lifetime.stuck,
        fuse: settings.fuse,
    })
}

/// All that have room for environments: the pools, and of these providers those that need none.
pub fn places<'a>(
    pools: &BTreeMap<PoolName, PoolSettings>,
    providers: impl IntoIterator<Item = (&'a ProviderName, Within<'a>)>,
) -> Places {
    let of = |pool: &PoolSettings| Place {
        room: Room::Blocks(pool.layout.clone()),
        per_repository: pool.max_per_repository,
        reuse_after: pool.reuse_after,
    };
    let without = |(name, within)| match within {
        Within::Pool(_) => None,
        Within::Most(most) => {
            let (room, reuse_after) = (Room::Most(most), SignedDuration::ZERO);
            Some((place(name, within), Place { room, per_repository: 0, reuse_after }))
        }
    };
    let pools = pools.iter().map(|(name, pool)| (of_pool(name), of(pool)));
    pools.chain(providers.into_iter().filter_map(without)).collect()
}

fn rooms(settings: &Settings) -> impl Iterator<Item = (&ProviderName, Within<'_>)> {
    settings.providers.iter().map(|(name, provider)| (name, provider.within()))
}

/// What has room for the environments of a provider.
fn place(provider: &ProviderName, within: Within<'_>) -> PlaceName {
    match within {
        Within::Pool(pool) => of_pool(pool),
        Within::Most(_) => {
            format!("provider {provider}").parse().expect("a provider's name is printable, and short")
        }
    }
}

fn of_pool(pool: &PoolName) -> PlaceName {
    format!("pool {pool}").parse().expect("a pool's name is printable, and short")
}

/// As it is recorded in claims.
fn context(clusters: &Clusters, of: &settings::Cluster) -> Result<Option<ContextName>> {
    match of {
        settings::Cluster::Own => Ok(None),
        settings::Cluster::Context(context) => Ok(Some(context.clone())),
        settings::Cluster::Current => clusters.current(),
    }
}

/// Where apps are handed over to Argo CD.
fn handing_over(clusters: &Arc<Clusters>, of: &OfCapiK3s) -> Result<HandOver> {
    let settings::ArgoCd { cluster, namespace, project } = &of.inside.argo_cd;
    Ok(HandOver {
        context: context(clusters, cluster)?,
        clusters: clusters.clone(),
        namespace: namespace.clone(),
        project: project.clone(),
    })
}

/// Below the configured domain; without one there are none.
pub(super) fn hosts_of(settings: &Settings) -> HostsOf {
    let (domain, labels) = (settings.dns.domain.clone(), settings.app.hosts.clone());
    Box::new(move |holder| {
        let Some(domain) = &domain else { return Ok(Hosts::default()) };
        let long = || UserError::usage(format!("{holder} has no name below {domain}"));
        let further = labels.iter().map(|label| {
            let host = holder.further_host(label.as_ref(), domain).with_context(long)?;
            Ok((host_variable(label), host))
        });
        Ok(Hosts {
            main: Some(holder.host(domain).with_context(long)?),
            further: further.collect::<Result<_>>()?,
        })
    })
}

/// Providers by what the settings say.
struct Configured {
    of: Option<OfCapiK3s>,
    clusters: Arc<Clusters>,
    clock: Clock,
    run: String,
}

#[async_trait(?Send)]
impl Providers for Configured {
    async fn of(&self, removal: &Removal) -> Result<Arc<dyn Provider>> {
        match removal.provider {
            ProviderKind::CapiK3s => {
                let management = self.clusters.open(removal.context.as_ref()).await?;
                Ok(Arc::new(CapiK3s::new(management, self.of.clone(), self.clock.clone(), &self.run)))
            }
            other => {
                let message = format!("this version of berth knows no provider {other:?}");
                Err(UserError::new(Exit::Unknown, message)
                    .hint("a newer version has made the environment: use that one")
                    .into())
            }
        }
    }
}
