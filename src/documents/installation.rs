//! Which installation a store is of: by that, what its claims have made is told from what others make in the same clusters.
//!
//! Must never: change what stands there, or give another name than claims bear: everything that was made before would be
//! somebody else's.

use super::{Document, Entry, Key, NotWritten, Store, write_surely};
use crate::{
    domain::names::{ClaimUid, Installation},
    errors::{Exit, UserError},
};
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

const ID: &str = "id";

/// `None`: nobody has claimed anything by this store yet.
pub async fn installation(store: &dyn Store) -> Result<Option<Installation>> {
    let read = store.read(&Key::Installation).await?;
    read.document().map(|document| told(store, document)).transpose()
}

/// Whoever comes first names it: as the claims do that are there, should this document have been lost.
pub async fn named(store: &dyn Store, name: impl Fn() -> Result<Installation>) -> Result<Installation> {
    loop {
        let read = store.read(&Key::Installation).await?;
        if let Some(document) = read.document() {
            return told(store, document);
        }
        let name = match of_a_claim(store).await? {
            Some(known) => known,
            None => name()?,
        };
        let document = Map::from_iter([(ID.to_owned(), json!(name))]);
        match write_surely(store, &Key::Installation, &document, read.version()).await {
            Ok(_) => return Ok(name),
            Err(NotWritten::Conflict) => {}
            Err(NotWritten::Unknown(error)) => return Err(error),
        }
    }
}

async fn of_a_claim(store: &dyn Store) -> Result<Option<Installation>> {
    for Entry { name, read } in store.claims().await? {
        let read = read.with_context(|| format!("could not read the claim of {name}"))?;
        let uid = read.document().and_then(|claim| claim.get("uid")?.as_str()?.parse::<ClaimUid>().ok());
        if let Some(known) = uid.and_then(|uid| uid.installation()) {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

fn told(store: &dyn Store, document: &Document) -> Result<Installation> {
    let id = document.get(ID).and_then(Value::as_str).and_then(|id| id.parse().ok());
    let wrong = || {
        UserError::new(Exit::Unknown, format!("{} names no installation", store.place(&Key::Installation)))
            .hint("berth writes it once: bring an earlier version of that document back")
    };
    id.with_context(wrong)
}
