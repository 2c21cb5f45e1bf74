//! Where a sweep looks for what steps have left outside of environments.
//!
//! Must never: take a document that could not be read for one that is not there.

use crate::{
    documents::{Key, Read, Store},
    domain::names::{ContextName, EnvironmentName},
    providers::Provider,
};
use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeSet;

/// So many documents are read at the same time.
const SIDE_BY_SIDE: usize = 16;

/// See the module.
pub struct Field<'a> {
    /// How environments are made real there.
    pub provider: &'a dyn Provider,
    /// In which cluster.
    pub context: Option<&'a ContextName>,
    /// The documents.
    pub store: &'a dyn Store,
    /// Of whom there are documents, and no claim.
    pub unclaimed: &'a BTreeSet<EnvironmentName>,
    /// Whether any claim says that something of it stands in another cluster than its own.
    pub hands_over: bool,
}

impl Field<'_> {
    /// Of each that nobody claims, this document, if it is there.
    pub(super) async fn documents(
        &self,
        key: fn(EnvironmentName) -> Key,
    ) -> Result<Vec<(EnvironmentName, Key, Read)>> {
        let reads = self.unclaimed.iter().map(async |name| {
            let key = key(name.clone());
            let read = self.store.read(&key).await?;
            Ok::<_, anyhow::Error>((name.clone(), key, read))
        });
        let all: Vec<_> = stream::iter(reads).buffered(SIDE_BY_SIDE).try_collect().await?;
        Ok(all.into_iter().filter(|(_, _, read)| read.document().is_some()).collect())
    }
}
