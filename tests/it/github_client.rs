//! berth's client of GitHub: what it makes of what GitHub answers. (In the bench the judge sees every request, too.)

use crate::bed::crypto;
use berth::{
    clients::{
        Failure, Kind,
        github::{Access, Comment, Credential, GitHub, Mergeable, Permission, Pull, State, Status, TIMEOUT},
    },
    clock::Clock,
    domain::{
        holder::PullRequest,
        names::{HeadSha, Login, RepoName},
        payload::{Origin, Standing},
    },
    rehearsal::{
        Request, Server, World,
        gate::Verdict,
        github::{Grant, Level, Opening, Permission as May, Role},
        serve::Served,
    },
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

pub(crate) const REPOSITORY: &str = "acme/web";
pub(crate) const SHA: &str = "1111111111111111111111111111111111111111";
/// Of an app that may do everything there.
pub(crate) const APP: &str = "ghs_canary";

/// A private repository with one open pull request.
pub(crate) struct Site {
    pub(crate) served: Served,
    pub(crate) clock: Clock,
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.served.gate.broken(), None);
        }
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        crypto();
        let mut world = World::default();
        let github = &mut world.github;
        github.add_repository(REPOSITORY).unwrap().private = true;
        github.add_token(APP, Grant::app("berth", &[REPOSITORY]).may_all());
        github.open(REPOSITORY, Opening::new("alice", "topic", SHA)).unwrap();
        github.limits.making_a_minute = 1000;
        github.limits.making_an_hour = 1000;
        github.limits.points_a_minute = 10_000;
        let clock = Clock::stepped(world.now());
        let served = Served::start(world).await.unwrap();
        crate::attending::attend_client(&served.gate);
        Self { served, clock }
    }

    pub(crate) fn by(&self, token: &str) -> GitHub {
        self.limited(token, TIMEOUT)
    }

    pub(crate) fn limited(&self, token: &str, timeout: Duration) -> GitHub {
        let address = self.served.url(Server::GitHub);
        GitHub::new(access(&address, token, timeout), self.clock.clone(), "run").unwrap()
    }

    /// By who may do everything.
    pub(crate) fn github(&self) -> GitHub {
        self.by(APP)
    }

    fn has_comments(&self, count: usize) {
        let github = &mut self.served.lock().github;
        for n in 0..count {
            github.comment(REPOSITORY, 1, "alice", &format!("number {n}")).unwrap();
        }
    }

    /// What was asked since.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.served.gate.log()
    }

    /// A failure with an address that is always the same.
    pub(crate) fn told(&self, failure: &Failure) -> String {
        assert!(!format!("{failure:?}").contains("canary"), "{failure:?}");
        failure.to_string().replace(&self.served.url(Server::GitHub), "http://github")
    }
}

pub(crate) fn access(address: &str, token: &str, timeout: Duration) -> Access {
    Access { address: address.to_owned(), credential: Credential::Token(token.to_owned().into()), timeout }
}

pub(crate) fn repo() -> RepoName {
    REPOSITORY.parse().unwrap()
}

pub(crate) fn pull(number: u64) -> PullRequest {
    PullRequest { repo: repo(), number: number.try_into().unwrap() }
}

pub(crate) fn status(state: State) -> Status {
    let description = "up: https://pr-1.example.com".to_owned();
    Status { state, context: "berth".to_owned(), description, target_url: None }
}

pub(crate) fn sha() -> HeadSha {
    SHA.parse().unwrap()
}

pub(crate) fn login(text: &str) -> Login {
    text.parse().unwrap()
}

/// As GitHub says no.
pub(crate) fn says(status: u16, message: &str) -> Verdict {
    let body = json!({
        "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string(),
    });
    Verdict::json(status, &body)
}

#[tokio::test]
async fn a_pull_request_is_read_as_it_is_now() {
    let site = Site::start().await;
    let github = site.github();
    let expected = Pull {
        standing: Standing::Open,
        head: sha(),
        merge_commit: None,
        mergeable: Mergeable::Unknown,
        origin: Origin::Same,
        base: "main".parse().unwrap(),
        labels: vec![],
        author: Some(login("alice")),
    };
    assert_eq!(github.pull(&pull(1)).await, Ok(Some(expected)));
    let read = async || github.pull(&pull(1)).await.unwrap().unwrap();
    // The first look has set GitHub thinking.
    let found = read().await;
    assert!(found.mergeable == Mergeable::Clean && found.merge_commit.is_some());
    let world = || site.served.lock();
    world().github.label(REPOSITORY, 1, "alice", "needs review").unwrap();
    world().github.set_draft(REPOSITORY, 1, "alice", true).unwrap();
    world().github.push(REPOSITORY, 1, "alice", &"2".repeat(40)).unwrap();
    world().github.pull(REPOSITORY, 1).unwrap().conflicting = true;
    let found = read().await;
    assert_eq!((found.standing, found.head.as_ref()), (Standing::Draft, "2".repeat(40).as_str()));
    assert_eq!(found.labels, ["needs review".parse().unwrap()]);
    assert_eq!(read().await.mergeable, Mergeable::Conflicting);
    world().github.close(REPOSITORY, 1, "alice").unwrap();
    assert_eq!(read().await.standing, Standing::Closed);
    world().github.reopen(REPOSITORY, 1, "alice").unwrap();
    world().github.merge(REPOSITORY, 1, "alice").unwrap();
    let merged = read().await;
    assert!(merged.standing == Standing::Merged && merged.merge_commit.is_some());
    assert_eq!(merged.mergeable, Mergeable::Unknown);
}

#[tokio::test]
async fn a_fork_is_told_from_the_repository_itself() {
    let site = Site::start().await;
    let github = site.github();
    let fork = {
        let github = &mut site.served.lock().github;
        let fork = github.fork(REPOSITORY, "mallory").unwrap();
        let opening =
            Opening { fork: Some(fork.clone()), ..Opening::new("mallory", "topic", &"3".repeat(40)) };
        assert_eq!(github.open(REPOSITORY, opening), Ok(2));
        fork
    };
    let origin = async || github.pull(&pull(2)).await.unwrap().unwrap().origin;
    assert_eq!(origin().await, Origin::Fork(fork.parse().unwrap()));
    site.served.lock().github.delete(&fork).unwrap();
    assert_eq!(origin().await, Origin::Gone);
}

#[tokio::test]
async fn a_pull_request_is_absent_only_where_the_repository_can_be_seen() {
    let site = Site::start().await;
    assert_eq!(site.github().pull(&pull(2)).await, Ok(None));
    assert_snapshot!(site.asked().join("\n"), @"
    run GET github /repos/acme/web/pulls/2
    run GET github /repos/acme/web
    ");
    site.served.lock().github.add_token("ghs_other_canary", Grant::app("other", &["acme/other"]).may_all());
    let failure = site.by("ghs_other_canary").pull(&pull(1)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused, "it is there, and this token does not see it");
    assert_snapshot!(site.told(&failure), @"could not read acme/web on http://github: it answers 404: there is no such repository, or none for this token; an app must be installed there, a person's token reach it");
    site.served.lock().github.delete(REPOSITORY).unwrap();
    assert_eq!(site.github().pull(&pull(1)).await.unwrap_err().kind, Kind::Refused);
}

#[tokio::test]
async fn whether_the_repository_can_be_seen_must_be_known_too() {
    for (answer, kind) in [
        (says(403, "Resource not accessible by integration"), Kind::Refused),
        (says(500, "Server Error"), Kind::Unavailable { wait: None }),
        (Verdict::html(200, "<html>"), Kind::Unavailable { wait: None }),
        (Verdict::json(200, &json!({})), Kind::Unavailable { wait: None }),
        (Verdict::html(404, "<html>"), Kind::Invalid),
        (Verdict::Cut, Kind::Unavailable { wait: None }),
    ] {
        let site = Site::start().await;
        site.served
            .gate
            .rule(move |request| if request.path.len() == 3 { answer.clone() } else { Verdict::Pass });
        let github = site.github();
        assert_eq!(github.pull(&pull(2)).await.unwrap_err().kind, kind);
        assert_eq!(github.edit_comment(&repo(), 7, "x").await.unwrap_err().kind, kind);
        assert_eq!(github.delete_comment(&repo(), 7).await.unwrap_err().kind, kind);
        assert_eq!(github.permission(&repo(), &login("nobody")).await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_404_that_is_not_in_githubs_words_is_no_absence() {
    let site = Site::start().await;
    for body in [Value::Null, json!({}), json!({"message": "Not Found"}), json!({"errors": []})] {
        site.served.gate.rule(move |_| Verdict::json(404, &body));
        let failure = site.github().pull(&pull(1)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "{failure}");
    }
}

#[tokio::test]
async fn an_answer_about_another_pull_request_is_none() {
    let site = Site::start().await;
    site.served.lock().github.open(REPOSITORY, Opening::new("alice", "other", SHA)).unwrap();
    let (world, github) = (site.served.world.clone(), site.github());
    site.served.gate.rule(move |request| {
        let mut other = request.clone();
        *other.path.last_mut().unwrap() = "2".to_owned();
        let berth::rehearsal::Reply::Headed(status, _, body) = world.lock().unwrap().handle(&other) else {
            panic!()
        };
        Verdict::json(status, &body)
    });
    let failure = github.pull(&pull(1)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable { wait: None });
    assert!(github.pull(&pull(2)).await.is_ok());
}

#[tokio::test]
async fn a_renamed_repository_is_reached_under_its_old_name() {
    let site = Site::start().await;
    let github = site.github();
    site.served.lock().github.rename(REPOSITORY, "acme/shop").unwrap();
    assert!(github.pull(&pull(1)).await.unwrap().is_some());
    assert_eq!(github.pull(&pull(2)).await, Ok(None));
    let made = github.create_comment(&pull(1), "hello").await.unwrap();
    assert_eq!(github.comments(&pull(1)).await, Ok(vec![made.clone()]));
    assert!(github.edit_comment(&repo(), made.id, "again").await.unwrap().is_some());
    github.create_status(&repo(), &sha(), &status(State::Success)).await.unwrap();
    github.delete_comment(&repo(), made.id).await.unwrap();
    assert_eq!(github.comments(&pull(1)).await, Ok(vec![]));
}

#[tokio::test]
async fn all_comments_are_listed_on_however_many_pages() {
    for (comments, requests) in [(0, 1), (1, 1), (99, 1), (100, 3), (101, 3), (250, 5)] {
        let site = Site::start().await;
        site.has_comments(comments);
        let listed = site.github().comments(&pull(1)).await.unwrap();
        let bodies: Vec<String> = listed.into_iter().map(|comment| comment.body).collect();
        assert_eq!(bodies, (0..comments).map(|n| format!("number {n}")).collect::<Vec<_>>(), "oldest first");
        assert_eq!(site.asked().len(), requests, "{comments}");
    }
}

fn page_of(request: &Request) -> &str {
    request.query.get("page").map_or("", String::as_str)
}

#[tokio::test]
async fn a_list_that_loses_something_while_it_is_read_is_not_whole() {
    let site = Site::start().await;
    site.has_comments(150);
    let first = site.served.lock().github.repository(REPOSITORY).unwrap().comments(1)[0].id;
    let (world, mut deleted) = (site.served.world.clone(), false);
    site.served.gate.rule(move |request| {
        if page_of(request) == "2" && !deleted {
            deleted = true;
            let delete = Request {
                method: "DELETE".to_owned(),
                path: ["repos", "acme", "web", "issues", "comments", &first.to_string()]
                    .map(str::to_owned)
                    .to_vec(),
                query: BTreeMap::new(),
                ..request.clone()
            };
            world.lock().unwrap().handle(&delete);
        }
        Verdict::Pass
    });
    // The first of the second page has moved to the first one, which had been read.
    let failure = site.github().comments(&pull(1)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable { wait: None });
    assert!(failure.detail.contains("it changed while it was read"), "{failure}");
    assert_eq!(site.github().comments(&pull(1)).await.unwrap().len(), 149);
}

#[tokio::test]
async fn a_page_that_is_lost_on_the_way_is_missed() {
    let site = Site::start().await;
    site.has_comments(250);
    for page in ["2", "3"] {
        site.served.gate.rule(move |request| {
            if page_of(request) == page { Verdict::json(200, &json!([])) } else { Verdict::Pass }
        });
        let failure = site.github().comments(&pull(1)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable { wait: None }, "page {page}");
    }
}

/// The pages of a list, as somebody on the way gives them on.
fn without_links(site: &Site) {
    let world = site.served.world.clone();
    site.served.gate.rule(move |request| {
        let berth::rehearsal::Reply::Headed(status, _, body) = world.lock().unwrap().handle(request) else {
            panic!()
        };
        Verdict::json(status, &body)
    });
}

#[tokio::test]
async fn links_that_are_lost_on_the_way_do_not_end_a_list() {
    let site = Site::start().await;
    site.has_comments(250);
    without_links(&site);
    assert_eq!(site.github().comments(&pull(1)).await.unwrap().len(), 250);
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let site = Site::start().await;
    site.served.gate.rule(|request| {
        let next =
            format!("<https://api.github.com/x?page=2>; rel=\"next\", <https://x?page={}>; rel=\"last\"", 9);
        let comment = json!({"id": page_of(request).parse::<u64>().unwrap(), "user": null, "body": "x", "updated_at": "2026-01-01T00:00:00Z"});
        Verdict::json(200, &json!([comment])).header("link", &next)
    });
    let failure = site.github().comments(&pull(1)).await.unwrap_err();
    assert!(failure.detail.contains("its list has no end"), "{failure}");
    assert_eq!(site.asked().len(), 100);
}

#[tokio::test]
async fn a_comment_is_made_edited_and_deleted() {
    let site = Site::start().await;
    let github = site.github();
    let made = github.create_comment(&pull(1), "first").await.unwrap();
    let (author, updated_at) = (Some(login("berth[bot]")), site.clock.now());
    let expected = Comment { id: made.id, author, is_by_bot: true, body: "first".to_owned(), updated_at };
    assert_eq!(made, expected);
    let edited = Comment { body: "second".to_owned(), ..made.clone() };
    assert_eq!(github.edit_comment(&repo(), made.id, "second").await, Ok(Some(edited.clone())));
    assert_eq!(github.comments(&pull(1)).await, Ok(vec![edited]));
    for _ in 0..2 {
        assert_eq!(github.delete_comment(&repo(), made.id).await, Ok(()));
        assert_eq!(github.comments(&pull(1)).await, Ok(vec![]));
    }
    assert_eq!(github.edit_comment(&repo(), made.id, "third").await, Ok(None));
    site.served.lock().github.delete_account("berth[bot]");
}

#[tokio::test]
async fn a_comment_that_we_may_not_change_is_not_gone() {
    let site = Site::start().await;
    let github = site.github();
    let made = github.create_comment(&pull(1), "first").await.unwrap();
    site.served
        .gate
        .rule(|request| if request.method == "GET" { Verdict::Pass } else { says(404, "Not Found") });
    assert_eq!(github.edit_comment(&repo(), made.id, "x").await.unwrap_err().kind, Kind::Refused);
    assert_eq!(github.delete_comment(&repo(), made.id).await.unwrap_err().kind, Kind::Refused);
}

#[tokio::test]
async fn what_is_too_long_is_told_in_githubs_words() {
    let site = Site::start().await;
    let failure = site.github().create_comment(&pull(1), &"x".repeat(65_537)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid);
    assert_snapshot!(site.told(&failure), @"could not comment on acme/web#1 on http://github: it answers 422 (Validation Failed: Body is too long (maximum is 65536 characters))");
}

#[tokio::test]
async fn a_status_is_set_on_a_commit() {
    let site = Site::start().await;
    let github = site.github();
    for state in [State::Pending, State::Failure, State::Error, State::Success] {
        github.create_status(&repo(), &sha(), &status(state)).await.unwrap();
    }
    let linked = Status { target_url: Some("https://ci.example/1".to_owned()), ..status(State::Success) };
    github.create_status(&repo(), &sha(), &linked).await.unwrap();
    {
        let world = site.served.lock();
        let made = world.github.repository(REPOSITORY).unwrap().statuses();
        let states: Vec<&str> = made.iter().map(|status| status.state).collect();
        assert_eq!(states, ["pending", "failure", "error", "success", "success"]);
        assert!(made.iter().all(|status| status.context == "berth" && status.sha == SHA));
        assert_eq!(made[4].target_url.as_deref(), Some("https://ci.example/1"));
    }
    let unknown: HeadSha = "9".repeat(40).parse().unwrap();
    let failure = github.create_status(&repo(), &unknown, &status(State::Success)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid);
    assert!(failure.detail.contains("No commit found for SHA"), "{failure}");
}

#[tokio::test]
async fn what_somebody_may_do_is_known_or_not() {
    let site = Site::start().await;
    {
        let github = &mut site.served.lock().github;
        for (name, role) in [("rita", Role::Read), ("willy", Role::Write), ("ada", Role::Admin)] {
            github.add_account(name, berth::rehearsal::github::AccountKind::User);
            github.change(REPOSITORY).unwrap().collaborators.insert(name.to_owned(), role);
        }
    }
    let github = site.github();
    for (name, may) in [
        ("rita", Permission::Read),
        ("willy", Permission::Write),
        ("ada", Permission::Admin),
        ("alice", Permission::None),
        ("nobody-at-all", Permission::None),
        ("dependabot[bot]", Permission::None),
    ] {
        assert_eq!(github.permission(&repo(), &login(name)).await, Ok(may), "{name}");
    }
    let elsewhere: RepoName = "acme/other".parse().unwrap();
    assert_eq!(github.permission(&elsewhere, &login("ada")).await.unwrap_err().kind, Kind::Refused);
    assert!(Permission::Admin > Permission::Write && Permission::Read > Permission::None);
}

#[tokio::test]
async fn a_limit_is_no_refusal_and_says_how_long_to_wait() {
    let wait = |seconds| Kind::Unavailable { wait: Some(Duration::from_secs(seconds)) };
    for status in [403, 429] {
        let site = Site::start().await;
        site.served.lock().github.limits.status = status;
        let github = site.github();
        site.served.lock().github.hold(APP, 42);
        assert_eq!(github.pull(&pull(1)).await.unwrap_err().kind, wait(42));
        site.served.lock().pass(42);
        site.served.lock().github.use_up(APP);
        site.clock.advance(jiff::SignedDuration::from_secs(600));
        let failure = github.pull(&pull(1)).await.unwrap_err();
        assert_eq!(failure.kind, wait(3000), "until the hour is over");
        assert!(failure.detail.ends_with("; it asks us to wait 3000s"), "{failure}");
        // Past the hour by our clock, which may be ahead of theirs.
        site.clock.advance(jiff::SignedDuration::from_secs(6000));
        assert_eq!(github.pull(&pull(1)).await.unwrap_err().kind, wait(1));
    }
    let site = Site::start().await;
    let github = site.github();
    let limit = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    for (answer, kind) in [
        (says(403, limit), wait(60)),
        (says(429, limit), wait(60)),
        (says(403, limit).header("retry-after", "7"), wait(7)),
        (says(403, "no").header("x-ratelimit-remaining", "0"), wait(60)),
        (says(429, "no"), Kind::Unavailable { wait: None }),
        (Verdict::html(429, "no").header("retry-after", "5"), wait(5)),
        (Verdict::html(503, "no").header("retry-after", "5"), wait(5)),
        (Verdict::html(503, "no").header("retry-after", "0"), Kind::Unavailable { wait: None }),
        (says(403, "no").header("x-ratelimit-remaining", "17"), Kind::Refused),
    ] {
        let named = format!("{answer:?}");
        site.served.gate.rule(move |_| answer.clone());
        assert_eq!(github.pull(&pull(1)).await.unwrap_err().kind, kind, "{named}");
    }
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_and_only_then() {
    let site = Site::start().await;
    site.served
        .lock()
        .github
        .add_token("ghs_little_canary", Grant::workflow(REPOSITORY).may(May::PullRequests, Level::Read));
    let made = site.github().create_comment(&pull(1), "x").await.unwrap();
    let little = site.by("ghs_little_canary");
    let told = |failure: Failure| {
        assert_eq!(failure.kind, Kind::Refused);
        site.told(&failure)
    };
    assert_snapshot!(told(little.create_comment(&pull(1), "x").await.unwrap_err()), @"could not comment on acme/web#1 on http://github: it answers 403 (Resource not accessible by integration); the token needs `pull-requests: write`");
    assert!(
        told(little.edit_comment(&repo(), made.id, "x").await.unwrap_err())
            .ends_with("`pull-requests: write`")
    );
    assert!(
        told(little.delete_comment(&repo(), made.id).await.unwrap_err()).ends_with("`pull-requests: write`")
    );
    assert_snapshot!(told(little.create_status(&repo(), &sha(), &status(State::Error)).await.unwrap_err()), @r#"could not set the status "berth" of 111111111111 in acme/web on http://github: it answers 403 (Resource not accessible by integration); the token needs `statuses: write`"#);
    site.served.lock().github.add_token("ghs_nothing_canary", Grant::workflow(REPOSITORY));
    let nothing = site.by("ghs_nothing_canary");
    assert!(told(nothing.pull(&pull(1)).await.unwrap_err()).ends_with("`pull-requests: read`"));
    assert!(told(nothing.comments(&pull(1)).await.unwrap_err()).ends_with("`pull-requests: read`"));
    // No permission would help there.
    site.served.lock().github.pull(REPOSITORY, 1).unwrap().locked = true;
    assert_snapshot!(told(site.github().create_comment(&pull(1), "x").await.unwrap_err()), @"could not comment on acme/web#1 on http://github: it answers 403 (Unable to create comment because issue is locked.)");
    site.served.lock().github.change(REPOSITORY).unwrap().archived = true;
    assert!(!told(site.github().create_comment(&pull(1), "x").await.unwrap_err()).contains("needs"));
    assert_snapshot!(told(site.by("ghs_wrong_canary").pull(&pull(1)).await.unwrap_err()), @"could not read acme/web#1 on http://github: it answers 401 (Bad credentials); the token is wrong, or has expired");
    site.served.gate.rule(|_| Verdict::html(403, "canary"));
    assert_snapshot!(told(site.github().pull(&pull(1)).await.unwrap_err()), @"could not read acme/web#1 on http://github: it answers 403, and not in GitHub's words; is it GitHub's API?");
}

#[tokio::test]
async fn every_request_says_who_sends_it_and_in_which_version() {
    let site = Site::start().await;
    site.served.gate.rule(|request| {
        let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
        let agent = concat!("berth/", env!("CARGO_PKG_VERSION"));
        let right = header("user-agent") == agent
            && header("x-github-api-version") == "2022-11-28"
            && header("accept") == "application/vnd.github+json"
            && header("authorization") == format!("Bearer {APP}")
            && request.run == "run";
        if right { Verdict::Pass } else { Verdict::html(500, "") }
    });
    // A line break behind the token is forgiven.
    let github = site.by(&format!("{APP}\n"));
    let made = github.create_comment(&pull(1), "x").await.unwrap();
    github.comments(&pull(1)).await.unwrap();
    github.pull(&pull(1)).await.unwrap();
    github.create_status(&repo(), &sha(), &status(State::Success)).await.unwrap();
    github.permission(&repo(), &login("alice")).await.unwrap();
    github.edit_comment(&repo(), made.id, "y").await.unwrap();
    github.delete_comment(&repo(), made.id).await.unwrap();
}

#[tokio::test]
async fn the_token_goes_to_no_other_address() {
    let (site, elsewhere) = (Site::start().await, Site::start().await);
    let url = elsewhere.served.url(Server::GitHub);
    for status in [301, 302, 307, 308] {
        let moved = Verdict::html(status, "").header("location", &format!("{url}/repos/acme/web/pulls/1"));
        site.served.gate.rule(move |_| moved.clone());
        let failure = site.github().pull(&pull(1)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid);
        assert!(failure.detail.contains("a redirect to elsewhere is not followed"), "{failure}");
    }
    assert_eq!(elsewhere.asked(), [""; 0]);
    // In a circle nobody goes for ever.
    let here = format!("{}/repos/acme/web/pulls/1", site.served.url(Server::GitHub));
    site.served.gate.rule(move |_| Verdict::html(301, "").header("location", &here));
    assert_eq!(site.github().pull(&pull(1)).await.unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn an_address_or_a_token_that_is_none_is_told_at_once_and_not_shown() {
    crypto();
    let make =
        |address: &str, token: &str| GitHub::new(access(address, token, TIMEOUT), Clock::system(), "run");
    for address in [
        "",
        "github.com",
        "http://api.github.com",
        "ftp://api.github.com",
        "https://canary:canary@github.com",
        "https://a?canary",
    ] {
        let failure = make(address, "ghs").err().expect(address);
        assert!(failure.kind == Kind::Invalid && !failure.detail.contains("canary"), "{failure}");
    }
    let failure = make("https://api.github.com", "canary\ncanary").err().unwrap();
    assert!(failure.kind == Kind::Invalid && !failure.detail.contains("canary"), "{failure}");
    assert!(make("https://api.github.com", "ghs").is_ok());
}

#[tokio::test]
async fn a_server_of_ones_own_has_its_api_below_a_path() {
    for slash in ["", "/"] {
        let site = Site::start().await;
        site.has_comments(150);
        let address = format!("{}/api/v3{slash}", site.served.url(Server::GitHub));
        let github = GitHub::new(access(&address, APP, TIMEOUT), site.clock.clone(), "run").unwrap();
        assert!(github.pull(&pull(1)).await.unwrap().is_some());
        assert_eq!(github.pull(&pull(2)).await, Ok(None));
        assert_eq!(github.comments(&pull(1)).await.unwrap().len(), 150);
        site.served.lock().github.rename(REPOSITORY, "acme/shop").unwrap();
        assert!(github.pull(&pull(1)).await.unwrap().is_some());
        assert_eq!(github.comments(&pull(1)).await.unwrap().len(), 150);
        let made = github.create_comment(&pull(1), "hello").await.unwrap();
        assert!(github.edit_comment(&repo(), made.id, "again").await.unwrap().is_some());
        github.delete_comment(&repo(), made.id).await.unwrap();
        github.create_status(&repo(), &sha(), &status(State::Success)).await.unwrap();
        let outside = |line: &String| !line.contains(" /api/v3/repos");
        assert_eq!(site.asked().into_iter().filter(outside).collect::<Vec<_>>(), [""; 0]);
        assert!(site.asked().iter().any(|line| line.contains("/api/v3/repositories/")), "a redirect too");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    let site = Site::start().await;
    let github = GitHub::new(access("http://127.0.0.1:1", APP, TIMEOUT), site.clock.clone(), "run").unwrap();
    let failure = github.pull(&pull(1)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable { wait: None });
    assert_snapshot!(failure, @"could not read acme/web#1 on http://127.0.0.1:1: no connection: Connection refused (os error 111)");
}
