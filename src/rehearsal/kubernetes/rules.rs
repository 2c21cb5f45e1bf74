//! The rules that a schema has for one value: ranges, lengths, patterns, and what may not come twice.
//!
//! It must never descend into what the value holds.

use super::refusal::Cause;
use regex::Regex;
use serde_json::{Value, json};

pub(super) fn check(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", allowed.join(", "));
        causes.push(Cause::new("FieldValueNotSupported", path, message));
    }
    match value {
        Value::Number(number) => {
            number.as_f64().into_iter().for_each(|n| range(n, value, schema, path, causes))
        }
        Value::String(text) => written(text, schema, path, causes),
        Value::Array(items) => listed(items, schema, path, causes),
        Value::Object(object) => {
            count(object.len(), schema, ["minProperties", "maxProperties"], "properties", path, causes)
        }
        _ => {}
    }
}

fn invalid(value: &Value, path: &str, rule: &str) -> Cause {
    Cause::new("FieldValueInvalid", path, format!("Invalid value: {value}: {path} in body should {rule}"))
}

fn range(number: f64, value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let (least, most) = (&schema["minimum"], &schema["maximum"]);
    let without = |word: &str| schema[word] == true;
    let below = |least: f64| if without("exclusiveMinimum") { number <= least } else { number < least };
    let above = |most: f64| if without("exclusiveMaximum") { number >= most } else { number > most };
    if least.as_f64().is_some_and(below) {
        let or = if without("exclusiveMinimum") { "" } else { "or equal to " };
        causes.push(invalid(value, path, &format!("be greater than {or}{least}")));
    }
    if most.as_f64().is_some_and(above) {
        let or = if without("exclusiveMaximum") { "" } else { "or equal to " };
        causes.push(invalid(value, path, &format!("be less than {or}{most}")));
    }
    let of = &schema["multipleOf"];
    if of.as_f64().is_some_and(|of| of != 0.0 && number % of != 0.0) {
        causes.push(invalid(value, path, &format!("be a multiple of {of}")));
    }
}

/// Of lengths and pattern only the first that is broken is told.
fn written(text: &str, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let value = json!(text);
    let length = text.chars().count() as u64;
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        let message = format!("Too long: may not be more than {most} bytes");
        causes.push(Cause::new("FieldValueTooLong", path, message));
    } else if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        causes.push(invalid(&value, path, &format!("be at least {least} chars long")));
    } else if let Some(pattern) = schema["pattern"].as_str() {
        // A pattern that cannot be read was refused with its definition.
        if Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text)) {
            causes.push(invalid(&value, path, &format!("match '{pattern}'")));
        }
    }
}

fn count(
    found: usize,
    schema: &Value,
    [least, most]: [&str; 2],
    what: &str,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    let found = found as u64;
    if let Some(least) = schema[least].as_u64().filter(|least| found < *least) {
        causes.push(invalid(&json!(found), path, &format!("have at least {least} {what}")));
    }
    if let Some(most) = schema[most].as_u64().filter(|most| found > *most) {
        let message = format!("Too many: {found}: must have at most {most} {what}");
        causes.push(Cause::new("FieldValueTooMany", path, message));
    }
}

fn listed(items: &[Value], schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    count(items.len(), schema, ["minItems", "maxItems"], "items", path, causes);
    let keys: Vec<&str> = match schema["x-kubernetes-list-type"].as_str() {
        Some("map") => schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
        Some("set") => vec![],
        _ => return,
    };
    let name = |item: &Value| match keys.as_slice() {
        [] => item.clone(),
        keys => keys.iter().filter_map(|key| Some(((*key).to_owned(), item.get(*key)?.clone()))).collect(),
    };
    for (at, item) in items.iter().enumerate() {
        if items[..at].iter().any(|earlier| name(earlier) == name(item)) {
            let message = format!("Duplicate value: {}", name(item));
            causes.push(Cause::new("FieldValueDuplicate", &format!("{path}[{at}]"), message));
        }
    }
}
