//! GitHub's REST API, a handful of requests of it: pull requests, comments, commit statuses, what a person may do.
//!
//! What is not there is told only when GitHub itself says so of the thing, and lets us see the repository that it would be
//! in: to GitHub, what a token may not see is not there either. Must never: retry; take a page for a whole list; send the
//! token anywhere but to the address that it was given for.

mod comments;
mod denial;
mod pages;
mod people;
mod pulls;
mod request;
mod statuses;

pub use comments::Comment;
pub use people::Permission;
pub use pulls::{Mergeable, Pull};
pub use statuses::{State, Status};

use super::{Failure, Kind, RUN_HEADER, is_loopback};
use crate::clock::Clock;
use reqwest::{
    Client, Url,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;

/// GitHub's own; a server of one's own has it at `https://HOST/api/v3`.
pub const ADDRESS: &str = "https://api.github.com";
/// Of one request.
pub const TIMEOUT: Duration = Duration::from_secs(30);

const VERSION: &str = "2022-11-28";
/// A renamed repository answers with one, a twice renamed one with no more.
const REDIRECTS: usize = 3;

/// Where GitHub is, and how to be let in.
#[derive(Debug, Clone)]
pub struct Access {
    /// Of the API.
    pub address: String,
    /// A person's, an app's, or a job's.
    pub token: SecretString,
    /// Of one request.
    pub timeout: Duration,
}

/// GitHub, by one token.
#[derive(Clone)]
pub struct GitHub {
    http: Client,
    address: Url,
    token: SecretString,
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
        let own = address.origin();
        // A renamed repository is found under its id, by every method. Elsewhere nobody is to know the token.
        let follow = Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS || attempt.url().origin() != own {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let builder = Client::builder()
            .timeout(access.timeout)
            .redirect(follow)
            .referer(false)
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers);
        // Loading the system's authorities costs 20 ms, and plain HTTP has no use for them.
        let builder = if address.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let http = builder
            .build()
            .map_err(|error| invalid(format!("could not make a client for GitHub: {error}")))?;
        // A file or a variable often brings a newline along.
        let token: SecretString = access.token.expose_secret().trim().to_owned().into();
        header("GitHub's token", token.expose_secret())?;
        Ok(Self { http, address, token, limit: access.timeout, clock })
    }
}
