//! What berth takes from a payload, and what it does not take: all of it comes from outside.

use berth::domain::payload::{Action, Association, Origin, Payload, Pull, Standing, Subject};
use serde_json::{Value, json};

const SHA: &str = "1111111111111111111111111111111111111111";

fn opened() -> Value {
    let repo = json!({ "id": 7, "full_name": "Acme/Web" });
    json!({
        "action": "opened", "number": 42,
        "pull_request": {
            "number": 42, "state": "open", "draft": false, "merged": false, "labels": [{ "name": "preview" }],
            "head": { "sha": SHA, "ref": "feature/x", "repo": repo }, "base": { "ref": "main", "repo": repo },
            "user": { "login": "dependabot[bot]" },
        },
        "repository": repo, "sender": { "login": "alice" }, "installation": { "id": 9 },
    })
}

fn parse(event: &str, body: &Value) -> Result<Payload, String> {
    Payload::parse(event, body.to_string().as_bytes()).map_err(|why| why.to_string())
}

fn pull(body: &Value) -> Pull {
    match parse("pull_request", body) {
        Ok(Payload::PullRequest(pull)) => *pull,
        other => panic!("{other:?}"),
    }
}

/// The same payload with one place changed.
fn with(mut body: Value, place: &str, value: Value) -> Value {
    *body.pointer_mut(place).unwrap() = value;
    body
}

#[test]
fn an_event_of_a_pull_request_gives_identity_and_how_it_stood() {
    let pull = pull(&opened());
    assert_eq!(pull.of.to_string(), "acme/web#42");
    assert_eq!((pull.action, pull.standing, pull.origin), (Action::Opened, Standing::Open, Origin::Same));
    assert_eq!((pull.head.as_ref(), pull.branch.as_ref(), pull.base.as_ref()), (SHA, "feature/x", "main"));
    assert_eq!(pull.labels.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["preview"]);
    assert_eq!(pull.author.unwrap().as_ref(), "dependabot[bot]");
    assert_eq!((pull.source.repository_id, pull.source.installation), (7, Some(9)));
    assert!(matches!(parse("pull_request_target", &opened()), Ok(Payload::PullRequest(_))));
}

#[test]
fn closed_merged_and_draft_are_told_apart() {
    let standing = |state: &str, merged: bool, draft: bool| {
        let body = with(opened(), "/pull_request/state", json!(state));
        let body = with(body, "/pull_request/merged", json!(merged));
        pull(&with(body, "/pull_request/draft", json!(draft))).standing
    };
    assert_eq!(standing("open", false, true), Standing::Draft);
    assert_eq!(standing("closed", false, true), Standing::Closed);
    assert_eq!(standing("closed", true, false), Standing::Merged);
}

#[test]
fn an_action_that_github_invents_tomorrow_is_kept_as_its_word() {
    let told = pull(&with(opened(), "/action", json!("teleported")));
    assert_eq!(told.action, Action::Other("teleported".to_owned()));
}

#[test]
fn a_fork_is_told_from_the_repository_by_id_and_a_deleted_one_from_both() {
    let fork = json!({ "id": 8, "full_name": "mallory/web" });
    let from = pull(&with(opened(), "/pull_request/head/repo", fork)).origin;
    assert_eq!(from, Origin::Fork("mallory/web".parse().unwrap()));
    let renamed = json!({ "id": 7, "full_name": "acme/shop" });
    assert_eq!(pull(&with(opened(), "/pull_request/head/repo", renamed)).origin, Origin::Same);
    assert_eq!(pull(&with(opened(), "/pull_request/head/repo", Value::Null)).origin, Origin::Gone);
}

#[test]
fn ghosts_are_nobody() {
    let told = pull(&with(with(opened(), "/pull_request/user", Value::Null), "/sender", Value::Null));
    assert_eq!((told.author, told.source.sender), (None, None));
}

#[test]
fn what_berth_does_not_take_may_be_of_any_form() {
    let mut body = opened();
    body["pull_request"]["mergeable_state"] = json!({ "new": ["form"] });
    body["pull_request"]["title"] = json!("\u{202e}$(reboot) ${{ secrets }} `x`");
    body["changes"] = json!(7);
    assert_eq!(pull(&body), pull(&opened()));
}

#[test]
fn hostile_fields_are_refused_and_named() {
    for (place, value) in [
        ("/number", json!(0)),
        ("/number", json!(-1)),
        ("/number", json!("42")),
        ("/number", json!(43)),
        ("/repository/full_name", json!("acme/../web")),
        ("/repository/full_name", json!("acme")),
        ("/repository/id", json!(8)),
        ("/pull_request/head/sha", json!("1111111")),
        ("/pull_request/head/sha", json!("$(id)111111111111111111111111111111111111")),
        ("/pull_request/head/ref", json!("x\nINJECTED=1")),
        ("/pull_request/head/ref", json!("a..b")),
        ("/pull_request/head/ref", json!("")),
        ("/pull_request/head/ref", json!("x".repeat(256))),
        ("/pull_request/base/ref", json!(null)),
        ("/pull_request/labels/0/name", json!("a\u{1b}[31m")),
        ("/pull_request/labels", json!(null)),
        ("/pull_request/user/login", json!("alice bob")),
        ("/pull_request/state", json!("ajar")),
        ("/pull_request/merged", json!(true)),
        ("/pull_request/draft", json!("no")),
        ("/action", json!("")),
        ("/action", json!("x".repeat(101))),
        ("/action", json!("::error::")),
        ("/installation/id", json!("9")),
    ] {
        let taken = parse("pull_request", &with(opened(), place, value.clone()));
        if place == "/action" && value == "::error::" {
            // A word like any other; whoever prints it must know that.
            assert!(taken.is_ok());
            continue;
        }
        let why = taken.expect_err(&format!("{place} = {value}"));
        assert!(why.contains("pull_request") && why.len() < 400, "{why}");
    }
}

#[test]
fn what_is_no_payload_is_refused() {
    let deep = "[".repeat(100_000);
    let twice = opened().to_string().replacen("{\"action\"", "{\"action\":\"closed\",\"action\"", 1);
    let two = opened().to_string().replacen(
        "\"sender\"",
        "\"repository\":{\"id\":9,\"full_name\":\"a/b\"},\"sender\"",
        1,
    );
    for body in ["", "null", "[]", "{", "{}", "\u{0}", deep.as_str(), twice.as_str(), two.as_str()] {
        assert!(Payload::parse("pull_request", body.as_bytes()).is_err(), "{}", &body[..body.len().min(60)]);
    }
    assert!(Payload::parse("push", b"not json").is_err());
    assert!(Payload::parse("pull_request", &[0xff, 0xfe]).is_err());
    for name in ["", "Pull Request", "../push", "x\ny", &"x".repeat(81)] {
        assert!(Payload::parse(name, b"{}").is_err(), "{name}");
    }
    assert_eq!(
        Payload::parse("deployment_status", b"{}"),
        Ok(Payload::Other("deployment_status".to_owned()))
    );
    assert_eq!(Payload::parse("ping", b"{\"zen\":\"x\"}"), Ok(Payload::Ping));
}

fn around(mut body: Value) -> Value {
    body["repository"] = json!({ "id": 7, "full_name": "acme/web" });
    body["sender"] = json!({ "login": "alice" });
    body
}

#[test]
fn a_comment_on_an_issue_is_not_one_on_a_pull_request() {
    let comment = |pull: Value, association: &str| {
        let said = json!({ "id": 5, "body": "/berth up", "user": null, "author_association": association });
        let body = around(
            json!({ "action": "created", "issue": { "number": 42, "pull_request": pull }, "comment": said }),
        );
        match parse("issue_comment", &body) {
            Ok(Payload::Comment(comment)) => *comment,
            other => panic!("{other:?}"),
        }
    };
    let on = comment(json!({ "url": "x" }), "MEMBER");
    assert_eq!(
        (on.on, on.association),
        (Subject::PullRequest("acme/web#42".parse().unwrap()), Association::Member)
    );
    assert_eq!((on.body.as_str(), on.author, on.id), ("/berth up", None, 5));
    let on = comment(Value::Null, "FIRST_TIMER");
    assert_eq!((on.on, on.association), (Subject::Issue, Association::None));
}

#[test]
fn a_dispatch_without_a_payload_has_an_empty_one_and_a_wrong_one_is_refused() {
    let sent = |payload: Value| {
        parse("repository_dispatch", &around(json!({ "action": "go", "client_payload": payload })))
    };
    let Ok(Payload::Dispatch(dispatch)) = sent(Value::Null) else { panic!() };
    assert_eq!((dispatch.event_type.as_str(), dispatch.payload.len()), ("go", 0));
    let Ok(Payload::Dispatch(dispatch)) = sent(json!({ "a": { "b": 1 } })) else { panic!() };
    assert_eq!(dispatch.payload["a"]["b"], 1);
    assert!(sent(json!([1])).is_err());
}

#[test]
fn a_merge_group_is_about_branches_only() {
    let group = |head: &str| {
        let group = json!({ "head_sha": SHA, "head_ref": head, "base_ref": "refs/heads/main" });
        parse("merge_group", &around(json!({ "action": "checks_requested", "merge_group": group })))
    };
    let Ok(Payload::MergeGroup(told)) = group("refs/heads/gh-readonly-queue/main/pr-1-2") else { panic!() };
    assert_eq!((told.branch.as_ref(), told.base.as_ref()), ("gh-readonly-queue/main/pr-1-2", "main"));
    assert!(group("refs/tags/v1").is_err());
}
