//! What a job's later steps are told: lines of the file that `GITHUB_OUTPUT` names.
//!
//! Must never: let a value be read as an output of its own; hold a secret, or anything at length (a kubeconfig is handed on
//! by its path).

use super::Reporter;
use crate::domain::report::{Outcome, Report};
use anyhow::{Context as _, Result, anyhow};
use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

/// Makes what stands around a value.
pub type Delimiters = Box<dyn Fn() -> Result<String> + Send + Sync>;

/// How often a delimiter is made anew that occurs in the value. One of ours never does, but for a broken source.
const TRIES: usize = 8;

/// Appends what came of a run.
pub struct Outputs {
    file: PathBuf,
    kubeconfig: Option<PathBuf>,
    delimiters: Delimiters,
    is_written: AtomicBool,
}

impl Outputs {
    /// To this file; `kubeconfig` is where one is written, if one is.
    pub fn new(file: PathBuf, kubeconfig: Option<PathBuf>) -> Self {
        Self { file, kubeconfig, delimiters: Box::new(random), is_written: AtomicBool::new(false) }
    }

    /// With delimiters from elsewhere.
    #[must_use]
    pub fn between(self, delimiters: Delimiters) -> Self {
        Self { delimiters, ..self }
    }

    fn values(&self, report: &Report) -> Vec<(&'static str, String)> {
        // A later step goes there, so it is told only of what was seen to answer.
        let url = report.url.clone().filter(|_| report.outcome.as_ref().is_some_and(Outcome::stands));
        let dns = url.as_deref().map(|url| host(url).to_owned());
        let addresses: Vec<String> = report.addresses.iter().map(ToString::to_string).collect();
        let kubeconfig = self.kubeconfig.as_ref().filter(|path| path.is_file());
        let tests = report.tests.as_ref();
        let values = [
            ("name", Some(report.name.to_string())),
            ("url", url),
            ("dns", dns),
            ("addresses", Some(addresses.join(","))),
            ("kubeconfig-path", kubeconfig.map(|path| path.display().to_string())),
            ("outcome", report.outcome.as_ref().map(|outcome| outcome.word().to_owned())),
            ("tests-passed", tests.map(|results| results.passed.to_string())),
            ("tests-failed", tests.map(|results| results.failed.to_string())),
        ];
        let values = values.into_iter().filter_map(|(key, value)| Some((key, value?)));
        values.filter(|(_, value)| !value.is_empty()).collect()
    }

    fn lines(&self, key: &str, value: &str) -> Result<String> {
        let value = value.replace('\r', "");
        for _ in 0..TRIES {
            let delimiter = (self.delimiters)()?;
            if !value.contains(&delimiter) {
                return Ok(format!("{key}<<{delimiter}\n{value}\n{delimiter}\n"));
            }
        }
        Err(anyhow!("no delimiter was found that is not in the value of {key}"))
    }
}

/// Of an address of a page, without its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':', '?', '#']).next().unwrap_or_default()
}

fn random() -> Result<String> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system gave no random bytes"))?;
    Ok(bytes.iter().fold("berth-".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

#[async_trait]
impl Reporter for Outputs {
    fn name(&self) -> &'static str {
        "outputs"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        if report.outcome.is_none() || self.is_written.load(Ordering::Relaxed) {
            return Ok(());
        }
        let values = self.values(report);
        let lines: String =
            values.iter().map(|(key, value)| self.lines(key, value)).collect::<Result<_>>()?;
        let write = || {
            let mut file = OpenOptions::new().append(true).create(true).open(&self.file)?;
            file.write_all(lines.as_bytes())
        };
        write().with_context(|| format!("write {}", self.file.display()))?;
        self.is_written.store(true, Ordering::Relaxed);
        Ok(())
    }
}
