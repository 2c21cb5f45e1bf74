//! One child process, of the code under review: what renders it, or its tests on the runner.
//!
//! It is a program and its arguments, never a line for a shell. It gets no standard input, an empty home, and no variable
//! but those of [`PASSED`], `PATH`, and what its caller adds: never a credential of ours. What it says is bounded, and told
//! line by line. At its end, at its time limit, and when whoever waits for it goes away, it is killed with its whole
//! process group, and so is everything that has left the group but still bears its mark ([`leftovers`]).
//!
//! What it cannot be kept from: it runs as our user, on our machine. It can read files that this user can read (so a job
//! keeps no credential in one: `persist-credentials: false`), and on a runner whose user may talk to a container engine it
//! can become anybody; tests of strangers belong into the environment (`tests.job`). Our own environment and memory it
//! cannot read, once [`seal`] was called.
//!
//! Must never: search the working directory for a program; wait for what a grandchild holds open.

mod leftovers;
mod seal;
mod spoken;

pub use seal::seal;
pub use spoken::{KEPT, Spoken, Stream};

use super::files;
use crate::{
    clock::Clock,
    errors::{Exit, UserError},
};
use anyhow::{Context as _, Result};
use leftovers::Leftovers;
use spoken::Ears;
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

/// What a child may know of the outside: how people write here, and by what a runner finds what a job left behind.
pub const PASSED: [&str; 5] = ["LANG", "LC_ALL", "TZ", "CI", "RUNNER_TRACKING_ID"];

/// How long the last words of a child that has ended are waited for, if something that got away holds its outputs.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What of our environment children get.
#[derive(Debug, Clone)]
pub struct Surroundings {
    path: Vec<PathBuf>,
    passed: BTreeMap<&'static str, OsString>,
}

impl Surroundings {
    /// Of these variables; of all that there are, `PATH` and those of [`PASSED`] are asked for.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = variable("PATH").unwrap_or_default();
        // A relative directory would be one of the code under review.
        let path = env::split_paths(&path).filter(|directory| directory.is_absolute()).collect();
        let passed = PASSED.iter().filter_map(|name| Some((*name, variable(name)?))).collect();
        Self { path, passed }
    }

    /// The program of this name, as the `PATH` has it.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        let is_program = |file: &PathBuf| {
            fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        self.path.iter().map(|directory| directory.join(program)).find(is_program)
    }
}

/// What is run.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    /// An absolute path.
    pub program: PathBuf,
    /// As they are.
    pub arguments: Vec<OsString>,
    /// Where.
    pub directory: &'a Path,
    /// Beside what every child has.
    pub variables: Vec<(&'a str, OsString)>,
    /// How long it may take.
    pub limit: Duration,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Ended(ExitStatus),
    /// It was killed when its time was over.
    Late,
}

impl End {
    /// Whether it ended well.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Ended(status) if status.success())
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Late => f.write_str("took longer than it may"),
            Self::Ended(status) => match status.code() {
                Some(code) => write!(f, "ended with {code}"),
                None => write!(f, "was ended: {status}"),
            },
        }
    }
}

/// What came of a child.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// What it wrote to its standard output.
    pub out: Spoken,
    /// What it wrote to its standard error.
    pub err: Spoken,
}

/// Runs it to its end; each line that it says is told when it is said.
pub async fn run(
    command: &Command<'_>,
    surroundings: &Surroundings,
    clock: &Clock,
    tell: &mut dyn FnMut(Stream, &str),
) -> Result<Ended> {
    let wrong = || {
        UserError::new(Exit::Failed, format!("{} cannot be run", command.program.display())).hint(
            "see that it is there, that this user may run it, and that the directory it runs in is there",
        )
    };
    let room = files::private_directory()?;
    let mark = room.path().as_os_str().to_owned();
    let (home, temporary) = (room.path().join("home"), room.path().join("tmp"));
    for directory in [&home, &temporary] {
        fs::create_dir(directory).context("make a place for it")?;
    }
    let path = env::join_paths(&surroundings.path).context("PATH")?;
    let mut child = tokio::process::Command::new(&command.program)
        .args(&command.arguments)
        .current_dir(command.directory)
        .env_clear()
        .envs(&surroundings.passed)
        .envs([("PATH", path), ("HOME", home.into()), ("TMPDIR", temporary.into())])
        .envs(command.variables.iter().map(|(name, value)| (name, value)))
        .env(leftovers::MARK, &mark)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(wrong)?;
    // Before the child itself, whatever becomes of this future.
    let leftovers = Leftovers::of(child.id(), mark);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut ears = Ears::new(out.expect("it was piped"), err.expect("it was piped"), tell);
    let to_its_end = async {
        tokio::select! {
            status = child.wait() => status,
            () = ears.hear() => child.wait().await,
        }
    };
    let end = tokio::select! {
        // What has ended at the last moment has ended.
        biased;
        status = to_its_end => End::Ended(status.with_context(wrong)?),
        () = clock.pass(command.limit) => End::Late,
    };
    leftovers.kill();
    tokio::select! {
        biased;
        () = ears.hear() => {}
        () = clock.pass(LAST_WORDS) => {}
    }
    let (out, err) = ears.heard();
    Ok(Ended { end, out, err })
}
