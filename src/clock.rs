//! The only place that asks what time it is, or lets time pass.
//!
//! Tests step it. tokio's paused clock is not used: it jumps while bytes are under way on a loopback socket.

use jiff::{SignedDuration, Timestamp};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// Of the process, or stepped by a test.
#[derive(Debug, Clone)]
pub struct Clock(Hands);

#[derive(Debug, Clone)]
enum Hands {
    System,
    Stepped(Arc<Stepped>),
}

#[derive(Debug)]
struct Stepped {
    now: watch::Sender<Timestamp>,
    /// How often somebody has begun to wait.
    waits: watch::Sender<usize>,
}

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        Self(Hands::System)
    }

    /// Stands still until `advance`: a wait that nothing wakes then hangs the test that finds it.
    pub fn stepped(start: Timestamp) -> Self {
        let (now, waits) = (watch::channel(start).0, watch::channel(0).0);
        Self(Hands::Stepped(Arc::new(Stepped { now, waits })))
    }

    /// What time it is.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Hands::System => Timestamp::now(),
            Hands::Stepped(hands) => *hands.now.borrow(),
        }
    }

    /// Steps a stepped clock; the machine's is not ours to step.
    pub fn advance(&self, by: SignedDuration) {
        if let Hands::Stepped(hands) = &self.0 {
            hands.now.send_modify(|now| *now = now.saturating_add(by).unwrap_or(Timestamp::MAX));
        }
    }

    /// Ends when that much time has passed.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub async fn pass(&self, duration: Duration) {
        match &self.0 {
            _ if duration.is_zero() => {}
            Hands::System => tokio::time::sleep(duration).await,
            Hands::Stepped(hands) => {
                let mut watched = hands.now.subscribe();
                let span = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
                let until = watched.borrow().saturating_add(span).unwrap_or(Timestamp::MAX);
                hands.waits.send_modify(|waits| *waits += 1);
                // The sender lives in self: it cannot be gone.
                let _ = watched.wait_for(|now| *now >= until).await;
            }
        }
    }

    /// The same, by itself: what something waits for that cannot be watched.
    pub fn passed(&self, duration: Duration) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let clock = self.clone();
        async move {
            clock.pass(duration).await;
            Ok(())
        }
    }

    /// Until somebody has begun to wait for a stepped clock this many times; for the machine's, nobody counts.
    pub async fn waited_for(&self, times: usize) {
        match &self.0 {
            Hands::System => std::future::pending().await,
            // The sender lives in self: it cannot be gone.
            Hands::Stepped(hands) => drop(hands.waits.subscribe().wait_for(|waits| *waits >= times).await),
        }
    }
}

/// The shortest time between two questions.
const SOONEST: Duration = Duration::from_millis(250);
/// Which part of the time that was waited so far passes before the next question.
const PART: u32 = 25;

/// When to ask again what cannot be watched: soon at first, and then the more seldom the longer it takes. So what a wait
/// loses by asking stays a small part of it, and a long one does not flood whoever is asked.
#[derive(Debug)]
pub struct Rhythm {
    longest: Duration,
    /// When the wait began; `None`: nobody waits.
    since: Mutex<Option<Timestamp>>,
}

impl Rhythm {
    /// Never more than this between two questions.
    pub const fn new(longest: Duration) -> Self {
        Self { longest, since: Mutex::new(None) }
    }

    /// What was waited for has come: whoever waits after this begins anew.
    pub fn rest(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ends when it is time for the next question. The wait began when this was called first, or first after a rest.
    pub fn next(&self, clock: &Clock) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let now = clock.now();
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
        let waited = now.duration_since(since).unsigned_abs();
        clock.passed((waited / PART).max(SOONEST).min(self.longest))
    }
}
