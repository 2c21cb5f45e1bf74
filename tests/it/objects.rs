//! The pure parts of the Kubernetes client: what is taken for a manifest, what differs, in which order, what a condition
//! says.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use berth::{
    clients::kubernetes::{
        condition::{Condition, condition},
        difference::{Difference, difference},
        manifest::{Bundle, Manifest},
        order::Stage,
    },
    domain::{claim::ObjectName, names::Generation},
    errors,
};
use serde_json::{Value, json};

fn named(api_version: &str, kind: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}})
}

#[track_caller]
fn refused(object: Value) -> String {
    errors::render(&Manifest::parse(object).unwrap_err())
}

fn stage(api_version: &str, kind: &str) -> Stage {
    Stage::of(&Manifest::parse(named(api_version, kind)).unwrap())
}

#[test]
fn a_manifest_is_named_exactly() {
    let manifest = Manifest::parse(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "system:berth", "namespace": "ns"},
    }));
    let name = ObjectName {
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: "Role".to_owned(),
        namespace: Some("ns".to_owned()),
        name: "system:berth".to_owned(),
    };
    assert_eq!(*manifest.unwrap().name(), name);
    assert_eq!(name.to_string(), "role ns/system:berth");
}

#[test]
fn what_would_lead_to_another_path_is_no_name() {
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../secrets/x",
        "a?b",
        "a%2fb",
        "a b",
        "a\n",
        "ä",
        "a#",
        "a\\b",
        &"a".repeat(254),
    ] {
        let said = refused(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}));
        assert!(said.contains("cannot be applied"), "{name:?}: {said}");
        let within =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": name}});
        assert_eq!(Manifest::parse(within).is_err(), !name.is_empty(), "{name:?}");
    }
    for api_version in ["", "/v1", "a/", "a/b/c", "../v1", "v1?"] {
        refused(named(api_version, "ConfigMap"));
    }
    refused(named("v1", ""));
    refused(named("v1", "a/b"));
}

#[test]
fn what_is_no_object_is_refused_by_what_is_known_of_it() {
    for no_object in [json!(1), json!("text"), json!([]), json!({}), json!({"metadata": {"name": "a"}})] {
        refused(no_object);
    }
    let said = refused(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}}));
    assert!(said.contains("a pod without name") && said.contains("generateName"), "{said}");
    for metadata in [
        json!({"name": "a", "labels": {"x": true}}),
        json!({"name": "a", "annotations": {"x": 1}}),
        json!({"name": "a", "labels": ["x"]}),
        json!({"name": "a", "namespace": 7}),
        json!({"name": ["a"]}),
        json!({"name": "a", "labels": {"berth.dev/environment": "theirs"}}),
        json!({"name": "a", "labels": {"berth.dev/generation": "9"}}),
        json!({"name": "a", "annotations": {"berth.dev/applied": "0"}}),
    ] {
        refused(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}));
    }
}

#[test]
fn what_is_the_servers_to_say_is_not_sent_and_what_is_misspelt_is() {
    let manifest = Manifest::parse(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "status": {"x": 1},
        "metadata": {
            "name": "a", "creationTimestamp": null, "uid": "u", "resourceVersion": "7", "generation": 3,
            "managedFields": [], "labels": null, "lables": {"typo": "kept"},
        },
    }));
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "lables": {"typo": "kept"}},
    });
    assert_eq!(*manifest.unwrap().value(), expected);
}

#[test]
fn a_secrets_text_is_sent_as_the_server_keeps_it() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
        "data": {"kept": "eA==", "both": "eA=="}, "stringData": {"both": "y", "text": "z"},
    });
    let data = json!({"kept": "eA==", "both": "eQ==", "text": "eg=="});
    let manifest = Manifest::parse(secret).unwrap();
    assert_eq!(manifest.value()["data"], data);
    assert_eq!(manifest.value().get("stringData"), None);
}

/// A server would quote what it cannot read.
#[test]
fn a_secret_that_cannot_be_read_is_refused_by_its_keys_alone() {
    let secret = |data: Value, text: Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": data, "stringData": text,
        })
    };
    for (data, text) in [
        (json!({"password": 12345678}), Value::Null),
        (json!({"password": "hunter2"}), Value::Null),
        (json!({"password": "aHVudGVyMg"}), Value::Null),
        (json!({"password": ["aHVudGVyMg=="]}), Value::Null),
        (Value::Null, json!({"password": 12345678})),
    ] {
        let said = refused(secret(data, text));
        assert!(said.contains("[\"password\"]"), "{said}");
        assert!(["12345678", "hunter2", "aHVudGVyMg"].iter().all(|value| !said.contains(value)), "{said}");
    }
    for no_map in [json!("12345678"), json!(["12345678"]), json!(12345678), json!(true)] {
        for said in [
            refused(secret(no_map.clone(), json!({"x": "y"}))),
            refused(secret(no_map.clone(), Value::Null)),
            refused(secret(json!({}), no_map)),
        ] {
            assert!(said.contains("is no map") && !said.contains("12345678"), "{said}");
        }
    }
    let manifest = Manifest::parse(secret(Value::Null, json!({"x": "y"})));
    assert_eq!(manifest.unwrap().value()["data"], json!({"x": "eQ=="}));
    let lines = json!({"lines": "aHVu\ndGVy\r\nMg==\n", "bits": "eR==", "none": null});
    let data = json!({"lines": "aHVudGVyMg==", "bits": "eR==", "none": null});
    assert_eq!(Manifest::parse(secret(lines, Value::Null)).unwrap().value()["data"], data);
}

#[test]
fn a_list_is_what_it_holds_and_a_document_of_comments_is_nothing() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [named("v1", "Secret"), named("v1", "ConfigMap")]});
    Bundle::of([Value::Null, list]).unwrap();
    let hidden =
        json!({"apiVersion": "v1", "kind": "List", "items": [named("v1", "Secret"), json!({"kind": "Pod"})]});
    Bundle::of([hidden]).unwrap_err();
}

#[test]
fn an_object_is_not_twice_in_a_bundle_not_even_in_another_version() {
    let said = Bundle::of([named("apps/v1", "Deployment"), named("apps/v1beta1", "Deployment")]).unwrap_err();
    assert!(errors::render(&said).contains("deployment a is there twice"), "{said:?}");
    Bundle::of([named("apps/v1", "Deployment"), named("other/v1", "Deployment")]).unwrap();
}

#[test]
fn what_others_need_comes_first_and_what_judges_others_last() {
    let order = [
        stage("v1", "Namespace"),
        stage("rbac.authorization.k8s.io/v1", "ClusterRole"),
        stage("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        stage("apps/v1", "Deployment"),
        stage("cert-manager.io/v1", "Certificate"),
        stage("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ];
    assert_eq!(order, Stage::ALL);
    assert!(order.is_sorted());
    assert!(stage("v1", "ServiceAccount") < stage("v1", "Secret"), "a token's Secret needs its account");
    assert!(stage("v1", "ResourceQuota") < stage("v1", "Pod"));
    assert_eq!(stage("apiextensions.k8s.io/v1", "CustomResourceDefinition"), Stage::Ground);
    assert_eq!(stage("apiregistration.k8s.io/v1", "APIService"), Stage::Gates);
}

#[test]
fn a_kind_of_another_group_is_another_kind() {
    assert_eq!(stage("serving.knative.dev/v1", "Service"), Stage::Rest);
    assert_eq!(stage("example.org/v1", "Namespace"), Stage::Rest);
    assert_eq!(stage("postgresql.cnpg.io/v1", "Cluster"), Stage::Rest);
}

#[test]
fn a_generation_has_one_spelling() {
    assert_eq!("7".parse::<Generation>().unwrap().to_string(), "7");
    for text in ["", "0", "07", "+7", "-1", " 7", "7x", "18446744073709551616", "١"] {
        assert!(text.parse::<Generation>().is_err(), "{text:?}");
    }
}

/// A Deployment as it would be sent.
fn wanted() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "d", "namespace": "ns",
            "labels": {"berth.dev/environment": "pr-7", "berth.dev/generation": "3"},
            "annotations": {"berth.dev/applied": "digest"},
        },
        "spec": {
            "replicas": 0, "strategy": {}, "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"creationTimestamp": null, "labels": {"app": "d"}},
                "spec": {"containers": [{
                    "name": "c", "image": "i", "args": ["a"], "resources": {"limits": {"cpu": "1000m"}},
                    "ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}],
                }], "hostNetwork": false},
            },
        },
    })
}

/// Our record of it, as a real server (1.36) made it.
fn record() -> Value {
    json!({
        "manager": "berth", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {
                "f:annotations": {"f:berth.dev/applied": {}},
                "f:labels": {"f:berth.dev/environment": {}, "f:berth.dev/generation": {}},
            },
            "f:spec": {
                "f:replicas": {}, "f:selector": {}, "f:strategy": {},
                "f:template": {
                    "f:metadata": {"f:creationTimestamp": {}, "f:labels": {"f:app": {}}},
                    "f:spec": {
                        "f:containers": {"k:{\"name\":\"c\"}": {
                            ".": {}, "f:args": {}, "f:image": {}, "f:name": {},
                            "f:ports": {
                                "k:{\"containerPort\":53,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
                                "k:{\"containerPort\":53,\"protocol\":\"UDP\"}": {
                                    ".": {}, "f:containerPort": {}, "f:protocol": {},
                                },
                            },
                            "f:resources": {"f:limits": {"f:cpu": {}}},
                        }},
                        "f:hostNetwork": {},
                    },
                },
            },
        },
    })
}

/// As the server shows it: with its own defaults and spellings.
fn live(records: Vec<Value>) -> Value {
    let mut live = wanted();
    live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1");
    live["spec"]["template"]["spec"].as_object_mut().unwrap().remove("hostNetwork");
    live["spec"]["revisionHistoryLimit"] = json!(10);
    live["metadata"]["managedFields"] = json!(records);
    live
}

/// The record without what this path leads to, and without what holds nothing any more, as a server keeps it.
fn without(path: &[&str]) -> Value {
    fn take(from: &mut Value, path: &[&str]) {
        let (key, below) = path.split_first().unwrap();
        let map = from.as_object_mut().unwrap();
        let inner = map.get_mut(*key).unwrap();
        if !below.is_empty() {
            take(inner, below);
        }
        if below.is_empty() || *inner == json!({}) {
            map.remove(*key);
        }
    }
    let mut record = record();
    take(&mut record["fieldsV1"], path);
    record
}

const CONTAINER: [&str; 5] = ["f:spec", "f:template", "f:spec", "f:containers", "k:{\"name\":\"c\"}"];

#[test]
fn defaults_and_spellings_of_the_server_are_no_difference() {
    assert_eq!(difference(&wanted(), &live(vec![record()])), Difference::Nothing);
}

#[test]
fn a_field_that_somebody_else_has_written_is_a_difference_that_is_named() {
    let within = |more: &[&'static str]| CONTAINER.iter().chain(more).copied().collect::<Vec<_>>();
    for (path, named) in [
        (vec!["f:spec", "f:replicas"], ".spec.replicas"),
        (vec!["f:spec", "f:strategy"], ".spec.strategy"),
        (vec!["f:spec", "f:selector"], ".spec.selector.matchLabels.app"),
        (vec!["f:metadata", "f:labels", "f:berth.dev/environment"], ".metadata.labels.berth.dev/environment"),
        (within(&["f:image"]), ".spec.template.spec.containers[0].image"),
        (within(&["f:args"]), ".spec.template.spec.containers[0].args"),
        (
            within(&["f:resources", "f:limits", "f:cpu"]),
            ".spec.template.spec.containers[0].resources.limits.cpu",
        ),
        (CONTAINER.to_vec(), ".spec.template.spec.containers"),
        (
            within(&["f:ports", "k:{\"containerPort\":53,\"protocol\":\"TCP\"}"]),
            ".spec.template.spec.containers[0].ports[0]",
        ),
        (
            within(&["f:ports", "k:{\"containerPort\":53,\"protocol\":\"UDP\"}"]),
            ".spec.template.spec.containers[0].ports[1]",
        ),
    ] {
        let expected = Difference::Content(format!("{named} was changed by somebody else"));
        assert_eq!(difference(&wanted(), &live(vec![without(&path)])), expected);
    }
}

#[test]
fn without_a_record_of_ours_nothing_is_unchanged() {
    let differs = |records: Vec<Value>| {
        assert!(
            matches!(difference(&wanted(), &live(records.clone())), Difference::Content(_)),
            "{records:?}"
        );
    };
    let with = |field: &str, value: &str| {
        let mut record = record();
        record[field] = json!(value);
        record
    };
    differs(vec![]);
    differs(vec![with("manager", "kubectl")]);
    differs(vec![with("manager", "Berth")]);
    differs(vec![with("apiVersion", "apps/v1beta1")]);
    differs(vec![with("subresource", "status")]);
    differs(vec![json!({"manager": "berth", "apiVersion": "apps/v1"})]);
    differs(vec![json!({"manager": "berth", "apiVersion": "apps/v1", "fieldsV1": []})]);
    let mut none = live(vec![record()]);
    none["metadata"]["managedFields"] = json!("none");
    assert!(matches!(difference(&wanted(), &none), Difference::Content(_)));
}

#[test]
fn what_a_webhook_made_of_our_request_is_still_ours() {
    let image: Vec<&str> = CONTAINER.iter().chain(&["f:image"]).copied().collect();
    let update = json!({
        "manager": "berth", "operation": "Update", "apiVersion": "apps/v1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"c\"}": {"f:image": {}},
        }}}}},
    });
    let shown = live(vec![without(&image), update]);
    assert_eq!(difference(&wanted(), &shown), Difference::Nothing);
}

#[test]
fn another_digest_is_a_difference_whatever_the_record_says() {
    for digest in [json!("another"), Value::Null, json!(7)] {
        let mut shown = live(vec![record()]);
        shown["metadata"]["annotations"]["berth.dev/applied"] = digest;
        assert!(matches!(difference(&wanted(), &shown), Difference::Content(_)));
    }
    let mut nothing_said = wanted();
    nothing_said["metadata"].as_object_mut().unwrap().remove("annotations");
    let mut shown = live(vec![record()]);
    shown["metadata"].as_object_mut().unwrap().remove("annotations");
    assert!(
        matches!(difference(&nothing_said, &shown), Difference::Content(_)),
        "two nothings prove nothing"
    );
}

#[test]
fn another_generation_alone_is_told_apart() {
    let generation = ["f:metadata", "f:labels", "f:berth.dev/generation"];
    for records in [vec![record()], vec![without(&generation)]] {
        let mut shown = live(records);
        assert_eq!(difference(&wanted(), &shown), Difference::Nothing);
        shown["metadata"]["labels"]["berth.dev/generation"] = json!("2");
        assert_eq!(difference(&wanted(), &shown), Difference::Generation);
    }
    let mut changed = live(vec![without(&["f:spec", "f:replicas"])]);
    changed["metadata"]["labels"]["berth.dev/generation"] = json!("2");
    assert!(matches!(difference(&wanted(), &changed), Difference::Content(_)));
}

#[test]
fn the_items_of_a_set_are_told_by_their_values() {
    let wanted = json!({
        "apiVersion": "v1", "kind": "X",
        "metadata": {"name": "a", "annotations": {"berth.dev/applied": "d"}, "finalizers": ["a/b", "c/d"]},
    });
    let shown = |finalizers: Value| {
        json!({"metadata": {"annotations": {"berth.dev/applied": "d"}, "managedFields": [{
            "manager": "berth", "operation": "Apply", "apiVersion": "v1",
            "fieldsV1": {"f:metadata": {"f:annotations": {"f:berth.dev/applied": {}}, "f:finalizers": finalizers}},
        }]}})
    };
    let both = json!({".": {}, "v:\"a/b\"": {}, "v:\"c/d\"": {}});
    assert_eq!(difference(&wanted, &shown(both)), Difference::Nothing);
    let one = difference(&wanted, &shown(json!({"v:\"a/b\"": {}})));
    assert_eq!(one, Difference::Content(".metadata.finalizers[1] was changed by somebody else".to_owned()));
}

/// Of a list that is owned item by item, a server records nothing if it is empty; of all else that is empty, itself.
#[test]
fn what_is_empty_may_be_changed_too() {
    let wanted = json!({
        "apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "annotations": {"berth.dev/applied": "d"}},
        "spec": {"all": {}, "rules": [], "items": [{"name": "i", "args": [], "env": []}]},
    });
    let shown = |spec: Value, theirs: Value| {
        let mine = json!({"f:metadata": {"f:annotations": {"f:berth.dev/applied": {}}}, "f:spec": spec});
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "apiVersion": "v1", "fieldsV1": fields});
        let records = json!([entry("berth", mine), entry("other", json!({"f:spec": theirs}))]);
        json!({"metadata": {"annotations": {"berth.dev/applied": "d"}, "managedFields": records}})
    };
    let item = |fields: Value| json!({"k:{\"name\":\"i\"}": fields});
    let own = item(json!({".": {}, "f:name": {}, "f:args": {}}));
    let whole = json!({"f:all": {}, "f:rules": {}, "f:items": own});
    // What others have added to a list that is shared is not ours to judge.
    let env = item(json!({"f:env": {"k:{\"name\":\"e\"}": {".": {}, "f:name": {}}}}));
    for theirs in [json!({}), json!({"f:items": env}), whole.clone()] {
        assert_eq!(difference(&wanted, &shown(whole.clone(), theirs)), Difference::Nothing);
    }
    let fewer = item(json!({".": {}, "f:name": {}}));
    for (mine, theirs, named) in [
        (json!({"f:rules": {}, "f:items": own}), json!({}), ".spec.all"),
        (json!({"f:all": {}, "f:items": own}), json!({"f:rules": {}}), ".spec.rules"),
        (
            json!({"f:all": {}, "f:rules": {}, "f:items": fewer}),
            json!({"f:items": item(json!({"f:args": {}}))}),
            ".spec.items[0].args",
        ),
    ] {
        let expected = Difference::Content(format!("{named} was changed by somebody else"));
        assert_eq!(difference(&wanted, &shown(mine, theirs)), expected);
    }
}

fn with_status(generation: i64, status: Value) -> Value {
    json!({"metadata": {"generation": generation}, "status": status})
}

#[test]
fn a_condition_holds_only_for_the_generation_that_it_was_said_of() {
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let own = |observed: i64| json!([{"type": "Ready", "status": "True", "observedGeneration": observed}]);
    let is_true = |object: Value| condition(&object, "Ready").is_true();
    assert!(is_true(json!({"status": {"conditions": ready}})));
    assert!(is_true(with_status(2, json!({"conditions": ready}))));
    assert!(is_true(with_status(2, json!({"observedGeneration": 2, "conditions": ready}))));
    assert!(is_true(with_status(2, json!({"conditions": own(2)}))));
    assert!(
        is_true(with_status(2, json!({"observedGeneration": 1, "conditions": own(2)}))),
        "its own word counts"
    );
    for stale in [
        with_status(2, json!({"observedGeneration": 1, "conditions": ready})),
        with_status(2, json!({"observedGeneration": -1, "conditions": ready})),
        with_status(2, json!({"conditions": own(1)})),
        with_status(2, json!({"observedGeneration": 2, "conditions": own(1)})),
    ] {
        let said = condition(&stale, "Ready");
        assert!(matches!(&said, Condition::Unknown { reason, .. } if reason == "Stale"), "{said}");
    }
}

#[test]
fn a_condition_that_is_not_clearly_true_is_not_true() {
    let of = |conditions: Value| condition(&json!({"status": {"conditions": conditions}}), "Ready");
    let failing =
        of(json!([{"type": "Ready", "status": "False", "reason": "CrashLoop", "message": "it fell"}]));
    assert_eq!(failing.to_string(), "False (CrashLoop: it fell)");
    assert!(matches!(failing, Condition::False { .. }));
    for unclear in [
        json!([]),
        json!(null),
        json!({"type": "Ready", "status": "True"}),
        json!([{"type": "ready", "status": "True"}]),
        json!([{"type": "Ready"}]),
        json!([{"type": "Ready", "status": true}]),
        json!([{"type": "Ready", "status": "true"}]),
        json!([{"type": "Ready", "status": "Unknown"}]),
        json!([{"type": "Ready", "status": "True"}, {"type": "Ready", "status": "False"}]),
    ] {
        let said = of(unclear.clone());
        assert!(matches!(said, Condition::Unknown { .. }), "{unclear}: {said}");
    }
    assert!(matches!(condition(&Value::Null, "Ready"), Condition::Unknown { .. }));
}
