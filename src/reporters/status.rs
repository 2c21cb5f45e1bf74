//! The commit status: the one context that a branch may require.
//!
//! Posted once for each transition, and not at all where it says so already: GitHub takes a thousand for a commit and none
//! after that. Must never: speak for a run that yields to another; call good what nobody has seen.

use super::{
    Reporter,
    markdown::Beside,
    verdict::{self, verdict},
};
use crate::{
    clients::{
        Kind,
        github::{GitHub, State, Status},
    },
    domain::{
        names::{HeadSha, RepoName},
        report::{Outcome, Report},
    },
};
use anyhow::Result;
use async_trait::async_trait;
use tokio::sync::Mutex;

/// Says how a commit stands.
pub struct CommitStatus {
    github: GitHub,
    repo: RepoName,
    context: String,
    head: Option<HeadSha>,
    beside: Beside,
    told: Mutex<Option<(HeadSha, Status)>>,
}

impl CommitStatus {
    /// In this context of this repository's commits; of `head`, where the report names none.
    pub fn new(
        github: GitHub,
        repo: RepoName,
        context: impl Into<String>,
        head: Option<HeadSha>,
        beside: Beside,
    ) -> Self {
        Self { github, repo, context: context.into(), head, beside, told: Mutex::default() }
    }

    async fn write(&self, head: &HeadSha, status: &Status) -> Result<()> {
        let stands = self.github.latest_status(&self.repo, head, &self.context).await?;
        if stands.is_some_and(|stands| is_same(&stands, status)) {
            return Ok(());
        }
        match self.github.create_status(&self.repo, head, status).await {
            // It has its thousand, or is no commit there: neither passes.
            Err(failure) if failure.kind == Kind::Invalid => {
                tracing::warn!("the commit status stays as it is: {failure}");
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

fn is_same(one: &Status, other: &Status) -> bool {
    (one.state, &one.description) == (other.state, &other.description)
}

/// `None`: it stays as it is.
fn state(report: &Report) -> Option<State> {
    let Some(outcome) = &report.outcome else {
        // Before that nobody knows whether there is anything to do.
        return report.direction.map(|_| State::Pending);
    };
    match outcome {
        Outcome::Queued | Outcome::AwaitingTests { .. } | Outcome::AwaitsApproval { .. } => {
            Some(State::Pending)
        }
        Outcome::Ready | Outcome::Closing { .. } | Outcome::Removed { .. } | Outcome::Nothing { .. } => {
            Some(State::Success)
        }
        Outcome::Failed { .. }
        | Outcome::TestsFailed
        | Outcome::PoolFull { .. }
        | Outcome::Refused { .. } => Some(State::Failure),
        Outcome::Unknown { .. } | Outcome::Interrupted { .. } => Some(State::Error),
        Outcome::Superseded | Outcome::WithoutSecrets { .. } | Outcome::Unconcerned { .. } => None,
    }
}

/// An address that GitHub links to.
pub(super) fn page(url: Option<&String>) -> Option<String> {
    url.filter(|url| url.starts_with("https://") || url.starts_with("http://")).cloned()
}

#[async_trait]
impl Reporter for CommitStatus {
    fn name(&self) -> &'static str {
        "commit status"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        let head = report.head_sha.as_ref().or(self.head.as_ref());
        let (Some(state), Some(head)) = (state(report), head) else { return Ok(()) };
        let stands = matches!(report.outcome, Some(Outcome::Ready | Outcome::AwaitingTests { .. }));
        let url = report.url.as_ref().filter(|_| stands);
        let status = Status {
            state,
            context: self.context.clone(),
            description: verdict(report, verdict::BYTES),
            target_url: page(url).or_else(|| page(self.beside.log.as_ref())),
        };
        let mut told = self.told.lock().await;
        if told.as_ref().is_some_and(|(of, told)| of == head && is_same(told, &status)) {
            return Ok(());
        }
        *told = None;
        self.write(head, &status).await?;
        *told = Some((head.clone(), status));
        Ok(())
    }
}
