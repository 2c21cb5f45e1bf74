//! A user's Job as it is applied. Pure.
//!
//! It gets the commit into its name, so that a push runs it anew and the same commit does not; it fails once and for all,
//! within its time; and it stays until its log was read. If its JUnit is a file in the container, its command is wrapped so
//! that the file is printed at the end, between [`BEGIN`] and [`END`]; the exit code is the command's own. Must never:
//! guess the command of an image.

use super::super::{BEGIN, END};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// A name of a Job is a label of its pods.
const LONGEST: usize = 63;

/// See the module.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) value: Value,
    /// In which the tests run.
    pub(super) container: String,
}

/// `run` tells one run from another.
pub(super) fn wanted(
    documents: Vec<Value>,
    run: &str,
    limit: Duration,
    junit: Option<&Path>,
) -> Result<Wanted, String> {
    let [mut job] = <[Value; 1]>::try_from(documents)
        .map_err(|documents| format!("it holds {} documents, not one", documents.len()))?;
    if job["apiVersion"] != "batch/v1" || job["kind"] != "Job" || !job["metadata"].is_object() {
        return Err("it holds no Job of batch/v1".to_owned());
    }
    let name = job["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let base = name.get(..name.len().min(LONGEST - 1 - run.len())).unwrap_or_default();
    let base = base.trim_end_matches(['-', '.']);
    if base.is_empty() {
        return Err("its metadata.name is lacking".to_owned());
    }
    job["metadata"]["name"] = json!(format!("{base}-{run}"));
    let spec = job["spec"].as_object_mut().ok_or("it has no spec")?;
    spec.remove("ttlSecondsAfterFinished");
    spec.entry("backoffLimit").or_insert_with(|| json!(0));
    let own = spec.get("activeDeadlineSeconds").and_then(Value::as_u64);
    let limit = own.map_or(limit.as_secs(), |own| own.min(limit.as_secs()));
    spec.insert("activeDeadlineSeconds".to_owned(), json!(limit));
    let container = job.pointer_mut("/spec/template/spec/containers/0").ok_or("it has no container")?;
    let of = container["name"].as_str().ok_or("its first container has no name")?.to_owned();
    if let Some(junit) = junit {
        let junit = junit.to_str().ok_or("the path of its JUnit is no text")?;
        wrap(container, junit)?;
    }
    Ok(Wanted { value: job, container: of })
}

fn wrap(container: &mut Value, junit: &str) -> Result<(), String> {
    let words = |field: &str| container[field].as_array().cloned().unwrap_or_default();
    let command = words("command");
    if command.is_empty() {
        return Err(format!(
            "with `tests.junit` its first container needs a `command`, for what its image runs is not known here; or \
             leave `tests.junit` out, and print the report between the lines {BEGIN} and {END}"
        ));
    }
    let script = format!(
        "junit=$1; shift; rm -f \"$junit\"; \"$@\"; code=$?; \
         if [ -f \"$junit\" ]; then echo; echo '{BEGIN}'; cat \"$junit\"; echo; echo '{END}'; fi; exit $code"
    );
    let args = words("args");
    let wrapped = [json!("sh"), json!("-c"), json!(script), json!("berth"), json!(junit)];
    container["command"] = wrapped.into_iter().chain(command).chain(args).collect();
    if let Some(container) = container.as_object_mut() {
        container.remove("args");
    }
    Ok(())
}
