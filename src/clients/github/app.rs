//! An app in place of a token: it signs its word with a key of its own, and GitHub gives it a token where it is installed.
//!
//! A token is for one repository and for what berth does there, and is made anew before it ends. Must never: show the
//! key; ask for more than the app was given, which GitHub refuses whole.

use super::{GitHub, request::Asked};
use crate::{
    clients::{Failure, Kind},
    domain::names::RepoName,
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What berth does in a repository. Who was given less is told so by what is refused.
const NEEDED: [(&str, Level); 7] = [
    ("actions", Level::Write),
    ("checks", Level::Write),
    ("contents", Level::Read),
    ("deployments", Level::Write),
    ("metadata", Level::Read),
    ("pull_requests", Level::Write),
    ("statuses", Level::Write),
];
/// A token that ends sooner is made anew.
const LEFT: SignedDuration = SignedDuration::from_mins(5);
/// GitHub's clock may be behind ours by this.
const BEHIND: SignedDuration = SignedDuration::from_secs(60);
/// How long the app's word holds: with the above GitHub's ten minutes.
const HOLDS: SignedDuration = SignedDuration::from_mins(9);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Read,
    Write,
}

/// An app that has been let in, or will be.
pub(super) struct App {
    id: u64,
    key: KeyPair,
    /// One at a time asks for a repository's token, and the others take the same.
    installed: Mutex<BTreeMap<RepoName, Arc<tokio::sync::Mutex<Option<Installed>>>>>,
}

/// Where it is installed, and the last token that it was given there.
struct Installed {
    place: Place,
    token: SecretString,
    ends: Timestamp,
}

/// An installation as berth sees it: for one repository.
struct Place {
    installation: u64,
    /// The repository, as GitHub names it now: an old name is good for looking and not for a token.
    repository: Value,
    permissions: Map<String, Value>,
}

impl App {
    /// None: it is no RSA key in PEM, of 2048 bits at least.
    pub(super) fn new(id: u64, key: &SecretString) -> Option<Self> {
        Some(Self { id, key: parse(key.expose_secret())?, installed: Mutex::default() })
    }

    fn of(&self, repo: &RepoName) -> Arc<tokio::sync::Mutex<Option<Installed>>> {
        self.installed.lock().unwrap_or_else(PoisonError::into_inner).entry(repo.clone()).or_default().clone()
    }

    /// The app's word of who it is.
    fn word(&self, now: Timestamp) -> Option<SecretString> {
        let at = |span: SignedDuration| now.saturating_add(span).map(Timestamp::as_second).ok();
        let claims = json!({ "iat": at(-BEHIND)?, "exp": at(HOLDS)?, "iss": self.id });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

/// As GitHub gives keys, and as `openssl` writes them since.
fn parse(pem: &str) -> Option<KeyPair> {
    let der = |label: &str| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (text, _) = rest.split_once(&format!("-----END {label}-----"))?;
        BASE64_STANDARD.decode(text.split_whitespace().collect::<String>()).ok()
    };
    match der("RSA PRIVATE KEY") {
        Some(der) => KeyPair::from_der(&der).ok(),
        None => KeyPair::from_pkcs8(&der("PRIVATE KEY")?).ok(),
    }
}

impl GitHub {
    /// A token of the app for this repository, which lasts for some minutes at least.
    pub(super) async fn installed(&self, app: &App, repo: &RepoName) -> Result<SecretString, Failure> {
        let slot = app.of(repo);
        let mut held = slot.lock().await;
        let lasts = |held: &&Installed| held.ends.duration_since(self.clock.now()) >= LEFT;
        if let Some(held) = held.as_ref().filter(lasts) {
            return Ok(held.token.clone());
        }
        // If it fails, the installation may have gone: the next look begins with that.
        let place = match held.take() {
            Some(Installed { place, .. }) => place,
            None => self.place(app, repo).await?,
        };
        let made = self.token_for(app, repo, place).await?;
        let token = made.token.clone();
        *held = Some(made);
        Ok(token)
    }

    async fn place(&self, app: &App, repo: &RepoName) -> Result<Place, Failure> {
        #[derive(Deserialize)]
        struct Raw {
            id: u64,
            permissions: BTreeMap<String, String>,
        }
        let doing = format!("find out whether app {} is installed in {repo}", app.id);
        let asked = Asked::read(repo, &["installation"], doing).by_an_app();
        let answer = self.exchange(&asked, &self.word(app, &asked)?, None).await?;
        let moved = answer.moved_to();
        let answer = self.success(&asked, answer).map_err(|denial| {
            if denial.is_not_found {
                let why = "it answers 404: there is no such repository, or the app is not installed there";
                return self.failure(&asked, Kind::Refused, why);
            }
            of_app(denial.failure)
        })?;
        let raw: Raw = self.understand(&asked, &answer)?;
        let repository = match moved {
            Some(id) => json!({ "repository_ids": [id] }),
            None => json!({ "repositories": [repo.repo()] }),
        };
        let granted = |key: &str| match raw.permissions.get(key).map(String::as_str) {
            Some("write" | "admin") => Some(Level::Write),
            Some(_) => Some(Level::Read),
            // It comes with all others.
            None => (key == "metadata").then_some(Level::Read),
        };
        let permissions = NEEDED.iter().filter_map(|(key, needed)| {
            let level = if granted(key)?.min(*needed) == Level::Write { "write" } else { "read" };
            Some(((*key).to_owned(), json!(level)))
        });
        Ok(Place { installation: raw.id, repository, permissions: permissions.collect() })
    }

    async fn token_for(&self, app: &App, repo: &RepoName, place: Place) -> Result<Installed, Failure> {
        #[derive(Deserialize)]
        struct Raw {
            token: SecretString,
            expires_at: Timestamp,
        }
        let mut body = place.repository.clone();
        body["permissions"] = json!(place.permissions);
        let installation = place.installation.to_string();
        let path = ["app", "installations", &installation, "access_tokens"];
        let doing = format!("get a token for app {} in {repo}", app.id);
        let asked = Asked::write(Method::POST, repo, &path, Some(body), doing);
        let asked = asked.beside_repositories().by_an_app();
        let answer = self.exchange(&asked, &self.word(app, &asked)?, None).await?;
        let answer = self.success(&asked, answer).map_err(|denial| of_app(denial.failure))?;
        let Raw { token, expires_at: ends } = self.understand(&asked, &answer)?;
        Ok(Installed { place, token, ends })
    }

    fn word(&self, app: &App, asked: &Asked<'_>) -> Result<SecretString, Failure> {
        let word = app.word(self.clock.now());
        word.ok_or_else(|| self.failure(asked, Kind::Invalid, "its key does not sign"))
    }
}

/// What GitHub refuses of an app lies at its key or its settings, never at what it was needed for.
fn of_app(failure: Failure) -> Failure {
    let kind = match failure.kind {
        Kind::Invalid => Kind::Refused,
        other => other,
    };
    Failure { kind, ..failure }
}
