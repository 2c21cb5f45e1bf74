//! What the protocol works on: the pool, the claims, and the terms on which environments live.

use super::{Ids, Pace};
use crate::{
    clock::Clock,
    documents::claims::Claims,
    domain::{intent::Terms, pool::Layout, queue::Places},
};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// What hands addresses out and takes them back.
pub struct Pools {
    /// All claims, and the pool's document beside them.
    pub claims: Claims,
    /// Which blocks there are.
    pub layout: Layout,
    /// What has room for whom: who waits for one of these waits in line.
    pub places: Places,
    /// What live clusters use, whatever the documents say.
    pub taken: BTreeSet<Ipv4Addr>,
    /// How to wait between tries.
    pub pace: Pace,
    /// Of the process.
    pub clock: Clock,
}

/// One process's part in it.
pub struct Protocol {
    /// The addresses.
    pub pools: Pools,
    /// The terms on which environments live.
    pub terms: Terms,
    /// Where the ids of its takings come from.
    pub ids: Ids,
}
