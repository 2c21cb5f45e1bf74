//! The registry client on the embedded registry: what is there, what is not, who is let in, and what becomes of a question that
//! nobody answers as a registry does.

use crate::bed::Bed;
use berth::{
    clients::{
        Failure, Kind,
        registry::{Docker, Presence, Registries, TIMEOUT},
    },
    domain::image::{Digest, Image},
    rehearsal::{Server, gate::Verdict, registry::Login},
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

const HOST: &str = "harbor.example.com";
const IMAGE: &str = "harbor.example.com/shop:pr-1";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const NAME: &str = "robot";
/// Stands in no message.
const PASSWORD: &str = "canary-password";
/// For what never answers; a prompt answer needs less on the busiest machine.
const SHORT: Duration = Duration::from_secs(2);

struct Stage {
    bed: Bed,
}

impl Stage {
    async fn fresh(login: Login) -> Self {
        let bed = Bed::start().await;
        {
            let mut world = bed.world();
            world.registry.login = login;
            world.registry.add_account(NAME, PASSWORD);
        }
        Self { bed }
    }

    /// An image with one manifest.
    fn push(&self, tag: &str) -> String {
        let mut world = self.bed.world();
        let now = world.now();
        world.registry.push("shop", tag, OCI, json!({"schemaVersion": 2, "of": tag}), now)
    }

    fn registries(&self, docker: Docker, limit: Duration) -> Registries {
        let url = self.bed.served.url(Server::Registry).parse().unwrap();
        Registries::new(docker, BTreeSet::new(), limit, "run").unwrap().routed(HOST, url)
    }

    async fn find_as(&self, docker: Docker) -> Result<Presence, Failure> {
        self.registries(docker, TIMEOUT).find(&image(IMAGE)).await
    }

    async fn find(&self, text: &str) -> Result<Presence, Failure> {
        self.registries(Docker::default(), TIMEOUT).find(&image(text)).await
    }

    fn log(&self) -> String {
        self.bed.gate().log().join("\n")
    }

    /// What each request shows of who we are.
    fn shown(&self) -> Arc<Mutex<Vec<String>>> {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = shown.clone();
        self.bed.gate().rule(move |request| {
            let of = request.headers.get("authorization").map_or("nothing", String::as_str);
            seen.lock().unwrap().push(format!("{} {of}", request.method));
            Verdict::Pass
        });
        shown
    }
}

fn image(text: &str) -> Image {
    text.parse().unwrap()
}

fn present(digest: &str) -> Presence {
    Presence::Present(digest.parse().unwrap())
}

/// What `docker login` would have left.
fn docker(config: &Value) -> Docker {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
    Docker::read(directory.path()).unwrap()
}

fn logged_in() -> Docker {
    docker(&json!({"auths": {HOST: {"auth": base64(&format!("{NAME}:{PASSWORD}"))}}}))
}

fn base64(text: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(text)
}

#[test]
fn references_are_read_as_runtimes_read_them() {
    let sha = format!("sha256:{}", "0a".repeat(32));
    let read = |text: &str| {
        let image = image(text);
        assert_eq!(image.to_string(), text);
        format!("{} {} {}", image.registry(), image.repository(), image.reference())
    };
    for (text, parts) in [
        ("shop", "docker.io library/shop latest"),
        ("shop:1", "docker.io library/shop 1"),
        ("acme/shop:1", "docker.io acme/shop 1"),
        ("docker.io/shop", "docker.io library/shop latest"),
        ("index.docker.io/acme/shop", "docker.io acme/shop latest"),
        ("harbor.example.com/shop:pr-1", "harbor.example.com shop pr-1"),
        ("harbor.example.com:8443/team/shop", "harbor.example.com:8443 team/shop latest"),
        ("localhost/shop", "localhost shop latest"),
        ("localhost:5000/shop:V1.0_x", "localhost:5000 shop V1.0_x"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000 a/b/c latest"),
        ("team/my-app__x.y--z:1", "docker.io team/my-app__x.y--z 1"),
    ] {
        assert_eq!(read(text), parts, "{text}");
        assert_eq!(read(&format!("{text}@{sha}")), format!("{} {sha}", parts.rsplit_once(' ').unwrap().0));
    }
    let long = "a".repeat(256);
    for wrong in [
        "",
        "Shop",
        "shop:",
        "shop:-1",
        "shop@",
        "shop@sha256:12",
        "shop:1:2",
        "a//b",
        "/shop",
        "shop/",
        "a b",
        "shop?x",
        "../shop",
        "a/../b",
        "harbor.example.com/",
        "harbor.example.com/Shop",
        "-a.example/shop",
        "host:0/shop",
        "host:99999/shop",
        "host:x/shop",
        "https://harbor.example.com/shop",
        "a___b",
        "a..b",
        "a._b",
        "user:pass@harbor.example.com/shop",
        "harbor.example.com/shop#1",
        "shop:a%2f",
        "shöp",
        &long,
        &format!("shop:{}", "a".repeat(129)),
        &format!("shop@sha256:{}", "0A".repeat(32)),
    ] {
        let error = wrong.parse::<Image>().unwrap_err().to_string();
        assert!(error.contains("is no image: "), "{error}");
    }
}

#[tokio::test]
async fn an_image_is_there_by_its_tag_and_by_its_digest() {
    let stage = Stage::fresh(Login::None).await;
    let digest = stage.push("pr-1");
    assert_eq!(stage.find(IMAGE).await, Ok(present(&digest)));
    assert_eq!(stage.find(&format!("{HOST}/shop@{digest}")).await, Ok(present(&digest)));
    assert_eq!(stage.find(&format!("{HOST}/shop:other@{digest}")).await, Ok(present(&digest)));
    insta::assert_snapshot!(stage.log().replace(&digest, "DIGEST"), @r"
    run HEAD registry /v2/shop/manifests/pr-1
    run HEAD registry /v2/shop/manifests/DIGEST
    run HEAD registry /v2/shop/manifests/DIGEST
    ");
}

#[tokio::test]
async fn an_absent_image_is_absent_by_the_registrys_own_word() {
    let stage = Stage::fresh(Login::None).await;
    stage.push("pr-1");
    for absent in ["shop:pr-2", "shop", "unknown:pr-1", &format!("shop@sha256:{}", "0a".repeat(32))] {
        assert_eq!(stage.find(&format!("{HOST}/{absent}")).await, Ok(Presence::Absent), "{absent}");
    }
    let log = stage.log();
    let first: Vec<&str> = log.lines().take(2).collect();
    let path = "registry /v2/shop/manifests/pr-2";
    assert_eq!(first, [format!("run HEAD {path}"), format!("run GET {path}")]);
}

#[tokio::test]
async fn an_image_that_is_still_being_built_comes_in_its_time() {
    let stage = Stage::fresh(Login::None).await;
    {
        let mut world = stage.bed.world();
        let later = world.now() + SignedDuration::from_secs(60);
        world.registry.push("shop", "pr-1", OCI, json!({"schemaVersion": 2}), later);
    }
    stage.bed.pass(59);
    assert_eq!(stage.find(IMAGE).await, Ok(Presence::Absent));
    stage.bed.pass(1);
    assert!(matches!(stage.find(IMAGE).await, Ok(Presence::Present(_))));
}

#[tokio::test]
async fn every_form_of_an_image_is_asked_for() {
    for kind in [
        OCI,
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ] {
        let stage = Stage::fresh(Login::None).await;
        let digest = {
            let mut world = stage.bed.world();
            let now = world.now();
            world.registry.push("shop", "pr-1", kind, json!({"schemaVersion": 2}), now)
        };
        assert_eq!(stage.find(IMAGE).await, Ok(present(&digest)), "{kind}");
    }
}

#[tokio::test]
async fn who_we_are_is_shown_to_nobody_who_does_not_ask() {
    let stage = Stage::fresh(Login::None).await;
    stage.push("pr-1");
    let shown = stage.shown();
    stage.find_as(logged_in()).await.unwrap();
    assert_eq!(*shown.lock().unwrap(), ["HEAD nothing"]);
}

#[tokio::test]
async fn a_token_is_fetched_where_the_registry_says_with_the_password_and_shown_alone() {
    let stage = Stage::fresh(Login::Token).await;
    let digest = stage.push("pr-1");
    stage.bed.world().registry.close("shop", &[NAME]);
    let shown = stage.shown();
    assert_eq!(stage.find_as(logged_in()).await, Ok(present(&digest)));
    let basic = format!("GET Basic {}", base64(&format!("{NAME}:{PASSWORD}")));
    assert_eq!(*shown.lock().unwrap(), ["HEAD nothing", &basic, "HEAD Bearer registry-token-1"]);
    assert_eq!(stage.bed.gate().log()[1], "run GET registry /token");
}

#[tokio::test]
async fn one_token_serves_for_all_requests_about_an_image() {
    let stage = Stage::fresh(Login::Token).await;
    stage.push("other");
    assert_eq!(stage.find_as(logged_in()).await, Ok(Presence::Absent));
    insta::assert_snapshot!(stage.log(), @r"
    run HEAD registry /v2/shop/manifests/pr-1
    run GET registry /token
    run HEAD registry /v2/shop/manifests/pr-1
    run GET registry /v2/shop/manifests/pr-1
    ");
}

#[tokio::test]
async fn who_has_not_logged_in_sees_what_everybody_sees() {
    let stage = Stage::fresh(Login::Token).await;
    let digest = stage.push("pr-1");
    assert_eq!(stage.find(IMAGE).await, Ok(present(&digest)));
    stage.bed.world().registry.close("shop", &[NAME]);
    let failure = stage.find(IMAGE).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused);
    insta::assert_snapshot!(failure, @"could not find out whether harbor.example.com has harbor.example.com/shop:pr-1: it answers 401; log in to harbor.example.com before this, with `docker login` or its action, as somebody who may pull shop");
}

#[tokio::test]
async fn who_may_not_see_it_is_told_so() {
    let stage = Stage::fresh(Login::Token).await;
    stage.push("pr-1");
    stage.bed.world().registry.close("shop", &["somebody-else"]);
    let failure = stage.find_as(logged_in()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused);
    assert!(failure.detail.contains("it answers 403; log in to harbor.example.com"), "{failure}");
    // The place for tokens refuses, too.
    let wrong = docker(&json!({"auths": {HOST: {"username": NAME, "password": "canary-wrong"}}}));
    let failure = stage.find_as(wrong).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused);
    assert!(failure.detail.contains("it answers 401 (UNAUTHORIZED)"), "{failure}");
    assert!(!format!("{failure:?}").contains("canary"), "{failure:?}");
}

#[tokio::test]
async fn a_name_and_a_password_are_shown_where_they_are_wanted() {
    let stage = Stage::fresh(Login::Basic).await;
    let digest = stage.push("pr-1");
    assert_eq!(stage.find_as(logged_in()).await, Ok(present(&digest)));
    let failure = stage.find(IMAGE).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused);
    assert!(failure.detail.contains("it wants a name and a password; log in to"), "{failure}");
}

#[tokio::test]
async fn dockers_credentials_are_found_under_all_their_names() {
    let auth = json!({"auth": base64(&format!("{NAME}:{PASSWORD}"))});
    let with_zero = json!({"auth": base64(&format!("{NAME}:{PASSWORD}\0"))});
    let apart = json!({"username": NAME, "password": PASSWORD});
    let refresh = json!({"auth": base64("00000000:"), "identitytoken": PASSWORD});
    for (key, entry) in [
        (HOST, &auth),
        (HOST, &with_zero),
        (HOST, &apart),
        (HOST, &refresh),
        ("https://harbor.example.com", &auth),
        ("https://harbor.example.com/v2/", &auth),
    ] {
        let stage = Stage::fresh(Login::Token).await;
        stage.push("pr-1");
        stage.bed.world().registry.close("shop", &[NAME]);
        let others = json!({"auth": base64("other:canary-other")});
        let config = json!({"auths": {key: entry, "harbor.example.com:8443": others, "example.com": others}});
        let found = stage.find_as(docker(&config)).await;
        assert!(matches!(found, Ok(Presence::Present(_))), "{key} {entry}: {found:?}");
    }
    // A store that has it leaves an entry with nothing in it; here there is no store.
    let stage = Stage::fresh(Login::Basic).await;
    let failure = stage.find_as(docker(&json!({"auths": {HOST: {}}}))).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Refused);
    let failure = stage.find_as(docker(&json!({"auths": {HOST: {"auth": "canary!"}}}))).await.unwrap_err();
    assert_eq!(
        failure.detail,
        "Docker's credentials for harbor.example.com cannot be read; `docker login` writes them anew"
    );
}

#[tokio::test]
async fn docker_hubs_credentials_lie_under_a_name_of_its_own() {
    let stage = Stage::fresh(Login::Basic).await;
    {
        let mut world = stage.bed.world();
        let now = world.now();
        world.registry.push("library/shop", "1", OCI, json!({"schemaVersion": 2}), now);
    }
    let auth = base64(&format!("{NAME}:{PASSWORD}"));
    let docker = docker(&json!({"auths": {"https://index.docker.io/v1/": {"auth": auth}}}));
    let url = stage.bed.served.url(Server::Registry).parse().unwrap();
    let registries =
        Registries::new(docker, BTreeSet::new(), TIMEOUT, "run").unwrap().routed("docker.io", url);
    assert!(matches!(registries.find(&image("shop:1")).await, Ok(Presence::Present(_))));
}

#[test]
fn a_file_that_cannot_be_read_is_not_none() {
    let directory = tempfile::tempdir().unwrap();
    Docker::read(directory.path()).unwrap();
    let file = directory.path().join("config.json");
    for (text, at) in [
        ("{\"auths\": \"canary\"}", "line 1, column 18"),
        ("canary", "line 1, column 1"),
        ("", "line 1, column 0"),
    ] {
        fs::write(&file, text).unwrap();
        let failure = Docker::read(directory.path()).unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid);
        assert!(failure.detail.ends_with(&format!("not what Docker writes ({at})")), "{failure}");
        assert!(!failure.detail.contains("canary"), "{failure}");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    Docker::read(directory.path()).unwrap_err();
}

/// A credential helper of this name that is this script.
fn helper(directory: &Path, name: &str, script: &str) {
    let file = directory.join(format!("docker-credential-{name}"));
    fs::write(&file, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_helper_is_asked_and_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let says =
        |user: &str| format!(r#"printf '{{"ServerURL":"x","Username":"{user}","Secret":"{PASSWORD}"}}'"#);
    helper(path, "good", &format!("[ \"$1 $(cat)\" = 'get {HOST}' ] || exit 1\n{}", says(NAME)));
    helper(path, "careless", &says(NAME));
    helper(path, "refresh", &says("<token>"));
    helper(path, "empty", "cat >/dev/null\necho 'credentials not found in native keychain'\nexit 1");
    helper(path, "broken", "cat >/dev/null\necho 'canary-of-a-helper'\nexit 1");
    helper(path, "babbling", "cat >/dev/null\necho 'canary-of-a-helper'");
    helper(path, "flooding", "exec yes canary-of-a-helper");
    helper(path, "hanging", "exec sleep 600");
    let find = async |config: Value| {
        let stage = Stage::fresh(Login::Token).await;
        stage.push("pr-1");
        stage.bed.world().registry.close("shop", &[NAME]);
        let docker = docker(&config).on_path(path);
        stage.registries(docker, SHORT).find(&image(IMAGE)).await
    };
    for good in ["good", "careless", "refresh"] {
        let found = find(json!({"credHelpers": {HOST: good}})).await;
        assert!(matches!(found, Ok(Presence::Present(_))), "{good}: {found:?}");
        let found = find(json!({"credsStore": good, "auths": {HOST: {}}})).await;
        assert!(matches!(found, Ok(Presence::Present(_))), "{good}: {found:?}");
    }
    for (bad, kind, said) in [
        ("empty", Kind::Refused, "it answers 401"),
        (
            "broken",
            Kind::Unavailable { wait: None },
            "docker-credential-broken for harbor.example.com: it has failed",
        ),
        ("babbling", Kind::Invalid, "what it says are no credentials"),
        ("flooding", Kind::Unavailable { wait: None }, "it has failed"),
        ("hanging", Kind::Unavailable { wait: None }, "no answer within 2s"),
        ("missing", Kind::Invalid, "docker-credential-missing for harbor.example.com: No such file"),
        ("../good", Kind::Invalid, "that is no name of a helper"),
    ] {
        let failure = find(json!({"credHelpers": {HOST: bad}})).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{bad}: {failure}");
        assert!(failure.detail.contains(said), "{bad}: {failure}");
        assert!(!format!("{failure:?}").contains("canary"), "{bad}: {failure:?}");
    }
}

#[tokio::test]
async fn no_fault_at_any_request_is_taken_for_absence_or_presence() {
    let error = |status| {
        Verdict::json(status, &json!({"errors": [{"code": "canary-code", "message": "canary-said"}]}))
    };
    let unknown = Kind::Unavailable { wait: None };
    let asked = Kind::Unavailable { wait: Some(Duration::from_secs(7)) };
    let faults = [
        (error(401), Kind::Refused),
        (error(403), Kind::Refused),
        (Verdict::html(404, "<html>canary</html>"), Kind::Invalid),
        (Verdict::html(404, ""), Kind::Invalid),
        (error(405), Kind::Invalid),
        (error(429).header("retry-after", "7"), asked),
        (error(500), unknown),
        (error(503), unknown),
        (Verdict::html(200, "<html>canary</html>"), unknown),
        (Verdict::json(200, &json!({"data": {}})), unknown),
        (Verdict::html(307, "").header("location", "http://canary.example/"), Kind::Invalid),
        (Verdict::Cut, unknown),
        (Verdict::CutAfter, unknown),
        (Verdict::Hang, unknown),
        (Verdict::HangAfter, unknown),
        (Verdict::Truncate, unknown),
    ];
    // HEAD, the token, HEAD again, and GET for the registry's own word.
    let cases = (1..=4).flat_map(|k| faults.iter().map(move |fault| (k, fault)));
    // An answer to HEAD has no body to be cut in.
    let cases = cases.filter(|(k, (fault, _))| *fault != Verdict::Truncate || k % 2 == 0);
    futures::future::join_all(cases.map(async |(k, (fault, kind))| {
        let stage = Stage::fresh(Login::Token).await;
        stage.push("other");
        let (verdict, mut count) = (fault.clone(), 0);
        stage.bed.gate().rule(move |_| {
            count += 1;
            if count == k { verdict.clone() } else { Verdict::Pass }
        });
        let what = format!("{fault:?} at request {k}");
        let limit = if matches!(fault, Verdict::Hang | Verdict::HangAfter) { SHORT } else { TIMEOUT };
        let failure = match stage.registries(logged_in(), limit).find(&image(IMAGE)).await {
            Err(failure) => failure,
            // Only the registry's word counts, and that came in another request: a 404 to HEAD is asked for again.
            Ok(Presence::Absent) if k != 4 && matches!(fault, Verdict::Answer { status: 404, .. }) => return,
            Ok(found) => panic!("{what}: {found:?}"),
        };
        assert!(
            failure.detail.starts_with("could not find out whether harbor.example.com has "),
            "{what}: {failure}"
        );
        assert!(!format!("{failure:?}").contains("canary"), "{what}: {failure:?}");
        // What a token is has a word of its own.
        if k != 2 || !matches!(fault, Verdict::Answer { status: 307, .. }) {
            assert_eq!(failure.kind, *kind, "{what}: {failure}");
        }
        stage.bed.gate().open();
        assert_eq!(stage.find(IMAGE).await, Ok(Presence::Absent), "{what}: it does not last");
    }))
    .await;
}

#[tokio::test]
async fn a_registry_that_sends_on_is_followed_and_takes_no_credentials_along() {
    let [first, second] = [Stage::fresh(Login::Token).await, Stage::fresh(Login::None).await];
    let digest = second.push("pr-1");
    let to = format!("{}/v2/shop/manifests/pr-1", second.bed.served.url(Server::Registry));
    let send_on = move |stage: &Stage| {
        let to = to.clone();
        stage.bed.gate().rule(move |request| match request.headers.get("authorization") {
            Some(shown) if shown.starts_with("Bearer") => Verdict::html(307, "").header("location", &to),
            _ => Verdict::Pass,
        });
    };
    send_on(&first);
    let shown = second.shown();
    assert_eq!(first.find_as(logged_in()).await, Ok(present(&digest)));
    assert_eq!(*shown.lock().unwrap(), ["HEAD nothing"]);
    // Nor if that asks for them.
    second.bed.world().registry.login = Login::Basic;
    let to = format!("{}/v2/shop/manifests/pr-1", second.bed.served.url(Server::Registry));
    first.bed.gate().rule(move |_| Verdict::html(307, "").header("location", &to));
    let failure = first.find_as(logged_in()).await.unwrap_err();
    assert!(failure.kind == Kind::Refused && failure.detail.contains("which asks who we are"), "{failure}");
    assert!(shown.lock().unwrap().iter().all(|shown| shown.ends_with(" nothing")));
}

#[tokio::test]
async fn credentials_are_sent_to_no_place_for_tokens_without_tls() {
    let stage = Stage::fresh(Login::None).await;
    for realm in ["http://tokens.example/token", "ftp://127.0.0.1/", "tokens", ""] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        let verdict = Verdict::html(401, "").header("www-authenticate", &challenge);
        stage.bed.gate().rule(move |_| verdict.clone());
        let failure = stage.find_as(logged_in()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Invalid, "{realm}: {failure}");
        assert!(
            failure.detail.ends_with("is no https:// one; no credentials were sent"),
            "{realm}: {failure}"
        );
    }
}

#[tokio::test]
async fn the_better_of_several_challenges_is_taken() {
    let stage = Stage::fresh(Login::Token).await;
    let digest = stage.push("pr-1");
    let realm = format!("{}/token", stage.bed.served.url(Server::Registry));
    for challenge in [
        format!("Basic realm=\"a, \\\"b\\\"\", Bearer realm=\"{realm}\",service=\"registry.example\""),
        format!("bearer Realm={realm}, service=registry.example"),
        format!(
            "Negotiate, Bearer service=\"registry.example\" , realm=\"{realm}\",error=\"insufficient_scope\""
        ),
    ] {
        let verdict = Verdict::html(401, "").header("www-authenticate", &challenge);
        stage.bed.gate().rule(move |request| match request.headers.contains_key("authorization") {
            false if request.path[0] == "v2" => verdict.clone(),
            _ => Verdict::Pass,
        });
        assert_eq!(stage.find(IMAGE).await, Ok(present(&digest)), "{challenge}");
    }
}

#[tokio::test]
async fn plain_http_is_spoken_to_loopback_and_to_whom_it_is_allowed_for() {
    let stage = Stage::fresh(Login::None).await;
    let digest = stage.push("pr-1");
    let address = stage.bed.served.address(Server::Registry);
    let registries = |plain: &[&str]| {
        let plain = plain.iter().map(|host| (*host).to_owned()).collect();
        Registries::new(Docker::default(), plain, TIMEOUT, "run").unwrap()
    };
    let here = image(&format!("{address}/shop:pr-1"));
    assert_eq!(registries(&[]).find(&here).await, Ok(present(&digest)));
    // Another address of this machine, which is none of loopback's: the embedded one does not speak TLS.
    let named = format!("0.0.0.0:{}", address.port());
    let other = image(&format!("{named}/shop:pr-1"));
    let failure = registries(&[]).find(&other).await.unwrap_err();
    assert!(failure.detail.contains("no connection: "), "{failure}");
    assert_eq!(registries(&[&named]).find(&other).await, Ok(present(&digest)));
}

#[tokio::test]
async fn an_answer_about_another_image_is_not_believed() {
    let stage = Stage::fresh(Login::None).await;
    let other = format!("sha256:{}", "0a".repeat(32));
    let told = |digest: &str| {
        let verdict = Verdict::Answer {
            status: 200,
            headers: vec![("content-type".to_owned(), OCI.to_owned())],
            body: String::new(),
        };
        let verdict =
            if digest.is_empty() { verdict } else { verdict.header("docker-content-digest", digest) };
        stage.bed.gate().rule(move |_| verdict.clone());
    };
    told(&other);
    let asked = format!("{HOST}/shop@sha256:{}", "0b".repeat(32));
    let failure = stage.find(&asked).await.unwrap_err();
    assert!(failure.detail.ends_with(&format!("it answers with another image, {other}")), "{failure}");
    told("md5:1");
    assert!(stage.find(IMAGE).await.unwrap_err().detail.ends_with("the digest that it tells is none"));
    // Who tells none is counted after: this is the digest of nothing.
    told("");
    let nothing: Digest =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap();
    assert_eq!(stage.find(IMAGE).await, Ok(Presence::Present(nothing)));
}

#[test]
fn nothing_shows_a_secret_of_dockers() {
    let entry = json!({"auth": "canary-1", "password": "canary-2", "identitytoken": "canary-3", "registrytoken": "canary-4"});
    let docker = docker(&json!({"auths": {HOST: entry}}));
    assert!(!format!("{docker:?}").contains("canary"), "{docker:?}");
}
