//! What happened, told.
//!
//! The report is a state, not a stream: a sink that is slow sees the latest and skips the rest. Must never: fail the run; hold
//! it up longer than a last word may take; overwrite what a run of a higher generation has said.

pub mod markdown;
pub mod terminal;
mod words;

use crate::{
    domain::{
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
}

/// All sinks of a process.
#[derive(Clone, Default)]
pub struct Reporters(Vec<Arc<dyn Reporter>>);

/// A cancelled job has 7.5 s before it is ended; the last word gets two of them.
pub const LAST_WORD: Duration = Duration::from_secs(2);

/// A report that is being told.
pub struct Telling {
    report: watch::Sender<Report>,
    sinks: JoinSet<()>,
    mask: Mask,
}

impl Reporters {
    /// These.
    pub fn new(all: Vec<Arc<dyn Reporter>>) -> Self {
        Self(all)
    }

    /// Begins to tell; nowhere what is hidden, as soon as it is.
    pub fn start(&self, first: Report, mask: &Mask) -> Telling {
        let report = watch::Sender::new(first);
        let mut sinks = JoinSet::new();
        for sink in &self.0 {
            let sink = Arc::clone(sink);
            let mut told = report.subscribe();
            sinks.spawn(async move {
                while told.changed().await.is_ok() {
                    let now = told.borrow_and_update().clone();
                    if let Err(error) = sink.show(&now).await {
                        tracing::warn!("the {} could not be written: {error:#}", sink.name());
                    }
                }
            });
        }
        Telling { report, sinks, mask: mask.clone() }
    }
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
