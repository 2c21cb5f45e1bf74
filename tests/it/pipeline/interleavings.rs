//! Two processes and a sweep at once, their requests let through one at a time in an order that a seed picks, while the pull request is
//! pushed to, closed, reopened: what stands at the end is what it says.

use super::{
    bed::{Bed, close, push, sha},
    canonical::same,
    files::{APP, MANIFESTS},
};
use crate::{
    depth::seeds_or,
    turns::{Absent, Happening, Seeded},
};
use berth::{
    domain::{
        intent::Occasion,
        report::{Outcome, Report},
    },
    rehearsal::Request,
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// Among so many first requests turns are taken away, and things happen.
const STEPS: u64 = 110;
/// A run that rests for so long waits for the world, not for a request of its own to arrive.
const MOMENT: Duration = Duration::from_millis(5);

/// Two that something has happened to, and the sweep.
const THREE: [(&str, Occasion); 3] =
    [("one", Occasion::Event), ("two", Occasion::Event), ("sweep", Occasion::Sweep)];
/// Without it.
const TWO: [(&str, Occasion); 2] = [("one", Occasion::Event), ("two", Occasion::Event)];

fn at_once<const N: usize>(
    bed: &Bed,
    seed: u64,
    runs: [(&str, Occasion); N],
    happenings: Vec<Happening>,
) -> [Report; N] {
    let resting = bed.resting.clone();
    let absent = Absent::AtRest(MOMENT, Box::new(move |run| resting.has(run)));
    let turns = Seeded::new(seed, &runs.map(|(run, _)| run), STEPS, happenings, absent);
    bed.served.gate.schedule(turns.clone());
    let reports = std::thread::scope(|scope| {
        let threads = runs.map(|(run, occasion)| {
            let turns = turns.clone();
            scope.spawn(move || {
                let report = bed.run_beside(run, occasion);
                turns.ended(run);
                report.unwrap()
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    turns.unhappened().into_iter().for_each(|happen| happen());
    reports
}

fn outcomes<const N: usize>(reports: &[Report; N]) -> String {
    format!("{:?}", reports.each_ref().map(|report| &report.outcome))
}

fn pushed(bed: &Bed, commit: char) -> Happening {
    let served = bed.served.clone();
    Box::new(move || push(&served, commit))
}

fn closed(bed: &Bed) -> Happening {
    let served = bed.served.clone();
    Box::new(move || close(&served))
}

fn reopened(bed: &Bed) -> Happening {
    let served = bed.served.clone();
    Box::new(move || super::bed::reopen(&served))
}

/// A seed is some hundred requests; `SEEDS=2000` is for a long night.
fn seeds() -> u64 {
    seeds_or(40)
}

/// The end of the environment, once nobody is at it any more. What a superseded run had under way is found when the
/// addresses are to be freed: they cool once more then.
fn end(bed: &Bed) {
    close(&bed.served);
    bed.run_beside("closed", Occasion::Event);
    for sweep in ["freed", "freed-again"] {
        bed.pass(601);
        bed.run_beside(sweep, Occasion::Sweep);
    }
}

fn gone() -> String {
    let bed = Bed::standing();
    end(&bed);
    bed.canonical()
}

#[test]
fn pushed_to_while_two_runs_and_a_sweep_are_at_it_the_newer_commit_is_what_runs_and_nothing_was_provisioned_twice()
 {
    let mut all = BTreeSet::new();
    for seed in 1..=seeds() {
        let bed = Bed::new();
        bed.served.gate.invariant(super::invariants::provisioned_once());
        let both = outcomes(&at_once(&bed, seed, THREE, vec![pushed(&bed, 'b')]));
        let what = format!("seed {seed}: {both}\n{}", bed.log());
        // The push has an event of its own.
        let last = bed.run("last", Occasion::Event).unwrap();
        assert_eq!(last.outcome, Some(Outcome::Ready), "{what}");
        assert_eq!(bed.deployed(), Some(sha('b')), "{what}");
        bed.unbroken();
        all.insert(both);
    }
    assert!(all.len() > 1, "the seeds make no difference: {all:?}");
}

#[test]
fn closed_while_it_comes_up_nothing_is_left_in_the_end() {
    let gone = gone();
    for seed in 1..=seeds() {
        let bed = Bed::new();
        let both = outcomes(&at_once(&bed, seed, THREE, vec![closed(&bed)]));
        let what = format!("seed {seed}: {both}\n{}", bed.log());
        end(&bed);
        same(&bed.canonical(), &gone, &what);
        bed.unbroken();
    }
}

#[test]
fn reopened_while_it_goes_down_it_stands_in_the_end_and_closed_again_it_goes_without_a_trace() {
    let gone = gone();
    let mut all = BTreeSet::new();
    for seed in 1..=seeds() {
        let bed = Bed::standing();
        close(&bed.served);
        let both = outcomes(&at_once(&bed, seed, THREE, vec![reopened(&bed)]));
        let what = format!("seed {seed}: {both}\n{}", bed.log());
        let last = bed.run_beside("last", Occasion::Event).unwrap();
        assert_eq!(last.outcome, Some(Outcome::Ready), "{what}");
        assert_eq!(bed.deployed(), Some(sha('a')), "{what}");
        end(&bed);
        same(&bed.canonical(), &gone, &what);
        bed.unbroken();
        all.insert(both);
    }
    assert!(all.len() > 1, "the seeds make no difference: {all:?}");
}

/// Two runs at a standing environment that is pushed to once before and once meanwhile: whether what the last of them to be
/// ready says that it runs is what runs, in each of its objects.
fn runs_what_it_says(seed: u64, prepare: impl FnOnce(&Bed)) -> Result<(), String> {
    let objects = [1, 2, 3, 4, 5, 6].map(|n| MANY.replace("{n}", &n.to_string()));
    let bed = Bed::of(APP, &format!("{MANIFESTS}{}", objects.concat()));
    bed.up("earlier");
    push(&bed.served, 'b');
    prepare(&bed);
    let both = at_once(&bed, seed, TWO, vec![pushed(&bed, 'c')]);
    let ready = both.iter().filter(|report| report.outcome == Some(Outcome::Ready));
    let Some(last) = ready.max_by_key(|report| report.generation) else {
        return Err(format!("seed {seed}: none is ready: {}\n{}", outcomes(&both), bed.log()));
    };
    let said = last.head_sha.as_ref().map(ToString::to_string);
    let world = bed.world();
    let all = world.environment.all("configmaps").filter(|(_, name, _)| name.starts_with("shop-"));
    let runs: BTreeSet<_> =
        all.map(|(.., object)| object["data"]["commit"].as_str().map(str::to_owned)).collect();
    drop(world);
    if runs == BTreeSet::from([said.clone()]) {
        return Ok(());
    }
    Err(format!("seed {seed}: {said:?} is said, {runs:?} runs\n{}", bed.log()))
}

const MANY: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-{n}}
data: {commit: \"${HEAD_SHA}\"}
";

/// Takes the fence off the objects: no write says any more what it has seen.
fn unfenced(request: &mut Request) {
    if let Some(metadata) = request.body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| field != "resourceVersion" && field != "uid");
    }
    if let Some(options) = request.body.as_object_mut().filter(|_| request.method == "DELETE") {
        options.remove("preconditions");
    }
}

#[test]
fn what_is_said_to_run_is_what_runs_and_without_the_fence_at_the_objects_it_is_not() {
    for seed in 1..=seeds() {
        runs_what_it_says(seed, |_| {}).unwrap();
    }
    let unfenced = |seed: &u64| runs_what_it_says(*seed, |bed| bed.served.gate.alter(unfenced)).is_err();
    // Some of each ten seeds notice it: these make sure that it is never an accident which do.
    let noticed = (1..=200).find(unfenced);
    assert!(noticed.is_some(), "no seed notices that the fence is gone");
}
