//! Documents in Vault's KV v2 (OpenBao's alike).
//!
//! KV v2 has no conditional delete, so `remove` writes a tombstone by compare-and-set and then deletes exactly that version;
//! a tombstone reads as absent. Must never: know how Vault is spoken to, which `clients::vault` does.

use crate::{
    clients::vault::Vault,
    documents::{Document, Entry, Key, NotWritten, Read, Store, Version},
    domain::names::EnvironmentName,
};
use anyhow::Result;
use async_trait::async_trait;
use futures::{StreamExt, stream};
use std::collections::BTreeSet;

/// How many claims of a listing are read at once.
const SIDE_BY_SIDE: usize = 32;

/// What a document says that is being removed: this and nothing else.
fn tombstone() -> Document {
    Document::from_iter([("_gone".to_owned(), true.into())])
}

/// Documents under one path of one mount.
pub struct VaultStore {
    vault: Vault,
    mount: String,
    root: String,
}

impl VaultStore {
    /// All documents lie under this path of this KV v2 mount.
    pub fn new(vault: Vault, mount: &str, path: &str) -> Self {
        Self { vault, mount: mount.to_owned(), root: path.to_owned() }
    }

    fn path(&self, key: &Key) -> String {
        format!("{}/{}", self.root, key.path())
    }

    async fn folders(&self) -> Result<Vec<EnvironmentName>> {
        let keys = self.vault.list(&self.mount, &self.root).await?;
        // What is no environment's name is not a folder of ours.
        Ok(keys.iter().filter_map(|key| key.strip_suffix('/')?.parse().ok()).collect())
    }
}

#[async_trait]
impl Store for VaultStore {
    async fn read(&self, key: &Key) -> Result<Read> {
        Ok(match self.vault.read(&self.mount, &self.path(key)).await? {
            Read::Present { document, version } if document == tombstone() => {
                Read::Absent { create: version }
            }
            read => read,
        })
    }

    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        self.vault.write(&self.mount, &self.path(key), document, expected, "write").await
    }

    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        let path = self.path(key);
        let version = self.vault.write(&self.mount, &path, &tombstone(), expected, "remove").await?;
        // From here on it reads as absent already.
        self.vault.delete(&self.mount, &path, &version).await.map_err(NotWritten::Unknown)
    }

    async fn claims(&self) -> Result<Vec<Entry>> {
        let names = self.folders().await?;
        let entries = stream::iter(names).map(async |name| {
            let read = self.read(&Key::Claim(name.clone())).await;
            Entry { name, read }
        });
        let entries: Vec<Entry> = entries.buffer_unordered(SIDE_BY_SIDE).collect().await;
        Ok(entries.into_iter().filter(|e| !matches!(e.read, Ok(Read::Absent { .. }))).collect())
    }

    async fn names(&self) -> Result<BTreeSet<EnvironmentName>> {
        Ok(self.folders().await?.into_iter().collect())
    }

    fn place(&self, key: &Key) -> String {
        format!("{}/{} on {}", self.mount, self.path(key), self.vault.address())
    }
}
