//! The single values of what an app deploys and tests, as types that cannot hold a wrong one.
//!
//! Many may hold `${NAME}`; `placeholders.rs` knows which names there are. Must never: substitute anything.

use super::values::{leaf, plain};
use crate::domain::{names::Malformed, template};
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};

/// A text newtype that users see: its field is private, `FromStr` the only way in.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $schema:tt, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl std::str::FromStr for $name {
            type Err = crate::domain::names::Malformed;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(Self::Err::new($what, text, $rule)) }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        crate::settings::values::leaf!($name, $schema);
    };
}

pub(super) use text;

/// Whether it is labels joined by dots, of so many characters at most: what Kubernetes calls most of its objects.
pub(super) fn is_subdomain(text: &str, longest: usize) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let inside = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inside)
    };
    text.len() <= longest && text.split('.').all(label)
}

text!(
    /// What a Kubernetes object is called.
    ObjectName, "name of an object",
    "1 to 253 of a-z, 0-9, '-' and '.', each part between dots beginning and ending with a letter or digit",
    {"type": "string", "minLength": 1, "maxLength": 253},
    |text| is_subdomain(text, 253)
);
text!(
    /// What a chart's release is called.
    Release, "name of a release", "1 to 53 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit",
    {"type": "string", "minLength": 1, "maxLength": 53},
    |text| is_subdomain(text, 53)
);
text!(
    /// An image's name without tag and digest, as manifests have it.
    ImageName, "name of an image", "letters, digits and any of ._-/: without a tag: shop, harbor.example.com/shop",
    {"type": "string", "minLength": 1},
    |text| is_reference(text) && !text.contains('@') && !text.rsplit('/').next().is_some_and(|last| last.contains(':'))
);
text!(
    /// What a variable of one's own is called.
    VariableName, "name of a variable", "capitals, digits and '_', with a capital first",
    {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"},
    template::is_name
);
text!(
    /// Where charts are kept.
    ChartRepository, "chart repository", "an address that begins with https:// or http://, without credentials",
    {"type": "string", "format": "uri"},
    |text| {
        let url = reqwest::Url::parse(text).ok();
        url.is_some_and(|url| {
            matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none()
        })
    }
);
text!(
    /// A text in which `${NAME}` stands for what berth or `vars` call so.
    Placeholders, "text", "at least one character, and no control characters",
    {"type": "string", "minLength": 1},
    |text| !text.is_empty() && !text.chars().any(char::is_control)
);

/// Whether it can be an image's reference.
pub(super) fn is_reference(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
        && !text.contains("//")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b))
}

/// A pattern of branches or files: `*` is any characters but `/`, `**` any at all, `?` one but `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// For names that are the same in whatever case.
    pub(super) fn in_lower_case(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// Whether the whole of this text is like it.
    pub fn matches(&self, text: &str) -> bool {
        // The states are the characters of the pattern that may come next: linear, whatever a hostile pattern says.
        let pattern: Vec<char> = self.0.chars().collect();
        let mut next = vec![false; pattern.len() + 1];
        next[0] = true;
        pass_stars(&pattern, &mut next);
        for one in text.chars() {
            let mut after = vec![false; pattern.len() + 1];
            for at in (0..pattern.len()).filter(|at| next[*at]) {
                let any = pattern[at] == '*' && pattern.get(at + 1) == Some(&'*');
                match pattern[at] {
                    // Both stars of a pair take all; the first stands for both.
                    '*' if any || one != '/' => after[at] = true,
                    '*' => {}
                    '?' => after[at + 1] |= one != '/',
                    other => after[at + 1] |= other == one,
                }
            }
            pass_stars(&pattern, &mut after);
            next = after;
        }
        next[pattern.len()]
    }
}

/// A star may stand for nothing.
fn pass_stars(pattern: &[char], next: &mut [bool]) {
    for at in 0..pattern.len() {
        if next[at] && pattern[at] == '*' {
            next[at + 1] = true;
        }
    }
}

impl FromStr for Pattern {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match (1..=255).contains(&text.len()) && !text.chars().any(char::is_control) {
            true => Ok(Self(text.to_owned())),
            false => Err(Malformed::new(
                "pattern",
                text,
                "1 to 255 printable characters: main, release/*, docs/**",
            )),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

leaf!(Pattern, {"type": "string", "minLength": 1, "examples": ["main", "release/*", "docs/**"]});

plain!(
    /// A status of HTTP.
    Status(u16), "status of HTTP", "a whole number from 200 to 599", {"type": "integer", "minimum": 200, "maximum": 599},
    |text| text.parse().ok().filter(|status| (200..=599).contains(status))
);

/// A chart's values: keys, and below them whatever the chart wants.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Values(pub(super) Map<String, Value>);

super::values::schema!(Values, {"type": "object"});
