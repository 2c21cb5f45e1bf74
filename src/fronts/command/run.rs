//! One run of the engine, from the command line: its report on stderr as it goes, its end as data.

use super::{Answer, shown};
use crate::{
    cli::Output,
    domain::report::{Outcome, Report},
    errors::Exit,
};
use anyhow::Result;

/// What a report comes to.
pub(crate) fn answer(report: &Report, output: Output) -> Result<Answer> {
    let data = shown(output, report, || match (&report.outcome, &report.url) {
        (Some(outcome), Some(url)) if outcome.stands() => format!("{url}\n"),
        _ => String::new(),
    })?;
    let exit = report.outcome.as_ref().map_or(Exit::Unknown, exit);
    Ok(Answer { data, said: String::new(), end: Ok(exit) })
}

/// As the table of outcomes has it.
pub(crate) fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Ready
        | Outcome::AwaitingTests { .. }
        | Outcome::Removed { .. }
        | Outcome::Closing { .. }
        | Outcome::AwaitsApproval { .. }
        | Outcome::WithoutSecrets { .. }
        | Outcome::Nothing { .. }
        | Outcome::Unconcerned { .. }
        | Outcome::Queued => Exit::Done,
        Outcome::TestsFailed | Outcome::Failed { .. } => Exit::Failed,
        Outcome::PoolFull { .. } => Exit::PoolFull,
        Outcome::Unknown { .. } => Exit::Unknown,
        Outcome::Superseded => Exit::Superseded,
        Outcome::Refused { .. } => Exit::Usage,
        Outcome::Interrupted { signal } => Exit::Interrupted(*signal),
    }
}
