//! Whose request is next, where two runs ask at once: one bit of a number for each.

use berth::rehearsal::{Request, gate::Turns};
use futures::future::BoxFuture;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::oneshot;

/// Lets a request in when both runs have one, as long as both go on.
pub(super) struct Alternating(Mutex<Order>);

struct Order {
    turns: u32,
    live: Vec<String>,
    waiting: BTreeMap<String, oneshot::Sender<()>>,
}

impl Alternating {
    pub(super) fn new(turns: u32, runs: [&str; 2]) -> Arc<Self> {
        let live = runs.map(str::to_owned).to_vec();
        Arc::new(Self(Mutex::new(Order { turns, live, waiting: BTreeMap::new() })))
    }

    /// It asks no more, or alone.
    pub(super) fn ended(&self, run: &str) {
        let mut order = self.0.lock().unwrap();
        order.live.retain(|live| live != run);
        order.pick();
    }
}

impl Order {
    fn pick(&mut self) {
        if self.live.is_empty() || !self.live.iter().all(|run| self.waiting.contains_key(run)) {
            return;
        }
        let run = self.live[self.turns as usize % self.live.len()].clone();
        self.turns /= 2;
        if let Some(turn) = self.waiting.remove(&run) {
            turn.send(()).unwrap();
        }
    }
}

impl Turns for Alternating {
    fn wait<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let turn = {
                let mut order = self.0.lock().unwrap();
                if !order.live.contains(&request.run) {
                    return;
                }
                let (give, turn) = oneshot::channel();
                order.waiting.insert(request.run.clone(), give);
                order.pick();
                turn
            };
            turn.await.unwrap();
        })
    }

    fn done(&self, _: &Request) {}
}
