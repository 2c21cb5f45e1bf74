//! Who one is to an API server, fact by fact, on every server that there is: as `apply` does.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::apply::{Picked, Through, UnderTest, is, kubernetes};
use berth::{clients::Kind, errors::Exit};
use hyper::http::{Method, Request};
use kube::{Client, client::Body};
use serde_json::{Value, json};

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

async fn answer(client: Client, method: Method, body: &Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(REVIEWS).header("content-type", "application/json");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string().into_bytes()) };
    let (head, body) = client.send(request.body(body).unwrap()).await.unwrap().into_parts();
    (head.status.as_u16(), serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

async fn whoever_asks_is_told_who_that_is(at: &impl UnderTest) {
    // Whatever is claimed.
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
        "status": {"userInfo": {"username": "somebody", "groups": ["system:masters"]}},
    });
    let (code, told) = answer(at.powerless(), Method::POST, &review).await;
    assert_eq!(code, 201, "{told}");
    assert_eq!(
        (&told["kind"], &told["apiVersion"]),
        (&json!("SelfSubjectReview"), &json!("authentication.k8s.io/v1"))
    );
    assert_eq!(told["metadata"].as_object().unwrap().keys().collect::<Vec<_>>(), ["creationTimestamp"]);
    let namespace = at.namespace();
    assert_eq!(
        told["status"]["userInfo"]["username"],
        json!(format!("system:serviceaccount:{namespace}:default"))
    );
    let of_it = format!("system:serviceaccounts:{namespace}");
    let groups = ["system:serviceaccounts", &of_it, "system:authenticated"];
    assert_eq!(told["status"]["userInfo"]["groups"], json!(groups));
}

async fn nothing_else_can_be_asked_there(at: &impl UnderTest) {
    let (code, refusal) = answer(at.client(), Method::GET, &Value::Null).await;
    assert_eq!((code, &refusal["reason"]), (405, &json!("MethodNotAllowed")), "{refusal}");
    for other in [
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}),
        json!({"apiVersion": "authentication.k8s.io/v9", "kind": "SelfSubjectReview"}),
    ] {
        let (code, refusal) = answer(at.client(), Method::POST, &other).await;
        assert_eq!((code, &refusal["reason"]), (400, &json!("BadRequest")), "{refusal}");
        let (_, version) = text(&other["apiVersion"]).split_once('/').unwrap();
        let said = format!(
            "{} in version {version:?} cannot be handled as a SelfSubjectReview: ",
            text(&other["kind"])
        );
        assert!(text(&refusal["message"]).starts_with(&said), "{refusal}");
    }
}

async fn it_is_known_as_a_subject_of_bindings(at: &impl UnderTest) {
    let account = kubernetes(at.powerless()).account().await.unwrap();
    assert_eq!(account, json!({"kind": "ServiceAccount", "namespace": at.namespace(), "name": "default"}));
}

async fn who_cannot_be_found_out_is_not_nobody(at: &impl UnderTest) {
    let answering = |code, body: Value| {
        Through::new(at.powerless(), move |request| match request.uri().path() {
            REVIEWS => Picked::Answer(code, body.clone()),
            _ => Picked::Pass,
        })
    };
    let down = answering(503, json!("down")).kubernetes().account().await.unwrap_err();
    is(Kind::Unavailable { wait: None }, Exit::Unknown, &down);
    for nobody in [json!({}), json!({"status": {"userInfo": {"username": ""}}})] {
        let garbled = answering(201, nobody).kubernetes().account().await.unwrap_err();
        is(Kind::Unavailable { wait: None }, Exit::Unknown, &garbled);
    }
}

crate::apply::facts! {
    whoever_asks_is_told_who_that_is
    nothing_else_can_be_asked_there
    it_is_known_as_a_subject_of_bindings
    who_cannot_be_found_out_is_not_nobody
}
