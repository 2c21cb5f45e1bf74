//! What needs the operators is there, and says of itself that it is ready; a PostgreSQL too, if there is to be one. It goes
//! with the cluster.

use super::{
    Context, InsideStep, OPERATORS, RESOURCES,
    install::{self, Rendering},
};
use crate::{
    domain::plan::Spec,
    progress::Progress,
    providers::Access,
    settings::{Namespace, Postgres},
};
use anyhow::Result;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::time::Duration;

/// See the module.
pub struct Resources {
    pub(super) patience: Duration,
    pub(super) rendering: Rendering,
    pub(super) namespace: Namespace,
    pub(super) postgres: Option<Postgres>,
}

#[async_trait(?Send)]
impl InsideStep for Resources {
    fn spec(&self) -> Spec {
        Spec { name: RESOURCES, needs: &[OPERATORS], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>, inside: &Access) -> Result<Progress> {
        let rendered = self.rendering.objects(&cx.scope.variables()).await?;
        let objects: Vec<Value> =
            rendered.iter().cloned().chain(self.postgres.iter().flat_map(postgres)).collect();
        if objects.is_empty() {
            return Ok(Progress::done("none are configured"));
        }
        Ok(match install::install(cx, inside, RESOURCES, &objects, &self.namespace).await? {
            Some(wait) => Progress::Waiting(wait),
            None => Progress::Done(format!("{} applied", objects.len())),
        })
    }
}

/// Its operator makes the password, and the Secret `NAME-app` with all that an app needs to get in.
fn postgres(of: &Postgres) -> Vec<Value> {
    let mut cluster = json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": of.name.as_ref(), "namespace": of.namespace.as_ref()},
        "spec": {
            "instances": of.instances,
            "storage": {"size": of.storage.to_string()},
            "bootstrap": {"initdb": {"database": of.database, "owner": of.owner}},
        },
    });
    if let Some(image) = &of.image {
        cluster["spec"]["imageName"] = json!(image.as_ref());
    }
    let namespace = (of.namespace.as_ref() != "default").then(|| super::namespace(of.namespace.as_ref()));
    namespace.into_iter().chain([cluster]).collect()
}
