//! Where a claim stands, and what is wished for after that.
//!
//! Must never: hold what does not belong to that state.

use crate::domain::pool::Block;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
