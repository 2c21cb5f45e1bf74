//! What the world's own controllers need: to see all objects, and to change one as a controller does.
//!
//! These changes pass admission (nothing is validated or refused for its shape, nor defaulted but definitions), but versions, generations,
//! finalizers, ownership and events are as for everybody. A change of nothing is none, so that controllers can be asked
//! again and again until nothing changes.

use super::definitions;
use super::delete::Dependents;
use super::kinds::DEFINITIONS;
use super::ownership::{Owners, Ownership};
use super::patch::merge;
use super::target::{Target, show};
use super::{ApiServer, Key, deleting};
use serde_json::{Value, json};

impl ApiServer {
    /// Every stored object, with the kind and apiVersion under which it is served.
    pub fn objects(&self) -> impl Iterator<Item = Value> {
        self.objects.iter().map(|(key, object)| match self.kinds.stored(&key.resource) {
            Some(kind) => show(kind, object),
            None => (**object).clone(),
        })
    }

    /// The same as they are stored, each with its resource as kubectl writes it: nothing is copied.
    pub fn stored(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.objects.iter().map(|(key, object)| (key.resource.as_str(), &**object))
    }

    /// The resource, as kubectl writes it, of a kind that is served: `configmaps`, `clusters.cluster.x-k8s.io`.
    pub fn resource(&self, api_version: &str, kind: &str) -> Option<String> {
        self.kinds.named(api_version, kind).map(|kind| kind.resource())
    }

    /// Makes an object, unless it is there already or its namespace is not there or ending. Whether it was made.
    pub fn create_as(&mut self, manager: &str, object: &Value) -> bool {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let Some(kind) = self.kinds.named(text("apiVersion"), text("kind")) else { return false };
        let metadata = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        let (Some(name), namespace) = (metadata("name"), metadata("namespace")) else { return false };
        let target = Target { kind: kind.clone(), namespace, name: None, status: false };
        let key = target.key(&name);
        if self.objects.contains_key(&key) || self.open_namespace(&target, &name).is_err() {
            return false;
        }
        let mut owners = Owners::default();
        owners.update(target.updater(manager), &json!({}), object, target.kind.shape(), self.now);
        let mut object = object.clone();
        if key.resource == DEFINITIONS {
            definitions::complete(&mut object);
        }
        self.bear(&mut object["metadata"]);
        if target.kind.generation {
            object["metadata"]["generation"] = json!(1);
        }
        owners.write(&mut object);
        self.store(key, object);
        true
    }

    /// Merges a patch into an object, all but its status. Whether that changed anything; what is not there is not changed.
    pub fn merge(
        &mut self,
        manager: &str,
        resource: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> bool {
        self.merge_at(manager, &Key::new(resource, namespace, name), patch, false)
    }

    /// Merges a patch (`{"status": …}`) into the status of an object, and into nothing else.
    pub fn merge_status(
        &mut self,
        manager: &str,
        resource: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> bool {
        self.merge_at(manager, &Key::new(resource, namespace, name), patch, true)
    }

    fn merge_at(&mut self, manager: &str, key: &Key, patch: &Value, status: bool) -> bool {
        let Some(current) = self.objects.get(key).cloned() else { return false };
        let Some(kind) = self.kinds.stored(&key.resource).cloned() else { return false };
        let namespace = (!key.namespace.is_empty()).then(|| key.namespace.clone());
        let status = status && kind.status;
        let target = Target { kind, namespace, name: Some(key.name.clone()), status };
        let mut next = target.show(&current);
        merge(&mut next, patch);
        let writer = Ownership::Writer(target.updater(manager));
        let before = self.version;
        self.replace_unchecked(&target, &current, next, writer);
        self.version > before
    }

    /// Deletes an object as a controller does: what it owns follows. Whether it was there and not being deleted already.
    pub fn delete_as(&mut self, resource: &str, namespace: &str, name: &str) -> bool {
        let key = Key::new(resource, namespace, name);
        let fresh = self.objects.get(&key).is_some_and(|object| !deleting(object));
        if fresh {
            self.delete_or_mark(&key, Dependents::Follow);
        }
        fresh
    }
}
