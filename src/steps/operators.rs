//! What is installed first is at work: its workloads run, the kinds that it defines are served, its webhooks answer. It goes
//! with the cluster.

use super::{
    Context, InsideStep, OPERATORS, SECRETS,
    install::{self, Rendering},
};
use crate::{domain::plan::Spec, progress::Progress, providers::Access, settings::Namespace};
use anyhow::Result;
use async_trait::async_trait;
use std::time::Duration;

/// See the module.
pub struct Operators {
    pub(super) patience: Duration,
    pub(super) rendering: Rendering,
    pub(super) namespace: Namespace,
}

#[async_trait(?Send)]
impl InsideStep for Operators {
    fn spec(&self) -> Spec {
        Spec { name: OPERATORS, needs: &[SECRETS], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>, inside: &Access) -> Result<Progress> {
        let objects = self.rendering.objects(&cx.scope.variables()).await?;
        if objects.is_empty() {
            return Ok(Progress::done("none are configured"));
        }
        if let Some(wait) = install::install(cx, inside, OPERATORS, objects, &self.namespace).await? {
            return Ok(Progress::Waiting(wait));
        }
        let crds = match install::extensions(&inside.kubernetes).await? {
            Ok(crds) => crds,
            Err(wait) => return Ok(Progress::Waiting(wait)),
        };
        let count = self.rendering.sources.len();
        Ok(Progress::Done(format!("{count} ready, {crds} CRDs established, webhooks answer")))
    }
}
