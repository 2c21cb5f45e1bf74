//! What a player sees: all objects of the kinds that it watches, by kind, namespace and name, and the fields of one.
//!
//! A field that is absent and one of another type read the same: players meet objects as users write them.

use super::{Record, Target};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// A kind of object, in the version that players speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    /// Without the group.
    pub version: &'static str,
    /// As in `kind:`.
    pub kind: &'static str,
    /// As in paths.
    pub plural: &'static str,
}

impl Kind {
    /// As kubectl writes it: `clusters.cluster.x-k8s.io`.
    pub fn resource(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// As in `apiVersion:`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// Kinds that more than one player knows.
pub(super) const CLUSTER: Kind =
    Kind { group: "cluster.x-k8s.io", version: "v1beta2", kind: "Cluster", plural: "clusters" };
pub(super) const MACHINE: Kind =
    Kind { group: "cluster.x-k8s.io", version: "v1beta2", kind: "Machine", plural: "machines" };
pub(super) const SECRET: Kind = Kind { group: "", version: "v1", kind: "Secret", plural: "secrets" };
pub(super) const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";

type Names<'a> = BTreeMap<(&'a str, &'a str), &'a Value>;

/// A view over objects, and over the DNS records that there are.
#[derive(Debug, Default)]
pub struct Objects<'a> {
    kinds: BTreeMap<(&'a str, &'a str), Names<'a>>,
    records: &'a [Record],
}

impl<'a> Objects<'a> {
    /// Over these objects; what lacks an `apiVersion`, a `kind` or a name is none.
    pub fn new(objects: impl IntoIterator<Item = &'a Value>, records: &'a [Record]) -> Self {
        let mut kinds: BTreeMap<_, Names<'a>> = BTreeMap::new();
        for object in objects {
            let (kind, name) = (text(object, "/kind"), name(object));
            if !kind.is_empty() && !name.is_empty() {
                kinds.entry((group(object), kind)).or_default().insert((namespace(object), name), object);
            }
        }
        Self { kinds, records }
    }

    /// All of a kind, by namespace and name.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &'a Value> {
        self.kinds.get(&(kind.group, kind.kind)).into_iter().flat_map(|names| names.values().copied())
    }

    /// One of them.
    pub(super) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&'a Value> {
        self.kinds.get(&(kind.group, kind.kind))?.get(&(namespace, name)).copied()
    }

    /// All of a kind in a namespace that carry this cluster's label.
    pub(super) fn of_cluster(&self, kind: Kind, cluster: &'a Value) -> impl Iterator<Item = &'a Value> {
        self.all(kind).filter(move |object| {
            namespace(object) == namespace(cluster) && label(object, CLUSTER_NAME) == name(cluster)
        })
    }

    /// The object of this kind that owns this one.
    pub(super) fn owner(&self, object: &Value, kind: Kind) -> Option<&'a Value> {
        let owner = owner_of_kind(object, kind)?;
        self.get(kind, namespace(object), text(owner, "/name"))
    }

    /// The DNS records that there are.
    pub(super) fn records(&self) -> &'a [Record] {
        self.records
    }
}

/// The text at a pointer, or none: the empty one.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

pub(super) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer)?.as_i64()
}

pub(super) fn yes(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer) == Some(&Value::Bool(true))
}

pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

pub(super) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub(super) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub(super) fn group(object: &Value) -> &str {
    text(object, "/apiVersion").split_once('/').map_or("", |(group, _)| group)
}

pub(super) fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"]["labels"][key].as_str().unwrap_or("")
}

pub(super) fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"]["annotations"][key].as_str().unwrap_or("")
}

/// Whether its deletion has begun.
pub(super) fn is_going(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

pub(super) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    list(object, "/metadata/finalizers").iter().any(|f| f == finalizer)
}

/// Its owner reference of this kind, whatever the version.
pub(super) fn owner_of_kind(object: &Value, kind: Kind) -> Option<&Value> {
    list(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| text(owner, "/kind") == kind.kind && group(owner) == kind.group)
}

/// Whether Cluster API's user wants hands off this object or its whole cluster.
pub(super) fn is_paused(cluster: &Value, object: &Value) -> bool {
    let annotated =
        object.pointer("/metadata/annotations").and_then(|all| all.get("cluster.x-k8s.io/paused"));
    yes(cluster, "/spec/paused") || annotated.is_some()
}

pub(super) fn target(kind: Kind, object: &Value) -> Target {
    Target { kind, namespace: namespace(object).to_owned(), name: name(object).to_owned() }
}
