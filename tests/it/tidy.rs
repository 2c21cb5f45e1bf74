//! The tree is the architecture: what may import what, and the few habits that keep it small enough to be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Leaves may be imported by every layer but `domain`; lower layers first.
const LEAVES: &[&str] = &["clock", "errors", "mask", "progress"];
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("rehearsal", &[]),
    ("settings", &["domain"]),
    ("cli", &["domain", "settings"]),
    ("documents", &["domain"]),
    ("clients", &["domain", "documents"]),
    ("stores", &["domain", "documents", "clients"]),
    ("providers", &["domain", "documents", "clients", "settings"]),
    ("reporters", &["domain", "clients", "settings"]),
    ("steps", &["domain", "documents", "clients", "settings", "providers"]),
    ("engine", &["domain", "documents", "clients", "settings", "providers", "steps", "reporters"]),
    // The words of the command line are a front's own.
    ("fronts", &["domain", "clients", "settings", "engine", "cli"]),
];
/// Only what assembles may import everything; it is imported by nobody.
const ASSEMBLES: &[&str] = &["main", "lib", "assemble", "telemetry"];
/// A seam is near where a file grows beyond this.
const LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    assert!(found.len() > 20, "the walk has lost its way: {found:?}");
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(root()).unwrap().to_owned(), text)
        })
        .collect()
}

fn layer(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules of ours that a text names: `crate::a::…` and `crate::{a::…, b}`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if depth == 0 && begins && !c.is_whitespace() => {
                    found.insert(word(&group[i..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn every_import_follows_the_table() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = layer(&path);
        if ASSEMBLES.contains(&layer.as_str()) {
            continue;
        }
        let leaf = LEAVES.contains(&layer.as_str());
        let may: &[&str] = match table.get(layer.as_str()) {
            Some(may) => may,
            None if leaf => &[],
            None => panic!("src/{} is in no layer of the table", path.display()),
        };
        let leaves: &[&str] =
            if leaf || matches!(layer.as_str(), "domain" | "rehearsal") { &[] } else { LEAVES };
        for import in imports(&text) {
            if import != layer && !may.contains(&import.as_str()) && !leaves.contains(&import.as_str()) {
                wrong.push(format!(
                    "src/{} imports {import}, but the rule is: {layer} -> {may:?} and the leaves {leaves:?}",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_cycle() {
    let mut below = BTreeSet::new();
    for (layer, may) in MAY_IMPORT {
        assert!(
            may.iter().all(|m| below.contains(m)),
            "{layer} -> {may:?}: a layer stands above what it imports"
        );
        below.insert(layer);
    }
}

#[test]
fn the_reader_of_imports_sees_them_all() {
    let text = "use crate::{a::{b, c}, d,\n    e::f};\nfn g() { crate::h::i() }";
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), ["a", "d", "e", "h"]);
}

#[test]
fn the_domain_knows_no_servers_no_time_and_no_tasks() {
    for (path, text) in sources().into_iter().filter(|(path, _)| layer(path) == "domain") {
        for word in
            ["async ", ".await", "tokio", "reqwest", "kube::", "vaultrs", "std::env", "std::fs", "::now()"]
        {
            assert!(!text.contains(word), "src/{} says {word:?}", path.display());
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "src/{} opens without a word on what it is for", path.display());
    }
}

#[test]
fn no_file_does_two_things() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES, "src/{} has {lines} lines, over {LINES}: look for the seam", path.display());
        let name = path.file_stem().unwrap().to_string_lossy();
        assert!(!["utils", "util", "helpers", "common", "misc"].contains(&&*name), "src/{}", path.display());
    }
}

#[test]
fn no_file_is_an_orphan() {
    let sources = sources();
    let declared: BTreeSet<PathBuf> = sources
        .iter()
        .flat_map(|(path, text)| {
            let stem = path.file_stem().unwrap();
            let home = if matches!(&*stem.to_string_lossy(), "mod" | "lib" | "main") {
                path.parent().unwrap().to_owned()
            } else {
                path.with_extension("")
            };
            let modules = text.lines().filter_map(|line| {
                let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
                line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
            });
            let both = |m: String| [home.join(format!("{m}.rs")), home.join(m).join("mod.rs")];
            modules.flat_map(both).collect::<Vec<_>>()
        })
        .collect();
    for (path, _) in &sources {
        let root =
            path.parent() == Some(Path::new("")) && ["lib.rs", "main.rs"].iter().any(|r| path.ends_with(r));
        assert!(root || declared.contains(path), "src/{} is declared by no `mod` line", path.display());
    }
}

#[test]
fn only_a_taking_makes_a_fence() {
    let mut made = Vec::new();
    for (path, text) in sources() {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code.filter(|line| line.contains("Fence {") && !line.contains("struct Fence")) {
            if !line.contains("impl Fence") {
                made.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
        if let Some(at) = text.find("pub struct Fence") {
            let before = &text[..at];
            let derives = before.lines().rev().find(|line| line.contains("derive")).unwrap();
            assert_eq!(
                derives, "#[derive(Debug)]",
                "a fence is not cloned, not defaulted, not read from anywhere"
            );
            let methods = &text[text.find("impl Fence").unwrap()..text.find("pub enum Check").unwrap()];
            assert!(!methods.contains("Self {") && !methods.contains("Self"), "its methods make none");
            let body = &text[at..at + text[at..].find('}').unwrap()];
            assert!(!body.contains("pub claim") && !body.contains("pub version"), "its fields are private");
        }
    }
    // `take` makes it; `advance` changes the one that it was given.
    let shown = "documents/claims.rs: impl std::fmt::Debug for Fence {";
    assert_eq!(made, [shown, "documents/claims.rs: Ok(Fence { claim, version, claims: self.clone() })"]);
}

#[test]
fn one_tls_stack_and_one_of_each_http_library() {
    let lock = fs::read_to_string(root().join("../Cargo.lock")).unwrap();
    let count = |name: &str| lock.matches(&format!("\nname = \"{name}\"\n")).count();
    for once in ["rustls", "ring", "reqwest", "hyper", "http"] {
        assert_eq!(count(once), 1, "{once} is in Cargo.lock other than once");
    }
    for never in ["openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "rsa", "serde_yml"] {
        assert_eq!(count(never), 0, "{never} is in Cargo.lock");
    }
}
