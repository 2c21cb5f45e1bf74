//! A whole Up beside the same as a shell script with kubectl, on an infrastructure that takes its time.
//!
//! Both meet embedded worlds, each run a fresh one. Real servers would not do: Cluster API core and the Job controller look
//! at an object no oftener than once a second, which cannot be scaled down with the rest. On them a cluster whose machine
//! boots in no time takes six seconds and a half, more than a whole boot here.

mod delays;
mod late;
mod up;
mod world;

pub(crate) use up::up;

use super::{
    cost::{self, Measured, of_process},
    harness::{dns, keeper},
};
use berth::rehearsal::{
    Server,
    example::{Credentials, HEAD, NUMBER},
};
use hickory_resolver::proto::rr::RecordType;
use jiff::SignedDuration;
use serde_json::Value;
use std::{ffi::OsString, fs, net::SocketAddr, process::Command};
use world::Stage;

const ROUNDS: usize = 5;
/// What the goal allows a run over the longest way: a part of it, and so many seconds.
const GOAL: (f64, f64) = (0.03, 1.0);

pub(crate) async fn measure() -> Vec<Measured> {
    let runtime = tokio::runtime::Handle::current();
    let on_stage = |command: &dyn Fn(&Stage) -> Command| {
        tokio::task::block_in_place(|| {
            let stage = runtime.block_on(Stage::set());
            up::introduce(&stage.served, &stage.directory);
            let cost = of_process(&mut command(&stage));
            assert_eq!(stage.refused(), Vec::<String>::new());
            (cost, stage)
        })
    };
    let mut runs: Vec<(f64, Vec<Value>)> = Vec::new();
    let mut way = Vec::new();
    let measured = Measured::pairs(
        "`up`",
        ROUNDS,
        |_| {
            let (cost, stage) = on_stage(&berth);
            let report = fs::read_to_string(stage.directory.join(up::REPORT)).unwrap();
            let report: Value = serde_json::from_str(&report).unwrap();
            runs.push((cost.wall, report["phases"].as_array().unwrap().clone()));
            way = delays::path(&up::plan(&stage.directory));
            cost
        },
        |_| on_stage(&shell).0,
    );
    runs.remove(0);
    runs.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    tell(&way, &runs[runs.len() / 2]);
    vec![measured]
}

/// The longest way, and the middle one of the runs beside it.
fn tell(way: &[delays::Moment], (wall, phases): &(f64, Vec<Value>)) {
    eprintln!("{:>7} {:>7}   (* on the longest way)", "from", "to");
    for delays::Moment { what, from, to, is_critical } in way {
        let mark = if *is_critical { "*" } else { "" };
        eprintln!("{:7.2} {:7.2} s {mark:1} {what}", from.as_secs_f64(), to.as_secs_f64());
    }
    let least = way.last().map_or(SignedDuration::ZERO, |last| last.to).as_secs_f64();
    let (over, allowed) = (wall / 1000.0 - least, least * GOAL.0 + GOAL.1);
    eprintln!(
        "the longest way takes {least:.2} s, and berth {over:.2} s more; the goal allows {allowed:.2} s more"
    );
    for phase in phases {
        let (seconds, step) = (phase["seconds"].as_f64().unwrap(), phase["step"].as_str().unwrap());
        eprintln!("{seconds:7.2} s  {step}");
    }
}

fn berth(stage: &Stage) -> Command {
    let mut part = cost::program(std::env::current_exe().unwrap());
    part.args(["part", "up"]).arg(&stage.directory);
    part
}

/// With what a runner has: kubectl, curl, and dig, which is played, because not every machine has it.
fn shell(stage: &Stage) -> Command {
    let bench = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/measure");
    let mut script = cost::program("bash");
    script.arg(format!("{bench}/shell-up.sh")).arg(&stage.directory);
    let url = |server| stage.served.url(server);
    let this = std::env::current_exe().unwrap();
    let dig = format!("{} part dig {}", this.display(), stage.served.address(Server::Dns));
    let Credentials { vault, .. } = Credentials::default();
    for (name, value) in [
        ("PR_NUMBER", NUMBER.to_string()),
        ("REPOSITORY", "shop".to_owned()),
        ("HEAD_SHA", HEAD.to_owned()),
        ("DOMAIN", "preview.example.com".to_owned()),
        ("MANAGEMENT", url(Server::Kubernetes)),
        ("VAULT_ADDR", url(Server::Vault)),
        ("VAULT_TOKEN", vault),
        ("REGISTRY", url(Server::Registry)),
        ("APP", url(Server::App)),
        ("DIG", dig),
    ] {
        script.env(name, value);
    }
    script.env("PATH", path()).env("HOME", &stage.directory);
    script
}

/// The bench's own kubectl first.
#[allow(clippy::disallowed_methods, reason = "where the shell flow's own programs are")]
fn path() -> OsString {
    let mut path = keeper::built("bin").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    path
}

/// `dig +short NAME`, as the shell script asks.
pub(crate) async fn dig(server: &str, name: &str) {
    let server: SocketAddr = server.parse().unwrap();
    if let dns::Answer::Addresses { of, .. } = dns::lookup(server, name, RecordType::A).await {
        of.into_iter().for_each(|address| println!("{address}"));
    }
}
