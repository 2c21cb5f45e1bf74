//! What could not be done, to which object, and why; of many things done side by side, all of them.

use crate::{
    clients::{Failure, Kind},
    errors::{Exit, UserError},
};
use std::fmt;

/// One thing that failed.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    /// As in "could not ...".
    pub(super) doing: String,
    pub(super) failure: Failure,
}

impl Failed {
    pub(super) fn new(doing: impl fmt::Display, failure: impl Into<Failure>) -> Self {
        Self { doing: doing.to_string(), failure: failure.into() }
    }

    pub(super) fn invalid(doing: impl fmt::Display, detail: impl fmt::Display) -> Self {
        Self::new(doing, Failure { kind: Kind::Invalid, detail: detail.to_string() })
    }

    fn hint(&self) -> &'static str {
        match self.failure.kind {
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
        }
    }

    /// For a read, every failure is unknown; a write that was refused for what it is, is a verdict.
    fn exit(&self, verdict: Exit) -> Exit {
        match self.failure.kind {
            Kind::Refused | Kind::Invalid => verdict,
            Kind::Unavailable { .. } | Kind::Conflict => Exit::Unknown,
            Kind::Superseded => Exit::Superseded,
        }
    }
}

/// Of what failed to be read.
pub(super) fn unread(failed: Vec<Failed>) -> anyhow::Error {
    together(failed, Exit::Unknown)
}

/// Of what failed to be written.
pub(super) fn unwritten(failed: Vec<Failed>) -> anyhow::Error {
    together(failed, Exit::Failed)
}

/// One error for all: its kind is that of the failure which leaves its caller the least to do about it.
fn together(failed: Vec<Failed>, verdict: Exit) -> anyhow::Error {
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
            let lines = all.iter().map(|one| format!("\n  could not {}: {}", one.doing, one.failure.detail));
            (format!("{} things could not be done", all.len()), lines.collect())
        }
    };
    anyhow::Error::new(Failure { kind, detail }).context(UserError::new(exit, message).hint(hint))
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
