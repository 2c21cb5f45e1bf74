//! Clients of the outside world: thin and concrete; address and timeout are given to them; they never try again.
//!
//! All of them tell a failure by what its caller would do about it ([`Kind`]). Must never: be told apart by callers
//! through status codes; retry; say "absent" by an error.

pub mod child;
pub mod dns;
pub mod files;
pub mod github;
pub mod kubernetes;
pub mod registry;
pub mod vault;

use std::{fmt, time::Duration};

/// On every request of every client: servers' logs, and the gate of the embedded world, tell runs apart by it.
pub const RUN_HEADER: &str = "berth-run";

/// Nobody listens on the way there.
fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// What a caller would do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 401, 403: trying again cannot help.
    Refused,
    /// 429, 5xx, time-out, a cut or garbled answer: trying again may help.
    Unavailable {
        /// How long the server asked us to wait.
        wait: Option<Duration>,
    },
    /// Our request is wrong, or the server is not the one that we took it for.
    Invalid,
    /// Somebody else wrote since.
    Conflict,
    /// A newer run of the same environment has been here: stop.
    Superseded,
}

/// Why a request failed. Never "absent".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// By what to do about it.
    pub kind: Kind,
    /// What the server said, or what happened to the connection.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The kind of an error; what nobody classified may pass.
    pub fn of(error: &anyhow::Error) -> Kind {
        error.downcast_ref::<Failure>().map_or(Kind::Unavailable { wait: None }, |failure| failure.kind)
    }
}
