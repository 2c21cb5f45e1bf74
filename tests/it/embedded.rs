//! The embedded API server: the facts of `api_server`, and what only it has: faults of the gate in a watch, a scheduler of
//! turns beside it, and what the world's own controllers change.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    api_server::{Forgets, UnderTest, facts},
    bed::Bed,
};
use berth::{
    clients::kubernetes::for_url,
    rehearsal::{
        Request, Server,
        gate::{Turns, Verdict},
    },
};
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream::BoxStream};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The embedded API server.
struct Embedded {
    bed: Bed,
}

impl Embedded {
    async fn fresh() -> Self {
        Self { bed: Bed::start().await }
    }
}

impl UnderTest for Embedded {
    fn client(&self) -> Client {
        for_url(&self.bed.served.url(Server::Kubernetes), None, "run").unwrap()
    }
}

impl Forgets for Embedded {
    async fn forget(&self) {
        self.bed.world().kubernetes.compact();
    }
}

facts!(facts Embedded Embedded);

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn put(bed: &Bed, name: &str) {
    bed.world().kubernetes.put(
        "configmaps",
        "default",
        name,
        json!({"kind": "ConfigMap", "apiVersion": "v1"}),
    );
}

type Parts = BoxStream<'static, Result<String, kube::Error>>;

/// The parts of a watch's answer as they come.
async fn watch(bed: &Bed, run: &str, query: &str) -> kube::Result<Parts> {
    let client = for_url(&bed.served.url(Server::Kubernetes), None, run).unwrap();
    let request = hyper::http::Request::get(format!("{MAPS}?watch=true&{query}"));
    let body = client.send(request.body(Body::empty()).unwrap()).await?.into_body().into_data_stream();
    Ok(body.map_ok(|part| String::from_utf8(part.to_vec()).unwrap()).boxed())
}

fn is_watch(request: &Request) -> bool {
    request.query.contains_key("watch")
}

fn name(line: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap();
    event["object"]["metadata"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_truncated_watch_is_cut_within_its_first_event() {
    let bed = Bed::start().await;
    bed.gate().rule(|request| if is_watch(request) { Verdict::Truncate } else { Verdict::Pass });
    let mut parts = watch(&bed, "run", "").await.unwrap();
    put(&bed, "a");
    let half = parts.try_next().await.unwrap().unwrap();
    assert!(half.starts_with("{\"") && !half.ends_with('\n'), "{half}");
    serde_json::from_str::<Value>(&half).unwrap_err();
    parts.try_next().await.unwrap_err();
}

#[tokio::test]
async fn a_watch_can_be_answered_cut_or_never_answered() {
    let bed = Bed::start().await;
    put(&bed, "a");
    for verdict in [Verdict::Cut, Verdict::CutAfter, Verdict::DieBefore, Verdict::DieAfter] {
        let run = format!("{verdict:?}");
        bed.gate().rule(move |request| if is_watch(request) { verdict.clone() } else { Verdict::Pass });
        assert!(watch(&bed, &run, "").await.is_err(), "{run}");
    }
    bed.gate().rule(|_| Verdict::json(410, &json!({"kind": "Status"})));
    let parts: Vec<String> = watch(&bed, "run", "").await.unwrap().try_collect().await.unwrap();
    assert_eq!(parts, ["{\"kind\":\"Status\"}"]);
}

#[tokio::test]
async fn a_watch_ends_with_its_run_and_with_no_other() {
    let bed = Bed::start().await;
    put(&bed, "a");
    let mut dying = watch(&bed, "dying", "").await.unwrap();
    let mut living = watch(&bed, "living", "").await.unwrap();
    for parts in [&mut dying, &mut living] {
        assert_eq!(name(&parts.try_next().await.unwrap().unwrap()), "a");
    }
    bed.gate().rule(|request| if request.run == "dying" { Verdict::DieBefore } else { Verdict::Pass });
    watch(&bed, "dying", "").await.err().expect("the run has died");
    dying.try_next().await.unwrap_err();
    put(&bed, "b");
    assert_eq!(name(&living.try_next().await.unwrap().unwrap()), "b");
}

#[tokio::test]
async fn a_watch_ends_when_the_worlds_time_says_so() {
    let bed = Bed::start().await;
    put(&bed, "a");
    let mut parts = watch(&bed, "run", "timeoutSeconds=290").await.unwrap();
    assert_eq!(name(&parts.try_next().await.unwrap().unwrap()), "a");
    bed.pass(289);
    put(&bed, "b");
    assert_eq!(name(&parts.try_next().await.unwrap().unwrap()), "b");
    bed.pass(1);
    assert_eq!(parts.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn a_copy_of_a_world_wakes_nobody_who_watches_the_first() {
    let bed = Bed::start().await;
    let mut parts = watch(&bed, "run", "").await.unwrap();
    let mut copy = bed.world().clone();
    copy.kubernetes.put("configmaps", "default", "elsewhere", json!({}));
    put(&bed, "here");
    assert_eq!(name(&parts.try_next().await.unwrap().unwrap()), "here");
}

/// Gives every turn at once, and counts those that have not come back.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Turns for Counting {
    fn wait<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, ()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    }
    fn done(&self, _: &Request) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_open_watch_holds_no_turn() {
    let bed = Bed::start().await;
    let turns = Arc::new(Counting::default());
    bed.gate().schedule(turns.clone());
    put(&bed, "a");
    let mut parts = watch(&bed, "run", "").await.unwrap();
    parts.try_next().await.unwrap().unwrap();
    assert_eq!(turns.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_kind_that_was_added_takes_everything_and_has_a_status() {
    let bed = Bed::start().await;
    let resource = "clusters.cluster.x-k8s.io";
    let mut world = bed.world();
    let server = &mut world.kubernetes;
    assert_eq!(server.resource("cluster.x-k8s.io/v1beta2", "Cluster"), None);
    server.add_kind(resource, "v1beta2", "Cluster", true);
    assert_eq!(server.resource("cluster.x-k8s.io/v1beta2", "Cluster").as_deref(), Some(resource));
    let object = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "spec": {"paused": true},
        "metadata": {"name": "a", "namespace": "default"},
    });
    assert!(server.create_as("controller", &object));
    assert!(!server.create_as("controller", &object), "it is there already");
    let before = server.get(resource, "default", "a").unwrap().clone();
    assert_eq!(before["metadata"]["generation"], 1);
    let ready = json!({"spec": {"paused": false}, "status": {"ready": true}});
    assert!(server.merge_status("controller", resource, "default", "a", &ready));
    assert!(!server.merge_status("controller", resource, "default", "a", &ready), "it says so already");
    let after = server.get(resource, "default", "a").unwrap().clone();
    assert_eq!((&after["spec"], &after["status"]), (&before["spec"], &json!({"ready": true})));
    assert_ne!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    assert_eq!(after["metadata"]["generation"], 1);
    assert!(server.merge("controller", resource, "default", "a", &ready));
    let wished = server.get(resource, "default", "a").unwrap().clone();
    assert_eq!((&wished["spec"]["paused"], &wished["metadata"]["generation"]), (&json!(false), &json!(2)));
    let managers = wished["metadata"]["managedFields"].as_array().unwrap();
    assert!(managers.iter().all(|entry| entry["manager"] == "controller" && entry["operation"] == "Update"));
    assert!(!server.merge("controller", resource, "default", "missing", &ready));
    let all: Vec<Value> = server.objects().filter(|object| object["kind"] == "Cluster").collect();
    assert_eq!(all, [wished]);
    assert!(server.delete_as(resource, "default", "a"));
    assert!(!server.delete_as(resource, "default", "a"));
    assert!(server.get(resource, "default", "a").is_none());
}

#[tokio::test]
async fn a_controller_takes_away_the_last_finalizer_and_the_object_goes() {
    let bed = Bed::start().await;
    let mut world = bed.world();
    let server = &mut world.kubernetes;
    let held =
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"finalizers": ["example.com/hold"]}});
    server.put("configmaps", "default", "a", held);
    assert!(server.delete_as("configmaps", "default", "a"));
    assert!(!server.delete_as("configmaps", "default", "a"), "it is being deleted");
    assert!(server.get("configmaps", "default", "a").is_some());
    let none = json!({"metadata": {"finalizers": null}});
    assert!(server.merge("controller", "configmaps", "default", "a", &none));
    assert!(server.get("configmaps", "default", "a").is_none());
}
