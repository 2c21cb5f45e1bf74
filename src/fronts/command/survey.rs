//! Who has which address of a pool: its document, the claims and what live clusters use, laid side by side.
//!
//! Must never: call a block free that any of the three has.

use crate::{
    domain::{
        claim::{Claim, State},
        names::EnvironmentName,
        pool::{Block, Layout, Pool},
    },
    engine::Pools,
};
use anyhow::Result;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeSet, net::Ipv4Addr};

/// See the module.
pub(super) struct Survey {
    /// Every block of the pool, in order.
    pub(super) slots: Vec<Slot>,
    /// What the document says about addresses that are in no block of this pool.
    pub(super) elsewhere: Vec<Entry>,
    /// Why some claims are not among those that were laid beside it.
    pub(super) unreadable: Vec<anyhow::Error>,
}

pub(super) struct Slot {
    pub(super) block: Block,
    /// None: it is free.
    pub(super) entries: Vec<Entry>,
}

/// One address that is taken.
#[derive(Serialize)]
pub(super) struct Entry {
    pub(super) address: Ipv4Addr,
    /// As the document has it, whatever that is; else whose claim it is.
    pub(super) name: Value,
    pub(super) claim: Option<Tenure>,
    #[serde(skip)]
    by: By,
}

/// Who says that it is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Document,
    Claim,
    Cluster,
}

/// What its claim says: whose it is, since when, how far it is.
#[derive(Clone, Serialize)]
pub(super) struct Tenure {
    name: EnvironmentName,
    #[serde(flatten)]
    is: Is,
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Is {
    Known {
        holder: String,
        state: &'static str,
        since: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        #[serde(skip)]
        words: String,
    },
    /// It is there, and that is all that can be said.
    Unreadable { state: &'static str },
}

impl Survey {
    /// Reads the document first and the claims after it, as an allocation does.
    pub(super) async fn of(pools: &Pools) -> Result<Self> {
        let pool = pools.look().await?;
        let (mut claims, mut names, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for listed in pools.claims.list().await? {
            match listed.claim {
                Ok(claim) => claims.push(claim),
                Err(error) => {
                    unreadable.push(error);
                    names.push(listed.name);
                }
            }
        }
        let survey = Self::over(&pool, (&claims, &names), &pools.layout, &pools.taken, pools.clock.now());
        Ok(Self { unreadable, ..survey })
    }

    /// Of a pool that is laid out so, by what was read before: claims, and the names of those that cannot be read.
    pub(super) fn over(
        pool: &Pool,
        (claims, unread): (&[Claim], &[EnvironmentName]),
        layout: &Layout,
        live: &BTreeSet<Ipv4Addr>,
        now: Timestamp,
    ) -> Self {
        let unread = unread.iter().cloned();
        let unread = unread.map(|name| Tenure { name, is: Is::Unreadable { state: "unreadable" } });
        let tenures: Vec<Tenure> = claims.iter().map(|claim| Tenure::of(claim, now)).chain(unread).collect();
        let all = Sources { pool, claims, tenures: &tenures, live };
        let slot =
            |block: Block| Slot { block, entries: block.addresses().filter_map(|a| all.entry(a)).collect() };
        let slots: Vec<Slot> = layout.blocks().map(slot).collect();
        let inside: BTreeSet<Ipv4Addr> = slots.iter().flat_map(|slot| slot.block.addresses()).collect();
        let outside = pool.entries().map(|(address, _)| address).filter(|address| !inside.contains(address));
        let elsewhere = outside.filter_map(|address| all.entry(address)).collect();
        Self { elsewhere, slots, unreadable: Vec::new() }
    }

    /// The blocks that nobody has.
    pub(super) fn free(&self) -> impl Iterator<Item = Block> {
        self.slots.iter().filter(|slot| slot.entries.is_empty()).map(|slot| slot.block)
    }
}

impl Slot {
    /// What has it, in a word or two; `None`: it is free.
    pub(super) fn word(&self) -> Option<&'static str> {
        self.entries.iter().map(Entry::word).next()
    }
}

struct Sources<'a> {
    pool: &'a Pool,
    claims: &'a [Claim],
    tenures: &'a [Tenure],
    live: &'a BTreeSet<Ipv4Addr>,
}

impl Sources<'_> {
    /// `None`: nobody has it.
    fn entry(&self, address: Ipv4Addr) -> Option<Entry> {
        let holds = |claim: &&Claim| claim.addresses().is_some_and(|b| b.addresses().any(|a| a == address));
        let claimed = self.claims.iter().find(holds).map(Claim::name);
        let (name, by) = match (self.pool.holder(address), &claimed) {
            (Some(name), _) => (name.clone(), By::Document),
            (None, Some(name)) => (name.as_ref().into(), By::Claim),
            (None, None) if self.live.contains(&address) => (Value::Null, By::Cluster),
            (None, None) => return None,
        };
        // A claim that lists the address says more than one that only bears the name.
        let of = claimed.as_ref().map(AsRef::as_ref).or_else(|| name.as_str());
        let claim = self.tenures.iter().find(|tenure| Some(tenure.name.as_ref()) == of).cloned();
        Some(Entry { address, name, claim, by })
    }
}

impl Entry {
    /// Whose it is, in one word.
    pub(super) fn whose(&self) -> String {
        match (&self.name, self.by) {
            (_, By::Cluster) => "a live cluster".to_owned(),
            // What could break a line or colour a terminal is shown as JSON writes it.
            (Value::String(name), _)
                if !name.is_empty() && !name.contains(|c: char| !c.is_ascii_graphic()) =>
            {
                name.clone()
            }
            (other, _) => other.to_string(),
        }
    }

    /// What its claim does with it.
    fn word(&self) -> &'static str {
        match self.claim.as_ref().map(|claim| &claim.is) {
            None => "not ours",
            Some(Is::Known { state, .. } | Is::Unreadable { state }) => state,
        }
    }

    /// What there is to say beside it; empty: nothing.
    pub(super) fn remarks(&self) -> String {
        let mut remarks = Vec::new();
        if let (Value::String(name), Some(claim)) = (&self.name, &self.claim)
            && *name != claim.name.as_ref()
        {
            remarks.push(format!("claimed by {}", claim.name));
        }
        remarks.extend(self.claim.as_ref().map(ToString::to_string));
        if !self.name.is_string() && self.by == By::Document {
            remarks.push("no name, taken all the same".to_owned());
        }
        if self.by == By::Claim {
            remarks.push("lost from the document, taken all the same".to_owned());
        }
        remarks.join("; ")
    }

    /// When its claim lets it go, if that is known.
    pub(super) fn until(&self) -> Option<Timestamp> {
        match self.claim.as_ref()?.is {
            Is::Known { until, .. } => until,
            Is::Unreadable { .. } => None,
        }
    }
}

impl Tenure {
    pub(super) fn of(claim: &Claim, now: Timestamp) -> Self {
        let (since, until) = match claim.state() {
            State::Waiting { since, .. } => (*since, None),
            State::Cooling { until, .. } => (claim.created(), Some(*until)),
            State::Held { .. } | State::Draining { .. } | State::Freeing { .. } => (claim.created(), None),
        };
        let words = match claim.state() {
            State::Waiting { .. } => format!("waiting since {}", time(since, now)),
            State::Held { closed_at: None, .. } => format!("held, claimed {}", time(since, now)),
            State::Held { closed_at: Some(closed), .. } => {
                format!("held, claimed {}, closed {}", time(since, now), time(*closed, now))
            }
            State::Draining { .. } => format!("draining, claimed {}", time(since, now)),
            State::Cooling { until, .. } => format!("cooling until {}", time(*until, now)),
            State::Freeing { .. } => format!("being freed, claimed {}", time(since, now)),
        };
        let (holder, state) = (claim.holder().to_string(), claim.state().word());
        Self { name: claim.name(), is: Is::Known { holder, state, since, until, words } }
    }
}

impl std::fmt::Display for Tenure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.is {
            // A bare name need not be said twice.
            Is::Known { holder, words, .. } if *holder == self.name.as_ref() => f.write_str(words),
            Is::Known { holder, words, .. } => write!(f, "{holder}, {words}"),
            Is::Unreadable { .. } => f.write_str("its claim cannot be read"),
        }
    }
}

/// As people write it: `24 Jan 12:06 UTC`; with its year, if that is not this one.
pub(super) fn time(at: Timestamp, now: Timestamp) -> String {
    let year = |time: Timestamp| time.to_zoned(TimeZone::UTC).year();
    let format = if year(at) == year(now) { "%-d %b %H:%M UTC" } else { "%-d %b %Y %H:%M UTC" };
    at.strftime(format).to_string()
}
