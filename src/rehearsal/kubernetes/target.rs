//! What the path of a request names: a resource that is served, where it is, and perhaps which one.
//!
//! It must never look at an object to tell.

use super::Key;
use super::kinds::{Kind, Kinds};
use super::refusal::{self, Refusal};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a path names.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) kind: Arc<Kind>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    /// Whether it is the object's `/status`.
    pub(super) status: bool,
}

impl Target {
    pub(super) fn of(path: &[String], kinds: &Kinds) -> Result<Self, Refusal> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (group, version, rest) = match path.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(refusal::no_page()),
        };
        // For a group that nobody has defined no handler is there; a handler says no in its own words.
        let unknown = || if kinds.knows_group(group) { refusal::no_such_path() } else { refusal::no_page() };
        let (namespace, resource, name, below) = match rest {
            ["namespaces", name, "status"] => (None, "namespaces", Some(*name), Some("status")),
            ["namespaces", namespace, resource] => (Some(*namespace), *resource, None, None),
            ["namespaces", namespace, resource, name] => (Some(*namespace), *resource, Some(*name), None),
            ["namespaces", namespace, resource, name, below] => {
                (Some(*namespace), *resource, Some(*name), Some(*below))
            }
            [resource] => (None, *resource, None, None),
            [resource, name] => (None, *resource, Some(*name), None),
            [resource, name, below] => (None, *resource, Some(*name), Some(*below)),
            _ => return Err(unknown()),
        };
        let kind = kinds.find(group, version, resource).ok_or_else(unknown)?;
        let misplaced = match kind.namespaced {
            true => namespace.is_none() && name.is_some(),
            false => namespace.is_some(),
        };
        if misplaced {
            return Err(refusal::no_such_path());
        }
        let target = Self {
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            status: below == Some("status"),
        };
        match below {
            None => Ok(target),
            Some("status") if kind.status => Ok(target),
            // The server of custom kinds looks for the object first.
            Some(_) if !kind.built_in() => Err(refusal::not_found(&target, name.unwrap_or_default())),
            Some(_) => Err(refusal::no_such_path()),
        }
    }

    /// As kubectl and the server's messages write it.
    pub(super) fn qualified(&self) -> String {
        self.kind.resource()
    }

    pub(super) fn key(&self, name: &str) -> Key {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        Key::new(&self.qualified(), namespace, name)
    }

    /// An object as this version of the API shows it.
    pub(super) fn show(&self, object: &Value) -> Value {
        show(&self.kind, object)
    }
}

/// An object as this version of its kind shows it.
pub(super) fn show(kind: &Kind, object: &Value) -> Value {
    let mut shown = object.clone();
    shown["apiVersion"] = json!(kind.api_version());
    shown["kind"] = json!(kind.kind);
    shown
}
