//! `berth show`, `kubeconfig`: looking at one environment, by its documents alone.
//!
//! Must never: show a kubeconfig but to who asks for one.

use super::{Answer, shown};
use crate::{
    cli::Output,
    domain::{
        claim::{Claim, Counted, Gone, ProviderKind, State},
        holder::{Holder, Which},
        names::{EnvironmentName, Generation, HeadSha},
    },
    engine::Pools,
    errors::{Exit, UserError},
};
use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::net::Ipv4Addr;

/// One environment as its claim says it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) environment: String,
    name: EnvironmentName,
    pub(super) provider: ProviderKind,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) head_sha: Option<HeadSha>,
    generation: Generation,
    addresses: Vec<Ipv4Addr>,
    pub(super) hosts: Vec<String>,
    pub(super) created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<Timestamp>,
    /// In its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// What its tests came to; `None`: nobody has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tests: Option<Counted>,
    /// Its place among those who wait for the same, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queued: Option<usize>,
    /// People know that its end is near.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    warned: bool,
    /// What was seen gone so far.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gone: Vec<Gone>,
}

impl Row {
    pub(super) fn of(claim: &Claim, grace: SignedDuration) -> Self {
        let ends = match *claim.state() {
            State::Held { closed_at: Some(closed), .. } => closed.checked_add(grace).ok(),
            State::Held { .. } => Some(claim.expires()),
            State::Cooling { until, .. } => Some(until),
            State::Waiting { .. } | State::Draining { .. } | State::Freeing { .. } => None,
        };
        let told = claim.reported().filter(|told| told.head.as_ref() == claim.head());
        let passed = claim.leaving().passed.last();
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
            since: match claim.state() {
                State::Waiting { since, .. } => Some(*since),
                _ => passed.map(|passed| passed.at),
            },
            tests: told.and_then(|told| told.counted),
            queued: None,
            warned: claim.is_warned(),
            gone: claim.gone().to_vec(),
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
        lines.extend(row.since.map(|since| ("since", at(since))));
        let warned = if row.warned { ", and people were warned of it" } else { "" };
        lines.extend(row.ends.map(|ends| ("ends", format!("{}{warned}", at(ends)))));
        lines.extend(
            claim
                .reported()
                .map(|reported| ("reported", format!("{} at {}", reported.outcome, at(reported.at)))),
        );
        let gone = row.gone.iter();
        lines.extend(gone.map(|gone| ("gone", format!("{} at {}: {}", gone.what, at(gone.at), gone.proof))));
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
