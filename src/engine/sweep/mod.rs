//! Everything at once: what is past its time goes, what a dead run has left half done is brought to its end, and what nobody
//! claims any more is found.
//!
//! It reads all, means something by it (`domain/sweep.rs`), and does each thing as an event of its own, which reads claim and
//! pull request once more. Nothing is brought up by it. Must never: let one that fails keep the others; remove anything once
//! the fuse has blown.

mod act;
mod read;

use super::{Called, Engine};
use crate::{
    documents::{Document, Key, NotWritten, Store, write_surely},
    domain::{
        claim::{Claim, Elsewhere, ProviderKind, Removal},
        holder::Holder,
        names::{ContextName, EnvironmentName},
        report::{Outcome, Report},
        sweep::{Action, Fuse, Line, On, Plan, Rules, plan},
        swept::Swept,
    },
    errors::{Exit, UserError, explain},
    steps::Step,
};
use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};
use tokio::sync::OnceCell;

/// So many at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Looks at all environments of a store.
pub struct Sweeper {
    /// Does what is meant.
    pub engine: Engine,
    /// Where environments may be.
    pub grounds: Vec<Ground>,
    /// How long before its end people are warned.
    pub warn: SignedDuration,
    /// After how long without a word something counts as stuck.
    pub stuck: SignedDuration,
    /// What it may remove.
    pub fuse: Fuse,
}

/// One way in which environments are made real, and where.
pub struct Ground {
    /// As people call it.
    pub name: String,
    /// How.
    pub provider: ProviderKind,
    /// In which cluster.
    pub context: Option<ContextName>,
    /// What is done there.
    pub steps: Vec<Box<dyn Step>>,
    /// What would be made there for a holder.
    pub removal: RemovalOf,
}

impl Ground {
    /// Of an environment of which nothing is known but how it would be made, and where.
    fn nothing(&self) -> Removal {
        let (provider, context) = (self.provider, self.context.clone());
        Removal { provider, context, objects: Vec::new(), elsewhere: Vec::new(), hosts: Vec::new() }
    }
}

/// Says what would be made for a holder, of whom this was found.
pub type RemovalOf = Box<dyn Fn(&Holder, &[Elsewhere]) -> Result<Removal>>;

/// Whether what is meant is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Do,
    /// It is only said: nothing is written, be it a mark.
    DryRun,
}

/// How much was read, all of it completely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Claims.
    pub claims: usize,
    /// Objects that bear our marks.
    pub objects: usize,
    /// Entries of the pool.
    pub pool_entries: usize,
    /// Pull requests that are open.
    pub open_pull_requests: usize,
}

/// What a sweep came to.
#[derive(Debug)]
pub struct Sweep {
    /// What was read.
    pub read: Counts,
    /// What was meant.
    pub plan: Plan,
    /// What it might remove.
    pub fuse: Fuse,
    /// What became of each that was done, by the number of its line.
    pub ended: BTreeMap<usize, Report>,
    /// Who was told that their turn has come.
    pub called: Vec<Called>,
    /// How long there was no sweep before this, where that is too long.
    pub overdue: Option<String>,
    /// Why nobody could be, or be told where they stand, as far as that is so.
    pub uncalled: Option<String>,
    /// Whether anything was.
    pub mode: Mode,
}

impl Sweeper {
    /// Once. `stop` ends with the number of the signal that ends it.
    pub async fn sweep(&self, mode: Mode, stop: impl Future<Output = u8>) -> Result<Sweep> {
        let stop = futures::FutureExt::shared(stop);
        let clock = &self.engine.protocol.pools.clock;
        let (found, read) = tokio::select! {
            biased;
            signal = stop.clone() => return Err(super::Declined(Outcome::Interrupted { signal }).into()),
            found = self.read() => found.context("nothing was swept")?,
        };
        let (now, terms, places) =
            (clock.now(), &self.engine.protocol.terms, &self.engine.protocol.pools.places);
        let rules = Rules { terms, warn: self.warn, stuck: self.stuck, fuse: self.fuse, places };
        let plan = plan(&found, &rules, now);
        let overdue = found.last.as_ref().and_then(|last| last.overdue(now));
        let (ended, called) = (BTreeMap::new(), Vec::new());
        let mut sweep = Sweep { read, plan, fuse: self.fuse, ended, called, overdue, uncalled: None, mode };
        if mode == Mode::DryRun {
            return Ok(sweep);
        }
        // Before anything is done: a sweep that is killed has marked all the same.
        let claims: BTreeMap<EnvironmentName, &Claim> =
            found.claims.iter().map(|claim| (claim.name(), claim)).collect();
        let known = found.last.iter().flat_map(|last| last.stuck.clone());
        let known: BTreeMap<_, _> = known
            .filter(|(name, since)| claims.get(name).is_some_and(|claim| claim.going_since() == Some(*since)))
            .collect();
        let swept = Swept::new(now, sweep.plan.marks.clone(), sweep.plan.blown).meeting(known.clone());
        if swept.marks.len() < sweep.plan.marks.len() {
            let (kept, all) = (swept.marks.len(), sweep.plan.marks.len());
            tracing::warn!("of {all} marks a document holds {kept}; the others come once these are gone");
        }
        self.leave(&swept, |_| true).await?;
        // What is free now waits for nothing that goes slowly.
        self.call_next(&mut sweep, async || self.in_use().await).await;
        sweep.ended = self.act(&sweep.plan, stop.clone()).await;
        let look = OnceCell::new();
        let in_use = async || look.get_or_try_init(|| self.in_use()).await.cloned();
        let has_freed = |report: &Report| matches!(report.outcome, Some(Outcome::Removed { free_at: None }));
        if sweep.ended.values().any(has_freed) {
            self.call_next(&mut sweep, in_use).await;
        }
        // Where they stand in the line may have changed.
        if let Err(error) = self.tell_the_line(&found.claims, in_use, stop).await {
            sweep.uncalled.get_or_insert(explain(&error));
        }
        let stuck = self.stuck(&sweep, &claims, now);
        if stuck != known {
            // A later sweep has seen more.
            let is_ours = |left: Option<&Swept>| left.is_some_and(|left| left.at == now);
            self.leave(&swept.meeting(stuck), is_ours).await?;
        }
        Ok(sweep)
    }

    /// Of two tries to call one, the later counts.
    async fn call_next(&self, sweep: &mut Sweep, in_use: impl AsyncFnOnce() -> Result<BTreeSet<Ipv4Addr>>) {
        match self.engine.call_next(in_use).await {
            Ok(called) => {
                sweep.called.retain(|one| called.iter().all(|other| other.holder != one.holder));
                sweep.called.extend(called);
                sweep.uncalled = None;
            }
            Err(error) => sweep.uncalled = Some(explain(&error)),
        }
    }

    /// What was to go for long, and has not gone now either.
    fn stuck(
        &self,
        sweep: &Sweep,
        claims: &BTreeMap<EnvironmentName, &Claim>,
        now: Timestamp,
    ) -> BTreeMap<EnvironmentName, Timestamp> {
        let lines = sweep.plan.lines.iter().enumerate();
        let stuck = lines.filter_map(|(number, Line { action, on, .. })| {
            let (Action::Resume | Action::Free, On::Claimed(holder)) = (action, on) else { return None };
            let ended = sweep.ended.get(&number)?.outcome.as_ref();
            let has_gone = matches!(ended, Some(Outcome::Removed { .. } | Outcome::Superseded));
            let since = claims.get(&holder.name())?.going_since()?;
            let is_long = since.saturating_add(self.stuck).is_ok_and(|at| at <= now);
            (!has_gone && is_long).then(|| (holder.name(), since))
        });
        stuck.collect()
    }

    /// For the next sweep, and for those who wait, over what may be written over. Of two at once, the later one counts.
    async fn leave(&self, swept: &Swept, over: impl Fn(Option<&Swept>) -> bool) -> Result<()> {
        let Ok(Value::Object(document)) = serde_json::to_value(swept) else {
            unreachable!("a struct of plain data serialises to an object")
        };
        let (pools, store) = (&self.engine.protocol.pools, self.engine.protocol.pools.claims.store());
        let what = store.place(&Key::Sweep);
        let attempt = async || {
            let read = store.read(&Key::Sweep).await?;
            if !over(known(read.document(), &what)?.as_ref()) {
                return Ok(Some(()));
            }
            match write_surely(store, &Key::Sweep, &document, read.version()).await {
                Ok(_) => Ok(Some(())),
                Err(NotWritten::Conflict) => Ok(None),
                Err(NotWritten::Unknown(error)) => Err(error),
            }
        };
        self.engine.patiently(async || pools.pace.until_written(&pools.clock, &what, attempt).await).await
    }
}

/// What the last sweep has left; one of a newer version is not written over.
fn known(document: Option<&Document>, place: &str) -> Result<Option<Swept>> {
    let Some(document) = document else { return Ok(None) };
    let newer = || {
        UserError::new(Exit::Unknown, format!("{place} is nothing that this version of berth can read"))
            .hint("a newer one may have written it: sweep by that; else look at it, and remove it")
    };
    let swept: Swept = serde_json::from_value(Value::Object(document.clone())).with_context(newer)?;
    if swept.is_known() { Ok(Some(swept)) } else { Err(newer().into()) }
}

/// When the last sweep was, and what it has met; `None`: there was none.
pub(super) async fn last(store: &dyn Store) -> Result<Option<Swept>> {
    let read = store.read(&Key::Sweep).await?;
    known(read.document(), &store.place(&Key::Sweep))
}
