//! What a Vault server answers, fact by fact over plain HTTP, on the embedded one and on a real OpenBao.
//!
//! What berth meets of the real server stands here, so that the embedded one cannot be kinder than it or use other words.
//! A fact is a function over what is [`UnderTest`]; the table at the end makes a test of each fact for each server.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

#[path = "vault_tokens.rs"]
mod tokens;

pub(crate) use tokens::*;

use crate::bed::ROOT;
use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use std::{any::Any, collections::BTreeMap};

/// A server with an empty KV v2 mount.
#[async_trait(?Send)]
pub(crate) trait UnderTest {
    /// `http://127.0.0.1:PORT`.
    fn url(&self) -> String;
    /// May do everything, for ever.
    fn root(&self) -> String;
    fn mount(&self) -> String;
    /// A fresh token for an hour with this policy and nothing else, as Vault's policies are written.
    async fn token(&self, policy: &str) -> String;
    /// The same, but it cannot be renewed.
    async fn fixed(&self, policy: &str) -> String;
    /// One that was good, and is not any more.
    async fn expired(&self) -> String;
    /// A role whose tokens have this policy and nothing else, last for ten minutes, and with renewals for fifteen.
    async fn approle(&self, policy: &str) -> AppRole;
    /// A role for the tokens of an identity provider.
    async fn jwt(&self, policy: &str) -> Jwt;
    /// A role whose tokens have this policy.
    async fn token_role(&self, policy: &str, gives: Gives) -> TokenRole;
    /// A namespace below another one that has a mount `kv`, and a token in it that may do everything there.
    async fn namespace(&self) -> Namespace;
    /// A server that was sealed.
    async fn sealed(&self) -> Sealed;
}

/// What logs in at `auth/<path>/login`.
pub(crate) struct AppRole {
    pub(crate) path: String,
    pub(crate) role_id: String,
    pub(crate) secret_id: String,
    /// Good for one login.
    pub(crate) once: String,
}

/// What logs in at `auth/<path>/login`.
pub(crate) struct Jwt {
    pub(crate) path: String,
    pub(crate) role: String,
    pub(crate) good: String,
    /// The same claims, by somebody else.
    pub(crate) forged: String,
    /// Rightly signed, but for somebody else; too old; of another organization.
    pub(crate) unfit: Vec<String>,
}

/// What kind of tokens a role gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    Children,
    Orphans,
    /// With a longest life in seconds.
    OrphansFor(u64),
}

/// What makes tokens at `auth/token/create/<name>`.
pub(crate) struct TokenRole {
    pub(crate) name: String,
    /// The one that it allows, and that nothing else is called.
    pub(crate) policy: String,
}

pub(crate) struct Namespace {
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) token: String,
}

pub(crate) struct Sealed {
    pub(crate) url: String,
    pub(crate) root: String,
    /// The server ends with it.
    pub(crate) keep: Box<dyn Any>,
}

/// Status and body; of no body, null.
type Answer = (u16, Value);

/// Somebody who asks a server.
struct Client {
    url: String,
    mount: String,
    token: Option<String>,
    namespace: Option<String>,
    http: reqwest::Client,
}

impl Client {
    fn new(url: String, mount: String, token: Option<String>) -> Self {
        crate::bed::crypto();
        let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        Self { url, mount, token, namespace: None, http }
    }

    fn root(under_test: &dyn UnderTest) -> Self {
        Self::by(under_test, &under_test.root())
    }

    fn by(under_test: &dyn UnderTest, token: &str) -> Self {
        Self::new(under_test.url(), under_test.mount(), Some(token.to_owned()))
    }

    fn anonymous(under_test: &dyn UnderTest) -> Self {
        Self { token: None, ..Self::root(under_test) }
    }

    fn within(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}/v1/{path}", self.url));
        for (name, value) in [("x-vault-token", &self.token), ("x-vault-namespace", &self.namespace)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request
    }

    /// Any path.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        answer(request).await
    }

    /// A path of the mount.
    async fn kv(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask(method, &format!("{}/{path}", self.mount), body).await
    }

    async fn read(&self, path: &str) -> Answer {
        self.kv("GET", &format!("data/{path}"), Value::Null).await
    }

    async fn write(&self, path: &str, body: Value) -> Answer {
        self.kv("POST", &format!("data/{path}"), body).await
    }

    /// Without compare-and-set; the version that was made.
    async fn put(&self, path: &str, data: Value) -> Value {
        let written = self.write(path, json!({"data": data})).await;
        assert_eq!(written.0, 200, "{path}: {}", written.1);
        written.1["data"]["version"].clone()
    }

    /// What must be well and has no body.
    async fn change(&self, method: &str, path: &str, body: Value) {
        assert_eq!(self.kv(method, path, body).await, (204, Value::Null), "{method} {path}");
    }

    async fn keys(&self, folder: &str) -> Value {
        let (status, body) = self.kv("LIST", &format!("metadata/{folder}"), Value::Null).await;
        assert_eq!(status, 200, "{body}");
        is_envelope(&body);
        body["data"]["keys"].clone()
    }

    async fn login(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", &format!("auth/{path}/login"), body).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    (status, body)
}

/// The policy that we ship, for this mount.
fn shipped(under_test: &dyn UnderTest) -> String {
    let policy = include_str!("../../deploy/vault/berth.hcl");
    policy.replace("\"kv/", &format!("\"{}/", under_test.mount()))
}

fn refused(status: u16, errors: &[&str]) -> Answer {
    (status, json!({ "errors": errors }))
}

/// What is missing has no words.
fn nothing() -> Answer {
    refused(404, &[])
}

/// The server does not know the token.
fn unknown_token() -> Answer {
    refused(403, &["permission denied"])
}

/// It knows the token, whose policy does not permit this.
fn denied() -> Answer {
    refused(403, &["1 error occurred:\n\t* permission denied\n\n"])
}

fn unsupported() -> Answer {
    refused(405, &["1 error occurred:\n\t* unsupported operation\n\n"])
}

/// One error of 400 that begins so.
#[track_caller]
fn is_invalid((status, body): Answer, begins: &str) {
    let errors = body["errors"].as_array().unwrap();
    let one = errors.len() == 1 && errors[0].as_str().unwrap().starts_with(begins);
    assert!(status == 400 && one, "not {begins:?}, but {status} {body}");
}

/// The types of an object's fields.
fn fields(value: &Value) -> BTreeMap<&str, &str> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "flag",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    value.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), kind(value))).collect()
}

/// Around all that succeeds and has a body.
#[track_caller]
fn is_envelope(body: &Value) {
    let mut found = fields(body);
    for part in ["data", "auth", "warnings"] {
        found.remove(part).unwrap_or_else(|| panic!("no {part} in {body}"));
    }
    let expected = [
        ("lease_duration", "number"),
        ("lease_id", "text"),
        ("renewable", "flag"),
        ("request_id", "text"),
        ("wrap_info", "null"),
    ];
    assert_eq!(found, BTreeMap::from(expected), "{body}");
}

#[track_caller]
fn is_time(value: &Value) {
    let text = value.as_str().unwrap();
    assert!(text.ends_with('Z') && text.parse::<Timestamp>().is_ok(), "{text} is no time");
}

/// What is told of a version.
#[track_caller]
fn is_version(metadata: &Value, number: u64, deleted: bool, destroyed: bool) {
    is_time(&metadata["created_time"]);
    if deleted {
        is_time(&metadata["deletion_time"]);
    }
    let expected = json!({
        "created_time": metadata["created_time"], "custom_metadata": null, "destroyed": destroyed, "version": number,
        "deletion_time": if deleted { metadata["deletion_time"].clone() } else { json!("") },
    });
    assert_eq!(metadata, &expected);
}

#[track_caller]
fn is_there((status, body): Answer, data: &Value, number: u64) {
    assert_eq!(status, 200, "{body}");
    is_envelope(&body);
    assert_eq!(fields(&body["data"]).len(), 2, "{body}");
    assert_eq!(&body["data"]["data"], data);
    is_version(&body["data"]["metadata"], number, false, false);
}

#[track_caller]
fn is_gone((status, body): Answer, number: u64, deleted: bool, destroyed: bool) {
    assert_eq!(status, 404, "{body}");
    is_envelope(&body);
    assert_eq!(fields(&body["data"]).len(), 2, "{body}");
    assert_eq!(body["data"]["data"], Value::Null);
    is_version(&body["data"]["metadata"], number, deleted, destroyed);
}

pub(crate) async fn what_never_was_is_a_bare_404(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    for path in ["data/never", "data/never/at/all", "data/never?version=1", "metadata/never"] {
        assert_eq!(root.kv("GET", path, Value::Null).await, nothing(), "{path}");
    }
    assert_eq!(root.kv("LIST", "metadata/never", Value::Null).await, nothing());
    assert_eq!(root.kv("LIST", "metadata", Value::Null).await, nothing(), "an empty mount");
}

pub(crate) async fn a_write_answers_with_its_version_and_a_read_with_data_and_version(
    under_test: &dyn UnderTest,
) {
    let root = Client::root(under_test);
    for (method, number) in [("POST", 1), ("PUT", 2)] {
        let (status, body) = root.kv(method, "data/a/b", json!({"data": {"says": number}})).await;
        assert_eq!(status, 200, "{body}");
        is_envelope(&body);
        is_version(&body["data"], number, false, false);
        is_there(root.read("a/b").await, &json!({"says": number}), number);
    }
    is_there(root.read("a/b?version=1").await, &json!({"says": 1}), 1);
    for current in ["0", "2", "-1", ""] {
        is_there(root.read(&format!("a/b?version={current}")).await, &json!({"says": 2}), 2);
    }
    assert_eq!(root.read("a/b?version=3").await, nothing());
    let text = "Field validation failed: error converting input for field \"version\": '' cannot parse value as 'int': \
        strconv.ParseInt: invalid syntax";
    assert_eq!(root.read("a/b?version=x").await, refused(400, &[text]));
}

pub(crate) async fn what_was_deleted_is_a_404_that_tells_its_version(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    root.put("a", json!({"says": 1})).await;
    root.put("a", json!({"says": 2})).await;
    root.change("DELETE", "data/a", Value::Null).await;
    is_gone(root.read("a").await, 2, true, false);
    is_gone(root.read("a?version=2").await, 2, true, false);
    is_there(root.read("a?version=1").await, &json!({"says": 1}), 1);
    // Again, and of what never was: no word.
    root.change("DELETE", "data/a", Value::Null).await;
    root.change("DELETE", "data/never", Value::Null).await;
    assert_eq!(root.read("never").await, nothing());
    root.change("POST", "undelete/a", json!({"versions": [2]})).await;
    is_there(root.read("a").await, &json!({"says": 2}), 2);
}

pub(crate) async fn what_was_destroyed_is_a_404_that_tells_its_version_and_never_comes_back(
    under_test: &dyn UnderTest,
) {
    let root = Client::root(under_test);
    root.put("a", json!({"says": 1})).await;
    root.change("POST", "destroy/a", json!({"versions": [1]})).await;
    is_gone(root.read("a").await, 1, false, true);
    for part in ["undelete", "delete"] {
        root.change("POST", &format!("{part}/a"), json!({"versions": [1]})).await;
        is_gone(root.read("a").await, 1, false, true);
    }
    root.put("b", json!({"says": 1})).await;
    root.change("DELETE", "data/b", Value::Null).await;
    root.change("POST", "destroy/b", json!({"versions": [1]})).await;
    is_gone(root.read("b").await, 1, true, true);
}

pub(crate) async fn exactly_the_named_versions_are_deleted(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    for says in 1..=4 {
        root.put("a", json!({"says": says})).await;
    }
    root.change("POST", "delete/a", json!({"versions": [1, 3]})).await;
    is_gone(root.read("a?version=1").await, 1, true, false);
    is_there(root.read("a?version=2").await, &json!({"says": 2}), 2);
    is_gone(root.read("a?version=3").await, 3, true, false);
    is_there(root.read("a").await, &json!({"says": 4}), 4);
    // What is not there is not told of.
    root.change("POST", "delete/a", json!({"versions": [9, 0, -1]})).await;
    root.change("POST", "delete/never", json!({"versions": [1]})).await;
    root.change("POST", "destroy/never", json!({"versions": [1]})).await;
    is_there(root.read("a").await, &json!({"says": 4}), 4);
    root.change("POST", "delete/a", json!({"versions": ["2"]})).await;
    root.change("POST", "delete/a", json!({"versions": "9,4"})).await;
    is_gone(root.read("a?version=2").await, 2, true, false);
    is_gone(root.read("a").await, 4, true, false);
}

pub(crate) async fn a_deletion_without_readable_versions_deletes_nothing(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    root.put("a", json!({"says": 1})).await;
    for part in ["delete", "destroy", "undelete"] {
        let path = format!("{part}/a");
        for none in [json!({}), json!({"versions": []}), json!({"versions": null})] {
            let answer = root.kv("POST", &path, none.clone()).await;
            let told = if part == "destroy" { "no" } else { "No" };
            assert_eq!(answer, refused(400, &[&format!("{told} version number provided")]), "{part} {none}");
        }
        for wrong in [json!(["x"]), json!("x"), json!("1, 2"), json!([1.0]), json!(["1,2"])] {
            let answer = root.kv("POST", &path, json!({"versions": wrong})).await;
            is_invalid(answer, "Field validation failed: error converting input for field \"versions\": ");
        }
    }
    is_there(root.read("a").await, &json!({"says": 1}), 1);
}

pub(crate) async fn versions_go_on_after_a_deletion_and_begin_anew_after_that_of_the_metadata(
    under_test: &dyn UnderTest,
) {
    let root = Client::root(under_test);
    assert_eq!(root.put("a", json!({})).await, 1);
    root.change("DELETE", "data/a", Value::Null).await;
    assert_eq!(root.put("a", json!({})).await, 2);
    root.change("POST", "destroy/a", json!({"versions": [1, 2]})).await;
    assert_eq!(root.put("a", json!({})).await, 3);
    root.change("DELETE", "metadata/a", Value::Null).await;
    assert_eq!(root.read("a").await, nothing());
    assert_eq!(root.read("a?version=3").await, nothing());
    assert_eq!(root.put("a", json!({})).await, 1);
    root.change("DELETE", "metadata/never", Value::Null).await;
}

pub(crate) async fn ten_versions_are_kept(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    for says in 1..=12 {
        root.put("a", json!({"says": says})).await;
    }
    assert_eq!(root.read("a?version=2").await, nothing());
    is_there(root.read("a?version=3").await, &json!({"says": 3}), 3);
    let (status, body) = root.kv("GET", "metadata/a", Value::Null).await;
    assert_eq!(status, 200, "{body}");
    is_envelope(&body);
    let told = &body["data"];
    is_time(&told["created_time"]);
    is_time(&told["updated_time"]);
    let expected = [
        ("cas_required", json!(false)),
        ("current_version", json!(12)),
        ("custom_metadata", Value::Null),
        ("delete_version_after", json!("0s")),
        ("max_versions", json!(0)),
        ("oldest_version", json!(3)),
    ];
    for (field, value) in expected {
        assert_eq!(told[field], value, "{field}");
    }
    assert_eq!(told["versions"].as_object().unwrap().len(), 10);
    let version = [("created_time", "text"), ("deletion_time", "text"), ("destroyed", "flag")];
    assert_eq!(fields(&told["versions"]["12"]), BTreeMap::from(version));
}

fn mismatch() -> Answer {
    refused(400, &["check-and-set parameter did not match the current version"])
}

pub(crate) async fn a_write_by_check_and_set_needs_the_current_version(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    let write = async |path: &str, cas: Value| {
        root.write(path, json!({"data": {"says": cas}, "options": {"cas": cas}})).await
    };
    for wrong in [json!(1), json!(-1)] {
        assert_eq!(write("a", wrong).await, mismatch());
        assert_eq!(root.read("a").await, nothing());
    }
    is_version(&write("a", json!(0)).await.1["data"], 1, false, false);
    for wrong in [json!(0), json!(2), json!(-1), json!("2"), json!(""), Value::Null] {
        assert_eq!(write("a", wrong).await, mismatch());
    }
    for unreadable in [json!("x"), json!(1.0), json!(1.5), json!([]), json!({})] {
        let refusal = refused(400, &["error parsing check-and-set parameter"]);
        assert_eq!(write("a", unreadable).await, refusal);
    }
    is_there(root.read("a").await, &json!({"says": 0}), 1);
    is_version(&write("a", json!(1)).await.1["data"], 2, false, false);
    is_version(&write("a", json!("2")).await.1["data"], 3, false, false);
    // What was deleted or destroyed still is the current version.
    root.change("DELETE", "data/a", Value::Null).await;
    assert_eq!(write("a", json!(0)).await, mismatch());
    is_version(&write("a", json!(3)).await.1["data"], 4, false, false);
    root.change("POST", "destroy/a", json!({"versions": [4]})).await;
    assert_eq!(write("a", json!(0)).await, mismatch());
    is_version(&write("a", json!(4)).await.1["data"], 5, false, false);
    root.change("DELETE", "metadata/a", Value::Null).await;
    assert_eq!(write("a", json!(5)).await, mismatch());
    is_version(&write("a", json!(0)).await.1["data"], 1, false, false);
}

pub(crate) async fn where_check_and_set_is_required_no_write_goes_without(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    root.put("old", json!({"says": 1})).await;
    for (path, version) in [("old", 1), ("new", 0)] {
        root.change("POST", &format!("metadata/{path}"), json!({"cas_required": true})).await;
        for body in [json!({"data": {}}), json!({"data": {}, "options": {}})] {
            let required = refused(400, &["check-and-set parameter required for this call"]);
            assert_eq!(root.write(path, body).await, required);
        }
        let wrong = json!({"data": {}, "options": {"cas": version + 1}});
        assert_eq!(root.write(path, wrong).await, mismatch());
        let right = json!({"data": {"says": 2}, "options": {"cas": version}});
        is_version(&root.write(path, right).await.1["data"], version + 1, false, false);
    }
    // Metadata alone is no document.
    root.change("POST", "metadata/bare", json!({"cas_required": true})).await;
    assert_eq!(root.read("bare").await, nothing());
    assert_eq!(root.keys("").await, json!(["bare", "new", "old"]));
}

pub(crate) async fn of_two_creations_side_by_side_exactly_one_succeeds(under_test: &dyn UnderTest) {
    let (a, b) = (Client::root(under_test), Client::root(under_test));
    for round in 0..10 {
        let path = format!("round-{round}");
        let write = |client: &Client, says: u64| {
            let request = client.request("POST", &format!("{}/data/{path}", client.mount));
            request.json(&json!({"data": {"says": says}, "options": {"cas": 0}}))
        };
        let answers = join_all([answer(write(&a, 0)), answer(write(&b, 1))]).await;
        let won = answers.iter().position(|(status, _)| *status == 200).unwrap();
        assert_eq!(answers[1 - won], mismatch());
        is_there(a.read(&path).await, &json!({"says": won}), 1);
    }
}

pub(crate) async fn a_write_without_data_is_refused_and_one_of_null_is_not(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    for none in [json!({}), json!({"options": {"cas": 0}}), json!({"date": {}})] {
        assert_eq!(root.write("a", none).await, refused(400, &["no data provided"]));
    }
    for wrong in [json!("text"), json!(5), json!(true)] {
        let answer = root.write("a", json!({"data": wrong})).await;
        is_invalid(answer, "error converting input for field \"data\": ");
    }
    assert_eq!(root.read("a").await, nothing());
    for (number, (written, kept)) in
        [(Value::Null, Value::Null), (json!([]), json!({})), (json!({}), json!({}))].into_iter().enumerate()
    {
        let number = number as u64 + 1;
        assert_eq!(root.put("a", written).await, number);
        is_there(root.read("a").await, &kept, number);
    }
}

pub(crate) async fn what_is_no_json_object_is_not_written(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    for body in ["", "{not json", "[]", "null", "\"text\"", "{\"data\": {}} and more"] {
        let request = root.request("POST", &format!("{}/data/a", root.mount)).body(body);
        // In several words, of which the client takes none for another failure than this.
        is_invalid(answer(request).await, "");
    }
    assert_eq!(root.read("a").await, nothing());
}

pub(crate) async fn numbers_are_doubles(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    let written = r#"{"data": {
        "exact": 9007199254740992, "rounded": 9007199254740993, "below": -9007199254740993, "wide": 12345678901234567890,
        "widest": 18446744073709551615, "beyond": 100000000000000000000000, "whole": 1.0, "zero": 0, "fraction": 1.5,
        "small": 1e-7, "large": 1e30, "deep": [{"rounded": 9007199254740993}], "null": null, "text": "9007199254740993"
    }}"#;
    let request = root.request("POST", &format!("{}/data/a", root.mount)).body(written);
    assert_eq!(answer(request).await.0, 200);
    let kept = r#"{
        "exact": 9007199254740992, "rounded": 9007199254740992, "below": -9007199254740992, "wide": 12345678901234567000,
        "widest": 18446744073709552000, "beyond": 1e23, "whole": 1, "zero": 0, "fraction": 1.5,
        "small": 1e-7, "large": 1e30, "deep": [{"rounded": 9007199254740992}], "null": null, "text": "9007199254740993"
    }"#;
    is_there(root.read("a").await, &serde_json::from_str(kept).unwrap(), 1);
}

pub(crate) async fn a_listing_has_folders_with_a_slash_and_what_was_deleted(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    for path in ["a/one", "a/two/deep", "a/two", "a/three/x", "a/three/y", "ab"] {
        root.put(path, json!({})).await;
    }
    let of_a = json!(["one", "three/", "two", "two/"]);
    assert_eq!(root.keys("a").await, of_a);
    assert_eq!(root.keys("a/").await, of_a);
    assert_eq!(root.keys("").await, json!(["a/", "ab"]));
    for list in ["true", "1"] {
        let (status, body) = root.kv("GET", &format!("metadata/a?list={list}"), Value::Null).await;
        assert_eq!((status, &body["data"]["keys"]), (200, &of_a));
    }
    root.change("DELETE", "data/a/one", Value::Null).await;
    root.change("POST", "destroy/a/two", json!({"versions": [1]})).await;
    assert_eq!(root.keys("a").await, of_a);
    for path in ["a/one", "a/three/x", "a/three/y"] {
        root.change("DELETE", &format!("metadata/{path}"), Value::Null).await;
    }
    assert_eq!(root.keys("a").await, json!(["two", "two/"]));
    for leaf in ["ab", "a/three", "a/one", "b"] {
        assert_eq!(root.kv("LIST", &format!("metadata/{leaf}"), Value::Null).await, nothing(), "{leaf}");
    }
}

pub(crate) async fn an_operation_that_a_path_does_not_know_is_unsupported(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    root.put("a", json!({})).await;
    for (method, path) in [
        ("LIST", "data/a"),
        ("GET", "delete/a"),
        ("LIST", "delete/a"),
        ("DELETE", "delete/a"),
        ("GET", "destroy/a"),
        ("DELETE", "undelete/a"),
    ] {
        assert_eq!(root.kv(method, path, Value::Null).await, unsupported(), "{method} {path}");
    }
    assert_eq!(root.ask("GET", "auth/token/renew-self", Value::Null).await, unsupported());
    assert_eq!(root.ask("DELETE", "auth/token/lookup-self", Value::Null).await, unsupported());
    assert_eq!(root.kv("MOVE", "data/a", Value::Null).await, refused(405, &[]), "no method of Vault's");
}

pub(crate) async fn what_is_no_path_of_kv2_is_a_404_with_a_warning_and_no_error(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    for (method, path, body, begins) in [
        ("GET", "elsewhere/data/a", Value::Null, "Invalid path for a versioned K/V secrets engine."),
        ("POST", "elsewhere/data/a", json!({"data": {}}), "Invalid path for a versioned K/V secrets engine."),
        ("LIST", "elsewhere/metadata", Value::Null, "Invalid path for a versioned K/V secrets engine."),
        ("GET", "data", Value::Null, "Non-listing operations on the root of a K/V v2 mount"),
    ] {
        let (status, body) = root.kv(method, path, body).await;
        assert_eq!(status, 404, "{method} {path}: {body}");
        is_envelope(&body);
        assert_eq!((&body["data"], &body["auth"]), (&Value::Null, &Value::Null));
        let warnings = body["warnings"].as_array().unwrap();
        assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().starts_with(begins), "{body}");
    }
}

pub(crate) async fn a_mount_that_is_not_there_is_told_to_who_may_know(under_test: &dyn UnderTest) {
    let token = under_test.token(&shipped(under_test)).await;
    for (method, body) in [("GET", Value::Null), ("POST", json!({"data": {}})), ("LIST", Value::Null)] {
        // A listing's folder ends in a slash, whether it was sent or not.
        let slash = if method == "LIST" { "/" } else { "" };
        let path = "nowhere/data/a";
        let told = format!("no handler for route \"{path}{slash}\". route entry not found.");
        let answer = Client::root(under_test).ask(method, path, body.clone()).await;
        assert_eq!(answer, refused(404, &[&told]), "{method}");
        assert_eq!(Client::by(under_test, &token).ask(method, path, body.clone()).await, denied());
        assert_eq!(Client::anonymous(under_test).ask(method, path, body).await, unknown_token());
    }
}

pub(crate) async fn the_shipped_policy_permits_what_berth_sends_and_nothing_else(under_test: &dyn UnderTest) {
    let (root, token) = (Client::root(under_test), under_test.token(&shipped(under_test)).await);
    let ours = Client::by(under_test, &token);
    let document = format!("{ROOT}/env/claim");
    for cas in 0..2 {
        let body = json!({"data": {"says": cas}, "options": {"cas": cas}});
        assert_eq!(ours.write(&document, body).await.0, 200);
    }
    is_there(ours.read(&document).await, &json!({"says": 1}), 2);
    assert_eq!(ours.read(&format!("{ROOT}/never")).await, nothing());
    assert_eq!(ours.keys(ROOT).await, json!(["env/"]));
    assert_eq!(ours.keys(&format!("{ROOT}/")).await, json!(["env/"]));
    ours.change("POST", &format!("delete/{document}"), json!({"versions": [1]})).await;
    ours.change("POST", &format!("delete/{ROOT}/never"), json!({"versions": [1]})).await;
    root.put("other/a", json!({})).await;
    let versions = || json!({"versions": [2]});
    for (method, path, body) in [
        ("GET", "data/other/a".to_owned(), Value::Null),
        ("GET", "data/never/was".to_owned(), Value::Null),
        ("GET", format!("data/{ROOT}"), Value::Null),
        ("GET", format!("data/{ROOT}-2/a"), Value::Null),
        ("POST", "data/other/a".to_owned(), json!({"data": {}})),
        ("POST", "data/other/new".to_owned(), json!({"data": {}})),
        ("DELETE", format!("data/{document}"), Value::Null),
        ("DELETE", format!("metadata/{document}"), Value::Null),
        ("GET", format!("metadata/{document}"), Value::Null),
        ("POST", format!("metadata/{document}"), json!({"cas_required": true})),
        ("POST", format!("destroy/{document}"), versions()),
        ("POST", format!("undelete/{document}"), versions()),
        ("POST", "delete/other/a".to_owned(), versions()),
        ("GET", format!("delete/{document}"), Value::Null),
        ("LIST", "metadata".to_owned(), Value::Null),
        ("LIST", "metadata/other".to_owned(), Value::Null),
        ("LIST", format!("metadata/{ROOT}/env"), Value::Null),
        ("LIST", format!("data/{ROOT}"), Value::Null),
    ] {
        assert_eq!(ours.kv(method, &path, body).await, denied(), "{method} {path}");
    }
    is_there(ours.read(&document).await, &json!({"says": 1}), 2);
    is_there(root.read("other/a").await, &json!({}), 1);
}

pub(crate) async fn a_policy_tells_creation_from_update_and_the_closest_rule_decides(
    under_test: &dyn UnderTest,
) {
    let (root, mount) = (Client::root(under_test), under_test.mount());
    let policy = format!(
        r#"
        path "{mount}/data/create/*" {{ capabilities = ["create"] }}
        path "{mount}/data/update/*" {{ capabilities = ["update"] }}
        path "{mount}/data/both/*" {{ capabilities = ["create", "read", "update"] }}
        path "{mount}/data/both/no" {{ capabilities = [] }}
        path "{mount}/data/+/plus" {{ capabilities = ["read"] }}
        path "{mount}/metadata/folder" {{ capabilities = ["list"] }}
        path "{mount}/delete/create/*" {{ capabilities = ["create"] }}
        "#
    );
    let ours = Client::by(under_test, &under_test.token(&policy).await);
    let write = async |path: &str| ours.write(path, json!({"data": {}})).await;
    assert_eq!(write("create/a").await.0, 200);
    assert_eq!(write("create/a").await, denied());
    root.change("DELETE", "data/create/a", Value::Null).await;
    assert_eq!(write("create/a").await, denied(), "what was deleted is there");
    root.change("DELETE", "metadata/create/a", Value::Null).await;
    assert_eq!(write("create/a").await.0, 200);
    assert_eq!(write("update/a").await, denied());
    root.put("update/a", json!({})).await;
    assert_eq!(write("update/a").await.0, 200);
    assert_eq!(ours.read("update/a").await, denied());
    assert_eq!(write("both/a").await.0, 200);
    assert_eq!(write("both/no").await, denied());
    assert_eq!(ours.read("both/no").await, denied());
    assert_eq!(ours.read("any/plus").await, nothing());
    assert_eq!(ours.read("any/deep/plus").await, denied());
    // A folder's rule may lack the slash; a deletion of versions is an update, whatever is there.
    root.put("folder/a", json!({})).await;
    assert_eq!(ours.keys("folder").await, json!(["a"]));
    let answer = ours.kv("POST", "delete/create/a", json!({"versions": [1]})).await;
    assert_eq!(answer, denied());
}

pub(crate) async fn no_token_a_wrong_one_and_an_expired_one_are_the_same(under_test: &dyn UnderTest) {
    let root = Client::root(under_test);
    root.put("a", json!({})).await;
    let expired = under_test.expired().await;
    let tokens = [None, Some(""), Some("nonsense"), Some("s.nonsense"), Some(&expired)];
    for token in tokens {
        let nobody = Client { token: token.map(str::to_owned), ..Client::root(under_test) };
        for (method, path, body) in [
            ("GET", "data/a", Value::Null),
            ("GET", "data/never", Value::Null),
            ("POST", "data/a", json!({"data": {}, "options": {"cas": 1}})),
            ("POST", "delete/a", json!({"versions": [1]})),
            ("LIST", "metadata", Value::Null),
            ("GET", "elsewhere", Value::Null),
        ] {
            assert_eq!(nobody.kv(method, path, body).await, unknown_token(), "{token:?} {method} {path}");
        }
        for (method, path) in [("GET", "auth/token/lookup-self"), ("POST", "auth/token/renew-self")] {
            assert_eq!(nobody.ask(method, path, Value::Null).await, unknown_token(), "{token:?} {path}");
        }
    }
    is_there(root.read("a").await, &json!({}), 1);
    let bearer = Client::anonymous(under_test).request("GET", &format!("{}/data/a", root.mount));
    is_there(answer(bearer.bearer_auth(under_test.root())).await, &json!({}), 1);
}

/// What a login and a renewal tell of a token.
#[track_caller]
fn is_grant((status, body): &Answer, role: &str) -> String {
    assert_eq!(*status, 200, "{body}");
    is_envelope(body);
    assert_eq!(body["data"], Value::Null);
    let expected = [
        ("accessor", "text"),
        ("client_token", "text"),
        ("entity_id", "text"),
        ("lease_duration", "number"),
        ("metadata", "object"),
        ("mfa_requirement", "null"),
        ("num_uses", "number"),
        ("orphan", "flag"),
        ("policies", "list"),
        ("renewable", "flag"),
        ("token_policies", "list"),
        ("token_type", "text"),
    ];
    let auth = &body["auth"];
    assert_eq!(fields(auth), BTreeMap::from(expected));
    assert_eq!((&auth["renewable"], &auth["token_type"]), (&json!(true), &json!("service")));
    assert_eq!((&auth["orphan"], &auth["num_uses"]), (&json!(true), &json!(0)));
    assert_eq!(fields(&auth["metadata"]), BTreeMap::from([(role, "text")]));
    auth["client_token"].as_str().unwrap().to_owned()
}

fn lasts((_, body): &Answer) -> u64 {
    body["auth"]["lease_duration"].as_u64().unwrap()
}

pub(crate) async fn a_login_by_approle_gives_a_token_with_its_policy(under_test: &dyn UnderTest) {
    let role = under_test.approle(&shipped(under_test)).await;
    let nobody = Client::anonymous(under_test);
    let right = json!({"role_id": role.role_id, "secret_id": role.secret_id});
    let granted = nobody.login(&role.path, right.clone()).await;
    let token = is_grant(&granted, "role_name");
    assert_eq!((lasts(&granted), &granted.1["warnings"]), (600, &Value::Null));
    let ours = Client::by(under_test, &token);
    assert_eq!(ours.read(&format!("{ROOT}/a")).await, nothing());
    assert_eq!(ours.read("other").await, denied());
    // A line break behind them is forgiven, and a token that is no good does not matter.
    let spaced =
        json!({"role_id": format!("{} ", role.role_id), "secret_id": format!("{}\n", role.secret_id)});
    is_grant(&Client::by(under_test, "nonsense").login(&role.path, spaced).await, "role_name");
    let again = nobody.login(&role.path, right).await;
    assert_ne!(is_grant(&again, "role_name"), token);
}

pub(crate) async fn an_approle_does_not_tell_which_half_is_wrong(under_test: &dyn UnderTest) {
    let role = under_test.approle(&shipped(under_test)).await;
    let nobody = Client::anonymous(under_test);
    let wrong = refused(400, &["invalid role or secret ID"]);
    for (role_id, secret_id) in
        [("unknown", role.secret_id.as_str()), (&role.role_id, "wrong"), ("unknown", "wrong")]
    {
        let answer = nobody.login(&role.path, json!({"role_id": role_id, "secret_id": secret_id})).await;
        assert_eq!(answer, wrong);
    }
    for body in [json!({"role_id": role.role_id}), json!({"role_id": role.role_id, "secret_id": ""})] {
        assert_eq!(nobody.login(&role.path, body).await, refused(400, &["missing secret_id"]));
    }
    for body in [json!({}), json!({"role_id": "", "secret_id": role.secret_id})] {
        assert_eq!(nobody.login(&role.path, body).await, refused(500, &["missing role_id"]));
    }
    let once = json!({"role_id": role.role_id, "secret_id": role.once});
    is_grant(&nobody.login(&role.path, once.clone()).await, "role_name");
    assert_eq!(nobody.login(&role.path, once).await, wrong, "it was good for one login");
}

pub(crate) async fn a_login_by_jwt_needs_a_fit_token(under_test: &dyn UnderTest) {
    let jwt = under_test.jwt(&shipped(under_test)).await;
    let nobody = Client::anonymous(under_test);
    let login =
        async |role: &str, token: &str| nobody.login(&jwt.path, json!({"role": role, "jwt": token})).await;
    let granted = login(&jwt.role, &jwt.good).await;
    let token = is_grant(&granted, "role");
    assert_eq!(lasts(&granted), 600);
    assert_eq!(Client::by(under_test, &token).read(&format!("{ROOT}/a")).await, nothing());
    is_grant(&login(&jwt.role, &format!("{}\n", jwt.good)).await, "role");
    let unknown = refused(400, &["role \"unknown\" could not be found"]);
    assert_eq!(login("unknown", &jwt.good).await, unknown);
    assert_eq!(login("unknown", "nonsense").await, unknown);
    let forged = "error validating token: error verifying token signature: \
        no known key successfully validated the token signature";
    assert_eq!(login(&jwt.role, &jwt.forged).await, refused(400, &[forged]));
    for unfit in jwt.unfit.iter().map(String::as_str).chain(["nonsense", "no.jwt.either"]) {
        is_invalid(login(&jwt.role, unfit).await, "error validating ");
    }
    for (body, missing) in [
        (json!({"role": jwt.role}), "missing token"),
        (json!({"jwt": jwt.good}), "missing role"),
        (json!({}), "missing role"),
    ] {
        assert_eq!(nobody.login(&jwt.path, body).await, refused(400, &[missing]));
    }
}

pub(crate) async fn a_way_to_log_in_that_is_not_there_is_told_to_who_may_know(under_test: &dyn UnderTest) {
    let body = || json!({"role_id": "a", "secret_id": "b"});
    assert_eq!(Client::anonymous(under_test).login("nowhere", body()).await, unknown_token());
    assert_eq!(Client::by(under_test, "nonsense").login("nowhere", body()).await, unknown_token());
    let ours = Client::by(under_test, &under_test.token(&shipped(under_test)).await);
    assert_eq!(ours.login("nowhere", body()).await, denied());
    let told = "no handler for route \"auth/nowhere/login\". route entry not found.";
    assert_eq!(Client::root(under_test).login("nowhere", body()).await, refused(404, &[told]));
}

pub(crate) async fn a_token_that_logged_in_renews_itself_within_its_longest_life(under_test: &dyn UnderTest) {
    let role = under_test.approle(&shipped(under_test)).await;
    let body = json!({"role_id": role.role_id, "secret_id": role.secret_id});
    let token = is_grant(&Client::anonymous(under_test).login(&role.path, body).await, "role_name");
    let ours = Client::by(under_test, &token);
    let renew = async |body: Value| ours.ask("POST", "auth/token/renew-self", body).await;
    for as_long_as_at_first in [Value::Null, json!({}), json!({"increment": null}), json!({"increment": 0})] {
        let renewed = renew(as_long_as_at_first).await;
        assert_eq!(is_grant(&renewed, "role_name"), token);
        assert_eq!((lasts(&renewed), &renewed.1["warnings"]), (600, &Value::Null));
    }
    for (increment, seconds) in [(json!(60), 60), (json!("60"), 60), (json!("1m"), 60), (json!("10m5s"), 605)]
    {
        let renewed = renew(json!({"increment": increment})).await;
        assert_eq!(lasts(&renewed), seconds, "{increment}");
    }
    let capped = renew(json!({"increment": "1h"})).await;
    is_grant(&capped, "role_name");
    assert!((800..=900).contains(&lasts(&capped)), "{}", capped.1);
    let warnings = capped.1["warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().starts_with("TTL of "), "{}", capped.1);
    for unreadable in [json!("x"), json!(-5), json!(true)] {
        let answer = renew(json!({"increment": unreadable})).await;
        is_invalid(answer, "Field validation failed: error converting input for field \"increment\": ");
    }
}

pub(crate) async fn what_has_no_end_or_a_fixed_one_is_not_renewed(under_test: &dyn UnderTest) {
    let fixed = under_test.fixed(&shipped(under_test)).await;
    for token in [under_test.root(), fixed] {
        for body in [Value::Null, json!({}), json!({"increment": "1h"})] {
            let answer = Client::by(under_test, &token).ask("POST", "auth/token/renew-self", body).await;
            assert_eq!(answer, refused(400, &["lease is not renewable"]));
        }
    }
}

pub(crate) async fn a_token_may_do_with_itself_what_its_policy_says(under_test: &dyn UnderTest) {
    let none = Client::by(under_test, &under_test.token("").await);
    let ours = Client::by(under_test, &under_test.token(&shipped(under_test)).await);
    assert_eq!(none.ask("POST", "auth/token/renew-self", json!({})).await, denied());
    assert_eq!(ours.ask("POST", "auth/token/renew-self", json!({})).await.0, 200);
    for client in [none, ours] {
        assert_eq!(client.ask("GET", "auth/token/lookup-self", Value::Null).await, denied());
        assert_eq!(client.ask("POST", "auth/token/revoke-self", json!({})).await, denied());
    }
    let unsupported = refused(404, &["1 error occurred:\n\t* unsupported path\n\n"]);
    assert_eq!(Client::root(under_test).ask("GET", "auth/token/nothing", Value::Null).await, unsupported);
}

pub(crate) async fn a_token_tells_of_itself(under_test: &dyn UnderTest) {
    let policy = r#"path "auth/token/lookup-self" { capabilities = ["read"] }"#;
    let token = under_test.token(policy).await;
    let ends = [(under_test.root(), "null", false), (token, "text", true)];
    for (token, expires, renewable) in ends {
        let (status, body) =
            Client::by(under_test, &token).ask("GET", "auth/token/lookup-self", Value::Null).await;
        assert_eq!(status, 200, "{body}");
        is_envelope(&body);
        let expected = [
            ("accessor", "text"),
            ("creation_time", "number"),
            ("creation_ttl", "number"),
            ("display_name", "text"),
            ("entity_id", "text"),
            ("expire_time", expires),
            ("explicit_max_ttl", "number"),
            ("id", "text"),
            ("issue_time", "text"),
            ("meta", "null"),
            ("num_uses", "number"),
            ("orphan", "flag"),
            ("path", "text"),
            ("policies", "list"),
            ("renewable", "flag"),
            ("ttl", "number"),
            ("type", "text"),
        ];
        let told = &body["data"];
        assert_eq!(fields(told), BTreeMap::from(expected));
        assert_eq!((&told["id"], &told["renewable"]), (&json!(token), &json!(renewable)));
        assert_eq!(told["ttl"] == 0, !renewable);
    }
}

pub(crate) async fn a_token_is_good_in_its_own_namespace_only(under_test: &dyn UnderTest) {
    let space = under_test.namespace().await;
    let ours = || Client { mount: "kv".to_owned(), ..Client::by(under_test, &space.token) };
    let within = ours().within(&space.name);
    within.put("a", json!({"says": 1})).await;
    is_there(within.read("a").await, &json!({"says": 1}), 1);
    is_there(ours().within(&format!("/{}/", space.name)).read("a").await, &json!({"says": 1}), 1);
    for elsewhere in [ours(), ours().within(&space.parent)] {
        assert_eq!(elsewhere.read("a").await, denied());
        assert_eq!(elsewhere.write("a", json!({"data": {}})).await, denied());
        assert_eq!(elsewhere.kv("LIST", "metadata", Value::Null).await, denied());
    }
    for token in [None, Some("nonsense".to_owned())] {
        let nobody = Client { token, ..ours().within(&space.name) };
        assert_eq!(nobody.read("a").await, unknown_token());
    }
    let body = || json!({"role_id": "a", "secret_id": "b"});
    let nobody = Client::anonymous(under_test).within(&space.name);
    assert_eq!(nobody.login("nowhere", body()).await, unknown_token());
}

pub(crate) async fn a_namespace_that_is_not_there_is_not_found_by_anybody(under_test: &dyn UnderTest) {
    let space = under_test.namespace().await;
    let not_found = refused(404, &["namespace not found"]);
    for name in ["nowhere".to_owned(), format!("{}-2", space.name), format!("{}/below", space.name)] {
        for token in [None, Some("nonsense".to_owned()), Some(under_test.root()), Some(space.token.clone())] {
            let client = Client { token, ..Client::anonymous(under_test).within(&name) };
            assert_eq!(client.read("a").await, not_found, "{name}");
            assert_eq!(client.kv("LIST", "metadata", Value::Null).await, not_found);
            assert_eq!(client.login("approle", json!({"role_id": "a", "secret_id": "b"})).await, not_found);
        }
    }
}

const HEALTH: [(&str, &str); 7] = [
    ("initialized", "flag"),
    ("replication_dr_mode", "text"),
    ("replication_performance_mode", "text"),
    ("sealed", "flag"),
    ("server_time_utc", "number"),
    ("standby", "flag"),
    ("version", "text"),
];

pub(crate) async fn a_server_tells_everybody_of_its_health(under_test: &dyn UnderTest) {
    for client in [Client::anonymous(under_test), Client::by(under_test, "nonsense")] {
        let (status, body) = client.ask("GET", "sys/health", Value::Null).await;
        let mut expected = BTreeMap::from(HEALTH);
        expected.extend([("cluster_id", "text"), ("cluster_name", "text")]);
        assert_eq!((status, fields(&body)), (200, expected));
        assert_eq!((&body["initialized"], &body["sealed"]), (&json!(true), &json!(false)));
        assert_eq!((&body["standby"], &body["replication_dr_mode"]), (&json!(false), &json!("disabled")));
    }
}

pub(crate) async fn a_sealed_server_says_so_to_everything_but_health(under_test: &dyn UnderTest) {
    let server = under_test.sealed().await;
    let sealed = refused(503, &["Vault is sealed"]);
    for token in [Some(server.root.clone()), Some("nonsense".to_owned()), None] {
        let client = Client::new(server.url.clone(), "kv".to_owned(), token);
        for (method, path, body) in [
            ("GET", "kv/data/a", Value::Null),
            ("POST", "kv/data/a", json!({"data": {}, "options": {"cas": 0}})),
            ("POST", "kv/delete/a", json!({"versions": [1]})),
            ("LIST", "kv/metadata", Value::Null),
            ("GET", "nowhere/data/a", Value::Null),
            ("GET", "auth/token/lookup-self", Value::Null),
            ("POST", "auth/token/renew-self", json!({})),
            ("POST", "auth/approle/login", json!({"role_id": "a", "secret_id": "b"})),
            ("POST", "auth/nowhere/login", json!({"role": "a", "jwt": "b"})),
        ] {
            assert_eq!(client.ask(method, path, body).await, sealed, "{method} {path}");
        }
        let answer = client.within("nowhere").ask("GET", "kv/data/a", Value::Null).await;
        assert_eq!(answer, sealed, "whether there is such a namespace is not told");
    }
    let client = Client::new(server.url.clone(), "kv".to_owned(), None);
    let (status, body) = client.ask("GET", "sys/health", Value::Null).await;
    assert_eq!((status, fields(&body)), (503, BTreeMap::from(HEALTH)));
    assert_eq!((&body["sealed"], &body["standby"]), (&json!(true), &json!(true)));
    drop(server.keep);
}

/// One test for each fact and each server: `vault_server! { module Type … }`.
macro_rules! vault_server {
    (@ $($module:ident $server:ident { $($fact:ident)* })*) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() {
                    crate::vault_server::$fact(&super::$server::fresh().await).await;
                }
            )*
        }
    )*};
    (of $($module:ident $server:ident)*: $facts:tt) => {
        vault_server! { @ $($module $server $facts)* }
    };
    ($($module:ident $server:ident)*) => {
        vault_server! { of $($module $server)*: {
            what_never_was_is_a_bare_404
            a_write_answers_with_its_version_and_a_read_with_data_and_version
            what_was_deleted_is_a_404_that_tells_its_version
            what_was_destroyed_is_a_404_that_tells_its_version_and_never_comes_back
            exactly_the_named_versions_are_deleted
            a_deletion_without_readable_versions_deletes_nothing
            versions_go_on_after_a_deletion_and_begin_anew_after_that_of_the_metadata
            ten_versions_are_kept
            a_write_by_check_and_set_needs_the_current_version
            where_check_and_set_is_required_no_write_goes_without
            of_two_creations_side_by_side_exactly_one_succeeds
            a_write_without_data_is_refused_and_one_of_null_is_not
            what_is_no_json_object_is_not_written
            numbers_are_doubles
            a_listing_has_folders_with_a_slash_and_what_was_deleted
            an_operation_that_a_path_does_not_know_is_unsupported
            what_is_no_path_of_kv2_is_a_404_with_a_warning_and_no_error
            a_mount_that_is_not_there_is_told_to_who_may_know
            the_shipped_policy_permits_what_berth_sends_and_nothing_else
            a_policy_tells_creation_from_update_and_the_closest_rule_decides
            no_token_a_wrong_one_and_an_expired_one_are_the_same
            a_login_by_approle_gives_a_token_with_its_policy
            an_approle_does_not_tell_which_half_is_wrong
            a_login_by_jwt_needs_a_fit_token
            a_way_to_log_in_that_is_not_there_is_told_to_who_may_know
            a_token_that_logged_in_renews_itself_within_its_longest_life
            what_has_no_end_or_a_fixed_one_is_not_renewed
            a_token_may_do_with_itself_what_its_policy_says
            a_token_tells_of_itself
            a_role_gives_a_token_with_the_policies_that_were_asked_for_and_no_more
            what_a_role_does_not_allow_is_refused
            an_orphan_outlives_who_made_it_and_a_child_does_not
            a_token_is_renewed_by_its_accessor_which_does_not_show_it
            of_a_roles_tokens_only_the_roles_longest_life_bounds_renewals
            a_token_is_revoked_by_its_accessor_and_a_second_time_is_a_warning
            an_accessor_that_nobody_has_cannot_be_renewed
            the_shipped_policy_makes_tokens_by_one_role_only
            every_capability_of_the_shipped_policy_is_needed
            a_token_is_good_in_its_own_namespace_only
            a_namespace_that_is_not_there_is_not_found_by_anybody
            a_server_tells_everybody_of_its_health
            a_sealed_server_says_so_to_everything_but_health
        } }
    };
}
