//! Finds the servers with authority over a domain.
//!
//! It goes down from the top, and as soon as it knows servers of a zone it asks those for what is below: a name that does not
//! exist yet must never be asked for at a resolver, which would keep that denial, and may deny all below it with it.

use super::{Dns, Silence, Zone, exchange::Of};
use crate::{
    clients::{Failure, Kind},
    domain::names::DnsName,
};
use futures::future::join_all;
use hickory_proto::{
    op::Message,
    rr::{Name, RData, Record, RecordType},
};
use std::net::{IpAddr, SocketAddr};

/// A server of a zone, by one of its addresses.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    pub(super) name: String,
    /// Why there is none, if there is none.
    pub(super) address: Result<IpAddr, Silence>,
}

/// What a server says about a zone that may begin at a name.
enum Cut {
    /// One does, and these are its servers.
    Here(Vec<Name>, Vec<Record>),
    /// None does.
    No,
}

impl Dns {
    /// The zone that holds a domain. Good for as long as nobody moves it to other servers.
    pub async fn zone(&self, domain: &DnsName) -> Result<Zone, Failure> {
        let whole = fqdn(domain.as_ref())?;
        let mut zone: Option<(Name, Vec<Authority>)> = None;
        let mut unknown = None;
        for labels in 1..=usize::from(whole.num_labels()) {
            let suffix = whole.trim_to(labels);
            match self.cut(zone.as_ref(), &suffix).await {
                Ok(Cut::Here(servers, glue)) => {
                    let servers = join_all(servers.iter().map(|server| self.located(server, &glue))).await;
                    zone = Some((suffix, servers.concat()));
                    unknown = None;
                }
                Ok(Cut::No) => {}
                // There may be a zone below that does answer.
                Err(why) => unknown = Some(format!("on the servers of {}: {why}", plain(&suffix))),
            }
        }
        match (unknown, zone) {
            (Some(why), _) => Err(Failure {
                kind: Kind::Unavailable { wait: None },
                detail: format!("no resolver tells who serves {domain}: {why}"),
            }),
            (None, Some((name, servers))) => Ok(Zone { dns: self.clone(), name: plain(&name), servers }),
            (None, None) => Err(Failure {
                kind: Kind::Invalid,
                detail: format!(
                    "{} no zone that holds {domain}; is it delegated, and are these the resolvers that know it?",
                    self.named("knows of", "know of")
                ),
            }),
        }
    }

    /// Whoever can tell. Servers of a top-level domain may be out of reach of a network that has names of its own.
    async fn cut(&self, above: Option<&(Name, Vec<Authority>)>, suffix: &Name) -> Result<Cut, String> {
        if let Some((zone, servers)) = above
            && zone.num_labels() > 1
        {
            let at = servers.iter().filter_map(|server| server.address.as_ref().ok());
            let asked =
                join_all(at.map(|ip| self.ask_for_cut(Of::Authority, (self.route)(*ip), suffix))).await;
            if let Some(cut) = asked.into_iter().find_map(Result::ok) {
                return Ok(cut);
            }
        }
        let at = self.resolvers.iter().map(|resolver| resolver.address());
        let asked = join_all(at.map(|at| self.ask_for_cut(Of::Resolver, at, suffix))).await;
        let mut reasons = Vec::new();
        for (answer, resolver) in asked.into_iter().zip(&self.resolvers) {
            match answer {
                Ok(cut) => return Ok(cut),
                Err(why) => reasons.push(format!("{resolver} {why}")),
            }
        }
        Err(reasons.join("; "))
    }

    async fn ask_for_cut(&self, of: Of, at: SocketAddr, suffix: &Name) -> Result<Cut, Silence> {
        let answer = self.ask(at, of, suffix, RecordType::NS).await?;
        let servers = servers(suffix, &answer);
        if !servers.is_empty() {
            return Ok(Cut::Here(servers, answer.additionals));
        }
        if of == Of::Authority && !answer.metadata.authoritative {
            return Err(Silence::WithoutAuthority);
        }
        Ok(Cut::No)
    }

    /// Its addresses, of one family: the other's may be out of reach from here.
    async fn located(&self, server: &Name, glue: &[Record]) -> Vec<Authority> {
        let name = plain(server);
        let is = |address| Authority { name: name.clone(), address };
        for kind in [RecordType::A, RecordType::AAAA] {
            let given = addresses(server, kind, glue);
            let found = if given.is_empty() { self.addresses(server, kind).await } else { Ok(given) };
            match found {
                Ok(found) if !found.is_empty() => return found.into_iter().map(|ip| is(Ok(ip))).collect(),
                Ok(_) => {}
                Err(why) => return vec![is(Err(Silence::NoAddress(why)))],
            }
        }
        vec![is(Err(Silence::NoAddress("it has neither A nor AAAA".to_owned())))]
    }

    /// A server of a zone that exists has a name that exists: a resolver may be asked for it.
    async fn addresses(&self, server: &Name, kind: RecordType) -> Result<Vec<IpAddr>, String> {
        let at = self.resolvers.iter().map(|resolver| resolver.address());
        let asked = join_all(at.map(|at| self.ask(at, Of::Resolver, server, kind))).await;
        let mut reasons = Vec::new();
        let mut denied = false;
        for (answer, resolver) in asked.into_iter().zip(&self.resolvers) {
            match answer.map(|answer| addresses(server, kind, &answer.answers)) {
                Ok(found) if found.is_empty() => denied = true,
                Ok(found) => return Ok(found),
                Err(why) => reasons.push(format!("{resolver} {why}")),
            }
        }
        if denied { Ok(vec![]) } else { Err(reasons.join("; ")) }
    }
}

/// Who serves a zone that begins at this name: from the zone itself, or from the one above.
fn servers(zone: &Name, answer: &Message) -> Vec<Name> {
    let records = answer.answers.iter().chain(&answer.authorities).filter(|record| record.name == *zone);
    let mut servers: Vec<Name> = records
        .filter_map(|record| match &record.data {
            RData::NS(server) => Some(server.0.to_lowercase()),
            _ => None,
        })
        .collect();
    servers.sort();
    servers.dedup();
    servers
}

fn addresses(server: &Name, kind: RecordType, records: &[Record]) -> Vec<IpAddr> {
    let of_it = records.iter().filter(|record| record.name == *server && record.record_type() == kind);
    of_it.filter_map(|record| record.data.ip_addr()).collect()
}

pub(super) fn fqdn(name: &str) -> Result<Name, Failure> {
    let no_name = |error| Failure { kind: Kind::Invalid, detail: format!("{name} is no DNS name: {error}") };
    Name::from_ascii(format!("{name}.")).map_err(no_name)
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}
