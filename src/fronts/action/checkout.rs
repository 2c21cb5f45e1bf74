//! Which commit the working directory is at, as far as Git's own files say it.
//!
//! Nothing of Git is run: a checkout's configuration can name programs. Must never: guess.

use crate::domain::names::HeadSha;
use std::{fs, path::Path};

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checkout {
    /// This commit.
    At(HeadSha),
    /// Nothing that could be told.
    Unknown,
}

impl Checkout {
    /// What this directory is.
    pub(crate) fn of(directory: &Path) -> Self {
        let git = directory.join(".git");
        let read = |path: &Path| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let Some(head) = read(&git.join("HEAD")) else { return Self::Unknown };
        let Some(reference) = head.strip_prefix("ref: ") else { return Self::named(&head) };
        if let Some(sha) = read(&git.join(reference)) {
            return Self::named(&sha);
        }
        let packed = read(&git.join("packed-refs")).unwrap_or_default();
        let line =
            packed.lines().find_map(|line| line.split_once(' ').filter(|(_, name)| *name == reference));
        line.map_or(Self::Unknown, |(sha, _)| Self::named(sha))
    }

    fn named(sha: &str) -> Self {
        sha.parse().map_or(Self::Unknown, Self::At)
    }
}
