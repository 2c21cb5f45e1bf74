//! What berth's parts cost, beside what they replace, in one run on the same servers: `tests/run bench`.
//!
//! Each figure is the median of paired runs, in turns. It measures and reports; nothing fails for being slow.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that cannot be taken shall end there"
)]

#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "the facts use all of it")]
mod harness;

mod apply;
mod bundle;
mod cost;
mod part;
mod pool;
mod sweep;
#[path = "../../it/taking.rs"]
mod taking;
mod timeline;
mod wait;

use harness::control_plane::ControlPlane;

/// What can be named.
const PARTS: [&str; 5] = ["pool", "timeline", "apply", "wait", "sweep"];

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if part::play(&arguments) {
        return;
    }
    // Cargo adds `--bench`.
    let named: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    if let Some(stranger) = named.iter().find(|name| !PARTS.contains(&name.as_str())) {
        panic!("{stranger} is not measured; {} are", PARTS.join(", "));
    }
    let wanted = |name: &str| named.is_empty() || named.iter().any(|one| *one == name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("| what | runs | berth | beside | berth takes |\n|---|--:|--:|--:|--:|");
    let print = |all: Vec<cost::Measured>| all.iter().for_each(|measured| println!("{measured}"));
    if wanted("pool") {
        print(runtime.block_on(pool::measure()));
    }
    if wanted("timeline") {
        print(runtime.block_on(timeline::measure()));
    }
    if wanted("apply") || wanted("wait") {
        let plane = runtime.block_on(ControlPlane::start("measured"));
        if wanted("apply") {
            print(runtime.block_on(apply::measure(&plane)));
        }
        if wanted("wait") {
            print(runtime.block_on(wait::measure(&plane)));
        }
    }
    if wanted("sweep") {
        runtime.block_on(sweep::measure());
    }
}
