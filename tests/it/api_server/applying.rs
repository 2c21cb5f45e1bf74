//! Server-side apply: creation, preconditions, ownership, merging by the lists' keys.

use super::{ME, Place, UnderTest, causes, config_map, deployment, managers, version};
use serde_json::{Value, json};

const STALE: &str =
    "the object has been modified; please apply your changes to the latest version and try again";
const ELSE: &str = "11111111-1111-4111-8111-111111111111";

pub(crate) async fn what_is_absent_is_created(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let made = place.apply(&path, ME, &config_map("a", json!({"k": "v"}))).await.is(201);
    assert_eq!(managers(&made), json!({"Apply me": {"f:data": {"f:k": {}}}}));
    assert_eq!(place.get(&path).await.is(200), made);
}

pub(crate) async fn the_version_of_a_list_that_saw_it_absent_is_no_hindrance(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let mut map = config_map("a", json!({"k": "v"}));
    map["metadata"]["resourceVersion"] = json!(place.list_version(&place.core("configmaps")).await);
    let path = place.core("configmaps/a");
    let made = place.apply(&path, ME, &map).await.is(201);
    // The second who saw it absent comes too late.
    map["data"]["k"] = json!("other");
    for options in
        [ME, "fieldManager=me&force=true", "fieldManager=you&force=true", "fieldManager=me&dryRun=All"]
    {
        let refusal = place.apply(&path, options, &map).await.refusal(409);
        let message = format!("Operation cannot be fulfilled on configmaps \"a\": {STALE}");
        let expected = json!({
            "reason": "Conflict", "message": message, "details": {"name": "a", "kind": "configmaps"},
        });
        assert_eq!(refusal, expected, "{options}");
    }
    assert_eq!(place.get(&path).await.is(200), made);
    map["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    assert_eq!(place.apply(&path, ME, &map).await.is(200)["data"], json!({"k": "other"}));
}

pub(crate) async fn another_life_is_not_taken_for_this_one(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let mut map = config_map("a", json!({"k": "v"}));
    map["metadata"]["uid"] = json!(ELSE);
    let why =
        format!("uid mismatch: the provided object specified uid {ELSE}, and no existing object was found");
    assert_eq!(
        place.apply(&path, ME, &map).await.refusal(409),
        json!({
            "reason": "Conflict", "details": {"name": "a", "kind": "configmaps"},
            "message": format!("Operation cannot be fulfilled on configmaps \"a\": {why}"),
        })
    );
    place.config_map("a", json!({})).await;
    let why = format!("Invalid value: \"{ELSE}\": field is immutable");
    let cause = json!({"reason": "FieldValueInvalid", "message": why, "field": "metadata.uid"});
    assert_eq!(
        place.apply(&path, ME, &map).await.refusal(422),
        json!({
            "reason": "Invalid", "message": format!("ConfigMap \"a\" is invalid: metadata.uid: {why}"),
            "details": {"name": "a", "kind": "ConfigMap", "causes": [cause, cause]},
        })
    );
}

pub(crate) async fn an_apply_that_changes_nothing_makes_no_version(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let made = place.apply(&path, ME, &config_map("a", json!({"k": "v"}))).await.is(201);
    for options in [ME, "fieldManager=me&force=true"] {
        let again = place.apply(&path, options, &config_map("a", json!({"k": "v"}))).await.is(200);
        assert_eq!(again, made, "{options}");
    }
    let path = place.in_group("apps/v1", "deployments/a");
    let spec = json!({
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
    });
    let made = place.apply(&path, ME, &deployment("a", spec.clone())).await.is(201);
    assert_eq!(made["spec"]["replicas"], 1, "a default");
    assert_eq!(
        made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent",
        "another"
    );
    assert_eq!(place.apply(&path, ME, &deployment("a", spec)).await.is(200), made);
}

pub(crate) async fn a_field_of_another_is_not_taken_unless_by_force(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    place.apply(&path, ME, &config_map("a", json!({"x": "1", "y": "1"}))).await.is(201);
    let upd = format!("{path}?fieldManager=upd");
    place.merge(&upd, &json!({"data": {"y": "2", "z": "1"}})).await.is(200);
    let theirs = config_map("a", json!({"x": "2", "y": "3", "z": "4"}));
    let before = place.get(&path).await.is(200);
    let cause = |manager: &str, field: &str| {
        (field.to_owned(), "FieldManagerConflict".to_owned(), format!("conflict with {manager}"))
    };
    let refusal = place.apply(&path, "fieldManager=you", &theirs).await.refusal(409);
    let message = "Apply failed with 3 conflicts: conflicts with \"me\":\n- .data.x\n\
        conflicts with \"upd\" using v1:\n- .data.y\n- .data.z";
    assert_eq!((&refusal["reason"], &refusal["message"]), (&json!("Conflict"), &json!(message)));
    // A real server tells them in an order that is never the same.
    let expected = [
        cause("\"me\"", ".data.x"),
        cause("\"upd\" using v1", ".data.y"),
        cause("\"upd\" using v1", ".data.z"),
    ];
    assert_eq!(causes(&refusal), expected);
    assert_eq!(refusal["details"].as_object().unwrap().len(), 1, "of no object");
    assert_eq!(place.get(&path).await.is(200), before);
    let one = place.apply(&path, "fieldManager=you", &config_map("a", json!({"x": "2"}))).await.refusal(409);
    assert_eq!(one["message"], "Apply failed with 1 conflict: conflict with \"me\": .data.x");
    let taken = place.apply(&path, "fieldManager=you&force=true", &theirs).await.is(200);
    assert_eq!(taken["data"], theirs["data"]);
    let all = json!({"f:data": {"f:x": {}, "f:y": {}, "f:z": {}}});
    assert_eq!(managers(&taken), json!({"Apply you": all}));
}

pub(crate) async fn the_same_value_is_owned_together(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let map = config_map("a", json!({"k": "v"}));
    place.apply(&path, ME, &map).await.is(201);
    let both = place.apply(&path, "fieldManager=you", &map).await.is(200);
    let k = json!({"f:data": {"f:k": {}}});
    assert_eq!(managers(&both), json!({"Apply me": k, "Apply you": k}));
    let still = place.apply(&path, ME, &config_map("a", json!({}))).await.is(200);
    assert_eq!(still["data"], json!({"k": "v"}), "the other still wants it");
    let gone = place.apply(&path, "fieldManager=you", &config_map("a", json!({}))).await.is(200);
    assert_eq!(gone["data"], Value::Null);
}

pub(crate) async fn what_a_manager_no_longer_names_goes(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let mut map = config_map("a", json!({"x": "1", "y": "1"}));
    map["metadata"]["labels"] = json!({"l": "1"});
    place.apply(&path, ME, &map).await.is(201);
    place.merge(&format!("{path}?fieldManager=upd"), &json!({"data": {"z": "1"}})).await.is(200);
    let fewer = place.apply(&path, ME, &config_map("a", json!({"x": "1"}))).await.is(200);
    assert_eq!(fewer["data"], json!({"x": "1", "z": "1"}), "what another has written stays");
    assert_eq!(fewer["metadata"]["labels"], Value::Null);
    let owned = json!({
        "Apply me": {"f:data": {"f:x": {}}}, "Update upd": {"f:data": {"f:z": {}}},
    });
    assert_eq!(managers(&fewer), owned);
}

pub(crate) async fn what_was_there_before_anybody_applied_belongs_to_who_wrote_it(
    under_test: &impl UnderTest,
) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let maps = format!("{}?fieldManager=upd", place.core("configmaps"));
    place.post(&maps, &config_map("a", json!({"k": "1"}))).await.is(201);
    let refusal = place.apply(&path, ME, &config_map("a", json!({"k": "2"}))).await.refusal(409);
    assert_eq!(refusal["message"], "Apply failed with 1 conflict: conflict with \"upd\" using v1: .data.k");
    // Forgotten, it belongs to everybody who was before.
    let forgotten = place.merge(&path, &json!({"metadata": {"managedFields": [{}]}})).await.is(200);
    assert_eq!(managers(&forgotten), json!({}));
    let refusal = place.apply(&path, ME, &config_map("a", json!({"k": "2"}))).await.refusal(409);
    let message = "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.k";
    assert_eq!(refusal["message"], message);
}

pub(crate) async fn lists_of_pods_merge_by_their_keys(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.in_group("apps/v1", "deployments/a");
    let container = |name: &str, image: &str| json!({"name": name, "image": image});
    let mine = |containers: Value| {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}});
        deployment("a", json!({"selector": {"matchLabels": {"a": "b"}}, "template": template}))
    };
    let mut first = container("c1", "i");
    first["env"] = json!([{"name": "E", "value": "1"}]);
    first["ports"] = json!([{"containerPort": 80}]);
    let made = place.apply(&path, ME, &mine(json!([first, container("c2", "i2")]))).await.is(201);
    let of = |name: &str, fields: Value| {
        let mut fields = fields;
        fields["."] = json!({});
        fields["f:name"] = json!({});
        (format!("k:{{\"name\":\"{name}\"}}"), fields)
    };
    let one = |name: &str, fields: Value| Value::Object([of(name, fields)].into_iter().collect());
    let port = json!({"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}});
    let c1 = json!({"f:image": {}, "f:env": one("E", json!({"f:value": {}})), "f:ports": port});
    let containers: Value =
        Value::Object([of("c1", c1), of("c2", json!({"f:image": {}}))].into_iter().collect());
    let template = json!({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:containers": containers}});
    let owned = json!({"f:spec": {"f:selector": {}, "f:template": template}});
    assert_eq!(managers(&made), json!({"Apply me": owned}));
    assert_eq!(made["metadata"]["generation"], 1);

    let theirs =
        |containers: Value| deployment("a", json!({"template": {"spec": {"containers": containers}}}));
    let over = theirs(json!([container("c3", "x"), container("c1", "j")]));
    let refusal = place.apply(&path, "fieldManager=you", &over).await.refusal(409);
    let field = ".spec.template.spec.containers[name=\"c1\"].image";
    assert_eq!(refusal["details"]["causes"][0]["field"], field);
    let forced = place.apply(&path, "fieldManager=you&force=true", &over).await.is(200);
    let containers = forced["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let briefly: Vec<_> = containers.iter().map(|c| (c["name"].clone(), c["image"].clone())).collect();
    let expected = [("c3", "x"), ("c1", "j"), ("c2", "i2")];
    assert_eq!(briefly, expected.map(|(name, image)| (json!(name), json!(image))));
    assert_eq!(
        containers[1]["env"],
        json!([{"name": "E", "value": "1"}]),
        "what the other did not name stays"
    );
    assert_eq!(forced["metadata"]["generation"], 2);

    let fewer = place.apply(&path, "fieldManager=you", &theirs(json!([container("c1", "j")]))).await.is(200);
    let names: Vec<_> = fewer["spec"]["template"]["spec"]["containers"].as_array().unwrap().clone();
    assert_eq!(names.iter().map(|c| c["name"].clone()).collect::<Vec<_>>(), ["c1", "c2"]);
}

pub(crate) async fn conditions_merge_by_type(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.in_group("apps/v1", "deployments/a");
    let spec = json!({
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    });
    let made = place.apply(&path, ME, &deployment("a", spec)).await.is(201);
    let status = format!("{path}/status");
    for (manager, condition) in [("one", "Available"), ("other", "Progressing")] {
        let mut config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}});
        config["status"] = json!({"conditions": [{"type": condition, "status": "True"}]});
        config["spec"] = json!({"replicas": 9});
        place.apply(&status, &format!("fieldManager={manager}"), &config).await.is(200);
    }
    let now = place.get(&path).await.is(200);
    let types: Vec<_> =
        now["status"]["conditions"].as_array().unwrap().iter().map(|c| c["type"].clone()).collect();
    assert_eq!(types, ["Available", "Progressing"]);
    assert_eq!(now["spec"], made["spec"], "the status is no way to the rest");
    assert_eq!(now["metadata"]["generation"], 1);
    let named = json!({"f:status": {"f:conditions": {
        "k:{\"type\":\"Available\"}": {".": {}, "f:status": {}, "f:type": {}},
    }}});
    assert_eq!(managers(&now)["Apply one status"], named);
}

pub(crate) async fn a_status_is_not_applied_with_the_rest(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.in_group("apps/v1", "deployments/a");
    let mut config = deployment(
        "a",
        json!({
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }),
    );
    config["status"] = json!({"readyReplicas": 3});
    let made = place.apply(&path, ME, &config).await.is(201);
    assert_eq!(made["status"]["readyReplicas"], Value::Null);
    assert_eq!(managers(&made)["Apply me"]["f:status"], Value::Null);
    assert_eq!(place.apply(&path, ME, &config).await.is(200), made);
    let missing = format!("{}/status", place.in_group("apps/v1", "deployments/missing"));
    config["metadata"]["name"] = json!("missing");
    let refusal = place.apply(&missing, ME, &config).await.refusal(404);
    assert_eq!(refusal["details"], json!({"name": "missing", "group": "apps", "kind": "deployments"}));
}

pub(crate) async fn a_dry_run_changes_nothing(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let dry = "fieldManager=me&dryRun=All";
    let would = place.apply(&path, dry, &config_map("a", json!({"k": "v"}))).await.is(201);
    assert_eq!(would["data"], json!({"k": "v"}));
    assert_eq!(would["metadata"]["resourceVersion"], Value::Null);
    place.get(&path).await.refusal(404);
    let made = place.apply(&path, ME, &config_map("a", json!({"k": "v"}))).await.is(201);
    let would = place.apply(&path, dry, &config_map("a", json!({"k": "w"}))).await.is(200);
    assert_eq!((&would["data"], version(&would)), (&json!({"k": "w"}), version(&made)));
    assert_eq!(place.get(&path).await.is(200), made);
    let refusal =
        place.apply(&path, "fieldManager=me&dryRun=some", &config_map("a", json!({}))).await.refusal(422);
    assert_eq!(refusal["details"]["causes"][0]["field"], "dryRun");
}

/// Also by a client that retries whatever looks like a broken server.
pub(crate) async fn a_field_that_the_kind_lacks_is_a_broken_server(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let mut map = config_map("a", json!({}));
    map["foo"] = json!(1);
    for options in [ME, "fieldManager=me&fieldValidation=Strict", "fieldManager=me&fieldValidation=Ignore"] {
        let message = "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .foo: field not declared in schema";
        assert_eq!(
            place.apply(&path, options, &map).await.refusal(500),
            json!({"message": message}),
            "{options}"
        );
    }
    let containers = json!([{"name": "c", "imag": "i"}]);
    let typo = deployment("a", json!({"template": {"spec": {"containers": containers}}}));
    let refusal = place.apply(&place.in_group("apps/v1", "deployments/a"), ME, &typo).await.refusal(500);
    let message = "failed to create typed patch object (/a; apps/v1, Kind=Deployment): \
        .spec.template.spec.containers[name=\"c\"].imag: field not declared in schema";
    assert_eq!(refusal, json!({"message": message}));
    let twice = json!([{"name": "c"}, {"name": "c"}]);
    let twice = deployment("a", json!({"template": {"spec": {"containers": twice}}}));
    let refusal = place.apply(&place.in_group("apps/v1", "deployments/a"), ME, &twice).await.refusal(500);
    let message = "failed to create typed patch object (/a; apps/v1, Kind=Deployment): \
        .spec.template.spec.containers: duplicate entries for key [name=\"c\"]";
    assert_eq!(refusal, json!({"message": message}));
    place.get(&path).await.refusal(404);
}

/// What the schema takes, because it knows of numbers and texts alone, and the kind does not.
pub(crate) async fn a_value_that_the_kind_cannot_hold_is_a_broken_server(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let of = |kind: &str, field: &str, value: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, field: value});
    let limits = |memory: &str| {
        let container = json!({"name": "c", "image": "i", "resources": {"limits": {"memory": memory}}});
        deployment("a", json!({"template": {"spec": {"containers": [container]}}}))
    };
    let port = |target: Value| json!({"ports": [{"port": 80, "targetPort": target}]});
    let deployments = place.in_group("apps/v1", "deployments");
    let [services, secrets, quotas] =
        ["services", "secrets", "resourcequotas"].map(|resource| place.core(resource));
    let hard = |pods: Value| of("ResourceQuota", "spec", json!({"hard": {"pods": pods}}));
    for (path, wrong) in [
        (&deployments, deployment("a", json!({"replicas": 2.5}))),
        (&deployments, limits("1GB!")),
        (&services, of("Service", "spec", port(json!(true)))),
        (&services, of("Service", "spec", port(json!(2.5)))),
        (&quotas, hard(json!("many"))),
        (&quotas, hard(json!("1eee"))),
        (&quotas, hard(json!(true))),
        (&secrets, of("Secret", "data", json!({"x": "hunter2"}))),
    ] {
        let refusal = place.apply(&format!("{path}/a"), ME, &wrong).await.refusal(500);
        let kind = wrong["kind"].as_str().unwrap();
        let group = wrong["apiVersion"].as_str().unwrap();
        let kind = format!("{}, Kind={kind}", if group == "v1" { "/v1" } else { group });
        let expected = format!(
            "failed to convert new object (/a; {kind}) to proper version: unable to convert unstructured object to {kind}: "
        );
        assert!(refusal["message"].as_str().unwrap().starts_with(&expected), "{refusal}");
        assert_eq!(refusal.as_object().unwrap().len(), 1, "no reason: {refusal}");
    }
    for (path, wrong) in [
        (&deployments, deployment("a", json!({"replicas": "2"}))),
        (&secrets, of("Secret", "data", json!({"x": 12345}))),
    ] {
        let refusal = place.apply(&format!("{path}/a"), ME, &wrong).await.refusal(500);
        assert!(
            refusal["message"].as_str().unwrap().starts_with("failed to create typed patch object"),
            "{refusal}"
        );
    }
    place.apply(&format!("{quotas}/a"), ME, &hard(json!("1e3"))).await.is(201);
    let no_quantity =
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let refusal = place.post(&quotas, &hard(json!("many"))).await.refusal(400);
    let message =
        format!("ResourceQuota in version \"v1\" cannot be handled as a ResourceQuota: {no_quantity}");
    assert_eq!(refusal, json!({"reason": "BadRequest", "message": message}));
}

pub(crate) async fn what_is_no_configuration_is_refused(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let map = config_map("a", json!({}));
    let cause = json!({
        "reason": "FieldValueRequired", "message": "Required value: is required for apply patch", "field": "fieldManager",
    });
    assert_eq!(
        place.apply(&path, "force=true", &map).await.refusal(422)["details"],
        json!({"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause]})
    );
    let bad = |message: &str| json!({"reason": "BadRequest", "message": message});
    let mut secret = map.clone();
    secret["kind"] = json!("Secret");
    let refusal = place.apply(&path, ME, &secret).await.refusal(400);
    assert_eq!(refusal, bad("invalid object type: /v1, Kind=Secret"));
    let refusal = place.apply(&path, ME, &config_map("b", json!({}))).await.refusal(400);
    assert_eq!(refusal, bad("the name of the object (b) does not match the name on the URL (a)"));
    let mut elsewhere = map.clone();
    elsewhere["metadata"]["namespace"] = json!("elsewhere");
    let refusal = place.apply(&path, ME, &elsewhere).await.refusal(400);
    let why = "the namespace of the provided object does not match the namespace sent on the request";
    assert_eq!(refusal, bad(why));
    let mut managed = map.clone();
    managed["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let refusal = place.apply(&path, ME, &managed).await.refusal(400);
    assert_eq!(refusal, bad("metadata.managedFields must be nil"));
    let mut versioned = map.clone();
    versioned["metadata"]["resourceVersion"] = json!("foo");
    let refusal = place.apply(&path, ME, &versioned).await.refusal(500);
    assert_eq!(refusal, json!({"message": "strconv.ParseUint: parsing \"foo\": invalid syntax"}));
    place.get(&path).await.refusal(404);
}

pub(crate) async fn yaml_is_as_good_as_json(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let path = place.core("configmaps/a");
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: {a: b}\n";
    let url = format!("{path}?{ME}");
    let made = place.raw("PATCH", &url, &[("content-type", super::APPLY)], yaml.to_owned()).await.is(201);
    assert_eq!(made["data"], json!({"a": "b"}));
}
