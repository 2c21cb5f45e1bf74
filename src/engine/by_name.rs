//! Addresses for a bare name, as the shell tool of old gives them: the pool's document alone, no claim.
//!
//! Must never: free what a claim holds, nor give it out, be it under the very name; give out what a claim holds where the
//! document has lost it.

use super::{Pools, hold::Change};
use crate::{
    documents::Key,
    domain::{
        holder::Holder,
        names::EnvironmentName,
        pool::{Allocation, Pool},
    },
};
use anyhow::Result;
use std::net::Ipv4Addr;

/// What came of the wish for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// As the pool has it.
    Pool(Allocation),
    /// A claim holds the name: its addresses are its environment's, and go with it.
    Claimed(Holder),
}

/// What came of giving back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// These are free now.
    Freed(Vec<Ipv4Addr>),
    /// The name had none.
    Nothing,
    /// A claim holds the name: its removal frees them, in its own time.
    Claimed(Holder),
}

impl Pools {
    /// A block for a name; the same one if it has one.
    pub async fn allocate(&self, name: &EnvironmentName) -> Result<Given> {
        self.change(async |pool| {
            let claims = self.claims.readable().await?;
            if let Some(claim) = claims.iter().find(|claim| claim.name() == *name) {
                return Ok(Change::Keep(Given::Claimed(claim.holder().clone())));
            }
            let given = pool.allocate(name, &self.layout, &self.taken_beside(claims));
            Ok(match given {
                Allocation::Completed(_) | Allocation::New(_) => Change::Write(Given::Pool(given)),
                Allocation::Already(_) | Allocation::Full => Change::Keep(Given::Pool(given)),
            })
        })
        .await
    }

    /// Frees what stands under a name, unless a claim holds it.
    pub async fn release(&self, name: &EnvironmentName) -> Result<Released> {
        self.change(async |pool| {
            if let Some(claim) = self.claims.read(name).await?.claim() {
                return Ok(Change::Keep(Released::Claimed(claim.holder().clone())));
            }
            let freed = pool.held_by(name);
            if freed.is_empty() {
                return Ok(Change::Keep(Released::Nothing));
            }
            pool.free(name);
            Ok(Change::Write(Released::Freed(freed)))
        })
        .await
    }

    /// What the pool's document says now.
    pub async fn look(&self) -> Result<Pool> {
        let read = self.claims.store().read(&Key::Pool).await?;
        Ok(read.document().map(Pool::parse).unwrap_or_default())
    }
}
