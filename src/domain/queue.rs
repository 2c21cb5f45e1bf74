//! The line of those who wait for one place: who of them gets what is free, and what each may be told of it. Pure.
//!
//! Must never: let a younger one pass an older, but where the older's repository has all that it may, or where the older
//! was called and has not come; give one slot to two; name to a reader what is another repository's.

mod told;

pub use told::{Frees, GoesOn, Queue, Stage, Taken, Times};

use super::{
    claim::{Claim, State},
    names::{PlaceName, RepoName},
    pool::{Allocation, Block, Layout, Pool},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
};

/// Whoever was called and has not come within this time lets the next one pass.
pub const COMES_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// What has room for environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// For how many.
    pub room: Room,
    /// For how many of one repository; 0 is no limit.
    pub per_repository: u32,
    /// How long what is given back is not given out again.
    pub reuse_after: SignedDuration,
}

/// How many find room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// As many as there are blocks of addresses.
    Blocks(Layout),
    /// So many, each without an address of its own.
    Most(u32),
}

/// All places that are known, by name.
pub type Places = BTreeMap<PlaceName, Place>;

/// Why somebody gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Full {
    /// Nothing is free.
    Taken,
    /// Its repository has as many as one may have.
    Limited,
    /// What is free is for those ahead of it.
    Kept,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "no addresses are free",
            Self::Limited => "this repository has as many environments as it may",
            Self::Kept => "what is free is kept for those ahead in line",
        })
    }
}

/// How one place stands.
#[derive(Debug)]
pub struct Standing<'a> {
    place: &'a Place,
    /// In the order of their coming.
    line: Vec<&'a Claim>,
    /// Who has a part of it already.
    having: Vec<&'a Claim>,
    free: usize,
    all: usize,
}

impl<'a> Standing<'a> {
    /// By what the documents say; `taken` is what is in use beside that.
    pub fn of(
        (name, place): (&PlaceName, &'a Place),
        claims: &'a [Claim],
        pool: &Pool,
        taken: &BTreeSet<Ipv4Addr>,
    ) -> Self {
        let held = claims.iter().filter_map(Claim::addresses).flat_map(Block::addresses);
        let taken: BTreeSet<Ipv4Addr> = taken.iter().copied().chain(held).collect();
        let here = claims.iter().filter(|claim| claim.place() == Some(name));
        // A run may have died between the pool, where it has its block, and the claim that still waits.
        let has = |claim: &Claim| match (claim.state(), &place.room) {
            (State::Waiting { granted, .. }, Room::Most(_)) => *granted,
            (State::Waiting { .. }, Room::Blocks(layout)) => {
                let name = claim.name();
                let own = |pool: &mut Pool| pool.allocate(&name, layout, &taken);
                !pool.held_by(&name).is_empty()
                    && matches!(own(&mut pool.clone()), Allocation::Already(_) | Allocation::Completed(_))
            }
            _ => true,
        };
        let (having, mut line): (Vec<&Claim>, Vec<&Claim>) = here.partition(|claim| has(claim));
        line.sort_by_key(|claim| (since(claim), claim.name()));
        let (free, all) = match &place.room {
            Room::Blocks(layout) => {
                let is_free = |address: Ipv4Addr| pool.holder(address).is_none() && !taken.contains(&address);
                let free = layout.blocks().filter(|block| block.addresses().all(is_free)).count();
                (free, layout.blocks().count())
            }
            Room::Most(most) => ((*most as usize).saturating_sub(having.len()), *most as usize),
        };
        Self { place, line, having, free, all }
    }

    /// To whom what is free goes, in the order of the line; to those who were called and have not come, what is left then.
    pub fn turns(&self, now: Timestamp) -> Vec<&'a Claim> {
        let (mut late, there): (Vec<&Claim>, Vec<&Claim>) =
            self.line.iter().copied().partition(|claim| is_late(claim, now));
        // Of those who do not come, none is called again before the others were.
        late.sort_by_key(|claim| called(claim));
        let mut of: BTreeMap<&RepoName, usize> = BTreeMap::new();
        for repository in self.having.iter().filter_map(|claim| claim.holder().repository()) {
            *of.entry(repository).or_default() += 1;
        }
        let mut may = |claim: &&'a Claim| {
            let Some(repository) = claim.holder().repository() else { return true };
            let has = of.entry(repository).or_default();
            *has += 1;
            self.place.per_repository == 0 || *has <= self.place.per_repository as usize
        };
        there.into_iter().chain(late).filter(|claim| may(claim)).take(self.free).collect()
    }

    /// Why one of those who wait may not take what is free now; `None`: it may.
    pub fn keeps_out(&self, claim: &Claim, now: Timestamp) -> Option<Full> {
        if self.turns(now).iter().any(|other| other.name() == claim.name()) {
            return None;
        }
        Some(match self.free {
            _ if self.is_limited(claim.holder().repository()) => Full::Limited,
            0 => Full::Taken,
            _ => Full::Kept,
        })
    }

    /// Whose turn has come, and nobody has told them; who is at it already need not be told. First of all whoever has its
    /// part and waits all the same: its run has died between the two, and nobody else can have what it has.
    pub fn to_call(&self, now: Timestamp) -> Vec<&'a Claim> {
        let all = self.having.iter().copied().chain(self.turns(now));
        all.filter(|claim| is_to_be_called(claim, now)).collect()
    }

    /// Whether its repository has all that it may have.
    fn is_limited(&self, repository: Option<&RepoName>) -> bool {
        let most = self.place.per_repository as usize;
        let of = self.having.iter().filter(|claim| claim.holder().repository() == repository).count();
        most > 0 && repository.is_some() && of >= most
    }
}

fn since(claim: &Claim) -> Timestamp {
    match claim.state() {
        State::Waiting { since, .. } => *since,
        _ => Timestamp::MAX,
    }
}

fn called(claim: &Claim) -> Option<Timestamp> {
    match claim.state() {
        State::Waiting { called, .. } => *called,
        _ => None,
    }
}

fn is_over(since: Timestamp, now: Timestamp) -> bool {
    since.saturating_add(COMES_WITHIN).is_ok_and(|end| end <= now)
}

fn is_late(claim: &Claim, now: Timestamp) -> bool {
    called(claim).is_some_and(|called| is_over(called, now))
}

/// Whether nobody works for it: it waits, has not heard just now that its turn has come, and the run that has it has told
/// that it ended, or has been silent for so long that it will have died.
pub fn is_to_be_called(claim: &Claim, now: Timestamp) -> bool {
    let State::Waiting { called, in_vain, .. } = claim.state() else { return false };
    (*in_vain || called.is_none_or(|called| is_over(called, now)))
        && (claim.has_ended() || is_over(claim.taken_at(), now))
}

/// From when on its time to come runs, if it is called in vain: another vain call does not prolong it.
pub fn turn_since(claim: &Claim, now: Timestamp) -> Timestamp {
    called(claim).filter(|called| !is_over(*called, now)).unwrap_or(now)
}
