//! Every request of berth's client of GitHub, answered by every fault: none is taken for an answer.

use crate::{
    faults::faults,
    github_acts::{ACTS, Act, There},
    github_client::{APP, Site},
};
use berth::{
    clients::Kind,
    rehearsal::{Server, gate::Verdict},
};
use futures::{StreamExt, stream};
use serde_json::json;
use std::time::Duration;

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
        // As before: and there was nothing before.
        Verdict::Answer { status: 200..300 | 304 | 408 | 429 | 500.., .. } => {
            kind == Kind::Unavailable { wait: None }
        }
        Verdict::Answer { .. } => kind == Kind::Invalid,
        _ => kind == Kind::Unavailable { wait: None },
    }
}

async fn check(act: &Act, fault: Verdict) {
    let case = format!("{} answered by {fault:?}", act.doing);
    let site = Site::start().await;
    let there = There::make(&site).await;
    let (before, asked) = (site.served.lock().github.clone(), site.asked().len());
    let hangs = matches!(fault, Verdict::Hang | Verdict::HangAfter);
    let landed = matches!(fault, Verdict::CutAfter | Verdict::Truncate | Verdict::HangAfter);
    let limit = Duration::from_secs(if hangs { 1 } else { 30 });
    let github = site.limited(APP, limit);
    let answer = fault.clone();
    site.served.gate.rule(move |_| answer.clone());
    let failure = (act.act)(&github, there).await.expect_err(&case);
    assert!(fits(&fault, failure.kind), "{case}: {failure:?}");
    let begins = format!("could not {}", act.doing);
    assert!(failure.detail.starts_with(&begins), "{case}: {failure}");
    assert!(failure.detail.contains(&site.served.url(Server::GitHub)), "{case}: {failure}");
    assert!(!format!("{failure:?}").contains("canary"), "{case}: {failure:?}");
    assert_eq!(site.asked().len() - asked, 1, "{case}: it was tried again");
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
