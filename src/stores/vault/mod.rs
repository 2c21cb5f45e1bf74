//! Documents in Vault's KV v2 (OpenBao's alike), through vaultrs.
//!
//! Data and version always come from one response, and every write carries `options.cas`. KV v2 has no conditional
//! delete, so `remove` writes a tombstone by compare-and-set and then deletes exactly that version; a tombstone reads as
//! absent. Must never: write without `cas`; take any answer for absence but Vault's own two (`absent` below); show a token.

mod failure;
mod session;

pub use session::{Auth, Jwt};

use crate::{
    clients::Kind,
    clock::Clock,
    documents::{Document, Entry, Key, NotWritten, Read, Store, Version},
    domain::names::EnvironmentName,
    errors::UserError,
};
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use failure::Told;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use session::Session;
use std::{path::PathBuf, time::Duration};
use vaultrs::{
    api::{self, kv2::requests as endpoint},
    error::ClientError,
};

/// Of one request. Vault answers in milliseconds; what takes this long is not going to come.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// How many claims of a listing are read at once.
const SIDE_BY_SIDE: usize = 32;

/// What a document says that is being removed: this and nothing else.
fn tombstone() -> Document {
    Document::from_iter([("_gone".to_owned(), true.into())])
}

/// Where the documents are, and how to be let in.
#[derive(Debug, Clone)]
pub struct Access {
    /// `http(s)://host[:port]`, without a path.
    pub address: String,
    /// Of a namespace (Enterprise, OpenBao).
    pub namespace: Option<String>,
    /// A PEM bundle to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// The KV v2 mount.
    pub mount: String,
    /// Under it, where all documents lie.
    pub path: String,
    /// How to log in.
    pub auth: Auth,
    /// Of one request.
    pub timeout: Duration,
}

/// Documents under one path of one mount.
pub struct VaultStore {
    session: Session,
    address: String,
    mount: String,
    root: String,
}

impl VaultStore {
    /// Nothing is sent before the first request. `run` tells this process's requests apart.
    pub fn new(access: Access, clock: Clock, run: &str) -> Result<Self> {
        let (address, mount, root) = (access.address.clone(), access.mount.clone(), access.path.clone());
        Ok(Self { session: Session::new(access, clock, run)?, address, mount, root })
    }

    fn path(&self, key: &Key) -> String {
        format!("{}/{}", self.root, key.path())
    }

    /// What was being done, why it failed, what to do next. `verb` is Vault's word for what the policy must allow.
    fn told(&self, doing: &str, verb: &str, part: &str, path: &str, error: &ClientError) -> anyhow::Error {
        let object = format!("{}/{path} on {}", self.mount, self.address);
        let refused = format!(
            "the token must not have expired, and its policy must allow `{verb}` on `{}/{part}/{path}`",
            self.mount
        );
        let invalid = match doing {
            "read" | "list" => {
                "is this the address of a Vault server, and its mount of type KV v2? nothing was changed"
            }
            _ => "is this the address of a Vault server, and its mount of type KV v2?",
        };
        failure::told(Told { doing, object: &object, refused: &refused, invalid }, error)
    }

    async fn put(
        &self,
        key: &Key,
        document: &Document,
        expected: &Version,
        doing: &str,
    ) -> Result<Version, NotWritten> {
        let path = self.path(key);
        let cas = expected
            .as_str()
            .parse::<u32>()
            .with_context(|| format!("{} is no version that Vault gave for {path}", expected.as_str()))
            .map_err(NotWritten::Unknown)?;
        let client = self.session.client().await.map_err(NotWritten::Unknown)?;
        let request = endpoint::SetSecretRequest::builder()
            .mount(&self.mount)
            .path(&path)
            .data(Value::Object(document.clone()))
            .options(endpoint::SetSecretRequestOptions { cas })
            .build()
            .map_err(|e| NotWritten::Unknown(e.into()))?;
        match api::exec_with_result(&*client, request).await {
            Ok(metadata) => Ok(Version::opaque(metadata.version)),
            Err(error) if failure::kind(&error) == Kind::Conflict => Err(NotWritten::Conflict),
            Err(error) => Err(NotWritten::Unknown(self.told(doing, "create, update", "data", &path, &error))),
        }
    }

    async fn folders(&self) -> Result<Vec<EnvironmentName>> {
        let client = self.session.client().await?;
        let request = endpoint::ListSecretsRequest::builder().mount(&self.mount).path(&self.root).build()?;
        let keys = match api::exec_with_result(&*client, request).await {
            Ok(listing) => listing.keys,
            Err(ClientError::APIError { code: 404, errors }) if errors.is_empty() => Vec::new(),
            Err(error) => return Err(self.told("list", "list", "metadata", &self.root, &error)),
        };
        // What is no environment's name is not a folder of ours.
        Ok(keys.iter().filter_map(|key| key.strip_suffix('/')?.parse().ok()).collect())
    }
}

#[derive(Deserialize)]
struct SoftDeleted {
    data: SoftDeletedData,
}
#[derive(Deserialize)]
struct SoftDeletedData {
    data: Option<Document>,
    metadata: SoftDeletedMetadata,
}
#[derive(Deserialize)]
struct SoftDeletedMetadata {
    version: u64,
}

/// Vault's two ways to say that there is nothing: a bare `{"errors": []}` for what never was, and for what was deleted a
/// 404 whose body has the version that the next write must expect. Any other 404 is somebody else's.
fn absent(error: &ClientError) -> Option<Version> {
    match error {
        ClientError::APIError { code: 404, errors } if errors.is_empty() => Some(Version::opaque(0)),
        ClientError::RestClientError {
            source: rustify::errors::ClientError::ServerResponseError { code: 404, content: Some(body) },
        } => {
            let deleted: SoftDeleted = serde_json::from_str(body).ok()?;
            deleted.data.data.is_none().then(|| Version::opaque(deleted.data.metadata.version))
        }
        _ => None,
    }
}

#[async_trait]
impl Store for VaultStore {
    async fn read(&self, key: &Key) -> Result<Read> {
        let path = self.path(key);
        let client = self.session.client().await?;
        let request = endpoint::ReadSecretRequest::builder().mount(&self.mount).path(&path).build()?;
        let secret = match api::exec_with_result(&*client, request).await {
            Ok(secret) => secret,
            Err(error) => {
                return match absent(&error) {
                    Some(create) => Ok(Read::Absent { create }),
                    None => Err(self.told("read", "read", "data", &path, &error)),
                };
            }
        };
        let version = Version::opaque(secret.metadata.version);
        match secret.data {
            Value::Object(document) if document == tombstone() => Ok(Read::Absent { create: version }),
            Value::Object(document) => Ok(Read::Present { document, version }),
            _ => Err(anyhow!("its data is no object").context(
                UserError::new(crate::errors::Exit::Unknown, format!("could not read {}", self.place(key)))
                    .hint(format!("is `{}` a KV v2 mount? `vault secrets list -detailed` tells", self.mount)),
            )),
        }
    }

    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        self.put(key, document, expected, "write").await
    }

    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        let version = self.put(key, &tombstone(), expected, "remove").await?;
        let (path, unknown) = (self.path(key), |e: anyhow::Error| NotWritten::Unknown(e));
        let version = version.as_str().parse::<u64>().map_err(|e| unknown(e.into()))?;
        let client = self.session.client().await.map_err(unknown)?;
        // From here on it reads as absent already. This version and no other: one that has been made since is not ours.
        vaultrs::kv2::delete_versions(&*client, &self.mount, &path, vec![version])
            .await
            .map_err(|error| unknown(self.told("remove", "update", "delete", &path, &error)))
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

    fn place(&self, key: &Key) -> String {
        format!("{}/{} on {}", self.mount, self.path(key), self.address)
    }
}
