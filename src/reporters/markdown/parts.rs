//! The comments that take more than a sentence, and their tables. Pure.
//!
//! Must never: promise what was not seen: "nothing left" is said only where every step has proven it.

use super::{
    Base, Detail, Said, code, commit,
    foreign::{SPAN, cell},
    in_full, more_than_a_line, seen,
};
use crate::{
    domain::{
        plan::{Direction, StepName},
        report::{Phase, Report, Status},
        results::Results,
    },
    reporters::words::{first, gave_up, moment, span},
};
use jiff::Timestamp;
use std::net::Ipv4Addr;

/// Rows of a table; what is more is counted.
pub(super) const ROWS: usize = 25;
/// Bytes of a place in a file.
pub(super) const PLACE: usize = 80;

/// What was done, and how long it took.
pub(super) fn phases(report: &Report, now: Timestamp) -> String {
    let rows = report.phases.iter().map(|phase| {
        let time = match phase.status {
            Status::Pending => "–".to_owned(),
            Status::Running => {
                phase.began.map_or(String::new(), |began| format!("since {}", moment(began, now)))
            }
            Status::Done | Status::Failed | Status::Unverified => span(phase.seconds),
        };
        let mark = match phase.status {
            Status::Failed => "❌ ",
            Status::Unverified => "not verified: ",
            Status::Pending | Status::Running | Status::Done => "",
        };
        let detail = if phase.detail.is_empty() { String::new() } else { cell(&phase.detail, SPAN) };
        format!("| {} | {time} | {mark}{detail} |\n", phase.step)
    });
    format!("| phase | time | |\n|---|--:|---|\n{}", rows.collect::<String>())
}

/// Tests that failed, and how many of them do so only here, as far as that is known.
pub(super) fn failures(results: &Results, base: Option<&Base>) -> (String, Option<usize>) {
    let fails_there = |name: &str| base.map(|base| (base, base.failing.contains(name)));
    let rows = results.failures.iter().take(ROWS).map(|failure| {
        let known = match fails_there(&failure.name) {
            None => String::new(),
            Some((_, false)) => " (new)".to_owned(),
            Some((base, true)) => format!(" (fails on {})", cell(&base.branch, PLACE)),
        };
        let at = failure.at.as_ref().map_or(String::new(), |at| format!(" at {}", cell(at, PLACE)));
        format!("| {}{known} | {}{at} |\n", cell(&failure.name, SPAN), cell(&failure.message, SPAN))
    });
    let mut table = format!("| failed | message |\n|---|---|\n{}", rows.collect::<String>());
    let shown = results.failures.len().min(ROWS);
    match (results.failed as usize).saturating_sub(shown) {
        0 => {}
        more if shown == 0 => table = format!("The results name none of them: {more} by their own sum."),
        more => table = format!("{table}\n{more} more are in the log."),
    }
    let new =
        base.map(|base| results.failures.iter().filter(|one| !base.failing.contains(&one.name)).count());
    (table, new)
}

pub(super) fn failed<'a>(report: &'a Report, step: StepName, why: &str) -> Said<'a> {
    let (not, kept) = match report.direction {
        Some(Direction::Down) => {
            ("removed", "What is left stays marked for removal, and the sweep goes on with it.")
        }
        _ if begun(report, "cluster") => ("ready", "The cluster is kept: push a fix or comment `/berth up`."),
        _ => ("ready", "What stands is kept: push a fix or comment `/berth up`."),
    };
    let likely = likely(report).unwrap_or_else(|| code(&with_cause(why)));
    let verdict = format!("❌ Not {not}: `{step}` {}", gave_up(step, why));
    Said { verdict, text: format!("{likely}\n{kept}"), detail: evidence(report, why) }
}

/// What was seen, below the error in full; the error alone where it was not told.
fn evidence<'a>(report: &'a Report, why: &str) -> Detail<'a> {
    match report.evidence.as_deref().filter(|evidence| !evidence.trim().is_empty()) {
        Some(evidence) => {
            Detail::Evidence { summary: seen(report), why: why.to_owned(), evidence: Some(evidence) }
        }
        // With a diagnosis in its place, the error has not been told yet.
        None if report.diagnosis.is_some() => in_full(why),
        None => more_than_a_line(why),
    }
}

/// What failed, and why, if one more line says it: the object alone tells nobody what is wrong with it.
fn with_cause(why: &str) -> String {
    let mut lines = why.trim().lines().skip(1).map(str::trim);
    let cause = match lines.next().and_then(|line| line.strip_prefix("because:")).map(str::trim) {
        // Of several things, each has a line of its own.
        Some("") => lines.next(),
        cause => cause,
    };
    cause.map_or_else(|| first(why).to_owned(), |cause| format!("{}: {cause}", first(why)))
}

/// The cause, where, and what to do.
fn likely(report: &Report) -> Option<String> {
    let found = report.diagnosis.as_ref()?;
    let (object, detail) = (code(&found.object), code(&found.detail));
    Some(format!("**Likely cause: {}.** {object}: {detail}; {}.", found.cause, found.advice))
}

/// Whether a step was begun at all.
fn begun(report: &Report, step: &str) -> bool {
    report.phases.iter().any(|phase| phase.step.as_str() == step && phase.status != Status::Pending)
}

pub(super) fn unknown<'a>(report: &'a Report, step: Option<StepName>, why: &str) -> Said<'a> {
    let during = step.map_or(String::new(), |step| format!(" during `{step}`"));
    let kept = "Nothing was decided on that ground, and what stands is kept. The next event or sweep goes on from here; \
                so does re-running the job, or `/berth up`.";
    let kept = match report.direction {
        Some(Direction::Down) => {
            "Nothing was decided on that ground. What is left stays marked for removal, and the sweep goes on with it."
        }
        _ => kept,
    };
    Said {
        verdict: format!("❔ Unknown{during}: something could not be read or reached"),
        text: format!("{}\n\n{kept}", likely(report).unwrap_or_else(|| code(&with_cause(why)))),
        detail: evidence(report, why),
    }
}

pub(super) fn interrupted<'a>(report: &'a Report, signal: u8) -> Said<'a> {
    let at = report.phases.iter().find(|phase| phase.status == Status::Running);
    let during = at.map_or(String::new(), |phase| format!(" during `{}`", phase.step));
    let by = match signal {
        2 | 15 => String::new(),
        other => format!(" by signal {other}"),
    };
    if report.direction == Some(Direction::Down) {
        return Said {
            verdict: format!("⏹️ Cancelled{by}{during} · removal is not over"),
            text: "What is left stays marked for removal, and its addresses stay held. \
                   The next event or sweep goes on; so does re-running the job."
                .to_owned(),
            detail: Detail::None,
        };
    }
    let held =
        if report.addresses.is_empty() { "What stands stays" } else { "Cluster and addresses stay held" };
    let what = commit(report).map_or(String::new(), |head| format!(" for {head}"));
    Said {
        verdict: format!("⏹️ Cancelled{by}{during} · environment kept"),
        text: format!(
            "{held}, nothing was removed; there is no working URL{what}.\n\
             Continue by a push, by re-running the job, or with `/berth up`."
        ),
        detail: Detail::None,
    }
}

pub(super) fn removed<'a>(report: &'a Report, free_at: Option<Timestamp>, now: Timestamp) -> Said<'a> {
    let unsure: Vec<&Phase> =
        report.phases.iter().filter(|phase| phase.status == Status::Unverified).collect();
    let verdict = match unsure.is_empty() {
        false => "🧹 Removed · not all of it could be verified",
        true if report.receipt.is_empty() => "🧹 Removed",
        true => "🧹 Removed · nothing left",
    };
    let time = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
    let gone =
        report.receipt.iter().take(ROWS).map(|gone| {
            format!("| {} | {} | {} |\n", each(&gone.what), time(gone.at), cell(&gone.proof, SPAN))
        });
    let mut rows: String = gone.collect();
    match report.receipt.len().saturating_sub(ROWS) {
        0 => {}
        more => rows.push_str(&format!("| {more} more | | `berth history` tells all |\n")),
    }
    for phase in unsure {
        rows.push_str(&format!("| {} | | not verified: {} |\n", phase.step, cell(&phase.detail, SPAN)));
    }
    if let (Some(at), false) = (free_at, report.addresses.is_empty()) {
        let addresses = addresses(&report.addresses);
        rows.push_str(&format!("| {addresses} | | cooling, free at {} |\n", moment(at, now)));
    }
    let text = match rows.is_empty() {
        true => "Reopening brings it up anew.".to_owned(),
        false => format!("| gone | seen at | proof |\n|---|---|---|\n{rows}"),
    };
    Said { verdict: verdict.to_owned(), text, detail: Detail::None }
}

/// Several things that went together, each in a span of its own.
fn each(what: &str) -> String {
    match what.split(", ").map(str::parse).collect::<Result<Vec<Ipv4Addr>, _>>() {
        Ok(all) => addresses(&all),
        Err(_) => what.split(", ").take(ROWS).map(|one| cell(one, PLACE)).collect::<Vec<_>>().join(", "),
    }
}

/// `192.168.1.140`, `.141`.
fn addresses(all: &[Ipv4Addr]) -> String {
    let network = all.first().map(|first| first.octets()[..3].to_owned());
    let words = all.iter().enumerate().map(|(n, address)| match address.octets() {
        [.., last] if n > 0 && network.as_deref() == Some(&address.octets()[..3]) => format!("`.{last}`"),
        _ => format!("`{address}`"),
    });
    words.take(ROWS).collect::<Vec<_>>().join(", ")
}
