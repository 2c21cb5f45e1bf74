//! The comment on a pull request: the verdict first, then what its reader can do, then detail. Pure.
//!
//! Whatever was not written by us stands in a code span or a code block (`foreign.rs`). Must never: be longer than GitHub
//! takes; show how long something has run that still does (the comment would be another at every look).

mod foreign;
mod line;
mod parts;

use crate::{
    domain::{
        claim::warns_at,
        holder::Holder,
        names::Generation,
        plan::Direction,
        report::{Outcome, Report, Status},
        results::Results,
    },
    reporters::words::{count, first, moment, span},
};
use foreign::{block, code, host, html, link};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Bytes of a comment. GitHub takes 65,536 characters, and what is beyond is refused as a whole.
pub const BYTES: usize = 60_000;
/// Bytes of a table in a summary, which GitHub takes up to a MiB.
const LISTING: usize = 900_000;
/// Of those, what an error says in full.
const WHY: usize = 4_000;
/// Of those, what is between the parts.
const ROOM: usize = 1_000;

/// What a comment tells beside the report.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The log of this run.
    pub log: Option<String>,
    /// How long a closed pull request keeps its environment.
    pub grace: Option<SignedDuration>,
    /// How long before its end its readers are warned.
    pub warn: Option<SignedDuration>,
    /// What fails without the pull request, too.
    pub base: Option<Base>,
}

/// What fails on the branch that a pull request goes into.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// The branch.
    pub branch: String,
    /// The names of its failing tests.
    pub failing: BTreeSet<String>,
}

/// The first line of a comment: whose it is, and of which taking of its claim it tells.
pub fn marker(report: &Report) -> String {
    let generation = report.generation.map_or(String::new(), |generation| format!(" g{generation}"));
    format!("{}{generation} -->", opening(&report.environment))
}

fn opening(holder: &Holder) -> String {
    format!("<!-- berth v1 {holder}")
}

/// Whether a comment was posted for this holder. Anybody can write such a line: who posted it is to be looked at first.
pub fn is_of(comment: &str, holder: &Holder) -> bool {
    marked(comment, holder).is_some()
}

/// Of which taking a comment tells; `None`: of none, or it is no comment for this holder.
pub fn generation(comment: &str, holder: &Holder) -> Option<Generation> {
    marked(comment, holder)?.strip_prefix(" g")?.parse().ok()
}

/// What stands behind the holder in the marker.
fn marked<'a>(comment: &'a str, holder: &Holder) -> Option<&'a str> {
    let first = comment.trim_start().lines().next()?;
    let rest = first.strip_prefix(&opening(holder))?.trim_end().strip_suffix(" -->")?;
    (rest.is_empty() || rest.starts_with(" g")).then_some(rest)
}

/// Whether a report may stand where a comment for the same holder stands: one that knows of no taking yields to one that
/// does.
pub fn may_replace(report: &Report, comment: &str) -> bool {
    generation(comment, &report.environment) <= report.generation
}

/// The comment, its marker included.
pub fn body(report: &Report, now: Timestamp, beside: &Beside) -> String {
    let Said { verdict, text, detail } = said(report, now, beside);
    let mut body = format!("{}\n### {verdict}\n\n{}\n", marker(report), text.trim_end());
    if let Some(trouble) = &report.trouble {
        body.push_str(&format!("\n⚠️ {trouble}\n"));
    }
    match detail {
        Detail::None => {}
        Detail::Parts { summary, inner } => body.push_str(&details(&summary, &inner)),
        Detail::Evidence { summary, why, evidence } => {
            let mut inner = block(&why, WHY);
            if let Some(evidence) = evidence {
                let left = BYTES.saturating_sub(body.len() + summary.len() + inner.len() + ROOM);
                inner = format!("{inner}\n\n{}", block(evidence, left));
            }
            body.push_str(&details(&summary, &inner));
        }
    }
    body
}

/// A table as it stands on a terminal, below a heading of ours.
pub fn listing(heading: &str, table: &str) -> String {
    format!("### {heading}\n\n{}\n", block(table, LISTING))
}

fn details(summary: &str, inner: &str) -> String {
    format!("\n<details><summary>{summary}</summary>\n\n{inner}\n</details>\n")
}

/// One comment.
struct Said<'a> {
    verdict: String,
    text: String,
    detail: Detail<'a>,
}

enum Detail<'a> {
    None,
    Parts { summary: String, inner: String },
    Evidence { summary: String, why: String, evidence: Option<&'a str> },
}

fn said<'a>(report: &'a Report, now: Timestamp, beside: &Beside) -> Said<'a> {
    let plain = |verdict: String, text: String| Said { verdict, text, detail: Detail::None };
    match &report.outcome {
        None => running(report, now, beside),
        Some(Outcome::Ready) => Said {
            verdict: format!("✅ Ready{}", at_url(report)),
            text: joined([up_in(report, now), report.tests.as_ref().map(passed), ends(report, now, beside)]),
            detail: phases_and_commands(report, now),
        },
        Some(Outcome::AwaitingTests { report: job }) => Said {
            verdict: format!("🕓 Up, its tests are awaited{}", at_url(report)),
            text: format!(
                "{}\n\n`berth` stays pending until {} hands in its results for this commit.",
                joined([up_in(report, now), ends(report, now, beside)]),
                code(job)
            ),
            detail: phases_and_commands(report, now),
        },
        Some(Outcome::TestsFailed) => tests_failed(report, beside),
        Some(Outcome::Failed { step, why }) => parts::failed(report, *step, why),
        Some(Outcome::Unknown { step, why }) => parts::unknown(report, *step, why),
        Some(Outcome::Removed { free_at }) => parts::removed(report, *free_at, now),
        Some(Outcome::Closing { until, why: Some(why) }) => plain(
            format!("⏳ Not wanted any more · removed at {}", moment(*until, now)),
            format!(
                "{}\n\nUntil then it keeps URL, address and data, should it be wanted again. \
                 `/berth down` removes it now, `/berth up` keeps it.",
                code(why)
            ),
        ),
        Some(Outcome::Closing { until, why: None }) => plain(
            format!("⏳ Closed · removed at {} unless reopened", moment(*until, now)),
            "Reopening keeps URL, address and data. `/berth down` removes it now.".to_owned(),
        ),
        Some(Outcome::AwaitsApproval { label }) => plain(
            format!(
                "🔒 Waits for approval{}",
                commit(report).map_or(String::new(), |head| format!(" of {head}"))
            ),
            format!(
                "This code comes from a fork. A maintainer who has read it lets it in by setting the label {} \
                 (anew, if it is on already){}. A push takes that back.",
                code(label),
                report
                    .head_sha
                    .as_ref()
                    .map_or(String::new(), |head| format!(", or by {}", code(&format!("/berth up {head}"))))
            ),
        ),
        Some(Outcome::WithoutSecrets { why }) => Said {
            verdict: "🔒 No environment for this run".to_owned(),
            text: code(first(why)),
            detail: more_than_a_line(why),
        },
        Some(Outcome::Nothing { why } | Outcome::Unconcerned { why }) => {
            plain("✅ Nothing to do".to_owned(), code(why))
        }
        Some(Outcome::Queued) => line::queued(report.queue.as_ref(), now),
        Some(Outcome::PoolFull { why }) => line::full(*why),
        Some(Outcome::Superseded) => plain(
            "⏭️ Superseded by a newer event".to_owned(),
            "The run of that event goes on from here, and tells how it went.".to_owned(),
        ),
        Some(Outcome::Refused { why }) => Said {
            verdict: "❌ Refused".to_owned(),
            text: format!("{}\n\nWhat stands was left as it is.", code(first(why))),
            detail: more_than_a_line(why),
        },
        Some(Outcome::Interrupted { signal }) => parts::interrupted(report, *signal),
    }
}

fn running<'a>(report: &'a Report, now: Timestamp, beside: &Beside) -> Said<'a> {
    let at = report.phases.iter().find(|phase| phase.status == Status::Running);
    let at = at.map_or(String::new(), |phase| format!(": `{}`", phase.step));
    let verdict = match report.direction {
        None => format!("⏳ Begun{at}"),
        Some(Direction::Up) => format!("⏳ Coming up{at}"),
        Some(Direction::Down) => format!("⏳ Going down{at}"),
    };
    let since = Some(format!("since {}", moment(report.began, now)));
    let line = joined([commit(report), since, log(beside)]);
    Said { verdict, text: format!("{line}\n\n{}", parts::phases(report, now)), detail: Detail::None }
}

fn tests_failed<'a>(report: &'a Report, beside: &Beside) -> Said<'a> {
    let Some(results) = &report.tests else {
        // They failed, and who ran them did not hand on how.
        let verdict = format!("❌ Its tests failed{}", is_up(report));
        return Said { verdict, text: joined([commit(report), log(beside)]), detail: Detail::None };
    };
    let (numbers, table) = counted(results, beside);
    Said {
        verdict: format!("❌ {} failed{}", count(results.failed, "test"), is_up(report)),
        text: format!("{}\n\n{table}", joined([commit(report), Some(numbers), log(beside)])),
        detail: Detail::None,
    }
}

/// What tests came to, without what is around them.
pub fn tests(results: &Results, beside: &Beside) -> String {
    if results.failed == 0 {
        return passed(results);
    }
    let (numbers, table) = counted(results, beside);
    format!("{numbers}\n\n{table}")
}

fn counted(results: &Results, beside: &Beside) -> (String, String) {
    let (table, new) = parts::failures(results, beside.base.as_ref());
    let new = new.map_or(String::new(), |new| format!(" ({new} new)"));
    let mut numbers = format!("{} passed, **{} failed**{new}", results.passed, results.failed);
    if results.skipped > 0 {
        numbers = format!("{numbers}, {} skipped", results.skipped);
    }
    (numbers, table)
}

/// An error that takes more than the line in which it is told.
fn more_than_a_line<'a>(why: &str) -> Detail<'a> {
    if why.trim().contains('\n') { in_full(why) } else { Detail::None }
}

fn in_full<'a>(why: &str) -> Detail<'a> {
    Detail::Evidence { summary: "The error in full".to_owned(), why: why.to_owned(), evidence: None }
}

fn phases_and_commands<'a>(report: &Report, now: Timestamp) -> Detail<'a> {
    let kubeconfig = code(&format!("berth kubeconfig {}", report.environment));
    let retest = if report.tests.is_some() { " · `/berth retest`" } else { "" };
    let commands = format!("{kubeconfig}{retest} · `/berth extend 24h` · `/berth down`");
    Detail::Parts {
        summary: "Phases, access, commands".to_owned(),
        inner: format!("{}\n{commands}", parts::phases(report, now)),
    }
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn at_url(report: &Report) -> String {
    report.url.as_ref().map_or(String::new(), |url| format!(" · {}", host(url)))
}

fn is_up(report: &Report) -> String {
    report.url.as_ref().map_or(String::new(), |url| format!(" · {}", link("environment is up", url)))
}

fn commit(report: &Report) -> Option<String> {
    report.head_sha.as_ref().map(|head| code(head.short()))
}

fn up_in(report: &Report, now: Timestamp) -> Option<String> {
    let took = span(report.seconds(now));
    Some(commit(report).map_or_else(|| format!("up in {took}"), |head| format!("{head} up in {took}")))
}

fn passed(results: &Results) -> String {
    let skipped = if results.skipped > 0 { format!(", {} skipped", results.skipped) } else { String::new() };
    format!("**{} passed**{skipped}", results.passed)
}

fn ends(report: &Report, now: Timestamp, beside: &Beside) -> Option<String> {
    let ends = report.expires_at?;
    let warns_at = beside.warn.zip(report.claimed_at).map(|(warn, since)| warns_at(since, ends, warn));
    if warns_at.is_some_and(|at| at <= now) {
        return Some(format!(
            "⚠️ **its time is over at {}**, `/berth extend 24h` keeps it",
            moment(ends, now)
        ));
    }
    let latest = format!("at latest {}", moment(ends, now));
    Some(match beside.grace {
        Some(grace) => format!("removed {} after close, {latest}", span(grace.as_secs_f64())),
        None => format!("removed {latest}"),
    })
}

fn log(beside: &Beside) -> Option<String> {
    beside.log.as_ref().map(|url| link("log", url))
}

/// What a diagnosis is about, above its evidence.
fn seen(report: &Report) -> String {
    let what = "conditions, events, last log lines";
    report.diagnosis.as_ref().map_or_else(
        || format!("The error in full; {what}"),
        |found| format!("{}: {what}", html(&found.object)),
    )
}
