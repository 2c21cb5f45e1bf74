//! GitHub's own form of each payload, and the way from there to ours.
//!
//! Must never: require what berth does not take.

use super::{
    super::{
        holder::PullRequest,
        names::{BranchName, HeadSha, LabelName, Login, PrNumber, RepoName},
    },
    Action, Association, Comment, Dispatch, MergeGroup, Origin, Pull, Source, Standing, Subject, Unreadable,
};
use serde::Deserialize;
use serde_json::{Map, Value};

fn wrong(why: impl Into<String>) -> Unreadable {
    Unreadable { event: String::new(), why: why.into() }
}

/// Of what is not looked into, only that it is an object.
pub(super) fn any(body: &[u8]) -> Result<(), Unreadable> {
    serde_json::from_slice::<Map<String, Value>>(body)?;
    Ok(())
}

/// GitHub's words are short; a longer one is none of them.
fn word(text: String) -> Result<String, Unreadable> {
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err(wrong("an action is 1 to 100 printable characters"));
    }
    Ok(text)
}

#[derive(Deserialize)]
struct Named {
    id: u64,
    full_name: RepoName,
}

#[derive(Deserialize)]
struct Account {
    login: Login,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Around {
    repository: Named,
    sender: Option<Account>,
    installation: Option<Installation>,
}

impl From<Around> for Source {
    fn from(around: Around) -> Self {
        Self {
            repository: around.repository.full_name,
            repository_id: around.repository.id,
            sender: around.sender.map(|account| account.login),
            installation: around.installation.map(|installation| installation.id),
        }
    }
}

#[derive(Deserialize)]
struct RawLabel {
    name: LabelName,
}

#[derive(Deserialize)]
struct RawHead {
    sha: HeadSha,
    #[serde(rename = "ref")]
    branch: BranchName,
    repo: Option<Named>,
}

#[derive(Deserialize)]
struct RawBase {
    #[serde(rename = "ref")]
    branch: BranchName,
    repo: Named,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawState {
    Open,
    Closed,
}

#[derive(Deserialize)]
struct RawPull {
    number: PrNumber,
    state: RawState,
    draft: bool,
    merged: bool,
    head: RawHead,
    base: RawBase,
    labels: Vec<RawLabel>,
    user: Option<Account>,
}

pub(super) fn pull(body: &[u8]) -> Result<Pull, Unreadable> {
    #[derive(Deserialize)]
    struct Raw {
        action: String,
        number: PrNumber,
        pull_request: RawPull,
        label: Option<RawLabel>,
        // Before: what is not there has not changed.
        #[serde(default)]
        changes: Value,
        #[serde(flatten)]
        around: Around,
    }
    let Raw { action, number, pull_request: pull, label, changes, around } = serde_json::from_slice(body)?;
    if number != pull.number {
        return Err(wrong(format!("it is about {number} and about {}", pull.number)));
    }
    if pull.base.repo.id != around.repository.id {
        return Err(wrong(format!(
            "it goes to {}, and is told of {}",
            pull.base.repo.full_name, around.repository.full_name
        )));
    }
    let standing = match (pull.state, pull.merged, pull.draft) {
        (RawState::Closed, true, _) => Standing::Merged,
        (RawState::Closed, false, _) => Standing::Closed,
        (RawState::Open, true, _) => return Err(wrong("it is merged and open")),
        (RawState::Open, false, true) => Standing::Draft,
        (RawState::Open, false, false) => Standing::Open,
    };
    let source = Source::from(around);
    let origin = match pull.head.repo {
        None => Origin::Gone,
        Some(head) if head.id == source.repository_id => Origin::Same,
        Some(head) => Origin::Fork(head.full_name),
    };
    Ok(Pull {
        action: match action.as_str() {
            "opened" => Action::Opened,
            "reopened" => Action::Reopened,
            "synchronize" => Action::Synchronize,
            "closed" => Action::Closed,
            "labeled" => Action::Labeled,
            "unlabeled" => Action::Unlabeled,
            "ready_for_review" => Action::ReadyForReview,
            "converted_to_draft" => Action::ConvertedToDraft,
            "edited" => Action::Edited { moved: changes.get("base").is_some() },
            _ => Action::Other(word(action)?),
        },
        label: label.map(|label| label.name),
        of: PullRequest { repo: source.repository.clone(), number },
        standing,
        head: pull.head.sha,
        branch: pull.head.branch,
        origin,
        base: pull.base.branch,
        labels: pull.labels.into_iter().map(|label| label.name).collect(),
        author: pull.user.map(|account| account.login),
        source,
    })
}

pub(super) fn comment(body: &[u8]) -> Result<Comment, Unreadable> {
    #[derive(Deserialize)]
    struct Issue {
        number: PrNumber,
        pull_request: Option<Map<String, Value>>,
    }
    #[derive(Deserialize)]
    struct Said {
        id: u64,
        body: String,
        user: Option<Account>,
        author_association: String,
    }
    #[derive(Deserialize)]
    struct Raw {
        action: String,
        issue: Issue,
        comment: Said,
        #[serde(flatten)]
        around: Around,
    }
    let Raw { action, issue, comment, around } = serde_json::from_slice(body)?;
    let source = Source::from(around);
    let repo = source.repository.clone();
    Ok(Comment {
        action: word(action)?,
        on: match issue.pull_request {
            Some(_) => Subject::PullRequest(PullRequest { repo, number: issue.number }),
            None => Subject::Issue,
        },
        id: comment.id,
        body: comment.body,
        author: comment.user.map(|account| account.login),
        association: match comment.author_association.as_str() {
            "OWNER" => Association::Owner,
            "MEMBER" => Association::Member,
            "COLLABORATOR" => Association::Collaborator,
            _ => Association::None,
        },
        source,
    })
}

pub(super) fn dispatch(body: &[u8]) -> Result<Dispatch, Unreadable> {
    #[derive(Deserialize)]
    struct Raw {
        action: String,
        client_payload: Option<Map<String, Value>>,
        #[serde(flatten)]
        around: Around,
    }
    let Raw { action, client_payload, around } = serde_json::from_slice(body)?;
    // Nothing was sent along: null, not an empty object.
    let payload = client_payload.unwrap_or_default();
    Ok(Dispatch { source: around.into(), event_type: word(action)?, payload })
}

pub(super) fn merge_group(body: &[u8]) -> Result<MergeGroup, Unreadable> {
    #[derive(Deserialize)]
    struct Group {
        head_sha: HeadSha,
        head_ref: String,
        base_ref: String,
    }
    #[derive(Deserialize)]
    struct Raw {
        action: String,
        merge_group: Group,
        #[serde(flatten)]
        around: Around,
    }
    let Raw { action, merge_group: group, around } = serde_json::from_slice(body)?;
    let branch = |reference: &str| -> Result<BranchName, Unreadable> {
        let branch =
            reference.strip_prefix("refs/heads/").ok_or_else(|| wrong("a merge group's ref is no branch"))?;
        Ok(branch.parse()?)
    };
    Ok(MergeGroup {
        source: around.into(),
        action: word(action)?,
        head: group.head_sha,
        branch: branch(&group.head_ref)?,
        base: branch(&group.base_ref)?,
    })
}
