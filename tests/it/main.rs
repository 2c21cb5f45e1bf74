//! The hermetic suite: one binary, no network but loopback, any order, in parallel, without sleeping.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that meets what it did not expect shall end there"
)]

mod api_server;
mod apply;
mod bed;
mod claims;
mod contract;
mod crash;
mod depth;
mod embedded;
mod executable;
mod faults;
mod intent;
mod interleavings;
mod kubernetes;
mod lifecycle;
mod model;
mod names;
mod objects;
mod origins;
mod pool;
mod rules;
mod server;
mod settings;
mod tidy;
mod vault;
