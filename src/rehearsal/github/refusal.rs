//! How GitHub says no: its statuses, its words, the `errors` of a 422.
//!
//! It must never decide anything.

use serde_json::{Map, Value, json};

const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// What is answered in place of what was asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Map<String, Value>,
}

impl Refusal {
    fn with(mut self, key: &str, value: Value) -> Self {
        self.body.insert(key.to_owned(), value);
        self
    }

    pub(super) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

fn refuse(status: u16, message: impl Into<String>) -> Refusal {
    let body = json!({
        "message": message.into(), "documentation_url": DOCUMENTATION, "status": status.to_string(),
    });
    let Value::Object(body) = body else { unreachable!("written as an object above") };
    Refusal { status, headers: Vec::new(), body }
}

pub(super) fn bad_request(message: &str) -> Refusal {
    refuse(400, message)
}

pub(super) fn bad_credentials() -> Refusal {
    refuse(401, "Bad credentials")
}

pub(super) fn unauthorized(message: &str) -> Refusal {
    refuse(401, message)
}

pub(super) fn requires_authentication() -> Refusal {
    refuse(401, "Requires authentication")
}

pub(super) fn forbidden(message: &str) -> Refusal {
    refuse(403, message)
}

/// Also for what one may not see: GitHub does not tell that it exists.
pub(super) fn not_found() -> Refusal {
    refuse(404, "Not Found")
}

pub(super) fn nothing_at(message: impl Into<String>) -> Refusal {
    refuse(404, message)
}

/// The same place by the id, which no renaming changes. Only reading may follow it as it is.
pub(super) fn moved(reading: bool, url: &str) -> Refusal {
    let (status, message) = if reading { (301, "Moved Permanently") } else { (307, "Temporary Redirect") };
    let mut refusal = refuse(status, message).with("url", json!(url)).header("location", url);
    refusal.body.remove("status");
    refusal
}

/// Another state than the request takes for granted.
pub(super) fn conflict(message: String, error: Value) -> Refusal {
    refuse(409, message).with("errors", json!([error]))
}

/// The body is not of the form that the operation takes.
pub(super) fn malformed(why: impl AsRef<str>) -> Refusal {
    refuse(422, format!("Invalid request.\n\n{}", why.as_ref()))
}

pub(super) fn unprocessable(message: impl Into<String>) -> Refusal {
    refuse(422, message)
}

/// One field is of the right form and still wrong.
pub(super) fn invalid(resource: &str, field: &str, code: &str) -> Refusal {
    let error = json!({ "resource": resource, "field": field, "code": code });
    refuse(422, "Validation Failed").with("errors", json!([error]))
}

/// The same, with GitHub's words for why.
pub(super) fn custom(resource: &str, field: &str, message: impl Into<String>) -> Refusal {
    let error = json!({ "resource": resource, "field": field, "code": "custom", "message": message.into() });
    refuse(422, "Validation Failed").with("errors", json!([error]))
}

pub(super) fn too_long(resource: &str, field: &str, most: usize) -> Refusal {
    custom(resource, field, format!("{field} is too long (maximum is {most} characters)"))
}

pub(super) fn exhausted(status: u16) -> Refusal {
    let message = "API rate limit exceeded. If you reach out to GitHub Support for help, please include the request ID.";
    refuse(status, message)
}

pub(super) fn too_fast(status: u16, wait: u64) -> Refusal {
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    refuse(status, message).header("retry-after", wait)
}
