//! Jobs: pods until enough have succeeded, or too many have failed, or it has taken too long.

use super::super::{
    Change,
    conditions::{is_true, stamp},
    draft::Draft,
    objects::{is_going, list, name, number, target, text, time, uid, yes},
};
use super::{
    JOB, Look, POD,
    pods::{count, free_names, is_active, make, wanted},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The real one's first pause after a failure doubles up to this.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(600);

pub(super) fn react(look: &mut Look<'_>) {
    for job in look.objects.all(JOB).filter(|job| !is_going(job)) {
        let pods = look.pods.by(job);
        if is_true(job, "Complete") || is_true(job, "Failed") {
            over(look, job, &pods);
        } else if !yes(job, "/spec/suspend") {
            Run { job, pods: &pods }.go_on(look);
        }
    }
}

/// What is over leaves no pod running, and goes when its time has come.
fn over(look: &mut Look<'_>, job: &Value, pods: &[&Value]) {
    let running = pods.iter().filter(|pod| is_active(pod));
    look.reaction.push(running.map(|pod| Change::Delete(target(POD, pod))));
    let end =
        list(job, "/status/conditions").iter().filter_map(|said| time(said, "/lastTransitionTime")).max();
    if let (Some(end), Some(ttl)) = (end, number(job, "/spec/ttlSecondsAfterFinished"))
        && look.reaction.passed(end, SignedDuration::from_secs(ttl), look.now)
    {
        look.reaction.push([Change::Delete(target(JOB, job))]);
    }
}

/// A Job that is not over.
struct Run<'a> {
    job: &'a Value,
    pods: &'a [&'a Value],
}

impl Run<'_> {
    fn in_phase(&self, phase: &str) -> usize {
        self.pods.iter().filter(|pod| text(pod, "/status/phase") == phase).count()
    }

    /// Pods that have failed, and starts again of containers that have.
    fn failures(&self) -> usize {
        let again =
            self.pods.iter().filter(|pod| is_active(pod) && text(pod, "/spec/restartPolicy") == "OnFailure");
        let starts = again.flat_map(|pod| list(pod, "/status/containerStatuses"));
        let starts = starts.filter_map(|one| number(one, "/restartCount")).fold(0, i64::saturating_add);
        self.in_phase("Failed").saturating_add(usize::try_from(starts).unwrap_or(0))
    }

    fn go_on(&self, look: &mut Look<'_>) {
        let job = self.job;
        let mut draft = Draft::of(JOB, job);
        let begun = time(job, "/status/startTime");
        if begun.is_none() {
            draft.set(&["status", "startTime"], stamp(look.now));
        }
        let (succeeded, failed) = (self.in_phase("Succeeded"), self.in_phase("Failed"));
        let active: Vec<&&Value> = self.pods.iter().filter(|pod| is_active(pod)).collect();
        let completions = wanted(job, "/spec/completions");
        let limit = number(job, "/spec/backoffLimit").unwrap_or(6);
        let too_late = number(job, "/spec/activeDeadlineSeconds").is_some_and(|deadline| {
            let begun = begun.unwrap_or(look.now);
            look.reaction.passed(begun, SignedDuration::from_secs(deadline), look.now)
        });
        count(&mut draft, "succeeded", succeeded);
        count(&mut draft, "failed", failed);
        draft.set(&["status", "terminating"], 0);
        draft.set(&["status", "uncountedTerminatedPods"], json!({}));
        let mut running = active.len();
        if succeeded >= completions {
            let said = ("CompletionsReached", "Reached expected number of succeeded pods");
            end(look.now, &mut draft, ["SuccessCriteriaMet", "Complete"], said);
            draft.set(&["status", "completionTime"], stamp(look.now));
            running = 0;
        } else if too_late || i64::try_from(self.failures()).is_ok_and(|failures| failures > limit) {
            let (reason, message) = match too_late {
                true => ("DeadlineExceeded", "Job was active longer than specified deadline"),
                false => ("BackoffLimitExceeded", "Job has reached the specified backoff limit"),
            };
            end(look.now, &mut draft, ["FailureTarget", "Failed"], (reason, message));
            look.warn("job-controller", JOB, job, reason, message);
            look.reaction.push(active.iter().map(|pod| Change::Delete(target(POD, pod))));
            running = 0;
        } else {
            let left = completions - succeeded;
            let missing = wanted(job, "/spec/parallelism").min(left).saturating_sub(active.len());
            if missing > 0 && self.may_try(look, failed) {
                self.create(look, missing);
            }
        }
        count(&mut draft, "active", running);
        let ready = active.iter().filter(|pod| running > 0 && is_true(pod, "Ready")).count();
        draft.set(&["status", "ready"], ready);
        look.reaction.push(draft.end());
    }

    /// Whether the pause after the last failure is over.
    fn may_try(&self, look: &mut Look<'_>, failed: usize) -> bool {
        let ended = |pod: &&&Value| {
            let containers = list(pod, "/status/containerStatuses").iter();
            containers.filter_map(|one| time(one, "/state/terminated/finishedAt")).max()
        };
        let fallen = self.pods.iter().filter(|pod| text(pod, "/status/phase") == "Failed");
        let Some(last) = fallen.map(|pod| ended(&pod).unwrap_or(Timestamp::MIN)).max() else { return true };
        let doubled = 1_i32 << u32::try_from(failed.saturating_sub(1)).unwrap_or(0).min(10);
        let pause = look.pace.retry.saturating_mul(doubled).min(LONGEST_PAUSE);
        look.reaction.passed(last, pause, look.now)
    }

    fn create(&self, look: &mut Look<'_>, missing: usize) {
        let job = self.job;
        let labels = [
            ("batch.kubernetes.io/controller-uid", uid(job)),
            ("batch.kubernetes.io/job-name", name(job)),
            ("controller-uid", uid(job)),
            ("job-name", name(job)),
        ];
        for called in free_names(job, self.pods, missing) {
            match make(JOB, job, &job["spec"]["template"], &called, &labels) {
                Ok(pod) => look.reaction.push([Change::Create(pod)]),
                Err(why) => {
                    let message = format!("Error creating: {why}");
                    return look.warn("job-controller", JOB, job, "FailedCreate", &message);
                }
            }
        }
    }
}

/// That it is decided, and that it is so.
fn end(now: Timestamp, draft: &mut Draft<'_>, kinds: [&str; 2], (reason, message): (&str, &str)) {
    for kind in kinds {
        let now = stamp(now);
        draft.list(&["status", "conditions"]).push(json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastProbeTime": now, "lastTransitionTime": now,
        }));
    }
}
