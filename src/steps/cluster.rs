//! The provider's objects are there, and the environment's own API server answers; undone: all of it was seen gone.

use super::{CLUSTER, Context, Field, Step};
use crate::{
    domain::{plan::Spec, sweep::Trace},
    progress::Progress,
    providers::Here,
};
use anyhow::Result;
use async_trait::async_trait;
use std::time::Duration;

/// See the module.
pub struct Cluster {
    /// How long it may take.
    pub patience: Duration,
}

#[async_trait(?Send)]
impl Step for Cluster {
    fn spec(&self) -> Spec {
        Spec { name: CLUSTER, needs: &[], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        cx.provider.ensure(&here(cx)).await
    }

    async fn remove(&self, cx: &Context<'_>) -> Result<Progress> {
        cx.provider.remove(&here(cx)).await
    }

    async fn traces(&self, field: &Field<'_>) -> Result<Vec<Trace>> {
        field.provider.traces(field.context).await
    }

    async fn remains(&self, cx: &Context<'_>) -> Result<Option<String>> {
        let is_absent = cx.provider.is_absent(cx.scope).await?;
        Ok((!is_absent).then(|| "objects of its cluster, or machines".to_owned()))
    }
}

fn here<'a>(cx: &'a Context<'a>) -> Here<'a> {
    Here { scope: cx.scope, fence: cx.fence, guard: cx.guard, witness: cx }
}
