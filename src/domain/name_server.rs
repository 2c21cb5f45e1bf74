//! Where a DNS server is reached: what `dns.resolvers` holds.
//!
//! It must never take a name: who would resolve it?

use super::names::Malformed;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// The port of DNS.
pub const PORT: u16 = 53;

/// An address, with a port if it is not DNS's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NameServer(SocketAddr);

impl NameServer {
    /// Where to send a question.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl From<SocketAddr> for NameServer {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl FromStr for NameServer {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        let rule = "an IP address, or one with a port: 192.168.1.3, 192.168.1.3:5353, [fd00::3]:5353";
        match bare.or_else(|_| text.parse::<SocketAddr>()) {
            Ok(address) if address.port() != 0 => Ok(Self(address)),
            _ => Err(Malformed::new("DNS resolver", text, rule)),
        }
    }
}

impl TryFrom<String> for NameServer {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<NameServer> for String {
    fn from(server: NameServer) -> String {
        server.to_string()
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.port() == PORT { self.0.ip().fmt(f) } else { self.0.fmt(f) }
    }
}
