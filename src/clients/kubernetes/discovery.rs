//! Which kinds a server has: their names in paths, and whether they have namespaces.
//!
//! Asked once, for all kinds, and once more whenever a kind is not among them. Must never: say "not served" but by the
//! server's own word, all of it, of a group that it says is up to date.

use super::{Denial, Kubernetes, condition::condition, list, manifest::group, observe::requests, request};
use hyper::http::{Request, header::ACCEPT};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    api::ListParams,
    core::{ApiResource, request::Error as NotBuilt},
};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The whole of it in two answers; since Kubernetes 1.27.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// A kind as it is named in manifests: its version, its own name.
pub(super) type KindName = (String, String);

/// How a kind is served.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Served {
    pub(super) resource: ApiResource,
    pub(super) namespaced: bool,
    /// Its CRD was seen to be established by us, and nothing else of it so far. Until its storage is ready, the server
    /// answers 429 to a listing with a selector, but not to one of everything.
    pub(super) young: bool,
}

impl Served {
    fn name(&self) -> KindName {
        (self.resource.api_version.clone(), self.resource.kind.clone())
    }
}

/// What the server said last, and what CRDs have said since.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    kinds: BTreeMap<KindName, Arc<Served>>,
    /// From established CRDs: discovery follows them some moments later.
    learned: BTreeMap<KindName, Arc<Served>>,
    stale: BTreeSet<String>,
    asked: bool,
}

#[derive(Deserialize)]
struct Groups {
    kind: String,
    items: Vec<Group>,
}
#[derive(Deserialize)]
struct Group {
    metadata: Named,
    versions: Vec<Version>,
}
/// The core's group has no name.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}
#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    freshness: Option<String>,
}
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource: String,
    response_kind: Option<Kind>,
    scope: String,
}
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl Discovery {
    fn get(&self, kind: &KindName) -> Option<&Arc<Served>> {
        self.learned.get(kind).or_else(|| self.kinds.get(kind))
    }

    fn add(&mut self, groups: Groups) -> Result<(), Denial> {
        if groups.kind != "APIGroupDiscoveryList" {
            return Err(Denial::garbled("the answer is no discovery of Kubernetes 1.27 or later"));
        }
        for Group { metadata: Named { name: group }, versions } in groups.items {
            for version in versions {
                if version.freshness.as_deref() == Some("Stale") {
                    self.stale.insert(group.clone());
                }
                for resource in version.resources {
                    let Some(Kind { kind }) = resource.response_kind else { continue };
                    let served = served(&group, &version.version, kind, resource.resource, &resource.scope)?;
                    self.kinds.entry(served.name()).or_insert_with(|| Arc::new(served));
                }
            }
        }
        Ok(())
    }
}

fn served(group: &str, version: &str, kind: String, plural: String, scope: &str) -> Result<Served, Denial> {
    let namespaced = match scope {
        "Namespaced" => true,
        "Cluster" => false,
        other => return Err(Denial::garbled(format!("the scope of {plural} is {other:?}"))),
    };
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let (group, version) = (group.to_owned(), version.to_owned());
    Ok(Served {
        resource: ApiResource { group, version, api_version, kind, plural },
        namespaced,
        young: false,
    })
}

/// The kinds that a CRD defines.
pub(super) fn defined(crd: &Value) -> Vec<Served> {
    let text = |path: &str| crd.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let versions = crd["spec"]["versions"].as_array().into_iter().flatten();
    versions
        .filter(|version| version["served"] == true)
        .filter_map(|version| {
            let (kind, plural) = (text("/spec/names/kind").to_owned(), text("/spec/names/plural").to_owned());
            served(text("/spec/group"), version["name"].as_str()?, kind, plural, text("/spec/scope")).ok()
        })
        .collect()
}

/// Whether it is established, and defines this kind.
pub(super) fn brings(crd: &Value, kind: &KindName) -> bool {
    group(&kind.0) == crd["spec"]["group"].as_str().unwrap_or_default()
        && condition(crd, "Established").is_true()
        && defined(crd).iter().any(|served| served.name() == *kind)
}

/// How CRDs themselves are served.
pub(super) fn crds_served() -> Served {
    let resource = ApiResource::erase::<CustomResourceDefinition>(&());
    Served { resource, namespaced: false, young: false }
}

impl Kubernetes {
    /// How each of these kinds is served; `None`: the server says that it is not. An error: nobody knows.
    pub(super) async fn served(
        &self,
        kinds: &BTreeSet<KindName>,
    ) -> Result<BTreeMap<KindName, Option<Arc<Served>>>, Denial> {
        let mut known = self.discovery.lock().await;
        if !known.asked || kinds.iter().any(|kind| known.get(kind).is_none()) {
            let fresh = self.discover().await?;
            *known = Discovery { learned: std::mem::take(&mut known.learned), ..fresh };
        }
        let mut all = BTreeMap::new();
        for kind in kinds {
            let served = known.get(kind).cloned();
            if served.is_none() && known.stale.contains(group(&kind.0)) {
                let detail = format!("the server's word on which kinds {} has is out of date", kind.0);
                return Err(Denial::garbled(detail));
            }
            all.insert(kind.clone(), served);
        }
        Ok(all)
    }

    /// Asks again, whatever was known: what seemed to be served was not found. What a CRD has told stands as long as the
    /// CRD does: discovery follows it some moments later.
    pub(super) async fn served_afresh(&self, kind: &KindName) -> Result<Option<Arc<Served>>, Denial> {
        let learned = self.discovery.lock().await.learned.get(kind).cloned();
        if let Some(served) = learned {
            let crds = list::<Value>(
                &self.client,
                &requests(&crds_served(), None),
                &ListParams::default(),
                self.limit,
            )
            .await?;
            if crds.items.iter().any(|crd| brings(crd, kind)) {
                return Ok(Some(served));
            }
        }
        let mut known = self.discovery.lock().await;
        known.asked = false;
        known.learned.remove(kind);
        drop(known);
        let served = self.served(&BTreeSet::from([kind.clone()])).await?;
        Ok(served.into_values().flatten().next())
    }

    /// Takes an established CRD's word.
    pub(super) async fn learn(&self, crd: &Value) {
        let mut known = self.discovery.lock().await;
        for served in defined(crd) {
            let name = served.name();
            let young = known.get(&name).is_none_or(|known| known.young);
            known.learned.insert(name, Arc::new(Served { young, ..served }));
        }
    }

    /// Its storage has taken a watch, so it takes everything.
    pub(super) async fn grown(&self, served: &Served) {
        if !served.young {
            return;
        }
        let mut known = self.discovery.lock().await;
        if let Some(learned) = known.learned.get_mut(&served.name()) {
            *learned = Arc::new(Served { young: false, ..served.clone() });
        }
    }

    async fn discover(&self) -> Result<Discovery, Denial> {
        let ask = |path: &str| {
            let asked = Request::get(path).header(ACCEPT, AGGREGATED).body(Vec::new());
            request::<Groups>(&self.client, asked.map_err(NotBuilt::BuildRequest), self.limit)
        };
        let (core, groups) = futures::future::try_join(ask("/api"), ask("/apis")).await?;
        let mut discovery = Discovery { asked: true, ..Discovery::default() };
        discovery.add(core)?;
        discovery.add(groups)?;
        Ok(discovery)
    }
}
