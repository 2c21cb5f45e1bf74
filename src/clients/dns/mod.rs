//! Asks for the addresses of a name: every server with authority over it, and only when all of those agree every resolver.
//!
//! A resolver that is asked too early keeps the denial for as long as the zone says, and denies the name to everybody for
//! that time. Must never: ask a resolver for a name that an authoritative server does not give yet; keep an answer; take
//! silence for absence.

mod exchange;
mod picture;
mod zone;

pub use picture::{Heard, Outcome, Picture, Silence};

use super::{Failure, Kind};
use crate::domain::{
    name_server::{NameServer, PORT},
    names::DnsName,
};
use exchange::Of;
use futures::future::{join, join_all};
use hickory_proto::{
    op::Message,
    rr::{Name, RecordType},
};
use picture::{judge, keeps};
use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use zone::{Authority, fqdn};

/// How long one question may take; what `dig` waits.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Where the system keeps its own resolvers.
pub const SYSTEM: &str = "/etc/resolv.conf";

/// Where an authoritative server is reached, of which DNS tells only an address.
pub type Route = Arc<dyn Fn(IpAddr) -> SocketAddr + Send + Sync>;

/// Asks by these resolvers, and past them.
#[derive(Clone)]
pub struct Dns {
    resolvers: Vec<NameServer>,
    limit: Duration,
    route: Route,
}

impl Dns {
    /// At least one resolver is needed.
    pub fn new(resolvers: Vec<NameServer>, limit: Duration) -> Result<Self, Failure> {
        if resolvers.is_empty() {
            let detail = "there is no resolver to ask; name one in dns.resolvers".to_owned();
            return Err(Failure { kind: Kind::Invalid, detail });
        }
        Ok(Self { resolvers, limit, route: Arc::new(|ip| SocketAddr::new(ip, PORT)) })
    }

    /// Reaches authoritative servers by this, and not at the port of DNS.
    #[must_use]
    pub fn routed(self, route: Route) -> Self {
        Self { route, ..self }
    }

    async fn ask(&self, at: SocketAddr, of: Of, name: &Name, kind: RecordType) -> Result<Message, Silence> {
        exchange::ask(at, of, name, kind, self.limit).await
    }

    /// What a server says, and for how many seconds it may go on to.
    async fn addresses_of(
        &self,
        at: SocketAddr,
        of: Of,
        name: &Name,
        wanted: &BTreeSet<IpAddr>,
    ) -> (Outcome, Option<u32>) {
        let ask = |kind| self.ask(at, of, name, kind);
        let (v4, v6) = join(ask(RecordType::A), ask(RecordType::AAAA)).await;
        let answers = [v4, v6];
        let keeps = keeps(name, &answers);
        (judge(of, name, answers, wanted), keeps)
    }

    fn named(&self, one: &str, many: &str) -> String {
        let names: Vec<String> = self.resolvers.iter().map(NameServer::to_string).collect();
        format!("{} {}", names.join(", "), if names.len() == 1 { one } else { many })
    }
}

/// The resolvers of the system, for whom has configured none.
pub fn system_resolvers(file: &Path) -> Result<Vec<NameServer>, Failure> {
    let failure = |why: String| {
        let detail = format!("{}: {why}; name resolvers in dns.resolvers", file.display());
        Failure { kind: Kind::Invalid, detail }
    };
    let text = std::fs::read_to_string(file).map_err(|error| failure(error.to_string()))?;
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    // An address with a scope is no other machine's business; the system names another one beside it.
    let found: Vec<NameServer> =
        lines.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect();
    if found.is_empty() {
        Err(failure("it names no resolver that can be asked".to_owned()))
    } else {
        Ok(found)
    }
}

/// A zone whose servers are known.
#[derive(Clone)]
pub struct Zone {
    dns: Dns,
    name: String,
    servers: Vec<Authority>,
}

impl Zone {
    /// Without a dot at its end.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its servers, one for each of their addresses.
    pub fn servers(&self) -> impl Iterator<Item = String> {
        self.servers.iter().map(Authority::to_string)
    }

    /// What the authoritative servers say about a name that shall have exactly these addresses; once all of them give those,
    /// what the resolvers say, too.
    pub async fn look(&self, name: &DnsName, wanted: &BTreeSet<IpAddr>) -> Result<Picture, Failure> {
        let asked = self.inside(name)?;
        let mut picture = self.ask_authorities(name, &asked, wanted).await;
        if picture.authorities_agree() {
            picture.resolvers = join_all(self.dns.resolvers.iter().map(async |resolver| {
                let (outcome, keeps) =
                    self.dns.addresses_of(resolver.address(), Of::Resolver, &asked, wanted).await;
                Heard { server: resolver.to_string(), outcome, keeps }
            }))
            .await;
        }
        Ok(picture)
    }

    /// What the authoritative servers say about a name that shall be gone. Resolvers are not asked: who did it would make them
    /// keep the denial, and an environment that comes back at once would be denied by them. What they still keep ends by
    /// itself.
    pub async fn look_for_absence(&self, name: &DnsName) -> Result<Picture, Failure> {
        let asked = self.inside(name)?;
        Ok(self.ask_authorities(name, &asked, &BTreeSet::new()).await)
    }

    async fn ask_authorities(&self, name: &DnsName, asked: &Name, wanted: &BTreeSet<IpAddr>) -> Picture {
        let authorities = join_all(self.servers.iter().map(async |server| {
            let (outcome, keeps) = match &server.address {
                Ok(ip) => self.dns.addresses_of((self.dns.route)(*ip), Of::Authority, asked, wanted).await,
                Err(why) => (Outcome::Silent(why.clone()), None),
            };
            Heard { server: server.to_string(), outcome, keeps }
        }))
        .await;
        Picture { name: name.to_string(), wanted: wanted.clone(), authorities, resolvers: vec![] }
    }

    fn inside(&self, name: &DnsName) -> Result<Name, Failure> {
        let (zone, asked) = (fqdn(&self.name)?, fqdn(name.as_ref())?);
        if zone.zone_of(&asked) {
            return Ok(asked);
        }
        let detail = format!("{name} is not in the zone {}; is dns.domain the one of the name?", self.name);
        Err(Failure { kind: Kind::Invalid, detail })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Ok(ip) => write!(f, "{} ({ip})", self.name),
            Err(_) => f.write_str(&self.name),
        }
    }
}
