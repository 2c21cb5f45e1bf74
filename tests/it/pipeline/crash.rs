//! A process dies at any of its requests that may change something, before that lands, or after it landed and before the answer.
//! Whatever follows then, the world ends as if nobody had died.
//!
//! Of what may follow each death is followed by one, in turn; `tests/run deep` takes them all.

use super::{
    lives::{Act, After, LIVES},
    scene::{Due, Scene, Spot, mutates, spots},
};
use crate::depth::deep;
use berth::rehearsal::gate::Verdict;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;

/// In every life.
fn killed_in(act: Act) {
    let (mut cases, mut all, mut deaths) = (0, 0, 0);
    for life in &LIVES {
        let mut scene = Scene::new(life, act);
        let spots: Vec<Spot> =
            spots(&scene.requests().0).into_iter().filter(|spot| mutates(&spot.line)).collect();
        let dues: Vec<Due> = act.afters().iter().map(|after| scene.due(*after)).collect();
        all += spots.len() * 2 * dues.len();
        for (at, spot) in spots.iter().enumerate() {
            for (how, verdict) in [Verdict::DieBefore, Verdict::DieAfter].iter().enumerate() {
                for (which, due) in dues.iter().enumerate() {
                    if !deep() && which != (at + how) % dues.len() {
                        continue;
                    }
                    let death = spot.befall(scene.again(), verdict);
                    act.go(&scene.bed, "dies");
                    scene.bed.served.gate.open();
                    let ended = scene.ending(due.after);
                    if let Err(why) = due.is(&ended, &scene.bed) {
                        let (name, after, log) = (life.name, due.after, scene.bed.log());
                        panic!("{name}, {act:?}: {verdict:?} at {spot}, then {after:?}: {why}\n{log}");
                    }
                    cases += 1;
                    deaths += death.load(Relaxed);
                }
            }
        }
    }
    println!("{act:?}, in {} lives: {cases} of {all} cases, {deaths} deaths", LIVES.len());
    assert!(deaths * 20 >= cases * 19, "of {cases} only {deaths} came to where they should die");
}

#[test]
fn killed_at_any_request_of_an_up_the_world_ends_as_if_it_had_not_been() {
    killed_in(Act::Up);
}

#[test]
fn killed_at_any_request_after_a_push_the_world_ends_as_if_it_had_not_been() {
    killed_in(Act::Push);
}

#[test]
fn killed_at_any_request_of_a_down_the_world_ends_as_if_it_had_not_been() {
    killed_in(Act::Down);
}

#[test]
fn killed_at_any_request_after_a_reopening_the_world_ends_as_if_it_had_not_been() {
    killed_in(Act::Reopened);
}

#[test]
fn killed_at_any_request_after_a_reopening_while_it_cools_the_world_ends_as_if_it_had_not_been() {
    killed_in(Act::Revived);
}

#[test]
fn what_the_next_run_would_leave_behind_is_noticed() {
    let mut scene = Scene::new(&LIVES[0], Act::Down);
    let due = scene.due(After::SameEvent);
    let dies = Spot::first("POST vault /v1/kv/data/ephemeral-clusters/ip-allocations");
    let mut ends = |leaks: bool| {
        dies.befall(scene.again(), &Verdict::DieBefore);
        scene.act.go(&scene.bed, "dies");
        scene.bed.served.gate.open();
        scene.bed.served.gate.alter(move |request| {
            let is_pool = request.path.last().is_some_and(|last| last == "ip-allocations");
            if leaks && request.mutates() && is_pool {
                request.body["data"]["192.168.1.140"] = json!("pr-shop-42");
            }
        });
        let ended = scene.ending(due.after);
        due.is(&ended, &scene.bed)
    };
    assert_eq!(ends(false), Ok(()));
    let leaked = ends(true).unwrap_err();
    assert!(leaked.contains("192.168.1.140"), "{leaked}");
}
