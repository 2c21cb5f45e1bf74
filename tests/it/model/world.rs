//! The world of the model: the documents, the pull requests, one object per environment, and the shell tool of old.

use super::{
    port::{Answer, Object, Request},
    runs::{STEP, start},
};
use berth::{
    documents::{Document, Key, Read, Version},
    domain::{
        claim::{Claim, State},
        intent::Wanted,
        names::EnvironmentName,
        pool::Pool,
        queue::COMES_WITHIN,
    },
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    net::Ipv4Addr,
    sync::Arc,
};

#[derive(Debug, Clone, Default)]
struct Kept {
    version: u32,
    content: Option<Arc<Content>>,
}

/// Parsed and hashed once: a state is looked at more often than a document is written.
#[derive(Debug)]
struct Content {
    document: Document,
    claim: Option<Claim>,
    hash: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct World {
    documents: BTreeMap<Arc<Key>, Kept>,
    pub(super) objects: BTreeMap<EnvironmentName, Object>,
    next_uid: u32,
    pub(super) open: BTreeMap<EnvironmentName, bool>,
    /// Steps of the clock so far.
    pub(super) time: u32,
    pub(super) old: OldTool,
    /// Entries that the old tool has written again after they had been taken out. Nothing but a record of ours that
    /// outlives the claim could tell them from its own; they are reported, not freed.
    pub(super) resurrected: BTreeSet<Ipv4Addr>,
    /// How many steps of the clock what is closed keeps its environment.
    pub(super) grace: u32,
    /// There is one place, and a line for it.
    pub(super) one_place: bool,
    /// How often each was called.
    pub(super) calls: BTreeMap<EnvironmentName, u32>,
    /// A store that answers a list with all that stands there, and not with names.
    pub(super) lists_at_once: bool,
    /// A store that keeps the version of a write which changes nothing: the mutant of the stores' contract.
    lazy_versions: bool,
}

/// The un-fenced tool: reads, later writes what it made of that, whatever has been written since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct OldTool {
    pub(super) program: Vec<Old>,
    read: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Old {
    Allocate,
    Release,
}

fn version(kept: Option<&Kept>) -> Version {
    match kept {
        Some(Kept { version, content: Some(_) }) => Version::opaque(version),
        // As Kubernetes has it: a document that is gone has no version, whatever it was before.
        _ => Version::opaque("absent"),
    }
}

impl World {
    /// With these pull requests open, and a store that gives every write a version or does not.
    pub(super) fn new(open: impl IntoIterator<Item = EnvironmentName>, lazy_versions: bool) -> Self {
        Self { open: open.into_iter().map(|name| (name, true)).collect(), lazy_versions, ..Self::default() }
    }

    /// With a pool that others have used before, and left empty.
    pub(super) fn used(mut self) -> Self {
        self.put(&Key::Pool, &Document::new());
        self
    }

    pub(super) fn now(&self) -> Timestamp {
        start() + STEP * self.time as i32
    }

    /// What makes two worlds one state.
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        for (key, kept) in &self.documents {
            (key, kept.version, kept.content.as_ref().map(|content| content.hash)).hash(hasher);
        }
        for (name, object) in &self.objects {
            (name, object).hash(hasher);
        }
        (self.next_uid, &self.open, self.time, &self.old, &self.resurrected, &self.calls).hash(hasher);
    }

    /// Of what a read of the document says now.
    pub(super) fn hash_of(&self, key: &Key) -> (Version, u64) {
        let kept = self.documents.get(key);
        (version(kept), kept.and_then(|kept| Some(kept.content.as_ref()?.hash)).unwrap_or_default())
    }

    /// Of what all claims say now, whatever their versions: nobody writes over what was listed.
    pub(super) fn hash_claims_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        for (key, kept) in self.documents.iter().filter(|(key, _)| ***key != Key::Pool) {
            (key, kept.content.as_ref().map(|content| content.hash)).hash(hasher);
        }
    }

    fn document(&self, key: &Key) -> Option<&Document> {
        Some(&self.documents.get(key)?.content.as_ref()?.document)
    }
    pub(super) fn pool(&self) -> Pool {
        self.document(&Key::Pool).map(Pool::parse).unwrap_or_default()
    }
    pub(super) fn claim(&self, name: &EnvironmentName) -> Option<&Claim> {
        self.documents.get(&Key::Claim(name.clone()))?.content.as_ref()?.claim.as_ref()
    }
    pub(super) fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.documents.values().filter_map(|kept| kept.content.as_ref()?.claim.as_ref())
    }

    /// Whether a claim waits for the clock: to be freed, to go, or to be given up by those behind it in line; nothing else in
    /// the model does.
    pub(super) fn cools(&self) -> bool {
        let (now, grace) = (self.now(), STEP * self.grace as i32);
        self.claims().any(|claim| match claim.state() {
            State::Waiting { called, .. } if self.one_place => {
                let has_ended = claim.reported().is_some_and(|reported| reported.by == claim.generation());
                let silent = (!has_ended).then_some(claim.taken_at());
                [*called, silent].into_iter().flatten().any(|since| since + COMES_WITHIN > now)
            }
            State::Cooling { until, .. } => *until > now,
            State::Held { closed_at: Some(closed), .. } => *closed + grace > now,
            _ => false,
        })
    }

    fn put(&mut self, key: &Key, document: &Document) -> u32 {
        let kept = self.documents.entry(Arc::new(key.clone())).or_default();
        if !(self.lazy_versions && kept.content.as_ref().is_some_and(|c| c.document == *document)) {
            kept.version += 1;
        }
        let claim = match key {
            Key::Claim(_) => serde_json::from_value(Value::Object(document.clone())).ok(),
            _ => None,
        };
        let text = serde_json::to_string(document).unwrap();
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&text);
        kept.content = Some(Arc::new(Content { document: document.clone(), claim, hash }));
        kept.version
    }

    /// One request, as a server handles it: at once, or not at all. `Err`: an invariant is broken by it.
    pub(super) fn serve(&mut self, request: &Request) -> Result<Answer, String> {
        Ok(match request {
            Request::Read(key) => {
                let version = version(self.documents.get(key));
                Answer::Read(match self.document(key) {
                    Some(document) => Read::Present { document: document.clone(), version },
                    None => Read::Absent { create: version },
                })
            }
            Request::Write { key, document, expected } => {
                if version(self.documents.get(key)) != *expected {
                    return Ok(Answer::Conflict);
                }
                if *key == Key::Pool {
                    self.nothing_is_freed_under_its_holder(document)?;
                }
                let written = self.put(key, document);
                if self.one_place && *key != Key::Pool {
                    self.one_has_the_place()?;
                }
                Answer::Written(Version::opaque(written))
            }
            Request::Remove { key, expected } => {
                if version(self.documents.get(key)) != *expected {
                    return Ok(Answer::Conflict);
                }
                if let Some(kept) = self.documents.get_mut(key) {
                    kept.content = None;
                }
                Answer::Done
            }
            Request::List if self.lists_at_once => {
                let read = |(key, kept): (&Arc<Key>, &Kept)| match (&**key, &kept.content) {
                    (Key::Claim(name), Some(content)) => {
                        let document = content.document.clone();
                        Some((name.clone(), Read::Present { document, version: version(Some(kept)) }))
                    }
                    _ => None,
                };
                Answer::Listed(self.documents.iter().filter_map(read).collect())
            }
            Request::List => Answer::Names(self.claims().map(Claim::name).collect()),
            Request::Wanted(name) => Answer::Wanted(match self.open.get(name) {
                Some(true) => Wanted::Up(None),
                _ => Wanted::Down,
            }),
            Request::Later(_) => Answer::Done,
            Request::Call(name) => {
                *self.calls.entry(name.clone()).or_default() += 1;
                Answer::Done
            }
            Request::Observe(name) => Answer::Observed(self.objects.get(name).cloned()),
            Request::Create(name) => {
                if self.objects.contains_key(name) {
                    return Ok(Answer::Conflict);
                }
                self.next_uid += 1;
                self.objects.insert(name.clone(), Object { uid: self.next_uid, active: None });
                Answer::Created(self.next_uid)
            }
            Request::Activate { name, uid, block } => {
                match self.objects.get_mut(name) {
                    Some(object) if object.uid == *uid && object.active.is_none() => {
                        object.active = Some(*block)
                    }
                    _ => return Ok(Answer::Conflict),
                }
                self.no_address_twice()?;
                Answer::Done
            }
            Request::Delete { name, seen } => {
                if self.objects.get(name) != Some(seen) {
                    return Ok(Answer::Conflict);
                }
                let claim = self.claim(name).filter(|c| matches!(c.state(), State::Held { .. }));
                if let (Some(claim), Some(_)) = (claim, seen.active) {
                    return Err(format!("{name} is deleted while it is up: {claim:?}"));
                }
                self.objects.remove(name);
                Answer::Done
            }
        })
    }

    /// An address has at most one user.
    fn no_address_twice(&self) -> Result<(), String> {
        let mut users: BTreeMap<Ipv4Addr, &EnvironmentName> = BTreeMap::new();
        for (name, object) in &self.objects {
            for address in object.active.into_iter().flat_map(|block| block.addresses()) {
                if let Some(other) = users.insert(address, name) {
                    return Err(format!("{address} is used by {other} and by {name}"));
                }
            }
        }
        Ok(())
    }

    /// Of one place there are no two who have it.
    fn one_has_the_place(&self) -> Result<(), String> {
        let having: Vec<String> = self.having().map(|claim| claim.holder().to_string()).collect();
        if having.len() > 1 {
            Err(format!("the one place is held by {}", having.join(" and by ")))
        } else {
            Ok(())
        }
    }

    /// Who has a place.
    pub(super) fn having(&self) -> impl Iterator<Item = &Claim> {
        let has = |claim: &&Claim| matches!(claim.state(), State::Held { .. }) || claim.addresses().is_some();
        self.claims().filter(has)
    }

    /// Who would have a part by this that had none; it has looked whether it is its turn.
    pub(super) fn is_given_by(&self, request: &Request) -> Option<EnvironmentName> {
        match request {
            Request::Write { key: Key::Pool, document, .. } => {
                let (pool, next) = (self.pool(), Pool::parse(document));
                let mut named = next.entries().filter_map(|(_, holder)| holder.parse().ok());
                named.find(|name| pool.held_by(name).is_empty())
            }
            Request::Write { key: Key::Claim(name), document, .. } => {
                let granted = |claim: &Claim| matches!(claim.state(), State::Waiting { granted: true, .. });
                let next = serde_json::from_value(Value::Object(document.clone())).ok()?;
                (granted(&next) && !self.claim(name).is_some_and(granted)).then(|| name.clone())
            }
            _ => None,
        }
    }

    /// What we take out of the pool, or give to another, is nobody's: its claim says that it is being freed, or is gone,
    /// and nothing uses it.
    fn nothing_is_freed_under_its_holder(&self, next: &Document) -> Result<(), String> {
        let next = Pool::parse(next);
        for (address, holder) in self.pool().entries() {
            if next.holder(address).and_then(Value::as_str) == Some(holder.as_str()) {
                continue;
            }
            let Ok(name) = holder.parse::<EnvironmentName>() else {
                return Err(format!("{address} of {holder}, no name of ours, is taken out"));
            };
            if !self.open.contains_key(&name) {
                return Err(format!("{address} of {name} is taken out, and no record of ours explains it"));
            }
            let state = self.claim(&name).map(|claim| claim.state().clone());
            if !matches!(state, None | Some(State::Cooling { .. } | State::Freeing { .. })) {
                return Err(format!("{address} is freed under {name}, whose claim is {state:?}"));
            }
            if let Some(object) = self.objects.get(&name).filter(|object| object.active.is_some()) {
                return Err(format!("{address} is freed while {name} uses it: {object:?}"));
            }
        }
        Ok(())
    }

    /// One request of the shell tool: read the pool, or put what it made of what it read. Never a compare-and-set.
    pub(super) fn old_tool_steps(&mut self) -> bool {
        let Some(todo) = self.old.program.first().copied() else { return false };
        let Some(mut map) = self.old.read.take() else {
            let document = self.document(&Key::Pool).cloned().unwrap_or_default();
            let entries = document.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
            self.old.read = Some(entries.collect());
            return true;
        };
        self.old.program.remove(0);
        match todo {
            Old::Allocate => {
                let pairs = (140..=148).step_by(2).map(|n| [n, n + 1].map(|n| format!("192.168.1.{n}")));
                let Some(pair) = pairs.into_iter().find(|pair| !map.contains_key(&pair[0])) else {
                    return true;
                };
                map.extend(pair.map(|address| (address, "pr-old-9".to_owned())));
            }
            Old::Release => map.retain(|_, name| name != "pr-old-9"),
        }
        let pool = self.pool();
        let back = map.iter().filter_map(|(key, name)| {
            let address = key.parse().ok()?;
            (pool.holder(address).and_then(Value::as_str) != Some(name)).then_some(address)
        });
        self.resurrected.extend(back);
        let document = map.into_iter().map(|(k, v)| (k, v.into())).collect();
        self.put(&Key::Pool, &document);
        true
    }
}
