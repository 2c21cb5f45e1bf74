//! The claim: the one document per environment. Who holds what, since when, until when, in which state and generation,
//! and all that its removal needs.
//!
//! `waiting -> held -> draining -> cooling -> freeing -> gone`, where gone is the absence of the document. A transition
//! is a method that gives the next claim, or an [`Illegal`] that says why not. Must never: change without a
//! transition; be judged without the pull request as it is now (`intent.rs` does that).

mod leaving;
mod state;
mod turn;

pub use leaving::{Cause, Leaving, Passed};
pub use state::{State, Wish};
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
    /// How often somebody was called to bring it up, since anybody has told how it went.
    #[serde(default, skip_serializing_if = "is_zero")]
    nudged: u8,
    /// Its last call was an event, not its job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sent_for: bool,
    /// Which taking was to bring it up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    brought_by: Option<Generation>,
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

fn add<T: Clone + PartialEq>(known: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !known.contains(one) {
            known.push(one.clone());
        }
    }
}

/// From when on people are warned of the end of a life, so long before it; not from its begin on, where it is short.
pub fn warns_at(begin: Timestamp, end: Timestamp, before: SignedDuration) -> Timestamp {
    end.saturating_sub(before.min(end.duration_since(begin) / 2)).unwrap_or(end)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u8) -> bool {
    *number == 0
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
            nudged: 0,
            sent_for: false,
            brought_by: None,
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
    /// What whoever was to bring it up last has told of it; `None`: nothing yet.
    pub fn outcome(&self) -> Option<&Reported> {
        let is_of_now =
            |told: &&Reported| told.head == self.head && self.brought_by.is_none_or(|by| told.by >= by);
        self.reported.as_ref().filter(is_of_now)
    }
    /// Whether it waits, and is to be called by an event: its job was run once more, and nobody came.
    pub fn is_sent_for(&self) -> bool {
        matches!(self.state, State::Waiting { .. }) && self.sent_for
    }
    /// How often somebody was called to bring it up, since anybody has told how it went.
    pub fn nudged(&self) -> u8 {
        self.nudged
    }
    /// Since when there is one.
    pub fn created(&self) -> Timestamp {
        self.created
    }
    /// When its time is over.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
    /// Whether it goes whatever its holder wants: its time is over, or it goes already.
    pub fn goes_anyhow(&self, now: Timestamp) -> bool {
        match self.state {
            State::Waiting { .. } | State::Held { .. } => self.expires <= now,
            State::Draining { .. } | State::Cooling { .. } | State::Freeing { .. } => true,
        }
    }
    /// From when on people are warned of that, so long before it.
    pub fn warns_at(&self, before: SignedDuration) -> Timestamp {
        warns_at(self.created, self.expires, before)
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
    /// Since when it should have gone; `None`: it is not to go, or was seen gone.
    pub fn going_since(&self) -> Option<Timestamp> {
        match self.state {
            State::Draining { since, .. } => Some(self.leaving.back_since.unwrap_or(since)),
            _ => self.leaving.back_since,
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
    /// By this job, or by none.
    pub fn by(self, job: Option<Job>) -> Self {
        Self { job, ..self }
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
        let nudged = if head == self.head { self.nudged } else { 0 };
        Self { head, nudged, ..self }
    }
    /// With a later end of life, or an earlier one.
    pub fn expiring(self, expires: Timestamp) -> Self {
        Self { expires, ..self }
    }
    /// Having warned people of its end.
    pub fn warned(self) -> Self {
        Self { warned: Some(self.expires), ..self }
    }
    /// Having called somebody to bring it up.
    pub fn nudging(self) -> Self {
        Self { nudged: self.nudged.saturating_add(1), ..self }
    }
    /// With what may be written there in whoever's hands it is: the end of life, the warning of it, and calls.
    pub fn annotated_as(mut self, other: &Self) -> Self {
        if let (State::Waiting { called, in_vain, .. }, State::Waiting { called: at, in_vain: how, .. }) =
            (&mut self.state, &other.state)
        {
            (*called, *in_vain) = (*at, *how);
        }
        Self { expires: other.expires, warned: other.warned, nudged: other.nudged, ..self }
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
        Self { by_hand: true, nudged: 0, ..self }
    }
    /// This very taking brings it up.
    pub fn brought_up(self) -> Self {
        Self { brought_by: Some(self.generation), ..self }
    }
    /// Having told people.
    pub fn reporting(self, reported: Reported) -> Self {
        Self { reported: Some(reported), nudged: 0, ..self }
    }
}
