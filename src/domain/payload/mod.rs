//! What GitHub tells: a webhook's or an action's payload, read into what berth takes from it.
//!
//! A payload gives identity and commands only; how things stand is read again before anything is done. So what says *who*
//! and *which* is read strictly, and all the rest of the payload may be of any form: GitHub adds to it at any time.
//! Must never: guess what a payload does not say, or hand on a text that one of our names has not taken.

mod read;

use super::{
    holder::PullRequest,
    names::{BranchName, HeadSha, LabelName, Login, Malformed, RepoName},
};
use serde_json::{Map, Value};
use std::fmt;

/// One event, as far as berth knows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// `pull_request`, and `pull_request_target`, which differ only in what the run may do.
    PullRequest(Box<Pull>),
    /// `issue_comment`.
    Comment(Box<Comment>),
    /// `repository_dispatch`.
    Dispatch(Dispatch),
    /// `merge_group`.
    MergeGroup(MergeGroup),
    /// Sent once to a new hook.
    Ping,
    /// Any other event: its name.
    Other(String),
}

/// What all events but a ping tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The repository that it happened in.
    pub repository: RepoName,
    /// Its id, which no renaming changes.
    pub repository_id: u64,
    /// Whose doing it was; none, if that account is gone.
    pub sender: Option<Login>,
    /// The installation of an app whose hook this is.
    pub installation: Option<u64>,
}

/// What happened to a pull request. The last word of it is in the pull request itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Opened,
    /// It was closed, and is no longer.
    Reopened,
    /// Its branch has another commit.
    Synchronize,
    /// It was closed or merged.
    Closed,
    /// It got a label.
    Labeled,
    /// It lost a label.
    Unlabeled,
    /// It is no draft any more.
    ReadyForReview,
    /// It is a draft again.
    ConvertedToDraft,
    /// Its title, its text or its base has changed.
    Edited {
        /// Whether it goes into another branch now.
        moved: bool,
    },
    /// Anything else, in GitHub's word.
    Other(String),
}

impl Action {
    /// In GitHub's word.
    pub fn word(&self) -> &str {
        match self {
            Action::Opened => "opened",
            Action::Reopened => "reopened",
            Action::Synchronize => "synchronize",
            Action::Closed => "closed",
            Action::Labeled => "labeled",
            Action::Unlabeled => "unlabeled",
            Action::ReadyForReview => "ready_for_review",
            Action::ConvertedToDraft => "converted_to_draft",
            Action::Edited { .. } => "edited",
            Action::Other(word) => word,
        }
    }
}

/// How a pull request stood when the event was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Open, and ready.
    Open,
    /// Open, and a draft.
    Draft,
    /// Closed without being merged.
    Closed,
    /// Merged.
    Merged,
}

/// Where the code of a pull request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From a branch of the repository itself.
    Same,
    /// From a fork: whoever wrote it need not be trusted.
    Fork(RepoName),
    /// From a fork that is deleted.
    Gone,
}

/// An event of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Where it happened and by whom.
    pub source: Source,
    /// What happened.
    pub action: Action,
    /// The label that came or went, where it was one.
    pub label: Option<LabelName>,
    /// Which one it is.
    pub of: PullRequest,
    /// How it stood.
    pub standing: Standing,
    /// The commit that its branch had.
    pub head: HeadSha,
    /// The branch.
    pub branch: BranchName,
    /// Where that is.
    pub origin: Origin,
    /// The branch that it goes to.
    pub base: BranchName,
    /// Its labels.
    pub labels: Vec<LabelName>,
    /// Who opened it; none, if that account is gone.
    pub author: Option<Login>,
}

/// What a comment is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A pull request.
    PullRequest(PullRequest),
    /// An issue, which berth has nothing to do with.
    Issue,
}

/// How near to the repository GitHub calls somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Association {
    /// Owns it.
    Owner,
    /// Is of the organization that owns it.
    Member,
    /// Was asked to collaborate.
    Collaborator,
    /// Anybody else.
    None,
}

/// An event of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Where it happened and by whom.
    pub source: Source,
    /// `created`, `edited`, `deleted`, or another word.
    pub action: String,
    /// What it is on.
    pub on: Subject,
    /// Its id.
    pub id: u64,
    /// What it says, in anybody's words: for comparing, never for running or rendering.
    pub body: String,
    /// Who wrote it; none, if that account is gone.
    pub author: Option<Login>,
    /// How near that is to the repository.
    pub association: Association,
}

/// Somebody's own event.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// Where it happened and by whom.
    pub source: Source,
    /// Its type, 1 to 100 characters in anybody's words.
    pub event_type: String,
    /// What was sent along, by anybody who may write contents.
    pub payload: Map<String, Value>,
}

/// A merge queue wants to know about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeGroup {
    /// Where it happened and by whom.
    pub source: Source,
    /// `checks_requested`, `destroyed`, or another word.
    pub action: String,
    /// The commit of the queue.
    pub head: HeadSha,
    /// The queue's branch.
    pub branch: BranchName,
    /// The branch that it would go to.
    pub base: BranchName,
}

/// Why a payload was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    event: String,
    why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the payload of {:?}: {}", self.event, self.why)
    }
}

impl std::error::Error for Unreadable {}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self { event: String::new(), why: malformed.to_string() }
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        // A hostile value may stand in the message, and may be long.
        Self { event: String::new(), why: error.to_string().chars().take(200).collect() }
    }
}

impl Payload {
    /// Reads the payload of an event of this name (`X-GitHub-Event`, `GITHUB_EVENT_NAME`).
    pub fn parse(event: &str, body: &[u8]) -> Result<Self, Unreadable> {
        let named: String = event.chars().take(80).collect();
        let read = match event {
            "pull_request" | "pull_request_target" => {
                read::pull(body).map(|pull| Self::PullRequest(Box::new(pull)))
            }
            "issue_comment" => read::comment(body).map(|comment| Self::Comment(Box::new(comment))),
            "repository_dispatch" => read::dispatch(body).map(Self::Dispatch),
            "merge_group" => read::merge_group(body).map(Self::MergeGroup),
            "ping" => read::any(body).map(|()| Self::Ping),
            word if !word.is_empty()
                && word.len() <= 80
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') =>
            {
                read::any(body).map(|()| Self::Other(word.to_owned()))
            }
            _ => Err(Unreadable { event: String::new(), why: "that is no event's name".to_owned() }),
        };
        read.map_err(|unreadable| Unreadable { event: named, ..unreadable })
    }
}
