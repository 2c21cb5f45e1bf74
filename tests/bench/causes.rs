//! What keeps an app from running, as the real controllers, the real scheduler and kwok tell it: the same facts as on the
//! embedded world, to the same lines.

use crate::{
    bed::crypto,
    cause_facts::{FACTS, Fact, is_named, make, pod_of},
    harness::{control_plane::ControlPlane, workloads},
};
use berth::{clients::kubernetes::Kubernetes, clock::Clock};
use futures::future::join_all;
use hyper::Request;
use kube::Client;
use serde_json::Value;
use std::time::Duration;

#[tokio::test]
async fn what_a_cluster_s_own_controllers_tell_is_named() {
    crypto();
    let (plane, _) = workloads::management().await;
    join_all(FACTS.iter().map(|fact| holds(plane, fact))).await;
}

async fn holds(plane: &ControlPlane, fact: &Fact) {
    let namespace = plane.fresh_namespace("causes").await;
    plane.has_service_account(&namespace).await;
    let client = plane.client("bench").await;
    for object in (fact.beside)(&namespace) {
        make(&client, &namespace, object).await;
    }
    if fact.is_refused {
        in_force(plane, &client, &namespace, fact).await;
    }
    make(&client, &namespace, (fact.workload)()).await;
    let cluster = Kubernetes::new(client, Duration::from_secs(30), Clock::system());
    is_named(&cluster, &namespace, fact).await;
}

/// Quotas, webhooks and policies take a moment before they refuse anything, and a quota another before it says why.
async fn in_force(plane: &ControlPlane, client: &Client, namespace: &str, fact: &Fact) {
    let pod = pod_of(fact).to_string().into_bytes();
    plane
        .eventually("pods that are refused", async || {
            let request = Request::post(format!("/api/v1/namespaces/{namespace}/pods?dryRun=All"))
                .header("content-type", "application/json")
                .body(pod.clone())
                .unwrap();
            match client.request::<Value>(request).await {
                Err(kube::Error::Api(status)) => (!status.message.contains("status unknown")).then_some(()),
                _ => None,
            }
        })
        .await;
}
