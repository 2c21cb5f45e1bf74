//! Every request of berth's client of GitHub, answered by every fault: none is taken for an answer.

use crate::{
    faults::faults,
    github_client::{APP, Site, login, pull, repo, sha, status},
};
use berth::{
    clients::{
        Failure, Kind,
        github::{GitHub, State},
    },
    rehearsal::{Server, gate::Verdict},
};
use futures::{StreamExt, future::BoxFuture, stream};
use serde_json::json;
use std::time::Duration;

/// What is done, as a failure calls it, and how: with the id of a comment that is there.
struct Act {
    doing: &'static str,
    act: for<'a> fn(&'a GitHub, u64) -> BoxFuture<'a, Result<(), Failure>>,
}

const ACTS: [Act; 7] = [
    Act {
        doing: "read acme/web#1",
        act: |github, _| Box::pin(async { github.pull(&pull(1)).await.map(drop) }),
    },
    Act {
        doing: "list the comments on acme/web#1",
        act: |github, _| Box::pin(async { github.comments(&pull(1)).await.map(drop) }),
    },
    Act {
        doing: "comment on acme/web#1",
        act: |github, _| Box::pin(async { github.create_comment(&pull(1), "new").await.map(drop) }),
    },
    Act {
        doing: "edit comment",
        act: |github, id| Box::pin(async move { github.edit_comment(&repo(), id, "edited").await.map(drop) }),
    },
    Act {
        doing: "delete comment",
        act: |github, id| Box::pin(async move { github.delete_comment(&repo(), id).await }),
    },
    Act {
        doing: "set the status \"berth\" of 111111111111 in acme/web",
        act: |github, _| {
            Box::pin(async { github.create_status(&repo(), &sha(), &status(State::Success)).await })
        },
    },
    Act {
        doing: "read what alice may do in acme/web",
        act: |github, _| Box::pin(async { github.permission(&repo(), &login("alice")).await.map(drop) }),
    },
];

/// And what is not among everybody's faults: GitHub's own.
fn all() -> Vec<Verdict> {
    let own = |status: u16, message: &str| {
        let body = json!({"message": message, "documentation_url": "https://docs.github.com/rest"});
        Verdict::json(status, &body)
    };
    let mut all = faults();
    all.extend([
        own(401, "Bad credentials"),
        own(403, "Resource not accessible by integration"),
        own(409, "Conflict"),
        own(410, "Gone"),
        own(422, "Validation Failed"),
        own(451, "Repository access blocked"),
        own(500, "Server Error"),
        Verdict::json(200, &json!(null)),
        Verdict::json(200, &json!("canary")),
        Verdict::json(200, &json!([{"id": 1}])),
        Verdict::json(202, &json!({})),
        Verdict::json(304, &json!(null)),
        Verdict::Hang,
        Verdict::HangAfter,
    ]);
    all
}

fn fits(fault: &Verdict, kind: Kind) -> bool {
    match fault {
        Verdict::Answer { status: 401 | 403, .. } => kind == Kind::Refused,
        Verdict::Answer { status: 409, .. } => kind == Kind::Conflict,
        Verdict::Answer { status: 200..300 | 408 | 429 | 500.., .. } => {
            kind == Kind::Unavailable { wait: None }
        }
        Verdict::Answer { .. } => kind == Kind::Invalid,
        _ => kind == Kind::Unavailable { wait: None },
    }
}

async fn check(act: &Act, fault: Verdict) {
    let case = format!("{} answered by {fault:?}", act.doing);
    let site = Site::start().await;
    let (comment, before) = {
        let github = &mut site.served.lock().github;
        (github.comment("acme/web", 1, "alice", "there").unwrap(), github.clone())
    };
    let hangs = matches!(fault, Verdict::Hang | Verdict::HangAfter);
    let landed = matches!(fault, Verdict::CutAfter | Verdict::Truncate | Verdict::HangAfter);
    let limit = Duration::from_secs(if hangs { 1 } else { 30 });
    let github = site.limited(APP, limit);
    let answer = fault.clone();
    site.served.gate.rule(move |_| answer.clone());
    let failure = (act.act)(&github, comment).await.expect_err(&case);
    assert!(fits(&fault, failure.kind), "{case}: {failure:?}");
    let begins = format!("could not {}", act.doing);
    assert!(failure.detail.starts_with(&begins), "{case}: {failure}");
    assert!(failure.detail.contains(&site.served.url(Server::GitHub)), "{case}: {failure}");
    assert!(!format!("{failure:?}").contains("canary"), "{case}: {failure:?}");
    assert_eq!(site.served.gate.log().len(), 1, "{case}: it was tried again");
    let world = site.served.lock();
    let comments = |github: &berth::rehearsal::github::GitHub| {
        let all = github.repository("acme/web").unwrap().comments(1);
        all.into_iter().map(|comment| comment.body.clone()).collect::<Vec<_>>()
    };
    assert!(landed || comments(&world.github) == comments(&before), "{case}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_is_taken_for_an_answer_and_none_is_tried_again() {
    let cases = ACTS.iter().flat_map(|act| all().into_iter().map(move |fault| (act, fault)));
    stream::iter(cases)
        .map(async |(act, fault)| check(act, fault).await)
        .buffer_unordered(16)
        .for_each(async |()| ())
        .await;
}
