//! The app at this commit: its images are in their registries, its objects applied, its Jobs done, its rollout finished.
//!
//! Everything is of the present generation when this is done: that is what `health` and `tests` build on. Must never: apply
//! an image that is not there; finish on what an earlier rollout says.

mod argo_cd;
mod outdated;

pub use argo_cd::HandOver;

use super::{
    Context, DEPLOY, Field, RESOURCES, Step, install,
    sources::{Rendered, Renderer},
};
use crate::{
    clients::{
        Failure, Kind, files,
        kubernetes::{Area, Clusters},
        registry::{Presence, Registries},
    },
    clock::{Clock, Rhythm},
    domain::{
        app, image::Image, names::HeadSha, plan::Spec, scope::Scope, sweep::Trace, template::Variables, yaml,
    },
    errors::{Exit, UserError},
    progress::{Progress, Wait},
    providers::Access,
    settings::{self, App, explain},
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use futures::future::join_all;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::OnceCell;

/// A registry cannot be watched.
pub(super) const ASKING: Duration = Duration::from_secs(5);

/// See the module.
pub struct Deploy {
    pub(super) patience: Duration,
    pub(super) app: App,
    pub(super) renderer: Arc<Renderer>,
    pub(super) registries: Option<Arc<Registries>>,
    /// When registries are asked again.
    pub(super) asking: Rhythm,
    pub(super) rendered: OnceCell<Ready>,
    /// An image that was there once is there.
    pub(super) pushed: AtomicBool,
    /// The ways into clusters, for what stands elsewhere.
    pub(super) clusters: Arc<Clusters>,
    /// Who deploys it, if Argo CD does.
    pub(super) hand_over: Option<HandOver>,
}

/// What is applied.
pub(super) struct Ready {
    objects: Vec<Value>,
    /// That must complete, one after the other.
    jobs: Vec<Value>,
    application: Option<Value>,
}

#[async_trait(?Send)]
impl Step for Deploy {
    fn spec(&self) -> Spec {
        Spec { name: DEPLOY, needs: &[RESOURCES], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        let Some(deploy) = &self.app.deploy else { return Ok(Progress::done("no app is configured")) };
        let variables = super::variables(cx.scope, &self.app.vars)?;
        let images = filled(&deploy.images, &variables, "deploy.images")?;
        // First, as often as it takes: the clusters are left in peace meanwhile.
        if !self.pushed.load(Ordering::Relaxed) {
            if let Some(wait) = self.awaited(&images, cx.clock).await? {
                return Ok(Progress::Waiting(wait));
            }
            self.pushed.store(true, Ordering::Relaxed);
        }
        let rendered =
            self.rendered.get_or_try_init(|| self.render(deploy, cx.scope, &variables, &images)).await?;
        match cx.enter().await? {
            Ok(access) => self.within(cx, &access, deploy, rendered).await,
            Err(wait) => Ok(Progress::Waiting(wait)),
        }
    }

    async fn remove(&self, cx: &Context<'_>) -> Result<Progress> {
        match cx.scope.removal.elsewhere.is_empty() {
            true => Ok(Progress::done("goes with the cluster")),
            false => argo_cd::remove(&self.clusters, cx).await,
        }
    }

    async fn remains(&self, cx: &Context<'_>) -> Result<Option<String>> {
        argo_cd::remains(&self.clusters, cx).await
    }

    async fn traces(&self, field: &Field<'_>) -> Result<Vec<Trace>> {
        match &self.hand_over {
            Some(hand_over) => hand_over.traces(field).await,
            None => Ok(Vec::new()),
        }
    }
}

impl Deploy {
    async fn within(
        &self,
        cx: &Context<'_>,
        inside: &Access,
        deploy: &settings::Deploy,
        Ready { objects, jobs, application }: &Ready,
    ) -> Result<Progress> {
        if let (Some(application), Some(hand_over)) = (application, &self.hand_over) {
            return hand_over.ensure(cx, inside, application).await;
        }
        let waits = install::install(cx, inside, DEPLOY, objects, &deploy.namespace).await?;
        // Each when the one before has completed; the app itself may well need them to get ready.
        for job in jobs {
            let job = std::slice::from_ref(job);
            let done = install::install(cx, inside, DEPLOY, job, &deploy.namespace).await?;
            if let Some(wait) = done {
                return Ok(Progress::Waiting(wait));
            }
        }
        if let Some(wait) = waits {
            return Ok(Progress::Waiting(wait));
        }
        if let Some(wait) = outdated::remove(cx, inside, objects).await? {
            return Ok(Progress::Waiting(wait));
        }
        let sha = cx.scope.head().map_or(String::new(), |head| format!(" at {}", head.short()));
        let detail = self
            .rolled(inside, objects, deploy)
            .await
            .unwrap_or_else(|| format!("{} objects", objects.len()));
        Ok(Progress::Done(format!("{detail}{sha}")))
    }

    /// `None`: all images are in their registries.
    async fn awaited(&self, images: &BTreeMap<String, String>, clock: &Clock) -> Result<Option<Wait>> {
        let Some(registries) = &self.registries else { return Ok(None) };
        let each = images.iter().map(|(name, reference)| async move {
            let wrong = || {
                UserError::usage(format!("`deploy.images.{name}` is no reference of an image: {reference:?}"))
            };
            let image: Image = reference.parse().with_context(wrong)?;
            match registries.find(&image).await {
                Ok(Presence::Present(_)) => Ok(None),
                Ok(Presence::Absent) => Ok(Some(reference)),
                Err(failure) => Err(asking(reference, failure)),
            }
        });
        let mut missing = None;
        for found in join_all(each).await {
            missing = missing.or(found?);
        }
        Ok(missing.map(|reference| {
            let on = format!("`{reference}` to be pushed; its registry answers 404");
            Wait::new(on, self.asking.next(clock))
        }))
    }

    async fn render(
        &self,
        deploy: &settings::Deploy,
        scope: &Scope,
        variables: &Variables,
        images: &BTreeMap<String, String>,
    ) -> Result<Ready> {
        let Rendered { mut objects, application } = self.renderer.render(&deploy.source, variables).await?;
        let literals = filled(&deploy.replace, variables, "deploy.replace")?;
        if let Some(mut application) = application {
            let place =
                || UserError::new(Exit::Failed, format!("{}: it cannot be handed over", deploy.source.place));
            app::replace(std::slice::from_mut(&mut application), &literals).with_context(place)?;
            return Ok(Ready { objects: Vec::new(), jobs: Vec::new(), application: Some(application) });
        }
        let mut jobs = Vec::new();
        for file in &deploy.after {
            jobs.extend(after(file, variables, scope.head())?);
        }
        let place = || {
            UserError::new(
                Exit::Failed,
                format!("{}: the app cannot be deployed as it is", deploy.source.place),
            )
        };
        // Both together: an image or a host may stand in a Job alone.
        let own = objects.len();
        objects.extend(jobs);
        app::set_images(&mut objects, images).with_context(place)?;
        app::replace(&mut objects, &literals).with_context(place)?;
        let jobs = objects.split_off(own);
        let named = deploy.namespace.as_ref();
        let is_made = |object: &Value| object["kind"] == "Namespace" && object["metadata"]["name"] == named;
        if named != "default" && !objects.iter().any(is_made) {
            objects.insert(0, super::namespace(named));
        }
        Ok(Ready { objects, jobs, application: None })
    }

    /// `deployment/shop 2/2`: words for the report alone, so `None` stands for an outage too.
    async fn rolled(&self, inside: &Access, objects: &[Value], deploy: &settings::Deploy) -> Option<String> {
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment")?;
        let name = deployment["metadata"]["name"].as_str()?;
        let namespace = deployment["metadata"]["namespace"].as_str().unwrap_or(deploy.namespace.as_ref());
        let area = Area::of("apps/v1", "Deployment").within(namespace);
        let survey = inside.kubernetes.survey(&area).await.ok()?;
        let found = survey.objects().find(|object| object.name().name == name)?.value().clone();
        let (available, wanted) =
            (found["status"]["availableReplicas"].as_i64().unwrap_or(0), found["spec"]["replicas"].as_i64()?);
        Some(format!("deployment/{name} {available}/{wanted}"))
    }
}

/// The Jobs of a file. A Job cannot be changed, so each commit has its own.
fn after(file: &std::path::Path, variables: &Variables, head: Option<&HeadSha>) -> Result<Vec<Value>> {
    let files::Text { name, text } = files::text(file)?;
    let mut jobs =
        yaml::filled(&name, &text, variables).map_err(|wrong| UserError::new(Exit::Failed, wrong))?;
    for job in &mut jobs {
        if job["kind"] != "Job" {
            let message = format!("{name}: {} under `deploy.after` is no Job", job["kind"]);
            return Err(UserError::new(Exit::Failed, message)
                .hint("what is no Job belongs into the manifests")
                .into());
        }
        if let (Some(head), Some(own)) = (head, job["metadata"]["name"].as_str()) {
            // 63 is the longest name that its pods' labels can hold.
            let own: String = own.chars().take(55).collect();
            job["metadata"]["name"] = json!(format!("{}-{}", own.trim_end_matches('-'), head.short()));
        }
    }
    Ok(jobs)
}

/// What stands behind names, with all placeholders substituted.
fn filled(
    of: &BTreeMap<impl ToString, impl AsRef<str>>,
    variables: &Variables,
    key: &str,
) -> Result<BTreeMap<String, String>> {
    let each = of.iter().map(|(name, text)| {
        let name = name.to_string();
        let filled = variables.fill(&text.as_ref().into()).map_err(|mistakes| {
            let why =
                mistakes.first().map_or_else(String::new, |mistake| explain(mistake, variables.names()));
            UserError::usage(format!("`{key}.{name}`: {why}"))
        })?;
        let text = filled.as_str().map_or_else(|| filled.to_string(), str::to_owned);
        Ok((name, text))
    });
    each.collect()
}

fn asking(reference: &str, failure: Failure) -> anyhow::Error {
    let hint = match failure.kind {
        Kind::Refused => {
            "log in to the registry on this machine (`docker login`), with an account that may pull"
        }
        Kind::Invalid => "correct the reference under `deploy.images`",
        Kind::Unavailable { .. } | Kind::Conflict | Kind::Superseded => "does the registry answer from here?",
    };
    let message = format!("could not find out whether {reference} is in its registry");
    anyhow::Error::new(failure).context(UserError::new(Exit::Unknown, message).hint(hint))
}
