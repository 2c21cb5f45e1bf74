//! The app answers as it should, by way of its own name.
//!
//! That it is this commit's rollout which answers was made sure before: `deploy` is done only when the rollout of its own
//! generation is. Its name is led to the environment's own addresses here, whatever this machine's resolver says (the `dns`
//! step has seen to the real ones), and a redirect to elsewhere is not followed: what another host answers is nothing to us.
//!
//! With `ca: environment`, the authorities are those of the Secret that the app's own Ingress shows its certificate from:
//! its `ca.crt`, which cert-manager writes beside it. It is read through the environment's API server, and whose that is we
//! know by its kubeconfig. A certificate that anybody else shows at these addresses is refused.
//!
//! An address cannot be watched: it is asked again and again. Must never: take an answer from elsewhere for the app's; fail
//! because it does not answer yet.

use super::{Context, DNS, HEALTH, Step};
use crate::{
    clients::{
        files,
        kubernetes::{Area, Kubernetes},
    },
    clock::Rhythm,
    domain::{claim::ObjectName, plan::Spec, pool::Block, scope::Scope},
    errors::{Exit, UserError},
    progress::{Progress, Wait},
    settings::{self, Ca, Var},
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use k8s_openapi::ByteString;
use reqwest::{Certificate, Client, Url, redirect};
use serde_json::Value;
use std::{error::Error as _, net::SocketAddr, time::Duration};

/// The longest time between two questions.
pub const ASKING: Duration = Duration::from_secs(1);
/// One answer takes no longer.
const ANSWER: Duration = Duration::from_secs(10);
/// Within one host.
const REDIRECTS: usize = 5;

/// See the module.
pub struct Healthy {
    /// What is asked, and what it should answer.
    pub health: settings::Health,
    /// The app's own variables.
    pub vars: Vec<Var>,
    /// How long it may take.
    pub patience: Duration,
    /// Where every environment answers in a rehearsal, in plain HTTP.
    pub rehearsed: Option<SocketAddr>,
    /// When it is asked again.
    pub asking: Rhythm,
}

/// Whose certificates are good.
enum Authorities {
    System,
    These(Vec<Certificate>),
}

#[async_trait(?Send)]
impl Step for Healthy {
    fn spec(&self) -> Spec {
        Spec { name: HEALTH, needs: &[DNS], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        let url = self.url(cx.scope)?;
        let (url, asked) = match self.rehearsed {
            None => (url.clone(), url),
            Some(there) => {
                let mut asked = url.clone();
                // An http or https URL can have each of them.
                let _ = (
                    asked.set_scheme("http"),
                    asked.set_ip_host(there.ip()),
                    asked.set_port(Some(there.port())),
                );
                (url, asked)
            }
        };
        let authorities = match &self.health.ca {
            _ if asked.scheme() == "http" => Authorities::These(Vec::new()),
            Ca::System => Authorities::System,
            Ca::File(file) => {
                let pem = files::text(file)?;
                let wrong = || UserError::new(Exit::Failed, format!("{} holds no authorities", pem.name));
                Authorities::These(certificates(pem.text.as_bytes()).with_context(wrong)?)
            }
            Ca::Environment => {
                let access = match cx.enter().await? {
                    Ok(access) => access,
                    Err(wait) => return Ok(Progress::Waiting(wait)),
                };
                // Without a host it would not have been taken for a URL.
                let host = url.host_str().unwrap_or_default();
                match of_environment(&access.kubernetes, host).await? {
                    Ok(authorities) => Authorities::These(authorities),
                    Err(wait) => return Ok(Progress::Waiting(wait)),
                }
            }
        };
        let lacking = match ask(&asked, self.health.status, cx.scope, authorities).await? {
            Ok(()) => {
                self.asking.rest();
                let from = cx.scope.head().map_or(String::new(), |head| format!(" from {}", head.short()));
                return Ok(Progress::done(format!("{}{from}", self.health.status)));
            }
            Err(lacking) => lacking,
        };
        Ok(Progress::Waiting(Wait::new(format!("{url}: {lacking}"), self.asking.next(cx.clock))))
    }

    async fn remove(&self, _cx: &Context<'_>) -> Result<Progress> {
        Ok(Progress::done("nothing to undo"))
    }
}

impl Healthy {
    fn url(&self, scope: &Scope) -> Result<Url> {
        let wrong = |why: String| {
            let message = format!("`health.url` cannot be asked: {why}");
            UserError::new(Exit::Failed, message).hint("as in ${URL}/healthz")
        };
        let filled = super::variables(scope, &self.vars)?.fill(&Value::from(self.health.url.as_ref()));
        let filled = filled.map_err(|all| wrong(all.first().map_or(String::new(), ToString::to_string)))?;
        let text = filled.as_str().unwrap_or_default();
        let url = Url::parse(text).map_err(|error| wrong(format!("{text}: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong(format!("{text} begins neither with https:// nor with http://")).into());
        }
        Ok(url)
    }
}

/// Inner error: what it does instead, for people.
async fn ask(url: &Url, wanted: u16, scope: &Scope, authorities: Authorities) -> Result<Result<(), String>> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let mut client = Client::builder().timeout(ANSWER);
    if is_own(scope, &host) {
        client = client.no_proxy();
        let addresses = scope.addresses.into_iter().flat_map(Block::addresses);
        // The port is the URL's in any case.
        let addresses: Vec<SocketAddr> = addresses.map(|address| (address, 0).into()).collect();
        if !addresses.is_empty() {
            client = client.resolve_to_addrs(&host, &addresses);
        }
    }
    if let Authorities::These(certificates) = authorities {
        client = client.tls_certs_only(certificates);
    }
    client = client.redirect(match wanted {
        300..400 => redirect::Policy::none(),
        _ => redirect::Policy::custom(move |attempt| {
            match attempt.url().host_str() == Some(&host) && attempt.previous().len() <= REDIRECTS {
                true => attempt.follow(),
                false => attempt.stop(),
            }
        }),
    });
    let client = client.build().context("make an HTTP client")?;
    Ok(match client.get(url.clone()).send().await {
        Ok(answer) if answer.status().as_u16() == wanted => Ok(()),
        Ok(answer) => {
            let elsewhere = answer.headers().get(reqwest::header::LOCATION).and_then(|to| to.to_str().ok());
            let elsewhere = elsewhere.filter(|_| answer.status().is_redirection());
            let to = elsewhere.map_or(String::new(), |to| format!(" to {}", plain(to)));
            Err(format!("it answers {}{to}, not {wanted}", answer.status().as_u16()))
        }
        Err(error) => Err(why(&error)),
    })
}

/// Whether it is an address of the environment, a name that leads to it, or one below such a name.
fn is_own(scope: &Scope, host: &str) -> bool {
    let mut addresses = scope.addresses.into_iter().flat_map(Block::addresses);
    addresses.any(|address| host == address.to_string())
        || scope.hosts.all().any(|own| {
            let above = host.strip_suffix(own.as_ref());
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        })
}

/// The authority of the certificate that an Ingress of the environment shows for this host, or what is waited for.
async fn of_environment(kubernetes: &Kubernetes, host: &str) -> Result<Result<Vec<Certificate>, Wait>> {
    let ingresses = kubernetes.survey(&Area::of("networking.k8s.io/v1", "Ingress")).await?;
    let found = ingresses.objects().find_map(|ingress| {
        let secret = secret_for(ingress.value(), host)?;
        Some((ingress.name().namespace.clone(), secret))
    });
    let Some((namespace, name)) = found else {
        return Ok(Err(ingresses.changed(format!("an Ingress with a `tls` entry for {host}"))));
    };
    let secret = ObjectName { api_version: "v1".to_owned(), kind: "Secret".to_owned(), namespace, name };
    let seen = kubernetes.observe(&secret).await?;
    let authority = seen.object().map(|object| &object.value()["data"]["ca.crt"]);
    match authority.filter(|authority| authority.as_str().is_some_and(|text| !text.is_empty())) {
        // Either may change: another Secret may be named, or this one be written.
        None => Ok(Err(Wait {
            on: format!("the authority of its certificate: `ca.crt` in {secret}"),
            ..Wait::any(vec![seen.changed(""), ingresses.changed("")])
        })),
        Some(encoded) => {
            let wrong = || UserError::new(Exit::Failed, format!("`ca.crt` in {secret} is no certificate"));
            let pem: ByteString = serde_json::from_value(encoded.clone()).map_err(|_| wrong())?;
            Ok(Ok(certificates(&pem.0).with_context(wrong)?))
        }
    }
}

/// The Secret with the certificate that this Ingress shows for the host.
fn secret_for(ingress: &Value, host: &str) -> Option<String> {
    let entries = ingress["spec"]["tls"].as_array()?;
    let covers = |name: &str| match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, above)| above == domain),
        None => name == host,
    };
    let entry = entries.iter().find(|entry| {
        let names = entry["hosts"].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).any(covers)
    })?;
    entry["secretName"].as_str().map(str::to_owned)
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>> {
    let certificates = Certificate::from_pem_bundle(pem)?;
    anyhow::ensure!(!certificates.is_empty(), "there is no certificate in it");
    Ok(certificates)
}

/// In the words of whoever is nearest to the cause; the URL is told beside it.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", ANSWER.as_secs());
    }
    let (mut said, mut next) = (String::new(), error.source());
    while let Some(cause) = next {
        (said, next) = (cause.to_string(), cause.source());
    }
    match said.is_empty() {
        true => "it does not answer".to_owned(),
        false => format!("it does not answer: {}", plain(&said)),
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
