//! Who we are to registries: what `docker login` has left on this machine.
//!
//! Must never: print a secret; send it to a registry that it is not for; take a file that cannot be read for none.

use crate::{
    clients::{Failure, Kind},
    domain::image::DOCKER_HUB,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{collections::BTreeMap, ffi::OsString, io, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

/// Docker's own name for Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name by which a helper says that the secret is a refresh token.
const REFRESH: &str = "<token>";
/// More than any helper has to say.
const MOST: u64 = 64 << 10;

/// What one shows.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    Password {
        name: String,
        password: SecretString,
    },
    /// For which a token is given in exchange.
    Refresh(SecretString),
    /// The token itself.
    Token(SecretString),
}

/// Docker's `config.json`, as far as it tells who we are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Docker {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
    #[serde(skip)]
    path: Option<OsString>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
    registrytoken: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: SecretString,
}

impl Docker {
    /// From Docker's directory: `DOCKER_CONFIG`, or `.docker` at home. None has logged in where there is no file.
    pub fn read(directory: &Path) -> Result<Self, Failure> {
        let file = directory.join("config.json");
        let failure = |why: String| {
            let detail = format!("Docker's credentials in {}: {why}", file.display());
            Failure { kind: Kind::Invalid, detail }
        };
        match std::fs::read(&file) {
            // Not its words: they may quote what is in the file.
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                failure(format!("not what Docker writes (line {}, column {})", error.line(), error.column()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failure(error.to_string())),
        }
    }

    /// Looks for its helpers here, and not on the `PATH` of this process.
    #[must_use]
    pub fn on_path(self, path: impl Into<OsString>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    /// For this registry, if there are any.
    pub(super) async fn credentials(
        &self,
        registry: &str,
        limit: Duration,
    ) -> Result<Option<Credentials>, Failure> {
        let of = |keys: &'_ BTreeMap<String, String>| {
            keys.iter().find(|(key, _)| is_for(key, registry)).map(|(_, program)| program.clone())
        };
        if let Some(program) = of(&self.cred_helpers) {
            return self.helped(&program, registry, limit).await;
        }
        let kept = self.auths.iter().find(|(key, entry)| is_for(key, registry) && entry.is_something());
        match (kept, &self.creds_store) {
            (Some((key, entry)), _) => entry.credentials(key).map(Some),
            (None, Some(program)) => self.helped(program, registry, limit).await,
            (None, None) => Ok(None),
        }
    }
}

impl Entry {
    /// Where a store has the secret, there is an entry with nothing in it.
    fn is_something(&self) -> bool {
        let secrets = [&self.auth, &self.password, &self.identitytoken, &self.registrytoken];
        secrets.into_iter().flatten().any(|secret| !secret.expose_secret().is_empty())
    }

    fn credentials(&self, key: &str) -> Result<Credentials, Failure> {
        if let Some(token) = &self.registrytoken {
            return Ok(Credentials::Token(token.clone()));
        }
        if let Some(token) = &self.identitytoken {
            return Ok(Credentials::Refresh(token.clone()));
        }
        let pair = match (&self.username, &self.password, &self.auth) {
            (Some(name), Some(password), _) => Some((name.clone(), password.clone())),
            (_, _, Some(auth)) => decoded(auth.expose_secret()),
            _ => None,
        };
        match pair {
            Some((name, password)) => Ok(Credentials::Password { name, password }),
            None => Err(Failure {
                kind: Kind::Invalid,
                detail: format!(
                    "Docker's credentials for {key} cannot be read; `docker login` writes them anew"
                ),
            }),
        }
    }
}

fn decoded(auth: &str) -> Option<(String, SecretString)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    // Some writers end it with a zero.
    Some((name.to_owned(), password.trim_end_matches('\0').to_owned().into()))
}

/// Whether a key of Docker's means this registry: it may have a scheme and a path.
fn is_for(key: &str, registry: &str) -> bool {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let host = bare.split('/').next().unwrap_or_default();
    let is_hub = matches!(host, "index.docker.io" | "registry-1.docker.io" | DOCKER_HUB);
    if registry == DOCKER_HUB { is_hub } else { host == registry }
}

impl Docker {
    /// What a program of Docker's credential helpers says, within a time and a size.
    async fn helped(
        &self,
        program: &str,
        registry: &str,
        limit: Duration,
    ) -> Result<Option<Credentials>, Failure> {
        let failure = |kind: Kind, why: String| Failure {
            kind,
            detail: format!("docker-credential-{program} for {registry}: {why}"),
        };
        let unavailable = Kind::Unavailable { wait: None };
        if !program.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            return Err(failure(Kind::Invalid, "that is no name of a helper".to_owned()));
        }
        let key = if registry == DOCKER_HUB { HUB_KEY } else { registry };
        let asked = tokio::time::timeout(limit, self.ask(program, key)).await;
        let (ended_well, said) = match asked {
            Err(_) => return Err(failure(unavailable, format!("no answer within {limit:?}"))),
            Ok(Err(error)) => return Err(failure(Kind::Invalid, error.to_string())),
            Ok(Ok(asked)) => asked,
        };
        if !ended_well {
            // The only word of theirs that is agreed upon.
            let has_none = String::from_utf8_lossy(&said).contains("credentials not found");
            return if has_none { Ok(None) } else { Err(failure(unavailable, "it has failed".to_owned())) };
        }
        let Ok(Helped { username, secret }) = serde_json::from_slice(&said) else {
            return Err(failure(Kind::Invalid, "what it says are no credentials".to_owned()));
        };
        Ok(Some(match username.as_str() {
            REFRESH => Credentials::Refresh(secret),
            _ => Credentials::Password { name: username, password: secret },
        }))
    }

    async fn ask(&self, program: &str, key: &str) -> io::Result<(bool, Vec<u8>)> {
        let mut command = Command::new(format!("docker-credential-{program}"));
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        let mut child = command
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(key.as_bytes()).await {
                // It has said what it has to say without reading.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
        let mut said = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MOST).read_to_end(&mut said).await?;
        }
        Ok((child.wait().await?.success(), said))
    }
}
