//! Comments on pull requests.

use super::{GitHub, people::Account, request::Asked};
use crate::{
    clients::{Failure, Kind},
    domain::{
        holder::PullRequest,
        names::{Login, RepoName},
    },
};
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id, which no other comment of the repository has.
    pub id: u64,
    /// Who wrote it; none, if that account is gone.
    pub author: Option<Login>,
    /// Whether that is an app's bot, and no person.
    pub is_by_bot: bool,
    /// What it says, in anybody's words.
    pub body: String,
    /// When it was edited last, or else written.
    pub updated_at: Timestamp,
}

/// What can be said to a comment without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reaction {
    /// 👍
    #[serde(rename = "+1")]
    Yes,
    /// 👎
    #[serde(rename = "-1")]
    No,
    /// 👀
    #[serde(rename = "eyes")]
    Seen,
    /// 😕
    #[serde(rename = "confused")]
    Confused,
    /// 🚀
    #[serde(rename = "rocket")]
    Started,
}

#[derive(Deserialize)]
struct Raw {
    id: u64,
    user: Option<Account>,
    body: String,
    updated_at: Timestamp,
}

impl From<Raw> for Comment {
    fn from(raw: Raw) -> Self {
        let is_by_bot = raw.user.as_ref().is_some_and(|account| account.kind == "Bot");
        let author = raw.user.map(|account| account.login);
        Self { id: raw.id, author, is_by_bot, body: raw.body, updated_at: raw.updated_at }
    }
}

impl GitHub {
    /// All comments on it, oldest first.
    pub async fn comments(&self, pull: &PullRequest) -> Result<Vec<Comment>, Failure> {
        let number = pull.number.to_string();
        let path = ["issues", &number, "comments"];
        let asked = Asked::read(&pull.repo, &path, format!("list the comments on {pull}"));
        let raw = self.all::<Raw, _>(asked, |comment| comment.id).await?;
        Ok(raw.into_iter().map(Comment::from).collect())
    }

    /// A new one. If the answer is lost it may be there all the same: the list tells.
    pub async fn create_comment(&self, pull: &PullRequest, body: &str) -> Result<Comment, Failure> {
        let number = pull.number.to_string();
        let path = ["issues", &number, "comments"];
        let doing = format!("comment on {pull}");
        let asked = Asked::write(Method::POST, &pull.repo, &path, Some(json!({ "body": body })), doing);
        Ok(self.ask::<Raw>(&asked).await?.into())
    }

    /// Says something else in its place. None: somebody has deleted it.
    pub async fn edit_comment(
        &self,
        repo: &RepoName,
        id: u64,
        body: &str,
    ) -> Result<Option<Comment>, Failure> {
        let number = id.to_string();
        let path = ["issues", "comments", &number];
        let doing = format!("edit comment {id} of {repo}");
        let asked = Asked::write(Method::PATCH, repo, &path, Some(json!({ "body": body })), doing);
        match self.ask::<Raw>(&asked).await {
            Ok(raw) if raw.id == id => Ok(Some(raw.into())),
            Ok(_) => Err(self.garbled(&asked, "it answers with another one")),
            Err(denial) if denial.is_not_found => {
                self.comment_is_gone(repo, id, denial.failure).await.map(|()| None)
            }
            Err(denial) => Err(denial.failure),
        }
    }

    /// Afterwards it is not there, be it that somebody else has deleted it.
    pub async fn delete_comment(&self, repo: &RepoName, id: u64) -> Result<(), Failure> {
        let number = id.to_string();
        let path = ["issues", "comments", &number];
        let doing = format!("delete comment {id} of {repo}");
        let asked = Asked::write(Method::DELETE, repo, &path, None, doing);
        match self.ask_for_nothing(&asked).await {
            Err(denial) if denial.is_not_found => self.comment_is_gone(repo, id, denial.failure).await,
            other => Ok(other?),
        }
    }

    /// Reacts to a comment, once: doing it again changes nothing. The reaction's id; none: somebody has deleted the comment.
    pub async fn react(
        &self,
        repo: &RepoName,
        comment: u64,
        reaction: Reaction,
    ) -> Result<Option<u64>, Failure> {
        #[derive(Deserialize)]
        struct Raw {
            id: u64,
            content: Reaction,
        }
        let number = comment.to_string();
        let path = ["issues", "comments", &number, "reactions"];
        let doing = format!("react to comment {comment} of {repo}");
        let asked = Asked::write(Method::POST, repo, &path, Some(json!({ "content": reaction })), doing);
        match self.ask::<Raw>(&asked).await {
            Ok(raw) if raw.content == reaction => Ok(Some(raw.id)),
            Ok(_) => Err(self.garbled(&asked, "it answers with another one")),
            Err(denial) if denial.is_not_found => {
                self.comment_is_gone(repo, comment, denial.failure).await.map(|()| None)
            }
            Err(denial) => Err(denial.failure),
        }
    }

    /// A change is answered with 404 also where the token may see the comment and not change it: so it is looked for.
    async fn comment_is_gone(&self, repo: &RepoName, id: u64, failure: Failure) -> Result<(), Failure> {
        let number = id.to_string();
        let path = ["issues", "comments", &number];
        let asked = Asked::read(repo, &path, format!("read comment {id} of {repo}"));
        match self.ask::<Value>(&asked).await {
            Ok(_) => Err(Failure { kind: Kind::Refused, ..failure }),
            Err(denial) if denial.is_not_found => self.is_absent(repo).await,
            Err(denial) => Err(denial.failure),
        }
    }
}
