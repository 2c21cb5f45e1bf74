//! Where what tests print is shown. A runner of GitHub takes some lines for commands (`::set-env…`, `##[…`); between two
//! lines with a token that nobody else knows it takes none.
//!
//! Must never: show a line of theirs outside of these two; make a token that could be guessed.

use anyhow::{Result, anyhow};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::sync::Arc;

/// Prints one line.
type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub enum Shown {
    /// Lines are lines.
    Plain(Print),
    /// A runner of GitHub reads along.
    OnGitHub(Print),
}

/// Shows lines, until it is dropped.
pub struct Lines {
    print: Print,
    token: Option<String>,
}

impl Shown {
    /// From now on.
    pub fn begin(&self) -> Result<Lines> {
        let (print, token) = match self {
            Self::Plain(print) => (print, None),
            Self::OnGitHub(print) => {
                let mut bytes = [0; 16];
                SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("no random numbers"))?;
                let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                print(&format!("::stop-commands::{token}"));
                (print, Some(token))
            }
        };
        Ok(Lines { print: print.clone(), token })
    }
}

impl Lines {
    /// Shows one.
    pub fn line(&self, line: &str) {
        (self.print)(line);
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            (self.print)(&format!("::{token}::"));
        }
    }
}
