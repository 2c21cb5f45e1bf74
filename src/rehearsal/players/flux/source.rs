//! Charts: asked for by a release, packed from a source.

use super::{
    Change, Draft, Objects, Pace, Reaction, digest, find, is_going, name, namespace, number, text, yes,
};
use crate::rehearsal::players::{
    Kind,
    conditions::{is_true, since, stamp, tell},
};
use jiff::Timestamp;
use serde_json::{Value, json};

const GROUP: &str = "source.toolkit.fluxcd.io";
pub(super) const CHART: Kind = Kind { group: GROUP, version: "v1", kind: "HelmChart", plural: "helmcharts" };
pub(super) const GIT: Kind =
    Kind { group: GROUP, version: "v1", kind: "GitRepository", plural: "gitrepositories" };

pub(super) fn react(reaction: &mut Reaction, objects: &Objects<'_>, pace: &Pace, now: Timestamp) {
    for git in objects.all(GIT).filter(|git| !is_going(git) && !yes(git, "/spec/suspend")) {
        let mut draft = Draft::of(GIT, git);
        let branch =
            ["tag", "semver", "branch"].into_iter().find_map(|field| git["spec"]["ref"][field].as_str());
        let sum = digest(&git["spec"]);
        let revision = format!("{}@sha1:{}", branch.unwrap_or("master"), &sum[7..47]);
        let message = format!("stored artifact for revision '{revision}'");
        artifact(&mut draft, git, "gitrepository", &revision, now);
        tell(&mut draft, now, "Ready", "True", "Succeeded", &message);
        tell(&mut draft, now, "ArtifactInStorage", "True", "Succeeded", &message);
        observe(&mut draft, git);
        reaction.push(draft.end());
    }
    for chart in objects.all(CHART).filter(|chart| !is_going(chart) && !yes(chart, "/spec/suspend")) {
        let mut draft = Draft::of(CHART, chart);
        pack(&mut draft, reaction, objects, chart, pace, now);
        reaction.push(draft.end());
    }
}

fn pack(
    draft: &mut Draft<'_>,
    reaction: &mut Reaction,
    objects: &Objects<'_>,
    chart: &Value,
    pace: &Pace,
    now: Timestamp,
) {
    let generation = number(chart, "/metadata/generation");
    if is_true(chart, "Ready") && generation == number(chart, "/status/observedGeneration") {
        return;
    }
    let (kind, called) = (text(chart, "/spec/sourceRef/kind"), text(chart, "/spec/sourceRef/name"));
    let git = objects.get(GIT, namespace(chart), called);
    // Repositories of charts and buckets are not played: they are there.
    let lacks = match git {
        _ if kind != GIT.kind => None,
        None => {
            let why = format!("failed to get source: {}.{GROUP} {called:?} not found", GIT.plural);
            Some(("SourceUnavailable", why))
        }
        Some(git) if git["status"]["artifact"].is_null() => {
            Some(("NoSourceArtifact", format!("no artifact available for {kind} source '{called}'")))
        }
        Some(_) => None,
    };
    if let Some((reason, why)) = lacks {
        tell(draft, now, "FetchFailed", "True", reason, &why);
        return tell(draft, now, "Ready", "False", reason, &why);
    }
    draft.list(&["status", "conditions"]).retain(|condition| condition["type"] != "FetchFailed");
    let building = since(chart, "Reconciling", "ProgressingWithRetry")
        .filter(|_| find(chart, "Reconciling").and_then(|c| number(c, "/observedGeneration")) == generation);
    let Some(building) = building else {
        draft.list(&["status", "conditions"]).retain(|condition| condition["type"] != "Reconciling");
        return tell(draft, now, "Reconciling", "True", "ProgressingWithRetry", "building artifact");
    };
    if !reaction.passed(building, pace.chart, now) {
        return;
    }
    draft.list(&["status", "conditions"]).retain(|condition| condition["type"] != "Reconciling");
    let wanted = text(chart, "/spec/version");
    // A range is met by some version; a plain version by itself.
    let is_plain = wanted.starts_with(|c: char| c.is_ascii_digit());
    let version = if is_plain { wanted } else { "0.1.0" };
    let message = format!("packaged '{}' chart with version '{version}'", text(chart, "/spec/chart"));
    artifact(draft, chart, "helmchart", version, now);
    tell(draft, now, "Ready", "True", "ChartPackageSucceeded", &message);
    tell(draft, now, "ArtifactInStorage", "True", "ChartPackageSucceeded", &message);
    observe(draft, chart);
}

/// Why a chart is of no use so far, in the words of who asked for it.
pub(super) fn lacks(chart: &Value) -> &str {
    match find(chart, "Ready").filter(|ready| ready["status"] == "False") {
        Some(ready) => text(ready, "/message"),
        None => "latest generation of object has not been reconciled",
    }
}

fn observe(draft: &mut Draft<'_>, object: &Value) {
    if let Some(generation) = number(object, "/metadata/generation") {
        draft.set(&["status", "observedGeneration"], generation);
    }
}

fn artifact(draft: &mut Draft<'_>, object: &Value, kind: &str, revision: &str, now: Timestamp) {
    if text(object, "/status/artifact/revision") == revision {
        return;
    }
    let path = format!("{kind}/{}/{}/{revision}.tar.gz", namespace(object), name(object));
    let url = format!("http://source-controller.flux-system.svc.cluster.local./{path}");
    let artifact = json!({
        "revision": revision, "path": path, "url": url, "digest": digest(&object["spec"]),
        "lastUpdateTime": stamp(now),
    });
    draft.set(&["status", "artifact"], artifact);
}

/// The chart that a release refers to, made and kept as the release asks.
pub(super) fn chart_of<'a>(
    reaction: &mut Reaction,
    objects: &Objects<'a>,
    release: &Value,
) -> Option<&'a Value> {
    let reference = &release["spec"]["chartRef"];
    if reference.is_object() {
        let at = match text(reference, "/namespace") {
            "" => namespace(release),
            at => at,
        };
        return objects.get(CHART, at, text(reference, "/name"));
    }
    let template = &release["spec"]["chart"];
    let at = match text(template, "/spec/sourceRef/namespace") {
        "" => namespace(release),
        at => at,
    };
    let called = format!("{}-{}", namespace(release), name(release));
    let spec = spec_of(release)?;
    let Some(chart) = objects.get(CHART, at, &called) else {
        let chart = json!({
            "apiVersion": CHART.api_version(), "kind": CHART.kind,
            "metadata": {
                "namespace": at, "name": called, "annotations": template["metadata"]["annotations"],
                "labels": {
                    "helm.toolkit.fluxcd.io/name": name(release),
                    "helm.toolkit.fluxcd.io/namespace": namespace(release),
                },
            },
            "spec": spec,
        });
        reaction.push([Change::Create(chart)]);
        return None;
    };
    let differs =
        spec.as_object().is_some_and(|spec| spec.iter().any(|(key, value)| chart["spec"][key] != *value));
    if differs && !is_going(chart) {
        let mut draft = Draft::of(CHART, chart);
        for (key, value) in spec.as_object().into_iter().flatten() {
            draft.set(&["spec", key], value.clone());
        }
        // In place of what else was to be done to it at this look.
        let is_it =
            |change: &Change| matches!(change, Change::MergeStatus(target, _) if target.name == called);
        reaction.changes.retain(|change| !is_it(change));
        reaction.push(draft.end());
        return None;
    }
    Some(chart)
}

/// As the release's template says, without what belongs to the reference.
fn spec_of(release: &Value) -> Option<Value> {
    let mut spec = release["spec"]["chart"]["spec"].as_object()?.clone();
    if let Some(source) = spec.get_mut("sourceRef").and_then(Value::as_object_mut) {
        source.remove("namespace");
    }
    spec.entry("interval").or_insert_with(|| release["spec"]["interval"].clone());
    Some(spec.into())
}
