//! A cluster of k3s brought up by Cluster API, on Proxmox or, by templates, on whatever Cluster API knows.
//!
//! Its Cluster is born inert (`spec.paused`) and made active by a second request, over exactly that inert object, after claim
//! and pool were looked at once more: a late create leaves at worst something that does nothing. What stands at work is
//! kept as it is: other numbers in the settings are for the next environment. Must never: remove what Cluster API must see
//! first (credentials, templates) before the Cluster is seen gone.

mod addresses;
mod entitled;
mod entrance;
mod manifests;
mod remove;

use super::{Here, Inside, Provider};
use crate::{
    clients::{
        Failure, Kind,
        kubernetes::{
            Area, Kubernetes, Seen,
            condition::condition,
            manifest::{Bundle, Manifest},
        },
    },
    clock::{Clock, Rhythm},
    domain::{
        claim::{ObjectName, Removal},
        diagnosis::Snapshot,
        holder::Holder,
        names::ContextName,
        plan::StepName,
        scope::{Hosts, Scope},
        sweep::Trace,
    },
    errors::{Exit, UserError},
    progress::{Progress, Wait},
    settings::{self, SecretName},
};
use anyhow::Result;
use async_trait::async_trait;
use entrance::{Entrance, Way};
use futures::future::try_join_all;
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

/// The longest time for which an API server that does not answer yet is left alone.
const ASKING: Duration = Duration::from_secs(1);

/// See the module.
pub struct CapiK3s {
    management: Kubernetes,
    /// `None`: only for removal, which needs none.
    settings: Option<settings::CapiK3s>,
    entrance: Entrance,
    clock: Clock,
}

/// What an environment's objects are called.
pub fn names(settings: &settings::CapiK3s, holder: &Holder, hosts: &Hosts) -> Result<Vec<ObjectName>> {
    manifests::names(settings, holder, hosts)
}

/// What they are.
pub fn objects(settings: &settings::CapiK3s, scope: &Scope) -> Result<Vec<Value>> {
    manifests::objects(settings, scope)
}

impl CapiK3s {
    /// In this management cluster. `run` is told to the environments' own servers.
    pub fn new(management: Kubernetes, settings: Option<settings::CapiK3s>, clock: Clock, run: &str) -> Self {
        let entrance = Entrance::new(clock.clone(), run);
        Self { management, settings, entrance, clock }
    }

    fn settings(&self) -> Result<&settings::CapiK3s> {
        self.settings.as_ref().ok_or_else(|| {
            UserError::usage("the provider of this environment is not configured here")
                .hint("name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input")
                .into()
        })
    }

    /// Secrets of the management cluster, for the namespace of an environment.
    async fn copies(&self, scope: &Scope) -> Result<Vec<Value>> {
        let wanted = &self.settings()?.copy_secrets;
        let name = |SecretName { namespace, name }: &SecretName| ObjectName {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(namespace.to_string()),
            name: name.to_string(),
        };
        let names: Vec<ObjectName> = wanted.iter().map(name).collect();
        // Each by itself: a right to one of a namespace's Secrets is none to the list of them.
        let seen = try_join_all(names.iter().map(|name| self.management.observe(name))).await?;
        seen.iter().map(|seen| copy(seen, scope)).collect()
    }

    /// Whether the environment's own API server answers, and has a node to run something on.
    async fn answers(&self, scope: &Scope, cluster: &Seen) -> Result<Progress> {
        let (access, secret) = match self.entrance.way(&self.management, scope).await? {
            Way::Open(access, secret) => (access, secret),
            Way::NotYet(wait) => return Ok(Progress::Waiting(wait)),
            // Made a moment ago, so somebody deletes it: the next look makes it anew.
            Way::Gone => return Ok(Progress::Waiting(cluster.changed("the Cluster to be there"))),
        };
        match access.kubernetes.survey(&Area::of("v1", "Node")).await {
            Ok(nodes) if nodes.objects().any(|node| condition(node.value(), "Ready").is_true()) => {
                Ok(Progress::done("its API server answers, and its node is ready"))
            }
            Ok(nodes) => Ok(Progress::Waiting(nodes.changed("its node"))),
            Err(error) if matches!(Failure::of(&error), Kind::Unavailable { .. }) => {
                let answers = Wait::new("", until_it_answers(access.kubernetes, self.clock.clone()));
                let on = "its API server to answer".to_owned();
                // It may be silent because it is to be found elsewhere by now.
                let any = vec![cluster.changed(""), secret.changed(""), answers];
                Ok(Progress::Waiting(Wait { on, ..Wait::any(any) }))
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait(?Send)]
impl Provider for CapiK3s {
    fn uses(&self, _: StepName) -> bool {
        true
    }

    fn objects(&self, scope: &Scope) -> Result<Vec<Value>> {
        manifests::objects(self.settings()?, scope)
    }

    async fn in_use(&self, scope: &Scope) -> Result<BTreeSet<Ipv4Addr>> {
        addresses::in_use(&self.management, &scope.name).await
    }

    async fn ensure(&self, here: &Here<'_>) -> Result<Progress> {
        let (management, scope) = (&self.management, here.scope);
        let (objects, copies) = (self.objects(scope)?, self.copies(scope).await?);
        let names: Vec<ObjectName> = objects.iter().filter(|one| stops(one)).map(ObjectName::of).collect();
        let seen = management.observe_all(&names).await?;
        let ending: Vec<&Seen> = seen.iter().filter(|seen| is_ending(seen)).collect();
        if let Some(one) = ending.first() {
            let on = format!("the {} of an earlier life to be gone", one.name());
            return Ok(Progress::Waiting(one.changed(on)));
        }
        if let Some(role) = &self.settings()?.secrets_role
            && let Some(wait) = entitled::entitled(management, here, &self.clock, (role, &objects)).await?
        {
            return Ok(Progress::Waiting(wait));
        }
        let is_active =
            |seen: &Seen| seen.object().is_some_and(|object| object.value()["spec"]["paused"] != true);
        let mut clusters: Vec<Seen> = seen.into_iter().filter(|seen| seen.name().kind == "Cluster").collect();
        let (count, writer) = (objects.len() + copies.len(), management.writer(here.fence));
        if clusters.iter().all(is_active) {
            let bundle = Bundle::of(objects.into_iter().chain(copies))?.keeping_what_stands();
            writer.apply(&bundle).await?;
        } else {
            let inert = objects.iter().cloned().map(inert).chain(copies);
            writer.apply(&Bundle::of(inert)?).await?;
            let names: Vec<ObjectName> = clusters.iter().map(|seen| seen.name().clone()).collect();
            let born = management.observe_all(&names).await?;
            // What is looked at here comes after what was seen, and the write goes over exactly that.
            here.guard.look().await?;
            for seen in born.into_iter().filter(|seen| !is_active(seen)) {
                let active = objects.iter().find(|object| ObjectName::of(object) == *seen.name());
                let active = active.expect("it was looked for by the name of one of these");
                writer.apply_over(seen, Manifest::parse(at_work(active.clone()))?).await?;
            }
            clusters = management.observe_all(&names).await?;
        }
        let cluster =
            clusters.first().expect("there is a Cluster among the objects: `manifests` sees to that");
        Ok(match self.answers(scope, cluster).await? {
            Progress::Done(answers) => Progress::done(format!("{count} objects applied, {answers}")),
            waiting => waiting,
        })
    }

    async fn remove(&self, here: &Here<'_>) -> Result<Progress> {
        remove::remove(&self.management, here).await
    }

    async fn is_absent(&self, scope: &Scope) -> Result<bool> {
        remove::is_absent(&self.management, scope).await
    }

    async fn inside(&self, scope: &Scope) -> Result<Inside> {
        self.entrance.way(&self.management, scope).await.map(Inside::from)
    }

    async fn traces(&self, context: Option<&ContextName>) -> Result<Vec<Trace>> {
        // All that is made stands in a namespace of its own, or below a Cluster.
        let kinds = [("v1", "Namespace"), ("cluster.x-k8s.io/v1beta2", "Cluster")];
        let areas = kinds.map(|(api_version, kind)| Area::of(api_version, kind).marked());
        // Of thousands, the traces alone are kept.
        let traces = areas
            .iter()
            .map(async |area| Ok::<_, anyhow::Error>(self.management.survey(area).await?.traces(context)));
        Ok(try_join_all(traces).await?.into_iter().flatten().collect())
    }

    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot> {
        let Removal { objects, .. } = &scope.removal;
        let seen = self.management.observe_all(objects).await?;
        let own = seen.iter().filter_map(|seen| Some(seen.object()?.value().clone()));
        let namespace = scope.name.as_ref();
        let around = [
            Area::of("cluster.x-k8s.io/v1beta2", "Machine").within(namespace),
            Area::of("infrastructure.cluster.x-k8s.io/v1alpha1", "ProxmoxMachine").within(namespace),
            Area::of("v1", "Event").within(namespace),
        ];
        let around = self.management.snapshot(&around).await;
        // A Secret's values are nobody's business in a diagnosis.
        let objects = own.chain(around).filter(|object| object["kind"] != "Secret").collect();
        Ok(Snapshot { objects, ..Snapshot::default() })
    }
}

/// Nobody tells when that is. Only itself is asked: the management cluster is left in peace meanwhile.
async fn until_it_answers(environment: Kubernetes, clock: Clock) -> Result<()> {
    let rhythm = Rhythm::new(ASKING);
    loop {
        rhythm.next(&clock).await?;
        match environment.survey(&Area::of("v1", "Node")).await {
            Err(error) if matches!(Failure::of(&error), Kind::Unavailable { .. }) => {}
            // Whatever it said, the next look judges it.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
}

/// What must not be written into while it goes.
fn stops(object: &Value) -> bool {
    manifests::is_cluster(object) || object["kind"] == "Namespace"
}

fn is_ending(seen: &Seen) -> bool {
    seen.object().is_some_and(crate::clients::kubernetes::Object::is_ending)
}

/// Cluster API leaves it alone.
fn inert(mut object: Value) -> Value {
    if manifests::is_cluster(&object) {
        object["spec"]["paused"] = json!(true);
    }
    object
}

/// Said, and not left away: whatever else would pause it is overruled.
fn at_work(mut object: Value) -> Value {
    object["spec"]["paused"] = json!(false);
    object
}

/// The same Secret in the environment's namespace: its data and type alone, none of its owners, marks and finalizers.
fn copy(seen: &Seen, scope: &Scope) -> Result<Value> {
    let name = seen.name();
    let Some(object) = seen.object() else {
        let message =
            format!("the {name} is to be copied into the namespace of {}, and is not there", scope.name);
        let hint = "make it, or correct `copy-secrets` in the platform file";
        return Err(UserError::new(Exit::Failed, message).hint(hint).into());
    };
    let mut copy = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name.name, "namespace": scope.name},
        "data": object.value()["data"],
    });
    if let Some(kind) = object.value()["type"].as_str() {
        copy["type"] = json!(kind);
    }
    Ok(copy)
}
