//! `berth pool` beside a reconstruction of the shell flow that it replaces, on one OpenBao; and berth alone.

use super::{
    cost::{self, Measured, of_process},
    harness::{keeper, openbao::OpenBao},
};
use reqwest::Method;
use serde_json::json;
use std::process::Command;

const ROUNDS: usize = 21;

pub(crate) async fn measure() -> Vec<Measured> {
    let vault = OpenBao::start().await;
    vault.root(Method::POST, "sys/mounts/kv", json!({"type": "kv", "options": {"version": "2"}})).await;
    let home = keeper::directory("pool");
    let with = |mut command: Command| {
        command.env("VAULT_ADDR", &vault.url).env("VAULT_TOKEN", &vault.root).env("HOME", &home);
        command
    };
    let berth = |arguments: &[&str]| {
        let mut command = with(cost::program(env!("CARGO_BIN_EXE_berth")));
        of_process(command.args(arguments))
    };
    let shell = |arguments: &[&str]| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/measure/shell-pool.sh");
        let mut command = with(cost::program("bash"));
        of_process(command.arg(script).args(arguments))
    };
    // What one allocates the other releases, so that each finds the pool as full as the other did.
    let allocate = Measured::pairs(
        "`pool allocate`",
        ROUNDS,
        |_| {
            let cost = berth(&["pool", "allocate", "pr-bench-1"]);
            berth(&["pool", "release", "pr-bench-1"]);
            cost
        },
        |_| {
            let cost = shell(&["allocate", "pr-bench-1"]);
            shell(&["release", "pr-bench-1"]);
            cost
        },
    );
    let release = Measured::pairs(
        "`pool release`",
        ROUNDS,
        |_| {
            berth(&["pool", "allocate", "pr-bench-1"]);
            berth(&["pool", "release", "pr-bench-1"])
        },
        |_| {
            shell(&["allocate", "pr-bench-1"]);
            shell(&["release", "pr-bench-1"])
        },
    );
    let again = {
        berth(&["pool", "allocate", "pr-bench-1"]);
        Measured::pairs(
            "`pool allocate`, the same name again",
            ROUNDS,
            |_| berth(&["pool", "allocate", "pr-bench-1"]),
            |_| shell(&["allocate", "pr-bench-1"]),
        )
    };
    let alone = Measured::alone("`berth --version`", ROUNDS, |_| berth(&["--version"]));
    vec![allocate, release, again, alone]
}
