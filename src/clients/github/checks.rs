//! Check runs: a verdict on a commit, with what is wrong at which line. Only an app's token may write them; a job's is one.
//!
//! GitHub adds annotations to those that are there and takes none away. So whoever has others to say makes a new run.

use super::{GitHub, request::Asked, statuses::short};
use crate::{
    clients::Failure,
    domain::names::{HeadSha, RepoName},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What GitHub takes in one request.
const AT_ONCE: usize = 50;

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is called. A job of a workflow makes a check run too, and may be called the same.
    pub name: String,
    /// So it is told by this from others of its name.
    pub external_id: String,
    /// How far it is.
    pub progress: Progress,
    /// Where more is to be seen: http(s).
    pub details_url: Option<String>,
    /// In words.
    pub output: Output,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It will begin.
    Queued,
    /// It has begun.
    Running,
    /// It has ended, like this.
    Ended(Conclusion),
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Somebody has to do something.
    ActionRequired,
    /// It was stopped.
    Cancelled,
    /// It is not good.
    Failure,
    /// Neither.
    Neutral,
    /// It is good.
    Success,
    /// It was not needed.
    Skipped,
    /// It took too long.
    TimedOut,
}

/// What a check says in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// A line.
    pub title: String,
    /// Markdown, 65,535 characters at most.
    pub summary: String,
    /// What is wrong where. GitHub adds them to those that are there.
    #[serde(skip)]
    pub annotations: Vec<Annotation>,
}

/// What is to be said at some lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// The file.
    pub path: String,
    /// The first line, from 1.
    pub start_line: u64,
    /// The last one.
    pub end_line: u64,
    /// How bad it is.
    #[serde(rename = "annotation_level")]
    pub level: Level,
    /// A line, 255 characters at most.
    pub title: String,
    /// 64 KiB at most.
    pub message: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is worth knowing.
    Notice,
    /// It may be wrong.
    Warning,
    /// It is wrong.
    Failure,
}

/// A check run that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRun {
    /// Its id.
    pub id: u64,
    /// How far it is; none: as only GitHub says it, such as stale.
    pub progress: Option<Progress>,
    /// The line that it says.
    pub title: String,
    /// And what follows it.
    pub summary: String,
    /// How many annotations it has.
    pub annotations: usize,
}

#[derive(Deserialize)]
struct Raw {
    id: u64,
    name: String,
    head_sha: HeadSha,
    external_id: Option<String>,
    status: String,
    conclusion: Option<Value>,
    output: RawOutput,
}

#[derive(Deserialize)]
struct RawOutput {
    title: Option<String>,
    summary: Option<String>,
    annotations_count: usize,
}

impl From<Raw> for CheckRun {
    fn from(raw: Raw) -> Self {
        let progress = match (raw.status.as_str(), raw.conclusion) {
            ("queued", _) => Some(Progress::Queued),
            ("in_progress", _) => Some(Progress::Running),
            ("completed", Some(conclusion)) => serde_json::from_value(conclusion).ok().map(Progress::Ended),
            _ => None,
        };
        Self {
            id: raw.id,
            progress,
            title: raw.output.title.unwrap_or_default(),
            summary: raw.output.summary.unwrap_or_default(),
            annotations: raw.output.annotations_count,
        }
    }
}

impl Check {
    /// What GitHub takes of it in one request, and the annotations of the requests after it.
    fn requests(&self) -> (Value, impl Iterator<Item = Value>) {
        let output = |some: &[Annotation]| {
            json!({
                "title": self.output.title, "summary": self.output.summary, "annotations": some,
            })
        };
        let mut chunks = self.output.annotations.chunks(AT_ONCE);
        let mut first = json!({
            "name": self.name, "external_id": self.external_id,
            "output": output(chunks.next().unwrap_or_default()),
        });
        match self.progress {
            Progress::Queued => first["status"] = json!("queued"),
            Progress::Running => first["status"] = json!("in_progress"),
            Progress::Ended(conclusion) => {
                first["status"] = json!("completed");
                first["conclusion"] = json!(conclusion);
            }
        }
        if let Some(url) = &self.details_url {
            first["details_url"] = json!(url);
        }
        (first, chunks.map(move |some| json!({ "output": output(some) })))
    }
}

impl GitHub {
    /// A new one on this commit; its id. If a later request for its annotations fails it is there, with fewer of them.
    pub async fn create_check(&self, repo: &RepoName, head: &HeadSha, check: &Check) -> Result<u64, Failure> {
        let (mut first, more) = check.requests();
        first["head_sha"] = json!(head);
        let doing = format!("make the check {:?} of {} in {repo}", check.name, short(head));
        let asked = Asked::write(Method::POST, repo, &["check-runs"], Some(first), doing);
        let asked = asked.needs("checks: write");
        let made: Raw = self.ask(&asked).await?;
        if made.name != check.name || made.head_sha != *head {
            return Err(self.garbled(&asked, "it answers with another one"));
        }
        for body in more {
            self.change_check(repo, made.id, body).await?;
        }
        Ok(made.id)
    }

    /// Says something else by one that is there. Its annotations are added to those that it has.
    pub async fn update_check(&self, repo: &RepoName, id: u64, check: &Check) -> Result<(), Failure> {
        let (first, more) = check.requests();
        for body in std::iter::once(first).chain(more) {
            self.change_check(repo, id, body).await?;
        }
        Ok(())
    }

    async fn change_check(&self, repo: &RepoName, id: u64, body: Value) -> Result<(), Failure> {
        let number = id.to_string();
        let path = ["check-runs", &number];
        let doing = format!("update check {id} of {repo}");
        let asked = Asked::write(Method::PATCH, repo, &path, Some(body), doing).needs("checks: write");
        let changed: Raw = self.ask(&asked).await?;
        if changed.id == id { Ok(()) } else { Err(self.garbled(&asked, "it answers with another one")) }
    }

    /// The latest of this name and external id on the commit.
    pub async fn find_check(
        &self,
        repo: &RepoName,
        head: &HeadSha,
        name: &str,
        external_id: &str,
    ) -> Result<Option<CheckRun>, Failure> {
        let path = ["commits", head.as_ref(), "check-runs"];
        let doing = format!("read the checks {name:?} of {} in {repo}", short(head));
        // All, not the latest: of one app and name that is one, and it may be a job's.
        let asked = Asked::read(repo, &path, doing).needs("checks: read").within("check_runs");
        let asked = asked.with("check_name", name).with("filter", "all");
        let all = self.all::<Raw, _>(asked, |check| check.id).await?;
        let ours = all.into_iter().filter(|check| {
            check.name == name && check.head_sha == *head && check.external_id.as_deref() == Some(external_id)
        });
        Ok(ours.max_by_key(|check| check.id).map(CheckRun::from))
    }
}
