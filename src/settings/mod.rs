//! What users configure, validated: flags over `BERTH_` variables over the app file over the platform file over defaults.
//!
//! The platform file is trusted; the app file comes with the code under review and says only what is its own business.
//! Whatever is wrong is an error with its place and what to write instead, before anything was touched.
//! Must never: import another layer of berth than the domain; show a secret; fall back from what was configured.

mod address;
mod amounts;
mod app;
mod app_values;
mod capi_k3s;
mod checks;
mod defaults;
mod dns;

mod environment;
mod file;
mod filter;
mod find;
mod github;
mod layers;
mod lifetime;
mod nearest;
mod parse;
mod placeholders;
mod pools;
mod provider_values;
mod providers;
mod secrets;
mod source;
mod store;
mod values;
mod variables;
mod vault;

pub use crate::domain::duration::Duration;
pub use address::{BadAddress, VaultAddress, VaultPath};
pub use amounts::{Bytes, Cidr, Prefix, VmIds};
pub use app::{App, Deploy, Timeouts, Var};
pub use app_values::{ChartRepository, ImageName, ObjectName, Pattern, Placeholders, Release, VariableName};
pub use capi_k3s::{BuiltIn, CapiK3s, KubeVip, Machine, Manifests, Network};
pub use checks::{Ca, Health, Run, Tests};
pub use dns::Dns;
pub use environment::Environment;
pub use file::schema;
pub use filter::{Filter, Like, Skip, knows};
pub use find::APP_FILES;
pub use github::{AppOnGitHub, GitHubSettings, Key};
pub use lifetime::Lifetime;
pub use placeholders::{built_in_names, explain, host_variable};
pub use pools::PoolSettings;
pub use provider_values::{
    DiskFormat, ImageReference, LabelKey, LabelValue, NetworkModel, ProviderKind, ProxmoxName, SecretName,
    ServerVersion, SshKey, TokenRole,
};
pub use providers::{ArgoCd, Inside, Postgres, ProviderSettings, VaultToken, Within};
pub use secrets::{AppSecrets, Secret};
pub use source::{Chart, ChartFrom, Form, Source};
pub use store::{Cluster, Store};
pub use values::{Exclusion, HostLabel, Namespace, PoolName, ProviderName, StoreChoice, WhenFull};
pub use vault::{Auth, Jwt, MergedKubeconfig, SecretId, Vault};

use crate::{
    domain::{pool::Range, sweep::Fuse},
    errors::UserError,
};
use anyhow::Result;
use layers::{Layers, Origin, Sourced};
use placeholders::Names;
use providers::Around;
use std::{
    collections::BTreeMap,
    num::NonZeroU8,
    path::{Path, PathBuf},
};

/// How far the app file is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It comes with the code under review: only app keys.
    App,
    /// The same, but it is a small team's one file: its platform keys count as the base branch has them, and only there.
    AppOfOne,
    /// It is the user's own and may hold the platform's keys too, as long as no platform file is named.
    Both,
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--store`.
    pub store: Option<StoreChoice>,
    /// `--pool`: which pool the flags below speak of.
    pub pool: Option<PoolName>,
    /// `--range`.
    pub range: Option<Range>,
    /// `--exclude`; none leaves what is configured.
    pub exclude: Vec<Exclusion>,
    /// `--block`.
    pub block: Option<NonZeroU8>,
    /// `--align`.
    pub align: Option<NonZeroU8>,
}

/// Where settings come from.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    /// The process environment.
    pub environment: &'a Environment,
    /// The working directory: the app file is looked for in it, and relative paths begin there.
    pub directory: &'a Path,
    /// `--platform`, else `BERTH_PLATFORM`, else none.
    pub platform: Option<PathBuf>,
    /// `--config`, else `BERTH_CONFIG`, else `berth.yaml`, else `.github/berth.yaml`, else none.
    pub config: Option<PathBuf>,
    /// The platform's keys of a small team's one file, as the base branch has it; counts where no platform file is named.
    pub base: Option<Base>,
    /// How far the app file is trusted.
    pub trust: Trust,
    /// The command line.
    pub flags: Flags,
}

/// A small team's one file, as the branch has it that a pull request goes into.
#[derive(Debug, Clone)]
pub struct Base {
    /// For messages: `berth.yaml of acme/shop at main`.
    pub name: String,
    /// What it says.
    pub text: String,
    /// Where the files are that it names.
    pub directory: PathBuf,
}

/// The commit status where no settings could be read.
pub fn default_status() -> &'static str {
    defaults::STATUS
}

/// All settings, valid.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where berth keeps its documents.
    pub store: Store,
    /// How long environments live.
    pub lifetime: Lifetime,
    /// How much a sweep may remove.
    pub fuse: Fuse,
    /// The address pools; there is at least one.
    pub pools: BTreeMap<PoolName, PoolSettings>,
    /// The names of environments in DNS.
    pub dns: Dns,
    /// The ways in which environments are made real; none where no platform is known.
    pub providers: BTreeMap<ProviderName, ProviderSettings>,
    /// What berth is to GitHub.
    pub github: GitHubSettings,
    /// What the app says of itself.
    pub app: App,
}

impl Settings {
    /// Reads and checks everything.
    pub fn load(sources: &Sources<'_>) -> Result<Self> {
        let layers = read(sources)?;
        let store = store::resolve(&layers, sources.environment)?;
        let (lifetime, fuse) = (lifetime::resolve(&layers)?, lifetime::fuse(&layers));
        let pools = pools::resolve(&layers)?;
        let dns = dns::resolve(&layers);
        // What the platform gives is judged only where there is one: other verbs need none.
        let names = Names::built_in(providers::is_any(&layers) && dns.domain.is_none());
        let around = Around { pools: &pools, life: lifetime.max, names: &names };
        let providers = providers::resolve(&layers, &around)?;
        let app = app::resolve(&layers, &providers, secrets::reach(&store), names)?;
        let github = github::resolve(&layers)?;
        let settings = Self { store, lifetime, fuse, pools, dns, providers, github, app };
        layers.seals()?;
        Ok(settings)
    }

    /// The pool of this name, or the only one.
    pub fn pool(&self, name: Option<&PoolName>) -> Result<(&PoolName, &PoolSettings)> {
        Ok(pools::named(&self.pools, name)?)
    }

    /// The provider that the app names, or the only one.
    pub fn provider(&self) -> Result<(&ProviderName, &ProviderSettings)> {
        Ok(providers::named(&self.providers, self.app.provider.as_ref())?)
    }
}

/// Every source as a layer, the weakest first.
fn read(sources: &Sources<'_>) -> Result<Layers> {
    let Sources { environment, directory, flags, .. } = sources;
    let mut layers = Layers::default();
    let mut trust = sources.trust;
    if let Some(platform) = sources.platform.clone().or_else(|| environment.path(variables::PLATFORM)) {
        let text = find::named(directory, &platform)?;
        layers.0.push(in_file(directory, &platform, &text, Trust::Both, Origin::Platform)?);
        // Whoever names a platform file has said where the platform's keys are.
        trust = Trust::App;
    } else if let Some(Base { name, text, directory }) = &sources.base {
        let layer = parse::of_platform(name, text)?;
        let (base, root) = (directory.clone(), directory.clone());
        layers.0.push(Sourced { origin: Origin::Platform, name: name.clone(), base, root, layer });
        trust = Trust::AppOfOne;
    }
    let config = sources.config.clone().or_else(|| environment.path(variables::CONFIG));
    let app = match config {
        Some(config) => Some((find::named(directory, &config)?, config)),
        None => find::app_file(directory)?.map(|(name, text)| (text, name.to_owned())),
    };
    if let Some((text, name)) = app {
        let origin = if trust == Trust::Both { Origin::Both } else { Origin::App };
        layers.0.push(in_file(directory, &name, &text, trust, origin)?);
    }
    layers.0.extend(variables::layers(environment, directory)?);
    put_flags(&mut layers, flags, directory)?;
    Ok(layers)
}

fn in_file(directory: &Path, name: &Path, text: &str, trust: Trust, origin: Origin) -> Result<Sourced> {
    let base = directory.join(name);
    let base = base.parent().unwrap_or(directory).to_owned();
    let name = name.display().to_string();
    let layer = parse::parse(&name, text, trust)?;
    // A file that was named elsewhere is at home there.
    let root = if layers::within(directory, &base) { directory.to_owned() } else { base.clone() };
    Ok(Sourced { origin, name, base, root, layer })
}

fn put_flags(layers: &mut Layers, flags: &Flags, directory: &Path) -> Result<(), UserError> {
    if let Some(choice) = &flags.store {
        let (name, base) = ("--store".to_owned(), directory.to_owned());
        let (origin, root, layer) = (Origin::Flag, base.clone(), store::choice(choice));
        layers.0.push(Sourced { origin, name, base, root, layer });
    }
    pools::put_flags(layers, flags, directory)
}
