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
    clock::{Clock, Rhythm},
    domain::{claim, scope::Scope},
    progress::Wait,
    providers::Here,
    settings::ObjectName,
};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

const GROUP: &str = "rbac.authorization.k8s.io";
/// The longest time between two questions whether a server goes by a new role. Mostly it takes some moments.
const ASKING: Duration = Duration::from_secs(5);

/// `None`: the Secrets of its namespace may be looked at, and nothing was written for that.
pub(super) async fn entitled(
    management: &Kubernetes,
    here: &Here<'_>,
    clock: &Clock,
    (role, objects): (&ObjectName, &[Value]),
) -> Result<Option<Wait>> {
    let secret = entrance::secret(here.scope);
    if may_look(management, &secret).await? {
        return Ok(None);
    }
    let namespace = objects
        .iter()
        .filter(|one| one["kind"] == "Namespace" && one["metadata"]["name"] == here.scope.name.as_ref());
    let bound = binding(here.scope, role, &management.account().await?);
    let bundle = Bundle::of(namespace.cloned().chain([bound]))?.keeping_what_stands();
    management.writer(here.fence).apply(&bundle).await?;
    let on = "its role in the environment's namespace to be in force";
    Ok(Some(Wait::new(on, until_it_may(management.clone(), secret, clock.clone()))))
}

async fn may_look(management: &Kubernetes, secret: &claim::ObjectName) -> Result<bool> {
    match management.observe(secret).await {
        Ok(_) => Ok(true),
        Err(error) if Failure::of(&error) == Kind::Refused => Ok(false),
        Err(error) => Err(error),
    }
}

/// Who decides on requests learns of a role some moments later, and tells nobody when.
async fn until_it_may(management: Kubernetes, secret: claim::ObjectName, clock: Clock) -> Result<()> {
    let rhythm = Rhythm::new(ASKING);
    while !may_look(&management, &secret).await? {
        rhythm.next(&clock).await?;
    }
    Ok(())
}

fn binding(scope: &Scope, role: &ObjectName, account: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "RoleBinding",
        "metadata": {"name": "berth", "namespace": scope.name},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role.as_ref()},
        "subjects": [account],
    })
}
