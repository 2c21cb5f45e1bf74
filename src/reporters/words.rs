//! How times, commits and other people's texts are said, the same in every report. Pure.
//!
//! Must never: let a text from outside bring along a line's end, or a character that is obeyed instead of shown.

pub(super) use crate::domain::time::{moment, span};

use crate::domain::plan::StepName;

/// `1 test`, `2 tests`.
pub(super) fn count(number: u32, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A text in one line of so many bytes at most; what was left out is told.
pub(super) fn line(text: &str, bytes: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().map(visible));
        if line.len() > bytes {
            line.truncate(line.floor_char_boundary(bytes.saturating_sub('…'.len_utf8())));
            line.push('…');
            break;
        }
    }
    line
}

/// The lines of a text, with nothing in them that a terminal or a reader's eye would obey.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    let shown = |c: char| if c == '\t' || !c.is_control() { visible(c) } else { '\u{fffd}' };
    text.lines().map(move |line| line.trim_end().chars().map(shown).collect())
}

/// What turns the direction of writing, or cannot be seen, is shown as what is not known.
fn visible(c: char) -> char {
    let hidden =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if hidden { '\u{fffd}' } else { c }
}

/// The begin of a text, of so many bytes at most.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The end of a text, of so many bytes at most.
pub(super) fn tail(text: &str, bytes: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..]
}

/// As a sentence begins.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The first line of an error.
pub(super) fn first(why: &str) -> &str {
    why.trim().lines().next().unwrap_or_default()
}

/// `gave up after 15 m`, where that is what the error says first.
pub(super) fn gave_up(step: StepName, why: &str) -> String {
    let after = first(why).strip_prefix(&format!("{step} gave up after "));
    let time = after.and_then(|rest| rest.split(',').next()).filter(|time| {
        time.len() < 20 && time.chars().all(|c| c.is_ascii_digit() || c == ' ' || "dhms".contains(c))
    });
    time.map_or_else(|| "failed".to_owned(), |time| format!("gave up after {time}"))
}

/// `1st`, `22nd`, `113th`.
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
