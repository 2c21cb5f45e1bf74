//! The only way to change objects of a cluster: with a fence, over what was seen, and only what differs.
//!
//! The fence is held at the object (DESIGN §2 rule 3): every write carries the version of what was seen and its uid, or, of
//! what was absent, the version of the listing, so that it lands only if nobody has written or deleted since; and it is
//! not sent at all if what was seen is of a newer generation, or not ours. Generations begin anew with each life of an
//! environment, so between lives they tell nothing: what another life has left is written over only if the claim, read
//! after that look, is still this run's.
//!
//! An object that differs in nothing but an older mark is marked: a small patch of those labels, which gives it a new
//! version and no new content. It cannot be left alone. Say that an older run wants something else of it, and that its
//! request, late, carries the very version that we see now (the object holds what we want from before: a commit that was
//! taken back). If we wrote nothing, that request would still land, after us. So a run marks each object once; looking
//! again in the same generation writes nothing. Must never: try again; write what it has not looked at.

use super::{
    Denial, Kubernetes, Seen,
    condition::condition,
    difference::{Difference, MANAGER, difference, mark},
    discovery::defined,
    failed::{Failed, NO_SUCH_KIND},
    manifest::{Bundle, ENVIRONMENT, Manifest, marks},
    object::Owner,
    observe::{IN_FLIGHT, KINDS, requests},
    order::Stage,
    over::own,
    request,
    wait::Judgement,
};
use crate::{
    clients::{Failure, Kind},
    documents::claims::Fence,
    domain::{claim::ObjectName, names::EnvironmentName},
};
use anyhow::Result;
use futures::{StreamExt, stream};
use kube::{
    api::{Patch, PatchParams},
    core::response::reason,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long a server may take to establish CRDs that it was given.
const ESTABLISHED: Duration = Duration::from_secs(60);

/// Changes objects in the name of one taking of a claim.
pub struct Writer<'a> {
    pub(super) kubernetes: &'a Kubernetes,
    pub(super) fence: &'a Fence,
    pub(super) environment: EnvironmentName,
}

/// What an apply came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// What was written, because it differed.
    pub written: Vec<ObjectName>,
    /// What was marked as this run's, and is otherwise as it was.
    pub marked: Vec<ObjectName>,
    /// What was already so.
    pub unchanged: Vec<ObjectName>,
}

/// What is to be sent for one object.
pub(super) struct Change {
    pub(super) seen: Seen,
    pub(super) patch: Patch<Value>,
    pub(super) is_mark: bool,
}

/// What a look at objects came to.
#[derive(Default)]
struct Judged {
    stages: BTreeMap<Stage, Vec<Change>>,
    /// CRDs that are as they should be, and established.
    standing: BTreeSet<ObjectName>,
}

/// What is known of an object beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Terms {
    /// It may be nobody's.
    shared: bool,
    /// As it stands it stays, if it stands.
    kept: bool,
}

/// How often objects are looked at.
enum Look {
    Once,
    /// For some moments a new kind, or a new version of one, may be found nowhere.
    UntilServed,
}

/// What is read of the answer.
#[derive(Deserialize)]
struct Written {
    metadata: Named,
}
#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Kubernetes {
    /// What may change objects, as long as the fence stands.
    pub fn writer<'a>(&'a self, fence: &'a Fence) -> Writer<'a> {
        Writer { kubernetes: self, fence, environment: fence.name() }
    }
}

impl Writer<'_> {
    /// Makes all of these so. Everything is looked at and judged before the first write; only objects whose kind the
    /// bundle itself brings, or brings in another form, are looked at once their CRDs are established. Where something
    /// fails, the rest of its stage is still tried, no later stage is begun, and all that failed is told.
    ///
    /// It may wait for those CRDs, and looks at no claim meanwhile: whoever drives it drops it when the fence falls.
    pub async fn apply(&self, bundle: &Bundle) -> Result<Applied> {
        let brought = brought(bundle);
        let (mut later, now): (Vec<Manifest>, Vec<Manifest>) = bundle
            .manifests
            .iter()
            .cloned()
            .partition(|manifest| brought.contains_key(&kind_of(manifest.name())));
        let crds: BTreeSet<_> = later.iter().map(|one| brought[&kind_of(one.name())].clone()).collect();
        let mut applied = Applied::default();
        let Judged { mut stages, standing } = self.judged(bundle, now, Look::Once, &mut applied).await?;
        if crds.is_subset(&standing) {
            let others = self.judged(bundle, std::mem::take(&mut later), Look::Once, &mut applied).await?;
            add(&mut stages, others);
        }
        for stage in Stage::ALL {
            if stage == Stage::Rest && !later.is_empty() {
                self.establish(&crds.iter().cloned().collect::<Vec<_>>()).await?;
                let later = std::mem::take(&mut later);
                add(&mut stages, self.judged(bundle, later, Look::UntilServed, &mut applied).await?);
            }
            self.write(stages.remove(&stage).unwrap_or_default(), &mut applied).await?;
        }
        Ok(applied)
    }

    /// What must be written of these.
    async fn judged(
        &self,
        bundle: &Bundle,
        manifests: Vec<Manifest>,
        look: Look,
        applied: &mut Applied,
    ) -> Result<Judged> {
        let placed = self.placed(bundle, manifests).await?;
        let names: Vec<ObjectName> = placed.iter().map(|manifest| manifest.name().clone()).collect();
        let seen = match look {
            Look::Once => self.kubernetes.observe_all(&names).await?,
            Look::UntilServed => {
                let on = "the objects of the bundle's CRDs";
                self.kubernetes.wait_until(&names, on, ESTABLISHED, |_| Ok(Judgement::Met)).await?
            }
        };
        let owners = seen.iter().filter_map(|seen| Some(seen.object()?.owner(&self.environment)));
        self.stands_among(owners.filter_map(own)).await?;
        let (mut judged, mut failed) = (Judged::default(), Vec::new());
        for (manifest, seen) in placed.into_iter().zip(seen) {
            let stage = Stage::of(&manifest);
            let terms = Terms { shared: bundle.shared.contains(manifest.name()), kept: bundle.kept };
            let (name, is_crd) = (manifest.name().clone(), is_crd(&manifest));
            let found = seen.object().filter(|_| is_crd).map(|object| object.value().clone());
            let change = match self.change(manifest, seen, terms) {
                Ok(change) => change,
                Err(one) => {
                    failed.push(one);
                    continue;
                }
            };
            let as_wanted = change.as_ref().is_none_or(|change| change.is_mark);
            let standing = |found: &Value| as_wanted && condition(found, "Established").is_true();
            if let Some(found) = found.filter(standing) {
                self.kubernetes.learn(&found).await;
                judged.standing.insert(name.clone());
            }
            match change {
                Some(change) => judged.stages.entry(stage).or_default().push(change),
                None => applied.unchanged.push(name),
            }
        }
        if failed.is_empty() { Ok(judged) } else { Err(self.kubernetes.unwritten(failed)) }
    }

    /// In the namespaces that they will have.
    async fn placed(&self, bundle: &Bundle, manifests: Vec<Manifest>) -> Result<Vec<Manifest>> {
        let kinds = manifests.iter().map(|manifest| kind_of(manifest.name())).collect();
        let served = self.kubernetes.served(&kinds).await;
        let served = served.map_err(|denial| self.kubernetes.unread(vec![Failed::new(KINDS, denial)]))?;
        let (mut placed, mut failed) = (Vec::new(), Vec::new());
        for manifest in manifests {
            let name = manifest.name().clone();
            let wrong = |detail, hint| Failed::ours(format!("apply {name}"), Kind::Invalid, detail, hint);
            let served = served.get(&kind_of(&name)).and_then(Option::as_ref);
            match (served.map(|served| served.namespaced), &name.namespace, &bundle.namespace) {
                (None, ..) => {
                    let detail = format!("the API server has no {} of {}", name.kind, name.api_version);
                    failed.push(wrong(detail, NO_SUCH_KIND));
                }
                (Some(true), None, None) => {
                    let detail = "it is not said in which namespace".to_owned();
                    failed.push(wrong(detail, "name one in its metadata.namespace"));
                }
                (Some(true), None, within) => placed.push(manifest.within(within.clone())),
                // As a server does.
                (Some(false), Some(_), _) => placed.push(manifest.within(None)),
                (Some(true), Some(_), _) | (Some(false), None, _) => placed.push(manifest),
            }
        }
        // Two that were told apart may be one, now that it is known where they are.
        let mut names = BTreeSet::new();
        for twice in placed.iter().map(Manifest::name).filter(|name| !names.insert((*name).clone())) {
            let detail = "it is there twice, once without its namespace";
            let hint = "one of the two would win, and nobody could say which: leave one away";
            failed.push(Failed::ours(format!("apply {twice}"), Kind::Invalid, detail, hint));
        }
        if failed.is_empty() { Ok(placed) } else { Err(self.kubernetes.unwritten(failed)) }
    }

    /// What must be sent; `None`: it is already so.
    pub(super) fn change(
        &self,
        manifest: Manifest,
        seen: Seen,
        terms: Terms,
    ) -> Result<Option<Change>, Failed> {
        let name = manifest.name().clone();
        let doing = || format!("apply {name}");
        let is_own = match seen.object() {
            None => true,
            Some(object) => match object.owner(&self.environment) {
                Owner::Own(mark) => {
                    self.outranks(&mark, &doing)?;
                    true
                }
                Owner::Nobody if terms.shared => false,
                Owner::Nobody => {
                    let detail =
                        format!("it is not berth's: it lacks the label {ENVIRONMENT}={}", self.environment);
                    let hint = "give yours another name, or list it as shared if all are to use the one";
                    return Err(Failed::ours(doing(), Kind::Invalid, detail, hint));
                }
                Owner::Foreign(why) => {
                    let hint = "give yours another name: what is somebody else's is left alone";
                    let detail = format!("it is not ours: {why}");
                    return Err(Failed::ours(doing(), Kind::Invalid, detail, hint));
                }
            },
        };
        if seen.object().is_some_and(super::Object::is_ending) {
            let (kind, detail) = (Kind::Unavailable { wait: None }, "it is still being deleted");
            let hint = "wait until it is gone; its finalizers say who holds it";
            return Err(Failed::ours(doing(), kind, detail, hint));
        }
        let claim = self.fence.claim();
        let mut wanted = manifest.stamped(is_own.then_some(claim));
        let difference = match seen.object() {
            None => Difference::Content("it is not there".to_owned()),
            Some(object) if terms.kept => mark(&wanted, object.value()),
            Some(object) => difference(&wanted, object.value()),
        };
        let version = seen.version().map(str::to_owned).ok_or_else(|| {
            let detail = format!("the API server no longer has {} of {}", name.kind, name.api_version);
            Failed::ours(doing(), Kind::Invalid, detail, NO_SUCH_KIND)
        })?;
        let patch = match difference {
            Difference::Nothing => return Ok(None),
            Difference::Mark => {
                let labels =
                    serde_json::Map::from_iter(marks(claim).map(|(key, mark)| (key.to_owned(), mark)));
                Patch::Merge(json!({"metadata": {"resourceVersion": version, "labels": labels}}))
            }
            Difference::Content(what) => {
                tracing::debug!("{name} is applied: {what}");
                wanted["metadata"]["resourceVersion"] = json!(version);
                // Of what is not there any more, a server minds the uid alone.
                if let Some(object) = seen.object() {
                    wanted["metadata"]["uid"] = json!(object.uid());
                }
                Patch::Apply(wanted)
            }
        };
        Ok(Some(Change { seen, is_mark: matches!(patch, Patch::Merge(_)), patch }))
    }

    async fn write(&self, changes: Vec<Change>, applied: &mut Applied) -> Result<()> {
        let sent = changes.into_iter().map(|change| async move {
            let written = self.send(&change).await;
            written.map(|()| (change.seen.name().clone(), change.is_mark))
        });
        let sent: Vec<_> = sent.collect();
        let mut sent = stream::iter(sent).buffer_unordered(IN_FLIGHT);
        let mut failed = Vec::new();
        while let Some(written) = sent.next().await {
            match written {
                Ok((name, true)) => applied.marked.push(name),
                Ok((name, false)) => applied.written.push(name),
                Err(one) => failed.push(one),
            }
        }
        failed.sort_by(|a: &Failed, b| a.doing.cmp(&b.doing));
        if failed.is_empty() { Ok(()) } else { Err(self.kubernetes.unwritten(failed)) }
    }

    pub(super) async fn send(&self, Change { seen, patch, .. }: &Change) -> Result<(), Failed> {
        let doing = || format!("apply {}", seen.name());
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let params = match patch {
            Patch::Apply(_) => params.force().validation_strict(),
            _ => params,
        };
        let look = seen.look.as_ref().expect("`change` took only what has a version");
        let name = &seen.name().name;
        let asked = requests(&look.served, seen.name().namespace.as_deref()).patch(name, &params, patch);
        let answer = request::<Written>(&self.kubernetes.client, asked, self.kubernetes.limit).await;
        let answer =
            answer.map_err(|denial| match denial.says(reason::NOT_FOUND, &look.served.resource, name) {
                true => Failed::new(doing(), Failure { kind: Kind::Conflict, ..denial.failure }),
                false => Failed::new(doing(), denial),
            });
        let named = answer?.metadata.name;
        if named != *name {
            return Err(Failed::new(doing(), Denial::garbled("the answer is about another object")));
        }
        Ok(())
    }

    /// Until objects of these CRDs' kinds can be made.
    async fn establish(&self, crds: &[ObjectName]) -> Result<()> {
        let judge = |seen: &[Seen]| {
            let lacking = seen.iter().find_map(|one| {
                let Some(object) = one.object() else { return Some(format!("{} is not there", one.name())) };
                let established = condition(object.value(), "Established");
                (!established.is_true()).then(|| format!("{}: Established is {established}", one.name()))
            });
            Ok(lacking.map_or(Judgement::Met, Judgement::Lacking))
        };
        let seen =
            self.kubernetes.wait_until(crds, "the bundle's CRDs established", ESTABLISHED, judge).await?;
        for object in seen.iter().filter_map(Seen::object) {
            self.kubernetes.learn(object.value()).await;
        }
        Ok(())
    }
}

fn kind_of(name: &ObjectName) -> (String, String) {
    (name.api_version.clone(), name.kind.clone())
}

/// Objects of what a bundle brings itself come after its CRDs, whatever their group is called.
fn add(stages: &mut BTreeMap<Stage, Vec<Change>>, others: Judged) {
    for (stage, changes) in others.stages {
        stages.entry(stage.max(Stage::Rest)).or_default().extend(changes);
    }
}

fn is_crd(manifest: &Manifest) -> bool {
    manifest.group() == "apiextensions.k8s.io" && manifest.name().kind == "CustomResourceDefinition"
}

/// The kinds that a bundle brings itself, and the CRD that each comes from.
fn brought(bundle: &Bundle) -> BTreeMap<(String, String), ObjectName> {
    let crds = bundle.manifests.iter().filter(|manifest| is_crd(manifest));
    let kinds = crds.flat_map(|crd| {
        defined(crd.value())
            .into_iter()
            .map(|served| ((served.resource.api_version, served.resource.kind), crd.name().clone()))
    });
    kinds.collect()
}
