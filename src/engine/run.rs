//! A claim in our hands: from where it stands to where it shall be.
//!
//! Must never: go past a state of the claim without having written it; remove on the ground of what only could be read in
//! part.

mod cooling;
mod waits;

use super::{
    Engine, Removed,
    diagnose::Seeing,
    drive::{Driver, Ending},
    guard::Sentry,
    handle::{CLAIM, ended, rests},
    told,
};
use crate::{
    documents::claims::{Check, Fence},
    domain::{
        claim::{Cause, Counted, Reported, State, Told, Wish},
        intent::Then,
        names::HeadSha,
        plan::{Direction, Plan, Spec},
        pool::Block,
        report::{Outcome, Status},
        scope::{Commit, Hosts, Scope, Target},
    },
    providers::Provider,
    reporters::Telling,
    steps::{Board, Context, SECRETS, Verdict, tests},
};
use anyhow::Result;
use jiff::Timestamp;
use std::sync::Arc;

/// Characters of a phase's detail that the claim keeps.
const DETAIL: usize = 200;

/// See the module.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) telling: &'a Telling,
    pub(super) fence: Fence,
    /// What merging the pull request would make.
    pub(super) merge: Option<HeadSha>,
    /// From when on nothing of an earlier run is under way.
    pub(super) quiet: Timestamp,
}

impl Run<'_> {
    /// To the end of what is wanted; `None`: it is wanted anew, so the claim is to be opened again.
    pub(super) async fn go(mut self, then: Then) -> Result<Option<Outcome>> {
        self.tell();
        match then {
            Then::Rest(why) => return Ok(Some(rests(why))),
            Then::Up => {
                let outcome = self.up().await?;
                let is_in_line = matches!(self.fence.claim().state(), State::Waiting { .. });
                return match outcome {
                    Outcome::PoolFull { .. } | Outcome::Refused { .. } if is_in_line => {
                        self.leaves_the_line(outcome).await.map(Some)
                    }
                    outcome => Ok(Some(outcome)),
                };
            }
            Then::Down => {}
        }
        loop {
            match self.fence.claim().state() {
                State::Draining { since, addresses } => {
                    let (since, had) = (*since, addresses.is_some());
                    let board = Board::default();
                    if let Some(outcome) = self.down(&board).await? {
                        return Ok(Some(outcome));
                    }
                    match self.removed(&board).await? {
                        Removed::UpAgain => return Ok(None),
                        Removed::Superseded => return Ok(Some(Outcome::Superseded)),
                        // What comes back tells nothing of how long a removal takes.
                        Removed::Cooling(_) if had && self.fence.claim().going_since().is_none() => {
                            let life = since.duration_since(self.fence.claim().created());
                            self.engine.measure(self.now().duration_since(since), life).await;
                        }
                        Removed::Cooling(_) => {}
                    }
                }
                State::Cooling { until, .. } if *until > self.now() => {
                    let until = *until;
                    return self.cools(until).await.map(Some);
                }
                State::Cooling { .. } | State::Freeing { .. } => return self.free().await,
                State::Waiting { .. } | State::Held { .. } => return Ok(None),
            }
        }
    }

    async fn up(&mut self) -> Result<Outcome> {
        let engine = self.engine;
        let (made, configured) = (self.fence.claim().removal(), &engine.protocol.terms.removal);
        if (&made.provider, &made.context) != (&configured.provider, &configured.context) {
            let why = format!(
                "the environment was made by another provider, or in another cluster, than what is configured now; \
                 take it down first: berth down --now {}",
                self.fence.claim().holder()
            );
            return Ok(Outcome::Refused { why });
        }
        let provider = engine.providers.of(made).await?;
        let commit = Commit { head: self.fence.claim().head().cloned(), merge: self.merge.clone() };
        let hosts = (engine.hosts)(self.fence.claim().holder())?;
        let scope = Scope::of(self.fence.claim(), hosts.clone(), Target::Up(commit.clone()));
        self.telling.say(|report| {
            report.head_sha = commit.head.clone();
            report.url = scope.url();
        });
        if matches!(self.fence.claim().state(), State::Waiting { .. })
            && let Some(outcome) = self.hold(&*provider, &scope).await?
        {
            return Ok(outcome);
        }
        self.tell();
        let scope = Scope::of(self.fence.claim(), hosts, Target::Up(commit));
        let board = Board::default();
        let ending = self.drive(Direction::Up, &*provider, &scope, &board).await?;
        let verdict = board.verdict();
        if let Some(Verdict::Ran(results)) = &verdict {
            self.telling.say(|report| report.tests = Some(results.clone()));
        }
        match ending {
            Ending::Settled { .. } => {
                let outcome = match verdict {
                    Some(Verdict::Ran(results)) if results.failed > 0 => Outcome::TestsFailed,
                    Some(Verdict::Awaited(report)) => Outcome::AwaitingTests { report },
                    Some(Verdict::Ran(_)) | None => Outcome::Ready,
                };
                // Written over what this run wrote last: that it lands says that the fence has stood to the end.
                match self.reporting(outcome).await? {
                    Outcome::AwaitingTests { report } => self.handed_in_meanwhile(report).await,
                    outcome => Ok(outcome),
                }
            }
            Ending::Superseded => Ok(Outcome::Superseded),
            Ending::Failed { step, error } => {
                let phases = self.telling.report().phases;
                // A log of containers of an earlier run may tell what this one has not read yet, and so could not hide.
                let listens =
                    phases.iter().all(|phase| phase.step != SECRETS || phase.status == Status::Done);
                let seeing = Seeing { provider: &*provider, scope: &scope, mask: &engine.mask, listens };
                let (diagnosis, evidence) = seeing.diagnosed(step, &error).await;
                self.telling.say(|report| (report.diagnosis, report.evidence) = (diagnosis, evidence));
                let outcome = ended(step, &error);
                // Why it failed is told in any case.
                Ok(self.reporting(outcome.clone()).await.unwrap_or(outcome))
            }
            Ending::Lost(error) => {
                // Its own wish would bring it back with the very addresses that it has lost.
                let draining = self.fence.claim().clone().wishing(Wish::Down);
                let draining = draining.draining(self.now())?.because(Cause::Lost);
                let claims = &engine.protocol.pools.claims;
                if claims.advance(&mut self.fence, draining).await? == Check::Superseded {
                    return Ok(Outcome::Superseded);
                }
                let board = Board::default();
                if let Some(outcome) = self.down(&board).await? {
                    return Ok(outcome);
                }
                Ok(match self.removed(&board).await? {
                    Removed::Superseded => Outcome::Superseded,
                    Removed::Cooling(_) | Removed::UpAgain => ended(CLAIM, &error),
                })
            }
        }
    }

    /// Whoever hands results in looks at the claim after having written them; so they are looked for after the claim says
    /// that it waits.
    async fn handed_in_meanwhile(&mut self, report: String) -> Result<Outcome> {
        let (pools, name) = (&self.engine.protocol.pools, self.fence.name());
        let Some(head) = self.fence.claim().head().cloned() else {
            return Ok(Outcome::AwaitingTests { report });
        };
        let store = pools.claims.store();
        let found = self.engine.patiently(async || tests::found(store, &name, &head, &report).await).await?;
        let Some(results) = found else { return Ok(Outcome::AwaitingTests { report }) };
        let outcome = told::of(&results);
        self.telling.say(|report| report.tests = Some(results));
        self.reporting(outcome).await
    }

    /// The claim says what people are told; not if somebody else has taken it meanwhile.
    async fn reporting(&mut self, outcome: Outcome) -> Result<Outcome> {
        let (protocol, now) = (&self.engine.protocol, self.now());
        let claim = self.fence.claim().clone();
        let outcome_word = outcome.word().to_owned();
        let (by, head) = (claim.generation(), claim.head().cloned());
        let told = self.telling.report();
        let phases = told.phases.iter().filter(|phase| phase.status == Status::Done && phase.step != CLAIM);
        let phases = phases.map(|phase| Told {
            step: phase.step.to_string(),
            millis: (phase.seconds.max(0.0) * 1_000.0) as u64,
            detail: phase.detail.chars().take(DETAIL).collect(),
        });
        let (took, phases) = (told.seconds(now).max(0.0) as u64, phases.collect());
        let counted = told.tests.as_ref().map(Counted::from);
        let tests = match &outcome {
            Outcome::AwaitingTests { report } => Some(report.clone()),
            _ => told.tests.map(|results| results.name),
        };
        let reported = Reported { outcome: outcome_word, by, head, at: now, tests, counted, took, phases };
        let (claim, fence) = (claim.reporting(reported), &mut self.fence);
        let written =
            self.engine.patiently(async || protocol.pools.claims.advance(fence, claim.clone()).await);
        Ok(match written.await? {
            Check::Current => outcome,
            Check::Superseded => Outcome::Superseded,
        })
    }

    /// `None`: everything was seen gone.
    async fn down(&mut self, board: &Board) -> Result<Option<Outcome>> {
        let (provider, scope) = self.going().await?;
        let ending = self.drive(Direction::Down, &*provider, &scope, board).await?;
        let gone = self.engine.gone(self.fence.claim(), &board.gone());
        self.telling.say(|report| report.receipt = gone);
        Ok(match ending {
            Ending::Settled { unverified } => {
                for step in unverified {
                    tracing::warn!("{step} could not be proven undone from within; it went with the cluster");
                }
                None
            }
            Ending::Superseded => Some(Outcome::Superseded),
            Ending::Failed { step, error } => Some(ended(step, &error)),
            Ending::Lost(error) => Some(ended(CLAIM, &error)),
        })
    }

    /// Of what goes: all that it needs stands in the claim.
    async fn going(&self) -> Result<(Arc<dyn Provider>, Scope)> {
        let claim = self.fence.claim();
        let provider = self.engine.providers.of(claim.removal()).await?;
        Ok((provider, Scope::of(claim, Hosts::default(), Target::Down)))
    }

    async fn removed(&mut self, board: &Board) -> Result<Removed> {
        let (engine, gone) = (self.engine, self.engine.gone(self.fence.claim(), &board.gone()));
        let fence = &mut self.fence;
        engine.patiently(async || engine.protocol.removed(fence, gone.clone()).await).await
    }

    async fn drive(
        &self,
        direction: Direction,
        provider: &dyn Provider,
        scope: &Scope,
        board: &Board,
    ) -> Result<Ending> {
        let (engine, pools) = (self.engine, &self.engine.protocol.pools);
        let specs: Vec<Spec> = engine.steps.iter().map(|step| step.spec()).collect();
        let plan = Plan::new(direction, &specs, |step| provider.uses(step))
            .map_err(|wrong| anyhow::anyhow!("the steps form no plan: {wrong}"))?;
        let sentry = self.sentry(direction);
        let cx = self.context(&sentry, provider, scope, board);
        self.telling.say(|report| report.direction = Some(direction));
        let driver = Driver {
            plan: &plan,
            steps: &engine.steps,
            cx: &cx,
            sentry: &sentry,
            clock: &pools.clock,
            retry: engine.retry,
            telling: self.telling,
        };
        Ok(driver.drive().await)
    }

    fn sentry(&self, direction: Direction) -> Sentry<'_> {
        Sentry { pools: &self.engine.protocol.pools, fence: &self.fence, direction }
    }

    fn context<'a>(
        &'a self,
        guard: &'a Sentry<'a>,
        provider: &'a dyn Provider,
        scope: &'a Scope,
        board: &'a Board,
    ) -> Context<'a> {
        let pools = &self.engine.protocol.pools;
        let (store, clock) = (pools.claims.store(), &pools.clock);
        Context { scope, fence: &self.fence, guard, provider, store, clock, board, quiet: self.quiet }
    }

    /// What the claim says now.
    fn tell(&self) {
        let claim = self.fence.claim();
        let mut detail = format!("{}, generation {}", claim.state().word(), claim.generation());
        if let Some(block) = claim.addresses() {
            detail = format!("{detail}, {}", range(block));
        }
        self.telling.say(|report| {
            report.generation = Some(claim.generation());
            report.living(claim);
            report.holding(claim.addresses());
            report.receipt = claim.gone().to_vec();
            if report.head_sha.is_none() {
                report.head_sha = claim.head().cloned();
            }
        });
        let status = match claim.state() {
            State::Waiting { .. } => Status::Running,
            _ => Status::Done,
        };
        self.telling.phase(CLAIM, status, detail, self.now());
    }

    fn now(&self) -> Timestamp {
        self.engine.protocol.pools.clock.now()
    }
}

/// `192.168.1.140-141`.
fn range(block: Block) -> String {
    let last = block.addresses().last().filter(|last| *last != block.vip());
    match last {
        None => block.vip().to_string(),
        Some(last) => format!("{}-{}", block.vip(), last.octets()[3]),
    }
}
