//! berth gives every pull request its own environment and takes it away again.
//!
//! This page is the architecture; the modules below stand in reading order.
//!
//! **Flow.** A front turns the outside world into an event. The engine opens (it reads the claim, then the world, lets the
//! domain decide, and writes by compare-and-set over exactly what it read, which makes the fence), drives the plan (each
//! step looks, does what is lacking, and waits by watch), and closes. Steps work through the environment's provider and
//! clients; reporters tell it as it goes. What came of it goes back through the front: data to stdout, talk to stderr, an
//! exit code.
//!
//! ```text
//! fronts ──> engine ──> domain (pure)
//!              ├─────> steps ──> providers ──> clients ──> Kubernetes, Vault, DNS, registries, GitHub
//!              ├─────> reporters
//!              └─────> documents (versioned, compare-and-set) <── stores ──> clients
//! ```
//!
//! **Who may import whom.** `clock`, `errors`, `mask` and `progress` are leaves for all but `domain`.
//!
//! | layer | may import |
//! |---|---|
//! | `domain` | nothing of ours |
//! | `documents` | `domain` |
//! | `clients` | `domain`, `documents` |
//! | `stores` | `domain`, `documents`, `clients` |
//! | `settings` | `domain` |
//! | `providers` | `domain`, `documents`, `clients`, `settings`; never another provider |
//! | `steps` | those, and `providers` |
//! | `reporters` | `domain`, `clients`, `settings` |
//! | `engine` | all of these but `stores` |
//! | `fronts` | `domain`, `clients`, `settings`, `engine`; the command line's also `cli` |
//! | `rehearsal` | nothing of ours: it would share our mistakes |
//!
//! Only [`run`] knows all of them; `assemble`, `cli` and `telemetry` are its parts.
//!
//! **Rules that carry the correctness.** Unknown is not absent: every failed read is an error, and nothing is decided on
//! it. Everything is written over what was read. Addresses are freed last. Nothing is deleted that we cannot prove ours.

#![warn(missing_docs)]

pub mod domain;

pub mod documents;
pub mod engine;
pub mod providers;
pub mod reporters;
pub mod steps;

pub mod clients;
pub mod stores;

pub mod settings;

mod fronts;

pub mod assemble;
mod cli;
mod telemetry;

pub mod clock;
pub mod errors;
pub mod mask;
pub mod progress;

pub mod rehearsal;

use anyhow::{Context as _, Result};
use cli::{Cli, Output, Pool, Verb};
use domain::{
    holder::{Holder, Which},
    intent::{Occasion, Wanted},
};
use engine::{Event, Mode, Pulls, Said, Wishes};
use errors::Exit;
use fronts::command::{self, Answer};
use settings::{Environment, Settings, Sources, Store};
use std::{ffi::OsString, sync::Arc};
use telemetry::Talk;

/// The whole process: from its arguments and environment to what it printed and how it ended. It reads the
/// working directory's configuration and the files that this names, and must be called once.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> Exit {
    let cli = match cli::parse(arguments) {
        Ok(cli) => cli,
        Err(stopped) => return telemetry::stopped(&stopped, environment),
    };
    let talk = Talk::new(assemble::verbosity(&cli.global), environment);
    let Answer { data, said, end } = answer(cli, environment).unwrap_or_else(Answer::failed);
    let printed = talk.data(&data);
    talk.say(&said);
    match end.and_then(|exit| printed.map(|()| exit)) {
        Ok(exit) => exit,
        Err(error) => {
            talk.error(&errors::render(&error));
            errors::exit(&error)
        }
    }
}

fn answer(cli: Cli, environment: &Environment) -> Result<Answer> {
    let output = assemble::output(&cli.global, environment)?;
    if let Verb::Schema = &cli.verb {
        return command::schema(output);
    }
    // One thread: a process works on one environment, and a pool of threads takes its time to start.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("start the runtime")?;
    let answer = runtime.block_on(async {
        match &cli.verb {
            Verb::Schema => unreachable!("it has been answered"),
            Verb::Pool(pool) => on_pool(pool, &cli, output, environment).await,
            Verb::List => {
                looking(&cli, environment, async |pools, settings| {
                    command::list::list(pools, settings, output).await
                })
                .await
            }
            Verb::Show { environment: which } => {
                looking(&cli, environment, async |pools, settings| {
                    command::environments::show(which, pools, settings.lifetime.grace, output).await
                })
                .await
            }
            Verb::History { environment: which } => {
                looking(&cli, environment, async |pools, _| {
                    command::past::history(which, pools, output).await
                })
                .await
            }
            Verb::Kubeconfig { environment: which } => {
                looking(&cli, environment, async |pools, _| {
                    command::environments::kubeconfig(which, pools, output).await
                })
                .await
            }
            Verb::Up { environment: which, sha } => {
                let (which, sha) = (which.clone(), sha.clone());
                on_environment(&cli, environment, output, &which, Occasion::UpNow, |holder, clock, run| {
                    Ok(match (holder, sha) {
                        (Holder::PullRequest(_), None) => {
                            Arc::new(Pulls::all(assemble::github(environment, clock, run)?))
                        }
                        (_, head) => Arc::new(Said::new(Wanted::Up(head))),
                    })
                })
                .await
            }
            Verb::Down { environment: which, now } => {
                let occasion = if *now { Occasion::DownNow } else { Occasion::Event };
                on_environment(&cli, environment, output, which, occasion, |_, _, _| {
                    // It may be open: the sweep, which sees that, is not to bring it back.
                    Ok(Arc::new(Said::new(Wanted::LeftOut)))
                })
                .await
            }
            Verb::Extend { environment: which, by } => extend(which, *by, &cli, output, environment).await,
            Verb::Sweep { dry_run, limit } => {
                let settings = settings(&cli, environment)?;
                sealed()?;
                let stopped = stopped();
                let clock = clock::Clock::system();
                let github = assemble::on_github(&settings, environment, &clock, "sweep").await?;
                let mut sweeper = assemble::sweeper(&settings, environment, github).await?;
                sweeper.fuse.limit = limit.unwrap_or(sweeper.fuse.limit);
                let mode = if *dry_run { Mode::DryRun } else { Mode::Do };
                command::swept::answer(&sweeper.sweep(mode, stopped).await?, output)
            }
            Verb::Action => assemble::action(&cli.global, environment, output).await,
            Verb::Plan { event, event_name } => {
                let directory = directory();
                let sources = sources(&cli, environment, &directory, Default::default())?;
                let named = environment.text("GITHUB_EVENT_NAME")?.unwrap_or("pull_request");
                let name = event_name.as_deref().unwrap_or(named);
                assemble::plan(event, name, &sources, output)
            }
            Verb::Rehearse(asked) => {
                let directory = directory();
                let sources = sources(&cli, environment, &directory, Default::default())?;
                // Nothing is lent to this run, but what is rehearsed may be a pull request's all the same.
                sealed()?;
                let reporters = |clock: &clock::Clock, note: &str| {
                    assemble::reporters(&cli.global, environment, note, clock)
                };
                assemble::rehearse(asked, &sources, output, reporters).await
            }
        }
    });
    // Not by dropping it: that would wait for a name server that no longer matters.
    runtime.shutdown_background();
    answer
}

/// Ends with the number of the signal that asks this process to end; from the call on none is missed.
pub(crate) fn stopped() -> impl Future<Output = u8> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            // Nobody can tell us; the run goes on, and what it leaves when it is killed the next one finds.
            return futures::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        }
    }
}

/// Children of ours must not read what we were given.
fn sealed() -> Result<()> {
    clients::child::seal().context("keep this process's memory to itself")
}

/// Where we stand; if it is gone, relative paths lead nowhere in any case.
fn directory() -> std::path::PathBuf {
    std::env::current_dir().unwrap_or_default()
}

fn sources<'a>(
    cli: &Cli,
    environment: &'a Environment,
    directory: &'a std::path::Path,
    flags: settings::Flags,
) -> Result<Sources<'a>> {
    Ok(Sources {
        environment,
        directory,
        platform: cli.global.platform.clone(),
        config: cli.global.config.clone(),
        base: None,
        trust: assemble::trust(environment)?,
        flags,
    })
}

/// All settings, of a verb whose only flag among them is `--store`.
fn settings(cli: &Cli, environment: &Environment) -> Result<Settings> {
    let flags = settings::Flags { store: cli.global.store.clone(), ..Default::default() };
    Settings::load(&sources(cli, environment, &directory(), flags)?)
}

/// What only looks at documents.
async fn looking(
    cli: &Cli,
    environment: &Environment,
    look: impl AsyncFnOnce(&engine::Pools, &Settings) -> Result<Answer>,
) -> Result<Answer> {
    let settings = settings(cli, environment)?;
    let (name, of) = settings.pools.first_key_value().context("there is always a pool")?;
    let pools = assemble::pools(&settings.store, name, of, environment).await?;
    look(&pools, &settings).await
}

/// One run of the engine.
async fn on_environment(
    cli: &Cli,
    environment: &Environment,
    output: Output,
    which: &Which,
    occasion: Occasion,
    wishes: impl FnOnce(&Holder, &clock::Clock, &str) -> Result<Arc<dyn Wishes>>,
) -> Result<Answer> {
    let settings = settings(cli, environment)?;
    sealed()?;
    let stopped = stopped();
    let reporters = assemble::reporters(&cli.global, environment, "", &clock::Clock::system());
    let holder = assemble::holder_of(&settings, environment, which).await?;
    // Without a token nobody can be called; whoever needs GitHub itself says so.
    let github = assemble::on_github(&settings, environment, &clock::Clock::system(), "calls").await.ok();
    let outside = assemble::outside(&settings, environment, reporters, github, |clock, run| {
        wishes(&holder, clock, run)
    })
    .await?;
    let engine = assemble::engine(&settings, &holder, outside)?;
    let report = engine.handle(&Event { holder, occasion }, stopped).await;
    command::run::answer(&report, output)
}

/// More time.
async fn extend(
    which: &Which,
    by: settings::Duration,
    cli: &Cli,
    output: Output,
    environment: &Environment,
) -> Result<Answer> {
    let settings = settings(cli, environment)?;
    let holder = assemble::holder_of(&settings, environment, which).await?;
    let outside = assemble::outside(&settings, environment, Default::default(), None, |_, _| {
        Ok(Arc::new(Said::new(Wanted::Down)))
    });
    let engine = assemble::engine(&settings, &holder, outside.await?)?;
    command::extended::answer(
        &holder,
        engine.extend(&holder, by.into()).await?,
        clock::Clock::system().now(),
        output,
    )
}

async fn on_pool(pool: &Pool, cli: &Cli, output: Output, environment: &Environment) -> Result<Answer> {
    let directory = directory();
    let flags = assemble::flags(&cli.global, &pool.flags);
    let settings = Settings::load(&sources(cli, environment, &directory, flags)?)?;
    let (name, of) = settings.pool(pool.flags.pool.as_ref())?;
    let pools = assemble::pools(&settings.store, name, of, environment).await?;
    let answer = command::pool::run(&pool.verb, name, &pools, output).await.unwrap_or_else(Answer::failed);
    Ok(match &settings.store {
        Store::Own(directory) => answer.noting(format!(
            "note: this is your own pool in {}; for a shared one set VAULT_ADDR or --store",
            directory.display()
        )),
        Store::Vault(_) | Store::Kubernetes { .. } | Store::File(_) => answer,
    })
}
