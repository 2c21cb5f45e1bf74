//! What the server makes of an object before it stores it, and what it refuses: names, labels, annotations, data.
//!
//! Only what a client can run into; schemas of custom resources are checked elsewhere.
//! It must never look at other objects.

use super::refusal::{Cause, Refusal, bad_request, invalid};
use super::target::Target;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// Of a ConfigMap's or a Secret's values together.
const LARGEST_DATA: usize = 1 << 20;
/// Of an object's annotations together, keys and values.
const LARGEST_ANNOTATIONS: usize = 256 << 10;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
    and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
    and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
    regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const LABEL_KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', \
    and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', \
    regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const DATA_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' \
    (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Defaults and folds as the server does; an error if it cannot even be read as its kind.
pub(super) fn normalise(target: &Target, object: &mut Value) -> Result<(), Refusal> {
    let resource = target.qualified();
    let maps: &[&str] = match resource.as_str() {
        "secrets" | "configmaps" => &["data", "stringData", "binaryData"],
        "namespaces" => &["spec", "status"],
        _ => &[],
    };
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let unreadable = |what: &str, why: &str| {
        bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {kind}: {what}: {why}",
            target.kind.version
        ))
    };
    let map = |object: &Value, part: &str| match &object[part] {
        Value::Null | Value::Object(_) => Ok(()),
        _ => Err(unreadable(part, "json: cannot unmarshal into a map")),
    };
    let text = |part: &str, value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(unreadable(part, "json: cannot unmarshal into a string")),
    };
    for part in maps {
        map(object, part)?;
    }
    for part in ["labels", "annotations"] {
        map(&object["metadata"], part)?;
        values(&object["metadata"], part).try_for_each(|(_, value)| text(part, value).map(drop))?;
    }
    match resource.as_str() {
        "secrets" => {
            if let Some(Value::Object(plain)) = object.as_object_mut().and_then(|o| o.remove("stringData")) {
                for (key, value) in plain {
                    object["data"][key] = json!(ByteString(text("stringData", &value)?.into_bytes()));
                }
            }
            if object["type"].is_null() {
                object["type"] = json!("Opaque");
            }
        }
        "configmaps" => values(object, "data").try_for_each(|(_, value)| text("data", value).map(drop))?,
        "namespaces" => {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            if object["status"]["phase"].is_null() {
                object["status"]["phase"] = json!("Active");
            }
        }
        _ => {}
    }
    let encoded = if resource == "secrets" { "data" } else { "binaryData" };
    if maps.contains(&encoded) && !values(object, encoded).all(|(_, value)| decoded(value).is_some()) {
        return Err(unreadable(encoded, "illegal base64 data"));
    }
    // What is empty the real server does not keep, so that it is no change either.
    drop_empty(&mut object["metadata"]);
    if !maps.is_empty() {
        drop_empty(object);
    }
    Ok(())
}

fn drop_empty(object: &mut Value) {
    if let Value::Object(fields) = object {
        fields.retain(|_, value| match value {
            Value::Null => false,
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            _ => true,
        });
    }
}

/// Refuses a normalised object that breaks a rule.
pub(super) fn validate(target: &Target, object: &Value) -> Vec<Cause> {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let mut causes = vec![];
    let mut wrong = |field: &str, value: &str, rule: &str| {
        causes.push(Cause {
            reason: "FieldValueInvalid",
            field: field.to_owned(),
            message: format!("Invalid value: {value:?}: {rule}"),
        });
    };
    match target.qualified().as_str() {
        "namespaces" if !label_name(name) => wrong("metadata.name", name, DNS_LABEL),
        _ if name.len() > 253 => wrong("metadata.name", name, "must be no more than 253 bytes"),
        _ if !name.split('.').all(segment) => wrong("metadata.name", name, SUBDOMAIN),
        _ => {}
    }
    for (key, value) in values(metadata, "labels") {
        let part = key.split_once('/').map_or(key.as_str(), |(_, part)| part);
        if part.len() > 63 {
            wrong("metadata.labels", key, "name part must be no more than 63 bytes");
        } else if part.is_empty() || !qualified(part) {
            wrong("metadata.labels", key, LABEL_KEY);
        }
        let value = value.as_str().unwrap_or_default();
        if value.len() > 63 {
            wrong("metadata.labels", value, "must be no more than 63 bytes");
        } else if !qualified(value) {
            wrong("metadata.labels", value, LABEL_VALUE);
        }
    }
    let sensitive = target.qualified() == "secrets";
    if sensitive || target.qualified() == "configmaps" {
        for part in ["data", "binaryData"] {
            for (key, _) in values(object, part) {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
                if key.is_empty() || key.len() > 253 || !key.chars().all(plain) {
                    wrong(&format!("{part}[{key}]"), key, DATA_KEY);
                }
            }
        }
        if data_size(object, sensitive) > LARGEST_DATA {
            // Go prints the path of the object itself so.
            causes.push(too_long(if sensitive { "data" } else { "[]" }, LARGEST_DATA));
        }
    }
    let annotations = values(metadata, "annotations");
    let size: usize = annotations.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > LARGEST_ANNOTATIONS {
        causes.push(too_long("metadata.annotations", LARGEST_ANNOTATIONS));
    }
    causes
}

/// A name that is missing altogether.
pub(super) fn nameless(target: &Target, object: &Value) -> Refusal {
    let cause = Cause {
        reason: "FieldValueRequired",
        field: "metadata.name".to_owned(),
        message: "Required value: name or generateName is required".to_owned(),
    };
    let kind = object["kind"].as_str().unwrap_or_default();
    invalid(kind, &target.kind.group, "", &[cause])
}

/// A custom resource must be updated from a version.
pub(super) fn versionless(target: &Target, object: &Value, name: &str) -> Refusal {
    let cause = Cause {
        reason: "FieldValueInvalid",
        field: "metadata.resourceVersion".to_owned(),
        message: "Invalid value: 0: must be specified for an update".to_owned(),
    };
    let kind = object["kind"].as_str().unwrap_or_default();
    invalid(kind, &target.kind.group, name, &[cause])
}

fn too_long(field: &str, most: usize) -> Cause {
    Cause {
        reason: "FieldValueTooLong",
        field: field.to_owned(),
        message: format!("Too long: may not be more than {most} bytes"),
    }
}

fn values<'a>(object: &'a Value, part: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object[part].as_object().into_iter().flatten()
}

/// Of the values alone, decoded.
fn data_size(object: &Value, sensitive: bool) -> usize {
    let plain = |value: &Value| value.as_str().map_or(0, str::len);
    let encoded = |value: &Value| decoded(value).unwrap_or(0);
    let data = values(object, "data").map(|(_, value)| if sensitive { encoded(value) } else { plain(value) });
    let binary = values(object, "binaryData").map(|(_, value)| encoded(value));
    data.chain(binary).sum()
}

/// How many bytes a value is in base64, if it is.
fn decoded(value: &Value) -> Option<usize> {
    let bytes: Option<ByteString> = serde_json::from_value(value.clone()).ok();
    bytes.map(|b| b.0.len())
}

fn segment(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && text.chars().all(plain)
}

fn label_name(text: &str) -> bool {
    text.len() <= 63 && segment(text)
}

/// A label's value, or the name part of its key.
fn qualified(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = |c: char| c.is_ascii_alphanumeric();
    text.chars().all(plain)
        && text.starts_with(end) == text.ends_with(end)
        && (text.is_empty() || text.starts_with(end))
}
