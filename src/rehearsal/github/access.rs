//! Tokens: whose they are, what they may do where, and how often they may ask.
//!
//! GitHub counts per account by the hour, and beside that by the minute what it calls secondary limits. Nothing tells
//! a client how near it is to those.

use super::refusal::{self, Refusal};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// What a permission is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Files, commits, and dispatches.
    Contents,
    /// Issues, and what pull requests share with them: comments and labels.
    Issues,
    /// Pull requests.
    PullRequests,
    /// Commit statuses.
    Statuses,
    /// Check runs.
    Checks,
    /// Deployments.
    Deployments,
    /// Runs of workflows.
    Actions,
    /// What everybody may read who may see the repository at all.
    Metadata,
}

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// What kind of token it is: GitHub treats them differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A person's.
    Personal,
    /// An app's installation; `GITHUB_TOKEN` is one, of the app `github-actions`.
    App(String),
}

/// What a token stands for.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Whose it is: a person's login, or the app's with `[bot]`.
    pub login: String,
    /// Of which kind.
    pub kind: Kind,
    /// What it may do; what is not named it may not.
    pub permissions: BTreeMap<Permission, Level>,
    /// The only repositories that it knows, by full name; none: all.
    pub repositories: Option<Vec<String>>,
    /// How many requests it has an hour.
    pub hourly: u32,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

impl Grant {
    /// A person's token that may do nothing yet but read what is public.
    pub fn personal(login: &str) -> Self {
        Self {
            login: login.to_owned(),
            kind: Kind::Personal,
            permissions: BTreeMap::new(),
            repositories: None,
            hourly: 5000,
            expires: None,
        }
    }

    /// An app's token for these repositories.
    pub fn app(slug: &str, repositories: &[&str]) -> Self {
        Self {
            login: format!("{slug}[bot]"),
            kind: Kind::App(slug.to_owned()),
            repositories: Some(repositories.iter().map(|name| (*name).to_owned()).collect()),
            ..Self::personal(slug)
        }
    }

    /// The `GITHUB_TOKEN` of a workflow in this repository.
    pub fn workflow(repository: &str) -> Self {
        Self { hourly: 1000, ..Self::app("github-actions", &[repository]) }
    }

    /// And it may do this.
    #[must_use]
    pub fn may(mut self, permission: Permission, level: Level) -> Self {
        self.permissions.insert(permission, level);
        self
    }

    /// And it may do everything.
    #[must_use]
    pub fn may_all(self) -> Self {
        use Permission::{Actions, Checks, Contents, Deployments, Issues, PullRequests, Statuses};
        [Contents, Issues, PullRequests, Statuses, Checks, Deployments, Actions]
            .into_iter()
            .fold(self, |grant, permission| grant.may(permission, Level::Write))
    }

    pub(super) fn has(&self, permission: Permission, level: Level) -> bool {
        permission == Permission::Metadata && level == Level::Read
            || self.permissions.get(&permission).is_some_and(|has| *has >= level)
    }
}

/// How much GitHub lets an account do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests that make something, a minute.
    pub making_a_minute: usize,
    /// The same, an hour.
    pub making_an_hour: usize,
    /// Points a minute: reading costs one, everything else five.
    pub points_a_minute: usize,
    /// What an answer over a limit says: 403 or 429, GitHub promises neither.
    pub status: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { making_a_minute: 80, making_an_hour: 500, points_a_minute: 900, status: 403 }
    }
}

/// What one account has used up.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    hourly: u32,
    used: u32,
    resets: Timestamp,
    /// When, and how many points; of the last hour.
    spent: VecDeque<(Timestamp, usize)>,
    /// Made to wait until then by hand.
    held: Option<Timestamp>,
}

const HOUR: i64 = 3600;

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

impl Meter {
    pub(super) fn new(now: Timestamp, hourly: u32) -> Self {
        Self { hourly, used: 0, resets: after(now, HOUR), spent: VecDeque::new(), held: None }
    }

    /// A request begins: may it?
    pub(super) fn admit(&mut self, now: Timestamp, limits: &Limits, method: &str) -> Result<(), Refusal> {
        self.turn(now);
        if self.used >= self.hourly {
            return Err(refusal::exhausted(limits.status));
        }
        self.used += 1;
        if let Some(until) = self.held.filter(|until| *until > now) {
            let wait = until.as_second() - now.as_second();
            return Err(refusal::too_fast(limits.status, wait.unsigned_abs()));
        }
        let points = if matches!(method, "GET" | "HEAD" | "OPTIONS") { 1 } else { 5 };
        let makes = |points: usize| points > 1;
        let hour_ago = after(now, -HOUR);
        while self.spent.front().is_some_and(|(at, _)| *at <= hour_ago) {
            self.spent.pop_front();
        }
        let minute_ago = after(now, -60);
        let last_minute =
            || self.spent.iter().rev().take_while(|(at, _)| *at > minute_ago).map(|(_, cost)| *cost);
        let over = last_minute().sum::<usize>() + points > limits.points_a_minute
            || makes(points)
                && (last_minute().filter(|cost| makes(*cost)).count() >= limits.making_a_minute
                    || self.spent.iter().filter(|(_, cost)| makes(*cost)).count() >= limits.making_an_hour);
        if over {
            return Err(refusal::too_fast(limits.status, 60));
        }
        self.spent.push_back((now, points));
        Ok(())
    }

    /// A new hour begins with the first look after the old one's end.
    pub(super) fn turn(&mut self, now: Timestamp) {
        if now >= self.resets {
            self.used = 0;
            self.resets = after(now, HOUR);
        }
    }

    /// What changed nothing for the client is not counted.
    pub(super) fn refund(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    pub(super) fn use_up(&mut self) {
        self.used = self.hourly;
    }

    pub(super) fn hold(&mut self, until: Timestamp) {
        self.held = Some(until);
    }

    /// Limit, remaining, reset, used.
    pub(super) fn figures(&self) -> [(&'static str, i64); 4] {
        let left = self.hourly.saturating_sub(self.used);
        [
            ("limit", self.hourly.into()),
            ("remaining", left.into()),
            ("reset", self.resets.as_second()),
            ("used", self.used.into()),
        ]
    }
}
