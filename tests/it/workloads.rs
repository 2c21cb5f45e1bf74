//! What runs in an environment of the embedded world: from a Deployment to its pods, what becomes of these, and that
//! whatever keeps them from being ready is named as the cause that it is.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    bed::{Bed, crypto},
    cause_facts::{self, FACTS},
    helm,
    players::{junk, places},
};
use berth::{
    clients::kubernetes::{Kubernetes, for_url},
    clock::Clock,
    domain::{
        claim::ObjectName,
        diagnosis::{Life, diagnose},
    },
    rehearsal::{
        Server, World,
        players::{Objects, Pace, environment_players},
    },
};
use hyper::Request;
use kube::Client;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{sync::LazyLock, time::Duration};

/// An environment at its birth, with one node.
pub(crate) struct Environment {
    pub(crate) bed: Bed,
    pub(crate) client: Client,
}

impl Environment {
    pub(crate) async fn born(pace: Pace) -> Self {
        crypto();
        let bed = Bed::start().await;
        for player in environment_players(pace) {
            bed.world().play_in_environments(player);
        }
        let client = for_url(&bed.served.url(Server::Environment), None, "run").unwrap();
        let environment = Self { bed, client };
        environment.join("node-a").await;
        environment
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> kube::Result<Value> {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.client.request(request.body(body).unwrap()).await
    }

    pub(crate) async fn make(&self, path: &str, object: Value) -> Value {
        self.send("POST", path, &object).await.unwrap_or_else(|error| panic!("{path}: {error}: {object}"))
    }

    /// A node that is ready.
    pub(crate) async fn join(&self, name: &str) {
        let labels = json!({"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}});
        self.make("/api/v1/nodes", node).await;
        let ready = json!({"type": "Ready", "status": "True", "reason": "KubeletReady"});
        self.patch(&format!("/api/v1/nodes/{name}/status"), json!({"status": {"conditions": [ready]}})).await;
    }

    pub(crate) async fn patch(&self, path: &str, patch: Value) {
        self.send("PATCH", path, &patch).await.unwrap();
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.send("DELETE", path, &Value::Null).await.unwrap();
    }

    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.bed.world().environment.get(resource, namespace, name).cloned()
    }

    pub(crate) fn all(&self, resource: &str) -> Vec<Value> {
        self.bed.world().environment.all(resource).map(|(_, _, object)| object.clone()).collect()
    }

    fn names(&self, resource: &str) -> Vec<String> {
        self.all(resource)
            .iter()
            .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn cluster(&self) -> Kubernetes {
        Kubernetes::new(self.client.clone(), Duration::from_secs(30), Clock::system())
    }

    pub(crate) async fn told(&self) -> String {
        diagnose(&cause_facts::seen(&self.cluster(), None).await.0)
            .map_or("nothing".to_owned(), |diagnosis| diagnosis.to_string())
    }

    pub(crate) fn unrefused(&self) {
        assert_eq!(self.bed.world().refused(), Vec::<String>::new());
    }
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const PODS: &str = "/api/v1/namespaces/default/pods";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

fn template(annotations: Value, spec: Value) -> Value {
    let mut whole = json!({"containers": [{"name": "app", "image": "harbor.example.com/shop:pr-42"}]});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"metadata": {"labels": {"app": "shop"}, "annotations": annotations}, "spec": whole})
}

fn workload(kind: &str, annotations: Value, spec: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": template(annotations, spec)},
    })
}

fn deployment(annotations: Value) -> Value {
    workload("Deployment", annotations, json!({}))
}

fn plays(word: &str) -> Value {
    json!({"play.berth.dev/play": word})
}

fn job(annotations: Value, spec: Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
        "spec": {"backoffLimit": 0, "template": template(annotations, json!({"restartPolicy": "Never"}))},
    });
    job["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    job
}

fn said(object: &Value, kind: &str) -> (String, String) {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    let condition = all.into_iter().find(|condition| condition["type"] == kind);
    let text = |field: &str| condition.and_then(|one| one[field].as_str()).unwrap_or("").to_owned();
    (text("status"), text("reason"))
}

fn is(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_deployment_is_available_when_its_request_is_answered() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let mut wanted = deployment(json!({}));
    wanted["spec"]["replicas"] = json!(3);
    environment.make(DEPLOYMENTS, wanted).await;
    let deployment = environment.get("deployments.apps", "default", "shop").unwrap();
    let status = &deployment["status"];
    for field in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(status[field], 3, "{field}: {status}");
    }
    assert_eq!(status["observedGeneration"], deployment["metadata"]["generation"]);
    assert!(status["unavailableReplicas"].is_null(), "{status}");
    assert_eq!(said(&deployment, "Available"), is("True", "MinimumReplicasAvailable"));
    assert_eq!(said(&deployment, "Progressing"), is("True", "NewReplicaSetAvailable"));
    let (sets, pods) = (environment.all("replicasets.apps"), environment.all("pods"));
    assert_eq!((sets.len(), pods.len()), (1, 3));
    let hash = &sets[0]["metadata"]["labels"]["pod-template-hash"];
    assert_eq!(sets[0]["metadata"]["name"], json!(format!("shop-{}", hash.as_str().unwrap())));
    assert_eq!(sets[0]["metadata"]["ownerReferences"][0]["uid"], deployment["metadata"]["uid"]);
    for pod in &pods {
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], sets[0]["metadata"]["uid"]);
        assert_eq!(pod["metadata"]["labels"]["pod-template-hash"], *hash);
        assert_eq!((said(pod, "Ready"), &pod["spec"]["nodeName"]), (is("True", ""), &json!("node-a")));
    }
    assert_eq!(environment.told().await, "nothing");
    environment.delete(&format!("{DEPLOYMENTS}/shop")).await;
    assert_eq!((environment.names("replicasets.apps"), environment.names("pods")), (vec![], vec![]));
    environment.unrefused();
}

#[tokio::test]
async fn a_rollout_takes_its_time_and_keeps_the_old_pods_until_the_new_are_ready() {
    let environment = Environment::born(Pace::REAL).await;
    let begin = |seconds: u32| environment.bed.pass(seconds);
    let mut wanted = deployment(json!({}));
    wanted["spec"]["replicas"] = json!(4);
    environment.make(DEPLOYMENTS, wanted).await;
    let get = || environment.get("deployments.apps", "default", "shop").unwrap();
    assert_eq!(said(&get(), "Available"), is("False", "MinimumReplicasUnavailable"));
    assert_eq!(said(&get(), "Progressing"), is("True", "ReplicaSetUpdated"));
    begin(11);
    assert!(get()["status"]["readyReplicas"].is_null());
    begin(1);
    assert_eq!(said(&get(), "Progressing"), is("True", "NewReplicaSetAvailable"));
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop:pr-43"}]}}}});
    environment.patch(&format!("{DEPLOYMENTS}/shop"), image).await;
    // One more than wanted, and one less: a quarter of four.
    let status = get()["status"].clone();
    assert_eq!(
        (&status["updatedReplicas"], &status["availableReplicas"]),
        (&json!(2), &json!(3)),
        "{status}"
    );
    assert_eq!(status["replicas"], 5);
    assert_eq!(status["observedGeneration"], 2);
    assert_eq!(said(&get(), "Available"), is("True", "MinimumReplicasAvailable"));
    begin(120);
    let status = get()["status"].clone();
    assert_eq!((&status["updatedReplicas"], &status["replicas"]), (&json!(4), &json!(4)), "{status}");
    assert_eq!(said(&get(), "Progressing"), is("True", "NewReplicaSetAvailable"));
    assert_eq!(get()["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    let images = environment.all("pods");
    assert!(images.iter().all(|pod| pod["spec"]["containers"][0]["image"] == "shop:pr-43"), "{images:?}");
    assert_eq!(environment.names("replicasets.apps").len(), 2, "the old one is kept, without pods");
    environment.unrefused();
}

#[tokio::test]
async fn a_rollout_that_does_not_come_to_its_end_leaves_the_old_pods_and_says_so() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(DEPLOYMENTS, deployment(json!({}))).await;
    let broken = json!({"spec": {"template": {"metadata": {"annotations": plays("image-pull-back-off")}}}});
    environment.patch(&format!("{DEPLOYMENTS}/shop"), broken).await;
    let get = || environment.get("deployments.apps", "default", "shop").unwrap();
    assert_eq!(said(&get(), "Available"), is("True", "MinimumReplicasAvailable"));
    environment.bed.pass(599);
    assert_eq!(said(&get(), "Progressing").0, "True");
    environment.bed.pass(1);
    assert_eq!(said(&get(), "Progressing"), is("False", "ProgressDeadlineExceeded"));
    // And back.
    let mended = json!({"spec": {"template": {"metadata": {"annotations": null}}}});
    environment.patch(&format!("{DEPLOYMENTS}/shop"), mended).await;
    assert_eq!(said(&get(), "Progressing"), is("True", "NewReplicaSetAvailable"));
    assert_eq!(environment.names("pods").len(), 1);
    assert_eq!(environment.told().await, "nothing");
    environment.unrefused();
}

#[tokio::test]
async fn recreate_has_no_two_templates_at_once() {
    let environment = Environment::born(Pace::REAL).await;
    let mut wanted = deployment(json!({}));
    wanted["spec"]["strategy"] = json!({"type": "Recreate"});
    environment.make(DEPLOYMENTS, wanted).await;
    environment.bed.pass(60);
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop:pr-43"}]}}}});
    environment.patch(&format!("{DEPLOYMENTS}/shop"), image).await;
    let pods = environment.all("pods");
    assert_eq!((pods.len(), &pods[0]["spec"]["containers"][0]["image"]), (1, &json!("shop:pr-43")));
    let get = || environment.get("deployments.apps", "default", "shop").unwrap();
    assert_eq!(said(&get(), "Available").0, "False");
    environment.bed.pass(60);
    assert_eq!(said(&get(), "Available").0, "True");
    environment.unrefused();
}

#[tokio::test]
async fn a_pod_that_is_deleted_is_made_again_and_a_smaller_deployment_has_fewer() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(DEPLOYMENTS, deployment(json!({}))).await;
    let pod = environment.all("pods").remove(0);
    environment.delete(&format!("{PODS}/{}", pod["metadata"]["name"].as_str().unwrap())).await;
    let again = environment.all("pods").remove(0);
    assert_ne!(again["metadata"]["uid"], pod["metadata"]["uid"]);
    for (wanted, expected) in [(3, 3), (0, 0)] {
        environment.patch(&format!("{DEPLOYMENTS}/shop"), json!({"spec": {"replicas": wanted}})).await;
        assert_eq!(environment.all("pods").len(), expected);
        let deployment = environment.get("deployments.apps", "default", "shop").unwrap();
        assert_eq!(said(&deployment, "Progressing"), is("True", "NewReplicaSetAvailable"));
    }
    environment.unrefused();
}

/// As `kubectl rollout status` reads it.
fn rolled_out(set: &Value) -> bool {
    let status = &set["status"];
    status["observedGeneration"] == set["metadata"]["generation"]
        && status["readyReplicas"] == set["spec"]["replicas"]
        && status["updateRevision"] == status["currentRevision"]
}

#[tokio::test]
async fn a_stateful_set_counts_its_pods_and_gives_each_a_volume() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let mut set = workload("StatefulSet", json!({}), json!({}));
    set["spec"]["replicas"] = json!(2);
    set["spec"]["serviceName"] = json!("shop");
    set["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    let path = "/apis/apps/v1/namespaces/default/statefulsets";
    environment.make(path, set).await;
    assert_eq!(environment.names("pods"), ["shop-0", "shop-1"]);
    assert_eq!(environment.names("persistentvolumeclaims"), ["data-shop-0", "data-shop-1"]);
    let claim = environment.get("persistentvolumeclaims", "default", "data-shop-0").unwrap();
    assert_eq!(
        (&claim["status"]["phase"], &claim["spec"]["storageClassName"]),
        (&json!("Bound"), &json!("local-path"))
    );
    let get = || environment.get("statefulsets.apps", "default", "shop").unwrap();
    assert!(rolled_out(&get()), "{}", get()["status"]);
    let uids =
        || environment.all("pods").iter().map(|pod| pod["metadata"]["uid"].clone()).collect::<Vec<_>>();
    let before = uids();
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop:pr-43"}]}}}});
    environment.patch(&format!("{path}/shop"), image).await;
    assert!(rolled_out(&get()), "{}", get()["status"]);
    assert!(uids().iter().all(|uid| !before.contains(uid)));
    let status = get()["status"].clone();
    assert_eq!((&status["updatedReplicas"], &status["currentReplicas"]), (&json!(2), &json!(2)));
    // The first that is not ready keeps all behind it waiting.
    let broken = json!({"spec": {"template": {"metadata": {"annotations": plays("never-ready")}}}});
    environment.patch(&format!("{path}/shop"), broken).await;
    let status = get()["status"].clone();
    assert_eq!((&status["readyReplicas"], &status["updatedReplicas"]), (&json!(1), &json!(1)), "{status}");
    assert!(!rolled_out(&get()));
    environment.unrefused();
}

#[tokio::test]
async fn a_daemon_set_has_a_pod_on_each_node() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment
        .make("/apis/apps/v1/namespaces/default/daemonsets", workload("DaemonSet", json!({}), json!({})))
        .await;
    environment.join("node-b").await;
    let status = environment.get("daemonsets.apps", "default", "shop").unwrap()["status"].clone();
    for field in ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"] {
        assert_eq!(status[field], 2, "{field}: {status}");
    }
    let mut nodes: Vec<Value> =
        environment.all("pods").iter().map(|pod| pod["spec"]["nodeName"].clone()).collect();
    nodes.sort_by_key(Value::to_string);
    assert_eq!(nodes, ["node-a", "node-b"]);
    environment.delete("/api/v1/nodes/node-b").await;
    assert_eq!(environment.all("pods").len(), 1);
    environment.unrefused();
}

#[tokio::test]
async fn a_job_completes_or_fails_and_says_when_and_why() {
    let environment = Environment::born(Pace::REAL).await;
    environment.make(JOBS, job(json!({"play.berth.dev/delay": "1m30s"}), json!({}))).await;
    let get = || environment.get("jobs.batch", "default", "migrate").unwrap();
    assert_eq!((&get()["status"]["active"], get()["status"]["startTime"].is_string()), (&json!(1), true));
    environment.bed.pass(101);
    assert!(get()["status"]["succeeded"].is_null());
    environment.bed.pass(1);
    let status = get()["status"].clone();
    assert_eq!((&status["succeeded"], &status["active"]), (&json!(1), &Value::Null));
    assert_eq!(said(&get(), "Complete"), is("True", "CompletionsReached"));
    assert_eq!(status["completionTime"], "2026-01-01T00:01:42Z");
    environment.delete(&format!("{JOBS}/migrate")).await;
    // A second and a third try, each after a pause that is twice as long.
    environment.make(JOBS, job(plays("fail"), json!({"backoffLimit": 2}))).await;
    environment.bed.pass(12);
    assert_eq!(
        (get()["status"]["failed"].clone(), get()["status"]["active"].clone()),
        (json!(1), Value::Null)
    );
    environment.bed.pass(10 + 12 + 20 + 11);
    assert_eq!(said(&get(), "Failed"), is("", ""));
    environment.bed.pass(1);
    assert_eq!(said(&get(), "Failed"), is("True", "BackoffLimitExceeded"));
    assert_eq!((&get()["status"]["failed"], environment.all("pods").len()), (&json!(3), 3));
    environment.delete(&format!("{JOBS}/migrate")).await;
    environment.make(JOBS, job(plays("hang"), json!({"activeDeadlineSeconds": 60}))).await;
    environment.bed.pass(59);
    assert_eq!(get()["status"]["ready"], 1);
    environment.bed.pass(1);
    assert_eq!(said(&get(), "Failed"), is("True", "DeadlineExceeded"));
    assert_eq!(environment.all("pods").len(), 0);
    environment.unrefused();
}

#[tokio::test]
async fn a_service_has_the_endpoints_of_its_ready_pods() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    environment.make("/api/v1/namespaces/default/services", service).await;
    let ready = || {
        let slice = environment.all("endpointslices.discovery.k8s.io").remove(0);
        let all = slice["endpoints"].as_array().unwrap().clone();
        all.iter().filter(|endpoint| endpoint["conditions"]["ready"] == true).count()
    };
    assert_eq!(ready(), 0);
    environment.make(DEPLOYMENTS, deployment(json!({}))).await;
    assert_eq!(ready(), 1);
    let endpoints = environment.get("endpoints", "default", "shop").unwrap();
    assert_eq!(endpoints["subsets"][0]["addresses"][0]["ip"], environment.all("pods")[0]["status"]["podIP"]);
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 8080);
    environment.delete("/api/v1/namespaces/default/services/shop").await;
    assert_eq!(
        (environment.names("endpoints"), environment.names("endpointslices.discovery.k8s.io")),
        (vec![], vec![])
    );
    environment.unrefused();
}

#[tokio::test]
async fn a_pod_without_a_node_is_told_so_and_starts_when_there_is_one() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.delete("/api/v1/nodes/node-a").await;
    environment.make(DEPLOYMENTS, deployment(json!({}))).await;
    let told = environment.told().await;
    assert!(told.starts_with("unschedulable: pod default/shop-"), "{told}");
    assert!(told.ends_with("no nodes available to schedule pods"), "{told}");
    environment.join("node-a").await;
    assert_eq!(environment.told().await, "nothing");
    environment.unrefused();
}

#[tokio::test]
async fn what_becomes_of_a_deployment_s_pods_is_named() {
    for (word, expected) in [
        ("image-pull-back-off", "image not found: pod default/shop-"),
        ("image-refused", "image refused: pod default/shop-"),
        ("registry-down", "image cannot be pulled: pod default/shop-"),
        ("out-of-memory", "out of memory: pod default/shop-"),
        ("crash-loop", "container crashes: pod default/shop-"),
        ("missing-config", "configuration missing: pod default/shop-"),
        ("quota", "quota exceeded: replicaset default/shop-"),
        ("webhook-down", "webhook in the way: replicaset default/shop-"),
        ("not-permitted", "not permitted: replicaset default/shop-"),
        ("unschedulable", "unschedulable: pod default/shop-"),
        ("never-ready", "probe fails: pod default/shop-"),
    ] {
        let environment = Environment::born(Pace::AT_ONCE).await;
        environment.make(DEPLOYMENTS, deployment(plays(word))).await;
        let told = environment.told().await;
        assert!(told.starts_with(expected), "{word}: {told}");
        let deployment = environment.get("deployments.apps", "default", "shop").unwrap();
        assert_eq!(said(&deployment, "Available"), is("False", "MinimumReplicasUnavailable"), "{word}");
        let refused = matches!(word, "quota" | "webhook-down" | "not-permitted");
        assert_eq!(said(&deployment, "ReplicaFailure").0 == "True", refused, "{word}");
        // It stays so, also after its deadline and its restarts; and at rest nothing moves.
        environment.bed.pass(3600);
        let told = environment.told().await;
        assert!(told.starts_with(expected), "{word}, after an hour: {told}");
        let before: Vec<Value> = environment.bed.world().environment.objects().collect();
        environment.bed.world().rest();
        assert!(environment.bed.world().environment.objects().eq(before), "{word}");
        environment.unrefused();
    }
}

#[tokio::test]
async fn what_a_cluster_s_own_controllers_tell_is_named() {
    for fact in FACTS {
        let environment = Environment::born(Pace::AT_ONCE).await;
        for object in (fact.beside)("default") {
            cause_facts::make(&environment.client, "default", object).await;
        }
        cause_facts::make(&environment.client, "default", (fact.workload)()).await;
        // A deadline of a second is over.
        environment.bed.pass(2);
        cause_facts::is_named(&environment.cluster(), "default", fact).await;
        environment.unrefused();
    }
}

#[tokio::test]
async fn what_keeps_other_workloads_from_having_pods_is_named() {
    for (path, object) in [
        ("/apis/apps/v1/namespaces/default/statefulsets", workload("StatefulSet", plays("quota"), json!({}))),
        ("/apis/apps/v1/namespaces/default/daemonsets", workload("DaemonSet", plays("quota"), json!({}))),
        (JOBS, job(plays("quota"), json!({}))),
    ] {
        let environment = Environment::born(Pace::AT_ONCE).await;
        environment.make(path, object).await;
        let told = environment.told().await;
        assert!(told.starts_with("quota exceeded: ") && told.contains(" default/"), "{path}: {told}");
        environment.unrefused();
    }
}

#[tokio::test]
async fn a_container_that_crashes_is_started_ever_later() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let crashing = json!({"play.berth.dev/play": "crash-loop", "play.berth.dev/exit-code": "7"});
    environment.make(DEPLOYMENTS, deployment(crashing)).await;
    let container = || environment.all("pods")[0]["status"]["containerStatuses"][0].clone();
    assert_eq!(container()["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(container()["lastState"]["terminated"]["exitCode"], 7);
    let mut starts = vec![];
    for seconds in [9, 1, 19, 1, 40, 80, 160, 300, 299, 1] {
        environment.bed.pass(seconds);
        starts.push(container()["restartCount"].as_i64().unwrap());
    }
    assert_eq!(starts, [1, 2, 2, 3, 4, 5, 6, 7, 7, 8]);
    let told = environment.told().await;
    assert!(told.ends_with("container app ended with exit code 7, restarted 8 times"), "{told}");
}

#[tokio::test]
async fn a_job_that_fails_is_named_with_how_its_last_pod_ended() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let fails = json!({"play.berth.dev/play": "fail", "play.berth.dev/exit-code": "3"});
    environment.make(JOBS, job(fails, json!({}))).await;
    let told = environment.told().await;
    let expected =
        "job failed: job default/migrate: Job has reached the specified backoff limit; pod default/migrate-";
    assert!(told.starts_with(expected) && told.ends_with("container app ended with exit code 3"), "{told}");
    environment.unrefused();
}

#[tokio::test]
async fn a_rollout_that_is_only_slow_is_named_as_stuck_after_its_deadline() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(DEPLOYMENTS, deployment(json!({"play.berth.dev/delay": "1h"}))).await;
    assert_eq!(environment.told().await, "nothing");
    environment.bed.pass(600);
    let told = environment.told().await;
    assert!(told.starts_with("rollout stuck: deployment default/shop: ReplicaSet \"shop-"), "{told}");
    assert!(told.ends_with("has timed out progressing."), "{told}");
    environment.bed.pass(3000);
    assert_eq!(environment.told().await, "nothing");
    environment.unrefused();
}

#[tokio::test]
async fn a_secret_or_a_config_map_that_is_not_there_is_named_until_it_is() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let container = json!({
        "name": "app", "image": "shop",
        "env": [{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}],
    });
    let volumes = json!([{"name": "settings", "configMap": {"name": "settings"}}]);
    let spec = json!({"containers": [container], "volumes": volumes});
    environment.make(DEPLOYMENTS, workload("Deployment", json!({}), spec)).await;
    let told = environment.told().await;
    assert!(told.starts_with("configuration missing: pod default/shop-"), "{told}");
    assert!(
        told.ends_with("MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found"),
        "{told}"
    );
    let settings = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}});
    environment.make("/api/v1/namespaces/default/configmaps", settings).await;
    let told = environment.told().await;
    assert!(told.ends_with("container app: secret \"db\" not found"), "{told}");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"user": "shop"}});
    environment.make("/api/v1/namespaces/default/secrets", secret).await;
    let told = environment.told().await;
    assert!(told.ends_with("container app: couldn't find key url in Secret default/db"), "{told}");
    environment
        .patch("/api/v1/namespaces/default/secrets/db", json!({"stringData": {"url": "postgres://"}}))
        .await;
    let deployment = environment.get("deployments.apps", "default", "shop").unwrap();
    assert_eq!(said(&deployment, "Available").0, "True");
    environment.unrefused();
}

fn claim(spec: Value) -> Value {
    let mut whole = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": whole})
}

fn with_claim(annotations: Value) -> Value {
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    workload("Deployment", annotations, json!({"volumes": volumes}))
}

#[tokio::test]
async fn a_claim_is_bound_for_its_first_pod_and_a_volume_goes_with_its_claim() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CLAIMS, claim(json!({}))).await;
    let phase =
        || environment.get("persistentvolumeclaims", "default", "data").unwrap()["status"]["phase"].clone();
    assert_eq!((phase(), environment.told().await), (json!("Pending"), "nothing".to_owned()));
    environment.make(DEPLOYMENTS, with_claim(json!({}))).await;
    assert_eq!((phase(), environment.names("persistentvolumes").len()), (json!("Bound"), 1));
    assert_eq!(environment.told().await, "nothing");
    environment.delete(&format!("{DEPLOYMENTS}/shop")).await;
    environment.delete(&format!("{CLAIMS}/data")).await;
    assert_eq!(environment.names("persistentvolumes"), Vec::<String>::new());
    environment.unrefused();
}

#[tokio::test]
async fn a_claim_without_a_volume_is_named() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CLAIMS, claim(json!({}))).await;
    environment.make(DEPLOYMENTS, with_claim(plays("pending-claim"))).await;
    let told = environment.told().await;
    let expected = "volume pending: persistentvolumeclaim default/data: it has no volume of the storage class local-path";
    assert_eq!(told, expected);
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CLAIMS, claim(json!({"storageClassName": "fast"}))).await;
    environment.make(DEPLOYMENTS, with_claim(json!({}))).await;
    let told = environment.told().await;
    let expected =
        "volume pending: persistentvolumeclaim default/data: storageclass.storage.k8s.io \"fast\" not found";
    assert_eq!(told, expected);
    environment.unrefused();
}

#[tokio::test]
async fn a_word_that_nobody_plays_is_told_and_not_taken_for_none() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(DEPLOYMENTS, deployment(plays("crashloop"))).await;
    let events = environment.all("events");
    assert!(events.iter().any(|event| event["message"] == "nobody plays \"crashloop\""), "{events:?}");
    assert_eq!(environment.all("pods")[0]["status"]["phase"], "Pending");
}

async fn log(environment: &Environment, pod: &str, query: &str) -> Result<String, (u16, String)> {
    let request = Request::get(format!("{PODS}/{pod}/log?{query}")).body(Vec::new()).unwrap();
    environment.client.request_text(request).await.map_err(|error| match error {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn of_long_lines_the_last_words_are_the_last_ones() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let made = async |name: &str, log: String| {
        let mut pod = template(json!({"play.berth.dev/log": log}), json!({}));
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(name);
        environment.make(PODS, pod).await;
        let pod = ObjectName {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some("default".to_owned()),
            name: name.to_owned(),
        };
        environment.cluster().last_words(&pod, "app", Life::Present, 20).await.unwrap()
    };
    let long = (0..20).map(|n| format!("{n}: {}\n", "x".repeat(1020))).collect::<String>();
    let said = made("talks", format!("before\n{long}panic: no database\n")).await;
    assert!(said.ends_with("panic: no database\n") && said.len() < 9 << 10, "{said}");
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("[… what came before is left out here …]"));
    assert!(lines.all(|line| line == "panic: no database" || line.len() > 1020), "no line is cut: {said}");
    let said = made("rambles", format!("{} the end", "y".repeat(20_000))).await;
    assert_eq!(said, "[… what came before is left out here …]\nthe end\n");
    assert_eq!(made("says", "one\ntwo".to_owned()).await, "one\ntwo\n");
}

#[tokio::test]
async fn the_log_of_a_container_is_what_its_pod_says() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let two = json!({"restartPolicy": "Always", "initContainers": [{"name": "before", "image": "shop"}],
        "containers": [{"name": "app", "image": "shop"}, {"name": "side", "image": "side"}]});
    let pod = |name: &str, annotations: Value, spec: Value| {
        let mut pod = template(annotations, spec);
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(name);
        pod
    };
    let lines = json!({"play.berth.dev/log": "one\ntwo\nthrée"});
    environment.make(PODS, pod("says", lines, json!({}))).await;
    environment.make(PODS, pod("two", json!({}), two)).await;
    environment.make(PODS, pod("waits", plays("image-pull-back-off"), json!({}))).await;
    environment.make(PODS, pod("nowhere", plays("unschedulable"), json!({}))).await;
    environment.make(PODS, pod("crashes", plays("crash-loop"), json!({}))).await;
    for (name, query, expected) in [
        ("says", "", Ok("one\ntwo\nthrée\n")),
        ("says", "tailLines=2", Ok("two\nthrée\n")),
        ("says", "tailLines=0", Ok("")),
        ("says", "limitBytes=5", Ok("one\nt")),
        ("says", "tailLines=1&limitBytes=4", Ok("thr")),
        ("nowhere", "", Ok("")),
        ("two", "container=side", Ok("container side of pod two runs\n")),
        ("two", "container=before", Ok("container before of pod two runs\n")),
        ("crashes", "previous=true", Ok("container app of pod crashes runs\n")),
        (
            "two",
            "",
            Err((400, "a container name must be specified for pod two, choose one of: [before app side]")),
        ),
        ("says", "container=nope", Err((400, "container nope is not valid for pod says"))),
        (
            "says",
            "previous=true",
            Err((400, "previous terminated container \"app\" in pod \"says\" not found")),
        ),
        (
            "waits",
            "",
            Err((
                400,
                "container \"app\" in pod \"waits\" is waiting to start: trying and failing to pull image",
            )),
        ),
        ("none", "", Err((404, "pods \"none\" not found"))),
        (
            "says",
            "tailLines=-1",
            Err((
                422,
                "PodLogOptions \"says\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
            )),
        ),
    ] {
        let expected = expected.map(str::to_owned).map_err(|(code, why): (u16, &str)| (code, why.to_owned()));
        assert_eq!(log(&environment, name, query).await, expected, "{name}?{query}");
    }
    environment.bed.world().environment.deny("get", "pods/log");
    assert_eq!(log(&environment, "says", "").await.unwrap_err().0, 403);
}

/// Objects of all kinds in an environment, in the middle of their lives, none of which fails by accident.
fn lived() -> World {
    let mut world = World::default();
    for player in environment_players(Pace::REAL) {
        world.play_in_environments(player);
    }
    let mut put = |seconds: u32, resource: &str, namespace: &str, object: Value| {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        world.environment.put(resource, namespace, &name, object);
        world.environment.settle();
        world.rest();
        world.pass(seconds);
    };
    let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    let labels = json!({"kubernetes.io/os": "linux"});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a", "labels": labels}, "status": ready});
    put(0, "nodes", "", node);
    for chart in helm::operators() {
        put(300, "helmcharts.helm.cattle.io", "kube-system", chart);
    }
    put(0, "clusterissuers.cert-manager.io", "", helm::issuer());
    put(60, "certificates.cert-manager.io", "default", helm::certificate("acme", json!({})));
    put(60, "clusters.postgresql.cnpg.io", "default", helm::database(json!({})));
    let named = |mut object: Value, name: &str| {
        object["metadata"]["name"] = json!(name);
        object
    };
    let mut set = workload("StatefulSet", json!({}), json!({}));
    set["spec"]["volumeClaimTemplates"] =
        json!([{"metadata": {"name": "of"}, "spec": claim(json!({}))["spec"]}]);
    put(5, "statefulsets.apps", "default", set);
    put(5, "daemonsets.apps", "default", workload("DaemonSet", json!({}), json!({})));
    put(0, "persistentvolumeclaims", "default", claim(json!({})));
    put(20, "deployments.apps", "default", with_claim(json!({})));
    for word in ["crash-loop", "image-pull-back-off", "quota", "never-ready"] {
        put(15, "deployments.apps", "default", named(deployment(plays(word)), word));
    }
    put(20, "jobs.batch", "default", named(job(plays("fail"), json!({})), "failed"));
    put(20, "jobs.batch", "default", job(json!({}), json!({})));
    put(0, "jobs.batch", "default", named(job(json!({}), json!({})), "begun"));
    let mut next = deployment(json!({"next": "yes"}));
    next["spec"]["replicas"] = json!(3);
    put(3, "deployments.apps", "default", next);
    assert_eq!(world.refused(), Vec::<String>::new());
    world
}

static LIVED: LazyLock<Vec<Value>> = LazyLock::new(|| lived().environment.objects().collect());

#[tokio::test]
async fn what_players_make_is_what_the_api_server_takes() {
    let bed = Bed::start().await;
    let client = for_url(&bed.served.url(Server::Kubernetes), None, "run").unwrap();
    let send = async |method: &str, path: String, body: &Value| -> kube::Result<Value> {
        let request = Request::builder().method(method).uri(format!("{path}?fieldValidation=Strict"));
        let request = request.header("content-type", "application/json").body(body.to_string().into_bytes());
        client.request(request.unwrap()).await
    };
    let first = ["Namespace", "CustomResourceDefinition"];
    let (before, after): (Vec<&Value>, Vec<&Value>) =
        LIVED.iter().partition(|object| first.contains(&object["kind"].as_str().unwrap()));
    let mut taken = 0;
    for object in before.into_iter().chain(after) {
        let text = |field: &str| object[field].as_str().unwrap();
        let (namespace, name) =
            (object["metadata"]["namespace"].as_str(), object["metadata"]["name"].as_str().unwrap());
        let resource = bed.world().kubernetes.resource(text("apiVersion"), text("kind")).unwrap();
        let plural = resource.split('.').next().unwrap();
        let api = if text("apiVersion").contains('/') { "apis" } else { "api" };
        let place =
            namespace.map_or(plural.to_owned(), |namespace| format!("namespaces/{namespace}/{plural}"));
        let path = format!("/{api}/{}/{place}", text("apiVersion"));
        let mut sent = object.clone();
        let metadata = sent["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
        match send("POST", path.clone(), &sent).await {
            Ok(mut made) if !object["status"].is_null() && !first.contains(&text("kind")) => {
                made["status"] = object["status"].clone();
                let put = send("PUT", format!("{path}/{name}/status"), &made).await;
                put.unwrap_or_else(|error| panic!("{error}: the status of {object:#}"));
            }
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
            Err(error) => panic!("{error}: {object:#}"),
        }
        taken += 1;
    }
    assert!(taken > 100, "{taken}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_player_of_an_environment_falls_over_what_users_write(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), junk()), 1..20)
    ) {
        let mut objects = LIVED.clone();
        for (which, place, junk) in hits {
            let which = which.index(objects.len());
            let mut all = Vec::new();
            places(&objects[which], "", &mut all);
            // What the server writes itself is as it writes it.
            all.retain(|place| !place.starts_with("/metadata/managedFields"));
            let place = &all[place.index(all.len())];
            *objects[which].pointer_mut(place).unwrap() = junk;
        }
        for player in environment_players(Pace::REAL) {
            let now = LIVED.iter().filter_map(|object| object["metadata"]["creationTimestamp"].as_str()).max().unwrap();
            let reaction = player.react(&Objects::new(&objects, &[]), now.parse().unwrap());
            for (at, change) in reaction.changes.iter().enumerate() {
                prop_assert!(!reaction.changes[..at].contains(change), "{:?} twice", change);
            }
        }
    }
}
