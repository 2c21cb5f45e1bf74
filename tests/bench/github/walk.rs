//! The embedded GitHub, walked through over HTTP; the judge sees every exchange.

use super::{
    github_app::{app, der},
    judge::{Judge, Seen, Sender},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use berth::rehearsal::{
    Server, World,
    github::{Grant, Level, Opening, Permission, Role, Run},
    serve::Served,
};
use jiff::Timestamp;
use reqwest::{Method, Response};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

const REPOSITORY: &str = "acme/web";
const SHA: &str = "1111111111111111111111111111111111111111";
/// Of an app that may do everything there.
const APP: &str = "ghs_app";
/// Of a workflow that may only look.
const READER: &str = "ghs_reader";
const PERSON: &str = "ghp_alice";

/// A person on foot through the embedded GitHub.
struct Walk {
    served: Served,
    http: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

fn world() -> World {
    let mut world = World::default();
    let github = &mut world.github;
    let web = github.add_repository(REPOSITORY).unwrap();
    web.private = true;
    web.collaborators.insert("alice".to_owned(), Role::Write);
    let files = [("berth.yaml", "provider: namespace\n"), ("deploy/app.yaml", "kind: Deployment\n")];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let main = web.branches["main"].clone();
    web.files.insert(main, files.into_iter().collect());
    github.add_token(APP, Grant::app("berth", &[REPOSITORY]).may_all());
    let all = [
        Permission::Contents,
        Permission::Issues,
        Permission::PullRequests,
        Permission::Statuses,
        Permission::Checks,
        Permission::Deployments,
    ];
    let reader = all
        .into_iter()
        .fold(Grant::workflow(REPOSITORY), |grant, permission| grant.may(permission, Level::Read));
    github.add_token(READER, reader);
    github.add_app(app(&[REPOSITORY]));
    github.add_token(PERSON, Grant::personal("alice").may_all());
    github.limits.making_a_minute = 10_000;
    github.limits.points_a_minute = 100_000;
    github.limits.making_an_hour = 10_000;
    github.open(REPOSITORY, Opening::new("alice", "topic", SHA)).unwrap();
    world
}

impl Walk {
    async fn begin(world: World, sender: Sender) -> Self {
        // Another test has been here before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let served = Served::start(world).await.unwrap();
        let seen = Judge::new().attend(&served.gate, sender);
        let http = reqwest::Client::builder()
            .user_agent("berth")
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { served, http, seen }
    }

    async fn ask(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.served.url(Server::GitHub)));
        request = request
            .header("x-github-api-version", "2022-11-28")
            .header("accept", "application/vnd.github+json");
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    /// What this answers, which must be with this status.
    async fn expect(&self, status: u16, token: &str, asked: &str, body: Option<Value>) -> Value {
        let (method, path) = asked.split_once(' ').unwrap();
        let response = self.ask(token, method.parse().unwrap(), path, body.as_ref()).await;
        let (found, text) = (response.status().as_u16(), response.text().await.unwrap());
        assert_eq!(found, status, "{asked}: {text}");
        self.in_order();
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Value {
        self.expect(200, APP, &format!("GET {path}"), None).await
    }

    fn in_order(&self) {
        assert_eq!(self.served.gate.broken(), None);
    }
}

/// What an app says, whatever that is, with this key's signature.
fn signed(claims: &Value) -> String {
    let key = KeyPair::from_der(&der()).unwrap();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let said = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature).unwrap();
    format!("{said}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Who it is, as of now.
fn word(now: Timestamp) -> String {
    signed(&json!({ "iat": now.as_second(), "exp": now.as_second() + 60, "iss": app(&[]).id }))
}

fn id(made: &Value) -> u64 {
    made["id"].as_u64().unwrap()
}

#[tokio::test]
async fn every_operation_succeeds_and_is_as_described() {
    let walk = Walk::begin(world(), Sender::Client).await;
    let at = |path: &str| format!("/repos/{REPOSITORY}{path}");
    walk.get("/rate_limit").await;
    assert_eq!(walk.expect(200, PERSON, "GET /user", None).await["login"], "alice");
    walk.expect(403, APP, "GET /user", None).await;
    walk.get(&at("")).await;
    walk.get(&at("/collaborators/alice/permission")).await;
    let ended = Run {
        approvals: vec!["alice".to_owned()],
        jobs: vec![7],
        conclusion: Some("success"),
        ..Run::default()
    };
    walk.served.lock().github.change(REPOSITORY).unwrap().runs.insert(512, ended);
    assert_eq!(walk.get(&at("/actions/runs/512")).await["status"], "completed");
    walk.expect(201, APP, &format!("POST {}", at("/actions/jobs/7/rerun")), None).await;
    let run = walk.get(&at("/actions/runs/512")).await;
    assert_eq!((&run["status"], &run["run_attempt"]), (&json!("in_progress"), &json!(2)));
    for what in ["jobs/7", "runs/512"] {
        let refused =
            walk.expect(403, APP, &format!("POST {}", at(&format!("/actions/{what}/rerun"))), None).await;
        assert!(refused["message"].as_str().unwrap().ends_with("is already running"), "{refused}");
    }
    walk.served.lock().github.change(REPOSITORY).unwrap().runs.get_mut(&512).unwrap().conclusion =
        Some("success");
    walk.expect(201, APP, &format!("POST {}", at("/actions/runs/512/rerun")), None).await;
    assert_eq!(walk.get(&at("/actions/runs/512/approvals")).await[0]["state"], "approved");
    let branches = format!("/commits/{SHA}/branches-where-head");
    assert_eq!(walk.get(&at(&branches)).await[0]["name"], "topic");
    let file = walk.get(&at("/contents/berth.yaml?ref=main")).await;
    assert_eq!(file["content"], "cHJvdmlkZXI6IG5hbWVzcGFjZQo=\n");
    assert_eq!(walk.get(&at("/contents/deploy")).await[0]["path"], "deploy/app.yaml");
    assert_eq!(walk.get(&at("/contents/")).await.as_array().unwrap().len(), 2);
    walk.get(&at(
        "/pulls?state=all&head=acme:topic&base=main&sort=updated&direction=asc&per_page=100&page=1",
    ))
    .await;
    assert_eq!(walk.get(&at("/pulls/1")).await["mergeable"], Value::Null, "nobody had asked before");
    assert_eq!(walk.get(&at("/pulls/1")).await["mergeable"], true);
    walk.served.lock().github.pull(REPOSITORY, 1).unwrap().files.push(berth::rehearsal::github::Changed {
        path: "deploy/app.yaml".to_owned(),
        status: "renamed",
        before: Some("deploy/web.yaml".to_owned()),
    });
    assert_eq!(walk.get(&at("/pulls/1/files?per_page=100")).await[0]["filename"], "deploy/app.yaml");

    let comment = json!({ "body": "up" });
    let made = walk.expect(201, APP, &format!("POST {}", at("/issues/1/comments")), Some(comment)).await;
    let one = at(&format!("/issues/comments/{}", id(&made)));
    walk.expect(200, APP, &format!("PATCH {one}"), Some(json!({ "body": "down" }))).await;
    assert_eq!(walk.get(&one).await["body"], "down");
    assert_eq!(walk.get(&at("/issues/1/comments?since=2026-01-01T00:00:00Z")).await[0]["id"], made["id"]);
    for status in [201, 200] {
        let eyes = json!({ "content": "eyes" });
        walk.expect(status, APP, &format!("POST {one}/reactions"), Some(eyes)).await;
    }
    assert_eq!(walk.get(&one).await["reactions"]["eyes"], 1);
    walk.expect(204, APP, &format!("DELETE {one}"), None).await;

    let labels = at("/issues/1/labels");
    walk.expect(200, APP, &format!("POST {labels}"), Some(json!({ "labels": ["preview", "big"] }))).await;
    walk.expect(200, APP, &format!("DELETE {labels}/big"), None).await;
    assert_eq!(walk.get(&labels).await[0]["name"], "preview");
    assert_eq!(walk.get(&at("/pulls")).await[0]["labels"][0]["name"], "preview");

    let status = json!({ "state": "success", "context": "berth", "description": null, "target_url": "https://x.example/" });
    walk.expect(201, APP, &format!("POST {}", at(&format!("/statuses/{SHA}"))), Some(status)).await;
    assert_eq!(walk.get(&at(&format!("/commits/{SHA}/status"))).await["state"], "success");
    assert_eq!(walk.get(&at("/commits/heads/topic/statuses")).await[0]["context"], "berth");

    let annotation = json!({
        "path": "a.rs", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "it failed",
        "start_column": 2, "end_column": 3, "title": "test", "raw_details": "more",
    });
    let check = json!({
        "name": "berth", "head_sha": SHA, "status": "in_progress", "details_url": "https://x.example/",
        "external_id": "7", "started_at": "2026-01-01T00:00:00Z",
        "output": { "title": "tests", "summary": "some", "text": "more", "annotations": vec![annotation; 50] },
    });
    let made = walk.expect(201, APP, &format!("POST {}", at("/check-runs")), Some(check)).await;
    let one = at(&format!("/check-runs/{}", id(&made)));
    let end = json!({ "conclusion": "success", "completed_at": "2026-01-01T00:01:00Z" });
    assert_eq!(walk.expect(200, APP, &format!("PATCH {one}"), Some(end)).await["status"], "completed");
    assert_eq!(walk.get(&one).await["output"]["annotations_count"], 50);
    assert_eq!(walk.get(&format!("{one}/annotations?per_page=100")).await.as_array().unwrap().len(), 50);
    let listed = walk
        .get(&at(&format!("/commits/{SHA}/check-runs?check_name=berth&status=completed&filter=all")))
        .await;
    assert_eq!(listed["total_count"], 1);

    let deployment = json!({
        "ref": SHA, "task": "berth", "auto_merge": false, "required_contexts": [], "payload": { "a": 1 },
        "environment": "pr-preview", "description": "up", "transient_environment": true, "production_environment": false,
    });
    let made = walk.expect(201, APP, &format!("POST {}", at("/deployments")), Some(deployment)).await;
    let one = at(&format!("/deployments/{}", id(&made)));
    let state = |state: &str| json!({ "state": state, "environment_url": "https://x.example/", "log_url": "https://y.example/", "description": "d" });
    walk.expect(201, APP, &format!("POST {one}/statuses"), Some(state("success"))).await;
    assert_eq!(walk.get(&format!("{one}/statuses")).await[0]["state"], "success");
    walk.get(&one).await;
    walk.get(&at(&format!("/deployments?sha={SHA}&environment=pr-preview&task=berth"))).await;
    walk.expect(201, APP, &format!("POST {one}/statuses"), Some(json!({ "state": "inactive" }))).await;
    walk.expect(204, APP, &format!("DELETE {one}"), None).await;

    let dispatch = json!({ "event_type": "berth", "client_payload": { "all": { "under": "one key" } } });
    walk.expect(204, APP, &format!("POST {}", at("/dispatches")), Some(dispatch)).await;

    let word = word(walk.served.lock().now());
    let installed = walk.expect(200, &word, &format!("GET {}", at("/installation")), None).await;
    let tokens = format!("POST /app/installations/{}/access_tokens", id(&installed));
    let asked = json!({ "repositories": ["web"], "permissions": { "checks": "write", "metadata": "read" } });
    let made = walk.expect(201, &word, &tokens, Some(asked)).await;
    let made = made["token"].as_str().unwrap();
    walk.expect(200, made, &format!("GET {}", at("/commits/main/check-runs")), None).await;
    walk.expect(403, made, &format!("GET {}", at("/pulls")), None).await;

    let reached: BTreeSet<String> = {
        let seen = walk.seen.lock().unwrap();
        let successes = seen.answers.iter().filter(|answer| answer.contains(" 20"));
        successes.map(|answer| answer.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    assert_eq!(reached, Judge::new().operations(), "the walk and paths.txt are about the same operations");
}

#[tokio::test]
async fn what_the_description_refuses_is_refused_and_errors_are_as_described() {
    let walk = Walk::begin(world(), Sender::Tester).await;
    let at = |path: &str| format!("/repos/{REPOSITORY}{path}");
    let status = format!("POST {}", at(&format!("/statuses/{SHA}")));
    let dispatch = format!("POST {}", at("/dispatches"));
    let check = format!("POST {}", at("/check-runs"));
    let deploy = format!("POST {}", at("/deployments"));
    let comment = format!("POST {}", at("/issues/1/comments"));
    let labels = format!("POST {}", at("/issues/1/labels"));
    let react = format!("POST {}", at("/issues/comments/9/reactions"));
    let (run, job) =
        (format!("POST {}", at("/actions/runs/9/rerun")), format!("POST {}", at("/actions/jobs/9/rerun")));

    walk.expect(401, "wrong", &format!("GET {}", at("/pulls")), None).await;
    walk.expect(404, "", &format!("GET {}", at("/pulls")), None).await;
    walk.expect(404, APP, "GET /repos/acme/other/pulls", None).await;
    walk.expect(404, APP, &format!("GET {}", at("/pulls/99")), None).await;
    walk.expect(404, APP, &format!("GET {}", at("/nothing/like/this")), None).await;
    walk.expect(404, APP, &format!("GET {}", at("/contents/absent")), None).await;
    walk.expect(422, APP, &format!("GET {}", at(&format!("/commits/{:040}/branches-where-head", 0))), None)
        .await;
    walk.expect(404, APP, &format!("GET {}", at("/contents/berth.yaml?ref=absent")), None).await;
    walk.expect(404, APP, &format!("GET {}", at("/collaborators/nobody/permission")), None).await;
    walk.expect(404, APP, &format!("DELETE {}", at("/issues/1/labels/absent")), None).await;
    walk.expect(404, APP, &format!("PATCH {}", at("/issues/comments/9")), Some(json!({ "body": "x" }))).await;
    walk.expect(404, APP, &format!("GET {}", at("/deployments/9")), None).await;
    walk.expect(404, APP, &format!("GET {}", at("/actions/runs/9")), None).await;
    walk.expect(404, APP, &run, None).await;
    walk.expect(404, APP, &job, None).await;
    walk.expect(422, APP, &format!("GET {}", at("/pulls?state=merged")), None).await;

    for (asked, body) in [
        (&status, json!({ "state": "closed" })),
        (&status, json!({ "state": "success", "unknown": 1 })),
        (&status, json!({ "context": "berth" })),
        (&status, json!({ "state": "success", "description": "x".repeat(141) })),
        (&status, json!({ "state": "success", "target_url": "ssh://x" })),
        (&dispatch, json!({ "client_payload": {} })),
        (&dispatch, json!({ "event_type": "x".repeat(101) })),
        (&dispatch, json!({ "event_type": "" })),
        (
            &dispatch,
            json!({ "event_type": "x", "client_payload": (0..11).map(|n| (n.to_string(), n)).collect::<std::collections::BTreeMap<_, _>>() }),
        ),
        (&dispatch, json!({ "event_type": "x", "client_payload": { "a": "x".repeat(65_535) } })),
        (&dispatch, json!({ "event_type": "x", "client_payload": [] })),
        (&check, json!({ "name": "berth" })),
        (&check, json!({ "name": "berth", "head_sha": SHA, "status": "done" })),
        (&check, json!({ "name": "berth", "head_sha": SHA, "output": { "title": "no summary" } })),
        (&check, json!({ "name": "berth", "head_sha": SHA, "conclusion": "passed" })),
        (&check, json!({ "name": "berth", "head_sha": "2222222222222222222222222222222222222222" })),
        (&deploy, json!({ "ref": "absent" })),
        (&deploy, json!({ "environment": "x" })),
        (&deploy, json!({ "ref": "main", "required_contexts": "none" })),
        (&comment, json!({ "body": "x".repeat(65_537) })),
        (&comment, json!({ "body": "" })),
        (&comment, json!({ "body": 7 })),
        (&comment, json!({})),
        (&react, json!({})),
        (&run, json!({ "enable_debug_logging": "yes" })),
        (&job, json!({ "enable_debugger": "yes" })),
        (&react, json!({ "content": "applause" })),
        (&labels, json!({ "labels": [] })),
        (&labels, json!({ "labels": "preview" })),
    ] {
        walk.expect(422, APP, asked, Some(body)).await;
    }
    walk.expect(400, APP, &comment, Some(json!("text"))).await;

    let now = walk.served.lock().now();
    let (own, now) = (word(now), now.as_second());
    let installed = format!("GET {}", at("/installation"));
    let (iat, exp, id_of) = (now, now + 60, app(&[]).id);
    for (word, says) in [
        (APP.to_owned(), "A JSON web token could not be decoded"),
        (format!("{own}x"), "A JSON web token could not be decoded"),
        (signed(&json!({ "iat": iat, "exp": exp })), "Missing 'issuer' claim ('iss')"),
        (signed(&json!({ "iat": iat, "iss": id_of })), "'Expiration time' claim ('exp') must be"),
        (signed(&json!({ "iat": iat, "exp": now, "iss": id_of })), "'Expiration time' claim ('exp') must be"),
        (
            signed(&json!({ "iat": iat, "exp": now + 601, "iss": id_of })),
            "'Expiration time' claim ('exp') is too far",
        ),
        (signed(&json!({ "iat": now + 1, "exp": exp, "iss": id_of })), "'Issued at' claim ('iat') must be"),
    ] {
        let told = walk.expect(401, &word, &installed, None).await;
        assert!(told["message"].as_str().unwrap().starts_with(says), "{told}");
    }
    walk.expect(401, "", &installed, None).await;
    walk.expect(401, &own, &format!("GET {}", at("/pulls")), None).await;
    walk.expect(404, &signed(&json!({ "iat": iat, "exp": exp, "iss": 7 })), &installed, None).await;
    walk.expect(404, &own, "GET /repos/acme/other/installation", None).await;
    walk.expect(404, &own, "POST /app/installations/9/access_tokens", Some(json!({}))).await;
    let found = walk.expect(200, &own, &installed, None).await;
    let tokens = format!("POST /app/installations/{}/access_tokens", id(&found));
    for body in [
        json!({ "repositories": ["other"] }),
        json!({ "repository_ids": [9] }),
        json!({ "permissions": { "packages": "read" } }),
        json!({ "permissions": { "metadata": "write" } }),
        json!({ "repository": "web" }),
    ] {
        walk.expect(422, &own, &tokens, Some(body)).await;
    }
    walk.expect(201, &own, &tokens, Some(json!({}))).await;
    walk.expect(403, READER, &comment, Some(json!({ "body": "x" }))).await;
    walk.expect(403, READER, &dispatch, Some(json!({ "event_type": "x" }))).await;
    walk.expect(403, READER, &run, None).await;
    walk.expect(403, READER, &job, None).await;
    let by_person = walk.expect(403, PERSON, &check, Some(json!({ "name": "berth", "head_sha": SHA }))).await;
    assert_eq!(by_person["message"], "You must authenticate via a GitHub App.");
    walk.expect(201, APP, &status, Some(json!({ "state": "pending", "context": "berth" }))).await;
    let conflict = walk.expect(409, APP, &deploy, Some(json!({ "ref": SHA }))).await;
    assert_eq!(conflict["errors"][0]["contexts"][0]["context"], "berth");
    let made = walk.expect(201, APP, &deploy, Some(json!({ "ref": SHA, "required_contexts": [] }))).await;
    walk.expect(201, APP, &deploy, Some(json!({ "ref": SHA, "required_contexts": [] }))).await;
    let one = at(&format!("/deployments/{}", id(&made)));
    walk.expect(422, APP, &format!("DELETE {one}"), None).await;
    walk.expect(422, APP, &format!("POST {one}/statuses"), Some(json!({ "state": "closed" }))).await;
    let long = json!({ "state": "success", "description": "x".repeat(141) });
    walk.expect(422, APP, &format!("POST {one}/statuses"), Some(long)).await;
    walk.served.lock().github.change(REPOSITORY).unwrap().archived = true;
    walk.expect(403, APP, &comment, Some(json!({ "body": "x" }))).await;
}

#[tokio::test]
async fn limits_redirects_pages_and_deleted_forks_are_as_described() {
    let mut world = world();
    let fork = world.github.fork(REPOSITORY, "mallory").unwrap();
    let opening = Opening { fork: Some(fork.clone()), ..Opening::new("mallory", "topic", &"2".repeat(40)) };
    world.github.open(REPOSITORY, opening).unwrap();
    world.github.label(REPOSITORY, 2, "alice", "preview").unwrap();
    world.github.delete(&fork).unwrap();
    world.github.delete_account("mallory");
    let walk = Walk::begin(world, Sender::Client).await;
    let at = |path: &str| format!("/repos/{REPOSITORY}{path}");
    assert_eq!(walk.get(&at("/pulls/2")).await["head"]["repo"], Value::Null);
    assert_eq!(walk.get(&at("/pulls/2")).await["user"]["login"], "ghost");

    let first = walk.ask(APP, Method::GET, &at("/pulls?per_page=1"), None).await;
    let links = first.headers()["link"].to_str().unwrap().to_owned();
    let next = links.split(';').next().unwrap().trim_matches(['<', '>']).to_owned();
    let next = next.strip_prefix(&walk.served.url(Server::GitHub)).unwrap().to_owned();
    assert_eq!(walk.get(&next).await[0]["number"], 1, "the newest is on the first page");

    walk.served.lock().github.rename(REPOSITORY, "acme/shop").unwrap();
    let moved = walk.expect(301, APP, &format!("GET {}", at("/pulls/1")), None).await;
    let there =
        moved["url"].as_str().unwrap().strip_prefix(&walk.served.url(Server::GitHub)).unwrap().to_owned();
    assert_eq!(walk.get(&there).await["number"], 1);
    walk.expect(307, APP, &format!("POST {}", at("/issues/1/comments")), Some(json!({ "body": "x" }))).await;
    let tag = walk.ask(APP, Method::GET, &there, None).await.headers()["etag"].to_str().unwrap().to_owned();
    let again = walk.http.get(format!("{}{there}", walk.served.url(Server::GitHub))).bearer_auth(APP);
    assert_eq!(again.header("if-none-match", tag).send().await.unwrap().status(), 304);

    walk.served.lock().github.hold(APP, 60);
    walk.expect(403, APP, &format!("GET {there}"), None).await;
    walk.served.lock().github.limits.status = 429;
    walk.served.lock().github.use_up(APP);
    walk.expect(429, APP, &format!("GET {there}"), None).await;
    walk.get("/rate_limit").await;
    walk.in_order();
    let needed: BTreeSet<_> = super::judge::RELAXED.iter().map(|relaxation| relaxation.place).collect();
    assert_eq!(walk.seen.lock().unwrap().relaxed, needed, "what is let pass without need hides something");
}
