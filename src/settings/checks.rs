//! How it is found out that an environment works: its health, and its tests.
//!
//! Must never: accept tests whose result nobody could read.

use super::{
    app::patience,
    app_values::Placeholders,
    defaults,
    file::{At, Layer, TestsLayer},
    layers::{Layers, Owner},
    placeholders::Names,
    variables,
};
use crate::errors::UserError;
use jiff::SignedDuration;
use std::{fmt, path::PathBuf};

/// When an app counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Where it answers, with placeholders.
    pub url: Placeholders,
    /// With which status.
    pub status: u16,
    /// Whose certificates it may show.
    pub ca: Ca,
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ca {
    /// Those of the authorities that the system trusts.
    System,
    /// Those of the environment's own issuer.
    Environment,
    /// Those of the authorities in this file.
    File(PathBuf),
}

/// What is run against an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tests {
    /// What.
    pub run: Run,
    /// How long it may take.
    pub timeout: SignedDuration,
}

/// The kinds of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// A Job in the environment.
    Job {
        /// The file that it is in.
        file: PathBuf,
        /// Where in its container the JUnit is; without one, the Job's own end is the result.
        junit: Option<PathBuf>,
    },
    /// Another job of the workflow, which hands its JUnit in under this name.
    Report(String),
    /// A program beside berth.
    Command {
        /// The program and its arguments, as they are; there is a program.
        command: Vec<String>,
        /// Where it runs.
        directory: PathBuf,
        /// Where it leaves its JUnit.
        junit: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Job,
    Report,
    Command,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Job => "job",
            Kind::Report => "report",
            Kind::Command => "command",
        })
    }
}

/// When the app counts as healthy, if that is asked for.
pub(super) fn health(layers: &Layers, names: &Names) -> Result<Option<Health>, UserError> {
    let Some(url) = layers.app(|l| l.health.as_ref()?.value.url.as_ref()) else {
        return match layers.own(|l| l.health.as_ref()) {
            Some(lone) => Err(lone.wrong("`health` needs `url`, as in ${URL}/healthz")),
            None => Ok(None),
        };
    };
    let sample = names.check_text(&url, "health.url")?;
    let is_web = reqwest::Url::parse(&sample).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if !is_web {
        let message = "`health.url` is no address that begins with https:// or http://, as ${URL} does";
        return Err(url.wrong(message));
    }
    let status = layers.app(|l| l.health.as_ref()?.value.status.as_ref());
    let ca = match layers.app(|l| l.health.as_ref()?.value.ca.as_ref()) {
        None => Ca::System,
        Some(ca) => match ca.value.0.to_str() {
            Some("system") => Ca::System,
            Some("environment") => Ca::Environment,
            _ => Ca::File(ca.place.file(&ca.value.0)?),
        },
    };
    let status = status.map_or(defaults::HEALTH_STATUS, |found| found.value.0);
    Ok(Some(Health { url: url.value.clone(), status, ca }))
}

fn keys(layer: &Layer) -> Option<&TestsLayer> {
    Some(&layer.tests.as_ref()?.value)
}

fn kinds(layer: &Layer) -> Vec<At<Kind>> {
    let Some(tests) = keys(layer) else { return Vec::new() };
    let kinds = [
        tests.job.as_ref().map(|at| at.mark(Kind::Job)),
        tests.report.as_ref().map(|at| at.mark(Kind::Report)),
        tests.command.as_ref().map(|at| at.mark(Kind::Command)),
    ];
    kinds.into_iter().flatten().collect()
}

/// What is run against the environment, if anything.
pub(super) fn tests(layers: &Layers) -> Result<Option<Tests>, UserError> {
    let Some((kind, place)) = layers.choice("tests", (Owner::App, variables::NONE), kinds)? else {
        return match layers.own(|l| l.tests.as_ref()) {
            Some(lone) => Err(lone.wrong("`tests` has none of `job`, `report`, `command`")),
            None => Ok(None),
        };
    };
    // The JUnit of weaker sources is that of other tests.
    let junit = layers.find_among(|origin| origin >= place.origin(), |layer| keys(layer)?.junit.as_ref());
    let chosen = "the kind was chosen by this key";
    let run = match kind {
        Kind::Job => {
            let file = layers.app(|l| keys(l)?.job.as_ref()).expect(chosen);
            Run::Job {
                file: file.place.file(&file.value.0)?,
                junit: junit.map(|found| found.value.0.clone()),
            }
        }
        Kind::Report => {
            if let Some(junit) = junit {
                return Err(junit.wrong("`junit` is handed in by the job that `report` names"));
            }
            Run::Report(layers.app(|l| keys(l)?.report.as_ref()).expect(chosen).value.0.clone())
        }
        Kind::Command => {
            let command = layers.app(|l| keys(l)?.command.as_ref()).expect(chosen);
            let junit = junit.ok_or_else(|| {
                place.wrong(
                    "`tests.command` needs `junit`: a command that leaves no results behind has failed",
                )
            })?;
            if command.value.is_empty() {
                return Err(command.wrong("`tests.command` names no program"));
            }
            Run::Command {
                command: command.value.iter().map(|word| word.0.clone()).collect(),
                directory: place.directory().to_owned(),
                junit: junit.place.file(&junit.value.0)?,
            }
        }
    };
    let timeout = patience(layers, "tests.timeout", defaults::TESTS, |layer| keys(layer)?.timeout.as_ref())?;
    Ok(Some(Tests { run, timeout }))
}
