//! Which pull requests get an environment.

use super::{
    app_values::Pattern,
    defaults,
    file::{At, FilterLayer, SkipLayer},
    layers::{Found, Layers},
};
use crate::domain::names::{LabelName, Login};

/// Only pull requests that are like this get an environment; an empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these labels is on it.
    pub labels: Vec<LabelName>,
    /// It goes into a branch like one of these.
    pub base: Vec<Pattern>,
    /// It changes a file like one of these.
    pub paths: Vec<Pattern>,
    /// One of these people opened it.
    pub authors: Vec<Login>,
}

/// Pull requests that are like this get none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// What they are like; `paths` are like all that it changes.
    pub like: Filter,
    /// Whether drafts are.
    pub drafts: bool,
}

/// Which get one.
pub(super) fn filter(layers: &Layers) -> Filter {
    fn list<T: Clone>(layers: &Layers, pick: fn(&FilterLayer) -> Option<&At<Vec<T>>>) -> Vec<T> {
        layers.app(|layer| pick(layer.filter.as_ref()?)).map(Found::cloned).unwrap_or_default()
    }
    Filter {
        labels: list(layers, |f| f.labels.as_ref()),
        base: list(layers, |f| f.base.as_ref()),
        paths: list(layers, |f| f.paths.as_ref()),
        authors: list(layers, |f| f.authors.as_ref()),
    }
}

/// Which get none.
pub(super) fn skip(layers: &Layers) -> Skip {
    fn list<T: Clone>(layers: &Layers, pick: fn(&SkipLayer) -> Option<&At<Vec<T>>>) -> Option<Vec<T>> {
        layers.app(|layer| pick(layer.skip.as_ref()?)).map(Found::cloned)
    }
    let like = Filter {
        labels: list(layers, |s| s.labels.as_ref()).unwrap_or_default(),
        base: list(layers, |s| s.base.as_ref()).unwrap_or_default(),
        paths: list(layers, |s| s.paths.as_ref()).unwrap_or_default(),
        authors: list(layers, |s| s.authors.as_ref()).unwrap_or_else(|| {
            defaults::SKIPPED_AUTHORS.iter().map(|login| login.parse().expect("a login of ours")).collect()
        }),
    };
    let drafts = layers.app(|layer| layer.skip.as_ref()?.drafts.as_ref());
    Skip { like, drafts: drafts.map_or(defaults::SKIP_DRAFTS, |found| found.value.0) }
}
