//! Sets of fields, as `metadata.managedFields` names them.
//!
//! A path is a list of steps; a set of paths is kept in order, so that what lies below a path stands right after it.

use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// To a field of an object.
    Field(String),
    /// To the item of a list that has these values in its key fields, as JSON.
    Item(String),
    /// To the item of a list that is this value, as JSON.
    Value(String),
}

impl Step {
    /// To an item by its key fields, in the order of their names.
    pub(super) fn item(keys: BTreeMap<&str, &Value>) -> Self {
        Self::Item(json!(keys).to_string())
    }

    fn key(&self) -> String {
        match self {
            Step::Field(name) => format!("f:{name}"),
            Step::Item(keys) => format!("k:{keys}"),
            Step::Value(value) => format!("v:{value}"),
        }
    }

    fn parse(key: &str) -> Option<Self> {
        let (kind, rest) = key.split_once(':')?;
        Some(match kind {
            "f" => Self::Field(rest.to_owned()),
            "k" => Self::item(
                serde_json::from_str::<Value>(rest)
                    .ok()?
                    .as_object()?
                    .iter()
                    .map(|(k, v)| (k.as_str(), v))
                    .collect(),
            ),
            "v" => Self::Value(serde_json::from_str::<Value>(rest).ok()?.to_string()),
            _ => return None,
        })
    }
}

/// From the root of an object.
pub(super) type Path = Vec<Step>;

/// As the server's messages write it: `.spec.containers[name="app"].image`.
pub(super) struct Told<'a>(pub(super) &'a [Step]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.0 {
            match step {
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Value(value) => write!(f, "[={value}]")?,
                Step::Item(keys) => {
                    let keys: BTreeMap<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                    let keys: Vec<_> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    write!(f, "[{}]", keys.join(","))?;
                }
            }
        }
        Ok(())
    }
}

/// A set of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeSet<Path>);

impl Fields {
    pub(super) fn insert(&mut self, path: &[Step]) {
        self.0.insert(path.to_vec());
    }

    pub(super) fn contains(&self, path: &[Step]) -> bool {
        self.0.contains(path)
    }

    /// Whether something lies below this path.
    pub(super) fn reaches_below(&self, path: &[Step]) -> bool {
        let path = path.to_vec();
        self.0
            .range(path.clone()..)
            .find(|other| **other != path)
            .is_some_and(|other| other.starts_with(&path))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    pub(super) fn take(&mut self, others: &Self) {
        self.0.retain(|path| !others.0.contains(path));
    }

    pub(super) fn common(&self, others: &Self) -> Self {
        Self(self.0.intersection(&others.0).cloned().collect())
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Path) -> bool) {
        self.0.retain(keep);
    }

    /// As `fieldsV1`.
    pub(super) fn to_json(&self) -> Value {
        let mut root = Map::new();
        for path in &self.0 {
            let mut here = &mut root;
            for (depth, step) in path.iter().enumerate() {
                let next = here.entry(step.key()).or_insert_with(|| json!({}));
                let Value::Object(next) = next else { unreachable!("only objects are put there") };
                // A field with others below it says by a dot that it is meant too.
                if depth + 1 == path.len() && self.reaches_below(path) {
                    next.insert(".".to_owned(), json!({}));
                }
                here = next;
            }
        }
        Value::Object(root)
    }

    pub(super) fn from_json(fields: &Value) -> Self {
        fn walk(node: &Map<String, Value>, path: &mut Path, set: &mut Fields) {
            for (key, below) in node {
                if key == "." {
                    set.insert(path);
                    continue;
                }
                let Some(step) = Step::parse(key) else { continue };
                path.push(step);
                match below.as_object() {
                    Some(below) if !below.is_empty() => walk(below, path, set),
                    _ => set.insert(path),
                }
                path.pop();
            }
        }
        let mut set = Self::default();
        if let Some(root) = fields.as_object() {
            walk(root, &mut vec![], &mut set);
        }
        set
    }
}
