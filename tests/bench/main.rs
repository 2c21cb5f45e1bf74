//! The facts that need real servers: `tests/run` builds them and runs this.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that meets what it did not expect shall end there"
)]

#[path = "../it/account.rs"]
mod account;
mod action;
#[path = "../it/api_server/mod.rs"]
mod api_server;
#[path = "../it/apply.rs"]
mod apply;
mod attending;
#[path = "../it/bed.rs"]
#[allow(dead_code, reason = "the embedded world is not needed here, its words are")]
mod bed;
#[path = "../it/contract.rs"]
#[macro_use]
mod contract;
#[path = "../it/cause_facts.rs"]
mod cause_facts;
mod causes;
mod cluster_api;
#[path = "../it/depth.rs"]
#[allow(dead_code, reason = "the searches are of the hermetic suite")]
mod depth;
mod dns;
#[path = "../it/environment.rs"]
mod environment;
mod github;
mod harness;
mod kustomize;
mod outside;
mod pipeline;
#[path = "../it/runner/mod.rs"]
#[allow(dead_code, reason = "what was left on its disk is looked through in the hermetic suite")]
mod runner;
mod server;
mod servers;
mod stores;
#[path = "../it/taking.rs"]
mod taking;
#[path = "../it/unread.rs"]
mod unread;
#[path = "../it/vault_server.rs"]
#[macro_use]
mod vault_server;
mod openbao;
mod vault_client;
mod workloads;
