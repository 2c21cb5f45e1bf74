//! CustomResourceDefinitions: the kinds that one serves, what it must be, and the conditions that it is given.
//!
//! It must never serve a version that its definition does not serve.

use super::kinds::{DEFINITIONS, Kind};
use super::refusal::Cause;
use super::{ApiServer, Key, deleting};
use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};
use std::cmp::Reverse;

/// Holds a definition until the last object of its kind is gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The kinds of a definition, one for each served version, the preferred first.
pub(super) fn kinds(definition: &Value) -> impl Iterator<Item = Kind> + use<> {
    let spec = &definition["spec"];
    let versions = spec["versions"].as_array().into_iter().flatten();
    let served = versions.filter(|version| version["served"] == true);
    let mut kinds: Vec<Kind> = served
        .map(|version| Kind {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            plural: text(&spec["names"]["plural"]),
            singular: match spec["names"]["singular"].as_str() {
                None | Some("") => text(&spec["names"]["kind"]).to_lowercase(),
                Some(singular) => singular.to_owned(),
            },
            kind: text(&spec["names"]["kind"]),
            short: texts(&spec["names"]["shortNames"]),
            categories: texts(&spec["names"]["categories"]),
            namespaced: spec["scope"] != "Cluster",
            status: version["subresources"]["status"].is_object(),
            generation: true,
            storage: version["storage"] == true,
            schema: whole(&version["schema"]["openAPIV3Schema"]),
            reread: None,
        })
        .collect();
    kinds.sort_by_key(|kind| Reverse(rank(&kind.version)));
    kinds.into_iter()
}

/// Released before beta before alpha, then the higher number: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`.
fn rank(version: &str) -> (u8, u64, u64) {
    let number = |text: &str| text.parse::<u64>().ok();
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    for (stability, word) in [(2, "beta"), (1, "alpha")] {
        if let Some((major, minor)) = rest.split_once(word) {
            return match (number(major), number(minor)) {
                (Some(major), Some(minor)) => (stability, major, minor),
                _ => (0, 0, 0),
            };
        }
    }
    number(rest).map_or((0, 0, 0), |major| (3, major, 0))
}

/// The schema with what every object has beside what its definition says.
fn whole(schema: &Value) -> Value {
    let string = || json!({"type": "string"});
    let map = || json!({"type": "object", "additionalProperties": {"type": "string"}});
    let number = || json!({"type": "integer"});
    let time = || json!({"type": "string", "nullable": true});
    let mut schema = if schema.is_object() { schema.clone() } else { json!({}) };
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    schema["properties"]["apiVersion"] = string();
    schema["properties"]["kind"] = string();
    schema["properties"]["metadata"] = json!({"type": "object", "properties": {
        "name": string(), "generateName": string(), "namespace": string(), "selfLink": string(), "uid": string(),
        "resourceVersion": string(), "generation": number(), "creationTimestamp": time(),
        "deletionTimestamp": time(), "deletionGracePeriodSeconds": {"type": "integer", "nullable": true},
        "labels": map(), "annotations": map(),
        "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
            "items": {"type": "object", "x-kubernetes-map-type": "atomic", "x-kubernetes-preserve-unknown-fields": true,
                "properties": {"uid": string()}},
        },
        "managedFields": {"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": true}},
    }});
    schema
}

/// What the server adds to a definition before it stores it.
pub(super) fn complete(definition: &mut Value) {
    let names = &mut definition["spec"]["names"];
    let kind = text(&names["kind"]);
    if names["singular"].is_null() {
        names["singular"] = json!(kind.to_lowercase());
    }
    if names["listKind"].is_null() {
        names["listKind"] = json!(format!("{kind}List"));
    }
    if definition["spec"]["conversion"].is_null() {
        definition["spec"]["conversion"] = json!({"strategy": "None"});
    }
    if definition["status"].is_null() {
        let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
        let stored = versions.filter(|version| version["storage"] == true).map(|version| &version["name"]);
        let stored: Vec<&Value> = stored.collect();
        definition["status"] = json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored});
    }
}

/// What of a definition cannot be served.
pub(super) fn validate(definition: &Value) -> Vec<Cause> {
    let spec = &definition["spec"];
    let name = text(&definition["metadata"]["name"]);
    let mut causes = vec![];
    let expected = format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"]));
    if name != expected {
        let message = format!("Invalid value: {name:?}: must be spec.names.plural+\".\"+spec.group");
        causes.push(Cause::new("FieldValueInvalid", "metadata.name", message));
    }
    let group = text(&spec["group"]);
    if !group.contains('.') {
        let message = format!("Invalid value: {group:?}: should be a domain with at least one dot");
        causes.push(Cause::new("FieldValueInvalid", "spec.group", message));
    }
    let mut storage = 0;
    for (at, version) in spec["versions"].as_array().into_iter().flatten().enumerate() {
        storage += usize::from(version["storage"] == true);
        let place = format!("spec.versions[{at}].schema.openAPIV3Schema");
        match &version["schema"]["openAPIV3Schema"] {
            Value::Object(_) => patterns(&version["schema"]["openAPIV3Schema"], &place, &mut causes),
            _ => causes.push(Cause::new("FieldValueRequired", &place, "Required value".to_owned())),
        }
    }
    if storage != 1 {
        let message = "Invalid value: must have exactly one version marked as storage version".to_owned();
        causes.push(Cause::new("FieldValueInvalid", "spec.versions", message));
    }
    causes
}

/// A pattern that cannot be read would let everything pass.
fn patterns(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && let Err(error) = Regex::new(pattern)
    {
        let message =
            format!("Invalid value: {pattern:?}: must be a valid regular expression, but isn't: {error}");
        causes.push(Cause::new("FieldValueInvalid", &format!("{path}.pattern"), message));
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        patterns(below, &format!("{path}.properties[{name}]"), causes);
    }
    for word in ["items", "additionalProperties"] {
        if schema[word].is_object() {
            patterns(&schema[word], &format!("{path}.{word}"), causes);
        }
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    json!({"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message})
}

impl ApiServer {
    /// Gives new definitions their conditions, and empties those that are being deleted. Whether there was anything to do.
    pub(super) fn settle_definitions(&mut self) -> bool {
        let mut busy = false;
        // Only those are copied with which there is something to do: they are long.
        let unsettled = self.all(DEFINITIONS).filter(|(.., definition)| {
            deleting(definition) || definition["status"]["conditions"].as_array().is_none_or(Vec::is_empty)
        });
        let unsettled: Vec<(String, Value)> =
            unsettled.map(|(_, name, definition)| (name.to_owned(), definition.clone())).collect();
        for (name, definition) in unsettled {
            if deleting(&definition) {
                busy |= self.empty_definition(&name, &definition);
            } else {
                self.establish(&name, &definition);
                busy = true;
            }
        }
        busy
    }

    fn establish(&mut self, name: &str, definition: &Value) {
        let now = self.now;
        let accepted = condition("NamesAccepted", "True", "NoConflicts", "no conflicts found", now);
        let message = "the initial names have been accepted";
        for (status, reason) in [("False", "Installing"), ("True", "InitialNamesAccepted")] {
            let conditions = json!([accepted, condition("Established", status, reason, message, now)]);
            let patch =
                json!({"status": {"conditions": conditions, "acceptedNames": definition["spec"]["names"]}});
            self.merge_status(SERVER, DEFINITIONS, "", name, &patch);
        }
        let mut finalizers = texts(&definition["metadata"]["finalizers"]);
        if !finalizers.iter().any(|finalizer| finalizer == CLEANUP) {
            finalizers.push(CLEANUP.to_owned());
            self.merge(SERVER, DEFINITIONS, "", name, &json!({"metadata": {"finalizers": finalizers}}));
        }
    }

    fn empty_definition(&mut self, name: &str, definition: &Value) -> bool {
        let left: Vec<Key> = self.objects.keys().filter(|key| key.resource == name).cloned().collect();
        let mut busy = false;
        for key in &left {
            busy |= self.begin_deletion(key);
        }
        let mut finalizers = texts(&definition["metadata"]["finalizers"]);
        if left.is_empty() && finalizers.iter().any(|finalizer| finalizer == CLEANUP) {
            finalizers.retain(|finalizer| finalizer != CLEANUP);
            self.merge(SERVER, DEFINITIONS, "", name, &json!({"metadata": {"finalizers": finalizers}}));
            busy = true;
        }
        busy
    }
}

/// The name under which the server itself writes.
const SERVER: &str = "kube-apiserver";
