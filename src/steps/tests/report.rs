//! From what tests leave behind to their results. Pure.
//!
//! A container's files cannot be read without the right to run programs in it. So a Job's JUnit comes with its log, between
//! two lines that hold nothing but [`BEGIN`] and [`END`]; a log may hold several. Must never: take tests that did not end
//! well for tests that passed.

use crate::domain::{
    junit,
    results::{Failure, Results},
};

/// The line before a report in a log.
pub const BEGIN: &str = "-----BEGIN JUNIT-----";
/// The line after it.
pub const END: &str = "-----END JUNIT-----";

/// Reports as they come in the lines of a log.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// All that are whole.
    whole: Vec<u8>,
    /// That whose end has not come.
    open: Option<Vec<u8>>,
    is_too_much: bool,
}

impl Reports {
    /// Whether the line is a part of a report, and so nothing to show.
    pub(super) fn take(&mut self, line: &str) -> bool {
        match (&mut self.open, line.trim()) {
            (None, BEGIN) => self.open = Some(Vec::new()),
            (None, _) => return false,
            (Some(open), END) => {
                self.whole.append(open);
                self.open = None;
            }
            (Some(open), _) => {
                self.is_too_much |= self.whole.len() + open.len() + line.len() > junit::BYTES;
                if !self.is_too_much {
                    open.extend_from_slice(line.as_bytes());
                    open.push(b'\n');
                }
            }
        }
        true
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.open.is_none()
    }

    /// What they say together.
    pub(super) fn results(&self, name: &str) -> Results {
        match &self.open {
            _ if self.is_too_much => failed(name, "its JUnit is too long to be read"),
            Some(_) => failed(name, &format!("its JUnit in the log has no end: there is no line {END}")),
            None => results(&self.whole, name),
        }
    }
}

/// What a report says; one that cannot be read is a failure.
pub(super) fn results(report: &[u8], name: &str) -> Results {
    junit::read(report, name).unwrap_or_else(|unreadable| failed(name, &unreadable.to_string()))
}

/// One failure, in the name of all.
pub(super) fn failed(name: &str, why: &str) -> Results {
    Results::broken(name, why)
}

/// All is well, as far as can be told without a report.
pub(super) fn passed(name: &str) -> Results {
    Results { passed: 1, name: name.to_owned(), ..Results::default() }
}

/// What ended badly has failed, even if its report tells of no failure.
pub(super) fn ended_badly(results: Results, why: &str) -> Results {
    if results.failed > 0 { results } else { with_failure(results, why) }
}

fn with_failure(mut results: Results, why: &str) -> Results {
    results.failed += 1;
    let (name, message) = (results.name.clone(), why.to_owned());
    results.failures.push(Failure { name, message, at: None });
    results
}
