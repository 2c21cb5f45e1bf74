//! `berth sweep`: what became of every claim.
//!
//! Must never: end well where one of them did not.

use super::{Answer, run, shown};
use crate::{
    cli::Output,
    domain::report::{Outcome, Report},
    errors::Exit,
};
use anyhow::Result;
use std::fmt::Write as _;

/// All of them, and the worst of their ends.
pub(crate) fn answer(reports: &[Report], output: Output) -> Result<Answer> {
    let data = shown(output, &reports, || {
        let width =
            reports.iter().map(|report| report.environment.to_string().len()).max().unwrap_or_default();
        let mut text = String::new();
        for report in reports {
            let (word, why) = told(report);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{word:<12} {:<width$}  {why}", report.environment.to_string());
        }
        text
    })?;
    let ends = reports.iter().map(|report| report.outcome.as_ref().map_or(Exit::Unknown, run::exit));
    // What was overtaken is in newer hands.
    let bad = ends.filter(|end| !matches!(end, Exit::Done | Exit::Superseded)).max_by_key(|end| rank(*end));
    let said = format!("claims looked at: {}", reports.len());
    Ok(Answer { data, said, end: Ok(bad.unwrap_or(Exit::Done)) })
}

/// What failed is worse than what could not be read.
fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Interrupted(_) => 3,
        Exit::Failed => 2,
        _ => 1,
    }
}

fn told(report: &Report) -> (&'static str, String) {
    let Some(outcome) = &report.outcome else { return ("unknown", String::new()) };
    let why = match outcome {
        Outcome::Nothing { why } | Outcome::Unconcerned { why } => why.clone(),
        Outcome::Unknown { why, .. } | Outcome::Failed { why, .. } | Outcome::Refused { why } => {
            why.lines().next().unwrap_or_default().to_owned()
        }
        Outcome::Closing { until, .. } => format!("until {until}"),
        Outcome::Removed { free_at: Some(at) } => format!("its addresses are free at {at}"),
        _ => String::new(),
    };
    let word = match outcome {
        Outcome::Unconcerned { .. } | Outcome::Closing { .. } => "keep",
        other => other.word(),
    };
    (word, why)
}
