//! Deletion: finalizers, owners, many at once, and namespaces.

use super::{ME, Place, UnderTest, brief, config_map, version};
use serde_json::{Value, json};

/// A ConfigMap that is owned by another, or not.
async fn make(place: &Place, name: &str, owner: Option<&Value>) -> Value {
    let mut map = config_map(name, json!({}));
    if let Some(owner) = owner {
        map["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "blockOwnerDeletion": true,
        }]);
    }
    place.post(&place.core("configmaps"), &map).await.is(201)
}

pub(crate) async fn a_finalizer_holds_an_object_until_it_is_taken_away(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let mut map = config_map("a", json!({}));
    map["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let made = place.post(&place.core("configmaps"), &map).await.is(201);
    let mut watching =
        place.watch(&place.core("configmaps"), &format!("resourceVersion={}", version(&made))).await;
    let held = place.delete(&path, &Value::Null).await.is(200);
    assert!(held["metadata"]["deletionTimestamp"].is_string(), "{held}");
    assert_eq!(held["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(place.delete(&path, &Value::Null).await.is(200), held, "it is being deleted already");
    let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    let refusal = place.merge(&path, &more).await.refusal(422);
    let why = "Forbidden: no new finalizers can be added if the object is being deleted, \
        found new finalizers []string{\"example.com/more\"}";
    assert_eq!(refusal["message"], format!("ConfigMap \"a\" is invalid: metadata.finalizers: {why}"));
    let last = place.merge(&path, &json!({"metadata": {"finalizers": null}})).await.is(200);
    assert_eq!(version(&last), version(&held), "what goes gets no version any more");
    place.get(&path).await.refusal(404);
    assert_eq!(watching.event().await, ("MODIFIED".to_owned(), held.clone()));
    let (kind, gone) = watching.event().await;
    assert_eq!((kind.as_str(), &gone["metadata"]["uid"]), ("DELETED", &made["metadata"]["uid"]));
    assert_ne!(version(&gone), version(&held));
}

pub(crate) async fn what_an_object_owns_follows_it(under_test: &impl UnderTest) {
    for options in [Value::Null, json!({"propagationPolicy": "Background"})] {
        let place = Place::of(under_test).await;
        let owner = make(&place, "owner", None).await;
        let child = make(&place, "child", Some(&owner)).await;
        let grandchild = make(&place, "grandchild", Some(&child)).await;
        let from = format!("resourceVersion={}", version(&grandchild));
        let mut watching = place.watch(&place.core("configmaps"), &from).await;
        let done = place.delete(&place.core("configmaps/owner"), &options).await.is(200);
        assert_eq!(done["status"], "Success");
        for name in ["owner", "child", "grandchild"] {
            assert_eq!(watching.brief().await, brief("DELETED", name));
        }
    }
}

pub(crate) async fn in_the_foreground_what_it_owns_goes_first(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let owner = make(&place, "owner", None).await;
    let child = make(&place, "child", Some(&owner)).await;
    let from = format!("resourceVersion={}", version(&child));
    let mut watching = place.watch(&place.core("configmaps"), &from).await;
    let options = json!({"propagationPolicy": "Foreground"});
    let held = place.delete(&place.core("configmaps/owner"), &options).await.is(200);
    assert_eq!(held["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert_eq!(watching.event().await, ("MODIFIED".to_owned(), held));
    assert_eq!(watching.brief().await, brief("DELETED", "child"));
    assert_eq!(watching.brief().await, brief("DELETED", "owner"));
}

pub(crate) async fn an_orphan_stays(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let owner = make(&place, "owner", None).await;
    let child = make(&place, "child", Some(&owner)).await;
    let from = format!("resourceVersion={}", version(&child));
    let mut watching = place.watch(&place.core("configmaps"), &from).await;
    let held =
        place.delete(&place.core("configmaps/owner?propagationPolicy=Orphan"), &Value::Null).await.is(200);
    assert_eq!(held["metadata"]["finalizers"], json!(["orphan"]));
    assert_eq!(watching.event().await, ("MODIFIED".to_owned(), held));
    let (kind, orphan) = watching.event().await;
    assert_eq!((kind.as_str(), &orphan["metadata"]["name"]), ("MODIFIED", &json!("child")));
    assert_eq!(orphan["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(watching.brief().await, brief("DELETED", "owner"));
    place.get(&place.core("configmaps/child")).await.is(200);
}

pub(crate) async fn what_is_born_without_its_owner_goes(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let never = json!({"metadata": {"name": "never", "uid": "11111111-1111-4111-8111-111111111111"}});
    let from = place.list_version(&place.core("configmaps")).await;
    let mut watching = place.watch(&place.core("configmaps"), &format!("resourceVersion={from}")).await;
    make(&place, "child", Some(&never)).await;
    assert_eq!(watching.brief().await, brief("ADDED", "child"));
    assert_eq!(watching.brief().await, brief("DELETED", "child"));
}

pub(crate) async fn an_unknown_policy_deletes_nothing(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    place.config_map("a", json!({})).await;
    let path = place.core("configmaps/a");
    let refusal = place.delete(&path, &json!({"propagationPolicy": "Some"})).await.refusal(422);
    let why =
        "Unsupported value: \"Some\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"";
    let cause = json!({"reason": "FieldValueNotSupported", "message": why, "field": "propagationPolicy"});
    let about = json!({"group": "meta.k8s.io", "kind": "DeleteOptions", "causes": [cause]});
    assert_eq!(refusal["details"], about);
    let dry = place.delete(&format!("{path}?dryRun=All"), &Value::Null).await.is(200);
    assert_eq!(dry["status"], "Success");
    place.get(&path).await.is(200);
}

pub(crate) async fn many_are_deleted_by_a_selector(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    for (name, label, held) in [("a", "1", false), ("b", "2", false), ("c", "1", true)] {
        let mut map = config_map(name, json!({}));
        map["metadata"]["labels"] = json!({"s": label});
        if held {
            map["metadata"]["finalizers"] = json!(["example.com/hold"]);
        }
        place.post(&maps, &map).await.is(201);
    }
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let selected = format!("{maps}?labelSelector=s%3D1");
    let dry = place.delete(&format!("{selected}&dryRun=All"), &Value::Null).await.is(200);
    assert_eq!(names(&dry), ["a", "c"]);
    assert_eq!(names(&place.get(&maps).await.is(200)), ["a", "b", "c"]);
    let answer = place.delete(&selected, &Value::Null).await.is(200);
    assert_eq!(
        (&answer["kind"], names(&answer)),
        (&json!("ConfigMapList"), vec!["a".to_owned(), "c".to_owned()])
    );
    place.gone(&maps, "a").await;
    let left = place.get(&maps).await.is(200);
    assert_eq!(names(&left), ["b", "c"]);
    assert!(left["items"][1]["metadata"]["deletionTimestamp"].is_string(), "held, but going");
    place.merge(&format!("{maps}/c"), &json!({"metadata": {"finalizers": null}})).await.is(200);
}

pub(crate) async fn a_namespace_takes_everything_with_it_when_nothing_holds_it(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let mut map = config_map("held", json!({}));
    map["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let held = place.post(&place.core("configmaps"), &map).await.is(201);
    place.config_map("free", json!({})).await;
    let mut watching =
        place.watch(&place.core("configmaps"), &format!("resourceVersion={}", version(&held))).await;
    let path = format!("/api/v1/namespaces/{}", place.namespace);
    let going = place.delete(&path, &Value::Null).await.is(200);
    assert_eq!(going["status"]["phase"], "Terminating");
    let mut seen = vec![watching.brief().await];
    assert_eq!(seen.pop(), Some(brief("ADDED", "free")));
    for _ in 0..2 {
        seen.push(watching.brief().await);
    }
    seen.sort();
    assert_eq!(seen, [brief("DELETED", "free"), brief("MODIFIED", "held")]);
    let refusal =
        place.apply(&place.core("configmaps/new"), ME, &config_map("new", json!({}))).await.refusal(403);
    let why = format!("namespace {} is being terminated", place.namespace);
    let cause = json!({"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"});
    assert_eq!(refusal["details"], json!({"name": "new", "kind": "configmaps", "causes": [cause]}));
    place.merge(&place.core("configmaps/held"), &json!({"metadata": {"finalizers": null}})).await.is(200);
    place.gone("/api/v1/namespaces", &place.namespace).await;
    let refusal = place.get(&path).await.refusal(404);
    assert_eq!(refusal["details"], json!({"name": place.namespace, "kind": "namespaces"}));
}
