//! GitHub's REST API, a handful of requests of it: pull requests and their files, comments, commit statuses, check runs,
//! deployments, branches and files, runs of workflows, what a person may do.
//!
//! What is not there is told only when GitHub itself says so of the thing, and lets us see the repository that it would be
//! in: to GitHub, what a token may not see is not there either. Must never: retry; take a page for a whole list; send the
//! token anywhere but to the address that it was given for.

mod app;
mod checks;
mod comments;
mod contents;
mod denial;
mod deployments;
mod kept;
mod pace;
mod pages;
mod people;
mod pulls;
mod request;
mod runs;
mod statuses;

pub use checks::{Annotation, Check, CheckRun, Conclusion, Level, Output, Progress};
pub use comments::{Comment, Reaction};
pub use contents::{Entry, EntryKind, Revision};
pub use deployments::{Deployment, DeploymentState, DeploymentStatus, NewDeployment};
pub use people::Permission;
pub use pulls::{ChangedFile, ChangedFiles, Mergeable, Pull};
pub use runs::{Again, RunStatus};
pub use statuses::{State, Status};

use super::{Failure, Kind, RUN_HEADER, is_loopback};
use crate::clock::Clock;
use reqwest::{
    Client, Url,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{sync::Arc, time::Duration};

/// GitHub's own; a server of one's own has it at `https://HOST/api/v3`.
pub const ADDRESS: &str = "https://api.github.com";
/// Of one request.
pub const TIMEOUT: Duration = Duration::from_secs(30);

const VERSION: &str = "2022-11-28";

/// Where GitHub is, and how to be let in.
#[derive(Debug, Clone)]
pub struct Access {
    /// Of the API.
    pub address: String,
    /// By which it knows us.
    pub credential: Credential,
    /// Of one request.
    pub timeout: Duration,
}

/// By what GitHub knows us.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A person's, an app's, or a job's.
    Token(SecretString),
    /// An app, which gets its tokens by itself, for each repository where it is installed.
    App {
        /// Its id.
        id: u64,
        /// Its private key, in PEM.
        key: SecretString,
    },
}

enum Bearer {
    Token(SecretString),
    App(Box<app::App>),
}

/// GitHub, as it is seen by one credential. Clones share what they know of it, and how fast they write.
#[derive(Clone)]
pub struct GitHub {
    http: Client,
    address: Url,
    bearer: Arc<Bearer>,
    kept: Arc<kept::Kept>,
    pace: Arc<pace::Pace>,
    limit: Duration,
    clock: Clock,
}

impl GitHub {
    /// Nothing is sent before the first request. `run` tells this process's requests apart.
    pub fn new(access: Access, clock: Clock, run: &str) -> Result<Self, Failure> {
        let invalid = |why: String| Failure { kind: Kind::Invalid, detail: why };
        // Not quoted: it may hold a password.
        let address = Url::parse(&access.address)
            .ok()
            .filter(|url| url.scheme() == "https" || url.scheme() == "http" && is_loopback(url))
            .filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none())
            .ok_or_else(|| invalid("GitHub's address is no https:// one".to_owned()))?;
        let header = |name: &str, value: &str| {
            HeaderValue::from_str(value).map_err(|_| invalid(format!("{name} fits in no HTTP header")))
        };
        let headers = HeaderMap::from_iter([
            (HeaderName::from_static(RUN_HEADER), header("the run's name", run)?),
            (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(VERSION)),
            (ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        ]);
        let builder = Client::builder()
            .timeout(access.timeout)
            .redirect(Policy::none())
            .referer(false)
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers);
        // Loading the system's authorities costs 20 ms, and plain HTTP has no use for them.
        let builder = if address.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let http = builder
            .build()
            .map_err(|error| invalid(format!("could not make a client for GitHub: {error}")))?;
        let bearer = match access.credential {
            Credential::Token(token) => {
                // A file or a variable often brings a newline along.
                let token: SecretString = token.expose_secret().trim().to_owned().into();
                header("GitHub's token", token.expose_secret())?;
                Bearer::Token(token)
            }
            Credential::App { id, key } => {
                let why = "the key of GitHub's app is no RSA key in PEM, as GitHub gives it";
                Bearer::App(Box::new(app::App::new(id, &key).ok_or_else(|| invalid(why.to_owned()))?))
            }
        };
        let (bearer, kept, pace) = (Arc::new(bearer), Arc::default(), Arc::default());
        Ok(Self { http, address, bearer, kept, pace, limit: access.timeout, clock })
    }
}
