//! The search: every order of every request of all runs, with a crash, a lost answer or a late landing wherever the
//! budget allows one, and everything else that can happen between two requests. A run that is not scheduled is a run
//! that pauses, so a pause of any length at any point is in it.
//!
//! A state is the world and, of each run, its stage and the answers that it got in it: equal answers make equal futures.
//! What a run does upon an answer is therefore computed once, by running the stage's real code again from its start.

use super::{
    port::{Answer, Port, Request},
    queue::passes_nobody,
    runs::{STEP, Spec, Stage},
    world::World,
};
use berth::domain::names::EnvironmentName;
use futures::task::noop_waker;
use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    iter::successors,
    rc::Rc,
    task::{Context, Poll},
};

/// What may go wrong, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) crashes: u8,
    /// A write to a document lands and its answer is lost, or its answer is lost and it lands later or never.
    pub(super) lost: u8,
    pub(super) time_steps: u32,
}

/// Something that people do; it enables the runs that it wakes.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub(super) name: EnvironmentName,
    pub(super) open: bool,
}

#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) runs: Vec<Spec>,
    /// `runs[i]` starts after this many happenings.
    pub(super) after: Vec<usize>,
    pub(super) happenings: Vec<Happening>,
    pub(super) world: World,
    pub(super) budget: Budget,
    pub(super) at_the_end: fn(&End<'_>) -> Result<(), String>,
}

/// A state in which nothing more can happen of itself.
pub(super) struct End<'a> {
    pub(super) world: &'a World,
    pub(super) outcomes: Vec<Option<&'a str>>,
    pub(super) undisturbed: bool,
    pub(super) scenario: &'a Scenario,
}

type Pending = Vec<(usize, Rc<Request>)>;

/// The answers in one stage, the newest first.
struct History {
    before: Option<Rc<History>>,
    id: usize,
    answer: Answer,
    time: u32,
}

/// What a run stands at.
#[derive(Clone)]
struct RunState {
    stage: Rc<Stage>,
    /// What time it was when the stage began.
    entered: u32,
    history: Option<Rc<History>>,
    /// Of run, stage and history.
    hash: u64,
    pending: Rc<Pending>,
    crashed: bool,
}

/// What the code does after a history: ask, or go to the next stage.
enum Local {
    Asks(Rc<Pending>),
    Next(Rc<Stage>),
}

#[derive(Clone)]
struct State {
    world: World,
    runs: Vec<RunState>,
    /// Requests that are still under way though nobody waits for them.
    late: Vec<Rc<Request>>,
    happened: usize,
    budget: Budget,
    trail: Option<Rc<Trail>>,
}

struct Trail {
    what: What,
    before: Option<Rc<Trail>>,
}

/// Rendered only when a trail is told.
enum What {
    Said(String),
    Asked { who: &'static str, request: Rc<Request>, how: &'static str },
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) states: usize,
    pub(super) transitions: usize,
    pub(super) ends: usize,
}

pub(super) struct Search<'a> {
    scenario: &'a Scenario,
    locals: HashMap<u64, Rc<Local>>,
    seen: HashSet<u64>,
    ends_seen: HashSet<u64>,
    pub(super) counts: Counts,
}

impl<'a> Search<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            locals: HashMap::new(),
            seen: HashSet::new(),
            ends_seen: HashSet::new(),
            counts: Counts::default(),
        }
    }

    /// `Err`: how an invariant was broken, and by which order of requests.
    pub(super) fn run(&mut self) -> Result<Counts, String> {
        let runs =
            (0..self.scenario.runs.len()).map(|i| self.enter(i, self.scenario.runs[i].first().into(), 0));
        let runs = runs.collect();
        let first = State {
            world: self.scenario.world.clone(),
            runs,
            late: vec![],
            happened: 0,
            budget: self.scenario.budget,
            trail: None,
        };
        let mut stack = vec![first];
        while let Some(state) = stack.pop() {
            if !self.seen.insert(hash(&state)) {
                continue;
            }
            self.counts.states += 1;
            let next = self.next(&state)?;
            self.counts.transitions += next.len();
            stack.extend(next);
        }
        Ok(self.counts)
    }

    fn next(&mut self, state: &State) -> Result<Vec<State>, String> {
        // Once nothing more happens to the pull requests, reading them commutes with all that anybody may do: first is as
        // good as any order.
        if state.happened == self.scenario.happenings.len()
            && let Some((i, (id, request))) =
                state.runs.iter().enumerate().filter(|(_, r)| !r.crashed).find_map(|(i, run)| {
                    Some((i, run.pending.iter().find(|(_, r)| matches!(**r, Request::Wanted(_)))?.clone()))
                })
        {
            let mut served = self.step(state, self.asked(i, &request, ""));
            let answer = served.world.serve(&request).map_err(|e| told(&served, &e))?;
            self.deliver(&mut served, i, id, answer)?;
            return Ok(vec![served]);
        }
        let mut out = Vec::new();
        let mut progress = false;
        for i in 0..state.runs.len() {
            let run = &state.runs[i];
            let spec = &self.scenario.runs[i];
            if run.crashed || self.scenario.after[i] > state.happened || !spec.may_start(&state.world) {
                continue;
            }
            for (id, request) in run.pending.iter().cloned() {
                if matches!(*request, Request::Later(until) if until > state.world.now()) {
                    continue;
                }
                progress = true;
                let mut served = self.step(state, self.asked(i, &request, ""));
                passes_nobody(&state.world, &request, run.answers()).map_err(|e| told(&served, &e))?;
                let answer = served.world.serve(&request).map_err(|e| told(&served, &e))?;
                let landed = served.world.clone();
                self.deliver(&mut served, i, id, answer)?;
                out.push(served);
                if request.is_a_documents() && state.budget.lost > 0 {
                    let mut lost = self.step(state, self.asked(i, &request, " lands, its answer is lost"));
                    lost.world = landed;
                    lost.budget.lost -= 1;
                    self.deliver(&mut lost, i, id, Answer::Lost)?;
                    out.push(lost);
                    let mut late = self.step(state, self.asked(i, &request, " is late, its answer is lost"));
                    late.budget.lost -= 1;
                    late.late.push(request.clone());
                    self.deliver(&mut late, i, id, Answer::Lost)?;
                    out.push(late);
                }
            }
            if state.budget.crashes > 0 && !run.pending.is_empty() && (run.begun() || spec.is_called()) {
                let mut dead = self.step(state, What::Said(format!("{} dies", spec.process)));
                dead.budget.crashes -= 1;
                dead.runs[i].crashed = true;
                // What it had sent may land yet.
                dead.late.extend(run.pending.iter().map(|(_, r)| r.clone()).filter(|r| r.mutates()));
                out.push(dead);
            }
        }
        for k in 0..state.late.len() {
            let what = What::Asked { who: "late", request: state.late[k].clone(), how: "" };
            let mut landed = self.step(state, what);
            let request = landed.late.remove(k);
            landed.world.serve(&request).map_err(|e| told(&landed, &e))?;
            out.push(landed);
        }
        if let Some(happening) = self.scenario.happenings.get(state.happened) {
            progress = true;
            let mut happened = self.step(state, What::Said(format!("{happening:?}")));
            happened.world.open.insert(happening.name.clone(), happening.open);
            happened.happened += 1;
            out.push(happened);
        }
        let mut old = self.step(state, What::Said("the old tool".to_owned()));
        if old.world.old_tool_steps() {
            progress = true;
            out.push(old);
        }
        // Nothing else waits for the clock, so time may as well stand still before.
        if state.budget.time_steps > 0 && state.world.cools() {
            let mut later = self.step(state, What::Said("time passes".to_owned()));
            later.budget.time_steps -= 1;
            later.world.time += 1;
            out.push(later);
        }
        if !progress {
            self.end(state)?;
        }
        Ok(out)
    }

    fn step(&self, state: &State, what: What) -> State {
        let mut next = state.clone();
        next.trail = Some(Rc::new(Trail { what, before: state.trail.clone() }));
        next
    }

    fn asked(&self, run: usize, request: &Rc<Request>, how: &'static str) -> What {
        What::Asked { who: self.scenario.runs[run].process, request: request.clone(), how }
    }

    fn deliver(&mut self, state: &mut State, run: usize, id: usize, answer: Answer) -> Result<(), String> {
        let before = &state.runs[run];
        let (_, asked) =
            before.pending.iter().find(|(i, _)| *i == id).expect("what was asked is answered").clone();
        let mut hasher = DefaultHasher::new();
        (before.hash, id, state.world.time).hash(&mut hasher);
        match (&answer, &*asked) {
            (Answer::Read(_), Request::Read(key)) => state.world.hash_of(key).hash(&mut hasher),
            (Answer::Listed(_), _) => state.world.hash_claims_into(&mut hasher),
            (other, _) => format!("{other:?}").hash(&mut hasher),
        }
        let hash = hasher.finish();
        let history = History { before: before.history.clone(), id, answer, time: state.world.time };
        let history = Some(Rc::new(history));
        let local = self.local(run, &before.stage.clone(), before.entered, history.as_deref(), hash);
        match &*local {
            Local::Asks(pending) => {
                let run = &mut state.runs[run];
                (run.history, run.hash, run.pending) = (history, hash, pending.clone());
            }
            Local::Next(stage) => {
                state.runs[run] = self.enter(run, stage.clone(), state.world.time);
                let mut fences = HashSet::new();
                for fence in state.runs.iter().filter(|run| !run.crashed).filter_map(|run| run.stage.fence())
                {
                    if !fences.insert(fence.clone()) {
                        return Err(told(state, &format!("two runs hold one fence: {fence:?}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// The beginning of a stage. It may read the clock before its first request.
    fn enter(&mut self, run: usize, stage: Rc<Stage>, time: u32) -> RunState {
        let mut hasher = DefaultHasher::new();
        (run, format!("{stage:?}"), time).hash(&mut hasher);
        let hash = hasher.finish();
        let mut state =
            RunState { stage, entered: time, history: None, hash, pending: Rc::default(), crashed: false };
        if !matches!(*state.stage, Stage::Ended(_)) {
            match &*self.local(run, &state.stage.clone(), time, None, hash) {
                Local::Asks(pending) => state.pending = pending.clone(),
                Local::Next(next) => return self.enter(run, next.clone(), time),
            }
        }
        state
    }

    /// Runs the real code of the stage with these answers.
    fn local(
        &mut self,
        run: usize,
        stage: &Stage,
        entered: u32,
        history: Option<&History>,
        hash: u64,
    ) -> Rc<Local> {
        if let Some(local) = self.locals.get(&hash) {
            return local.clone();
        }
        let mut answers = Vec::new();
        let mut at = history;
        while let Some(history) = at {
            answers.push(history);
            at = history.before.as_deref();
        }
        let port = Port::default();
        let (mut future, clock) = self.scenario.runs[run].start(stage.clone(), port.clone());
        let (waker, mut time) = (noop_waker(), entered);
        let mut context = Context::from_waker(&waker);
        for _ in 0..entered {
            clock.advance(STEP);
        }
        let mut polled = future.as_mut().poll(&mut context);
        for history in answers.into_iter().rev() {
            for _ in time..history.time {
                clock.advance(STEP);
            }
            time = history.time;
            port.answer(history.id, history.answer.clone());
            polled = future.as_mut().poll(&mut context);
        }
        let local = Rc::new(match polled {
            Poll::Ready(next) => Local::Next(next.into()),
            Poll::Pending => {
                Local::Asks(Rc::new(port.pending().into_iter().map(|(id, r)| (id, Rc::new(r))).collect()))
            }
        });
        self.locals.insert(hash, local.clone());
        local
    }

    fn end(&mut self, state: &State) -> Result<(), String> {
        let end = End {
            world: &state.world,
            outcomes: state.runs.iter().map(RunState::outcome).collect(),
            undisturbed: state.budget.crashes == self.scenario.budget.crashes
                && state.budget.lost == self.scenario.budget.lost,
            scenario: self.scenario,
        };
        let mut hasher = DefaultHasher::new();
        state.world.hash_into(&mut hasher);
        end.outcomes.hash(&mut hasher);
        end.undisturbed.hash(&mut hasher);
        if !self.ends_seen.insert(hasher.finish()) {
            return Ok(());
        }
        self.counts.ends += 1;
        (self.scenario.at_the_end)(&end)
            .map_err(|e| told(state, &format!("at the end: {e} ({:?})", end.outcomes)))
    }
}

impl RunState {
    fn outcome(&self) -> Option<&str> {
        match &*self.stage {
            Stage::Ended(how) => Some(how),
            _ => None,
        }
    }
    /// In its stage, the newest first.
    fn answers(&self) -> impl Iterator<Item = &Answer> {
        successors(self.history.as_deref(), |history| history.before.as_deref())
            .map(|history| &history.answer)
    }
    /// A run that has done nothing yet is not killed: that would be an event that never came. Who was called may not come.
    fn begun(&self) -> bool {
        self.history.is_some() || !matches!(*self.stage, Stage::Open { .. })
    }
}

fn hash(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.world.hash_into(&mut hasher);
    for run in &state.runs {
        (run.hash, run.crashed).hash(&mut hasher);
    }
    let mut late: Vec<String> = state.late.iter().map(|r| format!("{r:?}")).collect();
    late.sort();
    (late, state.happened, state.budget).hash(&mut hasher);
    hasher.finish()
}

fn told(state: &State, what: &str) -> String {
    let mut steps = Vec::new();
    let mut at = state.trail.as_deref();
    while let Some(trail) = at {
        steps.push(match &trail.what {
            What::Said(what) => what.clone(),
            What::Asked { who, request, how } => format!("{who}: {request:?}{how}"),
        });
        at = trail.before.as_deref();
    }
    steps.reverse();
    format!("{what}\n{}", steps.join("\n"))
}
