//! What must never be shown: told to the runner, which keeps it out of its logs, and taken out of whatever else people read.
//!
//! Must never: forget what it was told; show what it hides, not even to a debugger.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use std::{
    cmp::Reverse,
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes. What is shorter stands in any text by chance, and is left there.
const LEAST: usize = 6;
/// The same for a runner, whose log nobody reads for its sense.
const LEAST_TOLD: usize = 4;
const INSTEAD: &str = "***";

/// The longest first: another may be a part of it.
type Hidden = BTreeSet<(Reverse<usize>, String)>;

/// Clones hide the same.
#[derive(Clone)]
pub struct Mask {
    hidden: Arc<Mutex<Hidden>>,
    tell: fn(&str),
}

impl Mask {
    /// One that tells each text to a runner, too.
    pub fn telling(tell: fn(&str)) -> Self {
        Self { hidden: Arc::default(), tell }
    }

    /// From now on it is not shown: none of its lines, nor the whole as base64 has it.
    pub fn hide(&self, secret: &str) {
        let whole = secret.trim();
        let encoded = BTreeSet::from([secret, whole].map(|text| BASE64_STANDARD_NO_PAD.encode(text)));
        let lines = whole.lines().map(str::trim);
        for text in lines.chain(encoded.iter().map(String::as_str)) {
            if text.len() >= LEAST_TOLD {
                (self.tell)(text);
            }
            if text.len() >= LEAST {
                let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
                hidden.insert((Reverse(text.len()), text.to_owned()));
            }
        }
    }

    /// The text without what is hidden.
    pub fn redact(&self, text: &str) -> String {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.iter().fold(text.to_owned(), |text, (_, secret)| match text.contains(secret) {
            true => text.replace(secret, INSTEAD),
            false => text,
        })
    }
}

impl Default for Mask {
    fn default() -> Self {
        Self::telling(|_| {})
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").finish_non_exhaustive()
    }
}
