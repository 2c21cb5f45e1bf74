//! A resolver before the authority: what it was told it tells again until that is too old, and so it does with denials.
//!
//! It must never ask the authority for what it still keeps: that is what the world has it for. It is as harsh as the
//! harshest real ones: a name that there was not stands for all that lies below it (RFC 8020). Of names outside of the
//! zone it knows only that those above it are there.

use super::{
    FORMAT_ERROR, NO_ERROR, NO_SUCH_NAME, REFUSED, SERVER_FAILURE, Said, Zone, asked, authority::soa,
    is_within,
};
use crate::rehearsal::{Reply, Request, later};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// For whom a denial that it keeps is: all types, not one.
const ALL_TYPES: &str = "";

/// What it keeps.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    kept: BTreeMap<(String, String), Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    said: Said,
    since: Timestamp,
    until: Timestamp,
}

impl Resolver {
    /// One question.
    pub(in crate::rehearsal) fn handle(&mut self, zone: &Zone, request: &Request, now: Timestamp) -> Reply {
        let said = match asked(request) {
            Some((name, kind)) => self.answer(zone, &name, kind, now),
            None => Said::only(FORMAT_ERROR),
        };
        said.reply(true)
    }

    fn answer(&mut self, zone: &Zone, name: &str, kind: &str, now: Timestamp) -> Said {
        self.kept.retain(|_, kept| kept.until > now);
        if let Some(kept) = self.kept(name, kind) {
            return kept.aged(now);
        }
        let said = told(zone, name, kind);
        if let Some(seconds) = seconds(&said) {
            let kind = if said.code == NO_SUCH_NAME { ALL_TYPES } else { kind };
            let kept = Kept { said: said.clone(), since: now, until: later(now, seconds.into()) };
            self.kept.insert((name.to_owned(), kind.to_owned()), kept);
        }
        said
    }

    fn kept(&self, name: &str, kind: &str) -> Option<&Kept> {
        let exact = self.kept.get(&(name.to_owned(), kind.to_owned()));
        let denied = || {
            let denials = self.kept.iter().filter(|((_, kind), _)| kind == ALL_TYPES);
            denials.map(|((above, _), kept)| (above, kept)).find(|(above, _)| is_within(name, above))
        };
        exact.or_else(|| denied().map(|(_, kept)| kept))
    }
}

impl Kept {
    fn aged(&self, now: Timestamp) -> Said {
        let age = now.duration_since(self.since).as_secs();
        let mut said = self.said.clone();
        for record in said.answers.iter_mut().chain(&mut said.authority) {
            record["ttl"] = json!(ttl(record) - age);
        }
        said
    }
}

/// What whoever knows it says.
fn told(zone: &Zone, name: &str, kind: &str) -> Said {
    if is_within(name, &zone.apex) {
        let said = zone.answer(name, kind);
        // To other servers it finds no way.
        return match said {
            Said { authoritative: false, .. } => Said::only(SERVER_FAILURE),
            said => Said { authoritative: false, additional: vec![], ..said },
        };
    }
    let code = if is_within(&zone.apex, name) { NO_ERROR } else { NO_SUCH_NAME };
    Said { code, authority: vec![soa("", zone.negative_ttl)], ..Said::default() }
}

/// For how long it may be kept.
fn seconds(said: &Said) -> Option<u32> {
    let records = match said.code {
        SERVER_FAILURE | REFUSED => return None,
        _ if said.answers.is_empty() || said.code != NO_ERROR => &said.authority,
        _ => &said.answers,
    };
    let least = records.iter().map(ttl).min()?;
    u32::try_from(least).ok().filter(|seconds| *seconds > 0)
}

fn ttl(record: &Value) -> i64 {
    record["ttl"].as_i64().unwrap_or_default()
}
