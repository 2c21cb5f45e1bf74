//! Drives a plan: each step in its own loop of look, act, wait, begun as soon as what it needs is done. No barrier: a slow
//! step never delays another. And the one place that tries again where something did not answer.
//!
//! The fence is checked before each look, and again and again while steps wait; when it falls, whatever is under way is
//! dropped. Must never: look without having checked; take unavailability for a verdict; poll where something can be watched.

use super::guard::{Lost, Sentry};
use crate::{
    clients::{Failure, Kind},
    clock::Clock,
    domain::{
        plan::{Direction, Plan, StepName},
        report::Status,
    },
    errors::{self, Exit, UserError},
    progress::Progress,
    reporters::Telling,
    steps::{Context, Step},
};
use anyhow::Result;
use futures::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long to go on where something does not answer, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Before the second try; each later time is twice the one before.
    pub first: Duration,
    /// The longest time between two tries.
    pub most: Duration,
    /// For how long without a single answer.
    pub outage: Duration,
    /// How often a waiting run looks whether its fence still stands.
    pub vigil: Duration,
    /// After how long nothing is under way any more of a run that has lost its fence: it looks that often, and no request
    /// to an environment takes longer than the rest of it.
    pub quiet: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            most: Duration::from_secs(10),
            outage: Duration::from_secs(120),
            vigil: Duration::from_secs(10),
            quiet: Duration::from_secs(20),
        }
    }
}

/// How a plan ended.
pub(super) enum Ending {
    /// Every step is done. Those named here could not prove it from within.
    Settled { unverified: Vec<StepName> },
    /// This step failed, and nothing of the plan goes on.
    Failed { step: StepName, error: anyhow::Error },
    /// Somebody else has the addresses.
    Lost(anyhow::Error),
    /// A newer run has taken over.
    Superseded,
}

/// What a plan is driven with.
pub(super) struct Driver<'a> {
    pub(super) plan: &'a Plan,
    pub(super) steps: &'a [Box<dyn Step>],
    pub(super) cx: &'a Context<'a>,
    pub(super) sentry: &'a Sentry<'a>,
    pub(super) clock: &'a Clock,
    pub(super) retry: Retry,
    pub(super) telling: &'a Telling,
}

impl Driver<'_> {
    /// To its end.
    pub(super) async fn drive(&self) -> Ending {
        let now = self.clock.now();
        self.plan.steps().for_each(|step| self.telling.phase(step, Status::Pending, "", now));
        // Side by side: a look at the claim that takes its time holds no step up.
        match select(pin!(self.run_steps()), pin!(self.keep_vigil())).await {
            Either::Left((ending, _)) => ending,
            Either::Right(((), _)) => Ending::Superseded,
        }
    }

    /// Until the fence has fallen.
    async fn keep_vigil(&self) {
        loop {
            self.clock.pass(self.retry.vigil).await;
            // What cannot be read is no news; the steps' own checks tell of it.
            if let Err(error) = self.sentry.stands().await
                && Failure::of(&error) == Kind::Superseded
            {
                return;
            }
        }
    }

    async fn run_steps(&self) -> Ending {
        let steps: BTreeMap<StepName, &dyn Step> =
            self.steps.iter().map(|step| (step.spec().name, &**step)).collect();
        let (mut begun, mut done) = (BTreeSet::new(), BTreeSet::new());
        let (mut unverified, mut running) = (Vec::new(), FuturesUnordered::new());
        let mut failed: Option<(StepName, anyhow::Error)> = None;
        loop {
            // What is under way when a step fails may end; what was not begun is not begun.
            if failed.is_none() {
                let ready: Vec<StepName> = self.plan.ready(&begun, &done).collect();
                for name in ready {
                    begun.insert(name);
                    let step = steps[&name];
                    running.push(async move { (name, self.run(step).await) });
                }
            }
            let Some((name, ended)) = running.next().await else { break };
            let now = self.clock.now();
            match ended {
                Ok(detail) => {
                    self.telling.phase(name, Status::Done, detail, now);
                    done.insert(name);
                }
                Err(error) if Failure::of(&error) == Kind::Superseded => return Ending::Superseded,
                Err(error) if error.downcast_ref::<Lost>().is_some() => return Ending::Lost(error),
                Err(error) if self.goes_all_the_same(steps[&name]) => {
                    self.telling.phase(name, Status::Unverified, line(&error), now);
                    tracing::warn!("{name}: {}", errors::render(&error));
                    unverified.push(name);
                    done.insert(name);
                }
                Err(error) => {
                    self.telling.phase(name, Status::Failed, line(&error), now);
                    failed.get_or_insert((name, error));
                }
            }
        }
        match failed {
            Some((step, error)) => Ending::Failed { step, error },
            None => Ending::Settled { unverified },
        }
    }

    /// What a dead environment cannot prove from within goes with its cluster, whose own end is proven from outside.
    fn goes_all_the_same(&self, step: &dyn Step) -> bool {
        self.plan.direction() == Direction::Down && step.is_within()
    }

    /// One step, as long as its patience lasts.
    async fn run(&self, step: &dyn Step) -> Result<String> {
        let spec = step.spec();
        let last = Mutex::new(Last::default());
        tokio::select! {
            // The walk first: what is done at the last moment is done.
            biased;
            ended = self.walk(step, &last) => ended,
            () = self.clock.pass(spec.patience) => {
                Err(late(spec.name, spec.patience, std::mem::take(&mut *known(&last))))
            }
        }
    }

    async fn walk(&self, step: &dyn Step, last: &Mutex<Last>) -> Result<String> {
        let name = step.spec().name;
        let tell = |detail: &str| {
            self.telling.phase(name, Status::Running, detail, self.clock.now());
        };
        tell("");
        let (mut outage, mut is_first) = (Outage::new(self.retry), true);
        loop {
            let look = async {
                // Its addresses once a step, its claim at each look.
                if is_first {
                    self.cx.guard.look().await?;
                } else {
                    self.sentry.stands().await?;
                }
                match self.plan.direction() {
                    Direction::Up => step.ensure(self.cx).await,
                    Direction::Down => step.remove(self.cx).await,
                }
            };
            let error = match look.await {
                Ok(Progress::Done(detail)) => return Ok(detail),
                Ok(Progress::Waiting(wait)) => {
                    (is_first, outage) = (false, Outage::new(self.retry));
                    tell(&wait.on);
                    *known(last) = Last { waited: Some(wait.on), failed: None };
                    match wait.wake.await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let pause = match Failure::of(&error) {
                // It would go unproven: so not because of one answer, which may be somebody's on the way.
                Kind::Refused | Kind::Invalid if self.goes_all_the_same(step) => {
                    outage.again(None, self.clock)
                }
                _ => outage.pause(&error, self.clock),
            };
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!("{name}: again in {pause:?}, because {error:#}");
            tell(&format!("again after: {}", line(&error)));
            known(last).failed = Some(error);
            self.clock.pass(pause).await;
        }
    }
}

/// What is known of a step whose patience is over: why its last look failed, if it did, and what it waited for before that.
#[derive(Default)]
struct Last {
    waited: Option<String>,
    failed: Option<anyhow::Error>,
}

fn known(last: &Mutex<Last>) -> MutexGuard<'_, Last> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

fn late(step: StepName, patience: Duration, Last { waited, failed }: Last) -> anyhow::Error {
    let mut after = format!("{step} gave up after {}", span(patience));
    if let Some(on) = &waited {
        after = format!("{after}, waiting for {on}");
    }
    match (failed, waited) {
        (Some(error), Some(on)) => error.context(Awaited(on)).context(UserError::new(Exit::Unknown, after)),
        (Some(error), None) => error.context(UserError::new(Exit::Unknown, after)),
        (None, Some(on)) => anyhow::Error::new(Awaited(on)).context(
            UserError::new(Exit::Failed, after).hint(format!("`timeouts.{step}` says how long it may take")),
        ),
        (None, None) => UserError::new(Exit::Failed, after)
            .hint(format!(
                "its first look has not ended by then; `timeouts.{step}` says how long it may take"
            ))
            .into(),
    }
}

/// What a step waited for that is over its patience.
#[derive(Debug)]
struct Awaited(String);

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Awaited {}

/// What a step waited for, if that is how it failed.
pub(super) fn late_on(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Awaited>().map(|awaited| awaited.0.as_str())
}

/// As people write it: `15 m`, `90 s`.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} m", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// The error in one line.
pub(super) fn line(error: &anyhow::Error) -> String {
    let text = error.chain().map(ToString::to_string).fold(Vec::<String>::new(), |mut said, cause| {
        if !said.iter().any(|one| one.contains(&cause)) {
            said.push(cause);
        }
        said
    });
    text.join(": ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A time without answers.
pub(super) struct Outage {
    retry: Retry,
    next: Duration,
    until: Option<jiff::Timestamp>,
}

impl Outage {
    pub(super) fn new(retry: Retry) -> Self {
        Self { retry, next: retry.first, until: None }
    }

    /// How long to wait before the next try; `None`: trying again cannot help, or has not for too long.
    pub(super) fn pause(&mut self, error: &anyhow::Error, clock: &Clock) -> Option<Duration> {
        let asked = match error.downcast_ref::<Failure>()?.kind {
            Kind::Unavailable { wait } => wait,
            Kind::Conflict => None,
            Kind::Refused | Kind::Invalid | Kind::Superseded => return None,
        };
        self.again(asked, clock)
    }

    /// The same where trying again may help.
    fn again(&mut self, asked: Option<Duration>, clock: &Clock) -> Option<Duration> {
        let now = clock.now();
        let outage = jiff::SignedDuration::try_from(self.retry.outage).unwrap_or(jiff::SignedDuration::MAX);
        let until = *self.until.get_or_insert(now.saturating_add(outage).unwrap_or(jiff::Timestamp::MAX));
        if now >= until {
            return None;
        }
        let pause = asked.unwrap_or(self.next);
        self.next = (self.next * 2).min(self.retry.most);
        Some(pause)
    }
}

/// Tries again where something does not answer.
pub(super) async fn patiently<T>(
    retry: Retry,
    clock: &Clock,
    mut attempt: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let mut outage = Outage::new(retry);
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(pause) = outage.pause(&error, clock) else { return Err(error) };
        tracing::debug!("again in {pause:?}, because {error:#}");
        clock.pass(pause).await;
    }
}
