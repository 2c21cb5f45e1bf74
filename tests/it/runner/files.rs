//! The files by which a step tells its runner something.

use std::collections::BTreeMap;

/// Of one step's summary; beyond it nothing is shown.
const SUMMARY: usize = 1024 * 1024;

/// `name=value`, or `name<<END`, the value's lines, `END`. What is neither fails the step.
pub(super) fn outputs(text: &str) -> Result<BTreeMap<String, String>, String> {
    let (mut found, mut lines) = (BTreeMap::new(), text.lines());
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, begins) = (line.find('='), line.find("<<"));
        let (name, value) = match (equals, begins) {
            (Some(at), begins) if begins.is_none_or(|begins| at < begins) => {
                (&line[..at], line[at + 1..].to_owned())
            }
            (_, Some(at)) => {
                let (name, end) = (&line[..at], &line[at + 2..]);
                let mut value = Vec::new();
                loop {
                    match lines.next() {
                        Some(line) if line == end => break,
                        Some(line) => value.push(line),
                        None => return Err(format!("Invalid value. Matching delimiter not found '{end}'")),
                    }
                }
                (name, value.join("\n"))
            }
            _ => return Err(format!("Invalid format '{line}'")),
        };
        if name.is_empty() {
            return Err(format!("Invalid format '{line}'. Name must not be empty"));
        }
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

/// What is shown of it.
pub(super) fn summary(text: String) -> Result<String, String> {
    match text.len() {
        0..=SUMMARY => Ok(text),
        size => Err(format!("the summary has {size} bytes, over {SUMMARY}: nothing of it is shown")),
    }
}
