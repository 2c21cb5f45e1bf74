//! Everything of a kind: in one namespace, or in all of them.
//!
//! Must never: say that there is nothing of a kind but by a complete listing, or by the server's word that it has no such
//! kind.

use super::{
    Denial, Kubernetes, Listing, Seen,
    failed::Failed,
    list::{Unsigned, list},
    manifest::ENVIRONMENT,
    object::Object,
    observe::{Look, When, requests},
    watch::Watched,
};
use crate::{
    domain::{
        claim::{Elsewhere, ObjectName},
        names::ContextName,
        sweep::Trace,
    },
    progress::Wait,
};
use anyhow::Result;
use futures::future::join_all;
use kube::api::ListParams;
use serde_json::Value;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Which kind, and of it what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Area {
    /// `group/version`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// `None`: in all namespaces.
    pub namespace: Option<String>,
    /// Only those with these labels, as in `a=b,c`.
    pub labels: Option<String>,
}

impl Area {
    /// Of all namespaces.
    pub fn of(api_version: &str, kind: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), ..Self::default() }
    }
    /// In one namespace.
    pub fn within(self, namespace: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), ..self }
    }
    /// Those of environments.
    pub fn marked(self) -> Self {
        self.labelled(ENVIRONMENT)
    }
    /// With these labels.
    pub fn labelled(self, labels: impl Into<String>) -> Self {
        Self { labels: Some(labels.into()), ..self }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.to_lowercase();
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/*"),
            None => write!(f, "{kind} of all namespaces"),
        }
    }
}

/// All that was there.
pub struct Survey {
    /// Each as if it had been looked for.
    pub seen: Vec<Seen>,
    watched: Watched,
}

impl Survey {
    /// What was there.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.seen.iter().filter_map(Seen::object)
    }

    /// Which of it is of an environment of ours, by its labels; the context is that of this cluster.
    pub fn traces(&self, context: Option<&ContextName>) -> Vec<Trace> {
        let trace = |object: &Object| {
            Some(Trace {
                name: object.environment()?,
                holder: object.holder(),
                life: object.life(),
                what: object.name().to_string(),
                id: object.uid().to_owned(),
                object: Some(Elsewhere { context: context.cloned(), object: object.name().clone() }),
                held_by: object.held_by().filter(|_| object.is_ending()),
            })
        };
        self.objects().filter_map(trace).collect()
    }

    /// Wakes on the first change to the kind after this look, and where there is no such kind, once there is.
    pub fn changed(self, on: impl fmt::Display) -> Wait {
        self.watched.wait(on)
    }
}

impl Kubernetes {
    /// Looks at all of it.
    pub async fn survey(&self, area: &Area) -> Result<Survey> {
        self.survey_of(area).await.map_err(|failed| self.unread(vec![failed]))
    }

    async fn survey_of(&self, area: &Area) -> Result<Survey, Failed> {
        let doing = || format!("list {area}");
        let kind = (area.api_version.clone(), area.kind.clone());
        let served = self.served(&BTreeSet::from([kind.clone()])).await;
        let served = served.map_err(|denial| Failed::new(doing(), denial))?.remove(&kind).flatten();
        let none = || {
            let (api_version, kind) = (area.api_version.clone(), area.kind.clone());
            let name =
                ObjectName { api_version, kind, namespace: area.namespace.clone(), name: String::new() };
            Survey { seen: Vec::new(), watched: Watched::Kind { kubernetes: self.clone(), name } }
        };
        let Some(served) = served else { return Ok(none()) };
        let params = ListParams { label_selector: area.labels.clone(), ..ListParams::default() };
        let paths = requests(&served, area.namespace.as_deref());
        let listing = list::<Unsigned>(&self.client, &paths, &params, self.limit).await;
        let Listing { items, version } = match listing {
            Ok(listing) => listing,
            // The path itself may be gone: a kind that was served when discovery was asked.
            Err(denial) if denial.is_not_found() => {
                return match self.served_afresh(&kind).await {
                    Ok(None) => Ok(none()),
                    Ok(Some(_)) => Err(Failed::new(doing(), denial)),
                    Err(unknown) => Err(Failed::new(doing(), unknown)),
                };
            }
            Err(denial) => return Err(Failed::new(doing(), denial)),
        };
        let look = Look {
            served,
            namespace: area.namespace.clone(),
            only: None,
            labels: area.labels.clone(),
            when: When::At(version),
        };
        let look = Arc::new(look);
        let seen = items.into_iter().map(|Unsigned(item)| {
            let object = Object::parse(&area.api_version, &area.kind, item)?;
            Ok(Seen::of(object, look.clone(), self.clone()))
        });
        let seen: Result<Vec<Seen>, Denial> = seen.collect();
        let seen = seen.map_err(|denial| Failed::new(doing(), denial))?;
        Ok(Survey { seen, watched: Watched::Objects { kubernetes: self.clone(), look, names: None } })
    }

    /// What tells why something is not ready: what can be read of it, for this is only ever told beside a failure.
    pub async fn snapshot(&self, areas: &[Area]) -> Vec<Value> {
        let looks = join_all(areas.iter().map(|area| self.survey(area))).await;
        let mut objects = Vec::new();
        for look in looks {
            match look {
                Ok(survey) => objects.extend(survey.objects().map(|object| object.value().clone())),
                Err(error) => tracing::debug!("left out of the diagnosis: {error:#}"),
            }
        }
        objects
    }
}
