//! Fences, by really taking a claim, as a run does.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use berth::{
    documents::claims::{Check, Claims, Fence},
    domain::{
        claim::{Claim, ProviderKind, Removal},
        holder::Holder,
        names::RunId,
    },
    stores::file::FileStore,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A store of claims of its own.
pub(crate) struct Takings {
    claims: Claims,
    life: AtomicU32,
    _directory: tempfile::TempDir,
}

impl Takings {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let claims = Claims::new(Arc::new(FileStore::new(directory.path().to_owned())));
        Self { claims, life: AtomicU32::new(1), _directory: directory }
    }

    /// The next generation of the environment of this pull request.
    pub(crate) async fn take(&self, number: u64) -> Fence {
        let holder = Holder::PullRequest(format!("example/shop#{number}").parse().unwrap());
        let life = self.life.load(Ordering::Relaxed);
        let run = |generation: &str| -> RunId { format!("run-{life}-{generation}").parse().unwrap() };
        let removal = Removal {
            provider: ProviderKind::Namespace,
            context: None,
            objects: vec![],
            elsewhere: vec![],
            hosts: vec![],
        };
        let (now, hour): (Timestamp, _) =
            ("2026-01-05T12:00:00Z".parse().unwrap(), SignedDuration::from_hours(1));
        let uid = format!("uid-{life}");
        let claim = Claim::first(holder, (uid.parse().unwrap(), run("1")), None, removal, now, hour);
        let basis = self.claims.read(&claim.name()).await.unwrap();
        let next = match basis.claim() {
            None => claim,
            Some(claim) => claim.taken(run(&claim.generation().next().to_string()), now),
        };
        self.claims.take(basis, next).await.unwrap()
    }

    #[allow(dead_code, reason = "what is measured has one life")]
    /// Ends the claim: who takes it next begins another life of the environment.
    pub(crate) async fn end(&self, fence: Fence) {
        assert_eq!(self.claims.forget(fence).await.unwrap(), Check::Current);
        self.life.fetch_add(1, Ordering::Relaxed);
    }
}
