//! What people are told of their place in the line. Pure.
//!
//! Must never: guess a time of which nothing was measured; name what is another repository's.

use super::{Standing, is_late};
use crate::domain::{
    claim::{Claim, State},
    holder::{Holder, PullRequest},
    measured::Measured,
    names::RepoName,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// One's place in the line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// From 1.
    pub place: u32,
    /// How many wait.
    pub of: u32,
    /// When its turn comes, at the earliest and at the latest.
    pub begins: Option<(Timestamp, Timestamp)>,
    /// Who has a part now, those that come free first before the others.
    pub blocks: Vec<Taken>,
    /// How many others there are, of whom nothing is known.
    pub others: u32,
    /// How many are free, and go to those ahead.
    pub free: u32,
    /// Its repository has as many as one may have.
    pub is_limited: bool,
    /// How its turn is taken up when it comes.
    pub goes_on: GoesOn,
}

/// By what somebody whose turn has come goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoesOn {
    /// A job of its own is known, for a token that may run it once more.
    ByJob,
    /// Its repository can be sent an event, to which a workflow there may listen.
    ByEvent,
    /// Somebody has to do it.
    #[default]
    ByHand,
}

/// Who has a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// `None`: another repository's.
    pub whose: Option<String>,
    /// What has to pass before it is free.
    pub stage: Stage,
    /// When it is, as far as that can be told.
    pub frees: Option<Frees>,
}

/// At the earliest and at the latest.
pub type Frees = (Timestamp, Timestamp);

/// What has to pass before something is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Stage {
    /// It is in use.
    Used {
        /// To this end of its life at the latest.
        until: Timestamp,
    },
    /// It is closed, and stays so long.
    Grace {
        /// Until then.
        until: Timestamp,
    },
    /// It is being removed.
    Removal,
    /// It is gone, and cools.
    Cooling,
}

/// What times are told by.
#[derive(Debug, Clone)]
pub struct Times {
    /// What was measured so far.
    pub measured: Measured,
    /// Between close and removal.
    pub grace: SignedDuration,
    /// Of the look.
    pub now: Timestamp,
}

impl Standing<'_> {
    /// What whoever waits is told; `None`: it does not wait here.
    pub fn queue(&self, claim: &Claim, times: &Times, goes_on: GoesOn) -> Option<Queue> {
        let at = self.line.iter().position(|other| other.name() == claim.name())?;
        let repository = claim.holder().repository();
        let mut blocks: Vec<Taken> =
            self.having.iter().map(|other| self.taken(other, repository, times)).collect();
        // What is not known comes last.
        blocks.sort_by_key(|taken| taken.frees.map_or((true, None), |(_, latest)| (false, Some(latest))));
        let (turns, is_limited) = (self.turns(times.now), self.is_limited(repository));
        let has_turn = |other: &Claim| turns.iter().any(|turn| turn.name() == other.name());
        let ahead = self.line[..at].iter().filter(|other| !has_turn(other) && !is_late(other, times.now));
        let begins = match has_turn(claim) || is_limited {
            true => None,
            false => nth(&blocks, ahead.count()),
        };
        Some(Queue {
            place: small(at + 1),
            of: small(self.line.len()),
            begins,
            others: small(self.all.saturating_sub(self.free + blocks.len())),
            blocks,
            free: small(self.free),
            is_limited,
            goes_on,
        })
    }

    fn taken(&self, claim: &Claim, reader: Option<&RepoName>, times: &Times) -> Taken {
        let is_own = reader.is_some() && claim.holder().repository() == reader;
        let whose = is_own.then(|| match claim.holder() {
            Holder::PullRequest(PullRequest { repo, number }) => format!("{repo} {number}"),
            other => other.to_string(),
        });
        let (stage, frees) = self.frees(claim, times);
        Taken { whose, stage, frees }
    }

    fn frees(&self, claim: &Claim, Times { measured, grace, now }: &Times) -> (Stage, Option<Frees>) {
        let removed = |(begin, end): Frees| {
            let (short, long) = measured.removals()?;
            let free = |at: Timestamp, took| after(after(at, took).max(*now), self.place.reuse_after);
            Some((free(begin, short), free(end, long)))
        };
        match claim.state() {
            // One that waits has what its dead run has taken, and goes on with it.
            State::Waiting { .. } | State::Held { closed_at: None, .. } => {
                let until = claim.expires().max(*now);
                let lived = |span| after(claim.created(), span).clamp(*now, until);
                let ends = measured.lives().map(|(short, long)| (lived(short), lived(long)));
                (Stage::Used { until: claim.expires() }, ends.and_then(removed))
            }
            State::Held { closed_at: Some(closed), .. } => {
                let until = after(*closed, *grace).min(claim.expires());
                (Stage::Grace { until }, removed((until.max(*now), until.max(*now))))
            }
            State::Draining { since, .. } => (Stage::Removal, removed((*since, *since))),
            State::Cooling { until, .. } => (Stage::Cooling, Some((*until.max(now), *until.max(now)))),
            State::Freeing { .. } => (Stage::Cooling, Some((*now, *now))),
        }
    }
}

/// When so many have come free before one more does.
fn nth(blocks: &[Taken], before: usize) -> Option<Frees> {
    let mut known: Vec<Frees> = blocks.iter().filter_map(|taken| taken.frees).collect();
    let latest = known.get(before)?.1;
    known.sort_by_key(|(earliest, _)| *earliest);
    Some((known[before].0, latest))
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
