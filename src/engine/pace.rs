//! How long to wait before deciding again, and the ids of takings: all of the engine that is left to chance.
//!
//! Must never: wait without a bound.

use crate::{
    clock::Clock,
    documents::{Store, installation},
    domain::{
        intent,
        names::{Installation, Malformed},
    },
    errors::{Exit, UserError},
};
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Between two tries that met a conflict: a random part of a span that doubles up to a limit, so that many contenders
/// spread out instead of colliding again.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The first span.
    pub first: Duration,
    /// The longest span.
    pub most: Duration,
    /// How many tries in all. Each conflict is somebody else's success, so this bounds how many may go ahead of us.
    pub tries: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_millis(5), most: Duration::from_millis(250), tries: 1000 }
    }
}

impl Pace {
    /// Decides until a decision was written. `attempt` gives `None` on a conflict, and then reads everything again.
    pub(super) async fn until_written<T>(
        &self,
        clock: &Clock,
        what: &str,
        mut attempt: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        for tried in 0..self.tries {
            if let Some(done) = attempt().await? {
                return Ok(done);
            }
            let span = self.first.saturating_mul(1 << tried.min(16)).min(self.most);
            // A fresh RandomState is seeded by the system: enough chance for a wait.
            let chance = RandomState::new().hash_one(tried) % 1024;
            clock.pass(span.mul_f64(chance as f64 / 1024.0)).await;
        }
        let message = format!("{what} was changed by somebody else at each of {} tries", self.tries);
        Err(UserError::new(Exit::Unknown, message)
            .hint("nothing was written; look who writes there, then try again")
            .into())
    }
}

/// Gives every taking an id of its own.
pub struct Ids {
    process: String,
    next: AtomicU64,
    /// Whose claims are made; empty: nobody has asked yet.
    installation: OnceLock<Option<Installation>>,
}

impl Ids {
    /// Unlike any other process's.
    pub fn random() -> anyhow::Result<Self> {
        let mut bytes = [0u8; 12];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| anyhow::anyhow!("the system gave no random bytes for a run id"))?;
        Ok(Self::of(&bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())?.asking())
    }

    /// With a known prefix, for what must be repeatable; of no installation.
    pub fn of(process: &str) -> Result<Self, Malformed> {
        let (next, installation) = (AtomicU64::new(1), OnceLock::from(None));
        let ids = Self { process: process.to_owned(), next, installation };
        // Found out here, once, and not at a later taking.
        ids.take()?;
        Ok(ids)
    }

    /// Of the store's installation, whichever that is.
    pub fn asking(self) -> Self {
        Self { installation: OnceLock::new(), ..self }
    }

    /// Before a claim is made, which tells whose it is.
    pub(super) async fn settle(&self, store: &dyn Store) -> anyhow::Result<()> {
        if self.installation.get().is_none() {
            let name = || Ok(self.process.get(..8).unwrap_or(&self.process).parse()?);
            // Whoever else has asked meanwhile was told the same.
            let _ = self.installation.set(Some(installation::named(store, name).await?));
        }
        Ok(())
    }

    /// The ids of one taking.
    pub(super) fn take(&self) -> Result<intent::Ids, Malformed> {
        let id = format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed));
        let uid = match self.installation.get().and_then(Option::as_ref) {
            Some(installation) => format!("{installation}-{id}").parse()?,
            None => id.parse()?,
        };
        Ok(intent::Ids { run: id.parse()?, uid })
    }
}

impl std::fmt::Display for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.process)
    }
}
