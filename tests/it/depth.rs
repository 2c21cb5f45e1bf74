//! How far the searches go: enough to be quick by default, further on a long night. The one place where the suites read
//! their own environment.

/// How many orders of requests a seeded test tries, if not told otherwise: `SEEDS=10000 cargo test --test it interleavings`.
pub(crate) fn seeds_or(by_default: u64) -> u64 {
    number("SEEDS").unwrap_or(by_default)
}

/// What a variable of this name says, if it is set.
pub(crate) fn number(name: &str) -> Option<u64> {
    read(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, and not {text:?}")))
}

/// Whether the exhaustive searches take their widest budgets, and deaths and faults all their cases: `tests/run deep`.
pub(crate) fn deep() -> bool {
    read("DEEP").is_some()
}

/// Whether they go to the end of what a machine can hold: some fifteen minutes and gigabytes.
/// `DEEP=widest cargo test --test it model::opened_closed_and_reopened_beside`
pub(crate) fn widest() -> bool {
    read("DEEP").is_some_and(|how| how == "widest")
}

#[allow(clippy::disallowed_methods, reason = "this is the one place")]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
