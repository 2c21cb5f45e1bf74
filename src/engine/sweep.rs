//! All claims, one by one, each as an event of its own: what is past its time goes, what a dead run has left half removed
//! is brought to its end. Nothing is brought up.
//!
//! Must never: sweep by a list of which a part is missing; let one that fails keep the others.

use super::{Engine, Event};
use crate::{
    domain::{
        intent::Occasion,
        report::{Outcome, Report},
    },
    errors::explain,
};
use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream};

/// So many at the same time.
const SIDE_BY_SIDE: usize = 8;

impl Engine {
    /// Each as it was left. `stop` ends them all.
    pub async fn sweep(&self, stop: impl Future<Output = u8>) -> Result<Vec<Report>> {
        let claims = &self.protocol.pools.claims;
        let listed = self.patiently(async || claims.list().await).await.context("nothing was swept")?;
        let (clock, stopped) = (&self.protocol.pools.clock, futures::FutureExt::shared(stop));
        let each = listed.into_iter().map(async |listed| {
            let stop = stopped.clone();
            match listed.claim {
                Ok(claim) => {
                    let (holder, occasion) = (claim.holder().clone(), Occasion::Sweep);
                    self.handle(&Event { holder, occasion }, stop).await
                }
                Err(error) => {
                    let holder = crate::domain::holder::Holder::Named(listed.name);
                    let mut report = Report::new(&holder, clock.now());
                    report.outcome = Some(Outcome::Unknown { step: None, why: explain(&error) });
                    report
                }
            }
        });
        Ok(stream::iter(each).buffered(SIDE_BY_SIDE).collect().await)
    }
}
