//! Telling whoever is first in line that their turn has come: their job is run once more.
//!
//! Must never: fail the run that calls; call anybody whose call was not noted on their claim before.

use crate::{
    clients::{
        Failure,
        github::{Again, GitHub},
    },
    domain::{
        claim::{Claim, Job, Wish},
        dispatch,
        holder::{Holder, PullRequest},
    },
};
use async_trait::async_trait;
use std::fmt;

/// Can make somebody go on whose turn has come.
#[async_trait(?Send)]
pub trait Calls {
    /// However it can.
    async fn call(&self, claim: &Claim) -> Way;
    /// Whether a job's run is over; `None`: nobody can tell.
    async fn has_ended(&self, job: &Job) -> Option<bool>;
}

/// How somebody was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Its job runs once more.
    Again,
    /// Some job of its workflow run has not ended, be it its own or another: until then GitHub runs none once more.
    Running,
    /// Its repository was sent an event.
    Dispatched,
    /// Not at all, and why.
    Nobody(String),
}

impl Way {
    /// Whether somebody has heard it, as far as anybody can tell.
    pub fn is_heard(&self) -> bool {
        matches!(self, Self::Again | Self::Dispatched)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again => f.write_str("its job runs once more"),
            Self::Running => f.write_str(
                "its workflow run has not ended: it goes on there, or the next event or sweep calls it",
            ),
            Self::Dispatched => write!(
                f,
                "its repository was sent an event, if a workflow there listens to `repository_dispatch: [{}]`",
                dispatch::TYPED[0]
            ),
            Self::Nobody(why) => {
                write!(f, "at that repository's next event, for nobody could be called: {why}")
            }
        }
    }
}

/// Somebody whose turn has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Who.
    pub holder: Holder,
    /// How.
    pub way: Way,
}

/// By jobs and events of GitHub.
pub struct OnGitHub(pub GitHub);

impl OnGitHub {
    async fn send(&self, claim: &Claim, pull: &PullRequest) -> Result<(), Failure> {
        let repo = claim.job().map_or(&pull.repo, |Job { repo, .. }| repo);
        self.0.dispatch(repo, dispatch::TYPED[0], &dispatch::payload(pull, Wish::Up)).await
    }
}

#[async_trait(?Send)]
impl Calls for OnGitHub {
    async fn call(&self, claim: &Claim) -> Way {
        if claim.is_sent_for()
            && let Holder::PullRequest(pull) = claim.holder()
            && self.send(claim, pull).await.is_ok()
        {
            return Way::Dispatched;
        }
        let kept = match claim.job() {
            Some(job) => match self.0.run_again(job).await {
                Ok(Again::Begun) => return Way::Again,
                Ok(Again::Running) => return Way::Running,
                Ok(Again::Not(failure)) => failure.to_string(),
                // It may have begun all the same: nothing else is sent then.
                Err(failure) => return Way::Nobody(failure.to_string()),
            },
            None => "no job is known that could be run once more".to_owned(),
        };
        let Holder::PullRequest(pull) = claim.holder() else { return Way::Nobody(kept) };
        match self.send(claim, pull).await {
            Ok(()) => Way::Dispatched,
            Err(failure) => Way::Nobody(format!("{kept}; {failure}")),
        }
    }

    async fn has_ended(&self, job: &Job) -> Option<bool> {
        match self.0.run_status(&job.repo, job.run).await {
            Ok(status) => Some(status.is_none_or(|status| status.has_ended())),
            Err(failure) => {
                tracing::info!("whether {job} is over is not known: {failure}");
                None
            }
        }
    }
}
