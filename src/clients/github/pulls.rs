//! Pull requests as they are now.

use super::{GitHub, request::Asked};
use crate::{
    clients::Failure,
    domain::{
        holder::PullRequest,
        names::{BranchName, HeadSha, LabelName, Login, PrNumber, RepoName},
        payload::{Origin, Standing},
    },
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A pull request as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// How it stands.
    pub standing: Standing,
    /// The commit that its branch has.
    pub head: HeadSha,
    /// The commit that GitHub has made to try the merge, or that the merge has made; none while nobody knows.
    pub merge_commit: Option<HeadSha>,
    /// Whether it could be merged.
    pub mergeable: Mergeable,
    /// Where its code comes from.
    pub origin: Origin,
    /// The branch that it goes to.
    pub base: BranchName,
    /// Its labels.
    pub labels: Vec<LabelName>,
    /// Who opened it; none, if that account is gone.
    pub author: Option<Login>,
}

/// Whether a pull request could be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mergeable {
    /// GitHub finds out once it is asked; the next look may know. Of a closed one it stays so.
    Unknown,
    /// Without conflicts.
    Clean,
    /// With conflicts: then GitHub runs no `pull_request` workflows.
    Conflicting,
}

/// A file that a pull request changes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChangedFile {
    /// Where it is, or was.
    #[serde(rename = "filename")]
    pub path: String,
    /// Where it was before it was renamed.
    #[serde(rename = "previous_filename")]
    pub before: Option<String>,
}

/// The files that a pull request changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedFiles {
    /// All of them.
    Complete(Vec<ChangedFile>),
    /// As many as GitHub shows; nobody knows of others.
    Capped(Vec<ChangedFile>),
}

/// GitHub shows no more files of a pull request.
const MOST_FILES: usize = 3000;

#[derive(Deserialize)]
struct Raw {
    number: PrNumber,
    state: RawState,
    draft: bool,
    merged: bool,
    mergeable: Option<bool>,
    merge_commit_sha: Option<HeadSha>,
    head: RawHead,
    base: RawBase,
    labels: Vec<RawLabel>,
    user: Option<super::people::Account>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawState {
    Open,
    Closed,
}

#[derive(Deserialize)]
struct RawHead {
    sha: HeadSha,
    repo: Option<RawRepository>,
}

#[derive(Deserialize)]
struct RawBase {
    #[serde(rename = "ref")]
    branch: BranchName,
    repo: RawRepository,
}

#[derive(Deserialize)]
struct RawRepository {
    id: u64,
    full_name: RepoName,
}

#[derive(Deserialize)]
struct RawLabel {
    name: LabelName,
}

impl GitHub {
    /// As it is now. None: the repository is there for us to see, and has no such pull request.
    pub async fn pull(&self, pull: &PullRequest) -> Result<Option<Pull>, Failure> {
        let number = pull.number.to_string();
        let path = ["pulls", &number];
        let asked = Asked::read(&pull.repo, &path, format!("read {pull}"));
        let raw: Raw = match self.ask(&asked).await {
            Ok(raw) => raw,
            Err(denial) if denial.is_not_found => {
                return self.is_absent(&pull.repo).await.map(|()| None);
            }
            Err(denial) => return Err(denial.failure),
        };
        if raw.number != pull.number {
            return Err(self.garbled(&asked, "it answers with another one"));
        }
        let standing = match (raw.state, raw.merged, raw.draft) {
            (RawState::Closed, true, _) => Standing::Merged,
            (RawState::Closed, false, _) => Standing::Closed,
            (RawState::Open, true, _) => return Err(self.garbled(&asked, "it is merged and open")),
            (RawState::Open, false, true) => Standing::Draft,
            (RawState::Open, false, false) => Standing::Open,
        };
        Ok(Some(Pull {
            standing,
            head: raw.head.sha,
            merge_commit: raw.merge_commit_sha,
            mergeable: match raw.mergeable {
                None => Mergeable::Unknown,
                Some(true) => Mergeable::Clean,
                Some(false) => Mergeable::Conflicting,
            },
            origin: match raw.head.repo {
                None => Origin::Gone,
                Some(head) if head.id == raw.base.repo.id => Origin::Same,
                Some(head) => Origin::Fork(head.full_name),
            },
            base: raw.base.branch,
            labels: raw.labels.into_iter().map(|label| label.name).collect(),
            author: raw.user.map(|account| account.login),
        }))
    }

    /// All that are open, each with the commit that its branch has.
    pub async fn open_pulls(&self, repo: &RepoName) -> Result<BTreeMap<PrNumber, HeadSha>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            number: PrNumber,
            state: RawState,
            head: Head,
        }
        #[derive(Deserialize)]
        struct Head {
            sha: HeadSha,
        }
        let doing = format!("list the open pull requests of {repo}");
        // The oldest first: what is opened meanwhile comes last.
        let asked = Asked::read(repo, &["pulls"], doing);
        let asked = asked.with("state", "open").with("sort", "created").with("direction", "asc");
        let listed = self.all::<Listed, _>(asked, |listed| listed.number).await?;
        let open = listed.into_iter().filter(|listed| matches!(listed.state, RawState::Open));
        Ok(open.map(|listed| (listed.number, listed.head.sha)).collect())
    }

    /// The files that it changes.
    pub async fn changed_files(&self, pull: &PullRequest) -> Result<ChangedFiles, Failure> {
        let number = pull.number.to_string();
        let path = ["pulls", &number, "files"];
        let asked = Asked::read(&pull.repo, &path, format!("list the files of {pull}"));
        let files = self.all::<ChangedFile, _>(asked, |file| file.path.clone()).await?;
        Ok(match files.len() {
            MOST_FILES.. => ChangedFiles::Capped(files),
            _ => ChangedFiles::Complete(files),
        })
    }
}
