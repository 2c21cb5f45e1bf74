//! Label and field selectors.
//!
//! It must never let an expression that it does not understand select everything.

use super::kinds::Kind;
use super::refusal::{Refusal, bad_request};
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields that can be selected by, beside name and namespace.
fn fields(resource: &str) -> &'static [&'static str] {
    match resource {
        "events" => &[
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.uid",
            "reason",
            "type",
        ],
        "namespaces" => &["status.phase"],
        "pods" => &["spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase"],
        "secrets" => &["type"],
        "jobs.batch" => &["status.successful"],
        _ => &[],
    }
}

/// What a list asks for.
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

/// The key is there, with one of these values if any are named; or, not wanted, just that must not be.
struct Requirement {
    key: String,
    values: Option<Vec<String>>,
    wanted: bool,
}

impl Requirement {
    /// `key`, `!key`, `key=v`, `key==v`, `key!=v`, `key in (v, …)`, `key notin (v, …)`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (key, values, wanted) = if let Some((head, set)) = text.split_once('(') {
            let set = set.strip_suffix(')')?.split(',').map(str::trim).collect();
            let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
            let wanted = match operator {
                "in" => true,
                "notin" => false,
                _ => return None,
            };
            (key, Some(set), wanted)
        } else if let Some((key, value)) = text.split_once("!=") {
            (key, Some(vec![value.trim()]), false)
        } else if let Some((key, value)) = text.split_once('=') {
            (key, Some(vec![value.strip_prefix('=').unwrap_or(value).trim()]), true)
        } else if let Some(key) = text.strip_prefix('!') {
            (key, None, false)
        } else {
            (text, None, true)
        };
        let key = key.trim();
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        let sound = !key.is_empty() && plain(key) && values.iter().flatten().all(|v| plain(v));
        sound.then(|| Self {
            key: key.to_owned(),
            values: values.map(|values| values.into_iter().map(str::to_owned).collect()),
            wanted,
        })
    }

    fn holds(&self, found: Option<&str>) -> bool {
        let hit = found.is_some_and(|found| {
            let values = self.values.as_ref();
            values.is_none_or(|values| values.iter().any(|v| v == found))
        });
        hit == self.wanted
    }
}

impl Selector {
    pub(super) fn of(kind: &Kind, query: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let parse = |name: &str| -> Result<Vec<Requirement>, Refusal> {
            let text = query.get(name).map_or("", String::as_str);
            let parse = |part: &str| {
                Requirement::parse(part)
                    .ok_or_else(|| bad_request(format!("unable to parse requirement: {part:?}")))
            };
            split(text).into_iter().map(parse).collect()
        };
        let (labels, selected) = (parse("labelSelector")?, parse("fieldSelector")?);
        let known = ["metadata.name", "metadata.namespace"].iter().chain(fields(&kind.resource()));
        let known: Vec<&str> = known.copied().collect();
        for field in &selected {
            if field.values.is_none() {
                let text = &field.key;
                return Err(bad_request(format!("invalid selector: '{text}'; can't understand '{text}'")));
            }
            if !known.contains(&field.key.as_str()) {
                let told: Vec<String> = known.iter().map(|field| format!("{field:?}")).collect();
                let only = told.join(", ");
                let message = format!("{:?} is not a known field selector: only {only}", field.key);
                return Err(bad_request(message));
            }
        }
        Ok(Self { labels, fields: selected })
    }

    pub(super) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let label = |r: &Requirement| r.holds(labels[r.key.as_str()].as_str());
        let field = |r: &Requirement| {
            let path = format!("/{}", r.key.replace('.', "/"));
            // Every object has these fields, if only empty.
            r.holds(object.pointer(&path).and_then(Value::as_str).or(Some("")))
        };
        self.labels.iter().all(label) && self.fields.iter().all(field)
    }
}

/// At the commas that are not within parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut within = false;
    let at = |c: char| {
        within = match c {
            '(' => true,
            ')' => false,
            _ => within,
        };
        c == ',' && !within
    };
    match text.trim() {
        "" => vec![],
        text => text.split(at).collect(),
    }
}
