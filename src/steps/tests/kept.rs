//! The history document: its results read for this commit, and whatever it says written by compare-and-set.
//!
//! Must never: lose what another job hands in at the same time.

use crate::{
    clients::{Failure, Kind},
    documents::{Document, Key, NotWritten, Store, write_surely},
    domain::{
        history::History,
        names::{EnvironmentName, HeadSha},
        results::Results,
    },
    errors::{Exit, UserError},
};
use anyhow::{Context as _, Result};
use jiff::Timestamp;

/// As many as may come at the same time, and some more.
const TRIES: usize = 20;

/// What this report came to for this commit, if it was handed in.
pub async fn found(
    store: &dyn Store,
    environment: &EnvironmentName,
    head: &HeadSha,
    report: &str,
) -> Result<Option<Results>> {
    Ok(past(store, environment).await?.results(head, report))
}

/// Keeps what this report came to for this commit.
pub async fn keep(
    store: &dyn Store,
    environment: &EnvironmentName,
    head: &HeadSha,
    report: &str,
    results: &Results,
    at: Timestamp,
) -> Result<()> {
    mend(store, environment, |history| history.with(head, report, results, at)).await
}

/// Changes the history by compare-and-set.
pub async fn mend(
    store: &dyn Store,
    environment: &EnvironmentName,
    change: impl Fn(History) -> History,
) -> Result<()> {
    let key = Key::History(environment.clone());
    for _ in 0..TRIES {
        let read = store.read(&key).await?;
        let history = history(store, &key, read.document().cloned().unwrap_or_default())?;
        let next = change(history).into_document();
        match write_surely(store, &key, &next, read.version()).await {
            Ok(_) => return Ok(()),
            Err(NotWritten::Conflict) => {}
            Err(NotWritten::Unknown(error)) => return Err(error),
        }
    }
    let detail = "somebody else wrote there each time".to_owned();
    let message = format!("could not write {}", store.place(&key));
    Err(anyhow::Error::new(Failure { kind: Kind::Conflict, detail })
        .context(UserError::new(Exit::Unknown, message)))
}

/// All that it tells; of an environment without one, nothing.
pub async fn past(store: &dyn Store, environment: &EnvironmentName) -> Result<History> {
    let key = Key::History(environment.clone());
    let document = store.read(&key).await?.document().cloned();
    document.map_or_else(|| Ok(History::default()), |document| history(store, &key, document))
}

fn history(store: &dyn Store, key: &Key, document: Document) -> Result<History> {
    History::of(document).with_context(|| {
        let message = format!("the history in {} cannot be read", store.place(key));
        UserError::new(Exit::Unknown, message).hint(
            "correct its `results` or `lives`, or remove what is wrong: tests without results run again, lives are \
             only told",
        )
    })
}
