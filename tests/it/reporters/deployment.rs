//! The deployment: one for a commit, and none that says that something stands which does not.

use super::{LOG, REPOSITORY, SHA, Site, asked, green, of_run, outcomes, pull, red, tests_failed, told};
use berth::{
    clients::{Failure, Kind},
    domain::{
        plan::Direction,
        report::{Outcome, Report},
    },
    rehearsal::{
        gate::Verdict,
        github::{Grant, Level, Opening, Permission},
    },
    reporters::{Reporter, deployment::Deployment, markdown::Beside},
};
use insta::assert_snapshot;

fn of(site: &Site, run: &str, number: u64) -> Deployment {
    let beside = Beside { log: Some(LOG.to_owned()), ..Beside::default() };
    Deployment::new(of_run(site, run), pull(number), beside)
}

fn on(site: &Site, run: &str) -> Deployment {
    of(site, run, 1)
}

/// All that there are, each with all that has become of it.
fn deployments(site: &Site) -> String {
    let world = site.served.lock();
    let all = world.github.repository(REPOSITORY).unwrap().deployments();
    let brief = |one: &berth::rehearsal::github::Deployment| {
        let state = |status: &berth::rehearsal::github::DeploymentStatus| {
            let at = if status.environment_url.is_empty() { "" } else { " at its address" };
            format!(", {}{at}", status.state)
        };
        let states: String = one.statuses.iter().map(state).collect();
        format!("{} of {}{states}\n", one.environment, &one.reference[..7])
    };
    all.into_iter().map(brief).collect()
}

fn pushed(site: &Site, digit: &str) -> String {
    let sha = digit.repeat(40);
    site.served.lock().github.push(REPOSITORY, 1, "alice", &sha).unwrap();
    sha
}

fn of_commit(sha: &str, report: Report) -> Report {
    Report { head_sha: Some(sha.parse().unwrap()), ..report }
}

#[tokio::test]
async fn a_run_that_comes_up_is_one_deployment() {
    let site = Site::start().await;
    let deployment = on(&site, "run");
    deployment.show(&told(None)).await.unwrap();
    deployment.show(&told(None)).await.unwrap();
    deployment.show(&green()).await.unwrap();
    assert_snapshot!(deployments(&site), @"pr-preview of 1111111, in_progress, success at its address");
    // Another run of the same commit: what stands goes on standing while it is looked at again.
    let again = on(&site, "again");
    again.show(&told(None)).await.unwrap();
    again.show(&green()).await.unwrap();
    assert_snapshot!(deployments(&site), @"pr-preview of 1111111, in_progress, success at its address");
    again.show(&red()).await.unwrap();
    assert_snapshot!(deployments(&site), @"pr-preview of 1111111, in_progress, success at its address, failure");
}

#[tokio::test]
async fn it_says_of_each_ending_whether_the_environment_stands() {
    let mut said = Vec::new();
    let mut reports = vec![told(None), tests_failed(), Report { direction: None, ..told(None) }];
    reports.extend(outcomes("why").into_iter().map(|outcome| told(Some(outcome))));
    for report in reports {
        let site = Site::start().await;
        on(&site, "run").show(&report).await.unwrap();
        let word = report.outcome.as_ref().map_or("running", Outcome::word);
        said.push(format!("{word:15} {}", deployments(&site).trim_end()).trim_end().to_owned());
        // And nothing that goes is made a deployment of first.
        let site = Site::start().await;
        on(&site, "run").show(&Report { direction: Some(Direction::Down), ..report }).await.unwrap();
        assert_eq!(deployments(&site), "");
    }
    assert_snapshot!(said.join("\n"), @r#"
    running         pr-preview of 1111111, in_progress
    tests-failed    pr-preview of 1111111, success at its address
    running
    ready           pr-preview of 1111111, success at its address
    awaiting-tests  pr-preview of 1111111, success at its address
    tests-failed    pr-preview of 1111111, success at its address
    failed          pr-preview of 1111111, failure
    removed
    closing
    awaits-approval
    without-secrets
    nothing
    queued
    pool-full
    unknown         pr-preview of 1111111, error
    superseded
    refused
    interrupted     pr-preview of 1111111, error
    "#);
}

#[tokio::test]
async fn of_several_commits_the_one_that_stands_is_active() {
    let site = Site::start().await;
    site.served.lock().github.open(REPOSITORY, Opening::new("bob", "other", SHA)).unwrap();
    of(&site, "other", 2).show(&Report { environment: pull_request(2), ..green() }).await.unwrap();
    on(&site, "first").show(&green()).await.unwrap();
    let second = pushed(&site, "2");
    on(&site, "second").show(&of_commit(&second, red())).await.unwrap();
    let third = pushed(&site, "3");
    let run = on(&site, "third");
    run.show(&of_commit(&third, told(None))).await.unwrap();
    // While the newer one comes up, the older one still stands.
    assert!(!deployments(&site).contains("inactive"));
    run.show(&of_commit(&third, green())).await.unwrap();
    assert_snapshot!(deployments(&site), @r#"
    pr-preview of 1111111, success at its address
    pr-preview of 1111111, success at its address, inactive
    pr-preview of 2222222, failure, inactive
    pr-preview of 3333333, in_progress, success at its address
    "#);
    // Only the newest of those that are inactive is looked at again.
    let before = site.served.gate.log().len();
    let fourth = pushed(&site, "4");
    on(&site, "fourth").show(&of_commit(&fourth, green())).await.unwrap();
    let asked = asked(&site, before);
    let looks = asked.iter().filter(|line| line.contains("GET") && line.ends_with("/statuses")).count();
    assert_eq!(looks, 3, "{asked:?}");
}

fn pull_request(number: u64) -> berth::domain::holder::Holder {
    berth::domain::holder::Holder::PullRequest(pull(number))
}

#[tokio::test]
async fn once_removed_none_is_active() {
    let site = Site::start().await;
    let second = pushed(&site, "2");
    on(&site, "first").show(&green()).await.unwrap();
    on(&site, "second").show(&of_commit(&second, red())).await.unwrap();
    let down = Report { direction: Some(Direction::Down), ..of_commit(&second, told(None)) };
    let run = on(&site, "down");
    run.show(&down).await.unwrap();
    run.show(&Report {
        outcome: Some(Outcome::Closing { until: super::after(60), why: None }),
        ..down.clone()
    })
    .await
    .unwrap();
    assert!(!deployments(&site).contains("inactive"), "it stands yet");
    run.show(&Report { outcome: Some(Outcome::Removed { free_at: None }), ..down }).await.unwrap();
    assert_snapshot!(deployments(&site), @r#"
    pr-preview of 1111111, success at its address, inactive
    pr-preview of 2222222, failure, inactive
    "#);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_one() {
    let site = Site::start().await;
    let mut lost = true;
    site.served.gate.rule(move |request| {
        if request.method == "POST" && std::mem::take(&mut lost) { Verdict::CutAfter } else { Verdict::Pass }
    });
    let deployment = on(&site, "run");
    deployment.show(&told(None)).await.unwrap_err();
    deployment.show(&told(None)).await.unwrap();
    assert_snapshot!(deployments(&site), @"pr-preview of 1111111, in_progress");
}

#[tokio::test]
async fn a_list_that_could_not_be_read_leads_to_no_deployment() {
    let site = Site::start().await;
    site.served.gate.rule(|request| if request.method == "GET" { Verdict::Cut } else { Verdict::Pass });
    on(&site, "run").show(&green()).await.unwrap_err();
    assert_eq!(deployments(&site), "");
}

#[tokio::test]
async fn a_token_without_the_permission_is_told_what_it_lacks() {
    let site = Site::start().await;
    let reads = Grant::app("berth", &[REPOSITORY]).may(Permission::Deployments, Level::Read);
    site.served.lock().github.add_token("ghs_reads_canary", reads);
    let deployment = Deployment::new(site.by("ghs_reads_canary"), pull(1), Beside::default());
    let error = deployment.show(&green()).await.unwrap_err();
    assert_eq!(Failure::of(&error), Kind::Refused);
    assert!(error.to_string().contains("deployments: write"), "{error}");
}
