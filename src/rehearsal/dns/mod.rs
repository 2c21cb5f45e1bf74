//! The world's DNS: one zone with the records that players publish, its authoritative server, and a resolver before it.
//!
//! One record for each name and type. It must never decide whose a record is: that is its player's business.

pub(super) mod authority;
pub(super) mod resolver;
pub(super) mod sockets;
mod wire;

use super::players::Record;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

pub use resolver::Resolver;

/// How long the zone's own records (SOA, NS, the addresses of its servers) may be kept, in seconds.
const OWN_TTL: u32 = 3600;

/// The records of all names, as their authoritative server knows them.
#[derive(Debug, Clone)]
pub struct Zone {
    /// The zone's own name. What lies outside of it is refused.
    pub apex: String,
    /// The names of its servers, and where they are.
    pub servers: Vec<(String, IpAddr)>,
    /// For how many seconds one may keep that there is no such name, or none of such a type.
    pub negative_ttl: u32,
    /// By name and type. A record of type `NS` hands what lies below its name to other servers.
    records: Vec<Record>,
    /// How often they were changed.
    changes: u64,
}

impl Default for Zone {
    fn default() -> Self {
        let apex = "preview.example.com";
        Self {
            apex: apex.to_owned(),
            servers: vec![(format!("ns.{apex}"), Ipv4Addr::LOCALHOST.into())],
            negative_ttl: 300,
            records: vec![],
            changes: 0,
        }
    }
}

impl Zone {
    /// All of them, by name and type.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record of this name and type; names are the same however they are written.
    pub fn get(&self, name: &str, kind: &str) -> Option<&Record> {
        let name = name.trim_end_matches('.');
        self.records.iter().find(|known| known.name.eq_ignore_ascii_case(name) && known.kind == kind)
    }

    /// In place of what was under this name and type. Whether that changed anything.
    pub fn publish(&mut self, record: Record) -> bool {
        match self.place(&record) {
            Ok(at) if self.records[at] == record => return false,
            Ok(at) => self.records[at] = record,
            Err(at) => self.records.insert(at, record),
        }
        self.changes += 1;
        true
    }

    /// Takes the record of this name and type away. Whether it was there.
    pub fn withdraw(&mut self, record: &Record) -> bool {
        let Ok(at) = self.place(record) else { return false };
        self.records.remove(at);
        self.changes += 1;
        true
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    fn place(&self, record: &Record) -> Result<usize, usize> {
        let key = (&record.name, &record.kind);
        self.records.binary_search_by(|known| (&known.name, &known.kind).cmp(&key))
    }
}

/// What a server says, before it becomes a message.
#[derive(Debug, Clone, Default)]
struct Said {
    code: u16,
    authoritative: bool,
    answers: Vec<Value>,
    authority: Vec<Value>,
    additional: Vec<Value>,
}

const NO_ERROR: u16 = 0;
const FORMAT_ERROR: u16 = 1;
const SERVER_FAILURE: u16 = 2;
const NO_SUCH_NAME: u16 = 3;
const REFUSED: u16 = 5;

impl Said {
    fn only(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    fn reply(self, recursion: bool) -> super::Reply {
        let body = json!({
            "authoritative": self.authoritative, "recursion": recursion,
            "answers": self.answers, "authority": self.authority, "additional": self.additional,
        });
        super::Reply::Json(self.code, body)
    }
}

/// One record of an answer; the data as in a zone file.
fn record(name: &str, kind: &str, ttl: u32, data: impl ToString) -> Value {
    json!({"name": name, "type": kind, "ttl": ttl, "data": data.to_string()})
}

/// Whether a name is another or lies below it. Both without a dot at their end, in lower case.
fn is_within(name: &str, above: &str) -> bool {
    above.is_empty() || name.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// What is asked for: a name in lower case without a dot at its end, and a type.
fn asked(request: &super::Request) -> Option<(String, &str)> {
    let [name, kind] = request.path.as_slice() else { return None };
    Some((name.trim_end_matches('.').to_ascii_lowercase(), kind))
}
