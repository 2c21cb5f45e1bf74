//! A small team's one file, for what is the platform's in it: as the branch has it that a pull request goes into, with the
//! files that it names there. Read through GitHub, because the checkout is the code under review's.
//!
//! Must never: take a branch that could not be read for one without the file; fetch without a bound; write outside of the
//! directory that it was given.

use crate::{
    clients::github::{EntryKind, GitHub, Revision},
    domain::names::{BranchName, RepoName},
    errors::UserError,
    settings::{APP_FILES, Base},
};
use anyhow::{Context as _, Result};
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

/// The keys whose values are paths.
const PATHS: [&str; 7] = ["manifests", "kustomize", "chart", "values-files", "templates", "argo-cd", "ca"];
/// The platform's keys that may hold such.
const PLATFORM: [&str; 2] = ["providers", "store"];
/// More files are fetched from nowhere.
const MOST: usize = 300;

/// What the branch says; `None`: it has no such file.
pub(super) async fn fetch(
    github: &GitHub,
    repo: &RepoName,
    branch: &BranchName,
    directory: &Path,
) -> Result<Option<Base>> {
    let at = Revision::Branch(branch.clone());
    let could = || {
        format!(
            "what is the platform's in the configuration of {repo} counts as {branch} has it, and could not be read"
        )
    };
    for place in APP_FILES {
        let Some(text) = github.file(repo, place, &at).await.with_context(could)? else { continue };
        let name = format!("{place} of {repo} at {branch}");
        let text = String::from_utf8(text).map_err(|_| UserError::usage(format!("{name} is not UTF-8")))?;
        let beside = Path::new(place).parent().unwrap_or(Path::new(""));
        let mut fetching = Fetching { github, repo, at: &at, directory, left: MOST };
        for path in paths(&text) {
            // One that leads out of the repository, or is no path at all, is told of by whoever reads it.
            if let Some(path) = within(&beside.join(path)) {
                fetching.one(&path).await.with_context(could)?;
            }
        }
        return Ok(Some(Base { name, text, directory: directory.join(beside) }));
    }
    Ok(None)
}

/// The relative paths that the platform's keys name. What is no YAML is told of by whoever reads it in earnest.
fn paths(text: &str) -> BTreeSet<PathBuf> {
    fn collect(value: &Value, is_path: bool, found: &mut BTreeSet<PathBuf>) {
        match value {
            Value::String(text) if is_path && !text.contains("://") => {
                found.insert(text.into());
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, is_path, found)),
            Value::Object(keys) => {
                keys.iter().for_each(|(key, value)| collect(value, PATHS.contains(&key.as_str()), found));
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    if let Ok(file) = serde_saphyr::from_str::<Value>(text) {
        PLATFORM.iter().for_each(|key| collect(&file[*key], false, &mut found));
    }
    found
}

/// A path below the root, without `.` and `..`.
fn within(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

struct Fetching<'a> {
    github: &'a GitHub,
    repo: &'a RepoName,
    at: &'a Revision,
    directory: &'a Path,
    left: usize,
}

impl Fetching<'_> {
    /// A file, or a directory with all that is in it. What is not there is nobody's path: a chart's name, say.
    async fn one(&mut self, path: &str) -> Result<()> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(entries) = self.github.directory(self.repo, parent, self.at).await? else { return Ok(()) };
        match entries.iter().find(|entry| entry.name == name).map(|entry| entry.kind) {
            Some(kind) => self.entry(path, kind).await,
            None => Ok(()),
        }
    }

    fn entry<'b>(&'b mut self, path: &'b str, kind: EntryKind) -> BoxFuture<'b, Result<()>> {
        async move {
            match kind {
                EntryKind::File => self.file(path).await,
                EntryKind::Dir => {
                    let entries = self.github.directory(self.repo, path, self.at).await?;
                    for entry in entries.with_context(|| gone(path))? {
                        self.entry(&format!("{path}/{}", entry.name), entry.kind).await?;
                    }
                    Ok(())
                }
                EntryKind::Symlink | EntryKind::Submodule => Err(UserError::usage(format!(
                    "{path} is no file of the repository's own; put it there, or name a platform file by `platform`"
                ))
                .into()),
            }
        }
        .boxed()
    }

    async fn file(&mut self, path: &str) -> Result<()> {
        self.left = self.left.checked_sub(1).with_context(|| {
            UserError::usage(format!("the platform's keys name more than {MOST} files"))
                .hint("put them into a platform file of their own, and name it by the input `platform`")
        })?;
        let content = self.github.file(self.repo, path, self.at).await?.with_context(|| gone(path))?;
        let file = self.directory.join(path);
        fs::create_dir_all(file.parent().unwrap_or(self.directory))?;
        fs::write(&file, content).with_context(|| format!("write {}", file.display()))
    }
}

fn gone(path: &str) -> String {
    format!("{path} has gone while it was read")
}
