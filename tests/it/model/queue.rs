//! The line for one place in the model: one holds it and goes, others wait or come, each is called once it may be, and may
//! not come.

use super::{
    BOTH, Broken, Budget, CALM, CRASH, End, Happening, LOST, Scenario, Spec, World,
    alone::alone,
    deep, fails, holds, name, nothing_leaks,
    port::{Answer, Request},
    pull,
    runs::{
        Line::{self, Blocks, One},
        Starts,
    },
    spec, world,
};
use berth::{
    documents::Read,
    domain::{
        claim::{Claim, State},
        intent::Occasion,
        queue::COMES_WITHIN,
    },
};
use jiff::Timestamp;
use serde_json::Value;

/// Nobody takes what is free over somebody before it in line who was called less than ten minutes ago, as far as it has
/// seen: who is called after it has looked comes, and waits on.
pub(super) fn passes_nobody<'a>(
    world: &World,
    request: &Request,
    newest_first: impl Iterator<Item = &'a Answer>,
) -> Result<(), String> {
    let Some(name) = world.is_given_by(request).filter(|_| world.one_place) else { return Ok(()) };
    // Since it has read the pool, the one document that is no claim.
    let said = |read: &Read| read.document().map(|document| Value::Object(document.clone()));
    let seen: Vec<Claim> = newest_first
        .flat_map(|answer| match answer {
            Answer::Read(read) => said(read).into_iter().collect(),
            Answer::Listed(all) => all.iter().filter_map(|(_, read)| said(read)).collect(),
            _ => vec![],
        })
        .map_while(|document| serde_json::from_value(document).ok())
        .collect();
    let in_line = |claim: &Claim| match claim.state() {
        State::Waiting { since, called, .. } => Some(((*since, claim.name()), *called)),
        _ => None,
    };
    let Some((own, _)) = seen.iter().find(|claim| claim.name() == name).and_then(in_line) else {
        return Err(format!("{name} is given what it has not looked for: {seen:?}"));
    };
    let is_on = |called: Option<Timestamp>| called.is_some_and(|at| at + COMES_WITHIN > world.now());
    match seen.iter().find(|claim| in_line(claim).is_some_and(|(at, called)| at < own && is_on(called))) {
        Some(passed) => Err(format!("{name} passes one that was called: {passed:?}")),
        None => Ok(()),
    }
}

/// Who waits though nobody has the place, and nobody was called to it. (Who was called too often for the scenario's runs comes
/// after its end.)
fn stuck(world: &World) -> Option<String> {
    let is_called = |claim: &Claim| matches!(claim.state(), State::Waiting { called: Some(_), .. });
    let is_free = world.having().next().is_none() && world.pool().entries().next().is_none();
    let is_stuck = is_free && !world.claims().any(is_called);
    let waits = |claim: &&Claim| matches!(claim.state(), State::Waiting { .. }) && world.open[&claim.name()];
    let first = world.claims().find(waits)?;
    is_stuck.then(|| format!("the line is stuck, the place is free: {first:?}"))
}

/// While nothing went wrong, whoever is next has been called by the end. Whatever went wrong: sweeps, and whoever they call,
/// bring the place to one who wants it, and out of the line who does not.
fn the_line_moves_on(end: &End<'_>) -> Result<(), String> {
    let mut world = end.world.clone();
    if let Some(stuck) = stuck(&world).filter(|_| end.undisturbed) {
        return Err(format!("nothing went wrong, and yet {stuck}"));
    }
    let like = |process, number, occasion| Spec {
        process,
        holder: pull(number),
        occasion,
        ..end.scenario.runs[0].clone()
    };
    for (sweep, comes) in [("s1", "c1"), ("s2", "c2"), ("s3", "c3"), ("s4", "c4")] {
        for number in [1, 2, 3] {
            let calls = world.calls.clone();
            alone(&mut world, &like(sweep, number, Occasion::Sweep)).map_err(|e| format!("{sweep}: {e}"))?;
            let now = world.calls.clone();
            for called in [1, 2, 3].into_iter().filter(|n| now.get(&name(*n)) > calls.get(&name(*n))) {
                alone(&mut world, &like(comes, called, Occasion::Event))
                    .map_err(|e| format!("{comes}: {e}"))?;
            }
        }
        world.time += 1;
    }
    let is_held = world.claims().any(|claim| matches!(claim.state(), State::Held { .. }));
    if let Some(first) = world.claims().find(|claim| !is_held && world.open[&claim.name()]) {
        return Err(format!("after all, nobody has the place, and this one is open: {first:?}"));
    }
    if let Some(claim) = world.claims().find(|claim| !world.open[&claim.name()]) {
        return Err(format!("it is closed, and still {}: {claim:?}", claim.state().word()));
    }
    nothing_leaks(&End { world: &world, outcomes: vec![], ..*end })
}

/// The first has the place and is closed, and what it leaves has cooled; these wait. A run that frees it.
fn closed(broken: Broken, line: Line, waiting: &[u64]) -> (World, Spec) {
    let mut world = world(broken, &[1, 2, 3]);
    (world.one_place, world.lists_at_once) = (true, true);
    // What a mutant does is shown by the search, and not by what was before it.
    let like = Spec { line: Some(line), ..spec("up", 1, Broken::Nothing) };
    assert_eq!(alone(&mut world, &like).unwrap(), "up");
    for number in waiting {
        let waits = Spec { process: "waits", holder: pull(*number), ..like.clone() };
        assert_eq!(alone(&mut world, &waits).unwrap(), "queued");
    }
    world.open.insert(name(1), false);
    let mut frees = Spec { process: "closed", ..like };
    if line == Blocks {
        assert_eq!(alone(&mut world, &frees).unwrap(), "later");
        world.time += 1;
        frees = Spec { process: "frees", occasion: Occasion::Sweep, ..frees };
    }
    (world, Spec { broken, ..frees })
}

/// Runs of the second and the third like this one.
fn runs_like(frees: &Spec) -> impl Fn(&'static str, u64, Starts) -> Spec + '_ {
    let occasion = Occasion::Event;
    move |process, number, starts| Spec { process, holder: pull(number), occasion, starts, ..frees.clone() }
}

fn scenario(world: World, runs: Vec<Spec>, budget: Budget) -> Scenario {
    Scenario {
        after: vec![0; runs.len()],
        runs,
        happenings: vec![],
        world,
        budget,
        at_the_end: the_line_moves_on,
    }
}

/// It is freed and the second is called, while the third comes. Who is called comes at any time or never.
fn handed_over(broken: Broken, line: Line, budget: Budget) -> Scenario {
    let (world, frees) = closed(broken, line, &[2]);
    let like = runs_like(&frees);
    let third = like("third", 3, Starts::AtOnce);
    let second = like("second-called", 2, Starts::Called(1));
    scenario(world, vec![frees.clone(), third, second], budget)
}

/// While it is freed one comes for the first time.
fn comes(broken: Broken, line: Line, budget: Budget) -> Scenario {
    let (world, frees) = closed(broken, line, &[]);
    let second = runs_like(&frees)("second", 2, Starts::AtOnce);
    scenario(world, vec![frees, second], budget)
}

/// Or two.
fn both_come(broken: Broken, line: Line, budget: Budget) -> Scenario {
    let mut scenario = comes(broken, line, budget);
    scenario.after.push(0);
    scenario.runs.push(Spec { process: "third", holder: pull(3), ..scenario.runs[1].clone() });
    scenario
}

/// It was freed and the second was called; the third waits too.
fn called(broken: Broken, line: Line) -> (World, Spec) {
    let (mut world, frees) = closed(broken, line, &[2, 3]);
    let before = Spec { broken: Broken::Nothing, ..frees.clone() };
    assert_eq!(alone(&mut world, &before).unwrap(), "gone");
    assert_eq!(world.calls, [(name(2), 1)].into());
    (world, frees)
}

/// The second comes at any time or never; a sweep calls the third once the second's ten minutes are over.
fn called_in_vain(broken: Broken, line: Line, budget: Budget) -> Scenario {
    let (world, frees) = called(broken, line);
    let like = runs_like(&frees);
    let (once, then) = (Starts::Called(1), Starts::At(world.time + 1));
    let sweep = Spec { occasion: Occasion::Sweep, ..like("sweep", 1, then) };
    scenario(world, vec![like("second-called", 2, once), sweep, like("third-called", 3, once)], budget)
}

/// The second is closed, whether it has come or not, and leaves the line: the third is next.
fn leaves(broken: Broken, line: Line, budget: Budget) -> Scenario {
    let (world, frees) = called(broken, line);
    let like = runs_like(&frees);
    let once = Starts::Called(1);
    let closed = like("second-closed", 2, Starts::AtOnce);
    let runs = vec![closed, like("second-called", 2, once), like("third-called", 3, once)];
    Scenario {
        after: vec![1, 0, 0],
        happenings: vec![Happening { name: name(2), open: false }],
        ..scenario(world, runs, budget)
    }
}

const STILL: Budget = Budget { time_steps: 0, ..CALM };
const STILL_CRASH: Budget = Budget { time_steps: 0, ..CRASH };
const STILL_LOST: Budget = Budget { time_steps: 0, ..LOST };

/// In both kinds of places.
fn in_both(what: &str, scenario: fn(Broken, Line, Budget) -> Scenario, budgets: &[Budget]) {
    for (line, budget) in [Blocks, One].into_iter().flat_map(|line| budgets.iter().map(move |of| (line, *of)))
    {
        holds(&format!("{what}, {line:?}, {budget:?}"), &scenario(Broken::Nothing, line, budget));
    }
}

#[test]
fn what_is_freed_is_handed_over_in_line_with_a_crash_or_a_lost_answer_anywhere() {
    in_both("handed over", handed_over, if deep() { &[CRASH, LOST] } else { &[STILL_CRASH, STILL_LOST] });
}

#[test]
fn what_is_freed_is_handed_over_in_line_where_claims_are_listed_one_by_one() {
    let in_parts = |broken, line, budget| {
        let mut scenario = handed_over(broken, line, budget);
        scenario.world.lists_at_once = false;
        scenario
    };
    in_both("handed over, lists in parts", in_parts, if deep() { &[CRASH] } else { &[STILL_CRASH] });
}

#[test]
fn who_comes_while_a_place_is_freed_takes_it_or_is_called_with_a_crash_or_a_lost_answer_anywhere() {
    in_both("one comes", comes, if deep() { &[BOTH] } else { &[STILL_CRASH, STILL_LOST] });
    if deep() {
        in_both("two come", both_come, &[STILL]);
    }
}

#[test]
fn who_was_called_and_does_not_come_in_time_is_passed_with_a_crash_or_a_lost_answer_anywhere() {
    in_both("called in vain", called_in_vain, if deep() { &[BOTH] } else { &[CRASH, LOST] });
}

#[test]
fn who_is_closed_leaves_the_line_and_the_next_is_called_with_a_crash_or_a_lost_answer_anywhere() {
    in_both("one leaves", leaves, if deep() { &[CRASH, LOST] } else { &[STILL_CRASH, STILL_LOST] });
}

#[test]
fn without_the_line_whoever_comes_first_passes_who_was_called() {
    fails(Broken::FirstCome, |broken| handed_over(broken, Blocks, CALM), "passes one that was called");
}

#[test]
fn without_an_end_of_the_call_who_was_called_and_does_not_come_keeps_all_others_waiting() {
    fails(
        Broken::CalledForEver,
        |broken| called_in_vain(broken, Blocks, CRASH),
        "after all, nobody has the place",
    );
}

#[test]
fn without_having_said_that_it_waits_nobody_calls_it() {
    fails(Broken::EndsUnsaid, |broken| comes(broken, Blocks, STILL), "nothing went wrong, and yet");
}
