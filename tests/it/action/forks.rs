//! Code that nobody here wrote: what it gets, and who lets it in.

use super::bed::{Bed, Event, sha};
use berth::rehearsal::{example::REPOSITORY, github::Run};
use serde_json::json;

/// The pull request comes from a fork.
fn fork(bed: &Bed) -> Event {
    bed.world().github.comes_from(REPOSITORY, 42, "eve").unwrap();
    let mut event = bed.opened();
    event.body["action"] = json!("synchronize");
    event
}

fn approves(bed: &Bed, who: &str) -> Event {
    bed.happens(|world| world.github.label(REPOSITORY, 42, who, "berth-approved").unwrap()).in_target()
}

/// GitHub.md 7.19.
#[test]
fn a_forks_own_run_ends_green_with_an_explanation_and_asks_nobody() {
    let bed = Bed::new();
    let event = fork(&bed);
    let before = bed.served.gate.log().len();
    let acted = bed.acts(&event);
    assert_eq!((acted.exit, acted.output("outcome")), (0, "without-secrets"), "{}", acted.log);
    assert!(acted.summary.contains("the fork eve/shop"), "{}", acted.summary);
    assert_eq!(bed.served.gate.log().len(), before, "not one request");
}

#[test]
fn a_run_of_dependabots_ends_green_with_an_explanation() {
    let bed = Bed::new().with("GITHUB_ACTOR", "dependabot[bot]");
    let acted = bed.acts(&bed.opened());
    assert_eq!((acted.exit, acted.output("outcome")), (0, "without-secrets"), "{}", acted.log);
    assert!(acted.summary.contains("Dependabot"), "{}", acted.summary);
    assert!(bed.statuses(&sha('a')).is_empty() && bed.comments().is_empty());
}

#[test]
fn a_forks_commit_waits_until_somebody_who_may_write_vouches_for_it_and_a_push_takes_that_back() {
    let bed = Bed::new();
    let event = fork(&bed).in_target();
    let acted = bed.acts(&event);
    assert_eq!(
        (acted.exit, acted.output("outcome"), bed.deployed()),
        (0, "awaits-approval", None),
        "{}",
        acted.log
    );
    assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("pending"));
    assert!(bed.comment().contains("🔒 Waits for approval"), "{}", bed.comment());

    let by_reader = bed.acts(&approves(&bed, "rita"));
    assert_eq!((by_reader.output("outcome"), bed.deployed()), ("awaits-approval", None), "{}", by_reader.log);
    bed.happens(|world| world.github.unlabel(REPOSITORY, 42, "ada", "berth-approved").unwrap());

    let approved = bed.acts(&approves(&bed, "ada"));
    assert_eq!((approved.output("outcome"), bed.deployed()), ("ready", Some(sha('a'))), "{}", approved.log);
    let again = bed.acts(&event);
    assert_eq!(again.output("outcome"), "ready", "that commit has been let in: {}", again.log);

    let pushed = bed.acts(&bed.pushed('b').in_target());
    assert_eq!(
        (pushed.output("outcome"), bed.deployed()),
        ("awaits-approval", Some(sha('a'))),
        "{}",
        pushed.log
    );
    assert_eq!(bed.statuses(&sha('b')).last().unwrap().split(':').next(), Some("pending"));
}

/// What somebody has approved is the commit that they saw, not whatever is there when the run comes to it.
#[test]
fn an_approval_is_of_the_commit_that_it_was_given_for() {
    let bed = Bed::new();
    fork(&bed);
    let approval = approves(&bed, "ada");
    bed.pushed('e');
    let acted = bed.acts(&approval);
    assert_ne!(acted.output("outcome"), "ready", "{}", acted.log);
    assert_eq!(bed.deployed(), None);
}

#[test]
fn up_with_the_whole_sha_approves_that_commit_and_without_it_none() {
    let bed = Bed::new().with("GITHUB_SHA", &sha('0'));
    fork(&bed);
    bed.checked_out(&sha('0'));
    let acted = bed.acts(&bed.says("ada", "/berth up"));
    assert_eq!((acted.output("outcome"), bed.deployed()), ("awaits-approval", None), "{}", acted.log);
    let wrong = bed.acts(&bed.says("ada", &format!("/berth up {}", sha('f'))));
    assert_eq!((wrong.output("outcome"), bed.deployed()), ("awaits-approval", None), "{}", wrong.log);
    let right = bed.acts(&bed.says("ada", &format!("/berth up {}", sha('a'))));
    assert_eq!((right.output("outcome"), bed.deployed()), ("ready", Some(sha('a'))), "{}", right.log);
}

/// A job that names an environment with reviewers begins only once one of them has approved its run.
#[test]
fn a_run_that_a_reviewer_has_let_go_on_brings_up_the_commit_of_its_event() {
    let bed = Bed::new();
    let event = fork(&bed).in_target();
    bed.world()
        .github
        .change(REPOSITORY)
        .unwrap()
        .runs
        .insert(512, Run { approvals: vec!["ada".to_owned()], ..Run::default() });
    let acted = bed.acts(&event);
    assert_eq!((acted.output("outcome"), bed.deployed()), ("ready", Some(sha('a'))), "{}", acted.log);
    let pushed = bed.pushed('b').in_target();
    bed.world().github.change(REPOSITORY).unwrap().runs.insert(512, Run::default());
    let acted = bed.acts(&pushed);
    assert_eq!(
        (acted.output("outcome"), bed.deployed()),
        ("awaits-approval", Some(sha('a'))),
        "{}",
        acted.log
    );
}

#[test]
fn a_forks_environment_goes_without_anybodys_approval() {
    let bed = Bed::new();
    fork(&bed);
    bed.acts(&approves(&bed, "ada"));
    let acted = bed.acts(&bed.closed().in_target());
    assert_eq!(acted.output("outcome"), "closing", "{}", acted.log);
}

/// As in fork.yml, which brings it down when the label goes.
#[test]
fn who_takes_the_approval_back_takes_the_environment_down_and_nothing_but_an_approval_brings_it_back() {
    let bed = Bed::new();
    let event = fork(&bed).in_target();
    bed.acts(&approves(&bed, "ada"));
    let taken = bed.happens(|world| world.github.unlabel(REPOSITORY, 42, "ada", "berth-approved").unwrap());
    let acted = bed.acts(&taken.in_target());
    assert_eq!(acted.output("outcome"), "closing", "{}", acted.log);
    assert!(bed.comment().contains("its approval was taken back"), "{}", bed.comment());
    assert_eq!(bed.acts(&event).output("outcome"), "awaits-approval");
    bed.acts(&Event::new("schedule", json!({"schedule": "17 * * * *"})));
    let claim = bed.document("pr-shop-42/claim").unwrap();
    assert!(claim["state"]["closed-at"].is_string(), "its grace goes on: {claim}");
    assert_eq!(bed.acts(&approves(&bed, "ada")).output("outcome"), "ready");
}

/// Whose approved commit is the head again when berth asks, and was another when it was checked out.
#[test]
fn a_forks_own_files_at_another_commit_than_the_approved_one_are_not_deployed() {
    let bed = Bed::new().with("GITHUB_SHA", &sha('0'));
    fork(&bed);
    bed.acts(&approves(&bed, "ada"));
    bed.checked_out(&sha('e'));
    bed.writes("app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: evil}\n");
    for words in ["/berth up".to_owned(), format!("/berth up {}", sha('a')), "/berth retest".to_owned()] {
        let acted = bed.acts(&bed.says("ada", &words));
        assert_eq!(acted.exit, 2, "{}", acted.log);
        assert!(bed.world().environment.get("configmaps", "default", "evil").is_none());
    }
}
