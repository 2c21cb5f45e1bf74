//! A Vault (or OpenBao) server, as far as a client of KV v2 sees one: one KV v2 mount, tokens with policies, three ways to log in.
//!
//! `secrets` is the KV v2 engine, `auth` knows logins, `tokens` and `roles` tokens, `policy` what a token may do; here they
//! meet HTTP.
//! It must never be kinder than the real server: what that refuses is refused, with its status and its words.

mod auth;
mod policy;
mod roles;
mod secrets;
mod tokens;

pub use auth::Login;
pub use policy::{Capability, Rule};
pub use roles::TokenRole;
pub use tokens::Grant;

use super::{BEGINNING, Reply, Request};
use auth::Logins;
use jiff::Timestamp;
use secrets::Secrets;
use serde_json::{Map, Value, json};
use tokens::{Birth, Tokens};

/// The server. A new one is unsealed, has the mount `kv`, and knows no token: give it one with [`Kv::add_token`].
#[derive(Clone)]
pub struct Kv {
    /// Where the KV v2 engine is mounted; any depth.
    pub mount: String,
    /// The one namespace that exists beside the root and holds everything; none: all is in the root.
    pub namespace: Option<String>,
    /// While sealed, nothing but `sys/health` is served.
    pub sealed: bool,
    pub(super) now: Timestamp,
    secrets: Secrets,
    tokens: Tokens,
    logins: Logins,
    requests: u64,
}

impl Default for Kv {
    fn default() -> Self {
        Self {
            mount: "kv".to_owned(),
            namespace: None,
            sealed: false,
            now: BEGINNING,
            secrets: Secrets::default(),
            tokens: Tokens::default(),
            logins: Logins::default(),
            requests: 0,
        }
    }
}

/// What the two halves answer: a body within Vault's envelope, nothing at all, or a refusal.
type Answer = Result<Success, Refusal>;

enum Success {
    Data(Value),
    /// KV v2 tells of a deleted version with a body, under 404.
    Deleted(Value),
    /// What is no path of KV v2 is no error either: a 404 with nothing but a warning.
    Misplaced(&'static str),
    /// There was nothing to do, which is no error, but worth a warning.
    Unmoved(&'static str),
    Auth(Value, Vec<String>),
    Nothing,
}

struct Refusal {
    status: u16,
    errors: Vec<String>,
}

fn refuse(status: u16, error: impl Into<String>) -> Refusal {
    Refusal { status, errors: vec![error.into()] }
}

/// What has never existed; every other 404 says why.
fn nothing_here() -> Refusal {
    Refusal { status: 404, errors: vec![] }
}

fn no_route(path: &str) -> Refusal {
    refuse(404, format!("no handler for route \"{path}\". route entry not found."))
}

/// As the real server wraps what a part of it says.
fn wrapped(status: u16, error: &str) -> Refusal {
    refuse(status, format!("1 error occurred:\n\t* {error}\n\n"))
}

fn unsupported() -> Refusal {
    wrapped(405, "unsupported operation")
}

fn denied() -> Refusal {
    wrapped(403, "permission denied")
}

/// What a method asks for. Vault knows `LIST` as a method and as a parameter of GET, and does not tell POST from PUT.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    List,
    Write,
    Delete,
}

impl Operation {
    fn of(request: &Request) -> Option<Self> {
        let listing = request.query.get("list").is_some_and(|v| v == "true" || v == "1");
        Some(match request.method.as_str() {
            "LIST" => Self::List,
            "GET" if listing => Self::List,
            "GET" => Self::Read,
            "POST" | "PUT" => Self::Write,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

impl Kv {
    /// Lets a token in.
    pub fn add_token(&mut self, token: &str, grant: Grant) {
        self.tokens.add(self.now, token, Birth::of(grant, "auth/token/create", Value::Null));
    }

    /// Lets who may do so make tokens for others.
    pub fn add_token_role(&mut self, name: &str, role: TokenRole) {
        self.tokens.roles.insert(name.to_owned(), role);
    }

    /// The tokens that roles have made and that live: their accessors, and what they were given to tell them by.
    pub fn made_tokens(&self) -> impl Iterator<Item = (String, &Value)> {
        self.tokens.made(self.now)
    }

    /// Lets these credentials log in at `auth/<mount>/login`, and what they then may do.
    pub fn add_login(&mut self, mount: &str, login: Login, grant: Grant) {
        self.logins.add(mount, login, grant);
    }

    /// Writes a document as a tool without compare-and-set does.
    pub fn put(&mut self, path: &str, document: Map<String, Value>) {
        self.secrets.put(self.now, path, document);
    }

    /// The live document at a path.
    pub fn document(&self, path: &str) -> Option<&Map<String, Value>> {
        self.secrets.document(path)
    }

    /// The current version at a path, which a soft delete does not change; 0 if there never was one.
    pub fn version(&self, path: &str) -> u64 {
        self.secrets.version(path)
    }

    /// The paths of all live documents, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.secrets.paths()
    }

    pub(super) fn handle(&mut self, request: &Request) -> Reply {
        self.requests += 1;
        if request.path == ["v1", "sys", "health"] {
            return self.health();
        }
        let (status, data, auth, warnings) = match self.answer(request) {
            Ok(Success::Nothing) => return Reply::Json(204, Value::Null),
            Ok(Success::Data(data)) => (200, data, Value::Null, vec![]),
            Ok(Success::Deleted(data)) => (404, data, Value::Null, vec![]),
            Ok(Success::Misplaced(why)) => (404, Value::Null, Value::Null, vec![why.to_owned()]),
            Ok(Success::Unmoved(why)) => (200, Value::Null, Value::Null, vec![why.to_owned()]),
            Ok(Success::Auth(auth, warnings)) => (200, Value::Null, auth, warnings),
            Err(Refusal { status, errors }) => return Reply::Json(status, json!({ "errors": errors })),
        };
        let warnings = match warnings {
            none if none.is_empty() => Value::Null,
            some => json!(some),
        };
        Reply::Json(
            status,
            json!({
                "request_id": format!("00000000-0000-4000-8000-{:012x}", self.requests),
                "lease_id": "", "renewable": false, "lease_duration": 0,
                "data": data, "auth": auth, "wrap_info": null, "warnings": warnings,
            }),
        )
    }

    fn health(&self) -> Reply {
        let (status, mode) = if self.sealed { (503, "unknown") } else { (200, "disabled") };
        let mut health = json!({
            "initialized": true, "sealed": self.sealed, "standby": self.sealed,
            "replication_performance_mode": mode, "replication_dr_mode": mode,
            "server_time_utc": self.now.as_second(), "version": "2.7.2",
        });
        // While it is sealed it does not know them.
        if !self.sealed {
            health["cluster_name"] = json!("rehearsal");
            health["cluster_id"] = json!("00000000-0000-4000-8000-000000000000");
        }
        Reply::Json(status, health)
    }

    fn answer(&mut self, request: &Request) -> Answer {
        // What is no method is refused before anything else; other than with a capability that is missing, without a word.
        let operation = Operation::of(request).ok_or(Refusal { status: 405, errors: vec![] })?;
        if self.sealed {
            return Err(refuse(503, "Vault is sealed"));
        }
        let [v1, path @ ..] = request.path.as_slice() else {
            return Err(nothing_here());
        };
        if v1 != "v1" {
            return Err(nothing_here());
        }
        let path = path.join("/");
        let asked = request.headers.get("x-vault-namespace").map_or("", |n| n.trim_matches('/'));
        let namespace = self.namespace.as_deref().unwrap_or_default();
        let here = asked == namespace;
        // Those above it are there too, and empty.
        let above =
            namespace.strip_prefix(asked).is_some_and(|rest| asked.is_empty() || rest.starts_with('/'));
        if !here && !above {
            return Err(refuse(404, "namespace not found"));
        }
        if here
            && let Some(mount) = path.strip_prefix("auth/").and_then(|p| p.strip_suffix("/login"))
            && self.logins.has_mount(mount)
        {
            return match operation {
                Operation::Write => self.logins.login(&mut self.tokens, self.now, mount, &request.body),
                _ => Err(unsupported()),
            };
        }
        let sent = request.headers.get("x-vault-token").map(String::as_str);
        let token = sent.or_else(|| request.bearer()).unwrap_or_default();
        self.tokens.admit(self.now, token)?;
        // It is known everywhere, and good only in its own namespace.
        if !here {
            return Err(denied());
        }
        if let Some(own) = path.strip_prefix("auth/token/") {
            self.tokens.permit(token, operation, true, &path)?;
            return self.tokens.answer(self.now, token, operation, own, &request.body);
        }
        let within = path.strip_prefix(self.mount.as_str()).and_then(|p| p.strip_prefix('/'));
        let exists = within.is_some_and(|p| self.secrets.exists(p));
        self.tokens.permit(token, operation, exists, &path)?;
        match within {
            Some(within) => self.secrets.answer(self.now, operation, within, request),
            // A listing is one of a folder, whether the slash was sent or not.
            None if operation == Operation::List => Err(no_route(&format!("{path}/"))),
            None => Err(no_route(&path)),
        }
    }
}
