//! Addresses for a claim. Pool before claim, always: read the pool at v, *then* check the claim, write the pool over v,
//! write the claim. A run that slept between the two finds v gone, because whoever frees writes the pool too.

use super::Pools;
use crate::{
    documents::{
        Key, NotWritten,
        claims::{Check, Fence},
        write_surely,
    },
    domain::{
        claim::Claim,
        pool::{Allocation, Block, Pool, Standing},
    },
};
use anyhow::Result;
use std::{collections::BTreeSet, net::Ipv4Addr};

/// What came of the wish for addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// They are in the pool and on the claim.
    Held(Block),
    /// No block is free; the claim waits.
    Full,
    /// Somebody else has taken the claim.
    Superseded,
}

/// Whether the addresses of a claim are still its own in the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// They are.
    Ours,
    /// They were missing, and have been put back.
    PutBack,
    /// Another holder has one: the environment must go, and say why.
    Lost {
        /// Which.
        address: Ipv4Addr,
        /// Who has it.
        to: String,
    },
    /// Somebody else has taken the claim.
    Superseded,
}

/// What a decision upon the pool wants written.
pub(super) enum Change<T> {
    /// Write it, even if it says the same: the new version is what makes every decision begun earlier fail.
    Write(T),
    /// Leave it.
    Keep(T),
}

impl Pools {
    /// waiting -> held. The document of the pool first, the claim second: a run that dies between the two leaves an
    /// entry that its claim's name explains.
    /// `in_use`: by live objects of others, whatever the documents say.
    pub async fn hold(&self, fence: &mut Fence, in_use: &BTreeSet<Ipv4Addr>) -> Result<Holding> {
        let name = fence.name();
        let holding = self
            .change(async |pool| {
                let (check, others) = self.claims.check_among_all(fence).await?;
                if check == Check::Superseded {
                    return Ok(Change::Keep(Holding::Superseded));
                }
                let taken = &self.taken_beside(others) | in_use;
                Ok(match pool.allocate(&name, &self.layout, &taken) {
                    Allocation::Already(block) | Allocation::Completed(block) | Allocation::New(block) => {
                        Change::Write(Holding::Held(block))
                    }
                    Allocation::Full => Change::Keep(Holding::Full),
                })
            })
            .await?;
        let Holding::Held(block) = holding else { return Ok(holding) };
        let held = fence.claim().clone().held(Some(block))?;
        Ok(match self.claims.advance(fence, held).await? {
            Check::Current => Holding::Held(block),
            Check::Superseded => Holding::Superseded,
        })
    }

    /// Looks once more before the addresses are used, and in every later step: the shell tool can erase entries of ours.
    pub async fn verify(&self, fence: &Fence) -> Result<Verified> {
        let name = fence.name();
        let Some(block) = fence.claim().addresses() else { return Ok(Verified::Ours) };
        self.change(async |pool| {
            // Mostly all is well, and then nobody else's claim matters.
            if pool.clone().restore(&name, block, &BTreeSet::new()) == Standing::Whole {
                return Ok(Change::Keep(match self.claims.check(fence).await? {
                    Check::Current => Verified::Ours,
                    Check::Superseded => Verified::Superseded,
                }));
            }
            let (check, others) = self.claims.check_among_all(fence).await?;
            if check == Check::Superseded {
                return Ok(Change::Keep(Verified::Superseded));
            }
            Ok(match pool.restore(&name, block, &self.taken_beside(others)) {
                Standing::Whole => Change::Keep(Verified::Ours),
                Standing::PutBack => Change::Write(Verified::PutBack),
                Standing::Lost { address, to } => Change::Keep(Verified::Lost { address, to }),
            })
        })
        .await
    }

    /// The one compare-and-set loop over the pool's document.
    pub(super) async fn change<T>(&self, decide: impl AsyncFn(&mut Pool) -> Result<Change<T>>) -> Result<T> {
        let store = self.claims.store();
        let what = store.place(&Key::Pool);
        let attempt = async || {
            let read = store.read(&Key::Pool).await?;
            // No document is an empty pool; a read that failed has ended this above.
            let mut pool = read.document().map(Pool::parse).unwrap_or_default();
            match decide(&mut pool).await? {
                Change::Keep(answer) => Ok(Some(answer)),
                Change::Write(answer) => {
                    match write_surely(store, &Key::Pool, &pool.document(), read.version()).await {
                        Ok(_) => Ok(Some(answer)),
                        Err(NotWritten::Conflict) => Ok(None),
                        Err(NotWritten::Unknown(error)) => Err(error),
                    }
                }
            }
        };
        self.pace.until_written(&self.clock, &what, attempt).await
    }

    /// What the document does not say but is taken all the same: what other claims hold (the shell tool may have erased
    /// it), and what live clusters use.
    pub(super) fn taken_beside(&self, others: Vec<Claim>) -> BTreeSet<Ipv4Addr> {
        let held = others.iter().filter_map(Claim::addresses).flat_map(Block::addresses);
        self.taken.iter().copied().chain(held).collect()
    }
}
