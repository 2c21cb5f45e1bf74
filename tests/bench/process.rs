//! What a whole `berth` process costs, against the embedded Vault on loopback: `cargo bench`. Measured, never asserted.
//!
//! bash's `time` gives CPU and wall time of each run to the millisecond.

use berth::rehearsal::{Server, World, kv::Grant, serve::Served};
use std::{
    io::{Write, stdout},
    process::Command,
};

const RUNS: usize = 40;
const TOKEN: &str = "bench";

struct Cost {
    wall: f64,
    cpu: f64,
}

/// Medians, in milliseconds.
fn cost(arguments: &str, vault: &str) -> Cost {
    // One warm-up, not counted: the binary's pages come from disk the first time.
    let script = format!(
        "{berth} {arguments} >/dev/null; TIMEFORMAT='%R %U %S'; \
         for i in $(seq {RUNS}); do time {berth} {arguments} >/dev/null; done",
        berth = env!("CARGO_BIN_EXE_berth"),
    );
    let home = std::env::temp_dir();
    let ran = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("VAULT_ADDR", vault)
        .env("VAULT_TOKEN", TOKEN)
        .output()
        .expect("bash is there");
    let said = String::from_utf8_lossy(&ran.stderr);
    let times: Vec<Vec<f64>> = said
        .lines()
        .filter_map(|line| line.split(' ').map(|word| word.parse().ok()).collect::<Option<Vec<f64>>>())
        .filter(|times| times.len() == 3)
        .collect();
    assert_eq!(times.len(), RUNS, "`berth {arguments}` did not run as it should: {said}");
    let median = |of: &dyn Fn(&Vec<f64>) -> f64| {
        let mut all: Vec<f64> = times.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[RUNS / 2] * 1000.0
    };
    Cost { wall: median(&|t| t[0]), cpu: median(&|t| t[1] + t[2]) }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let served = runtime.block_on(async {
        let mut world = World::default();
        world.vault.add_token(TOKEN, Grant::default());
        Served::start(world).await.expect("a loopback port is free")
    });
    let vault = served.url(Server::Vault);
    let mut out = stdout().lock();
    let line = |out: &mut dyn Write, what: &str, cost: Cost| {
        writeln!(out, "{what:<44} {:>6.1} ms CPU {:>6.1} ms wall", cost.cpu, cost.wall)
            .expect("stdout takes it");
    };
    writeln!(out, "medians of {RUNS} whole processes, embedded Vault on loopback").expect("stdout takes it");
    for (what, arguments) in [
        ("berth --version", "--version"),
        ("berth pool allocate, a new name each time", "pool allocate pr-bench-$RANDOM --range 10.0.0.0/16"),
        ("berth pool allocate, the same name again", "pool allocate pr-bench-0 --range 10.0.0.0/16"),
        ("berth pool check-capacity", "pool check-capacity --range 10.0.0.0/16"),
    ] {
        line(&mut out, what, cost(arguments, &vault));
    }
}
