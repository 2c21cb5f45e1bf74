//! What tests came to, whoever ran them. Pure.

use serde::Serialize;

/// The results of one run of tests, against one commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Results {
    /// How many passed.
    pub passed: u32,
    /// How many failed, or could not be run.
    pub failed: u32,
    /// How many were left out.
    pub skipped: u32,
    /// Those that failed; at most [`FAILURES`], the rest is counted.
    pub failures: Vec<Failure>,
    /// How long they took, if they say so.
    #[serde(skip)]
    pub seconds: Option<f64>,
    /// Where they come from: `cypress`.
    #[serde(skip)]
    pub name: String,
}

/// More would not be read by anybody.
pub const FAILURES: usize = 100;

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// What it is called.
    pub name: String,
    /// What it says, in its first line.
    pub message: String,
    /// `file:line`, if it says so.
    pub at: Option<String>,
}
