//! How berth is let into Vault: login, renewal, and the one HTTP client under vaultrs.
//!
//! A token that we logged in for is renewed at two thirds of its time by whichever request comes next, and replaced by a
//! new login where it cannot be renewed; where that fails too, it serves to its end. Must never: follow a redirect (the token would go along); skip the verification
//! of a certificate; print a token.

use super::{Access, failure};
use crate::{
    clients::RUN_HEADER,
    clock::Clock,
    errors::{Exit, UserError},
};
use anyhow::{Context, Result, anyhow};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use vaultrs::{
    api::{AuthInfo, EndpointMiddleware},
    auth,
    client::{Client, VaultClient, VaultClientSettingsBuilder},
};

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// A token that somebody gave us; renewing it is theirs.
    Token(SecretString),
    /// AppRole.
    AppRole {
        /// Where it is mounted.
        path: String,
        /// Who we are.
        role_id: String,
        /// The proof.
        secret_id: SecretString,
    },
    /// The service account of the pod that we run in.
    Kubernetes {
        /// Where it is mounted.
        path: String,
        /// The role to take.
        role: String,
        /// The service account's token; read again for each login, as the kubelet replaces it.
        token_file: PathBuf,
    },
    /// A signed token of an identity provider: GitHub's, for a workflow's job.
    Jwt {
        /// Where it is mounted.
        path: String,
        /// The role to take.
        role: String,
        /// Where the signed token comes from.
        token: Jwt,
    },
}

/// Where a signed token comes from.
#[derive(Debug, Clone)]
pub enum Jwt {
    /// A file.
    File(PathBuf),
    /// An issuer that is asked for one, as GitHub gives it to a job with `id-token: write`.
    Issuer {
        /// With its query; the audience is added.
        url: String,
        /// That lets us ask.
        bearer: SecretString,
        /// For whom the token shall be.
        audience: String,
    },
}

pub(super) struct Session {
    access: Access,
    http: reqwest::Client,
    clock: Clock,
    live: Mutex<Option<Live>>,
}

struct Live {
    client: Arc<VaultClient>,
    lease: Option<Lease>,
}

struct Lease {
    renew_at: Timestamp,
    ends: Timestamp,
    renewable: bool,
}

impl Session {
    pub(super) fn new(access: Access, clock: Clock, run: &str) -> Result<Self> {
        // vaultrs panics on what is no URL. Not quoted: it may hold a password.
        let address = reqwest::Url::parse(&access.address);
        if !address.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.path() == "/") {
            return Err(UserError::usage("Vault's address is no http(s)://host[:port]").into());
        }
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(RUN_HEADER), HeaderValue::from_str(run)?);
        let builder = client(access.timeout).default_headers(headers);
        let builder = match &access.ca {
            // Loading the system's authorities costs 20 ms, and plain HTTP has no use for them.
            _ if access.address.starts_with("http://") => builder.tls_certs_only([]),
            None => builder,
            Some(path) => {
                let wrong = || {
                    UserError::usage(format!("could not read Vault's CA from {}", path.display()))
                        .hint("it must be a file of PEM certificates")
                };
                let pem = std::fs::read(path).with_context(wrong)?;
                let authorities = reqwest::Certificate::from_pem_bundle(&pem).with_context(wrong)?;
                if authorities.is_empty() {
                    return Err(anyhow!("there is no certificate in it").context(wrong()));
                }
                builder.tls_certs_merge(authorities)
            }
        };
        let http = builder.build().context("make an HTTP client for Vault")?;
        Ok(Self { access, http, clock, live: Mutex::new(None) })
    }

    pub(super) fn address(&self) -> &str {
        &self.access.address
    }

    /// A client whose token is good for a request now.
    pub(super) async fn client(&self) -> Result<Arc<VaultClient>> {
        // One login for all that wait for it.
        let mut live = self.live.lock().await;
        let now = self.clock.now();
        let due = match &*live {
            Some(Live { client, lease: Some(lease) }) if lease.renew_at <= now => Some((client, lease)),
            Some(current) => return Ok(current.client.clone()),
            None => None,
        };
        if let Auth::Token(token) = &self.access.auth {
            let client = Arc::new(self.client_with(token.expose_secret())?);
            return Ok(live.insert(Live { client, lease: None }).client.clone());
        }
        let renewed = match due {
            Some((client, lease)) if lease.renewable && now < lease.ends => client.renew(None).await.ok(),
            _ => None,
        };
        // Past its longest life, or refused: a new login says why, if that fails too.
        let granted = match renewed {
            Some(granted) => Ok(granted),
            None => self.login().await,
        };
        let kept = granted.and_then(|granted| Ok(self.keep(&mut live, granted)?.client.clone()));
        match (kept, &mut *live) {
            // It is still good, though its secret id may be used up or Vault too busy to renew it. Half of what is left
            // is time to mend that; not every request until then shall try and fail.
            (Err(_), Some(Live { client, lease: Some(lease) })) if now < lease.ends => {
                lease.renew_at = now.saturating_add(now.duration_until(lease.ends) / 2).unwrap_or(lease.ends);
                Ok(client.clone())
            }
            (kept, _) => kept,
        }
    }

    fn keep<'a>(&self, live: &'a mut Option<Live>, granted: AuthInfo) -> Result<&'a Live> {
        let client = Arc::new(self.client_with(&granted.client_token)?);
        let now = self.clock.now();
        // A lease of 0 never ends.
        let lease = (granted.lease_duration > 0).then(|| {
            let seconds = i64::try_from(granted.lease_duration).unwrap_or(i64::MAX);
            let after = |s| now.saturating_add(SignedDuration::from_secs(s)).unwrap_or(Timestamp::MAX);
            Lease { renew_at: after(seconds / 3 * 2), ends: after(seconds), renewable: granted.renewable }
        });
        Ok(live.insert(Live { client, lease }))
    }

    async fn login(&self) -> Result<AuthInfo> {
        let client = self.client_with("")?;
        let (method, path, granted) = match &self.access.auth {
            Auth::Token(_) => unreachable!("a given token needs no login: client() returns before"),
            Auth::AppRole { path, role_id, secret_id } => {
                let granted = auth::approle::login(&client, path, role_id, secret_id.expose_secret()).await;
                ("AppRole", path, granted)
            }
            Auth::Kubernetes { path, role, token_file } => {
                let jwt = from_file(token_file)?;
                let granted = auth::kubernetes::login(&client, path, role, jwt.expose_secret()).await;
                ("Kubernetes", path, granted)
            }
            Auth::Jwt { path, role, token } => {
                let jwt = self.signed(token).await?;
                let granted = auth::oidc::login(&client, path, jwt.expose_secret(), Some(role.clone())).await;
                ("JWT", path, granted)
            }
        };
        granted.map_err(|error| {
            let doing = format!("log in by {method} at");
            let object = format!("auth/{path} on {}", self.access.address);
            let refused =
                "the login method must be mounted there, and its role let berth in (bound claims, secret id)";
            let invalid = format!("is this the address of a Vault server? {refused}");
            let unavailable = failure::NOTHING_CHANGED;
            let what =
                failure::Told { doing: &doing, object: &object, refused, invalid: &invalid, unavailable };
            failure::told(what, &error)
        })
    }

    async fn signed(&self, token: &Jwt) -> Result<SecretString> {
        #[derive(Deserialize)]
        struct Signed {
            value: SecretString,
        }
        let (url, bearer, audience) = match token {
            Jwt::File(path) => return from_file(path),
            Jwt::Issuer { url, bearer, audience } => (url, bearer, audience),
        };
        let mut url = reqwest::Url::parse(url)
            .map_err(|_| UserError::usage("the address to ask for a signed token of this job is no URL"))?;
        // Not the rest of it: the query of GitHub's is nobody's business.
        let issuer = url.origin().ascii_serialization();
        let failed = |hint| {
            UserError::new(Exit::Unknown, format!("could not get a signed token of this job from {issuer}"))
                .hint(hint)
        };
        let again = || failed("nothing was changed on that ground: try again");
        url.query_pairs_mut().append_pair("audience", audience);
        let answer = self.issuer(&url)?.get(url).bearer_auth(bearer.expose_secret()).send().await;
        let answer = answer.map_err(reqwest::Error::without_url).with_context(again)?;
        let status = answer.status();
        let answer = answer.error_for_status().map_err(reqwest::Error::without_url).with_context(|| {
            if matches!(status.as_u16(), 401 | 403) {
                failed("the job needs `permissions: id-token: write`; runs of forks do not get it")
            } else {
                again()
            }
        })?;
        let body = answer.bytes().await.map_err(reqwest::Error::without_url);
        // Not the parser's words: they may quote the token.
        let signed: Option<Signed> = serde_json::from_slice(&body.with_context(again)?).ok();
        Ok(signed.context("the answer is not what GitHub answers").with_context(again)?.value)
    }

    /// Not Vault's own client: that one has no authorities where Vault is reached without TLS, as through an agent.
    fn issuer(&self, url: &reqwest::Url) -> Result<reqwest::Client> {
        let builder = client(self.access.timeout);
        let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        builder.build().context("make an HTTP client for the issuer of tokens")
    }

    fn client_with(&self, token: &str) -> Result<VaultClient> {
        // A file or a variable often brings a newline along; vaultrs panics on what no header can carry.
        let token = token.trim();
        for (what, text) in [("token", token), ("namespace", self.access.namespace.as_deref().unwrap_or(""))]
        {
            if HeaderValue::from_str(text).is_err() {
                let message = format!("Vault's {what} has a character that no HTTP header can carry");
                return Err(UserError::usage(message).hint("look for a line break in it").into());
            }
        }
        // Everything is said: what is not, vaultrs takes from VAULT_* variables, and an empty VAULT_SKIP_VERIFY
        // would switch verification off.
        let settings = VaultClientSettingsBuilder::default()
            .address(&self.access.address)
            .token(token)
            .namespace(self.access.namespace.clone())
            .ca_certs(Vec::new())
            .identity(None)
            .verify(true)
            .build()
            .context("make a client of Vault")?;
        Ok(VaultClient {
            http: rustify::clients::reqwest::Client::new(&self.access.address, self.http.clone()),
            middle: EndpointMiddleware {
                token: token.to_owned(),
                version: "v1".to_owned(),
                wrap: None,
                namespace: self.access.namespace.clone(),
            },
            settings,
        })
    }
}

fn client(timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none())
}

fn from_file(path: &PathBuf) -> Result<SecretString> {
    let read = std::fs::read_to_string(path).with_context(|| {
        UserError::new(Exit::Unknown, format!("could not read the login token {}", path.display()))
            .hint("is the service account's token mounted, or the path right?")
    })?;
    Ok(read.trim().to_owned().into())
}
