//! What every front calls: an event comes in, the world decides, the plan is driven, and a report comes out.
//!
//! Must never: end without a report; let a signal cut that off; depend on having been told the truth by the event.

use super::{
    Calls, Opened, Protocol,
    drive::{Retry, patiently},
    run::Run,
    sweep,
};
use crate::{
    domain::{
        claim::Claim,
        holder::Holder,
        intent::{Occasion, Wanted, Why},
        names::{HeadSha, PrNumber, RepoName},
        plan::StepName,
        queue::Full,
        report::{Outcome, Report, Status},
        scope::Hosts,
        swept::Swept,
    },
    errors::{self, Exit, UserError},
    mask::Mask,
    providers::Providers,
    reporters::{LAST_WORD, Reporters, Telling},
    settings::WhenFull,
    steps::Step,
};
use anyhow::Result;
use async_trait::async_trait;
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Taking the claim, and its addresses: not a step, but people see it as the first.
pub const CLAIM: StepName = StepName::new("claim");
/// The last word of a run that nobody has interrupted.
const WORDS: Duration = Duration::from_secs(30);

/// What happened, to whom. It wakes a run; what is done is decided on the world.
#[derive(Debug, Clone)]
pub struct Event {
    /// To whom.
    pub holder: Holder,
    /// What.
    pub occasion: Occasion,
}

/// What a holder wants now.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whether, and at which commit.
    pub wanted: Wanted,
    /// The commit that merging it would make, if it is made.
    pub merge: Option<HeadSha>,
    /// Why it is not wanted though it is open, for people.
    pub why: Option<String>,
}

impl Asked {
    /// An environment at this commit.
    fn up(head: Option<HeadSha>) -> Self {
        Self { wanted: Wanted::Up(head), merge: None, why: None }
    }
}

/// Knows what holders want: for a pull request, GitHub does.
#[async_trait(?Send)]
pub trait Wishes {
    /// Asked anew at each try, after its claim was read.
    async fn of(&self, holder: &Holder, claim: Option<&Claim>) -> Result<Asked>;

    /// All that are open in a repository, and at which commit: as the sweep asks before it means to do anything.
    async fn open_pulls(&self, repo: &RepoName) -> Result<BTreeMap<PrNumber, HeadSha>> {
        Err(UserError::usage(format!("nobody here knows the open pull requests of {repo}")).into())
    }
}

/// What is wanted is not for this run to bring about; the outcome says why.
#[derive(Debug)]
pub struct Declined(pub Outcome);

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.word())
    }
}

impl std::error::Error for Declined {}

/// Says which names lead to a holder's environment.
pub type HostsOf = Box<dyn Fn(&Holder) -> Result<Hosts>>;

/// One process.
pub struct Engine {
    /// Claims and addresses.
    pub protocol: Protocol,
    /// What holders want.
    pub wishes: Arc<dyn Wishes>,
    /// Their names in DNS.
    pub hosts: HostsOf,
    /// How environments are made real.
    pub providers: Arc<dyn Providers>,
    /// All steps, each after those that it needs.
    pub steps: Vec<Box<dyn Step>>,
    /// Where it is told.
    pub reporters: Reporters,
    /// What is told nowhere.
    pub mask: Mask,
    /// How long to go on where something does not answer.
    pub retry: Retry,
    /// Calls those whose turn has come; `None`: this process can call nobody.
    pub calls: Option<Arc<dyn Calls>>,
    /// What becomes of those who find the pool full.
    pub when_full: WhenFull,
    /// The provider's name, for the report.
    pub provider: Option<String>,
}

impl Engine {
    /// One event, to its end: `stop` ends with the number of the signal that ends the run.
    pub async fn handle(&self, event: &Event, stop: impl Future<Output = u8>) -> Report {
        self.telling(&event.holder, async |telling| self.attempt(event, telling).await, stop).await
    }

    /// What is done, told from its begin to its end.
    pub(super) async fn telling(
        &self,
        holder: &Holder,
        attempt: impl AsyncFnOnce(&Telling) -> Result<Outcome>,
        stop: impl Future<Output = u8>,
    ) -> Report {
        let clock = &self.protocol.pools.clock;
        let first = Report { provider: self.provider.clone(), ..Report::new(holder, clock.now()) };
        let telling = self.reporters.start(first, &self.mask, clock);
        let (outcome, within) = tokio::select! {
            outcome = attempt(&telling) => (outcome.unwrap_or_else(|error| outcome_of(&error)), WORDS),
            signal = stop => (Outcome::Interrupted { signal }, LAST_WORD),
        };
        let trouble = self.trouble(&outcome).await;
        telling.say(|report| {
            report.trouble = trouble;
            report.outcome = Some(outcome);
            // What is told once more has ended before.
            report.ended = report.ended.or(Some(clock.now()));
        });
        telling.finish(within).await
    }

    /// What keeps the sweep from its work, for who waits for it.
    async fn trouble(&self, outcome: &Outcome) -> Option<String> {
        let waits = matches!(
            outcome,
            Outcome::Closing { .. } | Outcome::Queued | Outcome::Removed { free_at: Some(_) }
        );
        if !waits {
            return None;
        }
        let store = self.protocol.pools.claims.store();
        match sweep::last(store).await {
            Ok(last) => Swept::trouble(last.as_ref(), self.protocol.pools.clock.now()),
            // It is a word beside the outcome, and costs nobody a second try.
            Err(error) => {
                tracing::debug!("when the last sweep was is not known: {error:#}");
                None
            }
        }
    }

    /// Tries again where something does not answer.
    pub(super) async fn patiently<T>(&self, attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        patiently(self.retry, &self.protocol.pools.clock, attempt).await
    }

    pub(super) async fn attempt(&self, event: &Event, telling: &Telling) -> Result<Outcome> {
        let clock = &self.protocol.pools.clock;
        let mut occasion = event.occasion;
        loop {
            telling.phase(CLAIM, Status::Running, "", clock.now());
            let (merge, unwanted) = (Mutex::new(None), Mutex::new(None));
            let wanted = async |claim: Option<&Claim>| {
                let now = clock.now();
                let asked = match self.wishes.of(&event.holder, claim).await {
                    // Its end waits for nobody: a repository may be out of sight for ever.
                    Err(error) if event.occasion == Occasion::Sweep => match claim {
                        Some(claim) if claim.goes_anyhow(now) => Asked::up(claim.head().cloned()),
                        _ => return Err(error),
                    },
                    asked => asked?,
                };
                *merge.lock().unwrap_or_else(PoisonError::into_inner) = asked.merge;
                *unwanted.lock().unwrap_or_else(PoisonError::into_inner) = asked.why;
                Ok(asked.wanted)
            };
            let opened = self.patiently(async || self.protocol.open(&event.holder, occasion, &wanted).await);
            let (fence, then) = match opened.await? {
                Opened::Taken(fence, then) => (fence, then),
                Opened::Left(Why::NothingThere) => {
                    let why = unwanted.into_inner().unwrap_or_else(PoisonError::into_inner);
                    let why = why.unwrap_or_else(|| NOTHING_THERE.to_owned());
                    return Ok(Outcome::Nothing { why });
                }
                Opened::Left(why) => return Ok(because(rests(why), &unwanted)),
                Opened::Refused { held_by } => {
                    return Ok(Outcome::Refused {
                        why: format!("the name {} is held by {held_by}", event.holder.name()),
                    });
                }
            };
            let merge = merge.into_inner().unwrap_or_else(PoisonError::into_inner);
            // Who has told how it ended has ended; anybody else may have something under way.
            let claim = fence.claim();
            let has_ended = claim.reported().is_some_and(|reported| reported.by.next() == claim.generation());
            let quiet = if has_ended { Duration::ZERO } else { self.retry.quiet };
            let quiet = clock.now().saturating_add(quiet).unwrap_or(Timestamp::MAX);
            let removal = claim.removal().clone();
            match (Run { engine: self, telling, fence, merge, quiet }).go(then).await? {
                Some(outcome) => {
                    // The sweep calls for all that it has freed at once.
                    let is_gone = matches!(
                        outcome,
                        Outcome::Removed { free_at: None }
                            | Outcome::PoolFull { .. }
                            | Outcome::Refused { .. }
                    );
                    if is_gone && event.occasion != Occasion::Sweep {
                        let in_use = async || self.in_use(&removal).await;
                        self.hand_over(&event.holder, in_use, telling).await;
                    }
                    return Ok(because(outcome, &unwanted));
                }
                // It was wished for anew while it went: what is wanted now is asked again. The sweep brings nothing up.
                None if event.occasion == Occasion::Sweep => occasion = Occasion::Sweep,
                None => occasion = Occasion::Event,
            }
        }
    }
}

/// With why it is not wanted though it is open.
fn because(outcome: Outcome, unwanted: &Mutex<Option<String>>) -> Outcome {
    match outcome {
        Outcome::Closing { until, .. } => {
            let why = unwanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Outcome::Closing { until, why }
        }
        other => other,
    }
}

const NOTHING_THERE: &str = "there is no environment, and none is wanted";

/// The claim needs nothing, or nothing yet.
pub(super) fn rests(why: Why) -> Outcome {
    match why {
        Why::NothingThere => Outcome::Nothing { why: NOTHING_THERE.to_owned() },
        Why::Wanted => {
            Outcome::Unconcerned { why: "it is wanted, and nothing has happened to it".to_owned() }
        }
        Why::Grace(until) => Outcome::Closing { until, why: None },
        Why::Cooling(until) => Outcome::Removed { free_at: Some(until) },
    }
}

/// How an error ends a run that has not come to any step.
pub fn outcome_of(error: &anyhow::Error) -> Outcome {
    ended(CLAIM, error)
}

/// How a step's error ends the run.
pub(super) fn ended(step: StepName, error: &anyhow::Error) -> Outcome {
    if let Some(Declined(outcome)) = error.chain().find_map(|cause| cause.downcast_ref()) {
        return outcome.clone();
    }
    let why = errors::explain(error);
    match errors::exit(error) {
        Exit::Superseded => Outcome::Superseded,
        Exit::PoolFull => Outcome::PoolFull { why: Full::Taken },
        Exit::Unknown => Outcome::Unknown { step: Some(step), why },
        Exit::Usage => Outcome::Refused { why },
        Exit::Interrupted(signal) => Outcome::Interrupted { signal },
        Exit::Done | Exit::Failed => Outcome::Failed { step, why },
    }
}
