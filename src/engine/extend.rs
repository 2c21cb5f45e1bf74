//! More time for an environment, in whoever's hands it is: nobody's run ends by it.
//!
//! Must never: let anybody keep one for longer than the platform's `lifetime.max` from now; bring back what goes.

use super::Engine;
use crate::{
    documents::NotWritten,
    domain::{claim::State, holder::Holder},
    errors::{Exit, UserError},
};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// It lives longer.
    Until(Longer),
    /// There is none, or it goes already.
    Nothing,
}

/// How long it lives now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Longer {
    /// Until then, at the latest.
    pub until: Timestamp,
    /// Less than was asked for: nobody gets more.
    pub is_short: bool,
    /// It is closed, and goes once its grace is over all the same.
    pub is_closing: bool,
}

impl Engine {
    /// Moves the end of its life by so much.
    pub async fn extend(&self, holder: &Holder, by: SignedDuration) -> Result<Extended> {
        let (pools, name) = (&self.protocol.pools, holder.name());
        let what = format!("the claim of {holder}");
        let attempt = async || {
            let basis = pools.claims.read(&name).await?;
            let Some(claim) = basis.claim() else { return Ok(Some(Extended::Nothing)) };
            if claim.holder() != holder {
                let message = format!("the name {name} is held by {}", claim.holder());
                return Err(UserError::new(Exit::Usage, message).into());
            }
            if !matches!(claim.state(), State::Waiting { .. } | State::Held { .. }) {
                return Ok(Some(Extended::Nothing));
            }
            let now = pools.clock.now();
            let most = now.saturating_add(self.protocol.terms.life).unwrap_or(Timestamp::MAX);
            let wanted = claim.expires().max(now).saturating_add(by).unwrap_or(Timestamp::MAX);
            // It may have been given more by another platform file: that is not taken away here.
            let until = wanted.min(most.max(claim.expires()));
            let is_closing = matches!(claim.state(), State::Held { closed_at: Some(_), .. });
            let longer = Longer { until, is_short: until < wanted, is_closing };
            match pools.claims.annotate(&basis, |claim| claim.expiring(until)).await {
                Ok(_) => Ok(Some(Extended::Until(longer))),
                Err(NotWritten::Conflict) => Ok(None),
                Err(NotWritten::Unknown(error)) => Err(error),
            }
        };
        self.patiently(async || pools.pace.until_written(&pools.clock, &what, attempt).await).await
    }
}
