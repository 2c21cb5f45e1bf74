//! What people were told of an environment, as its claim keeps it. Pure.
//!
//! Must never: hold a secret: what is told was redacted before.

use super::{
    names::{Generation, HeadSha},
    results::Results,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What people were told last, so that they are told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reported {
    /// The verdict's word.
    pub outcome: String,
    /// By whom: that run has ended then.
    pub by: Generation,
    /// About which commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadSha>,
    /// When.
    pub at: Timestamp,
    /// Which results of tests the verdict rests on, be it that they are still awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<String>,
    /// What those came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// How long it took, in seconds.
    #[serde(default)]
    pub took: u64,
    /// What was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Told>,
}

impl Reported {
    /// Whether the environment was seen to stand, whatever its tests came to.
    pub fn stood(&self) -> bool {
        ["ready", "awaiting-tests", "tests-failed"].contains(&self.outcome.as_str())
    }
}

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Passed.
    pub passed: u32,
    /// Failed, or could not be run.
    pub failed: u32,
}

impl From<&Results> for Counted {
    fn from(results: &Results) -> Self {
        Self { passed: results.passed, failed: results.failed }
    }
}

/// What people were told of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Told {
    /// Its name.
    pub step: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// What it came to.
    pub detail: String,
}
