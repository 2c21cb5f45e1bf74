//! Where the world is met in real life: by the settings, and by what the process was given.

use super::{Outside, access, kubeconfigs, open, told};
use crate::{
    clients::{
        child::Surroundings,
        dns::{self, Dns},
        github::{self, Credential, GitHub},
        kubernetes::Clusters,
        registry::{self, Docker, Registries},
        vault::Vault,
    },
    clock::Clock,
    domain::{
        claim::Job,
        holder::{Holder, Which},
        kubeconfig::credentials,
        name_server::NameServer,
    },
    engine::{Calls, Ids, OnGitHub, Pace, Pulls, Retry, Sweeper, Wishes},
    errors::UserError,
    mask::Mask,
    reporters::Reporters,
    settings::{self, Environment, Key, Settings},
    steps::{Tools, tests::Shown},
    stores::vault::VaultStore,
    telemetry::escaped,
};
use anyhow::{Context as _, Result};
use secrecy::SecretString;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// GitHub's own API, where nobody names another.
const GITHUB: &str = "https://api.github.com";

/// Of this process. `wishes` is made of a run's name; by `github` those are called whose turn has come.
pub(crate) async fn outside(
    settings: &Settings,
    environment: &Environment,
    reporters: Reporters,
    github: Option<GitHub>,
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
        kubeconfig: kubeconfig(environment),
        mask: hidden(settings, environment, in_job),
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
        calls: github.map(|github| Arc::new(OnGitHub(github)) as Arc<dyn Calls>),
        reporters,
        clock,
        ids,
        pace: Pace::default(),
        retry: Retry::default(),
        job: if in_job { Some(job(environment)?) } else { None },
        tools,
    })
}

/// Which job this is, so that it can be run once more.
fn job(environment: &Environment) -> Result<Job> {
    let needed = |name: &str| {
        let lack = || UserError::usage(format!("which job this is nobody tells: {}", environment.lack(name)));
        environment.text(name)?.ok_or_else(lack)
    };
    let wrong = |name: &str| UserError::usage(format!("{name} is not what a runner says there"));
    Ok(Job {
        repo: needed("GITHUB_REPOSITORY")?.parse().with_context(|| wrong("GITHUB_REPOSITORY"))?,
        run: needed("GITHUB_RUN_ID")?.parse().with_context(|| wrong("GITHUB_RUN_ID"))?,
        // Not every GitHub tells it.
        id: environment.text("BERTH_JOB_ID")?.and_then(|id| id.parse().ok()),
    })
}

/// Where the kubeconfig of a job's environment is written for the steps that follow.
pub(crate) fn kubeconfig(environment: &Environment) -> Option<PathBuf> {
    environment.path("RUNNER_TEMP").filter(|_| environment.is_job()).map(|temp| temp.join("berth/kubeconfig"))
}

/// What is told nowhere, from the very first word on: our own, also where it lies in files, which code of others could read.
fn hidden(settings: &Settings, environment: &Environment, in_job: bool) -> Mask {
    let hidden = if in_job { Mask::telling(mask) } else { Mask::default() };
    TOKENS
        .into_iter()
        .chain(SECRETS)
        .filter_map(|name| environment.text(name).ok().flatten())
        .for_each(|text| hidden.hide(text));
    // What cannot be read is nothing to hide; whoever needs it says so.
    let texts = kubeconfigs(environment).into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
    texts.flat_map(|text| credentials(&text).unwrap_or_default()).for_each(|secret| hidden.hide(&secret));
    if let Some(Key::File(file)) = settings.github.app.as_ref().map(|app| &app.key)
        && let Ok(key) = std::fs::read_to_string(file)
    {
        hidden.hide(&key);
    }
    hidden
}

/// The variables that hold GitHub's token; the first that is set counts.
const TOKENS: [&str; 3] = ["BERTH_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];

/// The other variables that are secrets by themselves.
const SECRETS: [&str; 3] =
    ["VAULT_TOKEN", "BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];

/// GitHub, by the token that this process was given.
pub(crate) fn github(environment: &Environment, clock: &Clock, run: &str) -> Result<GitHub> {
    let token = TOKENS.into_iter().find_map(|name| environment.text(name).ok().flatten());
    let token = token.ok_or_else(|| {
        UserError::usage("what the pull request wants now is for GitHub to say, and there is no token for it")
            .hint("set GITHUB_TOKEN; `gh auth token` prints one")
    })?;
    on(environment, Credential::Token(SecretString::from(token.to_owned())), clock, run)
}

fn on(environment: &Environment, credential: Credential, clock: &Clock, run: &str) -> Result<GitHub> {
    let address = environment.text("GITHUB_API_URL")?.unwrap_or(GITHUB).to_owned();
    Ok(GitHub::new(github::Access { address, credential, timeout: github::TIMEOUT }, clock.clone(), run)?)
}

/// GitHub, as the app that the settings name, else by the token that this process was given.
pub(crate) async fn on_github(
    settings: &Settings,
    environment: &Environment,
    clock: &Clock,
    run: &str,
) -> Result<GitHub> {
    let Some(app) = &settings.github.app else { return github(environment, clock, run) };
    let could = || format!("cannot speak as the GitHub App {}", app.id);
    let key = match &app.key {
        Key::File(file) => {
            let lost = || UserError::usage(format!("its private key in {} cannot be read", file.display()));
            std::fs::read_to_string(file).with_context(lost).with_context(could)?.into()
        }
        Key::Vault { path, key } => {
            let settings::Store::Vault(of) = &settings.store else {
                return Err(UserError::usage("`github.app.key` is in Vault, and the store is not")
                    .hint("name a file, as in file:/run/secrets/github-app.pem")
                    .into());
            };
            let vault = Vault::new(access(of, environment)?, clock.clone(), run)?;
            let read = vault.read(of.mount.as_ref(), path.as_ref()).await.with_context(could)?;
            let text = read.document().and_then(|document| document.get(key)).and_then(Value::as_str);
            let missing = || UserError::usage(format!("{path} in Vault has no text under the key {key:?}"));
            SecretString::from(text.with_context(missing).with_context(could)?.to_owned())
        }
    };
    on(environment, Credential::App { id: app.id, key }, clock, run)
}

/// Whose environment that is. Of a name: as its claim says, else nobody's but the name's own.
pub(crate) async fn holder_of(
    settings: &Settings,
    environment: &Environment,
    which: &Which,
) -> Result<Holder> {
    let name = match which {
        Which::Pull(pull) => return Ok(Holder::PullRequest(pull.clone())),
        Which::Name(name) => name,
    };
    let (pool, of) = settings.pools.first_key_value().context("there is always a pool")?;
    let pools = super::pools(&settings.store, pool, of, environment).await?;
    let basis = pools.claims.read(name).await?;
    Ok(basis.claim().map_or_else(|| Holder::Named(name.clone()), |claim| claim.holder().clone()))
}

/// What goes through all claims.
pub(crate) async fn sweeper(
    settings: &Settings,
    environment: &Environment,
    github: GitHub,
) -> Result<Sweeper> {
    let reporters = super::action::swept(&github, settings, &Clock::system());
    let wishes = Pulls::all(github.clone());
    let outside =
        outside(settings, environment, reporters, Some(github), |_, _| Ok(Arc::new(wishes))).await?;
    super::engine::sweeper(settings, outside)
}

/// Without a way to bring anything up: what else is done needs no more than stands in the claim.
pub(crate) fn bare(settings: &Settings) -> Settings {
    Settings { providers: BTreeMap::new(), ..settings.clone() }
}

/// A runner leaves it out of every log from then on.
fn mask(secret: &str) {
    let _ = writeln!(std::io::stderr(), "::add-mask::{}", escaped(secret));
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
