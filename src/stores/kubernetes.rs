//! Documents as objects of a Kubernetes namespace that is berth's: ConfigMaps, and Secrets for what is sensitive. For
//! teams without Vault.
//!
//! The version is the `resourceVersion`. An update that changes nothing would keep it, so every write carries a nonce.
//! Must never: touch an object that does not bear this document's labels; put a secret into a ConfigMap or an error;
//! say "absent" for any 404 but the API server's own about this very object.

use super::nonce;
use crate::{
    clients::{
        Failure, Kind,
        kubernetes::{Denial, list, request},
    },
    documents::{Document, Entry, Key, NotWritten, Read, Sensitivity, Store, Version},
    domain::names::EnvironmentName,
    errors::{Exit, UserError},
};
use anyhow::Result;
use async_trait::async_trait;
use hyper::http::Request;
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Namespace, Secret},
};
use kube::{
    Client, Resource as _,
    api::{DeleteParams, DynamicObject, GetParams, ListParams, PostParams, Preconditions},
    core::{ApiResource, Request as Requests, request::Error as NotBuilt, response::reason},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const DOCUMENT: &str = "berth.dev/document";
const ENVIRONMENT: &str = "berth.dev/environment";
const NONCE: &str = "berth.dev/nonce";
/// The key of an object's data that the document lies under.
const DATA: &str = "document";
/// What a write that creates must expect; no server's version looks like it.
const ABSENT: &str = "absent";

/// A namespace of documents.
#[derive(Clone)]
pub struct KubernetesStore {
    client: Client,
    namespace: String,
    limit: Duration,
}

/// The object that a document lies in.
struct Object {
    sensitivity: Sensitivity,
    resource: ApiResource,
    requests: Requests,
    name: String,
    labels: BTreeMap<String, String>,
    /// For people.
    place: String,
}

impl KubernetesStore {
    /// In this namespace, which must exist. No request takes longer than `limit`.
    pub fn new(client: Client, namespace: String, limit: Duration) -> Self {
        Self { client, namespace, limit }
    }

    fn object(&self, key: &Key) -> Object {
        let (document, environment) = match key {
            Key::Pool => ("pool", None),
            Key::Claim(name) => ("claim", Some(name)),
            Key::Kubeconfig(name) => ("kubeconfig", Some(name)),
            Key::Token(name) => ("token", Some(name)),
            Key::History(name) => ("history", Some(name)),
            Key::Sweep => ("sweep", None),
            Key::Measured => ("measured", None),
            Key::Installation => ("installation", None),
        };
        let mut labels = BTreeMap::from([
            (MANAGED_BY.to_owned(), "berth".to_owned()),
            (DOCUMENT.to_owned(), document.to_owned()),
        ]);
        labels.extend(environment.map(|name| (ENVIRONMENT.to_owned(), name.to_string())));
        let (namespace, sensitivity) = (Some(self.namespace.as_str()), key.sensitivity());
        let (resource, path) = match sensitivity {
            Sensitivity::Plain => (ApiResource::erase::<ConfigMap>(&()), ConfigMap::url_path(&(), namespace)),
            Sensitivity::Secret => (ApiResource::erase::<Secret>(&()), Secret::url_path(&(), namespace)),
        };
        let name = key.path().replace('/', ".");
        let place = format!("{} {}/{name}", resource.kind.to_lowercase(), self.namespace);
        Object { sensitivity, resource, requests: Requests::new(path), name, labels, place }
    }

    async fn ask<T: DeserializeOwned>(&self, asked: Result<Request<Vec<u8>>, NotBuilt>) -> Result<T, Denial> {
        request(&self.client, asked, self.limit).await
    }

    /// Whether the server refused it for its version, or nobody knows.
    fn not_written(&self, verb: &str, object: &Object, denial: Denial) -> NotWritten {
        let refused = [reason::CONFLICT, reason::ALREADY_EXISTS, reason::NOT_FOUND];
        if refused.iter().any(|reason| denial.says(reason, &object.resource, &object.name)) {
            return NotWritten::Conflict;
        }
        NotWritten::Unknown(self.failed(verb, &object.resource, &object.place, denial))
    }

    /// A listing that holds what cannot be explained explains nothing else either: only what a claim says may be
    /// unreadable, not whose it is.
    fn entry(&self, listed: &DynamicObject) -> Result<Entry> {
        let found = listed.metadata.name.as_deref().unwrap_or_default();
        let Some(name) = found.strip_suffix(".claim").and_then(|name| name.parse::<EnvironmentName>().ok())
        else {
            let place = format!("configmap {}/{found}", self.namespace);
            return Err(foreign(&place, format!("its label {DOCUMENT} says claim, its name is no claim's")));
        };
        let object = self.object(&Key::Claim(name.clone()));
        let version = object.identify(listed)?;
        Ok(Entry { name, read: object.document(listed).map(|document| Read::Present { document, version }) })
    }

    fn failed(&self, verb: &str, resource: &ApiResource, object: &str, denial: Denial) -> anyhow::Error {
        let (namespace, plural) = (&self.namespace, &resource.plural);
        let no_namespace = denial.says(reason::NOT_FOUND, &ApiResource::erase::<Namespace>(&()), namespace);
        let hint = match denial.failure.kind {
            _ if no_namespace => {
                format!("berth keeps its documents there: `kubectl create namespace {namespace}`")
            }
            Kind::Refused => format!(
                "the server must know berth's account, and a Role in namespace {namespace} give it the verb {verb} \
                 on {plural}; `kubectl auth can-i {verb} {plural} -n {namespace}` says whether it does"
            ),
            Kind::Unavailable { .. } | Kind::Conflict | Kind::Superseded => {
                "try again when the API server answers; what has landed by then is found out".to_owned()
            }
            Kind::Invalid if denial.is_servers_own() => {
                "trying again will not help: the server means the request itself".to_owned()
            }
            Kind::Invalid => "trying again will not help: this is no answer of a Kubernetes API server; \
                              `kubectl cluster-info` says where one is looked for"
                .to_owned(),
        };
        let failed = UserError::new(Exit::Unknown, format!("could not {verb} {object}")).hint(hint);
        anyhow::Error::new(denial.failure).context(failed)
    }
}

impl Object {
    /// The whole object, as it is sent.
    fn holding(&self, document: &Document, expected: &Version) -> Result<Vec<u8>> {
        let text = serde_json::to_string(document)?;
        let held = match self.sensitivity {
            Sensitivity::Plain => json!({"data": {DATA: text}}),
            Sensitivity::Secret => json!({"type": DOCUMENT, "data": {DATA: ByteString(text.into_bytes())}}),
        };
        let mut object = DynamicObject::new(&self.name, &self.resource).data(held);
        object.metadata.labels = Some(self.labels.clone());
        object.metadata.annotations = Some(BTreeMap::from([(NONCE.to_owned(), nonce()?)]));
        let version = Some(expected.as_str()).filter(|version| *version != ABSENT);
        object.metadata.resource_version = version.map(str::to_owned);
        Ok(serde_json::to_vec(&object)?)
    }

    /// The version of what was read, if that is this object, and ours.
    fn identify(&self, read: &DynamicObject) -> Result<Version> {
        let version = self.version(read).map_err(|denial| {
            let garbled = UserError::new(Exit::Unknown, format!("could not read {}", self.place));
            anyhow::Error::new(denial.failure)
                .context(garbled.hint("see what answers at the server's address"))
        })?;
        let borne = read.metadata.labels.as_ref();
        match self.labels.iter().find(|(label, value)| borne.and_then(|all| all.get(*label)) != Some(value)) {
            None => Ok(version),
            Some((label, value)) => Err(foreign(&self.place, format!("it lacks the label {label}={value}"))),
        }
    }

    fn version(&self, answer: &DynamicObject) -> Result<Version, Denial> {
        match &answer.metadata.resource_version {
            Some(version) if !version.is_empty() && answer.metadata.name.as_ref() == Some(&self.name) => {
                Ok(Version::opaque(version))
            }
            _ => Err(Denial::garbled(format!("the answer is no version of {}", self.place))),
        }
    }

    fn document(&self, read: &DynamicObject) -> Result<Document> {
        let held = &read.data["data"][DATA];
        let text = match self.sensitivity {
            Sensitivity::Plain => held.as_str().map(|text| text.as_bytes().to_vec()),
            Sensitivity::Secret => serde_json::from_value(held.clone()).ok().map(|ByteString(bytes)| bytes),
        };
        serde_json::from_slice(&text.unwrap_or_default()).map_err(|e| {
            // Not the error itself: it may quote a secret.
            let detail = format!("its {DATA} is no JSON object (line {}, column {})", e.line(), e.column());
            let damaged =
                UserError::new(Exit::Unknown, format!("{} says nothing that berth can read", self.place))
                    .hint("restore what it said before; remove it only if nothing depends on it");
            anyhow::Error::new(Failure { kind: Kind::Invalid, detail }).context(damaged)
        })
    }
}

fn foreign(place: &str, detail: String) -> anyhow::Error {
    let foreign = UserError::new(Exit::Unknown, format!("{place} is not berth's"))
        .hint("berth neither changes nor removes it: do so yourself, or give berth a namespace of its own");
    anyhow::Error::new(Failure { kind: Kind::Invalid, detail }).context(foreign)
}

#[async_trait]
impl Store for KubernetesStore {
    async fn read(&self, key: &Key) -> Result<Read> {
        let object = self.object(key);
        match self.ask(object.requests.get(&object.name, &GetParams::default())).await {
            Ok(read) => {
                let version = object.identify(&read)?;
                Ok(Read::Present { document: object.document(&read)?, version })
            }
            Err(denial) if denial.says(reason::NOT_FOUND, &object.resource, &object.name) => {
                Ok(Read::Absent { create: Version::opaque(ABSENT) })
            }
            Err(denial) => Err(self.failed("get", &object.resource, &object.place, denial)),
        }
    }

    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        let object = self.object(key);
        let body = object.holding(document, expected).map_err(NotWritten::Unknown)?;
        let params = PostParams { field_manager: Some("berth".to_owned()), ..PostParams::default() };
        let (verb, asked) = match expected.as_str() {
            ABSENT => ("create", object.requests.create(&params, body)),
            _ => ("update", object.requests.replace(&object.name, &params, body)),
        };
        let written = self.ask(asked).await.and_then(|written: DynamicObject| object.version(&written));
        written.map_err(|denial| self.not_written(verb, &object, denial))
    }

    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        if expected.as_str() == ABSENT {
            // No request removes nothing.
            return match self.read(key).await.map_err(NotWritten::Unknown)? {
                Read::Absent { .. } => Ok(()),
                Read::Present { .. } => Err(NotWritten::Conflict),
            };
        }
        let object = self.object(key);
        let exactly = Preconditions { resource_version: Some(expected.as_str().to_owned()), uid: None };
        let params = DeleteParams::default().preconditions(exactly);
        let removed: Value = self
            .ask(object.requests.delete(&object.name, &params))
            .await
            .map_err(|denial| self.not_written("delete", &object, denial))?;
        // The object itself is the answer while a finalizer holds it.
        if removed["kind"] != "Status" || removed["status"] != "Success" {
            let marked = UserError::new(
                Exit::Unknown,
                format!("{} was to be deleted, but is still there", object.place),
            )
            .hint("its metadata.finalizers say who holds it");
            let held = Denial::garbled("the server has not said that it is gone").failure;
            return Err(NotWritten::Unknown(anyhow::Error::new(held).context(marked)));
        }
        Ok(())
    }

    async fn claims(&self) -> Result<Vec<Entry>> {
        let resource = ApiResource::erase::<ConfigMap>(&());
        let failed = |denial| {
            let what = format!("the claims among the configmaps of namespace {}", self.namespace);
            self.failed("list", &resource, &what, denial)
        };
        let claims = Requests::new(ConfigMap::url_path(&(), Some(&self.namespace)));
        let params = ListParams::default().labels(&format!("{DOCUMENT}=claim"));
        let listing =
            list::<DynamicObject>(&self.client, &claims, &params, self.limit).await.map_err(failed)?;
        let entries: Vec<Entry> =
            listing.items.iter().map(|object| self.entry(object)).collect::<Result<_>>()?;
        let names: BTreeSet<_> = entries.iter().map(|entry| &entry.name).collect();
        if names.len() != entries.len() {
            return Err(failed(Denial::garbled("the listing names a claim twice")));
        }
        Ok(entries)
    }

    /// By what is plain: kubeconfigs are read by name and never listed, and none is there but with a claim or a history.
    async fn names(&self) -> Result<BTreeSet<EnvironmentName>> {
        let resource = ApiResource::erase::<ConfigMap>(&());
        let plain = Requests::new(ConfigMap::url_path(&(), Some(&self.namespace)));
        let params = ListParams::default().labels(&format!("{MANAGED_BY}=berth,{ENVIRONMENT}"));
        let listing = list::<DynamicObject>(&self.client, &plain, &params, self.limit).await;
        let listing = listing.map_err(|denial| {
            let what = format!("the documents among the configmaps of namespace {}", self.namespace);
            self.failed("list", &resource, &what, denial)
        })?;
        let named = |object: DynamicObject| object.metadata.labels?.remove(ENVIRONMENT)?.parse().ok();
        Ok(listing.items.into_iter().filter_map(named).collect())
    }

    fn place(&self, key: &Key) -> String {
        self.object(key).place
    }
}
