//! Texts of YAML as the objects in them. Pure.
//!
//! Read as `kubectl` reads them (`0644` is a number in octal, `on` is true). Must never: take a text that is cut or
//! malformed for a shorter one; let a small text become a large value.

use super::template::{Mistake, Variables, Why};
use serde_json::Value;
use std::fmt;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// `cluster/machine.yaml:12`, or without a line if nobody knows.
    pub place: String,
    /// What.
    pub why: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for Wrong {}

/// Some seven megabytes of manifests have a million nodes.
const NODES: usize = 2_000_000;

/// The documents of a text; those of comments alone are left out.
pub fn documents(name: &str, text: &str) -> Result<Vec<Value>, Wrong> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: 128, max_nodes: NODES, max_events: 4 * NODES, max_aliases: 10_000, max_documents: 10_000,
        },
    };
    let read: Result<Vec<Value>, _> = serde_saphyr::from_multiple_with_options(text, options);
    let mut all = read.map_err(|error| {
        let error = error.without_snippet();
        let (place, end) = match error.location() {
            Some(at) => {
                (format!("{name}:{}", at.line()), format!(" at line {}, column {}", at.line(), at.column()))
            }
            None => (name.to_owned(), String::new()),
        };
        let why = error.to_string();
        Wrong { place, why: why.strip_suffix(&end).unwrap_or(&why).to_owned() }
    })?;
    all.retain(|document| !document.is_null());
    Ok(all)
}

/// The documents with all placeholders substituted; the first mistake, with the line in which it stands.
pub fn filled(name: &str, text: &str, variables: &Variables) -> Result<Vec<Value>, Wrong> {
    let filled = documents(name, text)?.into_iter().map(|document| {
        variables.fill(&document).map_err(|mistakes| {
            let mut wrong = mistakes.iter().map(|mistake| wrong(name, text, mistake, variables));
            wrong.next().unwrap_or_else(|| Wrong {
                place: name.to_owned(),
                why: "it cannot be substituted".to_owned(),
            })
        })
    });
    filled.collect()
}

fn wrong(name: &str, text: &str, mistake: &Mistake, variables: &Variables) -> Wrong {
    let line = text
        .lines()
        .position(|line| line.contains(&mistake.placeholder) && !line.trim_start().starts_with('#'));
    let place = line.map_or_else(|| name.to_owned(), |line| format!("{name}:{}", line + 1));
    let known = match mistake.why {
        Why::Unknown => format!("; known are {}", variables.names().collect::<Vec<_>>().join(", ")),
        _ => String::new(),
    };
    Wrong { place, why: format!("{mistake}{known}") }
}

/// Documents as one text.
pub fn text(documents: &[Value]) -> String {
    let each = documents.iter().map(|document| {
        serde_saphyr::to_string(document).expect("a value of JSON has nothing that YAML could not say")
    });
    each.collect::<Vec<_>>().join("---\n")
}
