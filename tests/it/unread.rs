//! Looking at an object without a right to read it, fact by fact, on every API server that there is: as `apply` does.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    apply::{Picked, Through, UnderTest, config, is, kubernetes, name_of, stepped, there},
    taking::Takings,
};
use berth::{
    clients::{
        Kind,
        kubernetes::{Deletion, Dependents, Kubernetes, manifest::Manifest},
    },
    domain::claim::ObjectName,
    errors::Exit,
};
use futures::FutureExt;
use hyper::http::Method;
use jiff::SignedDuration;
use kube::Client;
use serde_json::{Value, json};

fn secret(at: &impl UnderTest, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": at.namespace()},
        "stringData": {"token": token},
    })
}

fn manifest(object: &Value) -> Manifest {
    Manifest::parse(object.clone()).unwrap()
}

/// Whoever reads objects here fails.
fn unread(at: &impl UnderTest) -> (Through, Kubernetes) {
    let through = Through::new(at.client(), |request| {
        let reads = request.method() == Method::GET && request.uri().path().contains("/namespaces/");
        assert!(!reads, "{}", request.uri());
        Picked::Pass
    });
    let kubernetes = through.kubernetes();
    (through, kubernetes)
}

async fn it_shows_the_object_as_it_is_and_changes_nothing(at: &impl UnderTest) {
    let fence = Takings::new().take(7).await;
    let wanted = secret(at, "canary");
    let (through, kubernetes) = unread(at);
    let absent = kubernetes.observe_unread(&name_of(&wanted)).await.unwrap();
    assert!(absent.object().is_none());
    kubernetes.writer(&fence).apply_over(absent, manifest(&wanted)).await.unwrap();
    let before = there(at, &wanted).await;
    assert_eq!(before["data"], json!({"token": "Y2FuYXJ5"}));
    let seen = kubernetes.observe_unread(&name_of(&wanted)).await.unwrap();
    assert_eq!(*seen.object().unwrap().value(), before);
    assert_eq!(there(at, &wanted).await, before, "a look is no change");
    through.taken();
    kubernetes.writer(&fence).apply_over(seen, manifest(&wanted)).await.unwrap();
    assert_eq!(through.taken(), Vec::<String>::new(), "what is as it should be is not written");
}

async fn what_has_appeared_since_is_a_conflict(at: &impl UnderTest) {
    let (takings, wanted) = (Takings::new(), secret(at, "one"));
    let fence = takings.take(7).await;
    let (_, kubernetes) = unread(at);
    let look = async || kubernetes.observe_unread(&name_of(&wanted)).await.unwrap();
    let (late, first) = (look().await, look().await);
    kubernetes.writer(&fence).apply_over(first, manifest(&wanted)).await.unwrap();
    let lost = kubernetes.writer(&fence).apply_over(late, manifest(&secret(at, "two"))).await.unwrap_err();
    is(Kind::Conflict, Exit::Unknown, &lost);
    assert_eq!(there(at, &wanted).await["data"], json!({"token": "b25l"}));
}

async fn only_what_was_seen_is_written_over_and_deleted(at: &impl UnderTest) {
    let (takings, wanted) = (Takings::new(), secret(at, "one"));
    let fence = takings.take(7).await;
    let (_, kubernetes) = unread(at);
    let look = async || kubernetes.observe_unread(&name_of(&wanted)).await.unwrap();
    let writer = kubernetes.writer(&fence);
    writer.apply_over(look().await, manifest(&wanted)).await.unwrap();
    let stale = look().await;
    writer.apply_over(look().await, manifest(&secret(at, "two"))).await.unwrap();
    let lost = writer.apply_over(stale.clone(), manifest(&secret(at, "three"))).await.unwrap_err();
    is(Kind::Conflict, Exit::Unknown, &lost);
    is(Kind::Conflict, Exit::Unknown, &writer.delete(&stale, Dependents::Later).await.unwrap_err());
    assert_eq!(there(at, &wanted).await["data"], json!({"token": "dHdv"}));
    assert_eq!(writer.delete(&look().await, Dependents::Later).await.unwrap(), Deletion::UnderWay);
    assert!(look().await.object().is_none());
}

async fn what_may_not_be_changed_is_unknown(at: &impl UnderTest) {
    let name = name_of(&secret(at, "one"));
    let refused = kubernetes(at.powerless()).observe_unread(&name).await.unwrap_err();
    is(Kind::Refused, Exit::Unknown, &refused);
    // Whoever stands in between does not know what is there.
    let page = Through::new(at.client(), |request| match *request.method() {
        Method::PATCH => Picked::Answer(404, json!("not found")),
        _ => Picked::Pass,
    });
    let unknown = page.kubernetes().observe_unread(&name).await.unwrap_err();
    is(Kind::Invalid, Exit::Unknown, &unknown);
    let other = config(at, "other", json!({}));
    let answer = other.clone();
    let garbled = Through::new(at.client(), move |request| match *request.method() {
        Method::PATCH => Picked::Answer(200, answer.clone()),
        _ => Picked::Pass,
    });
    let unknown = garbled.kubernetes().observe_unread(&name).await.unwrap_err();
    is(Kind::Unavailable { wait: None }, Exit::Unknown, &unknown);
}

async fn of_what_cannot_be_there_it_says_so(at: &impl UnderTest) {
    let kubernetes = kubernetes(at.client());
    let nowhere = ObjectName { namespace: Some("nowhere".to_owned()), ..name_of(&secret(at, "one")) };
    assert!(kubernetes.observe_unread(&nowhere).await.unwrap().object().is_none());
    let api_version = "nobody.example/v1".to_owned();
    let unserved = ObjectName { api_version, ..name_of(&secret(at, "one")) };
    assert!(kubernetes.observe_unread(&unserved).await.unwrap().object().is_none());
    let path = ObjectName { name: "../configmaps/s".to_owned(), ..name_of(&secret(at, "one")) };
    is(Kind::Invalid, Exit::Unknown, &kubernetes.observe_unread(&path).await.unwrap_err());
}

async fn whether_its_kind_has_namespaces_is_checked_before_it_is_asked_for(at: &impl UnderTest) {
    let through = Through::counting(at.client());
    let kubernetes = through.kubernetes();
    let known = name_of(&secret(at, "one"));
    kubernetes.observe_unread(&known).await.unwrap();
    through.taken();
    let nowhere = ObjectName { namespace: None, ..known.clone() };
    let within = ObjectName { kind: "Namespace".to_owned(), ..known };
    for (name, says) in [(nowhere, "its kind needs a namespace"), (within, "its kind has no namespaces")] {
        let refused = kubernetes.observe_unread(&name).await.unwrap_err();
        is(Kind::Invalid, Exit::Unknown, &refused);
        assert!(format!("{refused:#}").contains(says), "{refused:#}");
    }
    assert_eq!(through.taken(), Vec::<String>::new());
}

async fn nothing_is_watched_from_it(at: &impl UnderTest) {
    let (through, clock) = (Through::counting(at.client()), stepped());
    let kubernetes =
        Kubernetes::new(Client::new(through.clone(), "default"), crate::apply::LIMIT, clock.clone());
    let seen = kubernetes.observe_unread(&name_of(&secret(at, "one"))).await.unwrap();
    through.taken();
    let mut wake = seen.changed("it").wake;
    assert!((&mut wake).now_or_never().is_none(), "it would be looked at again at once");
    clock.advance(SignedDuration::from_secs(2));
    wake.await.unwrap();
    assert_eq!(through.taken(), Vec::<String>::new());
}

crate::apply::facts! {
    it_shows_the_object_as_it_is_and_changes_nothing
    what_has_appeared_since_is_a_conflict
    only_what_was_seen_is_written_over_and_deleted
    what_may_not_be_changed_is_unknown
    of_what_cannot_be_there_it_says_so
    whether_its_kind_has_namespaces_is_checked_before_it_is_asked_for
    nothing_is_watched_from_it
}
