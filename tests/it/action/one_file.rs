//! A small team's one file: what is the platform's in it comes from the branch that the pull request goes into.

use super::bed::{Bed, sha};
use berth::rehearsal::{Server, example::REPOSITORY, gate::Verdict};
use serde_json::json;
use std::collections::BTreeMap;

const BOTH: &str = "\
version: 1
store: {vault: {address: \"VAULT\"}}
pools: {lab: {range: 192.168.1.140-192.168.1.149, block: 2}}
providers:
  k3s:
    kind: capi-k3s
    kubernetes: {context: world}
    copy-secrets: [dev/proxmox-credentials]
    operators: [{manifests: operators/marker.yaml}]
deploy: {manifests: app.yaml}
";

const MARKER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: marker}\ndata: {of: base}\n";

/// On its base branch the repository has the team's file, and what that names.
fn team(head: &str) -> Bed {
    team_with(BOTH, head)
}

/// The same with this file.
fn team_with(both: &str, head: &str) -> Bed {
    let bed = Bed::of(head).without("BERTH_PLATFORM");
    let base = bed.platform(both);
    let mut world = bed.world();
    let repository = world.github.change(REPOSITORY).unwrap();
    let commit = repository.branches["main"].clone();
    let files =
        [("berth.yaml", base.as_str()), ("operators/marker.yaml", MARKER), ("app.yaml", "none: of mine\n")];
    let files: BTreeMap<_, _> =
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    repository.files.insert(commit, files);
    drop(world);
    bed
}

#[test]
fn the_platforms_keys_and_files_come_from_the_base_branch() {
    let evil = "\
version: 1
store: {vault: {address: \"https://evil.example.com\"}}
providers: {k3s: {kind: capi-k3s, operators: [{manifests: operators/marker.yaml}]}}
deploy: {manifests: app.yaml}
";
    let bed = team(evil);
    bed.writes("operators/marker.yaml", &MARKER.replace("base", "the head"));
    let acted = bed.acts(&bed.opened());
    assert_eq!((acted.exit, bed.deployed()), (0, Some(sha('a'))), "{}", acted.log);
    let world = bed.world();
    let marker = world.environment.get("configmaps", "default", "marker").unwrap();
    assert_eq!(marker["data"]["of"], "base");
}

#[test]
fn a_directory_that_goes_while_it_is_read_is_not_an_empty_one() {
    let bed = team_with(
        &BOTH.replace("operators/marker.yaml", "operators"),
        "version: 1\ndeploy: {manifests: app.yaml}\n",
    );
    bed.served.gate.rule(|request| {
        let reads = request.server == Server::GitHub
            && request.path.ends_with(&["contents".into(), "operators".into()]);
        if reads {
            Verdict::json(
                404,
                &json!({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}),
            )
        } else {
            Verdict::Pass
        }
    });
    let acted = bed.acts(&bed.opened());
    assert_eq!((acted.exit, bed.deployed()), (4, None), "{}", acted.log);
    assert!(acted.log.contains("operators has gone while it was read"), "{}", acted.log);
}

#[test]
fn a_base_branch_that_cannot_be_read_is_not_one_without_a_platform() {
    let bed = team("version: 1\ndeploy: {manifests: app.yaml}\n");
    bed.served.gate.rule(|request| {
        let reads = request.server == Server::GitHub && request.path.iter().any(|part| part == "contents");
        if reads { Verdict::json(503, &json!({"message": "unavailable"})) } else { Verdict::Pass }
    });
    let acted = bed.acts(&bed.opened());
    assert_eq!((acted.exit, bed.deployed()), (4, None), "{}", acted.log);
    assert!(acted.log.contains("main"), "{}", acted.log);
}
