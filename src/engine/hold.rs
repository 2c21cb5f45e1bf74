//! Addresses for a claim, or a place that has none; to each in its turn (`domain/queue.rs`). Pool before claim, always: read the pool at v, *then* check the claim, write the pool over v,
//! write the claim. A run that slept between the two finds v gone, because whoever frees writes the pool too.

use super::Pools;
use crate::{
    documents::{
        Key, NotWritten,
        claims::{Check, Fence},
        write_strictly, write_surely,
    },
    domain::{
        claim::Claim,
        pool::{Allocation, Block, Pool, Standing},
        queue::{self, Full, Place, Room},
    },
};
use anyhow::Result;
use std::{collections::BTreeSet, net::Ipv4Addr};

/// What came of the wish for addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// They are in the pool and on the claim; `None`: its place has none.
    Held(Option<Block>),
    /// The claim waits.
    Full(Full),
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
    /// The same where nothing in it tells this decision from another's: of two made at one version, one counts.
    Count(T),
    /// Leave it.
    Keep(T),
}

impl Pools {
    /// waiting -> held. `in_use`: by live objects of others, whatever the documents say.
    pub async fn hold(&self, fence: &mut Fence, in_use: &BTreeSet<Ipv4Addr>) -> Result<Holding> {
        match fence.claim().place().and_then(|name| self.places.get(name)) {
            Some(Place { room: Room::Most(_), .. }) => self.hold_without_addresses(fence).await,
            Some(Place { room: Room::Blocks(_), .. }) | None => self.hold_addresses(fence, in_use).await,
        }
    }

    /// The document of the pool first, the claim second: a run that dies between the two leaves an entry that its claim's
    /// name explains.
    async fn hold_addresses(&self, fence: &mut Fence, in_use: &BTreeSet<Ipv4Addr>) -> Result<Holding> {
        let name = fence.name();
        let holding = self
            .change(async |pool| {
                let (check, others) = self.claims.check_among_all(fence).await?;
                if check == Check::Superseded {
                    return Ok(Change::Keep(Holding::Superseded));
                }
                // Whoever comes to take its place is not late any more.
                let come = fence.claim().clone().waiting_on();
                let kept_out = self.kept_out(&come, &others, pool, in_use);
                let taken = &self.taken_beside(others) | in_use;
                Ok(match pool.allocate(&name, &self.layout, &taken) {
                    Allocation::Already(block) | Allocation::Completed(block) => {
                        Change::Write(Holding::Held(Some(block)))
                    }
                    Allocation::New(block) if kept_out.is_none() => Change::Write(Holding::Held(Some(block))),
                    Allocation::New(_) | Allocation::Full => {
                        Change::Keep(Holding::Full(kept_out.unwrap_or(Full::Taken)))
                    }
                })
            })
            .await?;
        self.written(fence, holding).await
    }

    /// Where a place has no addresses but room for so many: they are counted by their claims.
    /// Read the pool at v -> count -> say on the claim that it is counted -> write the pool over v, unchanged -> write the
    /// claim. Whoever counts later sees this one; of those who have counted at the same v, one may go on, and the others
    /// count once more.
    async fn hold_without_addresses(&self, fence: &mut Fence) -> Result<Holding> {
        let holding = self
            .change(async |pool| {
                let (check, others) = self.claims.check_among_all(fence).await?;
                if check == Check::Superseded {
                    return Ok(Change::Keep(Holding::Superseded));
                }
                let waiting = fence.claim().clone().granted(false).waiting_on();
                let kept_out = self.kept_out(&waiting, &others, pool, &BTreeSet::new());
                let claim = waiting.granted(kept_out.is_none());
                if claim != *fence.claim() && self.claims.advance(fence, claim).await? == Check::Superseded {
                    return Ok(Change::Keep(Holding::Superseded));
                }
                Ok(match kept_out {
                    None => Change::Count(Holding::Held(None)),
                    Some(why) => Change::Keep(Holding::Full(why)),
                })
            })
            .await?;
        self.written(fence, holding).await
    }

    /// The claim after the pool.
    async fn written(&self, fence: &mut Fence, holding: Holding) -> Result<Holding> {
        let claim = fence.claim().clone();
        let next = match holding {
            Holding::Held(block) => claim.held(block)?,
            // Who was called has come, and looked: the turn is over, and its place in the line is what it was.
            Holding::Full(_) => claim.waiting_on(),
            Holding::Superseded => return Ok(holding),
        };
        if next == *fence.claim() {
            return Ok(holding);
        }
        Ok(match self.claims.advance(fence, next).await? {
            Check::Current => holding,
            Check::Superseded => Holding::Superseded,
        })
    }

    /// What is in no place that is known here waits in no line.
    fn kept_out(
        &self,
        claim: &Claim,
        others: &[Claim],
        pool: &Pool,
        in_use: &BTreeSet<Ipv4Addr>,
    ) -> Option<Full> {
        let place = claim.place().and_then(|name| self.places.get_key_value(name))?;
        let all: Vec<Claim> = others.iter().chain([claim]).cloned().collect();
        let taken = &self.taken | in_use;
        queue::Standing::of(place, &all, pool, &taken).keeps_out(claim, self.clock.now())
    }

    /// Looks once more before the addresses are used, and in every later step: the shell tool can erase entries of ours.
    pub async fn verify(&self, fence: &Fence) -> Result<Verified> {
        let name = fence.name();
        let stands = async || {
            Ok(match self.claims.check(fence).await? {
                Check::Current => Verified::Ours,
                Check::Superseded => Verified::Superseded,
            })
        };
        // Without addresses the pool has nothing to say of it; the claim has all the same.
        let Some(block) = fence.claim().addresses() else { return stands().await };
        self.change(async |pool| {
            // Mostly all is well, and then nobody else's claim matters.
            if pool.clone().restore(&name, block, &BTreeSet::new()) == Standing::Whole {
                return Ok(Change::Keep(stands().await?));
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
    pub(super) async fn change<T>(
        &self,
        mut decide: impl AsyncFnMut(&mut Pool) -> Result<Change<T>>,
    ) -> Result<T> {
        let store = self.claims.store();
        let what = store.place(&Key::Pool);
        let attempt = async || {
            let read = store.read(&Key::Pool).await?;
            // No document is an empty pool; a read that failed has ended this above.
            let mut pool = read.document().map(Pool::parse).unwrap_or_default();
            match decide(&mut pool).await? {
                Change::Keep(answer) => Ok(Some(answer)),
                Change::Count(answer) => {
                    let written = write_strictly(store, &Key::Pool, &pool.document(), read.version()).await;
                    Ok(written.is_ok().then_some(answer))
                }
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
