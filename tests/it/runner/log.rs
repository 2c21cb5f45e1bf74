//! What a step prints, as a runner reads it: commands are obeyed, and what is masked is left out.

/// What people read, and what the runner was told.
pub(super) struct Log {
    lines: Vec<String>,
    masked: Vec<String>,
    /// Commands are text until this stands alone.
    stopped: Option<String>,
    pub(super) commands: Vec<(String, String)>,
}

impl Log {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a String>) -> Self {
        let mut log = Self { lines: Vec::new(), masked: Vec::new(), stopped: None, commands: Vec::new() };
        secrets.for_each(|secret| log.mask(secret));
        log
    }

    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// A line of either stream.
    pub(super) fn line(&mut self, line: &str) {
        let command = command(line);
        if let Some(token) = &self.stopped {
            match command {
                Some((name, _)) if name == *token => self.stopped = None,
                _ => self.show(line),
            }
            return;
        }
        let Some((name, about)) = command else { return self.show(line) };
        match name.as_str() {
            "add-mask" => self.mask(&about),
            "stop-commands" => {
                assert!(!about.is_empty(), "nothing ends what `stop-commands` began");
                self.stopped = Some(about);
            }
            "debug" => {}
            "error" | "warning" | "notice" | "group" | "endgroup" => {
                self.show(&format!("##[{name}]{about}"));
                let about = self.masked(&about);
                self.commands.push((name, about));
            }
            // A runner shows what it does not know.
            _ => self.show(line),
        }
    }

    fn show(&mut self, line: &str) {
        let line = self.masked(line);
        self.lines.push(line);
    }

    fn masked(&self, line: &str) -> String {
        self.masked.iter().fold(line.to_owned(), |line, secret| line.replace(secret, "***"))
    }

    /// The whole and each of its lines.
    fn mask(&mut self, secret: &str) {
        for text in std::iter::once(secret).chain(secret.lines()) {
            if !text.trim().is_empty() && !self.masked.iter().any(|known| known == text) {
                self.masked.push(text.to_owned());
            }
        }
        // A part is not to be taken out of the whole first.
        self.masked.sort_by_key(|text| std::cmp::Reverse(text.len()));
    }
}

/// `::name key=value::about`, or the older `##[name key=value]about`, which may stand anywhere in the line.
fn command(line: &str) -> Option<(String, String)> {
    let (head, about) = match line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::")) {
        Some(found) => found,
        None => line.split_once("##[")?.1.split_once(']')?,
    };
    let name = head.split(' ').next().unwrap_or_default();
    let unescaped = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
    let about = unescaped.iter().fold(about.to_owned(), |about, (from, to)| about.replace(from, to));
    (!name.is_empty()).then(|| (name.to_owned(), about))
}
