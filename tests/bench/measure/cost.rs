//! What whole processes cost, in pairs.

use std::{fmt, path::Path, process::Command};

/// Time by the clock and on the processors, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    /// Zero: it is no process of its own.
    pub(crate) cpu: f64,
}

/// Costs of one process, with all that it starts and waits for: bash's `time` knows them to the millisecond.
pub(crate) fn of_process(command: &mut Command) -> Cost {
    let mut timed = Command::new("bash");
    timed.args(["-c", r#"TIMEFORMAT='%R %U %S'; time "$@" >/dev/null 2>"$SAID""#, "bash"]);
    timed.arg(command.get_program()).args(command.get_args()).env_clear();
    #[allow(clippy::disallowed_methods, reason = "where the shell flow's own programs are")]
    timed.env("PATH", std::env::var_os("PATH").unwrap());
    for (name, value) in command.get_envs() {
        timed.env(name, value.unwrap());
    }
    let said = tempfile::NamedTempFile::new().unwrap();
    let ran = timed.env("SAID", said.path()).output().unwrap();
    let talk = std::fs::read_to_string(said.path()).unwrap();
    assert!(ran.status.success(), "{command:?}: {talk}");
    let times = String::from_utf8(ran.stderr).unwrap();
    let times: Vec<f64> =
        times.split_whitespace().map(|word| word.parse::<f64>().unwrap() * 1000.0).collect();
    let [wall, user, system] = times[..] else { panic!("bash does not say the times: {times:?}") };
    Cost { wall, cpu: user + system }
}

/// The same of one process, what memory it had at most, in KiB, and what it printed: python3 knows them. Its own few MiB are
/// the least that it can tell.
pub(crate) fn with_peak(command: &mut Command) -> (Cost, u64, String) {
    const WATCH: &str = r"
import os, sys, time
began = time.monotonic()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
wall = time.monotonic() - began
print(status, round(wall * 1000), round((used.ru_utime + used.ru_stime) * 1000), used.ru_maxrss, file=sys.stderr)
";
    let mut watched = Command::new("python3");
    watched.args(["-c", WATCH]).arg(command.get_program()).args(command.get_args()).env_clear();
    #[allow(clippy::disallowed_methods, reason = "where python3 is")]
    watched.env("PATH", std::env::var_os("PATH").unwrap());
    for (name, value) in command.get_envs() {
        watched.env(name, value.unwrap());
    }
    let ran = watched.output().unwrap();
    let [said, talk] = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let last = talk.lines().last().unwrap_or_default().split_whitespace().map(str::parse);
    let told: Result<Vec<u64>, _> = last.collect();
    let Ok([0, wall, cpu, peak]) = told.as_deref() else { panic!("{command:?}: {said}{talk}") };
    (Cost { wall: *wall as f64, cpu: *cpu as f64 }, *peak, said)
}

/// berth, and side by side with it what it is measured against.
pub(crate) struct Measured {
    what: String,
    ours: Vec<Cost>,
    theirs: Vec<Cost>,
}

impl Measured {
    /// So many pairs; who begins takes turns. One pair before is not counted: programs come from disk the first time.
    pub(crate) fn pairs(
        what: &str,
        rounds: usize,
        mut ours: impl FnMut(usize) -> Cost,
        mut theirs: impl FnMut(usize) -> Cost,
    ) -> Self {
        let mut measured = Self { what: what.to_owned(), ours: vec![], theirs: vec![] };
        for round in 0..=rounds {
            if round % 2 == 0 {
                measured.ours.push(ours(round));
                measured.theirs.push(theirs(round));
            } else {
                measured.theirs.push(theirs(round));
                measured.ours.push(ours(round));
            }
        }
        measured.ours.remove(0);
        measured.theirs.remove(0);
        measured
    }

    /// What there is nothing beside.
    pub(crate) fn alone(what: &str, rounds: usize, mut ours: impl FnMut(usize) -> Cost) -> Self {
        ours(0);
        Self { what: what.to_owned(), ours: (1..=rounds).map(ours).collect(), theirs: vec![] }
    }
}

fn median(costs: &[Cost], of: fn(&Cost) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        type Of = fn(&Cost) -> f64;
        let kinds: [(&str, Of); 2] = [("wall", |cost| cost.wall), ("CPU", |cost| cost.cpu)];
        let mut rows = vec![];
        for (kind, of) in kinds {
            let (what, runs) = (&self.what, self.ours.len());
            match (median(&self.ours, of).unwrap(), median(&self.theirs, of)) {
                // It was no process.
                (0.0, _) => {}
                (ours, None) => rows.push(format!("| {what}, {kind} | {runs} | {ours:.0} ms | | |")),
                (ours, Some(theirs)) => {
                    let ratio = theirs / ours;
                    rows.push(format!(
                        "| {what}, {kind} | {runs} | {ours:.0} ms | {theirs:.0} ms | 1/{ratio:.1} |"
                    ));
                }
            }
        }
        f.write_str(&rows.join("\n"))
    }
}

/// A program of ours or of theirs, with nothing of our environment.
pub(crate) fn program(path: impl AsRef<Path>) -> Command {
    let mut command = Command::new(path.as_ref());
    command.env_clear();
    command
}
