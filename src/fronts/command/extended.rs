//! `berth extend`: until when it lives now.

use super::{Answer, shown, survey::time};
use crate::{
    cli::Output,
    domain::holder::Holder,
    engine::{Extended, Longer},
    errors::{Exit, UserError},
};
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Now {
    environment: String,
    expires_at: Timestamp,
}

/// What it came to.
pub(crate) fn answer(
    holder: &Holder,
    extended: Extended,
    now_at: Timestamp,
    output: Output,
) -> Result<Answer> {
    let Extended::Until(Longer { until: expires_at, is_short, is_closing }) = extended else {
        let message = format!("{holder} has no environment that could live longer");
        return Err(UserError::new(Exit::Failed, message)
            .hint("`berth list` shows those that there are")
            .into());
    };
    let now = Now { environment: holder.to_string(), expires_at };
    let data = shown(output, &now, || format!("{expires_at}\n"))?;
    let answer =
        Answer::done(data, format!("{holder} lives until {} at the latest", time(expires_at, now_at)));
    let notes = [
        (is_short, "that is less than asked for: nobody gets more than `lifetime.max` from now"),
        (is_closing, "it is closed, and goes once its grace is over all the same, unless it is reopened"),
    ];
    let said = notes.iter().filter(|(is_so, _)| *is_so);
    Ok(said.fold(answer, |answer, (_, note)| answer.noting((*note).to_owned())))
}
