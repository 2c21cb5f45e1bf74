//! What GitHub holds: people, repositories, and what hangs on them. Data only.
//!
//! It must never know of HTTP.

use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A person.
    User,
    /// An app's own account; its login ends in `[bot]`.
    Bot,
    /// Owns repositories, and is nobody.
    Organization,
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) kind: AccountKind,
}

/// What a person may do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All of it.
    Admin,
    /// Push.
    Write,
    /// Look.
    Read,
}

/// A label of a repository, which its issues may carry.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) id: u64,
    pub(super) name: String,
}

/// A repository with all that hangs on it. What a test may set by hand is public.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(super) id: u64,
    pub(super) owner: String,
    pub(super) name: String,
    /// Where pull requests go to.
    pub default_branch: String,
    /// Seen only by those who may.
    pub private: bool,
    /// Read-only.
    pub archived: bool,
    /// Each branch's commit.
    pub branches: BTreeMap<String, String>,
    /// What people may do. Everybody may read a public one.
    pub collaborators: BTreeMap<String, Role>,
    /// The files of each commit.
    pub files: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Runs of workflows.
    pub runs: BTreeMap<u64, Run>,
    pub(super) parent: Option<u64>,
    pub(super) created_at: Timestamp,
    pub(super) commits: BTreeSet<String>,
    pub(super) labels: Vec<Label>,
    pub(super) pulls: BTreeMap<u64, Pull>,
    pub(super) comments: BTreeMap<u64, Comment>,
    pub(super) statuses: Vec<Status>,
    pub(super) checks: BTreeMap<u64, CheckRun>,
    pub(super) deployments: BTreeMap<u64, Deployment>,
    pub(in crate::rehearsal) last_number: u64,
}

impl Repository {
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The branch that the merge queue makes for a pull request.
    pub(super) fn queue_branch(&self, base: &str, number: u64) -> String {
        let commit = self.branches.get(base).map(String::as_str).unwrap_or_default();
        format!("gh-readonly-queue/{base}/pr-{number}-{commit}")
    }

    /// The commit that a branch, `heads/BRANCH`, `pull/N/head` or a commit's own SHA names.
    pub(super) fn commit(&self, reference: &str) -> Option<&str> {
        let reference = reference.strip_prefix("refs/").unwrap_or(reference);
        let branch = reference.strip_prefix("heads/").unwrap_or(reference);
        let pull = || {
            let number = reference.strip_prefix("pull/")?.strip_suffix("/head")?;
            Some(&self.pulls.get(&number.parse().ok()?)?.head.sha)
        };
        self.branches.get(branch).or_else(|| self.commits.get(reference)).or_else(pull).map(String::as_str)
    }
}

/// A run of a workflow.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Reviewers of environments who have let it go on.
    pub approvals: Vec<String>,
    /// Its jobs.
    pub jobs: Vec<u64>,
    /// How it has ended; none: it has not.
    pub conclusion: Option<&'static str>,
    /// What was run once more, each time: this job; none: all.
    pub again: Vec<Option<u64>>,
}

/// How a pull request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullState {
    /// Open.
    Open,
    /// Closed without being merged.
    Closed(Timestamp),
    /// Merged, by whom and as which commit.
    Merged {
        /// When.
        at: Timestamp,
        /// Whose doing it was.
        by: String,
        /// The commit on the base branch.
        sha: String,
    },
}

/// Where a pull request comes from.
#[derive(Debug, Clone)]
pub struct Head {
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub sha: String,
    /// The repository, by id; none once a fork is deleted.
    pub repository: Option<u64>,
    pub(super) owner: String,
}

/// Whether a pull request can be merged. GitHub finds out after somebody has asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mergeable {
    /// Nobody has asked yet since the last push.
    Unknown,
    /// Yes.
    Clean,
    /// It has conflicts; then the `pull_request` workflows do not run.
    Conflicting,
}

/// A file that a pull request changes.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Its path.
    pub path: String,
    /// `added`, `removed`, `modified`, `renamed`, …
    pub status: &'static str,
    /// Where it was before it was renamed.
    pub before: Option<String>,
}

/// A pull request. What a test may set by hand is public.
#[derive(Debug, Clone)]
pub struct Pull {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Its title.
    pub title: String,
    /// Its description.
    pub body: Option<String>,
    /// Who opened it; none once the account is deleted.
    pub author: Option<String>,
    /// Where it comes from.
    pub head: Head,
    /// The branch that it goes to.
    pub base: String,
    /// How it stands.
    pub state: PullState,
    /// Not meant to be merged yet.
    pub draft: bool,
    /// Its labels, by name.
    pub labels: Vec<String>,
    /// What GitHub will find.
    pub conflicting: bool,
    pub(super) mergeable: Mergeable,
    /// Nobody but collaborators may comment.
    pub locked: bool,
    /// What it changes.
    pub files: Vec<Changed>,
}

impl Pull {
    pub(super) fn is_open(&self) -> bool {
        self.state == PullState::Open
    }
}

/// A comment on a pull request.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Of the pull request.
    pub number: u64,
    /// Who wrote it; none once the account is deleted.
    pub author: Option<String>,
    /// What it says.
    pub body: String,
    /// What was said to it without words.
    pub reactions: Vec<Reaction>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A reaction to a comment.
#[derive(Debug, Clone)]
pub struct Reaction {
    pub(super) id: u64,
    /// Whose it is.
    pub login: String,
    /// `+1`, `-1`, `laugh`, `confused`, `heart`, `hooray`, `rocket` or `eyes`.
    pub content: &'static str,
}

/// A commit status.
#[derive(Debug, Clone)]
pub struct Status {
    pub(super) id: u64,
    /// Of which commit.
    pub sha: String,
    /// `error`, `failure`, `pending` or `success`.
    pub state: &'static str,
    /// What tells it from other statuses of the commit.
    pub context: String,
    /// A sentence.
    pub description: Option<String>,
    /// Where more is to be seen.
    pub target_url: Option<String>,
    pub(super) creator: String,
    pub(super) at: Timestamp,
}

/// A check run.
#[derive(Debug, Clone)]
pub struct CheckRun {
    pub(super) id: u64,
    pub(super) app: String,
    /// Of which commit.
    pub sha: String,
    /// What it is called.
    pub name: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: &'static str,
    /// How it ended.
    pub conclusion: Option<&'static str>,
    /// Title, summary, text.
    pub output: BTreeMap<&'static str, String>,
    /// All that were ever sent, as sent.
    pub annotations: Vec<Value>,
    pub(super) details_url: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) completed_at: Option<String>,
}

/// A deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub(super) id: u64,
    pub(super) sha: String,
    /// As it was asked for: a branch, a tag or a commit.
    pub reference: String,
    pub(super) task: String,
    pub(super) payload: Value,
    /// Where to.
    pub environment: String,
    pub(super) description: Option<String>,
    pub(super) transient: bool,
    pub(super) production: bool,
    pub(super) creator: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Oldest first.
    pub statuses: Vec<DeploymentStatus>,
}

impl Deployment {
    pub(super) fn state(&self) -> &'static str {
        self.statuses.last().map_or("pending", |status| status.state)
    }
}

/// What has become of a deployment.
#[derive(Debug, Clone)]
pub struct DeploymentStatus {
    pub(super) id: u64,
    /// `error`, `failure`, `inactive`, `in_progress`, `queued`, `pending` or `success`.
    pub state: &'static str,
    pub(super) description: String,
    pub(super) environment: String,
    /// Where it is to be seen.
    pub environment_url: String,
    pub(super) log_url: String,
    pub(super) creator: String,
    pub(super) at: Timestamp,
}
