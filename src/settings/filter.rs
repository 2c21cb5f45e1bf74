//! Which pull requests get an environment.

use super::{
    app_values::Pattern,
    defaults,
    file::{At, FilterLayer, SkipLayer},
    layers::{Found, Layers},
};
use crate::domain::names::{BranchName, LabelName, Login};

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

/// What a pull request is like.
#[derive(Debug, Clone)]
pub struct Like<'a> {
    /// Its labels.
    pub labels: &'a [LabelName],
    /// The branch that it goes into.
    pub base: &'a BranchName,
    /// Who opened it; none, if that account is gone.
    pub author: Option<&'a Login>,
    /// Whether it is a draft.
    pub is_draft: bool,
    /// All files that it changes; `None`: nobody knows all of them, and then it may change any.
    pub paths: Option<Vec<String>>,
}

impl Like<'_> {
    /// Why it gets no environment; `None`: it gets one.
    pub fn unwanted(&self, filter: &Filter, skip: &Skip) -> Option<String> {
        let labels = |wanted: &[LabelName]| wanted.iter().find(|label| is_among(label, self.labels)).cloned();
        let base = |wanted: &[Pattern]| wanted.iter().any(|pattern| pattern.matches(self.base.as_ref()));
        let author = |wanted: &[Login]| {
            self.author.filter(|author| wanted.iter().any(|one| is_same(one.as_ref(), author.as_ref())))
        };
        let like = |path: &String, wanted: &[Pattern]| wanted.iter().any(|pattern| pattern.matches(path));
        let changes_any = |wanted: &[Pattern]| {
            self.paths.as_ref().is_none_or(|paths| paths.iter().any(|path| like(path, wanted)))
        };
        let changes_only = |wanted: &[Pattern]| {
            let all = |paths: &Vec<String>| !paths.is_empty() && paths.iter().all(|path| like(path, wanted));
            self.paths.as_ref().is_some_and(all)
        };
        if self.is_draft && skip.drafts {
            return Some("it is a draft, and `skip.drafts` leaves those out".to_owned());
        }
        if let Some(label) = labels(&skip.like.labels) {
            return Some(format!("it has the label {label}, and `skip.labels` leaves that out"));
        }
        if let Some(author) = author(&skip.like.authors) {
            return Some(format!("{author} opened it, and `skip.authors` leaves that out"));
        }
        if base(&skip.like.base) {
            return Some(format!("it goes into {}, and `skip.base` leaves that out", self.base));
        }
        if !skip.like.paths.is_empty() && changes_only(&skip.like.paths) {
            return Some("all that it changes is left out by `skip.paths`".to_owned());
        }
        if !filter.labels.is_empty() && labels(&filter.labels).is_none() {
            let wanted: Vec<&str> = filter.labels.iter().map(AsRef::as_ref).collect();
            return Some(format!("`filter.labels` asks for one of the labels {}", wanted.join(", ")));
        }
        if !filter.base.is_empty() && !base(&filter.base) {
            return Some(format!("it goes into {}, and `filter.base` asks for another branch", self.base));
        }
        if !filter.authors.is_empty() && author(&filter.authors).is_none() {
            return Some("`filter.authors` does not name who opened it".to_owned());
        }
        if !filter.paths.is_empty() && !changes_any(&filter.paths) {
            return Some("it changes nothing that `filter.paths` asks for".to_owned());
        }
        None
    }
}

/// As GitHub compares names: in whatever case.
fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn is_among(label: &LabelName, labels: &[LabelName]) -> bool {
    labels.iter().any(|one| is_same(one.as_ref(), label.as_ref()))
}

/// Whether any of them names this label.
pub fn knows(filter: &Filter, skip: &Skip, label: &LabelName) -> bool {
    is_among(label, &filter.labels) || is_among(label, &skip.like.labels)
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
