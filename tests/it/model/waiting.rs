//! Those runs of the model that find no room, in the order in which the engine's do (`engine/run/waits.rs`), and whoever
//! calls them (`engine/line.rs`).

use super::{
    port::{Port, Request},
    runs::{Broken, Held, Looked, Stage},
    stages::{Run, ended},
};
use berth::{
    documents::claims::Check,
    domain::{
        claim::{Claim, Job, Removal, Reported, State},
        holder::Holder,
        intent::Occasion,
    },
    engine::{Asked, Calls, Engine, Freed, Retry, Way, Wishes},
    providers::{Provider, Providers},
    settings::WhenFull,
};
use std::sync::Arc;

/// Makes a call something that happens in the world.
struct Caller(Port);

#[async_trait::async_trait(?Send)]
impl Calls for Caller {
    async fn call(&self, claim: &Claim) -> Way {
        self.0.ask(Request::Call(claim.name())).await;
        Way::Again
    }
    async fn has_ended(&self, _: &Job) -> Option<bool> {
        unreachable!("no run of the model is a job's")
    }
}

/// What an engine that only calls asks of nobody.
struct Unasked;

#[async_trait::async_trait(?Send)]
impl Wishes for Unasked {
    async fn of(&self, _: &Holder, _: Option<&Claim>) -> anyhow::Result<Asked> {
        unreachable!("calling asks for no wish")
    }
}

#[async_trait::async_trait(?Send)]
impl Providers for Unasked {
    async fn of(&self, _: &Removal) -> anyhow::Result<Arc<dyn Provider>> {
        unreachable!("calling makes nothing")
    }
}

impl Run {
    /// Whoever has freed something calls, and every sweep.
    pub(super) fn is_to_call(&self, next: &Stage) -> bool {
        let Stage::Ended(how) = next else { return false };
        self.spec.line.is_some() && (self.spec.occasion == Occasion::Sweep || how == "gone")
    }

    /// The engine's own calling; that it fails is no run's failure.
    pub(super) async fn hand_over(self, then: Stage) -> Stage {
        let engine = Engine {
            protocol: self.engine,
            wishes: Arc::new(Unasked),
            hosts: Box::new(|_| unreachable!("calling leads nowhere")),
            providers: Arc::new(Unasked),
            steps: vec![],
            reporters: Default::default(),
            mask: Default::default(),
            retry: Retry::default(),
            calls: Some(Arc::new(Caller(self.port))),
            when_full: WhenFull::Queue,
            provider: None,
        };
        drop(engine.call_next(async || Ok(Default::default())).await);
        then
    }

    pub(super) fn has_room(&self, held: Held, looked: Looked) -> Stage {
        let then = Stage::LookUp(held);
        // There may have been more than it takes itself.
        if looked.freed == Some(true) { Stage::HandOver(Box::new(then)) } else { then }
    }

    pub(super) fn finds_no_room(&self, held: Held, looked: Looked) -> anyhow::Result<Stage> {
        Ok(match looked {
            Looked { freed: None, .. } => Stage::MakeRoom(held),
            Looked { has_said: false, .. } if !self.broken(Broken::EndsUnsaid) => Stage::Say(held, looked),
            _ => Stage::HandOver(Box::new(ended("queued")?)),
        })
    }

    pub(super) async fn make_room(&self, held: Held) -> anyhow::Result<Stage> {
        let now = self.engine.pools.clock.now();
        let has_cooled = |claim: &Claim| {
            let is_over = matches!(claim.state(), State::Cooling { until, .. } if *until <= now);
            is_over && claim.place() == held.claim.place()
        };
        let listed = self.claims().list().await?;
        let mut freed = false;
        for claim in listed.into_iter().filter_map(|listed| listed.claim.ok()).filter(has_cooled) {
            let name = claim.name();
            let wanted = async |_: Option<&Claim>| Ok(self.wanted_of(name.clone()).await);
            let presence = async || Ok(self.presence(name.clone()).await);
            // Of what cannot be brought to its end the engine makes nothing either.
            let ending = self.engine.finish(claim.holder(), wanted, presence, async |_| Ok(())).await;
            freed |= matches!(ending, Ok(Some(Freed::Gone)));
        }
        let looked = Looked { freed: Some(freed), has_said: false };
        if freed { Ok(Stage::Hold(held, looked)) } else { self.finds_no_room(held, looked) }
    }

    pub(super) async fn say(&self, held: Held, looked: Looked) -> anyhow::Result<Stage> {
        let mut fence = held.fence().await?;
        let reported = Reported {
            outcome: "queued".to_owned(),
            by: held.claim.generation(),
            head: None,
            at: self.engine.pools.clock.now(),
            tests: None,
            counted: None,
            took: 0,
            phases: vec![],
        };
        match self.claims().advance(&mut fence, held.claim.reporting(reported)).await? {
            Check::Current => Ok(Stage::Hold(Held::of(&fence), Looked { has_said: true, ..looked })),
            Check::Superseded => ended("superseded"),
        }
    }
}
