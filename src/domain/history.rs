//! What outlives an environment, as its document says it: the results of tests, by commit and by who handed them in, and
//! its lives that have ended. Pure.
//!
//! Bounded: the newest commits and lives, and of each what people read. What else stands in the document stays as it is.
//! Must never: take a result or a life that it cannot read for one that is not there; tell of one life twice.

mod life;

pub use life::Life;

use super::{
    names::{ClaimUid, HeadSha},
    results::{Failure, Results},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// So many commits are remembered.
pub const COMMITS: usize = 20;
/// And of each so many reports.
pub const REPORTS: usize = 10;
/// Of each report so many failures; their number stands beside them.
const SHOWN: usize = 20;
/// Of each text so many characters.
const TEXT: usize = 300;
/// In all so many bytes: less than any store takes.
const BYTES: usize = 256 << 10;
/// So many lives are remembered.
pub const LIVES: usize = 10;
/// In all so many bytes, beside the results.
const LIVES_BYTES: usize = 64 << 10;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    results: BTreeMap<String, Commit>,
    /// In the order in which they ended.
    lives: Vec<Life>,
    /// What others wrote.
    rest: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Commit {
    /// When its last report came.
    at: Timestamp,
    reports: BTreeMap<String, Kept>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    passed: u32,
    failed: u32,
    skipped: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failures: Vec<KeptFailure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeptFailure {
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

const RESULTS: &str = "results";
const LIVES_KEY: &str = "lives";

/// What is kept of one report on one commit, for people who look back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Past<'a> {
    /// The commit.
    pub head: &'a str,
    /// Who handed it in.
    pub report: &'a str,
    /// When the last report on this commit came.
    pub at: Timestamp,
    /// How many passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many were left out.
    pub skipped: u32,
}

impl History {
    /// As the document says it; an error, if its results or lives cannot be read.
    pub fn of(mut document: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let results = document.remove(RESULTS).map(serde_json::from_value).transpose()?.unwrap_or_default();
        let lives = document.remove(LIVES_KEY).map(serde_json::from_value).transpose()?.unwrap_or_default();
        Ok(Self { results, lives, rest: document })
    }

    /// As the document shall say it.
    pub fn into_document(self) -> Map<String, Value> {
        let Self { results, lives, mut rest } = self;
        if !lives.is_empty() {
            let lives = serde_json::to_value(lives).expect("names, times and texts are JSON");
            rest.insert(LIVES_KEY.to_owned(), lives);
        }
        if !results.is_empty() {
            let results = serde_json::to_value(results).expect("names, numbers and texts are JSON");
            rest.insert(RESULTS.to_owned(), results);
        }
        rest
    }

    /// What this report came to for this commit, if it was handed in.
    pub fn results(&self, head: &HeadSha, report: &str) -> Option<Results> {
        let kept = self.results.get(head.as_ref())?.reports.get(report)?;
        let failures = kept.failures.iter().map(|KeptFailure { name, message, at }| Failure {
            name: name.clone(),
            message: message.clone(),
            at: at.clone(),
        });
        Some(Results {
            passed: kept.passed,
            failed: kept.failed,
            skipped: kept.skipped,
            failures: failures.collect(),
            seconds: kept.seconds,
            name: report.to_owned(),
        })
    }

    /// With these results of this commit; what is too old for it all is left out.
    pub fn with(mut self, head: &HeadSha, report: &str, results: &Results, at: Timestamp) -> Self {
        let new = || Commit { at, reports: BTreeMap::new(), rest: Map::new() };
        let commit = self.results.entry(head.as_ref().to_owned()).or_insert_with(new);
        commit.at = at;
        commit.reports.insert(report.to_owned(), kept(results));
        while commit.reports.len() > REPORTS {
            let other = commit.reports.keys().find(|name| *name != report).cloned();
            let Some(other) = other else { break };
            commit.reports.remove(&other);
        }
        while self.results.len() > 1 && (self.results.len() > COMMITS || self.size() > BYTES) {
            let others = self.results.iter().filter(|(sha, _)| *sha != head.as_ref());
            let Some(oldest) = others.min_by_key(|(_, commit)| commit.at).map(|(sha, _)| sha.clone()) else {
                break;
            };
            self.results.remove(&oldest);
        }
        self
    }

    /// Without what came of this commit: its tests run once more.
    pub fn without(mut self, head: &HeadSha) -> Self {
        self.results.remove(head.as_ref());
        self
    }

    /// The lives that have ended, the oldest first.
    pub fn lives(&self) -> &[Life] {
        &self.lives
    }

    /// All results, the newest commit first.
    pub fn all_results(&self) -> Vec<Past<'_>> {
        let each = self.results.iter().flat_map(|(head, commit)| {
            commit.reports.iter().map(|(report, kept)| Past {
                head,
                report,
                at: commit.at,
                passed: kept.passed,
                failed: kept.failed,
                skipped: kept.skipped,
            })
        });
        let mut all: Vec<Past> = each.collect();
        all.sort_by_key(|past| std::cmp::Reverse(past.at));
        all
    }

    /// Whether it tells of this life.
    pub fn tells_of(&self, life: &ClaimUid) -> bool {
        self.lives.iter().any(|known| known.uid == *life)
    }

    /// With this life, once; what is too old for it all is left out.
    pub fn with_life(mut self, life: Life) -> Self {
        if self.tells_of(&life.uid) {
            return self;
        }
        self.lives.push(life);
        let size = |lives: &[Life]| serde_json::to_string(lives).map_or(0, |text| text.len());
        while self.lives.len() > 1 && (self.lives.len() > LIVES || size(&self.lives) > LIVES_BYTES) {
            self.lives.remove(0);
        }
        self
    }

    fn size(&self) -> usize {
        serde_json::to_string(&self.results).map_or(0, |text| text.len())
    }
}

fn kept(results: &Results) -> Kept {
    let cut = |text: &str| text.chars().take(TEXT).collect::<String>();
    let failures = results.failures.iter().take(SHOWN).map(|failure| KeptFailure {
        name: cut(&failure.name),
        message: cut(&failure.message),
        at: failure.at.as_deref().map(cut),
    });
    Kept {
        passed: results.passed,
        failed: results.failed,
        skipped: results.skipped,
        failures: failures.collect(),
        seconds: results.seconds.filter(|seconds| seconds.is_finite()),
        rest: Map::new(),
    }
}
