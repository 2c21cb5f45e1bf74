//! A process dies at its k-th mutating request, for every k: before it lands, or after it landed and before the answer. The
//! same event again ends in the same world as a run that was never killed.

use super::{
    bed::{Bed, sha},
    canonical::same,
};
use berth::{domain::intent::Occasion, rehearsal::gate::Verdict};

/// A token that was made and not written down lives no longer.
const MINUTES: u32 = 301;

pub(super) fn kill_at(bed: &Bed, k: usize, how: &Verdict) {
    let (how, mut count) = (how.clone(), 0);
    bed.served.gate.rule(move |request| {
        count += usize::from(request.mutates());
        if request.mutates() && count == k { how.clone() } else { Verdict::Pass }
    });
}

fn clean(begin: fn() -> Bed, end: bool) -> String {
    let bed = begin();
    bed.up("clean");
    bed.pass(MINUTES);
    if end {
        bed.end();
    }
    bed.unbroken();
    bed.canonical()
}

#[test]
fn killed_at_any_request_of_an_up_the_next_event_ends_in_the_same_world() {
    up_killed(Bed::new, &["the same event", "a push", "a close"]);
}

#[test]
fn killed_while_it_binds_its_role_or_hands_over_the_next_event_ends_in_the_same_world() {
    up_killed(Bed::entitled, &["the same event", "a close"]);
}

#[test]
fn killed_at_any_request_of_a_down_the_next_event_finishes_it() {
    down_killed(Bed::new);
}

#[test]
fn killed_while_it_takes_back_what_was_handed_over_the_next_event_finishes_it() {
    down_killed(Bed::entitled);
}

fn up_killed(begin: fn() -> Bed, then: &[&str]) {
    let (stands, gone) = (clean(begin, false), clean(begin, true));
    let mut cases = 0;
    for how in [Verdict::DieBefore, Verdict::DieAfter] {
        for k in 1.. {
            let mut killed = false;
            for then in then {
                let what = format!("{how:?} at request {k}, then {then}");
                let bed = begin();
                kill_at(&bed, k, &how);
                killed = bed.run("dies", Occasion::Event).is_none();
                bed.served.gate.open();
                match *then {
                    "the same event" => {
                        bed.up("again");
                        bed.pass(MINUTES);
                        same(&bed.canonical(), &stands, &what);
                    }
                    "a push" => {
                        bed.push('b');
                        bed.up("again");
                        assert_eq!(bed.deployed(), Some(sha('b')), "{what}");
                    }
                    _ => {}
                }
                bed.end();
                same(&bed.canonical(), &gone, &what);
                bed.unbroken();
                cases += 1;
            }
            if !killed {
                assert!(k > 12, "an up has more than {k} mutating requests");
                break;
            }
        }
    }
    println!("{cases} cases");
}

fn down_killed(begin: fn() -> Bed) {
    let gone = clean(begin, true);
    let mut cases = 0;
    for how in [Verdict::DieBefore, Verdict::DieAfter] {
        for k in 1.. {
            let what = format!("{how:?} at request {k}");
            let bed = begin();
            bed.up("up");
            bed.close();
            kill_at(&bed, k, &how);
            let first = bed.run_beside("dies", Occasion::Event);
            bed.pass(601);
            let second = bed.run_beside("dies", Occasion::Sweep);
            bed.served.gate.open();
            bed.run_beside("again", Occasion::Event);
            bed.pass(601);
            bed.run_beside("freed", Occasion::Sweep);
            same(&bed.canonical(), &gone, &what);
            bed.unbroken();
            cases += 1;
            if first.is_some() && second.is_some() {
                assert!(k > 7, "a down has more than {k} mutating requests");
                break;
            }
        }
    }
    println!("{cases} cases");
}
