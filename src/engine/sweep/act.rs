//! What a sweep means, done: each thing by a run of its own.
//!
//! Must never: remove what somebody claims by now, or wants; go on with one because of another.

use super::{SIDE_BY_SIDE, Sweeper};
use crate::{
    documents::NotWritten,
    domain::{
        claim::{Claim, Removal, State},
        holder::Holder,
        intent::{Occasion, Wanted},
        report::{Outcome, Report},
        sweep::{Action, Line, On, Orphan, Plan},
    },
    engine::{Event, outcome_of},
    reporters::Telling,
};
use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// So often a sweep has somebody begin the same thing anew.
const NUDGES: u8 = 2;

/// What came of claiming something that nobody claimed.
enum Adopted {
    /// It is claimed, and goes.
    Goes,
    /// It stays: why.
    Stays(String),
}

impl Sweeper {
    /// Side by side; what became of each, by the number of its line.
    pub(super) async fn act(
        &self,
        plan: &Plan,
        stop: impl Future<Output = u8> + Clone,
    ) -> BTreeMap<usize, Report> {
        let lines = plan.lines.iter().enumerate();
        // What is half gone goes on, whatever the fuse says.
        let lines = lines.filter(|(_, line)| line.action != Action::Remove || plan.blown.is_none());
        let each = lines.map(async |(number, line)| Some((number, self.one(line, stop.clone()).await?)));
        let ended: Vec<_> = stream::iter(each).buffer_unordered(SIDE_BY_SIDE).collect().await;
        ended.into_iter().flatten().collect()
    }

    /// `None`: there is nothing to do.
    async fn one(&self, line: &Line, stop: impl Future<Output = u8>) -> Option<Report> {
        let swept = |holder: &Holder| Event { holder: holder.clone(), occasion: Occasion::Sweep };
        match (line.action, &line.on) {
            (
                Action::Remove | Action::Resume | Action::Free | Action::Close | Action::Reopen,
                On::Claimed(holder),
            ) => Some(self.engine.handle(&swept(holder), stop).await),
            (Action::Remove, On::Orphan(orphan)) => {
                let outcome = match self.adopt(orphan).await {
                    Ok(Adopted::Goes) => return Some(self.engine.handle(&swept(&orphan.holder), stop).await),
                    Ok(Adopted::Stays(why)) => Outcome::Unconcerned { why },
                    Err(error) => outcome_of(&error),
                };
                Some(self.came(&orphan.holder, outcome))
            }
            (Action::Warn, On::Claimed(holder)) => Some(self.warn(holder, stop).await),
            (Action::Start, On::Claimed(holder)) => {
                let attempt = async |telling: &Telling| self.start(holder, telling).await;
                Some(self.engine.telling(holder, attempt, stop).await)
            }
            _ => None,
        }
    }

    /// Tells people when it goes, and notes that they were told.
    async fn warn(&self, holder: &Holder, stop: impl Future<Output = u8>) -> Report {
        let report = self.engine.tell_again(holder, stop).await;
        if !matches!(
            report.outcome,
            Some(Outcome::Ready | Outcome::TestsFailed | Outcome::AwaitingTests { .. })
        ) {
            return report;
        }
        let claims = &self.engine.protocol.pools.claims;
        let noted = self.engine.patiently(async || {
            let basis = claims.read(&holder.name()).await?;
            let stands = |claim: &&Claim| matches!(claim.state(), State::Held { closed_at: None, .. });
            if basis.claim().filter(stands).is_none_or(Claim::is_warned) {
                return Ok(());
            }
            match claims.annotate(&basis, Claim::warned).await {
                // Who has it now tells more than this would.
                Ok(_) | Err(NotWritten::Conflict) => Ok(()),
                Err(NotWritten::Unknown(error)) => Err(error),
            }
        });
        match noted.await {
            Ok(()) => report,
            Err(error) => self.came(holder, outcome_of(&error)),
        }
    }

    /// Nothing is brought up by a sweep: it has somebody do so, if nobody is at it.
    async fn start(&self, holder: &Holder, telling: &Telling) -> Result<Outcome> {
        let (engine, claims) = (&self.engine, &self.engine.protocol.pools.claims);
        let unconcerned = |why: &str| Ok(Outcome::Unconcerned { why: why.to_owned() });
        let basis = engine.patiently(async || claims.read(&holder.name()).await).await?;
        let stands = |claim: &&Claim| matches!(claim.state(), State::Held { closed_at: None, .. });
        let Some(claim) = basis.claim().filter(|claim| claim.holder() == holder).filter(stands) else {
            return unconcerned("it goes by now");
        };
        let Some(calls) = &engine.calls else {
            return unconcerned("there is no token for GitHub, so nobody can be called");
        };
        let has_said = claim.outcome().is_some();
        let has_ended = match (claim.job(), has_said) {
            (_, true) => Some(true),
            (Some(job), false) => calls.has_ended(job).await,
            (None, false) => None,
        };
        match has_ended {
            Some(true) => {}
            Some(false) => return unconcerned("its run is at it still"),
            None => {
                let by = claim.job().map_or("who began it by hand".to_owned(), ToString::to_string);
                let why = format!(
                    "nobody can tell whether {by} is at it still: look there; a push or `/berth up` begins it again"
                );
                return Ok(Outcome::Unknown { step: None, why });
            }
        }
        let by = claim.job().map_or("its run".to_owned(), ToString::to_string);
        let way = if claim.nudged() < NUDGES {
            match claims.annotate(&basis, Claim::nudging).await {
                Ok(_) => calls.call(claim).await.to_string(),
                Err(NotWritten::Conflict) => return unconcerned("somebody is at it by now"),
                Err(NotWritten::Unknown(error)) => return Err(error),
            }
        } else {
            format!(
                "it was begun anew {NUDGES} times, in vain: look at its job; a push or `/berth up` begins it again"
            )
        };
        let why = match has_said {
            true => format!("nothing of it is there any more, though it was ready; {way}"),
            false => format!("{by} has ended without a word; {way}"),
        };
        let (diagnosis, evidence) = engine.diagnosed(claim, &why).await;
        telling.say(|report| {
            report.generation = Some(claim.generation());
            report.head_sha = claim.head().cloned();
            (report.diagnosis, report.evidence) = (diagnosis, evidence);
        });
        Ok(Outcome::Unknown { step: None, why })
    }

    /// Where each that waits stands in the line by now.
    pub(super) async fn tell_the_line(
        &self,
        claims: &[Claim],
        in_use: impl AsyncFnOnce() -> Result<BTreeSet<Ipv4Addr>>,
        stop: impl Future<Output = u8> + Clone,
    ) -> Result<()> {
        let waiting: Vec<&Claim> =
            claims.iter().filter(|claim| matches!(claim.state(), State::Waiting { .. })).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let lines = self.engine.lines(&in_use().await?).await?;
        let each = waiting.into_iter().map(async |claim| {
            self.engine.tell_with(claim.holder(), Some(&lines), stop.clone()).await;
        });
        stream::iter(each).buffer_unordered(SIDE_BY_SIDE).for_each(async |()| ()).await;
        Ok(())
    }

    fn came(&self, holder: &Holder, outcome: Outcome) -> Report {
        let now = self.engine.protocol.pools.clock.now();
        Report { outcome: Some(outcome), ended: Some(now), ..Report::new(holder, now) }
    }

    /// Claims what is left of an environment, so that it goes like any other. Read the claim, then what is wanted, then write.
    async fn adopt(&self, Orphan { holder, objects }: &Orphan) -> Result<Adopted> {
        let (engine, protocol) = (&self.engine, &self.engine.protocol);
        let (name, claims) = (holder.name(), &protocol.pools.claims);
        let basis = engine.patiently(async || claims.read(&name).await).await?;
        if basis.claim().is_some() {
            return Ok(Adopted::Stays("it has a claim by now".to_owned()));
        }
        if matches!(holder, Holder::PullRequest(_) | Holder::MergeGroup { .. }) {
            let asked = engine.patiently(async || engine.wishes.of(holder, None).await).await?;
            if matches!(asked.wanted, Wanted::Up(_)) {
                return Ok(Adopted::Stays("it is wanted by now".to_owned()));
            }
        }
        let ground =
            self.grounds.iter().find(|ground| objects.iter().any(|one| one.context == ground.context));
        let ground = ground.or(self.grounds.first()).context("an orphan was found somewhere")?;
        let mut removal: Removal = (ground.removal)(holder, objects)?;
        for found in objects {
            if found.context != removal.context {
                if !removal.elsewhere.contains(found) {
                    removal.elsewhere.push(found.clone());
                }
            } else if !removal.objects.contains(&found.object)
                && !removal.elsewhere.iter().any(|one| one.object == found.object)
            {
                removal.objects.push(found.object.clone());
            }
        }
        engine.patiently(async || protocol.ids.settle(claims.store()).await).await?;
        let ids = protocol.ids.take()?;
        let claim = Claim::of_orphan(holder.clone(), (ids.uid, ids.run), removal, protocol.pools.clock.now());
        match claims.take(basis, claim).await {
            Ok(_) => Ok(Adopted::Goes),
            Err(NotWritten::Conflict) => Ok(Adopted::Stays("it has a claim by now".to_owned())),
            Err(NotWritten::Unknown(error)) => Err(error.context(format!("could not claim {holder}"))),
        }
    }
}
