//! The deployment: what puts "View deployment" on a pull request.
//!
//! All pull requests share one environment of GitHub's, because a job's token can delete none; a deployment is told from
//! others by its task. Must never: make a second one for a commit; call anything inactive that is another pull request's.

use super::{
    Reporter,
    markdown::Beside,
    status::page,
    verdict::{self, verdict},
};
use crate::{
    clients::github::{
        Deployment as Made, DeploymentState as State, DeploymentStatus as Status, GitHub, NewDeployment,
    },
    domain::{
        holder::PullRequest,
        names::HeadSha,
        plan::Direction,
        report::{Outcome, Report},
    },
};
use anyhow::Result;
use async_trait::async_trait;
use serde_json::Map;
use tokio::sync::Mutex;

/// The environment that all of them share.
pub const ENVIRONMENT: &str = "pr-preview";

/// Says where a commit is to be seen.
pub struct Deployment {
    github: GitHub,
    pull: PullRequest,
    beside: Beside,
    told: Mutex<Option<(Option<HeadSha>, State)>>,
}

impl Deployment {
    /// Of this pull request's commits.
    pub fn new(github: GitHub, pull: PullRequest, beside: Beside) -> Self {
        Self { github, pull, beside, told: Mutex::default() }
    }

    fn task(&self) -> String {
        format!("berth:{}", self.pull)
    }

    async fn write(&self, report: &Report, state: State) -> Result<()> {
        // Newest first.
        let mut all = self.github.deployments(&self.pull.repo, ENVIRONMENT, &self.task(), None).await?;
        if state == State::Inactive {
            return self.retire(report, all).await;
        }
        let Some(head) = &report.head_sha else { return Ok(()) };
        let own = match all.iter().find(|made| made.head == *head) {
            Some(made) => made.clone(),
            None => self.make(report, head).await?,
        };
        let before = self.latest(&own).await?;
        let stands = before.as_ref().is_some_and(|before| before.state == State::Success);
        // What stands goes on standing while it is looked at again.
        if !(stands && state == State::InProgress) {
            self.say(&own, before, self.status(report, state)).await?;
        }
        if state == State::Success {
            all.retain(|made| made.head != *head);
            self.retire(report, all).await?;
        }
        Ok(())
    }

    async fn make(&self, report: &Report, head: &HeadSha) -> Result<Made> {
        let deployment = NewDeployment {
            head: head.clone(),
            environment: ENVIRONMENT.to_owned(),
            task: self.task(),
            description: verdict(report, verdict::BYTES),
            payload: Map::new(),
        };
        Ok(self.github.create_deployment(&self.pull.repo, &deployment).await?)
    }

    /// The oldest last read and first written: what is older than one that is inactive is so too.
    async fn retire(&self, report: &Report, all: Vec<Made>) -> Result<()> {
        let mut active = Vec::new();
        for made in all {
            let before = self.latest(&made).await?;
            if before.as_ref().is_some_and(|before| before.state == State::Inactive) {
                break;
            }
            active.push((made, before));
        }
        for (made, before) in active.into_iter().rev() {
            let status = Status { environment_url: String::new(), ..self.status(report, State::Inactive) };
            self.say(&made, before, status).await?;
        }
        Ok(())
    }

    async fn latest(&self, made: &Made) -> Result<Option<Status>> {
        Ok(self.github.deployment_statuses(&self.pull.repo, made.id).await?.into_iter().next())
    }

    async fn say(&self, made: &Made, before: Option<Status>, status: Status) -> Result<()> {
        if before.is_some_and(|before| {
            (before.state, &before.environment_url) == (status.state, &status.environment_url)
        }) {
            return Ok(());
        }
        Ok(self.github.create_deployment_status(&self.pull.repo, made.id, &status).await?)
    }

    fn status(&self, report: &Report, state: State) -> Status {
        let url = report.url.as_ref().filter(|_| state == State::Success);
        Status {
            state,
            environment_url: page(url).unwrap_or_default(),
            log_url: page(self.beside.log.as_ref()).unwrap_or_default(),
            description: match state {
                State::Inactive => "Not there any more".to_owned(),
                _ => verdict(report, verdict::BYTES),
            },
        }
    }
}

/// `None`: it stays as it is.
fn state(report: &Report) -> Option<State> {
    match &report.outcome {
        Some(Outcome::Removed { .. }) => Some(State::Inactive),
        _ if report.direction != Some(Direction::Up) => None,
        None => Some(State::InProgress),
        // It stands, whatever its tests came to.
        Some(Outcome::Ready | Outcome::AwaitingTests { .. } | Outcome::TestsFailed) => Some(State::Success),
        Some(Outcome::Failed { .. }) => Some(State::Failure),
        Some(Outcome::Unknown { .. } | Outcome::Interrupted { .. }) => Some(State::Error),
        Some(
            Outcome::Closing { .. }
            | Outcome::AwaitsApproval { .. }
            | Outcome::WithoutSecrets { .. }
            | Outcome::Nothing { .. }
            | Outcome::Unconcerned { .. }
            | Outcome::Queued
            | Outcome::PoolFull { .. }
            | Outcome::Superseded
            | Outcome::Refused { .. },
        ) => None,
    }
}

#[async_trait]
impl Reporter for Deployment {
    fn name(&self) -> &'static str {
        "deployment"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        let Some(state) = state(report) else { return Ok(()) };
        let mut told = self.told.lock().await;
        let news = (report.head_sha.clone(), state);
        if told.as_ref() == Some(&news) {
            return Ok(());
        }
        self.write(report, state).await?;
        *told = Some(news);
        Ok(())
    }
}
