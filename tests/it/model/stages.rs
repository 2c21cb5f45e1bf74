//! What a run of the model does: the engine's own functions, one to a stage, and between them the least that stands for a
//! cluster's steps.

use super::{
    port::{Answer, Object, Port, Request},
    runs::{Broken, Held, Line, Looked, Spec, Stage},
};
use berth::{
    documents::claims::{Check, Claims, Fence},
    domain::{
        claim::{Claim, State, Wish},
        intent::{Occasion, Then, Wanted, Why},
        names::EnvironmentName,
        pool::Block,
    },
    engine::{Freed, Holding, Opened, Presence, Protocol, Removed, Verified},
};

pub(super) struct Run {
    pub(super) engine: Protocol,
    pub(super) port: Port,
    pub(super) spec: Spec,
}

pub(super) fn ended(how: &str) -> anyhow::Result<Stage> {
    Ok(Stage::Ended(how.to_owned()))
}

impl Run {
    pub(super) fn new(engine: Protocol, port: Port, spec: Spec) -> Self {
        Self { engine, port, spec }
    }
    pub(super) fn name(&self) -> EnvironmentName {
        self.spec.holder.name()
    }
    /// Of a place without addresses each takes the first block all the same: so two of them are seen.
    fn block(&self, held: &Held) -> Block {
        let first = || self.engine.pools.layout.blocks().next().expect("a pool has a block");
        match self.spec.line {
            Some(Line::One) => first(),
            _ => held.claim.addresses().expect("held with addresses"),
        }
    }
    pub(super) fn broken(&self, rule: Broken) -> bool {
        self.spec.broken == rule
    }
    pub(super) fn claims(&self) -> &Claims {
        &self.engine.pools.claims
    }

    pub(super) async fn step(self, stage: Stage) -> anyhow::Result<Stage> {
        if let Stage::HandOver(then) = stage {
            return Ok(self.hand_over(*then).await);
        }
        let next = self.goes_on(stage).await?;
        Ok(if self.is_to_call(&next) { Stage::HandOver(Box::new(next)) } else { next })
    }

    async fn goes_on(&self, stage: Stage) -> anyhow::Result<Stage> {
        match stage {
            Stage::Open { tries, occasion } => self.open(tries, occasion).await,
            Stage::Later { until, tries } => {
                self.port.ask(Request::Later(until)).await;
                Ok(Stage::Open { tries: tries + 1, occasion: Occasion::Sweep })
            }
            Stage::Hold(held, looked) => {
                let mut fence = held.fence().await?;
                match self.hold(&mut fence).await? {
                    Holding::Held(_) => Ok(self.has_room(Held::of(&fence), looked)),
                    Holding::Full(_) if self.spec.line.is_some() => {
                        self.finds_no_room(Held::of(&fence), looked)
                    }
                    Holding::Superseded if looked.freed == Some(true) => {
                        Ok(Stage::HandOver(Box::new(ended("Superseded")?)))
                    }
                    other => ended(&format!("{other:?}")),
                }
            }
            Stage::MakeRoom(held) => self.make_room(held).await,
            Stage::Say(held, looked) => self.say(held, looked).await,
            Stage::LookUp(held) => self.look_up(held).await,
            Stage::Create(held) => self.create(held).await,
            Stage::Verify(held, object) => {
                let verified = match self.spec.broken {
                    Broken::VerifySkipped => Verified::Ours,
                    _ => self.engine.pools.verify(&held.fence().await?).await?,
                };
                match verified {
                    Verified::Ours | Verified::PutBack if object.active.is_some() => ended("up"),
                    Verified::Ours | Verified::PutBack => Ok(Stage::Activate(held, object.uid)),
                    Verified::Lost { .. } => Ok(Stage::Lost(held)),
                    Verified::Superseded => ended("superseded"),
                }
            }
            Stage::Activate(held, uid) => {
                let block = self.block(&held);
                match self.port.ask(Request::Activate { name: self.name(), uid, block }).await {
                    Answer::Done => ended("up"),
                    Answer::Conflict => Ok(Stage::LookUp(held)),
                    other => unreachable!("{other:?}"),
                }
            }
            Stage::Lost(held) => {
                let mut fence = held.fence().await?;
                let draining = held.claim.wishing(Wish::Down).draining(self.engine.pools.clock.now())?;
                match self.claims().advance(&mut fence, draining).await? {
                    Check::Current => Ok(Stage::LookDown(Held::of(&fence))),
                    Check::Superseded => ended("superseded"),
                }
            }
            Stage::LookDown(held) => self.look_down(held).await,
            Stage::Delete(held, seen) => {
                self.port.ask(Request::Delete { name: self.name(), seen }).await;
                Ok(match held.claim.state() {
                    State::Held { .. } => Stage::LookUp(held),
                    _ => Stage::LookDown(held),
                })
            }
            Stage::Removed(held) => {
                let mut fence = held.fence().await?;
                match self.engine.removed(&mut fence, Vec::new()).await? {
                    Removed::Cooling(_) => Ok(Stage::Free(Held::of(&fence))),
                    Removed::UpAgain => Ok(up(Held::of(&fence))),
                    Removed::Superseded => ended("superseded"),
                }
            }
            Stage::Free(held) => match self.free(held.fence().await?).await? {
                Freed::Gone => ended("gone"),
                Freed::Anew(fence) => Ok(up(Held::of(&fence))),
                Freed::NotYet(until) => Ok(Stage::Later { until, tries: 10 }),
                Freed::StillThere(fence) => Ok(Stage::LookDown(Held::of(&fence))),
                Freed::Superseded => ended("superseded"),
            },
            Stage::HandOver(_) | Stage::Ended(_) => unreachable!("an ended run has no step"),
        }
    }

    async fn open(&self, tries: u32, occasion: Occasion) -> anyhow::Result<Stage> {
        let wanted_first = self.broken(Broken::WantedReadFirst);
        let first = if wanted_first { Some(self.wanted(occasion).await?) } else { None };
        let wanted = async |_: Option<&Claim>| match &first {
            Some(wanted) => Ok(wanted.clone()),
            None => self.wanted(occasion).await,
        };
        match self.engine.open(&self.spec.holder, occasion, wanted).await? {
            Opened::Taken(fence, then) => match then {
                Then::Up => Ok(up(Held::of(&fence))),
                Then::Down => Ok(Stage::LookDown(Held::of(&fence))),
                Then::Rest(why) => ended(&format!("rest: {why:?}")),
            },
            Opened::Left(Why::Cooling(until)) => Ok(Stage::Later { until, tries }),
            Opened::Left(why) => ended(&format!("left: {why:?}")),
            Opened::Refused { held_by } => ended(&format!("refused: {held_by}")),
        }
    }

    async fn wanted(&self, occasion: Occasion) -> anyhow::Result<Wanted> {
        let name = self.name();
        if self.broken(Broken::JudgedByItsRecord) && occasion == Occasion::Sweep {
            let basis = self.claims().read(&name).await?;
            let closed = |c: &Claim| matches!(c.state(), State::Held { closed_at: Some(_), .. });
            return Ok(if basis.claim().is_some_and(closed) { Wanted::Down } else { Wanted::Up(None) });
        }
        Ok(self.wanted_of(name).await)
    }

    pub(super) async fn wanted_of(&self, name: EnvironmentName) -> Wanted {
        match self.port.ask(Request::Wanted(name)).await {
            Answer::Wanted(wanted) => wanted,
            other => unreachable!("{other:?}"),
        }
    }

    async fn observe(&self, name: EnvironmentName) -> Option<Object> {
        match self.port.ask(Request::Observe(name)).await {
            Answer::Observed(seen) => seen,
            other => unreachable!("{other:?}"),
        }
    }

    pub(super) async fn superseded(&self, fence: &Fence) -> anyhow::Result<bool> {
        Ok(self.claims().check(fence).await? == Check::Superseded)
    }

    /// Look, check, act: what was seen before the check is no newer run's.
    async fn look_up(&self, held: Held) -> anyhow::Result<Stage> {
        let block = self.block(&held);
        let seen = self.observe(self.name()).await;
        if self.superseded(&held.fence().await?).await? {
            return ended("superseded");
        }
        match seen {
            // With addresses of an earlier life: it cannot be changed, so it is made anew.
            Some(object) if object.active.is_some_and(|active| active != block) => {
                Ok(Stage::Delete(held, object))
            }
            Some(object) => Ok(Stage::Verify(held, object)),
            None => Ok(Stage::Create(held)),
        }
    }

    /// Born inert; made active by a second request on the very object, after claim and pool were checked again.
    async fn create(&self, held: Held) -> anyhow::Result<Stage> {
        match self.port.ask(Request::Create(self.name())).await {
            Answer::Created(uid) => {
                if self.broken(Broken::BornActive) {
                    let block = self.block(&held);
                    self.port.ask(Request::Activate { name: self.name(), uid, block }).await;
                }
                Ok(Stage::Verify(held, Object { uid, active: None }))
            }
            Answer::Conflict => Ok(Stage::LookUp(held)),
            other => unreachable!("{other:?}"),
        }
    }

    async fn look_down(&self, held: Held) -> anyhow::Result<Stage> {
        let fence = held.fence().await?;
        let check_first = self.broken(Broken::DeleteUnchecked);
        if check_first && self.superseded(&fence).await? {
            return ended("superseded");
        }
        let seen = self.observe(self.name()).await;
        if !check_first && self.superseded(&fence).await? {
            return ended("superseded");
        }
        Ok(match (seen, held.claim.state()) {
            (Some(object), _) => Stage::Delete(held, object),
            (None, State::Draining { .. }) => Stage::Removed(held),
            (None, _) => Stage::Free(held),
        })
    }

    async fn hold(&self, fence: &mut Fence) -> anyhow::Result<Holding> {
        match self.spec.broken {
            Broken::ClaimCheckedBeforePool | Broken::ClaimsNotTaken | Broken::Copies => {
                self.hold_broken(fence).await
            }
            _ => self.engine.pools.hold(fence, &Default::default()).await,
        }
    }

    async fn free(&self, fence: Fence) -> anyhow::Result<Freed> {
        use Broken::*;
        match self.spec.broken {
            FreeUnchecked | NoFreeing | FreeOnlyIfThere | FreeByList | WishForgotten | Copies => {
                self.free_broken(fence).await
            }
            _ => {
                let presence = async || Ok(self.presence(self.name()).await);
                self.engine.free(fence, presence, async |_| Ok(())).await
            }
        }
    }

    pub(super) async fn presence(&self, name: EnvironmentName) -> Presence {
        match self.observe(name).await {
            Some(_) => Presence::There,
            None => Presence::Absent,
        }
    }
}

fn up(held: Held) -> Stage {
    match held.claim.state() {
        State::Waiting { .. } => Stage::Hold(held, Looked::default()),
        _ => Stage::LookUp(held),
    }
}
