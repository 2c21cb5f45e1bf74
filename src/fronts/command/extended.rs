//! `berth extend`: until when it lives now.

use super::{Answer, shown};
use crate::{
    cli::Output,
    domain::holder::Holder,
    engine::Extended,
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
pub(crate) fn answer(holder: &Holder, extended: Extended, output: Output) -> Result<Answer> {
    let Extended::Until(expires_at) = extended else {
        let message = format!("{holder} has no environment that could live longer");
        return Err(UserError::new(Exit::Failed, message)
            .hint("`berth list` shows those that there are")
            .into());
    };
    let now = Now { environment: holder.to_string(), expires_at };
    let data = shown(output, &now, || format!("{expires_at}\n"))?;
    Ok(Answer::done(data, format!("{holder} lives until {expires_at}")))
}
