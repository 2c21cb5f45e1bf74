//! A chart of Helm. One that lies in a directory is rendered here, by `helm template`; one from elsewhere is left to the
//! environment, as an object of the Helm controller that every k3s has.
//!
//! Helm follows every link in a chart, so a chart's links must not lead out of it. Must never: let a value of a variable
//! become a key; give helm a way to a cluster.

use super::Renderer;
use crate::{
    clients::{child::Command, files},
    domain::{template::Variables, yaml},
    errors::{Exit, UserError},
    settings::{Chart, ChartFrom},
};
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::{ffi::OsString, fs, path::Path};

/// Where the Helm controller looks for its objects.
const CONTROLLER: &str = "kube-system";

pub(super) async fn objects(chart: &Chart, variables: &Variables, renderer: &Renderer) -> Result<Vec<Value>> {
    let values = values(chart, variables)?;
    let (repo, name) = match &chart.from {
        ChartFrom::Directory(directory) => return rendered(chart, directory, &values, renderer).await,
        ChartFrom::Repository { repo, name } => (Some(repo), name),
        ChartFrom::Registry(reference) => (None, reference),
    };
    let mut spec = json!({
        "chart": name,
        "targetNamespace": chart.namespace.as_ref(),
        "createNamespace": true,
        "valuesContent": yaml::text(&[values.into()]),
    });
    for (key, value) in [("repo", repo.map(ToString::to_string)), ("version", chart.version.clone())] {
        if let Some(value) = value {
            spec[key] = value.into();
        }
    }
    Ok(vec![json!({
        "apiVersion": "helm.cattle.io/v1", "kind": "HelmChart",
        "metadata": {"name": chart.release.as_ref(), "namespace": CONTROLLER},
        "spec": spec,
    })])
}

async fn rendered(
    chart: &Chart,
    directory: &Path,
    values: &Map<String, Value>,
    renderer: &Renderer,
) -> Result<Vec<Value>> {
    let real = super::directory(directory)?;
    files::keeps_to_itself(&real)?;
    let Some(program) = renderer.surroundings.find("helm") else {
        let message = format!("the chart in {} needs `helm`, and it is not on the PATH", directory.display());
        return Err(super::wrong(message, Some("install it in a step before")));
    };
    let room = files::private_directory()?;
    let file = room.path().join("values.yaml");
    fs::write(&file, yaml::text(&[values.clone().into()])).context("write the chart's values")?;
    let mut arguments: Vec<OsString> =
        vec!["template".into(), chart.release.as_ref().into(), real.clone().into()];
    arguments.extend(["--namespace".into(), chart.namespace.as_ref().into(), "--values".into(), file.into()]);
    // Its own tests are run by nobody here.
    arguments.extend(["--include-crds".into(), "--skip-tests".into()]);
    let command =
        Command { program, arguments, directory: &real, variables: vec![], limit: super::RENDERING };
    let name = format!("the chart in {}", directory.display());
    let text = renderer.output(&command, &name).await?;
    // Its placeholders are those of its values: what a template writes itself is the chart's own.
    yaml::documents(&name, &text).map_err(|mistake| super::wrong(mistake, None))
}

/// Those of its files, the weakest first, and over them its own.
fn values(chart: &Chart, variables: &Variables) -> Result<Map<String, Value>> {
    let mut all = Map::new();
    for path in &chart.values_files {
        let file = files::text(path)?;
        match super::filled(&file.name, &file.text, variables)?.as_mut_slice() {
            [] => {}
            [Value::Object(values)] => merge(&mut all, std::mem::take(values)),
            _ => return Err(super::wrong(format!("{} is not one map of values", file.name), None)),
        }
    }
    let own = variables.fill(&Value::Object(chart.values.clone())).map_err(|mistakes| {
        let first = mistakes.first().map_or(String::new(), ToString::to_string);
        UserError::new(Exit::Failed, format!("`values`{first}"))
    })?;
    if let Value::Object(own) = own {
        merge(&mut all, own);
    }
    Ok(all)
}

/// Maps are merged, all else is replaced, as Helm does; a null stays, because to Helm it takes a default away.
fn merge(into: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
