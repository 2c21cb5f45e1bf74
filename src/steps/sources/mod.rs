//! Sources, rendered to objects.

use crate::{
    clients::files,
    domain::{template::Variables, yaml},
    errors::{Exit, UserError},
    settings::{Chart, ChartFrom, Form, Source},
};
use anyhow::{Result, bail};
use serde_json::{Value, json};

/// What a source came to.
pub struct Rendered {
    /// For the environment's own cluster.
    pub objects: Vec<Value>,
    /// For Argo CD's.
    pub application: Option<Value>,
}

/// Renders.
pub struct Renderer {}

impl Renderer {
    /// One source.
    pub async fn render(&self, source: &Source, variables: &Variables) -> Result<Rendered> {
        let objects = match &source.form {
            Form::Manifests(path) => {
                let mut objects = Vec::new();
                for files::Text { name, text } in files::manifests(path)? {
                    objects.extend(
                        yaml::filled(&name, &text, variables)
                            .map_err(|wrong| UserError::new(Exit::Failed, wrong))?,
                    );
                }
                objects
            }
            Form::Chart(chart) => vec![helm_chart(chart, variables)?],
            Form::Kustomize(_) | Form::ArgoCd(_) => bail!("being written"),
        };
        Ok(Rendered { objects, application: None })
    }
}

fn helm_chart(chart: &Chart, variables: &Variables) -> Result<Value> {
    let mut spec = json!({"targetNamespace": chart.namespace.as_ref(), "createNamespace": true});
    match &chart.from {
        ChartFrom::Repository { repo, name } => {
            spec["repo"] = json!(repo.as_ref());
            spec["chart"] = json!(name);
        }
        ChartFrom::Registry(chart) => spec["chart"] = json!(chart),
        ChartFrom::Directory(_) => bail!("being written"),
    }
    if let Some(version) = &chart.version {
        spec["version"] = json!(version);
    }
    let values =
        variables.fill(&Value::Object(chart.values.clone())).map_err(|_| UserError::usage("values"))?;
    spec["valuesContent"] = json!(yaml::text(&[values]));
    Ok(json!({"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart",
        "metadata": {"name": chart.release.as_ref(), "namespace": "kube-system"}, "spec": spec}))
}
