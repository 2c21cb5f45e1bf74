//! The lines of a run's phases. Pure.
//!
//! Must never: be wider than the terminal (a line that wraps is two, and the next drawing would leave one behind); leave
//! out of a log what there is no second place to look for.

use super::ending;
use crate::{
    domain::{
        plan::{Direction, StepName},
        report::{Phase, Report, Status},
    },
    reporters::words::{line, span},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Columns of a table with times in it.
const WIDE: usize = 100;
/// Its times end here.
const TIMES: usize = 98;
/// Columns before what a phase came to.
const LEFT: usize = 15;
/// Waiting for one thing for so long is worth a line.
const LONG: SignedDuration = SignedDuration::from_secs(10);
/// Bytes of what a phase came to.
const DETAIL: usize = 1_000;

/// How lines look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Columns; `None`: a log, which has room for everything.
    pub(super) width: Option<usize>,
    pub(super) colour: bool,
}

/// What is done, and to what.
pub(super) fn header(report: &Report, note: &str, style: Style) -> String {
    let mut text = report.environment.to_string();
    if report.direction == Some(Direction::Down) {
        text.push_str(" going down");
    } else if let Some(head) = &report.head_sha {
        text = format!("{text} at {}", head.short());
    }
    if let Some(provider) = &report.provider {
        text = format!("{text}, provider {provider}");
    }
    if !note.is_empty() {
        text = format!("{text}, {note}");
    }
    let text = line(&text, DETAIL);
    style.width.map_or_else(|| text.clone(), |width| fitted(&text, width.saturating_sub(1)))
}

/// One phase: what it came to, and how long it took or has taken.
pub(super) fn row(phase: &Phase, style: Style, now: Timestamp) -> String {
    let (mark, colour) = match phase.status {
        Status::Pending => ("·", "2"),
        Status::Running => ("…", "36"),
        Status::Done => ("✓", "32"),
        Status::Failed => ("✗", "31"),
        Status::Unverified => ("!", "33"),
    };
    let unsure = if phase.status == Status::Unverified { "not verified: " } else { "" };
    let detail = format!("{unsure}{}", line(&phase.detail, DETAIL));
    let time = match (phase.status, phase.began) {
        (Status::Pending, _) => String::new(),
        (Status::Running, Some(began)) => exact(now.duration_since(began).as_secs_f64().max(0.0)),
        _ => exact(phase.seconds),
    };
    let mark = if style.colour { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark.to_owned() };
    let begin = format!("  {mark} {:<9}  ", phase.step);
    let detail = match style.width {
        None => detail,
        Some(width) if width < WIDE => {
            return format!("{begin}{}", fitted(&detail, width.saturating_sub(LEFT + 1)))
                .trim_end()
                .to_owned();
        }
        Some(_) => fitted(&detail, TIMES - LEFT - 10),
    };
    let gap = (TIMES - LEFT).saturating_sub(columns(&detail) + columns(&time)).max(2);
    format!("{begin}{detail}{}{time}", " ".repeat(gap)).trim_end().to_owned()
}

/// `0.01 s`, `59.90 s`, then as people say it.
fn exact(seconds: f64) -> String {
    if seconds < 59.995 { format!("{seconds:.2} s") } else { span(seconds) }
}

/// How many columns a text takes: East Asian characters take two.
fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

fn column(c: char) -> usize {
    if c >= '\u{2e80}' || ('\u{1100}'..='\u{115f}').contains(&c) { 2 } else { 1 }
}

fn fitted(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let column = column(*c);
        let fits = column <= left;
        left = left.saturating_sub(column);
        fits
    };
    let begin: String = text.chars().take_while(fits).collect();
    if width == 0 { String::new() } else { format!("{begin}…") }
}

/// What a log has been told.
pub(super) struct Lines {
    groups: bool,
    is_begun: bool,
    is_over: bool,
    told: BTreeMap<StepName, Told>,
}

struct Told {
    status: Status,
    detail: String,
    since: Timestamp,
    is_told: bool,
}

impl Lines {
    pub(super) fn new(groups: bool) -> Self {
        Self { groups, is_begun: false, is_over: false, told: BTreeMap::new() }
    }

    /// What it has not been told yet, each line with its end.
    pub(super) fn news(&mut self, report: &Report, note: &str, now: Timestamp) -> String {
        if self.is_over {
            return String::new();
        }
        let style = Style { width: None, colour: false };
        let mut lines: Vec<String> = Vec::new();
        for phase in report.phases.iter().filter(|phase| self.is_news(phase, now)) {
            lines.push(row(phase, style, now));
        }
        let is_over = report.outcome.is_some();
        if !self.is_begun && (is_over || !lines.is_empty()) {
            self.is_begun = true;
            let group = if self.groups { "::group::" } else { "" };
            lines.insert(0, format!("{group}{}", header(report, note, style)));
        }
        if is_over {
            self.is_over = true;
            if self.groups {
                lines.push("::endgroup::".to_owned());
            }
            lines.extend(ending::lines(report, now));
        }
        // The runner takes these for a command wherever in a line they stand.
        let inert = |line: &String| if self.groups { line.replace("##[", "## [") } else { line.clone() };
        lines.iter().map(|line| inert(line) + "\n").collect()
    }

    fn is_news(&mut self, phase: &Phase, now: Timestamp) -> bool {
        if phase.status == Status::Pending {
            return false;
        }
        let is_running = phase.status == Status::Running;
        let told = self.told.entry(phase.step).or_insert_with(|| Told {
            status: Status::Pending,
            detail: String::new(),
            since: now,
            is_told: false,
        });
        if (told.status, told.detail.as_str()) != (phase.status, phase.detail.as_str()) {
            *told = Told { status: phase.status, detail: phase.detail.clone(), since: now, is_told: false };
        }
        let is_long = !phase.detail.is_empty() && now.duration_since(told.since) >= LONG;
        let is_news = !told.is_told && (!is_running || is_long);
        told.is_told |= is_news;
        is_news
    }
}
