//! How berth's client keeps within what GitHub lets an account do.

use super::github_client::{APP, REPOSITORY, Site, access, pull, repo, says, sha, status};
use berth::{
    clients::{
        Kind,
        github::{GitHub, State, TIMEOUT},
    },
    domain::names::HeadSha,
    rehearsal::{Server, gate::Verdict, github::Grant},
};
use futures::future::{Either, join_all, select};
use jiff::SignedDuration;
use serde_json::json;
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Whether each request from now on was asked with an answer from before.
fn conditions(site: &Site) -> Arc<Mutex<Vec<bool>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    site.served.gate.rule(move |request| {
        kept.lock().unwrap().push(request.headers.contains_key("if-none-match"));
        Verdict::Pass
    });
    seen
}

#[tokio::test]
async fn what_has_not_changed_costs_nothing_of_the_hours_requests() {
    let site = Site::start().await;
    let few = Grant { hourly: 4, ..Grant::workflow(REPOSITORY).may_all() };
    site.served.lock().github.add_token("ghs_few", few);
    let github = site.by("ghs_few");
    // The second look finds what the first one has set GitHub thinking about.
    github.pull(&pull(1)).await.unwrap();
    let second = github.pull(&pull(1)).await.unwrap();
    for _ in 0..20 {
        assert_eq!(github.pull(&pull(1)).await, Ok(second.clone()));
    }
    site.served.lock().github.label(REPOSITORY, 1, "alice", "preview").unwrap();
    for _ in 0..20 {
        let changed = github.pull(&pull(1)).await.unwrap().unwrap();
        assert_eq!(changed.labels, ["preview".parse().unwrap()]);
    }
    site.served.lock().github.close(REPOSITORY, 1, "alice").unwrap();
    assert_ne!(github.pull(&pull(1)).await.unwrap(), second);
    let beyond = github.branches_at(&repo(), &sha()).await.unwrap_err();
    assert!(matches!(beyond.kind, Kind::Unavailable { wait: Some(_) }), "it had four");
}

#[tokio::test]
async fn another_client_has_nothing_from_before_and_a_clone_has_all() {
    let site = Site::start().await;
    let github = site.github();
    let seen = conditions(&site);
    github.permission(&repo(), &"alice".parse().unwrap()).await.unwrap();
    github.clone().permission(&repo(), &"alice".parse().unwrap()).await.unwrap();
    site.github().permission(&repo(), &"alice".parse().unwrap()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [false, true, false]);
}

#[tokio::test]
async fn what_was_not_understood_is_not_kept() {
    let site = Site::start().await;
    let github = site.github();
    github.branches_at(&repo(), &sha()).await.unwrap();
    // Nor what is another thing than was asked for.
    for body in [json!({}), json!({ "name": "other", "commit": { "sha": "2".repeat(40) } })] {
        site.served.gate.rule(move |_| Verdict::json(200, &body).header("etag", "W/\"wrong\""));
        github.branches_at(&repo(), &sha()).await.unwrap_err();
        let seen = conditions(&site);
        github.branches_at(&repo(), &sha()).await.unwrap();
        assert_eq!(*seen.lock().unwrap(), [false]);
    }
}

#[tokio::test]
async fn as_before_is_no_answer_where_nothing_was_before() {
    let site = Site::start().await;
    let github = site.github();
    github.branches_at(&repo(), &sha()).await.unwrap();
    site.served.gate.rule(|_| Verdict::html(304, ""));
    let failure = github.pull(&pull(1)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable { wait: None });
    assert!(github.branches_at(&repo(), &sha()).await.is_ok());
}

#[tokio::test]
async fn no_more_than_a_hundred_answers_are_kept_and_the_oldest_goes_first() {
    let site = Site::start().await;
    let commits: Vec<HeadSha> = (0..101).map(|n| format!("{n:040x}").parse().unwrap()).collect();
    for commit in &commits {
        let github = &mut site.served.lock().github;
        let branches = &mut github.change(REPOSITORY).unwrap().branches;
        branches.insert(format!("at-{commit}"), commit.to_string());
    }
    let github = site.github();
    for commit in &commits {
        github.branches_at(&repo(), commit).await.unwrap();
    }
    let seen = conditions(&site);
    for n in [1, 100, 0, 2] {
        github.branches_at(&repo(), &commits[n]).await.unwrap();
    }
    // The look at 0 took the place of 2; 1 had just been used.
    assert_eq!(*seen.lock().unwrap(), [true, true, false, false]);
}

#[tokio::test]
async fn both_limits_are_told_of_writes_too() {
    let site = Site::start().await;
    let github = site.github();
    let write =
        async || github.create_status(&repo(), &sha(), &status(State::Success)).await.unwrap_err().kind;
    let wait = |seconds| Kind::Unavailable { wait: Some(Duration::from_secs(seconds)) };
    site.served.lock().github.hold(APP, 42);
    assert_eq!(write().await, wait(42), "the secondary one, by Retry-After");
    site.served.lock().pass(42);
    site.served.lock().github.use_up(APP);
    assert_eq!(write().await, wait(3600), "the primary one, until the hour is over");
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    site.served.gate.rule(move |_| says(403, message));
    assert_eq!(write().await, wait(60), "the secondary one, where nothing says how long");
    assert_eq!(site.asked().len(), 3, "and none is tried again");
}

#[tokio::test]
async fn two_hundred_writes_at_once_all_succeed_and_none_is_refused() {
    let site = Site::start().await;
    site.served.lock().github.limits = berth::rehearsal::github::Limits::default();
    let begun = site.clock.now();
    let github = site.github();
    let status = status(State::Pending);
    let (repo, sha) = (repo(), sha());
    let writes = join_all((0..200).map(|_| github.create_status(&repo, &sha, &status)));
    let mut writes = pin!(writes);
    let mut waits = 0;
    let answers = loop {
        waits += 1;
        match select(&mut writes, pin!(site.clock.waited_for(waits))).await {
            Either::Left((answers, _)) => break answers,
            Either::Right(_) => {
                // GitHub's clock is never behind ours here.
                site.served.lock().pass(60);
                site.clock.advance(SignedDuration::from_secs(60));
            }
        }
    };
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(site.served.lock().github.repository(REPOSITORY).unwrap().statuses().len(), 200);
    assert_eq!(site.asked().len(), 200, "none is sent twice");
    assert!(site.clock.now().duration_since(begun) >= SignedDuration::from_secs(120));
}

#[tokio::test]
async fn while_there_is_room_nobody_waits_and_looks_never_do() {
    let site = Site::start().await;
    let github = site.github();
    // A stepped clock that nobody steps would hang whoever waits for it.
    for _ in 0..80 {
        github.create_status(&repo(), &sha(), &status(State::Pending)).await.unwrap();
    }
    let blocked = github.clone();
    let mut blocked = pin!(async move { blocked.create_comment(&pull(1), "x").await });
    let Either::Right(_) = select(&mut blocked, pin!(site.clock.waited_for(1))).await else {
        panic!("the 81st has to wait")
    };
    github.pull(&pull(1)).await.unwrap();
    // Another client is another account, as far as this one knows.
    site.github().create_comment(&pull(1), "y").await.unwrap();
    site.clock.advance(SignedDuration::from_secs(60));
    blocked.await.unwrap();
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_counts_until_its_minute_is_over() {
    let site = Site::start().await;
    let address = site.served.url(Server::GitHub);
    let github = GitHub::new(access(&address, APP, TIMEOUT), site.clock.clone(), "run").unwrap();
    site.served.gate.rule(|_| Verdict::Hang);
    let on = pull(1);
    for _ in 0..80 {
        let write = github.create_comment(&on, "x");
        // As far as to its request, which no answer ever comes to.
        assert!(futures::poll!(pin!(write)).is_pending());
    }
    site.served.gate.open();
    let mut next = pin!(github.create_comment(&on, "x"));
    let Either::Right(_) = select(&mut next, pin!(site.clock.waited_for(1))).await else {
        panic!("there is no room")
    };
    site.clock.advance(SignedDuration::from_secs(60));
    next.await.unwrap();
}
