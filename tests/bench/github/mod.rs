//! The embedded GitHub, held against GitHub's own description of its API and its own examples of webhooks.
//!
//! Both are fetched by the script `fetch` beside this file; without them these facts fail, they are not left out.

pub(crate) mod judge;
mod proof;
mod schema;
mod walk;
mod webhooks;

use std::{fs, path::Path};

/// A file that `fetch` made.
pub(crate) fn fetched(name: &str) -> serde_json::Value {
    // Cargo's own scratch directory is `target/tmp`.
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../bench/github").join(name);
    let text = fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; run tests/bench/github/fetch first", path.display());
    });
    serde_json::from_slice(&text).unwrap()
}
