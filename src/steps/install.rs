//! What is put into an environment and is to be at work there: applied, then watched until all of it is.
//!
//! Must never: render twice in one run; write where nothing differs; call something ready that a chart is still bringing.

use super::{Context, sources};
use crate::{
    clients::kubernetes::{
        Area, Kubernetes, Seen, Survey,
        manifest::Bundle,
        readiness::{Readiness, readiness},
    },
    domain::{claim::ObjectName, plan::StepName, template::Variables},
    errors::{Exit, UserError},
    progress::Wait,
    providers::Access,
    settings::{Namespace, Source},
};
use anyhow::Result;
use futures::future::try_join_all;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::OnceCell;

/// Sources, rendered once a run.
pub(super) struct Rendering {
    pub(super) sources: Vec<Source>,
    pub(super) renderer: Arc<sources::Renderer>,
    rendered: OnceCell<Vec<Value>>,
}

impl Rendering {
    pub(super) fn new(sources: Vec<Source>, renderer: Arc<sources::Renderer>) -> Self {
        Self { sources, renderer, rendered: OnceCell::new() }
    }

    /// All objects of all of them.
    pub(super) async fn objects(&self, variables: &Variables) -> Result<&[Value]> {
        let render = || async {
            let each = self.sources.iter().map(|source| self.renderer.render(source, variables));
            let mut objects = Vec::new();
            for rendered in try_join_all(each).await? {
                objects.extend(rendered.objects);
            }
            Ok::<_, anyhow::Error>(objects)
        };
        Ok(self.rendered.get_or_try_init(render).await?)
    }
}

/// Applies them for a step, and looks how far they are; `None`: all are at work. Objects that name no namespace go into
/// this one.
pub(super) async fn install(
    cx: &Context<'_>,
    inside: &Access,
    step: StepName,
    objects: &[Value],
    namespace: &Namespace,
) -> Result<Option<Wait>> {
    // The cluster is the environment's as a whole: what it already has of these is not made anybody's.
    let is_shared = |object: &&Value| {
        ["Namespace", "CustomResourceDefinition"].iter().any(|kind| object["kind"] == *kind)
    };
    let shared: Vec<ObjectName> = objects.iter().filter(is_shared).map(ObjectName::of).collect();
    let bundle =
        Bundle::of(objects.iter().cloned())?.made_by(step).within(namespace.as_ref()).sharing(shared);
    let applied = inside.kubernetes.writer(cx.fence).apply(&bundle).await?;
    let names: Vec<ObjectName> = [applied.written, applied.marked, applied.unchanged].concat();
    let charts: Vec<&Value> = objects.iter().filter(|object| is_chart(object)).collect();
    let seen = inside
        .kubernetes
        .observe_all(&[names, charts.iter().map(|chart| job_of(chart)).collect()].concat())
        .await?;
    let mut waits = judged(&seen)?;
    // What charts bring is in nobody's manifests.
    let targets: BTreeSet<&str> =
        charts.iter().filter_map(|chart| chart["spec"]["targetNamespace"].as_str()).collect();
    for survey in brought(&inside.kubernetes, &targets).await? {
        waits.extend(judged(&survey.seen)?);
    }
    Ok((!waits.is_empty()).then(|| Wait::any(waits)))
}

/// The waits for those that are not ready; an error for one that has given up.
fn judged(seen: &[Seen]) -> Result<Vec<Wait>> {
    let mut pending: Vec<(Seen, String)> = Vec::new();
    for one in seen {
        let Some(object) = one.object() else {
            pending.push((one.clone(), "it is not there so far".to_owned()));
            continue;
        };
        match readiness(object.value()) {
            Readiness::Ready => {}
            Readiness::Pending(why) => pending.push((one.clone(), why)),
            Readiness::Broken(why) => {
                let message = format!("{} has given up: {why}", one.name());
                return Err(UserError::new(Exit::Failed, message)
                    .hint("`kubectl describe` in the environment tells more; `berth kubeconfig` leads there")
                    .into());
            }
        }
    }
    let Some((first, why)) = pending.first() else { return Ok(Vec::new()) };
    let more = match pending.len() {
        1 => String::new(),
        many => format!(", and {} more", many - 1),
    };
    let on = format!("{}: {why}{more}", first.name());
    let waited: Vec<Seen> = pending.into_iter().map(|(seen, _)| seen).collect();
    Ok(vec![Seen::any_changed(&waited, on)])
}

fn is_chart(object: &Value) -> bool {
    object["kind"] == "HelmChart"
        && object["apiVersion"].as_str().is_some_and(|version| version.starts_with("helm.cattle.io/"))
}

/// Who installs a chart.
fn job_of(chart: &Value) -> ObjectName {
    let name = ObjectName::of(chart);
    ObjectName {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        namespace: name.namespace,
        name: format!("helm-install-{}", name.name),
    }
}

async fn brought(environment: &Kubernetes, namespaces: &BTreeSet<&str>) -> Result<Vec<Survey>> {
    let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
    let areas: Vec<Area> = namespaces
        .iter()
        .flat_map(|namespace| kinds.map(|kind| Area::of("apps/v1", kind).within(*namespace)))
        .collect();
    try_join_all(areas.iter().map(|area| environment.survey(area))).await
}

/// Whether every kind that was defined is served, and everybody who is asked before something is stored answers.
pub(super) async fn extensions(environment: &Kubernetes) -> Result<Result<usize, Wait>> {
    let crds = environment.survey(&Area::of("apiextensions.k8s.io/v1", "CustomResourceDefinition")).await?;
    let count = crds.seen.len();
    if let Some(wait) = judged(&crds.seen)?.pop() {
        return Ok(Err(wait));
    }
    let group = "admissionregistration.k8s.io/v1";
    let areas = [
        Area::of(group, "ValidatingWebhookConfiguration"),
        Area::of(group, "MutatingWebhookConfiguration"),
        Area::of("discovery.k8s.io/v1", "EndpointSlice"),
    ];
    let surveys = try_join_all(areas.iter().map(|area| environment.survey(area))).await?;
    let asked = surveys[..2].iter().flat_map(Survey::objects).flat_map(|object| webhooks(object.value()));
    let silent = asked
        .filter(|(_, webhook)| !answers(webhook, surveys[2].objects().map(|slice| slice.value())))
        .map(|(name, _)| name);
    let Some(first) = silent.min() else { return Ok(Ok(count)) };
    let on = format!("the webhook {first} to have its certificate and somebody who answers");
    let waits: Vec<Wait> = surveys.into_iter().map(|survey| survey.changed("")).collect();
    Ok(Err(Wait { on, ..Wait::any(waits) }))
}

/// Each webhook of a configuration, with its name.
fn webhooks(configuration: &Value) -> Vec<(String, Value)> {
    let all = configuration["webhooks"].as_array().into_iter().flatten();
    all.map(|one| (one["name"].as_str().unwrap_or_default().to_owned(), one["clientConfig"].clone()))
        .collect()
}

/// One by a URL is somebody else's to look after.
fn answers<'a>(webhook: &Value, mut slices: impl Iterator<Item = &'a Value>) -> bool {
    let service = &webhook["service"];
    let Some(name) = service["name"].as_str() else { return true };
    let has_certificate = webhook["caBundle"].as_str().is_some_and(|bundle| !bundle.is_empty());
    has_certificate
        && slices.any(|slice| {
            let metadata = &slice["metadata"];
            let endpoints = slice["endpoints"].as_array().into_iter().flatten();
            metadata["namespace"] == service["namespace"]
                && metadata["labels"]["kubernetes.io/service-name"] == name
                && endpoints.into_iter().any(|endpoint| endpoint["conditions"]["ready"] != false)
        })
}
