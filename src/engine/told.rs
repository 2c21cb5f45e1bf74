//! What people were told last of an environment, told once more: from its claim and its history, without a look at it.
//!
//! Must never: tell of another commit than the claim's; say that something stands which nobody has seen stand.

use crate::{
    clock::Clock,
    documents::Store,
    domain::{
        claim::{Claim, State},
        plan::{Direction, StepName},
        report::{Outcome, Phase, Report, Status},
        results::Results,
    },
    steps,
};
use anyhow::Result;
use jiff::SignedDuration;

/// The report of whoever has reported; `None`: there is none of what the claim wants now, or none that can be told again.
pub(super) async fn again(store: &dyn Store, claim: &Claim, clock: &Clock) -> Result<Option<Report>> {
    let Some(reported) = claim.reported() else { return Ok(None) };
    let (State::Held { closed_at: None, .. }, Some(head)) = (claim.state(), claim.head()) else {
        return Ok(None);
    };
    if reported.head.as_ref() != Some(head) {
        return Ok(None);
    }
    let tests = match &reported.tests {
        Some(name) => steps::tests::found(store, &claim.name(), head, name).await?,
        None => None,
    };
    let outcome = match (reported.stood(), &tests, &reported.tests) {
        (true, Some(results), _) => of(results),
        (true, None, Some(name)) => Outcome::AwaitingTests { report: name.clone() },
        (true, None, None) if reported.outcome == "ready" => Outcome::Ready,
        _ => return Ok(None),
    };
    let took = SignedDuration::from_secs(i64::try_from(reported.took).unwrap_or_default());
    let phases = reported.phases.iter().filter_map(|told| {
        Some(Phase {
            step: step(&told.step)?,
            status: Status::Done,
            seconds: told.millis as f64 / 1_000.0,
            detail: told.detail.clone(),
            began: None,
        })
    });
    let mut report = Report::new(claim.holder(), reported.at.checked_sub(took).unwrap_or(clock.now()));
    report.ended = Some(reported.at);
    report.direction = Some(Direction::Up);
    report.outcome = Some(outcome);
    report.generation = Some(claim.generation());
    report.head_sha = Some(head.clone());
    report.url = claim.removal().hosts.first().map(|host| format!("https://{host}"));
    report.holding(claim.addresses());
    report.phases = phases.collect();
    report.tests = tests;
    report.living(claim);
    Ok(Some(report))
}

/// What results come to.
pub(super) fn of(results: &Results) -> Outcome {
    if results.failed > 0 { Outcome::TestsFailed } else { Outcome::Ready }
}

fn step(name: &str) -> Option<StepName> {
    steps::NAMES.into_iter().find(|step| step.as_str() == name)
}
