//! What a run of the model does: the engine's own functions, one to a stage, and between them the least that stands for a
//! cluster's steps. Each rule can be broken, one at a time, to see the search find it.
//!
//! A stage is a function of its data and of the answers that it gets, so data and answers are the whole state of a run.

use super::port::{Answer, Object, Port, Request};
use berth::{
    clock::Clock,
    documents::{
        Document, Entry, Key, NotWritten, Read, Store, Version,
        claims::{Check, Claims, Fence},
        write_surely,
    },
    domain::{
        claim::{Claim, Ending, ProviderKind, Removal, State, Wish},
        holder::Holder,
        intent::{Occasion, Terms, Then, Wanted, Why},
        names::{EnvironmentName, Generation, RunId},
        pool::{Allocation, Block, Layout, Pool},
        queue::Full,
    },
    engine::{Freed, Holding, Ids, Opened, Pace, Pools, Presence, Protocol, Removed, Verified},
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeSet, future::Future, num::NonZeroU8, pin::Pin, sync::Arc, time::Duration};

/// One step of the model's clock: as long as addresses cool.
pub(super) const STEP: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Which rule of DESIGN §3 is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Nothing,
    /// 1: the pull request is read before the claim.
    WantedReadFirst,
    /// 2: a claim is judged by what an event wrote on it.
    JudgedByItsRecord,
    /// 3: all takings have one id.
    OneRunId,
    /// 4: allocate looks at the claim before it reads the pool.
    ClaimCheckedBeforePool,
    /// 4: free does not look at the claim after reading the pool.
    FreeUnchecked,
    /// 4: cooling is freed without `freeing`.
    NoFreeing,
    /// 5: free leaves a pool unwritten that has nothing of ours.
    FreeOnlyIfThere,
    /// 5: free goes by the claim's list.
    FreeByList,
    /// 6: what uses an address is born active.
    BornActive,
    /// 7: whoever ends a claim does not look at its wish.
    WishForgotten,
    /// 8: taken is what the pool says.
    ClaimsNotTaken,
    /// 8: nobody looks whether its entries still stand.
    VerifySkipped,
    /// Nothing, but by the copies of `hold` and `free` that the broken rules are tried on.
    Copies,
    /// The fence is checked before the look and not after it.
    DeleteUnchecked,
    /// A store gives no new version to a write that changes nothing.
    LazyVersions,
}

#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) process: &'static str,
    pub(super) holder: Holder,
    pub(super) occasion: Occasion,
    pub(super) blocks: u8,
    /// How many steps of the clock what is closed keeps its environment.
    pub(super) grace: u32,
    pub(super) broken: Broken,
}

/// A fence between two stages: the claim and the version that this run gave it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    claim: Claim,
    version: Version,
}

impl Held {
    fn of(fence: &Fence) -> Self {
        Self { claim: fence.claim().clone(), version: fence.version().clone() }
    }
    /// By the only way that there is: a taking, here over a store that gives this very version.
    async fn fence(&self) -> anyhow::Result<Fence> {
        struct Mint(Version);
        #[async_trait::async_trait]
        impl Store for Mint {
            async fn read(&self, _: &Key) -> anyhow::Result<Read> {
                Ok(Read::Absent { create: self.0.clone() })
            }
            async fn write(&self, _: &Key, _: &Document, _: &Version) -> Result<Version, NotWritten> {
                Ok(self.0.clone())
            }
            async fn remove(&self, _: &Key, _: &Version) -> Result<(), NotWritten> {
                unreachable!("a mint removes nothing")
            }
            async fn claims(&self) -> anyhow::Result<Vec<Entry>> {
                unreachable!("a mint lists nothing")
            }
            async fn names(&self) -> anyhow::Result<BTreeSet<EnvironmentName>> {
                unreachable!("a mint lists nothing")
            }
            fn place(&self, key: &Key) -> String {
                key.path()
            }
        }
        let mint = Claims::new(Arc::new(Mint(self.version.clone())));
        let basis = mint.read(&self.claim.name()).await?;
        mint.take(basis, self.claim.clone()).await.map_err(|e| anyhow::anyhow!("{e:?}"))
    }
}

/// Where a run is. `Ended` says how.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Open {
        tries: u32,
        occasion: Occasion,
    },
    /// What cools is finished by whoever comes by then; in the model the same run, as a sweep.
    Later {
        until: Timestamp,
        tries: u32,
    },
    Hold(Held),
    LookUp(Held),
    Create(Held),
    Verify(Held, Object),
    Activate(Held, u32),
    Lost(Held),
    LookDown(Held),
    Delete(Held, Object),
    Removed(Held),
    Free(Held),
    Ended(String),
}

impl Stage {
    /// The fence that a run in this stage holds.
    pub(super) fn fence(&self) -> Option<(EnvironmentName, Generation, &RunId)> {
        match self {
            Stage::Open { .. } | Stage::Later { .. } | Stage::Ended(_) => None,
            Stage::Hold(held)
            | Stage::LookUp(held)
            | Stage::Create(held)
            | Stage::Verify(held, _)
            | Stage::Activate(held, _)
            | Stage::Lost(held)
            | Stage::LookDown(held)
            | Stage::Delete(held, _)
            | Stage::Removed(held)
            | Stage::Free(held) => Some((held.claim.name(), held.claim.generation(), held.claim.run())),
        }
    }
}

pub(super) type Staging = Pin<Box<dyn Future<Output = Stage>>>;

impl Spec {
    pub(super) fn first(&self) -> Stage {
        Stage::Open { tries: 0, occasion: self.occasion }
    }

    /// One stage as a future, and its clock.
    pub(super) fn start(&self, stage: Stage, port: Port) -> (Staging, Clock) {
        let clock = Clock::stepped(start());
        let tries = match stage {
            // It takes its fence along, so it goes on by itself.
            Stage::Free(_) => 100,
            _ => 1,
        };
        let pools = Pools {
            claims: Claims::new(Arc::new(port.clone())),
            layout: Layout {
                range: format!("192.168.1.140-{}", 139 + 2 * u32::from(self.blocks)).parse().unwrap(),
                exclude: BTreeSet::new(),
                size: NonZeroU8::new(2).unwrap(),
                align: NonZeroU8::new(2).unwrap(),
            },
            places: Default::default(),
            taken: BTreeSet::new(),
            pace: Pace { first: Duration::ZERO, most: Duration::ZERO, tries },
            clock: clock.clone(),
        };
        let removal = Removal {
            provider: ProviderKind::CapiK3s,
            context: None,
            objects: vec![],
            elsewhere: vec![],
            hosts: vec![],
        };
        let terms = Terms {
            life: SignedDuration::from_hours(72),
            grace: STEP * self.grace as i32,
            reuse_after: STEP,
            removal,
            place: None,
            job: None,
        };
        let process = match (&stage, self.broken) {
            (_, Broken::OneRunId) => "same".to_owned(),
            (Stage::Open { tries, .. }, _) => format!("{}-{tries}", self.process),
            _ => self.process.to_owned(),
        };
        let ids = Ids::of(&process).unwrap();
        let run = Run { engine: Protocol { pools, terms, ids }, port: port.clone(), spec: self.clone() };
        let future = async move {
            match run.step(stage.clone()).await {
                Ok(next) => next,
                Err(e) if format!("{e:#}").contains("at each of 1 tries") => match stage {
                    // An id that was sent for certain nowhere is as good as a new one, and makes fewer states.
                    Stage::Open { tries, occasion } => {
                        Stage::Open { tries: tries + u32::from(port.lost()), occasion }
                    }
                    again => again,
                },
                Err(e) => Stage::Ended(format!("unknown: {e:#}")),
            }
        };
        (Box::pin(future), clock)
    }
}

struct Run {
    engine: Protocol,
    port: Port,
    spec: Spec,
}

fn ended(how: &str) -> anyhow::Result<Stage> {
    Ok(Stage::Ended(how.to_owned()))
}

impl Run {
    fn name(&self) -> EnvironmentName {
        self.spec.holder.name()
    }
    fn broken(&self, rule: Broken) -> bool {
        self.spec.broken == rule
    }
    fn claims(&self) -> &Claims {
        &self.engine.pools.claims
    }

    async fn step(&self, stage: Stage) -> anyhow::Result<Stage> {
        match stage {
            Stage::Open { tries, occasion } => self.open(tries, occasion).await,
            Stage::Later { until, tries } => {
                self.port.ask(Request::Later(until)).await;
                Ok(Stage::Open { tries: tries + 1, occasion: Occasion::Sweep })
            }
            Stage::Hold(held) => {
                let mut fence = held.fence().await?;
                match self.hold(&mut fence).await? {
                    Holding::Held(_) => Ok(Stage::LookUp(Held::of(&fence))),
                    other => ended(&format!("{other:?}")),
                }
            }
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
                let block = held.claim.addresses().expect("held with addresses");
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
            Stage::Ended(_) => unreachable!("an ended run has no step"),
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
        match self.port.ask(Request::Wanted(name)).await {
            Answer::Wanted(wanted) => Ok(wanted),
            other => unreachable!("{other:?}"),
        }
    }

    async fn observe(&self) -> Option<Object> {
        match self.port.ask(Request::Observe(self.name())).await {
            Answer::Observed(seen) => seen,
            other => unreachable!("{other:?}"),
        }
    }

    async fn superseded(&self, fence: &Fence) -> anyhow::Result<bool> {
        Ok(self.claims().check(fence).await? == Check::Superseded)
    }

    /// Look, check, act: what was seen before the check is no newer run's.
    async fn look_up(&self, held: Held) -> anyhow::Result<Stage> {
        let block = held.claim.addresses().expect("held with addresses");
        let seen = self.observe().await;
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
                    let block = held.claim.addresses().expect("held with addresses");
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
        let seen = self.observe().await;
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
            _ => self.engine.free(fence, async || Ok(self.presence().await), async |_| Ok(())).await,
        }
    }

    async fn presence(&self) -> Presence {
        match self.observe().await {
            Some(_) => Presence::There,
            None => Presence::Absent,
        }
    }

    async fn hold_broken(&self, fence: &mut Fence) -> anyhow::Result<Holding> {
        let check_first = self.broken(Broken::ClaimCheckedBeforePool);
        let (pools, store) = (&self.engine.pools, self.claims().store());
        loop {
            if check_first && self.superseded(fence).await? {
                return Ok(Holding::Superseded);
            }
            let read = store.read(&Key::Pool).await?;
            let (check, others) = self.claims().check_among_all(fence).await?;
            if !check_first && check == Check::Superseded {
                return Ok(Holding::Superseded);
            }
            let mut taken = BTreeSet::new();
            if !self.broken(Broken::ClaimsNotTaken) {
                taken.extend(others.iter().filter_map(Claim::addresses).flat_map(Block::addresses));
            }
            let mut pool = read.document().map(Pool::parse).unwrap_or_default();
            let (Allocation::Already(block) | Allocation::Completed(block) | Allocation::New(block)) =
                pool.allocate(&fence.name(), &pools.layout, &taken)
            else {
                return Ok(Holding::Full(Full::Taken));
            };
            match write_surely(store, &Key::Pool, &pool.document(), read.version()).await {
                Ok(_) => {}
                Err(NotWritten::Conflict) => continue,
                Err(NotWritten::Unknown(e)) => return Err(e),
            }
            let held = fence.claim().clone().held(Some(block))?;
            return Ok(match self.claims().advance(fence, held).await? {
                Check::Current => Holding::Held(Some(block)),
                Check::Superseded => Holding::Superseded,
            });
        }
    }

    async fn free_broken(&self, mut fence: Fence) -> anyhow::Result<Freed> {
        let (claims, store, clock) = (self.claims(), self.claims().store(), &self.engine.pools.clock);
        if let State::Cooling { until, .. } = *fence.claim().state() {
            if until > clock.now() {
                return Ok(Freed::NotYet(until));
            }
            if self.presence().await == Presence::There {
                let draining = fence.claim().clone().draining(self.engine.pools.clock.now())?;
                return Ok(match claims.advance(&mut fence, draining).await? {
                    Check::Current => Freed::StillThere(fence),
                    Check::Superseded => Freed::Superseded,
                });
            }
            if !self.broken(Broken::NoFreeing) {
                let freeing = fence.claim().clone().freeing(clock.now())?;
                if claims.advance(&mut fence, freeing).await? == Check::Superseded {
                    return Ok(Freed::Superseded);
                }
            }
        }
        loop {
            let read = store.read(&Key::Pool).await?;
            if !self.broken(Broken::FreeUnchecked) && self.superseded(&fence).await? {
                return Ok(Freed::Superseded);
            }
            let mut pool = read.document().map(Pool::parse).unwrap_or_default();
            if self.broken(Broken::FreeOnlyIfThere) && pool.held_by(&fence.name()).is_empty() {
                break;
            }
            if !self.broken(Broken::FreeByList) || fence.claim().addresses().is_some() {
                pool.free(&fence.name());
            }
            match write_surely(store, &Key::Pool, &pool.document(), read.version()).await {
                Ok(_) => break,
                Err(NotWritten::Conflict) => continue,
                Err(NotWritten::Unknown(e)) => return Err(e),
            }
        }
        let claim = fence.claim().clone();
        if !self.broken(Broken::WishForgotten)
            && claim.wish() == Wish::Up
            && let Ending::Anew(waiting) =
                claim.ended("anew".parse()?, clock.now(), self.engine.terms.life)?
        {
            return Ok(match claims.advance(&mut fence, waiting).await? {
                Check::Current => Freed::Anew(fence),
                Check::Superseded => Freed::Superseded,
            });
        }
        Ok(match claims.forget(fence).await? {
            Check::Current => Freed::Gone,
            Check::Superseded => Freed::Superseded,
        })
    }
}

fn up(held: Held) -> Stage {
    match held.claim.state() {
        State::Waiting { .. } => Stage::Hold(held),
        _ => Stage::LookUp(held),
    }
}
