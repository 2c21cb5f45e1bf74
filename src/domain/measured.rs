//! How long removals took and environments lived, the last ones of them: what a time that is told rests on. Pure.
//!
//! Must never: give a span of which nothing was measured.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// So many of each are kept.
const LAST: usize = 30;

/// In seconds, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    removals: Vec<u32>,
    lives: Vec<u32>,
}

/// From the short to the long, without the outermost tenths.
pub type Span = (SignedDuration, SignedDuration);

impl Measured {
    /// What the document says; what cannot be read of it is not measured.
    pub fn of(document: &Map<String, Value>) -> Self {
        serde_json::from_value(Value::Object(document.clone())).unwrap_or_default()
    }

    /// The document to write.
    pub fn document(&self) -> Map<String, Value> {
        let list = |all: &[u32]| all.iter().copied().map(Value::from).collect();
        [("removals", &self.removals), ("lives", &self.lives)]
            .map(|(key, all)| (key.to_owned(), Value::Array(list(all))))
            .into_iter()
            .collect()
    }

    /// And one more of each.
    #[must_use]
    pub fn with(mut self, removal: SignedDuration, life: SignedDuration) -> Self {
        for (all, one) in [(&mut self.removals, removal), (&mut self.lives, life)] {
            all.push(u32::try_from(one.as_secs().max(0)).unwrap_or(u32::MAX));
            all.drain(..all.len().saturating_sub(LAST));
        }
        self
    }

    /// How long it takes from the begin of a removal until all of it was seen gone.
    pub fn removals(&self) -> Option<Span> {
        span(&self.removals)
    }

    /// How long an environment is there before its removal begins.
    pub fn lives(&self) -> Option<Span> {
        span(&self.lives)
    }
}

fn span(all: &[u32]) -> Option<Span> {
    let mut sorted = all.to_owned();
    sorted.sort_unstable();
    let tenth = sorted.len() / 10;
    let at = |index: usize| sorted.get(index).map(|seconds| SignedDuration::from_secs(i64::from(*seconds)));
    Some((at(tenth)?, at(sorted.len() - 1 - tenth)?))
}
