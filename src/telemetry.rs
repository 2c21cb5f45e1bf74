//! What the process says: data on stdout, talk on stderr, under `-v` every step.
//!
//! The one place that writes to either. Must never: put anything but data on stdout; panic on a closed pipe; let the
//! clients' own logs through (vaultrs calls a lost race an error, and others print what they sent).

use crate::{
    errors::{Exit, UserError},
    settings::Environment,
};
use anyhow::Result;
use clap::error::{ContextKind, ErrorKind};
use std::{
    error::Error as _,
    fmt,
    io::{self, ErrorKind::BrokenPipe, IsTerminal, Write},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Errors.
    Quiet,
    /// And what was done.
    Talk,
    /// And every step.
    Steps,
}

/// The two outputs.
pub(crate) struct Talk {
    verbosity: Verbosity,
    annotates: bool,
}

impl Talk {
    /// As asked for; in a job of GitHub Actions errors are annotations, too.
    pub(crate) fn new(verbosity: Verbosity, environment: &Environment) -> Self {
        let annotates = environment.is_job();
        match verbosity {
            Verbosity::Steps => steps(),
            // On a terminal it would run into what is drawn there.
            Verbosity::Talk if annotates || !io::stderr().is_terminal() => warnings(annotates),
            Verbosity::Talk | Verbosity::Quiet => {}
        }
        Self { verbosity, annotates }
    }

    /// What was asked for. Whoever closed the pipe has read enough.
    pub(crate) fn data(&self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != BrokenPipe => {
                let failed = UserError::new(Exit::Unknown, "could not write to stdout").hint(
                    "what was to be done is done, only its answer is lost; the same command gives it again",
                );
                Err(anyhow::Error::new(error).context(failed))
            }
            _ => Ok(()),
        }
    }

    /// What was done, for people.
    pub(crate) fn say(&self, text: &str) {
        if self.verbosity != Verbosity::Quiet && !text.is_empty() {
            self.stderr(text);
        }
    }

    /// Why it was not.
    pub(crate) fn error(&self, text: &str) {
        self.stderr(text);
        if self.annotates {
            let text = text.trim_end().strip_prefix("error: ").unwrap_or(text);
            // GitHub reads both streams for it, and stdout is data.
            self.stderr(&format!("::error::{}", escaped(text)));
        }
    }

    fn stderr(&self, text: &str) {
        // Where nobody listens there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
    }
}

/// What clap has to say: help and version are data, all else is a wrong call.
pub(crate) fn stopped(stopped: &clap::Error, environment: &Environment) -> Exit {
    let talk = Talk::new(Verbosity::Talk, environment);
    let plain = environment.text("NO_COLOR").is_ok_and(|value| value.is_some());
    let styled = |terminal: bool| match stopped.render() {
        text if terminal && !plain => text.ansi().to_string(),
        text => text.to_string(),
    };
    match stopped.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody waits for its exit code to know whether it was printed.
            let _ = talk.data(&styled(io::stdout().is_terminal()));
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            talk.say(&styled(io::stderr().is_terminal()));
            Exit::Usage
        }
        _ => {
            talk.error(&wrong_value(stopped).unwrap_or_else(|| styled(io::stderr().is_terminal())));
            Exit::Usage
        }
    }
}

/// Of a value that is none: our own types say what is wrong with it, so clap need not say it a second time.
fn wrong_value(stopped: &clap::Error) -> Option<String> {
    let reason = stopped.source().filter(|_| stopped.kind() == ErrorKind::ValueValidation)?;
    let argument = stopped.get(ContextKind::InvalidArg)?.to_string();
    let argument = argument.split(' ').next().unwrap_or(&argument).trim_matches(['<', '>']);
    Some(format!("error: {argument}: {reason}\nhint: `--help` tells more"))
}

/// As a command of the runner takes it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What went wrong beside what was asked for: a comment that could not be written.
fn warnings(annotates: bool) {
    let of = Targets::new().with_target("berth", tracing::Level::WARN);
    // It fails only if there is one already, and then that one says it.
    let _ = tracing_subscriber::registry().with(Warnings { annotates }.with_filter(of)).try_init();
}

struct Warnings {
    annotates: bool,
}

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said(String::new());
        event.record(&mut said);
        let line = match self.annotates {
            true => format!("::warning::{}", escaped(&said.0)),
            false => format!("warning: {}", said.0.replace(['\r', '\n'], " ")),
        };
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// The words of an event.
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

fn steps() {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .with_level(false)
        .with_target(false)
        .log_internal_errors(false);
    let ours = Targets::new().with_target("berth", tracing::Level::DEBUG);
    // It fails only if there is one already, and then that one says it.
    let _ = tracing_subscriber::registry().with(lines).with(ours).try_init();
}
