//! The right to an environment's Secrets: a role that is bound in its namespace alone, by berth to itself.
//!
//! A namespace that does not exist yet has no roles waiting in it. The other way is a right to the Secrets of all namespaces.
//! Must never: bind anything where that right is there already.

use super::entrance;
use crate::{
    clients::{
        Failure, Kind,
        kubernetes::{Kubernetes, manifest::Bundle},
    },
    clock::Clock,
    domain::scope::Scope,
    progress::Wait,
    providers::Here,
    settings::ObjectName,
};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

const GROUP: &str = "rbac.authorization.k8s.io";
/// Mostly it takes a server no longer to go by a new role.
const SOON: Duration = Duration::from_millis(200);

/// `None`: the Secrets of its namespace may be looked at.
pub(super) async fn entitled(
    management: &Kubernetes,
    here: &Here<'_>,
    clock: &Clock,
    (role, objects): (&ObjectName, &[Value]),
) -> Result<Option<Wait>> {
    let may_look = async || match management.observe(&entrance::secret(here.scope)).await {
        Ok(_) => Ok(true),
        Err(error) if Failure::of(&error) == Kind::Refused => Ok(false),
        Err(error) => Err(error),
    };
    if may_look().await? {
        return Ok(None);
    }
    let namespace = objects
        .iter()
        .filter(|one| one["kind"] == "Namespace" && one["metadata"]["name"] == here.scope.name.as_ref());
    let bound = binding(here.scope, role, &management.account().await?);
    let bundle = Bundle::of(namespace.cloned().chain([bound]))?.keeping_what_stands();
    management.writer(here.fence).apply(&bundle).await?;
    if may_look().await? {
        return Ok(None);
    }
    // Who decides on requests learns of it some moments later, and tells nobody when.
    Ok(Some(Wait::new("its role in the environment's namespace to be in force", clock.passed(SOON))))
}

fn binding(scope: &Scope, role: &ObjectName, account: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "RoleBinding",
        "metadata": {"name": "berth", "namespace": scope.name},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role.as_ref()},
        "subjects": [account],
    })
}
