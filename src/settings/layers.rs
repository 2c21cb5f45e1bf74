//! Who says what, and who wins: the platform file, over it the app file, the variables, the flags.
//!
//! Nothing is merged: every key is looked up from the top, and what is found knows its place, so that whatever is
//! wrong with it later can be said with file, line and column. Must never: hold a default.

use super::file::{At, Layer};
use crate::errors::UserError;
use std::{
    cell::RefCell,
    fmt,
    path::{Component, Path, PathBuf},
};

/// What kind of source a layer comes from, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The platform file: trusted, and what it sets stays as it is.
    Platform,
    /// A file that may hold both kinds of keys: a small team's.
    Both,
    /// Comes with the code under review.
    App,
    /// One `BERTH_` variable; each is a layer of its own.
    Variable,
    /// One flag; each is a layer of its own.
    Flag,
}

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// What the platform file sets stays as it is.
    Platform,
    /// Whoever is uppermost says it.
    App,
}

/// What one source says.
#[derive(Debug, Clone)]
pub(super) struct Sourced {
    pub(super) origin: Origin,
    /// The file's, variable's or flag's name, for messages.
    pub(super) name: String,
    /// What a relative path in it is relative to.
    pub(super) base: PathBuf,
    /// The checkout: no path of an app file leaves it.
    pub(super) root: PathBuf,
    pub(super) layer: Layer,
}

/// All that was said, the weakest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers(pub(super) Vec<Sourced>, RefCell<Option<UserError>>);

/// A value and who said it.
#[derive(Debug)]
pub(super) struct Found<'a, T> {
    pub(super) value: &'a T,
    pub(super) place: Place<'a>,
}

// By hand: it is two references, whatever they point to.
impl<T> Copy for Found<'_, T> {}
impl<T> Clone for Found<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Where something was said: `platform.yaml:7:3`, a variable's or a flag's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    source: &'a Sourced,
    line: u64,
    column: u64,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source.name)?;
        match self.line {
            0 => Ok(()),
            line => write!(f, ":{line}:{}", self.column),
        }
    }
}

impl<'a> Place<'a> {
    /// Who said it.
    pub(super) fn source(&self) -> &'a Sourced {
        self.source
    }
    pub(super) fn origin(&self) -> Origin {
        self.source.origin
    }
    /// A path that stands here, as one that can be opened.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.source.base.join(path)
    }
    /// The same, where the file's own author may be hostile: a path out of the checkout would name what is another's.
    pub(super) fn file(&self, path: &Path) -> Result<PathBuf, UserError> {
        let Sourced { base, root, origin, .. } = self.source;
        let file = base.join(path);
        if *origin == Origin::App && !within(root, &file) {
            let message = format!("{} is not in the checkout", path.display());
            return Err(self.wrong(message).hint("an app file names only what lies beside or below it"));
        }
        Ok(file)
    }
    /// What no path that stands here may lead out of, if its author may be hostile.
    pub(super) fn checkout(&self) -> Option<&'a Path> {
        (self.source.origin == Origin::App).then_some(&*self.source.root)
    }
    /// Which directory relative paths begin in here.
    pub(super) fn directory(&self) -> &Path {
        &self.source.base
    }
    /// An error about what stands here.
    pub(super) fn wrong(&self, message: impl fmt::Display) -> UserError {
        UserError::usage(format!("{self}: {message}"))
    }
}

impl<'a, T> Found<'a, T> {
    /// Something else of the same source.
    pub(super) fn beside<K>(&self, at: &'a At<K>) -> Found<'a, K> {
        found(self.place.source, at)
    }
    /// A value of one's own.
    pub(super) fn cloned(self) -> T
    where
        T: Clone,
    {
        self.value.clone()
    }
    /// An error about this value.
    pub(super) fn wrong(&self, message: impl fmt::Display) -> UserError {
        self.place.wrong(message)
    }
}

impl Layers {
    /// The value that wins, of a key that is the platform's: a variable or a flag may fill it, but not change what the
    /// platform file sets. An attempt is kept for `seals`.
    pub(super) fn find<T>(&self, pick: impl Fn(&Layer) -> Option<&At<T>>) -> Option<Found<'_, T>> {
        let won = self.find_among(|_| true, &pick)?;
        let sealed = self.find_among(|origin| origin == Origin::Platform, &pick);
        match sealed.filter(|_| overrides(won.place.origin())) {
            Some(sealed) => {
                self.1.borrow_mut().get_or_insert_with(|| sealed_against(won.place, sealed.place));
                Some(sealed)
            }
            None => Some(won),
        }
    }

    /// Whether nothing has tried to change what the platform file sets, as far as it was looked up.
    pub(super) fn seals(&self) -> Result<(), UserError> {
        self.1.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// The value that wins, of a key that is the app's.
    pub(super) fn app<T>(&self, pick: impl Fn(&Layer) -> Option<&At<T>>) -> Option<Found<'_, T>> {
        self.find_among(|_| true, pick)
    }

    /// The value that wins beside the platform file: that may hold defaults for all apps, each of them a part.
    pub(super) fn own<T>(&self, pick: impl Fn(&Layer) -> Option<&At<T>>) -> Option<Found<'_, T>> {
        self.find_among(|origin| origin != Origin::Platform, pick)
    }

    /// The value that wins among some sources.
    pub(super) fn find_among<T>(
        &self,
        sources: impl Fn(Origin) -> bool,
        pick: impl Fn(&Layer) -> Option<&At<T>>,
    ) -> Option<Found<'_, T>> {
        let sources = self.0.iter().rev().filter(|source| sources(source.origin));
        sources.filter_map(|source| pick(&source.layer).map(|at| found(source, at))).next()
    }

    /// Which of several keys that exclude each other is chosen: the uppermost source that has one decides.
    /// `decisive` is the variable that may overrule what other variables imply.
    pub(super) fn choice<K: Copy + PartialEq + fmt::Display>(
        &self,
        what: &str,
        (owner, decisive): (Owner, &str),
        options: impl Fn(&Layer) -> Vec<At<K>>,
    ) -> Result<Option<(K, Place<'_>)>, UserError> {
        let said = self.0.iter().rev().flat_map(|source| {
            options(&source.layer).into_iter().map(move |at| (at.value, place(source, &at)))
        });
        let said: Vec<(K, Place<'_>)> = said.collect();
        let Some(&(kind, place)) = said.first() else {
            return Ok(None);
        };
        let sealed = |at: &Place<'_>| owner == Owner::Platform && at.origin() == Origin::Platform;
        let platform = said.iter().find(|(_, at)| sealed(at));
        if let Some((_, sealed)) = platform.filter(|(other, _)| *other != kind && overrides(place.origin())) {
            return Err(sealed_against(place, *sealed));
        }
        // Variables stand side by side: none of two that differ is "the later one".
        let beside = |other: &Place<'_>| {
            std::ptr::eq(other.source, place.source)
                || (other.origin() == Origin::Variable
                    && place.origin() == Origin::Variable
                    && place.source.name != decisive)
        };
        match said.iter().find(|(other, at)| *other != kind && beside(at)) {
            Some((other, at)) if std::ptr::eq(at.source, place.source) => {
                Err(at.wrong(format!("`{what}` takes one kind, and here are both `{kind}` and `{other}`")))
            }
            Some((other, at)) => Err(UserError::usage(format!(
                "{at} chooses `{what}.{other}`, and {place} chooses `{what}.{kind}`"
            ))),
            None => Ok(Some((kind, place))),
        }
    }
}

fn overrides(origin: Origin) -> bool {
    matches!(origin, Origin::Variable | Origin::Flag)
}

fn sealed_against(tried: Place<'_>, sealed: Place<'_>) -> UserError {
    UserError::usage(format!("{tried} would change what the platform file sets at {sealed}"))
        .hint("what the platform file sets stays as it is: change it there, or leave this out")
}

/// Whether a path stays below a directory, as far as their texts say.
pub(super) fn within(directory: &Path, path: &Path) -> bool {
    let path = plain(path);
    let below = path.strip_prefix(plain(directory)).ok().map(|below| below.components().next());
    below.is_some_and(|first| !matches!(first, Some(Component::ParentDir | Component::RootDir)))
}

/// A path without `.` and `..`, as text alone can say it; one that climbs above its own begin keeps doing so.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

pub(super) fn found<'a, T>(source: &'a Sourced, at: &'a At<T>) -> Found<'a, T> {
    Found { value: &at.value, place: place(source, at) }
}

fn place<'a, T>(source: &'a Sourced, at: &At<T>) -> Place<'a> {
    Place { source, line: at.line, column: at.column }
}
