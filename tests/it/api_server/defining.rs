//! Kinds that users define: how they come to be served, and what their objects must be.

use super::{ME, Place, UnderTest, brief, causes, managers, version};
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.map_or(&Value::Null, |condition| &condition["status"])
}

/// A kind of this fact's own.
struct Kind {
    place: Place,
    group: String,
    name: String,
}

impl Kind {
    fn definition(group: &str) -> Value {
        let conditions = json!({
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
            "items": {"type": "object", "required": ["type"], "properties": {
                "type": {"type": "string"}, "status": {"type": "string"},
            }},
        });
        let ports = json!({
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"}, "port": {"type": "integer"},
            }},
        });
        let spec = json!({"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 10},
            "mode": {"type": "string", "enum": ["A", "B"], "default": "A"},
            "host": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
            "ports": ports,
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "atoms": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "amount": {"x-kubernetes-int-or-string": true},
            "nested": {"type": "object", "properties": {"d": {"type": "string", "default": "dd"}}},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "may_be_null": {"type": "string", "nullable": true},
        }});
        let status = json!({"type": "object", "properties": {
            "ready": {"type": "boolean"}, "conditions": conditions,
        }});
        let schema = json!({"type": "object", "properties": {"spec": spec, "status": status}});
        let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("foos.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"plural": "foos", "kind": "Foo", "shortNames": ["fo"], "categories": ["all"]},
                "versions": [
                    {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": anything}},
                    {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                        "schema": {"openAPIV3Schema": schema}},
                    {"name": "v0", "served": false, "storage": false, "schema": {"openAPIV3Schema": anything}},
                ],
            },
        })
    }

    /// Applied and established, and heard of.
    async fn of(under_test: &impl UnderTest) -> Self {
        let place = Place::of(under_test).await;
        let group = format!("{}.example", place.namespace);
        let name = format!("foos.{group}");
        let path = format!("{DEFINITIONS}/{name}");
        let made = place.apply(&path, ME, &Self::definition(&group)).await.is(201);
        let query = format!("resourceVersion={}&fieldSelector=metadata.name%3D{name}", version(&made));
        let mut watching = place.watch(DEFINITIONS, &query).await;
        let mut seen = made;
        while condition(&seen, "Established") != "True" {
            seen = watching.event().await.1;
        }
        let kind = Self { place, group, name };
        // A real server that has just begun to serve a kind asks for a moment more: nothing can be watched for that.
        let ready = async {
            while kind.place.get(&kind.objects("v1")).await.code == 429 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::PATIENCE, ready).await.expect("its storage is never initialized");
        kind
    }

    fn objects(&self, version: &str) -> String {
        self.place.in_group(&format!("{}/{version}", self.group), "foos")
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.objects("v1"))
    }

    fn object(&self, name: &str, spec: Value) -> Value {
        let api_version = format!("{}/v1", self.group);
        json!({"apiVersion": api_version, "kind": "Foo", "metadata": {"name": name}, "spec": spec})
    }
}

pub(crate) async fn a_definition_is_established_and_serves_its_kind(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let place = &kind.place;
    let defined = place.get(&format!("{DEFINITIONS}/{}", kind.name)).await.is(200);
    assert_eq!(condition(&defined, "NamesAccepted"), "True");
    let names = json!({
        "plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList", "shortNames": ["fo"],
        "categories": ["all"],
    });
    assert_eq!(defined["status"]["acceptedNames"], names);
    assert_eq!(defined["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(defined["spec"]["names"], names);
    assert_eq!(defined["metadata"]["generation"], 1);
    let listed = place.get(&kind.objects("v1")).await.is(200);
    assert_eq!((&listed["kind"], &listed["items"]), (&json!("FooList"), &json!([])));
    for unserved in [kind.objects("v0"), kind.objects("v9"), kind.objects("v1").replace("foos", "bars")] {
        assert_eq!(place.get(&unserved).await.is(404), json!("404 page not found\n"), "{unserved}");
    }
    let again =
        place.apply(&format!("{DEFINITIONS}/{}", kind.name), ME, &Kind::definition(&kind.group)).await;
    assert_eq!(again.version(), version(&defined), "applied once more, it is the same");
}

pub(crate) async fn a_defined_kind_is_discovered(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let group = &kind.group;
    let resources = kind.place.get(&format!("/apis/{group}/v1")).await.is(200);
    let found: Vec<(&str, &Value, &Value)> = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| (resource["name"].as_str().unwrap(), &resource["kind"], &resource["verbs"]))
        .collect();
    let verbs = json!(["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]);
    let (kind_name, of_status) = (json!("Foo"), json!(["get", "patch", "update"]));
    assert_eq!(found, [("foos", &kind_name, &verbs), ("foos/status", &kind_name, &of_status)]);
    let older = kind.place.get(&format!("/apis/{group}/v1beta1")).await.is(200);
    assert_eq!(older["resources"].as_array().unwrap().len(), 1, "that version has no status");
    let about = kind.place.get(&format!("/apis/{group}")).await.is(200);
    assert_eq!(about["preferredVersion"]["version"], "v1", "whatever stands first in the definition");
    assert_eq!(about["versions"].as_array().unwrap().len(), 2);
}

pub(crate) async fn a_definition_that_cannot_be_served_is_refused(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let group = format!("{}.example", place.namespace);
    let mut misnamed = Kind::definition(&group);
    let name = format!("bars.{group}");
    misnamed["metadata"]["name"] = json!(name);
    let refusal = place.apply(&format!("{DEFINITIONS}/{name}"), ME, &misnamed).await.refusal(422);
    let why = format!("Invalid value: \"{name}\": must be spec.names.plural+\".\"+spec.group");
    assert_eq!(causes(&refusal), [("metadata.name".to_owned(), "FieldValueInvalid".to_owned(), why)]);
    let mut bare = Kind::definition(&group);
    bare["spec"]["versions"] = json!([{"name": "v1", "served": true, "storage": true}]);
    let refusal = place.apply(&format!("{DEFINITIONS}/foos.{group}"), ME, &bare).await.refusal(422);
    let field = "spec.versions[0].schema.openAPIV3Schema".to_owned();
    let required = ("FieldValueRequired".to_owned(), "Required value".to_owned());
    assert_eq!(causes(&refusal), [(field, required.0, required.1)]);
    let refusal = place.apply(&format!("{DEFINITIONS}/foos.policy"), ME, &Kind::definition("policy")).await;
    let why = "Invalid value: \"policy\": should be a domain with at least one dot".to_owned();
    let expected = ("spec.group".to_owned(), "FieldValueInvalid".to_owned(), why);
    assert_eq!(causes(&refusal.refusal(422)), [expected]);
}

pub(crate) async fn defaults_are_filled_in(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let spec = json!({"size": 1, "mode": null, "host": null, "may_be_null": null, "nested": {}});
    let made = kind.place.post(&kind.objects("v1"), &kind.object("a", spec)).await.is(201);
    assert_eq!(made["spec"], json!({"size": 1, "mode": "A", "may_be_null": null, "nested": {"d": "dd"}}));
    assert_eq!(made["metadata"]["generation"], 1);
}

pub(crate) async fn unknown_fields_are_pruned_refused_or_a_broken_server(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let place = &kind.place;
    let mut object =
        kind.object("a", json!({"size": 1, "foo": 1, "nested": {"q": 1}, "free": {"x": {"y": 1}}}));
    object["zed"] = json!(1);
    let strict = format!("{}?fieldValidation=Strict", kind.objects("v1"));
    let why = "Foo in version \"v1\" cannot be handled as a Foo: strict decoding error: \
        unknown field \"spec.foo\", unknown field \"spec.nested.q\", unknown field \"zed\"";
    let refusal = place.post(&strict, &object).await.refusal(400);
    assert_eq!(refusal, json!({"reason": "BadRequest", "message": why}));
    let made = place.post(&kind.objects("v1"), &object).await.is(201);
    let spec = json!({"size": 1, "mode": "A", "nested": {"d": "dd"}, "free": {"x": {"y": 1}}});
    assert_eq!((&made["spec"], &made["zed"]), (&spec, &Value::Null));
    for (field, name) in [("spec", "a"), ("metadata", "a"), ("spec", "new")] {
        let mut typo = kind.object(name, json!({"size": 1}));
        typo[field]["foo"] = json!("x");
        let refusal = place.apply(&kind.path(name), ME, &typo).await.refusal(500);
        let message = format!(
            "failed to create typed patch object (/{name}; {}/v1, Kind=Foo): .{field}.foo: field not declared in schema",
            kind.group
        );
        assert_eq!(refusal, json!({"message": message}));
    }
    let mistyped = kind.object("a", json!({"size": "1"}));
    let message = format!(
        "failed to create typed patch object (/a; {}/v1, Kind=Foo): .spec.size: expected numeric (int or float), got string",
        kind.group
    );
    assert_eq!(place.apply(&kind.path("a"), ME, &mistyped).await.refusal(500), json!({"message": message}));
}

pub(crate) async fn what_breaks_a_rule_of_the_schema_is_refused(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let spec = json!({
        "size": 11, "mode": "C", "host": "A", "tags": ["x", "x"], "atoms": ["1", "2", "3", "4"], "amount": true,
        "ports": [{"name": "a"}, {"name": "a"}, {"port": 1}], "map": {"a": 1},
    });
    let refusal = kind.place.post(&kind.objects("v1"), &kind.object("a", spec)).await.refusal(422);
    let about = &refusal["details"];
    let named = (about["name"].as_str(), about["group"].as_str(), about["kind"].as_str());
    assert_eq!(named, (Some("a"), Some(kind.group.as_str()), Some("Foo")));
    let expected = [
        (
            "spec.amount",
            "FieldValueTypeInvalid",
            "Invalid value: \"boolean\": spec.amount in body must be of type integer,string: \"boolean\"",
        ),
        ("spec.atoms", "FieldValueTooMany", "Too many: 4: must have at most 3 items"),
        (
            "spec.host",
            "FieldValueInvalid",
            "Invalid value: \"A\": spec.host in body should be at least 2 chars long",
        ),
        (
            "spec.map.a",
            "FieldValueTypeInvalid",
            "Invalid value: \"integer\": spec.map.a in body must be of type string: \"integer\"",
        ),
        ("spec.mode", "FieldValueNotSupported", "Unsupported value: \"C\": supported values: \"A\", \"B\""),
        ("spec.ports[1]", "FieldValueDuplicate", "Duplicate value: {\"name\":\"a\"}"),
        ("spec.ports[2].name", "FieldValueRequired", "Required value"),
        (
            "spec.size",
            "FieldValueInvalid",
            "Invalid value: 11: spec.size in body should be less than or equal to 10",
        ),
        ("spec.tags[1]", "FieldValueDuplicate", "Duplicate value: \"x\""),
    ];
    let found = causes(&refusal);
    let found: Vec<_> = found.iter().map(|(f, r, m)| (f.as_str(), r.as_str(), m.as_str())).collect();
    assert_eq!(found, expected);
    let refusal =
        kind.place.apply(&kind.path("a"), ME, &kind.object("a", json!({"mode": "A"}))).await.refusal(422);
    assert_eq!(refusal["message"], format!("Foo.{} \"a\" is invalid: spec.size: Required value", kind.group));
    let refusal = kind
        .place
        .apply(&kind.path("a"), ME, &kind.object("a", json!({"size": 1, "host": "AB"})))
        .await
        .refusal(422);
    let why = "Invalid value: \"AB\": spec.host in body should match '^[a-z]+$'";
    assert_eq!(causes(&refusal), [("spec.host".to_owned(), "FieldValueInvalid".to_owned(), why.to_owned())]);
    kind.place.get(&kind.path("a")).await.refusal(404);
}

pub(crate) async fn lists_merge_as_the_schema_says(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let (place, path) = (&kind.place, kind.path("a"));
    let mine = json!({
        "size": 1, "ports": [{"name": "p", "port": 1}], "tags": ["x"], "atoms": ["x"], "nested": {},
        "free": {"k": {"l": "1"}}, "map": {"k": "1"},
    });
    let made = place.apply(&path, ME, &kind.object("a", mine)).await.is(201);
    let owned = json!({"f:spec": {
        "f:size": {}, "f:ports": {"k:{\"name\":\"p\"}": {".": {}, "f:name": {}, "f:port": {}}},
        "f:tags": {"v:\"x\"": {}}, "f:atoms": {}, "f:nested": {}, "f:free": {"f:k": {".": {}, "f:l": {}}},
        "f:map": {"f:k": {}},
    }});
    assert_eq!(managers(&made), json!({"Apply me": owned}));
    let theirs =
        json!({"size": 1, "ports": [{"name": "q"}], "tags": ["y"], "free": {"m": "1"}, "map": {"l": "1"}});
    let both = place.apply(&path, "fieldManager=you", &kind.object("a", theirs)).await.is(200);
    let spec = json!({
        "size": 1, "mode": "A", "ports": [{"name": "p", "port": 1}, {"name": "q"}], "tags": ["x", "y"],
        "atoms": ["x"], "nested": {"d": "dd"}, "free": {"k": {"l": "1"}, "m": "1"}, "map": {"k": "1", "l": "1"},
    });
    assert_eq!((&both["spec"], &both["metadata"]["generation"]), (&spec, &json!(2)));
    let atoms = kind.object("a", json!({"size": 1, "atoms": ["y"]}));
    let refusal = place.apply(&path, "fieldManager=third", &atoms).await.refusal(409);
    assert_eq!(refusal["details"]["causes"][0]["field"], ".spec.atoms", "of which nothing is said");
    let fewer = place.apply(&path, ME, &kind.object("a", json!({"size": 1}))).await.is(200);
    let spec = json!({
        "size": 1, "mode": "A", "ports": [{"name": "q"}], "tags": ["y"], "free": {"m": "1"}, "map": {"l": "1"},
    });
    assert_eq!(fewer["spec"], spec);
}

pub(crate) async fn its_status_is_a_place_of_its_own(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let (place, path) = (&kind.place, kind.path("a"));
    let mut object = kind.object("a", json!({"size": 1}));
    object["status"] = json!({"ready": true});
    let made = place.apply(&path, ME, &object).await.is(201);
    assert_eq!(made["status"], Value::Null);
    let status = format!("{path}/status");
    let patch = json!({
        "spec": {"size": 9}, "metadata": {"labels": {"l": "1"}}, "status": {"ready": true, "foo": 1},
    });
    let url = format!("{status}?fieldManager=ctl");
    let patched = place.merge(&url, &patch).await.is(200);
    assert_eq!(patched["status"], json!({"ready": true}));
    assert_eq!((&patched["spec"]["size"], &patched["metadata"]["labels"]), (&json!(1), &Value::Null));
    assert_eq!(patched["metadata"]["generation"], 1);
    assert_eq!(managers(&patched)["Update ctl status"], json!({"f:status": {".": {}, "f:ready": {}}}));
    let mut whole = patched.clone();
    whole["status"] = json!({});
    whole["spec"]["size"] = json!(2);
    let put = place.put(&path, &whole).await.is(200);
    assert_eq!((&put["spec"]["size"], &put["status"]), (&json!(2), &json!({"ready": true})));
    assert_eq!(put["metadata"]["generation"], 2);
    let condition = |kind: &str| json!({"conditions": [{"type": kind, "status": "True"}]});
    for (manager, of) in [("one", "A"), ("other", "B")] {
        let mut object = kind.object("a", Value::Null);
        object.as_object_mut().unwrap().remove("spec");
        object["status"] = condition(of);
        place.apply(&status, &format!("fieldManager={manager}"), &object).await.is(200);
    }
    let now = place.get(&status).await.is(200);
    let two = json!([{"type": "A", "status": "True"}, {"type": "B", "status": "True"}]);
    assert_eq!(now["status"], json!({"ready": true, "conditions": two}));
    let refusal = place.get(&format!("{}/a/status", kind.objects("v1beta1"))).await.refusal(404);
    assert_eq!(refusal["details"], json!({"name": "a", "group": kind.group, "kind": "foos"}));
}

pub(crate) async fn it_is_the_same_object_in_all_versions(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let place = &kind.place;
    let made = place.post(&kind.objects("v1"), &kind.object("a", json!({"size": 1}))).await.is(201);
    let older = place.get(&format!("{}/a", kind.objects("v1beta1"))).await.is(200);
    assert_eq!(older["apiVersion"], format!("{}/v1beta1", kind.group));
    assert_eq!((&older["spec"], version(&older)), (&made["spec"], version(&made)));
    let query = "resourceVersion=0&fieldSelector=metadata.name%3Da";
    let mut watching = place.watch(&kind.objects("v1beta1"), query).await;
    assert_eq!(watching.event().await.1["apiVersion"], older["apiVersion"]);
}

pub(crate) async fn what_is_no_object_of_the_kind_is_refused(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let place = &kind.place;
    let mut bar = kind.object("a", json!({"size": 1}));
    bar["kind"] = json!("Bar");
    let refusal = place.post(&kind.objects("v1"), &bar).await.refusal(422);
    let why = "Invalid value: \"Bar\": must be Foo";
    assert_eq!(causes(&refusal), [("kind".to_owned(), "FieldValueInvalid".to_owned(), why.to_owned())]);
    let mut core = kind.object("a", json!({"size": 1}));
    core["apiVersion"] = json!("v1");
    let why = format!(
        "the API version in the data (v1) does not match the expected API version ({}/v1)",
        kind.group
    );
    let refusal = place.post(&kind.objects("v1"), &core).await.refusal(400);
    assert_eq!(refusal, json!({"reason": "BadRequest", "message": why}));
    place.post(&kind.objects("v1"), &kind.object("a", json!({"size": 1}))).await.is(201);
    let refusal = place.put(&kind.path("a"), &kind.object("a", json!({"size": 2}))).await.refusal(422);
    let why = "Invalid value: 0: must be specified for an update";
    let expected = ("metadata.resourceVersion".to_owned(), "FieldValueInvalid".to_owned(), why.to_owned());
    assert_eq!(causes(&refusal), [expected]);
    let patch = json!({"spec": {"size": 2}});
    let path = kind.path("a");
    let strategic = place.send("PATCH", &path, "application/strategic-merge-patch+json", &patch).await;
    assert_eq!(strategic.refusal(415)["reason"], "UnsupportedMediaType");
}

pub(crate) async fn with_its_definition_go_its_objects(under_test: &impl UnderTest) {
    let kind = Kind::of(under_test).await;
    let place = &kind.place;
    let made = place.post(&kind.objects("v1"), &kind.object("a", json!({"size": 1}))).await.is(201);
    let mut watching = place.watch(&kind.objects("v1"), &format!("resourceVersion={}", version(&made))).await;
    place.delete(&format!("{DEFINITIONS}/{}", kind.name), &Value::Null).await.is(200);
    assert_eq!(watching.brief().await, brief("DELETED", "a"));
    place.gone(DEFINITIONS, &kind.name).await;
    let refusal = place.get(&format!("{DEFINITIONS}/{}", kind.name)).await.refusal(404);
    assert_eq!(refusal["reason"], "NotFound");
}
