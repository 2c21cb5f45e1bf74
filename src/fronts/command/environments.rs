//! `berth list`, `show`, `kubeconfig`: looking at environments, by their documents alone.
//!
//! Must never: leave an environment out whose claim cannot be read; show a kubeconfig but to who asks for one.

use super::{Answer, shown};
use crate::{
    cli::Output,
    domain::{
        claim::{Claim, ProviderKind, State},
        holder::{Holder, Which},
        names::{EnvironmentName, Generation, HeadSha},
    },
    engine::Pools,
    errors::{Exit, UserError, render},
};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::{fmt::Write as _, net::Ipv4Addr};

/// One environment as its claim says it.
#[derive(Debug, Serialize)]
struct Row {
    environment: String,
    name: EnvironmentName,
    provider: ProviderKind,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_sha: Option<HeadSha>,
    generation: Generation,
    addresses: Vec<Ipv4Addr>,
    hosts: Vec<String>,
    created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<Timestamp>,
}

impl Row {
    fn of(claim: &Claim, grace: SignedDuration) -> Self {
        let ends = match *claim.state() {
            State::Held { closed_at: Some(closed), .. } => closed.checked_add(grace).ok(),
            State::Held { .. } => Some(claim.expires()),
            State::Cooling { until, .. } => Some(until),
            State::Waiting { .. } | State::Draining { .. } | State::Freeing { .. } => None,
        };
        Self {
            environment: claim.holder().to_string(),
            name: claim.name(),
            provider: claim.removal().provider,
            state: state(claim).to_owned(),
            head_sha: claim.head().cloned(),
            generation: claim.generation(),
            addresses: claim.addresses().into_iter().flat_map(|block| block.addresses()).collect(),
            hosts: claim.removal().hosts.iter().map(ToString::to_string).collect(),
            created: claim.created(),
            ends,
        }
    }
}

/// As people see it: what the claim's state means to them.
fn state(claim: &Claim) -> &'static str {
    match claim.state() {
        State::Waiting { .. } => "queued",
        State::Held { closed_at: Some(_), .. } => "closing",
        State::Held { .. } => match claim.reported() {
            None => "starting",
            // Of another commit than the one that is wanted now.
            Some(reported) if reported.head.as_ref() != claim.head() => "starting",
            Some(reported) => match reported.outcome.as_str() {
                "ready" | "awaiting-tests" => "ready",
                // It has its addresses by now.
                "queued" => "starting",
                _ => "failing",
            },
        },
        other => other.word(),
    }
}

/// All of them.
pub(crate) async fn list(pools: &Pools, grace: SignedDuration, output: Output) -> Result<Answer> {
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for listed in pools.claims.list().await? {
        match listed.claim {
            Ok(claim) => rows.push(Row::of(&claim, grace)),
            Err(error) => unreadable.push((listed.name, error)),
        }
    }
    rows.sort_by(|a, b| a.environment.cmp(&b.environment));
    let now = pools.clock.now();
    let data = shown(output, &rows, || table(&rows, now))?;
    let said = if rows.is_empty() && unreadable.is_empty() { "no environments" } else { "" };
    let mut answer = Answer::done(data, said);
    for (name, error) in unreadable {
        answer = answer.noting(format!("{name}: {}", render(&error)));
        answer.end = Ok(Exit::Unknown);
    }
    Ok(answer)
}

fn table(rows: &[Row], now: Timestamp) -> String {
    let head = ["ENVIRONMENT", "PROVIDER", "STATE", "SHA", "AGE", "ENDS", "HOST"].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(rows.iter().map(|row| {
        let ends = match row.ends {
            None => "-".to_owned(),
            Some(ends) if ends <= now => "overdue".to_owned(),
            Some(ends) => format!("in {}", span(ends.duration_since(now))),
        };
        [
            row.environment.clone(),
            row.provider.to_string(),
            row.state.clone(),
            row.head_sha.as_ref().map_or("-", HeadSha::short).to_owned(),
            span(now.duration_since(row.created)),
            ends,
            row.hosts.first().and_then(|host| host.split('.').next()).unwrap_or("-").to_owned(),
        ]
    }));
    let widths: Vec<usize> = (0..7)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// In its two largest units: `2d22h`, `26m`.
fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, 0) => format!("{hours}h"),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, 0, _) => format!("{days}d"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

/// One of them.
pub(crate) async fn show(
    which: &Which,
    pools: &Pools,
    grace: SignedDuration,
    output: Output,
) -> Result<Answer> {
    let claim = claim(which, pools).await?;
    let row = Row::of(&claim, grace);
    let data = shown(output, &row, || {
        let at = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let mut lines = vec![
            ("environment", row.environment.clone()),
            ("name", row.name.to_string()),
            ("state", row.state.clone()),
            ("provider", row.provider.to_string()),
            ("commit", row.head_sha.as_ref().map_or("-", AsRef::as_ref).to_owned()),
            ("generation", row.generation.to_string()),
            ("addresses", row.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            ("hosts", row.hosts.join(", ")),
            ("created", at(row.created)),
        ];
        lines.extend(row.ends.map(|ends| ("ends", at(ends))));
        lines.extend(
            claim
                .reported()
                .map(|reported| ("reported", format!("{} at {}", reported.outcome, at(reported.at)))),
        );
        lines
            .iter()
            .map(|(name, value)| format!("{name:12} {}\n", if value.is_empty() { "-" } else { value }))
            .collect()
    })?;
    Ok(Answer::done(data, ""))
}

/// The way into one of them.
pub(crate) async fn kubeconfig(which: &Which, pools: &Pools, output: Output) -> Result<Answer> {
    #[derive(Serialize)]
    struct Answered<'a> {
        name: &'a EnvironmentName,
        kubeconfig: &'a str,
    }
    let claim = claim(which, pools).await?;
    let name = claim.name();
    let Some(text) = pools.kubeconfig(&name).await? else {
        let message = format!("{name} has no kubeconfig: it is {}", state(&claim));
        return Err(UserError::new(Exit::Failed, message)
            .hint("it is kept from the step `access` on, until the environment goes")
            .into());
    };
    Ok(Answer::done(shown(output, &Answered { name: &name, kubeconfig: &text }, || text.clone())?, ""))
}

async fn claim(which: &Which, pools: &Pools) -> Result<Claim> {
    let name = which.name();
    let found = pools.claim(&name).await?.ok_or_else(|| {
        UserError::new(Exit::Failed, format!("there is no environment {name}")).hint("`berth list` shows all")
    })?;
    match which {
        Which::Pull(pull) if *found.holder() != Holder::PullRequest(pull.clone()) => {
            let message = format!("the environment {name} is held by {}, not by {pull}", found.holder());
            Err(UserError::new(Exit::Failed, message).hint("`berth list` shows all").into())
        }
        _ => Ok(found),
    }
}
