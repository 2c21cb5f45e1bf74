//! What whole processes cost, in pairs.

use std::{fmt, path::Path, process::Command};

/// Time by the clock and on the processors, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// Costs of one process, with all that it starts and waits for: bash's `time` knows them to the millisecond.
pub(crate) fn of_process(command: &mut Command) -> Cost {
    let mut timed = Command::new("bash");
    timed.args(["-c", r#"TIMEFORMAT='%R %U %S'; time "$@" >/dev/null 2>"$SAID""#, "bash"]);
    timed
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
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

/// berth and what it is measured against, side by side.
pub(crate) struct Measured {
    what: String,
    pairs: Vec<(Cost, Cost)>,
}

impl Measured {
    /// So many pairs; who begins takes turns. One pair before is not counted: programs come from disk the first time.
    pub(crate) fn pairs(
        what: &str,
        rounds: usize,
        mut ours: impl FnMut(usize) -> Cost,
        mut theirs: impl FnMut(usize) -> Cost,
    ) -> Self {
        let mut pair = |round: usize| match round % 2 {
            0 => {
                let first = ours(round);
                (first, theirs(round))
            }
            _ => {
                let first = theirs(round);
                (ours(round), first)
            }
        };
        pair(0);
        let pairs = (1..=rounds).map(pair).collect();
        Self { what: what.to_owned(), pairs }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, runs) = (&self.what, self.pairs.len());
        let row = |of: fn(&Cost) -> f64, kind: &str| {
            let ours = median(self.pairs.iter().map(|(ours, _)| of(ours)));
            let theirs = median(self.pairs.iter().map(|(_, theirs)| of(theirs)));
            format!("| {what}, {kind} | {runs} | {ours:.0} ms | {theirs:.0} ms | 1/{:.1} |", theirs / ours)
        };
        write!(f, "{}\n{}", row(|cost| cost.wall, "wall"), row(|cost| cost.cpu, "CPU"))
    }
}

/// A program of ours or of theirs, with nothing of our environment.
pub(crate) fn program(path: impl AsRef<Path>) -> Command {
    Command::new(path.as_ref())
}
