//! Watches: one for each kind and namespace, from the version of a look, so that nothing after it is missed.
//!
//! Must never: wait for ever on a connection that is dead; take the end of a watch for a change.

use super::{
    Denial, Kubernetes, Seen,
    discovery::{brings, crds_served},
    failed::Failed,
    list,
    object::Object,
    observe::{Look, When, requests},
    open,
};
use crate::{
    clients::{Failure, Kind},
    domain::claim::ObjectName,
    progress::Wait,
};
use http_body_util::BodyExt as _;
use kube::{
    api::{ListParams, WatchParams},
    client::Body,
    core::ApiResource,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How long the server is asked to keep a watch.
const LIFE: u32 = 290;
/// When a connection on which nothing has come is taken for dead: later than the server would have ended the watch.
const SILENCE: Duration = Duration::from_secs(300);
/// How long the next look is put off if a watch has ended without a word: a proxy may end each at once.
pub(super) const PACE: Duration = Duration::from_secs(1);

/// A change that a watch told.
pub(super) struct Change {
    pub(super) object: Object,
    pub(super) gone: bool,
}

pub(super) struct Watch {
    look: Arc<Look>,
    body: Body,
    read: Vec<u8>,
}

impl Watch {
    /// `None`: the server has forgotten that version, so there are changes; or none was told.
    pub(super) async fn open(kubernetes: &Kubernetes, look: Arc<Look>) -> Result<Option<Self>, Failed> {
        let When::At(version) = &look.when else { return Ok(None) };
        let params = WatchParams {
            field_selector: look.selector(),
            label_selector: look.labels.clone(),
            timeout: Some(LIFE),
            bookmarks: false,
            ..WatchParams::default()
        };
        let asked = look.requests().watch(&params, version);
        match open(&kubernetes.client, asked, kubernetes.limit).await {
            Ok(body) => {
                kubernetes.grown(&look.served).await;
                Ok(Some(Self { look, body, read: Vec::new() }))
            }
            Err(denial) if denial.is_expired() => Ok(None),
            Err(denial) => Err(failed(&look, denial)),
        }
    }

    /// `None`: it is over, and a new look is due.
    pub(super) async fn next(&mut self) -> Result<Option<Change>, Failed> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                if let Some(told) = self.told(&line).map_err(|denial| failed(&self.look, denial))? {
                    return Ok(told);
                }
                continue;
            }
            // A cut is an end: whatever was lost, the new look shows.
            match tokio::time::timeout(SILENCE, self.body.frame()).await {
                Ok(Some(Ok(frame))) => self.read.extend(frame.into_data().unwrap_or_default()),
                Ok(None | Some(Err(_))) | Err(_) => return Ok(None),
            }
        }
    }

    /// Until it tells of one of these (`None`: of anything), or ends; whether it has told of anything.
    async fn told_of(mut self, names: Option<&BTreeSet<String>>) -> Result<bool, Failed> {
        let mut told = false;
        while let Some(change) = self.next().await? {
            told = true;
            if names.is_none_or(|names| names.contains(&change.object.name().name)) {
                break;
            }
        }
        Ok(told)
    }

    /// Outer `None`: nothing. Inner `None`: the end.
    fn told(&self, line: &[u8]) -> Result<Option<Option<Change>>, Denial> {
        let mut event: Value =
            serde_json::from_slice(line).map_err(|e| Denial::from(kube::Error::SerdeError(e)))?;
        let object = event.get_mut("object").map(Value::take).unwrap_or_default();
        let gone = match event["type"].as_str() {
            Some("ADDED" | "MODIFIED") => false,
            Some("DELETED") => true,
            Some("BOOKMARK") => return Ok(None),
            Some("ERROR") => {
                let denial = match serde_json::from_value(object) {
                    Ok(status) => Denial::from(kube::Error::Api(status)),
                    Err(_) => Denial::garbled("the watch told an error without saying which"),
                };
                return if denial.is_expired() { Ok(Some(None)) } else { Err(denial) };
            }
            _ => return Err(Denial::garbled("the answer is no watch")),
        };
        let ApiResource { api_version, kind, .. } = &self.look.served.resource;
        Ok(Some(Some(Change { object: Object::parse(api_version, kind, object)?, gone })))
    }
}

fn failed(look: &Look, denial: Denial) -> Failed {
    let within =
        look.namespace.as_ref().map_or(String::new(), |namespace| format!(" in namespace {namespace}"));
    Failed::new(format!("watch {}{within}", look.served.plural()), denial)
}

impl Seen {
    /// Wakes on the first change after this very look.
    pub fn changed(&self, on: impl std::fmt::Display) -> Wait {
        Self::any_changed(std::slice::from_ref(self), on)
    }

    /// Wakes on the first change to any of these after they were looked at: one watch for all of one look. Of none, it
    /// never wakes.
    pub fn any_changed(seen: &[Self], on: impl std::fmt::Display) -> Wait {
        // The one wait is told once.
        let watched = Watched::of(seen).into_iter().map(|watched| watched.wait(""));
        Wait { on: on.to_string(), ..Wait::any(watched.collect()) }
    }
}

/// What one watch is for.
pub(super) enum Watched {
    Objects {
        kubernetes: Kubernetes,
        look: Arc<Look>,
        /// `None`: all.
        names: Option<BTreeSet<String>>,
    },
    /// A kind that is not served: until a CRD brings it.
    Kind { kubernetes: Kubernetes, name: ObjectName },
}

impl Watched {
    pub(super) fn of(seen: &[Seen]) -> Vec<Self> {
        let mut looks: BTreeMap<*const Look, Self> = BTreeMap::new();
        let mut kinds: BTreeMap<(&str, &str), Self> = BTreeMap::new();
        for one in seen {
            let (kubernetes, name) = (one.kubernetes.clone(), one.name());
            let Some(look) = &one.look else {
                let kind = (name.api_version.as_str(), name.kind.as_str());
                kinds.entry(kind).or_insert(Self::Kind { kubernetes, name: name.clone() });
                continue;
            };
            let watched = looks.entry(Arc::as_ptr(look)).or_insert_with(|| Self::Objects {
                kubernetes,
                look: look.clone(),
                names: Some(BTreeSet::new()),
            });
            if let Self::Objects { names: Some(names), .. } = watched {
                names.insert(name.name.clone());
            }
        }
        looks.into_values().chain(kinds.into_values()).collect()
    }

    fn kubernetes(&self) -> &Kubernetes {
        let (Self::Objects { kubernetes, .. } | Self::Kind { kubernetes, .. }) = self;
        kubernetes
    }

    pub(super) fn wait(self, on: impl std::fmt::Display) -> Wait {
        let kubernetes = self.kubernetes().clone();
        Wait::new(on, async move { self.woken().await.map_err(|failed| kubernetes.unread(vec![failed])) })
    }

    /// Until the first change, or the end of the watch.
    async fn woken(self) -> Result<(), Failed> {
        let clock = self.kubernetes().clock.clone();
        let told = match self {
            Self::Kind { kubernetes, name } => kubernetes.until_served(&name).await?,
            Self::Objects { kubernetes, look, names } => match Watch::open(&kubernetes, look).await? {
                Some(watch) => watch.told_of(names.as_ref()).await?,
                None => false,
            },
        };
        if !told {
            clock.pass(PACE).await;
        }
        Ok(())
    }
}

impl Kubernetes {
    /// Until an established CRD defines that kind, or, if not, a new look is due.
    pub(super) async fn until_served(&self, name: &ObjectName) -> Result<bool, Failed> {
        let served = Arc::new(crds_served());
        let listed =
            list::<Value>(&self.client, &requests(&served, None), &ListParams::default(), self.limit).await;
        let unknown = |denial| Failed::new(format!("find out what will bring {name}"), denial);
        let listing = listed.map_err(unknown)?;
        let kind = (name.api_version.clone(), name.kind.clone());
        if let Some(crd) = listing.items.iter().find(|crd| brings(crd, &kind)) {
            self.learn(crd).await;
            return Ok(true);
        }
        let look =
            Look { served, namespace: None, only: None, labels: None, when: When::At(listing.version) };
        let look = Arc::new(look);
        let Some(mut watch) = Watch::open(self, look).await? else { return Ok(false) };
        while let Some(Change { object, gone }) = watch.next().await? {
            if !gone && brings(object.value(), &kind) {
                self.learn(object.value()).await;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        denial.failure
    }
}

/// What ends a wait that nobody can end any more.
pub(super) fn late(doing: String, last: String) -> Failed {
    let hint = "what was seen last says what is lacking: see to that, or allow it more time";
    Failed::ours(doing, Kind::Unavailable { wait: None }, last, hint)
}
