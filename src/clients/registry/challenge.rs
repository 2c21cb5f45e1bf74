//! What a registry wants to be shown: `WWW-Authenticate`, read.
//!
//! It must never guess: a challenge that cannot be read is none.

use std::collections::BTreeMap;

/// How one is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// By a token from elsewhere.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
    /// By name and password.
    Basic,
}

/// The best of those that a header offers.
pub(super) fn read(header: &str) -> Option<Challenge> {
    let offered = schemes(header);
    let of = |wanted: &str| offered.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case(wanted));
    let bearer = of("bearer").and_then(|(_, parameters)| {
        let get = |key: &str| parameters.get(key).cloned();
        Some(Challenge::Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") })
    });
    bearer.or_else(|| of("basic").map(|_| Challenge::Basic))
}

type Scheme = (String, BTreeMap<String, String>);

fn schemes(header: &str) -> Vec<Scheme> {
    let mut found: Vec<Scheme> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        rest = after;
        let Some(value) = after.strip_prefix('=') else {
            found.push((word.to_owned(), BTreeMap::new()));
            continue;
        };
        let (value, after) = value_of(value);
        rest = after;
        if let Some((_, parameters)) = found.last_mut() {
            parameters.insert(word.to_ascii_lowercase(), value);
        }
    }
}

/// A value, quoted or not, and what comes after it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return (value, &quoted[at + 1..]),
            '\\' if !escaped => escaped = true,
            c => {
                value.push(c);
                escaped = false;
            }
        }
    }
    (value, "")
}
