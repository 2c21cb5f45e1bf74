//! The command line: one verb, one answer.
//!
//! Must never: put talk among the data; give data where the verb failed, but for what `list` could read of it.

pub(crate) mod environments;
pub(crate) mod extended;
pub(crate) mod list;
pub(crate) mod past;
pub(crate) mod pool;
pub(crate) mod run;
mod survey;
pub(crate) mod swept;
mod table;

use crate::{cli::Output, errors::Exit, settings};
use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

/// What a verb came to.
pub(crate) struct Answer {
    /// For stdout.
    pub(crate) data: String,
    /// For people, on stderr.
    pub(crate) said: String,
    /// How it ended; a failure may have data all the same, where a part could be read.
    pub(crate) end: Result<Exit>,
}

impl Answer {
    /// All went well.
    pub(crate) fn done(data: String, said: impl Into<String>) -> Self {
        Self { data, said: said.into(), end: Ok(Exit::Done) }
    }
    /// With something that people should know besides.
    pub(crate) fn noting(mut self, note: String) -> Self {
        if !self.said.is_empty() {
            self.said.push('\n');
        }
        self.said.push_str(&note);
        self
    }
    /// Nothing to show.
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self { data: String::new(), said: String::new(), end: Err(error.into()) }
    }
}

/// The schema is JSON in any case; YAML is JSON for those who read.
pub(crate) fn schema(output: Output) -> Result<Answer> {
    let text = settings::schema();
    let data = match output {
        Output::Text | Output::Json => text,
        Output::Yaml => yaml(&serde_json::from_str::<Value>(&text)?)?,
    };
    Ok(Answer::done(data, ""))
}

/// In the format that was asked for. JSON stands on one line: it often becomes an output or a variable.
pub(crate) fn shown(output: Output, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<String> {
    match output {
        Output::Text => Ok(text()),
        Output::Json => Ok(format!("{}\n", serde_json::to_string(value)?)),
        Output::Yaml => yaml(value),
    }
}

fn yaml(value: &impl Serialize) -> Result<String> {
    serde_saphyr::to_string(value).context("write YAML")
}
