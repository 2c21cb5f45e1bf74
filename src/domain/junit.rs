//! JUnit's XML, as the many tools write it that mean something like it, made into [`Results`]. Pure.
//!
//! There is no standard: suites stand alone, in a list or in each other, times are empty or have commas, an entity may come
//! from a document type. So everything that is not needed is passed over, and what is needed must be whole.
//! Must never: take a report that is empty or ends early for one without failures; believe a sum less than what stands
//! below it; expand what a document type defines; grow with what a hostile report holds.

use super::results::{FAILURES, Failure, Results};
use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesRef, BytesStart, Event},
};
use std::fmt;

/// Of a report; logs of tests are in it, too.
pub const BYTES: usize = 64 << 20;
/// Elements within each other.
pub const DEPTH: usize = 64;
/// Test cases.
pub const CASES: u32 = 200_000;
/// Bytes of a name or a message.
const TEXT: usize = 500;
/// Bytes of what a failure says, in which its first line and its place are looked for.
const TRACE: usize = 16 << 10;

/// Why a text is no report that could be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is larger than [`BYTES`], deeper than [`DEPTH`], or has more than [`CASES`] cases.
    TooMuch(&'static str),
    /// It is XML no further than here.
    NotXml {
        /// How many bytes could be read.
        at: u64,
        /// What is wrong there.
        why: String,
    },
    /// It is not JUnit's.
    NotJunit(String),
    /// It ends before its end.
    Cut,
    /// It tells of no test.
    Empty,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch(what) => write!(f, "the JUnit report has too many {what}"),
            Self::NotXml { at, why } => write!(f, "the JUnit report is no XML at byte {at}: {why}"),
            Self::NotJunit(found) => {
                write!(f, "the JUnit report begins with {found}, not with testsuites or testsuite")
            }
            Self::Cut => f.write_str("the JUnit report ends in the middle; whatever wrote it was stopped"),
            Self::Empty => f.write_str("the JUnit report tells of no test"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// What a report says; several reports, one after the other, are one. `name` is what the results are to be called.
pub fn read(report: &[u8], name: &str) -> Result<Results, Unreadable> {
    if report.len() > BYTES {
        return Err(Unreadable::TooMuch("bytes"));
    }
    // Logs may hold any bytes, and a name with one wrong character is better than no name.
    let text = String::from_utf8_lossy(report);
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text));
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.allow_dangling_amp = true;
    let mut walk = Walk { stack: vec![Node::Suite(Suite::default())], cases: 0, failures: Vec::new() };
    loop {
        let at = reader.buffer_position();
        let not_xml = |why: &dyn fmt::Display| Unreadable::NotXml { at, why: why.to_string() };
        match reader.read_event().map_err(|error| ended_early(&error).unwrap_or_else(|| not_xml(&error)))? {
            Event::Start(tag) => {
                let attributes = attributes(&tag).map_err(|why| not_xml(&why))?;
                walk.open(tag.local_name().as_ref(), &attributes)?;
            }
            Event::End(_) => walk.close(),
            Event::Text(text) => walk.text(&text)?,
            Event::CData(text) => walk.text(&text)?,
            Event::GeneralRef(entity) => walk.text(&meant(&entity))?,
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    walk.results(name)
}

/// A tag that is cut off is the end of a report, not a mistake in it.
fn ended_early(error: &quick_xml::Error) -> Option<Unreadable> {
    matches!(error, quick_xml::Error::Syntax(_)).then_some(Unreadable::Cut)
}

/// What an entity stands for; one of a document type is left as it is written.
fn meant(entity: &BytesRef<'_>) -> String {
    let written = format!("&{};", &**entity);
    unescape(&written).map(Into::into).unwrap_or(written)
}

/// The few attributes that are looked at.
#[derive(Clone, Default)]
struct Attributes {
    name: String,
    class: String,
    file: String,
    line: String,
    message: String,
    kind: String,
    /// How GoogleTest says that a test was left out.
    status: String,
    seconds: Option<f64>,
    /// Failures and errors, by a suite's own sum.
    declared: u32,
}

fn attributes(tag: &BytesStart<'_>) -> Result<Attributes, quick_xml::events::attributes::AttrError> {
    let mut all = Attributes::default();
    // Looking for an attribute that stands twice takes the square of their number.
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute?;
        let value = unescape(&attribute.value).unwrap_or(std::borrow::Cow::Borrowed(&attribute.value));
        let value = cut(&value, TRACE);
        match attribute.key.local_name().as_ref() {
            "name" => all.name = value.to_owned(),
            "classname" => all.class = value.to_owned(),
            "file" => all.file = value.to_owned(),
            "line" => all.line = value.to_owned(),
            "message" => all.message = value.to_owned(),
            "type" => all.kind = value.to_owned(),
            "status" => all.status = value.to_owned(),
            "time" => all.seconds = seconds(value),
            // What is no number declares nothing; the cases are counted in any case.
            "failures" | "errors" => {
                all.declared = all.declared.saturating_add(value.trim().parse().unwrap_or_default());
            }
            _ => {}
        }
    }
    Ok(all)
}

/// `1.25`, and `1,500.25` as some locales have it. A comma alone may be either; such a time is left out.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let grouped = text.contains('.').then(|| text.replace(',', ""));
    let seconds: f64 = grouped.as_deref().unwrap_or(text).parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

/// Where the reader is, and what it has seen on its way.
struct Walk {
    /// The first stands for the whole text, and is never closed.
    stack: Vec<Node>,
    cases: u32,
    failures: Vec<Failure>,
}

enum Node {
    Suite(Suite),
    Case(Case),
    /// A failure or an error, of the case or suite around it.
    Said {
        message: String,
        kind: String,
        text: String,
    },
    Other,
}

#[derive(Default)]
struct Suite {
    name: String,
    passed: u32,
    failed: u32,
    skipped: u32,
    declared: u32,
    seconds: Option<f64>,
    /// Of what is in it.
    inner: Option<f64>,
}

struct Case {
    attributes: Attributes,
    skipped: bool,
    /// What it says first, and where that was.
    failure: Option<(String, Option<String>)>,
}

impl Walk {
    fn open(&mut self, tag: &str, attributes: &Attributes) -> Result<(), Unreadable> {
        if self.stack.len() > DEPTH {
            return Err(Unreadable::TooMuch("elements within each other"));
        }
        let is_root = self.stack.len() == 1;
        let node = match (self.stack.last_mut(), tag) {
            (Some(Node::Suite(_)), "testsuites" | "testsuite") => Node::Suite(Suite {
                name: cut(&attributes.name, TEXT).to_owned(),
                declared: attributes.declared,
                seconds: attributes.seconds,
                ..Suite::default()
            }),
            (_, other) if is_root => {
                return Err(Unreadable::NotJunit(format!("<{}>", cut(other, 80))));
            }
            (Some(Node::Suite(_)), "testcase") => {
                self.cases += 1;
                if self.cases > CASES {
                    return Err(Unreadable::TooMuch("cases"));
                }
                let skipped = matches!(attributes.status.as_str(), "notrun" | "skipped" | "disabled");
                Node::Case(Case { attributes: attributes.clone(), skipped, failure: None })
            }
            (Some(Node::Suite(_) | Node::Case(_)), "failure" | "error") => Node::Said {
                message: attributes.message.clone(),
                kind: attributes.kind.clone(),
                text: String::new(),
            },
            (Some(Node::Case(case)), "skipped") => {
                case.skipped = true;
                Node::Other
            }
            _ => Node::Other,
        };
        self.stack.push(node);
        Ok(())
    }

    fn text(&mut self, more: &str) -> Result<(), Unreadable> {
        let is_outside = self.stack.len() == 1;
        match self.stack.last_mut() {
            Some(Node::Said { text, .. }) => text.push_str(cut(more, TRACE.saturating_sub(text.len()))),
            _ if is_outside && !more.trim().is_empty() => {
                return Err(Unreadable::NotJunit("text".to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self) {
        // What has no begin is an error of the reader; the first node is not popped all the same.
        let closed = if self.stack.len() > 1 { self.stack.pop() } else { None };
        match (closed, self.stack.last_mut()) {
            (Some(Node::Said { message, kind, text }), Some(Node::Case(case))) => {
                let said = (first_line([&message, &text, &kind]), place(&case.attributes, &text));
                case.failure.get_or_insert(said);
            }
            (Some(Node::Said { message, kind, text }), Some(Node::Suite(suite))) => {
                suite.failed += 1;
                let name = suite.name.clone();
                self.fail(Failure { name, message: first_line([&message, &text, &kind]), at: None });
            }
            (Some(Node::Case(case)), Some(Node::Suite(suite))) => {
                suite.inner = sum(suite.inner, case.attributes.seconds);
                match case.failure {
                    Some((message, at)) => {
                        suite.failed += 1;
                        let name = cut(&case.attributes.name, TEXT).to_owned();
                        self.fail(Failure { name, message, at });
                    }
                    None if case.skipped => suite.skipped += 1,
                    None => suite.passed += 1,
                }
            }
            (Some(Node::Suite(inner)), Some(Node::Suite(outer))) => {
                outer.passed += inner.passed;
                outer.skipped += inner.skipped;
                // A failure that is summed up and not told of is a failure.
                outer.failed = outer.failed.saturating_add(inner.failed.max(inner.declared));
                outer.inner = sum(outer.inner, inner.seconds.or(inner.inner));
            }
            _ => {}
        }
    }

    fn fail(&mut self, failure: Failure) {
        if self.failures.len() < FAILURES {
            self.failures.push(failure);
        }
    }

    fn results(self, name: &str) -> Result<Results, Unreadable> {
        let [Node::Suite(all)] = &self.stack[..] else { return Err(Unreadable::Cut) };
        if all.passed == 0 && all.failed == 0 && all.skipped == 0 {
            return Err(Unreadable::Empty);
        }
        Ok(Results {
            passed: all.passed,
            failed: all.failed,
            skipped: all.skipped,
            failures: self.failures,
            seconds: all.inner,
            name: name.to_owned(),
        })
    }
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.map_or(other, |one| Some(one + other.unwrap_or_default()))
}

/// The first line that says something, of the first text that does.
fn first_line(texts: [&str; 3]) -> String {
    let mut lines = texts.into_iter().flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
    lines.next().map_or(String::new(), |line| cut(line, TEXT).to_owned())
}

/// `file:line` as the case says it, or else as its trace does.
fn place(case: &Attributes, trace: &str) -> Option<String> {
    let file = Some(case.file.trim()).filter(|file| !file.is_empty());
    let place = match (file, case.line.trim()) {
        (Some(file), "") => trace_place(case, trace).unwrap_or_else(|| file.to_owned()),
        (Some(file), line) => format!("{file}:{line}"),
        (None, _) => trace_place(case, trace)?,
    };
    Some(cut(&place, TEXT).to_owned())
}

/// The first frame of a trace that is in the tests themselves: in a file that is called like one (`cart.cy.ts`), like
/// the case's class, or that Python ends a failure with (`tests/cart.py:5: AssertionError`).
fn trace_place(case: &Attributes, trace: &str) -> Option<String> {
    let class = case.class.rsplit('.').next().filter(|class| !class.is_empty());
    trace.lines().find_map(|line| {
        let line = line.trim();
        if let Some(frame) = line.strip_prefix("at ") {
            let frame = frame.rsplit_once('(').map_or(frame, |(_, inner)| inner.trim_end_matches(')'));
            let (file, number) = file_and_line(frame)?;
            let file = file.rsplit('/').next()?;
            let stem = file.split('.').next();
            let is_test =
                [".cy.", ".spec.", ".test."].iter().any(|kind| file.contains(kind)) || stem == class;
            return is_test.then(|| format!("{file}:{number}"));
        }
        let (place, _) = line.split_once(": ").unwrap_or((line, ""));
        let (file, number) = file_and_line(place)?;
        (file.ends_with(".py") && !file.contains(' ')).then(|| format!("{file}:{number}"))
    })
}

/// Of `file:line` or `file:line:column`.
fn file_and_line(text: &str) -> Option<(&str, u32)> {
    let (rest, last) = text.rsplit_once(':')?;
    let last = last.parse().ok()?;
    match rest.rsplit_once(':').map(|(file, line)| (file, line.parse())) {
        Some((file, Ok(line))) => Some((file, line)),
        _ => Some((rest, last)),
    }
}

/// The begin of a text, of so many bytes at most.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
