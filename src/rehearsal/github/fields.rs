//! A request's body, field by field, as GitHub checks it before it looks at anything else.
//!
//! It must never take a key that the operation does not know, nor a type that it does not take.

use super::{
    super::Request,
    refusal::{self, Refusal},
};
use serde_json::{Map, Value};

/// A JSON object, some of whose fields are asked for.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn wrong(key: &str, value: &Value, wanted: &str) -> Refusal {
    refusal::malformed(format!("For 'properties/{key}', {} is not {wanted}.", kind(value)))
}

impl<'a> Fields<'a> {
    /// The body of a request; a missing one has no fields.
    pub(super) fn of(request: &'a Request, known: &[&str]) -> Result<Self, Refusal> {
        static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let sent = request.headers.contains_key("transfer-encoding")
            || request.headers.get("content-length").is_some_and(|length| length != "0");
        match &request.body {
            Value::Object(fields) => Self::within(fields, known),
            // It is null for what is no JSON, too.
            Value::Null if sent => Err(refusal::bad_request("Problems parsing JSON")),
            Value::Null => Ok(Self(&NONE)),
            _ => Err(refusal::bad_request("Body should be a JSON object")),
        }
    }

    /// An object within a body.
    pub(super) fn within(fields: &'a Map<String, Value>, known: &[&str]) -> Result<Self, Refusal> {
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(refusal::malformed(format!("\"{key}\" is not a permitted key."))),
            None => Ok(Self(fields)),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Refusal> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(key, other, "a string")),
        }
    }

    /// Where null says the same as leaving it out.
    pub(super) fn text_or_null(&self, key: &str) -> Result<Option<&'a str>, Refusal> {
        if self.0.get(key).is_some_and(Value::is_null) { Ok(None) } else { self.text(key) }
    }

    pub(super) fn needed(&self, key: &str) -> Result<&'a str, Refusal> {
        self.text(key)?.ok_or_else(|| refusal::malformed(format!("\"{key}\" wasn't supplied.")))
    }

    pub(super) fn one_of(&self, key: &str, known: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let found = known.iter().find(|known| **known == text).copied();
        found.map(Some).ok_or_else(|| {
            let all = known.join(", ");
            refusal::malformed(format!("For 'properties/{key}', {text} is not a member of [{all}]."))
        })
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong(key, other, "a boolean")),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        match self.0.get(key) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(key, value, "an integer")),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, Refusal> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(wrong(key, other, "an array")),
        }
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => Err(wrong(key, other, "an object")),
        }
    }
}

/// The texts of a list that holds nothing else.
pub(super) fn texts(key: &str, list: &[Value]) -> Result<Vec<String>, Refusal> {
    list.iter()
        .map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(key, value, "a string")))
        .collect()
}
