//! Flux: its source-controller as far as charts go ([`source`]), and its helm-controller.
//!
//! The charts' own objects are not made. Not played: drift, tests, remediation by rollback, `valuesFrom`.

mod source;

use super::{
    Change, Kind, Objects, Pace, Player, Reaction,
    conditions::{find, is_true, since, stamp, tell},
    draft::Draft,
    objects::{has_finalizer, is_going, list, name, namespace, number, target, text, time, yes},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use source::CHART;

const RELEASE: Kind =
    Kind { group: "helm.toolkit.fluxcd.io", version: "v2", kind: "HelmRelease", plural: "helmreleases" };
const FINALIZER: &str = "finalizers.fluxcd.io";
/// A release whose values say so does not come up; what they say is why.
pub const FAILS: &str = "rehearsalFailure";
/// How many revisions a release remembers.
const HISTORY: usize = 5;

/// Both controllers.
#[derive(Debug, Clone)]
pub struct Flux {
    /// How long charts and releases take.
    pub pace: Pace,
}

impl Player for Flux {
    fn name(&self) -> &'static str {
        "helm-controller"
    }

    fn watches(&self) -> &'static [Kind] {
        &[RELEASE, CHART, source::GIT]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        source::react(&mut reaction, objects, &self.pace, now);
        for release in objects.all(RELEASE) {
            if is_going(release) {
                self.uninstall(&mut reaction, objects, release, now);
            } else if !yes(release, "/spec/suspend") {
                self.keep(&mut reaction, objects, release, now);
            }
        }
        reaction
    }
}

/// What an attempt is made of; another of them is another attempt.
struct Attempt<'a> {
    revision: &'a str,
    digest: String,
    generation: i64,
    action: &'static str,
}

impl Flux {
    fn keep(&self, reaction: &mut Reaction, objects: &Objects<'_>, release: &Value, now: Timestamp) {
        let mut draft = Draft::of(RELEASE, release);
        if draft.hold(FINALIZER) {
            return reaction.push(draft.end());
        }
        if let Some(waits) = depends(objects, release) {
            lacking(&mut draft, "DependencyNotReady", &waits, now);
            return reaction.push(draft.end());
        }
        if let Some(chart) = source::chart_of(reaction, objects, release) {
            draft.set(&["status", "helmChart"], format!("{}/{}", namespace(chart), name(chart)));
            let current =
                number(chart, "/metadata/generation") == number(chart, "/status/observedGeneration");
            if current && is_true(chart, "Ready") {
                self.attempt(&mut draft, reaction, release, chart, now);
            } else {
                let (at, called, why) = (namespace(chart), name(chart), source::lacks(chart));
                let message = format!("HelmChart '{at}/{called}' is not ready: {why}");
                lacking(&mut draft, "SourceNotReady", &message, now);
            }
        }
        reaction.push(draft.end());
    }

    fn attempt(
        &self,
        draft: &mut Draft<'_>,
        reaction: &mut Reaction,
        release: &Value,
        chart: &Value,
        now: Timestamp,
    ) {
        let installed = !list(release, "/status/history").is_empty();
        let attempt = Attempt {
            revision: text(chart, "/status/artifact/revision"),
            digest: digest(&release["spec"]["values"]),
            generation: number(release, "/metadata/generation").unwrap_or(0),
            action: if installed { "upgrade" } else { "install" },
        };
        let status = &release["status"];
        let begun = text(status, "/lastAttemptedRevision") == attempt.revision
            && text(status, "/lastAttemptedConfigDigest") == attempt.digest
            && number(status, "/lastAttemptedGeneration") == Some(attempt.generation);
        let running = find(release, "Ready").is_some_and(|ready| ready["reason"] == "Progressing");
        if begun && running {
            let since = since(release, "Reconciling", "Progressing").unwrap_or(Timestamp::MIN);
            if reaction.passed(since, self.pace.install, now) {
                match release["spec"]["values"][FAILS].as_str() {
                    Some(why) => failed(draft, release, &attempt, why, now),
                    None => succeeded(draft, release, chart, &attempt, now),
                }
                settle(draft, &attempt);
            }
        } else if let Some(released) = outcome(release, &attempt) {
            // As it was, whatever it lacked in between.
            let said = ["status", "reason", "message"].map(|field| released[field].as_str().unwrap_or(""));
            tell(draft, now, "Ready", said[0], said[1], said[2]);
            draft.set(&["status", "lastAttemptedGeneration"], attempt.generation);
            settle(draft, &attempt);
        } else {
            draft.set(&["status", "lastAttemptedRevision"], attempt.revision);
            draft.set(&["status", "lastAttemptedConfigDigest"], attempt.digest);
            draft.set(&["status", "lastAttemptedGeneration"], attempt.generation);
            draft.set(&["status", "lastAttemptedReleaseAction"], attempt.action);
            draft
                .list(&["status", "conditions"])
                .retain(|c| c["type"] != "Reconciling" && c["type"] != "Stalled");
            let message = format!("Running '{}' action with timeout of 5m0s", attempt.action);
            tell(draft, now, "Reconciling", "True", "Progressing", &message);
            tell(draft, now, "Ready", "Unknown", "Progressing", &message);
        }
    }

    fn uninstall(&self, reaction: &mut Reaction, objects: &Objects<'_>, release: &Value, now: Timestamp) {
        let begun = time(release, "/metadata/deletionTimestamp").unwrap_or(Timestamp::MIN);
        if !has_finalizer(release, FINALIZER) || !reaction.passed(begun, self.pace.uninstall, now) {
            return;
        }
        if let Some((at, called)) = text(release, "/status/helmChart").split_once('/')
            && let Some(chart) = objects.get(CHART, at, called).filter(|chart| !is_going(chart))
        {
            reaction.push([Change::Delete(target(CHART, chart))]);
        }
        let mut draft = Draft::of(RELEASE, release);
        draft.let_go(FINALIZER);
        reaction.push(draft.end());
    }
}

/// What must be there before anything is attempted.
fn lacking(draft: &mut Draft<'_>, reason: &str, message: &str, now: Timestamp) {
    tell(draft, now, "Reconciling", "True", "Progressing", "Fulfilling prerequisites");
    tell(draft, now, "Ready", "False", reason, message);
}

/// What this attempt came to, if it is over: a release that differs in neither chart nor values is the one that was made.
fn outcome<'a>(release: &'a Value, attempt: &Attempt<'_>) -> Option<&'a Value> {
    let released = find(release, "Released")?;
    let over = if released["status"] == "True" {
        let last = list(release, "/status/history").first()?;
        text(last, "/chartVersion") == attempt.revision && text(last, "/configDigest") == attempt.digest
    } else {
        number(released, "/observedGeneration") == Some(attempt.generation)
            && text(release, "/status/lastAttemptedRevision") == attempt.revision
    };
    over.then_some(released)
}

fn settle(draft: &mut Draft<'_>, attempt: &Attempt<'_>) {
    draft.list(&["status", "conditions"]).retain(|c| c["type"] != "Reconciling");
    draft.set(&["status", "observedGeneration"], attempt.generation);
}

fn release_name(release: &Value) -> String {
    match (text(release, "/spec/releaseName"), text(release, "/spec/targetNamespace")) {
        ("", "") => name(release).to_owned(),
        ("", target) => format!("{target}-{}", name(release)),
        (written, _) => written.to_owned(),
    }
}

fn release_namespace(release: &Value) -> &str {
    match text(release, "/spec/targetNamespace") {
        "" => namespace(release),
        target => target,
    }
}

fn succeeded(draft: &mut Draft<'_>, release: &Value, chart: &Value, attempt: &Attempt<'_>, now: Timestamp) {
    let history = list(release, "/status/history");
    let version = history.first().and_then(|last| number(last, "/version")).unwrap_or(0).saturating_add(1);
    let (called, at) = (release_name(release), release_namespace(release));
    let chart = text(chart, "/spec/chart").rsplit('/').next().unwrap_or("").to_owned();
    let first = history.last().and_then(|first| first.get("firstDeployed")).cloned();
    let snapshot = json!({
        "name": called, "namespace": at, "version": version, "status": "deployed",
        "chartName": chart, "chartVersion": attempt.revision, "configDigest": attempt.digest,
        "digest": digest(&json!([called, at, version, attempt.digest])),
        "firstDeployed": first.unwrap_or_else(|| stamp(now).into()), "lastDeployed": stamp(now),
    });
    let mut kept = vec![snapshot];
    for old in history.iter().take(HISTORY - 1).filter(|old| old.is_object()) {
        let mut old = old.clone();
        old["status"] = "superseded".into();
        kept.push(old);
    }
    draft.set(&["status", "history"], kept);
    draft.set(&["status", "storageNamespace"], namespace(release));
    for counter in ["failures", "installFailures", "upgradeFailures"] {
        draft.unset(&["status", counter]);
    }
    let reason = if attempt.action == "install" { "InstallSucceeded" } else { "UpgradeSucceeded" };
    let message = format!(
        "Helm {} succeeded for release {at}/{called}.v{version} with chart {chart}@{}",
        attempt.action, attempt.revision
    );
    tell(draft, now, "Released", "True", reason, &message);
    tell(draft, now, "Ready", "True", reason, &message);
}

fn failed(draft: &mut Draft<'_>, release: &Value, attempt: &Attempt<'_>, why: &str, now: Timestamp) {
    let (reason, counter) = match attempt.action {
        "install" => ("InstallFailed", "installFailures"),
        _ => ("UpgradeFailed", "upgradeFailures"),
    };
    for counter in ["failures", counter] {
        let before = release["status"][counter].as_i64().unwrap_or(0);
        draft.set(&["status", counter], before.saturating_add(1));
    }
    let (called, at) = (release_name(release), release_namespace(release));
    let message = format!(
        "Helm {} failed for release {at}/{called} with chart {}: {why}",
        attempt.action, attempt.revision
    );
    tell(draft, now, "Released", "False", reason, &message);
    tell(draft, now, "Ready", "False", reason, &message);
    let stalled = format!("Failed to {} after 1 attempt(s)", attempt.action);
    tell(draft, now, "Stalled", "True", "RetriesExceeded", &stalled);
}

/// The first dependency that is not ready.
fn depends(objects: &Objects<'_>, release: &Value) -> Option<String> {
    list(release, "/spec/dependsOn").iter().find_map(|on| {
        let at = match text(on, "/namespace") {
            "" => namespace(release),
            at => at,
        };
        let called = text(on, "/name");
        let ready = objects.get(RELEASE, at, called).is_some_and(|other| {
            let current =
                number(other, "/metadata/generation") == number(other, "/status/observedGeneration");
            current && is_true(other, "Ready")
        });
        (!ready).then(|| format!("dependency '{at}/{called}' is not ready"))
    })
}

fn digest(value: &Value) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, value.to_string().as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
