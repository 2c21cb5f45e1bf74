//! How an environment is made real.
//!
//! A provider knows nothing of steps, of the engine or of other providers. What it makes is a function of the scope and
//! its settings; what is there, it looks at. Must never: remember; take what it could not read for absent.

pub mod capi_k3s;

use crate::{
    clients::kubernetes::Kubernetes,
    documents::claims::Fence,
    domain::{
        claim::Removal, diagnosis::Snapshot, names::ContextName, plan::StepName, pool::Block, scope::Scope,
        sweep::Trace,
    },
    progress::{Progress, Wait},
};
use anyhow::Result;
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;
use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc};

/// One way to make environments real.
#[async_trait(?Send)]
pub trait Provider {
    /// Whether it has a use for this step.
    fn uses(&self, step: StepName) -> bool;

    /// All that `ensure` would apply, as it would be at work. Pure but for templates, which are read.
    fn objects(&self, scope: &Scope) -> Result<Vec<Value>>;

    /// What addresses live objects use that are not this environment's, whatever the documents say.
    async fn in_use(&self, scope: &Scope) -> Result<BTreeSet<Ipv4Addr>>;

    /// Makes it so. `Done` only once the environment's own API server answers.
    async fn ensure(&self, here: &Here<'_>) -> Result<Progress>;

    /// Makes it gone, by what the claim says alone. `Done` only once everything was seen absent.
    async fn remove(&self, here: &Here<'_>) -> Result<Progress>;

    /// Whether anything of it is there, by a look.
    async fn is_absent(&self, scope: &Scope) -> Result<bool>;

    /// The way in to the environment's own API server.
    async fn inside(&self, scope: &Scope) -> Result<Inside>;

    /// What of it is there, of whichever environment: enough to find each that is there at all.
    async fn traces(&self, context: Option<&ContextName>) -> Result<Vec<Trace>>;

    /// What its objects say of themselves, for a diagnosis.
    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot>;
}

/// Finds the provider of an environment; what it is made by stands in its claim.
#[async_trait(?Send)]
pub trait Providers {
    /// Of what was made so.
    async fn of(&self, removal: &Removal) -> Result<Arc<dyn Provider>>;
}

/// Where a provider works, and by what right.
pub struct Here<'a> {
    /// On what.
    pub scope: &'a Scope,
    /// The right to change it.
    pub fence: &'a Fence,
    /// Who looks after that right.
    pub guard: &'a dyn Guard,
    /// Who is told what was seen gone.
    pub witness: &'a dyn Witness,
}

/// Keeps what a removal has seen, for the receipt.
pub trait Witness {
    /// This is there, and nobody who comes later can say what it was.
    fn met(&self, what: String);
    /// A look has found it absent, by this answer.
    fn gone(&self, what: &str, proof: &str);
    /// Of all that was met nothing is left; by this name, if nothing was met.
    fn none_left(&self, otherwise: &str, proof: &str);
}

/// Looks, once more, whether the claim is ours and its addresses are still its own in the pool.
#[async_trait(?Send)]
pub trait Guard {
    /// An error if not: of kind `Superseded` if somebody else has taken the claim.
    async fn look(&self) -> Result<()>;
}

/// Whether one may enter an environment. That nobody knows is an error.
pub enum Inside {
    /// One may.
    Open(Access),
    /// Not yet.
    NotYet(Wait),
    /// There is nothing (any more) to enter.
    Gone,
}

/// The way in.
#[derive(Clone)]
pub struct Access {
    /// Its API server.
    pub kubernetes: Kubernetes,
    /// The same for others.
    pub kubeconfig: SecretString,
}

/// What a block's addresses are to a cluster: its API server's, and its machine's.
pub fn vip_and_node(block: Block) -> (Ipv4Addr, Ipv4Addr) {
    let mut addresses = block.addresses();
    let vip = block.vip();
    addresses.next();
    (vip, addresses.next().unwrap_or(vip))
}
