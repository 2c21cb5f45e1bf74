//! How a run stands, in one plain line: for a commit status, a title, a description. Pure.
//!
//! Must never: hold how much time has passed, or it would be another line at every look; be Markdown.

use super::words::{capital, count, first, gave_up, line, moment, ordinal};
use crate::domain::{
    plan::Direction,
    report::{Outcome, Report, Status},
    results::Results,
};
use jiff::Timestamp;

/// What GitHub takes for the description of a status.
pub const BYTES: usize = 140;

/// The verdict, of so many bytes at most.
pub fn verdict(report: &Report, bytes: usize) -> String {
    line(&said(report), bytes)
}

/// What the tests came to, whatever else did, in so many bytes at most.
pub fn of_tests(results: &Results, bytes: usize) -> String {
    line(&tests(results), bytes)
}

fn said(report: &Report) -> String {
    let down = report.direction == Some(Direction::Down);
    let Some(outcome) = &report.outcome else {
        return match report.direction {
            None => "Begun",
            Some(Direction::Up) => "Coming up",
            Some(Direction::Down) => "Going down",
        }
        .to_owned();
    };
    match outcome {
        Outcome::Ready => report.tests.as_ref().map_or_else(|| "Ready".to_owned(), tests),
        Outcome::AwaitingTests { report: job } => format!("Up; its tests are awaited from {job}"),
        Outcome::TestsFailed => report.tests.as_ref().map_or_else(|| "Its tests failed".to_owned(), tests),
        Outcome::Failed { step, why } => {
            let not = if down { "removed" } else { "ready" };
            let likely =
                report.diagnosis.as_ref().map_or(String::new(), |found| format!(": {}", found.cause));
            format!("Not {not}: {step} {}{likely}", gave_up(*step, why))
        }
        Outcome::Unknown { step, .. } => {
            let during = step.map_or(String::new(), |step| format!(" during {step}"));
            format!("Unknown{during}: something could not be read or reached")
        }
        Outcome::Removed { .. } => "Removed".to_owned(),
        // With its day: today it would be another line than tomorrow.
        Outcome::Closing { until, why } => {
            let at = moment(*until, Timestamp::UNIX_EPOCH);
            match why {
                None => format!("Closed; removed at {at} unless reopened"),
                Some(why) => format!("Removed at {at}: {}", first(why)),
            }
        }
        Outcome::AwaitsApproval { label } => {
            format!("Waits for approval: a maintainer sets the label {label}")
        }
        Outcome::WithoutSecrets { why } => format!("No environment for this run: {}", first(why)),
        Outcome::Nothing { why } | Outcome::Unconcerned { why } => format!("Nothing to do: {}", first(why)),
        Outcome::Queued => report.queue.as_ref().map_or_else(
            || "Queued: no addresses are free".to_owned(),
            |queue| format!("Queued: {} of {}", ordinal(queue.place), queue.of),
        ),
        Outcome::PoolFull { why } => capital(&why.to_string()),
        Outcome::Superseded => "Superseded by a newer event".to_owned(),
        Outcome::Refused { why } => format!("Refused: {}", first(why)),
        Outcome::Interrupted { .. } => {
            let at = report.phases.iter().find(|phase| phase.status == Status::Running);
            let during = at.map_or(String::new(), |phase| format!(" during {}", phase.step));
            let so = if down { "removal is not over" } else { "environment kept" };
            format!("Cancelled{during}; {so}")
        }
    }
}

/// `148 passed, 2 skipped`, or how many failed and which, the first ones.
fn tests(results: &Results) -> String {
    if results.failed == 0 {
        let skipped =
            if results.skipped > 0 { format!(", {} skipped", results.skipped) } else { String::new() };
        return format!("{} passed{skipped}", results.passed);
    }
    let names: Vec<&str> = results.failures.iter().map(|failure| failure.name.as_str()).collect();
    let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    format!("{} failed{names}", count(results.failed, "test"))
}
