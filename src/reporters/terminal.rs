//! A run on stderr: on a terminal the table of its phases, drawn anew as they go; in a job one line for each that ended, or
//! that waits for something for long.
//!
//! Must never: print to anything but what it was given; put a foreign text where a line begins (GitHub's runner obeys some
//! lines); go on drawing once the last word is said.

mod ending;
mod rows;

pub use ending::rehearsed;

use super::Reporter;
use crate::{clock::Clock, domain::report::Report};
use anyhow::Result;
use async_trait::async_trait;
use rows::{Lines, Style};
use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

/// How often elapsed times are drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Line by line, for logs; also beside other talk, which a drawing would run into.
    Lines {
        /// In a job of GitHub Actions, which folds groups.
        groups: bool,
    },
    /// Drawn anew, for who looks on.
    Live {
        /// Columns of the terminal.
        width: usize,
        /// Not with `NO_COLOR`.
        colour: bool,
    },
}

/// Shows a run.
pub struct Terminal {
    screen: Arc<Mutex<Screen>>,
    clock: Clock,
}

struct Screen {
    out: Box<dyn Write + Send>,
    /// Behind the first line.
    note: String,
    view: View,
    clock: Clock,
    report: Option<Report>,
}

enum View {
    Lines(Lines),
    Live {
        style: Style,
        /// Lines that the next drawing replaces.
        drawn: usize,
        is_over: bool,
    },
}

impl Terminal {
    /// On `out`; `note` stands behind what is done to what, if there is anything to be said of it.
    pub fn new(out: Box<dyn Write + Send>, look: Look, note: impl Into<String>, clock: Clock) -> Self {
        let view = match look {
            Look::Lines { groups } => View::Lines(Lines::new(groups)),
            Look::Live { width, colour } => {
                View::Live { style: Style { width: Some(width), colour }, drawn: 0, is_over: false }
            }
        };
        let screen = Screen { out, note: note.into(), view, clock: clock.clone(), report: None };
        Self { screen: Arc::new(Mutex::new(screen)), clock }
    }
}

#[async_trait]
impl Reporter for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        let is_first = {
            let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
            let before = screen.report.replace(report.clone());
            screen.draw()?;
            before.is_none()
        };
        if is_first {
            tokio::spawn(tick(Arc::downgrade(&self.screen), self.clock.clone()));
        }
        Ok(())
    }
}

/// Time passes where nothing else happens.
async fn tick(screen: Weak<Mutex<Screen>>, clock: Clock) {
    loop {
        clock.pass(TICK).await;
        let Some(screen) = screen.upgrade() else { return };
        let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = screen.report.as_ref().is_none_or(|report| report.outcome.is_some());
        if is_over || screen.draw().is_err() {
            return;
        }
    }
}

impl Screen {
    fn draw(&mut self) -> Result<()> {
        let Some(report) = &self.report else { return Ok(()) };
        let now = self.clock.now();
        let text = match &mut self.view {
            View::Lines(lines) => lines.news(report, &self.note, now),
            View::Live { is_over: true, .. } => return Ok(()),
            View::Live { style, drawn, is_over } => {
                let mut lines = vec![rows::header(report, &self.note, *style)];
                lines.extend(report.phases.iter().map(|phase| rows::row(phase, *style, now)));
                // Up to where the last drawing began, and all below it away.
                let begin = if *drawn > 0 { format!("\x1b[{drawn}A\r\x1b[J") } else { String::new() };
                *drawn = lines.len();
                if report.outcome.is_some() {
                    *is_over = true;
                    lines.extend(ending::lines(report, now));
                }
                format!("{begin}{}\n", lines.join("\n"))
            }
        };
        if !text.is_empty() {
            self.out.write_all(text.as_bytes())?;
            self.out.flush()?;
        }
        Ok(())
    }
}
