//! The summary of a job: the comment's text and a timeline of the phases, in the file that `GITHUB_STEP_SUMMARY` names.
//!
//! It is the one place that every run can write to, so it tells of those too that are told nowhere else. Written anew at
//! each change, over what is there: a run that is killed leaves what it knew. Must never: grow beyond what GitHub shows;
//! put a text from outside into the diagram.

use super::{
    Reporter,
    markdown::{self, Beside},
    words::cut,
};
use crate::{
    clock::Clock,
    domain::report::{Phase, Report, Status},
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Bytes of a step's summary. Of a longer one GitHub shows nothing.
pub const BYTES: usize = (1 << 20) - 1;

/// Writes what people find below a job.
pub struct Summary {
    file: PathBuf,
    beside: Beside,
    clock: Clock,
    paper: Mutex<Option<Paper>>,
}

struct Paper {
    file: File,
    /// What others had written before us.
    begin: u64,
    shown: String,
}

impl Summary {
    /// To this file, behind what is in it.
    pub fn new(file: PathBuf, beside: Beside, clock: Clock) -> Self {
        Self { file, beside, clock, paper: Mutex::default() }
    }
}

/// The summary of a run.
pub fn text(report: &Report, now: Timestamp, beside: &Beside) -> String {
    let comment = markdown::body(report, now, beside);
    let said = comment.split_once('\n').map_or("", |(_marker, said)| said);
    format!("{said}{}", timeline(report, now))
}

/// When each phase began and ended, drawn.
fn timeline(report: &Report, now: Timestamp) -> String {
    let bars: String = report.phases.iter().filter_map(|phase| bar(phase, now)).collect();
    if bars.is_empty() {
        return String::new();
    }
    format!("\n```mermaid\ngantt\n    dateFormat x\n    axisFormat %H:%M:%S\n{bars}```\n")
}

fn bar(phase: &Phase, now: Timestamp) -> Option<String> {
    let began = phase.began?;
    let lasted = SignedDuration::try_from_secs_f64(phase.seconds).unwrap_or_default();
    let (kind, end) = match phase.status {
        Status::Pending => return None,
        Status::Running => ("active, ", now),
        Status::Done => ("done, ", began.saturating_add(lasted).ok()?),
        Status::Failed | Status::Unverified => ("crit, ", began.saturating_add(lasted).ok()?),
    };
    // What takes no time at all could not be seen.
    let (from, to) = (began.as_millisecond(), end.as_millisecond());
    Some(format!("    {} :{kind}{from}, {}\n", phase.step, to.max(from + 1000)))
}

impl Paper {
    fn open(path: &PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let begin = file.metadata()?.len();
        Ok(Self { file, begin, shown: String::new() })
    }

    /// Never empty in between: whoever is killed here leaves the old words or the new ones.
    fn show(&mut self, text: String) -> io::Result<()> {
        let room = BYTES.saturating_sub(usize::try_from(self.begin).unwrap_or(usize::MAX));
        let shown = cut(&text, room);
        self.file.seek(SeekFrom::Start(self.begin))?;
        self.file.write_all(shown.as_bytes())?;
        self.file.set_len(self.begin + shown.len() as u64)?;
        self.shown = text;
        Ok(())
    }
}

#[async_trait]
impl Reporter for Summary {
    fn name(&self) -> &'static str {
        "job summary"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        let mut paper = self.paper.lock().unwrap_or_else(PoisonError::into_inner);
        let text = text(report, self.clock.now(), &self.beside);
        let write = || {
            let paper = match &mut *paper {
                Some(paper) => paper,
                none => none.insert(Paper::open(&self.file)?),
            };
            if paper.shown == text { Ok(()) } else { paper.show(text) }
        };
        write().with_context(|| format!("write {}", self.file.display()))
    }
}
