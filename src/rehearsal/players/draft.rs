//! An object as a player wants it, and the one patch that leads there.

use super::{
    Change, Kind,
    objects::{has_finalizer, is_going, target, text, uid},
};
use serde_json::{Map, Value, json};

/// A copy of an object that a player writes on.
pub(super) struct Draft<'a> {
    kind: Kind,
    seen: &'a Value,
    wanted: Value,
}

impl<'a> Draft<'a> {
    pub(super) fn of(kind: Kind, seen: &'a Value) -> Self {
        Self { kind, seen, wanted: seen.clone() }
    }

    /// As it is wanted so far.
    pub(super) fn wanted(&self) -> &Value {
        &self.wanted
    }

    /// Writes a field; what is in its way and is no object makes room.
    pub(super) fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        let mut at = &mut self.wanted;
        for key in path {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            at = &mut at[*key];
        }
        *at = value.into();
    }

    /// Takes a field away.
    pub(super) fn unset(&mut self, path: &[&str]) {
        let Some((last, path)) = path.split_last() else { return };
        let parent = path.iter().try_fold(&mut self.wanted, |at, key| at.get_mut(*key));
        if let Some(parent) = parent.and_then(Value::as_object_mut) {
            parent.remove(*last);
        }
    }

    /// A list to write on.
    pub(super) fn list(&mut self, path: &[&str]) -> &mut Vec<Value> {
        let pointer: String = path.iter().map(|key| format!("/{key}")).collect();
        if !self.wanted.pointer(&pointer).is_some_and(Value::is_array) {
            self.set(path, json!([]));
        }
        let list = self.wanted.pointer_mut(&pointer).and_then(Value::as_array_mut);
        list.expect("it was there, or has just been set")
    }

    /// Adds a finalizer; false if it was there. None can be added to what is going.
    pub(super) fn hold(&mut self, finalizer: &str) -> bool {
        let missing = !has_finalizer(&self.wanted, finalizer) && !is_going(self.seen);
        if missing {
            self.list(&["metadata", "finalizers"]).push(finalizer.into());
        }
        missing
    }

    /// Takes a finalizer away.
    pub(super) fn let_go(&mut self, finalizer: &str) {
        if has_finalizer(&self.wanted, finalizer) {
            self.list(&["metadata", "finalizers"]).retain(|f| f != finalizer);
        }
    }

    /// Adds an owner, or brings its reference up to date.
    pub(super) fn own(&mut self, owner: Value) {
        let is_it = |other: &Value| text(other, "/uid") == text(&owner, "/uid");
        match self.list(&["metadata", "ownerReferences"]).iter_mut().find(|other| is_it(other)) {
            Some(known) => *known = owner,
            None => self.list(&["metadata", "ownerReferences"]).push(owner),
        }
    }

    /// Takes an owner away.
    pub(super) fn disown(&mut self, owner: &Value) {
        if !super::objects::list(&self.wanted, "/metadata/ownerReferences").is_empty() {
            self.list(&["metadata", "ownerReferences"]).retain(|other| text(other, "/uid") != uid(owner));
        }
    }

    /// The patch, if there is anything to change: of the object first, of its status at the next look.
    pub(super) fn end(self) -> Option<Change> {
        let mut patch = difference(self.seen, &self.wanted)?;
        let status = patch.as_object_mut().and_then(|fields| fields.remove("status"));
        let is_all = patch.as_object().is_some_and(Map::is_empty);
        let target = target(self.kind, self.seen);
        match status {
            Some(status) if is_all => {
                Some(Change::MergeStatus(target, self.versioned(json!({ "status": status }))))
            }
            _ => Some(Change::Merge(target, self.versioned(patch))),
        }
    }

    /// The patch of a kind whose status is no place of its own: both at once.
    pub(super) fn end_as_one(self) -> Option<Change> {
        let patch = difference(self.seen, &self.wanted)?;
        Some(Change::Merge(target(self.kind, self.seen), self.versioned(patch)))
    }

    fn versioned(&self, mut patch: Value) -> Value {
        let version = text(self.seen, "/metadata/resourceVersion");
        if !version.is_empty() {
            patch["metadata"]["resourceVersion"] = version.into();
        }
        patch
    }
}

/// The merge patch from one value to another; none if they are equal.
fn difference(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (from, to) else { return Some(to.clone()) };
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = new.iter().filter_map(|(key, value)| {
        let patch = match old.get(key) {
            Some(known) => difference(known, value)?,
            None => value.clone(),
        };
        Some((key.clone(), patch))
    });
    Some(Value::Object(gone.chain(changed).collect()))
}

/// A reference to an owner.
pub(super) fn reference(kind: Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(), "kind": kind.kind,
        "name": super::objects::name(owner), "uid": uid(owner),
    })
}

/// A reference to the owner that controls: deleting it deletes this.
pub(super) fn controller(kind: Kind, owner: &Value) -> Value {
    let mut reference = reference(kind, owner);
    reference["controller"] = true.into();
    reference["blockOwnerDeletion"] = true.into();
    reference
}
