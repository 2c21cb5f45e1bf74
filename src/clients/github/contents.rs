//! What a repository holds at a branch or commit, and branches themselves.
//!
//! Must never: take a commit that cannot be read for one without the file; give a part of a file or directory.

use super::{GitHub, request::Asked};
use crate::{
    clients::{Failure, Kind},
    domain::names::{BranchName, HeadSha, RepoName},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

/// GitHub shows no more entries of a directory, and does not say so.
const MOST_ENTRIES: usize = 1000;

/// Of what a repository holds, which state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// A branch as it is now.
    Branch(BranchName),
    /// A commit.
    Commit(HeadSha),
}

impl Revision {
    /// In full: a tag may be called like a branch.
    fn reference(&self) -> String {
        match self {
            Self::Branch(branch) => format!("refs/heads/{branch}"),
            Self::Commit(commit) => commit.to_string(),
        }
    }
}

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Its name in the directory.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: EntryKind,
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Dir,
    /// A link to another path.
    Symlink,
    /// Another repository's commit.
    Submodule,
}

/// One of them, or the entries of a directory.
#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Directory(Vec<Entry>),
    One(RawFile),
}

#[derive(Deserialize)]
struct RawFile {
    #[serde(rename = "type")]
    kind: EntryKind,
    size: usize,
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

fn looking<'a>(repo: &'a RepoName, path: &'a [&'a str], doing: String, at: &Revision) -> Asked<'a> {
    Asked::read(repo, path, doing).needs("contents: read").with("ref", at.reference())
}

fn no_path(path: &str) -> Failure {
    Failure { kind: Kind::Invalid, detail: format!("{path:?} is no path in a repository") }
}

/// A path below a repository's root; none: it is empty, or leads elsewhere.
fn segments(path: &str) -> Option<Vec<&str>> {
    let leads = |segment: &str| !matches!(segment, "" | "." | "..");
    path.split('/').all(leads).then(|| std::iter::once("contents").chain(path.split('/')).collect())
}

impl GitHub {
    /// What a file holds, 1 MiB at most. None: the repository can be read at that revision, and has no such file there.
    pub async fn file(&self, repo: &RepoName, path: &str, at: &Revision) -> Result<Option<Vec<u8>>, Failure> {
        let doing = format!("read {path:?} of {repo} at {}", at.reference());
        let segments = segments(path).ok_or_else(|| no_path(path))?;
        let asked = looking(repo, &segments, doing, at);
        let file = match self.path(&asked, at).await? {
            None => return Ok(None),
            Some(Raw::One(file)) if file.kind == EntryKind::File => file,
            Some(_) => return Err(self.failure(&asked, Kind::Invalid, "it is no file")),
        };
        if file.encoding != "base64" {
            return Err(self.failure(&asked, Kind::Invalid, "GitHub gives none of more than 1 MiB"));
        }
        let text: String = file.content.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let content = BASE64_STANDARD.decode(text).ok().filter(|content| content.len() == file.size);
        content
            .map(Some)
            .ok_or_else(|| self.garbled(&asked, "its answer is not what was asked for (content)"))
    }

    /// All that a directory holds. None: the repository can be read at that revision, and has no such directory there.
    pub async fn directory(
        &self,
        repo: &RepoName,
        path: &str,
        at: &Revision,
    ) -> Result<Option<Vec<Entry>>, Failure> {
        let doing = format!("list {path:?} of {repo} at {}", at.reference());
        let segments = match path {
            "" => vec!["contents"],
            path => segments(path).ok_or_else(|| no_path(path))?,
        };
        let asked = looking(repo, &segments, doing, at);
        match self.path(&asked, at).await? {
            None => Ok(None),
            Some(Raw::Directory(entries)) if entries.len() < MOST_ENTRIES => Ok(Some(entries)),
            Some(Raw::Directory(_)) => {
                let why = "it holds a thousand entries or more, and GitHub shows no more";
                Err(self.failure(&asked, Kind::Invalid, why))
            }
            Some(Raw::One(_)) => Err(self.failure(&asked, Kind::Invalid, "it is no directory")),
        }
    }

    async fn path(&self, asked: &Asked<'_>, at: &Revision) -> Result<Option<Raw>, Failure> {
        match self.ask(asked).await {
            Ok(raw) => Ok(Some(raw)),
            Err(denial) if denial.is_not_found => self.can_be_read(asked.repo, at).await.map(|()| None),
            Err(denial) => Err(denial.failure),
        }
    }

    /// A revision that is not there is answered as a file that is not: so its root is looked at.
    async fn can_be_read(&self, repo: &RepoName, at: &Revision) -> Result<(), Failure> {
        let asked = looking(repo, &["contents"], format!("read {repo} at {}", at.reference()), at);
        match self.ask::<Vec<Entry>>(&asked).await {
            Ok(_) => Ok(()),
            Err(denial) if denial.is_not_found => {
                self.is_absent(repo).await?;
                let why = "it answers 404: there is no such branch or commit, or nothing in it";
                Err(self.failure(&asked, Kind::Invalid, why))
            }
            Err(denial) => Err(denial.failure),
        }
    }

    /// The branches whose commit this is now.
    pub async fn branches_at(&self, repo: &RepoName, commit: &HeadSha) -> Result<Vec<BranchName>, Failure> {
        #[derive(Deserialize)]
        struct Raw {
            name: BranchName,
        }
        let path = ["commits", commit.as_ref(), "branches-where-head"];
        let doing = format!("list the branches of {repo} at {}", commit.short());
        let asked = Asked::read(repo, &path, doing).needs("contents: read");
        Ok(self.ask::<Vec<Raw>>(&asked).await?.into_iter().map(|raw| raw.name).collect())
    }
}
