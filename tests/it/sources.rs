//! Sources: what settings name becomes objects; what a hostile one tries does not.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    child::path,
    settings::{Case, case},
};
use berth::{
    clients::child::Surroundings,
    clock::Clock,
    domain::template::Variables,
    errors,
    settings::Source,
    steps::sources::{Rendered, Renderer},
};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

/// Programs of our own, before those of the machine. (Each is written by a process that is gone when it is run: a file
/// that is open for writing, be it in a process that was forked just then, cannot be run.)
struct Programs(tempfile::TempDir);

impl Programs {
    fn none() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn with(self, name: &str, script: &str) -> Self {
        let source = self.0.path().join(format!("{name}.source"));
        fs::write(&source, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut install = Command::new("install");
        let done =
            install.args(["-m", "755"]).arg(&source).arg(self.0.path().join(name)).stdin(Stdio::null());
        assert!(done.status().unwrap().success());
        fs::remove_file(source).unwrap();
        self
    }
    /// With nothing of the machine's.
    fn alone(&self) -> OsString {
        self.0.path().into()
    }
    fn first(&self) -> OsString {
        [self.0.path().as_os_str(), &path()].join(":".as_ref())
    }
}

fn renderer(path: OsString, clock: Clock) -> Renderer {
    let surroundings = Surroundings::of(|name| match name {
        "PATH" => Some(path.clone()),
        name => Some(format!("canary-{name}").into()),
    });
    Renderer { surroundings, clock }
}

fn variables() -> Variables {
    let mut all = Variables::default();
    for (name, value) in [("HOST", "pr-42-shop.example.com"), ("HEAD_SHA", "9f2c1ab"), ("PR_NUMBER", "42")] {
        all.set(name, value);
    }
    all
}

fn source(case: &Case) -> Source {
    case.settings().app.deploy.unwrap().source
}

/// An app file that deploys this, beside these files.
fn app(deploy: &str) -> Case {
    let platform = "dns: {domain: preview.example.com}\nproviders: {k3s: {kind: capi-k3s}}\n";
    // Not in its checkout.
    case().file("checkout/.keep", "").platform(platform).app(&format!("deploy: {deploy}"))
}

async fn rendered(case: &Case, programs: &Programs) -> anyhow::Result<Rendered> {
    renderer(programs.first(), Clock::system()).render(&source(case), &variables()).await
}

async fn refused(case: &Case, programs: &Programs) -> String {
    let error = rendered(case, programs).await.unwrap_err();
    assert_eq!(errors::exit(&error).code(), 1, "{error:#}");
    errors::render(&error)
}

const MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {host: '${HOST}', port: '$${PORT}'}\n";

fn map() -> Value {
    let data = json!({"host": "pr-42-shop.example.com", "port": "${PORT}"});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}, "data": data})
}

// ---- manifests ----

#[tokio::test]
async fn manifests_are_read_in_order_and_filled() {
    let other = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let case = app("{manifests: deploy}").file("deploy/b.yaml", MAP).file("deploy/a.yml", other);
    let Rendered { objects, application } = rendered(&case, &Programs::none()).await.unwrap();
    assert_eq!((objects.len(), &objects[1], application), (2, &map(), None));
    assert_eq!(objects[0]["kind"], "Namespace");
}

#[tokio::test]
async fn a_mistake_names_the_source_and_the_line_of_its_file() {
    let case = app("{manifests: deploy.yaml}").file("deploy.yaml", "kind: A\nspec:\n  x: ${NOBODY}\n");
    let said = refused(&case, &Programs::none()).await;
    assert!(said.starts_with("error: berth.yaml:1:21: "), "{said}");
    assert!(
        said.contains("deploy.yaml:3: .spec.x: ${NOBODY} is unknown; known are HEAD_SHA, HOST"),
        "{said}"
    );
    let lacking = refused(&app("{manifests: nowhere.yaml}"), &Programs::none()).await;
    assert!(lacking.contains("berth.yaml:1:21: ") && lacking.contains("nowhere.yaml"), "{lacking}");
    let plain = refused(&app("{manifests: a.yaml}").file("a.yaml", "just text\n"), &Programs::none()).await;
    assert!(plain.contains("one of its documents is a plain value"), "{plain}");
}

#[tokio::test]
async fn no_link_leads_out_of_a_checkout() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.yaml"), "token: canary\n").unwrap();
    for (deploy, link, to) in [
        ("{manifests: link.yaml}", "link.yaml", "secret.yaml"),
        ("{manifests: deep/secret.yaml}", "deep", ""),
        ("{kustomize: deep}", "deep", ""),
        ("{argo-cd: link.yaml}", "link.yaml", "secret.yaml"),
        ("{chart: charts/a, values-files: [v.yaml]}", "v.yaml", "secret.yaml"),
        ("{chart: charts/link}", "charts/link", ""),
    ] {
        let case = app(deploy).file("charts/a/Chart.yaml", "");
        symlink(outside.path().join(to), case.path().join(link)).unwrap();
        let said =
            refused(&case, &Programs::none().with("helm", "echo run").with("kustomize", "echo run")).await;
        assert!(said.contains("berth.yaml:1:") && said.contains(" leads out of "), "{deploy}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
    // What the platform says may lie anywhere.
    let case = case().both("deploy: {manifests: link.yaml}");
    fs::write(outside.path().join("map.yaml"), MAP).unwrap();
    symlink(outside.path().join("map.yaml"), case.path().join("link.yaml")).unwrap();
    assert_eq!(rendered(&case, &Programs::none()).await.unwrap().objects, [map()]);
}

#[tokio::test]
async fn what_never_ends_is_not_read() {
    for endless in ["/dev/zero", "/dev/stdin"] {
        let case = case().both("deploy: {manifests: link.yaml}");
        symlink(endless, case.path().join("link.yaml")).unwrap();
        let said = refused(&case, &Programs::none()).await;
        assert!(said.contains("it is no file"), "{said}");
    }
    let case = app("{manifests: pipe.yaml}");
    assert!(Command::new("mkfifo").arg(case.path().join("pipe.yaml")).status().unwrap().success());
    assert!(refused(&case, &Programs::none()).await.contains("it is no file"));
}

#[tokio::test]
async fn more_objects_than_an_app_has_are_refused() {
    let items = vec!["- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"; 5_001].concat();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{items}");
    let said = refused(&app("{manifests: a.yaml}").file("a.yaml", &list), &Programs::none()).await;
    assert!(said.contains("it has 5001 objects"), "{said}");
}

// ---- kustomize ----

/// Says how it was called, as a comment, and what every child is not to see.
const CALLED: &str = "echo \"# $0 $*\" >&2; env | grep -v -E '^(PATH|HOME|TMPDIR|BERTH_CHILD|LANG|LC_ALL|TZ|CI|\
                      RUNNER_TRACKING_ID|PWD|OLDPWD|SHLVL|_)=' && exit 9";

fn cat(text: &str) -> String {
    format!("{CALLED}\ncat <<'END'\n{text}END")
}

#[tokio::test]
async fn a_kustomization_is_built_by_whichever_program_is_there() {
    let case = app("{kustomize: deploy}").file("deploy/kustomization.yaml", "");
    let directory = fs::canonicalize(case.path().join("deploy")).unwrap();
    let restricted = "--load-restrictor=LoadRestrictionsRootOnly";
    let expect = |verb: &str| {
        let wanted = format!("{verb} {} {restricted}", directory.display());
        format!("[ \"$*\" = '{wanted}' ] || {{ echo \"called with $*\" >&2; exit 8; }}\n{}", cat(MAP))
    };
    let kustomize = Programs::none().with("kustomize", &expect("build")).with("kubectl", "exit 7");
    assert_eq!(rendered(&case, &kustomize).await.unwrap().objects, [map()]);
    let kubectl = Programs::none().with("kubectl", &expect("kustomize"));
    assert_eq!(rendered(&case, &kubectl).await.unwrap().objects, [map()]);
    let nobody = renderer(Programs::none().alone(), Clock::system());
    let error = nobody.render(&source(&case), &variables()).await.unwrap_err();
    assert!(errors::render(&error).contains("needs `kustomize` or `kubectl`"), "{error:#}");
}

#[tokio::test]
async fn what_a_builder_says_is_told_and_a_part_is_never_taken_for_the_whole() {
    let case = app("{kustomize: deploy}").file("deploy/kustomization.yaml", "");
    let failing = "echo '{}'; echo 'Error: no such file' >&2; exit 3";
    let said = refused(&case, &Programs::none().with("kustomize", failing)).await;
    assert!(said.contains("ended with 3") && said.contains("because: Error: no such file"), "{said}");
    let flood = "yes '{kind: A}' | head -c 30000000";
    let said = refused(&case, &Programs::none().with("kustomize", flood)).await;
    assert!(said.contains("wrote 30000000 bytes, and that is too much"), "{said}");
    let bomb = "echo 'a: &a [x,x,x,x,x,x,x,x,x,x]'; for i in $(seq 20); do echo \"b$i: &b$i [*a,*a]\"; done; \
                for i in $(seq 9000); do echo \"c$i: [*b1,*b2,*b3,*b4,*b5,*b6,*b7,*b8,*b9]\"; done";
    let said = refused(&case, &Programs::none().with("kustomize", bomb)).await;
    assert!(said.contains("budget") || said.contains("alias"), "{said}");
}

#[tokio::test]
async fn a_builder_that_hangs_is_ended() {
    let case = app("{kustomize: deploy}").file("deploy/kustomization.yaml", "");
    let clock = Clock::stepped("2026-01-05T12:00:00Z".parse().unwrap());
    let programs = Programs::none().with("kustomize", "trap '' TERM; while :; do sleep 100; done");
    let (source, variables, renderer) =
        (source(&case), variables(), renderer(programs.first(), clock.clone()));
    let building = renderer.render(&source, &variables);
    let (built, ()) = futures::join!(building, async {
        clock.waited_for(1).await;
        clock.advance(jiff::SignedDuration::from_secs(120));
    });
    assert!(errors::render(&built.unwrap_err()).contains("took longer than it may"));
}

// ---- charts ----

const HELM: &str = "[ \"$1 $2 $4 $5 $6\" = 'template shop --namespace web --values' ] || exit 8
[ \"$8 $9\" = '--include-crds --skip-tests' ] || exit 7
[ \"$(stat -c %a \"$(dirname \"$7\")\")\" = 700 ] || exit 6
echo 'kind: Values'; echo 'template: ${NOT_OURS}'; echo 'values:'; sed 's/^/  /' \"$7\"";

#[tokio::test]
async fn a_chart_in_a_directory_is_rendered_with_its_values_filled() {
    let case = app("{chart: charts/a, release: shop, namespace: web, values-files: [v.yaml, w.yaml], \
                    values: {ingress: {host: '${HOST}'}, tag: 'pr-${PR_NUMBER}'}}")
    .file("charts/a/Chart.yaml", "")
    .file("v.yaml", "ingress: {on: true, host: weak}\nlist: [1, 2]\ngone: 1\n")
    .file("w.yaml", "list: [3]\ngone: null\nsha: '${HEAD_SHA}'\n");
    let all = rendered(&case, &Programs::none().with("helm", &format!("{CALLED}\n{HELM}"))).await.unwrap();
    let values = json!({
        "ingress": {"on": true, "host": "pr-42-shop.example.com"}, "list": [3], "gone": null, "sha": "9f2c1ab",
        "tag": "pr-42",
    });
    // What a template of the chart writes is its own business.
    assert_eq!(all.objects, [json!({"kind": "Values", "template": "${NOT_OURS}", "values": values})]);
}

#[tokio::test]
async fn a_chart_whose_links_lead_out_of_it_is_not_given_to_helm() {
    let case = app("{chart: charts/a}").file("charts/a/templates/x.yaml", MAP).file("other/b", "");
    symlink("x.yaml", case.path().join("charts/a/templates/y.yaml")).unwrap();
    let helm = Programs::none().with("helm", "echo 'kind: Rendered'");
    assert_eq!(rendered(&case, &helm).await.unwrap().objects, [json!({"kind": "Rendered"})]);
    symlink("../../../other", case.path().join("charts/a/templates/z")).unwrap();
    let said = refused(&case, &helm).await;
    assert!(said.contains("templates/z leads out of "), "{said}");
}

#[tokio::test]
async fn a_chart_from_elsewhere_is_left_to_the_environment() {
    let repository =
        app("{chart: redis, repo: 'https://charts.example.com', version: 1.2.3, namespace: web, \
                          values: {host: '${HOST}'}}");
    let none = Programs::none();
    let all = rendered(&repository, &none).await.unwrap().objects;
    let [chart] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(chart["metadata"], json!({"name": "redis", "namespace": "kube-system"}));
    assert_eq!((&chart["apiVersion"], &chart["kind"]), (&json!("helm.cattle.io/v1"), &json!("HelmChart")));
    let content = chart["spec"]["valuesContent"].as_str().unwrap();
    let values = berth::domain::yaml::documents("values", content).unwrap();
    assert_eq!(values, [json!({"host": "pr-42-shop.example.com"})]);
    let mut spec = chart["spec"].clone();
    spec.as_object_mut().unwrap().remove("valuesContent");
    let wanted = json!({
        "chart": "redis", "repo": "https://charts.example.com", "version": "1.2.3", "targetNamespace": "web",
        "createNamespace": true,
    });
    assert_eq!(spec, wanted);
    let registry = app("{chart: 'oci://r.example.com/charts/redis'}");
    let all = rendered(&registry, &none).await.unwrap().objects;
    assert_eq!(all[0]["spec"]["chart"], "oci://r.example.com/charts/redis");
    assert!(all[0]["spec"].get("repo").is_none() && all[0]["spec"].get("version").is_none());
}

#[tokio::test]
async fn wrong_values_are_pointed_at() {
    let case = app("{chart: charts/a, values-files: [v.yaml]}").file("charts/a/Chart.yaml", "");
    let case = case.file("v.yaml", "a: 1\n---\nb: 1\n");
    let said = refused(&case, &Programs::none().with("helm", "")).await;
    assert!(said.contains("v.yaml is not one map of values"), "{said}");
    let alone = renderer(Programs::none().alone(), Clock::system());
    let case = app("{chart: charts/a}").file("charts/a/Chart.yaml", "");
    let error = alone.render(&source(&case), &variables()).await.unwrap_err();
    assert!(errors::render(&error).contains("needs `helm`"), "{error:#}");
}

// ---- Argo CD ----

#[tokio::test]
async fn an_application_is_handed_back_apart() {
    let text =
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec: {x: '${HOST}'}\n";
    let case = app("{argo-cd: app.yaml}").file("app.yaml", text);
    let all = rendered(&case, &Programs::none()).await.unwrap();
    assert_eq!(all.objects, Vec::<Value>::new());
    assert_eq!(all.application.unwrap()["spec"]["x"], "pr-42-shop.example.com");
    for wrong in [MAP, &format!("{text}---\n{MAP}"), ""] {
        let case = app("{argo-cd: app.yaml}").file("app.yaml", wrong);
        let said = refused(&case, &Programs::none()).await;
        assert!(said.contains("is not one Application"), "{said}");
    }
}

#[test]
fn nothing_of_the_machine_is_needed_but_a_shell() {
    assert!(["/bin/sh", "/usr/bin/env"].iter().all(|program| Path::new(program).exists()));
}
