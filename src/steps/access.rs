//! The kubeconfig lies in the store, where people find it, and, for later jobs on this machine, in a file that nobody else
//! can read; undone: it is in the store no longer.
//!
//! Must never: show it; leave a file that others could read, even for a moment.

use super::{ACCESS, CLUSTER, Context, Step, settled};
use crate::{
    documents::{Document, Key, Read, remove_surely, write_surely},
    domain::{kubeconfig, plan::Spec},
    errors::{Exit, UserError},
    progress::Progress,
    providers::Inside,
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// See the module.
pub struct KeepKubeconfig {
    /// How long it may take.
    pub patience: Duration,
    /// Where it is written for later jobs.
    pub file: Option<PathBuf>,
    /// Told each line that must never be shown.
    pub mask: fn(&str),
}

#[async_trait(?Send)]
impl Step for KeepKubeconfig {
    fn spec(&self) -> Spec {
        Spec { name: ACCESS, needs: &[CLUSTER], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        let access = match cx.provider.inside(cx.scope).await? {
            Inside::Open(access) => access,
            Inside::NotYet(wait) => return Ok(Progress::Waiting(wait)),
            Inside::Gone => return Err(super::gone(cx.scope)),
        };
        let name = &cx.scope.name;
        let named = kubeconfig::named(access.kubeconfig.expose_secret(), name);
        let own: SecretString = named
            .with_context(|| {
                UserError::new(Exit::Failed, format!("the kubeconfig of {name} cannot be used"))
            })?
            .into();
        own.expose_secret().lines().map(str::trim).filter(|line| is_secret(line)).for_each(self.mask);
        if let Some(file) = &self.file {
            keep(file, &own)?;
        }
        let key = Key::Kubeconfig(name.clone());
        let wanted = Document::from_iter([("value".to_owned(), own.expose_secret().into())]);
        let read = cx.store.read(&key).await?;
        if read.document() == Some(&wanted) {
            return Ok(Progress::done("kubeconfig kept"));
        }
        let written = write_surely(cx.store, &key, &wanted, read.version()).await;
        settled(written.map(drop), &cx.store.place(&key))?;
        Ok(Progress::done(match &self.file {
            Some(_) => "kubeconfig 0600, masked, kept",
            None => "kubeconfig kept",
        }))
    }

    async fn remove(&self, cx: &Context<'_>) -> Result<Progress> {
        if let Some(file) = &self.file
            && let Err(error) = fs::remove_file(file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("{} could not be removed: {error}", file.display());
        }
        let key = Key::Kubeconfig(cx.scope.name.clone());
        match cx.store.read(&key).await? {
            Read::Absent { .. } => Ok(Progress::done("no kubeconfig")),
            Read::Present { version, .. } => {
                settled(remove_surely(cx.store, &key, &version).await, &cx.store.place(&key))?;
                Ok(Progress::done("kubeconfig removed"))
            }
        }
    }

    async fn is_undone(&self, cx: &Context<'_>) -> Result<bool> {
        let read = cx.store.read(&Key::Kubeconfig(cx.scope.name.clone())).await?;
        Ok(matches!(read, Read::Absent { .. }))
    }
}

/// A value of base64, a token or a password: what a log may be searched for.
fn is_secret(line: &str) -> bool {
    ["client-key-data:", "client-certificate-data:", "token:", "password:"]
        .iter()
        .any(|key| line.starts_with(key))
}

/// Made for its owner alone from its first moment, and put in place at once.
fn keep(file: &Path, text: &SecretString) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let directory = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut new = tempfile::NamedTempFile::new_in(directory)?;
        new.write_all(text.expose_secret().as_bytes())?;
        new.persist(file).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| {
        UserError::new(Exit::Failed, format!("the kubeconfig cannot be written to {}", file.display()))
            .hint("give a directory that this user may write to")
    })
}
