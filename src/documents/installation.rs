//! Which installation a store is of: by that, what its claims have made is told from what others make in the same clusters.
//!
//! Must never: change what stands there: everything that was made before would be somebody else's.

use super::{Key, NotWritten, Store, write_surely};
use crate::{
    domain::names::Installation,
    errors::{Exit, UserError},
};
use anyhow::{Context as _, Result};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Map, Value, json};

const ID: &str = "id";

/// `None`: nobody has claimed anything by this store yet.
pub async fn installation(store: &dyn Store) -> Result<Option<Installation>> {
    let read = store.read(&Key::Installation).await?;
    let Some(document) = read.document() else { return Ok(None) };
    let id = document.get(ID).and_then(Value::as_str).and_then(|id| id.parse().ok());
    let wrong = || {
        UserError::new(Exit::Unknown, format!("{} names no installation", store.place(&Key::Installation)))
            .hint("berth writes it once: bring an earlier version of that document back")
    };
    Ok(Some(id.with_context(wrong)?))
}

/// Whoever comes first names it.
pub async fn named(store: &dyn Store) -> Result<Installation> {
    loop {
        let read = store.read(&Key::Installation).await?;
        if read.document().is_none() {
            let document = Map::from_iter([(ID.to_owned(), json!(random()?))]);
            match write_surely(store, &Key::Installation, &document, read.version()).await {
                Ok(_) | Err(NotWritten::Conflict) => {}
                Err(NotWritten::Unknown(error)) => return Err(error),
            }
        }
        if let Some(installation) = installation(store).await? {
            return Ok(installation);
        }
    }
}

fn random() -> Result<Installation> {
    let mut bytes = [0u8; 4];
    let none = |_| anyhow::anyhow!("the system gave no random bytes for an installation");
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().parse()?)
}
