//! Looking at objects: by LIST, because a GET that finds nothing gives no version to watch from and to create at.
//!
//! A look has three outcomes: present, absent, and an error, which is "unknown". Must never: say "absent" of anything
//! whose listing failed, was cut, or does not add up.

use super::{
    Denial, Kubernetes, Listing,
    discovery::{KindName, Served},
    failed::Failed,
    list,
    manifest::is_segment,
    object::Object,
    watch::PACE,
};
use crate::{
    clients::{Failure, Kind},
    domain::claim::ObjectName,
};
use anyhow::Result;
use futures::{StreamExt, stream};
use kube::{
    Resource as _,
    api::{DynamicObject, ListParams},
    core::Request as Requests,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What every look begins with.
pub(super) const KINDS: &str = "find out which kinds the API server has";
/// Requests side by side. More only queue up in the server.
pub(super) const IN_FLIGHT: usize = 16;

/// One listing of a kind: where and when it was made.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) served: Arc<Served>,
    pub(super) namespace: Option<String>,
    /// If it was of one object alone.
    pub(super) only: Option<String>,
    /// If it was of those with these labels alone.
    pub(super) labels: Option<String>,
    pub(super) when: When,
}

/// When a look was made.
#[derive(Debug)]
pub(super) enum When {
    /// At this version: a watch from here misses nothing.
    At(String),
    /// Only a listing tells it.
    Untold,
}

/// No object's: a store's first version is its own. An apply that expects it makes only what is not there.
const NEVER: &str = "1";

impl Look {
    pub(super) fn requests(&self) -> Requests {
        requests(&self.served, self.namespace.as_deref())
    }
    pub(super) fn selector(&self) -> Option<String> {
        self.only.as_ref().map(|name| format!("metadata.name={name}"))
    }
}

impl Served {
    pub(super) fn plural(&self) -> String {
        match self.resource.group.as_str() {
            "" => self.resource.plural.clone(),
            group => format!("{}.{group}", self.resource.plural),
        }
    }
}

/// What one look told of one object.
#[derive(Clone)]
pub struct Seen {
    name: ObjectName,
    object: Option<Object>,
    /// `None`: the server said that it serves no such kind.
    pub(super) look: Option<Arc<Look>>,
    pub(super) kubernetes: Kubernetes,
}

impl Seen {
    pub(super) fn new(
        name: ObjectName,
        object: Option<Object>,
        look: Option<Arc<Look>>,
        kubernetes: Kubernetes,
    ) -> Self {
        Self { name, object, look, kubernetes }
    }
    /// One of all that was looked at.
    pub(super) fn of(object: Object, look: Arc<Look>, kubernetes: Kubernetes) -> Self {
        Self::new(object.name().clone(), Some(object), Some(look), kubernetes)
    }
    /// What was looked for.
    pub fn name(&self) -> &ObjectName {
        &self.name
    }
    /// What was there; `None`: it is proven absent.
    pub fn object(&self) -> Option<&Object> {
        self.object.as_ref()
    }
    /// What a write must expect: the object's version, or, of an absent one, that of the listing if there was one.
    pub(super) fn version(&self) -> Option<&str> {
        let looked = self.look.as_ref().map(|look| match &look.when {
            When::At(version) => version,
            When::Untold => NEVER,
        });
        self.object.as_ref().map(Object::version).or(looked)
    }
    /// As an event told it since.
    pub(super) fn now(&mut self, object: Option<Object>) {
        self.object = object;
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Seen");
        shown.field("name", &self.name).field("object", &self.object).finish_non_exhaustive()
    }
}

/// What one listing answers: a kind in a namespace, or in none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    kind: KindName,
    namespace: Option<String>,
}

impl Scope {
    fn of(name: &ObjectName) -> Self {
        Self { kind: (name.api_version.clone(), name.kind.clone()), namespace: name.namespace.clone() }
    }
    fn described(&self, names: &BTreeSet<&str>) -> String {
        let kind = self.kind.1.to_lowercase();
        let within = self.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}/"));
        match names.first() {
            Some(name) if names.len() == 1 => format!("read {kind} {within}{name}"),
            _ => format!("list {kind} {within}*"),
        }
    }
}

type Found = Option<(Arc<Look>, BTreeMap<String, Object>)>;

impl Kubernetes {
    /// Looks at one object.
    pub async fn observe(&self, name: &ObjectName) -> Result<Seen> {
        let seen = self.observe_all(std::slice::from_ref(name)).await?;
        Ok(seen.into_iter().next().expect("one look for each name"))
    }

    /// Looks at all of these, by one listing for each kind and namespace, and tells them in the same order. What failed
    /// is all told; then nothing is known of any.
    pub async fn observe_all(&self, names: &[ObjectName]) -> Result<Vec<Seen>> {
        self.look_at(names).await.map_err(|failed| self.unread(failed))
    }

    pub(super) async fn look_at(&self, names: &[ObjectName]) -> Result<Vec<Seen>, Vec<Failed>> {
        let mut scopes: BTreeMap<Scope, BTreeSet<&str>> = BTreeMap::new();
        let mut failed = Vec::new();
        for name in names {
            match name_is_sound(name) {
                Ok(()) => drop(scopes.entry(Scope::of(name)).or_default().insert(&name.name)),
                Err(one) => failed.push(one),
            }
        }
        let kinds = scopes.keys().map(|scope| scope.kind.clone()).collect();
        let served = match self.served(&kinds).await {
            Ok(served) => served,
            Err(denial) => {
                failed.push(Failed::new(KINDS, denial));
                return Err(failed);
            }
        };
        let looks = scopes.into_iter().map(|(scope, names)| {
            let served = served.get(&scope.kind).cloned().flatten();
            async move { (scope.clone(), self.list_scope(&scope, &names, served).await) }
        });
        // Collected first: a closure that borrows would have to hold for every lifetime.
        let looks: Vec<_> = looks.collect();
        let mut found: BTreeMap<Scope, Found> = BTreeMap::new();
        let mut looks = stream::iter(looks).buffer_unordered(IN_FLIGHT);
        while let Some((scope, look)) = looks.next().await {
            match look {
                Ok(look) => drop(found.insert(scope, look)),
                Err(one) => failed.push(one),
            }
        }
        if !failed.is_empty() {
            failed.sort_by(|a, b| a.doing.cmp(&b.doing));
            return Err(failed);
        }
        Ok(names.iter().map(|name| self.seen(name, found.get(&Scope::of(name)))).collect())
    }

    fn seen(&self, name: &ObjectName, found: Option<&Found>) -> Seen {
        let found = found.expect("every scope was listed, or has failed").as_ref();
        let object = found.and_then(|(_, objects)| objects.get(&name.name)).cloned();
        let look = found.map(|(look, _)| look.clone());
        Seen::new(name.clone(), object, look, self.clone())
    }

    /// `None`: such a kind is not served.
    async fn list_scope(
        &self,
        scope: &Scope,
        names: &BTreeSet<&str>,
        served: Option<Arc<Served>>,
    ) -> Result<Found, Failed> {
        let Some(served) = served else { return Ok(None) };
        let doing = || scope.described(names);
        namespace_fits(&served, scope.namespace.as_deref(), doing)?;
        let alone = names.len() == 1 && !served.young;
        let only = names.first().filter(|_| alone).map(|name| (*name).to_owned());
        let namespace = scope.namespace.clone();
        let mut look = Look { served, namespace, only, labels: None, when: When::Untold };
        let params = ListParams { field_selector: look.selector(), ..ListParams::default() };
        let listed = list::<Value>(&self.client, &look.requests(), &params, self.limit).await;
        let listing = match listed {
            Ok(listing) => listing,
            // Not found may be the path: a kind that was served when discovery was asked.
            Err(denial) if denial.failure.kind == Kind::Invalid => {
                return match self.served_afresh(&scope.kind).await {
                    Ok(None) => Ok(None),
                    // Whoever answers for its objects learns of a new kind last.
                    Ok(Some(_)) if denial.is_not_found() => {
                        let soon = Kind::Unavailable { wait: Some(PACE) };
                        Err(Failed::new(doing(), Failure { kind: soon, ..denial.failure }))
                    }
                    Ok(Some(_)) => Err(Failed::new(doing(), denial)),
                    Err(unknown) => Err(Failed::new(doing(), unknown)),
                };
            }
            Err(denial) => return Err(Failed::new(doing(), denial)),
        };
        let Listing { items, version } = listing;
        let objects = wanted(scope, names, items).map_err(|denial| Failed::new(doing(), denial))?;
        look.when = When::At(version);
        Ok(Some((Arc::new(look), objects)))
    }
}

pub(super) fn name_is_sound(name: &ObjectName) -> Result<(), Failed> {
    if [Some(&name.name), name.namespace.as_ref()].into_iter().flatten().all(|text| is_segment(text)) {
        return Ok(());
    }
    let (detail, hint) = ("nothing can be called so", "correct its name and its namespace");
    Err(Failed::ours(format!("read {name}"), Kind::Invalid, detail, hint))
}

pub(super) fn namespace_fits(
    served: &Served,
    namespace: Option<&str>,
    doing: impl Fn() -> String,
) -> Result<(), Failed> {
    let (has, hint) = match (served.namespaced, namespace) {
        (true, None) => ("its kind needs a namespace", "name one"),
        (false, Some(_)) => ("its kind has no namespaces", "name none"),
        (true, Some(_)) | (false, None) => return Ok(()),
    };
    Err(Failed::ours(doing(), Kind::Invalid, has, hint))
}

pub(super) fn requests(served: &Served, namespace: Option<&str>) -> Requests {
    Requests::new(DynamicObject::url_path(&served.resource, namespace))
}

/// Those of a listing that were looked for.
fn wanted(
    scope: &Scope,
    names: &BTreeSet<&str>,
    items: Vec<Value>,
) -> Result<BTreeMap<String, Object>, Denial> {
    let mut objects = BTreeMap::new();
    for item in items {
        if !item["metadata"]["name"].as_str().is_some_and(|name| names.contains(name)) {
            continue;
        }
        let object = Object::parse(&scope.kind.0, &scope.kind.1, item)?;
        if object.name().namespace != scope.namespace {
            return Err(Denial::garbled("the listing holds objects of another namespace"));
        }
        if let Some(twice) = objects.insert(object.name().name.clone(), object) {
            return Err(Denial::garbled(format!("the listing holds {} twice", twice.name())));
        }
    }
    Ok(objects)
}
