//! `berth history`: what has been of an environment, also when there is none any more.
//!
//! Must never: take a history that cannot be read for one that is empty; tell of another's life.

use super::{
    Answer, shown,
    survey::time,
    table::{foreign, span, table},
};
use crate::{
    cli::Output,
    domain::{
        claim::Reported,
        history::{Life, Past},
        holder::{Holder, Which},
        names::EnvironmentName,
    },
    engine::Pools,
    errors::{Exit, UserError},
};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::net::Ipv4Addr;

#[derive(Serialize)]
struct Told<'a> {
    name: &'a EnvironmentName,
    /// The last first.
    lives: Vec<&'a Life>,
    results: Vec<Past<'a>>,
}

/// All that is kept of it.
pub(crate) async fn history(which: &Which, pools: &Pools, output: Output) -> Result<Answer> {
    let (name, now) = (&which.name(), pools.clock.now());
    let (history, claim) = (pools.history(name).await?, pools.claim(name).await?);
    let is_meant = |life: &&Life| match which {
        Which::Pull(pull) => life.holder == Holder::PullRequest(pull.clone()),
        _ => true,
    };
    let lives: Vec<&Life> = history.lives().iter().rev().filter(is_meant).collect();
    let told = Told { name, lives, results: history.all_results() };
    if told.lives.is_empty() && told.results.is_empty() && claim.is_none() {
        let message = format!("nothing is known of an environment {name}");
        return Err(UserError::new(Exit::Failed, message)
            .hint("`berth list` shows those that there are")
            .into());
    }
    let data = shown(output, &told, || text(&told, now))?;
    let said = match claim {
        Some(claim) => format!("it has a life that goes on: `berth show {}`", claim.holder()),
        None => String::new(),
    };
    Ok(Answer::done(data, said))
}

fn text(told: &Told<'_>, now: Timestamp) -> String {
    let mut parts: Vec<String> = told.lives.iter().map(|life| of_life(life, now)).collect();
    if !told.results.is_empty() {
        let head = ["COMMIT", "REPORT", "PASSED", "FAILED", "SKIPPED", "AT"];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(told.results.iter().map(|past| {
            let Past { head, report, at, passed, failed, skipped } = past;
            let head = foreign(&head.chars().take(7).collect::<String>());
            let counts = [passed, failed, skipped].map(ToString::to_string);
            let [passed, failed, skipped] = counts;
            [head, foreign(report), passed, failed, skipped, time(*at, now)]
        }));
        parts.push(table(&lines));
    }
    parts.join("\n")
}

fn of_life(life: &Life, now: Timestamp) -> String {
    let at = |at: Timestamp| time(at, now);
    let lived = span(life.ended.duration_since(life.created));
    let mut lines = vec![
        ["environment".to_owned(), life.holder.to_string()],
        ["ended".to_owned(), format!("{}, {}, after {lived}", at(life.ended), foreign(&life.why))],
        ["provider".to_owned(), life.provider.to_string()],
        ["commit".to_owned(), life.head.as_ref().map_or("-", AsRef::as_ref).to_owned()],
    ];
    if !life.addresses.is_empty() {
        let addresses = life.addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>();
        lines.push(["addresses".to_owned(), addresses.join(", ")]);
    }
    lines.extend(life.last.as_ref().map(|last| ["reported".to_owned(), reported(last, now)]));
    let mut passed = vec![format!("created {}", at(life.created))];
    passed.extend(life.passed.iter().map(|passed| format!("{} {}", foreign(&passed.to), at(passed.at))));
    passed.push(format!("freed {}", at(life.ended)));
    lines.push(["times".to_owned(), passed.join(", ")]);
    let mut text = table(&lines);
    if !life.receipt.is_empty() {
        let mut rows = vec![["  GONE", "SEEN AT", "PROOF"].map(str::to_owned)];
        rows.extend(life.receipt.iter().map(|gone| {
            let seen = gone.at.strftime("%H:%M:%S UTC").to_string();
            [format!("  {}", foreign(&gone.what)), seen, foreign(&gone.proof)]
        }));
        text.push_str(&table(&rows));
    }
    text
}

/// `ready at 5 Jan 12:03 UTC, after 3m: cluster 2m, deploy 21s`.
fn reported(last: &Reported, now: Timestamp) -> String {
    let seconds = |seconds: u64| span(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)));
    let phases: Vec<String> = last
        .phases
        .iter()
        .map(|phase| format!("{} {}", foreign(&phase.step), seconds(phase.millis / 1_000)))
        .collect();
    let phases = if phases.is_empty() { String::new() } else { format!(": {}", phases.join(", ")) };
    let tests = last
        .counted
        .map_or(String::new(), |tests| format!(", {} passed, {} failed", tests.passed, tests.failed));
    format!(
        "{} at {}, after {}{tests}{phases}",
        foreign(&last.outcome),
        time(last.at, now),
        seconds(last.took)
    )
}
