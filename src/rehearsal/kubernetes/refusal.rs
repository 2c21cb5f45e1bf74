//! How the server says no: metav1.Status, with the real server's reasons and words.
//!
//! It must never decide anything.

use super::super::Reply;
use super::kinds::Kind;
use super::target::Target;
use super::webhooks::Denied;
use serde_json::{Map, Value, json};

/// A Status with `status: Failure`.
#[derive(Debug)]
pub(super) struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
    details: Value,
    metadata: Value,
}

impl Refusal {
    pub(super) fn status(self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if !self.details.is_null() {
            status["details"] = self.details;
        }
        status
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            0 => Reply::Text(404, "404 page not found\n".into()),
            code => Reply::Json(code, refusal.status()),
        }
    }
}

/// One field that is not as it must be.
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) message: String,
}

impl Cause {
    pub(super) fn new(reason: &'static str, field: &str, message: String) -> Self {
        Self { reason, field: field.to_owned(), message }
    }
}

fn plain(code: u16, reason: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { code, reason, message: message.into(), details: Value::Null, metadata: json!({}) }
}

/// Details about a resource or a kind; what is empty is left out, as Go does.
fn details(kind: &str, group: &str, name: &str) -> Value {
    let all = [("kind", kind), ("group", group), ("name", name)];
    let some = all.into_iter().filter(|(_, value)| !value.is_empty());
    let details: Map<_, _> = some.map(|(key, value)| (key.to_owned(), json!(value))).collect();
    details.into()
}

fn about(code: u16, reason: &'static str, target: &Target, name: &str, message: String) -> Refusal {
    Refusal {
        details: details(&target.kind.plural, &target.kind.group, name),
        ..plain(code, reason, message)
    }
}

/// As a webhook says it, with its name before.
pub(super) fn denied(webhook: &str, denied: &Denied) -> Refusal {
    let (code, reason) = match denied {
        Denied::Invalid(_) => (422, "Invalid"),
        Denied::Forbidden(_) => (403, "Forbidden"),
    };
    plain(code, reason, format!("admission webhook {webhook:?} denied the request: {}", denied.why()))
}

/// What the server could not do although the request is well.
pub(super) fn internal(why: &str) -> Refusal {
    let details = json!({"causes": [{"message": why}]});
    Refusal { details, ..plain(500, "InternalError", format!("Internal error occurred: {why}")) }
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

/// A continue token that is too old, with one that goes on from where it stood.
pub(super) fn expired(token: &str) -> Refusal {
    let message = "The provided continue parameter is too old to display a consistent list result. \
        You can start a new list without the continue parameter, or use the continue token in this response to \
        retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - \
        objects that were created, modified, or deleted between the time the first chunk was returned and now may \
        show up in the list.";
    Refusal { metadata: json!({"continue": token}), ..plain(410, "Expired", message) }
}

/// A list at a version that is forgotten.
pub(super) fn too_old_to_list() -> Refusal {
    plain(410, "Expired", "The resourceVersion for the provided list is too old.")
}

/// A watch from a version that is forgotten.
pub(super) fn too_old(version: u64, oldest: u64) -> Refusal {
    plain(410, "Expired", format!("too old resource version: {version} ({oldest})"))
}

/// A version that is still to come.
pub(super) fn too_new(version: u64, current: u64) -> Refusal {
    let message = format!("Timeout: Too large resource version: {version}, current: {current}");
    let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
    Refusal { details: json!({"causes": [cause], "retryAfterSeconds": 1}), ..plain(504, "Timeout", message) }
}

fn unparsable(version: &str) -> String {
    format!("strconv.ParseUint: parsing {version:?}: invalid syntax")
}

/// A watch from what is no version. Nobody has made a reason of it.
pub(super) fn no_version(version: &str) -> Refusal {
    let why = unparsable(version);
    plain(500, "", format!("resourceVersion: Invalid value: {version:?}: {why}"))
}

/// The same in an object.
pub(super) fn no_version_in_object(version: &str) -> Refusal {
    plain(500, "", unparsable(version))
}

/// The same of a list.
pub(super) fn no_version_to_list(version: &str) -> Refusal {
    let why = unparsable(version);
    bad_request(format!("invalid resource version: resourceVersion: Invalid value: {version:?}: {why}"))
}

/// Where no handler is: not even a Status.
pub(super) fn no_page() -> Refusal {
    plain(0, "NotFound", "404 page not found")
}

pub(super) fn not_acceptable() -> Refusal {
    let message = "only the following media types are accepted: application/json, application/yaml, \
        application/vnd.kubernetes.protobuf";
    plain(406, "NotAcceptable", message)
}

pub(super) fn unsupported_media_type() -> Refusal {
    let message = "415: Unsupported Media Type";
    Refusal { details: json!({}), ..plain(415, "UnsupportedMediaType", message) }
}

/// A configuration that cannot be read as its kind: no reason is given for it either.
pub(super) fn untyped(namespace: &str, name: &str, kind: &Kind, why: &str) -> Refusal {
    let kind = of_kind(kind);
    plain(500, "", format!("failed to create typed patch object ({namespace}/{name}; {kind}): {why}"))
}

/// A configuration that its schema takes, but not its kind.
pub(super) fn unconverted(namespace: &str, name: &str, kind: &Kind, why: &str) -> Refusal {
    let kind = of_kind(kind);
    let message = format!(
        "failed to convert new object ({namespace}/{name}; {kind}) to proper version: \
         unable to convert unstructured object to {kind}: {why}"
    );
    plain(500, "", message)
}

/// Go writes the core group's version without a group, but with the slash.
fn of_kind(Kind { group, version, kind, .. }: &Kind) -> String {
    format!("{group}/{version}, Kind={kind}")
}

/// Fields of other managers in the way.
pub(super) fn owned_by_others(conflicts: &[(String, String)]) -> Refusal {
    let count = conflicts.len();
    let mut told: Vec<String> = vec![];
    for (at, (manager, field)) in conflicts.iter().enumerate() {
        if at == 0 || conflicts[at - 1].0 != *manager {
            told.push(format!("conflicts with {manager}:"));
        }
        told.push(format!("- {field}"));
    }
    let message = match conflicts {
        [(manager, field)] => format!("Apply failed with 1 conflict: conflict with {manager}: {field}"),
        _ => format!("Apply failed with {count} conflicts: {}", told.join("\n")),
    };
    let cause = |(manager, field): &(String, String)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field});
    let causes: Vec<Value> = conflicts.iter().map(cause).collect();
    Refusal { details: json!({"causes": causes}), ..plain(409, "Conflict", message) }
}

/// A wrong option of a request.
pub(super) fn options(kind: &str, field: &str, reason: &'static str, message: &str) -> Refusal {
    invalid(kind, "meta.k8s.io", "", &[Cause::new(reason, field, message.to_owned())])
}

/// What a patch makes cannot be read as the object's kind.
pub(super) fn bad_patch(object: &Value, why: &str) -> Refusal {
    let message = format!("Invalid value: {:?}: {why}", object.to_string());
    invalid("", "", "", &[Cause::new("FieldValueInvalid", "patch", message)])
}

/// The real server's storage says this, which nobody has made a Status of.
pub(super) fn version_on_create() -> Refusal {
    plain(500, "", "resourceVersion should not be set on objects to be created")
}

pub(super) fn not_found(target: &Target, name: &str) -> Refusal {
    let message = format!("{} {name:?} not found", target.qualified());
    about(404, "NotFound", target, name, message)
}

/// Nothing comes to be in a namespace that is not there.
pub(super) fn no_namespace(namespace: &str) -> Refusal {
    let message = format!("namespaces {namespace:?} not found");
    Refusal { details: details("namespaces", "", namespace), ..plain(404, "NotFound", message) }
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

/// An update of an object that has died since, and another has its name.
pub(super) fn other_uid(target: &Target, name: &str, given: &str, uid: &str) -> Refusal {
    let group = match target.kind.built_in() {
        true => String::new(),
        false => format!("{}/", target.kind.group),
    };
    let namespace = target.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let key = format!("/registry/{group}{}/{namespace}{name}", target.kind.plural);
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {given}, UID in object meta: {uid}"
    );
    conflict(target, name, &why)
}

/// A precondition of a delete: alone of all refusals it names the kind where others name the plural.
pub(super) fn precondition(target: &Target, name: &str, why: &str) -> Refusal {
    let (kind, group) = (&target.kind.kind, &target.kind.group);
    let qualified = match group.as_str() {
        "" => kind.clone(),
        group => format!("{kind}.{group}"),
    };
    let message = format!("Operation cannot be fulfilled on {qualified} {name:?}: {why}");
    Refusal { details: details(kind, group, name), ..plain(409, "Conflict", message) }
}

pub(super) fn forbidden(target: &Target, user: &str, verb: &str) -> Refusal {
    let (group, resource) = (&target.kind.group, &target.kind.plural);
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

/// What breaks the same rule in two places is told in one sentence, but with both causes.
pub(super) fn repeated(kind: &Kind, name: &str, causes: &[Cause]) -> Refusal {
    let once = invalid(&kind.kind, &kind.group, name, &causes[..1]);
    let all = invalid(&kind.kind, &kind.group, name, causes);
    Refusal { message: once.message, ..all }
}

pub(super) fn invalid(kind: &str, group: &str, name: &str, causes: &[Cause]) -> Refusal {
    let told: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
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
