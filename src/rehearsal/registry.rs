//! A registry of images, as the OCI distribution API shows it: tags and digests, repositories that not everybody may see,
//! and how one is let in.
//!
//! It holds manifests only: no client of ours asks for more. It must never tell who may not see a repository whether an
//! image is in it.

use super::{Reply, Request, later};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// For how many seconds a token is good; what real ones give who asks for nothing.
const TOKEN_SECONDS: u32 = 60;
/// What tokens of this registry are for.
const SERVICE: &str = "registry.example";

/// How one shows who one is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Login {
    /// Nobody is asked.
    #[default]
    None,
    /// Name and password with each request.
    Basic,
    /// A token, which the registry names a place for; everybody is given one, for what he may see.
    Token,
}

/// What a registry holds, and whom it knows.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// How one shows who one is.
    pub login: Login,
    images: BTreeMap<String, Vec<Image>>,
    private: BTreeMap<String, BTreeSet<String>>,
    accounts: BTreeMap<String, String>,
    tokens: BTreeMap<String, Token>,
    issued: u32,
}

#[derive(Debug, Clone)]
struct Image {
    tag: String,
    digest: String,
    kind: String,
    manifest: Value,
    since: Timestamp,
}

#[derive(Debug, Clone)]
struct Token {
    account: Option<String>,
    repository: String,
    until: Timestamp,
}

/// Why somebody does not get what he asks for.
enum Denial {
    Unknown,
    Forbidden,
}

impl Registry {
    /// Whoever has this password is this account.
    pub fn add_account(&mut self, name: &str, password: &str) {
        self.accounts.insert(name.to_owned(), password.to_owned());
    }

    /// From now on only these accounts see the repository.
    pub fn close(&mut self, repository: &str, accounts: &[&str]) {
        let accounts = accounts.iter().map(|account| (*account).to_owned());
        self.private.insert(repository.to_owned(), accounts.collect());
    }

    /// An image that is there from this time on, in place of what the tag was before. What its digest is.
    pub fn push(
        &mut self,
        repository: &str,
        tag: &str,
        kind: &str,
        manifest: Value,
        since: Timestamp,
    ) -> String {
        let digest = digest(manifest.to_string().as_bytes());
        let (tag, kind) = (tag.to_owned(), kind.to_owned());
        let image = Image { tag, digest: digest.clone(), kind, manifest, since };
        self.images.entry(repository.to_owned()).or_default().push(image);
        digest
    }

    /// One request.
    pub(super) fn handle(&mut self, request: &Request, now: Timestamp) -> Reply {
        self.tokens.retain(|_, token| token.until > now);
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET" | "POST", ["token"]) if self.login == Login::Token => self.token(request, now),
            ("GET" | "HEAD", ["v2"]) => match self.account(request, "") {
                Err(Denial::Unknown) if self.login != Login::None => self.challenge(request, ""),
                _ => Reply::Json(200, json!({})),
            },
            ("GET" | "HEAD", ["v2", repository @ .., "manifests", reference]) if !repository.is_empty() => {
                self.manifest(request, &repository.join("/"), reference, now)
            }
            _ => refused(404, "UNSUPPORTED", "The operation is unsupported."),
        }
    }

    fn manifest(&self, request: &Request, repository: &str, reference: &str, now: Timestamp) -> Reply {
        match self.admit(request, repository) {
            Err(Denial::Unknown) => return self.challenge(request, repository),
            Err(Denial::Forbidden) => {
                return refused(403, "DENIED", "requested access to the resource is denied");
            }
            Ok(()) => {}
        }
        let Some(images) = self.images.get(repository) else {
            return refused(404, "NAME_UNKNOWN", "repository name not known to registry");
        };
        let is_it =
            |image: &&Image| image.since <= now && (image.tag == reference || image.digest == reference);
        let accept = request.headers.get("accept").map(String::as_str).unwrap_or_default();
        match images.iter().rfind(is_it) {
            Some(image) if accept.contains(&image.kind) || accept.contains("*/*") => {
                let headers = [("content-type", &image.kind), ("docker-content-digest", &image.digest)];
                let headers = headers.map(|(name, value)| (name.to_owned(), value.clone()));
                Reply::Headed(200, headers.into(), image.manifest.clone())
            }
            Some(_) => refused(404, "MANIFEST_UNKNOWN", "the manifest is of a type that was not asked for"),
            None => refused(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    }

    fn admit(&self, request: &Request, repository: &str) -> Result<(), Denial> {
        let account = self.account(request, repository)?;
        match self.private.get(repository) {
            None => Ok(()),
            Some(accounts) => match account {
                Some(account) if accounts.contains(&account) => Ok(()),
                Some(_) => Err(Denial::Forbidden),
                None => Err(Denial::Unknown),
            },
        }
    }

    /// Who asks; nobody in particular, if that is allowed.
    fn account(&self, request: &Request, repository: &str) -> Result<Option<String>, Denial> {
        match self.login {
            Login::None => Ok(None),
            Login::Basic => self.by_password(request).map(Some),
            Login::Token => {
                let token =
                    request.bearer().and_then(|token| self.tokens.get(token)).ok_or(Denial::Unknown)?;
                let is_for_it = repository.is_empty() || token.repository == repository;
                is_for_it.then(|| token.account.clone()).ok_or(Denial::Unknown)
            }
        }
    }

    fn by_password(&self, request: &Request) -> Result<String, Denial> {
        let read = || {
            let encoded = request.headers.get("authorization")?.strip_prefix("Basic ")?;
            let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
            let (name, password) = pair.split_once(':')?;
            (self.accounts.get(name)? == password).then(|| name.to_owned())
        };
        read().ok_or(Denial::Unknown)
    }

    /// An account's password serves as its refresh token, too.
    fn by_secret(&self, secret: &str) -> Result<String, Denial> {
        let found = self.accounts.iter().find(|(_, password)| *password == secret);
        found.map(|(name, _)| name.clone()).ok_or(Denial::Unknown)
    }

    /// For whoever asks; for what he may not see, it will be good for nothing.
    fn token(&mut self, request: &Request, now: Timestamp) -> Reply {
        let is_exchange = request.method == "POST";
        let said = |key: &str| match is_exchange {
            true => request.body[key].as_str().unwrap_or_default(),
            false => request.query.get(key).map(String::as_str).unwrap_or_default(),
        };
        let account = match is_exchange {
            true => self.by_secret(said("refresh_token")).map(Some),
            false if request.headers.contains_key("authorization") => self.by_password(request).map(Some),
            false => Ok(None),
        };
        let Ok(account) = account else {
            return refused(401, "UNAUTHORIZED", "incorrect username or password");
        };
        let scope = said("scope");
        let repository = match scope.split(':').collect::<Vec<_>>().as_slice() {
            ["repository", repository, actions] if actions.split(',').any(|action| action == "pull") => {
                (*repository).to_owned()
            }
            _ => return refused(400, "UNSUPPORTED", "a scope of repository:NAME:pull is needed"),
        };
        if said("service") != SERVICE {
            return refused(400, "UNSUPPORTED", "this is not the service that was asked for");
        }
        self.issued += 1;
        let token = format!("registry-token-{}", self.issued);
        let until = later(now, TOKEN_SECONDS.into());
        self.tokens.insert(token.clone(), Token { account, repository, until });
        let key = if is_exchange { "access_token" } else { "token" };
        Reply::Json(200, json!({key: token, "expires_in": TOKEN_SECONDS}))
    }

    fn challenge(&self, request: &Request, repository: &str) -> Reply {
        let host = request.headers.get("host").map(String::as_str).unwrap_or_default();
        let scope = match repository {
            "" => String::new(),
            repository => format!(",scope=\"repository:{repository}:pull\""),
        };
        let how = match self.login {
            Login::Basic => format!("Basic realm=\"{SERVICE}\""),
            _ => format!("Bearer realm=\"http://{host}/token\",service=\"{SERVICE}\"{scope}"),
        };
        let headers = [("content-type", "application/json".to_owned()), ("www-authenticate", how)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        Reply::Headed(401, headers.into(), error("UNAUTHORIZED", "authentication required"))
    }
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    Reply::Json(status, error(code, message))
}

fn error(code: &str, message: &str) -> Value {
    json!({"errors": [{"code": code, "message": message, "detail": null}]})
}

fn digest(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
