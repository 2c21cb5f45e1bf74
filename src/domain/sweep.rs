//! What a sweep means to do: a function of what was read, of what the last sweep has marked, and of the time. Pure.
//!
//! It only means: each line is done like any event, by a run that reads claim and pull request once more. Must never: mean
//! to remove anything on the ground of what could not be read, nor, where no claim says so, of one look alone; count on a list
//! that may be empty by mistake.

use super::{
    claim::{Claim, Elsewhere, ProviderKind},
    holder::Holder,
    intent::{Terms, Wanted},
    names::{ClaimUid, ContextName, EnvironmentName},
    queue::Places,
    swept::{Blown, Mark, Swept},
};
use jiff::{SignedDuration, Timestamp};
use judge::Judge;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

mod judge;

/// Something of an environment, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Whose it is by its own word.
    pub name: EnvironmentName,
    /// For whom that is, if it says so.
    pub holder: Option<Holder>,
    /// Of which of its lives, if it says so.
    pub life: Option<ClaimUid>,
    /// What it is called, for people.
    pub what: String,
    /// Tells it from another of the same name.
    pub id: String,
    /// Where it stands in a cluster; `None`: it is a document, or an entry of the pool.
    pub object: Option<Elsewhere>,
    /// Who keeps it, though it is to go.
    pub held_by: Option<String>,
}

/// What stands under a name and an address where others write, too: only our records can tell whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Of what is called so.
    pub name: String,
    /// Where that is, or was; `None`: at no address that a pool could have.
    pub address: Option<Ipv4Addr>,
    /// What it is called, for people.
    pub what: String,
}

/// All that a sweep has read. What could not be read is among it as such.
#[derive(Debug)]
pub struct Found {
    /// The claims that can be read.
    pub claims: Vec<Claim>,
    /// Those that cannot, and why.
    pub unreadable: BTreeMap<EnvironmentName, String>,
    /// What bears our marks, claimed or not; entries of the pool as far as our own records explain them.
    pub traces: Vec<Trace>,
    /// Which entries no record of ours explains.
    pub foreign: BTreeSet<String>,
    /// Of which environments another installation has objects in our clusters.
    pub others: BTreeSet<EnvironmentName>,
    /// Of whose entries a live cluster uses an address.
    pub used: BTreeSet<EnvironmentName>,
    /// What each holder wants now; an error: why nobody knows.
    pub wanted: BTreeMap<EnvironmentName, Result<Wanted, String>>,
    /// Before anything was read.
    pub began: Timestamp,
    /// The sweep before this.
    pub last: Option<Swept>,
    /// How environments are made, and in which clusters, where all that bears our marks was seen.
    pub looked: Vec<(ProviderKind, Option<ContextName>)>,
    /// Where nobody could look for what bears our marks, and why.
    pub unseen: Vec<(String, String)>,
}

/// By what a sweep judges.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// How environments live.
    pub terms: &'a Terms,
    /// How long before its end people are warned.
    pub warn: SignedDuration,
    /// After how long without a word something counts as stuck.
    pub stuck: SignedDuration,
    /// What it may remove.
    pub fuse: Fuse,
    /// What has room for environments.
    pub places: &'a Places,
}

/// So many may be removed by one sweep; or so many of a hundred, whichever is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fuse {
    /// In number.
    pub limit: u32,
    /// Of a hundred.
    pub percent: u8,
}

/// What is meant to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It could not be read, so nothing is done.
    Unknown,
    /// It goes.
    Remove,
    /// Its removal goes on.
    Resume,
    /// Its addresses are given back.
    Free,
    /// Its grace begins.
    Close,
    /// Its grace ends.
    Reopen,
    /// Somebody should bring it up: nothing is at it any more.
    Start,
    /// People are told when it goes.
    Warn,
    /// It goes with the next sweep that finds it so.
    Mark,
    /// It stays for now.
    Keep,
    /// It is left alone, and should be looked at.
    Report,
}

/// To what it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// To a claimed environment.
    Claimed(Holder),
    /// To what is left of one that nobody claims.
    Orphan(Orphan),
    /// To nothing of ours.
    Nothing,
}

/// What is left of an environment that nobody claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// For whom it was; a bare name, where nothing says it.
    pub holder: Holder,
    /// What stands in clusters.
    pub objects: Vec<Elsewhere>,
}

/// One thing that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What.
    pub action: Action,
    /// To what, for people.
    pub what: String,
    /// Why, for people.
    pub why: String,
    /// To what.
    #[serde(skip)]
    pub on: On,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What most should be looked at comes first.
    pub lines: Vec<Line>,
    /// So many go by it.
    pub removals: usize,
    /// Of so many.
    pub of: usize,
    /// Why none of them goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blown: Option<Blown>,
    /// What the next sweep is to know.
    #[serde(skip)]
    pub marks: BTreeMap<EnvironmentName, Mark>,
}

/// What all of it comes to.
pub fn plan(found: &Found, rules: &Rules<'_>, now: Timestamp) -> Plan {
    Judge::new(found, rules, now).plan()
}
