//! A small API server: generic over resources, exact in what a client's correctness hangs on:
//! versions, preconditions, finalizers, consistent pages, and metav1.Status for everything that is refused.
//!
//! `target` is what a path names, `requests` what the server does on one, `refusal` how it says no, `select` are the selectors,
//! `validate` is what objects must be.
//! Here is its state: one map of objects and one version for all of them.
//! It must never be kinder than the real server: an object that this takes, that takes.

mod refusal;
mod requests;
mod select;
mod target;
mod validate;

use super::BEGINNING;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

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

/// The server. A new one has the namespace `default` and lets everybody do everything.
#[derive(Clone)]
pub struct ApiServer {
    pub(super) now: Timestamp,
    objects: BTreeMap<Key, Value>,
    /// The version of the last change, whatever it changed.
    version: u64,
    /// What is left of the lists that were cut into pages, by the number of their continue token.
    pages: BTreeMap<u64, Page>,
    issued_pages: u64,
    /// User by token; while there are none, nobody needs one.
    users: BTreeMap<String, String>,
    denials: Vec<(String, String)>,
}

#[derive(Clone)]
struct Page {
    version: u64,
    rest: Vec<Value>,
    /// Without selectors the server tells how many remain.
    counted: bool,
}

impl Default for ApiServer {
    fn default() -> Self {
        let mut server = Self {
            now: BEGINNING,
            objects: BTreeMap::new(),
            version: 0,
            pages: BTreeMap::new(),
            issued_pages: 0,
            users: BTreeMap::new(),
            denials: vec![],
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
        self.objects.get(&Key::new(resource, namespace, name))
    }

    /// All objects of a resource with their namespaces and names.
    pub fn all<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
        let of = move |(key, _): &(&Key, &Value)| key.resource == resource;
        self.objects
            .iter()
            .filter(of)
            .map(|(key, object)| (key.namespace.as_str(), key.name.as_str(), object))
    }

    /// Takes an object away as if it had never had finalizers. Whether it was there.
    pub fn remove(&mut self, resource: &str, namespace: &str, name: &str) -> bool {
        self.erase(&Key::new(resource, namespace, name)).is_some()
    }

    /// Lets this bearer token in as this user; from now on requests without a known token get 401.
    pub fn add_user(&mut self, token: &str, user: &str) {
        self.users.insert(token.to_owned(), user.to_owned());
    }

    /// Denies a verb (`get`, `list`, `create`, …) on a resource (`configmaps`, …) to everybody; `*` is any.
    pub fn deny(&mut self, verb: &str, resource: &str) {
        self.denials.push((verb.to_owned(), resource.to_owned()));
    }

    /// Takes back all denials.
    pub fn allow(&mut self) {
        self.denials.clear();
    }

    /// Lets all continue tokens given so far expire, as compaction does after five minutes.
    pub fn expire_pages(&mut self) {
        self.pages.clear();
    }

    /// What the namespace controller does: empties namespaces that are being deleted, and ends those that are empty.
    pub(super) fn settle(&mut self) {
        let ending: Vec<String> = self
            .all("namespaces")
            .filter(|(_, _, object)| deleting(object))
            .map(|(_, name, _)| name.to_owned())
            .collect();
        for namespace in ending {
            let within = self.objects.keys().filter(|key| key.namespace == namespace);
            for key in within.cloned().collect::<Vec<_>>() {
                self.delete_or_mark(&key);
            }
            if !self.objects.keys().any(|key| key.namespace == namespace) {
                self.erase(&Key::new("namespaces", "", &namespace));
            }
        }
    }

    /// Deletes an object, or marks it as being deleted while something holds it. It says what is left of it.
    fn delete_or_mark(&mut self, key: &Key) -> Option<Value> {
        let mut object = self.objects.get(key)?.clone();
        if !held(key, &object) {
            self.erase(key);
            return None;
        }
        if !deleting(&object) {
            object["metadata"]["deletionTimestamp"] = json!(self.now);
            if key.resource == "namespaces" {
                object["status"]["phase"] = json!("Terminating");
            } else {
                object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            }
            object = self.store(key.clone(), object);
        }
        Some(object)
    }

    fn store(&mut self, key: Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(key, object.clone());
        object
    }

    fn erase(&mut self, key: &Key) -> Option<Value> {
        let gone = self.objects.remove(key)?;
        self.version += 1;
        Some(gone)
    }

    /// What an object gets once, when it comes to be.
    fn bear(&self, metadata: &mut Value) {
        // The version that it will get is its own for ever.
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.version + 1));
        metadata["creationTimestamp"] = json!(self.now);
    }
}

fn deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

/// Whether something must be done before this object can go.
fn held(key: &Key, object: &Value) -> bool {
    let some = |list: &Value| list.as_array().is_some_and(|l| !l.is_empty());
    some(&object["metadata"]["finalizers"])
        || (key.resource == "namespaces" && some(&object["spec"]["finalizers"]))
}
