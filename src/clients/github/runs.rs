//! Runs of workflows: who has let one go on.

use super::{GitHub, request::Asked};
use crate::{clients::Failure, domain::names::RepoName};
use serde::Deserialize;

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
}
