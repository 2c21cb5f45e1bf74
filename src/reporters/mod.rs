//! What happened, told.
//!
//! The report is a state, not a stream: a sink that is slow sees the latest and skips the rest. Must never: fail the run; hold
//! it up longer than a last word may take; overwrite what a run of a higher generation has said.

pub mod check;
pub mod comment;
pub mod deployment;
pub mod markdown;
pub mod outputs;
pub mod status;
pub mod summary;
pub mod terminal;
pub mod verdict;
mod words;

use crate::{
    clients::{Failure, Kind},
    clock::Clock,
    domain::{
        holder::Holder,
        plan::StepName,
        report::{Report, Status},
    },
    mask::Mask,
};
use anyhow::Result;
use async_trait::async_trait;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};

/// Where a report is shown.
#[async_trait]
pub trait Reporter: Send + Sync {
    /// For messages about it.
    fn name(&self) -> &'static str;
    /// Makes it say what the report says. Called with every state that is not overtaken, and with the last one.
    async fn show(&self, report: &Report) -> Result<()>;
    /// Ends when a run that goes on may be shown again. How it ended is shown without a rest.
    async fn rest(&self) {}
}

/// Those that show one run.
pub type Sinks = Vec<Arc<dyn Reporter>>;

/// Which they are, by whose run it is.
type SinksOf = dyn Fn(&Holder) -> Sinks;

/// All sinks of a process.
#[derive(Clone, Default)]
pub struct Reporters {
    all: Sinks,
    /// Of each holder, where a process works on many.
    of: Option<Arc<SinksOf>>,
}

/// A cancelled job has 7.5 s before it is ended; the last word gets two of them.
pub const LAST_WORD: Duration = Duration::from_secs(2);

/// After which times the last word is tried again.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// A report that is being told.
pub struct Telling {
    report: watch::Sender<Report>,
    sinks: JoinSet<()>,
    mask: Mask,
}

impl Reporters {
    /// These.
    pub fn new(all: Sinks) -> Self {
        Self { all, of: None }
    }

    /// For each holder its own.
    pub fn of_each(of: impl Fn(&Holder) -> Sinks + 'static) -> Self {
        Self { all: Sinks::new(), of: Some(Arc::new(of)) }
    }

    /// And these.
    #[must_use]
    pub fn with(mut self, more: Sinks) -> Self {
        self.all.extend(more);
        self
    }

    /// Begins to tell; nowhere what is hidden, as soon as it is.
    pub fn start(&self, first: Report, mask: &Mask, clock: &Clock) -> Telling {
        let own = self.of.as_ref().map(|of| of(&first.environment)).unwrap_or_default();
        let report = watch::Sender::new(first);
        let mut sinks = JoinSet::new();
        for sink in self.all.iter().chain(&own) {
            let sink = Arc::clone(sink);
            let (mut told, clock) = (report.subscribe(), clock.clone());
            sinks.spawn(async move {
                while told.changed().await.is_ok() {
                    let now = told.borrow_and_update().clone();
                    if let Err(error) = shown(&*sink, &now, &clock).await {
                        tracing::warn!("the {} could not be written: {error:#}", sink.name());
                        if Failure::of(&error) == Kind::Refused {
                            // It will be refused every time, and has been told once.
                            return;
                        }
                    }
                    // Not by `told`: what it has waited for counts as seen.
                    let mut end = told.clone();
                    tokio::select! {
                        () = sink.rest() => {}
                        _ = end.wait_for(|report| report.outcome.is_some()) => {}
                    }
                }
            });
        }
        Telling { report, sinks, mask: mask.clone() }
    }
}

/// A state in between may be lost; of the last word it is tried again, for nobody else will say it.
async fn shown(sink: &dyn Reporter, report: &Report, clock: &Clock) -> Result<()> {
    for pause in AGAIN.iter().filter(|_| report.outcome.is_some()) {
        match sink.show(report).await {
            Err(error) if matches!(Failure::of(&error), Kind::Unavailable { .. }) => clock.pass(*pause).await,
            shown => return shown,
        }
    }
    sink.show(report).await
}

impl Telling {
    /// Changes the report.
    pub fn say(&self, change: impl FnOnce(&mut Report)) {
        self.report.send_modify(|report| {
            change(report);
            report.redact(|text| self.mask.redact(text));
        });
    }

    /// Says how far a step has come.
    pub fn phase(&self, step: StepName, status: Status, detail: impl Into<String>, now: Timestamp) {
        self.say(|report| report.phase(step, status, detail, now));
    }

    /// The report as it stands.
    pub fn report(&self) -> Report {
        self.report.borrow().clone()
    }

    /// Waits until every sink has shown the last state, `within` at most.
    pub async fn finish(self, within: Duration) -> Report {
        let Self { report, mut sinks, .. } = self;
        let last = report.borrow().clone();
        drop(report);
        let all = async { while sinks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("not everything could be told within {within:?}");
        }
        last
    }
}
