//! Sources: what settings name, as the objects that are applied. One file for each form.
//!
//! What is rendered may come with the code under review. So what it names lies in its checkout, wherever links lead; what
//! renders it is a child process without our credentials, bounded in time and output; and what comes out is bounded in
//! number. Must never: give a part for the whole; talk to a cluster.

mod argo_cd;
mod chart;
mod kustomize;
mod manifests;

use crate::{
    clients::{
        child::{self, Surroundings},
        files,
    },
    clock::Clock,
    domain::{template::Variables, yaml},
    errors::{Exit, UserError},
    settings::{ChartFrom, Form, Source},
};
use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// More objects than any app has.
pub const OBJECTS: usize = 5_000;
/// Rendering takes no longer; those that fetch from elsewhere need most of it.
pub const RENDERING: Duration = Duration::from_secs(120);

/// What renders.
#[derive(Debug, Clone)]
pub struct Renderer {
    /// What child processes get of the outside, and where programs are.
    pub surroundings: Surroundings,
    /// By which they are timed.
    pub clock: Clock,
}

/// What a source came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// For the environment.
    pub objects: Vec<Value>,
    /// An Application of Argo CD, for the cluster that Argo CD runs in.
    pub application: Option<Value>,
}

impl Renderer {
    /// All objects of a source, with every placeholder substituted.
    pub async fn render(&self, source: &Source, variables: &Variables) -> Result<Rendered> {
        let rendered = self.rendered(source, variables).await;
        rendered.map_err(|error| at(&source.place, error))
    }

    async fn rendered(&self, source: &Source, variables: &Variables) -> Result<Rendered> {
        within(source)?;
        let rendered = match &source.form {
            Form::Manifests(path) => plain(manifests::objects(path, variables)?),
            Form::Kustomize(directory) => plain(kustomize::objects(directory, variables, self).await?),
            Form::Chart(chart) => plain(chart::objects(chart, variables, self).await?),
            Form::ArgoCd(file) => {
                let application = Some(argo_cd::application(file, variables)?);
                Rendered { objects: Vec::new(), application }
            }
        };
        counted(&rendered.objects)?;
        Ok(rendered)
    }

    /// What a program rendered, if it did so in full.
    async fn output(&self, command: &child::Command<'_>, what: &str) -> Result<String> {
        let ended = child::run(command, &self.surroundings, &self.clock, &mut |_, _| {}).await?;
        let program = command.program.display();
        if !ended.end.is_success() {
            let said = ended.err.end();
            let because = if said.is_empty() { anyhow!("it said nothing") } else { anyhow!(said) };
            return Err(
                because.context(UserError::new(Exit::Failed, format!("{what}: {program} {}", ended.end)))
            );
        }
        if !ended.out.is_whole() {
            let total = ended.out.total;
            return Err(wrong(format!("{what}: {program} wrote {total} bytes, and that is too much"), None));
        }
        String::from_utf8(ended.out.bytes)
            .map_err(|_| wrong(format!("{what}: what {program} wrote is no text"), None))
    }
}

fn plain(objects: Vec<Value>) -> Rendered {
    Rendered { objects, application: None }
}

/// The error, beginning with where its cause was said.
fn at(place: &str, error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<UserError>() {
        // It is the outermost: what it was made of follows.
        Some(user) if error.to_string() == user.to_string() => {
            let placed = user.clone().at(place);
            error.context(placed)
        }
        _ => error.context(UserError::new(Exit::Failed, "this source cannot be rendered").at(place)),
    }
}

/// An author who may be hostile names nothing that is not in the checkout, be it by links.
fn within(source: &Source) -> Result<()> {
    let Some(checkout) = &source.checkout else { return Ok(()) };
    let mut named: Vec<&Path> = match &source.form {
        Form::Manifests(path) | Form::Kustomize(path) | Form::ArgoCd(path) => vec![path],
        Form::Chart(chart) => chart.values_files.iter().map(PathBuf::as_path).collect(),
    };
    if let Form::Chart(chart) = &source.form
        && let ChartFrom::Directory(directory) = &chart.from
    {
        named.push(directory);
    }
    named.into_iter().try_for_each(|path| files::lies_in(checkout, path))
}

fn counted(objects: &[Value]) -> Result<()> {
    let items = |object: &Value| object["items"].as_array().map_or(1, Vec::len);
    let count: usize = objects.iter().map(items).sum();
    if count > OBJECTS {
        return Err(wrong(format!("it has {count} objects, and more than {OBJECTS} are no app"), None));
    }
    if let Some(stray) = objects.iter().find(|object| !object.is_object()) {
        let kind = if stray.is_array() { "a list" } else { "a plain value" };
        return Err(wrong(format!("one of its documents is {kind}, not an object"), None));
    }
    Ok(())
}

/// A text of YAML as objects, with its placeholders substituted.
fn filled(name: &str, text: &str, variables: &Variables) -> Result<Vec<Value>> {
    yaml::filled(name, text, variables).map_err(|mistake| wrong(mistake.to_string(), None))
}

/// Its real path: programs get one that is absolute, so that none takes it for an option.
fn directory(path: &Path) -> Result<PathBuf> {
    let real = fs::canonicalize(path).and_then(|real| match real.is_dir() {
        true => Ok(real),
        false => Err(std::io::Error::other("it is no directory")),
    });
    real.with_context(|| UserError::new(Exit::Failed, format!("{} cannot be read", path.display())))
}

fn wrong(message: impl std::fmt::Display, hint: Option<&str>) -> anyhow::Error {
    let error = UserError::new(Exit::Failed, message);
    match hint {
        Some(hint) => error.hint(hint).into(),
        None => error.into(),
    }
}
