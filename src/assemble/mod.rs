//! From settings to what works with them: which store, with which credentials, under which name of this process.
//!
//! A part of `run`, and so the only one that knows every layer. Must never: decide anything that a setting should say.

mod action;
mod base;
mod engine;
mod outside;
mod plan;
mod rehearse;

pub(crate) use action::action;
pub use engine::{Outside, engine, places, sweeper as sweeping};
pub(crate) use outside::{bare, github, holder_of, kubeconfig, on_github, outside, sweeper};
pub(crate) use plan::plan;
pub(crate) use rehearse::rehearse;

use crate::{
    cli::{Global, Output, PoolFlags},
    clients::{
        kubernetes::{self as cluster, Target},
        vault::{self, Access, Vault},
    },
    clock::Clock,
    documents::{Document, Entry, Key, NotWritten, Read, Store, Version, claims::Claims},
    domain::names::EnvironmentName,
    engine::{Ids, Pace, Pools},
    errors::UserError,
    reporters::{
        Reporters,
        terminal::{Look, Terminal},
    },
    settings::{self, Cluster, Environment, Flags, PoolName, PoolSettings, SecretId, Trust},
    stores::{file::FileStore, kubernetes::KubernetesStore, vault::VaultStore},
    telemetry::Verbosity,
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use clap::ValueEnum as _;
use secrecy::SecretString;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::debug;

/// In a job the working directory is a checkout of the code under review; elsewhere it is the user's own.
pub(crate) fn trust(environment: &Environment) -> Result<Trust, UserError> {
    Ok(if environment.text("GITHUB_ACTIONS")? == Some("true") { Trust::App } else { Trust::Both })
}

/// `-q` and `-v`.
pub(crate) fn verbosity(global: &Global) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Steps,
        _ => Verbosity::Talk,
    }
}

/// `-o`, else `BERTH_OUTPUT`, else text.
pub(crate) fn output(global: &Global, environment: &Environment) -> Result<Output, UserError> {
    let variable = "BERTH_OUTPUT";
    match (global.output, environment.text(variable)?) {
        (Some(output), _) => Ok(output),
        (None, None) => Ok(Output::Text),
        (None, Some(text)) => Output::from_str(text, false)
            .map_err(|_| UserError::usage(format!("{variable}: {text:?} is none of text, json and yaml"))),
    }
}

/// The flags that are settings.
pub(crate) fn flags(global: &Global, pool: &PoolFlags) -> Flags {
    Flags {
        store: global.store.clone(),
        pool: pool.pool.clone(),
        range: pool.range,
        exclude: pool.exclude.clone(),
        block: pool.block,
        align: pool.align,
    }
}

/// On stderr: live on a terminal, in lines for a log; nothing with `-q`.
pub(crate) fn reporters(global: &Global, environment: &Environment, note: &str, clock: &Clock) -> Reporters {
    let is_job = environment.is_job();
    let plain = environment.text("NO_COLOR").is_ok_and(|value| value.is_some());
    let width =
        std::io::stderr().is_terminal().then(|| environment.text("COLUMNS").ok().flatten()?.parse().ok());
    let look = match (verbosity(global), width) {
        (Verbosity::Quiet, _) => return Reporters::default(),
        // What is drawn would run into what is told.
        (Verbosity::Talk, Some(width)) if !is_job => {
            Look::Live { width: width.unwrap_or(80), colour: !plain }
        }
        _ => Look::Lines { groups: is_job },
    };
    let terminal = Terminal::new(Box::new(std::io::stderr()), look, note, clock.clone());
    Reporters::new(vec![Arc::new(terminal)])
}

/// What hands the addresses of one pool out.
pub(crate) async fn pools(
    store: &settings::Store,
    name: &PoolName,
    pool: &PoolSettings,
    environment: &Environment,
) -> Result<Pools> {
    let (clock, run) = (Clock::system(), Ids::random()?.to_string());
    let store = open(store, &clock, &run, environment).await?;
    let layout = pool.layout.clone();
    debug!("run {run}");
    debug!("pool {name}: {}, {} blocks of {}", layout.range, layout.blocks().count(), layout.size);
    debug!("store: {}", store.place(&Key::Pool));
    let claims = Claims::new(told(store));
    let places = engine::places(&BTreeMap::from([(name.clone(), pool.clone())]), []);
    Ok(Pools { claims, layout, places, taken: BTreeSet::new(), pace: Pace::default(), clock })
}

async fn open(
    store: &settings::Store,
    clock: &Clock,
    run: &str,
    environment: &Environment,
) -> Result<Arc<dyn Store>> {
    Ok(match store {
        settings::Store::File(directory) | settings::Store::Own(directory) => {
            Arc::new(FileStore::new(directory.clone()))
        }
        settings::Store::Vault(vault) => {
            let client = Vault::new(access(vault, environment)?, clock.clone(), run)?;
            Arc::new(VaultStore::new(client, vault.mount.as_ref(), vault.path.as_ref()))
        }
        settings::Store::Kubernetes { namespace, cluster } => {
            let client = cluster::connect(&target(cluster, environment), run).await?;
            Arc::new(KubernetesStore::new(client, namespace.to_string(), vault::TIMEOUT))
        }
    })
}

fn target(cluster: &Cluster, environment: &Environment) -> Target {
    let context = match cluster {
        Cluster::Own => return Target::InCluster,
        Cluster::Current => None,
        Cluster::Context(context) => Some(context.clone()),
    };
    Target::Kubeconfig { files: kubeconfigs(environment), context }
}

/// As `KUBECONFIG` lists them; not set or empty, it lists none.
fn kubeconfigs(environment: &Environment) -> Vec<PathBuf> {
    let listed = environment.path("KUBECONFIG").unwrap_or_default();
    std::env::split_paths(&listed).filter(|file| !file.as_os_str().is_empty()).collect()
}

fn access(vault: &settings::Vault, environment: &Environment) -> Result<Access> {
    Ok(Access {
        address: vault.address.to_string(),
        namespace: vault.namespace.as_ref().map(ToString::to_string),
        ca: vault.ca.clone(),
        auth: auth(&vault.auth, environment)?,
        timeout: vault::TIMEOUT,
    })
}

fn auth(auth: &settings::Auth, environment: &Environment) -> Result<vault::Auth> {
    Ok(match auth {
        settings::Auth::Token(token) => vault::Auth::Token(token.clone()),
        settings::Auth::AppRole { path, role_id, secret_id } => vault::Auth::AppRole {
            path: path.to_string(),
            role_id: role_id.clone(),
            secret_id: match secret_id {
                SecretId::Value(secret) => secret.clone(),
                SecretId::File(file) => secret_in(file)?,
            },
        },
        settings::Auth::Kubernetes { path, role, token_file } => vault::Auth::Kubernetes {
            path: path.to_string(),
            role: role.clone(),
            token_file: token_file.clone(),
        },
        settings::Auth::Jwt { path, role, token } => vault::Auth::Jwt {
            path: path.to_string(),
            role: role.clone(),
            token: match token {
                settings::Jwt::File(file) => vault::Jwt::File(file.clone()),
                settings::Jwt::GitHub { url, token, audience } => vault::Jwt::Issuer {
                    url: url.clone(),
                    bearer: token.clone(),
                    audience: match audience {
                        Some(audience) => audience.clone(),
                        None => owner(environment)?,
                    },
                },
            },
        },
    })
}

/// For whom GitHub makes a token if nobody says it.
fn owner(environment: &Environment) -> Result<String> {
    let named = |name| {
        environment.text(name)?.ok_or_else(|| {
            UserError::usage(format!(
                "for whom GitHub shall make the token is unknown: {}",
                environment.lack(name)
            ))
            .hint("say it as `store.vault.auth.jwt.audience`")
        })
    };
    Ok(format!("{}/{}", named("GITHUB_SERVER_URL")?, named("GITHUB_REPOSITORY_OWNER")?))
}

fn secret_in(file: &Path) -> Result<SecretString> {
    let read = fs::read_to_string(file);
    let text =
        read.with_context(|| UserError::usage(format!("cannot read the secret id in {}", file.display())))?;
    Ok(text.trim().to_owned().into())
}

/// The same, and every request is told under `-v`.
fn told(store: Arc<dyn Store>) -> Arc<dyn Store> {
    Arc::new(Told(store))
}

/// A store that tells every request under `-v`.
struct Told(Arc<dyn Store>);

#[async_trait]
impl Store for Told {
    async fn read(&self, key: &Key) -> Result<Read> {
        let read = self.0.read(key).await;
        match &read {
            Ok(Read::Present { document, version }) => {
                debug!("read {}: version {}, {} entries", self.place(key), version.as_str(), document.len());
            }
            Ok(Read::Absent { .. }) => debug!("read {}: not there", self.place(key)),
            Err(_) => debug!("read {}: failed", self.place(key)),
        }
        read
    }

    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        let written = self.0.write(key, document, expected).await;
        let over = expected.as_str();
        match &written {
            Ok(version) => debug!("write {} over version {over}: now {}", self.place(key), version.as_str()),
            Err(not) => debug!("write {} over version {over}: {}", self.place(key), word(not)),
        }
        written
    }

    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        let removed = self.0.remove(key, expected).await;
        let came = removed.as_ref().map_or_else(word, |()| "gone");
        debug!("remove {} at version {}: {came}", self.place(key), expected.as_str());
        removed
    }

    async fn claims(&self) -> Result<Vec<Entry>> {
        let claims = self.0.claims().await;
        match &claims {
            Ok(entries) => debug!("list the claims: {}", entries.len()),
            Err(_) => debug!("list the claims: failed"),
        }
        claims
    }

    async fn names(&self) -> Result<BTreeSet<EnvironmentName>> {
        let names = self.0.names().await;
        match &names {
            Ok(names) => debug!("list the environments: {}", names.len()),
            Err(_) => debug!("list the environments: failed"),
        }
        names
    }

    fn place(&self, key: &Key) -> String {
        self.0.place(key)
    }
}

fn word(not: &NotWritten) -> &'static str {
    match not {
        NotWritten::Conflict => "somebody else wrote since",
        NotWritten::Unknown(_) => "failed, or its answer was lost",
    }
}
