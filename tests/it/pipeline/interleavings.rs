//! Two processes at once, their requests let through one at a time in an order that a seed picks, while the pull request is
//! pushed to, closed, reopened: what stands at the end is what it says.

use super::bed::{Bed, sha};
use berth::{
    domain::{intent::Occasion, report::Outcome},
    rehearsal::gate::Turns,
};
use futures::future::BoxFuture;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::oneshot;

/// A run that waits for the world does not come to the gate: then the others go on without it.
const GUESS: Duration = Duration::from_millis(20);

struct Seeded(Mutex<Order>);

struct Order {
    live: BTreeSet<String>,
    waiting: BTreeMap<String, VecDeque<oneshot::Sender<()>>>,
    busy: bool,
    step: u64,
    /// At these steps the turn goes to another run.
    preemptions: Vec<u64>,
    favoured: usize,
    /// At this step it happens.
    happening: Option<(u64, Box<dyn FnOnce() + Send>)>,
}

fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

impl Seeded {
    fn new(seed: u64, runs: [&str; 2], happens: impl FnOnce() + Send + 'static) -> Arc<Self> {
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let preemptions = (0..3).map(|_| next(&mut chance) % 110).collect();
        let at = next(&mut chance) % 60;
        Arc::new(Self(Mutex::new(Order {
            live: runs.iter().map(|run| (*run).to_owned()).collect(),
            waiting: BTreeMap::new(),
            busy: false,
            step: 0,
            preemptions,
            favoured: seed as usize,
            happening: Some((at, Box::new(happens))),
        })))
    }

    fn ended(&self, run: &str) {
        let mut order = self.0.lock().unwrap();
        order.live.remove(run);
        order.pick(false);
    }
}

impl Order {
    fn pick(&mut self, guess: bool) {
        let all = self.live.iter().all(|run| self.waiting.contains_key(run));
        if self.busy || self.waiting.is_empty() || !all && !guess {
            return;
        }
        self.step += 1;
        if self.happening.as_ref().is_some_and(|(at, _)| *at <= self.step)
            && let Some((_, happen)) = self.happening.take()
        {
            happen();
        }
        self.favoured += self.preemptions.iter().filter(|at| **at == self.step).count();
        let runs: Vec<String> = self.waiting.keys().cloned().collect();
        let run = runs[self.favoured % runs.len()].clone();
        let queue = self.waiting.get_mut(&run).unwrap();
        let turn = queue.pop_front().unwrap();
        if queue.is_empty() {
            self.waiting.remove(&run);
        }
        // Whoever waited may have been cut off since; then the turn is nobody's.
        self.busy = turn.send(()).is_ok();
        if !self.busy {
            self.pick(guess);
        }
    }
}

impl Turns for Seeded {
    fn wait<'a>(&'a self, run: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut turn = {
                let mut order = self.0.lock().unwrap();
                let (give, turn) = oneshot::channel();
                order.waiting.entry(run.to_owned()).or_default().push_back(give);
                order.pick(false);
                turn
            };
            while tokio::time::timeout(GUESS, &mut turn).await.is_err() {
                self.0.lock().unwrap().pick(true);
            }
        })
    }
    fn done(&self, _run: &str) {
        let mut order = self.0.lock().unwrap();
        order.busy = false;
        order.pick(false);
    }
}

fn at_once(bed: &Bed, seed: u64, happens: impl FnOnce() + Send + 'static) -> [Option<Outcome>; 2] {
    let runs = ["one", "two"];
    let turns = Seeded::new(seed, runs, happens);
    bed.served.gate.schedule(turns.clone());
    let outcomes = std::thread::scope(|scope| {
        let threads = runs.map(|run| {
            let turns = turns.clone();
            scope.spawn(move || {
                let report = bed.run_beside(run, Occasion::Event);
                turns.ended(run);
                report.and_then(|report| report.outcome)
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    // What did not happen in that many steps happens now.
    let happening = turns.0.lock().unwrap().happening.take();
    happening.into_iter().for_each(|(_, happen)| happen());
    outcomes
}

/// A seed is some hundred requests; `SEEDS=2000` is for a long night.
fn seeds() -> u64 {
    match crate::depth::seeds() {
        150 => 40,
        asked => asked,
    }
}

#[test]
fn pushed_to_while_two_runs_are_at_it_the_newer_commit_is_what_runs() {
    let mut outcomes = BTreeSet::new();
    for seed in 1..=seeds() {
        let bed = Bed::new();
        let changing = bed.served.clone();
        let both = at_once(&bed, seed, move || super::bed::push(&changing, 'b'));
        let what = format!("seed {seed}: {both:?}\n{}", bed.log());
        // The push has an event of its own.
        let last = bed.run("last", Occasion::Event).unwrap();
        assert_eq!(last.outcome, Some(Outcome::Ready), "{what}");
        assert_eq!(bed.deployed(), Some(sha('b')), "{what}");
        bed.end();
        bed.unbroken();
        outcomes.insert(format!("{both:?}"));
    }
    println!("{outcomes:#?}");
    assert!(outcomes.len() > 1, "the seeds make no difference: {outcomes:?}");
}

#[test]
fn closed_while_it_comes_up_nothing_is_left_in_the_end() {
    let gone = {
        let bed = Bed::new();
        bed.end();
        bed.canonical()
    };
    for seed in 1..=seeds() {
        let bed = Bed::new();
        let changing = bed.served.clone();
        let both = at_once(&bed, seed, move || super::bed::close(&changing));
        let what = format!("seed {seed}: {both:?}\n{}", bed.log());
        bed.run_beside("closed", Occasion::Event);
        // What a superseded run had under way is found when the addresses are to be freed: they cool once more then.
        for sweep in ["freed", "freed-again"] {
            bed.pass(601);
            bed.run_beside(sweep, Occasion::Sweep);
        }
        super::canonical::same(&bed.canonical(), &gone, &what);
        bed.unbroken();
    }
}
