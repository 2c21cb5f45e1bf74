//! Looking at an environment by its documents alone.

use super::Pools;
use crate::{
    documents::{Key, Read},
    domain::{claim::Claim, names::EnvironmentName},
    errors::{Exit, UserError},
};
use anyhow::{Context as _, Result};
use serde_json::Value;

impl Pools {
    /// What its claim says; `None`: there is none.
    pub async fn claim(&self, name: &EnvironmentName) -> Result<Option<Claim>> {
        Ok(self.claims.read(name).await?.claim().cloned())
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
