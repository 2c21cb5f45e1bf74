//! Lets the requests of several runs through one at a time, in an order that a seed picks. Few preemptions find deep races
//! that a fair coin at every request does not.

use berth::rehearsal::{Request, gate::Turns};
use futures::future::BoxFuture;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::oneshot;

/// So often at most the turn is taken from who has it.
const PREEMPTIONS: u64 = 3;
/// Of so many requests one changes something: many of the preemptions are before such a one, which then lands late.
const READS: u64 = 4;

/// What befalls the world between two requests.
pub(crate) type Happening = Box<dyn FnOnce() + Send>;

/// When the others go on without a live run that does not come to the gate.
pub(crate) enum Absent {
    /// Never: each has a request to send until it ends.
    Never,
    /// When nobody has had a turn for so long, and this says of them that they rest: what waits for the world sends nothing.
    AtRest(Duration, Box<dyn Fn(&str) -> bool + Send + Sync>),
}

/// The order of one seed.
pub(crate) struct Seeded {
    order: Mutex<Order>,
    absent: Absent,
}

struct Order {
    live: BTreeSet<String>,
    waiting: BTreeMap<String, VecDeque<Waiting>>,
    /// Whose request is on its way.
    on: Option<String>,
    step: u64,
    writes: u64,
    /// At these steps, and before these writes, the turn goes to another run.
    preemptions: Preemptions,
    favoured: usize,
    /// At these steps something happens.
    happenings: VecDeque<(u64, Happening)>,
}

#[derive(Default)]
struct Preemptions {
    steps: Vec<u64>,
    writes: Vec<u64>,
}

struct Waiting {
    turn: oneshot::Sender<()>,
    writes: bool,
}

fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

impl Seeded {
    /// Among that many first steps turns are taken away, and these things happen, one after the other.
    pub(crate) fn new(
        seed: u64,
        runs: &[&str],
        steps: u64,
        happenings: Vec<Happening>,
        absent: Absent,
    ) -> Arc<Self> {
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut one = |of: u64| next(&mut chance) % of;
        let mut preemptions = Preemptions::default();
        // Of every other seed one write is late, and nothing else: that shows most.
        let is_late = seed.is_multiple_of(2);
        let more = if is_late { 0 } else { one(PREEMPTIONS) };
        for _ in 0..=more {
            match is_late || one(2) == 1 {
                true => preemptions.writes.push(one(steps / READS)),
                false => preemptions.steps.push(one(steps)),
            }
        }
        let mut at: Vec<u64> = happenings.iter().map(|_| one(steps)).collect();
        at.sort_unstable();
        let order = Order {
            live: runs.iter().map(|run| (*run).to_owned()).collect(),
            waiting: BTreeMap::new(),
            on: None,
            step: 0,
            writes: 0,
            preemptions,
            favoured: (seed / 2) as usize,
            happenings: at.into_iter().zip(happenings).collect(),
        };
        Arc::new(Self { order: Mutex::new(order), absent })
    }

    /// This run sends nothing any more.
    pub(crate) fn ended(&self, run: &str) {
        let mut order = self.order.lock().unwrap();
        order.live.remove(run);
        order.pick(|_| false);
    }

    /// What has not happened in so many steps.
    pub(crate) fn unhappened(&self) -> Vec<Happening> {
        self.order.lock().unwrap().happenings.drain(..).map(|(_, happen)| happen).collect()
    }
}

impl Order {
    fn pick(&mut self, may_be_absent: impl Fn(&str) -> bool) {
        let here = |run: &String| self.waiting.contains_key(run) || may_be_absent(run);
        if self.on.is_some() || self.waiting.is_empty() || !self.live.iter().all(here) {
            return;
        }
        self.step += 1;
        while let Some((_, happen)) = self.happenings.pop_front_if(|(at, _)| *at <= self.step) {
            happen();
        }
        self.favoured += self.preemptions.steps.iter().filter(|at| **at == self.step).count();
        let runs: Vec<String> = self.waiting.keys().cloned().collect();
        let mut run = &runs[self.favoured % runs.len()];
        if self.waiting[run][0].writes {
            self.writes += 1;
            self.favoured += self.preemptions.writes.iter().filter(|at| **at == self.writes).count();
            run = &runs[self.favoured % runs.len()];
        }
        let run = run.clone();
        let queue = self.waiting.get_mut(&run).unwrap();
        let waiting = queue.pop_front().unwrap();
        if queue.is_empty() {
            self.waiting.remove(&run);
        }
        // Whoever waited may have been cut off since; then the turn is nobody's.
        match waiting.turn.send(()) {
            Ok(()) => self.on = Some(run),
            Err(()) => self.pick(may_be_absent),
        }
    }
}

impl Turns for Seeded {
    fn wait<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut turn = {
                let mut order = self.order.lock().unwrap();
                // Questions to name servers do not say whose they are.
                if !order.live.contains(&request.run) {
                    return;
                }
                let (give, turn) = oneshot::channel();
                let waiting = Waiting { turn: give, writes: request.mutates() };
                order.waiting.entry(request.run.clone()).or_default().push_back(waiting);
                order.pick(|_| false);
                turn
            };
            let Absent::AtRest(moment, rests) = &self.absent else {
                let _ = turn.await;
                return;
            };
            let mut before = 0;
            while tokio::time::timeout(*moment, &mut turn).await.is_err() {
                let mut order = self.order.lock().unwrap();
                if std::mem::replace(&mut before, order.step) == order.step {
                    order.pick(rests);
                }
            }
        })
    }

    fn done(&self, request: &Request) {
        let mut order = self.order.lock().unwrap();
        if order.on.as_ref() == Some(&request.run) {
            order.on = None;
            order.pick(|_| false);
        }
    }
}
