//! What a child says: told line by line, kept as far as there is room for it.
//!
//! Must never: grow with what it says; stop listening (who is not listened to stands still).

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{ChildStderr, ChildStdout},
};

/// So much of each output is kept and told.
pub const KEPT: usize = 16 << 20;
/// A longer line is told in pieces.
const LINE: usize = 16 << 10;

/// Which of its outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What was written to one of its outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Its beginning, at most [`KEPT`] bytes.
    pub bytes: Vec<u8>,
    /// How much it was in all.
    pub total: u64,
}

impl Spoken {
    /// Whether it was kept in full.
    pub fn is_whole(&self) -> bool {
        self.total == self.bytes.len() as u64
    }

    /// Its last lines, for a message.
    pub fn end(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last = lines.iter().skip(lines.len().saturating_sub(5));
        last.map(|line| line.chars().filter(|c| !c.is_control()).take(400).collect::<String>())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Both outputs.
pub(super) struct Ears<'a> {
    out: Ear<ChildStdout>,
    err: Ear<ChildStderr>,
    tell: &'a mut dyn FnMut(Stream, &str),
}

impl<'a> Ears<'a> {
    pub(super) fn new(out: ChildStdout, err: ChildStderr, tell: &'a mut dyn FnMut(Stream, &str)) -> Self {
        Self { out: Ear::new(out, Stream::Out), err: Ear::new(err, Stream::Err), tell }
    }

    /// To the end of both. Whoever stops listening may go on later.
    pub(super) async fn hear(&mut self) {
        while self.out.is_open || self.err.is_open {
            let Self { out, err, tell } = self;
            let (ear, read) = tokio::select! {
                read = out.read(), if out.is_open => (&mut out.heard, read),
                read = err.read(), if err.is_open => (&mut err.heard, read),
            };
            ear.take(&read, tell);
        }
    }

    /// What was heard; a last line without an end is told now.
    pub(super) fn heard(self) -> (Spoken, Spoken) {
        let Self { out, err, tell } = self;
        (out.heard.finish(tell), err.heard.finish(tell))
    }
}

struct Ear<R> {
    pipe: R,
    is_open: bool,
    heard: Heard,
}

impl<R: AsyncRead + Unpin> Ear<R> {
    fn new(pipe: R, stream: Stream) -> Self {
        Self { pipe, is_open: true, heard: Heard { stream, spoken: Spoken::default(), line: Vec::new() } }
    }

    async fn read(&mut self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(LINE);
        // A pipe that cannot be read is at its end.
        if !matches!(self.pipe.read_buf(&mut buffer).await, Ok(1..)) {
            self.is_open = false;
        }
        buffer
    }
}

struct Heard {
    stream: Stream,
    spoken: Spoken,
    line: Vec<u8>,
}

impl Heard {
    fn take(&mut self, read: &[u8], tell: &mut dyn FnMut(Stream, &str)) {
        let was_whole = self.spoken.is_whole();
        let kept = &read[..read.len().min(KEPT - self.spoken.bytes.len())];
        self.spoken.total += read.len() as u64;
        self.spoken.bytes.extend_from_slice(kept);
        for byte in kept {
            if *byte == b'\n' || self.line.len() == LINE {
                self.line(tell);
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
        if was_whole && !self.spoken.is_whole() {
            self.line(tell);
            tell(self.stream, &format!("(more than {} MiB: the rest is not shown)", KEPT >> 20));
        }
    }

    fn line(&mut self, tell: &mut dyn FnMut(Stream, &str)) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        tell(self.stream, line.trim_end_matches('\r'));
    }

    fn finish(mut self, tell: &mut dyn FnMut(Stream, &str)) -> Spoken {
        if !self.line.is_empty() {
            self.line(tell);
        }
        self.spoken
    }
}
