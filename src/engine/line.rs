//! Those who wait: what they are told, who of them is called, and what is brought to its end for them.
//!
//! A call is noted on exactly the claim that was read, and only then made: of two who would call, one does. Must never: call
//! on the ground of a list of which a part is missing, or of documents alone; fail a run that has done its own.

use super::{Called, Engine, Event, Way, handle::CLAIM};
use crate::{
    documents::{Key, NotWritten, write_surely},
    domain::{
        claim::{Claim, Removal, State},
        holder::Holder,
        intent::Occasion,
        measured::Measured,
        names::PlaceName,
        pool::Pool,
        queue::{GoesOn, Queue, Standing, Times, is_to_be_called, turn_since},
        report::{Outcome, Report, Status},
        scope::Scope,
    },
    errors::explain,
    reporters::{Reporters, Telling},
};
use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use std::{collections::BTreeSet, net::Ipv4Addr};

/// So many who measure at the same time one gives way to.
const TRIES: usize = 5;

/// All lines, by one look.
pub(super) struct Lines {
    pool: Pool,
    claims: Vec<Claim>,
    measured: Measured,
    /// By documents and by live objects.
    taken: BTreeSet<Ipv4Addr>,
}

impl Engine {
    /// Calls everybody whose turn has come, of all places, if nobody works for them; one of them costs no other the call.
    /// `in_use`: by live objects, whatever the documents say; nobody is called where that cannot be read.
    pub async fn call_next(
        &self,
        in_use: impl AsyncFnOnce() -> Result<BTreeSet<Ipv4Addr>>,
    ) -> Result<Vec<Called>> {
        let (pools, now) = (&self.protocol.pools, self.protocol.pools.clock.now());
        let read = async || Ok((pools.look().await?, pools.claims.readable().await?));
        let (pool, claims) = self.patiently(read).await?;
        let next = |taken: &BTreeSet<Ipv4Addr>| -> Vec<&Claim> {
            let of = |place| Standing::of(place, &claims, &pool, taken).to_call(now);
            pools.places.iter().flat_map(of).collect()
        };
        // Mostly nobody waits, and then nothing else needs to be read.
        if next(&pools.taken).is_empty() {
            return Ok(Vec::new());
        }
        let in_use = in_use().await.context("could not read what addresses are in use")?;
        let mut called = Vec::new();
        for claim in next(&(&pools.taken | &in_use)) {
            let way = match self.call(claim).await {
                Ok(Some(way)) => way,
                Ok(None) => continue,
                Err(error) => Way::Nobody(explain(&error)),
            };
            called.push(Called { holder: claim.holder().clone(), way });
        }
        Ok(called)
    }

    /// `None`: somebody else has called it, or it has come.
    async fn call(&self, listed: &Claim) -> Result<Option<Way>> {
        let (claims, now) = (&self.protocol.pools.claims, self.protocol.pools.clock.now());
        let basis = self.patiently(async || claims.read(&listed.name()).await).await?;
        let Some(claim) = basis.claim().filter(|claim| is_to_be_called(claim, now)) else { return Ok(None) };
        let noted = match claims.annotate(&basis, |claim| claim.called(now)).await {
            Ok(noted) => noted,
            Err(NotWritten::Conflict) => return Ok(None),
            Err(NotWritten::Unknown(error)) => return Err(error),
        };
        let way = match &self.calls {
            Some(calls) => calls.call(noted.claim().unwrap_or(claim)).await,
            None => Way::Nobody("there is no token for GitHub".to_owned()),
        };
        if !way.is_heard() {
            // Whoever can call it may do so now. Its ten minutes run: nobody waits for it for longer.
            let since = turn_since(claim, now);
            match claims.annotate(&noted, |claim| claim.called_in_vain(since)).await {
                Ok(_) | Err(NotWritten::Conflict) => {}
                Err(NotWritten::Unknown(error)) => return Err(error.context(way.to_string())),
            }
        }
        Ok(Some(way))
    }

    /// After something has been freed: whoever is next is called, and this run's report says so.
    pub(super) async fn hand_over(
        &self,
        whose: &Holder,
        in_use: impl AsyncFnOnce() -> Result<BTreeSet<Ipv4Addr>>,
        telling: &Telling,
    ) {
        // What is another repository's is nobody's to read here.
        let is_own = |other: &Holder| other.repository() == whose.repository();
        let next = match self.call_next(in_use).await {
            Ok(called) => called
                .iter()
                .map(|Called { holder, way }| match way {
                    way if is_own(holder) => format!("{holder} is next: {way}"),
                    Way::Nobody(_) => "another repository is next: at its next event".to_owned(),
                    way => format!("another repository is next: {way}"),
                })
                .collect(),
            Err(error) => {
                tracing::warn!("whoever waits could not be called: {error:#}");
                vec!["whoever waits could not be called: the next event or sweep does".to_owned()]
            }
        };
        if !next.is_empty() {
            let now = self.protocol.pools.clock.now();
            telling.phase(CLAIM, Status::Done, next.join("; "), now);
        }
    }

    /// What live objects of anybody use, in the cluster of what is removed so.
    pub(super) async fn in_use(&self, removal: &Removal) -> Result<BTreeSet<Ipv4Addr>> {
        let scope = Scope::nobodys(removal.clone());
        self.patiently(async || self.providers.of(removal).await?.in_use(&scope).await).await
    }

    /// Of all who wait. `in_use`: by live objects, whatever the documents say.
    pub(super) async fn lines(&self, in_use: &BTreeSet<Ipv4Addr>) -> Result<Lines> {
        let pools = &self.protocol.pools;
        let read = async || Ok((pools.look().await?, pools.claims.readable().await?, self.measured().await?));
        let (pool, claims, measured) = self.patiently(read).await?;
        Ok(Lines { pool, claims, measured, taken: &pools.taken | in_use })
    }

    /// Where a claim waits; `None`: what is in use there cannot be read, and then no place is told.
    pub(super) async fn lines_beside(&self, claim: &Claim) -> Result<Option<Lines>> {
        match self.in_use(claim.removal()).await {
            Ok(in_use) => self.lines(&in_use).await.map(Some),
            Err(error) => {
                tracing::warn!("what addresses are in use could not be read: {error:#}");
                Ok(None)
            }
        }
    }

    /// What whoever waits is told of its place.
    pub(super) fn in_line(
        &self,
        claim: &Claim,
        Lines { pool, claims, measured, taken }: &Lines,
    ) -> Option<Queue> {
        let pools = &self.protocol.pools;
        let place = pools.places.get_key_value(claim.place()?)?;
        let (grace, now) = (self.protocol.terms.grace, pools.clock.now());
        let goes_on = match (claim.job(), claim.holder()) {
            (Some(_), _) => GoesOn::ByJob,
            (None, Holder::PullRequest(_)) if self.calls.is_some() => GoesOn::ByEvent,
            _ => GoesOn::ByHand,
        };
        let times = Times { measured: measured.clone(), grace, now };
        Standing::of(place, claims, pool, taken).queue(claim, &times, goes_on)
    }

    /// The report of an environment that waits, without a look at it; `None`: it does not.
    pub(super) fn waiting(&self, claim: &Claim, lines: &Lines) -> Option<Report> {
        let State::Waiting { since, .. } = claim.state() else { return None };
        let queue = self.in_line(claim, lines)?;
        let mut report = Report::new(claim.holder(), *since);
        report.provider = self.provider.clone();
        report.outcome = Some(Outcome::Queued);
        report.generation = Some(claim.generation());
        report.head_sha = claim.head().cloned();
        report.living(claim);
        report.queue = Some(queue);
        Some(report)
    }

    /// Brings those of a place to their end that have cooled, as the sweep would; whether any has come to it. What cannot
    /// be read is left alone.
    pub(super) async fn make_room(&self, place: &PlaceName) -> bool {
        let clock = &self.protocol.pools.clock;
        let listed = match self.protocol.pools.claims.list().await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!("nothing that has cooled could be freed: {error:#}");
                return false;
            }
        };
        let has_cooled = |claim: &Claim| {
            let is_over = matches!(claim.state(), State::Cooling { until, .. } if *until <= clock.now());
            is_over && claim.place() == Some(place)
        };
        let mut freed = false;
        for claim in listed.into_iter().filter_map(|listed| listed.claim.ok()).filter(has_cooled) {
            let event = Event { holder: claim.holder().clone(), occasion: Occasion::Sweep };
            // Told nowhere: the sinks of this run are another's.
            let telling =
                Reporters::default().start(Report::new(&event.holder, clock.now()), &self.mask, clock);
            match Box::pin(self.attempt(&event, &telling)).await {
                Ok(Outcome::Removed { free_at: None }) => freed = true,
                Ok(outcome) => tracing::debug!("{} is left alone: {}", event.holder, outcome.word()),
                Err(error) => tracing::debug!("{} is left alone: {error:#}", event.holder),
            }
        }
        freed
    }

    async fn measured(&self) -> Result<Measured> {
        let read = self.protocol.pools.claims.store().read(&Key::Measured).await?;
        Ok(read.document().map(Measured::of).unwrap_or_default())
    }

    /// Keeps how long it took; that it could not be kept is nobody's failure.
    pub(super) async fn measure(&self, removal: SignedDuration, life: SignedDuration) {
        let store = self.protocol.pools.claims.store();
        for _ in 0..TRIES {
            let read = match store.read(&Key::Measured).await {
                Ok(read) => read,
                Err(error) => return tracing::warn!("how long it took could not be kept: {error:#}"),
            };
            let next = read.document().map(Measured::of).unwrap_or_default().with(removal, life);
            match write_surely(store, &Key::Measured, &next.document(), read.version()).await {
                Ok(_) => return,
                Err(NotWritten::Conflict) => {}
                Err(NotWritten::Unknown(error)) => {
                    return tracing::warn!("how long it took could not be kept: {error:#}");
                }
            }
        }
    }
}
