//! Structural schemas of custom resources: what is pruned, what is defaulted, and what breaks a rule.
//!
//! Rules in CEL (`x-kubernetes-validations`) are not evaluated: whoever needs one proves it on a real server.
//! It must never look at anything but the object and its schema.

use super::refusal::Cause;
use super::rules;
use serde_json::{Map, Value, json};

fn is(schema: &Value, word: &str) -> bool {
    schema[word] == true
}

/// Takes away what the schema does not know, and says what it was: `spec.size`, `spec.list[0].name`.
pub(super) fn prune(value: &mut Value, schema: &Value) -> Vec<String> {
    let mut unknown = vec![];
    prune_at(value, schema, "", &mut unknown);
    unknown
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn prune_at(value: &mut Value, schema: &Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let free = is(schema, "x-kubernetes-preserve-unknown-fields");
            let embedded = is(schema, "x-kubernetes-embedded-resource");
            object.retain(|name, value| {
                let here = below(path, name);
                let declared = schema["properties"].get(name).or_else(|| {
                    schema.get("additionalProperties").filter(|schema| **schema != Value::Bool(false))
                });
                if let Some(declared) = declared {
                    if declared.is_object() {
                        prune_at(value, declared, &here, unknown);
                    }
                    return true;
                }
                let known = free || (embedded && ["apiVersion", "kind", "metadata"].contains(&name.as_str()));
                if !known {
                    unknown.push(here);
                }
                known
            });
        }
        Value::Array(items) if schema["items"].is_object() => {
            for (at, item) in items.iter_mut().enumerate() {
                prune_at(item, &schema["items"], &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}

/// Puts in the defaults of what is missing. A null where none is allowed counts as missing.
pub(super) fn default(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(object) => {
            if let Value::Object(properties) = &schema["properties"] {
                for (name, declared) in properties {
                    let null = object.get(name).is_some_and(Value::is_null) && !is(declared, "nullable");
                    if null {
                        object.remove(name);
                    }
                    if let (None, Some(default)) = (object.get(name), declared.get("default")) {
                        object.insert(name.clone(), default.clone());
                    }
                }
            }
            for (name, value) in object {
                let declared = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                if let Some(declared) = declared {
                    default(value, declared);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| default(item, &schema["items"])),
        _ => {}
    }
}

/// What breaks a rule of the schema.
pub(super) fn validate(value: &Value, schema: &Value) -> Vec<Cause> {
    let mut causes = vec![];
    check(value, schema, "", &mut causes);
    causes
}

fn check(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && (is(schema, "nullable") || schema.get("type").is_none()) {
        return;
    }
    if let Some(expected) = mistyped(value, schema) {
        let got = json_type(value);
        let message = format!("Invalid value: {got:?}: {path} in body must be of type {expected}: {got:?}");
        return causes.push(Cause::new("FieldValueTypeInvalid", path, message));
    }
    rules::check(value, schema, path, causes);
    match value {
        Value::Object(object) => check_object(object, schema, path, causes),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                check(item, &schema["items"], &format!("{path}[{at}]"), causes);
            }
        }
        _ => {}
    }
    alternatives(value, schema, path, causes);
}

fn check_object(object: &Map<String, Value>, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            causes.push(Cause::new("FieldValueRequired", &below(path, name), "Required value".to_owned()));
        }
    }
    for (name, value) in object {
        let declared = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        if let Some(declared) = declared.filter(|declared| declared.is_object()) {
            check(value, declared, &below(path, name), causes);
        }
    }
}

/// `allOf`, `anyOf`, `oneOf` and `not`, which add rules but no fields.
fn alternatives(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let fits = |schema: &Value| {
        let mut causes = vec![];
        check(value, schema, path, &mut causes);
        causes.is_empty()
    };
    let of = |word: &str| schema[word].as_array();
    for all in of("allOf").into_iter().flatten() {
        check(value, all, path, causes);
    }
    let mut wrong = |word: &str| {
        let message = format!("Invalid value: {}: {path:?} must validate {word}", brief(value));
        causes.push(Cause::new("FieldValueInvalid", path, message));
    };
    if of("anyOf").is_some_and(|any| !any.iter().any(fits)) {
        wrong("at least one schema (anyOf)");
    }
    if of("oneOf").is_some_and(|one| one.iter().filter(|schema| fits(schema)).count() != 1) {
        wrong("one and only one schema (oneOf)");
    }
    if schema["not"].is_object() && fits(&schema["not"]) {
        wrong("no schema (not)");
    }
}

fn brief(value: &Value) -> Value {
    if value.is_object() || value.is_array() { json!(json_type(value)) } else { value.clone() }
}

/// The type that it should have had.
fn mistyped(value: &Value, schema: &Value) -> Option<&'static str> {
    if is(schema, "x-kubernetes-int-or-string") {
        let fits = value.is_i64() || value.is_u64() || value.is_string();
        return (!fits).then_some("integer,string");
    }
    let (fits, name) = match schema["type"].as_str()? {
        "integer" => (value.is_i64() || value.is_u64(), "integer"),
        "number" => (value.is_number(), "number"),
        "string" => (value.is_string(), "string"),
        "boolean" => (value.is_boolean(), "boolean"),
        "array" => (value.is_array(), "array"),
        "object" => (value.is_object(), "object"),
        _ => return None,
    };
    (!fits).then_some(name)
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
