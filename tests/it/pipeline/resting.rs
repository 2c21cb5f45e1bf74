//! Which of the processes have nothing to do until something happens: where all rest, some time passes.
//!
//! The kernel knows: a thread that has been woken is no longer asleep, be it that it gets no processor for a while.

use berth::{clock::Clock, rehearsal::serve::Served};
use jiff::SignedDuration;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

/// So often it is looked who rests.
const LOOK: Duration = Duration::from_millis(3);
/// There is no such file, or, once it was opened, no such thread any more.
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
/// What passes where all do.
const SECONDS: u32 = 21;

/// The threads of the processes, and those of the world.
#[derive(Clone, Default)]
pub(super) struct Resting(Arc<Mutex<BTreeMap<String, Vec<PathBuf>>>>);

/// Who looks: neither a process nor a world.
fn watchers() -> &'static Runtime {
    static WATCHERS: OnceLock<Runtime> = OnceLock::new();
    WATCHERS.get_or_init(|| Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap())
}

/// Where the kernel tells of the thread that asks.
#[cfg(target_os = "linux")]
fn own() -> Option<PathBuf> {
    let thread = fs::read_link("/proc/thread-self").expect("where this thread is told of");
    Some(Path::new("/proc").join(thread).join("stat"))
}

/// Elsewhere nobody tells: all seem to rest, so on a machine that is busy a patience may end too early.
#[cfg(not(target_os = "linux"))]
fn own() -> Option<PathBuf> {
    None
}

/// What has ended rests, too.
fn sleeps(thread: &PathBuf) -> bool {
    match fs::read_to_string(thread) {
        Ok(stat) => stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S')),
        Err(error) => matches!(error.raw_os_error(), Some(ENOENT | ESRCH)),
    }
}

impl Resting {
    /// Of one with this name the calling thread, and all that this runtime starts.
    pub(super) fn of(&self, who: &str, mut runtime: Builder) -> Runtime {
        let (all, name) = (self.0.clone(), who.to_owned());
        let add = move || all.lock().unwrap().entry(name.clone()).or_default().extend(own());
        runtime.enable_all().on_thread_start(add).build().unwrap()
    }

    /// One that runs in the calling thread.
    pub(super) fn process(&self, run: &str) -> Runtime {
        self.0.lock().unwrap().insert(run.to_owned(), own().into_iter().collect());
        self.of(run, Builder::new_current_thread())
    }

    pub(super) fn ended(&self, run: &str) {
        self.0.lock().unwrap().remove(run);
    }

    pub(super) fn has(&self, run: &str) -> bool {
        self.0.lock().unwrap().get(run).is_none_or(|threads| threads.iter().all(sleeps))
    }

    fn all(&self) -> bool {
        self.0.lock().unwrap().values().flatten().all(sleeps)
    }

    /// Lets time pass wherever all rest, until that has helped nobody so often in a row; then it ends.
    pub(super) async fn pass(&self, served: &Served, clock: &Clock, times: usize) {
        let (all, served, clock, machine) = (self.clone(), served.clone(), clock.clone(), Clock::system());
        let passing = async move {
            let (mut idle, mut asked) = (0, 0);
            while idle < times {
                let mut rest = true;
                // Who hands something to another is for a moment the only one awake, or neither is.
                for _ in 0..3 {
                    machine.pass(LOOK).await;
                    rest = rest && all.all();
                }
                let now = served.gate.log().len();
                if !rest || std::mem::replace(&mut asked, now) != now {
                    // As long as somebody is at it, nobody is stuck.
                    idle = 0;
                    continue;
                }
                idle += 1;
                served.lock().pass(SECONDS);
                clock.advance(SignedDuration::from_secs(SECONDS.into()));
            }
            machine.pass(Duration::from_secs(20)).await;
        };
        // It ends with this future.
        let mut passing_by = JoinSet::new();
        passing_by.spawn_on(passing, watchers().handle());
        passing_by.join_next().await;
    }
}
