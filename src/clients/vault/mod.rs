//! Vault (OpenBao alike), through vaultrs: being let in, secrets of KV v2, and tokens for others.
//!
//! Must never: take any answer for absence but Vault's own two (`secrets::absent`); follow a redirect; show a token.

mod failure;
mod secrets;
mod session;
mod tokens;

pub use session::{Auth, Jwt};
pub use tokens::{BORN, Made, Renewal};

use crate::clock::Clock;
use anyhow::Result;
use session::Session;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Of one request. Vault answers in milliseconds; what takes this long is not going to come.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Where Vault is, and how to be let in.
#[derive(Debug, Clone)]
pub struct Access {
    /// `http(s)://host[:port]`, without a path.
    pub address: String,
    /// Of a namespace (Enterprise, OpenBao).
    pub namespace: Option<String>,
    /// A PEM bundle to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// How to log in.
    pub auth: Auth,
    /// Of one request.
    pub timeout: Duration,
}

/// A server and our session with it, which all clones share: one login for all of them.
#[derive(Clone)]
pub struct Vault(Arc<Session>);

impl Vault {
    /// Nothing is sent before the first request. `run` tells this process's requests apart.
    pub fn new(access: Access, clock: Clock, run: &str) -> Result<Self> {
        Ok(Self(Arc::new(Session::new(access, clock, run)?)))
    }

    /// As it was given.
    pub fn address(&self) -> &str {
        self.0.address()
    }
}
