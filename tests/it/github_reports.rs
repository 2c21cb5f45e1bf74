//! What berth's client tells GitHub about a commit: statuses, check runs, deployments, reactions.

use super::github_client::{REPOSITORY, SHA, Site, login, pull, repo, sha, status};
use berth::{
    clients::{
        Kind,
        github::{
            Annotation, Check, CheckRun, Conclusion, Deployment, DeploymentState, DeploymentStatus, Level,
            NewDeployment, Output, Progress, Reaction, State, Status,
        },
    },
    domain::names::HeadSha,
    rehearsal::gate::Verdict,
};
use serde_json::{Map, json};

pub(crate) fn check(progress: Progress, annotations: usize) -> Check {
    let annotation = |n: usize| Annotation {
        path: "cart.cy.ts".to_owned(),
        start_line: n as u64 + 1,
        end_line: n as u64 + 1,
        level: Level::Failure,
        title: "cart adds an item".to_owned(),
        message: format!("number {n}"),
    };
    Check {
        name: "berth".to_owned(),
        external_id: "acme/web#1".to_owned(),
        progress,
        details_url: Some("https://ci.example/1".to_owned()),
        output: Output {
            title: "2 tests failed".to_owned(),
            summary: "of 148".to_owned(),
            annotations: (0..annotations).map(annotation).collect(),
        },
    }
}

pub(crate) fn deployment() -> NewDeployment {
    NewDeployment {
        head: sha(),
        environment: "pr-preview".to_owned(),
        task: "acme/web#1".to_owned(),
        description: "of pull request 1".to_owned(),
        payload: Map::from_iter([("generation".to_owned(), json!(3))]),
    }
}

pub(crate) fn became(state: DeploymentState) -> DeploymentStatus {
    DeploymentStatus {
        state,
        environment_url: "https://pr-1.example.com".to_owned(),
        log_url: "https://ci.example/1".to_owned(),
        description: "up".to_owned(),
    }
}

#[tokio::test]
async fn a_check_of_105_annotations_is_made_by_three_requests() {
    for (annotations, requests) in [(0, 1), (1, 1), (50, 1), (51, 2), (100, 2), (105, 3)] {
        let site = Site::start().await;
        let ended = Progress::Ended(Conclusion::Failure);
        let id = site.github().create_check(&repo(), &sha(), &check(ended, annotations)).await.unwrap();
        assert_eq!(site.asked().len(), requests, "{annotations}");
        let world = site.served.lock();
        let checks = world.github.repository(REPOSITORY).unwrap().checks();
        let told: Vec<&str> = checks[0].annotations.iter().map(|a| a["message"].as_str().unwrap()).collect();
        assert_eq!(told, (0..annotations).map(|n| format!("number {n}")).collect::<Vec<_>>(), "check {id}");
        assert_eq!((checks.len(), checks[0].conclusion), (1, Some("failure")));
        assert_eq!(checks[0].output["title"], "2 tests failed");
    }
}

#[tokio::test]
async fn a_run_that_comes_again_finds_its_check_and_updates_it() {
    let site = Site::start().await;
    let github = site.github();
    let find = async || github.find_check(&repo(), &sha(), "berth", "acme/web#1").await.unwrap();
    assert_eq!(find().await, None);
    let id = github.create_check(&repo(), &sha(), &check(Progress::Queued, 0)).await.unwrap();
    for (progress, annotations) in [
        (Progress::Queued, 0),
        (Progress::Running, 0),
        (Progress::Ended(Conclusion::TimedOut), 60),
        (Progress::Ended(Conclusion::ActionRequired), 60),
        // A test is run once more.
        (Progress::Running, 60),
        (Progress::Ended(Conclusion::Success), 60),
    ] {
        let more = annotations - find().await.unwrap().annotations;
        github.update_check(&repo(), id, &check(progress, more)).await.unwrap();
        let (title, summary) = ("2 tests failed".to_owned(), "of 148".to_owned());
        let expected = CheckRun { id, progress: Some(progress), title, summary, annotations };
        assert_eq!(find().await, Some(expected));
    }
    assert_eq!(site.served.lock().github.repository(REPOSITORY).unwrap().checks().len(), 1);
}

#[tokio::test]
async fn a_job_that_is_called_as_our_check_is_not_taken_for_it() {
    let site = Site::start().await;
    let github = site.github();
    let ours = github.create_check(&repo(), &sha(), &check(Progress::Running, 0)).await.unwrap();
    let job = Check { external_id: "9b1c".to_owned(), ..check(Progress::Ended(Conclusion::Success), 0) };
    github.create_check(&repo(), &sha(), &job).await.unwrap();
    let found = github.find_check(&repo(), &sha(), "berth", "acme/web#1").await.unwrap().unwrap();
    assert_eq!(found.id, ours);
    let other: HeadSha = "2".repeat(40).parse().unwrap();
    site.served.lock().github.push(REPOSITORY, 1, "alice", other.as_ref()).unwrap();
    assert_eq!(github.find_check(&repo(), &other, "berth", "acme/web#1").await, Ok(None));
    let nowhere: HeadSha = "9".repeat(40).parse().unwrap();
    let unknown = github.find_check(&repo(), &nowhere, "berth", "acme/web#1").await.unwrap_err();
    assert_eq!(unknown.kind, Kind::Invalid);
}

#[tokio::test]
async fn a_check_that_github_has_given_up_is_of_no_progress_of_ours() {
    let site = Site::start().await;
    for (status, conclusion) in [("completed", json!("stale")), ("waiting", json!(null))] {
        let run = json!({
            "id": 7, "name": "berth", "head_sha": SHA, "external_id": "acme/web#1", "status": status,
            "conclusion": conclusion, "output": { "title": null, "summary": null, "annotations_count": 0 },
        });
        let listed = json!({ "total_count": 1, "check_runs": [run] });
        site.served.gate.rule(move |_| Verdict::json(200, &listed));
        let found = site.github().find_check(&repo(), &sha(), "berth", "acme/web#1").await.unwrap();
        let (title, summary) = (String::new(), String::new());
        assert_eq!(found, Some(CheckRun { id: 7, progress: None, title, summary, annotations: 0 }));
    }
}

#[tokio::test]
async fn a_list_that_stands_under_a_key_is_unknown_without_it() {
    let site = Site::start().await;
    for body in [json!({ "total_count": 0 }), json!([]), json!({ "statuses": 7 })] {
        site.served.gate.rule(move |_| Verdict::json(200, &body));
        let failure = site.github().latest_status(&repo(), &sha(), "berth").await.unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable { wait: None });
    }
}

#[tokio::test]
async fn of_one_context_the_latest_status_counts() {
    let site = Site::start().await;
    let github = site.github();
    let latest = async |context| github.latest_status(&repo(), &sha(), context).await.unwrap();
    assert_eq!(latest("berth").await, None);
    for state in [State::Pending, State::Failure, State::Success] {
        github.create_status(&repo(), &sha(), &status(state)).await.unwrap();
        assert_eq!(latest("berth").await, Some(status(state)));
    }
    assert_eq!(latest("Berth").await, Some(status(State::Success)), "contexts do not differ by case");
    for n in 0..120 {
        let other = Status { context: format!("other {n}"), ..status(State::Error) };
        // One client alone would have to wait for the next minute.
        site.github().create_status(&repo(), &sha(), &other).await.unwrap();
    }
    assert_eq!(latest("berth").await, Some(status(State::Success)), "on whichever page it is");
    assert_eq!(latest("another").await, None);
}

#[tokio::test]
async fn a_deployment_is_made_and_found_by_what_it_is_for() {
    let site = Site::start().await;
    let github = site.github();
    // It waits for no status, and merges nothing.
    github.create_status(&repo(), &sha(), &status(State::Failure)).await.unwrap();
    let made = github.create_deployment(&repo(), &deployment()).await.unwrap();
    let NewDeployment { head, environment, task, .. } = deployment();
    assert_eq!(made, Deployment { id: made.id, head, environment, task });
    let other = NewDeployment { task: "acme/web#2".to_owned(), ..deployment() };
    let other = github.create_deployment(&repo(), &other).await.unwrap();
    let list = async |task, head| github.deployments(&repo(), "pr-preview", task, head).await.unwrap();
    assert_eq!(list("acme/web#1", None).await, std::slice::from_ref(&made));
    let (head, nowhere) = (sha(), "9".repeat(40).parse().unwrap());
    assert_eq!(list("acme/web#2", Some(&head)).await, [other]);
    assert_eq!(list("acme/web#1", Some(&nowhere)).await, []);
    assert_eq!(github.deployments(&repo(), "production", "acme/web#1", None).await, Ok(vec![]));
    let again = github.create_deployment(&repo(), &deployment()).await.unwrap();
    assert_eq!(list("acme/web#1", None).await, [again, made], "newest first");
}

#[tokio::test]
async fn what_becomes_of_a_deployment_leaves_the_others_alone() {
    let site = Site::start().await;
    let github = site.github();
    let first = github.create_deployment(&repo(), &deployment()).await.unwrap().id;
    let second = NewDeployment { task: "acme/web#2".to_owned(), ..deployment() };
    let second = github.create_deployment(&repo(), &second).await.unwrap().id;
    let states = [DeploymentState::Queued, DeploymentState::InProgress, DeploymentState::Success];
    for id in [first, second] {
        for state in states {
            github.create_deployment_status(&repo(), id, &became(state)).await.unwrap();
        }
    }
    let newest_first: Vec<_> = states.iter().rev().map(|state| became(*state)).collect();
    assert_eq!(github.deployment_statuses(&repo(), first).await, Ok(newest_first.clone()));
    assert_eq!(github.deployment_statuses(&repo(), second).await, Ok(newest_first));
    let gone = DeploymentStatus { environment_url: String::new(), ..became(DeploymentState::Inactive) };
    github.create_deployment_status(&repo(), first, &gone).await.unwrap();
    assert_eq!(github.deployment_statuses(&repo(), first).await.unwrap()[0], gone);
    let nowhere = github.create_deployment_status(&repo(), 9, &gone).await.unwrap_err();
    assert_eq!(nowhere.kind, Kind::Invalid);
}

#[tokio::test]
async fn a_comment_is_reacted_to_once() {
    let site = Site::start().await;
    let github = site.github();
    let comment = site.served.lock().github.comment(REPOSITORY, 1, "alice", "/berth up").unwrap();
    let all = [Reaction::Yes, Reaction::No, Reaction::Seen, Reaction::Confused, Reaction::Started];
    for reaction in all {
        let first = github.react(&repo(), comment, reaction).await.unwrap();
        assert!(first.is_some());
        assert_eq!(github.react(&repo(), comment, reaction).await.unwrap(), first, "once");
    }
    {
        let world = site.served.lock();
        let reactions = &world.github.repository(REPOSITORY).unwrap().comments(1)[0].reactions;
        let told: Vec<&str> = reactions.iter().map(|reaction| reaction.content).collect();
        assert_eq!(told, ["+1", "-1", "eyes", "confused", "rocket"]);
        assert!(reactions.iter().all(|reaction| reaction.login == "berth[bot]"));
    }
    assert_eq!(github.comments(&pull(1)).await.unwrap()[0].author, Some(login("alice")));
    github.delete_comment(&repo(), comment).await.unwrap();
    assert_eq!(github.react(&repo(), comment, Reaction::Yes).await, Ok(None));
}
