//! How long environments live, how many of them may go at once, and that nobody's code under review lives longer than the platform allows.
//!
//! Must never: shorten silently what an app file wants longer; its author would not know why the environment went.

use super::{
    defaults,
    file::{At, Layer},
    layers::{Layers, Origin},
};
use crate::domain::{duration::Duration, sweep::Fuse};
use crate::errors::UserError;
use jiff::SignedDuration;

/// How long environments live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// How long a closed pull request keeps its environment.
    pub grace: SignedDuration,
    /// How long an environment lives at most.
    pub max: SignedDuration,
    /// How long before its end people are warned.
    pub warn: SignedDuration,
    /// After how long without progress an environment counts as stuck.
    pub stuck: SignedDuration,
}

/// Each as the uppermost source says it.
pub(super) fn resolve(layers: &Layers) -> Result<Lifetime, UserError> {
    Ok(Lifetime {
        grace: length(layers, "grace", defaults::GRACE, |l| l.lifetime.as_ref()?.grace.as_ref())?,
        max: length(layers, "max", defaults::MAX, |l| l.lifetime.as_ref()?.max.as_ref())?,
        warn: length(layers, "warn", defaults::WARN, |l| l.lifetime.as_ref()?.warn.as_ref())?,
        stuck: length(layers, "stuck", defaults::STUCK, |l| l.lifetime.as_ref()?.stuck.as_ref())?,
    })
}

/// What a sweep may remove.
pub(super) fn fuse(layers: &Layers) -> Fuse {
    let limit = layers.find(|layer| layer.sweep.as_ref()?.limit.as_ref());
    let percent = layers.find(|layer| layer.sweep.as_ref()?.percent.as_ref());
    Fuse {
        limit: limit.map_or(defaults::SWEEP_LIMIT, |found| found.value.0),
        percent: percent.map_or(defaults::SWEEP_PERCENT, |found| found.value.0),
    }
}

/// The app file's own may be shorter than the platform's, never longer.
fn length(
    layers: &Layers,
    key: &str,
    default: SignedDuration,
    pick: fn(&Layer) -> Option<&At<Duration>>,
) -> Result<SignedDuration, UserError> {
    let platform = layers.find_among(|origin| matches!(origin, Origin::Platform | Origin::Both), pick);
    let allowed = platform.map_or(Duration(default), |found| *found.value);
    let app = layers.find_among(|origin| origin == Origin::App, pick);
    if let Some(app) = app.filter(|app| *app.value > allowed) {
        let from = platform.map_or_else(|| "the default".to_owned(), |found| found.place.to_string());
        return Err(app
            .wrong(format!(
                "`lifetime.{key}` is {}, longer than the platform's {allowed} ({from})",
                app.value
            ))
            .hint("an app file may only shorten a lifetime"));
    }
    // An app key: variables and flags may change it whoever set it.
    Ok(layers.find_among(|_| true, pick).map_or(default, |found| found.value.0))
}
