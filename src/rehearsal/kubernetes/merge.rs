//! What server-side apply does with values: which fields they have, what differs, how they merge, what goes.
//!
//! Pure. It must never know who owns what.

use super::fields::{Fields, Path, Step, Told};
use super::shape::{Field, List, Shape};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// An object of this shape, whatever it is; for what is undeclared, nothing is known.
fn field<'a>(shape: Shape<'a>, name: &str) -> Field<'a> {
    shape.field(name).unwrap_or(Field { shape: Shape::Free, named: false })
}

fn empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// The step to an item; none if it has none of its keys.
pub(super) fn step(list: &List<'_>, item: &Value) -> Option<Step> {
    match list {
        List::Atomic => None,
        List::Set => Some(Step::Value(item.to_string())),
        List::Map(keys) => {
            let found = keys.iter().filter_map(|(key, default)| Some((*key, item.get(*key).or(*default)?)));
            let keys: BTreeMap<&str, &Value> = found.collect();
            (!keys.is_empty()).then(|| Step::item(keys))
        }
    }
}

/// The steps to all items, if they all have one and no two the same.
fn steps(list: &List<'_>, items: &[Value]) -> Option<Vec<Step>> {
    let steps: Vec<Step> = items.iter().map(|item| step(list, item)).collect::<Option<_>>()?;
    let mut sorted: Vec<&Step> = steps.iter().collect();
    sorted.sort();
    sorted.windows(2).all(|two| two[0] != two[1]).then_some(steps)
}

/// The fields that a configuration names; an error says which of them the schema does not take.
pub(super) fn fields(value: &Value, shape: Shape<'_>) -> Result<Fields, String> {
    let mut set = Fields::default();
    collect(value, shape, &mut vec![], &mut set)?;
    Ok(set)
}

fn collect(value: &Value, shape: Shape<'_>, path: &mut Path, set: &mut Fields) -> Result<(), String> {
    if let Some(why) = shape.mismatch(value) {
        return Err(format!("{}: {why}", Told(path)));
    }
    match value {
        Value::Object(object) if !shape.is_one() => {
            for (name, value) in object {
                path.push(Step::Field(name.clone()));
                let Some(field) = shape.field(name) else {
                    return Err(format!("{}: field not declared in schema", Told(path)));
                };
                collect(value, field.shape, path, set)?;
                if empty(value) || !field.named {
                    set.insert(path);
                }
                path.pop();
            }
        }
        Value::Array(items) => {
            let list = shape.list();
            if matches!(list, List::Atomic) {
                set.insert(path);
                return Ok(());
            }
            for item in items {
                let Some(step) = step(&list, item) else {
                    let why = "associative list with keys has an element that omits key field";
                    return Err(format!("{}: element 0: {why}", Told(path)));
                };
                path.push(step);
                if set.contains(path) {
                    let (last, list) = path.split_last().expect("a step was just pushed");
                    let key = Told(std::slice::from_ref(last)).to_string();
                    return Err(format!("{}: duplicate entries for key {key}", Told(list)));
                }
                collect(item, shape.item(), path, set)?;
                set.insert(path);
                path.pop();
            }
        }
        _ if path.is_empty() => {}
        _ => set.insert(path),
    }
    Ok(())
}

/// What differs between two values.
#[derive(Default)]
pub(super) struct Difference {
    /// There only in the second, or other in it.
    pub(super) written: Fields,
    /// There only in the first.
    pub(super) removed: Fields,
}

/// What the second has otherwise than the first.
pub(super) fn difference(old: &Value, new: &Value, shape: Shape<'_>) -> Difference {
    let mut difference = Difference::default();
    compare(Some(old), Some(new), shape, &mut vec![], &mut difference);
    difference
}

fn compare(
    old: Option<&Value>,
    new: Option<&Value>,
    shape: Shape<'_>,
    path: &mut Path,
    into: &mut Difference,
) {
    if old == new {
        return;
    }
    match (old, new) {
        (None, Some(_)) if !path.is_empty() => into.written.insert(path),
        (Some(_), None) if !path.is_empty() => into.removed.insert(path),
        _ => {}
    }
    let list = shape.list();
    match (old, new) {
        (None | Some(Value::Object(_)), None | Some(Value::Object(_))) if !shape.is_one() => {
            let none = Map::new();
            let fields = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
            let (old, new) = (fields(old).unwrap_or(none.clone()), fields(new).unwrap_or(none));
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                path.push(Step::Field(name.clone()));
                compare(old.get(name), new.get(name), field(shape, name).shape, path, into);
                path.pop();
            }
        }
        (None | Some(Value::Array(_)), None | Some(Value::Array(_))) if !matches!(list, List::Atomic) => {
            let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
            let (old, new) = (items(old), items(new));
            let (Some(of_old), Some(of_new)) = (steps(&list, &old), steps(&list, &new)) else {
                return into.written.insert(path);
            };
            let old: BTreeMap<Step, Value> = of_old.into_iter().zip(old).collect();
            let new: BTreeMap<Step, Value> = of_new.into_iter().zip(new).collect();
            let mut all: Vec<&Step> = old.keys().chain(new.keys()).collect();
            all.sort();
            all.dedup();
            for step in all {
                path.push(step.clone());
                compare(old.get(step), new.get(step), shape.item(), path, into);
                path.pop();
            }
        }
        (Some(_), Some(_)) => into.written.insert(path),
        _ => {}
    }
}

/// The live value with what the configuration says over it.
pub(super) fn merge(live: &Value, config: &Value, shape: Shape<'_>) -> Value {
    let list = shape.list();
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !shape.is_one() => {
            let mut merged = live.clone();
            for (name, value) in config {
                let value = match live.get(name) {
                    Some(live) => merge(live, value, field(shape, name).shape),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(config)) => match (steps(&list, live), steps(&list, config)) {
            (Some(of_live), Some(of_config)) => {
                let live: Vec<_> = of_live.into_iter().zip(live).collect();
                let config: Vec<_> = of_config.into_iter().zip(config).collect();
                Value::Array(merge_items(&live, &config, shape.item()))
            }
            _ => Value::Array(config.clone()),
        },
        _ => config.clone(),
    }
}

/// In the order of the configuration; what only the live list has stays before the item that it stood before there.
fn merge_items(live: &[(Step, &Value)], config: &[(Step, &Value)], shape: Shape<'_>) -> Vec<Value> {
    let of = |list: &[(Step, &Value)], step: &Step| list.iter().position(|(other, _)| other == step);
    let (mut left, mut right) = (0, 0);
    let mut out = vec![];
    while left < live.len() || right < config.len() {
        if let Some((step, value)) = live.get(left) {
            let next_shared = config[right..].iter().find(|(step, _)| of(live, step).is_some());
            match of(config, step) {
                None => out.push((*value).clone()),
                // The next that both have: first comes what only the configuration has.
                Some(at)
                    if at >= right && next_shared.is_some_and(|(next, _)| next == step) && at > right =>
                {
                    out.push(config[right].1.clone());
                    right += 1;
                    continue;
                }
                Some(at) if at == right => {
                    out.push(merge(value, config[right].1, shape));
                    right += 1;
                }
                // It has come already, or will come where the configuration has it.
                Some(_) => {}
            }
            left += 1;
        } else {
            let (step, value) = &config[right];
            out.push(match of(live, step) {
                Some(at) => merge(live[at].1, value, shape),
                None => (*value).clone(),
            });
            right += 1;
        }
    }
    out
}

/// Takes away what the last configuration named and nobody names any more.
pub(super) fn prune(value: &mut Value, shape: Shape<'_>, last: &Fields, owned: &Fields) {
    cut(value, shape, &mut vec![], last, owned);
}

fn cut(value: &mut Value, shape: Shape<'_>, path: &mut Path, last: &Fields, owned: &Fields) {
    let goes = |path: &[Step], named: bool| {
        let was = last.contains(path) || (named && last.reaches_below(path));
        was && !owned.contains(path) && !owned.reaches_below(path)
    };
    match value {
        Value::Object(object) if !shape.is_one() => object.retain(|name, value| {
            let Field { shape, named } = field(shape, name);
            path.push(Step::Field(name.clone()));
            let stays = !goes(path, named);
            if stays {
                cut(value, shape, path, last, owned);
            }
            path.pop();
            stays
        }),
        Value::Array(items) => {
            let list = shape.list();
            items.retain_mut(|item| {
                let Some(step) = step(&list, item) else { return true };
                path.push(step);
                let stays = !goes(path, false);
                if stays {
                    cut(item, shape.item(), path, last, owned);
                }
                path.pop();
                stays
            });
        }
        _ => {}
    }
}
