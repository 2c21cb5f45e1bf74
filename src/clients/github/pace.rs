//! How fast we write: GitHub lets an account make 80 things a minute, and does not say beforehand when that is reached.
//!
//! There is no waiting while there is room. A request counts from its beginning until a minute after its end, for
//! nobody knows when in between GitHub has counted it. Must never: hold up a look.

use crate::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// GitHub's, of requests that make something.
const MOST: usize = 80;
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// What is written, and was within the last minute: by one client and all that were cloned from it.
#[derive(Default)]
pub(super) struct Pace {
    /// Whoever waits for room holds it; the others wait behind, in their order.
    entrance: tokio::sync::Mutex<()>,
    written: Mutex<Written>,
    ended: Notify,
}

#[derive(Default)]
struct Written {
    running: usize,
    /// When each of the others ended, oldest first.
    ended: VecDeque<Timestamp>,
}

/// A request that is under way; it ends when this is dropped, be it that nobody waits for its answer any more.
pub(super) struct Turn {
    pace: Arc<Pace>,
    clock: Clock,
}

enum Room {
    Now,
    In(Duration),
    /// All that count are still running.
    AfterOne,
}

impl Pace {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As soon as there is room for one more request.
    pub(super) async fn turn(self: &Arc<Self>, clock: &Clock) -> Turn {
        let _next = self.entrance.lock().await;
        loop {
            let room = self.written().enter(clock.now());
            match room {
                Room::Now => return Turn { pace: self.clone(), clock: clock.clone() },
                Room::In(time) => clock.pass(time).await,
                Room::AfterOne => self.ended.notified().await,
            }
        }
    }
}

impl Written {
    fn enter(&mut self, now: Timestamp) -> Room {
        let counts = |ended: &Timestamp| now.duration_since(*ended) < MINUTE;
        while self.ended.front().is_some_and(|ended| !counts(ended)) {
            self.ended.pop_front();
        }
        if self.running + self.ended.len() < MOST {
            self.running += 1;
            return Room::Now;
        }
        match self.ended.front() {
            Some(oldest) => Room::In((MINUTE - now.duration_since(*oldest)).unsigned_abs()),
            None => Room::AfterOne,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut written = self.pace.written();
        written.running = written.running.saturating_sub(1);
        written.ended.push_back(self.clock.now());
        drop(written);
        self.pace.ended.notify_one();
    }
}
