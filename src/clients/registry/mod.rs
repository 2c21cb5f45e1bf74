//! Whether an image is in its registry, by the OCI distribution API.
//!
//! Must never: take anything but the registry's own word for an image's absence; show credentials to anybody but the registry
//! they are for and the place that it names for tokens; speak plain HTTP to a host that is not this one's own, unless
//! it is allowed; quote what a server says at length.

mod challenge;
mod docker;
mod visit;

pub use docker::Docker;

use super::{Failure, Kind, RUN_HEADER, is_loopback};
use crate::domain::image::{DOCKER_HUB, Digest, Image};
use reqwest::{
    Client, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::{Arc, OnceLock},
    time::Duration,
};
use visit::Visit;

/// How long one request may take.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Every form in which an image comes.
const MANIFESTS: [&str; 5] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];
/// More than any registry sends one on.
const REDIRECTS: usize = 5;

/// Whether an image is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It is, and this is what it is.
    Present(Digest),
    /// Its registry says that it is not.
    Absent,
}

/// Registries, by the credentials of this machine.
#[derive(Debug, Clone)]
pub struct Registries {
    /// Made when it is first asked: loading the system's authorities costs 20 ms, and mostly there is no image to look for.
    http: Arc<OnceLock<Client>>,
    run: HeaderValue,
    limit: Duration,
    docker: Docker,
    routes: BTreeMap<String, Url>,
    plain: Arc<BTreeSet<String>>,
}

impl Registries {
    /// Those in `plain` (host, with a port if there is one) are spoken to in plain HTTP, as loopback hosts always are.
    pub fn new(docker: Docker, plain: BTreeSet<String>, limit: Duration, run: &str) -> Result<Self, Failure> {
        let run = HeaderValue::from_str(run).map_err(|error| not_made(&error))?;
        let (http, routes, plain) = (Arc::default(), BTreeMap::new(), Arc::new(plain));
        Ok(Self { http, run, limit, docker, routes, plain })
    }

    fn http(&self) -> Result<&Client, Failure> {
        if let Some(made) = self.http.get() {
            return Ok(made);
        }
        let allowed = self.plain.clone();
        let follow = Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS || !may_speak(attempt.url(), &allowed) {
                attempt.stop()
            } else {
                attempt.follow()
            }
        });
        let run = (HeaderName::from_static(RUN_HEADER), self.run.clone());
        let http = Client::builder()
            .timeout(self.limit)
            .redirect(follow)
            .referer(false)
            .default_headers(HeaderMap::from_iter([run]))
            .build()
            .map_err(|error| not_made(&error))?;
        Ok(self.http.get_or_init(|| http))
    }

    /// Reaches this registry at another address than its name says.
    #[must_use]
    pub fn routed(mut self, registry: &str, address: Url) -> Self {
        self.routes.insert(registry.to_owned(), address);
        self
    }

    /// Whether the image is in its registry now.
    pub async fn find(&self, image: &Image) -> Result<Presence, Failure> {
        let base = self.base(image.registry())?;
        Visit::new(self, image, manifest_at(&base, image)?).find().await
    }

    fn base(&self, registry: &str) -> Result<Url, Failure> {
        if let Some(address) = self.routes.get(registry) {
            return Ok(address.clone());
        }
        let host = if registry == DOCKER_HUB { "registry-1.docker.io" } else { registry };
        let read = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}/")).map_err(|error| Failure {
                kind: Kind::Invalid,
                detail: format!("{registry} is no host of a registry: {error}"),
            })
        };
        let url = read("http")?;
        if may_speak(&url, &self.plain) { Ok(url) } else { read("https") }
    }
}

fn not_made(why: &dyn Error) -> Failure {
    Failure { kind: Kind::Invalid, detail: format!("make a client for registries: {why}") }
}

/// Plain HTTP only where it is allowed.
fn may_speak(url: &Url, plain: &BTreeSet<String>) -> bool {
    url.scheme() == "https" || url.scheme() == "http" && (is_loopback(url) || plain.contains(&place(url)))
}

/// Host, and port if it is not the scheme's own.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn manifest_at(base: &Url, image: &Image) -> Result<Url, Failure> {
    let path = format!("v2/{}/manifests/{}", image.repository(), image.reference());
    base.join(&path).map_err(|error| Failure { kind: Kind::Invalid, detail: format!("{image}: {error}") })
}
