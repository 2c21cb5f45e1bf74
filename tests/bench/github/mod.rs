//! The embedded GitHub, held against GitHub's own description of its API and its own examples of webhooks.
//!
//! Both are fetched by the script `fetch` beside this file; without them these facts fail, they are not left out.

mod action;
#[path = "../../it/github_acts.rs"]
mod github_acts;
#[path = "../../it/github_app.rs"]
mod github_app;
#[path = "../../it/github_client.rs"]
mod github_client;
#[path = "../../it/github_contents.rs"]
mod github_contents;
#[path = "../../it/github_limits.rs"]
mod github_limits;
#[path = "../../it/github_reports.rs"]
mod github_reports;
pub(crate) mod judge;
#[path = "../../it/github.rs"]
mod manners;
mod proof;
#[path = "../../it/reporters/mod.rs"]
mod reporters;
mod schema;
mod walk;
mod webhooks;

use crate::harness::keeper;
use std::fs;

/// A file that `fetch` made.
pub(crate) fn fetched(name: &str) -> serde_json::Value {
    let path = keeper::built("github").join(name);
    let text = fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; run tests/bench/github/fetch first", path.display());
    });
    serde_json::from_slice(&text).unwrap()
}
