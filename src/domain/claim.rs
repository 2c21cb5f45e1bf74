//! The claim: the one document per environment. Who holds what, since when, until when, in which state and generation,
//! and all that its removal needs.
//!
//! `waiting -> held -> draining -> cooling -> freeing -> gone`, where gone is the absence of the document. A transition
//! is a method that gives the next claim, or an [`Illegal`] that says why not. Must never: change without a
//! transition; be judged without the pull request as it is now (`intent.rs` does that).

pub use super::{
    removal::{Elsewhere, ObjectName, ProviderKind, Removal},
    reported::{Reported, Told},
};

use super::{
    holder::Holder,
    names::{ClaimUid, EnvironmentName, Generation, HeadSha, RunId},
    pool::Block,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Of the claim's schema. A binary that meets a higher one touches nothing.
pub const SCHEMA: u32 = 1;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claim {
    schema: u32,
    uid: ClaimUid,
    /// The taking that wrote it: makes the document unlike any other run's.
    run: RunId,
    generation: Generation,
    holder: Holder,
    state: State,
    wish: Wish,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<HeadSha>,
    /// Somebody asked for it by hand, so no filter takes it away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_hand: bool,
    /// It goes although its pull request is open: a filter, or an approval that was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    left_out: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported: Option<Reported>,
    created: Timestamp,
    expires: Timestamp,
    removal: Removal,
}

/// Where it stands, with the data of that state alone. `None` for addresses: the provider needs none, or a run died
/// before it wrote them here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum State {
    /// For addresses, or for a place.
    Waiting {
        /// When it took its place in the queue.
        since: Timestamp,
        /// The workflow run to start again when its turn comes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<u64>,
    },
    /// The environment may exist.
    Held {
        /// Its addresses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        addresses: Option<Block>,
        /// When its pull request was seen closed: the grace runs from here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed_at: Option<Timestamp>,
    },
    /// Being removed; no Up goes on from here.
    Draining {
        /// Its addresses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        addresses: Option<Block>,
    },
    /// Seen absent; the addresses stay taken until nothing remembers them.
    Cooling {
        /// Its addresses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        addresses: Option<Block>,
        /// When they may be freed.
        until: Timestamp,
    },
    /// The pool is being written; cannot be turned back.
    Freeing {
        /// Its addresses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        addresses: Option<Block>,
    },
}

impl State {
    /// The state's name, as people read it.
    pub fn word(&self) -> &'static str {
        match self {
            State::Waiting { .. } => "waiting",
            State::Held { .. } => "held",
            State::Draining { .. } => "draining",
            State::Cooling { .. } => "cooling",
            State::Freeing { .. } => "freeing",
        }
    }
}

/// What is wished for once the present state has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// An environment.
    Up,
    /// None.
    Down,
}

fn add<T: Clone + PartialEq>(known: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !known.contains(one) {
            known.push(one.clone());
        }
    }
}

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
    /// For a holder that has none.
    pub fn first(
        holder: Holder,
        (uid, run): (ClaimUid, RunId),
        head: Option<HeadSha>,
        removal: Removal,
        now: Timestamp,
        life: SignedDuration,
    ) -> Self {
        Self {
            schema: SCHEMA,
            uid,
            run,
            generation: Generation::FIRST,
            holder,
            state: State::Waiting { since: now, job: None },
            wish: Wish::Up,
            head,
            by_hand: false,
            left_out: false,
            reported: None,
            created: now,
            expires: now.saturating_add(life).unwrap_or(Timestamp::MAX),
            removal,
        }
    }

    /// The environment's name.
    pub fn name(&self) -> EnvironmentName {
        self.holder.name()
    }
    /// Who holds it.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }
    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }
    /// What is wished for next.
    pub fn wish(&self) -> Wish {
        self.wish
    }
    /// Which life of the environment this is.
    pub fn uid(&self) -> &ClaimUid {
        &self.uid
    }
    /// Which taking wrote it, by number.
    pub fn generation(&self) -> Generation {
        self.generation
    }
    /// Which taking wrote it, by id.
    pub fn run(&self) -> &RunId {
        &self.run
    }
    /// The commit that is wanted.
    pub fn head(&self) -> Option<&HeadSha> {
        self.head.as_ref()
    }
    /// Whether somebody asked for it by hand.
    pub fn is_by_hand(&self) -> bool {
        self.by_hand
    }
    /// Whether it goes although its pull request is open.
    pub fn is_left_out(&self) -> bool {
        self.left_out
    }
    /// What people were told last.
    pub fn reported(&self) -> Option<&Reported> {
        self.reported.as_ref()
    }
    /// Since when there is one.
    pub fn created(&self) -> Timestamp {
        self.created
    }
    /// When its time is over.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
    /// What removal needs.
    pub fn removal(&self) -> &Removal {
        &self.removal
    }
    /// The addresses that it knows of. The pool may hold more under its name: a run may have died between the two.
    pub fn addresses(&self) -> Option<Block> {
        match self.state {
            State::Waiting { .. } => None,
            State::Held { addresses, .. }
            | State::Draining { addresses }
            | State::Cooling { addresses, .. }
            | State::Freeing { addresses } => addresses,
        }
    }

    /// The same claim in the hands of another taking: the next generation, an id of its own.
    pub fn taken(&self, run: RunId) -> Self {
        Self { run, generation: self.generation.next(), ..self.clone() }
    }
    /// With another wish; what it means depends on the state, and is judged when that ends.
    pub fn wishing(self, wish: Wish) -> Self {
        Self { wish, ..self }
    }
    /// Wanting this commit.
    pub fn wanting(self, head: Option<HeadSha>) -> Self {
        Self { head, ..self }
    }
    /// With a later end of life, or an earlier one.
    pub fn expiring(self, expires: Timestamp) -> Self {
        Self { expires, ..self }
    }
    /// Made so from now on. What something may have been made by already is kept, and never forgotten: another provider,
    /// or another cluster, is for a later life.
    pub fn made_by(mut self, new: &Removal) -> Self {
        let old = &mut self.removal;
        if matches!(self.state, State::Waiting { .. }) {
            *old = new.clone();
        } else if (&old.provider, &old.context) == (&new.provider, &new.context) {
            add(&mut old.objects, &new.objects);
            add(&mut old.elsewhere, &new.elsewhere);
        }
        add(&mut old.hosts, &new.hosts);
        self
    }
    /// Going although its pull request is open, or not.
    pub fn leaving_out(self, left_out: bool) -> Self {
        Self { left_out, ..self }
    }
    /// Asked for by hand.
    pub fn asked_for(self) -> Self {
        Self { by_hand: true, ..self }
    }
    /// Having told people.
    pub fn reporting(self, reported: Reported) -> Self {
        Self { reported: Some(reported), ..self }
    }

    /// waiting -> held. `None`: a provider that needs no addresses.
    pub fn held(self, addresses: Option<Block>) -> Result<Self, Illegal> {
        match self.state {
            State::Waiting { .. } => Ok(self.to(State::Held { addresses, closed_at: None })),
            _ => Err(self.illegal("held", "only what waits is given addresses")),
        }
    }
    /// held -> held, its pull request seen closed. The first sighting counts.
    pub fn closed(self, at: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Held { addresses, closed_at } => {
                let closed_at = Some(closed_at.unwrap_or(at));
                Ok(self.to(State::Held { addresses, closed_at }))
            }
            _ => Err(self.illegal("closed", "only what is held has a grace")),
        }
    }
    /// held -> held, its pull request seen open: the grace is off.
    pub fn reopened(self) -> Result<Self, Illegal> {
        match self.state {
            State::Held { addresses, .. } => Ok(self.to(State::Held { addresses, closed_at: None })),
            _ => Err(self.illegal("open", "only what is held has a grace")),
        }
    }
    /// waiting or held -> draining. From here on no Up goes on. Or cooling -> draining: something of it has come back, so
    /// it is removed again, and cools again from then on.
    pub fn draining(self) -> Result<Self, Illegal> {
        match self.state {
            State::Waiting { .. } | State::Held { .. } | State::Cooling { .. } => {
                let addresses = self.addresses();
                Ok(self.to(State::Draining { addresses }))
            }
            _ => Err(self.illegal("draining", "it is being removed already")),
        }
    }
    /// draining -> cooling, once everything was seen absent.
    pub fn cooling(self, until: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Draining { addresses } => Ok(self.to(State::Cooling { addresses, until })),
            _ => Err(self.illegal("cooling", "only what was drained cools")),
        }
    }
    /// draining or cooling -> held with the same addresses (waiting, if it knows of none), once everything was seen
    /// absent: nobody else has had the addresses, so its own holder need not wait for them to cool.
    pub fn revived(self, now: Timestamp) -> Result<Self, Illegal> {
        match self.state {
            State::Draining { addresses } | State::Cooling { addresses, .. } => {
                Ok(self.to(match addresses {
                    Some(_) => State::Held { addresses, closed_at: None },
                    None => State::Waiting { since: now, job: None },
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
