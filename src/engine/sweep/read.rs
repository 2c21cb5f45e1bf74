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
        let entries: Vec<_> = pool.entries().collect();
        match self.explained(&entries, &unclaimed).await {
            Ok(histories) => {
                for (name, history) in histories {
                    match history {
                        Ok(found) => traces.extend(found),
                        Err(error) => unseen.push((format!("the history of {name}"), explain(&error))),
                    }
                }
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
        let foreign = entries.iter().filter(|(_, name)| !ours.contains(name.as_str())).cloned().collect();
        let (wanted, open_pull_requests) = self.wanted(&claims, &traces, &claimed).await;
        let counts = Counts {
            claims: claims.len() + unreadable.len(),
            objects,
            pool_entries: entries.len(),
            open_pull_requests,
        };
        Ok((
            Found { claims, unreadable, traces, foreign, wanted, began, last, looked, unseen, others },
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

    /// Of each name that nobody claims, its entries, in the pool and in what steps keep, whose very addresses its last life
    /// has had, and which nothing uses: the shell tool of old, which writes whole documents, may have brought them back.
    async fn explained(
        &self,
        pool: &[(Ipv4Addr, String)],
        unclaimed: &BTreeSet<EnvironmentName>,
    ) -> Result<Vec<(EnvironmentName, Result<Vec<Trace>>)>> {
        let (engine, store) = (&self.engine, self.engine.protocol.pools.claims.store());
        let steps = self.grounds.iter().flat_map(|ground| &ground.steps);
        let kept = try_join_all(steps.map(|step| engine.patiently(async || step.entries().await))).await?;
        let entry = |(address, name): &(Ipv4Addr, String)| Entry {
            name: name.clone(),
            address: *address,
            what: format!("{address} {name}"),
        };
        let mut names: BTreeMap<EnvironmentName, BTreeSet<Entry>> = BTreeMap::new();
        for entry in pool.iter().map(entry).chain(kept.into_iter().flatten()) {
            if let Some(name) = entry.name.parse().ok().filter(|name| unclaimed.contains(name)) {
                names.entry(name).or_default().insert(entry);
            }
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let used = self.in_use().await?;
        let each = names.into_iter().map(async |(name, entries)| {
            let history = engine.patiently(async || tests::past(store, &name).await).await;
            let found = history.map(|history| {
                // They go by name: all of them, or none.
                let is_used = entries.iter().any(|entry| used.contains(&entry.address));
                // A bare name is anybody's: by hand, an entry may have been given to it again.
                let is_of_an_event = |life: &&Life| !matches!(life.holder, Holder::Named(_));
                let life = history.lives().last().filter(|_| !is_used).filter(is_of_an_event);
                let trace = |life: &Life, what| Trace {
                    name: name.clone(),
                    holder: Some(life.holder.clone()),
                    what,
                    life: Some(life.uid.clone()),
                    id: life.uid.to_string(),
                    object: None,
                    held_by: None,
                };
                let ours = entries.into_iter().filter_map(|entry| {
                    let life = life.filter(|life| life.addresses.contains(&entry.address))?;
                    Some(trace(life, entry.what))
                });
                ours.collect()
            });
            (name, found)
        });
        Ok(stream::iter(each).buffered(super::SIDE_BY_SIDE).collect().await)
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
