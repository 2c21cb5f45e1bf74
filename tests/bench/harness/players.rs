//! Runs players over watches against a real API server, one task each, as their deployments would.
//!
//! A task lists and watches all kinds of its player; on each event, and when the player asked to look again, it lets it react over
//! all that is known and carries the changes out side by side. It reacts to nothing before every kind has been listed: a part
//! of the view would be taken for the whole. Must never: repeat a change that was refused without a new look.

use async_trait::async_trait;
use berth::{
    clock::Clock,
    rehearsal::players::{Change, Kind, Objects, Player, Reaction, Record, Target},
};
use futures::{StreamExt, future::join_all};
use hyper::{Method, Request};
use kube::{Client, core::WatchEvent};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

/// Before a kind that is not served yet, or a server that did not answer, is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// Where DNS records are kept: what external-dns would call a provider.
#[async_trait]
pub(crate) trait Records: Send + Sync {
    /// All that there are, with their marks of ownership.
    async fn list(&self) -> anyhow::Result<Vec<Record>>;
    /// In place of what was under this name and type.
    async fn publish(&self, record: &Record) -> anyhow::Result<()>;
    /// That it is gone already is as good.
    async fn withdraw(&self, record: &Record) -> anyhow::Result<()>;
}

/// For players that keep no records.
pub(crate) struct NoRecords;

#[async_trait]
impl Records for NoRecords {
    async fn list(&self) -> anyhow::Result<Vec<Record>> {
        Ok(Vec::new())
    }

    async fn publish(&self, record: &Record) -> anyhow::Result<()> {
        anyhow::bail!("nobody keeps {}", record.name)
    }

    async fn withdraw(&self, record: &Record) -> anyhow::Result<()> {
        anyhow::bail!("nobody keeps {}", record.name)
    }
}

/// Players at work. Dropping it ends them.
pub(crate) struct Running {
    _tasks: JoinSet<()>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// What the API server would not have of them: conflicts and races excepted, there should be none.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap().clone()
    }
}

/// Lets these players play on a cluster, in this namespace; all of them if it is empty. `environment` is the API server
/// that machines' nodes join, if there is one.
pub(crate) fn run(
    players: Vec<Arc<dyn Player>>,
    client: &Client,
    namespace: &str,
    environment: Option<&Client>,
    records: &Arc<dyn Records>,
) -> Running {
    let mut tasks = JoinSet::new();
    let refused = Arc::new(Mutex::new(Vec::new()));
    for player in players {
        let stage = Stage {
            player,
            client: client.clone(),
            namespace: namespace.to_owned(),
            environment: environment.cloned(),
            records: Arc::clone(records),
            refused: Arc::clone(&refused),
            clock: Clock::system(),
        };
        tasks.spawn(stage.play());
    }
    Running { _tasks: tasks, refused }
}

/// One player with all that it plays on.
struct Stage {
    player: Arc<dyn Player>,
    client: Client,
    namespace: String,
    environment: Option<Client>,
    records: Arc<dyn Records>,
    refused: Arc<Mutex<Vec<String>>>,
    clock: Clock,
}

/// What is known of a kind, or of one of its objects.
enum Seen {
    All(Kind, Vec<Value>),
    One(Kind, Value),
    Gone(Kind, Value),
}

/// By namespace and name.
type Named = BTreeMap<(String, String), Value>;

#[derive(Default)]
struct Cache {
    objects: BTreeMap<(&'static str, &'static str), Named>,
    complete: BTreeSet<(&'static str, &'static str)>,
}

impl Cache {
    fn learn(&mut self, seen: Seen) {
        match seen {
            Seen::All(kind, objects) => {
                self.complete.insert((kind.group, kind.kind));
                let all = objects.into_iter().map(|object| (key(&object), object)).collect();
                self.objects.insert((kind.group, kind.kind), all);
            }
            Seen::One(kind, object) => {
                let all = self.objects.entry((kind.group, kind.kind)).or_default();
                let known = all.get(&key(&object)).map(version);
                // An answer may have come before its event.
                if known.is_none_or(|known| known < version(&object)) {
                    all.insert(key(&object), object);
                }
            }
            Seen::Gone(kind, object) => {
                let all = self.objects.entry((kind.group, kind.kind)).or_default();
                // Another of the same name may have been made since.
                if all.get(&key(&object)).is_some_and(|known| version(known) <= version(&object)) {
                    all.remove(&key(&object));
                }
            }
        }
    }
}

fn key(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
    (text("namespace"), text("name"))
}

/// A number on every real API server.
fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

impl Stage {
    async fn play(self) {
        let (send, mut receive) = unbounded_channel();
        let mut watches = JoinSet::new();
        for kind in self.player.watches() {
            let path = path(kind, &self.namespace, "");
            watches.spawn(watch(self.client.clone(), *kind, path, send.clone(), self.clock.clone()));
        }
        let mut cache = Cache::default();
        let mut due = None;
        loop {
            if !self.event(&mut receive, &mut cache, due).await {
                return;
            }
            if cache.complete.len() < self.player.watches().len() {
                continue;
            }
            due = self.look(&mut cache).await;
        }
    }

    /// Waits until there is reason to look.
    async fn event(
        &self,
        receive: &mut UnboundedReceiver<Seen>,
        cache: &mut Cache,
        due: Option<Duration>,
    ) -> bool {
        let until = due.unwrap_or(Duration::from_secs(3600));
        let first = tokio::select! {
            seen = receive.recv() => seen,
            () = self.clock.pass(until) => return true,
        };
        let Some(first) = first else { return false };
        cache.learn(first);
        while let Ok(seen) = receive.try_recv() {
            cache.learn(seen);
        }
        true
    }

    /// Reacts until there is nothing to do, or until what was done is not known to have had an effect: then an event, or at
    /// least some time, must come first.
    async fn look(&self, cache: &mut Cache) -> Option<Duration> {
        loop {
            let Ok(records) = self.records.list().await else {
                return Some(PAUSE);
            };
            let now = self.clock.now();
            let Reaction { changes, again } = {
                let objects = cache.objects.values().flat_map(BTreeMap::values);
                self.player.react(&Objects::new(objects, &records), now)
            };
            if changes.is_empty() {
                return again.map(|again| Duration::try_from(again.duration_since(now)).unwrap_or_default());
            }
            let (first, then): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| {
                !matches!(
                    change,
                    Change::Create(_) | Change::Merge(..) | Change::MergeStatus(..) | Change::Delete(_)
                )
            });
            let mut told = true;
            for changes in [first, then] {
                let carried = join_all(changes.into_iter().map(|change| self.carry_out(change))).await;
                if carried.iter().any(Result::is_err) {
                    told = false;
                    carried.into_iter().flatten().flatten().for_each(|seen| cache.learn(seen));
                    break;
                }
                told &= carried.iter().all(|seen| matches!(seen, Ok(Some(_))));
                carried.into_iter().flatten().flatten().for_each(|seen| cache.learn(seen));
            }
            if !told {
                return Some(PAUSE);
            }
        }
    }

    async fn carry_out(&self, change: Change) -> Result<Option<Seen>, ()> {
        let said = format!("{change:?}");
        let outcome = match change {
            Change::Create(object) => {
                let kind = self.kind_of(&object);
                let path = path(&kind, object["metadata"]["namespace"].as_str().unwrap_or(""), "");
                let made = self.send(&self.client, Method::POST, &path, Some(&object)).await;
                made.map(|made| if made.is_null() { None } else { Some(Seen::One(kind, made)) })
            }
            Change::Merge(Target { kind, namespace, name }, patch) => {
                let path = path(&kind, &namespace, &name);
                let answer = self.send(&self.client, Method::PATCH, &path, Some(&patch)).await;
                answer.and_then(|now| changed(&patch, now)).map(|now| patched(kind, now))
            }
            Change::MergeStatus(Target { kind, namespace, name }, patch) => {
                let path = format!("{}/status", path(&kind, &namespace, &name));
                let answer = self.send(&self.client, Method::PATCH, &path, Some(&patch)).await;
                answer.and_then(|now| changed(&patch, now)).map(|now| patched(kind, now))
            }
            Change::Delete(Target { kind, namespace, name }) => {
                let path = path(&kind, &namespace, &name);
                let answer = self.send(&self.client, Method::DELETE, &path, None).await;
                answer.map(
                    |answer| {
                        if answer["kind"] == kind.kind { Some(Seen::One(kind, answer)) } else { None }
                    },
                )
            }
            Change::Join(_, node) => self.at_environment(Method::POST, "/api/v1/nodes", Some(&node)).await,
            Change::Leave(_, node) => {
                self.at_environment(Method::DELETE, &format!("/api/v1/nodes/{node}"), None).await
            }
            Change::Publish(record) => {
                self.records.publish(&record).await.map(|()| None).map_err(|e| e.to_string())
            }
            Change::Withdraw(record) => {
                self.records.withdraw(&record).await.map(|()| None).map_err(|e| e.to_string())
            }
        };
        outcome.map_err(|why| {
            if !why.is_empty() {
                self.refused.lock().unwrap().push(format!("{}: {why}: {said}", self.player.name()));
            }
        })
    }

    async fn at_environment(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Seen>, String> {
        match &self.environment {
            Some(environment) => self.send(environment, method, path, body).await.map(|_| None),
            None => Ok(None),
        }
    }

    fn kind_of(&self, object: &Value) -> Kind {
        let known = self.player.watches().iter();
        let is_it = |kind: &&Kind| object["kind"] == kind.kind && object["apiVersion"] == kind.api_version();
        *known.into_iter().find(is_it).expect("a player makes only what it watches")
    }

    /// The object as it is now; null if it is there or gone already. A lost race is an error that says nothing.
    async fn send(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        // Else a field that the kind does not have would be dropped without a word.
        let query = format!("fieldManager={}&fieldValidation=Strict", self.player.name());
        let request = Request::builder()
            .method(&method)
            .uri(format!("{path}?{query}"))
            .header("content-type", kind)
            .body(body.map(|body| body.to_string().into_bytes()).unwrap_or_default())
            .unwrap();
        match client.request::<Value>(request).await {
            Ok(object) => Ok(object),
            Err(kube::Error::Api(status)) => match (method, status.code, status.reason.as_str()) {
                (Method::POST, 409, "AlreadyExists") | (Method::DELETE, 404, _) => Ok(Value::Null),
                (_, 404 | 409, _) => Err(String::new()),
                // What is being taken away takes nothing new.
                (Method::POST, 403, _) if status.message.contains("because it is being terminated") => {
                    Err(String::new())
                }
                _ => Err(format!("{} {}", status.code, status.message)),
            },
            Err(other) => Err(other.to_string()),
        }
    }
}

/// A change that changes nothing would be made again, for ever.
fn changed(patch: &Value, now: Value) -> Result<Value, String> {
    let seen = &patch["metadata"]["resourceVersion"];
    // What is gone by it is told as it was.
    if seen.is_string() && *seen == now["metadata"]["resourceVersion"] && !is_gone(&now) {
        return Err("it changes nothing".to_owned());
    }
    Ok(now)
}

/// What lost its last finalizer is gone: the event says so.
fn patched(kind: Kind, object: Value) -> Option<Seen> {
    Some(if is_gone(&object) { Seen::Gone(kind, object) } else { Seen::One(kind, object) })
}

fn is_gone(object: &Value) -> bool {
    let going = !object["metadata"]["deletionTimestamp"].is_null();
    let held = object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
    going && !held
}

fn path(kind: &Kind, namespace: &str, name: &str) -> String {
    let api = if kind.group.is_empty() { "/api" } else { "/apis" };
    let namespace = if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
    let name = if name.is_empty() { String::new() } else { format!("/{name}") };
    format!("{api}/{}{namespace}/{}{name}", kind.api_version(), kind.plural)
}

/// Lists and watches for ever; what it cannot list it has not seen.
async fn watch(client: Client, kind: Kind, path: String, send: UnboundedSender<Seen>, clock: Clock) {
    while !send.is_closed() {
        // Whatever went wrong, a new list puts it right.
        let _ = list_and_watch(&client, kind, &path, &send).await;
        clock.pass(PAUSE).await;
    }
}

async fn list_and_watch(
    client: &Client,
    kind: Kind,
    path: &str,
    send: &UnboundedSender<Seen>,
) -> kube::Result<()> {
    let get = |query: &str| Request::get(format!("{path}{query}")).body(Vec::new()).unwrap();
    let mut all: Value = client.request(get("")).await?;
    let version = all["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut items = all["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    for item in &mut items {
        item["apiVersion"] = json!(kind.api_version());
        item["kind"] = json!(kind.kind);
    }
    if send.send(Seen::All(kind, items)).is_err() {
        return Ok(());
    }
    let query = format!("?watch=true&allowWatchBookmarks=true&resourceVersion={version}");
    let mut events = pin!(client.request_events::<Value>(get(&query)).await?);
    while let Some(event) = events.next().await {
        let seen = match event? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => Seen::One(kind, object),
            WatchEvent::Deleted(object) => Seen::Gone(kind, object),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(_) => return Ok(()),
        };
        if send.send(seen).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
