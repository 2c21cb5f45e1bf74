//! The harness: the embedded world, one clock for it and for the runs in it, and their stores.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use berth::{
    clients::{
        kubernetes,
        vault::{Access, Auth, TIMEOUT, Vault},
    },
    clock::Clock,
    documents::{Document, Store},
    domain::names::EnvironmentName,
    rehearsal::{Server, World, gate::Gate, kv::Grant, serve::Served},
    stores::{kubernetes::KubernetesStore, vault::VaultStore},
};
use jiff::SignedDuration;
use serde_json::Value;
use std::sync::{Arc, MutexGuard};

/// May do everything in the embedded Vault, and stands in no message.
pub(crate) const TOKEN: &str = "hvs.canary-given";
/// The KV v2 mount of the embedded Vault.
pub(crate) const MOUNT: &str = "kv";
/// Where in Vault the documents lie.
pub(crate) const ROOT: &str = "ephemeral-clusters";
/// Where in Kubernetes the documents lie.
pub(crate) const NAMESPACE: &str = "berth";

/// A world that is being served, at its beginning.
pub(crate) struct Bed {
    pub(crate) served: Served,
    pub(crate) clock: Clock,
}

impl Bed {
    /// With nothing in it but a token for Vault and berth's namespace.
    pub(crate) async fn start() -> Self {
        crypto();
        let mut world = World::default();
        world.vault.add_token(TOKEN, Grant::default());
        world.kubernetes.add_namespace(NAMESPACE);
        let clock = Clock::stepped(world.now());
        Self { served: Served::start(world).await.unwrap(), clock }
    }

    /// No request lands while this is held.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.served.lock()
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.served.gate
    }

    /// Lets time pass, for the runs and for the world alike.
    pub(crate) fn pass(&self, seconds: u32) {
        self.world().pass(seconds);
        self.clock.advance(SignedDuration::from_secs(seconds.into()));
    }

    /// With a time limit that no prompt answer meets, however busy the machine is.
    pub(crate) fn access(&self, auth: Auth) -> Access {
        Access { address: self.served.url(Server::Vault), namespace: None, ca: None, auth, timeout: TIMEOUT }
    }

    /// By the given token.
    pub(crate) fn vault_client(&self, run: &str) -> Vault {
        let access = self.access(Auth::Token(TOKEN.to_owned().into()));
        Vault::new(access, self.clock.clone(), run).unwrap()
    }

    /// Vault's, by the same.
    pub(crate) fn vault(&self, run: &str) -> Arc<dyn Store> {
        Arc::new(VaultStore::new(self.vault_client(run), MOUNT, ROOT))
    }

    /// Kubernetes'.
    pub(crate) fn kubernetes(&self, run: &str) -> Arc<dyn Store> {
        let client = kubernetes::for_url(&self.served.url(Server::Kubernetes), None, run).unwrap();
        Arc::new(KubernetesStore::new(client, NAMESPACE.to_owned(), TIMEOUT))
    }
}

/// As `berth::run` does for the process, once.
pub(crate) fn crypto() {
    // Another test has been here before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub(crate) fn name(text: &str) -> EnvironmentName {
    text.parse().unwrap()
}

/// `json!` of an object.
pub(crate) fn document(value: Value) -> Document {
    match value {
        Value::Object(document) => document,
        other => panic!("a document is an object, not {other}"),
    }
}
