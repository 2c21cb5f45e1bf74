//! What people say in comments, and who is heard.

use super::bed::{APP, Bed, sha};
use berth::rehearsal::example::{NUMBER, REPOSITORY};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// The reactions to the last comment of a person.
fn reactions(bed: &Bed) -> Vec<String> {
    let world = bed.world();
    let comments = world.github.repository("acme/shop").unwrap().comments(42);
    let last = comments.into_iter().rfind(|comment| comment.author.as_deref() != Some("github-actions[bot]"));
    last.unwrap().reactions.iter().map(|reaction| reaction.content.to_owned()).collect()
}

#[test]
fn who_may_not_write_is_not_obeyed_and_is_told_so() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    for who in ["rita", "eve"] {
        let acted = bed.acts(&bed.says(who, "/berth down"));
        assert_eq!((acted.exit, acted.output("outcome")), (0, "nothing"), "{}", acted.log);
        assert!(acted.summary.contains("may not write"), "{}", acted.summary);
        assert_eq!((reactions(&bed), bed.deployed()), (vec!["-1".to_owned()], Some(sha('a'))));
    }
}

#[test]
fn what_is_not_understood_is_answered_and_not_done() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    let acted = bed.acts(&bed.says("ada", "/berth destroy everything"));
    assert_eq!((acted.exit, acted.output("outcome")), (0, "nothing"), "{}", acted.log);
    assert!(acted.summary.contains("/berth extend 24h"), "it says what it knows: {}", acted.summary);
    assert_eq!(reactions(&bed), ["confused"]);
    let talk = bed.acts(&bed.says("ada", "what does /berth down do?"));
    assert_eq!(talk.output("outcome"), "nothing");
    assert!(reactions(&bed).is_empty());
    assert_eq!(bed.deployed(), Some(sha('a')));
}

#[test]
fn up_by_hand_passes_filters_and_what_was_asked_for_so_stays() {
    let bed = Bed::of(&format!("{APP}filter: {{labels: [preview]}}\n"));
    assert_eq!(bed.acts(&bed.opened()).output("outcome"), "nothing");
    bed.checked_out(&sha('a'));
    let acted = bed.acts(&bed.says("ada", "/berth up"));
    assert_eq!((acted.output("outcome"), bed.deployed()), ("ready", Some(sha('a'))), "{}", acted.log);
    assert_eq!(reactions(&bed), ["+1"]);
    let pushed = bed.acts(&bed.pushed('b'));
    assert_eq!((pushed.output("outcome"), bed.deployed()), ("ready", Some(sha('b'))), "{}", pushed.log);
}

/// A comment's run begins with the default branch; its files are not the pull request's.
#[test]
fn up_without_the_pull_requests_own_checkout_is_refused_with_what_to_do() {
    let bed = Bed::new();
    bed.checked_out("ref: refs/heads/main");
    bed.writes(".git/refs/heads/main", &sha('0'));
    let acted = bed.acts(&bed.says("ada", "/berth up"));
    assert_eq!((acted.exit, bed.deployed()), (2, None), "{}", acted.log);
    assert!(acted.log.contains("refs/pull/42/head"), "{}", acted.log);
    bed.writes(".git/packed-refs", &format!("# pack-refs\n{} refs/heads/topic\n", sha('a')));
    bed.checked_out("ref: refs/heads/topic");
    assert_eq!(bed.acts(&bed.says("ada", "/berth up")).output("outcome"), "ready");
}

#[test]
fn extend_moves_the_end_and_status_brings_the_comment_up_to_date() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    let expires = || bed.document("pr-shop-42/claim").unwrap()["expires"].as_str().unwrap().to_owned();
    let (before, statuses) = (expires(), bed.statuses(&sha('a')));
    let acted = bed.acts(&bed.says("ada", "/berth extend 24h"));
    assert_eq!((acted.exit, acted.output("outcome")), (0, "ready"), "{}", acted.log);
    assert!(expires() >= before, "{} {before}", expires());
    assert!(bed.comment().contains("### ✅ Ready"), "{}", bed.comment());
    let acted = bed.acts(&bed.says("ada", "/berth status"));
    assert_eq!((acted.exit, acted.output("outcome")), (0, "ready"), "{}", acted.log);
    assert_eq!(bed.statuses(&sha('a')), statuses, "nothing new was judged");
    assert_eq!(bed.comments().len(), 1);
}

#[test]
fn the_label_that_extends_gives_it_its_whole_life_anew_if_who_sets_it_may_write() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    let expires = || bed.document("pr-shop-42/claim").unwrap()["expires"].as_str().unwrap().to_owned();
    let whole = expires();
    let mut claim = bed.document("pr-shop-42/claim").unwrap();
    let created: Timestamp = claim["created"].as_str().unwrap().parse().unwrap();
    claim["expires"] = json!(created + SignedDuration::from_hours(1));
    bed.world().vault.put("ephemeral-clusters/pr-shop-42/claim", claim.as_object().unwrap().clone());
    for (who, extends) in [("rita", false), ("ada", true)] {
        let label = |name| bed.happens(|world| world.github.label(REPOSITORY, NUMBER, who, name).unwrap());
        bed.acts(&label("berth-extend"));
        assert_eq!(expires() >= whole, extends, "{who}: {}", expires());
        bed.happens(|world| world.github.unlabel(REPOSITORY, NUMBER, "ada", "berth-extend").unwrap());
    }
}

#[test]
fn retest_runs_the_tests_of_the_same_commit_once_more() {
    let app = "version: 1\ndeploy: {manifests: app.yaml}\ntests: {command: [sh, t.sh], junit: r.xml}\n";
    let bed = Bed::of(app);
    let count = bed.path("count");
    bed.writes(
        "t.sh",
        &format!(
            "echo x >> {}\nprintf '<testsuite><testcase name=\"t\"/></testsuite>' > r.xml\n",
            count.display()
        ),
    );
    let runs = || std::fs::read_to_string(&count).unwrap().lines().count();
    let opened = bed.opened();
    bed.acts(&opened);
    bed.acts(&opened);
    assert_eq!(runs(), 1, "a result that is there is used again");
    bed.checked_out(&sha('a'));
    let acted = bed.acts(&bed.says("ada", "/berth retest"));
    assert_eq!((acted.output("outcome"), runs()), ("ready", 2), "{}", acted.log);
}

/// As in comment.yml, which does not fetch a fork's.
#[test]
fn without_the_apps_files_no_empty_environment_is_called_ready() {
    let bed = Bed::new();
    std::fs::remove_file(bed.path("checkout/berth.yaml")).unwrap();
    for words in ["/berth up", "/berth retest"] {
        let acted = bed.acts(&bed.says("ada", words));
        assert_eq!(acted.exit, 2, "{}", acted.log);
        assert!(acted.log.contains("there is no app file here"), "{}", acted.log);
        assert_eq!(reactions(&bed), ["confused"]);
    }
    assert_eq!(bed.document("pr-shop-42/claim"), None);
}

/// Its grace alone would end with the next sweep, which sees that it is open.
#[test]
fn the_input_down_removes_what_is_open_at_once() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    let acted = bed.ran(bed.job(&bed.opened()).input("command", "down"));
    assert_eq!((acted.exit, acted.output("outcome")), (0, "removed"), "{}", acted.log);
    assert_eq!(bed.document("pr-shop-42/claim"), None);
}
