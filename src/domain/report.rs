//! What happened, as data: reporters render it, and it is the `-o json` of a run. Pure.
//!
//! Must never: hold a secret, or a text of a log that was not asked for.

use super::{
    claim::{Claim, Gone, ObjectName},
    diagnosis::Diagnosis,
    holder::Holder,
    names::{EnvironmentName, Generation, HeadSha},
    plan::{Direction, StepName},
    pool::Block,
    queue::{Full, Queue},
    results::Results,
};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::net::Ipv4Addr;

/// The state of a run, as far as it has come.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whose environment.
    #[serde(serialize_with = "as_text")]
    pub environment: Holder,
    /// What it is called.
    pub name: EnvironmentName,
    /// The provider, as users call it.
    pub provider: Option<String>,
    /// Whether it is brought up or down; `None`: that is not decided.
    #[serde(skip)]
    pub direction: Option<Direction>,
    /// How it ended; `None`: it runs.
    pub outcome: Option<Outcome>,
    /// Of the claim; a report never overwrites what one of a higher generation said.
    pub generation: Option<Generation>,
    /// What it runs, or shall.
    pub head_sha: Option<HeadSha>,
    /// Where it is met.
    pub url: Option<String>,
    /// What it holds.
    pub addresses: Vec<Ipv4Addr>,
    /// What was done, in the order of the plan.
    pub phases: Vec<Phase>,
    /// What was seen gone, and how.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receipt: Vec<Gone>,
    /// What its tests came to.
    pub tests: Option<Results>,
    /// Why it is not ready, if that is likely enough to be said.
    pub diagnosis: Option<Diagnosis>,
    /// What the diagnosis was made of: conditions, events and last log lines, for people.
    #[serde(skip)]
    pub evidence: Option<String>,
    /// When it goes at the latest.
    pub expires_at: Option<Timestamp>,
    /// Since when it is claimed.
    #[serde(skip)]
    pub claimed_at: Option<Timestamp>,
    /// Its place among those who wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// What would be applied; told by `plan` and `rehearse` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<ObjectName>>,
    /// The comment as it was posted; told by `rehearse` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What keeps the sweep from its work, where this waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// When the run began.
    #[serde(skip)]
    pub began: Timestamp,
    /// When it ended.
    #[serde(skip)]
    pub ended: Option<Timestamp>,
}

/// How a run ended. In the JSON it is one word; people are told the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stands, and its tests passed or none were asked for.
    Ready,
    /// It stands; the results of its tests come from elsewhere.
    AwaitingTests {
        /// From what the other job is called.
        report: String,
    },
    /// It stands, and its tests failed.
    TestsFailed,
    /// It does not stand: that step failed.
    Failed {
        /// Which.
        step: StepName,
        /// Why, in full.
        why: String,
    },
    /// It is gone; its addresses may be given out again from then on.
    Removed {
        /// When.
        free_at: Option<Timestamp>,
    },
    /// Closed, or left out though it is open; it stays until then, unless it is wanted again.
    Closing {
        /// When it goes.
        until: Timestamp,
        /// Why, though it is open; `None`: it is closed, or somebody asked for it.
        why: Option<String>,
    },
    /// The code of a fork waits for somebody to vouch for this very commit.
    AwaitsApproval {
        /// By this label.
        label: String,
    },
    /// GitHub gives this run no secrets, nor a token that may say so on the pull request.
    WithoutSecrets {
        /// Whose code it is, and what to do.
        why: String,
    },
    /// None is wanted, and none is there.
    Nothing {
        /// Why.
        why: String,
    },
    /// Nothing for this run to do or to judge; how the environment stands, others have told.
    Unconcerned {
        /// Why.
        why: String,
    },
    /// It gets no addresses now, and waits for some.
    Queued,
    /// It gets none, and shall not wait.
    PoolFull {
        /// Why.
        why: Full,
    },
    /// Something could not be read or reached; nothing was decided on that ground.
    Unknown {
        /// In which step, if in one.
        step: Option<StepName>,
        /// What, in full.
        why: String,
    },
    /// A newer event has taken over.
    Superseded,
    /// Somebody else has the name.
    Refused {
        /// Who.
        why: String,
    },
    /// A signal ended the run.
    Interrupted {
        /// Its number.
        signal: u8,
    },
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// Which.
    pub step: StepName,
    /// How far it has come.
    pub status: Status,
    /// How long it took, or has taken so far.
    pub seconds: f64,
    /// What it waits for, or came to.
    pub detail: String,
    /// When it began.
    #[serde(skip)]
    pub began: Option<Timestamp>,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Something must be done before it.
    Pending,
    /// It is at it.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It could not be proven from within, and everything went all the same.
    Unverified,
}

impl Report {
    /// Of a run that has only just begun.
    pub fn new(holder: &Holder, began: Timestamp) -> Self {
        Self {
            environment: holder.clone(),
            name: holder.name(),
            provider: None,
            direction: None,
            outcome: None,
            generation: None,
            head_sha: None,
            url: None,
            addresses: Vec::new(),
            phases: Vec::new(),
            receipt: Vec::new(),
            tests: None,
            diagnosis: None,
            evidence: None,
            expires_at: None,
            claimed_at: None,
            queue: None,
            objects: None,
            comment: None,
            trouble: None,
            began,
            ended: None,
        }
    }

    /// From when to when this claim stands.
    pub fn living(&mut self, claim: &Claim) {
        (self.claimed_at, self.expires_at) = (Some(claim.created()), Some(claim.expires()));
    }

    /// The addresses of this block.
    pub fn holding(&mut self, block: Option<Block>) {
        self.addresses = block.into_iter().flat_map(Block::addresses).collect();
    }

    /// Says how far a step has come; one that is told again keeps its place, and its time runs from its first telling.
    pub fn phase(&mut self, step: StepName, status: Status, detail: impl Into<String>, now: Timestamp) {
        let detail = detail.into();
        let at = match self.phases.iter().position(|phase| phase.step == step) {
            Some(at) => at,
            None => {
                let (seconds, detail) = (0.0, String::new());
                self.phases.push(Phase { step, status, seconds, detail, began: None });
                self.phases.len() - 1
            }
        };
        let phase = &mut self.phases[at];
        let began = (status != Status::Pending).then(|| *phase.began.get_or_insert(now));
        phase.seconds = began.map_or(0.0, |began| now.duration_since(began).as_secs_f64());
        (phase.status, phase.detail) = (status, detail);
    }

    /// Passes each text that came from elsewhere through this.
    pub fn redact(&mut self, through: impl Fn(&str) -> String) {
        let Self { phases, receipt, tests, diagnosis, evidence, outcome, comment, .. } = self;
        let mut texts: Vec<&mut String> = phases.iter_mut().map(|phase| &mut phase.detail).collect();
        texts.extend(receipt.iter_mut().flat_map(|gone| [&mut gone.what, &mut gone.proof]));
        texts.extend(evidence);
        texts.extend(comment);
        texts.extend(diagnosis.iter_mut().flat_map(|found| [&mut found.object, &mut found.detail]));
        texts.extend(outcome.as_mut().and_then(Outcome::why));
        texts.into_iter().for_each(|text| *text = through(text));
        tests.iter_mut().for_each(|results| results.redact(&through));
    }

    /// How long it took, or would have if it ended now.
    pub fn seconds(&self, now: Timestamp) -> f64 {
        self.ended.unwrap_or(now).duration_since(self.began).as_secs_f64()
    }
}

impl Outcome {
    fn why(&mut self) -> Option<&mut String> {
        match self {
            Outcome::Failed { why, .. }
            | Outcome::Unknown { why, .. }
            | Outcome::WithoutSecrets { why }
            | Outcome::Nothing { why }
            | Outcome::Unconcerned { why }
            | Outcome::Refused { why } => Some(why),
            Outcome::Closing { why, .. } => why.as_mut(),
            Outcome::Ready
            | Outcome::AwaitingTests { .. }
            | Outcome::TestsFailed
            | Outcome::Removed { .. }
            | Outcome::AwaitsApproval { .. }
            | Outcome::Queued
            | Outcome::PoolFull { .. }
            | Outcome::Superseded
            | Outcome::Interrupted { .. } => None,
        }
    }

    /// Whether the environment was seen to stand, whatever its tests came to.
    pub fn stands(&self) -> bool {
        matches!(self, Outcome::Ready | Outcome::AwaitingTests { .. } | Outcome::TestsFailed)
    }

    /// In one word, as in the JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Ready => "ready",
            Outcome::AwaitingTests { .. } => "awaiting-tests",
            Outcome::TestsFailed => "tests-failed",
            Outcome::Failed { .. } => "failed",
            Outcome::Removed { .. } => "removed",
            Outcome::Closing { .. } => "closing",
            Outcome::AwaitsApproval { .. } => "awaits-approval",
            Outcome::WithoutSecrets { .. } => "without-secrets",
            Outcome::Nothing { .. } | Outcome::Unconcerned { .. } => "nothing",
            Outcome::Queued => "queued",
            Outcome::PoolFull { .. } => "pool-full",
            Outcome::Unknown { .. } => "unknown",
            Outcome::Superseded => "superseded",
            Outcome::Refused { .. } => "refused",
            Outcome::Interrupted { .. } => "interrupted",
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

fn as_text<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
