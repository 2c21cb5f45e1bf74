//! An Application of Argo CD: it is for the cluster that Argo CD runs in, and tells it what to deploy to the environment.

use crate::{clients::files, domain::template::Variables};
use anyhow::Result;
use serde_json::Value;
use std::path::Path;

pub(super) fn application(path: &Path, variables: &Variables) -> Result<Value> {
    let file = files::text(path)?;
    let mut documents = super::filled(&file.name, &file.text, variables)?;
    let is_application = |value: &Value| {
        value["kind"] == "Application"
            && value["apiVersion"].as_str().is_some_and(|version| version.starts_with("argoproj.io/"))
    };
    match documents.pop() {
        Some(one) if documents.is_empty() && is_application(&one) => Ok(one),
        _ => {
            let message = format!("{} is not one Application of argoproj.io", file.name);
            Err(super::wrong(message, Some("other objects belong into `manifests`")))
        }
    }
}
