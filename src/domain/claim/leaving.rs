//! How an environment comes to its end: why, and when it went from one state to the next on the way there. Pure.
//!
//! Must never: tell of a way that was not gone to its end: what is taken back has not left.

use super::Claim;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why an environment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its pull request is closed, or whoever held it has no need of it any more.
    Closed,
    /// It is not wanted although it is open: a filter, or an approval that was taken back.
    LeftOut,
    /// Its time is over.
    Expired,
    /// Somebody asked for it, without grace.
    AskedFor,
    /// Another has its addresses.
    Lost,
    /// Nobody claimed it.
    Orphan,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::LeftOut => "left out",
            Self::Expired => "expired",
            Self::AskedFor => "asked for",
            Self::Lost => "lost its addresses",
            Self::Orphan => "claimed by nobody",
        })
    }
}

/// A state, and when it came to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Its word.
    pub to: String,
    /// When.
    pub at: Timestamp,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Why it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What it has come to so far, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
    /// Since when something is there of what was seen gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_since: Option<Timestamp>,
}

impl Leaving {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What comes a second time has come back in between.
    pub(super) fn on(mut self, to: &str, at: Timestamp) -> Self {
        let before = self.passed.iter().position(|passed| passed.to == to).unwrap_or(self.passed.len());
        self.passed.truncate(before);
        self.passed.push(Passed { to: to.to_owned(), at });
        self
    }
}

impl Claim {
    /// How it goes, if it does.
    pub fn leaving(&self) -> &Leaving {
        &self.leaving
    }
    /// Going for this reason; the first one counts.
    pub fn because(mut self, cause: Cause) -> Self {
        self.leaving.cause.get_or_insert(cause);
        self
    }
    /// Having cooled from then on.
    pub fn cooling_since(self, at: Timestamp) -> Self {
        Self { leaving: self.leaving.clone().on("cooling", at), ..self }
    }
}
