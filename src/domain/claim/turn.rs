//! From one state of a claim to the next, or why not. Pure.
//!
//! Must never: go a way that the module above does not draw.

use super::{Claim, Leaving, State, Wish};
use crate::domain::{
    names::{ClaimUid, EnvironmentName},
    pool::Block,
};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// A transition that the present state does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Illegal {
    name: EnvironmentName,
    from: &'static str,
    to: &'static str,
    why: String,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the claim of {} cannot go from {} to {}: {}", self.name, self.from, self.to, self.why)
    }
}

impl std::error::Error for Illegal {}

/// What is to become of a claim that has been freed.
#[allow(clippy::large_enum_variant, reason = "one of them a run; a box would only be noise")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The document goes.
    Gone,
    /// Its pull request was reopened meanwhile: this claim takes its place.
    Anew(Claim),
}

impl Claim {
    /// Having been told that its turn has come; of what does not wait, nothing. Its job may be of an older commit, which brings
    /// nothing up any more, and to an event nobody may listen: whom the one has not brought is told by the other.
    pub fn called(self, at: Timestamp) -> Self {
        match self.state {
            State::Waiting { since, called, in_vain, granted } => {
                let has_not_come = called.is_some() && !in_vain;
                let sent_for = has_not_come && !self.sent_for;
                Self { sent_for, ..self }.to(State::Waiting {
                    since,
                    called: Some(at),
                    in_vain: false,
                    granted,
                })
            }
            _ => self,
        }
    }
    /// Its turn came then, and nobody could tell it; of what does not wait, nothing.
    pub fn called_in_vain(self, at: Timestamp) -> Self {
        match self.state {
            State::Waiting { since, granted, .. } => {
                self.to(State::Waiting { since, called: Some(at), in_vain: true, granted })
            }
            _ => self,
        }
    }
    /// It has come, and found no room: it waits on, in its old place; of what does not wait, nothing.
    pub fn waiting_on(self) -> Self {
        match self.state {
            State::Waiting { since, granted, .. } => {
                self.to(State::Waiting { since, called: None, in_vain: false, granted })
            }
            _ => self,
        }
    }
    /// Counted among those who have a place, or no longer; of what does not wait, nothing.
    pub fn granted(self, granted: bool) -> Self {
        match self.state {
            State::Waiting { since, called, in_vain, .. } => {
                self.to(State::Waiting { since, called, in_vain, granted })
            }
            _ => self,
        }
    }
    /// waiting -> held. `None`: a provider that needs no addresses. That this taking has told of its waiting is over.
    pub fn held(self, addresses: Option<Block>) -> Result<Self, Illegal> {
        match self.state {
            State::Waiting { .. } => {
                let reported = self.reported.clone().filter(|reported| reported.by != self.generation);
                Ok(Self { reported, ..self }.to(State::Held { addresses, closed_at: None }))
            }
            _ => Err(self.illegal("held", "only what waits is given addresses")),
        }
    }
    /// held -> held, its pull request seen closed. The first sighting counts.
    pub fn closed(self, at: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Held { addresses, closed_at } => {
                let at = closed_at.unwrap_or(at);
                let leaving = self.leaving.clone().on("closed", at);
                Ok(Self { leaving, ..self }.to(State::Held { addresses, closed_at: Some(at) }))
            }
            _ => Err(self.illegal("closed", "only what is held has a grace")),
        }
    }
    /// held -> held, its pull request seen open: the grace is off.
    pub fn reopened(self) -> Result<Self, Illegal> {
        match self.state {
            State::Held { addresses, .. } => {
                let leaving = Leaving::default();
                Ok(Self { leaving, ..self }.to(State::Held { addresses, closed_at: None }))
            }
            _ => Err(self.illegal("open", "only what is held has a grace")),
        }
    }
    /// waiting or held -> draining. From here on no Up goes on. Or cooling -> draining: something of it has come back, so
    /// it is removed again, and cools again from then on.
    pub fn draining(self, now: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Waiting { .. } | State::Held { .. } | State::Cooling { .. } => {
                let addresses = self.addresses();
                let mut leaving = self.leaving.clone().on("draining", now);
                if matches!(self.state, State::Cooling { .. }) {
                    leaving.back_since.get_or_insert(now);
                }
                Ok(Self { gone: Vec::new(), leaving, ..self }.to(State::Draining { addresses, since: now }))
            }
            _ => Err(self.illegal("draining", "it is being removed already")),
        }
    }
    /// draining -> cooling, once everything was seen absent.
    pub fn cooling(self, until: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Draining { addresses, .. } => Ok(self.to(State::Cooling { addresses, until })),
            _ => Err(self.illegal("cooling", "only what was drained cools")),
        }
    }
    /// draining or cooling -> held with the same addresses (waiting, if it knows of none), once everything was seen
    /// absent: nobody else has had the addresses, so its own holder need not wait for them to cool. What was told of it
    /// before is told of what is gone.
    pub fn revived(self, now: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Draining { addresses, .. } | State::Cooling { addresses, .. } => {
                let (gone, leaving, brought_by) = (Vec::new(), Leaving::default(), Some(self.generation));
                Ok(Self { gone, leaving, brought_by, nudged: 0, ..self }.to(match addresses {
                    Some(_) => State::Held { addresses, closed_at: None },
                    None => State::waiting(now),
                }))
            }
            _ => Err(self.illegal("held", "only what drains or cools is taken back")),
        }
    }
    /// cooling -> freeing, once the time is over.
    pub fn freeing(self, now: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Cooling { addresses, until } if until <= now => Ok(self.to(State::Freeing { addresses })),
            State::Cooling { until, .. } => Err(self.illegal("freeing", format!("it cools until {until}"))),
            _ => Err(self.illegal("freeing", "only what has cooled is freed")),
        }
    }
    /// freeing -> gone; or, with a wish carried, a new life in the next generation's hands.
    pub fn ended(self, uid: ClaimUid, now: Timestamp, life: SignedDuration) -> Result<Ending, Illegal> {
        match (&self.state, self.wish) {
            (State::Freeing { .. }, Wish::Down) => Ok(Ending::Gone),
            (State::Freeing { .. }, Wish::Up) => {
                let fresh = Self::first(self.holder, (uid, self.run), self.head, self.removal, now, life);
                Ok(Ending::Anew(Self {
                    generation: self.generation,
                    reported: self.reported,
                    by_hand: self.by_hand,
                    job: self.job,
                    place: self.place,
                    ..fresh
                }))
            }
            _ => Err(self.illegal("gone", "only what has been freed ends")),
        }
    }

    fn to(self, state: State) -> Self {
        Self { state, ..self }
    }
    fn illegal(&self, to: &'static str, why: impl Into<String>) -> Illegal {
        Illegal { name: self.name(), from: self.state.word(), to, why: why.into() }
    }
}
