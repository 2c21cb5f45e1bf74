//! Between every client and every embedded server: sees each request before it lands, and may answer in its place,
//! hold it, let it land and swallow the answer, or let the run that sent it die.
//!
//! Faults live here and only here: no client has a hook for them, and no handler knows of them.
//! The gate must never look into the world nor change it. Alterations and rules are called without the world's lock (they may take it),
//! invariants and witnesses within it, the former with the world as an argument; none of them may set another: their own
//! lock is held.

use super::{Request, World, lock};
use futures::future::BoxFuture;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// What becomes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Lands, and is answered.
    Pass,
    /// Does not land; the run is dead from now on: all that it still sends is cut.
    DieBefore,
    /// Lands, is not answered, and the run is dead from now on.
    DieAfter,
    /// Does not land; this is answered in its place.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Headers: a `content-length` is added, nothing else.
        headers: Vec<(String, String)>,
        /// The body, of whatever kind.
        body: String,
    },
    /// Does not land; the connection is cut.
    Cut,
    /// Lands; the connection is cut without an answer. The run lives.
    CutAfter,
    /// Lands; the connection is cut half-way through the body of the answer (at once, if that has none).
    Truncate,
    /// Does not land, and is never answered.
    Hang,
    /// Lands, and is never answered.
    HangAfter,
}

impl Verdict {
    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::answer(status, "application/json", body.to_string())
    }

    /// An answer in HTML, as a proxy in the way gives.
    pub fn html(status: u16, body: &str) -> Self {
        Self::answer(status, "text/html", body.to_owned())
    }

    fn answer(status: u16, kind: &str, body: String) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self::Answer { status, headers, body }
    }

    /// Adds a header to an answer, such as `location` or `retry-after`; to any other verdict nothing.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A scheduler of requests: decides whose turn it is.
pub trait Turns: Send + Sync {
    /// Resolves when it is this request's turn. Always awaited to its end, even if the client has gone away meanwhile.
    fn wait<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, ()>;
    /// The request whose turn it was is over. Called exactly once for every `wait`.
    fn done(&self, request: &Request);
}

type Rule = Box<dyn FnMut(&Request) -> Verdict + Send>;
type Alteration = Box<dyn FnMut(&mut Request) + Send>;
type Invariant = Box<dyn FnMut(&World, &Request) -> Result<(), String> + Send>;
type Witness = Box<dyn FnMut(&Request, u16, &[(String, String)], &Value) -> Result<(), String> + Send>;

/// The gate of one served world. Clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    alteration: Mutex<Alteration>,
    rule: Mutex<Rule>,
    invariants: Mutex<Vec<Invariant>>,
    witnesses: Mutex<Vec<Witness>>,
    broken: Mutex<Option<String>>,
    dead: watch::Sender<BTreeSet<String>>,
    log: Mutex<Log>,
    turns: Mutex<Option<Arc<dyn Turns>>>,
}

#[derive(Default)]
struct Log {
    lines: Vec<String>,
    mutating: usize,
    /// Whose they were; not of those who do not say.
    runs: BTreeSet<String>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Inner {
            alteration: Mutex::new(Box::new(|_| {})),
            rule: Mutex::new(Box::new(|_| Verdict::Pass)),
            invariants: Mutex::default(),
            witnesses: Mutex::default(),
            broken: Mutex::default(),
            dead: watch::Sender::default(),
            log: Mutex::default(),
            turns: Mutex::default(),
        }))
    }
}

impl Gate {
    /// Judges every request from now on by this rule, in place of the last one.
    pub fn rule(&self, rule: impl FnMut(&Request) -> Verdict + Send + 'static) {
        *lock(&self.0.rule) = Box::new(rule);
    }

    /// Changes every request from now on, before anything else sees it: so a harness takes out what clients hold on to, and
    /// proves that it would notice.
    pub fn alter(&self, alteration: impl FnMut(&mut Request) + Send + 'static) {
        *lock(&self.0.alteration) = Box::new(alteration);
    }

    /// Lets every request pass from now on. Who is dead stays dead.
    pub fn open(&self) {
        self.rule(|_| Verdict::Pass);
    }

    /// Lets requests in one at a time from now on, in the order that the scheduler gives.
    pub fn schedule(&self, turns: Arc<dyn Turns>) {
        *lock(&self.0.turns) = Some(turns);
    }

    /// Adds what must hold after every mutating request that landed; checked under the world's lock.
    pub fn invariant(&self, check: impl FnMut(&World, &Request) -> Result<(), String> + Send + 'static) {
        lock(&self.0.invariants).push(Box::new(check));
    }

    /// Adds a judge of every request that lands and of what the world answers to it (status, headers, body), even if the
    /// verdict swallows the answer; called under the world's lock. What a verdict answers in the world's place is not shown.
    pub fn witness(
        &self,
        judge: impl FnMut(&Request, u16, &[(String, String)], &Value) -> Result<(), String> + Send + 'static,
    ) {
        lock(&self.0.witnesses).push(Box::new(judge));
    }

    /// The first breach of an invariant or refusal of a witness, with the request that caused it.
    pub fn broken(&self) -> Option<String> {
        lock(&self.0.broken).clone()
    }

    /// Resolves once a verdict has killed this run; at once, if one has already.
    pub async fn death(&self, run: &str) {
        // It fails only without a sender, and `self` holds one.
        let _ = self.0.dead.subscribe().wait_for(|dead| dead.contains(run)).await;
    }

    /// Whether a verdict has killed this run.
    pub fn is_dead(&self, run: &str) -> bool {
        self.0.dead.borrow().contains(run)
    }

    /// Every request that was judged, in order: `run METHOD server /path`.
    pub fn log(&self) -> Vec<String> {
        lock(&self.0.log).lines.clone()
    }

    /// How many of those could change the world.
    pub fn count_mutating(&self) -> usize {
        lock(&self.0.log).mutating
    }

    /// Who has sent anything so far sends nothing more.
    pub(super) fn kill_all(&self) {
        let runs = lock(&self.0.log).runs.clone();
        self.0.dead.send_modify(|dead| dead.extend(runs));
    }

    /// As it was at first, but that who is dead stays dead. Not within the world's lock: a rule may wait for that.
    pub(super) fn begin_anew(&self) {
        self.open();
        self.alter(|_| {});
        lock(&self.0.invariants).clear();
        lock(&self.0.witnesses).clear();
        *lock(&self.0.broken) = None;
        *lock(&self.0.log) = Log::default();
        *lock(&self.0.turns) = None;
    }

    pub(super) fn altered(&self, mut request: Request) -> Request {
        lock(&self.0.alteration)(&mut request);
        request
    }

    pub(super) fn judge(&self, request: &Request) -> Verdict {
        {
            let mut log = lock(&self.0.log);
            log.lines.push(request.to_string());
            log.mutating += usize::from(request.mutates());
            if !log.runs.contains(&request.run) && !request.run.is_empty() {
                log.runs.insert(request.run.clone());
            }
        }
        lock(&self.0.rule)(request)
    }

    pub(super) fn kill(&self, run: &str) {
        self.0.dead.send_modify(|dead| {
            dead.insert(run.to_owned());
        });
    }

    pub(super) fn check(&self, world: &World, request: &Request) {
        for invariant in lock(&self.0.invariants).iter_mut() {
            if let Err(why) = invariant(world, request) {
                self.breach(&why, request);
            }
        }
    }

    pub(super) fn show(&self, request: &Request, status: u16, headers: &[(String, String)], body: &Value) {
        for witness in lock(&self.0.witnesses).iter_mut() {
            if let Err(why) = witness(request, status, headers, body) {
                self.breach(&why, request);
            }
        }
    }

    pub(super) fn breach(&self, why: &str, request: &Request) {
        lock(&self.0.broken).get_or_insert_with(|| format!("{why} (after {request})"));
    }

    /// Waits for this request's turn, if there is a scheduler.
    pub(super) async fn turn<'a>(&self, request: &'a Request) -> Option<Turn<'a>> {
        let turns = lock(&self.0.turns).clone()?;
        turns.wait(request).await;
        Some(Turn { turns, request })
    }
}

/// A turn; dropping it gives it back.
pub(super) struct Turn<'a> {
    turns: Arc<dyn Turns>,
    request: &'a Request,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.done(self.request);
    }
}
