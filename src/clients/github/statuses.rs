//! Commit statuses: what a required check is.

use super::{GitHub, request::Asked};
use crate::{
    clients::Failure,
    domain::names::{HeadSha, RepoName},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// The four that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Something broke.
    Error,
    /// It is not good.
    Failure,
    /// Nobody knows yet.
    Pending,
    /// It is good.
    Success,
}

/// What is to be said of a commit. Of one context the latest counts, and GitHub takes a thousand for a commit, no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How it stands.
    pub state: State,
    /// Tells it from other statuses of the commit.
    pub context: String,
    /// A sentence of 140 characters at most.
    pub description: String,
    /// Where more is to be seen: http(s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_url: Option<String>,
}

impl GitHub {
    /// Says it.
    pub async fn create_status(
        &self,
        repo: &RepoName,
        head: &HeadSha,
        status: &Status,
    ) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Raw {
            state: State,
            context: String,
        }
        let path = ["statuses", head.as_ref()];
        let doing = format!("set the status {:?} of {} in {repo}", status.context, short(head));
        let body = serde_json::to_value(status).ok();
        let asked = Asked::write(Method::POST, repo, &path, body, doing).needs("statuses: write");
        let made: Raw = self.ask(&asked).await?;
        if made.state != status.state || made.context != status.context {
            return Err(self.garbled(&asked, "it answers with another one"));
        }
        Ok(())
    }
}

impl GitHub {
    /// What counts of one context; none: nothing has been said of the commit in it.
    pub async fn latest_status(
        &self,
        repo: &RepoName,
        head: &HeadSha,
        context: &str,
    ) -> Result<Option<Status>, Failure> {
        #[derive(Deserialize)]
        struct Raw {
            id: u64,
            state: State,
            context: String,
            description: Option<String>,
            target_url: Option<String>,
        }
        let path = ["commits", head.as_ref(), "status"];
        let doing = format!("read the statuses of {} in {repo}", short(head));
        let asked = Asked::read(repo, &path, doing).needs("statuses: read").within("statuses");
        let latest = self.all::<Raw, _>(asked, |status| status.id).await?;
        // GitHub does not tell contexts apart by case.
        let found = latest.into_iter().find(|status| status.context.eq_ignore_ascii_case(context));
        Ok(found.map(|Raw { state, context, description, target_url, .. }| Status {
            state,
            context,
            description: description.unwrap_or_default(),
            target_url,
        }))
    }
}

pub(super) fn short(head: &HeadSha) -> &str {
    head.as_ref().get(..12).unwrap_or(head.as_ref())
}
