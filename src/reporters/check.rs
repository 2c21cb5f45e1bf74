//! The check run: what the tests came to, with each failure at its line in the diff.
//!
//! Only an app may write it (a job's token is one's); without one, or without `checks: write`, the commit status says enough.
//! Must never: say how tests ended that have not; put a failure at a line that its results did not name.

use super::{
    Reporter,
    markdown::{self, Beside},
    status::page,
    verdict::of_tests,
    words::line,
};
use crate::{
    clients::github::{Annotation, Check as Wanted, CheckRun, Conclusion, GitHub, Level, Output, Progress},
    domain::{
        holder::PullRequest,
        report::{Outcome, Report},
        results::{Failure, Results},
    },
};
use anyhow::Result;
use async_trait::async_trait;
use tokio::sync::Mutex;

/// What it is called.
pub const NAME: &str = "berth tests";
/// Bytes of a title.
const TITLE: usize = 250;
/// Bytes of a message.
const MESSAGE: usize = 4_000;

/// Says what the tests of a commit came to.
pub struct Check {
    github: GitHub,
    pull: PullRequest,
    beside: Beside,
    told: Mutex<Option<(String, Wanted)>>,
}

impl Check {
    /// Of this pull request's commits.
    pub fn new(github: GitHub, pull: PullRequest, beside: Beside) -> Self {
        Self { github, pull, beside, told: Mutex::default() }
    }

    fn wanted(&self, results: &Results, conclusion: Conclusion) -> Wanted {
        Wanted {
            name: NAME.to_owned(),
            external_id: format!("berth:{}", self.pull),
            progress: Progress::Ended(conclusion),
            details_url: page(self.beside.log.as_ref()),
            output: Output {
                title: of_tests(results, TITLE),
                summary: markdown::tests(results, &self.beside),
                annotations: results.failures.iter().filter_map(annotation).collect(),
            },
        }
    }
}

/// `None`: nothing is known that it could say.
fn conclusion(outcome: Option<&Outcome>, results: &Results) -> Option<Conclusion> {
    Some(match outcome? {
        Outcome::Superseded
        | Outcome::Nothing { .. }
        | Outcome::Unconcerned { .. }
        | Outcome::WithoutSecrets { .. } => return None,
        Outcome::Interrupted { .. } => Conclusion::Cancelled,
        _ if results.failed > 0 => Conclusion::Failure,
        // Where none ran, none has shown that anything is well.
        _ if results.passed == 0 => Conclusion::Neutral,
        _ => Conclusion::Success,
    })
}

/// `None`: it does not say at which line of which file of the repository.
fn annotation(failure: &Failure) -> Option<Annotation> {
    let (mut path, mut at) = failure.at.as_ref()?.rsplit_once(':')?;
    // Behind the line may be a column.
    if let Some((before, line)) = path.rsplit_once(':').filter(|(_, line)| line.parse::<u64>().is_ok()) {
        (path, at) = (before, line);
    }
    let line_number: u64 = at.parse().ok().filter(|line| *line > 0)?;
    let path = path.strip_prefix("./").unwrap_or(path);
    let is_inside = !path.starts_with('/') && path.split('/').all(|part| !part.is_empty() && part != "..");
    (is_inside && !path.contains(|c: char| c.is_control() || c == '\\')).then(|| Annotation {
        path: path.to_owned(),
        start_line: line_number,
        end_line: line_number,
        level: Level::Failure,
        title: line(&failure.name, TITLE),
        // Without words GitHub takes none.
        message: line(if failure.message.trim().is_empty() { "failed" } else { &failure.message }, MESSAGE),
    })
}

fn says(run: &CheckRun, wanted: &Wanted) -> bool {
    run.progress == Some(wanted.progress)
        && run.title == wanted.output.title
        && run.summary.trim().lines().eq(wanted.output.summary.trim().lines())
        && run.annotations == wanted.output.annotations.len()
}

#[async_trait]
impl Reporter for Check {
    fn name(&self) -> &'static str {
        "check run"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        let (Some(results), Some(head)) = (&report.tests, &report.head_sha) else { return Ok(()) };
        let Some(conclusion) = conclusion(report.outcome.as_ref(), results) else { return Ok(()) };
        let wanted = self.wanted(results, conclusion);
        let mut told = self.told.lock().await;
        let news = (head.to_string(), wanted);
        if told.as_ref() == Some(&news) {
            return Ok(());
        }
        let (repo, wanted) = (&self.pull.repo, &news.1);
        match self.github.find_check(repo, head, NAME, &wanted.external_id).await? {
            Some(run) if says(&run, wanted) => {}
            // What it has at lines stays with it: with others to say, it takes a new one.
            Some(run) if run.annotations == 0 => self.github.update_check(repo, run.id, wanted).await?,
            _ => drop(self.github.create_check(repo, head, wanted).await?),
        }
        *told = Some(news);
        Ok(())
    }
}
