//! The command line as types: clap's, and nothing else.
//!
//! Must never: read the environment (what is a variable, too, is settled elsewhere); hold a default.

use crate::{
    domain::{
        duration::Duration,
        holder::Which,
        names::{EnvironmentName, HeadSha},
        pool::Range,
    },
    settings::{Exclusion, PoolName, StoreChoice},
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, num::NonZeroU8, path::PathBuf};

/// Gives every pull request its own Kubernetes environment and takes it away again
#[derive(Debug, Parser)]
#[command(name = "berth", version, arg_required_else_help = true, after_help = EXIT)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The app file [default: berth.yaml, then .github/berth.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The platform file: store, pools, limits [default: none]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) platform: Option<PathBuf>,
    /// vault, kubernetes or file:DIR [default: vault with VAULT_ADDR, else file]
    #[arg(long, global = true, value_name = "STORE")]
    pub(crate) store: Option<StoreChoice>,
    /// text, json or yaml on stdout [default: text]
    #[arg(short, long, global = true, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Option<Output>,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say on stderr what is read and written, and where
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Bring an environment up, at the commit that its pull request has now
    Up {
        /// owner/repo#number, or its name
        environment: Which,
        /// Another commit than the pull request's
        #[arg(long)]
        sha: Option<HeadSha>,
    },
    /// Take an environment down: its grace begins, or it goes at once
    Down {
        /// owner/repo#number, or its name
        environment: Which,
        /// Without grace
        #[arg(long)]
        now: bool,
    },
    /// Let an environment live longer
    Extend {
        /// owner/repo#number, or its name
        environment: Which,
        /// By how much, such as 24h
        by: Duration,
    },
    /// Look at everything: what is past its time goes, and what nobody claims any more
    Sweep {
        /// Say what it would do, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Let it remove so many environments, once, where its fuse has blown
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Do what a job's event leads to: the entry of the GitHub Action
    Action,
    /// Show all environments, and how full the pools are
    List,
    /// Show one environment
    Show {
        /// owner/repo#number, or its name
        environment: Which,
    },
    /// Show what has been of an environment: its lives, and the results of its tests
    History {
        /// owner/repo#number, or its name
        environment: Which,
    },
    /// Print the kubeconfig of an environment
    Kubeconfig {
        /// owner/repo#number, or its name
        environment: Which,
    },
    /// Show what an event leads to, offline
    Plan {
        /// Its payload
        #[arg(long, value_name = "FILE")]
        event: PathBuf,
        /// What it is called [default: GITHUB_EVENT_NAME, else pull_request]
        #[arg(long, value_name = "NAME")]
        event_name: Option<String>,
    },
    /// Run the whole pipeline on an embedded world, offline
    Rehearse(Rehearse),
    /// Hand out addresses and take them back
    Pool(Pool),
    /// Print the JSON schema of the configuration, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    /// A pull request's webhook payload [default: a built-in example]
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// Let this step fail, in the way that it does in real life
    #[arg(long, value_name = "STEP")]
    pub(crate) fail: Option<String>,
    /// Let this server answer nothing but errors
    #[arg(long, value_name = "SERVER")]
    pub(crate) outage: Option<Outage>,
    /// Kill the run when it is at this step, and run it once more
    #[arg(long, value_name = "STEP")]
    pub(crate) kill_at: Option<String>,
    /// Let others hold all addresses
    #[arg(long)]
    pub(crate) full_pool: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outage {
    Vault,
    Kubernetes,
    Github,
    Dns,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Pool {
    #[command(flatten)]
    pub(crate) flags: PoolFlags,
    #[command(subcommand)]
    pub(crate) verb: PoolVerb,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "The pool")]
pub(crate) struct PoolFlags {
    /// Which pool, where several are configured
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) pool: Option<PoolName>,
    /// Its addresses, such as 192.168.1.140-149 or 10.0.0.0/28
    #[arg(long, global = true)]
    pub(crate) range: Option<Range>,
    /// Addresses in it that are somebody else's; repeat it, or use commas
    #[arg(long, global = true, value_name = "ADDRESSES", value_delimiter = ',')]
    pub(crate) exclude: Vec<Exclusion>,
    /// How many consecutive addresses one name gets
    #[arg(long, global = true, value_name = "N", value_parser = count)]
    pub(crate) block: Option<NonZeroU8>,
    /// A block begins at a multiple of this
    #[arg(long, global = true, value_name = "N", value_parser = count)]
    pub(crate) align: Option<NonZeroU8>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PoolVerb {
    /// Give a name its addresses, the same each time, and print the first: the VIP
    Allocate {
        /// For whom, such as pr-shop-42: at most 63 of a-z, 0-9 and '-'
        name: EnvironmentName,
    },
    /// Take all of a name's addresses back, of whichever pool, and print the first
    Release {
        /// Whose
        name: EnvironmentName,
    },
    /// Show who has which address, and what is free
    List,
    /// Say how many blocks are free; exit 3 if none is
    CheckCapacity,
}

const EXIT: &str = "\
Every setting is also a variable: BERTH_ and its path, such as BERTH_POOLS_LAB_RANGE.

Exit: 0 done; 1 the environment or its tests failed; 2 wrong call or configuration; 3 pool full;\n      4 unknown: something could not be read or reached; 5 a newer event has taken over";

const EXAMPLES: &str = "\
Examples:
  VIP=$(berth pool allocate pr-shop-42)    one line on stdout, always; nothing if it failed
  berth pool release pr-shop-42
  berth pool check-capacity && echo room
  berth pool list -o json | jq .blocks.free

Exit: 0 done; 2 wrong call or configuration; 3 pool full; 4 unknown: a read or write failed";

fn count(text: &str) -> Result<NonZeroU8, &'static str> {
    text.parse().map_err(|_| "give a whole number from 1 to 255")
}

/// The arguments, the program's name first.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments)
}
