//! Whether an object is already as we would apply it. Pure.
//!
//! Not by comparing values: a server adds defaults and writes quantities and versions in its own way. Two things prove it
//! together. The digest of what was applied last, in an annotation, says that we want nothing else now. The server's
//! record of who owns which field (`managedFields`) says that nobody has changed it since: whoever changes a value takes
//! the field away from us, and it does not come back with the value. So an object is unchanged if we own every field that
//! we would apply. Must never: say "unchanged" for lack of a record.

use super::manifest::{APPLIED, GENERATION};
use serde_json::{Map, Value};

/// Whom the server's record means by us.
pub const MANAGER: &str = "berth";

/// What a write would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Nothing.
    Nothing,
    /// The mark of the generation alone.
    Generation,
    /// This, and maybe more.
    Content(String),
}

/// Of what would be sent (`wanted`, stamped) and what is there (`live`).
pub fn difference(wanted: &Value, live: &Value) -> Difference {
    let annotation = |object: &Value| object["metadata"]["annotations"][APPLIED].clone();
    if annotation(wanted).is_null() || annotation(wanted) != annotation(live) {
        return Difference::Content("something else was applied last".to_owned());
    }
    let entries = live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let owned: Vec<&Value> = entries
        .iter()
        // Not by the operation: what a webhook made of our request is recorded as an update of ours. A status is
        // written by others, under their own names.
        .filter(|entry| entry["manager"] == MANAGER && entry["apiVersion"] == wanted["apiVersion"])
        .filter(|entry| entry["subresource"].as_str().is_none_or(str::is_empty))
        .map(|entry| &entry["fieldsV1"])
        .collect();
    match uncovered_object(&sent(wanted), &owned, "") {
        Some(path) => Difference::Content(format!("{path} was changed by somebody else")),
        None if wanted["metadata"]["labels"][GENERATION] != live["metadata"]["labels"][GENERATION] => {
            Difference::Generation
        }
        None => Difference::Nothing,
    }
}

/// The fields that the server records: not what names the object, and not the generation, which is compared by itself.
fn sent(wanted: &Value) -> Map<String, Value> {
    let mut fields = wanted.as_object().cloned().unwrap_or_default();
    for named in ["apiVersion", "kind"] {
        fields.remove(named);
    }
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        for named in ["name", "namespace", "resourceVersion"] {
            metadata.remove(named);
        }
        if let Some(Value::Object(labels)) = metadata.get_mut("labels") {
            labels.remove(GENERATION);
        }
    }
    fields
}

/// The first field of ours that the record lacks.
fn uncovered(wanted: &Value, owned: &[&Value], path: &str) -> Option<String> {
    match wanted {
        // A server keeps no null, and of an empty map nothing can be changed.
        Value::Null => None,
        Value::Object(map) if map.is_empty() => None,
        Value::Array(list) if list.is_empty() => None,
        _ if owned.iter().any(|node| is_leaf(node)) => None,
        Value::Object(map) => uncovered_object(map, owned, path),
        Value::Array(list) if !owned.is_empty() => uncovered_list(list, owned, path),
        _ => Some(path.to_owned()),
    }
}

fn uncovered_object(map: &Map<String, Value>, owned: &[&Value], path: &str) -> Option<String> {
    map.iter().find_map(|(key, value)| {
        let field = format!("f:{key}");
        let below: Vec<&Value> = owned.iter().filter_map(|node| node.get(&field)).collect();
        uncovered(value, &below, &format!("{path}.{key}"))
    })
}

/// A list that is owned item by item: its items are told by keys (`k:{"name":"app"}`), or are the keys (`v:"text"`).
fn uncovered_list(list: &[Value], owned: &[&Value], path: &str) -> Option<String> {
    let mut records: Vec<(&str, &Value)> = owned
        .iter()
        .filter_map(|node| node.as_object())
        .flatten()
        .map(|(key, node)| (&**key, node))
        .collect();
    // Two records of one item, by our two operations, lie side by side.
    records.sort_by_key(|(key, _)| *key);
    let mut items: Vec<(usize, &Value)> = list.iter().enumerate().collect();
    // What names more of its keys chooses first: the server has filled in the rest.
    items.sort_by_key(|(_, item)| {
        std::cmp::Reverse(records.iter().filter_map(|(key, _)| fit(key, item)).max())
    });
    for (at, item) in items {
        let path = format!("{path}[{at}]");
        let best = records.iter().filter_map(|(key, _)| Some((fit(key, item)?, *key))).max();
        let Some((_, key)) = best else { return Some(path) };
        let nodes: Vec<&Value> = records.iter().filter(|(k, _)| *k == key).map(|(_, node)| *node).collect();
        records.retain(|(k, _)| *k != key);
        if key.starts_with("k:")
            && let Some(path) = uncovered(item, &nodes, &path)
        {
            return Some(path);
        }
    }
    None
}

/// How many of a record's keys the item names; `None`: it is not the record of this item.
fn fit(record: &str, item: &Value) -> Option<usize> {
    if let Some(value) = record.strip_prefix("v:") {
        let value: Value = serde_json::from_str(value).ok()?;
        return (value == *item).then_some(1);
    }
    let keys: Map<String, Value> = serde_json::from_str(record.strip_prefix("k:")?).ok()?;
    let named: Vec<_> = keys.iter().filter(|(key, _)| item.get(key).is_some()).collect();
    let fits = !named.is_empty() && named.iter().all(|(key, value)| item.get(key) == Some(value));
    fits.then_some(named.len())
}

/// Owned as a whole: a plain value, or a list or map that nobody shares.
fn is_leaf(node: &Value) -> bool {
    node.as_object().is_some_and(Map::is_empty)
}
