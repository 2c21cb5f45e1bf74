//! The end of a claim, once every step has seen its objects gone: cool, free, forget. Addresses come last.
//!
//! Free: cooled, absence observed once more -> write `freeing` -> read the pool at v -> check the claim -> write the pool
//! over v -> end the claim. The pool is written even if nothing of ours is in it, so that every allocation begun earlier
//! fails; and freed by name, whatever the claim lists, because a run may have died between pool and claim. What outlives the
//! claim is written before it ends, and after nothing can bring this life back.

use super::{Opened, Protocol, hold::Change};
use crate::{
    documents::claims::{Check, Fence},
    domain::{
        claim::{Claim, Ending, Gone, State, Wish},
        holder::Holder,
        intent::{Occasion, Then, Wanted, Why},
    },
};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

/// Whether anything of an environment is left, as a look at the clusters tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Something is.
    There,
    /// Every list that was asked came back complete and without it.
    Absent,
}

/// After the objects are gone.
#[derive(Debug)]
pub enum Removed {
    /// Its addresses are freed from then on.
    Cooling(Timestamp),
    /// It was reopened meanwhile: up again, in these hands.
    UpAgain,
    /// Somebody else has taken the claim.
    Superseded,
}

/// After the addresses were to be freed.
#[allow(clippy::large_enum_variant, reason = "one of them a run; a box would only be noise")]
#[derive(Debug)]
pub enum Freed {
    /// Nothing is left, the claim neither.
    Gone,
    /// It was reopened meanwhile: a new claim waits, in these hands.
    Anew(Fence),
    /// Not before then.
    NotYet(Timestamp),
    /// Something of it has come back: the claim drains again, in these hands.
    StillThere(Fence),
    /// Somebody else has taken the claim.
    Superseded,
}

impl Protocol {
    /// draining -> cooling, or back to held if it was reopened meanwhile. To be called when everything was seen absent, with
    /// what is to be told of that.
    pub async fn removed(&self, fence: &mut Fence, gone: Vec<Gone>) -> Result<Removed> {
        let (pools, claim) = (&self.pools, fence.claim().clone());
        let now = pools.clock.now();
        if claim.wish() == Wish::Up {
            let revived = claim.revived(now)?;
            return Ok(match pools.claims.advance(fence, revived).await? {
                Check::Current => Removed::UpAgain,
                Check::Superseded => Removed::Superseded,
            });
        }
        // Where none were ever given there is nothing to cool.
        let none = claim.addresses().is_none() && pools.look().await?.held_by(&fence.name()).is_empty();
        let until =
            if none { now } else { now.saturating_add(self.reuse_after(&claim)).unwrap_or(Timestamp::MAX) };
        let cooling = claim.without(gone).cooling(until)?.cooling_since(now);
        Ok(match pools.claims.advance(fence, cooling).await? {
            Check::Current => Removed::Cooling(until),
            Check::Superseded => Removed::Superseded,
        })
    }

    /// How long its addresses cool: as its own pool has it; where that is not known, as long as any.
    fn reuse_after(&self, claim: &Claim) -> SignedDuration {
        let places = &self.pools.places;
        let own = claim.place().and_then(|place| places.get(place));
        let longest = || places.values().map(|place| place.reuse_after).max();
        own.map(|place| place.reuse_after).or_else(longest).unwrap_or(self.terms.reuse_after)
    }

    /// cooling -> freeing -> gone. `presence` looks at the clusters once more, `remember` writes down what is to outlive the
    /// claim: as often as the end is begun, until it has come.
    pub async fn free(
        &self,
        mut fence: Fence,
        presence: impl AsyncFn() -> Result<Presence>,
        remember: impl AsyncFn(&Claim) -> Result<()>,
    ) -> Result<Freed> {
        let (claims, clock) = (&self.pools.claims, &self.pools.clock);
        let claim = fence.claim().clone();
        match *claim.state() {
            State::Freeing { .. } => {}
            State::Cooling { until, .. } if until > clock.now() => return Ok(Freed::NotYet(until)),
            State::Cooling { .. } if presence().await? == Presence::There => {
                return Ok(match claims.advance(&mut fence, claim.draining(clock.now())?).await? {
                    Check::Current => Freed::StillThere(fence),
                    Check::Superseded => Freed::Superseded,
                });
            }
            // Of any other state it is illegal, and nothing has been written.
            _ => {
                let freeing = claim.freeing(clock.now())?;
                if claims.advance(&mut fence, freeing).await? == Check::Superseded {
                    return Ok(Freed::Superseded);
                }
            }
        }
        let name = fence.name();
        let freed = self.pools.change(async |pool| {
            let check = claims.check(&fence).await?;
            if check == Check::Superseded {
                return Ok(Change::Keep(check));
            }
            pool.free(&name);
            Ok(Change::Write(check))
        });
        if freed.await? == Check::Superseded {
            return Ok(Freed::Superseded);
        }
        remember(fence.claim()).await?;
        if fence.claim().wish() == Wish::Up {
            self.ids.settle(claims.store()).await?;
        }
        let uid = self.ids.take()?.uid;
        match fence.claim().clone().ended(uid, clock.now(), self.terms.life)? {
            Ending::Gone => Ok(match claims.forget(fence).await? {
                Check::Current => Freed::Gone,
                Check::Superseded => Freed::Superseded,
            }),
            Ending::Anew(waiting) => Ok(match claims.advance(&mut fence, waiting).await? {
                Check::Current => Freed::Anew(fence),
                Check::Superseded => Freed::Superseded,
            }),
        }
    }

    /// What whoever meets a claim that has cooled, or is being freed, may do: finish it.
    /// `None`: there was nothing to finish.
    pub async fn finish(
        &self,
        holder: &Holder,
        wanted: impl AsyncFn(Option<&Claim>) -> Result<Wanted>,
        presence: impl AsyncFn() -> Result<Presence>,
        remember: impl AsyncFn(&Claim) -> Result<()>,
    ) -> Result<Option<Freed>> {
        match self.open(holder, Occasion::Sweep, wanted).await? {
            Opened::Taken(fence, Then::Down)
                if matches!(fence.claim().state(), State::Cooling { .. } | State::Freeing { .. }) =>
            {
                self.free(fence, presence, remember).await.map(Some)
            }
            Opened::Left(Why::Cooling(until)) => Ok(Some(Freed::NotYet(until))),
            Opened::Taken(..) | Opened::Left(_) | Opened::Refused { .. } => Ok(None),
        }
    }
}
