//! The tests ran against this commit, and what they came to is known and kept; a result that is there for this commit is
//! used again.
//!
//! Tests that fail do not fail this step: their results are its outcome, and whoever drives it judges by them. But tests
//! that leave no results behind have failed, whatever their program says of itself.
//!
//! What they print is the code under review's: it is shown so that no line of it is taken for a command to the runner.
//! Must never: count results from before; run again what was run, because its result could not be kept at once.

mod command;
mod job;
mod kept;
mod report;
mod shown;

pub use kept::{found, keep, mend, past};
pub use report::{BEGIN, END};
pub use shown::{Lines, Shown};

use super::{Context, HEALTH, Step, TESTS, Verdict};
use crate::{
    clients::child::Surroundings,
    domain::{names::HeadSha, plan::Spec, results::Results},
    mask::Mask,
    progress::Progress,
    settings::{self, Namespace, Run, Var},
};
use anyhow::Result;
use async_trait::async_trait;
use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// See the module.
pub struct Tested {
    /// What is run.
    pub tests: settings::Tests,
    /// The app's own variables.
    pub vars: Vec<Var>,
    /// Where a Job goes that names no namespace.
    pub namespace: Namespace,
    /// What a command gets of the outside.
    pub surroundings: Surroundings,
    /// Where what they print is shown.
    pub shown: Shown,
    /// What their results must not hold: they are told again by others, who do not know it.
    pub mask: Mask,
    /// How long it may take: that of the tests, and on top what it takes to begin and to keep their results.
    pub patience: Duration,
    /// What was found out so far.
    pub run: Progressed,
}

/// What this process knows of the tests that it runs: so that nothing is shown twice, and nothing run twice because its
/// result could not be kept.
#[derive(Default)]
pub struct Progressed {
    ran: Mutex<Option<(Option<HeadSha>, Results)>>,
    log: job::Heard,
}

#[async_trait(?Send)]
impl Step for Tested {
    fn spec(&self) -> Spec {
        Spec { name: TESTS, needs: &[HEALTH], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        let head = cx.scope.head();
        let name = &self.name();
        // Without a commit, nothing tells one run from another.
        if let Some(head) = head
            && let Some(results) = kept::found(cx.store, &cx.scope.name, head, name).await?
        {
            return Ok(self.say(cx, results));
        }
        let (mut results, is_new) = match self.ran(head) {
            Some(results) => (results, false),
            None => match &self.tests.run {
                Run::Report(name) => {
                    cx.board.say(Verdict::Awaited(name.clone()));
                    return Ok(Progress::done(format!("waits for the report of {name}")));
                }
                Run::Command { command, directory, junit } => {
                    (self.command(cx, (command, directory, junit), name).await?, true)
                }
                Run::Job { file, junit } => match self.job(cx, (file, junit.as_deref()), name).await? {
                    Ok(results) => (results, true),
                    Err(wait) => return Ok(Progress::Waiting(wait)),
                },
            },
        };
        if is_new {
            results.redact(|text| self.mask.redact(text));
            *self.run.ran.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((head.cloned(), results.clone()));
        }
        if let Some(head) = head {
            keep(cx.store, &cx.scope.name, head, name, &results, cx.clock.now()).await?;
        }
        Ok(self.say(cx, results))
    }

    async fn remove(&self, _cx: &Context<'_>) -> Result<Progress> {
        Ok(Progress::done("goes with the cluster"))
    }
}

impl Tested {
    /// What their results are called: `cypress`.
    fn name(&self) -> String {
        let named = match &self.tests.run {
            Run::Report(name) => return name.clone(),
            Run::Job { file, .. } => file.file_stem(),
            Run::Command { command, .. } => {
                command.first().and_then(|program| Path::new(program).file_name())
            }
        };
        named.map_or("tests".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// What was run in this process, for this commit.
    fn ran(&self, head: Option<&HeadSha>) -> Option<Results> {
        let ran = self.run.ran.lock().unwrap_or_else(PoisonError::into_inner);
        ran.as_ref().filter(|(of, _)| of.as_ref() == head).map(|(_, results)| results.clone())
    }

    fn say(&self, cx: &Context<'_>, results: Results) -> Progress {
        let Results { passed, failed, skipped, .. } = &results;
        let detail = format!("{passed} passed, {failed} failed, {skipped} skipped");
        cx.board.say(Verdict::Ran(results));
        Progress::done(detail)
    }

    /// How long the tests themselves may take.
    fn limit(&self) -> Duration {
        self.tests.timeout.unsigned_abs()
    }
}
