//! The claim: the one document per environment. Who holds what, since when, until when, in which state and generation,
//! and all that its removal needs.
//!
//! `waiting -> held -> draining -> cooling -> freeing -> gone`, where gone is the absence of the document. A transition
//! is a method that gives the next claim, or an [`Illegal`] that says why not. Must never: change without a
//! transition; be judged without the pull request as it is now (`intent.rs` does that).

mod leaving;
mod turn;

pub use leaving::{Cause, Leaving, Passed};
pub use turn::{Ending, Illegal};

pub use super::{
    job::Job,
    receipt::Gone,
    removal::{Elsewhere, ObjectName, ProviderKind, Removal},
    reported::{Counted, Reported, Told},
};

use super::{
    holder::Holder,
    names::{ClaimUid, EnvironmentName, Generation, HeadSha, PlaceName, RunId},
    pool::Block,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

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
    /// When that was.
    taken: Timestamp,
    /// Of the last taking by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<Job>,
    holder: Holder,
    state: State,
    /// Of which pool it has a block, or waits for one; or among whose environments it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<PlaceName>,
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
    /// Which end of its life people were warned of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warned: Option<Timestamp>,
    removal: Removal,
    /// What was seen gone of it so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<Gone>,
    /// How it comes to its end.
    #[serde(default, skip_serializing_if = "Leaving::is_none")]
    leaving: Leaving,
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
        /// When it was told that its turn has come, and it has not got further since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        called: Option<Timestamp>,
        /// Nobody could tell it: whoever can may do so at once, while its time to come runs.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_vain: bool,
        /// Counted among those who have a place that has no addresses: it is about to take it, or to step back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        granted: bool,
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
        /// Since when.
        since: Timestamp,
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
    /// In the line since then.
    pub fn waiting(since: Timestamp) -> Self {
        State::Waiting { since, called: None, in_vain: false, granted: false }
    }
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
            taken: now,
            job: None,
            holder,
            state: State::waiting(now),
            place: None,
            wish: Wish::Up,
            head,
            by_hand: false,
            left_out: false,
            reported: None,
            created: now,
            expires: now.saturating_add(life).unwrap_or(Timestamp::MAX),
            warned: None,
            removal,
            gone: Vec::new(),
            leaving: Leaving::default(),
        }
    }

    /// For what nobody claims though it is ours: it goes, and nobody wishes for it.
    pub fn of_orphan(holder: Holder, ids: (ClaimUid, RunId), removal: Removal, now: Timestamp) -> Self {
        let first = Self::first(holder, ids, None, removal, now, SignedDuration::ZERO);
        Self { state: State::Draining { addresses: None, since: now }, wish: Wish::Down, ..first }
            .because(Cause::Orphan)
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
    /// When that taking was.
    pub fn taken_at(&self) -> Timestamp {
        self.taken
    }
    /// Which job has taken it last, if one has.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }
    /// Where it has its place, or waits for one.
    pub fn place(&self) -> Option<&PlaceName> {
        self.place.as_ref()
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
    /// Whether the run that took it last has told how it ended.
    pub fn has_ended(&self) -> bool {
        self.reported.as_ref().is_some_and(|reported| reported.by == self.generation)
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
    /// Whether people were warned of that.
    pub fn is_warned(&self) -> bool {
        self.warned == Some(self.expires)
    }
    /// What removal needs.
    pub fn removal(&self) -> &Removal {
        &self.removal
    }
    /// What was seen gone of it.
    pub fn gone(&self) -> &[Gone] {
        &self.gone
    }
    /// Since when it goes; `None`: it does not.
    pub fn draining_since(&self) -> Option<Timestamp> {
        match self.state {
            State::Draining { since, .. } => Some(since),
            _ => None,
        }
    }
    /// The addresses that it knows of. The pool may hold more under its name: a run may have died between the two.
    pub fn addresses(&self) -> Option<Block> {
        match self.state {
            State::Waiting { .. } => None,
            State::Held { addresses, .. }
            | State::Draining { addresses, .. }
            | State::Cooling { addresses, .. }
            | State::Freeing { addresses } => addresses,
        }
    }

    /// The same claim in the hands of another taking: the next generation, an id of its own.
    pub fn taken(&self, run: RunId, now: Timestamp) -> Self {
        Self { run, generation: self.generation.next(), taken: now, ..self.clone() }
    }
    /// By this job; by none, it keeps the one that it has.
    pub fn by(self, job: Option<Job>) -> Self {
        Self { job: job.or(self.job), ..self }
    }
    /// With its place there; what has one keeps it.
    pub fn at(self, place: Option<PlaceName>) -> Self {
        let is_open = self.place.is_none() || matches!(self.state, State::Waiting { .. });
        if is_open { Self { place, ..self } } else { self }
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
    /// Having warned people of its end.
    pub fn warned(self) -> Self {
        Self { warned: Some(self.expires), ..self }
    }
    /// With what may be written there in whoever's hands it is: the end of life, the warning of it, and the call.
    pub fn annotated_as(mut self, other: &Self) -> Self {
        if let (State::Waiting { called, in_vain, .. }, State::Waiting { called: at, in_vain: how, .. }) =
            (&mut self.state, &other.state)
        {
            (*called, *in_vain) = (*at, *how);
        }
        Self { expires: other.expires, warned: other.warned, ..self }
    }
    /// Having seen this gone. What is seen once more keeps its first sighting.
    pub fn without(mut self, gone: impl IntoIterator<Item = Gone>) -> Self {
        for one in gone {
            if !self.gone.iter().any(|known| known.what == one.what) {
                self.gone.push(one);
            }
        }
        self
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
}
