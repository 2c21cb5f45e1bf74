//! Errors for people: what was being done, to which object, why it failed, and what to do next.
//!
//! A `UserError` travels inside `anyhow` and is found again at the edge; everything else that arrives there means
//! "something could not be read or reached". Must never: print a secret; print one cause twice.

use std::fmt::{self, Write as _};

/// What the process tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or rightly nothing to do.
    Done,
    /// The environment or its tests failed.
    Failed,
    /// The call or the configuration is wrong.
    Usage,
    /// No block is free.
    PoolFull,
    /// Something could not be read or reached, and nothing was decided on that ground; or nobody knows whether a write
    /// has landed. The same call again finds out.
    Unknown,
    /// A newer event has taken over.
    Superseded,
    /// A signal of this number has ended it, after everything was told.
    Interrupted(u8),
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::PoolFull => 3,
            Exit::Unknown => 4,
            Exit::Superseded => 5,
            Exit::Interrupted(signal) => 128u8.saturating_add(signal),
        }
    }
}

/// A failure that its reader can do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl UserError {
    /// With an exit code and one sentence that names the object.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), hint: None }
    }
    /// A wrong call or configuration.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }
    /// The same, with where it is.
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }
    /// What to do next.
    pub fn hint(self, hint: impl fmt::Display) -> Self {
        Self { hint: Some(hint.to_string()), ..self }
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}

/// The exit code that an error leads to. What nobody classified is unknown, never a verdict about the environment.
pub fn exit(error: &anyhow::Error) -> Exit {
    found(error).map_or(Exit::Unknown, |e| e.exit)
}

/// The error as its reader meets it: the message, its causes once each, and the hint.
pub fn render(error: &anyhow::Error) -> String {
    format!("error: {}", explain(error))
}

/// The same where it is plain that something went wrong.
pub fn explain(error: &anyhow::Error) -> String {
    let mut out = String::new();
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some libraries repeat their source in their own text.
        if said.iter().any(|s| s.contains(&cause)) {
            continue;
        }
        if !said.is_empty() {
            out.push_str("\n  because: ");
        }
        out.push_str(cause.trim_end());
        said.push(cause);
    }
    if let Some(hint) = found(error).and_then(|e| e.hint.as_deref()) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\nhint: {hint}");
    }
    out
}

fn found(error: &anyhow::Error) -> Option<&UserError> {
    error.downcast_ref::<UserError>().or_else(|| error.chain().find_map(|cause| cause.downcast_ref()))
}
