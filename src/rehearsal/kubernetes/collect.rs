//! What the cluster does by itself after a change: it gives definitions their conditions, ends namespaces and definitions
//! that are being deleted, and collects what has lost its owners.
//!
//! It must never delete an object one of whose owners may still be there.

use super::delete::{FOREGROUND, ORPHAN};
use super::{ApiServer, Key, deleting};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// The name under which the collector writes.
const COLLECTOR: &str = "kube-controller-manager";

fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"].as_array().map_or(&[], Vec::as_slice)
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(|f| f == finalizer))
}

impl ApiServer {
    /// Does what the cluster does by itself until there is nothing left to do. Every request that changes something ends
    /// with it; whoever changes objects past requests calls it.
    pub fn settle(&mut self) {
        while self.settled < self.version {
            self.settled = self.version;
            self.settle_definitions();
            self.end_namespaces();
            self.collect();
        }
    }

    /// As the namespace controller: empties namespaces that are being deleted, and ends those that are empty.
    fn end_namespaces(&mut self) {
        let ending = self.all("namespaces").filter(|(_, _, object)| deleting(object));
        let ending: Vec<String> = ending.map(|(_, name, _)| name.to_owned()).collect();
        for namespace in ending {
            let within = self.objects.keys().filter(|key| key.namespace == namespace);
            for key in within.cloned().collect::<Vec<_>>() {
                self.begin_deletion(&key);
            }
            if !self.objects.keys().any(|key| key.namespace == namespace) {
                self.erase(&Key::new("namespaces", "", &namespace));
            }
        }
    }

    /// As the garbage collector.
    fn collect(&mut self) {
        let owned: Vec<(Key, Arc<Value>)> = self
            .objects
            .iter()
            .filter(|(_, object)| !owners(object).is_empty())
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for (key, object) in &owned {
            self.collect_one(key, object);
        }
        let waiting: Vec<Key> = self
            .objects
            .iter()
            .filter(|(_, object)| deleting(object))
            .filter(|(_, object)| has_finalizer(object, FOREGROUND) || has_finalizer(object, ORPHAN))
            .map(|(key, _)| key.clone())
            .collect();
        for key in waiting {
            self.release(&key);
        }
    }

    /// An object whose owners are all gone goes too; one that keeps some forgets the others.
    fn collect_one(&mut self, key: &Key, object: &Value) {
        let (mut kept, mut gone, mut going) = (vec![], 0, 0);
        for owner in owners(object) {
            match self.owner(key, owner) {
                Owner::There => kept.push(owner.clone()),
                Owner::GoesLast => {
                    going += 1;
                    kept.push(owner.clone());
                }
                Owner::Gone => gone += 1,
            }
        }
        let stays = kept.len() > going;
        if !stays {
            self.begin_deletion(key);
        } else if gone > 0 {
            let patch = json!({"metadata": {"ownerReferences": kept}});
            self.merge(COLLECTOR, &key.resource, &key.namespace, &key.name, &patch);
        }
    }

    fn owner(&self, of: &Key, reference: &Value) -> Owner {
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        // Of a kind that is not served nobody can say that its object is gone.
        let Some(kind) = self.kinds.named(text("apiVersion"), text("kind")) else { return Owner::There };
        let namespace = if kind.namespaced { of.namespace.as_str() } else { "" };
        match self.objects.get(&Key::new(&kind.resource(), namespace, text("name"))) {
            Some(owner) if owner["metadata"]["uid"] == text("uid") => {
                match deleting(owner) && has_finalizer(owner, FOREGROUND) {
                    true => Owner::GoesLast,
                    false => Owner::There,
                }
            }
            _ => Owner::Gone,
        }
    }

    /// Lets an object go that waited for what it owns.
    fn release(&mut self, key: &Key) {
        let Some(object) = self.objects.get(key).cloned() else { return };
        let uid = &object["metadata"]["uid"];
        let is_owner = |reference: &Value| reference["uid"] == *uid;
        let dependents: BTreeSet<Key> = self
            .objects
            .iter()
            .filter(|(_, other)| owners(other).iter().any(is_owner))
            .map(|(key, _)| key.clone())
            .collect();
        let orphaned = has_finalizer(&object, ORPHAN);
        if orphaned {
            for dependent in &dependents {
                let Some(other) = self.objects.get(dependent) else { continue };
                let kept: Vec<&Value> = owners(other).iter().filter(|owner| !is_owner(owner)).collect();
                let patch = json!({"metadata": {"ownerReferences": if kept.is_empty() { Value::Null } else { json!(kept) }}});
                self.merge(COLLECTOR, &dependent.resource, &dependent.namespace, &dependent.name, &patch);
            }
        } else if dependents.iter().any(|dependent| self.blocks(dependent, uid)) {
            return;
        }
        let list = object["metadata"]["finalizers"].as_array().into_iter().flatten();
        let left: Vec<&Value> = list.filter(|f| *f != FOREGROUND && *f != ORPHAN).collect();
        let patch =
            json!({"metadata": {"finalizers": if left.is_empty() { Value::Null } else { json!(left) }}});
        self.merge(COLLECTOR, &key.resource, &key.namespace, &key.name, &patch);
    }

    fn blocks(&self, dependent: &Key, owner: &Value) -> bool {
        let of = |reference: &Value| reference["uid"] == *owner && reference["blockOwnerDeletion"] == true;
        self.objects.get(dependent).is_some_and(|object| owners(object).iter().any(of))
    }
}

/// What has become of an owner.
enum Owner {
    There,
    /// It waits for what it owns to go before it.
    GoesLast,
    Gone,
}
