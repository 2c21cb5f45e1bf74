//! Versioned documents with compare-and-set: the one storage primitive, and the keys.
//!
//! The contract that every store keeps, and that one suite proves of each (`tests/it/contract.rs`):
//! - A read has three outcomes: present with its version, absent with the version that creates, and an error, which is
//!   always "unknown" and never "absent".
//! - A write or removal counts only if the version is still the expected one. *Every* write makes a new version, also
//!   one that changes nothing.
//! - A write may fail as `Unknown` and land all the same. [`write_surely`] and [`remove_surely`] settle that by reading
//!   back, once, for every store; beside them and [`write_strictly`] nothing calls `Store::write` or `Store::remove`.
//! - `claims` and `names` are complete, or an error.
//!
//! Must never: make a version up; take an error for absence.

pub mod claims;
pub mod installation;

use crate::domain::names::EnvironmentName;
use anyhow::Result;
use async_trait::async_trait;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt};

/// A document is an object.
pub type Document = Map<String, Value>;

/// Opaque: a number in Vault, a resourceVersion in Kubernetes, a nonce in a file. Compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// For stores: what the server called it.
    pub fn opaque(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }
    /// For stores: what to send back.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Shared by all environments, and with the shell tool of old.
    Pool,
    /// From the first event until gone.
    Claim(EnvironmentName),
    /// A credential: lives with its environment.
    Kubeconfig(EnvironmentName),
    /// The accessor of the environment's own token of Vault: lives with its environment.
    Token(EnvironmentName),
    /// Outlives the claim, bounded.
    History(EnvironmentName),
    /// The marks of the last sweeps.
    Sweep,
    /// How long removals took and environments lived.
    Measured,
    /// Which installation this is.
    Installation,
}

/// Whether a document may be read by whoever may look at the store's plain part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitivity {
    /// Names, times, addresses.
    Plain,
    /// A credential: never a ConfigMap, never a file that others can read.
    Secret,
}

impl Key {
    /// The store is told by the key.
    pub fn sensitivity(&self) -> Sensitivity {
        match self {
            Key::Kubeconfig(_) => Sensitivity::Secret,
            Key::Pool
            | Key::Claim(_)
            | Key::Token(_)
            | Key::History(_)
            | Key::Sweep
            | Key::Measured
            | Key::Installation => Sensitivity::Plain,
        }
    }
    /// Relative to the store's root.
    pub fn path(&self) -> String {
        match self {
            Key::Pool => "ip-allocations".to_owned(),
            Key::Claim(name) => format!("{name}/claim"),
            Key::Kubeconfig(name) => format!("{name}/kubeconfig"),
            Key::Token(name) => format!("{name}/vault-token"),
            Key::History(name) => format!("{name}/history"),
            Key::Sweep => "berth/sweep".to_owned(),
            Key::Measured => "berth/measured".to_owned(),
            Key::Installation => "berth/installation".to_owned(),
        }
    }
}

/// A read that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// It is there.
    Present {
        /// What it says.
        document: Document,
        /// What a write over it must expect.
        version: Version,
    },
    /// It is not: never was, or was removed.
    Absent {
        /// What a write that creates it must expect.
        create: Version,
    },
}

impl Read {
    /// What a write must expect.
    pub fn version(&self) -> &Version {
        match self {
            Read::Present { version, .. } => version,
            Read::Absent { create } => create,
        }
    }
    /// What it says, if it is there.
    pub fn document(&self) -> Option<&Document> {
        match self {
            Read::Present { document, .. } => Some(document),
            Read::Absent { .. } => None,
        }
    }
}

/// Why a write does not count.
#[derive(Debug)]
pub enum NotWritten {
    /// Somebody else wrote since: read and decide again.
    Conflict,
    /// It may have landed, or may land yet.
    Unknown(anyhow::Error),
}

/// One claim of a listing. Its content may be unreadable while its name is known: it still explains what bears the name.
#[derive(Debug)]
pub struct Entry {
    /// Whose claim.
    pub name: EnvironmentName,
    /// What it says. Absent: it went between the listing and the reading.
    pub read: Result<Read>,
}

/// See the module.
#[async_trait]
pub trait Store: Send + Sync {
    /// Present, absent, or an error: unknown.
    async fn read(&self, key: &Key) -> Result<Read>;
    /// Replaces or creates.
    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten>;
    /// Removes exactly the expected version.
    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten>;
    /// All claims, or an error.
    async fn claims(&self) -> Result<Vec<Entry>>;
    /// All environments of which any document may be there, or an error.
    async fn names(&self) -> Result<BTreeSet<EnvironmentName>>;
    /// Where a document lies, for people.
    fn place(&self, key: &Key) -> String;
}

/// Writes, and settles a lost answer (or a conflict with an unseen repetition of itself) by reading back.
/// What stands there counts as ours only if it says the same *and* has a new version: a write that changes nothing is
/// made for its version. So a document must say whose it is (a claim has a run id), or saying it twice must be as good as
/// once (the pool goes by name): a counter would lose what two writers count alike.
pub async fn write_surely(
    store: &dyn Store,
    key: &Key,
    document: &Document,
    expected: &Version,
) -> Result<Version, NotWritten> {
    let failed = match store.write(key, document, expected).await {
        Ok(version) => return Ok(version),
        Err(failed) => failed,
    };
    match store.read(key).await {
        Ok(Read::Present { document: there, version }) if there == *document && version != *expected => {
            Ok(version)
        }
        Ok(read) if read.version() != expected => Err(NotWritten::Conflict),
        // It has not landed so far, or nobody can tell.
        _ => Err(failed),
    }
}

/// Writes what says nothing of whose it is, for its version alone: only the store's own word counts. After a lost answer, as
/// after a conflict, everything is to be read and decided anew.
pub async fn write_strictly(
    store: &dyn Store,
    key: &Key,
    document: &Document,
    expected: &Version,
) -> Result<Version, NotWritten> {
    store.write(key, document, expected).await
}

/// Removes, and settles a lost answer by reading back. Absent is what was wanted, whoever did it.
pub async fn remove_surely(store: &dyn Store, key: &Key, expected: &Version) -> Result<(), NotWritten> {
    let failed = match store.remove(key, expected).await {
        Ok(()) => return Ok(()),
        Err(NotWritten::Conflict) => return Err(NotWritten::Conflict),
        Err(failed) => failed,
    };
    match store.read(key).await {
        Ok(Read::Absent { .. }) => Ok(()),
        Ok(read) if read.version() != expected => Err(NotWritten::Conflict),
        _ => Err(failed),
    }
}
