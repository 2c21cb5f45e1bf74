//! Other people's texts within our Markdown: in code spans, code blocks, links. Pure.
//!
//! Names of tests, messages of servers and logs are written by whoever opened the pull request. Must never: let one of
//! them end what it stands in; mention anybody; point anywhere but to a web page.

use crate::reporters::words::{cut, line, lines, tail};

/// Bytes of a text in a span, unless another number is asked for.
pub(super) const SPAN: usize = 200;

/// In a code span, wherever in a paragraph.
pub(super) fn code(text: &str) -> String {
    span(&line(text, SPAN))
}

/// In a code span within a cell of a table, where a pipe would begin the next cell.
pub(super) fn cell(text: &str, bytes: usize) -> String {
    // Behind a backslash no second one helps a pipe.
    span(&line(text, bytes).replace("\\|", "\\¦").replace('|', "\\|"))
}

/// Fenced by more backticks than stand in it.
fn span(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let is_edged = text.starts_with('`') || text.ends_with('`');
    match text {
        "" => "`-`".to_owned(),
        _ if is_edged => format!("{fence} {text} {fence}"),
        _ => format!("{fence}{text}{fence}"),
    }
}

/// A block of lines, of so many bytes at most. Its end is worth more than its begin: the last lines of a log say why.
pub(super) fn block(text: &str, bytes: usize) -> String {
    let text = lines(text).collect::<Vec<_>>().join("\n");
    let text = middle_out(text.trim_matches('\n'), bytes);
    let fence = "`".repeat(longest_run(&text).clamp(2, FENCE - 1) + 1);
    // A fence that is longer than all others would be one of a hostile text's choice: its runs are parted instead.
    let text = text.replace(&"`".repeat(FENCE), "'");
    format!("{fence}text\n{text}\n{fence}")
}

const FENCE: usize = 16;

fn middle_out(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let (head, end) = (cut(text, bytes / 4), tail(text, bytes - bytes / 4));
    let left_out = text.len() - head.len() - end.len();
    format!("{head}\n[… {left_out} bytes are left out here …]\n{end}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Within HTML, as code.
pub(super) fn html(text: &str) -> String {
    let text = line(text, SPAN).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<code>{text}</code>")
}

/// A link by a text of ours; what is no plain address of a page is shown, not linked. Nor is one with an `@`: what stands
/// before it only looks like the host.
pub(super) fn link(text: &str, url: &str) -> String {
    let page = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#!$&'*+,;=%".contains(c);
    match page {
        Some(page) if !page.is_empty() && page.chars().all(plain) => format!("[{text}]({url})"),
        _ => format!("{text} {}", code(url)),
    }
}

/// A link that is called like its host.
pub(super) fn host(url: &str) -> String {
    let name = url.split_once("://").map_or(url, |(_, rest)| rest);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    let name = name.trim_end_matches('/');
    if name.chars().all(is_name) { link(name, url) } else { link("the environment", url) }
}
