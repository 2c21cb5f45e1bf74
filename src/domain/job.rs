//! The job of GitHub Actions that works for an environment: what can be run once more when its turn comes. Pure.
//!
//! Must never: be taken for a run that lives; it may have ended long ago.

use super::names::RepoName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Job {
    /// The repository whose workflow it is of.
    pub repo: RepoName,
    /// The run of the workflow.
    pub run: u64,
    /// Which of its jobs; `None`: nobody has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} of {}", self.run, self.repo)
    }
}
