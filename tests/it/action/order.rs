//! Events that come late, twice, in another order, or side by side.

use super::bed::{Bed, sha};
use berth::rehearsal::gate::Verdict;
use serde_json::json;

/// GitHub.md 7.8: the run of an older commit that comes last.
#[test]
fn an_older_commits_run_that_comes_last_changes_nothing() {
    let bed = Bed::new();
    let opened = bed.opened();
    let pushed = bed.pushed('b');
    let acted = bed.acts(&pushed);
    assert_eq!((acted.exit, bed.deployed()), (0, Some(sha('b'))), "{}", acted.log);
    let (comment, statuses) = (bed.comment(), bed.statuses(&sha('a')));
    let late = bed.acts(&opened);
    assert_eq!((late.exit, late.output("outcome")), (0, "superseded"), "{}", late.log);
    assert_eq!(bed.deployed(), Some(sha('b')));
    assert_eq!((bed.comment(), bed.statuses(&sha('a'))), (comment, statuses), "not a word of it is told");
}

/// Its checkout is of the older commit, and so are the filters in it.
#[test]
fn an_older_commits_filters_take_nothing_from_a_newer_one() {
    let bed = Bed::new();
    let opened = bed.opened();
    assert_eq!(bed.acts(&bed.pushed('b')).output("outcome"), "ready");
    bed.writes("berth.yaml", &format!("{}filter: {{labels: [preview]}}\n", super::bed::APP));
    let late = bed.acts(&opened);
    assert_eq!((late.exit, late.output("outcome")), (0, "superseded"), "{}", late.log);
    assert!(bed.comment().contains("### ✅ Ready"), "{}", bed.comment());
}

/// GitHub.md 7.7.
#[test]
fn the_same_events_in_any_order_and_twice_come_to_one_end() {
    let bed = Bed::new();
    let opened = bed.opened();
    let labeled = bed.happens(|world| world.github.label("acme/shop", 42, "ada", "bug").unwrap());
    let pushed = bed.pushed('b');
    let closed = bed.closed();
    for event in [&closed, &pushed, &closed, &labeled, &opened, &pushed] {
        let acted = bed.acts(event);
        assert_eq!(acted.exit, 0, "{}", acted.log);
    }
    assert_eq!(bed.document("pr-shop-42/claim"), None, "it is closed, so there is nothing");
    bed.happens(|world| world.github.reopen("acme/shop", 42, "ada").unwrap());
    for event in [&pushed, &opened, &pushed, &labeled] {
        let acted = bed.acts(event);
        assert_eq!(acted.exit, 0, "{}", acted.log);
    }
    assert_eq!((bed.deployed(), bed.comments().len()), (Some(sha('b')), 1));
    bed.world().github.close("acme/shop", 42, "ada").unwrap();
    for event in [&pushed, &closed, &opened] {
        assert_eq!(bed.acts(event).output("outcome"), "closing");
    }
}

#[test]
fn a_draft_gets_nothing_until_it_is_ready() {
    let bed = Bed::new();
    let draft = bed.happens(|world| world.github.set_draft("acme/shop", 42, "ada", true).unwrap());
    let acted = bed.acts(&draft);
    assert_eq!((acted.exit, acted.output("outcome")), (0, "nothing"), "{}", acted.log);
    assert!(acted.summary.contains("draft"), "{}", acted.summary);
    let ready = bed.happens(|world| world.github.set_draft("acme/shop", 42, "ada", false).unwrap());
    assert_eq!(ready.body["action"], json!("ready_for_review"));
    assert_eq!(bed.acts(&ready).output("outcome"), "ready");
}

/// GitHub.md fact 15: the run of the push waited for another one, and was dropped where that of the label came.
#[test]
fn a_label_that_no_setting_names_brings_up_what_a_dropped_run_has_not() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    bed.pushed('b');
    let label = || bed.happens(|world| world.github.label("acme/shop", 42, "ada", "bug").unwrap());
    let acted = bed.acts(&label());
    assert_eq!((acted.output("outcome"), bed.deployed()), ("ready", Some(sha('b'))), "{}", acted.log);
    // What was asked for since stays so.
    bed.acts(&bed.says("ada", "/berth down"));
    bed.world().github.unlabel("acme/shop", 42, "ada", "bug").unwrap();
    assert_eq!(bed.acts(&label()).output("outcome"), "nothing");
    assert_eq!(bed.document("pr-shop-42/claim"), None);
}

/// A runner waits 7.5 s, and a look at GitHub may take 30.
#[test]
fn a_job_that_is_cancelled_while_it_finds_out_what_to_do_says_so() {
    let bed = Bed::new();
    let asks = "/berth extend 24h";
    bed.acts(&bed.opened());
    let said = bed.says("ada", asks);
    let job = bed.job(&said);
    let cancel = job.cancel();
    bed.served.gate.rule(move |request| {
        if request.path.iter().any(|part| part == "permission") {
            cancel.now();
            return Verdict::Hang;
        }
        Verdict::Pass
    });
    let acted = bed.ran(job);
    assert_eq!((acted.exit, acted.output("outcome")), (130, "interrupted"), "{}", acted.log);
    assert!(acted.summary.contains("Cancelled"), "{}", acted.summary);
}
