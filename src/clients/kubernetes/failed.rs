//! What could not be done, to which object, and why; of many things done side by side, all of them.

use super::{Denial, Kubernetes};
use crate::{
    clients::{Failure, Kind},
    errors::{Exit, UserError},
};
use std::fmt;

/// Of a kind that no server has.
pub(super) const NO_SUCH_KIND: &str = "install the CRD that defines it, or correct its apiVersion and kind";

/// One thing that failed.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    /// As in "could not ...".
    pub(super) doing: String,
    pub(super) failure: Failure,
    /// Whether it was answered by somebody else than the server.
    is_anothers: bool,
    /// What to do about it, if it was no server that said so.
    hint: Option<&'static str>,
}

impl Failed {
    /// By what a server said, or did not say.
    pub(super) fn new(doing: impl fmt::Display, denial: impl Into<Denial>) -> Self {
        let denial = denial.into();
        let is_anothers = denial.is_anothers();
        Self { doing: doing.to_string(), failure: denial.failure, is_anothers, hint: None }
    }

    /// By our own judgement, before anything was sent.
    pub(super) fn ours(
        doing: impl fmt::Display,
        kind: Kind,
        detail: impl fmt::Display,
        hint: &'static str,
    ) -> Self {
        let failure = Failure { kind, detail: detail.to_string() };
        Self { doing: doing.to_string(), failure, is_anothers: false, hint: Some(hint) }
    }

    fn hint(&self) -> &'static str {
        let by_kind = match self.failure.kind {
            Kind::Refused => {
                "berth's account may not, or a quota or policy forbids it; \
                 `kubectl auth can-i --list` with the same kubeconfig says what it may"
            }
            Kind::Unavailable { .. } => {
                "try again when the API server answers; what has landed by then is found out"
            }
            Kind::Conflict => "somebody else wrote there at the same time: look again",
            Kind::Superseded => {
                "a newer run of the same environment has taken over: there is nothing to do here"
            }
            Kind::Invalid => "trying again will not help: correct what the server means",
        };
        self.hint.unwrap_or(by_kind)
    }

    /// For a read, every failure is unknown; a write that the server refused for what it is, is a verdict.
    fn exit(&self, verdict: Exit) -> Exit {
        match self.failure.kind {
            Kind::Refused | Kind::Invalid if self.is_anothers => Exit::Unknown,
            Kind::Refused | Kind::Invalid => verdict,
            Kind::Unavailable { .. } | Kind::Conflict => Exit::Unknown,
            Kind::Superseded => Exit::Superseded,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.doing, self.failure)
    }
}

impl Kubernetes {
    /// Of what failed to be read.
    pub(super) fn unread(&self, failed: Vec<Failed>) -> anyhow::Error {
        self.together(failed, Exit::Unknown)
    }

    /// Of what failed to be written.
    pub(super) fn unwritten(&self, failed: Vec<Failed>) -> anyhow::Error {
        self.together(failed, Exit::Failed)
    }

    /// One error for all: its kind is that of the failure which leaves its caller the least to do about it.
    fn together(&self, failed: Vec<Failed>, verdict: Exit) -> anyhow::Error {
        let Some(worst) = failed.iter().max_by_key(|failed| weight(failed.failure.kind)) else {
            unreachable!("whoever tells of failures has some")
        };
        let (exit, hint, mut kind) = (worst.exit(verdict), worst.hint(), worst.failure.kind);
        if let Kind::Unavailable { wait } = &mut kind {
            let longest = failed.iter().filter_map(|failed| match failed.failure.kind {
                Kind::Unavailable { wait } => wait,
                _ => None,
            });
            *wait = longest.max();
        }
        let (message, detail) = match failed.as_slice() {
            [one] => (format!("could not {}", one.doing), one.failure.detail.clone()),
            all => {
                let lines = all.iter().map(|one| format!("\n  {one}"));
                (format!("{} things could not be done", all.len()), lines.collect())
            }
        };
        let message = match &self.server {
            Some(server) => format!("{message} at {server}"),
            None => message,
        };
        anyhow::Error::new(Failure { kind, detail }).context(UserError::new(exit, message).hint(hint))
    }
}

fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Conflict => 0,
        Kind::Unavailable { .. } => 1,
        Kind::Refused => 2,
        Kind::Invalid => 3,
        Kind::Superseded => 4,
    }
}
