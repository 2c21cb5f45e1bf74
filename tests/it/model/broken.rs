//! The engine's `hold` and `free` once more, each of their rules to be taken away: what the search must find.

use super::{runs::Broken, stages::Run};
use berth::{
    documents::{
        Key, NotWritten,
        claims::{Check, Fence},
        write_surely,
    },
    domain::{
        claim::{Claim, Ending, State, Wish},
        pool::{Allocation, Block, Pool},
        queue::Full,
    },
    engine::{Freed, Holding, Presence},
};
use std::collections::BTreeSet;

impl Run {
    pub(super) async fn hold_broken(&self, fence: &mut Fence) -> anyhow::Result<Holding> {
        let check_first = self.broken(Broken::ClaimCheckedBeforePool);
        let (pools, store) = (&self.engine.pools, self.claims().store());
        loop {
            if check_first && self.superseded(fence).await? {
                return Ok(Holding::Superseded);
            }
            let read = store.read(&Key::Pool).await?;
            let (check, others) = self.claims().check_among_all(fence).await?;
            if !check_first && check == Check::Superseded {
                return Ok(Holding::Superseded);
            }
            let mut taken = BTreeSet::new();
            if !self.broken(Broken::ClaimsNotTaken) {
                taken.extend(others.iter().filter_map(Claim::addresses).flat_map(Block::addresses));
            }
            let mut pool = read.document().map(Pool::parse).unwrap_or_default();
            let (Allocation::Already(block) | Allocation::Completed(block) | Allocation::New(block)) =
                pool.allocate(&fence.name(), &pools.layout, &taken)
            else {
                return Ok(Holding::Full(Full::Taken));
            };
            match write_surely(store, &Key::Pool, &pool.document(), read.version()).await {
                Ok(_) => {}
                Err(NotWritten::Conflict) => continue,
                Err(NotWritten::Unknown(e)) => return Err(e),
            }
            let held = fence.claim().clone().held(Some(block))?;
            return Ok(match self.claims().advance(fence, held).await? {
                Check::Current => Holding::Held(Some(block)),
                Check::Superseded => Holding::Superseded,
            });
        }
    }

    pub(super) async fn free_broken(&self, mut fence: Fence) -> anyhow::Result<Freed> {
        let (claims, store, clock) = (self.claims(), self.claims().store(), &self.engine.pools.clock);
        if let State::Cooling { until, .. } = *fence.claim().state() {
            if until > clock.now() {
                return Ok(Freed::NotYet(until));
            }
            if self.presence(self.name()).await == Presence::There {
                let draining = fence.claim().clone().draining(self.engine.pools.clock.now())?;
                return Ok(match claims.advance(&mut fence, draining).await? {
                    Check::Current => Freed::StillThere(fence),
                    Check::Superseded => Freed::Superseded,
                });
            }
            if !self.broken(Broken::NoFreeing) {
                let freeing = fence.claim().clone().freeing(clock.now())?;
                if claims.advance(&mut fence, freeing).await? == Check::Superseded {
                    return Ok(Freed::Superseded);
                }
            }
        }
        loop {
            let read = store.read(&Key::Pool).await?;
            if !self.broken(Broken::FreeUnchecked) && self.superseded(&fence).await? {
                return Ok(Freed::Superseded);
            }
            let mut pool = read.document().map(Pool::parse).unwrap_or_default();
            if self.broken(Broken::FreeOnlyIfThere) && pool.held_by(&fence.name()).is_empty() {
                break;
            }
            if !self.broken(Broken::FreeByList) || fence.claim().addresses().is_some() {
                pool.free(&fence.name());
            }
            match write_surely(store, &Key::Pool, &pool.document(), read.version()).await {
                Ok(_) => break,
                Err(NotWritten::Conflict) => continue,
                Err(NotWritten::Unknown(e)) => return Err(e),
            }
        }
        let claim = fence.claim().clone();
        if !self.broken(Broken::WishForgotten)
            && claim.wish() == Wish::Up
            && let Ending::Anew(waiting) =
                claim.ended("anew".parse()?, clock.now(), self.engine.terms.life)?
        {
            return Ok(match claims.advance(&mut fence, waiting).await? {
                Check::Current => Freed::Anew(fence),
                Check::Superseded => Freed::Superseded,
            });
        }
        Ok(match claims.forget(fence).await? {
            Check::Current => Freed::Gone,
            Check::Superseded => Freed::Superseded,
        })
    }
}
