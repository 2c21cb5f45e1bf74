//! What was seen gone: whether it has stayed so, and its end.
//!
//! Must never: free an address while anything is left that leads to it; say that nothing is left without a look, where that
//! was said once already in vain.

use super::{
    super::{Freed, Presence, handle::ended},
    Run,
};
use crate::{
    domain::{
        claim::Claim,
        plan::{Direction, StepName},
        report::{Outcome, Status},
        scope::Scope,
    },
    errors::{Exit, UserError},
    providers::Provider,
    steps::Board,
};
use anyhow::Result;
use jiff::Timestamp;

impl Run<'_> {
    /// cooling or freeing -> gone; `None`: it is to be opened again.
    pub(super) async fn free(self) -> Result<Option<Outcome>> {
        let (provider, scope) = self.going().await?;
        // As it is looked at, so it is decided: `free` works with the very same fence.
        let board = Board::default();
        let presence = match self.remains(&*provider, &scope, &board).await? {
            None => Presence::Absent,
            Some((step, what)) => {
                tracing::info!("{step} is not undone yet, it is removed once more: {what}");
                Presence::There
            }
        };
        let (engine, telling, seen) = (self.engine, self.telling, board.gone());
        let remember = async |claim: &Claim| {
            let receipt = engine.receipt(claim, &seen);
            engine.remember(claim, &receipt).await?;
            telling.say(|report| report.receipt = receipt);
            Ok(())
        };
        Ok(match engine.protocol.free(self.fence, async || Ok(presence), remember).await? {
            Freed::Gone => Some(Outcome::Removed { free_at: None }),
            Freed::NotYet(until) => Some(Outcome::Removed { free_at: Some(until) }),
            Freed::Superseded => Some(Outcome::Superseded),
            Freed::Anew(_) | Freed::StillThere(_) => None,
        })
    }

    /// It was seen gone. Where that was so once already, and something was there all the same, it is looked at before it
    /// is said: what a removal from within has no way to is nobody's to remove but a person's.
    pub(super) async fn cools(&self, until: Timestamp) -> Result<Outcome> {
        let removed = Outcome::Removed { free_at: Some(until) };
        if self.fence.claim().going_since().is_none() {
            return Ok(removed);
        }
        let (provider, scope) = self.going().await?;
        let Some((step, what)) = self.remains(&*provider, &scope, &Board::default()).await? else {
            return Ok(removed);
        };
        self.telling.phase(step, Status::Failed, what.as_str(), self.now());
        let failed =
            UserError::new(Exit::Failed, format!("it is removed, and something is there still: {what}"));
        let hint = "remove it by hand, if nobody else does: until it has gone the addresses stay held, and the sweep looks again";
        Ok(ended(step, &failed.hint(hint).into()))
    }

    /// The first thing of it that is left, anywhere, and of which step; `None`: nothing is.
    async fn remains(
        &self,
        provider: &dyn Provider,
        scope: &Scope,
        board: &Board,
    ) -> Result<Option<(StepName, String)>> {
        let (engine, sentry) = (self.engine, self.sentry(Direction::Down));
        let cx = self.context(&sentry, provider, scope, board);
        let look = async || {
            for step in engine.steps.iter().filter(|step| provider.uses(step.spec().name)) {
                if let Some(what) = step.remains(&cx).await? {
                    return Ok(Some((step.spec().name, what)));
                }
            }
            Ok(None)
        };
        engine.patiently(look).await
    }
}
