//! What objects of a cluster, and the words of a step that failed, tell of one cause each. Pure.

use super::{Failed, How, Snapshot, Told};
use serde_json::Value;

/// Long messages end where nobody reads on.
const LONGEST: usize = 300;

pub(in crate::domain) fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

pub(super) fn says(message: &str, any: &[&str]) -> bool {
    let message = message.to_lowercase();
    any.iter().any(|one| message.contains(&one.to_lowercase()))
}

pub(in crate::domain) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

pub(in crate::domain) fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

pub(in crate::domain) fn named(object: &Value) -> String {
    let (kind, metadata) = (text(object, "kind").to_lowercase(), &object["metadata"]);
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{}", text(metadata, "name")),
        None => format!("{kind} {}", text(metadata, "name")),
    }
}

impl Snapshot {
    /// What is on its way out explains nothing.
    pub(in crate::domain) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects
            .iter()
            .filter(move |object| object["kind"] == kind && object["metadata"]["deletionTimestamp"].is_null())
    }
}

/// A pod's containers as its status shows them, those that run before the others first.
pub(in crate::domain) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"].into_iter().flat_map(|list| items(&pod["status"], list))
}

/// A container that waits for one of these reasons, with a message that fits.
pub(super) fn waiting(all: &Snapshot, reasons: &[&str], fits: impl Fn(&str) -> bool) -> Option<Told> {
    all.of("Pod").find_map(|pod| {
        let container = containers(pod).find(|container| {
            let waiting = &container["state"]["waiting"];
            reasons.contains(&text(waiting, "reason")) && fits(text(waiting, "message"))
        })?;
        let waiting = &container["state"]["waiting"];
        let said = Some(text(waiting, "message")).filter(|said| !said.is_empty());
        let said = said.unwrap_or(text(waiting, "reason"));
        Some(Told { object: named(pod), detail: format!("container {}: {said}", text(container, "name")) })
    })
}

/// A container whose image does not come. While the kubelet backs off it says only that; the error was said before, in
/// an event.
pub(super) fn pulling(all: &Snapshot, fits: impl Fn(&str) -> bool) -> Option<Told> {
    let reasons =
        ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"];
    all.of("Pod").find_map(|pod| {
        let container = containers(pod)
            .find(|container| reasons.contains(&text(&container["state"]["waiting"], "reason")))?;
        let events = events_about(all, pod).filter(|event| event["reason"] == "Failed");
        let events = events.map(|event| text(event, "message"));
        let own = text(&container["state"]["waiting"], "message");
        let said = std::iter::once(own).chain(events).find(|said| fits(said))?;
        let image = text(container, "image");
        Some(Told { object: named(pod), detail: format!("{image}: {}", after_image(said, image)) })
    })
}

/// A kubelet names the image again in each layer of its error: what comes after the last says why.
fn after_image<'a>(said: &'a str, image: &str) -> &'a str {
    let last = said.rfind(image).filter(|_| !image.is_empty());
    let rest = last.and_then(|at| said[at..].split_once(": ")).map_or("", |(_, rest)| rest);
    if rest.is_empty() { said } else { rest }
}

/// A container that ended badly and is started again and again, or never again.
pub(super) fn crashing(
    all: &Snapshot,
    of: impl Fn(&Value) -> bool,
    fits: impl Fn(&Value) -> bool,
) -> Option<Told> {
    all.of("Pod").filter(|pod| of(pod)).find_map(|pod| {
        let (container, ended) =
            containers(pod).filter(|container| container["ready"] != true).find_map(|container| {
                let states = [&container["state"]["terminated"], &container["lastState"]["terminated"]];
                let bad =
                    |ended: &&&Value| ended["exitCode"].as_i64().is_some_and(|code| code != 0) && fits(ended);
                states.iter().find(bad).map(|ended| (container, *ended))
            })?;
        let times = container["restartCount"].as_u64().unwrap_or_default();
        let again = match times {
            0 => String::new(),
            1 => ", restarted once".to_owned(),
            times => format!(", restarted {times} times"),
        };
        let why = Some(text(ended, "reason")).filter(|why| !matches!(*why, "" | "Error"));
        let why = why.map_or(String::new(), |why| format!(" ({why})"));
        let name = text(container, "name");
        let detail = format!("container {name} ended with exit code {}{why}{again}", ended["exitCode"]);
        Some(Told { object: named(pod), detail })
    })
}

/// Pods that their makers were not allowed to make: said by a condition, and by events of what makes them.
pub(super) fn not_made(all: &Snapshot, any: &[&str]) -> Option<Told> {
    let makers = ["ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"];
    let said = makers.iter().flat_map(|kind| all.of(kind)).find_map(|maker| {
        let failure = items(&maker["status"], "conditions")
            .find(|said| said["type"] == "ReplicaFailure" && said["status"] == "True")?;
        let message = text(failure, "message");
        says(message, any).then(|| Told { object: named(maker), detail: message.to_owned() })
    });
    said.or_else(|| event(all, &["FailedCreate"], any, |_, maker| lacks_pods(all, maker)))
}

/// Events outlive what they tell of: a later try may have gone well.
fn lacks_pods(all: &Snapshot, maker: &Value) -> bool {
    let made = all.of("Pod").filter(|pod| owner(pod, text(maker, "kind")) == Some(&maker["metadata"]["uid"]));
    let wanted = [&maker["spec"]["replicas"], &maker["status"]["desiredNumberScheduled"]];
    let wanted = wanted.iter().find_map(|number| number.as_u64()).unwrap_or(1);
    u64::try_from(made.count()).is_ok_and(|made| made < wanted)
}

/// What a pod that has not begun asks for, and cannot get, beside its images. Images are pulled, and containers begun, when
/// all is mounted.
pub(super) fn not_mounted(all: &Snapshot, any: &[&str]) -> Option<Told> {
    let is_creating = |container: &Value| {
        let reason = text(&container["state"]["waiting"], "reason");
        ["ContainerCreating", "PodInitializing"].contains(&reason)
    };
    let is_kept = |failed: &Value, pod: &Value| {
        let went_on = events_about(all, pod).any(|event| {
            ["Pulling", "Pulled", "Created", "Started"].contains(&text(event, "reason"))
                && text(event, "lastTimestamp") >= text(failed, "lastTimestamp")
        });
        pod["status"]["phase"] == "Pending" && !went_on && containers(pod).all(is_creating)
    };
    event(all, &["FailedMount", "FailedAttachVolume"], any, is_kept)
}

fn events_about<'a>(all: &'a Snapshot, object: &'a Value) -> impl Iterator<Item = &'a Value> {
    all.of("Event").filter(move |event| event["involvedObject"]["uid"] == object["metadata"]["uid"])
}

/// The latest event with such a reason and message about something that is still there, if this holds of both.
fn event(
    all: &Snapshot,
    reasons: &[&str],
    any: &[&str],
    holds: impl Fn(&Value, &Value) -> bool,
) -> Option<Told> {
    let told = all.of("Event").filter_map(|event| {
        let is_meant =
            reasons.contains(&text(event, "reason")) && (any.is_empty() || says(text(event, "message"), any));
        let uid = &event["involvedObject"]["uid"];
        let about = all.objects.iter().find(|object| object["metadata"]["uid"] == *uid)?;
        (is_meant && holds(event, about)).then_some((event, about))
    });
    let (latest, about) = told.max_by_key(|(event, _)| text(event, "lastTimestamp"))?;
    Some(Told { object: named(about), detail: text(latest, "message").to_owned() })
}

/// The first object of a kind with this condition in this status, in its own words.
pub(super) fn condition(all: &Snapshot, kind: &str, name: &str, status: &str) -> Option<Told> {
    all.of(kind).find_map(|object| {
        let said = items(&object["status"], "conditions")
            .find(|said| said["type"] == name && said["status"] == status)?;
        let message = Some(text(said, "message")).filter(|message| !message.is_empty());
        Some(Told { object: named(object), detail: message.unwrap_or(text(said, "reason")).to_owned() })
    })
}

/// The uid of the object of this kind that a pod belongs to.
pub(super) fn owner<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&object["metadata"], "ownerReferences")
        .find(|owner| owner["kind"] == kind)
        .map(|owner| &owner["uid"])
}

/// A Job that has given up, and how its last pod ended.
pub(super) fn failed_job(all: &Snapshot) -> Option<Told> {
    let told = condition(all, "Job", "Failed", "True")?;
    let job = all.of("Job").find(|job| named(job) == told.object)?;
    let why = fallen_pod(all, job).map_or(String::new(), |pod| format!("; {}: {}", pod.object, pod.detail));
    Some(Told { detail: format!("{}{why}", told.detail), ..told })
}

/// A Job that has not, though its pods end badly: some try a thousand times.
pub(super) fn failing_job(all: &Snapshot) -> Option<Told> {
    let mut trying = all.of("Job").filter(|job| job["status"]["completionTime"].is_null());
    trying.find_map(|job| {
        let pod = fallen_pod(all, job)?;
        Some(Told { object: named(job), detail: format!("{}: {}", pod.object, pod.detail) })
    })
}

fn fallen_pod(all: &Snapshot, job: &Value) -> Option<Told> {
    crashing(all, |pod| owner(pod, "Job") == Some(&job["metadata"]["uid"]), |_| true)
}

pub(super) fn unschedulable(all: &Snapshot) -> Option<Told> {
    all.of("Pod").find_map(|pod| {
        let said = items(&pod["status"], "conditions").find(|said| {
            said["type"] == "PodScheduled" && said["status"] == "False" && said["reason"] == "Unschedulable"
        })?;
        // That nothing is to be driven out for it helps no reader.
        let why = text(said, "message").split(" preemption: ").next().unwrap_or_default();
        let why = why.split(" no new claims to deallocate").next().unwrap_or_default();
        Some(Told { object: named(pod), detail: why.to_owned() })
    })
}

/// A claim that has no volume while a pod is kept waiting for it: one that waits for its first pod is as it should be.
pub(super) fn pending_claim(all: &Snapshot) -> Option<Told> {
    let kept = unschedulable(all).is_some_and(|told| says(&told.detail, &["PersistentVolumeClaim"]));
    all.of("PersistentVolumeClaim").filter(|claim| claim["status"]["phase"] == "Pending").find_map(|claim| {
        let failed = events_about(all, claim).filter(|event| event["type"] == "Warning");
        let failed =
            failed.max_by_key(|event| text(event, "lastTimestamp")).map(|event| text(event, "message"));
        let class = claim["spec"]["storageClassName"].as_str();
        let detail = match (failed, class) {
            (Some(said), _) => said.to_owned(),
            (None, _) if !kept => return None,
            (None, Some(class)) => format!("it has no volume of the storage class {class}"),
            (None, None) => "it has no volume, and names no storage class".to_owned(),
        };
        Some(Told { object: named(claim), detail })
    })
}

/// A pod that runs and is not ready, and what its probe said last.
pub(super) fn probe(all: &Snapshot) -> Option<Told> {
    all.of("Pod").filter(|pod| pod["status"]["phase"] == "Running").find_map(|pod| {
        let lagging = containers(pod)
            .find(|container| container["ready"] == false && !container["state"]["running"].is_null())?;
        let failed = events_about(all, pod).filter(|event| event["reason"] == "Unhealthy");
        let failed =
            failed.max_by_key(|event| text(event, "lastTimestamp")).map(|event| text(event, "message"));
        let said = failed.unwrap_or("it runs, and is not ready");
        Some(Told { object: named(pod), detail: format!("container {}: {said}", text(lagging, "name")) })
    })
}

/// What is nearest to the metal says it best.
pub(super) fn machine(all: &Snapshot) -> Option<Told> {
    let infrastructure = all.objects.iter().map(|object| text(object, "kind"));
    let infrastructure = infrastructure.filter(|kind| {
        kind.ends_with("Machine") && *kind != "Machine" || kind.ends_with("Cluster") && *kind != "Cluster"
    });
    let kinds = infrastructure.chain(["BareMetalHost", "KThreesControlPlane", "Machine", "Cluster"]);
    kinds.into_iter().find_map(|kind| {
        condition(all, kind, "Ready", "False").or_else(|| condition(all, kind, "Available", "False"))
    })
}

/// What a server answered to one of our own writes, about the object that it would not take.
pub(super) fn refused(all: &Snapshot, any: &[&str]) -> Option<Told> {
    let Some(Failed { how: How::Answered(lines), .. }) = &all.failed else { return None };
    let line = lines.iter().find(|line| says(line, any))?;
    // Before it may stand for how long that was tried.
    let (_, line) = line.split_once("could not apply ")?;
    let (object, why) = line.split_once(": ")?;
    let object = object.split(" at ").next().unwrap_or(object);
    Some(Told { object: object.to_owned(), detail: why.to_owned() })
}

/// What this step waited for when its patience was over.
pub(super) fn awaited<'a>(all: &'a Snapshot, step: &str) -> Option<&'a str> {
    match &all.failed {
        Some(Failed { step: name, how: How::Waited(on) | How::Unanswered { waited: Some(on), .. } })
            if name.as_str() == step =>
        {
            Some(on)
        }
        _ => None,
    }
}

/// An image that was waited for before anything was applied, and did not come.
pub(super) fn unpushed(all: &Snapshot) -> Option<Told> {
    let (image, why) = awaited(all, "deploy")?.strip_prefix('`')?.split_once("` to be pushed; ")?;
    Some(Told { object: image.to_owned(), detail: why.to_owned() })
}

/// A webhook of an operator that nobody answers for, and no workload says why.
pub(super) fn silent_webhook(all: &Snapshot) -> Option<Told> {
    let (webhook, _) = awaited(all, "operators")?.strip_prefix("the webhook ")?.split_once(" to have ")?;
    let detail = "it has no certificate, or nobody who answers".to_owned();
    Some(Told { object: format!("webhook {webhook}"), detail })
}

/// A name of the environment that somebody does not resolve as he shall.
pub(super) fn astray(all: &Snapshot) -> Option<Told> {
    let detail = awaited(all, "dns")?.to_owned();
    Some(Told { object: "dns".to_owned(), detail })
}
