//! What an object must be before it is stored: read as its kind, defaulted, normalised, validated.
//!
//! It must never look at other objects.

use super::fields::{Path, Step, Told};
use super::kinds::{DEFINITIONS, Kind};
use super::merge;
use super::options::Unknown;
use super::refusal::{self, Refusal};
use super::shape::Shape;
use super::target::Target;
use super::{builtin_defaults, definitions, schema, validate, workloads};
use serde_json::Value;

impl Kind {
    pub(super) fn shape(&self) -> Shape<'_> {
        match self.built_in() {
            true => Shape::Sparse(&self.schema),
            false => Shape::Strict(&self.schema),
        }
    }
}

const NO_QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Whether a server's schema takes what cannot be read for this reason: it knows of maps, lists, numbers, texts and
/// truths alone.
pub(super) fn fits_the_schema(why: &str) -> bool {
    let is_finer = why.starts_with("invalid type: floating point") && why.contains("expected i");
    // The last begins what the decoder of base64 says.
    why == NO_QUANTITY || is_finer || why.contains("expected IntOrString") || why.starts_with("Invalid ")
}

/// A field that the kind does not have, in two notations of the server's.
pub(super) struct Undeclared {
    /// `spec.containers[0].imag`
    pub(super) plain: String,
    /// `.spec.containers[name="app"].imag`
    pub(super) told: String,
}

/// Reads an object as its built-in kind: takes away what that does not have, and says what it was. The error is why it
/// cannot be read at all.
pub(super) fn read(kind: &Kind, object: &mut Value) -> Result<Vec<Undeclared>, String> {
    let Some(reread) = kind.reread else {
        let unknown = schema::prune(object, &kind.schema);
        return Ok(unknown
            .into_iter()
            .map(|plain| Undeclared { told: format!(".{plain}"), plain })
            .collect());
    };
    if builtin_defaults::misread_quantity(&kind.resource(), object) {
        return Err(NO_QUANTITY.to_owned());
    }
    let known = reread(object).map_err(|error| error.to_string())?;
    let mut unknown = vec![];
    strip(object, &known, kind.shape(), String::new(), &mut vec![], &mut unknown);
    Ok(unknown)
}

/// What did not survive being read and written again was never the kind's.
fn strip(
    value: &mut Value,
    known: &Value,
    shape: Shape<'_>,
    plain: String,
    path: &mut Path,
    unknown: &mut Vec<Undeclared>,
) {
    match (value, known) {
        // A number where a quantity is meant.
        (value @ Value::Number(_), Value::String(_)) => *value = known.clone(),
        (Value::Object(object), Value::Object(known)) => object.retain(|name, value| {
            let below = if plain.is_empty() { name.clone() } else { format!("{plain}.{name}") };
            let shape = shape.field(name).map_or(Shape::Free, |field| field.shape);
            path.push(Step::Field(name.clone()));
            let kept = match known.get(name) {
                Some(known) => {
                    strip(value, known, shape, below, path, unknown);
                    true
                }
                None if value.is_null() => true,
                None => {
                    unknown.push(Undeclared { plain: below, told: Told(path).to_string() });
                    false
                }
            };
            path.pop();
            kept
        }),
        (Value::Array(items), Value::Array(known)) => {
            for (at, (item, known)) in items.iter_mut().zip(known).enumerate() {
                path.push(merge::step(&shape.list(), item).unwrap_or(Step::Value(at.to_string())));
                strip(item, known, shape.item(), format!("{plain}[{at}]"), path, unknown);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Reads what a client sent whole.
pub(super) fn read_body(target: &Target, object: &mut Value, unknown: Unknown) -> Result<(), Refusal> {
    let kind = &target.kind;
    let given = object["kind"].as_str().unwrap_or_default().to_owned();
    let unreadable = |why: &str| {
        let message =
            format!("{given} in version {:?} cannot be handled as a {}: {why}", kind.version, kind.kind);
        refusal::bad_request(message)
    };
    let found = read(kind, object).map_err(|why| unreadable(&why))?;
    match strict(&found, unknown) {
        Some(why) => Err(unreadable(&why)),
        None => Ok(()),
    }
}

/// Reads what a patch has made.
pub(super) fn read_patched(target: &Target, object: &mut Value, unknown: Unknown) -> Result<(), Refusal> {
    let whole = object.clone();
    let found = read(&target.kind, object).map_err(|why| refusal::bad_patch(&whole, &why))?;
    match strict(&found, unknown) {
        Some(why) => Err(refusal::bad_patch(&whole, &why)),
        None => Ok(()),
    }
}

fn strict(found: &[Undeclared], unknown: Unknown) -> Option<String> {
    let told: Vec<String> = found.iter().map(|field| format!("unknown field {:?}", field.plain)).collect();
    (unknown == Unknown::Refused && !told.is_empty())
        .then(|| format!("strict decoding error: {}", told.join(", ")))
}

/// Defaults and normalises an object that could be read.
pub(super) fn complete(target: &Target, object: &mut Value) -> Result<(), Refusal> {
    let resource = target.qualified();
    if target.kind.built_in() {
        builtin_defaults::fill(&resource, object);
    } else {
        schema::default(object, &target.kind.schema);
    }
    if resource == DEFINITIONS {
        definitions::complete(object);
    }
    validate::normalise(target, object)
}

/// Refuses a complete object that breaks a rule.
pub(super) fn check(target: &Target, object: &Value) -> Result<(), Refusal> {
    let mut causes = validate::validate(target, object);
    if target.kind.built_in() {
        causes.extend(workloads::validate(&target.qualified(), object));
    }
    if target.qualified() == DEFINITIONS {
        causes.extend(definitions::validate(object));
    }
    if !target.kind.built_in() {
        causes.extend(schema::validate(object, &target.kind.schema));
    }
    if causes.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(refusal::invalid(&target.kind.kind, &target.kind.group, name, &causes))
}
