//! berth gives every pull request its own environment and takes it away again.
//!
//! This page is the architecture; the modules below stand in reading order.
//!
//! **Flow.** A front turns the outside world into calls of the engine. The engine reads documents, lets the domain
//! decide, and writes by compare-and-set over exactly what it read. A store keeps the documents. What came of it goes
//! back through the front: data to stdout, talk to stderr, an exit code.
//!
//! ```text
//! fronts ──> engine ──> domain (pure)
//!              │
//!              └─────> documents (versioned, compare-and-set) <── stores ──> clients ──> Vault, Kubernetes
//! ```
//!
//! **Who may import whom.** `clock`, `errors` and `progress` are leaves for all but `domain`.
//!
//! | layer | may import |
//! |---|---|
//! | `domain` | nothing of ours |
//! | `documents` | `domain` |
//! | `clients` | `domain`, `documents` |
//! | `stores` | `domain`, `documents`, `clients` |
//! | `settings` | `domain` |
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
pub mod progress;

pub mod rehearsal;

use anyhow::{Context as _, Result};
use cli::{Cli, Output, Pool, Verb};
use errors::Exit;
use fronts::command::{self, Answer};
use settings::{Environment, Settings, Sources, Store};
use std::ffi::OsString;
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
    match &cli.verb {
        Verb::Schema => command::schema(output),
        Verb::Pool(pool) => {
            // One thread: a command line sends one request at a time, and a pool of threads takes its time to start.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build()
                .context("start the runtime")?;
            let answer = runtime.block_on(on_pool(pool, &cli, output, environment));
            // Not by dropping it: that would wait for a name server that no longer matters.
            runtime.shutdown_background();
            answer
        }
    }
}

async fn on_pool(pool: &Pool, cli: &Cli, output: Output, environment: &Environment) -> Result<Answer> {
    // If it is gone, relative paths lead nowhere in any case.
    let directory = std::env::current_dir().unwrap_or_default();
    let settings = Settings::load(&Sources {
        environment,
        directory: &directory,
        platform: cli.global.platform.clone(),
        config: cli.global.config.clone(),
        trust: assemble::trust(environment)?,
        flags: assemble::flags(&cli.global, &pool.flags),
    })?;
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
