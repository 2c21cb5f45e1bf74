//! Which kinds are served: those that are built in, and those that a stored CustomResourceDefinition defines.
//!
//! It must never serve a kind that nobody defined.

use super::{builtin, definitions};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

/// The resource that defines others.
pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// Reads an object as its built-in type and writes it again: what is then missing, the type does not have.
pub(super) type Reread = fn(&Value) -> Result<Value, serde_json::Error>;

/// A kind in one version of its group.
pub(super) struct Kind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) kind: String,
    pub(super) short: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) namespaced: bool,
    /// Whether `/status` is a place of its own.
    pub(super) status: bool,
    /// Whether `metadata.generation` counts the changes of what is wished.
    pub(super) generation: bool,
    /// Whether it is stored in this version.
    pub(super) storage: bool,
    /// How objects merge; of custom kinds also what they must be.
    pub(super) schema: Value,
    /// Only of kinds that are built in.
    pub(super) reread: Option<Reread>,
}

impl Kind {
    pub(super) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// As kubectl and the server's messages write it.
    pub(super) fn resource(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }

    pub(super) fn built_in(&self) -> bool {
        self.reread.is_some()
    }
}

static BUILT_IN: LazyLock<Arc<[Arc<Kind>]>> = LazyLock::new(|| builtin::kinds().map(Arc::new).collect());

/// All kinds of one server.
#[derive(Clone)]
pub(super) struct Kinds {
    built_in: Arc<[Arc<Kind>]>,
    /// By the name of the definition; the preferred version first.
    custom: BTreeMap<String, Vec<Arc<Kind>>>,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { built_in: BUILT_IN.clone(), custom: BTreeMap::new() }
    }
}

impl Kinds {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.built_in.iter().chain(self.custom.values().flatten())
    }

    pub(super) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.all().find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
    }

    /// By what an object says of itself.
    pub(super) fn named(&self, api_version: &str, kind: &str) -> Option<&Arc<Kind>> {
        self.all().find(|known| known.kind == kind && known.api_version() == api_version)
    }

    /// A resource in the version that it is stored in.
    pub(super) fn stored(&self, resource: &str) -> Option<&Arc<Kind>> {
        self.all().find(|kind| kind.storage && kind.resource() == resource)
    }

    /// Whether the group itself is built in: then the server answers for all that is not in it.
    pub(super) fn knows_group(&self, group: &str) -> bool {
        self.built_in.iter().any(|kind| kind.group == group)
    }

    /// Serves what this definition defines, in place of what it defined before.
    pub(super) fn define(&mut self, name: &str, definition: &Value) {
        self.custom.insert(name.to_owned(), definitions::kinds(definition).map(Arc::new).collect());
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.custom.remove(name);
    }
}
