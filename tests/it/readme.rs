//! What README.md shows of the code and of the examples is what stands there.

use berth::domain::{command::COMMANDS, event};
use std::{fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands between two marks of README.md.
#[track_caller]
fn shows(mark: &str, wanted: &str) {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let begin = readme.split_once(&format!("<!-- {mark} -->\n")).unwrap().1;
    let shown = begin.split_once(&format!("<!-- /{mark} -->")).unwrap().0;
    assert_eq!(shown, wanted, "put what stands on the right between the two marks `{mark}` of README.md");
}

#[test]
fn it_shows_the_table_of_events_that_counts() {
    shows("events", &event::markdown());
}

#[test]
fn it_shows_the_commands_that_are_understood() {
    let commands = COMMANDS.iter().map(|(command, does)| format!("- `{command}` {does}\n"));
    shows("commands", &commands.collect::<String>());
}

/// The paragraph of an example's opening comment that says what the code under review can reach in it.
fn reach(text: &str) -> String {
    let comment =
        text.lines().take_while(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let from = comment.skip_while(|line| !line.starts_with("What the head's code can reach: "));
    let words: Vec<&str> = from.take_while(|line| !line.is_empty()).collect();
    words.join(" ").replacen("What the head's code can reach: ", "", 1)
}

#[test]
fn it_says_for_each_example_what_the_heads_code_can_reach() {
    let mut files: Vec<_> = fs::read_dir(root().join("workflows-examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    let rows = files.iter().map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let said = reach(&fs::read_to_string(path).unwrap());
        assert!(!said.is_empty(), "{name} does not say it");
        format!("| [`{name}`](workflows-examples/{name}) | {said} |\n")
    });
    let rows: String = rows.collect();
    shows("reach", &format!("| example | what the head's code can reach |\n|---|---|\n{rows}"));
}
