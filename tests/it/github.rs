//! The embedded GitHub's own behaviour: what a client of the real one must live with.

use crate::bed::crypto;
use berth::{
    domain::payload::Payload,
    rehearsal::{
        Server, World,
        github::{Grant, Hook, Level, Opening, Permission},
        serve::Served,
    },
};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

const REPOSITORY: &str = "acme/web";
const SHA: &str = "1111111111111111111111111111111111111111";
const APP: &str = "ghs_app";

struct Site {
    served: Served,
    http: reqwest::Client,
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// The address of a page.
    fn link(&self, rel: &str) -> Option<String> {
        let link = self.header("link").split(", ").find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
        Some(link[1..link.find('>').unwrap()].to_owned())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.served.gate.broken(), None);
        }
    }
}

impl Site {
    /// With one repository and an app that may do everything in it.
    async fn start() -> Self {
        crypto();
        let mut world = World::default();
        world.github.add_repository(REPOSITORY).unwrap().private = true;
        world.github.add_token(APP, Grant::app("berth", &[REPOSITORY]).may_all());
        let http = reqwest::Client::builder().user_agent("berth").redirect(reqwest::redirect::Policy::none());
        let served = Served::start(world).await.unwrap();
        crate::attending::attend(&served.gate);
        Self { served, http: http.no_proxy().build().unwrap() }
    }

    /// And one open pull request.
    async fn with_pull() -> Self {
        let site = Self::start().await;
        site.served.lock().github.open(REPOSITORY, Opening::new("alice", "topic", SHA)).unwrap();
        site
    }

    fn request(&self, token: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.served.url(Server::GitHub))
        };
        let request = self.http.request(method.parse::<Method>().unwrap(), url);
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answered {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answered { status, headers, body: serde_json::from_str(&text).unwrap_or_default() }
    }

    async fn get(&self, path: &str) -> Answered {
        self.send(self.request(APP, "GET", path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answered {
        self.post_as(APP, path, body).await
    }

    async fn post_as(&self, token: &str, path: &str, body: &Value) -> Answered {
        self.send(self.request(token, "POST", &at(path)).json(body)).await
    }
}

fn at(path: &str) -> String {
    format!("/repos/{REPOSITORY}{path}")
}

#[tokio::test]
async fn every_open_pull_request_is_on_exactly_one_page() {
    for (open, pages) in [(30, 1), (31, 2), (101, 4), (1001, 34)] {
        let site = Site::start().await;
        for n in 0..open {
            let opening = Opening::new("alice", &format!("topic-{n}"), &format!("{n:040x}"));
            site.served.lock().github.open(REPOSITORY, opening).unwrap();
        }
        let (mut next, mut seen, mut read) = (Some(at("/pulls?state=open")), Vec::new(), 0);
        while let Some(url) = next {
            let page = site.get(&url).await;
            assert_eq!(page.status, 200);
            seen.extend(page.body.as_array().unwrap().iter().map(|pull| pull["number"].as_u64().unwrap()));
            next = page.link("next");
            assert!(page.link("last").is_none() == next.is_none());
            read += 1;
        }
        assert_eq!(read, pages);
        assert_eq!(seen, (1..=open).rev().collect::<Vec<u64>>(), "newest first");
    }
}

#[tokio::test]
async fn a_page_holds_a_hundred_at_most_and_its_links_name_the_repository_by_id() {
    let site = Site::start().await;
    for n in 0..150 {
        site.served
            .lock()
            .github
            .open(REPOSITORY, Opening::new("alice", &format!("t{n}"), &format!("{n:040x}")))
            .unwrap();
    }
    let page = site.get(&at("/pulls?per_page=1000&state=open")).await;
    assert_eq!(page.body.as_array().unwrap().len(), 100);
    let next = page.link("next").unwrap();
    assert!(next.starts_with(&format!("{}/repositories/", site.served.url(Server::GitHub))), "{next}");
    assert!(
        next.contains("state=open") && next.contains("per_page=1000") && next.ends_with("page=2"),
        "{next}"
    );
    let page = site.get(&next).await;
    assert_eq!(page.body.as_array().unwrap().len(), 50);
    assert!(page.link("next").is_none() && page.link("prev").is_some() && page.link("first").is_some());
    assert_eq!(site.get(&at("/pulls?page=9")).await.body, json!([]), "beyond the end is empty, and no error");
}

#[tokio::test]
async fn a_server_of_ones_own_links_and_redirects_below_its_path() {
    let site = Site::with_pull().await;
    site.served.lock().github.open(REPOSITORY, Opening::new("alice", "other", SHA)).unwrap();
    let below = format!("{}/api/v3", site.served.url(Server::GitHub));
    let page = site.get(&format!("{below}{}", at("/pulls?per_page=1"))).await;
    assert!(page.body[0]["url"].as_str().unwrap().starts_with(&format!("{below}/repos/")));
    let next = page.link("next").unwrap();
    assert!(next.starts_with(&format!("{below}/repositories/")), "{next}");
    assert_eq!(site.get(&next).await.body[0]["number"], 1);
    site.served.lock().github.rename(REPOSITORY, "acme/shop").unwrap();
    let moved = site.get(&format!("{below}{}", at("/pulls/1"))).await;
    assert!(moved.header("location").starts_with(&format!("{below}/repositories/")));
    assert_eq!(site.get(moved.header("location")).await.body["number"], 1);
}

#[tokio::test]
async fn what_one_may_not_see_is_not_there() {
    let site = Site::with_pull().await;
    let hidden = site.send(site.request("", "GET", &at("/pulls/1"))).await;
    let absent = site.send(site.request("", "GET", "/repos/acme/absent/pulls/1")).await;
    assert_eq!((hidden.status, hidden.message()), (404, "Not Found"));
    assert_eq!(hidden.body, absent.body);
    site.served.lock().github.add_token("other", Grant::app("other", &["acme/other"]).may_all());
    assert_eq!(site.send(site.request("other", "GET", &at("/pulls/1"))).await.status, 404);
    let wrong = site.send(site.request("wrong", "GET", &at("/pulls/1"))).await;
    assert_eq!((wrong.status, wrong.message()), (401, "Bad credentials"));
    assert_eq!(wrong.body["status"], "401");
}

#[tokio::test]
async fn each_permission_opens_its_own_doors_only() {
    let site = Site::with_pull().await;
    let check = json!({ "name": "berth", "head_sha": SHA });
    let deploy = json!({ "ref": "main", "required_contexts": [] });
    let writes = [
        (Permission::Statuses, format!("/statuses/{SHA}"), json!({ "state": "pending" })),
        (Permission::Checks, "/check-runs".to_owned(), check),
        (Permission::Deployments, "/deployments".to_owned(), deploy),
        (Permission::Contents, "/dispatches".to_owned(), json!({ "event_type": "x" })),
        (Permission::PullRequests, "/issues/1/comments".to_owned(), json!({ "body": "x" })),
    ];
    for (permission, ..) in &writes {
        for level in [Level::Read, Level::Write] {
            let grant = Grant::workflow(REPOSITORY).may(*permission, level);
            site.served.lock().github.add_token("ghs_one", grant);
            for (needed, path, body) in &writes {
                let answer = site.post_as("ghs_one", path, body).await;
                if needed == permission && level == Level::Write {
                    assert!((200..300).contains(&answer.status), "{path}: {}", answer.body);
                } else {
                    assert_eq!(
                        (answer.status, answer.message()),
                        (403, "Resource not accessible by integration"),
                        "{path}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_public_repository_is_read_by_everybody_and_written_by_nobody_unasked() {
    let site = Site::with_pull().await;
    site.served.lock().github.change(REPOSITORY).unwrap().private = false;
    site.served.lock().github.add_token("ghs_fork", Grant::workflow(REPOSITORY));
    for token in ["", "ghs_fork"] {
        assert_eq!(site.send(site.request(token, "GET", &at("/pulls/1"))).await.status, 200);
        let refused = site.post_as(token, "/issues/1/comments", &json!({ "body": "x" })).await.status;
        assert_eq!(refused, if token.is_empty() { 401 } else { 403 });
    }
}

#[tokio::test]
async fn a_renamed_repository_is_found_by_following() {
    let site = Site::with_pull().await;
    site.served.lock().github.rename(REPOSITORY, "acme/shop").unwrap();
    let moved = site.get(&at("/pulls/1")).await;
    assert_eq!((moved.status, moved.message()), (301, "Moved Permanently"));
    assert_eq!(moved.header("location"), moved.body["url"].as_str().unwrap());
    assert_eq!(site.get(moved.header("location")).await.body["base"]["repo"]["full_name"], "acme/shop");
    assert_eq!(site.post("/issues/1/comments", &json!({ "body": "x" })).await.status, 307);
    assert!(site.served.lock().github.repository("acme/shop").unwrap().comments(1).is_empty());
}

#[tokio::test]
async fn no_path_breaks_the_headers_of_an_answer() {
    let site = Site::with_pull().await;
    site.served.lock().github.rename(REPOSITORY, "acme/shop").unwrap();
    let moved = site.get(&at("/contents/a%0d%0ab%20%C3%A9?ref=%0d%0a")).await;
    assert_eq!(moved.status, 301);
    assert!(
        moved.header("location").ends_with("/contents/a%0D%0Ab%20%C3%A9"),
        "{}",
        moved.header("location")
    );
    assert_eq!(site.served.gate.broken(), None);
}

#[tokio::test]
async fn what_has_not_changed_costs_nothing() {
    let site = Site::with_pull().await;
    let first = site.get(&at("/pulls")).await;
    let left = |answer: &Answered| answer.header("x-ratelimit-remaining").parse::<u32>().unwrap();
    let again = |tag: String| site.request(APP, "GET", &at("/pulls")).header("if-none-match", tag);
    let same = site.send(again(first.header("etag").to_owned())).await;
    assert_eq!((same.status, left(&same)), (304, left(&first)));
    site.served.lock().github.push(REPOSITORY, 1, "alice", &"2".repeat(40)).unwrap();
    let changed = site.send(again(first.header("etag").to_owned())).await;
    assert_eq!((changed.status, left(&changed)), (200, left(&first) - 1));
}

#[tokio::test]
async fn the_primary_limit_ends_with_its_hour() {
    let site = Site::with_pull().await;
    site.served.lock().github.use_up(APP);
    let refused = site.get(&at("/pulls")).await;
    assert_eq!((refused.status, refused.header("x-ratelimit-remaining")), (403, "0"));
    assert!(
        refused.message().starts_with("API rate limit exceeded") && refused.header("retry-after").is_empty()
    );
    let reset: i64 = refused.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset - site.served.lock().now().as_second(), 3600);
    let rates = site.get("/rate_limit").await;
    assert_eq!((rates.status, &rates.body["rate"]["remaining"]), (200, &json!(0)), "asking is free");
    site.served.lock().pass(3600);
    assert_eq!(site.get(&at("/pulls")).await.status, 200);
}

#[tokio::test]
async fn writing_too_fast_meets_a_limit_that_nothing_foretold() {
    let site = Site::with_pull().await;
    for n in 0..80 {
        assert_eq!(site.post("/issues/1/comments", &json!({ "body": n.to_string() })).await.status, 201);
    }
    let refused = site.post("/issues/1/comments", &json!({ "body": "one more" })).await;
    assert_eq!((refused.status, refused.header("retry-after")), (403, "60"));
    assert_ne!(refused.header("x-ratelimit-remaining"), "0");
    assert!(refused.message().contains("secondary rate limit"));
    assert_eq!(site.get(&at("/pulls/1")).await.status, 200, "reading goes on");
    site.served.lock().github.limits.status = 429;
    assert_eq!(site.post("/issues/1/comments", &json!({ "body": "one more" })).await.status, 429);
    site.served.lock().pass(60);
    assert_eq!(site.post("/issues/1/comments", &json!({ "body": "one more" })).await.status, 201);
}

#[tokio::test]
async fn a_commit_takes_a_thousand_statuses_of_one_context_and_no_more() {
    let site = Site::with_pull().await;
    {
        let mut world = site.served.lock();
        (world.github.limits.making_a_minute, world.github.limits.making_an_hour) = (2000, 2000);
        world.github.limits.points_a_minute = 20_000;
    }
    let status = json!({ "state": "pending", "context": "berth" });
    for _ in 0..1000 {
        assert_eq!(site.post(&format!("/statuses/{SHA}"), &status).await.status, 201);
    }
    let refused = site.post(&format!("/statuses/{SHA}"), &status).await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.body["errors"][0]["message"],
        "This SHA and context has reached the maximum number of statuses."
    );
    let other = json!({ "state": "success", "context": "berth/tests" });
    assert_eq!(site.post(&format!("/statuses/{SHA}"), &other).await.status, 201);
    let combined = site.get(&at(&format!("/commits/{SHA}/status"))).await.body;
    assert_eq!(
        (&combined["state"], &combined["total_count"]),
        (&json!("pending"), &json!(2)),
        "of each the latest"
    );
}

#[tokio::test]
async fn a_status_is_of_four_states_and_140_characters() {
    let site = Site::with_pull().await;
    let status = |state: &str, description: String| json!({ "state": state, "description": description });
    let path = format!("/statuses/{SHA}");
    assert_eq!(site.post(&path, &status("success", "é".repeat(140))).await.status, 201);
    assert_eq!(site.post(&path, &status("success", "x".repeat(141))).await.status, 422);
    assert_eq!(site.post(&path, &status("closed", String::new())).await.status, 422);
    let nowhere = format!("/statuses/{}", "9".repeat(40));
    assert_eq!(site.post(&nowhere, &status("success", String::new())).await.status, 422);
}

#[tokio::test]
async fn annotations_come_in_fifties_and_add_up() {
    let site = Site::with_pull().await;
    let annotation =
        json!({ "path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m" });
    let output =
        |n: usize| json!({ "title": "t", "summary": "s", "annotations": vec![annotation.clone(); n] });
    let check = |n: usize| json!({ "name": "berth", "head_sha": SHA, "output": output(n) });
    assert_eq!(site.post("/check-runs", &check(51)).await.status, 422);
    assert!(site.served.lock().github.repository(REPOSITORY).unwrap().checks().is_empty());
    let made = site.post("/check-runs", &check(50)).await;
    let one = at(&format!("/check-runs/{}", made.body["id"]));
    for more in [50, 5] {
        let update = site.request(APP, "PATCH", &one).json(&json!({ "output": output(more) }));
        assert_eq!(site.send(update).await.status, 200);
    }
    assert_eq!(site.get(&one).await.body["output"]["annotations_count"], 105);
    let page = site.get(&format!("{one}/annotations?per_page=100&page=2")).await;
    assert_eq!(page.body.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_check_run_is_for_apps() {
    let site = Site::with_pull().await;
    site.served.lock().github.add_token("ghp", Grant::personal("alice").may_all());
    let public = site.served.lock().github.change(REPOSITORY).map(|repository| repository.private = false);
    assert!(public.is_ok());
    let refused = site.post_as("ghp", "/check-runs", &json!({ "name": "berth", "head_sha": SHA })).await;
    assert_eq!((refused.status, refused.message()), (403, "You must authenticate via a GitHub App."));
}

#[tokio::test]
async fn a_dispatch_is_small_and_is_told_as_an_event() {
    let site = Site::with_pull().await;
    site.served.lock().github.hook = Some(Hook { secret: Some("secret".to_owned()), installation: None });
    let many =
        |n: usize| (0..n).map(|key| (format!("k{key}"), json!(key))).collect::<serde_json::Map<_, _>>();
    let dispatch = |event: &str, payload: Value| json!({ "event_type": event, "client_payload": payload });
    for refused in [
        dispatch("x", many(11).into()),
        dispatch("x", json!({ "a": "é".repeat(65_535) })),
        dispatch(&"x".repeat(101), json!({})),
        json!({ "event_type": "x", "payload": {} }),
        json!({ "client_payload": {} }),
    ] {
        assert_eq!(site.post("/dispatches", &refused).await.status, 422);
    }
    assert!(site.served.lock().github.take_deliveries().is_empty());
    assert_eq!(site.post("/dispatches", &dispatch(&"x".repeat(100), many(10).into())).await.status, 204);
    let told = site.served.lock().github.take_deliveries().remove(0);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret");
    let signature: String =
        ring::hmac::sign(&key, &told.body).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert!(told.headers.contains(&("X-Hub-Signature-256", format!("sha256={signature}"))));
    let Ok(Payload::Dispatch(read)) = Payload::parse(told.event, &told.body) else { panic!() };
    assert_eq!((read.event_type.len(), read.payload.len()), (100, 10));
}

#[tokio::test]
async fn a_comment_has_its_limit_in_characters_and_is_never_cut() {
    let site = Site::with_pull().await;
    let most = json!({ "body": "🚢".repeat(65_536) });
    let made = site.post("/issues/1/comments", &most).await;
    assert_eq!((made.status, &made.body["body"]), (201, &most["body"]));
    let refused = site.post("/issues/1/comments", &json!({ "body": "x".repeat(65_537) })).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["errors"][0]["message"], "Body is too long (maximum is 65536 characters)");
    assert_eq!(site.served.lock().github.repository(REPOSITORY).unwrap().comments(1).len(), 1);
}

#[tokio::test]
async fn a_deployment_waits_for_every_status_unless_told_otherwise() {
    let site = Site::with_pull().await;
    site.post(&format!("/statuses/{SHA}"), &json!({ "state": "pending", "context": "berth" })).await;
    assert_eq!(site.post("/deployments", &json!({ "ref": "topic" })).await.status, 409);
    let told = json!({ "ref": "topic", "required_contexts": [], "environment": "preview" });
    let (first, second) = (site.post("/deployments", &told).await, site.post("/deployments", &told).await);
    assert_eq!((first.status, second.status), (201, 201));
    for deployment in [&first, &second] {
        let statuses = format!("/deployments/{}/statuses", deployment.body["id"]);
        assert_eq!(site.post(&statuses, &json!({ "state": "success" })).await.status, 201);
    }
    let world = site.served.lock();
    let states = world.github.repository(REPOSITORY).unwrap().deployments();
    let states: Vec<_> = states.iter().map(|deployment| deployment.statuses.last().unwrap().state).collect();
    assert_eq!(states, ["inactive", "success"], "a success retires what was there before");
}

#[tokio::test]
async fn a_request_must_say_who_sends_it_in_which_version_and_in_json() {
    let site = Site::with_pull().await;
    let nameless = reqwest::Client::new().get(format!("{}{}", site.served.url(Server::GitHub), at("/pulls")));
    assert_eq!(site.send(nameless.bearer_auth(APP)).await.status, 403);
    let version = site.request(APP, "GET", &at("/pulls")).header("x-github-api-version", "2020-01-01");
    assert_eq!(site.send(version).await.status, 400);
    let text = site.request(APP, "POST", &at("/issues/1/comments")).body("body=x");
    let refused = site.send(text).await;
    assert_eq!((refused.status, refused.message()), (400, "Problems parsing JSON"));
}

#[tokio::test]
async fn a_witness_sees_what_landed_and_its_refusal_is_a_breach() {
    let site = Site::with_pull().await;
    site.served.gate.witness(|request, status, headers, body| {
        let named = headers.iter().any(|(name, _)| name == "x-ratelimit-remaining");
        if request.body["body"] == "bad" || status != 201 || !named || body["id"].is_null() {
            return Err(format!("{status} is not what it should be"));
        }
        Ok(())
    });
    site.post("/issues/1/comments", &json!({ "body": "good" })).await;
    assert_eq!(site.served.gate.broken(), None);
    site.post("/issues/1/comments", &json!({ "body": "bad" })).await;
    let broken = site.served.gate.broken().unwrap();
    assert!(
        broken.starts_with("201 is not what it should be (after  POST github /repos/acme/web"),
        "{broken}"
    );
    // It was wanted, so its end need not complain.
    std::mem::forget(site);
}

#[test]
fn people_act_on_what_is_there_only() {
    let mut github = World::default().github;
    assert!(github.open("acme/absent", Opening::new("alice", "topic", SHA)).is_err());
    github.add_repository(REPOSITORY).unwrap();
    assert!(github.add_repository("Acme/Web").is_err(), "names do not differ by case");
    assert!(github.close(REPOSITORY, 1, "alice").is_err());
    let number = github.open(REPOSITORY, Opening::new("alice", "topic", SHA)).unwrap();
    github.merge(REPOSITORY, number, "alice").unwrap();
    assert!(github.reopen(REPOSITORY, number, "alice").is_err(), "what is merged stays so");
    assert!(github.unlabel(REPOSITORY, number, "alice", "absent").is_err());
}
