//! Manifests as they lie in files.

use crate::{clients::files, domain::template::Variables};
use anyhow::Result;
use serde_json::Value;
use std::path::Path;

pub(super) fn objects(path: &Path, variables: &Variables) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for file in files::manifests(path)? {
        objects.extend(super::filled(&file.name, &file.text, variables)?);
    }
    Ok(objects)
}
