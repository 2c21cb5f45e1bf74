//! What an object says of itself, judged. Pure.
//!
//! Must never: take what was said about an earlier generation of the object for an answer about this one.

use serde_json::Value;

/// What a condition of an object came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It holds, for the object as it is now.
    True,
    /// It does not hold.
    False {
        /// In one word.
        reason: String,
        /// In the words of who says so.
        message: String,
    },
    /// Nobody has said so far, or what they said is about an earlier generation.
    Unknown {
        /// In one word.
        reason: String,
        /// In words.
        message: String,
    },
}

impl Condition {
    /// Whether it holds.
    pub fn is_true(&self) -> bool {
        *self == Self::True
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, reason, message) = match self {
            Self::True => return f.write_str("True"),
            Self::False { reason, message } => ("False", reason, message),
            Self::Unknown { reason, message } => ("Unknown", reason, message),
        };
        match (reason.as_str(), message.as_str()) {
            ("", "") => f.write_str(word),
            ("", text) | (text, "") => write!(f, "{word} ({text})"),
            (reason, message) => write!(f, "{word} ({reason}: {message})"),
        }
    }
}

/// The condition of this type in `status.conditions`. A condition that tells its generation counts by that, else the
/// status' own counts; where neither tells one, nothing can be stale.
pub fn condition(object: &Value, kind: &str) -> Condition {
    let unknown = |reason: &str, message: String| Condition::Unknown { reason: reason.to_owned(), message };
    let status = &object["status"];
    let mut said = status["conditions"].as_array().into_iter().flatten().filter(|said| said["type"] == kind);
    let Some(found) = said.next() else {
        return unknown("", format!("it says nothing of {kind} so far"));
    };
    if said.next().is_some() {
        return unknown("Ambiguous", format!("it says {kind} more than once"));
    }
    let observed = [&found["observedGeneration"], &status["observedGeneration"]];
    if let (Some(observed), Some(generation)) =
        (observed.iter().find_map(|said| said.as_i64()), object["metadata"]["generation"].as_i64())
        && observed < generation
    {
        return unknown("Stale", format!("said of generation {observed}, but it is at {generation}"));
    }
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    let (reason, message) = (text("reason"), text("message"));
    match found["status"].as_str() {
        Some("True") => Condition::True,
        Some("False") => Condition::False { reason, message },
        _ => Condition::Unknown { reason, message },
    }
}
