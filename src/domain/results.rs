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

impl Results {
    /// One failure, in the name of all.
    pub fn broken(name: &str, why: &str) -> Self {
        let failure = Failure { name: name.to_owned(), message: why.to_owned(), at: None };
        Self { failed: 1, failures: vec![failure], name: name.to_owned(), ..Self::default() }
    }

    /// Passes each text of a test through this.
    pub fn redact(&mut self, through: impl Fn(&str) -> String) {
        for Failure { name, message, at } in &mut self.failures {
            [name, message].into_iter().chain(at).for_each(|text| *text = through(text));
        }
    }
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
