//! The embedded world: state first, HTTP as its projection.
//!
//! It stands in for the servers that the pipeline talks to, for `berth rehearse` and for every hermetic test.
//! It answers as the real servers do, so the real clients, URLs and status codes are exercised.
//!
//! It must never import anything else of this project (it would share its mistakes), read the real clock (only the time
//! limit of a watch runs by both, the world's clock and the client's), or panic on what a client sends. One lock is held
//! over everything: a request, the world's reaction to it and the invariants all see one consistent world. An open watch
//! holds neither the lock nor a turn.

pub mod serve;

pub mod gate;

pub mod dns;
pub mod github;
pub mod kubernetes;
pub mod kv;
pub mod registry;

pub mod players;

mod play;

pub mod example;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// When every world begins: 2026-01-01T00:00:00Z.
pub const BEGINNING: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// One of the servers that the world plays, each on a port of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Vault or OpenBao.
    Vault,
    /// The management cluster's API server.
    Kubernetes,
    /// The API server that plays every environment's own.
    Environment,
    /// GitHub's REST API.
    GitHub,
    /// The authoritative server of the world's zone.
    Dns,
    /// The resolver before it, which keeps what it was told.
    Resolver,
    /// A registry of images.
    Registry,
    /// The apps of all environments, as they are met by their names.
    App,
}

impl Server {
    /// All of them.
    pub const ALL: [Server; 8] = [
        Server::Vault,
        Server::Kubernetes,
        Server::Environment,
        Server::GitHub,
        Server::Dns,
        Server::Resolver,
        Server::Registry,
        Server::App,
    ];
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Server::Vault => "vault",
            Server::Kubernetes => "kubernetes",
            Server::Environment => "environment",
            Server::GitHub => "github",
            Server::Dns => "dns",
            Server::Resolver => "resolver",
            Server::Registry => "registry",
            Server::App => "app",
        })
    }
}

/// A request as handlers, rules and invariants see it.
///
/// It displays as one line of the log, `run METHOD server /path`: never a header or a body, which hold secrets.
#[derive(Clone)]
pub struct Request {
    /// Which server it was sent to.
    pub server: Server,
    /// Which run sent it (the header `berth-run`; empty without one).
    pub run: String,
    /// The HTTP method, upper case; Vault's `LIST` too. A question to a DNS server is a `QUERY`.
    pub method: String,
    /// The segments of the path, percent-decoded, none of them empty. Of a question the name and the type.
    pub path: Vec<String>,
    /// The query, decoded; of a repeated key the last value.
    pub query: BTreeMap<String, String>,
    /// The headers, with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body, or null if there was none or it was no JSON (nor YAML or a form, if its content type says that it is).
    pub body: Value,
}

impl Request {
    /// Whether this can change the world, judged by its method alone.
    pub fn mutates(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "LIST" | "OPTIONS" | "QUERY")
    }

    fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.join("/");
        write!(f, "{} {} {} /{path}", self.run, self.method, self.server)
    }
}

/// What a handler answers.
pub enum Reply {
    /// Status and body; a null body is sent as no body.
    Json(u16, Value),
    /// Status and body, where a server does not speak JSON.
    Text(u16, Cow<'static, str>),
    /// A body in JSON of a content type of its own.
    Typed(&'static str, Value),
    /// An answer that goes on as the world goes on.
    Watch(Box<kubernetes::Watch>),
    /// The same with headers, their names in lower case.
    Headed(u16, Vec<(String, String)>, Value),
}

/// Everything outside berth. A clone is a world of its own, so that many cases can start from one.
#[derive(Clone)]
pub struct World {
    /// What Vault holds.
    pub vault: kv::Kv,
    /// What the management cluster holds.
    pub kubernetes: kubernetes::ApiServer,
    /// What the environments' own clusters hold, all in one.
    pub environment: kubernetes::ApiServer,
    /// What GitHub knows.
    pub github: github::GitHub,
    /// What names resolve to.
    pub zone: dns::Zone,
    /// What the resolver keeps of that.
    pub resolver: dns::Resolver,
    /// What images there are.
    pub registry: registry::Registry,
    /// What an environment's cluster has from its birth; none: it is there without any machine.
    born: Option<Box<kubernetes::ApiServer>>,
    /// No app answers.
    is_app_down: bool,
    /// Who plays, and on which API server.
    players: Vec<play::Playing>,
    refused: Vec<String>,
    /// When the first of them wants to look again.
    due: Option<Timestamp>,
    now: Timestamp,
}

impl Default for World {
    fn default() -> Self {
        Self {
            vault: kv::Kv::default(),
            kubernetes: kubernetes::ApiServer::default(),
            environment: kubernetes::ApiServer::default(),
            github: github::GitHub::default(),
            zone: dns::Zone::default(),
            resolver: dns::Resolver::default(),
            registry: registry::Registry::default(),
            born: None,
            is_app_down: false,
            players: vec![],
            refused: vec![],
            due: None,
            now: BEGINNING,
        }
    }
}

impl World {
    /// Lets one request land, and the players react to it.
    pub fn handle(&mut self, request: &Request) -> Reply {
        let reply = match request.server {
            Server::Vault => self.vault.handle(request),
            Server::Kubernetes => self.kubernetes.handle(request),
            Server::Environment if !self.has_machine() => Reply::Text(503, "nobody listens here".into()),
            Server::Environment => self.environment.handle(request),
            Server::GitHub => self.github.handle(request),
            Server::Dns => self.zone.handle(request),
            Server::Resolver => self.resolver.handle(&self.zone, request, self.now),
            Server::Registry => self.registry.handle(request, self.now),
            Server::App => self.app(),
        };
        if request.mutates() {
            self.rest();
        }
        reply
    }

    /// From now on an environment's cluster is where its machines are: without any nobody answers or plays there, and with
    /// the last one goes all that it has not had from its birth, which is what it has now.
    pub fn live_on_machines(&mut self) {
        self.born = Some(Box::new(self.environment.clone()));
    }

    fn has_machine(&self) -> bool {
        self.born.is_none() || self.environment.all("nodes").next().is_some()
    }

    /// An app answers as long as each of its Deployments has somebody to.
    fn app(&self) -> Reply {
        let mut deployments =
            self.environment.all("deployments.apps").filter(|(namespace, _, _)| *namespace == "default");
        let answers =
            |object: &Value| object["status"]["availableReplicas"].as_u64().is_some_and(|count| count > 0);
        match !self.is_app_down
            && self.has_machine()
            && deployments.all(|(_, _, deployment)| answers(deployment))
        {
            true => Reply::Text(200, "ok".into()),
            false => Reply::Text(503, "no server is available".into()),
        }
    }

    /// The world's own time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets time pass: tokens expire, watches come to their end, what the cluster does by itself gets done, and players do
    /// what takes its time, each when it is due.
    pub fn pass(&mut self, seconds: u32) {
        let end = later(self.now, seconds.into());
        while let Some(due) = self.due.filter(|due| *due < end) {
            self.come_to(due);
        }
        self.come_to(end);
    }

    /// The same for a part of a second, or many.
    pub fn pass_by(&mut self, time: SignedDuration) {
        let end = self.now.checked_add(time).unwrap_or(Timestamp::MAX);
        while let Some(due) = self.due.filter(|due| *due < end) {
            self.come_to(due);
        }
        self.come_to(end);
    }

    fn come_to(&mut self, now: Timestamp) {
        self.now = now;
        self.vault.now = now;
        self.github.now = now;
        self.kubernetes.advance(now);
        self.environment.advance(now);
        self.rest();
    }
}

/// A duration that a client named may be absurd, so the end of time is as late as it gets.
fn later(from: Timestamp, seconds: u64) -> Timestamp {
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    from.checked_add(seconds).unwrap_or(Timestamp::MAX)
}

/// A test that panicked while it held a lock has failed already; the others need not fail for it.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
