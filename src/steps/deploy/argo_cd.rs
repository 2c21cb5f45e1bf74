//! Apps that Argo CD deploys: the environment's cluster is made known to it, with an Application for that; undone: both are
//! seen gone.
//!
//! It runs in another cluster, so the claim says what was made there. Must never: leave the way into a cluster that is no
//! more; read a Secret of Argo CD's; hand over more of the app's Application than what is to be deployed.

use crate::{
    clients::{
        Failure, Kind,
        kubernetes::{
            Area, Clusters, Deletion, Dependents, Kubernetes, Seen,
            manifest::Manifest,
            readiness::{Readiness, readiness},
        },
    },
    domain::{
        kubeconfig,
        names::{ContextName, EnvironmentName},
        removal::{Elsewhere, ObjectName},
        sweep::Trace,
    },
    errors::{Exit, UserError},
    progress::Progress,
    providers::{Access, Witness as _},
    settings::Namespace,
    steps::{Context, Field},
};
use anyhow::{Context as _, Result};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::sync::Arc;

/// Where Argo CD runs.
#[derive(Clone)]
pub struct HandOver {
    /// The ways into clusters.
    pub clusters: Arc<Clusters>,
    /// Its cluster's.
    pub context: Option<ContextName>,
    /// Its namespace.
    pub namespace: Namespace,
    /// The project that Applications are put into.
    pub project: String,
}

impl HandOver {
    /// What will be there.
    pub fn names(&self, name: &EnvironmentName) -> Vec<Elsewhere> {
        let objects = [self.application(name), self.registration(name)];
        objects.map(|object| Elsewhere { context: self.context.clone(), object }).to_vec()
    }

    /// Called as the shell tool of old has it.
    fn application(&self, name: &EnvironmentName) -> ObjectName {
        let own = name.as_ref().strip_prefix("pr-").unwrap_or(name.as_ref());
        self.object("argoproj.io/v1alpha1", "Application", own.to_owned())
    }

    fn registration(&self, name: &EnvironmentName) -> ObjectName {
        self.object("v1", "Secret", format!("berth-{name}"))
    }

    fn object(&self, api_version: &str, kind: &str, name: String) -> ObjectName {
        let namespace = Some(self.namespace.to_string());
        ObjectName { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, name }
    }

    /// The Applications of environments. Registrations lie among Secrets that nobody gives us a right to list; each goes with
    /// its Application.
    pub(super) async fn traces(&self, field: &Field<'_>) -> Result<Vec<Trace>> {
        let argo_cd = self.clusters.open(self.context.as_ref()).await?;
        let area =
            Area::of("argoproj.io/v1alpha1", "Application").within(self.namespace.to_string()).marked();
        match argo_cd.survey(&area).await {
            Ok(survey) => Ok(survey.traces(self.context.as_ref())),
            // Where nothing is handed over nobody has given a right to look.
            Err(error) if Failure::of(&error) == Kind::Refused && !field.hands_over => {
                tracing::info!("what is left with Argo CD is not known: {error:#}");
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// What is to be deployed, as the app says; where, only as far as the namespace.
    fn spec(&self, name: &EnvironmentName, told: &Value) -> Result<Value> {
        let refused = |message, hint| Err(UserError::new(Exit::Failed, message).hint(hint).into());
        if !told.is_object() {
            return refused("an Application without a spec is not handed over", "it says what is deployed");
        }
        if told.get("sourceHydrator").is_some() {
            let hint = "it would have Argo CD write into a repository; name a `source` in its place";
            return refused("an Application with a sourceHydrator is not handed over", hint);
        }
        let mut spec = told.clone();
        let namespace = told["destination"]["namespace"].as_str().unwrap_or("default");
        spec["destination"] = json!({"name": name, "namespace": namespace});
        spec["project"] = json!(self.project);
        Ok(spec)
    }

    /// Hands it over, and looks how far it is.
    pub(super) async fn ensure(
        &self,
        cx: &Context<'_>,
        inside: &Access,
        application: &Value,
    ) -> Result<Progress> {
        let name = &cx.scope.name;
        let argo_cd = self.clusters.open(self.context.as_ref()).await?;
        let (server, config) =
            kubeconfig::for_argo_cd(inside.kubeconfig.expose_secret()).with_context(|| {
                UserError::new(Exit::Failed, format!("the kubeconfig of {name} cannot be used"))
            })?;
        let (own, registration) = (self.application(name), self.registration(name));
        let wanted = json!({
            "apiVersion": own.api_version, "kind": own.kind,
            "metadata": {"name": own.name, "namespace": own.namespace},
            "spec": self.spec(name, &application["spec"])?,
        });
        let known = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {
                "name": registration.name, "namespace": registration.namespace,
                "labels": {"argocd.argoproj.io/secret-type": "cluster"},
            },
            "stringData": {"name": name, "server": server, "config": config.to_string()},
        });
        // In this order: it looks for an Application's cluster as soon as it sees it.
        let wanted = [(&registration, known), (&own, wanted)];
        let mut seen = Vec::new();
        for (object, _) in &wanted {
            seen.push(look(&argo_cd, object).await?);
        }
        // Looked at, then the claim, then exactly what was seen.
        cx.guard.look().await?;
        for (seen, (_, wanted)) in seen.into_iter().zip(wanted) {
            argo_cd.writer(cx.fence).apply_over(seen, Manifest::parse(wanted)?).await?;
        }
        let seen = argo_cd.observe(&own).await?;
        let lacking = match seen.object().map(|object| readiness(object.value())) {
            Some(Readiness::Ready) => return Ok(Progress::done(format!("Argo CD has synced {}", own.name))),
            Some(Readiness::Pending(why)) => why,
            Some(Readiness::Broken(why)) => {
                let message = format!("Argo CD could not sync {own}: {why}");
                return Err(UserError::new(Exit::Failed, message).hint("its own pages tell more").into());
            }
            None => "it is not there so far".to_owned(),
        };
        Ok(Progress::Waiting(seen.changed(format!("{own}: {lacking}"))))
    }
}

/// Beside the registration lie the ways into all clusters that Argo CD knows, and its own credentials: nobody gives us a right to
/// read there.
async fn look(argo_cd: &Kubernetes, object: &ObjectName) -> Result<Seen> {
    match object.kind.as_str() {
        "Secret" => argo_cd.observe_unread(object).await,
        _ => argo_cd.observe(object).await,
    }
}

fn is_there(seen: &Seen) -> bool {
    seen.object().is_some()
}

/// Takes away what the claim says is elsewhere.
pub(super) async fn remove(clusters: &Clusters, cx: &Context<'_>) -> Result<Progress> {
    let mut going = Vec::new();
    for Elsewhere { context, object } in &cx.scope.removal.elsewhere {
        let cluster = clusters.open(context.as_ref()).await?;
        let seen = look(&cluster, object).await?;
        // Looked at, then the claim, then exactly what was seen.
        cx.guard.look().await?;
        match cluster.writer(cx.fence).delete(&seen, Dependents::Later).await? {
            Deletion::Absent => {}
            Deletion::UnderWay => going.extend(Some(look(&cluster, object).await?).filter(is_there)),
            Deletion::Foreign(why) => {
                let message = format!("{object} is to go with {} and is not ours: {why}", cx.scope.name);
                return Err(UserError::new(Exit::Failed, message)
                    .hint("it was left alone; look whose it is")
                    .into());
            }
        }
    }
    if going.is_empty() {
        for Elsewhere { object, .. } in &cx.scope.removal.elsewhere {
            let (what, proof) = match object.kind.as_str() {
                "Secret" => ("Argo CD's registration", "404"),
                _ => ("Argo CD's Application", "not in a complete list"),
            };
            cx.gone(&format!("{what} {}", object.name), proof);
        }
    }
    Ok(match going.first() {
        None => Progress::done(format!("{} objects elsewhere gone", cx.scope.removal.elsewhere.len())),
        Some(first) => {
            let on = format!("{} to be gone", first.name());
            Progress::Waiting(Seen::any_changed(&going, on))
        }
    })
}

/// What of it is left.
pub(super) async fn remains(clusters: &Clusters, cx: &Context<'_>) -> Result<Option<String>> {
    for Elsewhere { context, object } in &cx.scope.removal.elsewhere {
        let cluster = clusters.open(context.as_ref()).await?;
        if is_there(&look(&cluster, object).await?) {
            return Ok(Some(format!("Argo CD's {object}")));
        }
    }
    Ok(None)
}
