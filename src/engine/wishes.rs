//! What holders want, as GitHub says it now; or as somebody has said by hand.
//!
//! Must never: take a pull request that could not be read for a closed one; let the code of a fork in at a commit that
//! nobody has vouched for.

use super::{Asked, Declined, Wishes};
use crate::{
    clients::github::{ChangedFiles, GitHub, Pull},
    domain::{
        claim::{Claim, Wish},
        holder::{Holder, PullRequest},
        intent::Wanted,
        names::{HeadSha, PrNumber, RepoName},
        payload::{Origin, Standing},
        report::Outcome,
    },
    errors::UserError,
    settings::{Filter, Like, Skip},
};
use anyhow::Result;
use async_trait::async_trait;
use std::collections::BTreeMap;

/// Asks GitHub.
pub struct Pulls {
    /// By this client.
    pub github: GitHub,
    /// Which pull requests get an environment; `None`: all, be it that somebody asks by hand, be it that nobody here
    /// knows.
    pub admitted: Option<(Filter, Skip)>,
    /// Which commit this run can bring up.
    pub at: At,
    /// Which code of forks is let in.
    pub forks: Forks,
}

/// Which commit a run can bring up: whose files it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Any: its files say nothing of a commit.
    Any,
    /// This one: the event's. Of another, a newer event's run has the files.
    Commit(HeadSha),
    /// What is checked out, be it the head or what merging it would make; `None`: nobody can tell.
    Checkout(Option<HeadSha>),
    /// The same, and the workflow itself is of this commit: no pull request has brought it along.
    Workflow(HeadSha),
}

/// Which code of forks is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forks {
    /// Any: whoever runs this answers for it, or it brings nothing up.
    Any,
    /// At a commit that somebody who may write has vouched for, or that is there already and shall stay.
    Approved {
        /// By what they do it.
        label: String,
        /// Which, if somebody does it now.
        head: Option<HeadSha>,
    },
    /// None any more: this label, by which it was let in, has been taken off.
    TakenBack(String),
}

#[async_trait(?Send)]
impl Wishes for Pulls {
    async fn of(&self, holder: &Holder, claim: Option<&Claim>) -> Result<Asked> {
        match holder {
            Holder::PullRequest(of) => self.of_pull(of, claim).await,
            Holder::MergeGroup { repo, head } => {
                let is_queued = self.github.branches_at(repo, head).await?.iter().any(is_of_a_queue);
                if let At::Commit(at) = &self.at
                    && at != head
                {
                    return Err(Declined(Outcome::Superseded).into());
                }
                let wanted = if is_queued { Wanted::Up(Some(head.clone())) } else { Wanted::Down };
                Ok(Asked { wanted, merge: Some(head.clone()), why: None })
            }
            Holder::Reservation { .. } | Holder::Named(_) => {
                // Whoever has asked for it has said so there, and nobody else knows.
                if let Some(claim) = claim {
                    let wanted = match claim.wish() {
                        Wish::Up => Wanted::Up(claim.head().cloned()),
                        Wish::Down => Wanted::Down,
                    };
                    return Ok(Asked { wanted, merge: None, why: None });
                }
                let message = format!("{holder} is no pull request, so GitHub does not know what it wants");
                Err(UserError::usage(message).hint("name one as owner/repo#number").into())
            }
        }
    }

    async fn open_pulls(&self, repo: &RepoName) -> Result<BTreeMap<PrNumber, HeadSha>> {
        Ok(self.github.open_pulls(repo).await?)
    }
}

/// The working directory holds other files than what is to be brought up.
fn elsewhere(of: &PullRequest, at: Option<&HeadSha>, head: &HeadSha) -> UserError {
    let at = at.map_or("at no commit that could be told".to_owned(), |at| format!("at {}", at.short()));
    UserError::usage(format!(
        "{of} is at {}, and the checkout {at}: its files are not those of the app",
        head.short()
    ))
    .hint(format!(
        "check it out with `ref: refs/pull/{}/head`, as workflows-examples/comment.yml does",
        of.number
    ))
}

fn is_of(pull: &Pull, at: Option<&HeadSha>) -> bool {
    [Some(&pull.head), pull.merge_commit.as_ref()].contains(&at) && at.is_some()
}

fn is_of_a_queue(branch: &crate::domain::names::BranchName) -> bool {
    branch.as_ref().starts_with("gh-readonly-queue/")
}

impl Pulls {
    /// Of all pull requests, at whatever commit, from wherever: for who answers for it, or brings nothing up.
    pub fn all(github: GitHub) -> Self {
        Self { github, admitted: None, at: At::Any, forks: Forks::Any }
    }

    async fn of_pull(&self, of: &PullRequest, claim: Option<&Claim>) -> Result<Asked> {
        let down = || Asked { wanted: Wanted::Down, merge: None, why: None };
        let left_out = |why: String| Asked { wanted: Wanted::LeftOut, merge: None, why: Some(why) };
        // There is none: GitHub's own word, of a repository that can be read.
        let Some(pull) = self.github.pull(of).await? else { return Ok(down()) };
        if matches!(pull.standing, Standing::Closed | Standing::Merged) {
            return Ok(down());
        }
        // Before the filters: they are of the same files, so they have no say on another commit.
        let is_foreign = pull.origin != Origin::Same;
        match &self.at {
            At::Commit(at) if *at != pull.head => return Err(Declined(Outcome::Superseded).into()),
            At::Checkout(at) if !is_of(&pull, at.as_ref()) => {
                return Err(elsewhere(of, at.as_ref(), &pull.head).into());
            }
            // The environment of a fork is made by the files of the workflow's own branch. Its own at another commit than the
            // approved one would be as good as not approved.
            At::Workflow(at) if !is_foreign && !is_of(&pull, Some(at)) => {
                return Err(elsewhere(of, Some(at), &pull.head).into());
            }
            _ => {}
        }
        if let Some(why) = self.unwanted(of, &pull, claim).await? {
            return Ok(left_out(why));
        }
        match &self.forks {
            Forks::Approved { label, head } if is_foreign => {
                // What goes, or was told to go, is no longer let in by having been there.
                let stands = claim.filter(|claim| claim.wish() == Wish::Up).and_then(Claim::head);
                if ![head.as_ref(), stands].contains(&Some(&pull.head)) {
                    return Err(Declined(Outcome::AwaitsApproval { label: label.clone() }).into());
                }
            }
            Forks::TakenBack(label) if is_foreign => {
                return Ok(left_out(format!("its approval was taken back: the label {label} was removed")));
            }
            _ => {}
        }
        Ok(Asked { wanted: Wanted::Up(Some(pull.head)), merge: pull.merge_commit, why: None })
    }

    /// Why it gets none, by the filters.
    async fn unwanted(&self, of: &PullRequest, pull: &Pull, claim: Option<&Claim>) -> Result<Option<String>> {
        let Some((filter, skip)) = &self.admitted else { return Ok(None) };
        if claim.is_some_and(Claim::is_by_hand) {
            return Ok(None);
        }
        let is_draft = pull.standing == Standing::Draft;
        let mut like = Like {
            labels: &pull.labels,
            base: &pull.base,
            author: pull.author.as_ref(),
            is_draft,
            paths: None,
        };
        let asks_for_paths = !filter.paths.is_empty() || !skip.like.paths.is_empty();
        let found = like.unwanted(filter, skip);
        // Which files it changes is a question of its own, and of several pages.
        if found.is_some() || !asks_for_paths {
            return Ok(found);
        }
        like.paths = match self.github.changed_files(of).await? {
            ChangedFiles::Complete(files) => {
                Some(files.into_iter().flat_map(|file| [Some(file.path), file.before]).flatten().collect())
            }
            ChangedFiles::Capped(_) => None,
        };
        Ok(like.unwanted(filter, skip))
    }
}

/// What somebody has said by hand.
pub struct Said(Asked);

impl Said {
    /// That this is wanted, and no more.
    pub fn new(wanted: Wanted) -> Self {
        Self(Asked { wanted, merge: None, why: None })
    }
}

#[async_trait(?Send)]
impl Wishes for Said {
    async fn of(&self, _: &Holder, _: Option<&Claim>) -> Result<Asked> {
        Ok(self.0.clone())
    }
}
