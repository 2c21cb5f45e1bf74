//! Why something is not ready: one line that names the likely cause, from what the objects of a cluster say. Pure.
//!
//! Each cause is a row of [`CAUSES`], the surest and nearest to the root first: a pod that cannot be made explains a
//! rollout that does not finish, never the other way round. Must never: guess where nothing was said (then there is no
//! diagnosis); take an object that was not read for one that is well.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// What was seen of a cluster, as its API server shows it: pods, what makes them, what they ask for, and events.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Objects of any kind, in any order.
    pub objects: Vec<Value>,
}

/// The likely cause of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Diagnosis {
    /// In two or three words, always the same for the same cause: `image not found`.
    pub cause: &'static str,
    /// About which object: `pod default/shop-7d9`.
    pub object: String,
    /// What exactly, in the server's own words where it has any.
    pub detail: String,
    /// What its reader can do.
    pub advice: &'static str,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.cause, self.object, self.detail)
    }
}

/// A row of the table: what it is called, what tells it, what to do.
struct Cause {
    name: &'static str,
    advice: &'static str,
    tells: fn(&Snapshot) -> Option<Told>,
}

/// The object that tells, and what.
struct Told {
    object: String,
    detail: String,
}

/// All causes that are known.
const CAUSES: &[Cause] = &[
    Cause {
        name: "image not found",
        advice: "look at the job that builds it, and at the name and tag under `deploy.images`",
        tells: |all| {
            pulling(all, |message| says(message, &["not found", "manifest unknown", "does not exist"]))
        },
    },
    Cause {
        name: "image refused",
        advice: "give the environment credentials for the registry, or make the image readable",
        tells: |all| {
            pulling(all, |message| says(message, &["unauthorized", "denied", "forbidden", "authentication"]))
        },
    },
    Cause {
        name: "image cannot be pulled",
        advice: "look whether the registry answers the cluster's nodes",
        tells: |all| pulling(all, |_| true),
    },
    Cause {
        name: "out of memory",
        advice: "raise the container's memory limit",
        tells: |all| crashing(all, |_| true, |ended| ended["reason"] == "OOMKilled"),
    },
    Cause {
        name: "container crashes",
        advice: "read its last log lines",
        tells: |all| crashing(all, |pod| owner(pod, "Job").is_none(), |_| true),
    },
    Cause {
        name: "configuration missing",
        advice: "make what it names part of `deploy`, or list it under `secrets`",
        tells: |all| {
            waiting(all, &["CreateContainerConfigError", "CreateContainerError", "RunContainerError"], |_| {
                true
            })
            .or_else(|| event(all, &["FailedMount", "FailedAttachVolume"], &[]))
        },
    },
    Cause {
        name: "quota exceeded",
        advice: "ask for less, or for a larger quota of the provider",
        tells: |all| {
            not_made(all, &["exceeded quota", "failed quota", "maximum cpu", "maximum memory", "minimum "])
        },
    },
    Cause {
        name: "webhook in the way",
        advice: "look whether the operator behind it runs and answers",
        tells: |all| not_made(all, &["failed calling webhook", "admission webhook"]),
    },
    Cause {
        name: "not permitted",
        advice: "change the pod's security settings, or the namespace's policy",
        tells: |all| not_made(all, &["violates PodSecurity", "is forbidden", "unable to validate against"]),
    },
    Cause {
        name: "volume pending",
        advice: "look whether the claim's storage class exists and its provisioner runs",
        tells: pending_claim,
    },
    Cause {
        name: "unschedulable",
        advice: "ask for less, or give the cluster more or larger nodes",
        tells: unschedulable,
    },
    Cause {
        name: "certificate not issued",
        advice: "look at its issuer, and whether the name resolves for it",
        tells: |all| {
            let conditions = ["Certificate", "CertificateRequest", "Issuer", "ClusterIssuer"];
            conditions.iter().find_map(|kind| condition(all, kind, "Ready", "False"))
        },
    },
    Cause { name: "job failed", advice: "read its last log lines", tells: failed_job },
    Cause { name: "probe fails", advice: "look at what the probe asks, and at the log", tells: probe },
    Cause {
        name: "node not ready",
        advice: "look at the machine behind it",
        tells: |all| {
            condition(all, "Node", "Ready", "False").or_else(|| condition(all, "Node", "Ready", "Unknown"))
        },
    },
    Cause {
        name: "machine not ready",
        advice: "look at what the infrastructure provider says of it",
        tells: machine,
    },
    Cause {
        name: "rollout stuck",
        advice: "look at its pods",
        tells: |all| condition(all, "Deployment", "Progressing", "False"),
    },
];

/// The likely cause, if what was seen tells any.
pub fn diagnose(snapshot: &Snapshot) -> Option<Diagnosis> {
    CAUSES.iter().find_map(|cause| {
        let Told { object, detail } = (cause.tells)(snapshot)?;
        Some(Diagnosis { cause: cause.name, object, detail: one_line(&detail), advice: cause.advice })
    })
}

/// Long messages end where nobody reads on.
const LONGEST: usize = 300;

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

fn says(message: &str, any: &[&str]) -> bool {
    let message = message.to_lowercase();
    any.iter().any(|one| message.contains(&one.to_lowercase()))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

fn named(object: &Value) -> String {
    let (kind, metadata) = (text(object, "kind").to_lowercase(), &object["metadata"]);
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{}", text(metadata, "name")),
        None => format!("{kind} {}", text(metadata, "name")),
    }
}

impl Snapshot {
    /// What is on its way out explains nothing.
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects
            .iter()
            .filter(move |object| object["kind"] == kind && object["metadata"]["deletionTimestamp"].is_null())
    }
}

/// A pod's containers as its status shows them, those that run before the others first.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"].into_iter().flat_map(|list| items(&pod["status"], list))
}

/// A container that waits for one of these reasons, with a message that fits.
fn waiting(all: &Snapshot, reasons: &[&str], fits: impl Fn(&str) -> bool) -> Option<Told> {
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
fn pulling(all: &Snapshot, fits: impl Fn(&str) -> bool) -> Option<Told> {
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
        Some(Told { object: named(pod), detail: format!("`{image}`: {said}") })
    })
}

/// A container that ended badly and is started again and again, or never again.
fn crashing(all: &Snapshot, of: impl Fn(&Value) -> bool, fits: impl Fn(&Value) -> bool) -> Option<Told> {
    all.of("Pod").filter(|pod| of(pod)).find_map(|pod| {
        let (container, ended) =
            containers(pod).filter(|container| container["ready"] != true).find_map(|container| {
                let states = [&container["state"]["terminated"], &container["lastState"]["terminated"]];
                let bad =
                    |ended: &&&Value| ended["exitCode"].as_i64().is_some_and(|code| code != 0) && fits(ended);
                states.iter().find(bad).map(|ended| (container, *ended))
            })?;
        let times = container["restartCount"].as_u64().unwrap_or_default();
        let again = if times == 0 { String::new() } else { format!(", restarted {times} times") };
        let why = Some(text(ended, "reason")).filter(|why| !matches!(*why, "" | "Error"));
        let why = why.map_or(String::new(), |why| format!(" ({why})"));
        let name = text(container, "name");
        let detail = format!("container {name} ended with exit code {}{why}{again}", ended["exitCode"]);
        Some(Told { object: named(pod), detail })
    })
}

/// Pods that their makers were not allowed to make: said by a condition, and by events of what makes them.
fn not_made(all: &Snapshot, any: &[&str]) -> Option<Told> {
    let makers = ["ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"];
    let said = makers.iter().flat_map(|kind| all.of(kind)).find_map(|maker| {
        let failure = items(&maker["status"], "conditions")
            .find(|said| said["type"] == "ReplicaFailure" && said["status"] == "True")?;
        let message = text(failure, "message");
        says(message, any).then(|| Told { object: named(maker), detail: message.to_owned() })
    });
    said.or_else(|| event(all, &["FailedCreate"], any))
}

fn events_about<'a>(all: &'a Snapshot, object: &'a Value) -> impl Iterator<Item = &'a Value> {
    all.of("Event").filter(move |event| event["involvedObject"]["uid"] == object["metadata"]["uid"])
}

/// The latest event with such a reason and message about something that is still there.
fn event(all: &Snapshot, reasons: &[&str], any: &[&str]) -> Option<Told> {
    let told = all.of("Event").filter(|event| {
        reasons.contains(&text(event, "reason"))
            && (any.is_empty() || says(text(event, "message"), any))
            && all.objects.iter().any(|object| object["metadata"]["uid"] == event["involvedObject"]["uid"])
    });
    let latest = told.max_by_key(|event| text(event, "lastTimestamp"))?;
    let object = &latest["involvedObject"];
    let object = match object["namespace"].as_str() {
        Some(namespace) => {
            format!("{} {namespace}/{}", text(object, "kind").to_lowercase(), text(object, "name"))
        }
        None => format!("{} {}", text(object, "kind").to_lowercase(), text(object, "name")),
    };
    Some(Told { object, detail: text(latest, "message").to_owned() })
}

/// The first object of a kind with this condition in this status, in its own words.
fn condition(all: &Snapshot, kind: &str, name: &str, status: &str) -> Option<Told> {
    all.of(kind).find_map(|object| {
        let said = items(&object["status"], "conditions")
            .find(|said| said["type"] == name && said["status"] == status)?;
        let message = Some(text(said, "message")).filter(|message| !message.is_empty());
        Some(Told { object: named(object), detail: message.unwrap_or(text(said, "reason")).to_owned() })
    })
}

/// The uid of the object of this kind that a pod belongs to.
fn owner<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&object["metadata"], "ownerReferences")
        .find(|owner| owner["kind"] == kind)
        .map(|owner| &owner["uid"])
}

/// A Job that has given up, and how its last pod ended.
fn failed_job(all: &Snapshot) -> Option<Told> {
    let told = condition(all, "Job", "Failed", "True")?;
    let job = all.of("Job").find(|job| named(job) == told.object)?;
    let pod = crashing(all, |pod| owner(pod, "Job") == Some(&job["metadata"]["uid"]), |_| true);
    let why = pod.map_or(String::new(), |pod| format!("; {}: {}", pod.object, pod.detail));
    Some(Told { detail: format!("{}{why}", told.detail), ..told })
}

fn unschedulable(all: &Snapshot) -> Option<Told> {
    all.of("Pod").find_map(|pod| {
        let said = items(&pod["status"], "conditions").find(|said| {
            said["type"] == "PodScheduled" && said["status"] == "False" && said["reason"] == "Unschedulable"
        })?;
        Some(Told { object: named(pod), detail: text(said, "message").to_owned() })
    })
}

/// A claim that has no volume while a pod is kept waiting for it: one that waits for its first pod is as it should be.
fn pending_claim(all: &Snapshot) -> Option<Told> {
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
fn probe(all: &Snapshot) -> Option<Told> {
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
fn machine(all: &Snapshot) -> Option<Told> {
    let infrastructure = all.objects.iter().map(|object| text(object, "kind"));
    let infrastructure = infrastructure.filter(|kind| {
        kind.ends_with("Machine") && *kind != "Machine" || kind.ends_with("Cluster") && *kind != "Cluster"
    });
    let kinds = infrastructure.chain(["BareMetalHost", "KThreesControlPlane", "Machine", "Cluster"]);
    kinds.into_iter().find_map(|kind| {
        condition(all, kind, "Ready", "False").or_else(|| condition(all, kind, "Available", "False"))
    })
}

/// What of a snapshot explains a failure to people: what is not well, and what happened to it, the newest last.
pub fn evidence(all: &Snapshot) -> String {
    let mut lines = Vec::new();
    let is_over = |object: &Value| object["kind"] == "Pod" && object["status"]["phase"] == "Succeeded";
    for object in all.objects.iter().filter(|object| object["kind"] != "Event" && !is_over(object)) {
        let bad = items(&object["status"], "conditions").filter(|said| is_bad(said));
        let bad = bad.map(|said| {
            let words = [text(said, "reason"), text(said, "message")].join(": ");
            format!("{} {}={} {}", named(object), text(said, "type"), text(said, "status"), one_line(&words))
        });
        lines.extend(bad);
        if object["kind"] == "Pod" {
            lines.extend(containers(object).filter_map(|container| {
                let waiting = &container["state"]["waiting"];
                let why = one_line(&[text(waiting, "reason"), text(waiting, "message")].join(": "));
                waiting
                    .is_object()
                    .then(|| format!("{} container {} waits: {why}", named(object), text(container, "name")))
            }));
        }
    }
    let mut events: Vec<&Value> = all.of("Event").filter(|event| event["type"] == "Warning").collect();
    events.sort_by_key(|event| text(event, "lastTimestamp"));
    let events = events.iter().rev().take(EVENTS).rev().map(|event| {
        let object = &event["involvedObject"];
        let about = format!(
            "{} {}/{}",
            text(object, "kind").to_lowercase(),
            text(object, "namespace"),
            text(object, "name")
        );
        format!(
            "{} {about} {}: {}",
            text(event, "lastTimestamp"),
            text(event, "reason"),
            one_line(text(event, "message"))
        )
    });
    lines.extend(events);
    lines.join("\n")
}

/// More are read by nobody.
const EVENTS: usize = 20;

/// Conditions that tell of trouble when they are false; what others mean, nobody can know from their names.
fn is_bad(condition: &Value) -> bool {
    let kind = text(condition, "type");
    let good = kind.ends_with("Ready")
        || kind.ends_with("Available")
        || [
            "Progressing",
            "PodScheduled",
            "Initialized",
            "Established",
            "RemoteConnectionProbe",
            "NamesAccepted",
        ]
        .contains(&kind);
    let troubles =
        ["ReplicaFailure", "Failed", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];
    let over = ["PodCompleted", "Succeeded", "Complete"].contains(&text(condition, "reason"));
    !over
        && (good && condition["status"] == "False"
            || troubles.contains(&kind) && condition["status"] == "True")
}
