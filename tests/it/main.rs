//! The hermetic suite: one binary, no network but loopback, any order, in parallel, without sleeping.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that meets what it did not expect shall end there"
)]

mod api_server;
mod apply;
mod attending;
mod bed;
mod claims;
#[macro_use]
mod contract;
mod crash;
mod depth;
mod diagnosis;
mod embedded;
mod environment;
mod executable;
mod faults;
mod github;
mod helm;
mod intent;
mod interleavings;
mod kubernetes;
mod lifecycle;
mod model;
mod names;
mod objects;
mod origins;
mod payload;
mod plan;
mod players;
mod pool;
mod rules;
mod server;
mod settings;
mod settings_app;
mod settings_providers;
mod stores;
mod taking;
mod template;
mod test_script;
mod tidy;
mod vault;
mod workloads;
mod world;
#[macro_use]
mod vault_server;
mod embedded_vault;
