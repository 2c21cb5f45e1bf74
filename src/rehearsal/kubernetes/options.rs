//! The options of a request that writes: dry run, field manager, strictness, force.
//!
//! It must never take an option that it does not know for one that was not given.

use super::super::Request;
use super::refusal::{self, Refusal};

/// What becomes of fields that the kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// They are dropped. (The real server warns, if it is not told to ignore them.)
    Dropped,
    /// They are refused.
    Refused,
}

/// How a request wants to be done.
pub(super) struct Options {
    /// Under which name it writes.
    pub(super) manager: String,
    pub(super) unknown: Unknown,
    pub(super) dry: bool,
    /// Whether fields of others are taken from them.
    pub(super) force: bool,
}

/// The longest name of a field manager.
const LONGEST: usize = 128;

impl Options {
    /// `kind` is what the server calls them: `CreateOptions`, …
    pub(super) fn of(request: &Request, kind: &str, apply: bool) -> Result<Self, Refusal> {
        let given = |name: &str| request.query.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let wrong = |field: &str, reason, message: &str| Err(refusal::options(kind, field, reason, message));
        let of_body = request.body["dryRun"].as_array().filter(|_| request.method == "DELETE");
        let dry = match given("dryRun").or_else(|| of_body?.first()?.as_str()) {
            None => false,
            Some("All") => true,
            Some(other) => {
                let message = format!("Unsupported value: [{other:?}]: supported values: \"All\"");
                return wrong("dryRun", "FieldValueNotSupported", &message);
            }
        };
        let unknown = match given("fieldValidation") {
            None | Some("Ignore" | "Warn") => Unknown::Dropped,
            Some("Strict") => Unknown::Refused,
            Some(other) => {
                let message = format!(
                    "Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                );
                return wrong("fieldValidation", "FieldValueNotSupported", &message);
            }
        };
        let force = given("force").is_some_and(|value| value != "false");
        if given("force").is_some() && !apply && kind == "PatchOptions" {
            return wrong(
                "force",
                "FieldValueForbidden",
                "Forbidden: may not be specified for non-apply patch",
            );
        }
        let manager = match given("fieldManager") {
            Some(name) if name.len() > LONGEST => {
                let message = format!("Too long: may not be more than {LONGEST} bytes");
                return wrong("fieldManager", "FieldValueTooLong", &message);
            }
            Some(name) => name.to_owned(),
            None if apply => {
                return wrong(
                    "fieldManager",
                    "FieldValueRequired",
                    "Required value: is required for apply patch",
                );
            }
            None => {
                let agent = request.headers.get("user-agent").map_or("", String::as_str);
                let program = agent.split('/').next().unwrap_or_default();
                if program.is_empty() { "unknown" } else { program }.to_owned()
            }
        };
        Ok(Self { manager, unknown, dry, force })
    }
}
