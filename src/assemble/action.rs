//! `berth action`: a job's event to its end, told on the pull request, in the job's summary and in its outputs.
//!
//! Whatever goes wrong on the way is told there too, as far as the token reaches: who looks at the pull request has no
//! other place to look. Must never: bring up what a filter, a missing approval or a wrong checkout forbids; end without
//! having told why.

mod one;
mod sinks;
mod speech;
mod task;

use crate::{
    assemble,
    cli::{Global, Output},
    clients::github::GitHub,
    clock::Clock,
    domain::{
        dispatch::Types,
        event::{Heard, hear},
        holder::Holder,
        names::HeadSha,
        payload::Payload,
        report::{Outcome, Report},
    },
    engine::{Declined, Ids, Mode, Sweep, outcome_of},
    errors::{Exit, UserError},
    fronts::{
        action::{Inputs, Job, Order},
        command::{self, Answer, run},
    },
    mask::Mask,
    reporters::{LAST_WORD, Reporters, markdown},
    settings::{Environment, Settings, Sources, Trust},
};
use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use sinks::Sinks;
pub(super) use sinks::swept;
use std::{fs, path::PathBuf, time::Duration};
use task::Task;
use tempfile::TempDir;

/// For what is told where nothing else is done.
const WORDS: Duration = Duration::from_secs(30);

/// What this process was given.
struct Stage<'a> {
    global: &'a Global,
    environment: &'a Environment,
    directory: PathBuf,
    job: Job,
    inputs: Result<Inputs, UserError>,
    payload: Payload,
    clock: Clock,
    run: String,
}

/// The action.
pub(crate) async fn action(global: &Global, environment: &Environment, output: Output) -> Result<Answer> {
    // What is wrong with an input is told as everything is.
    let (job, inputs) = (Job::of(environment)?, Inputs::of(environment));
    let payload = job.payload(environment)?;
    let directory = std::env::current_dir().context("find the working directory")?;
    let (clock, run) = (Clock::system(), Ids::random()?.to_string());
    let stage = Stage { global, environment, directory, job, inputs, payload, clock, run };
    match stage.end().await? {
        Ended::One(report) => in_job(run::answer(&report, output)?),
        Ended::All(sweep) => {
            let answer = command::swept::answer(&sweep, output)?;
            if let Some(file) = &stage.job.summary {
                fs::write(file, markdown::listing(&command::swept::heading(&sweep), &answer.data))
                    .with_context(|| format!("write the summary in {}", file.display()))?;
            }
            Ok(answer)
        }
    }
}

/// What a task is made of, and carried out with.
struct Known {
    settings: Settings,
    github: GitHub,
    /// Of the base branch; they go with it.
    _files: Option<TempDir>,
}

/// What it came to.
#[allow(clippy::large_enum_variant, reason = "one of them a process")]
enum Ended {
    One(Report),
    All(Sweep),
}

/// Whoever was overtaken has not failed: the newer run tells how it went.
fn in_job(answer: Answer) -> Result<Answer> {
    let end = answer.end.map(|exit| if exit == Exit::Superseded { Exit::Done } else { exit });
    Ok(Answer { end, ..answer })
}

impl Stage<'_> {
    async fn end(&self) -> Result<Ended> {
        // From now on no signal ends the process without a word.
        let stop = crate::stopped().shared();
        let whose = self.holder();
        let quiet = || self.terminal().with(Sinks::of(self).quiet());
        if let Some(why) = self.job.lacks_secrets(&self.payload) {
            return Ok(Ended::One(self.told(&whose, Outcome::WithoutSecrets { why }, quiet()).await));
        }
        if let Some(why) = self.leads_to_nothing() {
            return Ok(Ended::One(self.told(&whose, Outcome::Unconcerned { why }, quiet()).await));
        }
        let mut known = None;
        let task = tokio::select! {
            biased;
            signal = stop.clone() => Err(Declined(Outcome::Interrupted { signal }).into()),
            task = self.prepare(&mut known) => task,
        };
        let done = match (&known, task) {
            (Some(known), Ok(task)) => self.carry_out(task, known, stop).await,
            (None, Ok(_)) => unreachable!("a task is made of what is known"),
            (_, Err(error)) => Err(error),
        };
        match done {
            Ok(ended) => Ok(ended),
            // What was wrong before anything was begun. By the settings, as far as it has come to any.
            Err(error) => {
                let outcome = outcome_of(&error);
                let (github, settings) = match &known {
                    Some(Known { github, settings, .. }) => (Some(github.clone()), Some(settings)),
                    None => (assemble::github(self.environment, &self.clock, &self.run).ok(), None),
                };
                let sinks = Sinks::of(self);
                let sinks = match &outcome {
                    // Nothing was begun, so nothing of it has changed.
                    Outcome::Interrupted { .. } => sinks.quiet(),
                    _ => sinks.all(github.as_ref(), &whose, settings),
                };
                Ok(Ended::One(self.told(&whose, outcome, self.terminal().with(sinks)).await))
            }
        }
    }

    async fn prepare(&self, known: &mut Option<Known>) -> Result<Task> {
        crate::sealed()?;
        self.inputs.as_ref().map_err(Clone::clone)?;
        let (settings, files) = self.settings().await?;
        let github = assemble::on_github(&settings, self.environment, &self.clock, &self.run).await?;
        let known = known.insert(Known { settings, github, _files: files });
        Task::of(self, &known.settings, &known.github).await
    }

    async fn carry_out(
        &self,
        task: Task,
        Known { settings, github, .. }: &Known,
        stop: impl Future<Output = u8> + Clone,
    ) -> Result<Ended> {
        match task {
            Task::Sweep => self.sweep(settings, github.clone(), stop).await.map(Ended::All),
            Task::Told(holder, outcome) => {
                let sinks = self.terminal().with(Sinks::of(self).quiet());
                Ok(Ended::One(self.told(&holder, outcome, sinks).await))
            }
            Task::One(one) => self.one(*one, settings, github.clone(), stop).await.map(Ended::One),
        }
    }

    /// Whose environment it is about, as far as the event alone says it.
    fn holder(&self) -> Option<Holder> {
        match hear(&self.job.event, &self.payload, &Types::default()) {
            Ok(Heard::Group { holder, .. }) => Some(holder),
            Ok(Heard::Spoken(spoken)) => Some(Holder::PullRequest(spoken.on)),
            _ => match &self.payload {
                Payload::PullRequest(pull) => Some(Holder::PullRequest(pull.of.clone())),
                _ => None,
            },
        }
    }

    /// Why there is nothing to do, whatever the configuration says. What dispatches are called is a part of it.
    fn leads_to_nothing(&self) -> Option<String> {
        let is_auto = self.inputs.as_ref().is_ok_and(|inputs| inputs.order == Order::Auto);
        let is_dispatch = matches!(self.payload, Payload::Dispatch(_));
        match hear(&self.job.event, &self.payload, &Types::default()) {
            Ok(Heard::Nothing { why }) if is_auto && !is_dispatch => Some(why),
            _ => None,
        }
    }

    /// What is configured; the directory holds files of the base branch, and goes with the second.
    async fn settings(&self) -> Result<(Settings, Option<TempDir>)> {
        let platform = self.global.platform.clone().or_else(|| self.environment.path("BERTH_PLATFORM"));
        let mut sources = Sources {
            environment: self.environment,
            directory: &self.directory,
            platform,
            config: self.global.config.clone(),
            base: None,
            trust: Trust::App,
            flags: Default::default(),
        };
        let mut files = None;
        if sources.platform.is_none()
            && let Some(branch) = self.job.base(&self.payload)
        {
            let github = assemble::github(self.environment, &self.clock, &self.run)?;
            let directory = tempfile::tempdir().context("make a directory for files of the base branch")?;
            sources.base =
                super::base::fetch(&github, &self.job.repository, &branch, directory.path()).await?;
            files = Some(directory);
        }
        Ok((Settings::load(&sources)?, files))
    }

    async fn sweep(
        &self,
        settings: &Settings,
        github: GitHub,
        stop: impl Future<Output = u8>,
    ) -> Result<Sweep> {
        let sweeper = assemble::sweeper(settings, self.environment, github).await?;
        sweeper.sweep(Mode::Do, stop).await
    }

    /// Says what is known already.
    async fn told(&self, holder: &Option<Holder>, outcome: Outcome, reporters: Reporters) -> Report {
        let nobody = || Holder::Named("berth".parse().expect("a label of letters"));
        let first = Report::new(&holder.clone().unwrap_or_else(nobody), self.clock.now());
        let within = if matches!(outcome, Outcome::Interrupted { .. }) { LAST_WORD } else { WORDS };
        let telling = reporters.start(first, &Mask::default(), &self.clock);
        telling.say(|report| {
            report.head_sha = self.head();
            report.outcome = Some(outcome);
            report.ended = Some(self.clock.now());
        });
        telling.finish(within).await
    }

    fn terminal(&self) -> Reporters {
        assemble::reporters(self.global, self.environment, "", &self.clock)
    }

    fn head(&self) -> Option<HeadSha> {
        Job::head(&self.payload)
    }
}
