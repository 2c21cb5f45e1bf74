//! What a child has started, killed with it.
//!
//! Its process group dies at once. What has left the group (a daemon, by `setsid`) is found by the mark that it inherited
//! in its environment, as runners find what a job left behind; that needs `/proc`, so it is found on Linux alone. Who takes
//! pains to lose the mark gets away; nothing waits for it.
//!
//! Must never: kill what bears another child's mark.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{ffi::OsString, fs, os::unix::ffi::OsStrExt as _};

/// The variable by which what a child started is known; its value is its own.
pub(super) const MARK: &str = "BERTH_CHILD";
/// Looks for what is marked. One that finds nothing is the last; more than these only a storm of forks would need.
const LOOKS: usize = 20;

/// Killed when this is dropped.
pub(super) struct Leftovers {
    group: Option<Pid>,
    mark: Vec<u8>,
}

impl Leftovers {
    /// Of the child with this id, which leads its group.
    pub(super) fn of(child: Option<u32>, mark: OsString) -> Self {
        let group = child.and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let mark = [MARK.as_bytes(), b"=", mark.as_bytes()].concat();
        Self { group, mark }
    }

    /// All of them, now.
    pub(super) fn kill(self) {}

    fn strays(&self) -> Vec<Pid> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let strays = processes.filter_map(|process| {
            let id = process.file_name().to_str()?.parse().ok()?;
            // What cannot be read is another user's, or has just ended.
            let environment = fs::read(process.path().join("environ")).ok()?;
            let is_ours = environment.split(|byte| *byte == 0).any(|variable| variable == self.mark);
            if is_ours { Pid::from_raw(id) } else { None }
        });
        strays.collect()
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // It fails if nobody is left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
        for _ in 0..LOOKS {
            let strays = self.strays();
            if strays.is_empty() {
                return;
            }
            for stray in strays {
                let _ = kill_process(stray, Signal::KILL);
            }
        }
        tracing::warn!("some of what a child process started may still run");
    }
}
