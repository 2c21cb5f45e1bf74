//! All that a sweep rests on, read side by side.
//!
//! Must never: take a list of which a part is missing for the whole; lose that something could not be read.

use super::{Counts, Sweeper};
use crate::{
    documents::{claims::Listed, installation::installation},
    domain::{
        claim::Claim,
        history::Life,
        holder::Holder,
        intent::Wanted,
        names::{EnvironmentName, HeadSha, PrNumber, RepoName},
        scope::Scope,
        sweep::{Entry, Found, Trace},
    },
    errors::explain,
    steps::{Field, tests},
};
use anyhow::Result;
use futures::{
    StreamExt as _, TryStreamExt as _,
    future::{try_join_all, try_join3},
    stream,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// What stands under names that nobody claims.
struct Unclaimed {
    entries: BTreeMap<EnvironmentName, BTreeSet<Entry>>,
    /// The addresses of live clusters, if there are any entries.
    in_use: BTreeSet<Ipv4Addr>,
}

fn entry((address, name): (Ipv4Addr, String)) -> Entry {
    Entry { what: format!("{address} {name}"), name, address: Some(address) }
}

impl Sweeper {
    pub(super) async fn read(&self) -> Result<(Found, Counts)> {
        let (engine, pools) = (&self.engine, &self.engine.protocol.pools);
        let (store, began) = (pools.claims.store(), pools.clock.now());
        let documents = try_join3(
            engine.patiently(async || pools.claims.list().await),
            engine.patiently(async || pools.look().await),
            engine.patiently(async || super::last(store).await),
        );
        let ((listed, pool, last), names) =
            futures::future::try_join(documents, engine.patiently(async || store.names().await)).await?;
        let (mut claims, mut unreadable) = (Vec::new(), BTreeMap::new());
        for Listed { name, claim } in listed {
            match claim {
                Ok(claim) => claims.push(claim),
                Err(error) => drop(unreadable.insert(name, explain(&error))),
            }
        }
        let claimed: BTreeSet<EnvironmentName> =
            claims.iter().map(Claim::name).chain(unreadable.keys().cloned()).collect();
        let unclaimed = &names - &claimed;
        let (mut traces, mut looked, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
        for ground in &self.grounds {
            match self.traces(ground, &unclaimed, &claims).await {
                Ok(found) => {
                    traces.extend(found);
                    looked.push((ground.provider, ground.context.clone()));
                }
                Err(error) => unseen.push((ground.name.clone(), explain(&error))),
            }
        }
        let in_pool: BTreeSet<Entry> = pool.entries().map(entry).collect();
        let (mut entries, mut used) = (in_pool.clone(), BTreeSet::new());
        match self.unclaimed_entries(&in_pool, &unclaimed).await {
            Ok(Unclaimed { entries: all, in_use }) => {
                for (name, history) in self.explained(&all, &in_use).await {
                    match history {
                        Ok(found) => traces.extend(found),
                        Err(error) => unseen.push((format!("the history of {name}"), explain(&error))),
                    }
                }
                let is_used = |entry: &Entry| entry.address.is_some_and(|address| in_use.contains(&address));
                let of = all.iter().filter(|(_, entries)| entries.iter().any(is_used));
                used = of.map(|(name, _)| name.clone()).collect();
                entries.extend(all.into_values().flatten());
            }
            Err(error) => unseen.push(("entries that nobody claims".to_owned(), explain(&error))),
        }
        let mut known = BTreeSet::new();
        traces.retain(|trace: &Trace| known.insert((trace.what.clone(), trace.id.clone())));
        let named = engine.patiently(async || installation(store).await).await?;
        let installation = named.or_else(|| claims.iter().find_map(|claim| claim.uid().installation()));
        let is_ours = |trace: &Trace| match (&trace.object, &trace.life, &installation) {
            (None, ..) => true,
            (Some(_), Some(life), Some(installation)) => life.is_of(installation),
            (Some(_), ..) => false,
        };
        let others = traces.iter().filter(|trace| !claimed.contains(&trace.name) && !is_ours(trace));
        let others: BTreeSet<EnvironmentName> = others.map(|trace| trace.name.clone()).collect();
        traces.retain(|trace| claimed.contains(&trace.name) || is_ours(trace));
        let objects = traces.iter().filter(|trace| trace.object.is_some()).count();
        let since = self.claimed_since(&traces, &claimed).await?;
        traces.retain(|trace| !since.contains(&trace.name));
        // What is left of an environment goes with its entries, by its name.
        let names = claimed.iter().chain(&since).chain(traces.iter().map(|trace| &trace.name));
        let ours: BTreeSet<&str> = names.map(AsRef::as_ref).collect();
        let is_foreign = |entry: &Entry| !ours.contains(entry.name.as_str());
        let foreign = entries.into_iter().filter(is_foreign).map(|entry| entry.what).collect();
        let (wanted, open_pull_requests) = self.wanted(&claims, &traces, &claimed).await;
        let counts = Counts {
            claims: claims.len() + unreadable.len(),
            objects,
            pool_entries: in_pool.len(),
            open_pull_requests,
        };
        Ok((
            Found { claims, unreadable, traces, foreign, wanted, began, last, looked, unseen, others, used },
            counts,
        ))
    }

    /// What bears our marks in one place.
    async fn traces(
        &self,
        ground: &super::Ground,
        unclaimed: &BTreeSet<EnvironmentName>,
        claims: &[Claim],
    ) -> Result<Vec<Trace>> {
        let engine = &self.engine;
        let removal = ground.nothing();
        let provider = engine.patiently(async || engine.providers.of(&removal).await).await?;
        let field = Field {
            provider: &*provider,
            context: ground.context.as_ref(),
            store: engine.protocol.pools.claims.store(),
            unclaimed,
            hands_over: claims.iter().any(|claim| !claim.removal().elsewhere.is_empty()),
        };
        let each = ground.steps.iter().map(|step| engine.patiently(async || step.traces(&field).await));
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// The entries of each name that nobody claims, in the pool and in what steps keep, and what live clusters use.
    async fn unclaimed_entries(
        &self,
        in_pool: &BTreeSet<Entry>,
        unclaimed: &BTreeSet<EnvironmentName>,
    ) -> Result<Unclaimed> {
        let engine = &self.engine;
        let steps = self.grounds.iter().flat_map(|ground| &ground.steps);
        let kept = try_join_all(steps.map(|step| engine.patiently(async || step.entries().await))).await?;
        let mut entries: BTreeMap<EnvironmentName, BTreeSet<Entry>> = BTreeMap::new();
        for entry in in_pool.iter().cloned().chain(kept.into_iter().flatten()) {
            if let Some(name) = entry.name.parse().ok().filter(|name| unclaimed.contains(name)) {
                entries.entry(name).or_default().insert(entry);
            }
        }
        let in_use = if entries.is_empty() { BTreeSet::new() } else { self.in_use().await? };
        Ok(Unclaimed { entries, in_use })
    }

    /// Of each name, its entries, if its last life had the addresses of all of them, and nothing uses any: the shell tool of
    /// old, which writes whole documents, may have brought them back. They go by name, so it is all of them, or none.
    async fn explained(
        &self,
        all: &BTreeMap<EnvironmentName, BTreeSet<Entry>>,
        in_use: &BTreeSet<Ipv4Addr>,
    ) -> Vec<(EnvironmentName, Result<Vec<Trace>>)> {
        let (engine, store) = (&self.engine, self.engine.protocol.pools.claims.store());
        let each = all.iter().map(async |(name, entries)| {
            let history = engine.patiently(async || tests::past(store, name).await).await;
            let found = history.map(|history| {
                // What only waited, or was only an orphan, had none of its own.
                let life = history.lives().iter().rev().find(|life| !life.addresses.is_empty());
                // A bare name is anybody's: by hand, an entry may have been given to it again.
                let life = life.filter(|life| !matches!(life.holder, Holder::Named(_)));
                let is_of = |life: &&Life| {
                    let had = |address| life.addresses.contains(&address) && !in_use.contains(&address);
                    entries.iter().all(|entry| entry.address.is_some_and(had))
                };
                let trace = |life: &Life, what: &str| Trace {
                    name: name.clone(),
                    holder: Some(life.holder.clone()),
                    what: what.to_owned(),
                    life: Some(life.uid.clone()),
                    id: life.uid.to_string(),
                    object: None,
                    held_by: None,
                };
                let of = |life| entries.iter().map(move |entry| trace(life, &entry.what));
                life.filter(is_of).into_iter().flat_map(of).collect()
            });
            (name.clone(), found)
        });
        stream::iter(each).buffered(super::SIDE_BY_SIDE).collect().await
    }

    /// What any live cluster uses.
    pub(super) async fn in_use(&self) -> Result<BTreeSet<Ipv4Addr>> {
        let (engine, mut all) = (&self.engine, BTreeSet::new());
        for ground in &self.grounds {
            let removal = ground.nothing();
            let provider = engine.patiently(async || engine.providers.of(&removal).await).await?;
            let scope = Scope::nobodys(removal);
            all.extend(engine.patiently(async || provider.in_use(&scope).await).await?);
        }
        Ok(all)
    }

    /// Who has been claimed since the claims were listed, so that what is just being made is nobody's orphan.
    async fn claimed_since(
        &self,
        traces: &[Trace],
        claimed: &BTreeSet<EnvironmentName>,
    ) -> Result<BTreeSet<EnvironmentName>> {
        let (engine, claims) = (&self.engine, &self.engine.protocol.pools.claims);
        let names: BTreeSet<&EnvironmentName> = traces.iter().map(|trace| &trace.name).collect();
        let names = names.into_iter().filter(|name| !claimed.contains(*name));
        let looks = names.map(async |name| {
            let basis = engine.patiently(async || claims.read(name).await).await?;
            Ok::<_, anyhow::Error>(basis.claim().map(|_| name.clone()))
        });
        let looks: Vec<_> = stream::iter(looks).buffered(super::SIDE_BY_SIDE).try_collect().await?;
        Ok(looks.into_iter().flatten().collect())
    }

    /// What everybody wants, who has a claim or has left something.
    async fn wanted(
        &self,
        claims: &[Claim],
        traces: &[Trace],
        claimed: &BTreeSet<EnvironmentName>,
    ) -> (BTreeMap<EnvironmentName, Result<Wanted, String>>, usize) {
        let mut all: Vec<(Holder, Option<&Claim>)> =
            claims.iter().map(|claim| (claim.holder().clone(), Some(claim))).collect();
        let (mut orphans, mut nobodys) = (BTreeMap::new(), BTreeSet::new());
        for trace in traces.iter().filter(|trace| !claimed.contains(&trace.name)) {
            let holder = trace.holder.clone().filter(|holder| holder.name() == trace.name);
            match holder {
                Some(holder @ (Holder::PullRequest(_) | Holder::MergeGroup { .. })) => {
                    orphans.insert(trace.name.clone(), holder);
                }
                // Nobody but its claim has said that it is wanted.
                _ => drop(nobodys.insert(trace.name.clone())),
            }
        }
        nobodys.retain(|name| !orphans.contains_key(name));
        all.extend(orphans.into_values().map(|holder| (holder, None)));
        let (engine, mut pulls) =
            (&self.engine, BTreeMap::<&RepoName, Vec<(EnvironmentName, PrNumber)>>::new());
        let mut others = Vec::new();
        for (holder, claim) in &all {
            match holder {
                Holder::PullRequest(of) => {
                    pulls.entry(&of.repo).or_default().push((holder.name(), of.number))
                }
                other => others.push((other, *claim)),
            }
        }
        let others = others.into_iter().map(async |(holder, claim)| {
            let asked = engine.patiently(async || engine.wishes.of(holder, claim).await).await;
            (holder.name(), asked.map(|asked| asked.wanted).map_err(|error| explain(&error)))
        });
        let lists = pulls.iter().map(async |(repo, all)| {
            let open = engine.patiently(async || engine.wishes.open_pulls(repo).await).await;
            (all, open.map_err(|error| explain(&error)))
        });
        let mut wanted: BTreeMap<_, _> = stream::iter(others).buffered(super::SIDE_BY_SIDE).collect().await;
        let lists: Vec<_> = stream::iter(lists).buffered(super::SIDE_BY_SIDE).collect().await;
        let count = lists.iter().filter_map(|(_, open)| open.as_ref().ok()).map(BTreeMap::len).sum();
        for (all, open) in lists {
            wanted.extend(all.iter().map(|(name, number)| {
                let of = |open: &BTreeMap<PrNumber, HeadSha>| {
                    open.get(number).map_or(Wanted::Down, |head| Wanted::Up(Some(head.clone())))
                };
                (name.clone(), open.as_ref().map(of).map_err(Clone::clone))
            }));
        }
        wanted.extend(nobodys.into_iter().map(|name| (name, Ok(Wanted::Down))));
        (wanted, count)
    }
}
