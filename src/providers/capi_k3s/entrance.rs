//! The way in to an environment: the kubeconfig that the control plane provider writes beside its Cluster.
//!
//! Must never: show the kubeconfig; make a new client for one that has not changed (a client knows the server's kinds).

use super::super::{Access, Inside};
use crate::{
    clients::kubernetes::{Kubernetes, Seen, given},
    clock::Clock,
    domain::{claim::ObjectName, scope::Scope},
    errors::{Exit, UserError},
    progress::Wait,
};
use anyhow::{Context as _, Result};
use k8s_openapi::ByteString;
use kube::Client;
use secrecy::SecretString;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A request to an environment takes no longer.
const LIMIT: Duration = Duration::from_secs(10);

/// Of one run.
pub(super) struct Entrance {
    clock: Clock,
    run: String,
    /// With the Secret's uid and version.
    last: Mutex<Option<(String, Access)>>,
}

/// How far the way in is known.
pub(super) enum Way {
    /// There is one, as this Secret tells it; it may be written anew.
    Open(Access, Box<Seen>),
    NotYet(Wait),
    Gone,
}

impl From<Way> for Inside {
    fn from(way: Way) -> Self {
        match way {
            Way::Open(access, _) => Self::Open(access),
            Way::NotYet(wait) => Self::NotYet(wait),
            Way::Gone => Self::Gone,
        }
    }
}

impl Entrance {
    pub(super) fn new(clock: Clock, run: &str) -> Self {
        Self { clock, run: run.to_owned(), last: Mutex::new(None) }
    }

    pub(super) async fn way(&self, management: &Kubernetes, scope: &Scope) -> Result<Way> {
        // Without a Cluster there may be no right to look for its Secret, either.
        let cluster = management.observe(&cluster(scope)?).await?;
        if cluster.object().is_none() {
            return Ok(Way::Gone);
        }
        let secret = management.observe(&secret(scope)).await?;
        match kubeconfig(&secret)? {
            None => Ok(Way::NotYet(Seen::any_changed(&[secret, cluster], "its kubeconfig"))),
            Some((version, kubeconfig)) => {
                Ok(Way::Open(self.open(version, kubeconfig).await?, secret.into()))
            }
        }
    }

    async fn open(&self, version: String, kubeconfig: SecretString) -> Result<Access> {
        let known = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, access)) = known().as_ref().filter(|(of, _)| *of == version) {
            return Ok(access.clone());
        }
        let client: Client = given(&kubeconfig, &self.run).await?;
        let access = Access { kubernetes: Kubernetes::new(client, LIMIT, self.clock.clone()), kubeconfig };
        *known() = Some((version, access.clone()));
        Ok(access)
    }
}

/// Where the kubeconfig will be.
pub(super) fn secret(scope: &Scope) -> ObjectName {
    ObjectName {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(scope.name.to_string()),
        name: format!("{}-kubeconfig", scope.name),
    }
}

/// Its Cluster, as the claim names it.
fn cluster(scope: &Scope) -> Result<ObjectName> {
    let mut objects = scope.removal.objects.iter();
    let own =
        objects.find(|name| name.kind == "Cluster" && name.api_version.starts_with("cluster.x-k8s.io/"));
    own.cloned().with_context(|| {
        UserError::new(Exit::Unknown, format!("the claim of {} names no Cluster", scope.name))
            .hint("look at the claim: it says what was made, and without it nothing can be found")
    })
}

/// `None`: it is not written yet.
fn kubeconfig(secret: &Seen) -> Result<Option<(String, SecretString)>> {
    let Some(object) = secret.object() else { return Ok(None) };
    let value = &object.value()["data"]["value"];
    if value.is_null() {
        return Ok(None);
    }
    let wrong = || UserError::new(Exit::Failed, format!("{} holds no kubeconfig", secret.name()));
    // Not with the error's own words: they quote what they could not read.
    let bytes: ByteString = serde_json::from_value(value.clone()).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes.0).map_err(|_| wrong())?;
    Ok(Some((format!("{}/{}", object.uid(), object.version()), text.into())))
}
