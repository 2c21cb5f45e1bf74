//! Why an environment is not ready: what its objects say, outside and inside, made into one line and its evidence.
//!
//! Must never: fail, or hold up the end of a run for long: what cannot be read here is left out of the diagnosis, and the
//! error that led here is told in any case.

use crate::{
    clients::kubernetes::Area,
    domain::{
        diagnosis::{Diagnosis, Snapshot, diagnose},
        scope::Scope,
    },
    providers::{Inside, Provider},
};
use std::time::Duration;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The likely cause, and what it was read from.
pub(super) async fn diagnosed(provider: &dyn Provider, scope: &Scope) -> (Option<Diagnosis>, Option<String>) {
    let look = async {
        let mut all = Snapshot::default();
        match provider.snapshot(scope).await {
            Ok(outside) => all.objects.extend(outside.objects),
            Err(error) => tracing::debug!("no diagnosis from outside: {error:#}"),
        }
        match provider.inside(scope).await {
            Ok(Inside::Open(access)) => all.objects.extend(access.kubernetes.snapshot(&inside()).await),
            Ok(Inside::NotYet(_) | Inside::Gone) => {}
            Err(error) => tracing::debug!("no diagnosis from inside: {error:#}"),
        }
        all
    };
    match tokio::time::timeout(LIMIT, look).await {
        Ok(all) => (diagnose(&all), evidence(&all)),
        Err(_) => (None, None),
    }
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
