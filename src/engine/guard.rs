//! Looks after the right of a run to change things: its claim, and its addresses in the pool.
//!
//! Must never: take "could not be read" for either.

use super::{Pools, hold::Verified};
use crate::{
    clients::{Failure, Kind},
    documents::claims::{Check, Fence},
    domain::{names::EnvironmentName, plan::Direction},
    errors::{Exit, UserError},
    providers::Guard,
};
use anyhow::Result;
use async_trait::async_trait;
use std::{fmt, net::Ipv4Addr};

/// Of one run.
pub(super) struct Sentry<'a> {
    pub(super) pools: &'a Pools,
    pub(super) fence: &'a Fence,
    pub(super) direction: Direction,
}

/// Somebody else has the addresses: the environment must go.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) address: Ipv4Addr,
    pub(super) to: String,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in the pool, {} stands under {}", self.address, self.to)
    }
}

impl std::error::Error for Lost {}

#[async_trait(?Send)]
impl Guard for Sentry<'_> {
    async fn look(&self) -> Result<()> {
        // What goes needs its addresses no longer, and must not put them back.
        if self.direction == Direction::Down {
            return self.stands().await;
        }
        match self.pools.verify(self.fence).await? {
            Verified::Ours | Verified::PutBack => Ok(()),
            Verified::Superseded => Err(superseded(&self.fence.name())),
            Verified::Lost { address, to } => {
                let name = self.fence.name();
                let message = format!("{name} has lost its address {address} to {to}");
                let hint = "the environment is taken down, because two machines must not share an address; push or \
                            run again to get it anew, and look who writes to the pool by hand";
                Err(anyhow::Error::new(Lost { address, to })
                    .context(UserError::new(Exit::Failed, message).hint(hint)))
            }
        }
    }
}

impl Sentry<'_> {
    /// An error of kind `Superseded` if somebody else has taken the claim.
    pub(super) async fn stands(&self) -> Result<()> {
        match self.fence.check().await? {
            Check::Current => Ok(()),
            Check::Superseded => Err(superseded(&self.fence.name())),
        }
    }
}

fn superseded(name: &EnvironmentName) -> anyhow::Error {
    let detail = "a newer run has taken the claim over".to_owned();
    let message = format!("this run no longer speaks for {name}");
    anyhow::Error::new(Failure { kind: Kind::Superseded, detail })
        .context(UserError::new(Exit::Superseded, message).hint("there is nothing to do here"))
}
