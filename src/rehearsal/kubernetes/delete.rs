//! Deletion: of one or of many, with preconditions, and with a say in what becomes of what the object owns.
//!
//! It must never take away what something still holds.

use super::super::Request;
use super::kinds::DEFINITIONS;
use super::refusal::{self, Refusal};
use super::requests::{Answer, success};
use super::select::Selector;
use super::target::Target;
use super::{ApiServer, Key, deleting, held, version_of};
use serde_json::{Value, json};

/// Holds an object until what it owns is gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// Holds an object until what it owns has been told that it is gone.
pub(super) const ORPHAN: &str = "orphan";

/// What becomes of what an object owns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dependents {
    /// As the object's own finalizers say, else they follow.
    Unsaid,
    Follow,
    GoFirst,
    Stay,
}

impl Dependents {
    fn of(request: &Request) -> Result<Self, Refusal> {
        let of_query = request.query.get("propagationPolicy").map(String::as_str);
        Ok(match of_query.or_else(|| request.body["propagationPolicy"].as_str()) {
            None | Some("") => Self::Unsaid,
            Some("Background") => Self::Follow,
            Some("Foreground") => Self::GoFirst,
            Some("Orphan") => Self::Stay,
            Some(other) => {
                let message = format!(
                    "Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
                );
                let reason = "FieldValueNotSupported";
                return Err(refusal::options("DeleteOptions", "propagationPolicy", reason, &message));
            }
        })
    }

    fn finalizer(self) -> Option<&'static str> {
        match self {
            Self::Unsaid | Self::Follow => None,
            Self::GoFirst => Some(FOREGROUND),
            Self::Stay => Some(ORPHAN),
        }
    }
}

impl ApiServer {
    pub(super) fn delete(&mut self, target: &Target, name: &str, request: &Request) -> Answer {
        let key = target.key(name);
        let dependents = Dependents::of(request)?;
        let Some(object) = self.objects.get(&key) else {
            return Err(refusal::not_found(target, name));
        };
        let uid = object["metadata"]["uid"].clone();
        let version = version_of(object).unwrap_or_default();
        let wanted = |field: &str| request.body["preconditions"][field].as_str();
        if let Some(wanted) = wanted("uid").filter(|wanted| uid != **wanted) {
            let uid = uid.as_str().unwrap_or_default();
            let why = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            );
            return Err(refusal::precondition(target, name, &why));
        }
        if let Some(wanted) = wanted("resourceVersion").filter(|wanted| *wanted != version) {
            let why = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
            );
            return Err(refusal::precondition(target, name, &why));
        }
        Ok((
            200,
            match self.delete_or_mark(&key, dependents) {
                Some(left) => target.show(&left),
                None => success(target, name, &uid),
            },
        ))
    }

    /// It answers with what was there.
    pub(super) fn delete_many(&mut self, target: &Target, request: &Request) -> Answer {
        let dependents = Dependents::of(request)?;
        let selector = Selector::of(&target.kind, &request.query)?;
        let all = self.list(target, request)?;
        let names = |object: &Value| object["metadata"]["name"].as_str().map(|name| target.key(name));
        let keys: Vec<Key> = self.within(target, &selector).filter_map(names).collect();
        for key in keys {
            self.delete_or_mark(&key, dependents);
        }
        Ok(all)
    }

    /// Deletes an object, or marks it as being deleted while something holds it. It says what is left of it.
    pub(super) fn delete_or_mark(&mut self, key: &Key, dependents: Dependents) -> Option<Value> {
        let before = self.objects.get(key)?.clone();
        let mut object = (*before).clone();
        if dependents != Dependents::Unsaid {
            let list = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
            let mut list: Vec<Value> = list.into_iter().filter(|f| f != FOREGROUND && f != ORPHAN).collect();
            list.extend(dependents.finalizer().map(|finalizer| json!(finalizer)));
            match (list.is_empty(), object["metadata"].as_object_mut()) {
                (true, Some(metadata)) => drop(metadata.remove("finalizers")),
                _ => object["metadata"]["finalizers"] = json!(list),
            }
        }
        if !held(key, &object) {
            self.erase(key);
            return None;
        }
        if !deleting(&object) {
            object["metadata"]["deletionTimestamp"] = json!(self.now);
            match (key.resource.as_str(), object["metadata"]["generation"].as_u64()) {
                ("namespaces", _) => object["status"]["phase"] = json!("Terminating"),
                (DEFINITIONS, _) => {}
                (_, generation) => {
                    object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
                    // To be deleted is a new wish.
                    if let Some(generation) = generation {
                        object["metadata"]["generation"] = json!(generation + 1);
                    }
                }
            }
        }
        if object != *before {
            object = (*self.store(key.clone(), object)).clone();
        }
        Some(object)
    }

    /// Deletes an object that is not being deleted yet. Whether it was not.
    pub(super) fn begin_deletion(&mut self, key: &Key) -> bool {
        let fresh = self.objects.get(key).is_some_and(|object| !deleting(object) || !held(key, object));
        if fresh {
            self.delete_or_mark(key, Dependents::Unsaid);
        }
        fresh
    }
}
