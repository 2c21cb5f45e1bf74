//! The process environment as a value: read once, then passed on, so that whatever reads a variable can be tested.
//!
//! An empty variable counts as unset, because an Actions input that nobody gave arrives as an empty one; whoever
//! needs the variable can say that it is "set but empty". Must never: print a value; be read a second time.

use crate::errors::UserError;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

/// The variables that a process was started with.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Those of this process.
    // The one place that may: everything else takes an `Environment`.
    #[allow(clippy::disallowed_methods)]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Exactly these.
    pub fn of<N: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value; `None` if unset or empty. Only a value that is used must be UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, UserError> {
        let value = self.raw(name).map(|value| {
            // Never with the value: it may be a secret.
            value.to_str().ok_or_else(|| UserError::usage(format!("{name} is not UTF-8")))
        });
        value.transpose()
    }

    /// Whether this is a job of GitHub Actions, as far as can be read: a value that is no text is not "true".
    pub fn is_job(&self) -> bool {
        self.text("GITHUB_ACTIONS").is_ok_and(|value| value == Some("true"))
    }

    /// The value as a path; `None` if unset or empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// Why there is no value: the difference between a forgotten variable and one that was filled from nothing.
    pub fn lack(&self, name: &str) -> String {
        match self.0.contains_key(OsStr::new(name)) {
            true => format!("{name} is set but empty"),
            false => format!("{name} is not set"),
        }
    }

    /// The names that begin so and have a value, in order. A name that is not UTF-8 is nobody's.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let set = self.0.iter().filter(|(_, value)| !value.is_empty());
        set.filter_map(|(name, _)| name.to_str()).filter(move |name| name.starts_with(prefix))
    }

    fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
