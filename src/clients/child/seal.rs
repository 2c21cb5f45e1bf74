//! This process, closed against its children.
//!
//! A child of the same user may read `/proc/PID/environ` of its parent, and its memory, and there the tokens are, whatever
//! was left out of the child's own environment. Taking them out of ours would not help: that file shows what the process was
//! started with. So the kernel is told that this process is nobody's to look into (not dumpable), and that no descendant of
//! it ever gains rights (a runner's user may `sudo` without a password; so a test that needs root installs what it needs in
//! a step before). Where we are root, the rights to look into others all the same are given up, too: to trace, to measure,
//! to administer, and all that nobody here needs.
//!
//! Must never: be called later than the first thread is started: what a thread gives up, another keeps.

use std::io;

/// Closes it, for good. Elsewhere than on Linux it changes nothing, and says so.
#[cfg(target_os = "linux")]
pub fn seal() -> io::Result<()> {
    use rustix::{
        process::{DumpableBehavior, set_dumpable_behavior},
        thread::{CapabilitySet, capabilities, set_capabilities, set_no_new_privs},
    };
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_no_new_privs(true)?;
    // Root of a container writes the files of other users, such as those of a runner, and installs programs.
    let kept = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER
        | CapabilitySet::KILL
        | CapabilitySet::NET_BIND_SERVICE
        | CapabilitySet::SETGID
        | CapabilitySet::SETUID;
    let mut own = capabilities(None)?;
    for set in [&mut own.effective, &mut own.permitted, &mut own.inheritable] {
        *set = set.intersection(kept);
    }
    Ok(set_capabilities(None, own)?)
}

/// Closes it, for good. Elsewhere than on Linux it changes nothing, and says so.
#[cfg(not(target_os = "linux"))]
pub fn seal() -> io::Result<()> {
    tracing::warn!("child processes can read this process' environment: only on Linux they cannot");
    Ok(())
}
