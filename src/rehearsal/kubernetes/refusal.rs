//! How the server says no: metav1.Status, with the real server's reasons and words.
//!
//! It must never decide anything.

use super::super::Reply;
use super::target::Target;
use serde_json::{Map, Value, json};

/// A Status with `status: Failure`.
pub(super) struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": refusal.message, "code": refusal.code,
        });
        if !refusal.reason.is_empty() {
            status["reason"] = json!(refusal.reason);
        }
        if !refusal.details.is_null() {
            status["details"] = refusal.details;
        }
        Reply::Json(refusal.code, status)
    }
}

/// One field that is not as it must be.
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) message: String,
}

fn plain(code: u16, reason: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { code, reason, message: message.into(), details: Value::Null }
}

/// Details about a resource or a kind; what is empty is left out, as Go does.
fn details(kind: &str, group: &str, name: &str) -> Value {
    let all = [("kind", kind), ("group", group), ("name", name)];
    let some = all.into_iter().filter(|(_, value)| !value.is_empty());
    let details: Map<_, _> = some.map(|(key, value)| (key.to_owned(), json!(value))).collect();
    details.into()
}

fn about(code: u16, reason: &'static str, target: &Target, name: &str, message: String) -> Refusal {
    Refusal { details: details(&target.resource, &target.group, name), ..plain(code, reason, message) }
}

pub(super) fn unauthorized() -> Refusal {
    plain(401, "Unauthorized", "Unauthorized")
}

pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
    plain(400, "BadRequest", message)
}

pub(super) fn no_such_path() -> Refusal {
    let message = "the server could not find the requested resource";
    Refusal { details: json!({}), ..plain(404, "NotFound", message) }
}

pub(super) fn not_allowed() -> Refusal {
    let message = "the server does not allow this method on the requested resource";
    Refusal { details: json!({}), ..plain(405, "MethodNotAllowed", message) }
}

pub(super) fn expired() -> Refusal {
    let message = "The provided continue parameter is too old to display a consistent list result. \
        You must start a new list without the continue parameter.";
    plain(410, "Expired", message)
}

/// The real server's storage says this, which nobody has made a Status of.
pub(super) fn version_on_create() -> Refusal {
    plain(500, "", "resourceVersion should not be set on objects to be created")
}

pub(super) fn not_found(target: &Target, name: &str) -> Refusal {
    let message = format!("{} {name:?} not found", target.qualified());
    about(404, "NotFound", target, name, message)
}

pub(super) fn already_exists(target: &Target, name: &str) -> Refusal {
    let message = format!("{} {name:?} already exists", target.qualified());
    about(409, "AlreadyExists", target, name, message)
}

pub(super) fn conflict(target: &Target, name: &str, why: &str) -> Refusal {
    let resource = target.qualified();
    let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
    about(409, "Conflict", target, name, message)
}

pub(super) fn forbidden(target: &Target, user: &str, verb: &str) -> Refusal {
    let Target { group, resource, .. } = target;
    let place = match &target.namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let why = format!("User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}");
    let name = target.name.as_deref().unwrap_or_default();
    let what = match name {
        "" => target.qualified(),
        name => format!("{} {name:?}", target.qualified()),
    };
    about(403, "Forbidden", target, name, format!("{what} is forbidden: {why}"))
}

pub(super) fn terminating(target: &Target, name: &str, namespace: &str) -> Refusal {
    let message = format!(
        "{} {name:?} is forbidden: unable to create new content in namespace {namespace} because it is being terminated",
        target.qualified()
    );
    let mut refusal = about(403, "Forbidden", target, name, message);
    refusal.details["causes"] = json!([{
        "reason": "NamespaceTerminating", "field": "metadata.namespace",
        "message": format!("namespace {namespace} is being terminated"),
    }]);
    refusal
}

pub(super) fn invalid(kind: &str, group: &str, name: &str, causes: &[Cause]) -> Refusal {
    let told: Vec<String> = causes
        .iter()
        // Go prints a path without a name so.
        .map(|c| {
            if c.field.is_empty() {
                format!("[]: {}", c.message)
            } else {
                format!("{}: {}", c.field, c.message)
            }
        })
        .collect();
    let told = match told.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let qualified = match group {
        "" => kind.to_owned(),
        group => format!("{kind}.{group}"),
    };
    let mut details = details(kind, group, name);
    details["causes"] =
        causes.iter().map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field})).collect();
    Refusal { details, ..plain(422, "Invalid", format!("{qualified} {name:?} is invalid: {told}")) }
}
