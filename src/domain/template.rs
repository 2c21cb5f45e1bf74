//! `${NAME}` in what users write: substituted in parsed values, so that no value can add a key or a document.
//!
//! Strict: an unknown name is a mistake, never an empty text. `$${NAME}` stands for the text `${NAME}`; a `$` before
//! anything but a brace, and `{{ }}`, are nobody's business here. Must never: touch a key; quote a value in a mistake.

use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};

/// What names stand for. What a user gave keeps its type where a placeholder is the whole of a value: a number there is
/// a number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables(BTreeMap<String, Value>);

/// What is wrong with a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// As it is written, without its value.
    pub placeholder: String,
    /// Where: `.spec.replicas`.
    pub at: String,
    /// Why it stands for nothing.
    pub why: Why,
}

/// See [`Mistake`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No variable is called so.
    Unknown,
    /// What stands between the braces is no name: capitals, digits and `_`, with a capital first.
    NoName,
    /// It has no end.
    Open,
    /// A key would be made of a value.
    InKey,
    /// It is a part of a text, and its value is no text, number or truth value.
    NoText,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { placeholder, at, why } = self;
        match why {
            Why::Unknown => write!(f, "{at}: {placeholder} is unknown"),
            Why::NoName => {
                write!(f, "{at}: {placeholder} names no variable; `$${{` stands for the text itself")
            }
            Why::Open => {
                write!(f, "{at}: {placeholder} has no closing brace; `$${{` stands for the text itself")
            }
            Why::InKey => write!(f, "{at}: {placeholder} stands in a key, and keys are not substituted"),
            Why::NoText => write!(f, "{at}: {placeholder} is a list or a map, so it must be the whole value"),
        }
    }
}

/// Whether variables may be called so.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_')
}

impl Variables {
    /// In place of what had this name.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        debug_assert!(is_name(name), "{name} is checked where it comes in");
        self.0.insert(name.to_owned(), value.into());
    }

    /// What the name stands for.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value with all placeholders in its texts substituted; else all mistakes in it.
    pub fn fill(&self, value: &Value) -> Result<Value, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let filled = self.filled(value, "", &mut mistakes);
        if mistakes.is_empty() { Ok(filled) } else { Err(mistakes) }
    }

    fn filled(&self, value: &Value, at: &str, mistakes: &mut Vec<Mistake>) -> Value {
        match value {
            Value::String(text) => self.text(text, at, mistakes),
            Value::Array(list) => {
                let items = list.iter().enumerate();
                items.map(|(n, item)| self.filled(item, &format!("{at}[{n}]"), mistakes)).collect()
            }
            Value::Object(map) => Value::Object(self.map(map, at, mistakes)),
            plain => plain.clone(),
        }
    }

    fn map(&self, map: &Map<String, Value>, at: &str, mistakes: &mut Vec<Mistake>) -> Map<String, Value> {
        let fields = map.iter().map(|(key, value)| {
            let mut literal = String::new();
            for piece in pieces(key) {
                match piece {
                    Piece::Text(text) => literal.push_str(text),
                    Piece::Placeholder(written, _) => {
                        let at = if at.is_empty() { "." } else { at };
                        mistakes.push(mistake(written, at, Why::InKey));
                    }
                }
            }
            let filled = self.filled(value, &format!("{at}.{literal}"), mistakes);
            (literal, filled)
        });
        fields.collect()
    }

    fn text(&self, text: &str, at: &str, mistakes: &mut Vec<Mistake>) -> Value {
        let pieces = pieces(text);
        if let [Piece::Placeholder(written, inner)] = pieces[..] {
            return self.value(written, inner, at, mistakes).cloned().unwrap_or_default();
        }
        let mut filled = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Placeholder(written, inner) => match self.value(written, inner, at, mistakes) {
                    Some(Value::String(text)) => filled.push_str(text),
                    Some(plain @ (Value::Number(_) | Value::Bool(_))) => filled.push_str(&plain.to_string()),
                    Some(_) => mistakes.push(mistake(written, at, Why::NoText)),
                    None => {}
                },
            }
        }
        filled.into()
    }

    fn value(
        &self,
        written: &str,
        inner: Option<&str>,
        at: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<&Value> {
        let why = match inner {
            None => Why::Open,
            Some(name) if !is_name(name) => Why::NoName,
            Some(name) => match self.get(name) {
                Some(value) => return Some(value),
                None => Why::Unknown,
            },
        };
        mistakes.push(mistake(written, at, why));
        None
    }
}

fn mistake(written: &str, at: &str, why: Why) -> Mistake {
    Mistake { placeholder: written.to_owned(), at: at.to_owned(), why }
}

#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    /// As it is written, and what stands in it; `None`: it has no end.
    Placeholder(&'a str, Option<&'a str>),
}

/// A text, cut at its placeholders.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find("${") {
        let (before, placeholder) = rest.split_at(at);
        pieces.push(Piece::Text(before));
        rest = if before.ends_with('$') {
            // `$${`: the dollar before is the text's, this one is dropped, and the brace is text again.
            &placeholder[1..]
        } else {
            let end = placeholder.find('}').map(|end| end + 1);
            let (written, after) = placeholder.split_at(end.unwrap_or(placeholder.len()));
            pieces.push(Piece::Placeholder(written, end.map(|end| &written[2..end - 1])));
            after
        };
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| !matches!(piece, Piece::Text("")));
    pieces
}
