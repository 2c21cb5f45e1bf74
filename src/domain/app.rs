//! The objects of an app, with its images and literals put in. Pure.
//!
//! Must never: touch a key, or an image that was not named; leave a name that fits nothing unsaid.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Something that was to be put in, and fits nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// No container has an image of this name; these there are.
    Image(String, BTreeSet<String>),
    /// No text holds this.
    Literal(String),
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Image(name, others) if others.is_empty() => {
                write!(f, "`deploy.images.{name}`: no object has a container")
            }
            Self::Image(name, others) => {
                let others = others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", ");
                write!(f, "`deploy.images.{name}`: no container has such an image; there are {others}")
            }
            Self::Literal(literal) => {
                write!(f, "`deploy.replace`: {literal:?} stands in no text of the manifests")
            }
        }
    }
}

impl std::error::Error for Misfit {}

/// Puts these references in the place of the images of these names.
pub fn set_images(objects: &mut [Value], images: &BTreeMap<String, String>) -> Result<(), Misfit> {
    let (mut fitted, mut all) = (BTreeSet::new(), BTreeSet::new());
    for object in objects.iter_mut() {
        containers(object, &mut |container| {
            let Some(image) = container["image"].as_str() else { return };
            let name = named(image).to_owned();
            // By its whole name, or by the last part of it, as people call it.
            let found = images.get_key_value(&name).or_else(|| images.get_key_value(last(&name)));
            if let Some((key, reference)) = found {
                fitted.insert(key.clone());
                container["image"] = reference.as_str().into();
            }
            all.insert(name);
        });
    }
    match images.keys().find(|name| !fitted.contains(*name)) {
        Some(name) => Err(Misfit::Image(name.clone(), all)),
        None => Ok(()),
    }
}

/// Puts these texts in the place of those, wherever they stand in a value.
pub fn replace(objects: &mut [Value], literals: &BTreeMap<String, String>) -> Result<(), Misfit> {
    let mut found = BTreeSet::new();
    for object in objects.iter_mut() {
        texts(object, &mut |text| {
            for (literal, value) in literals {
                if text.contains(literal.as_str()) {
                    found.insert(literal.clone());
                    *text = text.replace(literal.as_str(), value);
                }
            }
        });
    }
    match literals.keys().find(|literal| !found.contains(*literal)) {
        Some(literal) => Err(Misfit::Literal(literal.clone())),
        None => Ok(()),
    }
}

/// Without its tag and digest.
fn named(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A colon before a slash is that of a port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Every container of an object, wherever its pods are described.
fn containers(value: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                if ["containers", "initContainers", "ephemeralContainers"].contains(&key.as_str())
                    && let Value::Array(list) = inner
                {
                    list.iter_mut().for_each(&mut *visit);
                }
                containers(inner, visit);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| containers(inner, visit)),
        _ => {}
    }
}

fn texts(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(list) => list.iter_mut().for_each(|inner| texts(inner, visit)),
        Value::Object(map) => map.values_mut().for_each(|inner| texts(inner, visit)),
        _ => {}
    }
}
