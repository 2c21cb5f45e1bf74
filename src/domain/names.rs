//! Every identifier that crosses a function boundary, as a type that cannot hold a wrong one.
//!
//! What comes from outside (payloads, flags, documents) is hostile until one of these constructors took it.
//! Must never: repair an input silently. A label made from a repository's name is a function of that name ([`label_for`]).

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Longest DNS label, and so the longest namespace or label value.
pub const LABEL: usize = 63;

/// Why a text is not what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl Malformed {
    pub(crate) fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        // A hostile text may be long; the message must not be.
        let text = text.chars().take(80).collect();
        Self { what, text, rule }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no {}: {}", self.text, self.what, self.rule)
    }
}

impl std::error::Error for Malformed {}

/// A text newtype: private field, `FromStr` as the only way in, `Display` round-trips.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(Malformed::new($what, text, $rule)) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

fn is_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LABEL
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

word!(
    /// What an environment is called: its namespace, its cluster, its holder in the pool, a segment of its documents' keys.
    EnvironmentName,
    "environment name",
    "1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
    is_label
);
word!(
    /// A full host name below the configured domain.
    DnsName,
    "DNS name",
    "labels of 1 to 63 of a-z, 0-9 and '-', joined by dots, 253 in all",
    |text| text.len() <= 253 && text.split('.').all(is_label)
);
word!(
    /// The commit that is wanted: 40 lower-case hex digits (or 64, where a repository uses SHA-256).
    HeadSha,
    "commit SHA",
    "40 or 64 lower-case hex digits",
    |text| matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);
impl HeadSha {
    /// As people name commits.
    pub fn short(&self) -> &str {
        &self.as_ref()[..7]
    }
}
word!(
    /// One taking of a claim. Written into the claim, so that a write whose answer was lost is recognised as ours.
    RunId,
    "run id",
    "1 to 63 of a-z, 0-9 and '-'",
    is_label
);
word!(
    /// Tells one life of a claim from the next under the same name. It begins with the installation that it is of.
    ClaimUid,
    "claim uid",
    "1 to 63 of a-z, 0-9 and '-'",
    is_label
);
impl ClaimUid {
    /// Whose claim bears it; of a claim from before there were installations nobody can tell.
    pub fn installation(&self) -> Option<Installation> {
        self.as_ref().split_once('-')?.0.parse().ok()
    }
    /// Whether a claim of this installation bears it.
    pub fn is_of(&self, installation: &Installation) -> bool {
        self.as_ref().strip_prefix(installation.as_ref()).is_some_and(|rest| rest.starts_with('-'))
    }
}
word!(
    /// Tells the claims of one store from those of another.
    Installation,
    "installation",
    "8 lower-case hex digits",
    |text| text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);
word!(
    /// The id that the reserving system gave a reservation.
    ReservationId,
    "reservation id",
    "1 to 63 letters, digits, '-', '_' or '.'",
    |text| (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
);
word!(
    /// An account on GitHub: a person's, an organization's, or an app's, which ends in `[bot]`.
    Login,
    "login",
    "1 to 100 letters, digits, '-' or '_', and '[bot]' at the end of an app's",
    |text| {
        let name = text.strip_suffix("[bot]").unwrap_or(text);
        (1..=100).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    }
);
word!(
    /// A branch as git lets one be called. That says little: shell words, dashes at the edges and any script are in it.
    BranchName,
    "branch name",
    "1 to 255 bytes by the rules of git-check-ref-format",
    |text| (1..=255).contains(&text.len())
        && !text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
        && !["..", "@{"].iter().any(|never| text.contains(never))
        && text != "@"
        && !text.ends_with('.')
        && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
);
word!(
    /// A label of a pull request.
    LabelName,
    "label",
    "1 to 100 printable characters",
    |text| (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
);
word!(
    /// What has room for so many environments, as people read it: `pool lab`, `provider namespace`.
    PlaceName,
    "place",
    "1 to 100 printable characters",
    |text| (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
);
word!(
    /// A kubeconfig context; empty is not a context but the lack of one.
    ContextName,
    "kubeconfig context",
    "1 to 253 printable characters",
    |text| (1..=253).contains(&text.len()) && !text.chars().any(char::is_control)
);

/// `owner/repo`. GitHub's names do not differ by case, so the lower-case form *is* the name:
/// however an event, a flag or a person spells it, it is the same environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    owner: String,
    repo: String,
}

impl RepoName {
    /// Who owns it.
    pub fn owner(&self) -> &str {
        &self.owner
    }
    /// The part after the slash.
    pub fn repo(&self) -> &str {
        &self.repo
    }
}

impl FromStr for RepoName {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || {
            let rule = "owner/name, the owner of 1 to 39 letters, digits, '-' or '_', \
                        the name of 1 to 100 letters, digits, '-', '_' or '.'";
            Malformed::new("repository", text, rule)
        };
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let (owner, repo) = text.split_once('/').ok_or_else(wrong)?;
        let owner_fits = (1..=39).contains(&owner.len()) && owner.bytes().all(word);
        let repo_fits = (1..=100).contains(&repo.len())
            && repo.bytes().all(|b| word(b) || b == b'.')
            && !matches!(repo, "." | "..");
        if !owner_fits || !repo_fits {
            return Err(wrong());
        }
        Ok(Self { owner: owner.to_ascii_lowercase(), repo: repo.to_ascii_lowercase() })
    }
}

impl TryFrom<String> for RepoName {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<RepoName> for String {
    fn from(name: RepoName) -> String {
        name.to_string()
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.repo)
    }
}

/// The number of a pull request; there is no number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct PrNumber(u64);

impl TryFrom<u64> for PrNumber {
    type Error = Malformed;
    fn try_from(number: u64) -> Result<Self, Malformed> {
        // GitHub's own ids are below 2^53: what a JSON reader in any language can hold.
        if number == 0 || number >= 1 << 53 {
            return Err(Malformed::new("pull request number", &number.to_string(), "a whole number from 1"));
        }
        Ok(Self(number))
    }
}

impl FromStr for PrNumber {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || Malformed::new("pull request number", text, "a whole number from 1");
        // `parse` alone would take "+7" and "007": two spellings of one environment.
        if !text.bytes().all(|b| b.is_ascii_digit()) || text.starts_with('0') {
            return Err(wrong());
        }
        text.parse::<u64>().map_err(|_| wrong())?.try_into()
    }
}

impl From<PrNumber> for u64 {
    fn from(number: PrNumber) -> u64 {
        number.0
    }
}

impl fmt::Display for PrNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which taking of a claim this is; every taking is the next one, and nothing made by a later one is touched by an earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// Of a claim that did not exist before.
    pub const FIRST: Self = Self(1);
    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl FromStr for Generation {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || Malformed::new("generation", text, "a whole number from 1");
        // One spelling each, as `Display` writes it.
        if !text.bytes().all(|b| b.is_ascii_digit()) || text.starts_with('0') {
            return Err(wrong());
        }
        text.parse().map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `<prefix>-<word>-<suffix>` verbatim where that is a valid label; else `word` is cut to what a label may hold and
/// `hashed` (what makes the word unique: `owner/repo`) adds 10 hex digits of its SHA-256, so that two words which are
/// cut alike stay apart. An empty suffix leaves its dash away. A word that ends in a dash is never verbatim: it could be
/// within a name but not at the end of a host, and what is hashed in one must be in the other, lest two names share a host.
pub(crate) fn label_for(prefix: &str, word: &str, suffix: &str, hashed: &str) -> String {
    let join = |middle: &str| match suffix {
        "" => format!("{prefix}-{middle}"),
        _ => format!("{prefix}-{middle}-{suffix}"),
    };
    let verbatim = join(word);
    if is_label(&verbatim) && !word.ends_with('-') {
        return verbatim;
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, hashed.as_bytes());
    let hash: String = digest.as_ref().iter().take(5).map(|b| format!("{b:02x}")).collect();
    let room = LABEL.saturating_sub(join(&hash).len() + 1);
    let kept: String = word
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(room)
        .collect();
    match kept.trim_matches('-') {
        "" => join(&hash),
        kept => join(&format!("{kept}-{hash}")),
    }
}
