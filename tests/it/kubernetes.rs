//! The Kubernetes store beyond the contract: hostile answers to every request that it sends, listings whose pages do not
//! add up, objects that are not ours, and the ways into an API server.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::bed::{Bed, NAMESPACE, document, name};
use anyhow::Result;
use berth::{
    clients::{
        Failure, Kind,
        kubernetes::{Target, connect, for_url},
        vault::TIMEOUT,
    },
    documents::{Document, Key, NotWritten, Read, Store, Version, write_surely},
    errors::{self, Exit},
    rehearsal::{Request, Server, gate::Verdict},
    stores::kubernetes::KubernetesStore,
};
use futures::{StreamExt, future::BoxFuture, stream};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

const TOKEN: &str = "canary-token";
/// In answers of which nobody knows what is in them.
const BODY: &str = "canary-in-a-body";
/// One more than a page.
const CLAIMS: usize = 501;

/// A request that is answered with a fault.
struct Sent {
    what: &'static str,
    /// Tells it from all other requests of the store.
    is: fn(&Request) -> bool,
    /// Does what sends it.
    act: for<'a> fn(&'a dyn Store) -> BoxFuture<'a, Result<()>>,
    /// What its failure must name.
    object: &'static str,
}

/// Every request that the store sends. That none is missing is a test too.
const SENT: [Sent; 6] = [
    Sent {
        what: "get",
        is: |request| request.method == "GET" && request.path.len() == 6,
        act: |store| Box::pin(change(store, Key::Pool)),
        object: "could not get configmap berth/ip-allocations",
    },
    Sent {
        what: "create",
        is: |request| request.method == "POST",
        act: |store| Box::pin(change(store, Key::Sweep)),
        object: "could not create configmap berth/berth.sweep",
    },
    Sent {
        what: "update",
        is: |request| request.method == "PUT",
        act: |store| Box::pin(change(store, Key::Pool)),
        object: "could not update configmap berth/ip-allocations",
    },
    Sent {
        what: "delete",
        is: |request| request.method == "DELETE",
        act: |store| {
            Box::pin(async {
                let before = store.read(&Key::Pool).await?;
                unknown(store.remove(&Key::Pool, before.version()).await)
            })
        },
        object: "could not delete configmap berth/ip-allocations",
    },
    Sent {
        what: "list",
        is: |request| is_list(request) && !request.query.contains_key("continue"),
        act: |store| Box::pin(async { store.claims().await.map(drop) }),
        object: "could not list the claims among the configmaps of namespace berth",
    },
    Sent {
        what: "list of the next page",
        is: |request| is_list(request) && request.query.contains_key("continue"),
        act: |store| Box::pin(async { store.claims().await.map(drop) }),
        object: "could not list the claims among the configmaps of namespace berth",
    },
];

fn is_list(request: &Request) -> bool {
    request.method == "GET" && request.path.len() == 5
}

/// As the engine does: what is written follows from what was read. Not `write_surely`: what it settles is no failure.
async fn change(store: &dyn Store, key: Key) -> Result<()> {
    let before = store.read(&key).await?;
    let mut next = before.document().cloned().unwrap_or_default();
    next.insert("192.168.1.142".to_owned(), "pr-2".into());
    unknown(store.write(&key, &next, before.version()).await)
}

#[track_caller]
fn unknown<T: std::fmt::Debug>(written: Result<T, NotWritten>) -> Result<()> {
    match written {
        Ok(_) => Ok(()),
        Err(NotWritten::Unknown(error)) => Err(error),
        Err(NotWritten::Conflict) => panic!("an answer that says nothing was taken for a conflict"),
    }
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(written: Result<T, NotWritten>) {
    assert!(matches!(written, Err(NotWritten::Conflict)), "no conflict, but {written:?}");
}

/// A claim's object, as berth makes it.
fn claim(name: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"document": text},
        "metadata": {"labels": {
            "app.kubernetes.io/managed-by": "berth", "berth.dev/document": "claim", "berth.dev/environment": name,
        }},
    })
}

fn put_claims(bed: &Bed, count: usize) {
    let mut world = bed.world();
    for number in 0..count {
        let name = format!("env-{number}");
        world.kubernetes.put("configmaps", NAMESPACE, &format!("{name}.claim"), claim(&name, "{}"));
    }
}

fn store(bed: &Bed) -> KubernetesStore {
    limited(bed, TIMEOUT)
}

fn limited(bed: &Bed, limit: Duration) -> KubernetesStore {
    let client = for_url(&bed.served.url(Server::Kubernetes), Some(TOKEN.to_owned().into()), "run").unwrap();
    KubernetesStore::new(client, NAMESPACE.to_owned(), limit)
}

/// What API servers say.
fn status(code: u16, reason: &str, message: &str, details: Value) -> Verdict {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason,
        "message": message, "details": details,
    });
    Verdict::json(code, &status)
}

fn not_found(code: u16, kind: &str, name: &str) -> Verdict {
    let Verdict::Answer { headers, body, .. } =
        status(404, "NotFound", &format!("{kind} {name:?} not found"), json!({"name": name, "kind": kind}))
    else {
        unreachable!()
    };
    Verdict::Answer { status: code, headers, body }
}

/// Answers that prove nothing about what was asked for.
fn faults(elsewhere: &str) -> Vec<Verdict> {
    let pool = "ip-allocations";
    vec![
        status(401, "Unauthorized", "Unauthorized", json!({})),
        status(403, "Forbidden", "configmaps is forbidden", json!({"name": pool, "kind": "configmaps"})),
        Verdict::json(403, &json!({"error": "no"})),
        Verdict::html(404, "<html>\n default   backend - 404</html>"),
        Verdict::json(404, &Value::Null),
        Verdict::json(404, &json!({"message": "Not Found"})),
        Verdict::json(
            404,
            &json!({"code": 404, "reason": "NotFound", "details": {"name": pool, "kind": "configmaps"}}),
        ),
        not_found(404, "namespaces", NAMESPACE),
        not_found(404, "configmaps", "another"),
        not_found(404, "secrets", pool),
        status(404, "NotFound", "the server could not find the requested resource", json!({})),
        status(404, "NotFound", "it is not there", Value::Null),
        not_found(502, "configmaps", pool),
        not_found(200, "configmaps", pool),
        Verdict::json(200, &json!({})),
        Verdict::json(200, &json!(BODY)),
        Verdict::json(
            200,
            &json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": []}),
        ),
        Verdict::json(
            200,
            &json!({"metadata": {"name": "another", "resourceVersion": "1"}, "data": {"document": "{}"}}),
        ),
        Verdict::html(200, &format!("<html>{BODY}</html>")),
        Verdict::json(204, &Value::Null),
        Verdict::html(302, "log in").header("location", &format!("{elsewhere}/login")),
        Verdict::html(307, "over there").header("location", elsewhere),
        Verdict::html(409, "conflict"),
        status(409, "Conflict", "quota is being changed", json!({"name": "q", "kind": "resourcequotas"})),
        status(409, "Conflict", "of a secret", json!({"name": pool, "kind": "secrets"})),
        status(410, "Expired", "too old", json!({})),
        Verdict::html(429, "Too many requests, please try again later.").header("retry-after", "7"),
        status(500, "InternalError", "etcdserver: leader changed", json!({})),
        Verdict::html(503, ""),
        Verdict::Hang,
        Verdict::Cut,
        Verdict::Truncate,
    ]
}

fn contents(bed: &Bed) -> Vec<(String, Value)> {
    let world = bed.world();
    world.kubernetes.all("configmaps").map(|(_, name, object)| (name.to_owned(), object.clone())).collect()
}

/// A world with a pool and claims, and the account that may do everything.
async fn bed() -> Bed {
    let bed = Bed::start().await;
    bed.world().kubernetes.add_user(TOKEN, "system:serviceaccount:berth:berth");
    let written = store(&bed).write(&Key::Pool, &document(json!({"192.168.1.140": "pr-1"})), &absent()).await;
    written.unwrap();
    bed
}

fn absent() -> Version {
    Version::opaque("absent")
}

async fn check(sent: &'static Sent, fault: Verdict, elsewhere: &str) {
    let bed = bed().await;
    put_claims(&bed, CLAIMS);
    let (before, count) = (contents(&bed), Arc::new(Mutex::new(0)));
    let (verdict, counted) = (fault.clone(), count.clone());
    bed.gate().rule(move |request| {
        if !(sent.is)(request) {
            return Verdict::Pass;
        }
        *counted.lock().unwrap() += 1;
        verdict.clone()
    });
    // Long enough for the requests before it, on a busy machine too.
    let limit = if fault == Verdict::Hang { Duration::from_secs(2) } else { TIMEOUT };
    let case = format!("a {} answered by {fault:?}", sent.what);
    let result = (sent.act)(&limited(&bed, limit)).await;
    let error = result.err().unwrap_or_else(|| panic!("{case} was taken for an answer"));
    assert_eq!(errors::exit(&error), Exit::Unknown, "{case}");
    let told = errors::render(&error);
    let answers_for_it = told.contains("configmap berth/") || told.contains(sent.object);
    assert!(answers_for_it && told.contains("\nhint: "), "{case}: {told}");
    let lists_anew =
        matches!(fault, Verdict::Answer { status: 410, .. }) && sent.what == "list of the next page";
    assert!(*count.lock().unwrap() == 1 || lists_anew, "{case} was sent again");
    for text in [&told, &format!("{error:?}"), &format!("{error:#}")] {
        assert!(!text.contains("canary"), "{case}: {text}");
        assert!(!text.contains(elsewhere), "{case}: {text}");
    }
    if fault != Verdict::Truncate {
        assert!(contents(&bed) == before, "{case} changed something");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_is_taken_for_an_answer_and_nothing_is_sent_again() {
    let elsewhere = Bed::start().await;
    let url = elsewhere.served.url(Server::Kubernetes);
    let cases = SENT.iter().flat_map(|sent| faults(&url).into_iter().map(move |fault| (sent, fault)));
    stream::iter(cases)
        .map(async |(sent, fault)| check(sent, fault, &url).await)
        .buffer_unordered(16)
        .for_each(async |()| ())
        .await;
    assert_eq!(elsewhere.gate().log(), [""; 0], "a redirect was followed, and the token with it");
}

#[tokio::test]
async fn every_request_of_the_store_is_among_those_that_were_answered_with_faults() {
    let bed = bed().await;
    put_claims(&bed, CLAIMS);
    let seen = Arc::new(Mutex::new(vec![0; SENT.len() + 1]));
    let count = seen.clone();
    bed.gate().rule(move |request| {
        let kind = SENT.iter().position(|sent| (sent.is)(request)).unwrap_or(SENT.len());
        count.lock().unwrap()[kind] += 1;
        Verdict::Pass
    });
    for sent in &SENT {
        (sent.act)(&store(&bed)).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.last(), Some(&0), "a stranger was sent");
    for (sent, times) in SENT.iter().zip(&*seen) {
        assert!(*times > 0, "no {} was sent", sent.what);
    }
}

#[tokio::test]
async fn a_failure_has_the_kind_by_which_callers_go_on() {
    let bed = bed().await;
    let wait = |seconds| Kind::Unavailable { wait: Some(Duration::from_secs(seconds)) };
    let throttled = status(429, "TooManyRequests", "slow down", json!({"retryAfterSeconds": 3}));
    let unconverted = |why: &str| {
        status(500, "", &format!("failed to convert new object (/a) to proper version: {why}"), json!({}))
    };
    for (verdict, kind) in [
        (status(401, "Unauthorized", "Unauthorized", json!({})), Kind::Refused),
        (Verdict::json(403, &json!({"error": "no"})), Kind::Refused),
        (Verdict::html(404, "default backend"), Kind::Invalid),
        (Verdict::html(429, "wait").header("retry-after", "7"), wait(7)),
        (throttled, wait(3)),
        (Verdict::html(503, "").header("retry-after", "soon"), Kind::Unavailable { wait: None }),
        (Verdict::html(503, "").header("retry-after", "0"), Kind::Unavailable { wait: None }),
        (status(500, "", "failed to create typed patch object (/a): .foo", json!({})), Kind::Invalid),
        (unconverted("unable to convert unstructured object to apps/v1"), Kind::Invalid),
        (
            unconverted("conversion webhook for x failed: connection refused"),
            Kind::Unavailable { wait: None },
        ),
        (Verdict::Cut, Kind::Unavailable { wait: None }),
        (Verdict::json(200, &json!({})), Kind::Unavailable { wait: None }),
    ] {
        let answer = verdict.clone();
        bed.gate().rule(move |_| answer.clone());
        let error = store(&bed).read(&Key::Pool).await.unwrap_err();
        assert_eq!(Failure::of(&error), kind, "{verdict:?}");
    }
}

/// As it is rendered, with a server that is always called the same.
fn rendered(bed: &Bed, error: &anyhow::Error) -> String {
    errors::render(error).replace(&bed.served.url(Server::Kubernetes), "http://kubernetes")
}

#[tokio::test]
async fn a_failure_says_what_was_done_where_why_it_failed_and_what_to_do() {
    let bed = bed().await;
    let told = async |verdict: Verdict| {
        let limit = if verdict == Verdict::Hang { Duration::from_millis(300) } else { TIMEOUT };
        bed.gate().rule(move |_| verdict.clone());
        rendered(&bed, &limited(&bed, limit).read(&Key::Pool).await.unwrap_err())
    };
    assert_snapshot!(told(Verdict::html(404, "<html>\n default   backend - 404</html>")).await, @r#"
    error: could not get configmap berth/ip-allocations
      because: the answer is 404 Not Found, and no Status of Kubernetes (text/html)
    hint: trying again will not help: this is no answer of a Kubernetes API server; `kubectl cluster-info` says where one is looked for
    "#);
    assert_snapshot!(told(Verdict::html(302, "log in").header("location", "/login")).await, @r#"
    error: could not get configmap berth/ip-allocations
      because: the answer is 302 Found, and no Status of Kubernetes (text/html)
    hint: trying again will not help: this is no answer of a Kubernetes API server; `kubectl cluster-info` says where one is looked for
    "#);
    assert_snapshot!(told(Verdict::html(503, "")).await, @r#"
    error: could not get configmap berth/ip-allocations
      because: the answer is 503 Service Unavailable, and no Status of Kubernetes (text/html)
    hint: try again when the API server answers; what has landed by then is found out
    "#);
    assert_snapshot!(told(Verdict::json(200, &json!(BODY))).await, @"
    error: could not get configmap berth/ip-allocations
      because: the answer is not what was asked for (line 1, column 18)
    hint: try again when the API server answers; what has landed by then is found out
    ");
    assert_snapshot!(told(Verdict::Hang).await, @"
    error: could not get configmap berth/ip-allocations
      because: no answer within 300ms
    hint: try again when the API server answers; what has landed by then is found out
    ");
    assert_snapshot!(told(Verdict::Cut).await, @"
    error: could not get configmap berth/ip-allocations
      because: client error (SendRequest): connection closed before message completed
    hint: try again when the API server answers; what has landed by then is found out
    ");
    bed.gate().open();
    bed.world().kubernetes.deny("get", "configmaps");
    assert_snapshot!(rendered(&bed, &store(&bed).read(&Key::Pool).await.unwrap_err()), @r#"
    error: could not get configmap berth/ip-allocations
      because: configmaps "ip-allocations" is forbidden: User "system:serviceaccount:berth:berth" cannot get resource "configmaps" in API group "" in the namespace "berth"
    hint: the server must know berth's account, and a Role in namespace berth give it the verb get on configmaps; `kubectl auth can-i get configmaps -n berth` says whether it does
    "#);
    let large = document(json!({"value": "x".repeat(1_100_000)}));
    let too_large = unknown(store(&bed).write(&Key::Sweep, &large, &absent()).await).unwrap_err();
    assert_snapshot!(rendered(&bed, &too_large), @r#"
    error: could not create configmap berth/berth.sweep
      because: ConfigMap "berth.sweep" is invalid: []: Too long: may not be more than 1048576 bytes
    hint: trying again will not help: the server means the request itself
    "#);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_such() {
    let bed = Bed::start().await;
    // Nothing listens there.
    let client = for_url("http://127.0.0.1:1", None, "run").unwrap();
    let error =
        KubernetesStore::new(client, NAMESPACE.to_owned(), TIMEOUT).read(&Key::Pool).await.unwrap_err();
    assert_snapshot!(rendered(&bed, &error), @"
    error: could not get configmap berth/ip-allocations
      because: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: try again when the API server answers; what has landed by then is found out
    ");
}

#[tokio::test]
async fn without_its_namespace_there_is_nothing_and_nothing_can_be_made() {
    let bed = bed().await;
    let client = for_url(&bed.served.url(Server::Kubernetes), Some(TOKEN.to_owned().into()), "run").unwrap();
    let nowhere = KubernetesStore::new(client, "nowhere".to_owned(), TIMEOUT);
    assert_eq!(nowhere.read(&Key::Pool).await.unwrap(), Read::Absent { create: absent() });
    assert!(nowhere.claims().await.unwrap().is_empty());
    let error = unknown(nowhere.write(&Key::Pool, &Document::new(), &absent()).await).unwrap_err();
    assert_snapshot!(rendered(&bed, &error), @r#"
    error: could not create configmap nowhere/ip-allocations
      because: namespaces "nowhere" not found
    hint: berth keeps its documents there: `kubectl create namespace nowhere`
    "#);
}

#[tokio::test]
async fn a_kubeconfig_is_a_secret_and_in_no_configmap() {
    let bed = bed().await;
    let store = store(&bed);
    let kubeconfig = document(json!({"value": "hush"}));
    store.write(&Key::Kubeconfig(name("env")), &kubeconfig, &absent()).await.unwrap();
    let world = bed.world();
    let secret = world.kubernetes.get("secrets", NAMESPACE, "env.kubeconfig").unwrap();
    assert_eq!(secret["type"], "berth.dev/document");
    assert_eq!(secret["metadata"]["labels"]["berth.dev/environment"], "env");
    // {"value":"hush"}
    assert_eq!(secret["data"], json!({"document": "eyJ2YWx1ZSI6Imh1c2gifQ=="}));
    assert!(world.kubernetes.all("configmaps").all(|(_, _, object)| !object.to_string().contains("hush")));
}

#[tokio::test]
async fn an_object_is_found_by_its_labels_and_read_with_kubectl() {
    let bed = bed().await;
    let store = store(&bed);
    store
        .write(&Key::Claim(name("env")), &document(json!({"says": "z\u{fc}rich"})), &absent())
        .await
        .unwrap();
    let mut object = bed.world().kubernetes.get("configmaps", NAMESPACE, "env.claim").unwrap().clone();
    assert_eq!(object["metadata"]["annotations"]["berth.dev/nonce"].as_str().map(str::len), Some(16));
    for changing in ["annotations", "uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        object["metadata"].as_object_mut().unwrap().remove(changing);
    }
    assert_snapshot!(serde_json::to_string_pretty(&object).unwrap(), @r#"
    {
      "apiVersion": "v1",
      "data": {
        "document": "{\"says\":\"zürich\"}"
      },
      "kind": "ConfigMap",
      "metadata": {
        "labels": {
          "app.kubernetes.io/managed-by": "berth",
          "berth.dev/document": "claim",
          "berth.dev/environment": "env"
        },
        "name": "env.claim",
        "namespace": "berth"
      }
    }
    "#);
}

#[tokio::test]
async fn a_removal_whose_version_is_stale_is_a_conflict_though_the_server_names_it_by_its_kind() {
    let bed = bed().await;
    bed.gate().rule(|request| match request.mutates() {
        true => status(409, "Conflict", "modified", json!({"name": "ip-allocations", "kind": "ConfigMap"})),
        false => Verdict::Pass,
    });
    conflict(store(&bed).remove(&Key::Pool, &Version::opaque("1")).await);
}

fn expired() -> Verdict {
    status(410, "Expired", "The provided continue parameter is too old", json!({}))
}

fn is_next_page(request: &Request) -> bool {
    is_list(request) && request.query.contains_key("continue")
}

#[tokio::test]
async fn a_listing_that_expires_before_its_last_page_begins_afresh_but_not_for_ever() {
    let bed = bed().await;
    put_claims(&bed, 2 * CLAIMS);
    for (times, complete) in [(1, true), (2, true), (3, false)] {
        let mut left = times;
        bed.gate().rule(move |request| {
            let expires = is_next_page(request) && left > 0;
            left -= i32::from(expires);
            if expires { expired() } else { Verdict::Pass }
        });
        match (store(&bed).claims().await, complete) {
            (Ok(entries), true) => assert_eq!(entries.len(), 2 * CLAIMS),
            (Err(error), false) => assert_snapshot!(rendered(&bed, &error), @"
            error: could not list the claims among the configmaps of namespace berth
              because: the listing expired 3 times before its last page
            hint: try again when the API server answers; what has landed by then is found out
            "),
            (result, _) => panic!("after {times} times: {:?}", result.map(|entries| entries.len())),
        }
    }
}

#[tokio::test]
async fn what_is_made_between_two_pages_does_not_tear_the_listing() {
    let bed = bed().await;
    put_claims(&bed, CLAIMS);
    let world = bed.served.world.clone();
    bed.gate().rule(move |request| {
        if is_next_page(request) {
            let kubernetes = &mut world.lock().unwrap().kubernetes;
            kubernetes.put("configmaps", NAMESPACE, "late.claim", claim("late", "{}"));
            kubernetes.remove("configmaps", NAMESPACE, "env-0.claim");
        }
        Verdict::Pass
    });
    assert_eq!(store(&bed).claims().await.unwrap().len(), CLAIMS, "as it was when the listing began");
}

#[tokio::test]
async fn pages_that_do_not_add_up_are_no_listing() {
    let bed = bed().await;
    put_claims(&bed, CLAIMS);
    let page = |version: &str, more: &str, items: Value| {
        let metadata = json!({"resourceVersion": version, "continue": more});
        Verdict::json(
            200,
            &json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items}),
        )
    };
    let mut first = claim("env-0", "{}");
    first["metadata"]["name"] = json!("env-0.claim");
    first["metadata"]["resourceVersion"] = json!("1");
    let version = store(&bed).claims().await.map(|_| bed.world().kubernetes.get("configmaps", NAMESPACE, "env-500.claim").unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned()).unwrap();
    for (verdict, says) in [
        (page("1", "", json!([])), "the pages of the listing do not add up"),
        (page("", "", json!([])), "the pages of the listing do not add up"),
        (page(&version, "on-and-on", json!([])), "the pages of the listing do not add up"),
        (page(&version, "", json!([first.clone()])), "the listing names a claim twice"),
    ] {
        let answer = verdict.clone();
        bed.gate().rule(move |request| if is_next_page(request) { answer.clone() } else { Verdict::Pass });
        let error = store(&bed).claims().await.map(|entries| entries.len()).unwrap_err();
        assert!(errors::render(&error).contains(says), "{verdict:?}: {}", errors::render(&error));
    }
}

#[tokio::test]
async fn a_listing_that_holds_what_no_claim_can_be_is_an_error() {
    let bed = bed().await;
    bed.world().kubernetes.put("configmaps", NAMESPACE, "stray", claim("stray", "{}"));
    assert_snapshot!(rendered(&bed, &store(&bed).claims().await.unwrap_err()), @"
    error: configmap berth/stray is not berth's
      because: its label berth.dev/document says claim, its name is no claim's
    hint: berth neither changes nor removes it: do so yourself, or give berth a namespace of its own
    ");
    bed.world().kubernetes.remove("configmaps", NAMESPACE, "stray");
    // It bears the label and the name, but says that it is another's.
    bed.world().kubernetes.put("configmaps", NAMESPACE, "a.claim", claim("b", "{}"));
    assert_snapshot!(rendered(&bed, &store(&bed).claims().await.unwrap_err()), @"
    error: configmap berth/a.claim is not berth's
      because: it lacks the label berth.dev/environment=a
    hint: berth neither changes nor removes it: do so yourself, or give berth a namespace of its own
    ");
}

#[tokio::test]
async fn an_object_without_our_labels_is_neither_read_nor_written_nor_removed() {
    let bed = bed().await;
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"document": "{}"}});
    bed.world().kubernetes.put("configmaps", NAMESPACE, "berth.sweep", theirs);
    let before = contents(&bed);
    let store = store(&bed);
    assert_snapshot!(rendered(&bed, &store.read(&Key::Sweep).await.unwrap_err()), @"
    error: configmap berth/berth.sweep is not berth's
      because: it lacks the label app.kubernetes.io/managed-by=berth
    hint: berth neither changes nor removes it: do so yourself, or give berth a namespace of its own
    ");
    conflict(write_surely(&store, &Key::Sweep, &document(json!({"mine": 1})), &absent()).await);
    unknown(store.remove(&Key::Sweep, &absent()).await).unwrap_err();
    assert_eq!(contents(&bed), before);
}

#[tokio::test]
async fn a_damaged_secret_is_told_without_a_word_of_it() {
    let bed = bed().await;
    let key = Key::Kubeconfig(name("env"));
    let labels = json!({
        "app.kubernetes.io/managed-by": "berth", "berth.dev/document": "kubeconfig", "berth.dev/environment": "env",
    });
    // The base64 is of "hush" and {"hush", and then there is none.
    for data in [
        json!({"document": "Imh1c2gi"}),
        json!({"document": "eyJodXNoIg=="}),
        json!({"document": "!hush!"}),
        Value::Null,
    ] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "berth.dev/document", "metadata": {"labels": labels},
            "data": data,
        });
        bed.world().kubernetes.put("secrets", NAMESPACE, "env.kubeconfig", secret);
        let error = store(&bed).read(&key).await.unwrap_err();
        assert_eq!(errors::exit(&error), Exit::Unknown);
        let told = format!("{} {error:?}", errors::render(&error));
        assert!(!told.contains("hush") && told.contains("secret berth/env.kubeconfig"), "{data}: {told}");
    }
    bed.world().kubernetes.remove("secrets", NAMESPACE, "env.kubeconfig");
    store(&bed).write(&key, &document(json!({"value": "hush"})), &absent()).await.unwrap();
    bed.gate().rule(|_| Verdict::Truncate);
    let error = store(&bed).read(&key).await.unwrap_err();
    assert!(!format!("{} {error:?}", errors::render(&error)).contains("hush"));
}

#[tokio::test]
async fn what_a_finalizer_holds_is_not_taken_for_removed() {
    let bed = bed().await;
    let store = store(&bed);
    {
        let mut world = bed.world();
        let mut held = world.kubernetes.get("configmaps", NAMESPACE, "ip-allocations").unwrap().clone();
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        world.kubernetes.put("configmaps", NAMESPACE, "ip-allocations", held);
    }
    let before = store.read(&Key::Pool).await.unwrap();
    let error = unknown(store.remove(&Key::Pool, before.version()).await).unwrap_err();
    assert_snapshot!(rendered(&bed, &error), @"
    error: configmap berth/ip-allocations was to be deleted, but is still there
      because: the server has not said that it is gone
    hint: its metadata.finalizers say who holds it
    ");
    assert!(matches!(store.read(&Key::Pool).await.unwrap(), Read::Present { .. }));
}

#[tokio::test]
async fn without_a_token_that_the_server_knows_everything_is_refused() {
    let bed = bed().await;
    for token in [None, Some("canary-wrong".to_owned().into())] {
        let client = for_url(&bed.served.url(Server::Kubernetes), token, "run").unwrap();
        let store = KubernetesStore::new(client, NAMESPACE.to_owned(), TIMEOUT);
        let error = store.read(&Key::Pool).await.unwrap_err();
        assert_eq!(Failure::of(&error), Kind::Refused);
        assert!(!format!("{error:?}").contains("canary"));
        store.claims().await.unwrap_err();
        unknown(store.write(&Key::Sweep, &Document::new(), &absent()).await).unwrap_err();
    }
}

/// A kubeconfig whose one user is `user`, in a directory of its own.
fn kubeconfig(bed: &Bed, directory: &tempfile::TempDir, file: &str, user: &str) -> PathBuf {
    let url = bed.served.url(Server::Kubernetes);
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: c, cluster: {{server: \"{url}\"}}}}]\n\
         users: [{{name: u, user: {user}}}]\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n"
    );
    let path = directory.path().join(file);
    fs::write(&path, text).unwrap();
    path
}

fn target(files: &[PathBuf], context: Option<&str>) -> Target {
    Target::Kubeconfig { files: files.to_vec(), context: context.map(|context| context.parse().unwrap()) }
}

#[tokio::test]
async fn a_kubeconfig_leads_to_its_server() {
    let bed = bed().await;
    let directory = tempfile::tempdir().unwrap();
    let file = kubeconfig(&bed, &directory, "good", "{token: canary-token}");
    for context in [None, Some("a")] {
        let client = connect(&target(std::slice::from_ref(&file), context), "run").await.unwrap();
        let store = KubernetesStore::new(client, NAMESPACE.to_owned(), TIMEOUT);
        assert!(matches!(store.read(&Key::Pool).await.unwrap(), Read::Present { .. }));
    }
    assert_eq!(
        bed.gate().log().last().unwrap(),
        "run GET kubernetes /api/v1/namespaces/berth/configmaps/ip-allocations"
    );
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_told_without_its_credentials() {
    let bed = bed().await;
    let directory = tempfile::tempdir().unwrap();
    let good = kubeconfig(&bed, &directory, "good", "{token: canary-token}");
    let typo = kubeconfig(&bed, &directory, "typo", "{token: [canary-token]}");
    let plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, \
                  args: ['-c', 'echo canary-out; echo said on stderr >&2; exit 3']}}";
    let plugin = kubeconfig(&bed, &directory, "plugin", plugin);
    let told = async |files: &[PathBuf], context: Option<&str>| {
        let error = connect(&target(files, context), "run").await.err().expect("it cannot be used");
        let told = errors::render(&error);
        assert!(!format!("{told} {error:?}").contains("canary"), "{error:?}");
        assert_eq!(errors::exit(&error), Exit::Usage, "{told}");
        told.replace(&bed.served.url(Server::Kubernetes), "http://kubernetes")
            .replace(directory.path().to_str().unwrap(), "/kube")
    };
    assert_snapshot!(told(&[good], Some("elsewhere")).await, @"
    error: no usable kubeconfig
      because: failed to load current context: elsewhere
    hint: `kubectl config get-contexts` lists what there is; KUBECONFIG says where to look
    ");
    assert_snapshot!(told(&[typo], None).await, @"
    error: no usable kubeconfig
      because: its line 5 is not as in a kubeconfig
    hint: `kubectl config get-contexts` lists what there is; KUBECONFIG says where to look
    ");
    assert_snapshot!(told(&[plugin], None).await, @"
    error: no client could be made for the Kubernetes API server at http://kubernetes/
      because: the kubeconfig's credential plugin ended with exit status: 3: said on stderr
    hint: `kubectl cluster-info` with the same kubeconfig says whether it can be used at all
    ");
    assert_snapshot!(told(&[directory.path().join("none")], None).await, @r#"
    error: no usable kubeconfig
      because: failed to read kubeconfig from '"/kube/none"': No such file or directory (os error 2)
    hint: `kubectl config get-contexts` lists what there is; KUBECONFIG says where to look
    "#);
}

#[tokio::test]
async fn what_is_no_address_or_no_name_of_a_run_is_told_as_such() {
    let bed = Bed::start().await;
    let wrong = for_url("not a URL", None, "run").err().expect("it is none");
    assert_eq!(errors::exit(&wrong), Exit::Usage);
    assert_snapshot!(rendered(&bed, &wrong), @r#"
    error: "not a URL" is no URL of a Kubernetes API server
      because: invalid uri character
    "#);
    assert!(for_url("http://127.0.0.1:1", None, "two\nlines").is_err());
}
