//! What the zone's authoritative server says: at once what is there, and nothing about any other zone.
//!
//! It must never answer from anywhere but the zone's records as they are now.

use super::{FORMAT_ERROR, NO_ERROR, NO_SUCH_NAME, OWN_TTL, REFUSED, Said, Zone, asked, is_within, record};
use crate::rehearsal::{Reply, Request, players::Record};
use serde_json::Value;
use std::net::IpAddr;

/// More than any chain of aliases that somebody means.
const ALIASES: usize = 8;

impl Zone {
    /// One question.
    pub(in crate::rehearsal) fn handle(&self, request: &Request) -> Reply {
        let said = match asked(request) {
            Some((name, kind)) => self.answer(&name, kind),
            None => Said::only(FORMAT_ERROR),
        };
        said.reply(false)
    }

    pub(super) fn answer(&self, name: &str, kind: &str) -> Said {
        if !is_within(name, &self.apex) {
            return Said::only(REFUSED);
        }
        if let Some(cut) = self.delegation(name) {
            return self.referral(cut);
        }
        let mut said = Said { authoritative: true, ..Said::default() };
        let mut name = name.to_owned();
        for _ in 0..ALIASES {
            let own = self.own(&name, kind);
            if !own.is_empty() {
                said.answers.extend(own);
                return said;
            }
            if let Some(found) = self.get(&name, kind) {
                said.answers.extend(shown(found));
                return said;
            }
            let Some(alias) = self.get(&name, "CNAME") else { break };
            said.answers.extend(shown(alias));
            match alias.targets.first() {
                Some(target) if is_within(target, &self.apex) => name = target.to_ascii_lowercase(),
                // Where it leads is for others to say.
                _ => return said,
            }
        }
        said.code = if self.exists(&name) { NO_ERROR } else { NO_SUCH_NAME };
        said.authority.push(self.soa());
        said
    }

    /// What every zone has without anybody publishing it.
    fn own(&self, name: &str, kind: &str) -> Vec<Value> {
        match kind {
            "SOA" if name == self.apex => vec![self.soa()],
            "NS" if name == self.apex => {
                self.servers.iter().map(|(server, _)| record(name, "NS", OWN_TTL, fqdn(server))).collect()
            }
            _ => self
                .servers
                .iter()
                .filter(|(server, address)| server == name && kind == kind_of(address))
                .map(|(server, address)| record(server, kind, OWN_TTL, address))
                .collect(),
        }
    }

    /// Also if something lies below it, or it is one of the zone's servers.
    fn exists(&self, name: &str) -> bool {
        let servers = self.servers.iter().map(|(server, _)| server.as_str());
        let records = self.records.iter().map(|record| record.name.as_str());
        name == self.apex || servers.chain(records).any(|known| is_within(&known.to_ascii_lowercase(), name))
    }

    /// The record by which the name was handed to other servers.
    fn delegation(&self, name: &str) -> Option<&Record> {
        self.records.iter().find(|cut| cut.kind == "NS" && is_within(name, &cut.name.to_ascii_lowercase()))
    }

    fn referral(&self, cut: &Record) -> Said {
        let glue = cut.targets.iter().flat_map(|server| ["A", "AAAA"].map(|kind| self.get(server, kind)));
        Said {
            authority: shown(cut).collect(),
            additional: glue.flatten().flat_map(shown).collect(),
            ..Said::default()
        }
    }

    pub(super) fn soa(&self) -> Value {
        soa(&self.apex, self.negative_ttl)
    }
}

/// The record that tells for how long a denial may be kept.
pub(super) fn soa(apex: &str, negative_ttl: u32) -> Value {
    let of = |label: &str| if apex.is_empty() { format!("{label}.") } else { format!("{label}.{apex}.") };
    let data = format!("{} {} 1 7200 1800 86400 {negative_ttl}", of("ns"), of("hostmaster"));
    record(apex, "SOA", OWN_TTL.min(negative_ttl), data)
}

fn shown(of: &Record) -> impl Iterator<Item = Value> {
    let is_name = matches!(of.kind.as_str(), "CNAME" | "NS");
    let data = move |target: &String| if is_name { fqdn(target) } else { target.clone() };
    of.targets.iter().map(move |target| record(&of.name, &of.kind, of.ttl, data(target)))
}

fn fqdn(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn kind_of(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}
