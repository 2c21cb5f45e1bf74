//! Lists in pages, with the links of RFC 8288 to the others.
//!
//! GitHub's links name a repository by its id, not by the name that was asked for: whoever follows them must not expect
//! the path that it knows.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write as _;

const DEFAULT: usize = 30;
const MOST: usize = 100;
/// All but what RFC 3986 never escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A word as it stands in an address; what a client sent may hold anything.
pub(super) fn escaped(word: &str) -> String {
    utf8_percent_encode(word, ESCAPED).to_string()
}

/// A path as it stands in an address.
pub(super) fn escaped_path(path: &str) -> String {
    path.split('/').map(escaped).collect::<Vec<_>>().join("/")
}

/// Which part of a list was asked for.
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// What is no number, or none from 1, counts as not said.
    pub(super) fn of(request: &super::super::Request) -> Self {
        let asked = |key: &str| request.query.get(key)?.parse::<usize>().ok().filter(|n| *n > 0);
        Self { number: asked("page").unwrap_or(1), size: asked("per_page").unwrap_or(DEFAULT).min(MOST) }
    }

    /// This part of all, and the `link` header if there are others. `rest` is the query without `page`.
    pub(super) fn cut<T>(
        &self,
        all: Vec<T>,
        url: &str,
        rest: &[(String, String)],
    ) -> (Vec<T>, Option<String>) {
        let last = all.len().div_ceil(self.size).max(1);
        let link = |page: usize, rel: &str| {
            let mut link = format!("<{url}?");
            for (key, value) in rest {
                // A String takes everything.
                let _ = write!(link, "{}={}&", escaped(key), escaped(value));
            }
            format!("{link}page={page}>; rel=\"{rel}\"")
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.push(link((self.number - 1).min(last), "prev"));
        }
        if self.number < last {
            links.push(link(self.number + 1, "next"));
            links.push(link(last, "last"));
        }
        if self.number > 1 {
            links.push(link(1, "first"));
        }
        let from = (self.number - 1).saturating_mul(self.size);
        let part = all.into_iter().skip(from).take(self.size).collect();
        (part, (last > 1).then(|| links.join(", ")).filter(|links| !links.is_empty()))
    }
}
