//! Where Vault answers, and where in it berth's documents lie.
//!
//! What an HTTP client would quietly read as another place is refused here.
//! Must never: print an address that is refused, because it may hold credentials.

use super::values::leaf;
use crate::domain::names::Malformed;
use std::{fmt, str::FromStr};

/// A mount, or a path below one, in Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPath(String);

impl FromStr for VaultPath {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let rule = "segments of letters, digits, '-', '_' and '.', joined by '/'";
        // Vault's own tool prints mounts with the slash behind.
        let path = text.strip_suffix('/').unwrap_or(text);
        let byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        // An HTTP client resolves `.` and `..` away without a word: another document would be read.
        let segment = |s: &str| !matches!(s, "" | "." | "..") && s.bytes().all(byte);
        match path.split('/').all(segment) {
            true => Ok(Self(path.to_owned())),
            false => Err(Malformed::new("path in Vault", text, rule)),
        }
    }
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for VaultPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

leaf!(VaultPath, {"type": "string", "minLength": 1});

/// Where Vault answers: scheme, host and port, nothing behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultAddress(String);

/// Why a text is no address. Never with the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAddress(&'static str);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is no address of a Vault like https://vault.example.com:8200: {}", self.0)
    }
}

impl std::error::Error for BadAddress {}

impl FromStr for VaultAddress {
    type Err = BadAddress;
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let begins =
            |scheme: &str| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
        if !begins("https://") && !begins("http://") {
            return Err(BadAddress("it must begin with https:// or http://"));
        }
        let url = reqwest::Url::parse(text).map_err(|_| BadAddress("it has no valid host and port"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadAddress("it holds credentials; log in by `store.vault.auth`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadAddress("it has a query"));
        }
        if url.path() != "/" {
            return Err(BadAddress("it has a path; Vault must be reachable at the root of its host"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for VaultAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for VaultAddress {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

leaf!(VaultAddress, {"type": "string", "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+/?$"});
