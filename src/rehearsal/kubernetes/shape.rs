//! How a value merges at each of its places, read off a schema.
//!
//! It must never look at anything but the schema: what an object happens to hold says nothing about its shape.

use serde_json::Value;

/// The shape of a value.
#[derive(Clone, Copy)]
pub(super) enum Shape<'a> {
    /// As its schema says; what that does not declare is not there.
    Strict(&'a Value),
    /// As its schema says where it says anything; all else is fields, and lists are one value.
    Sparse(&'a Value),
    /// Nobody has said anything: keys of the user's, and lists are one value.
    Free,
}

/// How a list merges.
pub(super) enum List<'a> {
    /// It is one value.
    Atomic,
    /// Its items are their own names.
    Set,
    /// Its items are told apart by these fields; the second is what the field is if it is missing.
    Map(Vec<(&'a str, Option<&'a Value>)>),
}

/// What an object has at a name: its shape, and whether the name is the schema's rather than the user's.
pub(super) struct Field<'a> {
    pub(super) shape: Shape<'a>,
    pub(super) named: bool,
}

static NOTHING: Value = Value::Null;

impl<'a> Shape<'a> {
    fn schema(self) -> &'a Value {
        match self {
            Shape::Strict(schema) | Shape::Sparse(schema) => schema,
            Shape::Free => &NOTHING,
        }
    }

    fn at(self, schema: &'a Value) -> Self {
        match self {
            Shape::Strict(_) => Shape::Strict(schema),
            Shape::Sparse(_) => Shape::Sparse(schema),
            Shape::Free => Shape::Free,
        }
    }

    /// None if the schema says that there is no such field.
    pub(super) fn field(self, name: &str) -> Option<Field<'a>> {
        let free = Some(Field { shape: Shape::Free, named: false });
        let schema = self.schema();
        if let Some(declared) = schema["properties"].get(name) {
            return Some(Field { shape: self.at(declared), named: true });
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(true)) => return free,
            Some(of @ Value::Object(_)) => return Some(Field { shape: self.at(of), named: false }),
            _ => {}
        }
        let is = |word: &str| schema[word] == true;
        let embedded =
            is("x-kubernetes-embedded-resource") && ["apiVersion", "kind", "metadata"].contains(&name);
        match self {
            Shape::Free => free,
            _ if is("x-kubernetes-preserve-unknown-fields") || embedded => free,
            Shape::Sparse(_) => Some(Field { shape: Shape::Sparse(&NOTHING), named: true }),
            Shape::Strict(_) => None,
        }
    }

    pub(super) fn item(self) -> Self {
        match self.schema().get("items") {
            Some(items) => self.at(items),
            None => match self {
                Shape::Sparse(_) => Shape::Sparse(&NOTHING),
                _ => Shape::Free,
            },
        }
    }

    pub(super) fn list(self) -> List<'a> {
        let schema = self.schema();
        match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => List::Set,
            Some("map") => {
                let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
                let fields = &schema["items"]["properties"];
                let with_default = |key: &'a Value| {
                    let key = key.as_str().unwrap_or_default();
                    (key, fields[key].get("default"))
                };
                List::Map(keys.map(with_default).collect())
            }
            _ => List::Atomic,
        }
    }

    /// Whether an object here is one value.
    pub(super) fn is_one(self) -> bool {
        self.schema()["x-kubernetes-map-type"] == "atomic"
    }

    /// What a strict schema says that this is not, in the words of the server's merging.
    pub(super) fn mismatch(self, value: &Value) -> Option<String> {
        let Shape::Strict(schema) = self else { return None };
        if value.is_null() || schema["x-kubernetes-int-or-string"] == true {
            return None;
        }
        let kind = match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::Array(_) => "list",
            _ => "map",
        };
        let expected = match schema["type"].as_str()? {
            "integer" | "number" if !value.is_number() => "numeric (int or float)",
            "string" if !value.is_string() => "string",
            "boolean" if !value.is_boolean() => "boolean",
            "array" if !value.is_array() => "list",
            "object" if !value.is_object() => "map",
            _ => return None,
        };
        let got = match (expected, value) {
            ("string", value) => format!("&value.valueUnstructured{{Value:{value}}}"),
            _ => kind.to_owned(),
        };
        Some(format!("expected {expected}, got {got}"))
    }
}
