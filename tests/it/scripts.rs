//! The scripts that stand in workflows, run as they stand: what they send, and what they refuse. GitHub's own program is
//! played, and so is Docker; `jq` is the real one, so that what these scripts read of GitHub's answers is read.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    action::bed::{Bed, Event, sha},
    runner::{Ran, Runner},
};
use serde_json::{Map, Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

const SHA: &str = "9f2c1ab5f0c4d3e2b1a0f9e8d7c6b5a493827160";
const COMMIT: &str = "c07d9e2000000000000000000000000000000000";
const TARGETS: [&str; 4] = [
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-unknown-linux-musl",
];

fn workflow(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// One step of a workflow's job, as the step of an action. Its `env` is what the test gives.
struct Script {
    folder: TempDir,
    runner: Runner,
}

/// Stands in for `gh`: notes what it is asked and sent, and answers. Of an answer, `--jq` takes what real `gh` would.
const GH: &str = r#"#!/usr/bin/env bash
echo "gh $*" >>"$NOTED"
case " $* " in *" --input - "*) cat >>"$NOTED" && echo >>"$NOTED" ;; esac
query=.
for ((i = 1; i < $#; i++)); do if [ "${!i}" = --jq ]; then at=$((i + 1)) && query=${!at}; fi; done
while IFS=$'\t' read -r part exit answer; do
  case "$*" in *"$part"*) jq -r "$query" <<<"$answer" && exit "$exit" ;; esac
done <"$ANSWERS"
echo "gh $*: nobody said what it answers" >&2
exit 99
"#;

impl Script {
    fn new(file: &str, job: &str, step: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = workflow(file)["jobs"][job]["steps"][step]["run"].clone();
        assert!(run.is_string(), "{file}: step {step} of {job} has no script");
        let said =
            |name: &str| (name.to_owned(), json!({"value": format!("${{{{ steps.it.outputs.{name} }}}}")}));
        let outputs: Map<String, Value> =
            ["digest", "from", "name", "sha", "version"].map(said).into_iter().collect();
        let action = json!({
            "inputs": {}, "outputs": outputs,
            "runs": {"using": "composite", "steps": [{"id": "it", "shell": "bash", "run": run}]},
        });
        let place = |name: &str| folder.path().join(name);
        fs::write(place("action.yml"), action.to_string()).unwrap();
        fs::write(place("noted"), "").unwrap();
        fs::write(place("answers"), "").unwrap();
        fs::create_dir(place("programs")).unwrap();
        let path = format!("{}:{}", place("programs").display(), crate::child::path().display());
        let runner = Runner::new(&place("action.yml")).env("PATH", &path);
        let runner = runner.env("NOTED", place("noted").to_str().unwrap());
        let runner = runner.env("ANSWERS", place("answers").to_str().unwrap());
        Self { folder, runner }.having("gh", GH)
    }

    fn having(self, name: &str, script: &str) -> Self {
        let file = self.folder.path().join("programs").join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn env(mut self, pairs: &[(&str, &str)]) -> Self {
        self.runner = pairs.iter().fold(self.runner, |runner, (name, value)| runner.env(name, value));
        self
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.runner = self.runner.file(path, text);
        self
    }

    /// What `gh` answers where its arguments have this in them, and how it ends; the first that fits.
    fn answers(self, answers: &[(&str, i32, Value)]) -> Self {
        let lines = answers.iter().map(|(part, exit, answer)| format!("{part}\t{exit}\t{answer}\n"));
        fs::write(self.folder.path().join("answers"), lines.collect::<String>()).unwrap();
        self
    }

    /// How it ended, and what `gh` and Docker were asked, line by line.
    fn run(self) -> (Ran, Vec<String>) {
        let ran = self.runner.run();
        let noted = fs::read_to_string(self.folder.path().join("noted")).unwrap();
        (ran, noted.lines().map(str::to_owned).collect())
    }
}

// ---- the examples ----

/// What the app's workflow sends to the infra repository.
fn dispatched(repository: &str, command: &str) -> Value {
    let script = Script::new("workflows-examples/dispatch-app.yml", "dispatch", 0);
    let script = script.env(&[("COMMAND", command), ("NUMBER", "42"), ("INFRA", "acme/infra")]);
    let mut script = script.answers(&[("dispatches", 0, json!({}))]);
    script.runner = script.runner.github("repository", repository);
    let (ran, noted) = script.run();
    assert_eq!(
        (ran.exit, noted[0].as_str()),
        (0, "gh api repos/acme/infra/dispatches --input -"),
        "{}",
        ran.log
    );
    serde_json::from_str(&noted[1..].concat()).unwrap()
}

#[test]
fn what_an_app_dispatches_brings_its_environment_up_and_down_in_the_infra_repository() {
    let bed = Bed::new().with("GITHUB_REPOSITORY", "acme/infra");
    let steps = &workflow("workflows-examples/dispatch-infra.yml")["jobs"]["berth"]["steps"];
    let with = steps.as_array().unwrap().last().unwrap()["with"].clone();
    let platform = fs::read_to_string(bed.path("platform.yaml")).unwrap();
    bed.writes("infra/platform.yaml", &format!("{platform}github: {{repositories: [\"acme/*\"]}}\n"));
    for file in ["berth.yaml", "app.yaml"] {
        let file = bed.path("checkout").join(file);
        bed.writes(
            &format!("app/{}", file.file_name().unwrap().display()),
            &fs::read_to_string(&file).unwrap(),
        );
        fs::remove_file(file).unwrap();
    }
    bed.writes("app/.git/HEAD", &sha('a'));
    let expression = "${{ github.event.client_payload.berth.command != 'down' && 'app/berth.yaml' || '' }}";
    assert_eq!(with["config"], expression, "what is given below in its place");
    let asks = |command: &str, config: &str| {
        let sent = dispatched("acme/shop", command);
        let body = json!({
            "action": sent["event_type"], "client_payload": sent["client_payload"],
            "repository": {"id": 7, "full_name": "acme/infra"}, "sender": {"login": "ada"},
        });
        let job = bed.job(&Event::new("repository_dispatch", body)).input("config", config);
        let job = job.input("platform", with["platform"].as_str().unwrap());
        bed.ran(job)
    };
    let up = asks("up", "app/berth.yaml");
    assert_eq!((up.output("outcome"), bed.deployed()), ("ready", Some(sha('a'))), "{}", up.log);
    bed.closed();
    // Then there is no checkout of the app.
    fs::remove_dir_all(bed.path("checkout/app")).unwrap();
    let down = asks("down", "");
    assert_eq!((down.exit, down.output("outcome")), (0, "closing"), "{}", down.log);
}

#[test]
fn what_an_app_dispatches_is_data_under_one_key_whatever_is_in_it() {
    let hostile = r#"acme/"}, "x": {"$(id)": "`id`"#;
    let sent = dispatched(hostile, "up");
    let payload = json!({"berth": {"command": "up", "repository": hostile, "number": 42}});
    assert_eq!(sent, json!({"event_type": "berth", "client_payload": payload}));
}

#[test]
fn a_push_takes_the_approval_away_and_not_knowing_whether_there_is_one_is_red() {
    let run = |labels: Value, exit: i32| {
        let script = Script::new("workflows-examples/fork.yml", "revoke", 0).env(&[("NUMBER", "42")]);
        script.answers(&[("--method DELETE", 0, json!([])), ("issues/42/labels", exit, labels)]).run()
    };
    let named = |name: &str| json!({"name": name});
    let (ran, noted) = run(json!([named("bug"), named("berth-approved")]), 0);
    assert_eq!(ran.exit, 0, "{}", ran.log);
    assert_eq!(noted[1..], ["gh api --method DELETE repos/acme/shop/issues/42/labels/berth-approved"]);
    let (ran, noted) = run(json!([named("berth-approved-not")]), 0);
    assert_eq!((ran.exit, noted.len()), (0, 1), "{}", ran.log);
    let (ran, noted) = run(json!([]), 1);
    assert!(ran.exit != 0 && noted.len() == 1, "{}", ran.log);
}

#[test]
fn a_forks_image_is_that_of_the_approved_commit_or_there_is_none() {
    let noting = "#!/bin/sh\necho \"skopeo $*\" >>\"$NOTED\"; case $1 in login) cat >/dev/null ;; esac\n";
    let run = |runs: Value| {
        let script = Script::new("workflows-examples/fork.yml", "image", 0).having("skopeo", noting);
        let script = script.env(&[
            ("SHA", SHA),
            ("IMAGE", "harbor.example.com/shop:pr-42"),
            ("REGISTRY_USER", "berth"),
            ("REGISTRY_PASSWORD", "canary"),
        ]);
        script
            .answers(&[
                ("fork-build.yml/runs", 0, json!({"workflow_runs": runs})),
                ("run download", 0, json!(null)),
            ])
            .run()
    };
    let (ran, noted) = run(json!([{"id": 77}, {"id": 76}]));
    assert_eq!(ran.exit, 0, "{}", ran.log);
    assert!(noted[0].contains(&format!("event=pull_request&status=success&head_sha={SHA} ")), "{}", noted[0]);
    assert!(noted[1].starts_with("gh run download 77 --repo acme/shop --name image --dir "), "{}", noted[1]);
    assert_eq!(noted[2], "skopeo login --username berth --password-stdin harbor.example.com");
    assert!(noted[3].ends_with("/image/image.tar docker://harbor.example.com/shop:pr-42"), "{}", noted[3]);
    let (ran, noted) = run(json!([]));
    assert!(ran.exit == 1 && noted.len() == 1 && ran.commands[0].1.contains(SHA), "{}", ran.log);
}

#[test]
fn only_the_head_of_this_repository_is_fetched_for_a_comment() {
    let run = |repo: Value, exit: i32| {
        let script = Script::new("workflows-examples/comment.yml", "berth", 0).env(&[("NUMBER", "42")]);
        let script = script.answers(&[("repos/acme/shop/pulls/42", exit, json!({"head": {"repo": repo}}))]);
        let (ran, _) = script.run();
        (ran.exit == 0, ran.outputs["from"].clone())
    };
    assert_eq!(run(json!({"full_name": "acme/shop"}), 0), (true, "here".to_owned()));
    assert_eq!(run(json!({"full_name": "mallory/shop"}), 0), (true, String::new()));
    assert_eq!(run(Value::Null, 0), (true, String::new()), "the fork is gone");
    assert_eq!(run(json!({"full_name": "acme/shop"}), 1), (false, String::new()), "unknown is not here");
}

// ---- a release ----

const RELEASE: &str = ".github/workflows/release.yml";
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn what_is_built_for_a_release_is_what_the_action_asks_for() {
    let matrix = workflow(RELEASE)["jobs"]["build"]["strategy"]["matrix"]["include"].clone();
    let mut targets: Vec<&str> =
        matrix.as_array().unwrap().iter().map(|of| of["target"].as_str().unwrap()).collect();
    targets.sort_unstable();
    assert_eq!(targets, TARGETS);
    let get = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/get-berth")).unwrap();
    let mut asked: Vec<&str> = get
        .lines()
        .filter_map(|line| line.split_once(") target=")?.1.split_once(" ;;"))
        .map(|of| of.0)
        .collect();
    asked.retain(|target| !target.is_empty());
    asked.sort_unstable();
    assert_eq!(asked, TARGETS);
}

#[test]
fn a_release_is_of_the_written_version_of_a_green_commit_and_not_yet_there() {
    let run = |input: &str, written: &str, green: (i32, u8), releases: (i32, Value)| {
        let script = Script::new(RELEASE, "check", 1).env(&[("INPUT", input)]);
        let cargo = format!("[package]\nversion = \"{written}\"\n[dependencies]\nx = \"9.9.9\"\n");
        let runs: Vec<Value> = (0..green.1).map(|run| json!({"databaseId": run})).collect();
        let mut script = script.file("Cargo.toml", &cargo).answers(&[
            ("run list --workflow ci.yml", green.0, json!(runs)),
            ("release list", releases.0, releases.1),
        ]);
        script.runner = script.runner.github("ref_name", "v1.2.3");
        script.run().0
    };
    let none = || (0, json!([{"tagName": "v1.2"}, {"tagName": "v11.2.3"}]));
    for input in ["", "1.2.3"] {
        let ran = run(input, "1.2.3", (0, 1), none());
        assert_eq!((ran.exit, ran.outputs["version"].as_str()), (0, "1.2.3"), "{}", ran.log);
    }
    for (input, written, green, releases, why) in [
        ("1.2.3; id", "1.2.3", (0, 1), none(), "is no version"),
        ("v1.2.3", "1.2.3", (0, 1), none(), "is no version"),
        ("", "1.2.4", (0, 1), none(), "Cargo.toml says 1.2.4, not 1.2.3"),
        ("", "1.2.3", (0, 0), none(), "ci has no successful run"),
        ("", "1.2.3", (1, 1), none(), ""),
        ("", "1.2.3", (0, 1), (0, json!([{"tagName": "v1.2.3"}])), "v1.2.3 is published already"),
        ("", "1.2.3", (0, 1), (1, json!([])), ""),
    ] {
        let ran = run(input, written, green, releases);
        assert!(
            ran.exit != 0 && ran.outputs["version"].is_empty() && ran.log.contains(why),
            "{why}: {}",
            ran.log
        );
    }
}

/// The steps of `publish`, by their order.
fn publish(step: usize) -> Script {
    let script = Script::new(RELEASE, "publish", step);
    let mut script = script.env(&[("VERSION", VERSION), ("GH_REPO", "acme/berth"), ("COMMIT", COMMIT)]);
    script.runner = script.runner.github("sha", SHA);
    script
}

/// What stands in the release commit's file, of programs that are all this text.
pub(crate) fn released(program: &str) -> String {
    let script = TARGETS
        .iter()
        .fold(publish(1), |script, target| script.file(&format!("dist/berth-{VERSION}-{target}"), program));
    let tree = "7ree000000000000000000000000000000000000";
    let (ran, noted) = script
        .answers(&[
            ("git/commits/9f2c1ab", 0, json!({"tree": {"sha": "ba5e"}})),
            ("git/trees", 0, json!({"sha": tree})),
            ("git/commits", 0, json!({"sha": COMMIT})),
        ])
        .run();
    assert_eq!((ran.exit, ran.outputs["sha"].as_str()), (0, COMMIT), "{}", ran.log);
    let sent = noted.join("\n");
    let sent: Vec<Value> = serde_json::Deserializer::from_str(
        &sent.split("\n").filter(|line| !line.starts_with("gh ")).collect::<String>(),
    )
    .into_iter()
    .map(Result::unwrap)
    .collect();
    assert_eq!(sent[0]["base_tree"], "ba5e");
    assert_eq!(sent[1], json!({"message": format!("Release {VERSION}"), "tree": tree, "parents": [SHA]}));
    let [file] = &sent[0]["tree"].as_array().unwrap()[..] else { panic!("one file is added: {}", sent[0]) };
    assert_eq!((&file["path"], &file["mode"]), (&json!(".github/release.sha256"), &json!("100644")));
    file["content"].as_str().unwrap().to_owned()
}

#[test]
fn the_release_commit_adds_one_line_for_each_binary_and_lacking_one_is_an_error() {
    let lines = released("a program");
    let names: Vec<&str> = lines.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(names, TARGETS.map(|target| format!("berth-{VERSION}-{target}")));
    let (ran, noted) = publish(1).file(&format!("dist/berth-{VERSION}-{}", TARGETS[0]), "x").run();
    assert!(ran.exit != 0 && noted.is_empty(), "{}", ran.log);
}

#[test]
fn a_release_is_published_only_when_all_is_attached_and_its_tag_is_at_the_release_commit() {
    let tag = format!("v{VERSION}");
    let run = |refs: Value, releases: Value| {
        let asset = format!("dist/berth-{VERSION}-{}", TARGETS[0]);
        let script = publish(2).file(&asset, "x").file("release.sha256", "").answers(&[
            ("matching-refs", 0, refs),
            ("release list", 0, releases),
            (" ", 0, json!(null)),
        ]);
        let (ran, noted) = script.run();
        assert_eq!(ran.exit, 0, "{}", ran.log);
        let changes = noted
            .into_iter()
            .filter(|line| !line.contains("matching-refs") && !line.contains("release list"));
        changes.collect::<Vec<_>>()
    };
    let made = format!("gh api repos/acme/berth/git/refs -f ref=refs/tags/{tag} -f sha={COMMIT} --silent");
    let first =
        run(json!([{"ref": format!("refs/tags/{tag}0")}]), json!([{"tagName": tag, "isDraft": false}]));
    assert_eq!((first[0].as_str(), first.len()), (made.as_str(), 3), "{first:?}");
    assert!(first[1].starts_with(&format!("gh release create {tag} --draft --verify-tag ")), "{first:?}");
    assert!(first[1].ends_with(&format!("dist/berth-{VERSION}-{} release.sha256", TARGETS[0])), "{first:?}");
    assert_eq!(first[2], format!("gh release edit {tag} --draft=false"));

    // Again, after it had failed half way.
    let again = run(json!([{"ref": format!("refs/tags/{tag}")}]), json!([{"tagName": tag, "isDraft": true}]));
    assert!(
        again[0].starts_with(&format!("gh api --method PATCH repos/acme/berth/git/refs/tags/{tag} ")),
        "{again:?}"
    );
    assert_eq!(
        (again[1].as_str(), again.len()),
        (format!("gh release delete {tag} --yes").as_str(), 4),
        "{again:?}"
    );
}

#[test]
fn the_major_tag_moves_and_has_no_release() {
    let major = format!("v{}", VERSION.split('.').next().unwrap());
    let longer = json!([{"ref": format!("refs/tags/v{VERSION}")}]);
    for (refs, expected) in [
        (
            longer,
            format!("gh api repos/acme/berth/git/refs -f ref=refs/tags/{major} -f sha={COMMIT} --silent"),
        ),
        (
            json!([{"ref": format!("refs/tags/{major}")}]),
            format!(
                "gh api --method PATCH repos/acme/berth/git/refs/tags/{major} -f sha={COMMIT} -F force=true --silent"
            ),
        ),
    ] {
        let (ran, noted) = publish(3).answers(&[("matching-refs", 0, refs), (" ", 0, json!(null))]).run();
        assert_eq!((ran.exit, &noted[1..]), (0, &[expected][..]), "{}", ran.log);
    }
}

#[test]
fn the_image_has_the_static_binary_and_the_authorities_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dockerfile = fs::read_to_string(root.join("deploy/Dockerfile")).unwrap();
    let copied: Vec<&str> =
        dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")?.split(' ').next()).collect();
    assert_eq!(copied, ["ca-certificates.crt", "berth-${TARGETARCH}"]);
    assert!(
        dockerfile.contains("\nFROM scratch\n") && dockerfile.contains("\nUSER 65532:65532\n"),
        "{dockerfile}"
    );

    let docker = "#!/bin/sh\necho \"docker $*\" >>\"$NOTED\"\ncase \"$*\" in login*) cat >/dev/null ;; \
                  'buildx build'*) (cd context && ls) >>\"$NOTED\"; echo '{\"containerimage.digest\": \"sha256:1\"}' >built.json ;; esac\n";
    let script = Script::new(RELEASE, "image", 2).having("docker", docker);
    let script =
        script.env(&[("VERSION", VERSION), ("TOKEN", "canary")]).file("deploy/Dockerfile", &dockerfile);
    let mut script = ["x86_64", "aarch64"].iter().fold(script, |script, arch| {
        script.file(&format!("dist/berth-{VERSION}-{arch}-unknown-linux-musl"), "x")
    });
    script.runner = script.runner.github("repository", "Acme/Berth");
    let (ran, noted) = script.run();
    assert_eq!((ran.exit, ran.outputs["name"].as_str()), (0, "ghcr.io/acme/berth"), "{}", ran.log);
    assert_eq!(ran.outputs["digest"], "sha256:1");
    let at = noted.iter().position(|line| line.starts_with("docker buildx build ")).unwrap();
    assert!(noted[at].contains(&format!(
        " --platform linux/amd64,linux/arm64 --provenance=false --tag ghcr.io/acme/berth:{VERSION} "
    )));
    assert_eq!(noted[at + 1..], ["Dockerfile", "berth-amd64", "berth-arm64", "ca-certificates.crt"]);
}
