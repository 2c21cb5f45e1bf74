//! What an earlier commit deployed and this one no longer has: it goes as soon as this one is at work, before anybody tests.
//!
//! This run has marked all that its commit has; so what is this step's and bears an older mark is no longer wanted. It is
//! looked for among the kinds that this commit has and those that apps usually have. Must never: take what another step
//! made, or a controller; be done before it is gone.

use crate::{
    clients::kubernetes::{
        Area, Dependents, Object, Owner, Seen,
        manifest::{ENVIRONMENT, STEP},
    },
    progress::Wait,
    providers::Access,
    steps::{Context, DEPLOY},
};
use anyhow::Result;
use futures::future::try_join_all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Of which an app may have lost its last one.
const USUAL: [(&str, &str); 18] = [
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("externaldns.k8s.io/v1alpha1", "DNSEndpoint"),
    ("helm.cattle.io/v1", "HelmChart"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "ConfigMap"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
];

/// With them would go what others have put there.
const SHARED: [&str; 2] = ["Namespace", "CustomResourceDefinition"];

/// `None`: there is nothing left of an earlier commit.
pub(super) async fn remove(cx: &Context<'_>, inside: &Access, objects: &[Value]) -> Result<Option<Wait>> {
    let own =
        objects.iter().filter_map(|object| Some((object["apiVersion"].as_str()?, object["kind"].as_str()?)));
    let kinds: BTreeSet<(&str, &str)> = own.chain(USUAL).filter(|(_, kind)| !SHARED.contains(kind)).collect();
    let labels = format!("{ENVIRONMENT}={},{STEP}={}", cx.scope.name, DEPLOY.as_str());
    let areas: Vec<Area> =
        kinds.iter().map(|(version, kind)| Area::of(version, kind).labelled(&labels)).collect();
    let surveys = try_join_all(areas.iter().map(|area| inside.kubernetes.survey(area))).await?;
    // One that is served in two versions is there twice.
    let mut outdated: BTreeMap<&str, &Seen> = BTreeMap::new();
    for seen in surveys.iter().flat_map(|survey| &survey.seen) {
        if let Some(object) = seen.object().filter(|object| is_outdated(cx, object)) {
            outdated.insert(object.uid(), seen);
        }
    }
    if outdated.is_empty() {
        return Ok(None);
    }
    // Looked at, then the claim, then exactly what was seen.
    cx.guard.look().await?;
    let writer = inside.kubernetes.writer(cx.fence);
    try_join_all(outdated.values().map(|seen| writer.delete(seen, Dependents::First))).await?;
    let outdated: Vec<Seen> = outdated.into_values().cloned().collect();
    let on = format!("{}: an earlier commit's, it is on its way out", outdated[0].name());
    Ok(Some(Seen::any_changed(&outdated, on)))
}

fn is_outdated(cx: &Context<'_>, object: &Object) -> bool {
    let is_made =
        object.value()["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    let claim = cx.fence.claim();
    match object.owner(&cx.scope.name) {
        Owner::Own(mark) if !is_made => {
            mark.claim.as_deref() != Some(claim.uid().as_ref()) || mark.generation < claim.generation()
        }
        _ => false,
    }
}
