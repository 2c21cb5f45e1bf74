//! The hermetic suite: one binary, no network but loopback, any order, in parallel, without sleeping.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that meets what it did not expect shall end there"
)]

mod account;
mod action;
mod api_server;
mod apply;
mod attending;
mod bed;
mod cause_facts;
mod child;
mod claims;
mod clock;
#[macro_use]
mod contract;
mod crash;
mod depth;
mod diagnosis;
mod dns;
mod embedded;
mod environment;
mod event;
mod executable;
mod faults;
mod filter;
mod get_berth;
mod github;
mod github_acts;
mod github_app;
mod github_client;
mod github_contents;
mod github_faults;
mod github_limits;
mod github_reports;
mod health;
mod helm;
mod hostile;
mod intent;
mod interleavings;
mod junit;
mod kubernetes;
mod lifecycle;
mod line;
mod looking;
mod markdown;
mod mask;
mod model;
mod names;
mod objects;
mod origins;
mod payload;
mod pipeline;
mod plan;
mod players;
mod pool;
mod queue;
mod readme;
mod registry;
mod rehearse;
mod reporters;
mod rules;
mod runner;
mod scripts;
mod server;
mod settings;
mod settings_app;
mod settings_one_file;
mod settings_providers;
mod sources;
mod stand;
mod stores;
mod sweep;
mod taking;
mod template;
mod terminal;
mod test_script;
mod tests_step;
mod tidy;
mod turns;
mod under_review;
mod unread;
mod vault;
mod vault_client;
mod workflows;
mod workloads;
mod world;
#[macro_use]
mod vault_server;
mod embedded_vault;
