//! All that berth's client does on GitHub, as a table: the faults go through it, and what each act needs of a token.

use super::{
    github_client::{REPOSITORY, Site, login, pull, repo, sha, status},
    github_reports::{became, check, deployment},
};
use berth::{
    clients::{
        Failure, Kind,
        github::{Again, DeploymentState, GitHub, Progress, Reaction, Revision, State},
    },
    domain::claim::Job,
    rehearsal::github::{Grant, Level, Permission, Run},
};
use futures::future::BoxFuture;
use serde_json::json;

/// What is there to act on.
#[derive(Clone, Copy)]
pub(crate) struct There {
    comment: u64,
    check: u64,
    deployment: u64,
}

impl There {
    pub(crate) async fn make(site: &Site) -> Self {
        let comment = site.served.lock().github.comment(REPOSITORY, 1, "alice", "there").unwrap();
        site.served
            .lock()
            .github
            .change(REPOSITORY)
            .unwrap()
            .runs
            .insert(512, Run { conclusion: Some("success"), ..Run::default() });
        let github = site.github();
        let check = github.create_check(&repo(), &sha(), &check(Progress::Running, 0)).await.unwrap();
        let deployment = github.create_deployment(&repo(), &deployment()).await.unwrap().id;
        Self { comment, check, deployment }
    }
}

/// What is done, as a failure calls it, what it needs, and how it is done.
pub(crate) struct Act {
    pub(crate) doing: &'static str,
    needs: &'static str,
    pub(crate) act: for<'a> fn(&'a GitHub, There) -> BoxFuture<'a, Result<(), Failure>>,
}

macro_rules! act {
    ($doing:literal, $needs:literal, |$github:ident, $there:ident| $act:expr) => {
        Act {
            doing: $doing,
            needs: $needs,
            act: |$github, $there| {
                Box::pin(async move {
                    let There { .. } = $there;
                    $act.map(drop)
                })
            },
        }
    };
}

fn main() -> Revision {
    Revision::Branch("main".parse().unwrap())
}

pub(crate) const ACTS: [Act; 23] = [
    act!("read acme/web#1", "pull-requests: read", |github, there| github.pull(&pull(1)).await),
    act!("list the files of acme/web#1", "pull-requests: read", |github, there| {
        github.changed_files(&pull(1)).await
    }),
    act!("list the comments on acme/web#1", "pull-requests: read", |github, there| {
        github.comments(&pull(1)).await
    }),
    act!("comment on acme/web#1", "pull-requests: write", |github, there| {
        github.create_comment(&pull(1), "new").await
    }),
    act!("edit comment", "pull-requests: write", |github, there| {
        github.edit_comment(&repo(), there.comment, "edited").await
    }),
    act!("delete comment", "pull-requests: write", |github, there| {
        github.delete_comment(&repo(), there.comment).await
    }),
    act!("react to comment", "pull-requests: write", |github, there| {
        github.react(&repo(), there.comment, Reaction::Seen).await
    }),
    act!("set the status \"berth\" of 111111111111 in acme/web", "statuses: write", |github, there| {
        github.create_status(&repo(), &sha(), &status(State::Success)).await
    }),
    act!("read the statuses of 111111111111 in acme/web", "statuses: read", |github, there| {
        github.latest_status(&repo(), &sha(), "berth").await
    }),
    act!("make the check \"berth\" of 111111111111 in acme/web", "checks: write", |github, there| {
        github.create_check(&repo(), &sha(), &check(Progress::Running, 1)).await
    }),
    act!("update check", "checks: write", |github, there| {
        github.update_check(&repo(), there.check, &check(Progress::Running, 1)).await
    }),
    act!("read the checks \"berth\" of 111111111111 in acme/web", "checks: read", |github, there| {
        github.find_check(&repo(), &sha(), "berth", "acme/web#1").await
    }),
    act!("make a deployment of 111111111111 in acme/web", "deployments: write", |github, there| {
        github.create_deployment(&repo(), &deployment()).await
    }),
    act!("list the deployments to \"pr-preview\" in acme/web", "deployments: read", |github, there| {
        github.deployments(&repo(), "pr-preview", "acme/web#1", None).await
    }),
    act!("say what became of deployment", "deployments: write", |github, there| {
        github.create_deployment_status(&repo(), there.deployment, &became(DeploymentState::Success)).await
    }),
    act!("list what became of deployment", "deployments: read", |github, there| {
        github.deployment_statuses(&repo(), there.deployment).await
    }),
    act!("read \"berth.yaml\" of acme/web at refs/heads/main", "contents: read", |github, there| {
        github.file(&repo(), "berth.yaml", &main()).await
    }),
    act!("list \"deploy\" of acme/web at refs/heads/main", "contents: read", |github, there| {
        github.directory(&repo(), "deploy", &main()).await
    }),
    act!("read who has approved run 512 of acme/web", "actions: read", |github, there| {
        github.is_run_approved(&repo(), 512).await
    }),
    act!("read how run 512 of acme/web stands", "actions: read", |github, there| {
        github.run_status(&repo(), 512).await
    }),
    act!("begin run 512 of acme/web once more", "actions: write", |github, there| {
        match github.run_again(&Job { repo: repo(), run: 512, id: None }).await? {
            Again::Begun => Ok(()),
            Again::Running => panic!("it has ended"),
            Again::Not(failure) => Err(failure),
        }
    }),
    act!("send the event \"berth\" to acme/web", "contents: write", |github, there| {
        github.dispatch(&repo(), "berth", &json!({"berth": {}})).await
    }),
    act!("list the branches of acme/web at 1111111", "contents: read", |github, there| {
        github.branches_at(&repo(), &sha()).await
    }),
];

/// What a token may do that may do everything but this.
fn all_but(needed: &str) -> Grant {
    let all = [
        ("contents", Permission::Contents),
        ("pull-requests", Permission::PullRequests),
        ("statuses", Permission::Statuses),
        ("checks", Permission::Checks),
        ("deployments", Permission::Deployments),
        ("actions", Permission::Actions),
    ];
    let (named, level) = needed.split_once(": ").unwrap();
    assert!(all.iter().any(|(name, _)| *name == named), "{needed}");
    let grant = Grant::workflow(REPOSITORY);
    all.into_iter().fold(grant, |grant, (name, permission)| match (name == named, level) {
        (false, _) => grant.may(permission, Level::Write),
        (true, "write") => grant.may(permission, Level::Read),
        (true, _) => grant,
    })
}

#[tokio::test]
async fn of_every_act_the_one_permission_that_is_missing_is_named() {
    let site = Site::start().await;
    let there = There::make(&site).await;
    for Act { doing, needs, act } in &ACTS {
        site.served.lock().github.add_token("ghs_little_canary", all_but(needs));
        let failure = act(&site.by("ghs_little_canary"), there).await.expect_err(doing);
        assert_eq!(failure.kind, Kind::Refused, "{doing}");
        let told = site.told(&failure);
        assert!(told.starts_with(&format!("could not {doing}")), "{told}");
        assert!(told.ends_with(&format!("; the token needs `{needs}`")), "{told}");
        assert_eq!(told.matches('`').count(), 2, "and no other: {told}");
    }
}

#[tokio::test]
async fn what_is_named_is_enough() {
    for Act { doing, needs, act } in &ACTS {
        let site = Site::start().await;
        let there = There::make(&site).await;
        let (named, level) = needs.split_once(": ").unwrap();
        let permission = match named {
            "contents" => Permission::Contents,
            "pull-requests" => Permission::PullRequests,
            "statuses" => Permission::Statuses,
            "checks" => Permission::Checks,
            "actions" => Permission::Actions,
            _ => Permission::Deployments,
        };
        let level = if level == "write" { Level::Write } else { Level::Read };
        // A check is its app's, so it is the same app.
        let grant = Grant::app("berth", &[REPOSITORY]).may(permission, level);
        site.served.lock().github.add_token("ghs_enough", grant);
        act(&site.by("ghs_enough"), there).await.expect(doing);
    }
}

#[tokio::test]
async fn who_may_see_a_repository_may_ask_what_people_may_do_there() {
    let site = Site::start().await;
    site.served.lock().github.add_token("ghs_nothing", Grant::workflow(REPOSITORY));
    assert!(site.by("ghs_nothing").permission(&repo(), &login("alice")).await.is_ok());
}

#[tokio::test]
async fn a_job_is_run_again_once_its_run_has_ended_and_who_may_not_is_no_failure() {
    let site = Site::start().await;
    let job = |id| Job { repo: repo(), run: 512, id };
    let ends = |conclusion| {
        let world = &mut site.served.lock().github;
        let runs = &mut world.change(REPOSITORY).unwrap().runs;
        let run = runs.entry(512).or_insert(Run { jobs: vec![7], ..Run::default() });
        run.conclusion = conclusion;
        run.again.clone()
    };
    assert!(matches!(site.github().run_again(&job(None)).await, Ok(Again::Not(_))), "there is no such run");
    ends(None);
    for id in [None, Some(7)] {
        assert_eq!(site.github().run_again(&job(id)).await.unwrap(), Again::Running);
        ends(Some("failure"));
        assert_eq!(site.github().run_again(&job(id)).await.unwrap(), Again::Begun);
        assert!(!site.github().run_status(&repo(), 512).await.unwrap().unwrap().has_ended());
    }
    assert_eq!(ends(Some("success")), [None, Some(7)]);
    let status = site.github().run_status(&repo(), 512).await.unwrap().unwrap();
    assert_eq!(
        (status.has_ended(), status.conclusion.as_deref(), status.attempt),
        (true, Some("success"), 3)
    );
    assert_eq!(site.github().run_status(&repo(), 9).await.unwrap(), None);
    assert!(
        matches!(site.github().run_again(&job(Some(9))).await, Ok(Again::Not(_))),
        "there is no such job"
    );
    site.served.lock().github.add_token("ghs_reader", all_but("actions: write"));
    let Ok(Again::Not(failure)) = site.by("ghs_reader").run_again(&job(Some(7))).await else { panic!() };
    assert!(site.told(&failure).ends_with("; the token needs `actions: write`"), "{failure}");
    assert_eq!(ends(None).len(), 2, "and nothing has begun");
}
