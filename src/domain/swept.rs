//! What a sweep leaves for the next one, and for those who wait for it: when it was, what it has marked, and what keeps it
//! from its work. Pure.
//!
//! Must never: be taken for what is: it says what was seen then.

use super::names::EnvironmentName;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Of the document's schema.
pub const SCHEMA: u32 = 1;
/// After so long without a sweep somebody should look why.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24);
/// So many texts its marks may hold, keys among them; what is not marked now, the next sweep has room for when these are gone.
/// OpenBao takes no document of more than a thousand, and without its document a sweep does nothing.
const TEXTS: usize = 750;
/// So many that do not go away are told by name: two texts each.
const STUCK: usize = 100;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Swept {
    schema: u32,
    /// When it began.
    pub at: Timestamp,
    /// What is ours and claimed by nobody.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<EnvironmentName, Mark>,
    /// It would have removed too many, so it has removed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blown: Option<Blown>,
    /// What does not go away, since when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stuck: BTreeMap<EnvironmentName, Timestamp>,
}

/// What was seen of one environment that nobody claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// By which sweep first.
    pub since: Timestamp,
    /// Each thing, so that another one of the same environment is not taken for it.
    pub seen: BTreeSet<String>,
}

/// A fuse that has blown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blown {
    /// So many were to be removed.
    pub removals: usize,
    /// Of so many.
    pub of: usize,
}

impl Swept {
    /// A sweep of this time, which keeps as many marks as a document has room for.
    pub fn new(at: Timestamp, marks: BTreeMap<EnvironmentName, Mark>, blown: Option<Blown>) -> Self {
        // The oldest first: each comes to its end.
        let mut marks: Vec<_> = marks.into_iter().collect();
        marks.sort_by_key(|(_, mark)| mark.since);
        let marks = marks.into_iter().scan(0, |texts, (name, mark)| {
            // Its name, two keys, a time, and what was seen.
            *texts += 4 + mark.seen.len();
            (*texts <= TEXTS).then_some((name, mark))
        });
        Self { schema: SCHEMA, at, marks: marks.collect(), blown, stuck: BTreeMap::new() }
    }

    /// Having met what does not go away, as far as a document has room for it.
    pub fn meeting(self, stuck: BTreeMap<EnvironmentName, Timestamp>) -> Self {
        Self { stuck: stuck.into_iter().take(STUCK).collect(), ..self }
    }

    /// Whether this version knows what it says.
    pub fn is_known(&self) -> bool {
        self.schema <= SCHEMA
    }

    /// How long there was none, where that is too long.
    pub fn overdue(&self, now: Timestamp) -> Option<String> {
        let ago = now.duration_since(self.at);
        (ago > OVERDUE).then(|| super::time::span(ago.as_secs_f64()))
    }

    /// What whoever waits for the sweep should know of it; `None`: it does its work.
    pub fn trouble(last: Option<&Self>, now: Timestamp) -> Option<String> {
        let Some(last) = last else {
            return Some(
                "No sweep has ever run here, so nothing goes by itself: is one scheduled?".to_owned(),
            );
        };
        if let Some(ago) = last.overdue(now) {
            return Some(format!(
                "The last sweep ran {ago} ago, so nothing goes by itself: is it still scheduled?"
            ));
        }
        if let Some(Blown { removals, of }) = last.blown {
            return Some(format!(
                "The last sweep would have removed {removals} of {of}, and has stopped there: somebody must look, \
                 `berth sweep --dry-run` says what it means"
            ));
        }
        match last.stuck.len() {
            0 => None,
            1 => Some("One environment does not go away; the sweep tells what keeps it".to_owned()),
            stuck => Some(format!("{stuck} environments do not go away; the sweep tells what keeps them")),
        }
    }
}
