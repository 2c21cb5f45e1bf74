//! What berth's parts cost, beside what they replace, in one run on the same servers: `tests/run bench`.
//!
//! Each figure is the median of paired runs, in turns. It measures and reports; nothing fails for being slow.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be taken shall end there"
)]

#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "the facts use all of it")]
mod harness;

mod cost;
mod pool;

fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("| what | runs | berth | beside | berth takes |\n|---|--:|--:|--:|--:|");
    for measured in runtime.block_on(pool::measure()) {
        println!("{measured}");
    }
}
