//! What has been answered before, so that GitHub need not say again what has not changed: that costs none of an hour's
//! requests.
//!
//! Must never: keep what was not understood, or be used without GitHub saying that it is the same.

use super::request::Answer;
use reqwest::Url;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

const MOST: usize = 100;
/// A larger answer is asked for anew.
const LARGEST: usize = 256 << 10;

/// Answers by where they are from, the one that was used last at the end.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<(Url, Answer)>>);

impl Kept {
    fn all(&self) -> MutexGuard<'_, VecDeque<(Url, Answer)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, url: &Url) -> Option<Answer> {
        self.all().iter().find(|(known, _)| known == url).map(|(_, answer)| answer.clone())
    }

    pub(super) fn keep(&self, url: Url, answer: Answer) {
        self.forget(&url);
        if answer.header("etag").is_none() || answer.size() > LARGEST {
            return;
        }
        let mut all = self.all();
        all.push_back((url, answer));
        if all.len() > MOST {
            all.pop_front();
        }
    }

    pub(super) fn forget(&self, url: &Url) {
        self.all().retain(|(known, _)| known != url);
    }
}
