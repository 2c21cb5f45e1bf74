//! Runs over the embedded Vault: what a process does with an environment, as far as berth does it so far, through the
//! engine and real HTTP. There is no cluster yet, so being up is to hold verified addresses.

use crate::bed::{Bed, ROOT, document};
use berth::{
    documents::claims::Claims,
    domain::{
        claim::{Claim, ProviderKind, Removal},
        holder::Holder,
        intent::{Occasion, Terms, Then, Wanted},
        pool::Layout,
        queue::{Place, Places, Room},
    },
    engine::{Freed, Holding, Ids, Opened, Pace, Pools, Presence, Protocol, Removed, Verified},
    rehearsal::World,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU8,
    sync::{Arc, Mutex},
    time::Duration,
};

/// How long addresses cool here.
pub(crate) const COOLING: u32 = 600;

pub(crate) fn pull(number: u64) -> Holder {
    Holder::PullRequest(format!("acme/shop#{number}").parse().unwrap())
}

/// Blocks of two.
pub(crate) fn layout(range: &str) -> Layout {
    let two = NonZeroU8::new(2).unwrap();
    Layout { range: range.parse().unwrap(), exclude: BTreeSet::new(), size: two, align: two }
}

/// A world with pull requests in it, and the runs that it can have.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) bed: Arc<Bed>,
    open: Arc<Mutex<BTreeMap<String, bool>>>,
    /// Who is brought up waits in line for this.
    place: Option<Place>,
}

impl Stage {
    /// With an entry of the shell tool in the pool, which is nobody's to lose.
    pub(crate) async fn start() -> Self {
        let bed = Bed::start().await;
        let others = document(json!({"192.168.1.148": "pr-old-9", "192.168.1.149": "pr-old-9"}));
        bed.world().vault.put(&format!("{ROOT}/ip-allocations"), others);
        bed.gate().invariant(|world, _| explained(world));
        Self { bed: Arc::new(bed), open: Arc::default(), place: None }
    }

    /// Where all wait in line for this.
    pub(crate) async fn narrow(room: Room) -> Self {
        let reuse_after = SignedDuration::from_secs(COOLING.into());
        Self { place: Some(Place { room, per_repository: 0, reuse_after }), ..Self::start().await }
    }

    pub(crate) fn set_open(&self, number: u64, open: bool) {
        self.open.lock().unwrap().insert(pull(number).to_string(), open);
    }

    pub(crate) fn engine(&self, run: &str) -> Protocol {
        let pools = Pools {
            claims: Claims::new(self.bed.vault(run)),
            layout: match &self.place {
                Some(Place { room: Room::Blocks(layout), .. }) => layout.clone(),
                _ => layout("192.168.1.140-149"),
            },
            places: self.place.iter().map(|of| ("pool lab".parse().unwrap(), of.clone())).collect::<Places>(),
            taken: BTreeSet::new(),
            pace: Pace { first: Duration::ZERO, most: Duration::ZERO, tries: 50 },
            clock: self.bed.clock.clone(),
        };
        let removal = Removal {
            provider: ProviderKind::CapiK3s,
            context: None,
            objects: vec![],
            elsewhere: vec![],
            hosts: vec![],
        };
        let place = pools.places.keys().next().cloned();
        let terms = Terms {
            life: SignedDuration::from_hours(72),
            grace: SignedDuration::ZERO,
            reuse_after: SignedDuration::from_secs(COOLING.into()),
            removal,
            place,
            job: None,
        };
        Protocol { pools, terms, ids: Ids::of(run).unwrap() }
    }

    /// One process from its event to its end. `None`: it was killed.
    pub(crate) async fn run(&self, run: &str, number: u64, occasion: Occasion) -> Option<String> {
        let handled = async {
            let handled = self.handle(run, number, occasion).await;
            handled.unwrap_or_else(|error| format!("exit {}", berth::errors::exit(&error).code()))
        };
        tokio::select! {
            outcome = handled => Some(outcome),
            () = self.bed.gate().death(run) => None,
        }
    }

    async fn handle(&self, run: &str, number: u64, occasion: Occasion) -> anyhow::Result<String> {
        let (engine, holder) = (self.engine(run), pull(number));
        let wanted = async |_: Option<&Claim>| {
            let open = self.open.lock().unwrap().get(&holder.to_string()) == Some(&true);
            Ok(if open { Wanted::Up(None) } else { Wanted::Down })
        };
        let (mut fence, mut then) = match engine.open(&holder, occasion, wanted).await? {
            Opened::Taken(fence, then) => (fence, then),
            Opened::Left(why) => return Ok(format!("left: {why:?}")),
            Opened::Refused { held_by } => return Ok(format!("held by {held_by}")),
        };
        loop {
            match then {
                Then::Rest(why) => return Ok(format!("rests: {why:?}")),
                Then::Up => {
                    if fence.claim().state().word() == "waiting" {
                        let none = BTreeSet::new();
                        match engine.pools.hold(&mut fence, &none).await? {
                            Holding::Held(_) => {}
                            Holding::Full(_) => return Ok("Full".to_owned()),
                            other => return Ok(format!("{other:?}")),
                        }
                    }
                    return Ok(match engine.pools.verify(&fence).await? {
                        Verified::Ours | Verified::PutBack => "up".to_owned(),
                        other => format!("{other:?}"),
                    });
                }
                Then::Down => {
                    if fence.claim().state().word() == "draining" {
                        match engine.removed(&mut fence, Vec::new()).await? {
                            Removed::Cooling(_) => {}
                            Removed::UpAgain => {
                                then = Then::Up;
                                continue;
                            }
                            Removed::Superseded => return Ok("superseded".to_owned()),
                        }
                    }
                    match engine.free(fence, async || Ok(Presence::Absent), async |_| Ok(())).await? {
                        Freed::Gone => return Ok("gone".to_owned()),
                        Freed::Anew(anew) => (fence, then) = (anew, Then::Up),
                        Freed::NotYet(_) => return Ok("cooling".to_owned()),
                        Freed::StillThere(_) => unreachable!("there is nothing that could be there"),
                        Freed::Superseded => return Ok("superseded".to_owned()),
                    }
                }
            }
        }
    }

    /// The cooling over, and a sweep.
    pub(crate) async fn sweep_after_cooling(&self, run: &str, number: u64) -> Option<String> {
        self.bed.pass(COOLING);
        self.run(run, number, Occasion::Sweep).await
    }

    /// All live documents, without what tells runs and times apart: what two endings are compared by.
    pub(crate) fn canonical(&self) -> String {
        let world = self.bed.world();
        let documents: BTreeMap<&str, Value> = world
            .vault
            .paths()
            .map(|path| {
                let mut document = world.vault.document(path).cloned().unwrap_or_default();
                for volatile in ["run", "uid", "generation", "brought-by", "created", "expires"] {
                    document.remove(volatile);
                }
                (path, Value::Object(document))
            })
            .filter(|(_, document)| document.get("_gone").is_none())
            .collect();
        serde_json::to_string_pretty(&documents).unwrap()
    }

    pub(crate) fn unbroken(&self, what: &str) {
        assert_eq!(self.bed.gate().broken(), None, "{what}:\n{}", self.bed.gate().log().join("\n"));
    }
}

/// After every request that landed: the other tool's entries stand, every entry of ours is explained by a claim, and what
/// a held claim lists is its own in the pool.
fn explained(world: &World) -> Result<(), String> {
    let pool = world.vault.document(&format!("{ROOT}/ip-allocations")).cloned().unwrap_or_default();
    let claim = |name: &str| {
        let document = world.vault.document(&format!("{ROOT}/{name}/claim"))?;
        (!document.contains_key("_gone")).then_some(document)
    };
    for address in ["192.168.1.148", "192.168.1.149"] {
        if pool.get(address) != Some(&json!("pr-old-9")) {
            return Err(format!("{address} of the other tool is lost: {pool:?}"));
        }
    }
    for (address, holder) in &pool {
        let name = holder.as_str().unwrap_or_default();
        if name != "pr-old-9" && claim(name).is_none() {
            return Err(format!("no claim explains {address} of {name}"));
        }
    }
    for number in 1..=3 {
        let name = pull(number).name().to_string();
        let Some(claim) = claim(&name).filter(|claim| claim["state"]["is"] == "held") else { continue };
        for address in claim["state"]["addresses"].as_array().into_iter().flatten() {
            let holder = pool.get(address.as_str().unwrap_or_default());
            if holder != Some(&json!(name)) {
                return Err(format!("{name} holds {address}, which the pool gives to {holder:?}"));
            }
        }
    }
    Ok(())
}
