//! `BERTH_` variables: every key of the configuration, its path in capitals, joined by `_`.
//!
//! The schema says which there are, so that a new key has its variable at once. It is made only if one is set.
//! Must never: pass over a name that is no setting (it would be without effect, and nobody would know); print a value.

use super::{
    environment::Environment,
    file::{Layer, schema_value},
    layers::{Origin, Sourced},
    nearest::nearest,
    store,
    values::StoreChoice,
};
use crate::errors::UserError;
use serde_json::{Map, Value, json};
use std::path::Path;

const PREFIX: &str = "BERTH_";

/// The store as the flag `--store` says it; it overrules what other variables imply.
pub(super) const STORE: &str = "BERTH_STORE";
/// Where no variable overrules others.
pub(super) const NONE: &str = "";
/// The path of the platform file.
pub(super) const PLATFORM: &str = "BERTH_PLATFORM";
/// The path of the app file.
pub(super) const CONFIG: &str = "BERTH_CONFIG";

/// What the program and its tests read beside the configuration.
const OTHERS: [&str; 11] = [
    CONFIG,
    PLATFORM,
    "BERTH_OUTPUT",
    "BERTH_BIN",
    "BERTH_REQUIRE_BENCH",
    "BERTH_COMMAND",
    "BERTH_ENVIRONMENT",
    "BERTH_JOB_ID",
    "BERTH_JUNIT",
    "BERTH_NAME",
    "BERTH_GITHUB_TOKEN",
];

/// One layer for each variable, `BERTH_STORE` last.
pub(super) fn layers(environment: &Environment, directory: &Path) -> Result<Vec<Sourced>, UserError> {
    let sourced = |name: &str, layer| Sourced {
        origin: Origin::Variable,
        name: name.to_owned(),
        base: directory.to_owned(),
        root: directory.to_owned(),
        layer,
    };
    let in_cluster = environment.text("KUBERNETES_SERVICE_HOST")?.is_some();
    let others = |name: &&str| *name != STORE && !OTHERS.contains(name);
    let mut layers = Vec::new();
    let mut names = environment.names(PREFIX).filter(others).peekable();
    if names.peek().is_some() {
        let schema = keys();
        for name in names {
            match resolve(&schema, &name[PREFIX.len()..]) {
                Some(key) => layers.push(sourced(name, layer(key, name, environment)?)),
                None if in_cluster && is_service_link(name) => {}
                None => return Err(unknown(&schema, name)),
            }
        }
    }
    if let Some(text) = environment.text(STORE)? {
        let choice: StoreChoice =
            text.parse().map_err(|error| UserError::usage(format!("{STORE}: {error}")))?;
        layers.push(sourced(STORE, store::choice(&choice)));
    }
    Ok(layers)
}

/// The schema, without the version at its top: that is of a file's format, and a variable has none.
fn keys() -> Value {
    let mut schema = schema_value();
    if let Some(top) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        top.remove("version");
    }
    schema
}

/// Whether Kubernetes itself puts this variable into every pod beside a Service that is called `berth…`.
fn is_service_link(name: &str) -> bool {
    let tail = name.trim_end_matches(|c: char| c != '_');
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || ["_TCP", "_UDP", "_SCTP"].iter().any(|p| name.ends_with(p) || tail.ends_with(&format!("{p}_")))
}

fn layer(
    (path, kind): (Vec<String>, Kind),
    name: &str,
    environment: &Environment,
) -> Result<Layer, UserError> {
    let text = environment.text(name)?.unwrap_or_default();
    let value = match kind {
        Kind::One => json!(text),
        Kind::List => text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
    };
    let nest = |inner: Value, key: String| Value::Object(Map::from_iter([(key, inner)]));
    let value = path.into_iter().rev().fold(value, nest);
    serde_json::from_value(value).map_err(|error| UserError::usage(format!("{name}: {error}")))
}

#[derive(Clone, Copy)]
enum Kind {
    One,
    List,
}

/// The path that a name stands for. The longest known key is tried first; a name that the user chose is whatever
/// stands before the first key that fits.
fn resolve(node: &Value, rest: &str) -> Option<(Vec<String>, Kind)> {
    let mut keys: Vec<(String, &Value, &str)> = Vec::new();
    for (key, value) in children(node) {
        match rest.strip_prefix(&in_capitals(key)) {
            Some("") => return kind(value).map(|kind| (vec![key.clone()], kind)),
            Some(tail) => keys.extend(tail.strip_prefix('_').map(|tail| (key.clone(), value, tail))),
            None => {}
        }
    }
    keys.sort_by_key(|(key, ..)| std::cmp::Reverse(key.len()));
    if let Some(named) = chosen(node) {
        let splits = rest.match_indices('_').map(|(at, _)| (&rest[..at], &rest[at + 1..]));
        keys.extend(splits.map(|(name, tail)| (in_lower_case(name), named, tail)));
    }
    keys.into_iter().find_map(|(key, value, tail)| {
        let (mut path, kind) = resolve(value, tail)?;
        path.insert(0, key);
        Some((path, kind))
    })
}

fn unknown(schema: &Value, name: &str) -> UserError {
    let rest = &name[PREFIX.len()..];
    let mut known = OTHERS.map(|name| name[PREFIX.len()..].to_owned()).to_vec();
    known.push(STORE[PREFIX.len()..].to_owned());
    spell(schema, "", rest, &mut known);
    match nearest(rest, known.iter().map(String::as_str)) {
        Some(near) => UserError::usage(format!("{name} is no setting, did you mean {PREFIX}{near}?")),
        None => UserError::usage(format!("{name} is no setting")).hint(
            "a setting's variable is BERTH_ and its path, joined by `_`: \
             `lifetime.grace` is BERTH_LIFETIME_GRACE; `berth schema` lists all",
        ),
    }
}

/// Every name below a node; where the user chooses a name, whatever part of `wanted` could be meant as it.
fn spell(node: &Value, before: &str, wanted: &str, known: &mut Vec<String>) {
    for (key, value) in children(node) {
        let name = format!("{before}{}", in_capitals(key));
        if kind(value).is_some() {
            known.push(name.clone());
        }
        spell(value, &format!("{name}_"), wanted, known);
    }
    if let Some(named) = chosen(node) {
        for (at, _) in wanted.match_indices('_').filter(|(at, _)| *at > before.len()) {
            spell(named, &format!("{before}{}_", &wanted[before.len()..at]), wanted, known);
        }
    }
}

fn children(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// What stands below names that the user chooses.
fn chosen(node: &Value) -> Option<&Value> {
    let by_pattern = node.get("patternProperties").and_then(Value::as_object).and_then(|p| p.values().next());
    by_pattern.or_else(|| node.get("additionalProperties").filter(|below| below.is_object()))
}

/// How a variable's text becomes the value. Groups of keys have no variable of their own, and neither has what no single
/// text says: lists of groups, and what is passed on as it is.
fn kind(node: &Value) -> Option<Kind> {
    let is = |name: &str| match &node["type"] {
        Value::Array(types) => types.iter().any(|t| t == name),
        one => one == name,
    };
    match (is("object"), is("array")) {
        (true, _) => None,
        (_, true) => kind(&node["items"]).filter(|item| matches!(item, Kind::One)).map(|_| Kind::List),
        _ if node.get("type").is_none() && node.get("const").is_none() => None,
        _ => Some(Kind::One),
    }
}

fn in_capitals(key: &str) -> String {
    key.to_ascii_uppercase().replace('-', "_")
}

fn in_lower_case(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
