//! A kustomization, built by `kustomize`, or by `kubectl`, whichever is there.
//!
//! Its files lie below its own directory (the load restrictor, which also follows links), and it runs no program: plug-ins,
//! functions and charts stay off. Must never: pass an option by which that would change.

use super::Renderer;
use crate::{clients::child::Command, domain::template::Variables};
use anyhow::Result;
use serde_json::Value;
use std::{ffi::OsString, path::Path};

pub(super) async fn objects(path: &Path, variables: &Variables, renderer: &Renderer) -> Result<Vec<Value>> {
    let directory = super::directory(path)?;
    let find = |program: &str| renderer.surroundings.find(program);
    let (program, verb) = match (find("kustomize"), find("kubectl")) {
        (Some(kustomize), _) => (kustomize, "build"),
        (None, Some(kubectl)) => (kubectl, "kustomize"),
        (None, None) => {
            let hint = "install one of them in a step before, or use `manifests`";
            let message = "a kustomization needs `kustomize` or `kubectl`, and neither is on the PATH";
            return Err(super::wrong(message, Some(hint)));
        }
    };
    let arguments: Vec<OsString> =
        vec![verb.into(), directory.clone().into(), "--load-restrictor=LoadRestrictionsRootOnly".into()];
    let command =
        Command { program, arguments, directory: &directory, variables: vec![], limit: super::RENDERING };
    let name = format!("the kustomization in {}", path.display());
    let text = renderer.output(&command, &name).await?;
    super::filled(&name, &text, variables)
}
