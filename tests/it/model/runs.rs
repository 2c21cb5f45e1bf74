//! What a run of the model is: its stages, each a function of its data and of the answers that it gets, so data and answers
//! are the whole state of a run. What is done in them: `stages`, `waiting`. Each rule can be broken, one at a time, to see
//! the search find it: `broken`.

use super::{
    port::{Object, Port},
    stages::Run,
    world::World,
};
use berth::{
    clock::Clock,
    documents::{
        Document, Entry, Key, NotWritten, Read, Store, Version,
        claims::{Claims, Fence},
    },
    domain::{
        claim::{Claim, ProviderKind, Removal},
        holder::Holder,
        intent::{Occasion, Terms},
        names::{EnvironmentName, Generation, PlaceName, RunId},
        pool::Layout,
        queue::{Place, Room},
    },
    engine::{Ids, Pace, Pools, Protocol},
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
    /// The queue: what is free is whose run comes first.
    FirstCome,
    /// The queue: whoever was called is waited for without an end.
    CalledForEver,
    /// The queue: a run ends as queued, and its claim has not said so.
    EndsUnsaid,
}

/// What there is room for one in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// As many as there are blocks of addresses.
    Blocks,
    /// One, without an address.
    One,
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
    /// Whoever finds no room waits in this line; `None`: it ends.
    pub(super) line: Option<Line>,
    pub(super) starts: Starts,
}

/// What a run waits for, beside what happens to the pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    AtOnce,
    /// Its holder was called for the so manieth time.
    Called(u32),
    /// The clock has come to this step.
    At(u32),
}

/// A fence between two stages: the claim and the version that this run gave it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) claim: Claim,
    version: Version,
}

/// How far a run is that finds no room.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looked {
    /// Whether it has freed what had cooled; `None`: it has not tried.
    pub(super) freed: Option<bool>,
    /// Its claim says that nobody is at it any more.
    pub(super) has_said: bool,
}

impl Held {
    pub(super) fn of(fence: &Fence) -> Self {
        Self { claim: fence.claim().clone(), version: fence.version().clone() }
    }
    /// By the only way that there is: a taking, here over a store that gives this very version.
    pub(super) async fn fence(&self) -> anyhow::Result<Fence> {
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
    Hold(Held, Looked),
    /// It found no room: what has cooled is brought to its end.
    MakeRoom(Held),
    /// Its claim is to say that it has ended.
    Say(Held, Looked),
    /// Whoever is next is called, and then this.
    HandOver(Box<Stage>),
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
            Stage::HandOver(then) => then.fence(),
            Stage::Hold(held, _)
            | Stage::MakeRoom(held)
            | Stage::Say(held, _)
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
    pub(super) fn may_start(&self, world: &World) -> bool {
        match self.starts {
            Starts::AtOnce => true,
            Starts::Called(times) => {
                world.calls.get(&self.holder.name()).is_some_and(|calls| *calls >= times)
            }
            Starts::At(time) => world.time >= time,
        }
    }

    pub(super) fn is_called(&self) -> bool {
        matches!(self.starts, Starts::Called(_))
    }

    pub(super) fn first(&self) -> Stage {
        Stage::Open { tries: 0, occasion: self.occasion }
    }

    /// One stage as a future, and its clock.
    pub(super) fn start(&self, stage: Stage, port: Port) -> (Staging, Clock) {
        let clock = Clock::stepped(start());
        let port = if self.broken == Broken::CalledForEver { port.calling_for_ever(&clock) } else { port };
        let tries = match (&stage, self.line) {
            // It takes its fence along, or what it wrote on its claim, so it goes on by itself.
            (Stage::Free(_) | Stage::MakeRoom(_), _) | (Stage::Hold(..), Some(Line::One)) => 100,
            _ => 1,
        };
        let layout = Layout {
            range: format!("192.168.1.140-{}", 139 + 2 * u32::from(self.blocks)).parse().unwrap(),
            exclude: BTreeSet::new(),
            size: NonZeroU8::new(2).unwrap(),
            align: NonZeroU8::new(2).unwrap(),
        };
        let place = self.place(&layout);
        let pools = Pools {
            claims: Claims::new(Arc::new(port.clone())),
            layout,
            places: match (&stage, self.broken) {
                // Who takes from no place that is known takes out of turn.
                (Stage::Hold(..), Broken::FirstCome) => Default::default(),
                _ => place.clone().into_iter().collect(),
            },
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
            place: place.map(|(name, _)| name),
            job: None,
        };
        let process = match (&stage, self.broken) {
            (_, Broken::OneRunId) => "same".to_owned(),
            (Stage::Open { tries, .. }, _) => format!("{}-{tries}", self.process),
            _ => self.process.to_owned(),
        };
        let ids = Ids::of(&process).unwrap();
        let run = Run::new(Protocol { pools, terms, ids }, port.clone(), self.clone());
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

    fn place(&self, layout: &Layout) -> Option<(PlaceName, Place)> {
        let room = match self.line? {
            Line::Blocks => Room::Blocks(layout.clone()),
            Line::One => Room::Most(1),
        };
        Some(("pool lab".parse().unwrap(), Place { room, per_repository: 0, reuse_after: STEP }))
    }
}
