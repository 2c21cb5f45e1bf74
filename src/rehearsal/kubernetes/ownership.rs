//! Who owns which fields of an object: `metadata.managedFields`.
//!
//! It must never own what is the server's: names, versions, times.

use super::fields::{Fields, Path, Step};
use super::merge::difference;
use super::shape::Shape;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{cmp::Ordering, collections::BTreeMap};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// One that writes in one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manager {
    pub(super) operation: Operation,
    pub(super) name: String,
    pub(super) api_version: String,
    pub(super) subresource: String,
}

impl Manager {
    /// As the server's messages write it.
    pub(super) fn told(&self) -> String {
        let mut told = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            told = format!("{told} with subresource {:?}", self.subresource);
        }
        match self.operation {
            Operation::Apply => told,
            Operation::Update => format!("{told} using {}", self.api_version),
        }
    }
}

#[derive(Clone)]
struct Owned {
    fields: Fields,
    since: Value,
}

/// All managers of one object.
#[derive(Clone, Default)]
pub(super) struct Owners(BTreeMap<Manager, Owned>);

/// What no manager owns.
const SERVERS: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

fn is_servers(path: &Path) -> bool {
    let name = |step: &Step| match step {
        Step::Field(name) => name.clone(),
        _ => String::new(),
    };
    match path.as_slice() {
        [first] => ["apiVersion", "kind", "metadata"].contains(&name(first).as_str()),
        [first, second, ..] if name(first) == "metadata" => SERVERS.contains(&name(second).as_str()),
        _ => false,
    }
}

/// An object without what is the server's, to be compared.
fn bare(object: &Value) -> Value {
    let mut bare = object.clone();
    if let Some(metadata) = bare.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !SERVERS.contains(&name.as_str()));
    }
    bare
}

impl Owners {
    pub(super) fn of(object: &Value) -> Self {
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let read = |entry: &Value| {
            let operation = match entry["operation"].as_str()? {
                "Apply" => Operation::Apply,
                _ => Operation::Update,
            };
            let manager = Manager {
                operation,
                name: text(entry, "manager"),
                api_version: text(entry, "apiVersion"),
                subresource: text(entry, "subresource"),
            };
            let fields = Fields::from_json(&entry["fieldsV1"]);
            Some((manager, Owned { fields, since: entry["time"].clone() }))
        };
        Self(entries.filter_map(read).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them into an object, in the server's order.
    pub(super) fn write(mut self, object: &mut Value) {
        for owned in self.0.values_mut() {
            owned.fields.retain(|path| !is_servers(path));
        }
        let mut all: Vec<_> = self.0.into_iter().filter(|(_, owned)| !owned.fields.is_empty()).collect();
        let since = |owned: &Owned| owned.since.as_str().unwrap_or_default().to_owned();
        all.sort_by(|(a, of_a), (b, of_b)| {
            let by_time = || since(of_a).cmp(&since(of_b));
            let by_name =
                || (&a.name, &a.api_version, &a.subresource).cmp(&(&b.name, &b.api_version, &b.subresource));
            a.operation.cmp(&b.operation).then_with(by_time).then_with(by_name)
        });
        let entries = all.into_iter().map(|(manager, owned)| {
            let operation = format!("{:?}", manager.operation);
            let mut entry = json!({
                "manager": manager.name, "operation": operation, "apiVersion": manager.api_version,
                "time": owned.since, "fieldsType": "FieldsV1", "fieldsV1": owned.fields.to_json(),
            });
            if !manager.subresource.is_empty() {
                entry["subresource"] = json!(manager.subresource);
            }
            entry
        });
        let entries: Vec<Value> = entries.collect();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            match entries.is_empty() {
                true => metadata.remove("managedFields"),
                false => metadata.insert("managedFields".to_owned(), entries.into()),
            };
        }
    }

    /// What an applier named last, if it has applied before.
    pub(super) fn applied(&self, manager: &Manager) -> Fields {
        self.0.get(manager).map(|owned| owned.fields.clone()).unwrap_or_default()
    }

    /// An applier owns exactly what it names.
    pub(super) fn set(&mut self, manager: Manager, fields: Fields, now: Timestamp) {
        let mut named = fields.clone();
        named.retain(|path| !is_servers(path));
        let same = self.0.get(&manager).filter(|owned| {
            let mut before = owned.fields.clone();
            before.retain(|path| !is_servers(path));
            before == named
        });
        let since = same.map_or_else(|| json!(seconds(now)), |owned| owned.since.clone());
        self.0.insert(manager, Owned { fields, since });
    }

    /// All that anybody owns.
    pub(super) fn everything(&self) -> Fields {
        let mut all = Fields::default();
        for owned in self.0.values() {
            all.add(&owned.fields);
        }
        all
    }

    /// What others than this manager own of these fields, in the order in which the server tells it.
    pub(super) fn conflicts(&self, manager: &Manager, written: &Fields) -> Vec<(Manager, Path)> {
        let others = self.0.iter().filter(|(other, _)| *other != manager);
        let mut found: Vec<(Manager, Path)> = others
            .flat_map(|(other, owned)| {
                let shared = owned.fields.common(written);
                shared.iter().map(|path| (other.clone(), path.clone())).collect::<Vec<_>>()
            })
            .collect();
        let key = |of: &(Manager, Path)| (of.0.told(), of.1.clone());
        found.sort_by(|a, b| match key(a).cmp(&key(b)) {
            Ordering::Equal => a.0.cmp(&b.0),
            other => other,
        });
        found
    }

    /// Takes from all others what this manager has written, and from everybody what is gone.
    pub(super) fn give(&mut self, manager: &Manager, written: &Fields, removed: &Fields) {
        for (other, owned) in &mut self.0 {
            if other != manager {
                owned.fields.take(written);
                owned.fields.take(removed);
            }
        }
    }

    /// After a write that was no apply: what differs is its writer's.
    pub(super) fn update(
        &mut self,
        manager: Manager,
        old: &Value,
        new: &Value,
        shape: Shape<'_>,
        now: Timestamp,
    ) {
        let mut difference = difference(&bare(old), &bare(new), shape);
        difference.written.retain(|path| !is_servers(path));
        if difference.written.is_empty() && difference.removed.is_empty() {
            return;
        }
        self.give(&manager, &difference.written, &difference.removed);
        let mut fields = self.applied(&manager);
        fields.take(&difference.removed);
        fields.add(&difference.written);
        match fields.is_empty() {
            true => drop(self.0.remove(&manager)),
            false => drop(self.0.insert(manager, Owned { fields, since: json!(seconds(now)) })),
        }
    }
}

/// To whom a write gives what it changes.
pub(super) enum Ownership {
    /// To nobody: all that was owned is forgotten.
    Forgotten,
    /// To a writer that does not apply.
    Writer(Manager),
    /// As has been found out already.
    Settled(Owners),
}

impl Ownership {
    /// Of an update by this manager, or of a client that asks to forget who owned what.
    pub(super) fn of(manager: Manager, next: &Value) -> Self {
        let entries = next["metadata"].get("managedFields").and_then(Value::as_array);
        match entries.is_some_and(|entries| entries.is_empty() || *entries == [json!({})]) {
            true => Self::Forgotten,
            false => Self::Writer(manager),
        }
    }

    /// Who owns what after a write that made this of that.
    pub(super) fn after(self, old: &Value, new: &Value, shape: Shape<'_>, now: Timestamp) -> Owners {
        match self {
            Self::Forgotten => Owners::default(),
            Self::Settled(owners) => owners,
            Self::Writer(manager) => {
                let mut owners = Owners::of(old);
                owners.update(manager, old, new, shape, now);
                owners
            }
        }
    }
}

/// The server keeps whole seconds.
fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
