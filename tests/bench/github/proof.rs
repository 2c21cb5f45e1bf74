//! The judge itself, judged: it refuses what is wrong, and only that.

use super::{
    judge::{ANYWHERE, Judge, RELAXED, Sender},
    schema::{Notes, Schemas, Way},
};
use berth::rehearsal::{Request, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn request(asked: &str, body: Value) -> Request {
    let (method, rest) = asked.split_once(' ').unwrap();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    Request {
        server: Server::GitHub,
        run: String::new(),
        method: method.to_owned(),
        path: path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect(),
        query: query.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        headers: BTreeMap::new(),
        body,
    }
}

fn refused(judge: &Judge, asked: &str, body: Value, because: &str) {
    let why = judge.request(&request(asked, body)).expect_err(asked);
    assert!(why.contains(because), "{asked}: {why}");
}

#[test]
fn requests_that_the_description_does_not_know_are_refused() {
    let judge = Judge::new();
    let nothing = || Value::Null;
    refused(&judge, "GET /repos/a/b/pull/1", nothing(), "no operation");
    refused(&judge, "PUT /repos/a/b/pulls/1", nothing(), "no operation");
    refused(&judge, "GET /repos/a/b/pulls/one", nothing(), "string, not integer");
    refused(&judge, "GET /repos/a/b/pulls?state=merged", nothing(), "is none of");
    refused(&judge, "GET /repos/a/b/pulls?per-page=9", nothing(), "per-page is not described");
    refused(&judge, "GET /repos/a/b/pulls?per_page=all", nothing(), "string, not integer");
    refused(&judge, "GET /repos/a/b/pulls", json!({}), "takes no body");
    refused(&judge, "GET /repos/a/b/issues/1/comments?since=monday", nothing(), "is no \"date-time\"");

    let status = "POST /repos/a/b/statuses/abc";
    refused(&judge, status, nothing(), "null");
    refused(&judge, status, json!({}), "state is missing");
    refused(&judge, status, json!({ "state": "closed" }), "is none of");
    refused(&judge, status, json!({ "state": "success", "contxt": "x" }), "contxt is not described");
    refused(&judge, status, json!({ "state": "success", "context": null }), "/context: null");
    refused(&judge, status, json!({ "state": "success", "context": 7 }), "integer, not string");
    let dispatch = "POST /repos/a/b/dispatches";
    refused(&judge, dispatch, json!({ "event_type": "x".repeat(101) }), "101 Length");
    refused(&judge, dispatch, json!({ "event_type": "" }), "0 Length");
    let many: BTreeMap<String, u8> = (0..11).map(|n| (n.to_string(), n)).collect();
    refused(&judge, dispatch, json!({ "event_type": "x", "client_payload": many }), "11 Properties");
    let check = |output: Value| json!({ "name": "x", "head_sha": "y", "output": output });
    let annotation =
        json!({ "path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m" });
    let over = json!({ "title": "t", "summary": "s", "annotations": vec![annotation.clone(); 51] });
    refused(&judge, "POST /repos/a/b/check-runs", check(over), "51 Items");
    let mut odd = annotation;
    odd["line"] = json!(1);
    let odd = json!({ "title": "t", "summary": "s", "annotations": [odd] });
    refused(&judge, "POST /repos/a/b/check-runs", check(odd), "line is not described");
    refused(&judge, "PATCH /repos/a/b/check-runs/1", json!({ "status": "completed" }), "of anyOf fit");
    refused(&judge, "POST /repos/a/b/issues/1/labels", json!({ "labels": [] }), "of oneOf fit");
    refused(&judge, "POST /repos/a/b/deployments", json!({ "ref": "main", "payload": 7 }), "of oneOf fit");

    for (asked, body) in [
        ("GET /repositories/7/pulls?page=2", nothing()),
        ("GET /repos/a/b/contents/deep/down/file?ref=main", nothing()),
        ("GET /repos/a/b/commits/feature/x/status", nothing()),
        (status, json!({ "state": "success", "target_url": null })),
        (dispatch, json!({ "event_type": "x", "client_payload": { "anything": [1, null] } })),
        ("PATCH /repos/a/b/check-runs/1", json!({ "status": "completed", "conclusion": "success" })),
    ] {
        assert_eq!(judge.request(&request(asked, body)), Ok(()), "{asked}");
    }
}

#[test]
fn answers_that_the_description_does_not_know_are_refused() {
    let judge = Judge::new();
    let comment = "GET /repos/a/b/issues/comments/1";
    let error = json!({ "message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404" });
    let user = |login: Value| {
        let mut user: Value = [
            "node_id",
            "avatar_url",
            "gravatar_id",
            "url",
            "html_url",
            "followers_url",
            "following_url",
            "gists_url",
            "starred_url",
            "subscriptions_url",
            "organizations_url",
            "repos_url",
            "events_url",
            "received_events_url",
            "type",
        ]
        .map(|key| (key.to_owned(), json!("https://x.example/")))
        .into_iter()
        .collect();
        (user["id"], user["site_admin"], user["login"]) = (json!(1), json!(false), login);
        user
    };
    let right = json!({
        "id": 1, "node_id": "x", "url": "https://x.example/", "html_url": "https://x.example/", "user": user(json!("alice")),
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "issue_url": "https://x.example/",
        "body": "text",
    });
    let judged = |status: u16, body: &Value| {
        judge.exchange(Sender::Client, &request(comment, Value::Null), status, body)
    };
    assert_eq!(judged(200, &right), Ok(()));
    assert_eq!(judged(404, &error), Ok(()));
    let changed = |key: &str, value: Value| {
        let mut body = right.clone();
        body[key] = value;
        body
    };
    for (status, body, because) in [
        (200, Value::Null, "null"),
        (200, changed("id", json!("1")), "/id: string, not integer"),
        (200, changed("id", json!(1.5)), "/id: number, not integer"),
        (200, changed("body", Value::Null), "/body: null"),
        (200, changed("created_at", json!("yesterday")), "is no \"date-time\""),
        (200, changed("url", json!("no address")), "is no \"uri\""),
        (200, changed("user", user(Value::Null)), "/user/login: null (by nullable-simple-user/login)"),
        (201, right.clone(), "not documented"),
        (410, error.clone(), "not documented"),
        (404, json!({}), "says neither"),
        (401, json!({ "message": "Bad credentials" }), "says neither"),
        (
            404,
            json!({ "message": "no", "documentation_url": "https://docs.github.com", "status": 404 }),
            "integer, not string",
        ),
        (304, error.clone(), "it has a body"),
    ] {
        let why = judged(status, &body).expect_err(because);
        assert!(why.contains(because), "{status} {body}: {why}");
    }
    let mut less = right;
    less.as_object_mut().unwrap().remove("issue_url");
    assert!(judged(200, &less).unwrap_err().contains("issue_url is missing"));
    let delete = request("DELETE /repos/a/b/issues/comments/1", Value::Null);
    assert_eq!(judge.exchange(Sender::Client, &delete, 204, &Value::Null), Ok(()));
    assert!(judge.exchange(Sender::Client, &delete, 204, &error).is_err());
    assert!(judge.exchange(Sender::Client, &delete, 200, &Value::Null).is_err());
}

#[test]
fn what_is_sent_wrong_on_purpose_must_be_refused() {
    let judge = Judge::new();
    let wrong = request("POST /repos/a/b/dispatches", json!({ "event_type": "" }));
    let error = json!({ "message": "no", "documentation_url": "https://docs.github.com/rest" });
    assert!(
        judge.exchange(Sender::Tester, &wrong, 204, &Value::Null).unwrap_err().contains("kinder than GitHub")
    );
    assert_eq!(judge.exchange(Sender::Tester, &wrong, 422, &error), Ok(()));
    assert!(judge.exchange(Sender::Client, &wrong, 422, &error).unwrap_err().contains("the request"));
}

#[test]
fn all_that_is_let_pass_says_why_and_is_narrow() {
    assert!(ANYWHERE.iter().all(|(status, why)| (300..500).contains(status) && why.len() > 10));
    assert!(RELAXED.iter().all(|relaxation| relaxation.place.contains('/') && relaxation.why.len() > 10));
}

#[test]
#[should_panic(expected = "does not know the keyword pattern")]
fn a_rule_that_the_judge_does_not_know_is_no_rule_to_pass_over() {
    let content = json!({ "application/json": { "schema": { "type": "string", "pattern": "^a" } } });
    Judge::by(json!({ "paths": { "/a": { "get": { "responses": { "200": { "content": content } } } } } }));
}

#[test]
fn compositions_and_references_hold() {
    let description = json!({ "components": { "schemas": {
        "name": { "type": "string", "minLength": 2 }, "maybe": { "type": "object", "nullable": true },
    } } });
    let schemas = Schemas { description: &description, relaxed: &[] };
    let holds = |schema: Value, value: Value| {
        schemas.know(&schema);
        schemas.check(&schema, &value, Way::Sent, &mut Notes::default()).is_ok()
    };
    let name = json!({ "$ref": "#/components/schemas/name" });
    assert!(
        holds(name.clone(), json!("ab"))
            && !holds(name.clone(), json!("a"))
            && !holds(name.clone(), Value::Null)
    );
    assert!(holds(json!({ "$ref": "#/components/schemas/maybe" }), Value::Null));
    let few = json!({ "type": "integer", "minimum": 0, "maximum": 6 });
    assert!([0, 6].into_iter().all(|n| holds(few.clone(), json!(n))));
    assert!(![-1, 7].into_iter().any(|n| holds(few.clone(), json!(n))));
    let one = json!({ "oneOf": [name, { "type": "integer" }] });
    assert!(holds(one.clone(), json!(7)) && !holds(one, json!(true)));
    let twice = json!({ "oneOf": [{ "type": "string" }, { "type": "string", "maxLength": 3 }] });
    assert!(holds(twice.clone(), json!("long")) && !holds(twice, json!("abc")), "exactly one");
    let any = json!({ "anyOf": [{ "type": "string" }, { "type": "string", "maxLength": 3 }] });
    assert!(holds(any.clone(), json!("abc")) && !holds(any, json!(1)));
    let all = json!({ "allOf": [
        { "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"] },
        { "type": "object", "properties": { "b": { "type": "integer" } } },
    ] });
    assert!(holds(all.clone(), json!({ "a": 1, "b": 2 })) && !holds(all.clone(), json!({ "b": 2 })));
    assert!(!holds(all, json!({ "a": 1, "b": "x" })));
    let map = json!({ "type": "object", "properties": {}, "additionalProperties": { "type": "integer" } });
    assert!(holds(map.clone(), json!({ "x": 1 })) && !holds(map, json!({ "x": "1" })));
    assert!(!holds(json!({ "type": "object", "additionalProperties": false }), json!({ "x": 1 })));
}
