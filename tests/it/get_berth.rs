//! Where the action takes its program from, as a runner has it do so: named, released and verified, or built.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    runner::{Ran, Runner},
    scripts,
};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Says who it is and what it was given, and answers.
const PROGRAM: &str =
    "#!/bin/sh\necho \"I am $0 $*\"\nenv | grep ^BERTH\necho outcome=ready >>\"$GITHUB_OUTPUT\"\n";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every runner has.
const SMALL: &[&str] = &[
    "awk",
    "bash",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "env",
    "grep",
    "mkdir",
    "mktemp",
    "sed",
    "sh",
    "sha256sum",
];

fn program(path: &Path, text: &str) {
    assert!(!path.is_symlink(), "{} is the machine's own", path.display());
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The action as a runner has it: a copy of its files, with programs of ours before all others.
struct Checkout(TempDir);

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let of = |path: &str| folder.path().join(path);
        fs::create_dir(of(".github")).unwrap();
        fs::create_dir(of("programs")).unwrap();
        for file in ["action.yml", "Cargo.toml", ".github/get-berth"] {
            fs::copy(Path::new(ROOT).join(file), of(file)).unwrap();
        }
        for tool in SMALL {
            let real = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            let real =
                real.iter().find(|tool| tool.exists()).unwrap_or_else(|| panic!("there is no {tool} here"));
            symlink(real, of("programs").join(tool)).unwrap();
        }
        Self(folder)
    }

    fn without(self, name: &str) -> Self {
        fs::remove_file(self.path("programs").join(name)).unwrap();
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// As a release commit has it, for programs that are all this text.
    fn released(self, program: &str) -> Self {
        fs::write(self.path(".github/release.sha256"), scripts::released(program)).unwrap();
        self
    }

    fn having(self, name: &str, script: &str) -> Self {
        // A link is not written through: behind it is the machine's own program.
        let _ = fs::remove_file(self.path("programs").join(name));
        program(&self.path("programs").join(name), &format!("#!/bin/sh\n{script}\n"));
        self
    }

    /// On a runner with the usual small programs, and no Rust and no `gh` but ours.
    fn runner(&self) -> Runner {
        let runner = Runner::new(&self.path("action.yml"));
        let runner = runner.env("PATH", self.path("programs").to_str().unwrap());
        runner.env("RUNNER_OS", "Linux").env("RUNNER_ARCH", "X64")
    }
}

/// Releases at GitHub: files by their paths. It ends with the test process.
fn releases(files: &[(&str, &str)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let files: BTreeMap<String, String> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let told = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head: Vec<String> = BufReader::new(&stream)
                .lines()
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            let path = head[0].split(' ').nth(1).unwrap();
            let (status, body) = match files.get(path) {
                Some(text) => ("200 OK", text.as_str()),
                None => ("404 Not Found", "no such thing"),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .unwrap();
            told.lock().unwrap().push(head.join("\n"));
        }
    });
    (url, asked)
}

fn error(ran: &Ran) -> &str {
    assert_ne!(ran.exit, 0, "{}", ran.log);
    assert!(!ran.log.contains("I am"), "a program ran:\n{}", ran.log);
    let [(name, about)] = &ran.commands[..] else { panic!("{:?}", ran.commands) };
    assert_eq!(name, "error");
    about
}

#[test]
fn the_program_that_is_named_gets_the_inputs_as_variables_and_the_signals_and_its_outputs_come_out() {
    let checkout = Checkout::new();
    let named = checkout.path("named");
    program(&named, PROGRAM);
    let runner = checkout.runner().env("BERTH_BIN", named.to_str().unwrap());
    let inputs = [
        ("platform", "a $(id) `id` \"' ; file"),
        ("config", "b"),
        ("environment", "acme/shop#42"),
        ("junit", "c.xml"),
        ("name", "cypress"),
    ];
    let ran = inputs.into_iter().fold(runner, |runner, (name, value)| runner.input(name, value)).run();
    assert_eq!(ran.exit, 0, "{}", ran.log);
    let said: Vec<&str> = ran.log.lines().collect();
    assert_eq!(said[0], format!("I am {} action", named.display()));
    let given: BTreeMap<&str, &str> = said[1..].iter().filter_map(|line| line.split_once('=')).collect();
    for (name, value) in inputs {
        assert_eq!(given[format!("BERTH_{}", name.to_uppercase()).as_str()], value);
    }
    assert_eq!(given["BERTH_COMMAND"], "auto");
    // The job's own token, which the log does not show.
    assert_eq!(given["BERTH_GITHUB_TOKEN"], "***");
    assert_eq!((ran.outputs["outcome"].as_str(), ran.outputs["url"].as_str()), ("ready", ""));

    program(
        &named,
        "#!/bin/bash\ntrap 'echo heard; exit 130' INT\necho ready\nwhile :; do read -r -t 1 <> <(:) || :; done\n",
    );
    let cancelled = checkout.runner().env("BERTH_BIN", named.to_str().unwrap()).cancel_at("ready").run();
    assert_eq!((cancelled.exit, cancelled.log.as_str()), (130, "ready\nheard\n"));
}

#[test]
fn a_name_of_no_program_is_told_and_nothing_else_is_tried() {
    let checkout = Checkout::new().having("cargo", "echo I am cargo");
    let text = checkout.path("Cargo.toml");
    for (named, why) in [
        ("/nowhere/berth", "no program"),
        (text.to_str().unwrap(), "no program"),
        ("/usr", "no program"),
        ("berth", "absolute"),
    ] {
        let ran = checkout.runner().env("BERTH_BIN", named).file("berth", "").run();
        let error = error(&ran);
        assert!(error.contains(named) && error.contains(why), "{error}");
    }
}

#[test]
fn the_release_of_this_version_for_this_platform_is_fetched_and_run() {
    for (os, arch, target) in [
        ("Linux", "X64", "x86_64-unknown-linux-musl"),
        ("Linux", "ARM64", "aarch64-unknown-linux-musl"),
        ("macOS", "X64", "x86_64-apple-darwin"),
        ("macOS", "ARM64", "aarch64-apple-darwin"),
    ] {
        let path = format!("/acme/berth/releases/download/v{VERSION}/berth-{VERSION}-{target}");
        let (url, asked) = releases(&[(&path, PROGRAM)]);
        let checkout = Checkout::new().released(PROGRAM);
        let ran =
            checkout.runner().env("RUNNER_OS", os).env("RUNNER_ARCH", arch).github("server_url", &url).run();
        assert_eq!(ran.exit, 0, "{}", ran.log);
        let place = format!("I am {}/berth.", ran.temp.display());
        assert!(ran.log.starts_with(&place) && ran.outputs["outcome"] == "ready", "{}", ran.log);
        let asked = asked.lock().unwrap();
        assert!(asked.len() == 1 && !asked[0].contains("CANARY"), "{asked:?}");
    }
}

#[test]
fn a_binary_that_is_not_the_pinned_one_is_never_run_and_nothing_else_is_tried() {
    let target = "x86_64-unknown-linux-musl";
    let path = format!("/acme/berth/releases/download/v{VERSION}/berth-{VERSION}-{target}");
    let (url, _) = releases(&[(&path, "#!/bin/sh\necho I am another\n")]);
    let checkout = Checkout::new().released(PROGRAM).having("cargo", "echo I am cargo");
    let ran = checkout.runner().github("server_url", &url).run();
    assert!(error(&ran).contains("is not what this version of the action was released with"), "{}", ran.log);

    let (empty, _) = releases(&[]);
    let ran = checkout.runner().github("server_url", &empty).run();
    assert!(error(&ran).contains("cannot be fetched"), "{}", ran.log);
}

#[test]
fn where_there_is_no_sha256sum_there_is_shasum() {
    let target = "aarch64-apple-darwin";
    let path = format!("/acme/berth/releases/download/v{VERSION}/berth-{VERSION}-{target}");
    let (url, _) = releases(&[(&path, PROGRAM)]);
    let checkout = Checkout::new().released(PROGRAM).without("sha256sum");
    let real =
        ["/usr/bin/sha256sum", "/bin/sha256sum"].into_iter().find(|tool| Path::new(tool).exists()).unwrap();
    let checkout = checkout.having("shasum", &format!("[ \"$1 $2\" = '-a 256' ] && exec {real} \"$3\""));
    let runner = checkout.runner();
    let ran = runner.env("RUNNER_OS", "macOS").env("RUNNER_ARCH", "ARM64").github("server_url", &url).run();
    assert_eq!(ran.outputs["outcome"], "ready", "{}", ran.log);
}

#[test]
fn an_attestation_is_verified_where_gh_can_and_a_wrong_one_is_fatal() {
    let fetches = "while [ \"$1\" != --output ]; do shift; done; cp \"$SERVED\" \"$2\"";
    let gh = "[ \"$3\" = --help ] && exit 0; echo \"gh $1 $2 $4 $5 $6 $7\"; exit $VERDICT";
    // GitHub itself, whose place the fetching program takes: there are attestations on no other server.
    let checkout = Checkout::new().released(PROGRAM).having("curl", fetches);
    let served = checkout.path("served");
    fs::write(&served, PROGRAM).unwrap();
    let run = |checkout: &Checkout, verdict: &str| {
        checkout.runner().env("SERVED", served.to_str().unwrap()).env("VERDICT", verdict).run()
    };
    assert_eq!(run(&checkout, "0").outputs["outcome"], "ready", "no gh, no attestation");

    let checkout = checkout.having("gh", gh);
    let ran = run(&checkout, "0");
    let verified = "gh attestation verify --repo acme/berth --signer-workflow acme/berth/.github/workflows/release.yml\n";
    assert!(ran.log.starts_with(verified) && ran.outputs["outcome"] == "ready", "{}", ran.log);
    let ran = run(&checkout, "1");
    assert!(error(&ran).contains("no valid attestation"), "{}", ran.log);

    let older = checkout.having("gh", "exit 1");
    assert_eq!(run(&older, "1").outputs["outcome"], "ready", "an older gh knows no attestations");
}

#[test]
fn without_a_release_it_is_built_away_from_the_code_under_review_and_without_a_token() {
    let builds = format!(
        "[ -z \"$GH_TOKEN\" ] && [ \"$PWD\" = \"$GITHUB_ACTION_PATH\" ] || exit 7\n\
         [ \"$*\" = 'build --release --locked --target-dir target' ] || exit 8\n\
         mkdir -p target/release && printf '%s' '{PROGRAM}' >target/release/berth && chmod +x target/release/berth"
    );
    let other = Checkout::new().having("cargo", &builds);
    let others =
        format!("0  berth-{VERSION}-x86_64-apple-darwin\n0  berth-9.9.9-x86_64-unknown-linux-musl\n");
    fs::write(other.path(".github/release.sha256"), others).unwrap();
    for (checkout, repository, why) in [
        (Checkout::new().having("cargo", &builds), "acme/berth", "names no binary for Linux on X64"),
        (other, "acme/berth", "names no binary for Linux on X64"),
        (Checkout::new().released(PROGRAM).having("cargo", &builds), "", "used from a directory"),
    ] {
        let ran = checkout.runner().github("action_repository", repository).run();
        assert_eq!(ran.outputs["outcome"], "ready", "{}", ran.log);
        let place = checkout.path("target/release/berth").canonicalize().unwrap();
        assert!(ran.log.contains(&format!("I am {} action", place.display())), "{}", ran.log);
        let [(name, about)] = &ran.commands[..] else { panic!("{:?}", ran.commands) };
        assert!(name == "notice" && about.contains("built from source") && about.contains(why), "{about}");
    }
    let checkout = Checkout::new();
    let ran = checkout.runner().run();
    let error = error(&ran);
    assert!(error.contains("install Rust") && error.contains("BERTH_BIN"), "{error}");
    let ran = checkout.runner().env("RUNNER_ARCH", "RISCV64").run();
    assert!(self::error(&ran).contains("for Linux on RISCV64"), "{}", ran.log);
}
