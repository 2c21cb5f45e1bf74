//! The one comment that an environment has on its pull request: posted once, edited from then on.
//!
//! Which one it is tells its first line, together with who wrote it. GitHub has no write over what was read, so the list is
//! read again before each write. Must never: touch what a person wrote; stand over what a run of a higher generation
//! has said; leave two of them.

use super::{
    Reporter,
    markdown::{self, Beside},
};
use crate::{
    clients::{
        Kind,
        github::{Comment as Posted, GitHub},
    },
    clock::Clock,
    domain::{
        holder::{Holder, PullRequest},
        names::Login,
        report::{Outcome, Report},
    },
};
use anyhow::{Result, anyhow, bail};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// Between two edits while a run goes on: people are shown each, and GitHub counts them.
pub const PACE: Duration = Duration::from_secs(15);
/// What GitHub's clock and ours may be apart.
const APART: SignedDuration = SignedDuration::from_secs(10);

/// Says it on the pull request.
pub struct Comment {
    github: GitHub,
    pull: PullRequest,
    beside: Beside,
    clock: Clock,
    /// Whose token it is; none: an app's.
    person: OnceCell<Option<Login>>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// What stands there, if it is what was to stand there.
    body: Option<String>,
    /// When GitHub was asked last.
    at: Option<Timestamp>,
}

/// Those on the pull request that are berth's, by age.
struct Own {
    oldest: Option<Posted>,
    younger: Vec<Posted>,
}

impl Comment {
    /// On this pull request.
    pub fn new(github: GitHub, pull: PullRequest, beside: Beside, clock: Clock) -> Self {
        Self { github, pull, beside, clock, person: OnceCell::new(), told: Mutex::default() }
    }

    async fn own(&self) -> Result<Own> {
        let person = self.person.get_or_try_init(|| self.github.person(&self.pull.repo)).await?;
        let holder = Holder::PullRequest(self.pull.clone());
        let mut own = self.github.comments(&self.pull).await?;
        own.retain(|comment| {
            let is_by_us = comment.is_by_bot || person.is_some() && comment.author == *person;
            is_by_us && markdown::is_of(&comment.body, &holder)
        });
        own.sort_by_key(|comment| comment.id);
        let mut own = own.into_iter();
        Ok(Own { oldest: own.next(), younger: own.collect() })
    }

    /// Brings it about that `body` stands there, once.
    async fn write(&self, report: &Report, body: &str) -> Result<()> {
        let mut own = self.own().await?;
        if let Some(oldest) = &own.oldest {
            if own.all().any(|comment| !may_replace(report, comment)) {
                return Ok(());
            }
            if self.edit(oldest, body).await? {
                // Left by a run that died, or had no answer, before it could look.
                return self.delete(own.younger).await;
            }
            // Somebody has deleted it meanwhile.
        }
        let (posted, lost) = match self.github.create_comment(&self.pull, body).await {
            Ok(posted) => (Some(posted.id), None),
            // It may be there all the same.
            Err(failure) if matches!(failure.kind, Kind::Unavailable { .. }) => (None, Some(failure)),
            Err(failure) => return Err(failure.into()),
        };
        // Another run may have done the same at the same time: the older one stays.
        own = self.own().await?;
        let may = own.all().all(|comment| may_replace(report, comment));
        own.younger.retain(|comment| posted.map_or_else(|| says(comment, body), |id| comment.id == id));
        self.delete(own.younger).await?;
        match own.oldest {
            Some(oldest) if !may || self.edit(&oldest, body).await? => Ok(()),
            Some(_) => bail!("somebody deletes it while it is written"),
            None => Err(lost.map_or_else(|| anyhow!("it was posted, and is not there"), Into::into)),
        }
    }

    /// Whether it is there still.
    async fn edit(&self, comment: &Posted, body: &str) -> Result<bool> {
        if says(comment, body) {
            return Ok(true);
        }
        Ok(self.github.edit_comment(&self.pull.repo, comment.id, body).await?.is_some())
    }

    async fn delete(&self, comments: Vec<Posted>) -> Result<()> {
        for comment in comments {
            self.github.delete_comment(&self.pull.repo, comment.id).await?;
        }
        Ok(())
    }
}

impl Own {
    fn all(&self) -> impl Iterator<Item = &Posted> {
        self.oldest.iter().chain(&self.younger)
    }
}

/// GitHub may give back other ends of lines than it was given, and trims.
fn says(comment: &Posted, body: &str) -> bool {
    comment.body.trim().lines().eq(body.trim().lines())
}

/// Generations begin again once a claim is gone. What was said last before this run began, and it has taken the claim since,
/// is of an earlier life.
fn may_replace(report: &Report, comment: &Posted) -> bool {
    let is_before = comment.updated_at.saturating_add(APART).is_ok_and(|at| at < report.began);
    markdown::may_replace(report, &comment.body) || report.generation.is_some() && is_before
}

/// What is told elsewhere, or is no change; and while it runs, whoever has not taken the claim yet may find nothing to do.
fn is_silent(report: &Report) -> bool {
    match &report.outcome {
        None => report.generation.is_none(),
        Some(
            Outcome::Nothing { .. }
            | Outcome::Unconcerned { .. }
            | Outcome::Superseded
            | Outcome::WithoutSecrets { .. },
        ) => true,
        Some(_) => false,
    }
}

#[async_trait]
impl Reporter for Comment {
    fn name(&self) -> &'static str {
        "comment"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        if is_silent(report) {
            return Ok(());
        }
        let body = markdown::body(report, self.clock.now(), &self.beside);
        let mut told = self.told.lock().await;
        if told.body.as_ref() == Some(&body) {
            return Ok(());
        }
        (told.body, told.at) = (None, Some(self.clock.now()));
        self.write(report, &body).await?;
        told.body = Some(body);
        Ok(())
    }

    async fn rest(&self) {
        let at = self.told.lock().await.at;
        let Some(asked) = at else { return };
        let since = self.clock.now().duration_since(asked).unsigned_abs();
        self.clock.pass(PACE.saturating_sub(since)).await;
    }
}
