//! Merge patches, and the status as a place of its own.

use super::{APPLY, Place, UnderTest, config_map, managers, version};
use serde_json::{Value, json};

pub(crate) async fn fields_are_set_and_taken_away(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    place.config_map("a", json!({"k": "1", "l": "1"})).await;
    let url = format!("{path}?fieldManager=upd");
    let patched = place.merge(&url, &json!({"data": {"k": "2", "l": null, "m": "1"}})).await.is(200);
    assert_eq!(patched["data"], json!({"k": "2", "m": "1"}));
    assert_eq!(managers(&patched)["Update upd"], json!({"f:data": {"f:k": {}, "f:m": {}}}));
    assert_eq!(place.get(&path).await.is(200), patched);
}

pub(crate) async fn a_patch_that_changes_nothing_makes_no_version(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let made = place.config_map("a", json!({"k": "1"})).await;
    let same = place.merge(&place.core("configmaps/a"), &json!({"data": {"k": "1"}})).await.is(200);
    assert_eq!(same, made);
}

pub(crate) async fn a_version_or_a_uid_in_it_is_a_precondition(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let made = place.config_map("a", json!({})).await;
    let with = |version: &str| json!({"metadata": {"resourceVersion": version}, "data": {"k": "1"}});
    let changed = place.merge(&path, &with(&version(&made))).await.is(200);
    let refusal = place.merge(&path, &with(&version(&made))).await.refusal(409);
    assert_eq!(refusal["reason"], "Conflict");
    assert_eq!(refusal["details"], json!({"name": "a", "kind": "configmaps"}));
    let other = "11111111-1111-4111-8111-111111111111";
    let refusal = place.merge(&path, &json!({"metadata": {"uid": other}})).await.refusal(422);
    let why = format!("metadata.uid: Invalid value: \"{other}\": field is immutable");
    assert_eq!(refusal["message"], format!("ConfigMap \"a\" is invalid: {why}"));
    assert_eq!(place.get(&path).await.is(200), changed);
}

pub(crate) async fn what_is_no_merge_patch_is_refused(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let refusal = place.merge(&path, &json!({"data": {}})).await.refusal(404);
    assert_eq!(refusal["details"], json!({"name": "a", "kind": "configmaps"}));
    let made = place.config_map("a", json!({})).await;
    let why = "json: cannot unmarshal array into Go value of type map[string]interface {}";
    let refusal = place.merge(&path, &json!([])).await.refusal(400);
    assert_eq!(refusal, json!({"reason": "BadRequest", "message": format!("error decoding patch: {why}")}));
    for (patch, code) in [
        (json!({"metadata": {"name": "b"}}), 400),
        (json!({"metadata": {"namespace": "b"}}), 400),
        (json!({"data": {"k": 1}}), 422),
    ] {
        place.merge(&path, &patch).await.refusal(code);
    }
    let strict = format!("{path}?fieldValidation=Strict");
    let refusal = place.merge(&strict, &json!({"foo": 1})).await.refusal(422);
    let (_, reason, message) = &super::causes(&refusal)[0];
    assert_eq!(reason, "FieldValueInvalid");
    assert!(message.ends_with(": strict decoding error: unknown field \"foo\""), "{message}");
    assert_eq!(place.merge(&path, &json!({"foo": 1})).await.is(200), made, "else it is dropped");
    let refusal = place.merge(&format!("{path}?force=true"), &json!({})).await.refusal(422);
    assert_eq!(refusal["details"]["causes"][0]["field"], "force");
    let unknown = place.send("PATCH", &path, "application/json", &json!({"data": {}})).await.refusal(415);
    assert_eq!(unknown["reason"], "UnsupportedMediaType");
    assert_eq!(place.get(&path).await.is(200), made);
}

pub(crate) async fn what_has_no_status_has_no_place_for_it(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    place.config_map("a", json!({})).await;
    let path = place.core("configmaps/a/status");
    let config = config_map("a", json!({}));
    for answer in [
        place.get(&path).await,
        place.merge(&path, &json!({})).await,
        place.send("PATCH", &format!("{path}?fieldManager=me"), APPLY, &config).await,
    ] {
        let expected = json!({
            "reason": "NotFound", "details": {}, "message": "the server could not find the requested resource",
        });
        assert_eq!(answer.refusal(404), expected);
    }
}

pub(crate) async fn a_status_is_changed_only_at_its_place(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.in_group("apps/v1", "deployments/a");
    let spec = json!({
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    });
    let made =
        place.post(&place.in_group("apps/v1", "deployments"), &super::deployment("a", spec)).await.is(201);
    let patch = json!({"spec": {"replicas": 9}, "status": {"replicas": 5, "readyReplicas": 4}});
    let of_status = place.merge(&format!("{path}/status"), &patch).await.is(200);
    assert_eq!(of_status["spec"], made["spec"]);
    assert_eq!(of_status["status"]["readyReplicas"], 4);
    assert_eq!(of_status["metadata"]["generation"], 1);
    let of_rest =
        place.merge(&path, &json!({"spec": {"replicas": 2}, "status": {"readyReplicas": 7}})).await.is(200);
    assert_eq!((&of_rest["spec"]["replicas"], &of_rest["status"]["readyReplicas"]), (&json!(2), &json!(4)));
    assert_eq!(of_rest["metadata"]["generation"], 2);
    let mut whole = of_rest.clone();
    whole["spec"]["replicas"] = json!(3);
    whole["status"]["readyReplicas"] = json!(1);
    let put = place.put(&format!("{path}/status"), &whole).await.is(200);
    assert_eq!((&put["spec"]["replicas"], &put["status"]["readyReplicas"]), (&json!(2), &json!(1)));
    let stale = place.put(&format!("{path}/status"), &whole).await.refusal(409);
    assert_eq!(stale["details"], json!({"name": "a", "group": "apps", "kind": "deployments"}));
    assert_eq!(place.get(&format!("{path}/status")).await.is(200), put);
    assert_ne!(put["status"], Value::Null);
}
