//! The helm-controller of k3s: for each HelmChart a Job that installs it, and what that Job then makes of the chart
//! ([`charts`]).
//!
//! As the real one, it says `Failed` of a HelmChart only when it could make no Job of it: whether Helm has come to its end
//! is the Job's to say. What becomes of the Job's pod, and of the release's, stands in the HelmChart's annotations: those of
//! [`play`] are its Job's, [`RELEASE`] is what becomes of every pod of the release. Not played: what is in a chart but what
//! [`charts`] knows, rollbacks, credentials of repositories.

mod charts;
mod job;

use super::{
    Change, Kind, Objects, Pace, Player, Reaction,
    conditions::is_true,
    definitions::DEFINITION,
    draft::Draft,
    k3s_server::{NAMESPACE, namespace as make_namespace},
    objects::{SECRET, annotation, has_finalizer, is_going, label, name, namespace, target, text, yes},
    workloads::{CONFIG_MAP, DEPLOYMENT, EVENT, JOB, SERVICE, events::Teller},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What becomes of the pods of a HelmChart's release: a word of [`super::workloads::play`].
pub const RELEASE: &str = "play.berth.dev/release";

pub(super) const HELM_CHART: Kind =
    Kind { group: "helm.cattle.io", version: "v1", kind: "HelmChart", plural: "helmcharts" };
const HELM_CHART_CONFIG: Kind =
    Kind { group: "helm.cattle.io", version: "v1", kind: "HelmChartConfig", plural: "helmchartconfigs" };
const SERVICE_ACCOUNT: Kind =
    Kind { group: "", version: "v1", kind: "ServiceAccount", plural: "serviceaccounts" };
const BINDING: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
};
const VALIDATING: Kind = Kind {
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingWebhookConfiguration",
    plural: "validatingwebhookconfigurations",
};
const FINALIZER: &str = "wrangler.cattle.io/on-helm-chart-remove";
const MANAGED_BY: &str = "helmcharts.cattle.io/managed-by";
const UNMANAGED: &str = "helmcharts.helm.cattle.io/unmanaged";
const CONTROLLER: &str = "helm-controller";
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// On a Job: the revision of the release that it has made.
const MADE: &str = "play.berth.dev/revision";

/// The helm-controller, and the Helm of its Jobs.
#[derive(Debug, Clone)]
pub struct HelmController {
    /// How long Helm takes.
    pub pace: Pace,
}

impl Player for HelmController {
    fn name(&self) -> &'static str {
        CONTROLLER
    }

    fn watches(&self) -> &'static [Kind] {
        &[
            HELM_CHART,
            HELM_CHART_CONFIG,
            JOB,
            NAMESPACE,
            DEPLOYMENT,
            SERVICE,
            SERVICE_ACCOUNT,
            SECRET,
            CONFIG_MAP,
            DEFINITION,
            VALIDATING,
            BINDING,
            EVENT,
        ]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        for chart in objects.all(HELM_CHART).filter(|chart| is_managed(chart)) {
            let look = Look { pace: self.pace, objects, chart, now };
            if is_going(chart) {
                look.end(&mut reaction);
            } else {
                look.keep(&mut reaction);
            }
        }
        reaction
    }
}

fn is_managed(chart: &Value) -> bool {
    let named = !text(chart, "/spec/chart").is_empty() || !text(chart, "/spec/chartContent").is_empty();
    let other = !matches!(annotation(chart, MANAGED_BY), "" | CONTROLLER);
    named && !other && chart["metadata"]["annotations"][UNMANAGED].is_null()
}

/// One HelmChart.
struct Look<'a> {
    pace: Pace,
    objects: &'a Objects<'a>,
    chart: &'a Value,
    now: Timestamp,
}

impl<'a> Look<'a> {
    fn config(&self) -> Option<&'a Value> {
        self.objects.get(HELM_CHART_CONFIG, namespace(self.chart), name(self.chart))
    }

    /// Where the release goes.
    fn place(&self) -> &'a str {
        match text(self.chart, "/spec/targetNamespace") {
            "" => namespace(self.chart),
            place => place,
        }
    }

    fn job(&self, action: &str) -> Option<&'a Value> {
        self.objects.get(JOB, namespace(self.chart), &format!("helm-{action}-{}", name(self.chart)))
    }

    fn keep(&self, reaction: &mut Reaction) {
        let mut draft = Draft::of(HELM_CHART, self.chart);
        let held = draft.hold(FINALIZER);
        if held || annotation(self.chart, MANAGED_BY).is_empty() {
            draft.set(&["metadata", "annotations", MANAGED_BY], CONTROLLER);
            return reaction.push(draft.end());
        }
        if !matches!(text(self.chart, "/spec/helmVersion"), "" | "v3") {
            conditions(&mut draft, Err(("Unsupported version", "Only Helm v3 charts are supported")));
            return reaction.push(draft.end());
        }
        self.run("install", &mut draft, reaction);
        reaction.push(draft.end());
        if let Some(job) =
            self.job("install").filter(|job| is_true(job, "Complete") && self.is_current(job, "install"))
        {
            self.install(job, reaction);
        }
    }

    /// Whether a Job does what the HelmChart says by now.
    fn is_current(&self, job: &Value, action: &str) -> bool {
        let wanted = self.make_job(action);
        text(job, job::HASH) == text(&wanted, job::HASH)
    }

    /// The Job, with what it needs; one that is for something older goes first.
    fn run(&self, action: &str, draft: &mut Draft<'_>, reaction: &mut Reaction) {
        let place = namespace(self.chart);
        match self.job(action) {
            Some(job) if !is_going(job) && !self.is_current(job, action) => {
                reaction.push([Change::Delete(target(JOB, job))]);
            }
            Some(_) => {}
            None => reaction.push([Change::Create(self.make_job(action))]),
        }
        for (kind, object) in self.needs() {
            match self.objects.get(kind, namespace(&object), name(&object)) {
                None => reaction.push([Change::Create(object)]),
                Some(known) => {
                    let mut kept = Draft::of(kind, known);
                    // A server keeps no empty map.
                    let says = |one: &Value| one["data"].as_object().is_some_and(|data| !data.is_empty());
                    if says(&object) || says(known) && object["data"].is_object() {
                        kept.set(&["data"], object["data"].clone());
                    }
                    reaction.push(kept.end());
                }
            }
        }
        let called = format!("helm-{action}-{}", name(self.chart));
        let message = format!("Applying HelmChart using Job {place}/{called}");
        draft.set(&["status", "jobName"], called);
        if action == "install" {
            conditions(draft, Ok(&message));
            let teller = Teller { objects: self.objects, component: CONTROLLER, now: self.now };
            teller.note(reaction, HELM_CHART, self.chart, "ApplyJob", &message);
        }
    }

    /// What Helm makes of the chart, once for each Job: what is taken away from a release later stays away.
    fn install(&self, job: &Value, reaction: &mut Reaction) {
        let place = self.place();
        if !annotation(job, MADE).is_empty() {
            return;
        }
        if self.objects.get(NAMESPACE, "", place).is_none() {
            return reaction.push([Change::Create(make_namespace(place))]);
        }
        let records: Vec<&Value> = self.records().collect();
        for (kind, object) in charts::objects(self.chart, self.config(), place) {
            match self.objects.get(kind, namespace(&object), name(&object)) {
                None => reaction.push([Change::Create(object)]),
                Some(known) if is_going(known) => {}
                Some(known) => {
                    let mut upgraded = Draft::of(kind, known);
                    for field in ["spec", "webhooks"] {
                        if !object[field].is_null() {
                            upgraded.set(&[field], object[field].clone());
                        }
                    }
                    reaction.push(upgraded.end());
                }
            }
        }
        for record in &records {
            let mut older = Draft::of(SECRET, record);
            older.set(&["metadata", "labels", "status"], "superseded");
            reaction.push(older.end());
        }
        let number = records.iter().filter_map(|record| label(record, "version").parse::<u64>().ok()).max();
        let number = number.unwrap_or(0).saturating_add(1);
        let mut made = Draft::of(JOB, job);
        made.set(&["metadata", "annotations", MADE], number.to_string());
        reaction.push(made.end());
        reaction.push([Change::Create(json!({
            "apiVersion": "v1", "kind": SECRET.kind, "type": "helm.sh/release.v1",
            "metadata": {
                "namespace": place, "name": format!("sh.helm.release.v1.{}.v{number}", name(self.chart)),
                "labels": {
                    "name": name(self.chart), "owner": "helm", "status": "deployed", "version": number.to_string(),
                },
            },
        }))]);
    }

    /// What Helm keeps of a release: a Secret for each of its revisions.
    fn records(&self) -> impl Iterator<Item = &'a Value> {
        let (place, called) = (self.place(), name(self.chart));
        self.objects.all(SECRET).filter(move |secret| {
            namespace(secret) == place && label(secret, "owner") == "helm" && label(secret, "name") == called
        })
    }

    /// Uninstalls, and only then lets go.
    fn end(&self, reaction: &mut Reaction) {
        if !has_finalizer(self.chart, FINALIZER) {
            return;
        }
        reaction.push(self.job("install").map(|job| Change::Delete(target(JOB, job))));
        let mut draft = Draft::of(HELM_CHART, self.chart);
        let done = self.job("delete").filter(|job| is_true(job, "Complete"));
        let Some(job) = done else {
            self.run("delete", &mut draft, reaction);
            return reaction.push(draft.end());
        };
        let left: Vec<Change> = self.release().collect();
        if !left.is_empty() {
            return reaction.push(left);
        }
        reaction.push([Change::Delete(target(JOB, job))]);
        let needs = self.needs().into_iter();
        let needs = needs.filter_map(|(kind, object)| {
            self.objects.get(kind, namespace(&object), name(&object)).map(|known| (kind, known))
        });
        reaction.push(needs.map(|(kind, known)| Change::Delete(target(kind, known))));
        draft.let_go(FINALIZER);
        reaction.push(draft.end());
    }

    /// All that Helm takes away with a release.
    fn release(&self) -> impl Iterator<Item = Change> {
        let ours = move |object: &&Value| {
            annotation(object, RELEASE_NAME) == name(self.chart)
                && annotation(object, RELEASE_NAMESPACE) == self.place()
                && annotation(object, "helm.sh/resource-policy") != "keep"
                && !is_going(object)
        };
        let kinds = [DEPLOYMENT, SERVICE, SERVICE_ACCOUNT, VALIDATING, DEFINITION];
        let made = kinds.into_iter().flat_map(move |kind| {
            self.objects.all(kind).filter(ours).map(move |object| Change::Delete(target(kind, object)))
        });
        made.chain(self.records().map(|record| Change::Delete(target(SECRET, record))))
    }
}

/// A HelmChart's conditions have no times.
fn conditions(draft: &mut Draft<'_>, made: Result<&str, (&str, &str)>) {
    let said = match made {
        Ok(message) => json!([
            { "type": "JobCreated", "status": "True", "reason": "Job created", "message": message },
            { "type": "Failed", "status": "False" },
        ]),
        Err((reason, message)) => json!([
            { "type": "JobCreated", "status": "False" },
            { "type": "Failed", "status": "True", "reason": reason, "message": message },
        ]),
    };
    draft.set(&["status", "conditions"], said);
}
