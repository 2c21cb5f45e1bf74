//! Results of tests that another job hands in, and what they make of an environment that waits for them.
//!
//! They are kept first, and then the claim is read; who brings an environment up writes that it waits, and then looks for
//! them: so one of the two sees the other, whoever comes first. Must never: judge an environment at another commit by
//! them; take the claim from a run that is under way.

use super::{Engine, line::Lines, told};
use crate::{
    documents::{Key, NotWritten, Store},
    domain::{
        claim::{Counted, Reported, State},
        holder::Holder,
        kubeconfig,
        names::{EnvironmentName, HeadSha},
        report::{Outcome, Report},
        results::Results,
    },
    reporters::Telling,
    steps::tests,
};
use anyhow::Result;
use serde_json::Value;

impl Engine {
    /// Keeps them, and tells what they make of it.
    pub async fn hand_in(
        &self,
        holder: &Holder,
        head: &HeadSha,
        results: &Results,
        stop: impl Future<Output = u8>,
    ) -> Report {
        self.telling(holder, async |telling| self.handed_in(telling, holder, head, results).await, stop).await
    }

    async fn handed_in(
        &self,
        telling: &Telling,
        holder: &Holder,
        head: &HeadSha,
        results: &Results,
    ) -> Result<Outcome> {
        let (pools, name) = (&self.protocol.pools, &holder.name());
        let (store, clock) = (pools.claims.store(), &pools.clock);
        self.patiently(async || self.hide_kubeconfig(store, name).await).await?;
        let mut results = results.clone();
        results.redact(|text| self.mask.redact(text));
        let results = &results;
        telling.say(|report| {
            report.head_sha = Some(head.clone());
            report.tests = Some(results.clone());
        });
        let now = clock.now();
        self.patiently(async || tests::keep(store, name, head, &results.name, results, now).await).await?;
        let what = format!("the claim of {holder}");
        let attempt = async || {
            let basis = pools.claims.read(name).await?;
            let nothing = |why: &str| Ok(Some((Outcome::Unconcerned { why: why.to_owned() }, None)));
            let Some(claim) = basis.claim().filter(|claim| claim.holder() == holder) else {
                return nothing("its results are kept; there is no environment that waits for them");
            };
            if claim.head() != Some(head) {
                return nothing("its results are kept; the environment is at another commit by now");
            }
            if !matches!(claim.state(), State::Waiting { .. } | State::Held { closed_at: None, .. }) {
                return nothing("its results are kept; the environment is about to go");
            }
            let Some(reported) = claim.reported().filter(|told| told.by == claim.generation()) else {
                return nothing(
                    "its results are kept; the run that brings the environment up looks for them",
                );
            };
            // What never stood is not made good, nor its failure covered, by tests that met something else.
            if !reported.stood() {
                return nothing("its results are kept; the environment does not stand at that commit");
            }
            if reported.tests.as_ref() != Some(&results.name) {
                return nothing("its results are kept; `tests.report` names another report");
            }
            let ours = claim.taken(self.protocol.ids.take()?.run, clock.now());
            let outcome = told::of(results);
            let (word, by) = (outcome.word().to_owned(), ours.generation());
            let counted = Some(Counted::from(results));
            let reported = Reported { outcome: word, by, counted, ..reported.clone() };
            match pools.claims.take(basis, ours.reporting(reported)).await {
                Ok(fence) => Ok(Some((outcome, told::again(store, fence.claim(), clock).await?))),
                Err(NotWritten::Conflict) => Ok(None),
                Err(NotWritten::Unknown(error)) => Err(error),
            }
        };
        let taken = self.patiently(async || pools.pace.until_written(clock, &what, attempt).await);
        let (outcome, again) = taken.await?;
        if let Some(again) = again {
            telling.say(|report| *report = Report { outcome: None, tests: Some(results.clone()), ..again });
        }
        Ok(outcome)
    }

    /// The other job had what leads into the environment, if it tested that.
    async fn hide_kubeconfig(&self, store: &dyn Store, name: &EnvironmentName) -> Result<()> {
        let read = store.read(&Key::Kubeconfig(name.clone())).await?;
        let text = read.document().and_then(|document| document.get("value")).and_then(Value::as_str);
        let credentials = text.and_then(|text| kubeconfig::credentials(text).ok());
        credentials.iter().flatten().for_each(|secret| self.mask.hide(secret));
        Ok(())
    }

    /// Tells once more what was told last: its environment is not looked at.
    pub async fn tell_again(&self, holder: &Holder, stop: impl Future<Output = u8>) -> Report {
        self.tell_with(holder, None, stop).await
    }

    /// By these lines, if it waits; `None`: they are read for it.
    pub(super) async fn tell_with(
        &self,
        holder: &Holder,
        lines: Option<&Lines>,
        stop: impl Future<Output = u8>,
    ) -> Report {
        let attempt = async |telling: &Telling| {
            let pools = &self.protocol.pools;
            let basis = self.patiently(async || pools.claims.read(&holder.name()).await).await?;
            let none = |why: &str| Outcome::Unconcerned { why: why.to_owned() };
            let Some(claim) = basis.claim().filter(|claim| claim.holder() == holder) else {
                return Ok(none("there is no environment"));
            };
            let store = pools.claims.store();
            let waits = matches!(claim.state(), State::Waiting { .. });
            let read = match lines {
                None if waits => self.lines_beside(claim).await?,
                _ => None,
            };
            let again = match lines.or(read.as_ref()).and_then(|lines| self.waiting(claim, lines)) {
                Some(waiting) => Some(waiting),
                None => self.patiently(async || told::again(store, claim, &pools.clock).await).await?,
            };
            let Some(mut again) = again else {
                let last = claim.reported().map_or(String::new(), |told| {
                    format!(
                        ", and its last run said {:?} at {}",
                        told.outcome,
                        told.at.strftime("%-d %b %H:%M UTC")
                    )
                });
                return Ok(Outcome::Unconcerned {
                    why: format!("its claim is {}{last}", claim.state().word()),
                });
            };
            let outcome = again.outcome.take();
            telling.say(|report| *report = again);
            Ok(outcome.unwrap_or_else(|| none("nothing was told of it")))
        };
        self.telling(holder, attempt, stop).await
    }
}
