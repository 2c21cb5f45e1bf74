//! Those who wait: what they are told, who of them is called, and what is brought to its end for them.
//!
//! A call is noted on exactly the claim that was read, and only then made: of two who would call, one does. Must never: call
//! on the ground of a list of which a part is missing; fail a run that has done its own.

use super::{Called, Engine, Event, Way, handle::CLAIM};
use crate::{
    documents::{Key, NotWritten, write_surely},
    domain::{
        claim::{Claim, State},
        holder::Holder,
        intent::Occasion,
        measured::Measured,
        names::PlaceName,
        queue::{Queue, Standing, Times, is_to_be_called},
        report::{Outcome, Report, Status},
    },
    reporters::{Reporters, Telling},
};
use anyhow::Result;
use jiff::SignedDuration;
use std::{collections::BTreeSet, net::Ipv4Addr};

/// So many who measure at the same time one gives way to.
const TRIES: usize = 5;

impl Engine {
    /// Calls everybody whose turn has come, of all places, if nobody works for them.
    pub async fn call_next(&self) -> Result<Vec<Called>> {
        let (pools, now) = (&self.protocol.pools, self.protocol.pools.clock.now());
        let read = async || Ok((pools.look().await?, pools.claims.readable().await?));
        let (pool, claims) = self.patiently(read).await?;
        let mut called = Vec::new();
        for place in &pools.places {
            for claim in Standing::of(place, &claims, &pool, &pools.taken).to_call(now) {
                called.extend(self.call(claim).await?);
            }
        }
        Ok(called)
    }

    /// `None`: somebody else has called it, or it has come.
    async fn call(&self, listed: &Claim) -> Result<Option<Called>> {
        let holder = listed.holder().clone();
        let Some(calls) = &self.calls else {
            let way = Way::Nobody("there is no token for GitHub".to_owned());
            return Ok(Some(Called { holder, way }));
        };
        let (claims, now) = (&self.protocol.pools.claims, self.protocol.pools.clock.now());
        let basis = self.patiently(async || claims.read(&listed.name()).await).await?;
        let Some(claim) = basis.claim().filter(|claim| is_to_be_called(claim, now)) else { return Ok(None) };
        match claims.annotate(&basis, |claim| claim.called(now)).await {
            Ok(()) => Ok(Some(Called { holder, way: calls.call(claim).await })),
            Err(NotWritten::Conflict) => Ok(None),
            Err(NotWritten::Unknown(error)) => Err(error),
        }
    }

    /// After something has been freed: whoever is next is called, and this run's report says so.
    pub(super) async fn hand_over(&self, whose: &Holder, telling: &Telling) {
        let called = match self.call_next().await {
            Ok(called) => called,
            Err(error) => return tracing::warn!("whoever waits could not be called: {error:#}"),
        };
        // What is another repository's is nobody's to read here.
        let is_own = |other: &Holder| other.repository() == whose.repository();
        let next: Vec<String> = called
            .iter()
            .map(|Called { holder, way }| match way {
                way if is_own(holder) => format!("{holder} is next: {way}"),
                Way::Nobody(_) => "another repository is next: at its next event".to_owned(),
                way => format!("another repository is next: {way}"),
            })
            .collect();
        if !next.is_empty() {
            let now = self.protocol.pools.clock.now();
            telling.phase(CLAIM, Status::Done, next.join("; "), now);
        }
    }

    /// What whoever waits is told of its place. `in_use`: by live objects, whatever the documents say.
    pub(super) async fn in_line(&self, claim: &Claim, in_use: &BTreeSet<Ipv4Addr>) -> Result<Option<Queue>> {
        let pools = &self.protocol.pools;
        let Some(place) = claim.place().and_then(|name| pools.places.get_key_value(name)) else {
            return Ok(None);
        };
        let read = async || Ok((pools.look().await?, pools.claims.readable().await?, self.measured().await?));
        let (pool, claims, measured) = self.patiently(read).await?;
        let taken = &pools.taken | in_use;
        let standing = Standing::of(place, &claims, &pool, &taken);
        let now = pools.clock.now();
        let can_be_sent_events = self.calls.is_some() && matches!(claim.holder(), Holder::PullRequest(_));
        let by_itself = claim.job().is_some() || can_be_sent_events;
        let times = Times { measured, grace: self.protocol.terms.grace, now };
        Ok(standing.queue(claim, &times, by_itself))
    }

    /// The report of an environment that waits, by the documents alone; `None`: it does not.
    pub async fn waiting(&self, claim: &Claim) -> Result<Option<Report>> {
        let State::Waiting { since, .. } = claim.state() else { return Ok(None) };
        let Some(queue) = self.in_line(claim, &BTreeSet::new()).await? else { return Ok(None) };
        let mut report = Report::new(claim.holder(), *since);
        report.provider = self.provider.clone();
        report.outcome = Some(Outcome::Queued);
        report.generation = Some(claim.generation());
        report.head_sha = claim.head().cloned();
        report.expires_at = Some(claim.expires());
        report.queue = Some(queue);
        Ok(Some(report))
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
