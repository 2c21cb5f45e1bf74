//! Looking at one object without a right to read: where that would be the right to read all that others keep beside it.
//!
//! Roles know no labels, and no names that are not known beforehand; so whoever may read one Secret of a namespace may read
//! them all. A change can be judged by the object itself (`deploy/kubernetes/admission.yaml` does), and one that changes
//! nothing, as a dry run besides, shows the object as it is: the answer holds a Secret's data, and whoever may ask so for one
//! may read that one. Must never: write; say "absent" but by the server's own word about this very object.

use super::{
    Denial, Kubernetes, Seen,
    difference::MANAGER,
    failed::Failed,
    object::Object,
    observe::{KINDS, Look, When, name_is_sound, namespace_fits, requests},
    request,
};
use crate::domain::claim::ObjectName;
use anyhow::Result;
use kube::{
    api::{Patch, PatchParams},
    core::response::reason,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

impl Kubernetes {
    /// Looks at one object with no right but to change it. From this look nothing can be watched: who waits looks again
    /// in a while.
    pub async fn observe_unread(&self, name: &ObjectName) -> Result<Seen> {
        self.shown(name).await.map_err(|failed| self.unread(vec![failed]))
    }

    async fn shown(&self, name: &ObjectName) -> Result<Seen, Failed> {
        name_is_sound(name)?;
        let kind = (name.api_version.clone(), name.kind.clone());
        let served = self.served(&BTreeSet::from([kind])).await;
        let served = served.map_err(|denial| Failed::new(KINDS, denial))?.into_values().flatten().next();
        let Some(served) = served else { return Ok(Seen::new(name.clone(), None, None, self.clone())) };
        let doing = || format!("look at {name}");
        namespace_fits(&served, name.namespace.as_deref(), doing)?;
        let params =
            PatchParams { dry_run: true, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let nothing = Patch::Merge(json!({}));
        let asked = requests(&served, name.namespace.as_deref()).patch(&name.name, &params, &nothing);
        let object = match request::<Value>(&self.client, asked, self.limit).await {
            Ok(value) => Object::parse(&name.api_version, &name.kind, value).and_then(|object| {
                let is_meant = object.name() == name;
                is_meant.then_some(Some(object)).ok_or_else(|| Denial::garbled("it is another object"))
            }),
            Err(denial) if denial.says(reason::NOT_FOUND, &served.resource, &name.name) => Ok(None),
            Err(denial) => Err(denial),
        };
        let object = object.map_err(|denial| Failed::new(doing(), denial))?;
        let (namespace, only) = (name.namespace.clone(), Some(name.name.clone()));
        let look = Look { served, namespace, only, labels: None, when: When::Untold };
        Ok(Seen::new(name.clone(), object, Some(Arc::new(look)), self.clone()))
    }
}
