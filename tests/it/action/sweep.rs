//! The scheduled job: whose turn has come is called, who is about to lose something is warned, and what died on its way up
//! is begun anew by its own job.

use super::{
    bed::{Bed, Event, sha},
    queue::{acts, another, called, down, foreign, may, mend, narrow, two_in_line, unseen},
};
use crate::runner::Ran;
use berth::{
    clock::Clock,
    rehearsal::{example::REPOSITORY, gate::Verdict, github::Permission},
};
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

/// Whatever it comes to.
fn swept(bed: &Bed) -> Ran {
    acts(bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})))
}

#[test]
fn a_sweep_that_can_call_nobody_is_red_and_says_whom_and_what_would_help() {
    let bed = narrow();
    two_in_line(&bed);
    may(&bed, &[]);
    down(&bed);
    let ran = swept(&bed);
    assert_eq!((ran.exit, called(&bed)), (4, vec![]), "{}", ran.log);
    let row = ran.log.lines().find(|line| line.contains("call    acme/shop#43")).unwrap();
    assert!(row.contains("nobody could be called") && row.contains("actions: write"), "{row}");
    may(&bed, &[Permission::Actions]);
    sweeps(&bed);
    assert_eq!(called(&bed), [43], "a token that can call has its turn at once");
}

#[test]
fn a_sweep_that_cannot_see_what_is_in_use_calls_nobody_and_is_red() {
    let bed = narrow();
    two_in_line(&bed);
    foreign(&bed);
    down(&bed);
    assert_eq!(called(&bed), [0; 0]);
    sweeps(&bed);
    assert_eq!(called(&bed), [0; 0], "somebody else's cluster uses it");
    unseen(&bed);
    let ran = swept(&bed);
    assert_eq!((ran.exit, called(&bed)), (4, vec![]), "{}", ran.log);
    assert!(ran.log.contains("the line") && ran.log.contains("nobody was called: "), "{}", ran.log);
}

/// Two hold the two blocks, two wait, and those who hold are closed.
fn two_free() -> Bed {
    let bed = narrow();
    mend(&bed, "192.168.1.141", "192.168.1.143");
    acts(&bed, 42, &bed.opened());
    for (commit, number, outcome) in [('c', 43, "ready"), ('d', 44, "queued"), ('e', 45, "queued")] {
        let ran = acts(&bed, number, &another(&bed, commit));
        assert_eq!(ran.output("outcome"), outcome, "{}", ran.log);
    }
    mend(&bed, "grace: 1h", "grace: 0s");
    bed
}

fn closed(bed: &Bed, number: u64) {
    bed.happens(|world| world.github.close(REPOSITORY, number, "ada").unwrap());
}

#[test]
fn one_who_cannot_be_called_costs_no_other_the_call() {
    let bed = two_free();
    closed(&bed, 42);
    closed(&bed, 43);
    bed.served.gate.rule(|request| {
        let notes = request.mutates() && request.path.ends_with(&["pr-shop-44".into(), "claim".into()]);
        if notes { Verdict::json(403, &json!({"errors": ["permission denied"]})) } else { Verdict::Pass }
    });
    let ran = swept(&bed);
    assert_eq!((ran.exit, called(&bed)), (4, vec![45]), "{}", ran.log);
    assert!(
        ran.log.contains("call    acme/shop#44  its turn has come: at that repository's next event"),
        "{}",
        ran.log
    );
}

#[test]
fn a_sweep_calls_before_its_slow_work_and_once_more_for_what_that_has_freed() {
    let bed = two_free();
    may(&bed, &[]);
    down(&bed);
    may(&bed, &[Permission::Actions]);
    closed(&bed, 43);
    let before = bed.served.gate.log().len();
    sweeps(&bed);
    let log = &bed.served.gate.log()[before..];
    let calls: Vec<usize> = (0..log.len()).filter(|n| log[*n].contains("/rerun")).collect();
    let removes = log.iter().position(|line| line.contains("DELETE") && line.contains("pr-shop-43")).unwrap();
    assert_eq!((calls.len(), called(&bed)), (2, vec![44, 45]), "{log:#?}");
    assert!(calls[0] < removes && removes < calls[1], "{calls:?} {removes}");
    let measured = log
        .iter()
        .filter(|line| line.contains("GET") && line.contains("data/ephemeral-clusters/berth/measured"));
    // The removal keeps how long it took, and the lines are read once, however many wait.
    assert_eq!(measured.count(), 2, "{log:#?}");
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

#[test]
fn who_is_warned_of_the_end_of_a_short_life_that_was_extended_reads_it() {
    let bed = Bed::new();
    acts(&bed, 42, &bed.opened());
    mend(&bed, "max: 3d", "max: 6h");
    let ends = Clock::system().now() + SignedDuration::from_mins(210);
    claim(&bed, |claim| {
        claim.insert("created".to_owned(), json!(ends - SignedDuration::from_hours(30)));
        claim.insert("expires".to_owned(), json!(ends));
    });
    let ran = sweeps(&bed);
    assert!(ran.log.contains("warn    acme/shop#42  its lifetime is over at "), "{}", ran.log);
    assert!(bed.comment().contains("`/berth extend 24h` keeps it"), "{}", bed.comment());
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
    let ended = bed.world().github.change(REPOSITORY).unwrap().runs[&1_042].conclusion;
    let mut last = String::new();
    for _ in 0..3 {
        let ran = acts(&bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})));
        assert_eq!(ran.exit, 4, "{}", ran.log);
        last = ran.log;
        bed.world().github.change(REPOSITORY).unwrap().runs.get_mut(&1_042).unwrap().conclusion = ended;
    }
    assert_eq!(called(&bed), [42, 42]);
    assert!(last.contains("it was begun anew 2 times, in vain: look at its job"), "{last}");
}

#[test]
fn what_begins_anew_and_dies_again_is_not_begun_anew_for_days() {
    let bed = silent();
    for _ in 0..4 {
        acts(&bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})));
        bed.world().github.change(REPOSITORY).unwrap().runs.get_mut(&1_042).unwrap().conclusion =
            Some("cancelled");
        // Its job takes the claim, as each does, and says nothing.
        claim(&bed, |claim| {
            claim["generation"] = json!(claim["generation"].as_u64().unwrap() + 1);
            claim.insert("taken".to_owned(), json!(Clock::system().now() - SignedDuration::from_mins(40)));
        });
    }
    assert_eq!(called(&bed), [42, 42]);
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

#[test]
fn what_was_begun_by_hand_and_says_nothing_any_more_is_looked_at_by_a_person() {
    let bed = silent();
    claim(&bed, |claim| drop(claim.remove("job")));
    let ran = acts(&bed, 99, &Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_eq!((ran.exit, called(&bed)), (4, vec![]), "{}", ran.log);
    assert!(ran.log.contains("nobody can tell whether who began it by hand is at it still"), "{}", ran.log);
}
