//! One step: a shell, what it prints, and the signals of a run that is cancelled.

use super::{files, log::Log};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// What a runner notices.
pub(super) enum Event {
    Line(String),
    /// One of its two streams has ended.
    Silent,
    Ended,
    Cancel,
    Overdue,
}

/// How a step comes to its end before its time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Early {
    Cancelled,
    Lost,
}

pub(super) struct Step<'a> {
    pub(super) script: &'a str,
    pub(super) env: BTreeMap<String, String>,
    /// Of its own: its script, and the files by which it tells something.
    pub(super) folder: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) patience: [Duration; 2],
}

#[derive(Default)]
pub(super) struct Ended {
    /// What it was sent.
    pub(super) signals: Vec<Signal>,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) summary: String,
    pub(super) exit: i32,
}

/// By which it tells its runner something. Those that reach later steps of a job are not an action's of ours to use.
const TOLD: [&str; 2] = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"];
const FOREIGN: [&str; 3] = ["GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"];

impl Step<'_> {
    pub(super) fn run(
        self,
        (tell, events): &(Sender<Event>, Receiver<Event>),
        end_at: Option<(&str, Early)>,
        log: &mut Log,
    ) -> Ended {
        fs::create_dir(&self.folder).unwrap();
        let script = self.folder.join("script.sh");
        fs::write(&script, self.script).unwrap();
        // Exactly so a runner starts `shell: bash`.
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&script);
        command.env_clear().envs(&self.env).current_dir(&self.directory);
        for name in TOLD.iter().chain(&FOREIGN) {
            fs::write(self.folder.join(name), "").unwrap();
            command.env(name, self.folder.join(name));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let id = Pid::from_child(&child);
        listen(child.stdout.take().unwrap(), tell.clone());
        listen(child.stderr.take().unwrap(), tell.clone());
        let ended = tell.clone();
        thread::spawn(move || {
            // It is left to be collected, so that its number stays its own.
            waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
            let _ = ended.send(Event::Ended);
        });

        let [first, second] = self.patience;
        let mut ladder =
            [(Signal::INT, Some(first)), (Signal::TERM, Some(second)), (Signal::KILL, None)].into_iter();
        if end_at.is_some_and(|(_, early)| early == Early::Lost) {
            ladder.nth(1);
        }
        let mut timers = Vec::new();
        let (mut runs, mut streams, mut signals) = (true, 2, Vec::new());
        while runs || streams > 0 {
            let press = match events.recv().unwrap() {
                Event::Line(line) => {
                    log.line(&line);
                    signals.is_empty() && end_at.is_some_and(|(text, _)| line.contains(text))
                }
                Event::Silent => {
                    streams -= 1;
                    false
                }
                Event::Ended => {
                    runs = false;
                    // What it leaves running would hold its streams open.
                    let _ = kill_process_group(id, Signal::KILL);
                    false
                }
                Event::Cancel => signals.is_empty(),
                Event::Overdue => runs,
            };
            if press && let Some((signal, patience)) = ladder.next() {
                signals.push(signal);
                // The entry process alone hears it, whatever it has started; but in the end all of them are killed.
                let sent = match signal {
                    Signal::KILL => kill_process_group(id, signal),
                    _ => kill_process(id, signal),
                };
                sent.unwrap();
                timers.extend(patience.map(|patience| timer(patience, tell.clone())));
            }
        }
        drop(timers);
        let status = child.wait().unwrap();
        let exit = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        self.told(exit, signals, log)
    }

    fn told(&self, exit: i32, signals: Vec<Signal>, log: &mut Log) -> Ended {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap();
        for name in FOREIGN {
            assert_eq!(read(name), "", "the action writes to {name}");
        }
        let [outputs, summary] = TOLD.map(read);
        let mut ended = Ended { exit, signals, ..Ended::default() };
        let wrong = match (files::outputs(&outputs), files::summary(summary)) {
            (Ok(outputs), Ok(summary)) => {
                ended = Ended { outputs, summary, ..ended };
                return ended;
            }
            (Err(wrong), _) => {
                ended.exit = exit.max(1);
                wrong
            }
            (Ok(outputs), Err(wrong)) => {
                ended.outputs = outputs;
                wrong
            }
        };
        log.line(&format!("::error::{wrong}"));
        ended
    }
}

/// It goes off, unless what it returns is dropped before.
fn timer(patience: Duration, tell: Sender<Event>) -> Sender<()> {
    let (alive, over) = mpsc::channel();
    thread::spawn(move || {
        if over.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            let _ = tell.send(Event::Overdue);
        }
    });
    alive
}

fn listen(stream: impl Read + Send + 'static, tell: Sender<Event>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let line = String::from_utf8_lossy(&line.unwrap()).trim_end_matches('\r').to_owned();
            let _ = tell.send(Event::Line(line));
        }
        let _ = tell.send(Event::Silent);
    });
}
