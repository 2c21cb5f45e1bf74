//! Looking at objects of a cluster, applying, deleting and waiting for them, fact by fact, on every API server that there
//! is.
//!
//! A fact is a function over what is [`UnderTest`]: it sees a server through clients alone, and works in a namespace of
//! its own. Who else writes is played by requests of other field managers; what happens between a look and a write, by
//! holding the client's requests back ([`Through`]), so that the server is none the wiser. The server is
//! `crate::server::Server`: each binary that has this file has one of its own.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::taking::Takings;
use anyhow::Result;
use berth::{
    clients::{
        Failure, Kind,
        kubernetes::{
            Deletion, Dependents, Judgement, Kubernetes, Mark, Owner, Seen,
            condition::condition,
            manifest::{APPLIED, Bundle, CLAIM, ENVIRONMENT, GENERATION},
        },
    },
    clock::Clock,
    domain::claim::ObjectName,
    errors::{self, Exit},
};
use futures::{
    FutureExt,
    future::{BoxFuture, Either, join_all, pending, select},
};
use hyper::http::{Method, Request, Response};
use jiff::SignedDuration;
use kube::{
    Api, Client,
    api::{DynamicObject, ObjectMeta, Patch, PatchParams},
    client::Body,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Met only by what hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// An API server with a namespace for one fact.
pub(crate) trait UnderTest: Send + Sync {
    /// A client that may do everything.
    fn client(&self) -> Client;
    /// A client of the namespace's service account `default`, which may ask for the server's kinds and who it is, and nothing
    /// else.
    fn powerless(&self) -> Client;
    /// Exists, is empty, and is this fact's own. What has no namespace is called after it.
    fn namespace(&self) -> &str;
}

/// Lets requests through, counts them, and may hold those back or answer those that `on` picks.
#[derive(Clone)]
pub(crate) struct Through {
    inner: Client,
    sent: Arc<Mutex<Vec<String>>>,
    on: Arc<Picks>,
}

type Picks = dyn Fn(&Request<Body>) -> Picked + Send + Sync;

pub(crate) enum Picked {
    Pass,
    Hold(Arc<Hold>),
    Answer(u16, Value),
}

/// Requests that have come, and leave to go on.
pub(crate) struct Hold {
    come: Semaphore,
    go: Semaphore,
}

impl Hold {
    fn new() -> Arc<Self> {
        Arc::new(Self { come: Semaphore::new(0), go: Semaphore::new(0) })
    }
    /// Until one has come.
    async fn come(&self) {
        self.come.acquire().await.unwrap().forget();
    }
    /// Lets all go, for good.
    fn go(&self) {
        self.go.close();
    }
}

impl Through {
    pub(crate) fn new(inner: Client, on: impl Fn(&Request<Body>) -> Picked + Send + Sync + 'static) -> Self {
        Self { inner, sent: Arc::default(), on: Arc::new(on) }
    }
    pub(crate) fn counting(inner: Client) -> Self {
        Self::new(inner, |_| Picked::Pass)
    }
    pub(crate) fn kubernetes(&self) -> Kubernetes {
        kubernetes(Client::new(self.clone(), "default"))
    }
    /// What has been sent since the last time, sorted.
    pub(crate) fn taken(&self) -> Vec<String> {
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        sent.sort();
        sent
    }
    fn writes(&self) -> Vec<String> {
        self.taken().into_iter().filter(|sent| !sent.starts_with("GET")).collect()
    }
}

impl tower_service::Service<Request<Body>> for Through {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, kube::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.sent.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        let (picked, inner) = ((self.on)(&request), self.inner.clone());
        async move {
            match picked {
                Picked::Pass => {}
                Picked::Hold(hold) => {
                    hold.come.add_permits(1);
                    // Closed: it may go.
                    assert!(hold.go.acquire().await.is_err());
                }
                Picked::Answer(code, body) => {
                    let body = Body::from(format!("{body}\n").into_bytes());
                    return Ok(Response::builder().status(code).body(body).unwrap());
                }
            }
            inner.send(request).await
        }
        .boxed()
    }
}

/// A clock that stands still.
pub(crate) fn stepped() -> Clock {
    Clock::stepped("2026-01-05T12:00:00Z".parse().unwrap())
}

pub(crate) fn kubernetes(client: Client) -> Kubernetes {
    Kubernetes::new(client, LIMIT, Clock::system())
}

pub(crate) fn name_of(object: &Value) -> ObjectName {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
    ObjectName {
        api_version: text("/apiVersion").unwrap(),
        kind: text("/kind").unwrap(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap(),
    }
}

pub(crate) fn config(at: &impl UnderTest, name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": at.namespace()}, "data": data,
    })
}

/// A CRD of a group of this fact's own, whose objects are `Thing`s with one number.
fn crd(at: &impl UnderTest) -> Value {
    let group = format!("{}.example.org", at.namespace());
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                }}},
            }],
        },
    })
}

fn thing(at: &impl UnderTest, size: u32) -> Value {
    json!({
        "apiVersion": format!("{}.example.org/v1", at.namespace()), "kind": "Thing",
        "metadata": {"name": "thing", "namespace": at.namespace()}, "spec": {"size": size},
    })
}

fn bundle(objects: impl IntoIterator<Item = Value>) -> Bundle {
    Bundle::of(objects).unwrap()
}

/// A server-side apply by anybody, with everything that he wants.
async fn applied_by(at: &impl UnderTest, who: &str, object: &Value) -> DynamicObject {
    let name = name_of(object);
    let (group, version) = name.api_version.split_once('/').unwrap_or(("", &name.api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &name.kind));
    let api: Api<DynamicObject> = match &name.namespace {
        Some(namespace) => Api::namespaced_with(at.client(), namespace, &resource),
        None => Api::all_with(at.client(), &resource),
    };
    api.patch(&name.name, &PatchParams::apply(who).force(), &Patch::Apply(object)).await.unwrap()
}

async fn look(at: &impl UnderTest, object: &Value) -> Seen {
    kubernetes(at.client()).observe(&name_of(object)).await.unwrap()
}

/// The object, which is there.
pub(crate) async fn there(at: &impl UnderTest, object: &Value) -> Value {
    let seen = look(at, object).await;
    seen.object().unwrap_or_else(|| panic!("{} is not there", seen.name())).value().clone()
}

#[track_caller]
pub(crate) fn is(kind: Kind, exit: Exit, error: &anyhow::Error) {
    assert_eq!((Failure::of(error), errors::exit(error)), (kind, exit), "{}", errors::render(error));
}

#[track_caller]
fn says(error: &anyhow::Error, parts: &[&str]) {
    let said = errors::render(error);
    for part in parts {
        assert!(said.contains(part), "it does not say {part:?}: {said}");
    }
}

async fn what_is_applied_is_there_with_its_marks(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let (one, two) = (config(at, "one", json!({"a": "1"})), config(at, "two", json!({"b": "2"})));
    let objects = [one.clone(), two.clone()];
    let applied = kubernetes(at.client()).writer(&fence).apply(&bundle(objects)).await.unwrap();
    assert_eq!(BTreeSet::from_iter(applied.written), BTreeSet::from([name_of(&one), name_of(&two)]));
    assert_eq!((applied.marked, applied.unchanged), (vec![], vec![]));
    let found = there(at, &one).await;
    assert_eq!(found["data"], json!({"a": "1"}));
    assert_eq!(
        found["metadata"]["labels"],
        json!({ENVIRONMENT: "pr-shop-7", CLAIM: "uid-1", GENERATION: "1"})
    );
    assert!(found["metadata"]["annotations"][APPLIED].is_string());
    assert_eq!(
        look(at, &one).await.object().unwrap().owner(&fence.name()),
        Owner::Own(Mark { claim: Some("uid-1".into()), generation: fence.claim().generation() })
    );
}

async fn a_look_that_finds_nothing_different_writes_nothing(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": at.namespace()},
        "stringData": {"token": "canary"},
    });
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa", "namespace": at.namespace()},
        "imagePullSecrets": [],
    });
    let empties = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "d", "namespace": at.namespace(), "labels": {}, "annotations": {}, "finalizers": [],
        },
        "spec": {"replicas": 0, "strategy": {}, "selector": {"matchLabels": {"app": "d"}}, "template": {
            "metadata": {"labels": {"app": "d"}, "annotations": {}},
            "spec": {
                "nodeSelector": {}, "tolerations": [], "volumes": [{"name": "v", "emptyDir": {}}],
                "securityContext": {}, "imagePullSecrets": [], "affinity": {},
                "containers": [{
                    "name": "c", "image": "i", "args": [], "env": [], "ports": [], "volumeMounts": [],
                    "resources": {"limits": {}, "requests": {}}, "securityContext": {},
                }],
            },
        }},
    });
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": at.namespace()},
        "spec": {"podSelector": {}, "ingress": [], "egress": [{}], "policyTypes": ["Ingress", "Egress"]},
    });
    let objects = || {
        bundle([
            config(at, "a", json!({"x": "1"})),
            config(at, "b", json!({})),
            secret.clone(),
            account.clone(),
            empties.clone(),
            policy.clone(),
        ])
    };
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    assert_eq!(kubernetes.writer(&fence).apply(&objects()).await.unwrap().written.len(), 6);
    let before = there(at, &secret).await;
    through.taken();
    let again = kubernetes.writer(&fence).apply(&objects()).await.unwrap();
    assert_eq!((again.written, again.marked, again.unchanged.len()), (vec![], vec![], 6));
    let listed = [
        ("api/v1", "configmaps"),
        ("api/v1", "secrets"),
        ("api/v1", "serviceaccounts"),
        ("apis/apps/v1", "deployments"),
        ("apis/networking.k8s.io/v1", "networkpolicies"),
    ]
    .map(|(version, kind)| format!("GET /{version}/namespaces/{}/{kind}", at.namespace()));
    assert_eq!(through.taken(), listed, "one listing for each kind, and nothing else");
    assert_eq!(there(at, &secret).await, before);
}

async fn what_somebody_else_changed_is_put_right(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let wanted = config(at, "a", json!({"ours": "1", "kept": "2"}));
    let kubernetes = kubernetes(at.client());
    let apply = || async { kubernetes.writer(&fence).apply(&bundle([wanted.clone()])).await.unwrap() };
    apply().await;
    applied_by(at, "somebody", &config(at, "a", json!({"ours": "theirs", "more": "3"}))).await;
    assert_eq!(there(at, &wanted).await["data"], json!({"ours": "theirs", "kept": "2", "more": "3"}));
    assert_eq!(apply().await.written, [name_of(&wanted)]);
    let right = there(at, &wanted).await;
    assert_eq!(right["data"], json!({"ours": "1", "kept": "2", "more": "3"}), "what is theirs stays");
    assert_eq!(apply().await.unchanged, [name_of(&wanted)]);
    assert_eq!(there(at, &wanted).await, right);
}

/// A policy that lets nobody in, made one that lets in everybody.
async fn what_somebody_else_has_put_into_what_was_empty_is_put_right(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let policy = |name: &str, spec: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": at.namespace()}, "spec": spec,
        })
    };
    let closed =
        |name: &str| policy(name, json!({"podSelector": {}, "ingress": [], "policyTypes": ["Ingress"]}));
    let apply =
        || async { kubernetes.writer(&fence).apply(&bundle([closed("list"), closed("map")])).await.unwrap() };
    apply().await;
    let before = [there(at, &closed("list")).await, there(at, &closed("map")).await];
    applied_by(at, "somebody", &policy("list", json!({"podSelector": {}, "ingress": [{}]}))).await;
    let nobody = json!({"podSelector": {"matchLabels": {"no": "body"}}});
    applied_by(at, "somebody", &policy("map", nobody)).await;
    assert_eq!(apply().await.written.len(), 2);
    for (name, before) in ["list", "map"].into_iter().zip(before) {
        assert_eq!(there(at, &closed(name)).await["spec"], before["spec"]);
    }
    assert_eq!(apply().await.unchanged.len(), 2);
}

async fn what_is_no_longer_wanted_goes(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    for data in [json!({"a": "1", "b": "2"}), json!({"b": "2"}), json!({"b": "3"})] {
        let wanted = config(at, "a", data.clone());
        let applied = kubernetes.writer(&fence).apply(&bundle([wanted.clone()])).await.unwrap();
        assert_eq!(applied.written.len(), 1);
        assert_eq!(there(at, &wanted).await["data"], data);
    }
}

async fn a_newer_run_marks_what_it_leaves_as_it_is(at: &impl UnderTest) {
    let takings = Takings::new();
    let wanted = config(at, "a", json!({"x": "1"}));
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    kubernetes.writer(&takings.take(7).await).apply(&bundle([wanted.clone()])).await.unwrap();
    let before = there(at, &wanted).await;
    let newer = takings.take(7).await;
    let applied = kubernetes.writer(&newer).apply(&bundle([wanted.clone()])).await.unwrap();
    assert_eq!(
        (applied.marked, applied.written, applied.unchanged),
        (vec![name_of(&wanted)], vec![], vec![])
    );
    let after = there(at, &wanted).await;
    assert_eq!(after["metadata"]["labels"][GENERATION], json!("2"));
    assert_ne!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    assert_eq!(after["data"], before["data"]);
    through.taken();
    let again = kubernetes.writer(&newer).apply(&bundle([wanted.clone()])).await.unwrap();
    assert_eq!((again.unchanged.len(), through.writes()), (1, vec![]), "once is enough");
}

async fn what_stands_and_is_kept_is_marked_once_however_it_differs(at: &impl UnderTest) {
    let takings = Takings::new();
    let (stands, other) = (config(at, "a", json!({"x": "1"})), config(at, "a", json!({"x": "2"})));
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    kubernetes.writer(&takings.take(7).await).apply(&bundle([stands.clone()])).await.unwrap();
    let newer = takings.take(7).await;
    let keep = || bundle([other.clone()]).keeping_what_stands();
    let applied = kubernetes.writer(&newer).apply(&keep()).await.unwrap();
    assert_eq!((applied.marked, applied.written), (vec![name_of(&stands)], vec![]));
    through.taken();
    let again = kubernetes.writer(&newer).apply(&keep()).await.unwrap();
    assert_eq!((again.unchanged.len(), through.writes()), (1, vec![]), "once is enough");
    assert_eq!(there(at, &stands).await["data"], json!({"x": "1"}));
}

async fn what_an_earlier_life_left_is_written_over_by_the_living_one_only(at: &impl UnderTest) {
    let takings = Takings::new();
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    let (wanted, other) = (config(at, "a", json!({"x": "old"})), config(at, "b", json!({})));
    let (late, last) = (takings.take(7).await, takings.take(7).await);
    kubernetes.writer(&last).apply(&bundle([wanted.clone()])).await.unwrap();
    takings.end(last).await;
    // Generation 1 again, over what generation 2 of the earlier life has left.
    let living = takings.take(7).await;
    let applied = kubernetes.writer(&living).apply(&bundle([wanted.clone()])).await.unwrap();
    assert_eq!((applied.marked, applied.written), (vec![name_of(&wanted)], vec![]));
    assert_eq!(there(at, &wanted).await["metadata"]["labels"][CLAIM], "uid-2");
    through.taken();
    let seen = look(at, &wanted).await;
    for error in [
        kubernetes.writer(&late).apply(&bundle([wanted.clone(), other])).await.unwrap_err(),
        kubernetes.writer(&late).delete(&seen, Dependents::Later).await.unwrap_err(),
    ] {
        is(Kind::Superseded, Exit::Superseded, &error);
        says(&error, &["another life of this environment has begun"]);
    }
    assert_eq!(through.writes(), Vec::<String>::new());
}

async fn an_older_run_is_refused_at_the_object(at: &impl UnderTest) {
    let takings = Takings::new();
    let (older, newer) = (takings.take(7).await, takings.take(7).await);
    let wanted = config(at, "a", json!({"x": "new"}));
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    kubernetes.writer(&newer).apply(&bundle([wanted.clone()])).await.unwrap();
    let before = look(at, &wanted).await;
    through.taken();
    let objects = [config(at, "a", json!({"x": "old"})), config(at, "b", json!({}))];
    let error = kubernetes.writer(&older).apply(&bundle(objects)).await.unwrap_err();
    is(Kind::Superseded, Exit::Superseded, &error);
    says(
        &error,
        &[&format!("could not apply configmap {}/a", at.namespace()), "generation 2 has written it"],
    );
    let error = kubernetes.writer(&older).delete(&before, Dependents::Later).await.unwrap_err();
    is(Kind::Superseded, Exit::Superseded, &error);
    assert_eq!(through.writes(), Vec::<String>::new(), "not even the rest of the bundle");
    assert_eq!(there(at, &wanted).await, *before.object().unwrap().value());
}

/// A client whose writes wait until they are let go.
fn held(at: &impl UnderTest) -> (Kubernetes, Arc<Hold>) {
    let hold = Hold::new();
    let holding = hold.clone();
    let through = Through::new(at.client(), move |request| match *request.method() {
        Method::GET => Picked::Pass,
        _ => Picked::Hold(holding.clone()),
    });
    (through.kubernetes(), hold)
}

/// The object holds what the newest run wants from before: it is left as it is, and the older run's write must lose.
async fn a_late_write_of_an_older_run_loses(at: &impl UnderTest) {
    let takings = Takings::new();
    let first = config(at, "a", json!({"commit": "first"}));
    let (honest, (slow, hold)) = (kubernetes(at.client()), held(at));
    honest.writer(&takings.take(7).await).apply(&bundle([first.clone()])).await.unwrap();
    let older = takings.take(7).await;
    let second = bundle([config(at, "a", json!({"commit": "second"}))]);
    let older = slow.writer(&older);
    let late = older.apply(&second);
    let newer = async {
        hold.come().await;
        let newer = takings.take(7).await;
        honest.writer(&newer).apply(&bundle([first.clone()])).await.unwrap();
        hold.go();
    };
    let (late, ()) = tokio::join!(late, newer);
    is(Kind::Conflict, Exit::Unknown, &late.unwrap_err());
    assert_eq!(there(at, &first).await["data"], json!({"commit": "first"}));
}

async fn what_has_appeared_since_the_look_is_a_conflict(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let theirs = config(at, "a", json!({"whose": "theirs"}));
    let (slow, hold) = held(at);
    let ours = bundle([config(at, "a", json!({"whose": "ours"}))]);
    let writer = slow.writer(&fence);
    let late = writer.apply(&ours);
    let other = async {
        hold.come().await;
        applied_by(at, "somebody", &theirs).await;
        hold.go();
    };
    let (late, ()) = tokio::join!(late, other);
    is(Kind::Conflict, Exit::Unknown, &late.unwrap_err());
    let found = there(at, &theirs).await;
    assert_eq!((&found["data"], &found["metadata"]["labels"]), (&json!({"whose": "theirs"}), &Value::Null));
}

/// What was deleted meanwhile stays deleted, and what somebody else has put in its place stays his: an apply, and a mark.
async fn a_late_write_over_what_has_gone_since_loses(at: &impl UnderTest) {
    let takings = Takings::new();
    let honest = kubernetes(at.client());
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
    let api: Api<DynamicObject> = Api::namespaced_with(at.client(), at.namespace(), &resource);
    for (then, theirs) in [("new", false), ("new", true), ("old", false), ("old", true)] {
        let wanted = |data: &str| config(at, "a", json!({"x": data}));
        honest.writer(&takings.take(7).await).apply(&bundle([wanted("old")])).await.unwrap();
        let newer = takings.take(7).await;
        let (slow, hold) = held(at);
        let (writer, late) = (slow.writer(&newer), bundle([wanted(then)]));
        let late = writer.apply(&late);
        let other = async {
            hold.come().await;
            drop(api.delete("a", &Default::default()).await.unwrap());
            if theirs {
                applied_by(at, "somebody", &wanted("theirs")).await;
            }
            hold.go();
        };
        let (late, ()) = tokio::join!(late, other);
        is(Kind::Conflict, Exit::Unknown, &late.unwrap_err());
        let left = look(at, &wanted("old")).await;
        let data = left.object().map(|object| object.value()["data"].clone());
        assert_eq!(data, theirs.then(|| json!({"x": "theirs"})), "{then}");
        if theirs {
            drop(api.delete("a", &Default::default()).await.unwrap());
        }
    }
}

async fn what_is_not_ours_is_refused_by_name(at: &impl UnderTest) {
    let takings = Takings::new();
    let (ours, other) = (takings.take(7).await, takings.take(8).await);
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    let theirs = config(at, "theirs", json!({}));
    kubernetes.writer(&other).apply(&bundle([theirs.clone()])).await.unwrap();
    applied_by(at, "somebody", &config(at, "nobodys", json!({}))).await;
    let mut half = config(at, "half", json!({}));
    half["metadata"]["labels"] = json!({ENVIRONMENT: ours.name()});
    applied_by(at, "somebody", &half).await;
    through.taken();
    let objects = ["theirs", "nobodys", "half", "new"].map(|name| config(at, name, json!({"x": "1"})));
    let error = kubernetes.writer(&ours).apply(&bundle(objects)).await.unwrap_err();
    is(Kind::Invalid, Exit::Failed, &error);
    let within = |name: &str| format!("configmap {}/{name}", at.namespace());
    let environment = format!("it is of the environment {:?}", other.name().to_string());
    says(
        &error,
        &[
            &within("theirs"),
            &environment,
            &within("nobodys"),
            &within("half"),
            "it lacks the label",
            "another name",
        ],
    );
    assert_eq!(through.writes(), Vec::<String>::new());
}

async fn what_is_shared_stays_nobodys(at: &impl UnderTest) {
    let takings = Takings::new();
    let (ours, other) = (takings.take(7).await, takings.take(8).await);
    let kubernetes = kubernetes(at.client());
    let shared = config(at, "shared", json!({"x": "1"}));
    applied_by(at, "somebody", &config(at, "shared", json!({"theirs": "2"}))).await;
    let objects = || bundle([shared.clone()]).sharing([name_of(&shared)]);
    assert_eq!(kubernetes.writer(&ours).apply(&objects()).await.unwrap().written.len(), 1);
    let seen = look(at, &shared).await;
    let found = seen.object().unwrap();
    assert_eq!(found.value()["data"], json!({"x": "1", "theirs": "2"}));
    assert_eq!(found.owner(&ours.name()), Owner::Nobody);
    for fence in [&ours, &other] {
        assert_eq!(kubernetes.writer(fence).apply(&objects()).await.unwrap().unchanged.len(), 1);
        let left = kubernetes.writer(fence).delete(&seen, Dependents::Later).await.unwrap();
        assert!(matches!(left, Deletion::Foreign(_)), "{left:?}");
    }
    // What is not there is ours from birth; then it is not shared with another environment.
    let new = config(at, "new", json!({}));
    let objects = || bundle([new.clone()]).sharing([name_of(&new)]);
    kubernetes.writer(&ours).apply(&objects()).await.unwrap();
    is(Kind::Invalid, Exit::Failed, &kubernetes.writer(&other).apply(&objects()).await.unwrap_err());
}

async fn only_what_was_seen_is_deleted(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let writer = kubernetes.writer(&fence);
    let wanted = |data: &str| config(at, "a", json!({"x": data}));
    assert_eq!(
        writer.delete(&look(at, &wanted("1")).await, Dependents::First).await.unwrap(),
        Deletion::Absent
    );
    writer.apply(&bundle([wanted("1")])).await.unwrap();
    let stale = look(at, &wanted("1")).await;
    writer.apply(&bundle([wanted("2")])).await.unwrap();
    is(Kind::Conflict, Exit::Unknown, &writer.delete(&stale, Dependents::Later).await.unwrap_err());
    let seen = look(at, &wanted("2")).await;
    assert_eq!(writer.delete(&seen, Dependents::Later).await.unwrap(), Deletion::UnderWay);
    assert!(look(at, &wanted("2")).await.object().is_none());
    assert_eq!(writer.delete(&seen, Dependents::Later).await.unwrap(), Deletion::Absent);
    writer.apply(&bundle([wanted("2")])).await.unwrap();
    is(Kind::Conflict, Exit::Unknown, &writer.delete(&seen, Dependents::Later).await.unwrap_err());
    assert_eq!(there(at, &wanted("2")).await["data"], json!({"x": "2"}));
}

async fn what_is_not_ours_is_not_deleted(at: &impl UnderTest) {
    let takings = Takings::new();
    let (ours, other) = (takings.take(7).await, takings.take(70).await);
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    let theirs = config(at, "theirs", json!({}));
    kubernetes.writer(&other).apply(&bundle([theirs.clone()])).await.unwrap();
    let nobodys = config(at, "nobodys", json!({}));
    applied_by(at, "somebody", &nobodys).await;
    through.taken();
    for object in [theirs, nobodys] {
        let left =
            kubernetes.writer(&ours).delete(&look(at, &object).await, Dependents::First).await.unwrap();
        assert!(matches!(left, Deletion::Foreign(_)), "{left:?}");
    }
    assert_eq!(through.writes(), Vec::<String>::new());
}

async fn what_is_held_by_a_finalizer_is_under_way(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let writer = kubernetes.writer(&fence);
    let mut wanted = config(at, "a", json!({}));
    wanted["metadata"]["finalizers"] = json!(["example.org/hold"]);
    writer.apply(&bundle([wanted.clone()])).await.unwrap();
    let seen = look(at, &wanted).await;
    assert_eq!(writer.delete(&seen, Dependents::Later).await.unwrap(), Deletion::UnderWay);
    let ending = look(at, &wanted).await;
    assert!(ending.object().unwrap().is_ending());
    assert_eq!(writer.delete(&ending, Dependents::Later).await.unwrap(), Deletion::UnderWay);
    let error = writer.apply(&bundle([wanted.clone()])).await.unwrap_err();
    is(Kind::Unavailable { wait: None }, Exit::Unknown, &error);
    says(&error, &["it is still being deleted", "hint: wait until it is gone"]);
    let gone = ending.changed("its end");
    wanted["metadata"]["finalizers"] = json!([]);
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
    let api: Api<DynamicObject> = Api::namespaced_with(at.client(), at.namespace(), &resource);
    let mut freed = DynamicObject::new("a", &resource).within(at.namespace());
    let version = ending.object().unwrap().version().to_owned();
    freed.metadata = ObjectMeta { resource_version: Some(version), ..freed.metadata };
    api.replace("a", &Default::default(), &freed).await.unwrap();
    gone.wake.await.unwrap();
    assert!(look(at, &wanted).await.object().is_none());
}

async fn a_crd_and_its_objects_are_one_bundle(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    // Its object stands first: the order is not the bundle's.
    let objects = |size| bundle([thing(at, size), crd(at)]);
    let applied = kubernetes.writer(&fence).apply(&objects(1)).await.unwrap();
    assert_eq!(applied.written, [name_of(&crd(at)), name_of(&thing(at, 1))]);
    assert_eq!(there(at, &thing(at, 1)).await["spec"], json!({"size": 1}));
    through.taken();
    assert_eq!(kubernetes.writer(&fence).apply(&objects(1)).await.unwrap().unchanged.len(), 2);
    assert_eq!(through.taken().len(), 2, "one listing for each kind, and nothing else");
    let mut theirs = thing(at, 1);
    theirs["metadata"]["name"] = json!("theirs");
    applied_by(at, "somebody", &theirs).await;
    let all = bundle([config(at, "new", json!({})), crd(at), theirs]);
    is(Kind::Invalid, Exit::Failed, &kubernetes.writer(&fence).apply(&all).await.unwrap_err());
    assert_eq!(through.writes(), Vec::<String>::new(), "all is judged before anything is written");
    assert_eq!(kubernetes.writer(&fence).apply(&objects(2)).await.unwrap().written, [name_of(&thing(at, 2))]);
    assert_eq!(there(at, &thing(at, 2)).await["spec"], json!({"size": 2}));
}

/// Whoever answers for the objects of a kind learns of its new versions last.
async fn a_version_that_is_not_served_so_far_is_waited_for(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let honest = kubernetes(at.client());
    let newer = |size: u32| {
        let mut thing = thing(at, size);
        thing["apiVersion"] = json!(format!("{}.example.org/v2", at.namespace()));
        thing
    };
    let grown = |what: &str| {
        let mut crd = crd(at);
        crd["metadata"]["annotations"] = json!({"what": what});
        let mut version = crd["spec"]["versions"][0].clone();
        version["name"] = json!("v2");
        version["storage"] = json!(false);
        crd["spec"]["versions"].as_array_mut().unwrap().push(version);
        crd
    };
    honest.writer(&fence).apply(&bundle([crd(at), thing(at, 1)])).await.unwrap();
    let applied = honest.writer(&fence).apply(&bundle([grown("once"), newer(2)])).await.unwrap();
    assert_eq!(applied.written, [name_of(&crd(at)), name_of(&newer(2))]);

    let (clock, lacking) = (stepped(), Arc::new(Mutex::new(1)));
    let left = lacking.clone();
    let through = Through::new(at.client(), move |request| {
        let mut left = left.lock().unwrap();
        match request.uri().path().contains("/v2/") && *left > 0 {
            true => {
                *left -= 1;
                Picked::Answer(404, json!("404 page not found"))
            }
            false => Picked::Pass,
        }
    });
    let late = Kubernetes::new(Client::new(through.clone(), "default"), LIMIT, clock.clone());
    let (writer, wanted) = (late.writer(&fence), bundle([grown("twice"), newer(3)]));
    // Two waits have an end; the third is for the server to come round.
    let stepping = async {
        clock.waited_for(3).await;
        clock.advance(SignedDuration::from_secs(1));
        pending().await
    };
    let applied = tokio::select! {
        applied = writer.apply(&wanted) => applied,
        never = stepping => never,
    };
    assert_eq!(applied.unwrap().written, [name_of(&crd(at)), name_of(&newer(3))]);
    // Learned from the CRD; and from discovery alone.
    for late in [late, through.kubernetes()] {
        *lacking.lock().unwrap() = 1;
        let error = late.observe(&name_of(&newer(3))).await.unwrap_err();
        is(Kind::Unavailable { wait: Some(Duration::from_secs(1)) }, Exit::Unknown, &error);
        let seen = late.observe(&name_of(&newer(3))).await.unwrap();
        assert_eq!(seen.object().unwrap().value()["spec"], json!({"size": 3}));
    }
    // With its CRD it is gone, whatever was learned.
    honest.writer(&fence).delete(&look(at, &crd(at)).await, Dependents::Later).await.unwrap();
    for name in [name_of(&crd(at)), name_of(&newer(3))] {
        let gone = honest.wait_until(std::slice::from_ref(&name), "its end", LIMIT, |seen| {
            Ok(match seen[0].object() {
                None => Judgement::Met,
                Some(_) => Judgement::Lacking("it is there".to_owned()),
            })
        });
        gone.await.unwrap();
    }
}

/// Of a kind that was just established everything is listed, until its storage is known to take a selector.
async fn a_kind_is_new_until_it_was_watched(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let selected = Arc::new(Mutex::new(Vec::new()));
    let seen = selected.clone();
    let through = Through::new(at.client(), move |request| {
        let query = request.uri().query().unwrap_or_default();
        let is_list = *request.method() == Method::GET && !query.contains("watch=true");
        if is_list && request.uri().path().ends_with("/things") {
            seen.lock().unwrap().push(query.contains("fieldSelector"));
        }
        Picked::Pass
    });
    let kubernetes = through.kubernetes();
    kubernetes.writer(&fence).apply(&bundle([crd(at), thing(at, 1)])).await.unwrap();
    let before = kubernetes.observe(&name_of(&thing(at, 1))).await.unwrap();
    assert!(!selected.lock().unwrap().contains(&true));
    let wait = before.changed("another size");
    applied_by(at, "somebody", &thing(at, 2)).await;
    wait.wake.await.unwrap();
    kubernetes.observe(&name_of(&thing(at, 1))).await.unwrap();
    assert_eq!(selected.lock().unwrap().last(), Some(&true));
}

async fn a_namespace_and_its_objects_are_one_bundle(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let within = format!("{}-within", at.namespace());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": within}});
    let mut inner = config(at, "a", json!({"x": "1"}));
    inner["metadata"]["namespace"] = json!(within);
    assert!(look(at, &inner).await.object().is_none(), "of a namespace that is not there, nothing is there");
    let unnamed = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}});
    let objects = [inner.clone(), unnamed.clone(), namespace.clone()];
    let error = kubernetes.writer(&fence).apply(&bundle(objects.clone())).await.unwrap_err();
    is(Kind::Invalid, Exit::Failed, &error);
    says(&error, &["could not apply configmap b", "in which namespace", "hint: name one"]);
    let mut twice = unnamed.clone();
    twice["metadata"]["namespace"] = json!(within);
    let error = kubernetes.writer(&fence).apply(&bundle([unnamed, twice]).within(&within)).await.unwrap_err();
    is(Kind::Invalid, Exit::Failed, &error);
    says(&error, &[&format!("could not apply configmap {within}/b"), "twice", "leave one away"]);
    let applied = kubernetes.writer(&fence).apply(&bundle(objects).within(&within)).await.unwrap();
    assert_eq!(applied.written[0], name_of(&namespace));
    assert_eq!(applied.written.len(), 3);
    assert_eq!(there(at, &inner).await["data"], json!({"x": "1"}));
    let gone =
        kubernetes.writer(&fence).delete(&look(at, &namespace).await, Dependents::Later).await.unwrap();
    assert_eq!(gone, Deletion::UnderWay);
}

async fn what_belongs_into_an_ending_namespace_may_be_tried_again(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let mut holding = config(at, "holding", json!({}));
    holding["metadata"]["finalizers"] = json!(["example.org/hold"]);
    applied_by(at, "somebody", &holding).await;
    let namespaces: Api<DynamicObject> =
        Api::all_with(at.client(), &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace")));
    drop(namespaces.delete(at.namespace(), &Default::default()).await.unwrap());
    let error = kubernetes.writer(&fence).apply(&bundle([config(at, "late", json!({}))])).await.unwrap_err();
    is(Kind::Unavailable { wait: None }, Exit::Unknown, &error);
    holding["metadata"]["finalizers"] = json!([]);
    applied_by(at, "somebody", &holding).await;
}

async fn what_may_not_be_listed_is_unknown(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let powerless = kubernetes(at.powerless());
    let object = config(at, "a", json!({}));
    let error = powerless.observe(&name_of(&object)).await.unwrap_err();
    is(Kind::Refused, Exit::Unknown, &error);
    says(&error, &[&format!("could not read configmap {}/a", at.namespace())]);
    let names = [name_of(&object), name_of(&config(at, "b", json!({}))), name_of(&crd(at))];
    let error = powerless.observe_all(&names).await.unwrap_err();
    is(Kind::Refused, Exit::Unknown, &error);
    let all = format!("could not list configmap {}/*", at.namespace());
    says(&error, &[&all, &format!("could not read customresourcedefinition {}", name_of(&crd(at)).name)]);
    is(Kind::Refused, Exit::Unknown, &powerless.writer(&fence).apply(&bundle([object])).await.unwrap_err());
}

/// Whatever comes in place of the server's word is no word on what is there.
async fn what_nobody_can_tell_is_unknown(at: &impl UnderTest) {
    let object = config(at, "a", json!({}));
    applied_by(at, "somebody", &object).await;
    let version = json!({"resourceVersion": "1"});
    let whole = there(at, &object).await;
    let mut nameless = whole.clone();
    nameless["metadata"]["uid"] = json!("");
    let mut elsewhere = whole.clone();
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    let list = |items: Value| json!({"kind": "ConfigMapList", "metadata": version, "items": items});
    for (code, body) in [
        (500, json!({})),
        (404, json!("404 page not found")),
        (
            404,
            json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound"}),
        ),
        (200, json!({})),
        (200, json!({"metadata": {}, "items": []})),
        (200, json!({"metadata": {"resourceVersion": "1", "continue": "more"}, "items": []})),
        (200, json!({"metadata": {"resourceVersion": "1"}, "items": null})),
        (200, list(json!([nameless]))),
        (200, list(json!([elsewhere]))),
        (200, list(json!([whole, whole]))),
    ] {
        let answer = body.clone();
        let through =
            Through::new(at.client(), move |request| match request.uri().path().ends_with("/configmaps") {
                true => Picked::Answer(code, answer.clone()),
                false => Picked::Pass,
            });
        let error = through.kubernetes().observe(&name_of(&object)).await.expect_err(&body.to_string());
        assert_eq!(errors::exit(&error), Exit::Unknown, "{}", errors::render(&error));
    }
}

async fn a_kind_that_is_not_served_is_absent_by_discovery_alone(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    let seen = kubernetes.observe(&name_of(&thing(at, 1))).await.unwrap();
    assert!(seen.object().is_none());
    assert_eq!(kubernetes.writer(&fence).delete(&seen, Dependents::Later).await.unwrap(), Deletion::Absent);
    let error = kubernetes.writer(&fence).apply(&bundle([thing(at, 1)])).await.unwrap_err();
    is(Kind::Invalid, Exit::Failed, &error);
    says(&error, &["thing", "the API server has no Thing", "hint: install the CRD"]);
    assert_eq!(through.writes(), Vec::<String>::new());
    let group = format!("{}.example.org", at.namespace());
    let stale = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": [{"metadata": {"name": group}, "versions": [{"version": "v1", "freshness": "Stale"}]}],
    });
    for (code, body) in [
        (500, json!({})),
        (403, json!({})),
        (200, json!({})),
        (200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})),
        (200, stale),
    ] {
        let answer = body.clone();
        let through = Through::new(at.client(), move |request| match request.uri().path() {
            "/apis" => Picked::Answer(code, answer.clone()),
            _ => Picked::Pass,
        });
        let error = through.kubernetes().observe(&name_of(&thing(at, 1))).await.expect_err(&body.to_string());
        assert_eq!(errors::exit(&error), Exit::Unknown, "{}", errors::render(&error));
    }
}

async fn discovery_is_asked_once_and_again_for_what_it_lacks(at: &impl UnderTest) {
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    let (object, later) = (config(at, "a", json!({})), name_of(&thing(at, 1)));
    let asked =
        || through.taken().into_iter().filter(|sent| matches!(&**sent, "GET /api" | "GET /apis")).count();
    kubernetes.observe_all(&[name_of(&object), name_of(&crd(at))]).await.unwrap();
    assert_eq!(asked(), 2);
    kubernetes.observe(&name_of(&object)).await.unwrap();
    assert_eq!(asked(), 0);
    assert!(kubernetes.observe(&later).await.unwrap().object().is_none());
    assert_eq!(asked(), 2);
}

async fn everything_that_failed_is_told(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let mut typo = config(at, "typo", json!({}));
    typo["dta"] = json!({"x": "1"});
    let mut wrong = config(at, "wrong", json!({}));
    wrong["data"] = json!({"x": 1});
    let good = config(at, "good", json!({}));
    let error = kubernetes.writer(&fence).apply(&bundle([typo, good.clone(), wrong])).await.unwrap_err();
    is(Kind::Invalid, Exit::Failed, &error);
    says(
        &error,
        &[
            &format!("configmap {}/typo", at.namespace()),
            ".dta",
            &format!("configmap {}/wrong", at.namespace()),
        ],
    );
    there(at, &good).await;
    let mut typo = crd(at);
    typo["spec"]["vershuns"] = json!([]);
    let error = kubernetes.writer(&fence).apply(&bundle([typo, thing(at, 1)])).await.unwrap_err();
    is(Kind::Invalid, Exit::Failed, &error);
    assert!(look(at, &crd(at)).await.object().is_none());
}

/// A server says of these too that it is broken.
async fn what_the_server_cannot_read_is_not_tried_again(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let object = |api_version: &str, kind: &str, spec: Value| {
        json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": at.namespace()}, "spec": spec,
        })
    };
    let deployment = |replicas: Value, memory: &str| {
        let container = json!({"name": "c", "image": "i", "resources": {"limits": {"memory": memory}}});
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}});
        let selector = json!({"matchLabels": {"a": "b"}});
        object(
            "apps/v1",
            "Deployment",
            json!({"replicas": replicas, "selector": selector, "template": template}),
        )
    };
    let ports = json!([{"port": 80, "targetPort": true}]);
    for wrong in [
        deployment(json!(1), "1GB!"),
        deployment(json!(2.5), "1G"),
        object("v1", "Service", json!({"ports": ports})),
        object("v1", "ResourceQuota", json!({"hard": {"pods": "many"}})),
    ] {
        let error = kubernetes.writer(&fence).apply(&bundle([wrong])).await.unwrap_err();
        is(Kind::Invalid, Exit::Failed, &error);
    }
    kubernetes.writer(&fence).apply(&bundle([deployment(json!(1), "1G")])).await.unwrap();
}

async fn what_failed_is_told_with_its_server_and_nothing_that_is_secret(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let url = "https://berth:canary@api.example.org:6443/k8s/canary?token=canary".parse().unwrap();
    let kubernetes = kubernetes(at.client()).named(&url);
    let unplaced = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let [one, two] = [bundle([unplaced.clone()]), bundle([unplaced, thing(at, 1)])];
    for (bundle, said) in [
        (one, "could not apply configmap a at https://api.example.org:6443\n"),
        (two, "2 things could not be done at https://api.example.org:6443\n"),
    ] {
        let error = kubernetes.writer(&fence).apply(&bundle).await.unwrap_err();
        says(&error, &[said]);
        assert!(!errors::render(&error).contains("canary"));
    }
}

async fn a_watch_wakes_on_the_first_change_after_the_look(at: &impl UnderTest) {
    let object = config(at, "a", json!({"x": "1"}));
    let absent = look(at, &object).await.changed("its birth");
    applied_by(at, "somebody", &object).await;
    absent.wake.await.unwrap();
    let present = look(at, &object).await;
    let waits: Vec<_> = (0..3).map(|_| present.changed("a change")).collect();
    // Before any watch is open.
    applied_by(at, "somebody", &config(at, "a", json!({"x": "2"}))).await;
    for woken in join_all(waits.into_iter().map(|wait| wait.wake)).await {
        woken.unwrap();
    }
}

async fn one_watch_serves_many_objects(at: &impl UnderTest) {
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    let names: Vec<_> = (0..20).map(|n| name_of(&config(at, &format!("c-{n}"), json!({})))).collect();
    let seen = kubernetes.observe_all(&names).await.unwrap();
    through.taken();
    let wait = Seen::any_changed(&seen, "any of them");
    applied_by(at, "somebody", &config(at, "other", json!({}))).await;
    applied_by(at, "somebody", &config(at, "c-13", json!({}))).await;
    wait.wake.await.unwrap();
    assert_eq!(through.taken().len(), 1);
}

async fn a_forgotten_version_wakes_and_a_refused_watch_says_so(at: &impl UnderTest) {
    let object = name_of(&config(at, "a", json!({})));
    let status = |code: u16, reason: &str| {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason,
            "message": "said by the test",
        })
    };
    let event = |code: u16, reason: &str| json!({"type": "ERROR", "object": status(code, reason)});
    for (code, body, wakes) in [
        (410, status(410, "Expired"), true),
        (410, status(410, "Gone"), true),
        (200, event(410, "Expired"), true),
        (403, status(403, "Forbidden"), false),
        (503, json!("no"), false),
        (200, event(500, "InternalError"), false),
        (200, json!({"kind": "ConfigMapList"}), false),
        (200, json!("no"), false),
        (200, json!(["no"]), false),
    ] {
        let answer = body.clone();
        let through = Through::new(at.client(), move |request| {
            match request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                true => Picked::Answer(code, answer.clone()),
                false => Picked::Pass,
            }
        });
        let clock = stepped();
        let kubernetes = Kubernetes::new(Client::new(through, "default"), LIMIT, clock.clone());
        let seen = kubernetes.observe(&object).await.unwrap();
        let woken = match select(seen.changed("anything").wake, pin!(clock.waited_for(1))).await {
            Either::Left((woken, _)) => woken,
            Either::Right(((), wake)) => {
                clock.advance(SignedDuration::from_secs(1));
                assert!(wakes, "{code} {body}");
                wake.await
            }
        };
        assert_eq!(woken.is_ok(), wakes, "{code} {body}: {woken:?}");
        if let Err(error) = woken {
            says(&error, &["could not watch configmaps in namespace"]);
        }
    }
}

/// As a proxy may end each, or a server forget all.
async fn a_watch_that_ends_without_a_word_is_not_opened_again_at_once(at: &impl UnderTest) {
    let expired = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410, "reason": "Expired",
    });
    for (code, body) in [(200, json!({"type": "BOOKMARK", "object": {}})), (410, expired)] {
        let (clock, watches) = (stepped(), Arc::new(Mutex::new(0)));
        let opened = watches.clone();
        let through = Through::new(at.client(), move |request| {
            if !request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                return Picked::Pass;
            }
            let mut opened = opened.lock().unwrap();
            *opened += 1;
            // Else what opens it again at once would do so for ever.
            if *opened > 9 { Picked::Answer(403, json!("no")) } else { Picked::Answer(code, body.clone()) }
        });
        let kubernetes = Kubernetes::new(Client::new(through, "default"), LIMIT, clock.clone());
        let name = [name_of(&config(at, "a", json!({})))];
        let waited = kubernetes
            .wait_until(&name, "nothing", Duration::from_secs(60), |_| Ok(Judgement::Lacking(String::new())));
        let stepping = async {
            for looks in 1..=3 {
                // The wait has an end, too.
                clock.waited_for(1 + looks).await;
                assert_eq!(*watches.lock().unwrap(), looks);
                clock.advance(SignedDuration::from_secs(1));
            }
        };
        tokio::select! {
            waited = waited => panic!("{waited:?}"),
            () = stepping => {}
        }
    }
}

/// The size that a Thing says, as a judge would put it.
fn size_is(size: u32) -> impl FnMut(&[Seen]) -> Result<Judgement> {
    move |seen| {
        let said = seen[0].object().map(|object| object.value()["spec"]["size"].clone());
        Ok(if said == Some(json!(size)) {
            Judgement::Met
        } else {
            Judgement::Lacking(format!("its size is {said:?}"))
        })
    }
}

async fn a_wait_goes_on_until_it_is_met_from_before_its_kind_is_there(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let name = [name_of(&thing(at, 3))];
    let waited = kubernetes.wait_until(&name, "a thing of size 3", LIMIT, size_is(3));
    let done = async {
        for size in 1..=3 {
            kubernetes.writer(&fence).apply(&bundle([crd(at), thing(at, size)])).await.unwrap();
        }
    };
    let (waited, ()) = tokio::join!(waited, done);
    assert_eq!(waited.unwrap()[0].object().unwrap().value()["spec"], json!({"size": 3}));
    let established = there(at, &crd(at)).await;
    assert!(condition(&established, "Established").is_true());
}

async fn a_wait_sees_what_goes(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let kubernetes = kubernetes(at.client());
    let writer = kubernetes.writer(&fence);
    let objects = ["a", "b"].map(|name| config(at, name, json!({})));
    writer.apply(&bundle(objects.clone())).await.unwrap();
    let names = objects.each_ref().map(name_of);
    let looked = Semaphore::new(0);
    let waited = kubernetes.wait_until(&names, "both gone", LIMIT, |seen| {
        looked.add_permits(1);
        let left = seen.iter().filter(|one| one.object().is_some()).count();
        Ok(if left == 0 { Judgement::Met } else { Judgement::Lacking(format!("{left} are left")) })
    });
    let done = async {
        looked.acquire().await.unwrap().forget();
        for object in &objects {
            writer.delete(&look(at, object).await, Dependents::Later).await.unwrap();
        }
    };
    let (waited, ()) = tokio::join!(waited, done);
    assert!(waited.unwrap().iter().all(|seen| seen.object().is_none()));
}

async fn a_wait_that_is_over_tells_what_was_lacking(at: &impl UnderTest) {
    let clock = stepped();
    let kubernetes = Kubernetes::new(at.client(), LIMIT, clock.clone());
    let name = [name_of(&config(at, "a", json!({})))];
    let waited = kubernetes.wait_until(&name, "the impossible", Duration::from_secs(60), |_| {
        clock.advance(SignedDuration::from_secs(61));
        Ok(Judgement::Lacking("it was not there".to_owned()))
    });
    let error = waited.await.unwrap_err();
    is(Kind::Unavailable { wait: None }, Exit::Unknown, &error);
    says(
        &error,
        &["could not see the impossible within 60s", "it was not there", "hint: what was seen last"],
    );
    let asks_to_wait = Through::new(at.client(), move |request| {
        if !request.uri().path().ends_with("/configmaps") {
            return Picked::Pass;
        }
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 429,
            "reason": "TooManyRequests", "message": "not yet", "details": {"retryAfterSeconds": 1},
        });
        Picked::Answer(429, status)
    });
    let clock = stepped();
    let asks_to_wait = Kubernetes::new(Client::new(asks_to_wait, "default"), LIMIT, clock.clone());
    let late = asks_to_wait.wait_until(&name, "it", Duration::from_secs(60), |_| Ok(Judgement::Met));
    // For the end, and because it was asked to.
    let stepping = async {
        clock.waited_for(2).await;
        clock.advance(SignedDuration::from_secs(61));
        pending().await
    };
    let late = tokio::select! {
        late = late => late,
        never = stepping => never,
    };
    says(&late.unwrap_err(), &["could not see it within 60s", "not yet"]);
    let hopeless = kubernetes.wait_until(&name, "hope", LIMIT, |_| anyhow::bail!("there is none"));
    assert_eq!(hopeless.await.unwrap_err().to_string(), "there is none");
}

/// One test for each fact, on the server that this binary has.
macro_rules! facts {
    ($($fact:ident)*) => {
        mod on_the_server {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() {
                    super::$fact(&crate::server::Server::fresh().await).await;
                }
            )*
        }
    };
}
pub(crate) use facts;

facts! {
    what_is_applied_is_there_with_its_marks
    a_look_that_finds_nothing_different_writes_nothing
    what_somebody_else_changed_is_put_right
    what_somebody_else_has_put_into_what_was_empty_is_put_right
    what_is_no_longer_wanted_goes
    a_newer_run_marks_what_it_leaves_as_it_is
    what_stands_and_is_kept_is_marked_once_however_it_differs
    an_older_run_is_refused_at_the_object
    what_an_earlier_life_left_is_written_over_by_the_living_one_only
    a_late_write_of_an_older_run_loses
    what_has_appeared_since_the_look_is_a_conflict
    a_late_write_over_what_has_gone_since_loses
    what_is_not_ours_is_refused_by_name
    what_is_shared_stays_nobodys
    only_what_was_seen_is_deleted
    what_is_not_ours_is_not_deleted
    what_is_held_by_a_finalizer_is_under_way
    a_crd_and_its_objects_are_one_bundle
    a_version_that_is_not_served_so_far_is_waited_for
    a_kind_is_new_until_it_was_watched
    a_namespace_and_its_objects_are_one_bundle
    what_belongs_into_an_ending_namespace_may_be_tried_again
    what_may_not_be_listed_is_unknown
    what_nobody_can_tell_is_unknown
    a_kind_that_is_not_served_is_absent_by_discovery_alone
    discovery_is_asked_once_and_again_for_what_it_lacks
    everything_that_failed_is_told
    what_the_server_cannot_read_is_not_tried_again
    what_failed_is_told_with_its_server_and_nothing_that_is_secret
    a_watch_wakes_on_the_first_change_after_the_look
    one_watch_serves_many_objects
    a_forgotten_version_wakes_and_a_refused_watch_says_so
    a_watch_that_ends_without_a_word_is_not_opened_again_at_once
    a_wait_goes_on_until_it_is_met_from_before_its_kind_is_there
    a_wait_sees_what_goes
    a_wait_that_is_over_tells_what_was_lacking
}
