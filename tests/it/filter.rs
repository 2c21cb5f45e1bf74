//! Which pull requests get an environment: what an app file says, and what it leaves out.

use crate::settings::{Case, case};
use berth::settings::{App, Like, knows};
use insta::assert_snapshot;

fn app(text: &str) -> App {
    let case: Case = case().app(&format!("version: 1\n{text}"));
    case.load().unwrap().app
}

struct Pull {
    labels: Vec<&'static str>,
    base: &'static str,
    author: Option<&'static str>,
    is_draft: bool,
    paths: Option<Vec<&'static str>>,
}

const PLAIN: Pull = Pull {
    labels: Vec::new(),
    base: "main",
    author: Some("alice"),
    is_draft: false,
    paths: Some(Vec::new()),
};

fn why(app: &App, pull: &Pull) -> String {
    let labels: Vec<_> = pull.labels.iter().map(|label| label.parse().unwrap()).collect();
    let (base, author) = (pull.base.parse().unwrap(), pull.author.map(|login| login.parse().unwrap()));
    let paths = pull.paths.as_ref().map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
    let like = Like { labels: &labels, base: &base, author: author.as_ref(), is_draft: pull.is_draft, paths };
    like.unwanted(&app.filter, &app.skip).unwrap_or_else(|| "wanted".to_owned())
}

#[test]
fn without_a_word_about_it_all_get_one_but_drafts_and_dependabot() {
    let app = app("");
    assert_snapshot!([
        why(&app, &PLAIN),
        why(&app, &Pull { author: None, ..PLAIN }),
        why(&app, &Pull { is_draft: true, ..PLAIN }),
        why(&app, &Pull { author: Some("dependabot[bot]"), ..PLAIN }),
    ].join("\n"), @r#"
    wanted
    wanted
    it is a draft, and `skip.drafts` leaves those out
    dependabot[bot] opened it, and `skip.authors` leaves that out
    "#);
}

#[test]
fn a_label_opts_in_and_another_holds_back() {
    let app = app("filter: {labels: [preview]}\nskip: {labels: [on-hold], drafts: false}\n");
    assert_snapshot!([
        why(&app, &PLAIN),
        why(&app, &Pull { labels: vec!["Preview"], ..PLAIN }),
        why(&app, &Pull { labels: vec!["preview", "on-hold"], ..PLAIN }),
        why(&app, &Pull { labels: vec!["preview"], is_draft: true, ..PLAIN }),
    ].join("\n"), @r#"
    `filter.labels` asks for one of the labels preview
    wanted
    it has the label on-hold, and `skip.labels` leaves that out
    wanted
    "#);
    assert!(knows(&app.filter, &app.skip, &"PREVIEW".parse().unwrap()));
    assert!(knows(&app.filter, &app.skip, &"on-hold".parse().unwrap()));
    assert!(!knows(&app.filter, &app.skip, &"bug".parse().unwrap()));
}

#[test]
fn branches_authors_and_paths_are_asked_for_and_left_out() {
    let app = app("\
filter: {base: [main, release/*], paths: [\"src/**\", Dockerfile], authors: [alice, bob]}
skip: {paths: [\"docs/**\", \"**/*.md\"]}
");
    let changing = |paths: &[&'static str]| Pull { paths: Some(paths.to_vec()), ..PLAIN };
    assert_snapshot!([
        why(&app, &changing(&["src/deep/down.rs"])),
        why(&app, &changing(&["Makefile"])),
        why(&app, &changing(&["docs/a.txt", "src/README.md"])),
        why(&app, &changing(&["docs/a.txt", "src/main.rs"])),
        why(&app, &Pull { base: "release/1", ..changing(&["src/x"]) }),
        why(&app, &Pull { base: "release/1/x", ..changing(&["src/x"]) }),
        why(&app, &Pull { author: Some("ALICE"), ..changing(&["src/x"]) }),
        why(&app, &Pull { author: Some("eve"), ..changing(&["src/x"]) }),
        why(&app, &Pull { author: None, ..changing(&["src/x"]) }),
    ].join("\n"), @r#"
    wanted
    it changes nothing that `filter.paths` asks for
    all that it changes is left out by `skip.paths`
    wanted
    wanted
    it goes into release/1/x, and `filter.base` asks for another branch
    wanted
    `filter.authors` does not name who opened it
    `filter.authors` does not name who opened it
    "#);
}

/// More files than GitHub shows: nobody knows what is among the rest.
#[test]
fn what_changes_more_than_anybody_knows_is_not_left_out_by_paths() {
    let app = app("filter: {paths: [\"src/**\"]}\nskip: {paths: [\"docs/**\"]}\n");
    assert_eq!(why(&app, &Pull { paths: None, ..PLAIN }), "wanted");
    assert_eq!(why(&app, &PLAIN), "it changes nothing that `filter.paths` asks for");
}
