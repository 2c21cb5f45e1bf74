//! Read the claim, *then* the world, *then* write over exactly that claim: what is written was decided on a world at
//! least as new as the claim that it replaces. So a late run of an old event cannot win.

use super::Protocol;
use crate::{
    documents::{NotWritten, claims::Fence},
    domain::{
        claim::Claim,
        holder::Holder,
        intent::{Intent, Occasion, Then, Wanted, Why, decide},
    },
};
use anyhow::{Context, Result};

/// What came of an occasion.
#[allow(clippy::large_enum_variant, reason = "one of them a run; a box would only be noise")]
#[derive(Debug)]
pub enum Opened {
    /// The claim is ours; what to do with it.
    Taken(Fence, Then),
    /// Nothing to do, and rightly.
    Left(Why),
    /// Another holder has the name.
    Refused {
        /// Who.
        held_by: Holder,
    },
}

impl Protocol {
    /// `wanted` reads what the holder wants now (for a pull request: from GitHub), after the claim that it is given. It is
    /// asked anew at every try.
    pub async fn open(
        &self,
        holder: &Holder,
        occasion: Occasion,
        wanted: impl AsyncFn(Option<&Claim>) -> Result<Wanted>,
    ) -> Result<Opened> {
        let (pools, name) = (&self.pools, holder.name());
        let what = format!("the claim of {holder}");
        let attempt = async || {
            let basis = pools.claims.read(&name).await.with_context(|| format!("could not read {what}"))?;
            let wanted = wanted(basis.claim())
                .await
                .with_context(|| format!("could not read what {holder} wants now"))?;
            if basis.claim().is_none() && matches!(wanted, Wanted::Up(_)) {
                self.ids.settle(pools.claims.store()).await?;
            }
            let now = pools.clock.now();
            let intent = decide(holder, occasion, wanted, basis.claim(), self.ids.take()?, now, &self.terms)?;
            let intent = match intent {
                Intent::Take(claim, Then::Up) => Intent::Take(claim.brought_up(), Then::Up),
                other => other,
            };
            Ok(match intent {
                Intent::Leave(why) => Some(Opened::Left(why)),
                Intent::Refuse { held_by } => Some(Opened::Refused { held_by }),
                Intent::Take(claim, then) => match pools.claims.take(basis, claim).await {
                    Ok(fence) => Some(Opened::Taken(fence, then)),
                    Err(NotWritten::Conflict) => None,
                    Err(NotWritten::Unknown(error)) => {
                        return Err(error.context(format!("could not write {what}")));
                    }
                },
            })
        };
        pools.pace.until_written(&pools.clock, &what, attempt).await
    }
}
