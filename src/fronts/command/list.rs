//! `berth list`: all environments, how full the pools are, and when all was swept last.
//!
//! Must never: leave an environment out whose claim cannot be read; call a block free that anybody has.

use super::{
    Answer,
    environments::Row,
    shown,
    survey::Survey,
    table::{span, table},
};
use crate::{
    cli::Output,
    domain::{
        claim::{Claim, State},
        names::{EnvironmentName, HeadSha},
        pool::Pool,
    },
    engine::Pools,
    errors::{Exit, render},
    settings::{PoolName, PoolSettings, Settings},
};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

/// What has a block, in this order; whatever else there is comes behind.
const WORDS: [&str; 5] = ["held", "draining", "cooling", "freeing", "not ours"];

/// All of them.
pub(crate) async fn list(pools: &Pools, settings: &Settings, output: Output) -> Result<Answer> {
    // The document first and the claims after it, as an allocation does.
    let pool = pools.look().await?;
    let (mut claims, mut unreadable) = (Vec::new(), Vec::new());
    for listed in pools.claims.list().await? {
        match listed.claim {
            Ok(claim) => claims.push(claim),
            Err(error) => unreadable.push((listed.name, error)),
        }
    }
    let row = |claim: &Claim| {
        let mut row = Row::of(claim, settings.lifetime.grace);
        row.queued = place(claim, &claims);
        row
    };
    let mut rows: Vec<Row> = claims.iter().map(row).collect();
    rows.sort_by(|a, b| a.environment.cmp(&b.environment));
    let (now, swept) = (pools.clock.now(), pools.swept().await?);
    let names: Vec<EnvironmentName> = unreadable.iter().map(|(name, _)| name.clone()).collect();
    let data = shown(output, &rows, || {
        let swept = swept.map_or_else(
            || "never swept".to_owned(),
            |at| format!("swept {} ago", minutes(now.duration_since(at))),
        );
        let full = settings.pools.iter().map(|(name, of)| {
            let filling = filling(name, of, &pool, (&claims, &names), pools, now);
            format!("{filling}; {swept}\n")
        });
        let full: String = full.collect();
        if rows.is_empty() { full } else { format!("{}{full}", lines(&rows, now)) }
    })?;
    let said = if rows.is_empty() && unreadable.is_empty() { "no environments" } else { "" };
    let mut answer = Answer::done(data, said);
    for (name, error) in unreadable {
        answer = answer.noting(format!("{name}: {}", render(&error)));
        answer.end = Ok(Exit::Unknown);
    }
    Ok(answer)
}

/// `9 min`; what is longer, as in the columns.
fn minutes(since: SignedDuration) -> String {
    match since.as_mins() {
        minutes @ 0..60 => format!("{minutes} min"),
        _ => span(since),
    }
}

/// Its place among those who wait for the same, in the order in which they came.
fn place(claim: &Claim, all: &[Claim]) -> Option<usize> {
    let since = |claim: &Claim| match claim.state() {
        State::Waiting { since, .. } => Some((*since, claim.name())),
        _ => None,
    };
    let own = since(claim)?;
    let before = all.iter().filter(|other| other.place() == claim.place());
    Some(before.filter_map(since).filter(|other| *other < own).count() + 1)
}

fn lines(rows: &[Row], now: Timestamp) -> String {
    let head = ["ENVIRONMENT", "PROVIDER", "STATE", "SHA", "TESTS", "AGE", "ENDS", "HOST"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let ends = match row.ends {
            None => "-".to_owned(),
            Some(ends) if ends <= now => "overdue".to_owned(),
            Some(ends) => format!("in {}", span(ends.duration_since(now))),
        };
        let tests = row.tests.map_or_else(
            || "-".to_owned(),
            |tests| format!("{}/{}", tests.passed, u64::from(tests.passed) + u64::from(tests.failed)),
        );
        [
            row.environment.clone(),
            row.provider.to_string(),
            row.queued.map_or_else(|| row.state.clone(), |place| format!("{} {place}", row.state)),
            row.head_sha.as_ref().map_or("-", HeadSha::short).to_owned(),
            tests,
            span(now.duration_since(row.created)),
            ends,
            host(row).unwrap_or("-").to_owned(),
        ]
    }));
    table(&lines)
}

/// Its name, as long as that leads there.
fn host(row: &Row) -> Option<&str> {
    let leads = !["queued", "draining", "cooling", "freeing"].contains(&row.state.as_str());
    row.hosts.first().filter(|_| leads)?.split('.').next()
}

/// `pool lab: 0 of 5 blocks free (2 held, 1 draining, 1 cooling, 1 not ours), 2 queued`.
fn filling(
    name: &PoolName,
    of: &PoolSettings,
    pool: &Pool,
    (claims, unread): (&[Claim], &[EnvironmentName]),
    pools: &Pools,
    now: Timestamp,
) -> String {
    let survey = Survey::over(pool, (claims, unread), &of.layout, &pools.taken, now);
    let words: Vec<&str> = survey.slots.iter().filter_map(|slot| slot.word()).collect();
    let mut kinds = WORDS.to_vec();
    for word in &words {
        if !kinds.contains(word) {
            kinds.push(word);
        }
    }
    let counts = kinds.iter().filter_map(|kind| {
        let count = words.iter().filter(|word| *word == kind).count();
        (count > 0).then(|| format!("{count} {kind}"))
    });
    let counts: Vec<String> = counts.collect();
    let taken = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    // A claim whose addresses cannot be read may have one that seems to be free.
    let most = if unread.is_empty() { "" } else { "at most " };
    let place = format!("pool {name}");
    let waits = |claim: &&Claim| {
        matches!(claim.state(), State::Waiting { .. }) && claim.place().is_some_and(|at| at.as_ref() == place)
    };
    let queued = match claims.iter().filter(waits).count() {
        0 => String::new(),
        queued => format!(", {queued} queued"),
    };
    let (free, all) = (survey.free().count(), survey.slots.len());
    format!("{place}: {most}{free} of {all} blocks free{taken}{queued}")
}
