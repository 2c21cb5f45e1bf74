//! The claim and pool protocol: who may mutate, who has which addresses, and when they are free again.
//!
//! Two documents and a cluster are never atomic together, so the order of requests is the proof; each function here says
//! its order, and `tests/it/model` searches all interleavings of these very functions. Must never: change a claim
//! without having read it, then the world; write the pool without having looked at the claim after reading the pool.

mod by_name;
mod close;
mod hold;
mod open;
mod pace;

pub use by_name::{Given, Released};
pub use close::{Freed, Presence, Removed};
pub use hold::{Holding, Verified};
pub use open::Opened;
pub use pace::{Ids, Pace};

use crate::{
    clock::Clock,
    documents::claims::Claims,
    domain::{intent::Terms, pool::Layout},
};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// What hands addresses out and takes them back.
pub struct Pools {
    /// All claims, and the pool's document beside them.
    pub claims: Claims,
    /// Which blocks there are.
    pub layout: Layout,
    /// What live clusters use, whatever the documents say.
    pub taken: BTreeSet<Ipv4Addr>,
    /// How to wait between tries.
    pub pace: Pace,
    /// Of the process.
    pub clock: Clock,
}

/// One process.
pub struct Engine {
    /// The addresses.
    pub pools: Pools,
    /// The terms on which environments live.
    pub terms: Terms,
    /// Where the ids of its takings come from.
    pub ids: Ids,
}
