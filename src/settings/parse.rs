//! A file's text to its keys and values, or to an error that names file, line and column and says what to write.
//!
//! Must never: let an app file set what is the platform's; read a mistyped key as an absent one.

use super::{
    Trust,
    file::{APP_KEYS, At, Layer, schema_value},
    nearest::nearest,
    vault::SECRET_ID_HINT,
};
use crate::errors::UserError;
use serde::de::IgnoredAny;
use serde_saphyr::Error;
use std::collections::BTreeMap;

/// A file called `name` in messages.
pub(super) fn parse(name: &str, text: &str, trust: Trust) -> Result<Layer, UserError> {
    if trust == Trust::App {
        only_app_keys(name, text)?;
    }
    let layer =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| explain(name, &error))?;
    no_secret(name, &layer)?;
    Ok(if trust == Trust::AppOfOne { of_app(layer) } else { layer })
}

/// Of a small team's one file, what is the platform's: those keys, and the limits of what an app may say.
pub(super) fn of_platform(name: &str, text: &str) -> Result<Layer, UserError> {
    let Layer { store, lifetime, sweep, pools, dns, providers, github, timeouts, .. } =
        parse(name, text, Trust::Both)?;
    Ok(Layer { store, lifetime, sweep, pools, dns, providers, github, timeouts, ..Layer::default() })
}

/// And what is the app's.
fn of_app(layer: Layer) -> Layer {
    Layer { store: None, sweep: None, pools: None, dns: None, providers: None, github: None, ..layer }
}

fn no_secret(name: &str, layer: &Layer) -> Result<(), UserError> {
    let auth = layer.store.as_ref().and_then(|s| s.vault.as_ref()).and_then(|v| v.value.auth.as_ref());
    match auth.and_then(|a| a.approle.as_ref()).and_then(|a| a.value.secret_id.as_ref()) {
        Some(At { line, column, .. }) => {
            let message = format!("{name}:{line}:{column}: a `secret-id` must not be in a file");
            Err(UserError::usage(message).hint(SECRET_ID_HINT))
        }
        None => Ok(()),
    }
}

/// Far above any configuration and far below what would hurt: an app file is hostile input.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: 32, max_nodes: 20_000, max_events: 100_000, max_aliases: 1_000, max_documents: 2,
        },
    }
}

fn only_app_keys(name: &str, text: &str) -> Result<(), UserError> {
    // What is no mapping at all is explained by the reading that follows.
    let Ok(keys) = serde_saphyr::from_str_with_options::<BTreeMap<At<String>, IgnoredAny>>(text, options())
    else {
        return Ok(());
    };
    let foreign = keys.keys().filter(|key| !APP_KEYS.contains(&key.value.as_str()));
    let Some(At { value, line, column }) = foreign.min_by_key(|key| (key.line, key.column)) else {
        return Ok(());
    };
    let place = format!("{name}:{line}:{column}");
    if schema_value()["properties"].get(value).is_none() {
        return Err(UserError::usage(format!("{place}: {}", unknown_key(value, &APP_KEYS))));
    }
    Err(UserError::usage(format!("{place}: `{value}` belongs into the platform file, not into an app file"))
        .hint("name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input"))
}

fn explain(name: &str, error: &Error) -> UserError {
    let error = error.without_snippet();
    let place = match error.location() {
        Some(at) => format!("{name}:{}:{}", at.line(), at.column()),
        None => name.to_owned(),
    };
    UserError::usage(format!("{place}: {}", reason(error)))
}

fn reason(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands here twice"),
        Error::MultipleDocuments { .. } => {
            "a second document begins here; one file is one document".to_owned()
        }
        Error::Unexpected { expected: "mapping start", .. } => "keys are expected here".to_owned(),
        Error::Unexpected { expected: "sequence start", .. } => "a list is expected here".to_owned(),
        Error::Unexpected { expected: "string scalar", .. } => {
            "one value is expected here, not keys or a list".to_owned()
        }
        _ => {
            // The place comes first in our messages, so the library's own, at the end, goes.
            let text = error.to_string();
            match error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column())) {
                Some(end) => text.strip_suffix(&end).unwrap_or(&text).to_owned(),
                None => text,
            }
        }
    }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    // A hostile key may be long; the message must not be.
    let key: String = key.chars().take(80).collect();
    match nearest(&key, known.iter().copied()) {
        Some(near) => format!("unknown key `{key}`, did you mean `{near}`?"),
        None if known.is_empty() => format!("unknown key `{key}`; nothing is set here"),
        None => format!("unknown key `{key}`; known here: `{}`", known.join("`, `")),
    }
}
