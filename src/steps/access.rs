//! The kubeconfig lies in the store, where people find it, and, for later jobs on this machine, in a file that nobody else
//! can read; undone: it is in the store no longer.
//!
//! Must never: show it; leave a file that others could read, even for a moment.

use super::{ACCESS, CLUSTER, Context, Field, Step, settled};
use crate::{
    clients::vault::Vault,
    documents::{Document, Key, Read, Version, remove_surely, write_surely},
    domain::{
        claim::Cause,
        kubeconfig,
        names::EnvironmentName,
        plan::Spec,
        sweep::{Entry, Trace},
    },
    errors::{Exit, UserError},
    mask::Mask,
    progress::Progress,
    providers::Witness as _,
    settings::{MergedKubeconfig, VaultPath},
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Under which key of the document it stands for whom it is.
const HOLDER: &str = "holder";

/// See the module.
pub struct KeepKubeconfig {
    /// How long it may take.
    pub patience: Duration,
    /// Where it is written for later jobs.
    pub file: Option<PathBuf>,
    /// The one document that has all kubeconfigs, for those who read it.
    pub merged: Option<Merged>,
    /// Told what must never be shown of it.
    pub mask: Mask,
}

#[async_trait(?Send)]
impl Step for KeepKubeconfig {
    fn spec(&self) -> Spec {
        Spec { name: ACCESS, needs: &[CLUSTER], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        let access = match cx.enter().await? {
            Ok(access) => access,
            Err(wait) => return Ok(Progress::Waiting(wait)),
        };
        let name = &cx.scope.name;
        let unusable = || UserError::new(Exit::Failed, format!("the kubeconfig of {name} cannot be used"));
        let text = access.kubeconfig.expose_secret();
        let credentials = kubeconfig::credentials(text).with_context(unusable)?;
        credentials.iter().for_each(|secret| self.mask.hide(secret));
        let own: SecretString = kubeconfig::named(text, name).with_context(unusable)?.into();
        if let Some(file) = &self.file {
            keep(file, &own)?;
        }
        if let Some(merged) = &self.merged {
            merged.change(name, Some(own.expose_secret())).await?;
        }
        let key = Key::Kubeconfig(name.clone());
        let wanted = Document::from_iter([
            ("value".to_owned(), own.expose_secret().into()),
            (HOLDER.to_owned(), json!(cx.scope.holder)),
        ]);
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
        if let Some(merged) = &self.merged {
            merged.change(&cx.scope.name, None).await?;
            cx.gone("merged kubeconfig", "no entry of its name");
        }
        let key = Key::Kubeconfig(cx.scope.name.clone());
        let (detail, proof) = match cx.store.read(&key).await? {
            Read::Absent { .. } => ("no kubeconfig", "no such document"),
            Read::Present { document, .. } if is_anothers(cx, &document) => {
                return Ok(Progress::done(ANOTHERS));
            }
            Read::Present { version, .. } => {
                settled(remove_surely(cx.store, &key, &version).await, &cx.store.place(&key))?;
                ("kubeconfig removed", "removed from the store")
            }
        };
        cx.gone("kubeconfig", proof);
        Ok(Progress::done(detail))
    }

    /// The shell tool of old keeps its own there, too; ours says for whom it is.
    async fn traces(&self, field: &Field<'_>) -> Result<Vec<Trace>> {
        let found = field.documents(Key::Kubeconfig).await?.into_iter().filter_map(|(name, key, read)| {
            let holder = serde_json::from_value(read.document()?.get(HOLDER)?.clone()).ok()?;
            let (what, id) = (field.store.place(&key), read.version().as_str().to_owned());
            Some(Trace { name, holder: Some(holder), life: None, what, id, object: None, held_by: None })
        });
        Ok(found.collect())
    }

    async fn entries(&self) -> Result<Vec<Entry>> {
        match &self.merged {
            Some(merged) => merged.entries().await,
            None => Ok(Vec::new()),
        }
    }

    async fn remains(&self, cx: &Context<'_>) -> Result<Option<String>> {
        let name = &cx.scope.name;
        if let Some(merged) = &self.merged
            && merged.changed(name, None).await?.is_some()
        {
            return Ok(Some(merged.entry(name)));
        }
        let key = Key::Kubeconfig(name.clone());
        let read = cx.store.read(&key).await?;
        let left = read.document().filter(|document| !is_anothers(cx, document));
        Ok(left.map(|_| cx.store.place(&key)))
    }
}

const ANOTHERS: &str = "a kubeconfig that is not ours is left";

/// What nobody claimed is ours by our own word alone: the shell tool of old keeps its kubeconfigs under the same names.
fn is_anothers(cx: &Context<'_>, document: &Document) -> bool {
    cx.fence.claim().leaving().cause == Some(Cause::Orphan) && !document.contains_key(HOLDER)
}

/// A document of Vault's with all kubeconfigs in one text, entries by the environments' names; what else it holds is others'.
pub struct Merged {
    /// Where it lies.
    pub vault: Arc<Vault>,
    /// In which engine.
    pub mount: VaultPath,
    /// At which path, and under which key.
    pub of: MergedKubeconfig,
}

impl Merged {
    /// The document as it should be, over the version that it has; `None`: it is so already.
    async fn changed(
        &self,
        name: &EnvironmentName,
        own: Option<&str>,
    ) -> Result<Option<(Document, Version)>> {
        let read = self.vault.read(self.mount.as_ref(), self.of.path.as_ref()).await?;
        let mut document = read.document().cloned().unwrap_or_default();
        let merged = kubeconfig::merged(self.text(&document)?, name, own).with_context(|| self.wrong())?;
        let Some(text) = merged else { return Ok(None) };
        document.insert(self.of.key.clone(), text.into());
        Ok(Some((document, read.version().clone())))
    }

    /// With this environment's entries, or without them.
    async fn change(&self, name: &EnvironmentName, own: Option<&str>) -> Result<()> {
        let Some((document, version)) = self.changed(name, own).await? else { return Ok(()) };
        let (mount, path) = (self.mount.as_ref(), self.of.path.as_ref());
        let written =
            self.vault.write(mount, path, &document, &version, "write the merged kubeconfig to").await;
        settled(written.map(drop), &self.place())
    }

    /// Whose kubeconfigs it has, and where those lead.
    async fn entries(&self) -> Result<Vec<Entry>> {
        let read = self.vault.read(self.mount.as_ref(), self.of.path.as_ref()).await?;
        let all = read.document().map(|document| self.text(document)).transpose()?.flatten();
        let all = kubeconfig::addresses(all.unwrap_or_default()).with_context(|| self.wrong())?;
        let entry = |(name, address): (String, _)| Entry { what: self.entry(&name), name, address };
        Ok(all.into_iter().map(entry).collect())
    }

    fn entry(&self, name: &impl std::fmt::Display) -> String {
        format!("the kubeconfig of {name} in {}", self.place())
    }

    /// Of all kubeconfigs, as they stand in the document; `None`: there are none yet.
    fn text<'a>(&self, document: &'a Document) -> Result<Option<&'a str>> {
        let text = document.get(&self.of.key).map(|text| text.as_str().with_context(|| self.wrong()));
        text.transpose()
    }

    fn place(&self) -> String {
        format!("{}/{}", self.mount.as_ref(), self.of.path.as_ref())
    }

    fn wrong(&self) -> UserError {
        let (place, key) = (self.place(), &self.of.key);
        UserError::new(Exit::Failed, format!("{place} has no kubeconfig under `{key}` that can be read")).hint(
            "it was left as it is; look who writes there, or name another by `store.vault.merged-kubeconfig`",
        )
    }
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
