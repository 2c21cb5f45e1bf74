//! Writing over exactly what was seen, and who may: a newer run of the same life of an environment is not written over, nor
//! another life, unless the claim says that this one is the living one.
//!
//! Must never: look again before it writes: what was decided was decided on what was seen.

use super::{
    Seen,
    failed::Failed,
    manifest::Manifest,
    object::{Mark, Owner},
    write::{Change, Terms, Writer},
};
use crate::{
    clients::{Failure, Kind},
    documents::claims::Check,
};
use anyhow::Result;
use kube::api::Patch;
use serde_json::{Value, json};

impl Writer<'_> {
    /// Makes this one so, over exactly what was seen, be it a while ago.
    pub async fn apply_over(&self, seen: Seen, manifest: Manifest) -> Result<()> {
        let marks = seen.object().map(|object| object.owner(&self.environment)).into_iter();
        self.stands_among(marks.filter_map(own)).await?;
        let change = self.change(manifest, seen, Terms::default());
        let written = match change.map_err(|failed| self.kubernetes.unwritten(vec![failed]))? {
            Some(change) => self.send(&change).await,
            None => Ok(()),
        };
        written.map_err(|failed| self.kubernetes.unwritten(vec![failed]))
    }

    /// Merges this into exactly what was seen, be it on its way out.
    pub async fn merge_over(&self, seen: &Seen, mut patch: Value) -> Result<()> {
        let doing = || format!("change {}", seen.name());
        let Some(object) = seen.object() else { return Ok(()) };
        if let Owner::Own(mark) = object.owner(&self.environment) {
            self.stands_among([mark.clone()]).await?;
            self.outranks(&mark, &doing).map_err(|failed| self.kubernetes.unwritten(vec![failed]))?;
        }
        patch["metadata"]["resourceVersion"] = json!(object.version());
        let change = Change { seen: seen.clone(), patch: Patch::Merge(patch), is_mark: false };
        self.send(&change).await.map_err(|failed| self.kubernetes.unwritten(vec![failed]))
    }

    /// An older run touches nothing of a newer one in its own life; another life's is settled by [`Self::stands_among`].
    pub(super) fn outranks(
        &self,
        Mark { claim, generation }: &Mark,
        doing: &dyn Fn() -> String,
    ) -> Result<(), Failed> {
        let own = self.fence.claim();
        if claim.as_deref() != Some(own.uid().as_ref()) || *generation <= own.generation() {
            return Ok(());
        }
        let detail =
            format!("generation {generation} has written it, this run is generation {}", own.generation());
        Err(Failed::new(doing(), Failure { kind: Kind::Superseded, detail }))
    }

    /// Where something of another life was seen, whose life is it now? Asked after that look, so that what is seen there
    /// may be written over exactly as it was seen.
    pub(super) async fn stands_among(&self, marks: impl IntoIterator<Item = Mark>) -> Result<()> {
        let own = self.fence.claim().uid();
        if marks.into_iter().all(|mark| mark.claim.as_deref() == Some(own.as_ref())) {
            return Ok(());
        }
        match self.fence.check().await? {
            Check::Current => Ok(()),
            Check::Superseded => {
                let detail = "another life of this environment has begun".to_owned();
                let failure = Failure { kind: Kind::Superseded, detail };
                Err(self.kubernetes.unwritten(vec![Failed::new("change what is there", failure)]))
            }
        }
    }
}

pub(super) fn own(owner: Owner) -> Option<Mark> {
    match owner {
        Owner::Own(mark) => Some(mark),
        Owner::Foreign(_) | Owner::Nobody => None,
    }
}
