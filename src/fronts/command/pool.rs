//! `berth pool`: what the shell tool of old did, in its words where scripts may read them.
//!
//! Must never: print more than the VIP for an allocation, however often it is asked for; call a pool full, or a name's
//! addresses free, that could not be read.

use super::{
    Answer, shown,
    survey::{Entry, Survey, Tenure, time},
};
use crate::{
    cli::{Output, PoolVerb},
    domain::{
        holder::Holder,
        names::EnvironmentName,
        pool::{Allocation, Block},
    },
    engine::{Given, Pools, Released},
    errors::{Exit, UserError},
    settings::PoolName,
};
use anyhow::Result;
use serde::Serialize;
use std::{fmt::Write as _, net::Ipv4Addr};

/// Blocks of a full pool that are shown at once.
const SHOWN: usize = 20;

/// Does it.
pub(crate) async fn run(verb: &PoolVerb, pool: &PoolName, pools: &Pools, output: Output) -> Result<Answer> {
    match verb {
        PoolVerb::Allocate { name } => allocate(name, pool, pools, output).await,
        PoolVerb::Release { name } => release(name, pools, output).await,
        PoolVerb::List => list(pool, pools, output).await,
        PoolVerb::CheckCapacity => check_capacity(pool, pools, output).await,
    }
}

#[derive(Serialize)]
struct Free {
    vip: Ipv4Addr,
    addresses: Block,
}

impl From<Block> for Free {
    fn from(block: Block) -> Self {
        Self { vip: block.vip(), addresses: block }
    }
}

async fn allocate(name: &EnvironmentName, pool: &PoolName, pools: &Pools, output: Output) -> Result<Answer> {
    #[derive(Serialize)]
    struct Answered<'a> {
        name: &'a EnvironmentName,
        #[serde(flatten)]
        block: Free,
        outcome: &'static str,
    }
    let allocation = match pools.allocate(name).await? {
        Given::Pool(allocation) => allocation,
        Given::Claimed(holder) => {
            let refused = claimed(name, &holder, pools, "so its addresses are not given out by name").await?;
            return Err(refused.hint("`berth pool list` shows them; they go with its environment").into());
        }
    };
    let (block, outcome, said) = match allocation {
        Allocation::New(block) => (block, "new", format!("allocated {block} to {name}")),
        Allocation::Already(block) => (block, "already", format!("{name} already has {block}")),
        Allocation::Completed(block) => {
            let lost = "part of it had been lost from the pool, and has been put back";
            (block, "completed", format!("{name} already has {block}; {lost}"))
        }
        Allocation::Full => return Err(full(pool, pools).await.into()),
    };
    let given = Answered { name, block: block.into(), outcome };
    Ok(Answer::done(shown(output, &given, || format!("{}\n", block.vip()))?, said))
}

/// Who has it all, as it is a moment later, and what can be done about it.
async fn full(pool: &PoolName, pools: &Pools) -> UserError {
    let total = pools.layout.blocks().count();
    let taken = if total == 1 {
        "its one block is taken".to_owned()
    } else {
        format!("all {total} blocks are taken")
    };
    let mut message = format!("the pool `{pool}` is full: {taken}");
    let larger = format!("give the pool a larger range (`pools.{pool}.range`)");
    // That it is full is certain, and more than a second look that failed.
    let Ok(survey) = Survey::of(pools).await else {
        return UserError::new(Exit::PoolFull, message).hint(larger);
    };
    let taken: Vec<_> = survey.slots.iter().filter(|slot| !slot.entries.is_empty()).collect();
    let width = taken.iter().map(|slot| slot.block.to_string().len()).max().unwrap_or_default();
    for slot in taken.iter().take(SHOWN) {
        let mut whose: Vec<String> = slot.entries.iter().map(described).collect();
        whose.dedup();
        // Writing to a String cannot fail.
        let _ = write!(message, "\n  {:width$}  {}", slot.block.to_string(), whose.join(", "));
    }
    if let Some(more) = taken.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = write!(message, "\n  and {more} more: `berth pool list` shows all");
    }
    let mut hints = Vec::new();
    let entries = || taken.iter().flat_map(|slot| &slot.entries);
    let now = pools.clock.now();
    let ends = entries().filter_map(|entry| Some((entry.until().filter(|until| *until > now)?, entry)));
    if let Some((until, entry)) = ends.min_by_key(|(until, _)| *until) {
        hints.push(format!("wait for {} until {}", entry.whose(), time(until, now)));
    }
    if entries().any(|entry| entry.claim.is_none()) {
        hints.push("release a name that is no longer used (`berth pool release NAME`)".to_owned());
    }
    hints.push(larger);
    UserError::new(Exit::PoolFull, message).hint(hints.join("\n   or "))
}

fn described(entry: &Entry) -> String {
    match entry.remarks() {
        none if none.is_empty() => entry.whose(),
        remarks => format!("{} ({remarks})", entry.whose()),
    }
}

async fn release(name: &EnvironmentName, pools: &Pools, output: Output) -> Result<Answer> {
    #[derive(Serialize)]
    struct Freed<'a> {
        name: &'a EnvironmentName,
        freed: &'a [Ipv4Addr],
    }
    let (freed, said) = match pools.release(name).await? {
        Released::Freed(freed) => {
            let whole = Block::try_from(freed.clone()).map(|block| block.to_string());
            let each = || freed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let said = format!("released {} from {name}", whole.unwrap_or_else(|_| each()));
            (freed, said)
        }
        Released::Nothing => {
            (Vec::new(), format!("warning: {name} has no address in the pool; nothing was changed"))
        }
        Released::Claimed(holder) => {
            let refused = claimed(name, &holder, pools, "so its addresses are not released").await?;
            return Err(refused
                .hint("the removal of its environment frees them, once they have cooled")
                .into());
        }
    };
    let text = || freed.first().map(|address| format!("{address}\n")).unwrap_or_default();
    Ok(Answer::done(shown(output, &Freed { name, freed: &freed }, text)?, said))
}

/// Whose the name is, and how far that is.
async fn claimed(name: &EnvironmentName, holder: &Holder, pools: &Pools, so: &str) -> Result<UserError> {
    // It may have moved on, or ended, since it was in the way.
    let basis = pools.claims.read(name).await?;
    let state = match basis.claim() {
        Some(claim) => Tenure::of(claim, pools.clock.now()).to_string(),
        None => format!("{holder}, until a moment ago"),
    };
    Ok(UserError::usage(format!("{name} is claimed, {so}: {state}")))
}

#[derive(Serialize)]
struct Blocks {
    free: usize,
    taken: usize,
    total: usize,
}

impl Blocks {
    fn of(survey: &Survey) -> Self {
        let (free, total) = (survey.free().count(), survey.slots.len());
        Self { free, taken: total - free, total }
    }
}

async fn list(pool: &PoolName, pools: &Pools, output: Output) -> Result<Answer> {
    #[derive(Serialize)]
    struct Listed<'a> {
        pool: &'a str,
        blocks: &'a Blocks,
        allocations: Vec<&'a Entry>,
        available: Vec<Free>,
        elsewhere: &'a [Entry],
    }
    let survey = Survey::of(pools).await?;
    let blocks = Blocks::of(&survey);
    let listed = Listed {
        pool: pool.as_ref(),
        blocks: &blocks,
        allocations: survey.slots.iter().flat_map(|slot| &slot.entries).collect(),
        available: survey.free().map(Free::from).collect(),
        elsewhere: &survey.elsewhere,
    };
    let data = shown(output, &listed, || table(&survey, &blocks, &listed.allocations))?;
    let unreadable = survey.unreadable.into_iter().next();
    Ok(Answer { data, said: String::new(), end: unreadable.map_or(Ok(Exit::Done), Err) })
}

fn table(survey: &Survey, Blocks { free, total, .. }: &Blocks, allocations: &[&Entry]) -> String {
    let addresses: usize = survey.slots.iter().map(|slot| slot.block.addresses().count()).sum();
    let mut text = format!("Current IP Allocations ({}/{addresses} used):\n", allocations.len());
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let entry = |entry: &Entry| format!("{} -> {}", entry.address, described(entry));
    allocations.iter().for_each(|allocation| line(entry(allocation)));
    if allocations.is_empty() {
        line("No IPs currently allocated".to_owned());
    }
    // What cannot be read may hold any of them.
    let most = if survey.unreadable.is_empty() { "" } else { "at most " };
    line(format!("\nAvailable IPs ({most}{free} of {total} blocks free):"));
    survey.free().for_each(|block| line(block.to_string()));
    if *free == 0 {
        line("none".to_owned());
    }
    if !survey.elsewhere.is_empty() {
        line("\nOutside of this pool:".to_owned());
        survey.elsewhere.iter().for_each(|elsewhere| line(entry(elsewhere)));
    }
    text
}

async fn check_capacity(pool: &PoolName, pools: &Pools, output: Output) -> Result<Answer> {
    #[derive(Serialize)]
    struct Capacity<'a> {
        pool: &'a str,
        blocks: &'a Blocks,
    }
    let survey = Survey::of(pools).await?;
    let blocks = Blocks::of(&survey);
    if let Some(unreadable) = survey.unreadable.into_iter().next() {
        // It may hold any of the blocks that look free.
        return Err(unreadable);
    }
    let Blocks { free, total, .. } = blocks;
    let (exit, text) = match free {
        0 => (Exit::PoolFull, format!("At capacity: 0 of {total} slots free\n")),
        _ => (Exit::Done, format!("Capacity available: {free} slots free\n")),
    };
    let data = shown(output, &Capacity { pool: pool.as_ref(), blocks: &blocks }, || text)?;
    Ok(Answer { data, said: String::new(), end: Ok(exit) })
}
