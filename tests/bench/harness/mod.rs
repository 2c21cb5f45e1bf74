//! Starts the real servers, any subset of them, on free loopback ports, and waits for each by asking it.
//!
//! They share one life with this test process ([`keeper`]). Must never: use a fixed port or path; sleep for a time that
//! somebody guessed; go on without a server that a test asked for.

pub(crate) mod audit;
pub(crate) mod certificates;
pub(crate) mod cluster_api;
pub(crate) mod control_plane;
pub(crate) mod dns;
pub(crate) mod environment;
mod etcd;
pub(crate) mod keeper;
pub(crate) mod openbao;
pub(crate) mod players;
pub(crate) mod ports;
pub(crate) mod proxy;
pub(crate) mod records;
pub(crate) mod signature;
pub(crate) mod watching;
pub(crate) mod workloads;

use keeper::Process;
use std::time::Duration;

/// Much longer than any of them takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until the answer is there. It fails at once, with its last words, when the server ends.
#[allow(clippy::disallowed_methods, reason = "these servers give no sign when they are ready")]
pub(crate) async fn ask<T>(what: &str, process: &Process, mut answer: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            process.must_run();
            if let Some(answer) = answer().await {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(_) => {
            panic!("{what} has not come about in {PATIENCE:?}; the server's last words:\n{}", process.said())
        }
    }
}
