//! The schemas of OpenAPI 3.0.3, as far as GitHub's description uses them.
//!
//! A keyword or format that this does not know is refused when the description is loaded: nothing is judged by half a rule.

use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// Which way a value goes, and so how it is held against its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// What a client sends: a property that is not described is refused, even where the description is silent on it.
    Sent,
    /// What the server answers: the description says of no object that it is closed, and GitHub adds properties at any time.
    Answered,
}

const KNOWN: &[&str] = &[
    "$ref",
    "type",
    "nullable",
    "enum",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "properties",
    "required",
    "additionalProperties",
    "maxProperties",
    "items",
    "minItems",
    "maxItems",
    "oneOf",
    "anyOf",
    "allOf",
    // These say nothing about a value.
    "title",
    "default",
    "deprecated",
    "discriminator",
];
const FORMATS: &[&str] = &["date-time", "uri", "email", "int64", "timestamp"];

/// One place in one component where GitHub is known to answer null although its description says otherwise.
#[derive(Debug)]
pub(crate) struct Relaxation {
    /// `component/property/…`, items of a list as `*`.
    pub(crate) place: &'static str,
    /// What GitHub does.
    pub(crate) why: &'static str,
}

pub(super) struct Schemas<'a> {
    pub(super) description: &'a Value,
    pub(super) relaxed: &'a [Relaxation],
}

/// What one check leaves behind beside its outcome.
#[derive(Default)]
pub(super) struct Notes {
    /// The relaxations that were needed.
    pub(super) relaxed: BTreeSet<&'static str>,
}

/// Where a value stands: in what was sent, and in which component of the description.
#[derive(Clone)]
struct At {
    value: String,
    component: String,
}

impl At {
    fn below(&self, key: &str) -> Self {
        Self { value: format!("{}/{key}", self.value), component: format!("{}/{key}", self.component) }
    }

    fn refuse(&self, why: impl std::fmt::Display) -> Result<(), String> {
        Err(format!("{}: {why} (by {})", self.value, self.component))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_uri(text: &str) -> bool {
    let scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    text.split_once(':').is_some_and(|(s, rest)| scheme(s) && !rest.is_empty() && rest.chars().all(allowed))
}

impl Schemas<'_> {
    /// What a reference leads to; a value that is none, to itself.
    pub(super) fn follow<'v>(&'v self, value: &'v Value) -> (&'v Value, Option<&'v str>) {
        match value["$ref"].as_str() {
            None => (value, None),
            Some(reference) => {
                let found = self.description.pointer(reference.trim_start_matches('#'));
                let found = found.unwrap_or_else(|| panic!("the description has no {reference}"));
                (found, reference.rsplit('/').next())
            }
        }
    }

    /// Panics at what [`Schemas::check`] would pass over.
    pub(super) fn know(&self, schema: &Value) {
        let schema = schema.as_object().unwrap();
        for (keyword, value) in schema {
            assert!(
                KNOWN.contains(&keyword.as_str()),
                "the judge does not know the keyword {keyword} of {schema:?}"
            );
            match keyword.as_str() {
                "format" => assert!(FORMATS.contains(&value.as_str().unwrap()), "nor the format {value}"),
                "properties" => value.as_object().unwrap().values().for_each(|inner| self.know(inner)),
                "items" => self.know(value),
                "additionalProperties" if value.is_object() => self.know(value),
                "oneOf" | "anyOf" | "allOf" => {
                    value.as_array().unwrap().iter().for_each(|inner| self.know(inner))
                }
                _ => {}
            }
        }
    }

    pub(super) fn check(
        &self,
        schema: &Value,
        value: &Value,
        way: Way,
        notes: &mut Notes,
    ) -> Result<(), String> {
        let at = At { value: String::new(), component: String::new() };
        self.at(&at, schema, value, way, true, notes)
    }

    fn at(
        &self,
        at: &At,
        schema: &Value,
        value: &Value,
        way: Way,
        closed: bool,
        notes: &mut Notes,
    ) -> Result<(), String> {
        let (schema, name) = self.follow(schema);
        if let Some(name) = name {
            // A relaxation may be tied to where a component stands in another.
            if value.is_null() && self.is_relaxed(&at.component, notes) && way == Way::Answered {
                return Ok(());
            }
            let at = At { component: name.to_owned(), ..at.clone() };
            return self.at(&at, schema, value, way, closed, notes);
        }
        if value.is_null() {
            let may =
                schema["nullable"] == true || way == Way::Answered && self.is_relaxed(&at.component, notes);
            return if may { Ok(()) } else { at.refuse("null") };
        }
        if let Some(wanted) = schema["type"].as_str() {
            let found = kind(value);
            if found != wanted && !(wanted == "number" && found == "integer") {
                return at.refuse(format!("{found}, not {wanted}"));
            }
        }
        if let Some(all) = schema["enum"].as_array().filter(|all| !all.contains(value)) {
            return at.refuse(format!("{value} is none of {all:?}"));
        }
        match value {
            Value::String(text) => self.text(at, schema, text)?,
            Value::Array(items) => {
                self.count(at, schema, "Items", items.len())?;
                let schema = &schema["items"];
                for item in items.iter().filter(|_| !schema.is_null()) {
                    self.at(&at.below("*"), schema, item, way, true, notes)?;
                }
            }
            Value::Number(number) => self.number(at, schema, number)?,
            Value::Object(object) => self.object(at, schema, object, way, closed, notes)?,
            _ => {}
        }
        self.variants(at, schema, value, way, notes)
    }

    fn is_relaxed(&self, component: &str, notes: &mut Notes) -> bool {
        let found = self.relaxed.iter().find(|relaxation| relaxation.place == component);
        found.is_some_and(|relaxation| {
            notes.relaxed.insert(relaxation.place);
            true
        })
    }

    fn count(&self, at: &At, schema: &Value, what: &str, count: usize) -> Result<(), String> {
        let limit = |side: &str| schema[format!("{side}{what}")].as_u64();
        let count = count as u64;
        if limit("min").is_some_and(|least| count < least) || limit("max").is_some_and(|most| count > most) {
            return at.refuse(format!("{count} {what}, outside {:?} to {:?}", limit("min"), limit("max")));
        }
        Ok(())
    }

    fn number(&self, at: &At, schema: &Value, number: &Number) -> Result<(), String> {
        let Some(number) = number.as_f64() else {
            return at.refuse(format!("{number} is beyond all numbers"));
        };
        let limit = |side: &str| schema[side].as_f64();
        if limit("minimum").is_some_and(|least| number < least)
            || limit("maximum").is_some_and(|most| number > most)
        {
            return at.refuse(format!("{number}, outside {:?} to {:?}", limit("minimum"), limit("maximum")));
        }
        Ok(())
    }

    fn text(&self, at: &At, schema: &Value, text: &str) -> Result<(), String> {
        self.count(at, schema, "Length", text.chars().count())?;
        let fits = match schema["format"].as_str() {
            Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
            // Where the description itself gives an empty text as the default, it is one.
            Some("uri") => is_uri(text) || text.is_empty() && schema["default"] == "",
            Some("email") => text.contains('@'),
            Some(_) | None => true,
        };
        if fits { Ok(()) } else { at.refuse(format!("{text:?} is no {}", schema["format"])) }
    }

    fn object(
        &self,
        at: &At,
        schema: &Value,
        object: &Map<String, Value>,
        way: Way,
        closed: bool,
        notes: &mut Notes,
    ) -> Result<(), String> {
        self.count(at, schema, "Properties", object.len())?;
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(missing) = required.into_iter().find(|key| !object.contains_key(*key)) {
            return at.refuse(format!("{missing} is missing"));
        }
        let more = &schema["additionalProperties"];
        for (key, value) in object {
            let described = schema["properties"].get(key);
            match described {
                Some(inner) => self.at(&at.below(key), inner, value, way, true, notes)?,
                None if more.is_object() && more.as_object().is_some_and(|more| !more.is_empty()) => {
                    self.at(&at.below(key), more, value, way, true, notes)?;
                }
                None if more == false => return at.refuse(format!("{key} is not allowed")),
                None if way == Way::Sent && closed && more.is_null() && schema["properties"].is_object() => {
                    return at.refuse(format!("{key} is not described"));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// A part of a composition adds a rule to an object, and does not describe the whole of it.
    fn variants(
        &self,
        at: &At,
        schema: &Value,
        value: &Value,
        way: Way,
        notes: &mut Notes,
    ) -> Result<(), String> {
        let whole = schema["properties"].is_object();
        if let Some(all) = schema["allOf"].as_array() {
            all.iter().try_for_each(|inner| self.at(at, inner, value, way, false, notes))?;
        }
        for (keyword, most) in [("oneOf", 1), ("anyOf", usize::MAX)] {
            let Some(all) = schema[keyword].as_array() else { continue };
            let outcomes: Vec<_> =
                all.iter().map(|inner| self.at(at, inner, value, way, !whole, notes)).collect();
            let fit = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            if fit == 0 || fit > most {
                let why: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
                return at.refuse(format!("{fit} of {keyword} fit: {}", why.join("; ")));
            }
        }
        Ok(())
    }
}
