//! Ways into a Kubernetes API server, one request to it ([`request`]), and its objects ([`Kubernetes`]).
//!
//! Whoever looks gets a [`Seen`]: present or absent, each with its version, or an error, which is "unknown". Whoever
//! changes needs a [`Fence`](crate::documents::claims::Fence), and gets a [`Writer`] for it. Whoever waits gets a watch
//! from the version that was seen. Pure are `manifest`, `difference`, `order`, `condition`.
//!
//! Must never: repeat a request (kube would repeat even a POST; what may be repeated is decided above us); read the
//! environment itself. What kube reads there of its own is named at [`Target`].

mod account;
mod clusters;
pub mod condition;
mod delete;
pub mod difference;
mod discovery;
mod failed;
mod list;
mod log;
pub mod manifest;
mod object;
mod observe;
pub mod order;
mod over;
pub mod readiness;
mod request;
mod survey;
mod unread;
mod wait;
mod watch;
mod write;

pub use clusters::Clusters;
pub use delete::{Deletion, Dependents};
pub use list::{Listing, list};
pub use log::{Log, Until};
pub use object::{Mark, Object, Owner};
pub use observe::Seen;
pub use request::{Denial, open, request};
pub use survey::{Area, Survey};
pub use wait::Judgement;
pub use write::{Applied, Writer};

use super::RUN_HEADER;
use crate::{clock::Clock, domain::names::ContextName, errors::UserError};
use anyhow::{Context, Result};
use hyper::http::{HeaderName, HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// Objects of one cluster, as one account sees them. Clones share what they know of its kinds.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
    limit: Duration,
    clock: Clock,
    server: Option<Arc<str>>,
    discovery: Arc<Mutex<discovery::Discovery>>,
}

impl Kubernetes {
    /// Over this client. No request takes longer than `limit` to be answered; deadlines go by `clock`.
    pub fn new(client: Client, limit: Duration, clock: Clock) -> Self {
        Self { client, limit, clock, server: None, discovery: Arc::default() }
    }

    /// Errors say that it is the server at this URL; a client does not tell. Of the URL, only where it leads.
    pub fn named(self, url: &Uri) -> Self {
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        let server = url.host().map(|host| format!("{}://{host}{port}", url.scheme_str().unwrap_or("https")));
        Self { server: server.map(Arc::from), ..self }
    }
}

/// Which API server, and as whom.
#[derive(Debug, Clone)]
pub enum Target {
    /// The cluster that this process is a pod of, as its service account. kube itself reads `KUBERNETES_SERVICE_HOST`,
    /// `KUBERNETES_SERVICE_PORT` and the files that every pod is given.
    InCluster,
    /// As a kubeconfig says. Its `exec` plugin is run: only for files that are trusted. Of the environment,
    /// `HTTPS_PROXY` and `NO_PROXY` count.
    Kubeconfig {
        /// What `KUBECONFIG` lists; the first to say something wins. Without any, kube itself reads `KUBECONFIG`, then
        /// `~/.kube/config`.
        files: Vec<PathBuf>,
        /// Else the current one.
        context: Option<ContextName>,
    },
}

/// A client whose requests are told apart by `run`.
pub async fn connect(target: &Target, run: &str) -> Result<Client> {
    let config = match target {
        Target::InCluster => Config::incluster().context(
            UserError::usage("this process does not find itself in a pod of a Kubernetes cluster")
                .hint("run it as a pod with a service account's token, or give it a kubeconfig"),
        )?,
        Target::Kubeconfig { files, context } => from_kubeconfig(files, context.as_ref())
            .await
            .map_err(quiet)
            .context(
                UserError::usage("no usable kubeconfig")
                    .hint("`kubectl config get-contexts` lists what there is; KUBECONFIG says where to look"),
            )?,
    };
    client(config, run)
}

/// What the current context of these files is called.
pub fn current_context(files: &[PathBuf]) -> Result<ContextName> {
    let unusable = || {
        UserError::usage("no kubeconfig says which context is current").hint(
            "name one by `kubernetes: {context: ...}`; `kubectl config get-contexts` lists what there is",
        )
    };
    let current = merged(files).map_err(quiet).with_context(unusable)?.current_context;
    Ok(current.filter(|name| !name.is_empty()).with_context(unusable)?.parse()?)
}

fn merged(files: &[PathBuf]) -> Result<Kubeconfig, KubeconfigError> {
    match files {
        [] => Kubeconfig::read(),
        [first, others @ ..] => {
            let first = Kubeconfig::read_from(first)?;
            others.iter().try_fold(first, |all, file| all.merge(Kubeconfig::read_from(file)?))
        }
    }
}

/// A client as this kubeconfig says, which a server gave us: it must not name a program, because that would be run.
pub async fn given(kubeconfig: &SecretString, run: &str) -> Result<Client> {
    let wrong = || UserError::new(crate::errors::Exit::Failed, "the environment's kubeconfig cannot be used");
    let parsed = Kubeconfig::from_yaml(kubeconfig.expose_secret()).map_err(quiet).with_context(wrong)?;
    let users = parsed.auth_infos.iter().filter_map(|user| user.auth_info.as_ref());
    if users.into_iter().any(|user| user.exec.is_some() || user.auth_provider.is_some()) {
        return Err(anyhow::anyhow!("it names a program to log in with").context(wrong()));
    }
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(parsed, &options);
    client(config.await.map_err(quiet).with_context(wrong)?, run)
}

/// A client of the server at this URL. For `http://` no certificate authorities are loaded (20 ms each time).
pub fn for_url(url: &str, token: Option<SecretString>, run: &str) -> Result<Client> {
    let wrong = || UserError::usage(format!("{url:?} is no URL of a Kubernetes API server"));
    let mut config = Config::new(url.parse().with_context(wrong)?);
    config.auth_info.token = token;
    client(config, run)
}

async fn from_kubeconfig(
    files: &[PathBuf],
    context: Option<&ContextName>,
) -> Result<Config, KubeconfigError> {
    let kubeconfig = merged(files)?;
    let names_a_proxy = names_a_proxy(&kubeconfig, context);
    let options = KubeConfigOptions { context: context.map(ToString::to_string), ..Default::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    // kube holds NO_PROXY against the proxy's own name, and would go through it to servers that are to be met directly.
    if !names_a_proxy && Matcher::from_env().intercept(&config.cluster_url).is_none() {
        config.proxy_url = None;
    }
    Ok(config)
}

/// Whether the kubeconfig itself says by which proxy its cluster is reached: then the environment does not matter.
fn names_a_proxy(kubeconfig: &Kubeconfig, context: Option<&ContextName>) -> bool {
    let context = context.map(ToString::to_string).or_else(|| kubeconfig.current_context.clone());
    let named = kubeconfig.contexts.iter().find(|one| Some(&one.name) == context.as_ref());
    let cluster = named.and_then(|named| named.context.as_ref()).map(|context| &context.cluster);
    let found = kubeconfig.clusters.iter().find(|one| Some(&one.name) == cluster);
    let cluster = found.and_then(|found| found.cluster.as_ref());
    cluster.and_then(|cluster| cluster.proxy_url.as_ref()).is_some_and(|proxy| !proxy.is_empty())
}

/// A parser's error may quote the line that it stumbled over, and that may be a token.
fn quiet(error: KubeconfigError) -> anyhow::Error {
    match error {
        KubeconfigError::Parse(error) => {
            let line = error.location().map_or(0, |at| at.line());
            anyhow::anyhow!("its line {line} is not as in a kubeconfig")
        }
        error => error.into(),
    }
}

fn client(mut config: Config, run: &str) -> Result<Client> {
    let run = HeaderValue::from_str(run).with_context(|| format!("the run {run:?} does not fit a header"))?;
    config.headers.push((HeaderName::from_static(RUN_HEADER), run));
    config.default_retry = false;
    if config.cluster_url.scheme_str() == Some("http") && config.proxy_url.is_none() {
        config.root_cert = Some(Vec::new());
    }
    let url = config.cluster_url.to_string();
    Client::try_from(config).map_err(|error| {
        let failed =
            UserError::usage(format!("no client could be made for the Kubernetes API server at {url}"))
                .hint("`kubectl cluster-info` with the same kubeconfig says whether it can be used at all");
        anyhow::Error::new(Denial::from(error).failure).context(failed)
    })
}
