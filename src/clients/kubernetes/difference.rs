//! Whether an object is already as we would apply it. Pure.
//!
//! Not by comparing values: a server adds defaults and writes quantities and versions in its own way. Two things prove it
//! together. The digest of what was applied last, in an annotation, says that we want nothing else now. The server's
//! record of who owns which field (`managedFields`) says that nobody has changed it since: whoever changes a value takes
//! the field away from us, and it does not come back with the value. So an object is unchanged if we own every field that
//! we would apply. Must never: say "unchanged" for lack of a record.

use super::manifest::{APPLIED, CLAIM, GENERATION};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Whom the server's record means by us.
pub const MANAGER: &str = "berth";

/// What a write would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Nothing.
    Nothing,
    /// The mark of who wrote it alone.
    Mark,
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
    // Not by the operation: what a webhook made of our request is recorded as an update of ours. A status is written by
    // others, under their own names.
    let is_ours = |entry: &&Value| {
        entry["manager"] == MANAGER
            && entry["apiVersion"] == wanted["apiVersion"]
            && entry["subresource"].as_str().is_none_or(str::is_empty)
    };
    let (ours, others): (Vec<&Value>, Vec<&Value>) = entries.iter().partition(is_ours);
    let [ours, others] =
        [ours, others].map(|entries| entries.into_iter().map(|entry| &entry["fieldsV1"]).collect());
    let records = Records { ours, others };
    match uncovered_object(&sent(wanted), &records, "") {
        Some(path) => Difference::Content(format!("{path} was changed by somebody else")),
        None => mark(wanted, live),
    }
}

/// The same for what stays as it stands: only its mark can differ.
pub fn mark(wanted: &Value, live: &Value) -> Difference {
    let is_marked = [CLAIM, GENERATION].iter().all(|mark| {
        let label = |object: &Value| object["metadata"]["labels"][mark].clone();
        label(wanted) == label(live)
    });
    if is_marked { Difference::Nothing } else { Difference::Mark }
}

/// What the server has recorded at one path.
struct Records<'a> {
    ours: Vec<&'a Value>,
    others: Vec<&'a Value>,
}

impl<'a> Records<'a> {
    fn below(&self, key: &str) -> Self {
        let below = |nodes: &[&'a Value]| nodes.iter().filter_map(|node| node.get(key)).collect();
        Self { ours: below(&self.ours), others: below(&self.others) }
    }
}

/// The fields that the server records: not what names the object, and not the marks, which are compared by themselves.
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
            [CLAIM, GENERATION].iter().for_each(|mark| drop(labels.remove(*mark)));
        }
    }
    fields
}

/// The first field of ours that the record lacks.
fn uncovered(wanted: &Value, records: &Records<'_>, path: &str) -> Option<String> {
    let Records { ours, others } = records;
    match wanted {
        // A server keeps no null.
        Value::Null => None,
        _ if ours.iter().any(|node| is_leaf(node)) => None,
        Value::Object(map) if !map.is_empty() => uncovered_object(map, records, path),
        // Of a list that is owned item by item, an empty one leaves no record. One that is owned as a whole does, and
        // then is its next writer's.
        Value::Array(list) if list.is_empty() && !others.iter().any(|node| is_leaf(node)) => None,
        Value::Array(list) if !list.is_empty() && !ours.is_empty() => uncovered_list(list, records, path),
        _ => Some(path.to_owned()),
    }
}

fn uncovered_object(map: &Map<String, Value>, records: &Records<'_>, path: &str) -> Option<String> {
    map.iter().find_map(|(key, value)| {
        uncovered(value, &records.below(&format!("f:{key}")), &format!("{path}.{key}"))
    })
}

/// A list that is owned item by item: its items are told by keys (`k:{"name":"app"}`), or are the keys (`v:"text"`).
fn uncovered_list(list: &[Value], records: &Records<'_>, path: &str) -> Option<String> {
    let nodes = records.ours.iter().filter_map(|node| node.as_object());
    let mut keys: BTreeSet<&str> = nodes.flat_map(Map::keys).map(String::as_str).collect();
    let mut items: Vec<(usize, &Value)> = list.iter().enumerate().collect();
    // What names more of its keys chooses first: the server has filled in the rest.
    items.sort_by_key(|(_, item)| std::cmp::Reverse(keys.iter().filter_map(|key| fit(key, item)).max()));
    for (at, item) in items {
        let path = format!("{path}[{at}]");
        let best = keys.iter().filter_map(|key| Some((fit(key, item)?, *key))).max();
        let Some((_, key)) = best else { return Some(path) };
        keys.remove(key);
        if key.starts_with("k:")
            && let Some(path) = uncovered(item, &records.below(key), &path)
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
