//! The claim as a typed document, and the [`Fence`]: the proof that this run may mutate.
//!
//! A claim is only ever written over what was read ([`Basis`]) or over what this very taking wrote before ([`Fence`]).
//! Must never: make a fence without a successful compare-and-set; give out a claim of a newer schema.

use super::{Document, Entry, Key, NotWritten, Read, Store, Version, remove_surely, write_surely};
use crate::{
    domain::{
        claim::{Claim, SCHEMA},
        names::EnvironmentName,
    },
    errors::{Exit, UserError},
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::sync::Arc;

/// So many notes one transition gives way to.
const NOTES: usize = 5;

/// All claims of a store.
#[derive(Clone)]
pub struct Claims(Arc<dyn Store>);

/// A claim as it was read: the only thing that a taking may write over.
#[derive(Debug)]
pub struct Basis {
    name: EnvironmentName,
    claim: Option<Claim>,
    version: Version,
}

impl Basis {
    /// What it said; `None`: there is none.
    pub fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }
}

/// This run may mutate, until somebody else takes the claim. It has no public constructor and no `Clone`, and dies with
/// its run; whatever mutates asks for one. Only `Claims::take` makes it. What may be read of one compiles:
///
/// ```
/// use berth::documents::claims::Fence;
/// fn look(fence: &Fence) -> (&berth::domain::claim::Claim, &berth::documents::Version) {
///     (fence.claim(), fence.version())
/// }
/// ```
///
/// and to make one from the same parts does not:
///
/// ```compile_fail,E0451
/// use berth::documents::claims::{Claims, Fence};
/// fn forge(claim: berth::domain::claim::Claim, version: berth::documents::Version, claims: Claims) -> Fence {
///     Fence { claim, version, claims }
/// }
/// ```
pub struct Fence {
    claim: Claim,
    version: Version,
    claims: Claims,
}

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { claim, version, claims: _ } = self;
        f.debug_struct("Fence").field("claim", claim).field("version", version).finish_non_exhaustive()
    }
}

impl Fence {
    /// The claim as this run wrote it last.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }
    /// The version that this run gave it last.
    pub fn version(&self) -> &Version {
        &self.version
    }
    /// Whose environment.
    pub fn name(&self) -> EnvironmentName {
        self.claim.name()
    }
    /// Whether it still stands, by a read.
    pub async fn check(&self) -> Result<Check> {
        self.claims.check(self).await
    }
    /// The run counts, not the generation alone: that starts again when a claim is gone and comes anew.
    fn stands(&self, claim: &Claim) -> bool {
        claim.generation() == self.claim.generation() && claim.run() == self.claim.run()
    }
}

/// Whether a fence still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nobody else has taken the claim.
    Current,
    /// Somebody has, or it is gone: stop.
    Superseded,
}

/// A claim of the listing.
#[derive(Debug)]
pub struct Listed {
    /// Whose.
    pub name: EnvironmentName,
    /// What it says.
    pub claim: Result<Claim>,
}

impl Claims {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// The store, for documents that are not claims.
    pub fn store(&self) -> &dyn Store {
        &*self.0
    }

    /// Reads one.
    pub async fn read(&self, name: &EnvironmentName) -> Result<Basis> {
        let read = self.0.read(&Key::Claim(name.clone())).await?;
        let claim = read.document().map(|document| self.parse(name, document)).transpose()?;
        Ok(Basis { name: name.clone(), claim, version: read.version().clone() })
    }

    /// Writes over exactly what was read. The only maker of a fence.
    pub async fn take(&self, basis: Basis, claim: Claim) -> Result<Fence, NotWritten> {
        debug_assert_eq!(basis.name, claim.name(), "a claim is written under its own name");
        let version = self.write(&claim, &basis.version).await?;
        Ok(Fence { claim, version, claims: self.clone() })
    }

    /// Whether the fence still stands, by a read.
    pub async fn check(&self, fence: &Fence) -> Result<Check> {
        let basis = self.read(&fence.name()).await?;
        Ok(match basis.claim() {
            Some(claim) if fence.stands(claim) => Check::Current,
            _ => Check::Superseded,
        })
    }

    /// One listing for two questions: whether the fence still stands, and what all others claim. One claim that cannot
    /// be read makes the answer unknown.
    pub async fn check_among_all(&self, fence: &Fence) -> Result<(Check, Vec<Claim>)> {
        let (own, others): (Vec<Claim>, Vec<Claim>) =
            self.readable().await?.into_iter().partition(|claim| claim.name() == fence.name());
        let check = match own.first() {
            Some(claim) if fence.stands(claim) => Check::Current,
            _ => Check::Superseded,
        };
        Ok((check, others))
    }

    /// A transition within this taking: one write, over what this taking wrote last.
    pub async fn advance(&self, fence: &mut Fence, claim: Claim) -> Result<Check> {
        debug_assert!(fence.stands(&claim), "a transition keeps generation and run");
        match self.write(&claim, &fence.version).await {
            Ok(version) => {
                (fence.claim, fence.version) = (claim, version);
                Ok(Check::Current)
            }
            Err(NotWritten::Conflict) => self.over_a_note(fence, claim).await,
            Err(NotWritten::Unknown(error)) => Err(error),
        }
    }

    /// Somebody may have noted something meanwhile, which takes the claim from nobody.
    async fn over_a_note(&self, fence: &mut Fence, claim: Claim) -> Result<Check> {
        for _ in 0..NOTES {
            let basis = self.read(&fence.name()).await?;
            let Some(now) = basis.claim().filter(|now| fence.stands(now)) else { break };
            let claim = claim.clone().annotated_as(now);
            match self.write(&claim, &basis.version).await {
                Ok(version) => {
                    (fence.claim, fence.version) = (claim, version);
                    return Ok(Check::Current);
                }
                Err(NotWritten::Conflict) => {}
                Err(NotWritten::Unknown(error)) => return Err(error),
            }
        }
        Ok(Check::Superseded)
    }

    /// Notes something on exactly what was read, in whoever's hands it is: the end of its life, or that it was called.
    /// It takes the claim from nobody. Gives what stands then.
    pub async fn annotate(
        &self,
        basis: &Basis,
        note: impl FnOnce(Claim) -> Claim,
    ) -> Result<Basis, NotWritten> {
        let claim = note(basis.claim().ok_or(NotWritten::Conflict)?.clone());
        let version = self.write(&claim, &basis.version).await?;
        Ok(Basis { name: basis.name.clone(), claim: Some(claim), version })
    }

    /// Removes the claim, if the fence still stands.
    pub async fn forget(&self, fence: Fence) -> Result<Check> {
        match remove_surely(&*self.0, &Key::Claim(fence.name()), &fence.version).await {
            Ok(()) => Ok(Check::Current),
            Err(NotWritten::Conflict) => Ok(Check::Superseded),
            Err(NotWritten::Unknown(error)) => Err(error),
        }
    }

    /// All of them, or an error. One that cannot be read is listed with its error.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let entries = self.0.claims().await.context("could not list the claims")?;
        Ok(entries.into_iter().filter_map(|entry| self.listed(entry)).collect())
    }

    /// All of them, each readable, or an error.
    pub async fn readable(&self) -> Result<Vec<Claim>> {
        let one = |listed: Listed| {
            listed.claim.with_context(|| format!("could not read the claim of {}", listed.name))
        };
        self.list().await?.into_iter().map(one).collect()
    }

    fn listed(&self, Entry { name, read }: Entry) -> Option<Listed> {
        let claim = match read {
            Ok(Read::Absent { .. }) => return None,
            Ok(Read::Present { document, .. }) => self.parse(&name, &document),
            Err(error) => Err(error),
        };
        Some(Listed { name, claim })
    }

    async fn write(&self, claim: &Claim, expected: &Version) -> Result<Version, NotWritten> {
        let Ok(Value::Object(document)) = serde_json::to_value(claim) else {
            unreachable!("a Claim is a struct of plain data: it serialises to an object")
        };
        write_surely(&*self.0, &Key::Claim(claim.name()), &document, expected).await
    }

    fn parse(&self, name: &EnvironmentName, document: &Document) -> Result<Claim> {
        let place = self.0.place(&Key::Claim(name.clone()));
        let schema = document.get("schema").and_then(Value::as_u64);
        if schema.is_some_and(|schema| schema > u64::from(SCHEMA)) {
            let found = schema.unwrap_or_default();
            let message =
                format!("{place} was written by a newer berth (schema {found}, this one knows {SCHEMA})");
            return Err(UserError::new(Exit::Unknown, message)
                .hint("use the newer version here too; this one has touched nothing")
                .into());
        }
        let damaged = || {
            UserError::new(Exit::Unknown, format!("{place} is no claim that berth can read")).hint(
                "look at it and at its environment, and remove it once nothing of that is left; never bring back an \
                 earlier version: a run that was superseded since would go on",
            )
        };
        let claim: Claim = serde_json::from_value(Value::Object(document.clone())).with_context(damaged)?;
        if claim.name() != *name {
            let held =
                anyhow::anyhow!("it says that it is the claim of {} ({})", claim.name(), claim.holder());
            return Err(held.context(damaged()));
        }
        Ok(claim)
    }
}
