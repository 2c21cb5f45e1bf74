//! One step alone: its scope, the right to change it, and an environment that is open, on the embedded world.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{bed::Bed, taking::Takings};
use anyhow::Result;
use async_trait::async_trait;
use berth::{
    clients::kubernetes::{Kubernetes, for_url},
    documents::{Store, claims::Fence},
    domain::{
        diagnosis::Snapshot,
        names::ContextName,
        plan::StepName,
        pool::Block,
        scope::{Commit, Hosts, Scope, Target},
        sweep::Trace,
    },
    progress::{Progress, Wait},
    providers::{Access, Guard, Here, Inside, Provider},
    rehearsal::Server,
    steps::{Board, Context, Step},
    stores::file::FileStore,
};
use kube::Client;
use serde_json::Value;
use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc, time::Duration};

/// What leads to it.
pub(crate) const HOST: &str = "pr-42-shop.preview.example.com";
/// Its kubeconfig: what children may know.
pub(crate) const KUBECONFIG: &str = "kind: Config # of the environment\n";

pub(crate) struct Stand {
    pub(crate) bed: Bed,
    pub(crate) scope: Scope,
    pub(crate) board: Board,
    pub(crate) store: Arc<dyn Store>,
    fence: Fence,
    provider: Opened,
    /// Where its documents are.
    _kept: (Takings, tempfile::TempDir),
}

impl Stand {
    /// Of the commit that is this letter forty times. Its addresses are this machine's own.
    pub(crate) async fn start(commit: char) -> Self {
        let (bed, directory) = (Bed::start().await, tempfile::tempdir().unwrap());
        let takings = Takings::new();
        let fence = takings.take(42).await;
        let hosts = Hosts { main: Some(HOST.parse().unwrap()), ..Hosts::default() };
        let head = Some(commit.to_string().repeat(40).parse().unwrap());
        let mut scope = Scope::of(fence.claim(), hosts, Target::Up(Commit { head, merge: None }));
        scope.addresses = Some(Block::try_from(vec![Ipv4Addr::LOCALHOST]).unwrap());
        let client = for_url(&bed.served.url(Server::Environment), None, "run").unwrap();
        let kubernetes = Kubernetes::new(client, Duration::from_secs(30), bed.clock.clone());
        let provider = Opened(Access { kubernetes, kubeconfig: KUBECONFIG.to_owned().into() });
        let store = Arc::new(FileStore::new(directory.path().to_owned()));
        Self { bed, scope, board: Board::default(), store, fence, provider, _kept: (takings, directory) }
    }

    /// What the environment's API server is reached by.
    pub(crate) fn through(&mut self, way: impl FnOnce(Client) -> Client) {
        let client = way(for_url(&self.bed.served.url(Server::Environment), None, "run").unwrap());
        self.provider.0.kubernetes = Kubernetes::new(client, Duration::from_secs(30), self.bed.clock.clone());
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            scope: &self.scope,
            fence: &self.fence,
            guard: &Watched,
            provider: &self.provider,
            store: &*self.store,
            clock: &self.bed.clock,
            board: &self.board,
            quiet: self.bed.clock.now(),
        }
    }

    /// One look that is the last.
    pub(crate) async fn done(&self, step: &dyn Step) -> String {
        match step.ensure(&self.context()).await.unwrap() {
            Progress::Done(detail) => detail,
            Progress::Waiting(wait) => panic!("it waits for {}", wait.on),
        }
    }

    /// One look that is not.
    pub(crate) async fn waits(&self, step: &dyn Step) -> Wait {
        match step.ensure(&self.context()).await.unwrap() {
            Progress::Done(detail) => panic!("it is done: {detail}"),
            Progress::Waiting(wait) => wait,
        }
    }
}

struct Watched;

#[async_trait(?Send)]
impl Guard for Watched {
    async fn look(&self) -> Result<()> {
        Ok(())
    }
}

/// An environment that is there.
struct Opened(Access);

#[async_trait(?Send)]
impl Provider for Opened {
    fn uses(&self, _: StepName) -> bool {
        true
    }
    fn objects(&self, _: &Scope) -> Result<Vec<Value>> {
        Ok(vec![])
    }
    async fn in_use(&self, _: &Scope) -> Result<BTreeSet<Ipv4Addr>> {
        Ok(BTreeSet::new())
    }
    async fn ensure(&self, _: &Here<'_>) -> Result<Progress> {
        Ok(Progress::done("it is there"))
    }
    async fn remove(&self, _: &Here<'_>) -> Result<Progress> {
        panic!("nothing here is removed")
    }
    async fn is_absent(&self, _: &Scope) -> Result<bool> {
        Ok(false)
    }
    async fn inside(&self, _: &Scope) -> Result<Inside> {
        Ok(Inside::Open(self.0.clone()))
    }
    async fn traces(&self, _: Option<&ContextName>) -> Result<Vec<Trace>> {
        panic!("no sweep looks here")
    }
    async fn snapshot(&self, _: &Scope) -> Result<Snapshot> {
        Ok(Snapshot::default())
    }
}
