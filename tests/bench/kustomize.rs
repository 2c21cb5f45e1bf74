//! Kustomizations, built by the real `kubectl`: that it takes our options, and what it refuses a hostile one.

use crate::harness::keeper;
use berth::{
    clients::child::Surroundings,
    clock::Clock,
    domain::template::Variables,
    errors,
    settings::{Form, Source},
    steps::sources::Renderer,
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink, path::Path};
use tempfile::TempDir;

/// A kustomization with these files beside it.
fn kustomization(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::create_dir_all(directory.path().join(name).parent().unwrap()).unwrap();
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

async fn built(directory: &Path) -> anyhow::Result<Vec<Value>> {
    let programs = Path::new(keeper::command("kubectl").get_program()).parent().unwrap().to_owned();
    let surroundings = Surroundings::of(|name| (name == "PATH").then(|| programs.clone().into()));
    let mut variables = Variables::default();
    variables.set("HOST", "pr-42-shop.example.com");
    let source = Source {
        place: "berth.yaml:1:1".to_owned(),
        form: Form::Kustomize(directory.to_owned()),
        checkout: Some(directory.to_owned()),
    };
    let renderer = Renderer { surroundings, clock: Clock::system() };
    Ok(renderer.render(&source, &variables).await?.objects)
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {host: '${HOST}'}\n";

#[tokio::test]
async fn a_kustomization_is_built_and_its_placeholders_filled() {
    let directory = kustomization(&[
        ("base/kustomization.yaml", "resources: [map.yaml]\n"),
        ("base/map.yaml", MAP),
        ("overlay/kustomization.yaml", "namePrefix: pr-\nresources: [../base]\n"),
    ]);
    let objects = built(&directory.path().join("overlay")).await.unwrap();
    assert_eq!(
        (&objects[0]["metadata"]["name"], &objects[0]["data"]),
        (&json!("pr-shop"), &json!({"host": "pr-42-shop.example.com"}),)
    );
}

#[tokio::test]
async fn a_hostile_kustomization_reads_no_file_outside_and_runs_nothing() {
    let secret = tempfile::tempdir().unwrap();
    let mark = secret.path().join("was-here");
    fs::write(secret.path().join("token"), "canary").unwrap();
    let generator = |file: &str| format!("configMapGenerator: [{{name: x, files: [{file}]}}]\n");
    let absolute = generator(secret.path().join("token").to_str().unwrap());
    let function = "apiVersion: x/v1\nkind: X\nmetadata:\n  name: x\n  annotations:\n    \
                    config.kubernetes.io/function: |\n      exec: {path: ./run.sh}\n";
    let script = format!("#!/bin/sh\ntouch {}\n", mark.display());
    for (kustomization_file, says) in [
        (absolute.as_str(), "is not in or below"),
        (&*generator("link"), "is not in or below"),
        ("generators: [function.yaml]\n", ""),
        ("helmCharts: [{name: a, repo: 'https://127.0.0.1:1'}]\n", "enable-helm"),
    ] {
        let directory = kustomization(&[
            ("kustomization.yaml", kustomization_file),
            ("function.yaml", function),
            ("run.sh", &script),
        ]);
        symlink(secret.path().join("token"), directory.path().join("link")).unwrap();
        assert!(
            std::process::Command::new("chmod")
                .arg("755")
                .arg(directory.path().join("run.sh"))
                .status()
                .unwrap()
                .success()
        );
        let error = built(directory.path()).await.expect_err(kustomization_file);
        let said = errors::render(&error);
        assert!(said.contains(says) && !said.contains("canary"), "{kustomization_file}: {said}");
        assert!(!mark.exists(), "{kustomization_file}");
    }
}
