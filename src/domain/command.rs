//! What people say to berth in a comment: `/berth up`. Pure.
//!
//! Only the first line of a comment counts, and only if it begins so: what is quoted, or stands in a block of code, is
//! nobody's wish. Must never: act on a word that it does not know.

use super::{duration::Duration, names::HeadSha};
use std::fmt;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// An environment, whatever the filters say. With a whole SHA it vouches for that commit of a fork.
    Up(Option<HeadSha>),
    /// Its removal, without grace.
    Down,
    /// More time.
    Extend(Duration),
    /// Its tests once more.
    Retest,
    /// How it stands.
    Status,
}

/// How a command is written, and what it does: for help texts and the README.
pub const COMMANDS: [(&str, &str); 5] = [
    (
        "/berth up [SHA]",
        "brings it up, whatever the filters say; with the whole SHA it approves that commit of a fork",
    ),
    ("/berth down", "removes it now, without grace"),
    ("/berth extend 24h", "lets it live that much longer"),
    ("/berth retest", "runs its tests once more at the same commit"),
    ("/berth status", "brings the comment up to date"),
];

/// Said to berth, and not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUnderstood(String);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = COMMANDS.iter().map(|(command, _)| *command).collect();
        write!(f, "{}; berth understands {}", self.0, known.join(", "))
    }
}

impl std::error::Error for NotUnderstood {}

const ADDRESSED: &str = "/berth";

impl Command {
    /// What a comment says to berth; `None`: nothing.
    pub fn parse(comment: &str) -> Option<Result<Self, NotUnderstood>> {
        let mut words = comment.lines().next()?.split_ascii_whitespace();
        // Indented text may be a block of code.
        if comment.starts_with([' ', '\t']) || words.next() != Some(ADDRESSED) {
            return None;
        }
        let (verb, argument, more) = (words.next(), words.next(), words.next());
        let not = |why: &str| Err(NotUnderstood(why.to_owned()));
        Some(match (verb, argument, more) {
            (_, _, Some(_)) => not("there are too many words"),
            (Some("up"), None, _) => Ok(Self::Up(None)),
            (Some("up"), Some(sha), _) => match sha.parse() {
                Ok(sha) => Ok(Self::Up(Some(sha))),
                Err(_) => not("a commit is named by its whole SHA"),
            },
            (Some("extend"), Some(time), _) => match time.parse::<Duration>() {
                Ok(time) if !time.0.is_zero() => Ok(Self::Extend(time)),
                Ok(_) => not("that is no time at all"),
                Err(wrong) => not(&wrong.to_string()),
            },
            (Some("extend"), None, _) => not("it is not said how much longer"),
            (Some("down"), None, _) => Ok(Self::Down),
            (Some("retest"), None, _) => Ok(Self::Retest),
            (Some("status"), None, _) => Ok(Self::Status),
            (Some("down" | "retest" | "status"), Some(_), _) => not("there are too many words"),
            (None, ..) => not("no command follows"),
            (Some(_), ..) => not("there is no such command"),
        })
    }
}
