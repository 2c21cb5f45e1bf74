//! Why something is not ready: one line that names the likely cause, from what the objects of a cluster say. Pure.
//!
//! Each cause is a row of [`CAUSES`], the surest and nearest to the root first: a pod that cannot be made explains a
//! rollout that does not finish, never the other way round. Must never: guess where nothing was said (then there is no
//! diagnosis); take an object that was not read for one that is well.

pub(super) mod signs;
mod words;

use super::plan::StepName;
use serde::Serialize;
use serde_json::Value;
use signs::{
    astray, condition, crashing, failed_job, failing_job, machine, not_made, not_mounted, one_line, owner,
    pending_claim, probe, pulling, refused, says, silent_webhook, unpushed, unschedulable, waiting,
};
use std::fmt;
pub use words::{Life, speakers};

/// What was seen of a cluster, as its API server shows it: pods, what makes them, what they ask for, and events.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Objects of any kind, in any order.
    pub objects: Vec<Value>,
    /// The step because of which it is looked at.
    pub failed: Option<Failed>,
    /// What containers said last that have ended badly.
    pub last_words: Vec<LastWords>,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Which.
    pub step: StepName,
    /// And in which way.
    pub how: How,
}

/// In which way a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its patience is over: what it waited for.
    Waited(String),
    /// Servers would not do what was asked: a line for each thing, as in `could not apply pod default/shop: why not`.
    /// That explains itself, whatever objects say.
    Answered(Vec<String>),
    /// Nobody answered to the last request. What was said instead may explain itself, as of a webhook that nobody is behind;
    /// else objects do.
    Unanswered {
        /// The same, a line for each thing.
        said: Vec<String>,
        /// What the step waited for before.
        waited: Option<String>,
    },
}

/// The end of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// As in `pod default/shop-1 container app`.
    pub of: String,
    /// The lines.
    pub text: String,
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
        name: "kind not served",
        advice: "list the operator that brings it under `operators`, or correct its apiVersion and kind",
        tells: |all| refused(all, &["the API server has no "]),
    },
    Cause {
        name: "image not found",
        advice: "look at the job that builds it, and at its name and tag in `deploy`",
        tells: |all| {
            pulling(all, |message| says(message, &["not found", "manifest unknown", "does not exist"]))
                .or_else(|| unpushed(all))
        },
    },
    Cause {
        name: "image refused",
        advice: "put the registry's credentials under `secrets` and name them in `imagePullSecrets`, or make the image readable",
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
            .or_else(|| not_mounted(all, &["not found", "non-existent"]))
            .or_else(|| unwanted(all, &["error looking up service account"]))
        },
    },
    Cause {
        name: "requests missing",
        advice: "give each container the `resources` that it names: the namespace's quota counts them",
        tells: |all| unwanted(all, &["must specify "]),
    },
    Cause {
        name: "quota exceeded",
        advice: "ask for less, or for a larger quota of the provider",
        tells: |all| unwanted(all, &["exceeded quota", "failed quota", "maximum cpu", "maximum memory"]),
    },
    Cause {
        name: "requests too small",
        advice: "ask for as much as it names: the namespace's LimitRange takes no less",
        tells: |all| {
            unwanted(all, &["minimum cpu", "minimum memory", "minimum storage", "minimum ephemeral-storage"])
        },
    },
    Cause {
        name: "webhook in the way",
        advice: "look whether the operator behind it runs and answers",
        tells: |all| {
            let Told { object, detail } = unwanted(all, &["failed calling webhook"])?;
            // What stands between the names says nothing, and is long.
            let shorter = ["Internal error occurred: ", "failed to call webhook: "];
            Some(Told { object, detail: shorter.iter().fold(detail, |text, part| text.replace(part, "")) })
        },
    },
    Cause {
        name: "not permitted",
        advice: "change what it names, or the policy that forbids it",
        tells: |all| {
            // A webhook denies *the* request, a policy of the API server's own does without the article.
            let denied = ["denied the request", "denied request", "violates PodSecurity"];
            refused(all, &denied)
                .or_else(|| not_made(all, &denied))
                .or_else(|| not_made(all, &["is forbidden", "unable to validate against"]))
        },
    },
    Cause {
        name: "node not ready",
        advice: "look at the machine behind it, and at the log of its k3s",
        tells: |all| {
            condition(all, "Node", "Ready", "False").or_else(|| condition(all, "Node", "Ready", "Unknown"))
        },
    },
    Cause {
        name: "volume pending",
        advice: "look whether the claim's storage class exists and its provisioner runs",
        tells: |all| pending_claim(all).or_else(|| not_mounted(all, &["volume", "attach"])),
    },
    Cause {
        name: "unschedulable",
        advice: "ask for what its nodes have, or give the cluster more or larger ones",
        tells: unschedulable,
    },
    Cause {
        name: "name does not lead here",
        advice: "look at external-dns and its log, at the Ingress or DNSEndpoint that asks for the name, and for older records",
        tells: astray,
    },
    Cause {
        name: "certificate not issued",
        advice: "look at its issuer, and whether the name resolves for it",
        tells: |all| {
            let kinds = ["ClusterIssuer", "Issuer", "CertificateRequest", "Certificate"];
            kinds.iter().find_map(|kind| condition(all, kind, "Ready", "False"))
        },
    },
    Cause { name: "job failed", advice: "read its last log lines", tells: failed_job },
    Cause { name: "job keeps failing", advice: "read its last log lines", tells: failing_job },
    Cause { name: "probe fails", advice: "look at what the probe asks, and at the log", tells: probe },
    Cause {
        name: "webhook does not answer",
        advice: "look at the log of the operator behind it",
        tells: silent_webhook,
    },
    Cause {
        name: "machine not ready",
        advice: "look at the infrastructure provider: its log in the management cluster, and the machine itself",
        tells: machine,
    },
    Cause {
        name: "rollout stuck",
        advice: "look at its pods; if they are only slow, raise `progressDeadlineSeconds`",
        tells: |all| condition(all, "Deployment", "Progressing", "False"),
    },
];

/// The likely cause, if what was seen tells any.
pub fn diagnose(all: &Snapshot) -> Option<Diagnosis> {
    match &all.failed {
        Some(Failed { step, how: How::Answered(said) }) => explained(*step, said),
        Some(Failed { step, how: How::Unanswered { said, .. } }) => {
            explained(*step, said).or_else(|| likeliest(all))
        }
        Some(Failed { how: How::Waited(_), .. }) | None => likeliest(all),
    }
}

/// By what servers said alone.
fn explained(step: StepName, said: &[String]) -> Option<Diagnosis> {
    let failed = Some(Failed { step, how: How::Answered(said.to_vec()) });
    likeliest(&Snapshot { failed, ..Snapshot::default() })
}

fn likeliest(all: &Snapshot) -> Option<Diagnosis> {
    CAUSES.iter().find_map(|cause| {
        let Told { object, detail } = (cause.tells)(all)?;
        Some(Diagnosis { cause: cause.name, object, detail: one_line(&detail), advice: cause.advice })
    })
}

/// What each of them is called.
pub fn causes() -> impl Iterator<Item = &'static str> {
    CAUSES.iter().map(|cause| cause.name)
}

/// What an API server would not take: from us, or from who makes pods.
fn unwanted(all: &Snapshot, any: &[&str]) -> Option<Told> {
    refused(all, any).or_else(|| not_made(all, any))
}
