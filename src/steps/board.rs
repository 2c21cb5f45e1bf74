//! What steps find out that no other step needs.
//!
//! Must never: be read by a step.

use super::Context;
use crate::{
    domain::{claim::Gone, results::Results},
    providers::Witness,
};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What steps find out that no other step needs: only the report and the history tell it.
#[derive(Default)]
pub struct Board(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    verdict: Option<Verdict>,
    /// What was there, and is to be missed.
    met: BTreeSet<String>,
    gone: Vec<Gone>,
}

/// What is known of the tests.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// They were run.
    Ran(Results),
    /// Another job hands them in under this name.
    Awaited(String),
}

impl Board {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Says it.
    pub fn say(&self, verdict: Verdict) {
        self.notes().verdict = Some(verdict);
    }
    /// What was said.
    pub fn verdict(&self) -> Option<Verdict> {
        self.notes().verdict.clone()
    }
    /// What was seen gone, each as often as it was seen.
    pub fn gone(&self) -> Vec<Gone> {
        self.notes().gone.clone()
    }
}

impl Witness for Context<'_> {
    fn met(&self, what: String) {
        self.board.notes().met.insert(what);
    }
    fn gone(&self, what: &str, proof: &str) {
        let gone = Gone { what: what.to_owned(), at: self.clock.now(), proof: proof.to_owned() };
        self.board.notes().gone.push(gone);
    }
    fn none_left(&self, otherwise: &str, proof: &str) {
        let met = self.board.notes().met.clone();
        if met.is_empty() {
            self.gone(otherwise, proof);
        }
        met.iter().for_each(|what| self.gone(what, proof));
    }
}
