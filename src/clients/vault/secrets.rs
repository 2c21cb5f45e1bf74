//! Secrets of KV v2. Data and version always come from one response, and every write carries `options.cas`.
//!
//! Must never: write without `cas`; take any answer for absence but Vault's own two (`absent` below); leave the path that
//! it was given, which may come from somebody whom we do not trust.

use super::{
    Vault,
    failure::{self, NOTHING_CHANGED, Told},
};
use crate::{
    clients::Kind,
    documents::{Document, NotWritten, Read, Version},
    errors::{Exit, UserError},
};
use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;
use serde_json::Value;
use vaultrs::{
    api::{self, kv2::requests as endpoint},
    error::ClientError,
};

/// What is being done, in one verb, and Vault's words for what a policy must allow for it.
struct Doing<'a> {
    verb: &'a str,
    capability: &'a str,
    part: &'a str,
}

impl Vault {
    /// What is there now; absent only if Vault itself says so.
    pub async fn read(&self, mount: &str, path: &str) -> Result<Read> {
        within(path)?;
        let client = self.0.client().await?;
        let request = endpoint::ReadSecretRequest::builder().mount(mount).path(path).build()?;
        let secret = match api::exec_with_result(&*client, request).await {
            Ok(secret) => secret,
            Err(error) => {
                let doing = Doing { verb: "read", capability: "read", part: "data" };
                return match absent(&error) {
                    Some(create) => Ok(Read::Absent { create }),
                    None => Err(self.told(doing, mount, path, &error)),
                };
            }
        };
        match secret.data {
            Value::Object(document) => {
                Ok(Read::Present { document, version: Version::opaque(secret.metadata.version) })
            }
            _ => {
                let message = format!("could not read {mount}/{path} on {}", self.address());
                let hint = format!("is `{mount}` a KV v2 mount? `vault secrets list -detailed` tells");
                Err(anyhow!("its data is no object")
                    .context(UserError::new(Exit::Unknown, message).hint(hint)))
            }
        }
    }

    /// Writes over exactly this version. `verb` is what a failure calls it.
    pub async fn write(
        &self,
        mount: &str,
        path: &str,
        document: &Document,
        expected: &Version,
        verb: &str,
    ) -> Result<Version, NotWritten> {
        let cas = expected
            .as_str()
            .parse::<u32>()
            .with_context(|| format!("{} is no version that Vault gave for {path}", expected.as_str()))
            .map_err(NotWritten::Unknown)?;
        let client = self.0.client().await.map_err(NotWritten::Unknown)?;
        let request = endpoint::SetSecretRequest::builder()
            .mount(mount)
            .path(path)
            .data(Value::Object(document.clone()))
            .options(endpoint::SetSecretRequestOptions { cas })
            .build()
            .map_err(|e| NotWritten::Unknown(e.into()))?;
        match api::exec_with_result(&*client, request).await {
            Ok(metadata) => Ok(Version::opaque(metadata.version)),
            Err(error) if failure::kind(&error) == Kind::Conflict => Err(NotWritten::Conflict),
            Err(error) => {
                let doing = Doing { verb, capability: "create, update", part: "data" };
                Err(NotWritten::Unknown(self.told(doing, mount, path, &error)))
            }
        }
    }

    /// Deletes this version and no other: one that has been made since is somebody's.
    pub async fn delete(&self, mount: &str, path: &str, version: &Version) -> Result<()> {
        let version = version.as_str().parse::<u64>()?;
        let client = self.0.client().await?;
        let doing = Doing { verb: "remove", capability: "update", part: "delete" };
        vaultrs::kv2::delete_versions(&*client, mount, path, vec![version])
            .await
            .map_err(|error| self.told(doing, mount, path, &error))
    }

    /// The names in a folder; those of folders end in a slash. None if there is no such folder.
    pub async fn list(&self, mount: &str, path: &str) -> Result<Vec<String>> {
        let client = self.0.client().await?;
        let request = endpoint::ListSecretsRequest::builder().mount(mount).path(path).build()?;
        match api::exec_with_result(&*client, request).await {
            Ok(listing) => Ok(listing.keys),
            Err(ClientError::APIError { code: 404, errors }) if errors.is_empty() => Ok(Vec::new()),
            Err(error) => {
                let doing = Doing { verb: "list", capability: "list", part: "metadata" };
                Err(self.told(doing, mount, path, &error))
            }
        }
    }

    fn told(&self, doing: Doing<'_>, mount: &str, path: &str, error: &ClientError) -> anyhow::Error {
        let Doing { verb, capability, part } = doing;
        let refused = format!(
            "the token must not have expired, and its policy must allow `{capability}` on `{mount}/{part}/{path}`"
        );
        let (invalid, unavailable) = match verb {
            "read" | "list" => (
                "is this the address of a Vault server, and its mount of type KV v2? nothing was changed",
                NOTHING_CHANGED,
            ),
            _ => (
                "is this the address of a Vault server, and its mount of type KV v2?",
                "it may have landed all the same: the same command finds out; `vault status` tells more",
            ),
        };
        let object = format!("{mount}/{path} on {}", self.address());
        failure::told(Told { doing: verb, object: &object, refused: &refused, invalid, unavailable }, error)
    }
}

/// A dot would be left out on the way, and another secret be read than the one that was asked for and allowed.
fn within(path: &str) -> Result<(), UserError> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    if path.split('/').all(plain) {
        return Ok(());
    }
    Err(UserError::usage(format!("{path:?} is no path of a secret"))
        .hint("names joined by '/', none of them empty, '.' or '..'"))
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
