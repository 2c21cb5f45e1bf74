//! Why an environment is not ready: what its objects say, outside and inside, made into one line and its evidence.
//!
//! Must never: fail, or hold up the end of a run for long: what cannot be read here is left out of the diagnosis, and the
//! error that led here is told in any case.

use super::{
    Engine,
    drive::{late_on, line},
    handle::CLAIM,
};
use crate::{
    clients::{Failure, Kind, kubernetes::Area},
    domain::{
        claim::Claim,
        diagnosis::{Diagnosis, Failed, How, LastWords, Snapshot, diagnose, speakers},
        plan::StepName,
        scope::{Hosts, Scope, Target},
    },
    mask::Mask,
    providers::{Access, Inside, Provider},
};
use futures::future::join_all;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How long it may take, and after that the logs.
const LIMIT: Duration = Duration::from_secs(10);
const LOG_LIMIT: Duration = Duration::from_secs(3);
/// Of so many containers the last words are told, and of each so many lines.
const CONTAINERS: usize = 3;
const LINES: usize = 20;

/// What is looked at, and how.
pub(super) struct Seeing<'a> {
    pub(super) provider: &'a dyn Provider,
    pub(super) scope: &'a Scope,
    /// Of what is told nowhere. Words are shortened later, and half a secret would not be found.
    pub(super) mask: &'a Mask,
    /// To what containers said, too.
    pub(super) listens: bool,
}

impl Seeing<'_> {
    /// The likely cause of a step's failure, and what it was read from.
    pub(super) async fn diagnosed(
        &self,
        step: StepName,
        error: &anyhow::Error,
    ) -> (Option<Diagnosis>, Option<String>) {
        let failed = how(error, self.mask).map(|how| Failed { step, how });
        let mut all = Snapshot { failed, ..Snapshot::default() };
        let access = timeout(LIMIT, look(self.provider, self.scope, &mut all.objects)).await.ok().flatten();
        all.objects.iter_mut().for_each(|object| redact_messages(object, self.mask));
        let found = diagnose(&all);
        if let Some(access) = access.filter(|_| self.listens) {
            all.last_words = last_words(&access, &all, found.as_ref(), self.mask).await;
        }
        (found, evidence(&all))
    }
}

impl Engine {
    /// The likely cause why an environment does not stand that nobody is at, and what it was read from.
    pub(super) async fn diagnosed(&self, claim: &Claim, why: &str) -> (Option<Diagnosis>, Option<String>) {
        let Ok(provider) = self.providers.of(claim.removal()).await else { return (None, None) };
        let scope = Scope::of(claim, Hosts::default(), Target::Down);
        let seeing = Seeing { provider: &*provider, scope: &scope, mask: &self.mask, listens: false };
        seeing.diagnosed(CLAIM, &anyhow::anyhow!(why.to_owned())).await
    }
}

/// Of conditions, container states and events.
fn redact_messages(value: &mut Value, mask: &Mask) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match value {
            Value::String(text) if name == "message" => *text = mask.redact(text),
            value => redact_messages(value, mask),
        }),
        Value::Array(all) => all.iter_mut().for_each(|one| redact_messages(one, mask)),
        _ => {}
    }
}

/// All that tells anything, and the way in, if there is one. What was seen from outside stays also where the inside hangs.
async fn look(provider: &dyn Provider, scope: &Scope, objects: &mut Vec<Value>) -> Option<Access> {
    match provider.snapshot(scope).await {
        Ok(outside) => objects.extend(outside.objects),
        Err(error) => tracing::debug!("no diagnosis from outside: {error:#}"),
    }
    match provider.inside(scope).await {
        Ok(Inside::Open(access)) => {
            objects.extend(access.kubernetes.snapshot(&inside()).await);
            return Some(access);
        }
        Ok(Inside::NotYet(_) | Inside::Gone) => {}
        Err(error) => tracing::debug!("no diagnosis from inside: {error:#}"),
    }
    None
}

/// In which way a step failed, if that alone may tell why.
fn how(error: &anyhow::Error, mask: &Mask) -> Option<How> {
    let waited = late_on(error).map(|on| mask.redact(on));
    let Some(failure) = error.downcast_ref::<Failure>() else { return waited.map(How::Waited) };
    // Of many things that failed together, each has a line of its own.
    let said = match failure.detail.strip_prefix('\n') {
        Some(each) => each.lines().map(|one| mask.redact(one.trim())).collect(),
        None => vec![mask.redact(&line(error))],
    };
    Some(match failure.kind {
        Kind::Refused | Kind::Invalid => How::Answered(said),
        Kind::Unavailable { .. } | Kind::Conflict | Kind::Superseded => How::Unanswered { said, waited },
    })
}

/// What hangs, as a log does whose node is gone, is left out.
async fn last_words(
    access: &Access,
    all: &Snapshot,
    found: Option<&Diagnosis>,
    mask: &Mask,
) -> Vec<LastWords> {
    let each = speakers(all, found).take(CONTAINERS).map(async |(pod, container, life)| {
        let said = access.kubernetes.last_words(&pod, container, life, LINES);
        match timeout(LOG_LIMIT, said).await {
            Ok(Ok(text)) => {
                Some(LastWords { of: format!("{pod} container {container}"), text: mask.redact(&text) })
            }
            Ok(Err(error)) => {
                tracing::debug!("left out of the evidence: {error:#}");
                None
            }
            Err(_) => None,
        }
    });
    join_all(each).await.into_iter().flatten().filter(|words| !words.text.trim().is_empty()).collect()
}

/// What tells why a workload is not ready.
fn inside() -> Vec<Area> {
    let kinds = [
        ("v1", "Pod"),
        ("v1", "Event"),
        ("v1", "Node"),
        ("v1", "PersistentVolumeClaim"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("cert-manager.io/v1", "Certificate"),
        ("cert-manager.io/v1", "CertificateRequest"),
        ("cert-manager.io/v1", "Issuer"),
        ("cert-manager.io/v1", "ClusterIssuer"),
    ];
    kinds.map(|(api_version, kind)| Area::of(api_version, kind)).to_vec()
}

fn evidence(all: &Snapshot) -> Option<String> {
    let text = crate::domain::evidence::evidence(all);
    (!text.is_empty()).then_some(text)
}
