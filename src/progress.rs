//! How far something got, and what will wake it: below providers, steps and engine, so that none needs the other for it.
//!
//! Must never: poll. A wait is armed at the version that was looked at, so that no change between look and wait is lost.

use anyhow::Result;
use futures::{
    FutureExt,
    future::{BoxFuture, pending, select_all},
};
use std::fmt;

/// What a look came to.
pub enum Progress {
    /// Nothing is left to do; in a few words, what it came to.
    Done(String),
    /// Something else must happen first.
    Waiting(Wait),
}

impl Progress {
    /// Nothing is left to do.
    pub fn done(detail: impl fmt::Display) -> Self {
        Self::Done(detail.to_string())
    }
}

/// What is waited for.
pub struct Wait {
    /// In words for people.
    pub on: String,
    /// Ends when another look is worth it. An error: nothing will wake this, and why; whoever looks again all the same
    /// paces itself.
    pub wake: BoxFuture<'static, Result<()>>,
}

impl Wait {
    /// Until this ends.
    pub fn new(on: impl fmt::Display, wake: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self { on: on.to_string(), wake: wake.boxed() }
    }

    /// Until the first of them ends; of none, for ever.
    pub fn any(waits: Vec<Self>) -> Self {
        let on = waits.iter().map(|wait| wait.on.as_str()).collect::<Vec<_>>().join(", ");
        let wakes: Vec<_> = waits.into_iter().map(|wait| wait.wake).collect();
        Self::new(on, async move {
            if wakes.is_empty() {
                return pending().await;
            }
            select_all(wakes).await.0
        })
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("on", &self.on).finish_non_exhaustive()
    }
}
