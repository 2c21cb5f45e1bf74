//! The ways into several clusters, by the contexts of kubeconfigs.
//!
//! Must never: enter one twice in a process, for each client learns its server's kinds anew.

use super::{Kubernetes, Target, connect, current_context, for_url};
use crate::{clock::Clock, domain::names::ContextName};
use anyhow::Result;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use tokio::sync::Mutex;

/// No request to one of them takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// The ways into management clusters. Each is entered once: a client knows its server's kinds.
pub struct Clusters {
    way: Way,
    run: String,
    clock: Clock,
    open: Mutex<BTreeMap<Option<ContextName>, Kubernetes>>,
}

enum Way {
    /// As `KUBECONFIG` lists them; no context is the cluster that this process is a pod of.
    Files(Vec<PathBuf>),
    /// One server, whatever context is named.
    Url(String),
}

impl Clusters {
    /// By kubeconfigs.
    pub fn listed(files: Vec<PathBuf>, run: &str, clock: Clock) -> Self {
        Self { way: Way::Files(files), run: run.to_owned(), clock, open: Mutex::default() }
    }

    /// By the URL of one server.
    pub fn at(url: String, run: &str, clock: Clock) -> Self {
        Self { way: Way::Url(url), run: run.to_owned(), clock, open: Mutex::default() }
    }

    /// What the current one is called: which that is, is another thing on another machine, so it is recorded by its name.
    pub fn current(&self) -> Result<Option<ContextName>> {
        match &self.way {
            Way::Url(_) => Ok(None),
            Way::Files(files) => current_context(files).map(Some),
        }
    }

    /// The cluster of this context.
    pub async fn open(&self, context: Option<&ContextName>) -> Result<Kubernetes> {
        let mut open = self.open.lock().await;
        if let Some(known) = open.get(&context.cloned()) {
            return Ok(known.clone());
        }
        let client = match &self.way {
            Way::Url(url) => for_url(url, None, &self.run)?,
            Way::Files(files) => {
                let target = match context {
                    Some(_) => Target::Kubeconfig { files: files.clone(), context: context.cloned() },
                    None => Target::InCluster,
                };
                connect(&target, &self.run).await?
            }
        };
        let kubernetes = Kubernetes::new(client, LIMIT, self.clock.clone());
        open.insert(context.cloned(), kubernetes.clone());
        Ok(kubernetes)
    }
}
