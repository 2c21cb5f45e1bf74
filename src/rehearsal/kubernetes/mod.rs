//! A small API server: exact in what a client's correctness hangs on. Versions, preconditions, finalizers, ownership,
//! consistent pages, watches, and metav1.Status for everything that is refused.
//!
//! In reading order: `kinds` are served (`builtin` or by `definitions`) and told by `discovery`; `accounts` says who
//! asks and what they may, a path names a `target`, `requests` says what is asked, `list`, `write`, `patch`, `apply` and
//! `delete` do it, `admit` says what an object must be (`schema`, `rules`, `validate`, `workloads`, `builtin_defaults`,
//! `quantity`), `webhooks` are asked too, `ownership` who owns which of its `fields` (`merge`, `shape`), `logs` what
//! containers said, `watch` tells what has happened, `refusal` how the server says no, `select` are the selectors.
//! What the cluster does by itself is in `collect`; what other controllers do, in `controllers`.
//!
//! Here is its state: one map of objects, one version for all of them, and the last events.
//! It must never be kinder than the real server: an object that this takes, that takes.

mod accounts;
mod admit;
mod apply;
mod builtin;
mod builtin_defaults;
mod builtin_shapes;
mod collect;
mod controllers;
mod definitions;
mod delete;
mod discovery;
mod fields;
mod history;
mod kinds;
mod list;
mod logs;
mod merge;
mod options;
mod ownership;
mod patch;
mod quantity;
mod refusal;
mod requests;
mod rules;
mod schema;
mod select;
mod shape;
mod target;
mod validate;
mod watch;
mod webhooks;
mod workloads;
mod write;

pub use watch::{Told, Watch};
pub use webhooks::{Denied, Webhook};

use super::BEGINNING;
use history::History;
use jiff::Timestamp;
use kinds::{DEFINITIONS, Kinds};
use list::Page;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Where an object is kept: resource as kubectl writes it (`configmaps`, `clusters.cluster.x-k8s.io`), namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    resource: String,
    namespace: String,
    name: String,
}

impl Key {
    fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// The server. A new one has the namespace `default` and the built-in kinds, and lets everybody do everything.
#[derive(Clone)]
pub struct ApiServer {
    pub(super) now: Timestamp,
    objects: BTreeMap<Key, Arc<Value>>,
    kinds: Kinds,
    /// The version of the last change, whatever it changed.
    version: u64,
    /// And of the last one to any object of a resource.
    changed: BTreeMap<String, u64>,
    history: History,
    /// The version up to which everything the cluster does by itself has been done.
    settled: u64,
    /// What is left of the lists that were cut into pages, by the number of their continue token.
    pages: BTreeMap<u64, Page>,
    issued_pages: u64,
    /// User by token; while there are none, nobody needs one.
    users: BTreeMap<String, String>,
    denials: Vec<(String, String)>,
    /// Resources, and the role without which they are denied.
    bound: Vec<(String, String)>,
    /// By the resource that they are asked about.
    webhooks: Vec<(String, Webhook)>,
}

impl Default for ApiServer {
    fn default() -> Self {
        let mut server = Self {
            now: BEGINNING,
            objects: BTreeMap::new(),
            kinds: Kinds::default(),
            version: 0,
            changed: BTreeMap::new(),
            history: History::default(),
            settled: 0,
            pages: BTreeMap::new(),
            issued_pages: 0,
            users: BTreeMap::new(),
            denials: vec![],
            bound: vec![],
            webhooks: vec![],
        };
        server.add_namespace("default");
        server
    }
}

impl ApiServer {
    /// Makes a namespace.
    pub fn add_namespace(&mut self, name: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        });
        self.put("namespaces", "", name, object);
    }

    /// Serves a kind without saying what its objects must be: stores a definition that takes everything, with `/status`.
    /// `resource` is written as kubectl does: `clusters.cluster.x-k8s.io`.
    pub fn add_kind(&mut self, resource: &str, version: &str, kind: &str, namespaced: bool) {
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        let scope = if namespaced { "Namespaced" } else { "Cluster" };
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let mut object = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {
                "group": group, "scope": scope, "names": {"plural": plural, "kind": kind},
                "versions": [{
                    "name": version, "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }],
            },
        });
        definitions::complete(&mut object);
        self.put(DEFINITIONS, "", resource, object);
        self.settle();
    }

    /// Puts an object there as it is, past all rules, but with what every object has: name, uid, version, time.
    pub fn put(&mut self, resource: &str, namespace: &str, name: &str, mut object: Value) {
        let key = Key::new(resource, namespace, name);
        let born = self.objects.get(&key).map(|o| o["metadata"].clone());
        if !object.is_object() {
            object = json!({});
        }
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(name);
        if !namespace.is_empty() {
            metadata["namespace"] = json!(namespace);
        }
        match born {
            Some(born) => {
                metadata["uid"] = born["uid"].clone();
                metadata["creationTimestamp"] = born["creationTimestamp"].clone();
            }
            None => self.bear(metadata),
        }
        self.store(key, object);
    }

    /// An object as it is stored. `resource` is written as kubectl does: `configmaps`, `clusters.cluster.x-k8s.io`.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&Key::new(resource, namespace, name)).map(|object| &**object)
    }

    /// All objects of a resource with their namespaces and names.
    pub fn all<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
        let first = Key::new(resource, "", "");
        self.objects
            .range(first..)
            .take_while(move |(key, _)| key.resource == resource)
            .map(|(key, object)| (key.namespace.as_str(), key.name.as_str(), &**object))
    }

    /// Takes an object away as if it had never had finalizers. Whether it was there.
    pub fn remove(&mut self, resource: &str, namespace: &str, name: &str) -> bool {
        self.erase(&Key::new(resource, namespace, name)).is_some()
    }

    /// Takes away all that another server has not, as if it had never been there: what was in a cluster that is no more.
    pub(super) fn lose_all_but(&mut self, born: &Self) {
        let lost: Vec<Key> =
            self.objects.keys().filter(|key| !born.objects.contains_key(key)).cloned().collect();
        for key in lost {
            self.erase(&key);
        }
        for (key, object) in &born.objects {
            if self.objects.get(key) != Some(object) {
                self.store(key.clone(), (**object).clone());
            }
        }
        self.settle();
    }

    /// Forgets all events and all begun lists, as compaction does after five minutes: continue tokens and the versions
    /// that watches could begin at have expired.
    pub fn compact(&mut self) {
        self.history.forget(self.version);
        self.pages.values_mut().for_each(Page::expire);
    }

    /// Lets time come to this.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        self.settle();
        // A watch may have come to its end.
        self.history.ring();
    }

    fn store(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if key.resource == DEFINITIONS {
            self.kinds.define(&key.name, &object);
        }
        let object = Arc::new(object);
        let before = self.objects.insert(key.clone(), object.clone());
        self.has_changed(&key.resource);
        self.history.add(self.version, key, before, Some(object.clone()));
        object
    }

    fn erase(&mut self, key: &Key) -> Option<Arc<Value>> {
        let gone = self.objects.remove(key)?;
        self.version += 1;
        self.has_changed(&key.resource);
        if key.resource == DEFINITIONS {
            self.kinds.forget(&key.name);
        }
        self.history.add(self.version, key.clone(), Some(gone.clone()), None);
        Some(gone)
    }

    fn has_changed(&mut self, resource: &str) {
        match self.changed.get_mut(resource) {
            Some(version) => *version = self.version,
            None => drop(self.changed.insert(resource.to_owned(), self.version)),
        }
    }

    /// The version of the last change to any object of these resources, or to what is served.
    pub(super) fn last_change<'a>(&self, resources: impl IntoIterator<Item = &'a String>) -> u64 {
        let of = |resource: &str| self.changed.get(resource).copied().unwrap_or(0);
        resources.into_iter().map(|resource| of(resource)).fold(of(DEFINITIONS), u64::max)
    }

    /// What an object gets once, when it comes to be.
    fn bear(&self, metadata: &mut Value) {
        // The version that it will get is its own for ever.
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.version + 1));
        metadata["creationTimestamp"] = json!(self.now);
    }
}

fn deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// Whether something must be done before this object can go.
fn held(key: &Key, object: &Value) -> bool {
    let some = |list: &Value| list.as_array().is_some_and(|l| !l.is_empty());
    some(&object["metadata"]["finalizers"])
        || (key.resource == "namespaces" && some(&object["spec"]["finalizers"]))
}

fn version_of(object: &Value) -> Option<&str> {
    object["metadata"]["resourceVersion"].as_str().filter(|v| !v.is_empty())
}
