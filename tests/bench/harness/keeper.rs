//! The servers of this test process, and their end: they go when it goes, however that happens.
//!
//! All servers are one process group; a janitor outside of it waits for the end of its standard input, which the kernel
//! brings about when this process is gone, kills the group and takes the directory away. Must never: leave a server
//! running, touch a process or a file that is not of this run.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
};

/// This run's directory and its group of processes.
pub(crate) struct Keeper {
    directory: PathBuf,
    group: i32,
    /// Whose standard inputs end with us.
    _watchers: [Child; 2],
}

static KEEPER: OnceLock<Keeper> = OnceLock::new();

impl Keeper {
    fn begin() -> Self {
        let directory = tempfile::Builder::new().prefix("berth-bench-").tempdir().unwrap().keep();
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh"]).stdin(Stdio::piped()).process_group(0);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        // A group lives as long as one of it lives, and a server may end early.
        let leader = shell("read -r _").spawn().unwrap();
        let group = i32::try_from(leader.id()).unwrap();
        let janitor = shell(
            r#"trap '' INT TERM HUP; read -r _; kill -s KILL -- "-$1"; tries=0
               while kill -s 0 -- "-$1" && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.05; done
               rm -rf -- "$2""#,
        )
        .arg(group.to_string())
        .arg(&directory)
        .spawn()
        .unwrap();
        Self { directory, group, _watchers: [leader, janitor] }
    }

    fn get() -> &'static Self {
        KEEPER.get_or_init(Self::begin)
    }
}

/// A fresh directory of this run, for one server.
pub(crate) fn directory(name: &str) -> PathBuf {
    let directory =
        tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&Keeper::get().directory).unwrap();
    directory.keep()
}

/// What the scripts made.
pub(crate) fn built(what: &str) -> PathBuf {
    // Cargo's own scratch directory is `target/tmp`.
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench").join(what)
}

/// Where the servers' programs lie.
fn program(name: &str) -> PathBuf {
    let program = built("bin").join(name);
    assert!(
        program.exists(),
        "{} is not there: `tests/bench/servers/build` builds the bench's servers, `tests/run` does it all",
        program.display()
    );
    program
}

/// A command for one of the servers' programs, in no group yet.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").stdin(Stdio::null());
    command
}

/// A running server. Dropping it kills it.
pub(crate) struct Process {
    name: String,
    command: Mutex<Command>,
    child: Mutex<Child>,
    log: PathBuf,
}

impl Process {
    /// Starts it, with its output in a log beside its other files.
    pub(crate) fn start(name: &str, mut command: Command, directory: &Path) -> Self {
        let log = directory.join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        command.stdout(out.try_clone().unwrap()).stderr(out);
        // With the temporary files of a server in its own directory, they go with it.
        command.current_dir(directory).env("HOME", directory).env("TMPDIR", directory);
        let child = command.process_group(Keeper::get().group).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), command: Mutex::new(command), child: Mutex::new(child), log }
    }

    /// Kills it and starts it as it was started.
    pub(crate) fn restart(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        *child = self.command.lock().unwrap().spawn().unwrap();
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// Fails, with what the server said last, if it has ended.
    pub(crate) fn must_run(&self) {
        if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
            panic!("{} ended with {status}:\n{}", self.name, self.said());
        }
    }

    /// The end of its log.
    pub(crate) fn said(&self) -> String {
        let mut text = Vec::new();
        File::open(&self.log).unwrap().read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // It may have ended of itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Writes a file that only its owner may read, and says where.
pub(crate) fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}
