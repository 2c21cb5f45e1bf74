//! The requests about one image: who we are is shown when the registry asks for it, and what comes back is judged.
//!
//! Must never: show a credential to anybody else; quote what a server says; take a proxy's word for the registry's.

use super::{
    MANIFESTS, Presence, Registries,
    challenge::{self, Challenge},
    docker::Credentials,
    may_speak, place,
};
use crate::{
    clients::{Failure, Kind},
    domain::image::{Digest, Image},
};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;

/// What registries take for a manifest at most.
const MOST: usize = 4 << 20;

/// The requests about one image.
pub(super) struct Visit<'a> {
    registries: &'a Registries,
    image: &'a Image,
    url: Url,
    /// What the registry lets us in by, once we know.
    shown: Option<Shown>,
}

enum Shown {
    Bearer(SecretString),
    Basic(String, SecretString),
}

impl<'a> Visit<'a> {
    /// With nothing to show yet.
    pub(super) fn new(registries: &'a Registries, image: &'a Image, url: Url) -> Self {
        Self { registries, image, url, shown: None }
    }

    /// Whether it is there.
    pub(super) async fn find(mut self) -> Result<Presence, Failure> {
        let answer = self.ask(Method::HEAD).await?;
        match answer.status() {
            StatusCode::OK => self.found(answer).await,
            // It has no body: whose word it is shows only in that of a GET.
            StatusCode::NOT_FOUND => {
                let answer = self.ask(Method::GET).await?;
                match answer.status() {
                    // It has come in between.
                    StatusCode::OK => self.found(answer).await,
                    StatusCode::NOT_FOUND => self.absent(answer).await,
                    _ => Err(self.denied(answer).await),
                }
            }
            _ => Err(self.denied(answer).await),
        }
    }

    /// Shows who we are if, and only if, the registry itself asks for it.
    async fn ask(&mut self, method: Method) -> Result<Response, Failure> {
        let answer = self.send(method.clone()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || self.shown.is_some() {
            return Ok(answer);
        }
        if answer.url().origin() != self.url.origin() {
            let elsewhere = place(answer.url());
            let why = format!(
                "it sends us to {elsewhere}, which asks who we are: our credentials are not for that"
            );
            return Err(self.failure(Kind::Refused, why));
        }
        let offered: Vec<&str> = answer
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let Some(challenge) = challenge::read(&offered.join(", ")) else {
            let why = "it answers 401 and does not say how one is let in; is it a registry?".to_owned();
            return Err(self.failure(Kind::Refused, why));
        };
        self.shown = Some(self.answer(challenge).await?);
        self.send(method).await
    }

    async fn send(&self, method: Method) -> Result<Response, Failure> {
        let request =
            self.registries.http()?.request(method, self.url.clone()).header(ACCEPT, MANIFESTS.join(", "));
        let request = match &self.shown {
            None => request,
            Some(Shown::Bearer(token)) => request.bearer_auth(token.expose_secret()),
            Some(Shown::Basic(name, password)) => request.basic_auth(name, Some(password.expose_secret())),
        };
        self.exchange(request).await
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|error| self.broken(error))
    }

    async fn answer(&self, challenge: Challenge) -> Result<Shown, Failure> {
        let (registry, limit) = (self.image.registry(), self.registries.limit);
        let credentials = self.registries.docker.credentials(registry, limit).await?;
        match (challenge, credentials) {
            (_, Some(Credentials::Token(token))) => Ok(Shown::Bearer(token)),
            (Challenge::Basic, Some(Credentials::Password { name, password })) => {
                Ok(Shown::Basic(name, password))
            }
            (Challenge::Basic, _) => {
                let why = format!("it wants a name and a password; {}", self.log_in());
                Err(self.failure(Kind::Refused, why))
            }
            (Challenge::Bearer { realm, service, scope }, credentials) => {
                self.token(&realm, service, scope, credentials).await.map(Shown::Bearer)
            }
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
        credentials: Option<Credentials>,
    ) -> Result<SecretString, Failure> {
        let realm = Url::parse(realm).ok().filter(|url| may_speak(url, &self.registries.plain));
        let Some(mut realm) = realm else {
            let why =
                "the place that it names for tokens is no https:// one; no credentials were sent".to_owned();
            return Err(self.failure(Kind::Invalid, why));
        };
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.image.repository()));
        let asked: Vec<(&str, String)> =
            service.into_iter().map(|service| ("service", service)).chain([("scope", scope)]).collect();
        let http = self.registries.http()?;
        let request = match credentials {
            Some(Credentials::Refresh(token)) => {
                let mut form = Url::clone(&realm);
                form.query_pairs_mut().clear().extend_pairs(asked).extend_pairs([
                    ("grant_type", "refresh_token"),
                    ("client_id", "berth"),
                    ("refresh_token", token.expose_secret()),
                ]);
                let form = form.query().unwrap_or_default().to_owned();
                http.post(realm).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
            }
            credentials => {
                realm.query_pairs_mut().extend_pairs(asked);
                match credentials {
                    Some(Credentials::Password { name, password }) => {
                        http.get(realm).basic_auth(name, Some(password.expose_secret()))
                    }
                    _ => http.get(realm),
                }
            }
        };
        let answer = self.exchange(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.denied(answer).await);
        }
        // What is no JSON has no token, and that is an error below.
        let said: Value = serde_json::from_slice(&self.body(answer).await?).unwrap_or_default();
        let token = said["token"].as_str().or_else(|| said["access_token"].as_str());
        match token {
            Some(token) if !token.is_empty() => Ok(token.to_owned().into()),
            _ => Err(self.unavailable("what it gives for a token is none".to_owned())),
        }
    }

    /// What an image is that is there.
    async fn found(&mut self, answer: Response) -> Result<Presence, Failure> {
        let header = |name: &str, answer: &Response| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let kind = header("content-type", &answer);
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !MANIFESTS.contains(&kind) {
            let why = "it answers with something that is no manifest; does somebody answer in its place?";
            return Err(self.unavailable(why.to_owned()));
        }
        let told = header("docker-content-digest", &answer);
        let digest = match told.as_str() {
            "" => self.counted().await?,
            told => {
                told.parse().map_err(|_| self.unavailable("the digest that it tells is none".to_owned()))?
            }
        };
        match self.image.digest() {
            Some(asked) if *asked != digest => {
                Err(self.unavailable(format!("it answers with another image, {digest}")))
            }
            _ => Ok(Presence::Present(digest)),
        }
    }

    /// Few do not tell it.
    async fn counted(&mut self) -> Result<Digest, Failure> {
        if let Some(asked) = self.image.digest() {
            return Ok(asked.clone());
        }
        let answer = self.ask(Method::GET).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.denied(answer).await);
        }
        let body = self.body(answer).await?;
        let hash = ring::digest::digest(&ring::digest::SHA256, &body);
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}").parse().map_err(|_| self.unavailable("its manifest has no digest".to_owned()))
    }

    async fn absent(&self, answer: Response) -> Result<Presence, Failure> {
        match self.code(answer).await? {
            Some(_) => Ok(Presence::Absent),
            None => {
                let why = "it answers 404, and not in a registry's words; is the host right?".to_owned();
                Err(self.failure(Kind::Invalid, why))
            }
        }
    }

    /// Why an answer is none.
    async fn denied(&self, answer: Response) -> Failure {
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let has_location = answer.headers().contains_key(LOCATION);
        let code = match self.code(answer).await {
            Ok(code) => code.map(|code| format!(" ({code})")).unwrap_or_default(),
            Err(failure) if !matches!(status.as_u16(), 401 | 403) => return failure,
            Err(_) => String::new(),
        };
        let said = format!("it answers {}{code}", status.as_u16());
        match status.as_u16() {
            401 | 403 => self.failure(Kind::Refused, format!("{said}; {}", self.log_in())),
            408 | 429 | 500.. => {
                let wait = wait.map(Duration::from_secs);
                let asked = wait.map(|wait| format!(", and asks us to wait {wait:?}")).unwrap_or_default();
                self.failure(Kind::Unavailable { wait }, format!("{said}{asked}"))
            }
            300..=399 if has_location => {
                let why = format!("{said}, a redirect to where plain HTTP is not allowed, or one too many");
                self.failure(Kind::Invalid, why)
            }
            _ => self.failure(Kind::Invalid, format!("{said}; is it a registry?")),
        }
    }

    /// The code of a registry's own word; of the rest of it nothing is quoted.
    async fn code(&self, answer: Response) -> Result<Option<String>, Failure> {
        // A page of somebody in between has no code: then the status alone speaks.
        let said: Value = serde_json::from_slice(&self.body(answer).await?).unwrap_or_default();
        let code = said["errors"][0]["code"].as_str();
        let is_code = |code: &&str| {
            (1..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        };
        Ok(code.filter(is_code).map(str::to_owned))
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(self.unavailable("its answer has no end".to_owned()));
            }
        }
        Ok(body)
    }

    fn log_in(&self) -> String {
        let registry = self.image.registry();
        format!(
            "log in to {registry} before this, with `docker login` or its action, as somebody who may pull {}",
            self.image.repository()
        )
    }

    fn broken(&self, error: reqwest::Error) -> Failure {
        let limit = self.registries.limit;
        let why = match &error {
            error if error.is_timeout() => format!("no answer within {limit:?}"),
            error if error.is_connect() => format!("no connection: {}", root(error)),
            error => format!("the connection broke: {}", root(error)),
        };
        self.unavailable(why)
    }

    fn unavailable(&self, why: String) -> Failure {
        self.failure(Kind::Unavailable { wait: None }, why)
    }

    fn failure(&self, kind: Kind, why: String) -> Failure {
        let detail =
            format!("could not find out whether {} has {}: {why}", self.image.registry(), self.image);
        Failure { kind, detail }
    }
}

/// The innermost cause: the outer ones name the URL, which may hold what is nobody's business.
fn root(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
