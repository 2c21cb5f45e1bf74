//! `berth sweep`: what was read, what is meant by it, and what became of it.
//!
//! Must never: end well where one of them did not, or where it had to stop.

use super::{Answer, run, shown};
use crate::{
    cli::Output,
    domain::{
        report::{Outcome, Report},
        sweep::{Action, Fuse, Line, Plan},
        swept::Blown,
    },
    engine::{Called, Counts, Mode, Sweep, Way},
    errors::Exit,
};
use anyhow::Result;
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write as _};

#[derive(Serialize)]
struct Answered<'a> {
    read: Counts,
    #[serde(flatten)]
    plan: &'a Plan,
    fuse: Fuse,
    /// How long there was no sweep before this, where that is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    overdue: Option<&'a str>,
    dry_run: bool,
    /// What became of those of which something did.
    reports: Vec<&'a Report>,
    /// Who was told that their turn has come, and how.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    called: BTreeMap<String, String>,
    /// Why whoever waits could not be called, or be told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    uncalled: Option<&'a str>,
}

/// All of it, and the worst of the ends.
pub(crate) fn answer(sweep: &Sweep, output: Output) -> Result<Answer> {
    let Sweep { read, plan, fuse, ended, called, overdue, uncalled, mode } = sweep;
    let answered = Answered {
        read: *read,
        plan,
        fuse: *fuse,
        overdue: overdue.as_deref(),
        dry_run: *mode == Mode::DryRun,
        reports: ended.values().collect(),
        called: called.iter().map(|Called { holder, way }| (holder.to_string(), way.to_string())).collect(),
        uncalled: uncalled.as_deref(),
    };
    let data = shown(output, &answered, || table(sweep))?;
    let said = match plan.blown {
        Some(Blown { removals, of }) => format!(
            "the fuse has blown: it would remove {removals} of {of}, and has removed none of them\n  | hint: look at \
             the table above; `berth sweep --limit {removals}` goes ahead, if that is right"
        ),
        None => String::new(),
    };
    let ends = ended.values().map(|report| report.outcome.as_ref().map_or(Exit::Unknown, run::exit));
    let unread = plan.lines.iter().filter(|line| line.action == Action::Unknown).map(|_| Exit::Unknown);
    let blown = plan.blown.map(|_| Exit::Failed);
    let overdue = overdue.as_ref().map(|_| Exit::Failed);
    // Something is free, and nobody takes it.
    let nobody = called.iter().filter(|one| matches!(one.way, Way::Nobody(_))).map(|_| Exit::Unknown);
    let uncalled = uncalled.iter().map(|_| Exit::Unknown);
    let all = ends.chain(unread).chain(blown).chain(overdue).chain(nobody).chain(uncalled);
    // What was overtaken is in newer hands.
    let bad = all.filter(|end| !matches!(end, Exit::Done | Exit::Superseded)).max_by_key(|end| rank(*end));
    Ok(Answer { data, said, end: Ok(bad.unwrap_or(Exit::Done)) })
}

/// In a line, for who has time for no more.
pub(crate) fn heading(sweep: &Sweep) -> String {
    let removed =
        sweep.ended.values().filter(|report| matches!(report.outcome, Some(Outcome::Removed { .. })));
    match (sweep.plan.blown, removed.count()) {
        (Some(Blown { removals, of }), _) => {
            format!("Sweep stopped: it would remove {removals} of {of}, so somebody must look")
        }
        (None, 0) => format!("Swept: nothing removed, of {}", sweep.plan.of),
        (None, removed) => format!("Swept: {removed} removed, of {}", sweep.plan.of),
    }
}

/// What failed is worse than what could not be read.
fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Interrupted(_) => 3,
        Exit::Failed => 2,
        _ => 1,
    }
}

fn table(sweep: &Sweep) -> String {
    let Sweep { read, plan, fuse, ended, called, overdue, uncalled, mode } = sweep;
    let Counts { claims, objects, pool_entries, open_pull_requests } = read;
    let mut text = format!(
        "read completely: {claims} claims, {objects} objects, {pool_entries} pool entries, {open_pull_requests} open pull \
         requests\n"
    );
    let width = plan.lines.iter().map(|line| line.what.chars().count()).max().unwrap_or_default().max(4);
    // Writing to a String cannot fail.
    if !plan.lines.is_empty() || !called.is_empty() || uncalled.is_some() {
        let _ = writeln!(text, "{:<7} {:<width$}  WHY", "ACTION", "WHAT");
    }
    for (number, Line { action, what, why, .. }) in plan.lines.iter().enumerate() {
        let came = ended.get(&number).map_or(String::new(), |report| format!(" -> {}", came(report)));
        let _ = writeln!(text, "{:<7} {what:<width$}  {why}{came}", word(*action));
    }
    for Called { holder, way } in called {
        let _ = writeln!(text, "{:<7} {:<width$}  its turn has come: {way}", "call", holder.to_string());
    }
    if let Some(why) = uncalled {
        let _ =
            writeln!(text, "{:<7} {:<width$}  nobody was called: {why}; sweep again", "unknown", "the line");
    }
    if let Some(ago) = overdue {
        let _ = writeln!(
            text,
            "the last sweep before this one was {ago} ago, so this one ends red: is its schedule still on? \
             GitHub drops schedules under load, and disables them where nothing happens for 60 days"
        );
    }
    let removals = match plan.removals {
        1 => "1 removal".to_owned(),
        more => format!("{more} removals"),
    };
    let changed = match (mode, plan.blown) {
        (Mode::DryRun, _) => "; nothing was changed",
        (Mode::Do, Some(_)) => "; it has blown, and none of them was removed",
        (Mode::Do, None) => "",
    };
    let Fuse { limit, percent } = fuse;
    let _ = writeln!(text, "{removals} of {} (fuse: {limit} or {percent} %){changed}", plan.of);
    text
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Unknown => "unknown",
        Action::Remove => "remove",
        Action::Resume => "resume",
        Action::Free => "free",
        Action::Close => "close",
        Action::Reopen => "reopen",
        Action::Start => "start",
        Action::Warn => "warn",
        Action::Mark => "mark",
        Action::Keep => "keep",
        Action::Report => "report",
    }
}

/// What became of one, in a line.
fn came(report: &Report) -> String {
    let Some(outcome) = &report.outcome else { return "unknown".to_owned() };
    match outcome {
        Outcome::Nothing { why } | Outcome::Unconcerned { why } => why.clone(),
        Outcome::Unknown { why, .. } | Outcome::Failed { why, .. } | Outcome::Refused { why } => {
            format!("{}: {}", outcome.word(), why.lines().next().unwrap_or_default())
        }
        Outcome::Closing { .. } => "closing".to_owned(),
        Outcome::Removed { free_at: Some(at) } => {
            format!("removed, its addresses are free at {}", at.strftime("%H:%M UTC"))
        }
        other => other.word().to_owned(),
    }
}
