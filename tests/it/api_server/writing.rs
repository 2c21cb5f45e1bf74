//! Whole objects: what is refused, in which words, and what a refusal says that it is about.

use super::{Place, UnderTest, causes, config_map, deployment, managers, version};
use serde_json::{Value, json};

const MEBIBYTE: usize = 1 << 20;

pub(crate) async fn too_much_data_is_refused(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let why = "Too long: may not be more than 1048576 bytes";
    let cause = |field: &str| json!({"reason": "FieldValueTooLong", "message": why, "field": field});
    let maps = place.core("configmaps");
    assert_eq!(
        place.post(&maps, &config_map("a", json!({"k": "x".repeat(MEBIBYTE), "l": "y"}))).await.refusal(422),
        json!({
            "reason": "Invalid", "message": format!("ConfigMap \"a\" is invalid: []: {why}"),
            "details": {"name": "a", "kind": "ConfigMap", "causes": [cause("[]")]},
        })
    );
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
        "stringData": {"k": "x".repeat(MEBIBYTE + 1)},
    });
    assert_eq!(
        place.post(&place.core("secrets"), &secret).await.refusal(422),
        json!({
            "reason": "Invalid", "message": format!("Secret \"a\" is invalid: data: {why}"),
            "details": {"name": "a", "kind": "Secret", "causes": [cause("data")]},
        })
    );
    let mut map = config_map("a", json!({}));
    map["metadata"]["annotations"] = json!({"k": "x".repeat(256 << 10)});
    let why = "Too long: may not be more than 262144 bytes".to_owned();
    let refusal = place.post(&maps, &map).await.refusal(422);
    assert_eq!(causes(&refusal), [("metadata.annotations".to_owned(), "FieldValueTooLong".to_owned(), why)]);
    place.post(&maps, &config_map("a", json!({"k": "x".repeat(MEBIBYTE)}))).await.is(201);
}

pub(crate) async fn an_update_of_another_life_is_a_conflict(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let made = place.config_map("a", json!({})).await;
    let mut other = config_map("a", json!({"k": "v"}));
    let uid = "11111111-1111-4111-8111-111111111111";
    other["metadata"]["uid"] = json!(uid);
    let key = format!("/registry/configmaps/{}/a", place.namespace);
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
        made["metadata"]["uid"].as_str().unwrap()
    );
    assert_eq!(
        place.put(&place.core("configmaps/a"), &other).await.refusal(409),
        json!({
            "reason": "Conflict", "details": {"name": "a", "kind": "configmaps"},
            "message": format!("Operation cannot be fulfilled on configmaps \"a\": {why}"),
        })
    );
}

pub(crate) async fn in_a_namespace_that_is_not_there_nothing_is_made(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let map = config_map("a", json!({}));
    let nowhere = "/api/v1/namespaces/nowhere/configmaps";
    let expected = json!({
        "reason": "NotFound", "message": "namespaces \"nowhere\" not found",
        "details": {"name": "nowhere", "kind": "namespaces"},
    });
    assert_eq!(place.post(nowhere, &map).await.refusal(404), expected);
    assert_eq!(place.apply(&format!("{nowhere}/a"), super::ME, &map).await.refusal(404), expected);
    let found = place.get(nowhere).await.is(200);
    assert_eq!(found["items"], json!([]), "a list of nothing is one");
    let refusal = place.get(&format!("{nowhere}/a")).await.refusal(404);
    assert_eq!(refusal["details"], json!({"name": "a", "kind": "configmaps"}));
}

pub(crate) async fn a_precondition_of_a_delete_names_the_kind(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let made = place.config_map("a", json!({})).await;
    let other = "11111111-1111-4111-8111-111111111111";
    let (uid, seen) = (made["metadata"]["uid"].as_str().unwrap(), version(&made));
    let about = json!({"name": "a", "kind": "ConfigMap"});
    let says = |why: String| format!("Operation cannot be fulfilled on ConfigMap \"a\": {why}");
    for (field, value, why) in [
        (
            "uid",
            other,
            format!(
                "the UID in the precondition ({other}) does not match the UID in record ({uid}). \
                 The object might have been deleted and then recreated"
            ),
        ),
        (
            "resourceVersion",
            "1",
            format!(
                "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({seen}). \
                 The object might have been modified"
            ),
        ),
    ] {
        let refusal = place.delete(&path, &json!({"preconditions": {field: value}})).await.refusal(409);
        let expected = json!({"reason": "Conflict", "message": says(why), "details": about});
        assert_eq!(refusal, expected);
    }
    let options = json!({"preconditions": {"uid": uid, "resourceVersion": seen}});
    let done = place.delete(&path, &options).await.is(200);
    assert_eq!(done["details"], json!({"name": "a", "kind": "configmaps", "uid": uid}));
    let missing = place.delete(&path, &options).await.refusal(404);
    assert_eq!(missing["details"], json!({"name": "a", "kind": "configmaps"}));
}

pub(crate) async fn an_update_that_changes_nothing_makes_no_version(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let made = place.config_map("a", json!({"k": "v"})).await;
    assert_eq!(place.put(&path, &made).await.is(200), made);
    let refusal = place.put(&place.core("configmaps/b"), &config_map("b", json!({}))).await.refusal(404);
    assert_eq!(refusal["details"], json!({"name": "b", "kind": "configmaps"}));
}

pub(crate) async fn a_version_on_what_is_created_is_a_broken_server(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let mut map = config_map("a", json!({}));
    map["metadata"]["resourceVersion"] = json!("1");
    let refusal = place.post(&place.core("configmaps"), &map).await.refusal(500);
    assert_eq!(refusal, json!({"message": "resourceVersion should not be set on objects to be created"}));
}

pub(crate) async fn a_generated_name_is_the_servers(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "gen-"}});
    let maps = place.core("configmaps");
    let (one, other) = (place.post(&maps, &map).await.is(201), place.post(&maps, &map).await.is(201));
    for made in [&one, &other] {
        let name = made["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("gen-") && name.len() == 9, "{name}");
    }
    assert_ne!(one["metadata"]["name"], other["metadata"]["name"]);
}

pub(crate) async fn an_unknown_field_is_refused_only_to_the_strict(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let mut map = config_map("a", json!({}));
    map["foo"] = json!(1);
    let strict = format!("{maps}?fieldValidation=Strict");
    let why = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"foo\"";
    let refusal = place.post(&strict, &map).await.refusal(400);
    assert_eq!(refusal, json!({"reason": "BadRequest", "message": why}));
    assert_eq!(place.post(&maps, &map).await.is(201)["foo"], Value::Null);
    let refusal = place.post(&format!("{maps}?fieldValidation=Some"), &map).await.refusal(422);
    assert_eq!(refusal["details"]["causes"][0]["field"], "fieldValidation");
}

pub(crate) async fn what_the_path_does_not_take_is_refused(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let not_allowed = json!({
        "reason": "MethodNotAllowed", "details": {},
        "message": "the server does not allow this method on the requested resource",
    });
    let map = config_map("a", json!({}));
    assert_eq!(place.post(&place.core("configmaps/a"), &map).await.refusal(405), not_allowed);
    assert_eq!(place.put(&place.core("configmaps"), &map).await.refusal(405), not_allowed);
    assert_eq!(place.post("/api/v1/configmaps", &map).await.refusal(405), not_allowed);
    assert_eq!(place.delete("/api/v1/namespaces", &Value::Null).await.refusal(405), not_allowed);
}

pub(crate) async fn a_version_that_is_to_come_cannot_be_listed(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let refusal = place.get(&format!("{maps}?resourceVersion=999999999")).await.refusal(504);
    assert_eq!(refusal["reason"], "Timeout");
    assert_eq!(refusal["details"]["retryAfterSeconds"], 1);
    let refusal = place.get(&format!("{maps}?resourceVersion=foo")).await.refusal(400);
    assert_eq!(refusal["reason"], "BadRequest");
}

pub(crate) async fn who_writes_owns_what_was_written(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let mut map = config_map("a", json!({"k": "v"}));
    map["metadata"]["labels"] = json!({"l": "1"});
    map["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let maps = place.core("configmaps");
    let made = place.post(&format!("{maps}?fieldManager=one"), &map).await.is(201);
    let metadata = json!({
        "f:labels": {".": {}, "f:l": {}}, "f:finalizers": {".": {}, "v:\"example.com/hold\"": {}},
    });
    let owned = json!({"f:data": {".": {}, "f:k": {}}, "f:metadata": metadata});
    assert_eq!(managers(&made), json!({"Update one": owned}));
    let mut next = config_map("a", json!({"k": "w"}));
    next["metadata"]["labels"] = json!({"l": "1", "m": "1"});
    let put = place.put(&format!("{maps}/a?fieldManager=other"), &next).await.is(200);
    assert_eq!(
        managers(&put),
        json!({
            "Update one": {"f:data": {}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}},
            "Update other": {"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:m": {}}}},
        })
    );
    let from = place.send("POST", &maps, super::JSON, &config_map("b", json!({"k": "v"}))).await.is(201);
    assert_eq!(managers(&from).as_object().unwrap().len(), 1, "without a name it is the program's");
}

/// Whoever compares what it wishes with what it reads must know this.
pub(crate) async fn quantities_are_written_in_one_form(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let hard = json!({
        "pods": 10, "requests.cpu": "1000m", "limits.cpu": "0.5", "requests.memory": "2048Mi", "limits.memory": "1.5Gi",
        "requests.storage": "1000", "count/configmaps": "2k",
    });
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "a"}, "spec": {"hard": hard},
    });
    let path = place.core("resourcequotas/a");
    let made = place.apply(&path, super::ME, &quota).await.is(201);
    let expected = json!({
        "pods": "10", "requests.cpu": "1", "limits.cpu": "500m", "requests.memory": "2Gi", "limits.memory": "1536Mi",
        "requests.storage": "1k", "count/configmaps": "2k",
    });
    assert_eq!(made["spec"]["hard"], expected);
    assert_eq!(place.apply(&path, super::ME, &quota).await.is(200)["spec"], made["spec"]);
}

pub(crate) async fn a_workload_without_what_it_needs_is_refused(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let deployments = place.in_group("apps/v1", "deployments");
    let required =
        |field: &str| (field.to_owned(), "FieldValueRequired".to_owned(), "Required value".to_owned());
    let refusal = place.post(&deployments, &deployment("a", json!({}))).await.refusal(422);
    let why = "Invalid value: null: `selector` does not match template `labels`".to_owned();
    let labels = ("spec.template.metadata.labels".to_owned(), "FieldValueInvalid".to_owned(), why);
    let mut expected = [required("spec.selector"), required("spec.template.spec.containers"), labels];
    expected.sort();
    assert_eq!(causes(&refusal), expected);
    let spec = |labels: Value, containers: Value| {
        let template = json!({"metadata": {"labels": labels}, "spec": {"containers": containers}});
        json!({"selector": {"matchLabels": {"a": "b"}}, "template": template})
    };
    let imageless = deployment("a", spec(json!({"a": "b"}), json!([{"name": "c"}])));
    let refusal = place.post(&deployments, &imageless).await.refusal(422);
    assert_eq!(causes(&refusal), [required("spec.template.spec.containers[0].image")]);
    let other = deployment("a", spec(json!({"a": "c"}), json!([{"name": "c", "image": "i"}])));
    let refusal = place.post(&deployments, &other).await.refusal(422);
    let why = "Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`";
    assert_eq!(causes(&refusal)[0].2, why);
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {}});
    let refusal = place.post(&place.core("services"), &service).await.refusal(422);
    assert_eq!(causes(&refusal), [required("spec.ports")]);
}
