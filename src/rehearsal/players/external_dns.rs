//! external-dns: the records that Ingresses and DNSEndpoints ask for, kept where names are served.
//!
//! It watches one cluster, which may be an environment's own, and touches only records that it has marked as its own. As the real
//! one it looks once in an interval, counted here from the source's creation; changes and withdrawals are seen at once.

use super::{
    Change, Kind, Objects, Pace, Player, Reaction, Record,
    draft::Draft,
    objects::{annotation, is_going, list, name, namespace, number, text, time},
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

const INGRESS: Kind =
    Kind { group: "networking.k8s.io", version: "v1", kind: "Ingress", plural: "ingresses" };
const ENDPOINT: Kind =
    Kind { group: "externaldns.k8s.io", version: "v1alpha1", kind: "DNSEndpoint", plural: "dnsendpoints" };
const ANNOTATION: &str = "external-dns.alpha.kubernetes.io/";
/// For who names none.
const TTL: u32 = 300;

/// external-dns, with its sources `ingress` and `crd`.
#[derive(Debug, Clone)]
pub struct ExternalDns {
    /// How long until it looks.
    pub pace: Pace,
    /// `--txt-owner-id`.
    pub owner: String,
    /// `--domain-filter`; without any, every name is its business.
    pub domains: Vec<String>,
    /// `--policy`.
    pub policy: Policy,
}

/// What becomes of records that nothing asks for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// They go.
    Sync,
    /// They stay for ever.
    UpsertOnly,
}

impl Player for ExternalDns {
    fn name(&self) -> &'static str {
        "external-dns"
    }

    fn watches(&self) -> &'static [Kind] {
        &[INGRESS, ENDPOINT]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        let existing: BTreeMap<_, _> = objects
            .records()
            .iter()
            .map(|record| ((record.name.as_str(), record.kind.as_str()), record))
            .collect();
        let wanted = self.wanted(objects, &existing, &mut reaction, now);
        for record in wanted.values() {
            match existing.get(&(record.name.as_str(), record.kind.as_str())) {
                Some(known) if known.owner != self.owner || *known == record => {}
                _ => reaction.push([Change::Publish(record.clone())]),
            }
        }
        let ours = objects.records().iter().filter(|record| record.owner == self.owner);
        let unasked = ours.filter(|r| self.policy == Policy::Sync && !wanted.contains_key(&key(r)));
        reaction.push(unasked.cloned().map(Change::Withdraw));
        for endpoint in objects.all(ENDPOINT).filter(|endpoint| !is_going(endpoint)) {
            let mut draft = Draft::of(ENDPOINT, endpoint);
            if let Some(generation) = number(endpoint, "/metadata/generation") {
                draft.set(&["status", "observedGeneration"], generation);
            }
            reaction.push(draft.end());
        }
        reaction
    }
}

type Wanted = BTreeMap<(String, String), Record>;

fn key(record: &Record) -> (String, String) {
    (record.name.clone(), record.kind.clone())
}

impl ExternalDns {
    /// If two objects ask for one record, the one stays whose it is, else it is the first's.
    fn wanted(
        &self,
        objects: &Objects<'_>,
        existing: &BTreeMap<(&str, &str), &Record>,
        reaction: &mut Reaction,
        now: Timestamp,
    ) -> Wanted {
        let mut wanted = Wanted::new();
        let sources = objects.all(INGRESS).map(|i| (i, of_ingress(i)));
        let sources = sources.chain(objects.all(ENDPOINT).map(|e| (e, of_endpoint(e))));
        for (source, asked) in sources.filter(|(source, _)| !is_going(source)) {
            let known = existing.values().any(|record| record.resource == resource(source));
            let created = time(source, "/metadata/creationTimestamp").unwrap_or(Timestamp::MIN);
            if !known && !reaction.passed(created, self.pace.dns, now) {
                continue;
            }
            for (name, kind, targets, ttl) in asked {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                if name.is_empty() || targets.is_empty() || !self.is_ours(&name) {
                    continue;
                }
                let record = Record {
                    targets: targets.into_iter().collect(),
                    owner: self.owner.clone(),
                    resource: resource(source),
                    name,
                    kind,
                    ttl,
                };
                let holder = existing.get(&(record.name.as_str(), record.kind.as_str()));
                let holds = holder.is_some_and(|holder| holder.resource == record.resource);
                match wanted.entry(key(&record)) {
                    std::collections::btree_map::Entry::Vacant(free) => {
                        free.insert(record);
                    }
                    std::collections::btree_map::Entry::Occupied(mut taken) if holds => {
                        taken.insert(record);
                    }
                    std::collections::btree_map::Entry::Occupied(_) => {}
                }
            }
        }
        wanted
    }

    fn is_ours(&self, name: &str) -> bool {
        let within = |domain: &String| {
            let rest = name.strip_suffix(domain.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.domains.is_empty() || self.domains.iter().any(within)
    }
}

/// As the registry writes it into its mark.
fn resource(source: &Value) -> String {
    let kind = if text(source, "/kind") == ENDPOINT.kind { "crd" } else { "ingress" };
    format!("{kind}/{}/{}", namespace(source), name(source))
}

type Asked = Vec<(String, String, BTreeSet<String>, u32)>;

fn of_ingress(ingress: &Value) -> Asked {
    let key = |name: &str| annotation(ingress, &format!("{ANNOTATION}{name}")).to_owned();
    let commas = |text: String| -> Vec<String> {
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let mut targets = commas(key("target"));
    if targets.is_empty() {
        let balanced = list(ingress, "/status/loadBalancer/ingress").iter();
        targets = balanced
            .flat_map(|at| [text(at, "/ip"), text(at, "/hostname")])
            .filter(|target| !target.is_empty())
            .map(str::to_owned)
            .collect();
    }
    let rules = list(ingress, "/spec/rules").iter().map(|rule| text(rule, "/host").to_owned());
    let tls = list(ingress, "/spec/tls").iter().flat_map(|tls| list(tls, "/hosts"));
    let tls = tls.filter_map(|host| host.as_str().map(str::to_owned));
    let names: BTreeSet<String> = rules.chain(tls).chain(commas(key("hostname"))).collect();
    let ttl = key("ttl").parse().unwrap_or(TTL);
    let by_kind = split(&targets);
    let records = names.into_iter().flat_map(|name| {
        let records = by_kind.clone().into_iter();
        records.map(move |(kind, targets)| (name.clone(), kind, targets, ttl))
    });
    records.collect()
}

/// Addresses and names of targets are records of their own kinds.
fn split(targets: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut by_kind: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for target in targets {
        let kind = match target.parse() {
            Ok(IpAddr::V4(_)) => "A",
            Ok(IpAddr::V6(_)) => "AAAA",
            Err(_) => "CNAME",
        };
        by_kind.entry(kind.to_owned()).or_default().insert(target.clone());
    }
    by_kind
}

fn of_endpoint(source: &Value) -> Asked {
    let endpoints = list(source, "/spec/endpoints").iter();
    let records = endpoints.map(|endpoint| {
        let targets =
            list(endpoint, "/targets").iter().filter_map(|t| t.as_str().map(str::to_owned)).collect();
        let ttl = number(endpoint, "/recordTTL").and_then(|ttl| u32::try_from(ttl).ok());
        let kind = match text(endpoint, "/recordType") {
            "" => "A",
            kind => kind,
        };
        (
            text(endpoint, "/dnsName").to_owned(),
            kind.to_owned(),
            targets,
            ttl.filter(|ttl| *ttl > 0).unwrap_or(TTL),
        )
    });
    records.collect()
}
