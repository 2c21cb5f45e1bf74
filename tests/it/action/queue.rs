//! A pool that is full: who waits holds no runner, and whose turn has come is called.

use super::bed::{Bed, Event, TOKEN, sha};
use crate::runner::Ran;
use berth::{
    clock::Clock,
    rehearsal::{
        Server,
        example::REPOSITORY,
        gate::Verdict,
        github::{Grant, Level, Opening, Permission, Run},
    },
};
use jiff::SignedDuration;
use serde_json::json;
use std::fs;

/// All environments of this world are on one server, so each has an object of its own.
const APP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: \"shop-${PR_NUMBER}\"}
data: {commit: \"${HEAD_SHA}\"}
";

/// One block of addresses for all.
pub(super) fn narrow() -> Bed {
    let bed = Bed::new();
    bed.writes("app.yaml", APP);
    mend(&bed, "192.168.1.149", "192.168.1.141");
    bed
}

/// In the platform file.
pub(super) fn mend(bed: &Bed, from: &str, to: &str) {
    let text = fs::read_to_string(bed.path("platform.yaml")).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(bed.path("platform.yaml"), text.replace(from, to)).unwrap();
}

pub(super) fn another(bed: &Bed, commit: char) -> Event {
    let branch = format!("branch-{commit}");
    bed.happens(|world| {
        world.github.open(REPOSITORY, Opening::new("ada", &branch, &sha(commit))).unwrap();
    })
}

/// The job of this pull request, in a run of its own, which then has ended.
pub(super) fn acts(bed: &Bed, number: u64, event: &Event) -> Ran {
    let (run, job) = (1_000 + number, 2_000 + number);
    let begun = Run { jobs: vec![job], ..Run::default() };
    bed.world().github.change(REPOSITORY).unwrap().runs.entry(run).or_insert(begun).conclusion = None;
    let ran = bed.ran(bed.job(event).github("run_id", &run.to_string()).numbered(job));
    bed.world().github.change(REPOSITORY).unwrap().runs.get_mut(&run).unwrap().conclusion = Some("success");
    ran
}

/// Whose jobs were run once more.
pub(super) fn called(bed: &Bed) -> Vec<u64> {
    let world = bed.world();
    let runs = &world.github.repository(REPOSITORY).unwrap().runs;
    runs.iter().flat_map(|(run, of)| of.again.iter().map(move |_| run - 1_000)).collect()
}

pub(super) fn down(bed: &Bed) -> Ran {
    acts(bed, 99, &bed.says("ada", "/berth down"))
}

/// The comment on another pull request than the first.
fn comment_on(bed: &Bed, number: u64) -> String {
    let world = bed.world();
    let all = world.github.repository(REPOSITORY).unwrap().comments(number);
    let ours: Vec<&str> = all
        .iter()
        .filter(|comment| comment.author.as_ref().is_some_and(|author| author.ends_with("[bot]")))
        .map(|comment| comment.body.as_str())
        .collect();
    let [body] = ours[..] else { panic!("{ours:#?}") };
    body.to_owned()
}

/// The first has the block, and two wait.
pub(super) fn two_in_line(bed: &Bed) -> [Event; 2] {
    assert_eq!(acts(bed, 42, &bed.opened()).output("outcome"), "ready");
    [('c', 43), ('d', 44)].map(|(commit, number)| {
        let opened = another(bed, commit);
        let ran = acts(bed, number, &opened);
        assert_eq!((ran.exit, ran.output("outcome")), (0, "queued"), "{}", ran.log);
        opened
    })
}

#[test]
fn whoever_finds_the_pool_full_waits_without_a_runner_and_the_first_in_line_gets_what_comes_free() {
    let bed = narrow();
    let [second, third] = two_in_line(&bed);
    let comment = comment_on(&bed, 43);
    assert!(comment.contains("### 🕓 Queued: 1st of 1\n"), "{comment}");
    assert!(comment.contains("All 1 blocks are taken. It starts by itself if the token of whoever frees a block may run this job once more"), "{comment}");
    assert!(comment.contains("| `acme/shop 42` | in use, until "), "{comment}");
    assert!(comment_on(&bed, 44).contains("### 🕓 Queued: 2nd of 2\n"), "{}", comment_on(&bed, 44));
    assert_eq!(bed.statuses(&sha('c')).last().unwrap(), "pending: Queued: 1st of 1");
    assert_eq!(bed.statuses(&sha('d')).last().unwrap(), "pending: Queued: 2nd of 2");
    assert_eq!(called(&bed), [0; 0]);

    let ran = down(&bed);
    assert_eq!((ran.exit, ran.output("outcome")), (0, "removed"), "{}", ran.log);
    assert_eq!(called(&bed), [43], "{}", ran.log);
    assert!(ran.log.contains("acme/shop#43 is next: its job runs once more"), "{}", ran.log);

    let ran = acts(&bed, 44, &third);
    assert_eq!(ran.output("outcome"), "queued", "it is kept for the first: {}", ran.log);
    let ran = acts(&bed, 43, &second);
    assert_eq!((ran.exit, ran.output("outcome")), (0, "ready"), "{}", ran.log);
    assert_eq!(bed.statuses(&sha('c')).last().unwrap(), "success: Ready");
    assert_eq!(called(&bed), [43], "nobody was called twice");

    // By what the first removal has measured, and no run was needed for it.
    let asked = bed.happens(|world| {
        world.github.comment(REPOSITORY, 44, "ada", "/berth status").unwrap();
    });
    let ran = acts(&bed, 98, &asked);
    assert_eq!((ran.exit, ran.output("outcome")), (0, "queued"), "{}", ran.log);
    assert!(
        comment_on(&bed, 44).contains("### 🕓 Queued: 1st of 1 · starts about "),
        "{}",
        comment_on(&bed, 44)
    );
}

#[test]
fn where_no_job_may_be_run_again_the_repository_is_sent_an_event_that_brings_it_up() {
    let bed = narrow();
    two_in_line(&bed);
    may(&bed, &[Permission::Contents]);
    let ran = down(&bed);
    assert!(ran.log.contains("acme/shop#43 is next: its repository was sent an event"), "{}", ran.log);
    assert_eq!(called(&bed), [0; 0]);
    let told = bed.world().github.take_deliveries();
    let sent = told.iter().find(|delivery| delivery.event == "repository_dispatch").map(Event::of).unwrap();
    assert_eq!(sent.body["action"], "berth");
    bed.checked_out(&sha('c'));
    let ran = acts(&bed, 97, &sent);
    assert_eq!(
        (ran.exit, ran.output("outcome"), ran.output("name")),
        (0, "ready", "pr-shop-43"),
        "{}",
        ran.log
    );
}

#[test]
fn where_nobody_may_be_called_it_is_told_and_the_run_that_has_freed_does_not_fail() {
    let bed = narrow();
    let [second, _] = two_in_line(&bed);
    may(&bed, &[]);
    let ran = down(&bed);
    assert_eq!((ran.exit, ran.output("outcome")), (0, "removed"), "{}", ran.log);
    assert!(ran.log.contains("acme/shop#43 is next: at that repository's next event"), "{}", ran.log);
    for permission in ["actions: write", "contents: write"] {
        assert!(ran.log.contains(permission), "{permission}: {}", ran.log);
    }
    assert_eq!(acts(&bed, 43, &second).output("outcome"), "ready");
}

#[test]
fn a_token_that_can_call_nobody_costs_nobody_the_call_by_another_and_keeps_no_other_waiting() {
    let bed = narrow();
    two_in_line(&bed);
    may(&bed, &[]);
    down(&bed);
    may(&bed, &[Permission::Actions]);
    assert_eq!(acts(&bed, 45, &another(&bed, 'e')).output("outcome"), "queued");
    assert_eq!(called(&bed), [43], "at once");
    let bed = narrow();
    two_in_line(&bed);
    may(&bed, &[]);
    down(&bed);
    was_called(&bed, 43, 11);
    may(&bed, &[Permission::Actions]);
    assert_eq!(acts(&bed, 45, &another(&bed, 'e')).output("outcome"), "queued");
    assert_eq!(called(&bed), [44]);
}

#[test]
fn who_waits_and_whose_workflow_run_still_goes_on_is_called_once_that_has_ended() {
    let bed = narrow();
    two_in_line(&bed);
    let goes_on = |conclusion| {
        bed.world().github.change(REPOSITORY).unwrap().runs.get_mut(&1_043).unwrap().conclusion = conclusion;
    };
    goes_on(None);
    let ran = down(&bed);
    assert!(ran.log.contains("acme/shop#43 is next: its workflow run has not ended"), "{}", ran.log);
    assert_eq!(called(&bed), [0; 0]);
    goes_on(Some("success"));
    assert_eq!(acts(&bed, 45, &another(&bed, 'e')).output("outcome"), "queued");
    assert_eq!(called(&bed), [43]);
}

/// Somebody else's cluster is where the block is.
pub(super) fn foreign(bed: &Bed) {
    let cluster = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
        "spec": {"paused": true, "controlPlaneEndpoint": {"host": "192.168.1.140", "port": 6443}},
    });
    bed.world().kubernetes.put("clusters.cluster.x-k8s.io", "dev", "by-hand", cluster);
}

#[test]
fn what_a_foreign_cluster_uses_is_no_reason_to_call_anybody() {
    let bed = narrow();
    let [second, _] = two_in_line(&bed);
    foreign(&bed);
    let ran = down(&bed);
    assert_eq!((called(&bed), ran.output("outcome")), (vec![], "removed"), "{}", ran.log);
    let ran = acts(&bed, 43, &second);
    assert_eq!((called(&bed), ran.output("outcome")), (vec![], "queued"), "{}", ran.log);
    assert!(!ran.log.contains("is next"), "{}", ran.log);
    assert!(comment_on(&bed, 43).contains("All 1 blocks are taken."), "{}", comment_on(&bed, 43));
    let asked = bed.happens(|world| {
        world.github.comment(REPOSITORY, 44, "ada", "/berth status").unwrap();
    });
    acts(&bed, 98, &asked);
    assert!(comment_on(&bed, 44).contains("All 1 blocks are taken."), "{}", comment_on(&bed, 44));
}

/// From now on nobody may look at all clusters.
pub(super) fn unseen(bed: &Bed) {
    bed.served.gate.rule(|request| {
        let looks = request.server == Server::Kubernetes
            && request.method == "GET"
            && request.path.last().is_some_and(|last| last == "clusters")
            && !request.path.contains(&"namespaces".to_owned());
        let denied = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden",
            "code": 403, "message": "clusters is forbidden"});
        if looks { Verdict::json(403, &denied) } else { Verdict::Pass }
    });
}

#[test]
fn where_it_cannot_be_read_what_is_in_use_nobody_is_called_and_that_is_told() {
    let bed = narrow();
    two_in_line(&bed);
    unseen(&bed);
    let ran = down(&bed);
    assert_eq!((ran.exit, ran.output("outcome"), called(&bed)), (0, "removed", vec![]), "{}", ran.log);
    assert!(
        ran.log.contains("whoever waits could not be called: the next event or sweep does"),
        "{}",
        ran.log
    );
}

/// Of these, and what is told on pull requests.
pub(super) fn may(bed: &Bed, write: &[Permission]) {
    use Permission::{Actions, Checks, Contents, Deployments, Issues, PullRequests, Statuses};
    let grant = Grant::workflow(REPOSITORY).may(Actions, Level::Read).may(Contents, Level::Read);
    let told = [Issues, PullRequests, Statuses, Checks, Deployments];
    let grant =
        told.iter().chain(write).fold(grant, |grant, permission| grant.may(*permission, Level::Write));
    bed.world().github.add_token(TOKEN, grant);
}

/// As if it had been so many minutes ago.
fn was_called(bed: &Bed, number: u64, minutes: i64) {
    let path = format!("ephemeral-clusters/pr-shop-{number}/claim");
    let mut world = bed.world();
    let mut claim = world.vault.document(&path).unwrap().clone();
    assert!(claim["state"]["called"].is_string(), "{claim:?}");
    claim["state"]["called"] = json!(Clock::system().now() - SignedDuration::from_mins(minutes));
    world.vault.put(&path, claim);
}

#[test]
fn who_was_called_and_does_not_come_within_ten_minutes_lets_the_next_one_be_called() {
    let bed = narrow();
    two_in_line(&bed);
    down(&bed);
    assert_eq!(called(&bed), [43]);
    assert_eq!(acts(&bed, 45, &another(&bed, 'e')).output("outcome"), "queued");
    assert_eq!(called(&bed), [43], "it may still come");
    was_called(&bed, 43, 11);
    let ran = acts(&bed, 46, &another(&bed, 'f'));
    assert_eq!((called(&bed), ran.output("outcome")), (vec![43, 44], "queued"), "{}", ran.log);
}

#[test]
fn a_push_to_what_stands_does_not_wait_however_many_do() {
    let bed = narrow();
    two_in_line(&bed);
    let ran = acts(&bed, 42, &bed.pushed('b'));
    assert_eq!((ran.exit, ran.output("outcome")), (0, "ready"), "{}", ran.log);
}

#[test]
fn who_shall_not_wait_leaves_nothing_in_the_line() {
    let bed = narrow();
    acts(&bed, 42, &bed.opened());
    mend(&bed, "reuse-after: 0s", "reuse-after: 10m, when-full: fail");
    let ran = acts(&bed, 43, &another(&bed, 'c'));
    assert_eq!((ran.exit, ran.output("outcome")), (3, "pool-full"), "{}", ran.log);
    assert_eq!(bed.document("pr-shop-43/claim"), None, "{}", ran.log);
    assert!(comment_on(&bed, 43).contains("### ❌ No addresses are free"), "{}", comment_on(&bed, 43));
    let pool = bed.document("ip-allocations").unwrap();
    assert_eq!(pool, json!({"192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42"}));
}

#[test]
fn whom_the_limit_of_its_repository_keeps_out_is_told_so_and_not_that_nothing_is_free() {
    let bed = Bed::new();
    bed.writes("app.yaml", APP);
    mend(&bed, "reuse-after: 0s", "reuse-after: 0s, max-per-repository: 1, when-full: fail");
    acts(&bed, 42, &bed.opened());
    let ran = acts(&bed, 43, &another(&bed, 'c'));
    assert_eq!((ran.exit, ran.output("outcome")), (3, "pool-full"), "{}", ran.log);
    let words = "his repository has as many environments as it may";
    for told in [comment_on(&bed, 43), ran.log, bed.statuses(&sha('c')).pop().unwrap()] {
        assert!(told.contains(words) && !told.to_lowercase().contains("no addresses are free"), "{told}");
    }
}

#[test]
fn whoever_finds_the_pool_full_frees_what_has_cooled_and_tells_nobody_of_another() {
    let bed = narrow();
    mend(&bed, "reuse-after: 0s", "reuse-after: 10m");
    acts(&bed, 42, &bed.opened());
    bed.closed();
    assert_eq!(down(&bed).output("outcome"), "removed");
    let told = bed.comment();
    let opened = another(&bed, 'c');
    let ran = acts(&bed, 43, &opened);
    assert_eq!(ran.output("outcome"), "queued", "{}", ran.log);
    assert!(
        comment_on(&bed, 43).contains("### 🕓 Queued: 1st of 1 · starts about "),
        "{}",
        comment_on(&bed, 43)
    );
    has_cooled(&bed);
    let ran = acts(&bed, 43, &opened);
    assert_eq!((ran.exit, ran.output("outcome")), (0, "ready"), "{}", ran.log);
    assert_eq!((bed.document("pr-shop-42/claim"), bed.comment()), (None, told));
}

/// What the first has had, as if its time were over.
fn has_cooled(bed: &Bed) {
    let path = "ephemeral-clusters/pr-shop-42/claim";
    let mut world = bed.world();
    let mut claim = world.vault.document(path).unwrap().clone();
    claim["state"]["until"] = json!(Clock::system().now() - SignedDuration::from_secs(1));
    world.vault.put(path, claim);
}

#[test]
fn who_has_freed_what_had_cooled_and_is_superseded_before_it_takes_it_calls_the_first_in_line() {
    let bed = narrow();
    mend(&bed, "reuse-after: 0s", "reuse-after: 10m");
    acts(&bed, 42, &bed.opened());
    bed.closed();
    assert_eq!(down(&bed).output("outcome"), "removed");
    assert_eq!(acts(&bed, 43, &another(&bed, 'c')).output("outcome"), "queued");
    has_cooled(&bed);
    let (mut has_freed, mut is_gone) = (false, false);
    bed.served.gate.rule(move |request| {
        let is_of = |end: &str| request.server == Server::Vault && request.path.join("/").ends_with(end);
        has_freed |= request.mutates() && is_of("/ip-allocations");
        if has_freed && !is_gone && request.method == "GET" && is_of("/pr-shop-44/claim") {
            is_gone = true;
            return Verdict::json(404, &json!({"errors": []}));
        }
        Verdict::Pass
    });
    let ran = acts(&bed, 44, &another(&bed, 'd'));
    assert_eq!((ran.output("outcome"), called(&bed)), ("superseded", vec![43]), "{}", ran.log);
}

#[test]
fn whose_job_was_run_again_and_brought_nothing_up_is_sent_an_event_the_next_time() {
    let bed = narrow();
    two_in_line(&bed);
    down(&bed);
    assert_eq!(called(&bed), [43]);
    // A newer commit has no run of its own (`[skip ci]`, a conflict): the job's is superseded, and nobody comes.
    let schedule = Event::new("schedule", json!({"schedule": "17 * * * *"}));
    was_called(&bed, 43, 30);
    acts(&bed, 99, &schedule);
    assert_eq!(called(&bed), [43, 44]);
    was_called(&bed, 44, 11);
    bed.world().github.take_deliveries();
    let ran = acts(&bed, 99, &schedule);
    assert_eq!(called(&bed), [43, 44], "{}", ran.log);
    let sent = bed.world().github.take_deliveries();
    let sent: Vec<_> =
        sent.iter().filter(|sent| sent.event == "repository_dispatch").map(Event::of).collect();
    assert_eq!(sent.len(), 1, "{}", ran.log);
    // Nobody may listen: then its job, which has died, is what is left.
    bed.world().github.change(REPOSITORY).unwrap().runs.get_mut(&1_043).unwrap().conclusion = Some("failure");
    was_called(&bed, 43, 30);
    let ran = acts(&bed, 99, &schedule);
    assert_eq!(called(&bed), [43, 43, 44], "{}", ran.log);
    bed.checked_out(&sha('c'));
    assert_eq!(acts(&bed, 97, &sent[0]).output("name"), "pr-shop-43");
}
