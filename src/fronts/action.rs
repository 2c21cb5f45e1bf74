//! The action: a job of GitHub Actions, as its environment and its event file tell of it.
//!
//! What the runner says of itself is believed; what stands in the event is hostile, and gives identity and commands alone.
//! Must never: decide what an event means (`domain/event.rs` does); take an input that is wrong for one that is absent.

mod checkout;
mod handed;
mod inputs;

pub(crate) use checkout::Checkout;
pub(crate) use handed::results;
pub(crate) use inputs::{Inputs, Order};

use crate::{
    domain::{
        names::{BranchName, HeadSha, Login, RepoName},
        payload::{Origin, Payload},
    },
    errors::UserError,
    settings::Environment,
};
use anyhow::{Context as _, Result};
use std::{fs::File, io::Read as _, path::PathBuf};

/// Far above any payload of GitHub's.
const LARGEST: u64 = 32 << 20;
/// Whose runs have no secrets.
const DEPENDABOT: &str = "dependabot[bot]";

/// The job that this process is.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Of which repository.
    pub(crate) repository: RepoName,
    /// What it was started by.
    pub(crate) event: String,
    /// Who is behind that.
    actor: Option<Login>,
    /// The branch that its workflow is of, where it is of one.
    branch: Option<BranchName>,
    /// Which run of a workflow it is of.
    pub(crate) run: Option<u64>,
    /// The commit that its workflow is of.
    pub(crate) commit: Option<HeadSha>,
    /// Its log.
    pub(crate) log: Option<String>,
    /// Where its summary goes.
    pub(crate) summary: Option<PathBuf>,
    /// Where its outputs go.
    pub(crate) output: Option<PathBuf>,
}

impl Job {
    /// As the runner says.
    pub(crate) fn of(environment: &Environment) -> Result<Self, UserError> {
        let needed = |name: &str| {
            environment.text(name)?.ok_or_else(|| {
                UserError::usage(format!(
                    "`berth action` is for jobs of GitHub Actions: {}",
                    environment.lack(name)
                ))
                .hint("elsewhere, `berth up`, `berth down` and `berth plan` do the same")
            })
        };
        let repository = needed("GITHUB_REPOSITORY")?;
        let wrong = |name: &str, why: &dyn std::fmt::Display| UserError::usage(format!("{name}: {why}"));
        let server = environment.text("GITHUB_SERVER_URL")?.unwrap_or("https://github.com");
        let run: Option<u64> = environment.text("GITHUB_RUN_ID")?.and_then(|id| id.parse().ok());
        let branch =
            environment.text("GITHUB_REF")?.and_then(|reference| reference.strip_prefix("refs/heads/"));
        Ok(Self {
            event: needed("GITHUB_EVENT_NAME")?.to_owned(),
            run,
            log: run.map(|id| format!("{server}/{repository}/actions/runs/{id}")),
            repository: repository.parse().map_err(|why| wrong("GITHUB_REPOSITORY", &why))?,
            actor: environment.text("GITHUB_ACTOR")?.and_then(|actor| actor.parse().ok()),
            branch: branch.and_then(|branch| branch.parse().ok()),
            commit: environment.text("GITHUB_SHA")?.and_then(|sha| sha.parse().ok()),
            summary: environment.path("GITHUB_STEP_SUMMARY"),
            output: environment.path("GITHUB_OUTPUT"),
        })
    }

    /// What happened.
    pub(crate) fn payload(&self, environment: &Environment) -> Result<Payload> {
        let path = environment.path("GITHUB_EVENT_PATH").ok_or_else(|| {
            UserError::usage(format!("what happened is not told: {}", environment.lack("GITHUB_EVENT_PATH")))
        })?;
        let wrong = || UserError::usage(format!("cannot take the event in {}", path.display()));
        let mut body = Vec::new();
        let file = File::open(&path).with_context(wrong)?;
        file.take(LARGEST).read_to_end(&mut body).with_context(wrong)?;
        Payload::parse(&self.event, &body).map_err(anyhow::Error::from).with_context(wrong)
    }

    /// Why GitHub gives this run no secrets, if it gives none.
    pub(crate) fn lacks_secrets(&self, payload: &Payload) -> Option<String> {
        let Payload::PullRequest(pull) = payload else { return None };
        if self.actor.as_ref().is_some_and(|actor| actor.as_ref() == DEPENDABOT) {
            return Some(format!(
                "{} comes from Dependabot, whose runs GitHub gives neither secrets nor a token that may write. \
                 A maintainer who re-runs the job, or pushes to the branch, gives it an environment.",
                pull.of
            ));
        }
        let from = match &pull.origin {
            Origin::Same => return None,
            Origin::Fork(fork) => format!("the fork {fork}"),
            Origin::Gone => "a fork that is deleted".to_owned(),
        };
        (self.event == "pull_request").then(|| {
            format!(
                "{} comes from {from}, and GitHub gives a `pull_request` run of a fork neither secrets nor a token that \
                 may write. `workflows-examples/fork.yml` shows how forks get environments all the same, safely.",
                pull.of
            )
        })
    }

    /// The branch whose word counts for what is the platform's.
    pub(crate) fn base(&self, payload: &Payload) -> Option<BranchName> {
        match payload {
            Payload::PullRequest(pull) => Some(pull.base.clone()),
            Payload::MergeGroup(group) => Some(group.base.clone()),
            _ => self.branch.clone(),
        }
    }

    /// The commit that the event is of, so that somebody can be told even where nothing could be read.
    pub(crate) fn head(payload: &Payload) -> Option<HeadSha> {
        match payload {
            Payload::PullRequest(pull) => Some(pull.head.clone()),
            Payload::MergeGroup(group) => Some(group.head.clone()),
            _ => None,
        }
    }
}
