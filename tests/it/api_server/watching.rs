//! What watches tell, in which order, and with which versions.

use super::{Place, UnderTest, brief, config_map, version};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::WatchParams, core::WatchEvent};
use serde_json::{Value, json};

pub(crate) async fn what_happens_after_the_version_is_told_in_order(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let from = place.config_map("before", json!({})).await;
    let made = place.config_map("a", json!({"k": "1"})).await;
    let mut watching = place.watch(&maps, &format!("resourceVersion={}", version(&from))).await;
    let changed = place.merge(&format!("{maps}/a"), &json!({"data": {"k": "2"}})).await.is(200);
    place.delete(&format!("{maps}/a"), &Value::Null).await.is(200);
    assert_eq!(watching.event().await, ("ADDED".to_owned(), made));
    assert_eq!(watching.event().await, ("MODIFIED".to_owned(), changed.clone()));
    let (kind, last) = watching.event().await;
    assert_eq!((kind.as_str(), &last["data"]), ("DELETED", &json!({"k": "2"})));
    assert_ne!(version(&last), version(&changed), "its end has a version of its own");
}

pub(crate) async fn without_a_version_it_begins_with_what_is_there(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    place.config_map("a", json!({})).await;
    // It is of now; what version 0 gives is of a cache, which knows of it then.
    let mut other = place.watch(&maps, "").await;
    assert_eq!(other.brief().await, brief("ADDED", "a"));
    let mut one = place.watch(&maps, "resourceVersion=0").await;
    assert_eq!(one.brief().await, brief("ADDED", "a"));
    place.config_map("b", json!({})).await;
    for watching in [&mut one, &mut other] {
        assert_eq!(watching.brief().await, brief("ADDED", "b"), "no bookmark was asked for");
    }
}

pub(crate) async fn a_bookmark_says_where_the_beginning_ends(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let made = place.config_map("a", json!({})).await;
    for query in [
        // The first is of now; that of version 0 is of a cache, which knows of it then.
        "allowWatchBookmarks=true",
        "resourceVersion=0&allowWatchBookmarks=true",
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
    ] {
        let mut watching = place.watch(&maps, query).await;
        assert_eq!(watching.brief().await, brief("ADDED", "a"), "{query}");
        let (kind, mark) = watching.event().await;
        assert_eq!((kind.as_str(), &mark["kind"]), ("BOOKMARK", &json!("ConfigMap")), "{query}");
        assert_eq!(mark["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
        let (from, seen): (u64, u64) = (version(&made).parse().unwrap(), version(&mark).parse().unwrap());
        assert!(from <= seen, "{query}: {from} {seen}");
    }
    let from = version(&made);
    let mut watching = place.watch(&maps, &format!("resourceVersion={from}&allowWatchBookmarks=true")).await;
    place.config_map("b", json!({})).await;
    assert_eq!(watching.brief().await, brief("ADDED", "b"), "from a version nothing begins");
}

pub(crate) async fn what_leaves_the_selector_is_deleted_and_what_enters_is_added(
    under_test: &impl UnderTest,
) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let label = |value: &str| json!({"metadata": {"labels": {"x": value}}});
    place.config_map("a", json!({})).await;
    let from = place.list_version(&maps).await;
    let mut watching = place.watch(&maps, &format!("resourceVersion={from}&labelSelector=x%3D1")).await;
    let path = format!("{maps}/a");
    let entered = place.merge(&path, &label("1")).await.is(200);
    let left = place.merge(&path, &label("2")).await.is(200);
    place.merge(&path, &json!({"data": {"k": "unseen"}})).await.is(200);
    let again = place.merge(&path, &label("1")).await.is(200);
    let changed = place.merge(&path, &json!({"data": {"k": "seen"}})).await.is(200);
    place.delete(&path, &Value::Null).await.is(200);
    assert_eq!(watching.event().await, ("ADDED".to_owned(), entered));
    let (kind, gone) = watching.event().await;
    assert_eq!((kind.as_str(), version(&gone)), ("DELETED", version(&left)));
    assert_eq!(gone["metadata"]["labels"], json!({"x": "1"}), "as it was while it was selected");
    assert_eq!(watching.event().await, ("ADDED".to_owned(), again));
    assert_eq!(watching.event().await, ("MODIFIED".to_owned(), changed));
    assert_eq!(watching.brief().await, brief("DELETED", "a"));
}

pub(crate) async fn a_name_selects_one_object(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let from = place.list_version(&maps).await;
    let query = format!("resourceVersion={from}&fieldSelector=metadata.name%3Db");
    let mut watching = place.watch(&maps, &query).await;
    for name in ["a", "b", "c"] {
        place.config_map(name, json!({})).await;
    }
    place.delete(&format!("{maps}/b"), &Value::Null).await.is(200);
    assert_eq!(watching.brief().await, brief("ADDED", "b"));
    assert_eq!(watching.brief().await, brief("DELETED", "b"));
}

pub(crate) async fn all_namespaces_are_watched_from_above(under_test: &impl UnderTest) {
    let (one, other) = (Place::of(under_test).await, Place::of(under_test).await);
    let from = one.list_version("/api/v1/configmaps").await;
    let mine = &one.namespace;
    let query = format!("resourceVersion={from}&labelSelector=of%3D{mine}");
    let mut watching = one.watch("/api/v1/configmaps", &query).await;
    for (place, name) in [(&one, "a"), (&other, "b")] {
        let mut map = config_map(name, json!({}));
        map["metadata"]["labels"] = json!({"of": mine});
        place.post(&place.core("configmaps"), &map).await.is(201);
    }
    assert_eq!(watching.brief().await, brief("ADDED", "a"));
    assert_eq!(watching.brief().await, brief("ADDED", "b"));
}

pub(crate) async fn it_ends_when_its_time_is_over(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let from = place.list_version(&maps).await;
    let mut watching = place.watch(&maps, &format!("resourceVersion={from}&timeoutSeconds=1")).await;
    place.config_map("a", json!({})).await;
    assert_eq!(watching.brief().await, brief("ADDED", "a"));
    assert_eq!(watching.next().await, None);
}

pub(crate) async fn what_it_cannot_be_asked_is_refused(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = format!("{}?watch=true", place.core("configmaps"));
    assert_eq!(
        place.get(&format!("{maps}&resourceVersion=foo")).await.refusal(500),
        json!({"message": "resourceVersion: Invalid value: \"foo\": strconv.ParseUint: parsing \"foo\": invalid syntax"})
    );
    let refusal = place.get(&format!("{maps}&sendInitialEvents=true")).await.refusal(422);
    let why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    let cause = json!({"reason": "FieldValueForbidden", "message": why, "field": "resourceVersionMatch"});
    assert_eq!(refusal["details"], json!({"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause]}));
    assert_eq!(
        place.get(&format!("{maps}&fieldSelector=data%3Da")).await.refusal(400),
        json!({
            "reason": "BadRequest",
            "message": "\"data\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        })
    );
}

pub(crate) async fn nothing_is_lost_between_list_and_watch(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let from = place.list_version(&maps).await;
    let writer = async {
        for number in 0..20 {
            place.config_map(&format!("a-{number:02}"), json!({})).await;
        }
    };
    let reader = async {
        let mut watching = place.watch(&maps, &format!("resourceVersion={from}")).await;
        for number in 0..20 {
            assert_eq!(watching.brief().await, brief("ADDED", &format!("a-{number:02}")));
        }
    };
    tokio::join!(writer, reader);
}

/// The client that berth waits with.
pub(crate) async fn the_client_library_watches(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let api: Api<ConfigMap> = Api::namespaced(place.client.clone(), &place.namespace);
    let from = place.list_version(&place.core("configmaps")).await;
    let named = WatchParams::default().fields("metadata.name=a");
    let (later, now) = (api.watch(&named, &from).await.unwrap(), api.watch(&named, "0").await.unwrap());
    place.config_map("a", json!({"k": "v"})).await;
    let mut later = later.boxed();
    assert!(matches!(later.try_next().await.unwrap().unwrap(), WatchEvent::Added(map) if map.data.is_some()));
    let now: Vec<WatchEvent<ConfigMap>> = now.take(2).try_collect().await.unwrap();
    assert!(now.iter().any(|event| matches!(event, WatchEvent::Bookmark(_))), "{now:?}");
    assert!(now.iter().any(|event| matches!(event, WatchEvent::Added(map) if map.data.is_some())), "{now:?}");
}
