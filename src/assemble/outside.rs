//! Where the world is met in real life: by the settings, and by what the process was given.

use super::{Outside, access, kubeconfigs, open, told};
use crate::{
    clients::{
        child::Surroundings,
        dns::{self, Dns},
        github::{self, GitHub},
        kubernetes::Clusters,
        registry::{self, Docker, Registries},
        vault::Vault,
    },
    clock::Clock,
    domain::name_server::NameServer,
    engine::{Ids, Pace, Retry, Wishes},
    errors::UserError,
    mask::Mask,
    reporters::Reporters,
    settings::{self, Environment, Settings},
    steps::{Tools, tests::Shown},
    stores::vault::VaultStore,
};
use anyhow::{Context as _, Result};
use secrecy::SecretString;
use std::{
    collections::BTreeSet,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// GitHub's own API, where nobody names another.
const GITHUB: &str = "https://api.github.com";

/// Of this process. `wishes` is made of a run's name.
pub(crate) async fn outside(
    settings: &Settings,
    environment: &Environment,
    reporters: Reporters,
    wishes: impl FnOnce(&Clock, &str) -> Result<Arc<dyn Wishes>>,
) -> Result<Outside> {
    let (clock, ids) = (Clock::system(), Ids::random()?);
    let run = ids.to_string();
    tracing::debug!("run {run}");
    let (store, vault) = match &settings.store {
        settings::Store::Vault(of) => {
            let vault = Vault::new(access(of, environment)?, clock.clone(), &run)?;
            let store = VaultStore::new(vault.clone(), of.mount.as_ref(), of.path.as_ref());
            (told(Arc::new(store)), Some((Arc::new(vault), of.mount.clone())))
        }
        other => (told(open(other, &clock, &run, environment).await?), None),
    };
    let in_job = environment.text("GITHUB_ACTIONS")? == Some("true");
    let print: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(|line| drop(writeln!(std::io::stderr(), "{line}")));
    let tools = Tools {
        kubeconfig: environment
            .path("RUNNER_TEMP")
            .filter(|_| in_job)
            .map(|temp| temp.join("berth/kubeconfig")),
        mask: if in_job { Mask::telling(mask) } else { Mask::default() },
        vault,
        dns: dns(settings)?.map(Arc::new),
        registries: Some(Arc::new(registries(environment, &run)?)),
        surroundings: Surroundings::of(|name| environment.path(name).map(PathBuf::into_os_string)),
        shown: if in_job { Shown::OnGitHub(print) } else { Shown::Plain(print) },
        rehearsed: None,
        clock: clock.clone(),
    };
    Ok(Outside {
        store,
        clusters: Arc::new(Clusters::listed(kubeconfigs(environment), &run, clock.clone())),
        wishes: wishes(&clock, &run)?,
        reporters,
        clock,
        ids,
        pace: Pace::default(),
        retry: Retry::default(),
        tools,
    })
}

/// GitHub, by the token that this process was given.
pub(crate) fn github(environment: &Environment, clock: &Clock, run: &str) -> Result<GitHub> {
    let token = ["BERTH_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"]
        .into_iter()
        .find_map(|name| environment.text(name).ok().flatten());
    let token = token.ok_or_else(|| {
        UserError::usage("what the pull request wants now is for GitHub to say, and there is no token for it")
            .hint("set GITHUB_TOKEN; `gh auth token` prints one")
    })?;
    let address = environment.text("GITHUB_API_URL")?.unwrap_or(GITHUB).to_owned();
    let access =
        github::Access { address, token: SecretString::from(token.to_owned()), timeout: github::TIMEOUT };
    Ok(GitHub::new(access, clock.clone(), run)?)
}

/// A runner leaves it out of every log from then on.
fn mask(secret: &str) {
    let _ = writeln!(std::io::stderr(), "::add-mask::{secret}");
}

fn dns(settings: &Settings) -> Result<Option<Dns>> {
    if settings.dns.domain.is_none() {
        return Ok(None);
    }
    let named = settings.dns.resolvers.iter().copied().map(NameServer::from);
    let resolvers = match settings.dns.resolvers.is_empty() {
        true => dns::system_resolvers(Path::new(dns::SYSTEM)),
        false => Ok(named.collect()),
    };
    let usable =
        || UserError::usage("nobody can be asked for names").hint("set `dns.resolvers` in the platform file");
    Ok(Some(Dns::new(resolvers.with_context(usable)?, dns::TIMEOUT).with_context(usable)?))
}

fn registries(environment: &Environment, run: &str) -> Result<Registries> {
    let home = || environment.path("HOME").map(|home| home.join(".docker"));
    let docker = match environment.path("DOCKER_CONFIG").or_else(home) {
        Some(directory) => Docker::read(&directory).with_context(|| {
            UserError::usage(format!("the credentials of Docker in {} cannot be used", directory.display()))
                .hint("`docker login` writes them; DOCKER_CONFIG says where they are")
        })?,
        None => Docker::default(),
    };
    let docker = docker.on_path(environment.path("PATH").unwrap_or_default());
    Registries::new(docker, BTreeSet::new(), registry::TIMEOUT, run).context("make a client for registries")
}
