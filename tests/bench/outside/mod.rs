//! The controllers of the world outside, each on the real API server, for what berth's own client applies, waits for and
//! deletes. Each fact has a namespace, and players that see nothing but that.

mod careless;
mod dns;
mod flux;
mod metal3;
mod secrets;

use crate::{
    bed::crypto,
    harness::{
        cluster_api,
        control_plane::ControlPlane,
        players::{self, NoRecords, Records, Running},
    },
    taking::Takings,
};
use berth::{
    clients::kubernetes::{
        Deletion, Dependents, Judgement, Kubernetes,
        condition::{Condition, condition},
        manifest::{Bundle, Manifest},
    },
    clock::Clock,
    documents::claims::Fence,
    domain::claim::ObjectName,
    rehearsal::players::Player,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Much longer than players take that do everything at once.
const PATIENCE: Duration = Duration::from_secs(120);

/// One fact's part of the management cluster.
struct Outside {
    plane: &'static ControlPlane,
    namespace: String,
    cluster: Kubernetes,
    fence: Fence,
    playing: Running,
}

impl Outside {
    /// With this player at work.
    async fn with<P: Player + 'static>(player: P) -> Self {
        Self::keeping(Arc::new(NoRecords), |_| player).await
    }

    /// With the player of this namespace at work, which keeps its records there.
    async fn keeping<P: Player + 'static>(records: Arc<dyn Records>, player: impl FnOnce(&str) -> P) -> Self {
        crypto();
        let plane = cluster_api::management().await;
        let namespace = plane.fresh_namespace("outside").await;
        let players: Vec<Arc<dyn Player>> = vec![Arc::new(player(&namespace))];
        let playing = players::run(players, &plane.client("players").await, &namespace, None, &records);
        let cluster = Kubernetes::new(plane.client("berth").await, Duration::from_secs(30), Clock::system());
        Self { plane, namespace, cluster, fence: Takings::new().take(42).await, playing }
    }

    fn object(&self, api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
        json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec,
        })
    }

    async fn apply(&self, objects: &[&Value]) {
        let bundle = Bundle::of(objects.iter().map(|object| (*object).clone())).unwrap();
        self.cluster.writer(&self.fence).apply(&bundle).await.unwrap();
    }

    /// What the engine does at the next event of the same commit writes nothing: what the others wrote is not ours.
    async fn is_unchanged(&self, objects: &[&Value]) {
        let bundle = Bundle::of(objects.iter().map(|object| (*object).clone())).unwrap();
        let again = self.cluster.writer(&self.fence).apply(&bundle).await.unwrap();
        assert_eq!((again.written.len(), again.marked.len()), (0, 0), "{again:?}");
    }

    async fn delete(&self, object: &Value) {
        let seen = self.cluster.observe(&name(object)).await.unwrap();
        let deleted = self.cluster.writer(&self.fence).delete(&seen, Dependents::First).await.unwrap();
        assert_eq!(deleted, Deletion::UnderWay);
    }

    /// Goes on when the object is as wanted; it is none when it is absent.
    async fn until<T>(&self, object: &Value, on: &str, wanted: impl FnMut(Option<&Value>) -> Option<T>) -> T {
        self.follow(object, on, async {}, wanted).await
    }

    /// The same, with something that is begun only when the object is being watched: so nothing is missed of what comes
    /// of it.
    async fn follow<T>(
        &self,
        object: &Value,
        on: &str,
        begun: impl Future<Output = ()>,
        mut wanted: impl FnMut(Option<&Value>) -> Option<T>,
    ) -> T {
        let (names, looked, mut found) = ([name(object)], Notify::new(), None);
        let waiting = self.cluster.wait_until(&names, on, PATIENCE, |seen| {
            looked.notify_one();
            let object = seen[0].object().map(|object| object.value());
            found = wanted(object);
            let lacking = || object.map_or("it is absent".to_owned(), |object| object["status"].to_string());
            Ok(if found.is_some() { Judgement::Met } else { Judgement::Lacking(lacking()) })
        });
        let begun = async {
            looked.notified().await;
            begun.await;
        };
        let (waited, ()) = tokio::join!(waiting, begun);
        waited.unwrap_or_else(|error| panic!("{error:?}; refused: {:#?}", self.playing.refused()));
        found.unwrap()
    }

    /// Goes on when this condition is true of the object as it is now.
    async fn until_true(&self, object: &Value, kind: &str) -> Value {
        let is_true = |object: &&Value| condition(object, kind).is_true();
        self.until(object, kind, |object| object.filter(is_true).cloned()).await
    }

    /// Goes on when this condition is false of the object as it is now; tells its reason and message.
    async fn until_false(&self, object: &Value, kind: &str) -> (String, String) {
        self.until(object, &format!("not {kind}"), |object| match condition(object?, kind) {
            Condition::False { reason, message } => Some((reason, message)),
            _ => None,
        })
        .await
    }

    async fn until_gone(&self, object: &Value) {
        self.until(object, "it gone", |object| object.is_none().then_some(())).await;
    }

    async fn is_there(&self, object: &Value) -> bool {
        self.cluster.observe(&name(object)).await.unwrap().object().is_some()
    }

    async fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.plane.client("bench").await, &self.namespace)
    }

    /// The real API server took every change that the player made.
    fn end(self) {
        assert_eq!(self.playing.refused(), Vec::<String>::new());
    }
}

fn name(object: &Value) -> ObjectName {
    Manifest::parse(object.clone()).unwrap().name().clone()
}

/// What was said, in its order, without what was said just before.
#[derive(Default)]
struct Heard(Vec<String>);

impl Heard {
    fn hear(&mut self, said: String) {
        if self.0.last() != Some(&said) {
            self.0.push(said);
        }
    }
}
