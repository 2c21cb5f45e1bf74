//! Runs of workflows: who has let one go on, how one stands, and that one of its jobs runs once more; and events of our own,
//! that begin one.
//!
//! Must never: take a refusal for a run that is under way.

use super::{GitHub, request::Asked};
use crate::{
    clients::{Failure, Kind},
    domain::{claim::Job, names::RepoName},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// What came of asking for a job to be run once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// It will run.
    Begun,
    /// Its run has not ended yet.
    Running,
    /// By this token not, or there is no such job any more.
    Not(Failure),
}

/// How a run stands, in GitHub's own words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunStatus {
    id: u64,
    /// `completed`, once it has ended.
    pub status: Option<String>,
    /// How it has ended.
    pub conclusion: Option<String>,
    /// Which try it is of.
    #[serde(rename = "run_attempt", default)]
    pub attempt: u64,
}

impl RunStatus {
    /// Whether it has ended, however.
    pub fn has_ended(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }
}

impl GitHub {
    /// Whether a reviewer of an environment has let this run go on, and none has held it back.
    pub async fn is_run_approved(&self, repo: &RepoName, run: u64) -> Result<bool, Failure> {
        #[derive(Deserialize, PartialEq)]
        #[serde(rename_all = "lowercase")]
        enum State {
            Approved,
            Rejected,
            Pending,
        }
        #[derive(Deserialize)]
        struct Review {
            state: State,
        }
        let run = run.to_string();
        let path = ["actions", "runs", &run, "approvals"];
        let doing = format!("read who has approved run {run} of {repo}");
        let asked = Asked::read(repo, &path, doing).needs("actions: read");
        match self.ask::<Vec<Review>>(&asked).await {
            Ok(reviews) => {
                let any = |state: &State| reviews.iter().any(|review| review.state == *state);
                Ok(any(&State::Approved) && !any(&State::Rejected))
            }
            Err(denial) if denial.is_not_found => self.is_absent(repo).await.map(|()| false),
            Err(denial) => Err(denial.failure),
        }
    }
    /// How a run stands; `None`: there is none any more.
    pub async fn run_status(&self, repo: &RepoName, run: u64) -> Result<Option<RunStatus>, Failure> {
        let number = run.to_string();
        let path = ["actions", "runs", &number];
        let asked =
            Asked::read(repo, &path, format!("read how run {run} of {repo} stands")).needs("actions: read");
        match self.ask::<RunStatus>(&asked).await {
            Ok(status) if status.id == run => Ok(Some(status)),
            Ok(_) => Err(self.garbled(&asked, "it answers with another one")),
            Err(denial) if denial.is_not_found => self.is_absent(repo).await.map(|()| None),
            Err(denial) => Err(denial.failure),
        }
    }

    /// Runs a job once more; the whole run, where nobody knows which of its jobs.
    pub async fn run_again(&self, job: &Job) -> Result<Again, Failure> {
        let (kind, id) = job.id.map_or(("runs", job.run), |id| ("jobs", id));
        let id = id.to_string();
        let path = ["actions", kind, &id, "rerun"];
        let asked = Asked::write(Method::POST, &job.repo, &path, None, format!("begin {job} once more"));
        match self.ask_for_nothing(&asked.needs("actions: write")).await {
            Ok(()) => Ok(Again::Begun),
            Err(denial) if denial.is_running => Ok(Again::Running),
            Err(denial) if denial.is_not_found || denial.failure.kind == Kind::Refused => {
                Ok(Again::Not(denial.failure))
            }
            Err(denial) => Err(denial.failure),
        }
    }

    /// Sends an event of our own, with all that it says under one key.
    pub async fn dispatch(&self, repo: &RepoName, event_type: &str, payload: &Value) -> Result<(), Failure> {
        let body = json!({"event_type": event_type, "client_payload": payload});
        let doing = format!("send the event {event_type:?} to {repo}");
        let asked = Asked::write(Method::POST, repo, &["dispatches"], Some(body), doing);
        Ok(self.ask_for_nothing(&asked.needs("contents: write")).await?)
    }
}
