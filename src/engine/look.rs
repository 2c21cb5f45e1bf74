//! Looking at an environment by its documents alone.

use super::Pools;
use crate::{
    documents::{Key, Read},
    domain::{claim::Claim, history::History, names::EnvironmentName},
    errors::{Exit, UserError},
    steps::tests,
};
use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::Value;

impl Pools {
    /// What its claim says; `None`: there is none.
    pub async fn claim(&self, name: &EnvironmentName) -> Result<Option<Claim>> {
        Ok(self.claims.read(name).await?.claim().cloned())
    }

    /// What has been of it; nothing, where nothing was kept.
    pub async fn history(&self, name: &EnvironmentName) -> Result<History> {
        tests::past(self.claims.store(), name).await
    }

    /// When all environments were swept last; `None`: never.
    pub async fn swept(&self) -> Result<Option<Timestamp>> {
        let store = self.claims.store();
        let Read::Present { document, .. } = store.read(&Key::Sweep).await? else { return Ok(None) };
        let Some(at) = document.get("at") else { return Ok(None) };
        at.as_str().and_then(|at| at.parse().ok()).map(Some).with_context(|| {
            let message = format!("{} does not say when all was swept last", store.place(&Key::Sweep));
            UserError::new(Exit::Unknown, message).hint("run `berth sweep`: it writes it anew")
        })
    }

    /// The way into it; `None`: none is kept.
    pub async fn kubeconfig(&self, name: &EnvironmentName) -> Result<Option<String>> {
        let (store, key) = (self.claims.store(), Key::Kubeconfig(name.clone()));
        let Read::Present { document, .. } = store.read(&key).await? else { return Ok(None) };
        let text = document.get("value").and_then(Value::as_str).map(str::to_owned);
        text.map(Some).with_context(|| {
            UserError::new(Exit::Unknown, format!("{} holds no kubeconfig", store.place(&key)))
                .hint("run `berth up` again: it writes it anew")
        })
    }
}
