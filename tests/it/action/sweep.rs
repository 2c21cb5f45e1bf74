//! The scheduled job: whose turn has come is called, who is about to lose something is warned, and what died on its way up
//! is begun anew by its own job.

use super::{
    bed::{Bed, Event, sha},
    queue::{acts, called, mend, narrow, two_in_line},
};
use crate::runner::Ran;
use berth::{clock::Clock, rehearsal::example::REPOSITORY};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

const CLAIM: &str = "ephemeral-clusters/pr-shop-42/claim";

fn sweeps(bed: &Bed) -> Ran {
    let ran = acts(bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_eq!(ran.exit, 0, "{}", ran.log);
    ran
}

fn claim(bed: &Bed, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut world = bed.world();
    let mut claim = world.vault.document(CLAIM).unwrap().clone();
    change(&mut claim);
    world.vault.put(CLAIM, claim);
}

#[test]
fn what_a_sweep_frees_is_for_the_first_in_line_and_the_others_read_where_they_stand_now() {
    let bed = narrow();
    two_in_line(&bed);
    bed.happens(|world| world.github.close(REPOSITORY, 42, "ada").unwrap());
    mend(&bed, "grace: 1h", "grace: 0s");
    let ran = sweeps(&bed);
    assert!(
        ran.log.contains("call    acme/shop#43  its turn has come: its job runs once more"),
        "{}",
        ran.log
    );
    assert_eq!(called(&bed), [43]);
    sweeps(&bed);
    assert_eq!(called(&bed), [43], "once");
}

#[test]
fn before_the_end_of_its_life_people_are_warned_once() {
    let bed = Bed::new();
    acts(&bed, 42, &bed.opened());
    assert!(!bed.comment().contains("its time is over"), "{}", bed.comment());
    let soon = Clock::system().now() + SignedDuration::from_mins(100);
    claim(&bed, |claim| {
        claim.insert("created".to_owned(), json!(soon - SignedDuration::from_hours(72)));
        claim.insert("expires".to_owned(), json!(soon));
    });
    let ran = sweeps(&bed);
    assert!(ran.log.contains("warn    acme/shop#42  its lifetime is over at "), "{}", ran.log);
    assert!(bed.comment().contains("`/berth extend 24h` keeps it"), "{}", bed.comment());
    assert!(bed.comment().contains("### ✅ Ready"), "{}", bed.comment());
    let ran = sweeps(&bed);
    assert!(!ran.log.contains("warn    acme"), "{}", ran.log);
}

/// Its run has said nothing for forty minutes.
fn silent() -> Bed {
    let bed = Bed::new();
    acts(&bed, 42, &bed.opened());
    let long_ago = Clock::system().now() - SignedDuration::from_mins(40);
    claim(&bed, |claim| {
        claim.remove("reported");
        claim.insert("taken".to_owned(), json!(long_ago));
    });
    bed
}

#[test]
fn what_died_on_its_way_up_is_told_and_begun_anew_by_its_own_job() {
    let bed = silent();
    let ran = acts(&bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_eq!((ran.exit, called(&bed)), (4, vec![42]), "{}", ran.log);
    let comment = bed.comment();
    assert!(
        comment.contains("run 1042 of acme/shop has ended without a word; its job runs once more"),
        "{comment}"
    );
    assert_eq!(acts(&bed, 42, &bed.pushed('a')).output("outcome"), "ready");
}

#[test]
fn a_long_run_that_lives_is_nobodys_to_begin_anew() {
    let bed = silent();
    bed.world().github.change(REPOSITORY).unwrap().runs.get_mut(&1_042).unwrap().conclusion = None;
    let ran = sweeps(&bed);
    assert!(ran.log.contains("its run is at it still"), "{}", ran.log);
    assert_eq!((called(&bed), bed.deployed()), (vec![], Some(sha('a'))));
}

#[test]
fn what_was_begun_anew_twice_in_vain_is_looked_at_by_a_person() {
    let bed = silent();
    let ended = bed.world().github.change(REPOSITORY).unwrap().runs[&1_042].conclusion.clone();
    let mut last = String::new();
    for _ in 0..3 {
        let ran = acts(&bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})));
        assert_eq!(ran.exit, 4, "{}", ran.log);
        last = ran.log;
        bed.world().github.change(REPOSITORY).unwrap().runs.get_mut(&1_042).unwrap().conclusion =
            ended.clone();
    }
    assert_eq!(called(&bed), [42, 42]);
    assert!(last.contains("it was begun anew 2 times, in vain: look at its job"), "{last}");
}

#[test]
fn a_sweep_that_has_not_run_for_a_day_ends_red_once() {
    let bed = Bed::new();
    acts(&bed, 42, &bed.opened());
    sweeps(&bed);
    let path = "ephemeral-clusters/berth/sweep";
    let mut left = bed.world().vault.document(path).unwrap().clone();
    left.insert("at".to_owned(), json!(Clock::system().now() - SignedDuration::from_hours(25)));
    bed.world().vault.put(path, left);
    let ran = acts(&bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_eq!(ran.exit, 1, "{}", ran.log);
    assert!(ran.log.contains("the last sweep before this one was 1 d 1 h ago"), "{}", ran.log);
    sweeps(&bed);
}
