//! The facts that need real servers: `tests/run` builds them and runs this.
#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect shall end there")]

#[path = "../it/bed.rs"]
#[allow(dead_code, reason = "the embedded world is not needed here, its words are")]
mod bed;
#[path = "../it/contract.rs"]
#[macro_use]
mod contract;
mod cluster_api;
mod dns;
mod github;
mod harness;
mod servers;
mod stores;
#[path = "../it/taking.rs"]
mod taking;
#[path = "../it/vault_server.rs"]
#[macro_use]
mod vault_server;
mod openbao;
mod workloads;
