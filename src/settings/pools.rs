//! The address pools, checked: each has blocks to give, and no two share an address.
//!
//! Must never: let two environments reach one address by two ways.

use super::{
    Flags, defaults,
    file::{At, Layer, PoolLayer},
    layers::{Found, Layers, Origin, Sourced},
    values::{PoolName, Size, WhenFull},
};
use crate::{
    domain::pool::{Layout, Range},
    errors::UserError,
};
use jiff::SignedDuration;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    num::NonZeroU8,
    path::Path,
};

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// Its blocks; there is at least one.
    pub layout: Layout,
    /// How long an address that was given back is not handed out again.
    pub reuse_after: SignedDuration,
    /// Environments of one repository; 0 is no limit.
    pub max_per_repository: u32,
    /// What a run does when no block is free.
    pub when_full: WhenFull,
}

/// The pool that is meant: the one of this name, or the only one.
pub(super) fn named<'a, T>(
    pools: &'a BTreeMap<PoolName, T>,
    name: Option<&PoolName>,
) -> Result<(&'a PoolName, &'a T), UserError> {
    let names = || pools.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => pools.get_key_value(name).ok_or_else(|| {
            UserError::usage(format!("there is no pool `{name}`")).hint(format!("the pools are {}", names()))
        }),
        None => pools.first_key_value().filter(|_| pools.len() == 1).ok_or_else(|| {
            UserError::usage("there are several pools, and none is named")
                .hint(format!("name one by --pool: {}", names()))
        }),
    }
}

/// The first and the last address.
pub(super) fn ends(range: Range) -> (Ipv4Addr, Ipv4Addr) {
    // A range keeps its ends to itself; as blocks of one it shows its addresses.
    let single = NonZeroU8::MIN;
    let all = Layout { range, exclude: BTreeSet::new(), size: single, align: single };
    let mut addresses = all.blocks().map(|block| block.vip());
    let first = addresses.next().expect("a range has at least one address");
    (first, addresses.last().unwrap_or(first))
}

/// Puts the flags about a pool over the other layers: they speak of the pool that `--pool` names, or of the only one.
pub(super) fn put_flags(layers: &mut Layers, flags: &Flags, directory: &Path) -> Result<(), UserError> {
    let size = |size: NonZeroU8| At::from(Size(size));
    let said = [
        ("--range", flags.range.map(|range| PoolLayer { range: Some(range.into()), ..Default::default() })),
        (
            "--exclude",
            (!flags.exclude.is_empty())
                .then(|| PoolLayer { exclude: Some(flags.exclude.clone().into()), ..Default::default() }),
        ),
        ("--block", flags.block.map(|block| PoolLayer { block: Some(size(block)), ..Default::default() })),
        ("--align", flags.align.map(|align| PoolLayer { align: Some(size(align)), ..Default::default() })),
    ];
    for (flag, pool) in said {
        let Some(pool) = pool else { continue };
        let names = names(layers).into_iter().map(|name| (name, ())).collect();
        let (name, ()) = named(&names, flags.pool.as_ref())?;
        let layer = Layer { pools: Some(BTreeMap::from([(name.clone(), pool)])), ..Default::default() };
        let (name, base) = (flag.to_owned(), directory.to_owned());
        layers.0.push(Sourced { origin: Origin::Flag, name, root: base.clone(), base, layer });
    }
    Ok(())
}

/// Every pool that any layer names; without one, the default pool.
pub(super) fn resolve(layers: &Layers) -> Result<BTreeMap<PoolName, PoolSettings>, UserError> {
    let pools: BTreeMap<PoolName, PoolSettings> = names(layers)
        .into_iter()
        .map(|name| Ok((name.clone(), pool(layers, &name)?)))
        .collect::<Result<_, UserError>>()?;
    apart(layers, &pools)?;
    Ok(pools)
}

fn names(layers: &Layers) -> BTreeSet<PoolName> {
    let named = layers.0.iter().filter_map(|source| source.layer.pools.as_ref());
    let names: BTreeSet<PoolName> = named.flat_map(BTreeMap::keys).cloned().collect();
    if names.is_empty() { BTreeSet::from([defaults::pool()]) } else { names }
}

fn pool(layers: &Layers, name: &PoolName) -> Result<PoolSettings, UserError> {
    let range = find(layers, name, |pool| pool.range.as_ref());
    let exclude = find(layers, name, |pool| pool.exclude.as_ref());
    let block = find(layers, name, |pool| pool.block.as_ref());
    let align = find(layers, name, |pool| pool.align.as_ref());
    let size = block.map_or(defaults::BLOCK, |found| found.value.0);
    let layout = Layout {
        range: range.map_or_else(defaults::range, |found| *found.value),
        exclude: exclude.into_iter().flat_map(|found| found.value).flat_map(|e| e.addresses()).collect(),
        size,
        align: align.map_or_else(|| defaults::align(size), |found| found.value.0),
    };
    if layout.blocks().next().is_none() {
        let place = [
            range.map(|found| found.place),
            exclude.map(|found| found.place),
            block.map(|found| found.place),
            align.map(|found| found.place),
        ];
        return Err(no_block(name, &layout, place.iter().flatten().next()));
    }
    let duration = find(layers, name, |pool| pool.reuse_after.as_ref());
    let limit = find(layers, name, |pool| pool.max_per_repository.as_ref());
    let when_full = find(layers, name, |pool| pool.when_full.as_ref());
    Ok(PoolSettings {
        layout,
        reuse_after: duration.map_or(defaults::REUSE_AFTER, |found| found.value.0),
        max_per_repository: limit.map_or(defaults::MAX_PER_REPOSITORY, |found| found.value.0),
        when_full: when_full.map_or(defaults::WHEN_FULL, |found| *found.value),
    })
}

fn no_block(name: &PoolName, layout: &Layout, place: Option<&impl std::fmt::Display>) -> UserError {
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    let (first, last) = ends(layout.range);
    let excluded = layout.exclude.iter().filter(|address| (first..=last).contains(*address)).count();
    let without = match excluded {
        0 => String::new(),
        count => format!(" without the {count} excluded"),
    };
    let Layout { size, align, range, .. } = layout;
    let message = format!(
        "{place}the pool `{name}` has no block: {range}{without} holds no {size} consecutive addresses \
         (`block`) of which the first is a multiple of {align} (`align`)"
    );
    UserError::usage(message).hint("widen `range`, or lower `block` or `align`")
}

fn apart(layers: &Layers, pools: &BTreeMap<PoolName, PoolSettings>) -> Result<(), UserError> {
    let mut ranges: Vec<_> = pools
        .iter()
        .map(|(name, pool)| {
            let (first, last) = ends(pool.layout.range);
            (first, last, name, pool.layout.range)
        })
        .collect();
    ranges.sort_by_key(|(first, ..)| *first);
    for pair in ranges.windows(2) {
        let [(_, last, one, first_range), (first, _, other, second_range)] = pair else { continue };
        if first > last {
            continue;
        }
        let place = find(layers, other, |pool| pool.range.as_ref())
            .or_else(|| find(layers, one, |pool| pool.range.as_ref()))
            .map(|found| format!("{}: ", found.place))
            .unwrap_or_default();
        return Err(UserError::usage(format!(
            "{place}the pools `{one}` ({first_range}) and `{other}` ({second_range}) overlap, \
             so two environments could get one address"
        )));
    }
    Ok(())
}

fn find<'a, T>(
    layers: &'a Layers,
    name: &PoolName,
    pick: impl Fn(&PoolLayer) -> Option<&At<T>>,
) -> Option<Found<'a, T>> {
    layers.find(|layer| pick(layer.pools.as_ref()?.get(name)?))
}
