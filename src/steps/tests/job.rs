//! Tests as a Job in the environment: applied under a name of this commit, waited for by watch, its log shown as it comes.
//!
//! Must never: let a Job that failed begin again by itself; lose its log because its pod was cleaned up early; follow a
//! log that has ended.

use super::{
    Lines, Tested,
    report::{self, Reports},
};
use crate::{
    clients::{
        files,
        kubernetes::{
            Area, Kubernetes, Object, Seen, Survey, Until,
            condition::{Condition, condition},
            manifest::Bundle,
        },
    },
    domain::{claim::ObjectName, results::Results},
    errors::{Exit, UserError},
    progress::Wait,
    steps::Context,
};
use anyhow::Result;
use futures::future::pending;
use serde_json::Value;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

mod manifest;

/// So much of a log is read; a report at the end of more is lost.
const READ: usize = 64 << 20;
/// So much of it is shown.
const SHOWN: usize = 16 << 20;

/// What was heard of the pod's log.
#[derive(Default, Clone)]
pub(super) struct Heard(Arc<Mutex<Option<Hearing>>>);

/// Of one pod.
struct Hearing {
    pod: String,
    /// How many bytes of it.
    taken: usize,
    line: Vec<u8>,
    shown: usize,
    reports: Reports,
    lines: Lines,
    is_over: bool,
}

impl Tested {
    /// Inner error: it has not ended, and what will wake us.
    pub(super) async fn job(
        &self,
        cx: &Context<'_>,
        (file, junit): (&Path, Option<&Path>),
        called: &str,
    ) -> Result<Result<Results, Wait>> {
        let access = match cx.enter().await? {
            Ok(access) => access,
            Err(wait) => return Ok(Err(wait)),
        };
        let job = self.wanted(cx, file, junit)?;
        let kubernetes = &access.kubernetes;
        let name = name_of(&job.value, self.namespace.as_ref());
        let bundle = Bundle::of([job.value])?.within(self.namespace.as_ref()).keeping_what_stands();
        kubernetes.writer(cx.fence).apply(&bundle).await?;
        let seen = kubernetes.observe(&name).await?;
        let Some(object) = seen.object() else {
            // Deleted since: the next look makes it anew.
            return Ok(Err(seen.changed(format!("{name}, which is not there"))));
        };
        let pods = self.pods(kubernetes, object).await?;
        let Some(end) = ended(object.value()) else {
            return Ok(Err(self.wait(kubernetes, &seen, pods, &job.container)?));
        };
        // What never began has nothing to say.
        if let Some(pod) = newest(&pods).filter(|pod| has_begun(pod.value(), &job.container)) {
            self.hear(kubernetes, pod, &job.container, Until::Now)?.await?;
        }
        let mut hearing = self.run.log.lock();
        // Dropped here: what is shown from now on is ours again.
        let reports = hearing.take().map(|hearing| hearing.reports).unwrap_or_default();
        let results = match (reports.is_empty(), junit) {
            (false, _) => reports.results(called),
            (true, None) => match &end {
                Ok(()) => report::passed(called),
                Err(why) => report::failed(called, why),
            },
            (true, Some(junit)) => {
                let why = end.as_ref().err().map_or(String::new(), |why| format!("{why}, and "));
                report::failed(called, &format!("{why}there is no JUnit of {} in its log", junit.display()))
            }
        };
        Ok(Ok(match end {
            Ok(()) => results,
            Err(why) => report::ended_badly(results, &why),
        }))
    }

    fn wanted(&self, cx: &Context<'_>, file: &Path, junit: Option<&Path>) -> Result<manifest::Wanted> {
        let wrong = |why: String| UserError::new(Exit::Failed, format!("`tests.job`: {why}"));
        let text = files::text(file)?;
        let variables = crate::steps::variables(cx.scope, &self.vars)?;
        let documents = crate::domain::yaml::filled(&text.name, &text.text, &variables)
            .map_err(|mistake| wrong(mistake.to_string()))?;
        let run = match cx.scope.head() {
            Some(head) => head.as_ref()[..12].to_owned(),
            None => format!("g{}", cx.fence.claim().generation()),
        };
        let wanted = manifest::wanted(documents, &run, self.limit(), junit);
        wanted.map_err(|why| {
            wrong(format!("{}: {why}", text.name))
                .hint("it is one Job of batch/v1, with one container")
                .into()
        })
    }

    async fn pods(&self, kubernetes: &Kubernetes, job: &Object) -> Result<Survey> {
        let namespace = job.name().namespace.clone().unwrap_or_default();
        let labels = format!("batch.kubernetes.io/controller-uid={}", job.uid());
        kubernetes.survey(&Area::of("v1", "Pod").within(namespace).labelled(labels)).await
    }

    /// For the Job and its pods to change, while the log is heard.
    fn wait(&self, kubernetes: &Kubernetes, job: &Seen, pods: Survey, container: &str) -> Result<Wait> {
        let newest = newest(&pods);
        let on = match newest.map(|pod| lacking(pod.value())) {
            Some(Some(why)) => format!("{}: its pod is not running: {why}", job.name()),
            Some(None) => format!("the tests of {}", job.name()),
            None => format!("{} to make its pod", job.name()),
        };
        let hearing = match newest.filter(|pod| has_begun(pod.value(), container)) {
            Some(pod) if !self.run.log.is_over(pod.uid()) => {
                let hearing = self.hear(kubernetes, pod, container, Until::TheEnd)?;
                Wait::new("", async move {
                    match hearing.await {
                        Ok(()) => Ok(()),
                        // What is lost of it is read once the Job has ended.
                        Err(error) => {
                            tracing::debug!("{error:#}");
                            pending().await
                        }
                    }
                })
            }
            _ => Wait::new("", pending()),
        };
        Ok(Wait { on, ..Wait::any(vec![job.changed(""), pods.changed(""), hearing]) })
    }

    /// The log of this pod, from where it was heard so far.
    fn hear(
        &self,
        kubernetes: &Kubernetes,
        pod: &Object,
        container: &str,
        until: Until,
    ) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
        let heard = self.run.log.clone();
        {
            let mut hearing = heard.lock();
            if hearing.as_ref().is_none_or(|hearing| hearing.pod != pod.uid()) {
                // Before the next begins: its end is shown first.
                *hearing = None;
                *hearing = Some(Hearing::new(pod.uid(), self.shown.begin()?));
            }
        }
        let (kubernetes, pod, container) = (kubernetes.clone(), pod.clone(), container.to_owned());
        Ok(async move {
            if heard.is_over(pod.uid()) {
                return Ok(());
            }
            let mut log = kubernetes.log(pod.name(), &container, until, READ).await?;
            let mut at = 0;
            while let Some(part) = log.next().await? {
                heard.take(pod.uid(), at, &part);
                at += part.len();
            }
            heard.finish(pod.uid());
            Ok(())
        })
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Option<Hearing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, pod: &str) -> bool {
        self.lock().as_ref().is_some_and(|hearing| hearing.pod == pod && hearing.is_over)
    }

    /// A part of the log that begins there.
    fn take(&self, pod: &str, at: usize, part: &[u8]) {
        if let Some(hearing) = self.lock().as_mut().filter(|hearing| hearing.pod == pod) {
            let known = hearing.taken.saturating_sub(at).min(part.len());
            hearing.taken += part.len() - known;
            part[known..].iter().for_each(|byte| hearing.byte(*byte));
        }
    }

    fn finish(&self, pod: &str) {
        if let Some(hearing) = self.lock().as_mut().filter(|hearing| hearing.pod == pod) {
            if !hearing.line.is_empty() {
                hearing.end_line();
            }
            hearing.is_over = true;
        }
    }
}

impl Hearing {
    fn new(pod: &str, lines: Lines) -> Self {
        let reports = Reports::default();
        Self { pod: pod.to_owned(), taken: 0, line: Vec::new(), shown: 0, reports, lines, is_over: false }
    }

    fn byte(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end_line(),
            byte => self.line.push(byte),
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if self.reports.take(&line) || self.shown > SHOWN {
            return;
        }
        self.shown += line.len() + 1;
        match self.shown > SHOWN {
            true => self.lines.line("(more than 16 MiB: the rest is not shown)"),
            false => self.lines.line(line.trim_end_matches('\r')),
        }
    }
}

fn name_of(job: &Value, namespace: &str) -> ObjectName {
    ObjectName {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        namespace: Some(job["metadata"]["namespace"].as_str().unwrap_or(namespace).to_owned()),
        name: job["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Whether a Job has come to its end, and if badly, why.
fn ended(job: &Value) -> Option<Result<(), String>> {
    if condition(job, "Complete").is_true() {
        return Some(Ok(()));
    }
    let failed = condition(job, "Failed");
    let why = job["status"]["conditions"].as_array()?.iter().find(|said| said["type"] == "Failed");
    let text = |field: &str| why.and_then(|why| why[field].as_str()).unwrap_or_default().to_owned();
    (failed == Condition::True)
        .then(|| Err(format!("the Job failed: {}: {}", text("reason"), text("message"))))
}

/// The last that the Job made.
fn newest(pods: &Survey) -> Option<&Object> {
    pods.objects().max_by_key(|pod| {
        let made = pod.value()["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
        (made.to_owned(), pod.name().name.clone())
    })
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["status"]["containerStatuses"].as_array().into_iter().flatten()
}

fn has_begun(pod: &Value, container: &str) -> bool {
    statuses(pod).any(|status| {
        let state = &status["state"];
        status["name"] == container && (state["running"].is_object() || state["terminated"].is_object())
    })
}

/// Why a pod is not running, in one word.
fn lacking(pod: &Value) -> Option<String> {
    let waiting = statuses(pod).find_map(|status| status["state"]["waiting"]["reason"].as_str());
    let scheduled = || match condition(pod, "PodScheduled") {
        Condition::False { reason, .. } => Some(reason),
        Condition::True | Condition::Unknown { .. } => None,
    };
    waiting.map(str::to_owned).or_else(scheduled)
}
