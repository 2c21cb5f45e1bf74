//! The last word of a run on a terminal or in a log. Pure.
//!
//! Must never: begin a line with a text that is not ours.

use crate::{
    domain::{
        plan::Direction,
        queue::{GoesOn, Queue},
        report::{Outcome, Report},
        results::Results,
    },
    reporters::words::{self, capital, count, line, moment, ordinal, span},
};
use jiff::Timestamp;

/// Lines of evidence; the last ones are the nearest to what went wrong.
const EVIDENCE: usize = 400;
/// Bytes of one line.
const BYTES: usize = 1_000;
/// Kinds of objects that are named.
const KINDS: usize = 4;
/// Tests that are named.
const FAILURES: usize = 20;

/// How it ended.
pub(super) fn lines(report: &Report, now: Timestamp) -> Vec<String> {
    let took = took(report.seconds(now));
    let at = report.url.as_ref().map_or(String::new(), |url| format!(": {}", line(url, BYTES)));
    let Some(outcome) = &report.outcome else { return Vec::new() };
    let mut lines = match outcome {
        Outcome::Ready => vec![format!("Ready in {took}{at}")],
        Outcome::AwaitingTests { report: job } => {
            vec![format!("Up in {took}{at}"), format!("its tests are awaited from {}", line(job, BYTES))]
        }
        Outcome::TestsFailed => match &report.tests {
            Some(results) => failures(results, &format!("in {took}{at}")),
            None => vec![format!("Its tests failed in {took}{at}")],
        },
        Outcome::Failed { why, .. } => {
            let not = if report.direction == Some(Direction::Down) { "removed" } else { "ready" };
            let mut lines = told(&format!("Not {not} after {took}"), why);
            lines.extend(likely(report));
            lines.extend(evidence(report.evidence.as_deref().unwrap_or_default()));
            lines
        }
        Outcome::Unknown { why, .. } => {
            let words = format!("Unknown after {took}, and nothing was decided on that ground");
            let mut lines = told(&words, why);
            lines.extend(likely(report));
            lines.extend(evidence(report.evidence.as_deref().unwrap_or_default()));
            lines
        }
        Outcome::Removed { free_at: Some(at) } if *at > now => {
            let mut lines =
                vec![format!("Removed in {took}; its addresses are free at {}", moment(*at, now))];
            lines.extend(gone(report));
            lines
        }
        Outcome::Removed { .. } => {
            let mut lines = vec![format!("Removed in {took}")];
            lines.extend(gone(report));
            lines
        }
        Outcome::Closing { until, why: None } => {
            vec![format!("Closed; removed at {} unless reopened", moment(*until, now))]
        }
        Outcome::Closing { until, why: Some(why) } => {
            told(&format!("Not wanted any more; removed at {}", moment(*until, now)), why)
        }
        Outcome::AwaitsApproval { label } => {
            vec![format!("Waits for approval: a maintainer sets the label {}", line(label, BYTES))]
        }
        Outcome::WithoutSecrets { why } => told("Left alone, for lack of secrets", why),
        Outcome::Nothing { why } | Outcome::Unconcerned { why } => told("Nothing to do", why),
        Outcome::Queued => {
            let again = "the same command tries again";
            match &report.queue {
                None => vec![format!("Queued: no addresses are free; {again}")],
                Some(Queue { place, of, goes_on, .. }) => {
                    let next = match goes_on {
                        GoesOn::ByJob => {
                            "its job is run once more, where a token may (`actions: write`); or "
                        }
                        GoesOn::ByEvent => {
                            "its repository is sent `repository_dispatch: [berth]`, for a workflow that listens; or "
                        }
                        GoesOn::ByHand => "",
                    };
                    vec![format!("Queued: {} of {of}; {next}{again}", ordinal(*place))]
                }
            }
        }
        Outcome::PoolFull { why } => {
            vec![format!("{}, and `when-full: fail` does not wait", capital(&why.to_string()))]
        }
        Outcome::Superseded => vec!["Superseded by a newer event, whose run goes on from here".to_owned()],
        Outcome::Refused { why } => told("Refused", why),
        Outcome::Interrupted { signal } => {
            vec![format!("Interrupted by signal {signal} after {took}; the same command goes on from here")]
        }
    };
    lines.extend(report.trouble.clone());
    lines
}

/// What was seen gone, when, and by which answer.
fn gone(report: &Report) -> impl Iterator<Item = String> {
    report.receipt.iter().map(|gone| {
        let (at, what) = (gone.at.strftime("%H:%M:%S"), line(&gone.what, BYTES));
        format!("  gone {at}  {what}: {}", line(&gone.proof, BYTES))
    })
}

fn likely(report: &Report) -> Vec<String> {
    let Some(found) = &report.diagnosis else { return Vec::new() };
    vec![
        format!("likely cause: {}", line(&found.to_string(), BYTES)),
        format!("what to do: {}", found.advice),
    ]
}

/// What a rehearsal has to show beside how it ended: the objects that would be applied, and that the comment follows.
pub fn rehearsed(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(objects) = report.objects.as_ref().filter(|objects| !objects.is_empty()) {
        let mut kinds: Vec<&str> = Vec::new();
        for object in objects {
            if !kinds.contains(&object.kind.as_str()) {
                kinds.push(&object.kind);
            }
        }
        let more = if kinds.len() > KINDS { ", ..." } else { "" };
        kinds.truncate(KINDS);
        let kinds = line(&kinds.join(", "), BYTES);
        lines.push(format!("objects  {}: {kinds}{more} (-o yaml prints all)", objects.len()));
    }
    if report.comment.is_some() {
        lines.push("comment  as posted, on stdout:".to_owned());
    }
    lines.join("\n")
}

/// `2.1 s`, then as people say it.
fn took(seconds: f64) -> String {
    if seconds < 59.95 { format!("{seconds:.1} s") } else { span(seconds) }
}

/// An error behind our own words, its further lines below.
fn told(words: &str, why: &str) -> Vec<String> {
    let mut lines = words::lines(why.trim()).map(|text| line(&text, BYTES));
    let first = format!("{words}: {}", lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| format!("  | {line}"))).collect()
}

fn failures(results: &Results, at: &str) -> Vec<String> {
    let Results { passed, failed, skipped, failures, .. } = results;
    let mut lines =
        vec![format!("{} failed, {passed} passed, {skipped} skipped {at}", count(*failed, "test"))];
    let named = failures.iter().take(FAILURES).map(|failure| {
        let at = failure.at.as_ref().map_or(String::new(), |at| format!(" ({at})"));
        format!("  ✗ {}", line(&format!("{}: {}{at}", failure.name, failure.message), BYTES))
    });
    lines.extend(named);
    match (*failed as usize).saturating_sub(failures.len().min(FAILURES)) {
        0 => {}
        more => lines.push(format!("  and {more} more")),
    }
    lines
}

fn evidence(text: &str) -> Vec<String> {
    let lines: Vec<String> = words::lines(text.trim_matches('\n')).collect();
    let left_out = lines.len().saturating_sub(EVIDENCE);
    let told = (left_out > 0).then(|| format!("  | [… {left_out} lines are left out here …]"));
    let shown = lines.into_iter().skip(left_out).map(|text| {
        let bytes = text.floor_char_boundary(BYTES);
        let more = if bytes < text.len() { "…" } else { "" };
        format!("  | {}{more}", &text[..bytes]).trim_end().to_owned()
    });
    told.into_iter().chain(shown).collect()
}
