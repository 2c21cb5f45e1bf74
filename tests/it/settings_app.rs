//! What app files say: what is deployed and tested, what they must not reach, and mistakes told before anything is made.

use crate::settings::{Case, case};
use berth::{
    domain::{names::RepoName, plan::StepName, template::Variables},
    errors::UserError,
    settings::{App, Ca, ChartFrom, Form, Pattern, Run, Settings, Source, Var},
};
use insta::assert_snapshot;
use jiff::SignedDuration;
use serde_json::json;

const PLATFORM: &str = "dns: {domain: preview.example.com}\nproviders: {k3s: {kind: capi-k3s}}\n";

/// An app file below a platform.
fn app(text: &str) -> Case {
    case().platform(PLATFORM).app(text)
}

fn of(text: &str) -> App {
    app(text).settings().app
}

fn refused(text: &str) -> String {
    app(text).refused()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn step(name: &'static str) -> StepName {
    StepName::new(name)
}

// ---- an app that says nothing ----

#[test]
fn an_app_that_says_nothing_has_the_defaults() {
    let app = of("version: 1");
    assert!(app.deploy.is_none() && app.health.is_none() && app.tests.is_none() && app.provider.is_none());
    assert!(app.hosts.is_empty() && app.secrets.is_empty() && app.vars.is_empty());
    assert_eq!(app.filter, berth::settings::Filter::default());
    assert_eq!(app.skip.like.authors, ["dependabot[bot]".parse().unwrap()]);
    assert!(app.skip.drafts && app.skip.like.labels.is_empty());
    assert_eq!(app.timeouts.of(step("cluster")), Some(minutes(15)));
    for other in ["access", "secrets", "operators", "resources", "deploy", "dns", "health", "tests"] {
        assert_eq!(app.timeouts.of(step(other)), Some(minutes(5)), "{other}");
    }
    assert_eq!(app.timeouts.of(step("lunch")), None);
}

// ---- the provider ----

#[test]
fn a_provider_is_named_or_the_only_one() {
    let two = "providers: {k3s: {kind: capi-k3s}, big: {kind: capi-k3s}}";
    let name = |settings: Settings| settings.provider().unwrap().0.to_string();
    assert_eq!(name(app("version: 1").settings()), "k3s");
    assert_eq!(name(case().platform(two).app("provider: big").settings()), "big");
    assert_eq!(
        name(case().platform(two).app("provider: big").var("BERTH_PROVIDER", "k3s").settings()),
        "k3s"
    );
    let none = case().platform(two).settings();
    assert_snapshot!(berth::errors::render(&none.provider().unwrap_err()), @r"
    error: there are several providers, and none is named
    hint: name one by `provider`: `big`, `k3s`
    ");
    assert_snapshot!(refused("version: 1\nprovider: k3d\n"), @r"
    error: berth.yaml:2:11: there is no provider `k3d`, did you mean `k3s`?
    hint: the providers are `k3s`
    ");
    // Without a platform nobody can know; whoever needs the provider says so.
    let alone = case().app("provider: k3s").settings();
    assert_snapshot!(berth::errors::render(&alone.provider().unwrap_err()), @r"
    error: no provider is configured
    hint: set `providers` in the platform file (--platform, BERTH_PLATFORM or the action's `platform` input)
    ");
}

// ---- deploy ----

#[test]
fn the_manuals_samples_are_valid() {
    let sample = "\
version: 1
provider: k3s
deploy:
  kustomize: kustomize/overlays/ephemeral
  images: {shop: \"harbor.example.com/shop:pr-${PR_NUMBER}-${HEAD_SHA}\"}
  replace: {shop.dev.example.com: \"${HOST}\"}
health: {url: \"${URL}/healthz\", ca: environment}
tests: {report: cypress}
";
    let app = of(sample);
    let deploy = app.deploy.unwrap();
    assert!(
        matches!(&deploy.source.form, Form::Kustomize(path) if path.ends_with("kustomize/overlays/ephemeral"))
    );
    assert_eq!(deploy.source.place, "berth.yaml:4:14");
    assert_eq!((deploy.namespace.as_ref(), deploy.image_wait), ("default", minutes(15)));
    let images: Vec<_> = deploy.images.iter().map(|(name, image)| (name.as_ref(), image.as_ref())).collect();
    assert_eq!(images, [("shop", "harbor.example.com/shop:pr-${PR_NUMBER}-${HEAD_SHA}")]);
    assert_eq!(deploy.replace["shop.dev.example.com"].as_ref(), "${HOST}");
    assert!(deploy.after.is_empty());
    let health = app.health.unwrap();
    assert_eq!((health.url.as_ref(), health.status, health.ca), ("${URL}/healthz", 200, Ca::Environment));
    let tests = app.tests.unwrap();
    assert_eq!((tests.run, tests.timeout), (Run::Report("cypress".into()), minutes(20)));
    let chart = "\
version: 1
deploy:
  chart: charts/docs
  values-files: [charts/docs/preview.yaml]
  values: {image: {tag: \"pr-${PR_NUMBER}-${HEAD_SHA}\"}, ingress: {host: \"${HOST}\", port: 80, on: true}}
health: {url: \"${URL}/\"}
";
    let Form::Chart(chart) = of(chart).deploy.unwrap().source.form else { panic!() };
    assert!(matches!(&chart.from, ChartFrom::Directory(path) if path.ends_with("charts/docs")));
    assert_eq!((chart.release.as_ref(), chart.values_files.len()), ("docs", 1));
    let values = json!({"image": {"tag": "pr-${PR_NUMBER}-${HEAD_SHA}"}, "ingress": {"host": "${HOST}", "port": 80, "on": true}});
    assert_eq!(json!(chart.values), values, "as they were written, each of its own type");
}

#[test]
fn all_keys_of_a_deployment_are_read() {
    let text = "\
deploy:
  manifests: deploy
  namespace: shop
  image-wait: 30m
  after: [jobs/migrate.yaml, jobs/seed.yaml]
";
    let deploy = of(text).deploy.unwrap();
    assert_eq!((deploy.namespace.as_ref(), deploy.image_wait), ("shop", minutes(30)));
    assert!(deploy.after[0].ends_with("jobs/migrate.yaml") && deploy.after[1].ends_with("jobs/seed.yaml"));
    assert!(
        matches!(of("deploy: {argo-cd: app.yaml}").deploy.unwrap().source.form, Form::ArgoCd(path) if path.ends_with("app.yaml"))
    );
    let Form::Chart(chart) =
        of("deploy: {chart: a, namespace: shop, release: r}").deploy.unwrap().source.form
    else {
        panic!()
    };
    assert_eq!((chart.namespace.as_ref(), chart.release.as_ref()), ("shop", "r"));
}

#[test]
fn a_deployment_has_one_source() {
    assert_snapshot!(refused("deploy: {namespace: a}"), @"error: berth.yaml:1:9: `deploy` has none of `manifests`, `kustomize`, `chart`, `argo-cd`");
    assert_snapshot!(refused("deploy: {manifests: a, kustomize: b}"), @"error: berth.yaml:1:35: `deploy` takes one kind, and here are both `manifests` and `kustomize`");
    assert_snapshot!(refused("deploy: {manifests: a, values: {b: c}}"), @"error: berth.yaml:1:32: `values` is for `chart`, and this source is `manifests`");
    assert_snapshot!(refused("deploy: {manifest: a}"), @"error: berth.yaml:1:10: unknown key `manifest`, did you mean `manifests`?");
    assert_snapshot!(refused("deploy: a"), @"error: berth.yaml:1:9: keys are expected here");
}

#[test]
fn who_chooses_another_source_takes_nothing_of_the_weaker_one() {
    let platform =
        format!("{PLATFORM}deploy: {{chart: base, version: '1', values: {{a: b}}, image-wait: 1m}}\n");
    let own = case().platform(&platform).app("deploy: {chart: charts/mine}").settings();
    let deploy = own.app.deploy.unwrap();
    let Form::Chart(chart) = &deploy.source.form else { panic!() };
    assert_eq!((chart.release.as_ref(), &chart.version, chart.values.len()), ("mine", &None, 0));
    assert_eq!(deploy.image_wait, minutes(1), "what is not the source's is a default for all");
    let inherited = case().platform(&platform).app("version: 1").var("BERTH_DEPLOY_VERSION", "2").settings();
    let Form::Chart(chart) = inherited.app.deploy.unwrap().source.form else { panic!() };
    assert_eq!((chart.version.as_deref(), chart.values.len()), (Some("2"), 1));
    let defaults =
        format!("{PLATFORM}deploy: {{image-wait: 1m}}\nhealth: {{status: 204}}\ntests: {{timeout: 1m}}\n");
    let nothing = case().platform(&defaults).settings().app;
    assert!(nothing.deploy.is_none() && nothing.health.is_none() && nothing.tests.is_none());
}

#[test]
fn an_app_file_names_nothing_outside_of_its_checkout() {
    let keys = [
        "deploy: {manifests: PATH}",
        "deploy: {kustomize: PATH}",
        "deploy: {argo-cd: PATH}",
        "deploy: {chart: PATH}",
        "deploy: {chart: a, values-files: [PATH]}",
        "deploy: {manifests: a, after: [PATH]}",
        "health: {url: 'https://a', ca: PATH}",
        "tests: {job: PATH}",
        "tests: {command: [a], junit: PATH}",
    ];
    for key in keys {
        for path in ["/proc/self/environ", "../platform.yaml", "a/../../b", "./../.."] {
            let refused = refused(&key.replace("PATH", path));
            assert!(refused.contains(&format!("{path} is not in the checkout")), "{key}: {refused}");
        }
        for path in ["a/../b", "./a", "a//b/"] {
            app(&key.replace("PATH", path)).settings();
        }
        // A user's own file is as trusted as its user.
        case().both(&key.replace("PATH", "/srv/a")).settings();
    }
    assert_snapshot!(refused("deploy:\n  kustomize: ../../home\n"), @r"
    error: berth.yaml:2:14: ../../home is not in the checkout
    hint: an app file names only what lies beside or below it
    ");
}

#[test]
fn paths_begin_beside_the_file_and_may_go_up_to_its_checkout() {
    let case = case().platform(PLATFORM).file(".github/berth.yaml", "deploy: {kustomize: ../overlays/pr}");
    let Form::Kustomize(path) = case.settings().app.deploy.unwrap().source.form else { panic!() };
    assert!(path.ends_with(".github/../overlays/pr"), "{path:?}");
    let higher =
        self::case().platform(PLATFORM).file(".github/berth.yaml", "deploy: {kustomize: ../../overlays}");
    assert!(higher.refused().contains("is not in the checkout"));
}

// ---- placeholders ----

#[test]
fn a_name_that_is_unknown_is_told_with_its_place_and_the_one_that_was_meant() {
    let wrong = |text: &str| refused(text).lines().next().unwrap().to_owned();
    assert_snapshot!(wrong("deploy:\n  chart: a\n  values:\n    image: {tags: [x, '${HEADSHA}']}\n"), @"error: berth.yaml:4:5: `deploy.values.image.tags[1]`: ${HEADSHA} is unknown, did you mean ${HEAD_SHA}?");
    assert_snapshot!(wrong("deploy: {manifests: a, images: {shop: 'r/shop:${PR_NUMBR}'}}"), @"error: berth.yaml:1:39: `deploy.images.shop`: ${PR_NUMBR} is unknown, did you mean ${PR_NUMBER}?");
    assert_snapshot!(wrong("deploy: {manifests: a, replace: {x.dev: '${HOTS}'}}"), @"error: berth.yaml:1:41: `deploy.replace.x.dev`: ${HOTS} is unknown, did you mean ${HOST}?");
    assert_snapshot!(wrong("health: {url: '${ULR}/healthz'}"), @"error: berth.yaml:1:15: `health.url`: ${ULR} is unknown, did you mean ${URL}?");
    assert_snapshot!(wrong("vars: {A: '${B}', B: x}"), @"error: berth.yaml:1:11: `vars.A`: ${B} is unknown");
    assert_snapshot!(wrong("health: {url: '${url}'}"), @"error: berth.yaml:1:15: `health.url`: ${url} names no variable; `$${` stands for the text itself");
    assert_snapshot!(wrong("health: {url: 'https://${HOST'}"), @"error: berth.yaml:1:15: `health.url`: ${HOST has no closing brace; `$${` stands for the text itself");
    assert_snapshot!(wrong("deploy: {chart: a, values: {'${NAME}': b}}"), @"error: berth.yaml:1:28: `deploy.values`: ${NAME} stands in a key, and keys are not substituted");
}

#[test]
fn hosts_and_vars_are_names_too() {
    let text = "\
hosts: [api, admin-ui]
vars: {TEAM: 'shop-${PR_NUMBER}', REPLICAS: 2, HOSTS: [a, b]}
deploy:
  chart: a
  values: {api: '${HOST_API}', admin: '${HOST_ADMIN_UI}', team: '${TEAM}', replicas: '${REPLICAS}', hosts: '${HOSTS}'}
";
    let app = of(text);
    let mut built_in = Variables::default();
    built_in.set("PR_NUMBER", 42);
    let all = Var::over(&built_in, &app.vars).unwrap();
    assert_eq!(
        all.fill(&json!(["${TEAM}", "${REPLICAS}", "${HOSTS}"])).unwrap(),
        json!(["shop-42", 2, ["a", "b"]])
    );
    assert_snapshot!(refused("hosts: [api]\nhealth: {url: 'https://${HOST_APPI}'}").lines().next().unwrap(), @"error: berth.yaml:2:15: `health.url`: ${HOST_APPI} is unknown, did you mean ${HOST_API}?");
    assert_snapshot!(refused("vars: {L: [a]}\nhealth: {url: 'https://${L}'}").lines().next().unwrap(), @"error: berth.yaml:2:15: `health.url`: ${L} is a list or a map, so it must be the whole value");
}

#[test]
fn a_var_does_not_stand_for_what_berth_means_by_its_name() {
    assert_snapshot!(refused("vars: {HOST: evil.example.com}"), @"error: berth.yaml:1:14: `HOST` is a variable of berth's own");
    assert_snapshot!(refused("hosts: [api]\nvars:\n  HOST_API: x\n"), @"error: berth.yaml:3:13: `HOST_API` is a variable of berth's own");
    assert_snapshot!(refused("vars: {lower: x}"), @r#"error: berth.yaml:1:8: "lower" is no name of a variable: capitals, digits and '_', with a capital first"#);
    assert_snapshot!(refused("hosts: [api, api]"), @"error: berth.yaml:1:8: the host `api` stands here twice");
    assert_snapshot!(refused("hosts: [a.b]"), @r#"error: berth.yaml:1:9: "a.b" is no host label: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"#);
    let platform = format!("{PLATFORM}vars: {{A: platform, B: platform}}\n");
    let vars = case().platform(&platform).app("vars: {A: app}").settings().app.vars;
    let vars: Vec<_> = vars.iter().map(|var| (var.name.as_ref(), var.value.as_str().unwrap())).collect();
    assert_eq!(vars, [("A", "app"), ("B", "platform")]);
}

#[test]
fn a_host_needs_a_domain_as_soon_as_a_platform_is_known() {
    let text = "hosts: [api]\nhealth: {url: 'https://${HOST_API}'}";
    let homeless = case().platform("providers: {k3s: {kind: capi-k3s}}").app(text);
    assert_snapshot!(homeless.refused(), @r"
    error: berth.yaml:2:15: `health.url`: ${HOST_API} has no value without a domain
    hint: set `dns.domain` in the platform file
    ");
    case().app(text).settings();
}

// ---- images, health, tests ----

#[test]
fn an_image_and_a_url_look_like_one_once_they_are_substituted() {
    assert_snapshot!(refused("deploy: {manifests: a, images: {shop: 'r/shop: x'}}"), @"error: berth.yaml:1:39: `deploy.images.shop` is no reference of an image");
    assert_snapshot!(refused("deploy: {manifests: a, images: {'shop:1': 'r/shop'}}"), @r#"error: berth.yaml:1:33: "shop:1" is no name of an image: letters, digits and any of ._-/: without a tag: shop, harbor.example.com/shop"#);
    assert_snapshot!(refused("health: {url: '${HOST}/healthz'}"), @"error: berth.yaml:1:15: `health.url` is no address that begins with https:// or http://, as ${URL} does");
    assert_snapshot!(refused("health: {url: 'file:///etc/passwd'}"), @"error: berth.yaml:1:15: `health.url` is no address that begins with https:// or http://, as ${URL} does");
    assert_snapshot!(refused("health: {status: 200}"), @"error: berth.yaml:1:9: `health` needs `url`, as in ${URL}/healthz");
    assert_snapshot!(refused("health: {url: '${URL}', status: 99}"), @r#"error: berth.yaml:1:33: "99" is no status of HTTP: a whole number from 200 to 599"#);
    let health = of("health: {url: 'http://${ADDRESS}:8080', status: 204, ca: certs/ca.pem}").health.unwrap();
    assert_eq!(health.status, 204);
    assert!(matches!(health.ca, Ca::File(file) if file.ends_with("certs/ca.pem")));
    assert_eq!(of("health: {url: '${URL}'}").health.unwrap().ca, Ca::System);
}

#[test]
fn tests_are_of_one_kind_and_leave_results_that_can_be_read() {
    let run = |text: &str| of(text).tests.unwrap().run;
    assert!(
        matches!(run("tests: {job: e2e.yaml}"), Run::Job { file, junit: None } if file.ends_with("e2e.yaml"))
    );
    let Run::Command { command, directory, junit } =
        run("tests: {command: [npx, cypress, 'run ${x}'], junit: out/junit.xml}")
    else {
        panic!()
    };
    assert_eq!(command, ["npx", "cypress", "run ${x}"], "a command's words are its own");
    assert!(junit.starts_with(&directory) && junit.ends_with("out/junit.xml"));
    assert_snapshot!(refused("tests: {command: [make]}"), @"error: berth.yaml:1:18: `tests.command` needs `junit`: a command that leaves no results behind has failed");
    assert_snapshot!(refused("tests: {command: [], junit: a}"), @"error: berth.yaml:1:18: `tests.command` names no program");
    assert_snapshot!(refused("tests: {report: a, junit: b}"), @"error: berth.yaml:1:27: `junit` is handed in by the job that `report` names");
    assert_snapshot!(refused("tests: {report: a, job: b}"), @"error: berth.yaml:1:17: `tests` takes one kind, and here are both `job` and `report`");
    assert_snapshot!(refused("tests: {timeout: 1m}"), @"error: berth.yaml:1:8: `tests` has none of `job`, `report`, `command`");
}

// ---- patience ----

#[test]
fn an_app_file_does_not_hold_a_runner_for_days() {
    let app = of("timeouts: {deploy: 12m, dns: 2h}\ntests: {report: a, timeout: 1h}");
    assert_eq!(app.timeouts.of(step("deploy")), Some(minutes(12)));
    assert_eq!((app.timeouts.of(step("dns")), app.tests.unwrap().timeout), (Some(minutes(120)), minutes(60)));
    assert_snapshot!(refused("timeouts: {deploy: 1d}"), @r"
    error: berth.yaml:1:20: `timeouts.deploy` is 1d, longer than the 2h that an app file may ask for
    hint: the platform file may say more
    ");
    assert!(refused("tests: {report: a, timeout: 3h}").contains("`tests.timeout` is 3h"));
    assert!(refused("deploy: {manifests: a, image-wait: 3h}").contains("`deploy.image-wait` is 3h"));
    assert_snapshot!(refused("timeouts: {dns: 0s}"), @"error: berth.yaml:1:17: `timeouts.dns` is no time at all");
    assert_snapshot!(refused("timeouts: {dsn: 1m}"), @"error: berth.yaml:1:12: unknown key `dsn`, did you mean `dns`?");
    let patient = case().platform(&format!("{PLATFORM}timeouts: {{cluster: 4h}}\n"));
    assert_eq!(patient.settings().app.timeouts.of(step("cluster")), Some(minutes(240)));
    let within = patient.app("timeouts: {cluster: 3h}").settings();
    assert_eq!(within.app.timeouts.of(step("cluster")), Some(minutes(180)));
    let variable = case().platform(PLATFORM).var("BERTH_TIMEOUTS_CLUSTER", "4h").settings();
    assert_eq!(variable.app.timeouts.of(step("cluster")), Some(minutes(240)));
}

// ---- secrets ----

fn vault(rule: &str) -> Case {
    let store = format!("store: {{vault: {{address: 'https://v'{rule}}}}}\n");
    case().var("VAULT_TOKEN", "s.1").platform(&format!("{store}{PLATFORM}"))
}

const RULE: &str = ", app-secrets: 'apps/${OWNER}/${REPO}'";

fn path(settings: &Settings) -> Result<String, UserError> {
    let mut variables = Variables::default();
    variables.set("NAME", "pr-shop-42");
    variables.set("REPO", "shop");
    let repository: RepoName = "acme/shop".parse().unwrap();
    settings.app.secrets[0].path(Some(&repository), &variables).map(|path| path.to_string())
}

#[test]
fn an_app_file_reaches_the_secrets_of_its_repository_and_no_others() {
    let secret = |vault: &str| format!("secrets:\n  - {{name: db, vault: '{vault}'}}\n");
    let reach = |path_in_vault: &str| path(&vault(RULE).app(&secret(path_in_vault)).settings());
    assert_eq!(reach("apps/acme/shop/db").unwrap(), "apps/acme/shop/db");
    assert_eq!(reach("apps/acme/${REPO}/${NAME}").unwrap(), "apps/acme/shop/pr-shop-42");
    for foreign in [
        "apps/acme/web/db",
        "apps/acme/shopping",
        "apps/acme/shop",
        "ephemeral-clusters/x/kubeconfig",
        "berth/github-app",
    ] {
        let error = reach(foreign).unwrap_err();
        let told = format!(
            "berth.yaml:2:5: the secret {foreign} is not below apps/acme/shop, where those of acme/shop are"
        );
        assert_eq!(error.to_string(), told);
    }
    // What climbs is no path at all, and so no question of whose it is.
    assert!(vault(RULE).app(&secret("apps/acme/shop/../../x/y")).refused().contains("is no path in Vault"));
}

#[test]
fn without_the_platforms_word_an_app_file_names_no_secret() {
    let text = "secrets: [{name: db, namespace: shop, vault: apps/acme/shop/db}]";
    assert_snapshot!(vault("").app(text).refused(), @r"
    error: berth.yaml:1:11: the platform lets an app file name no secret
    hint: set `store.vault.app-secrets` in the platform file, as in apps/${OWNER}/${REPO}
    ");
    // Where no platform is known, it is told when the secret is to be read.
    let alone = case().app(text).settings();
    assert_snapshot!(path(&alone).unwrap_err(), @"berth.yaml:1:11: the platform lets an app file name no secret");
    assert_eq!(alone.app.secrets[0].namespace.as_ref(), "shop");
    // A user's own file is as trusted as its user.
    assert_eq!(path(&case().both(text).settings()).unwrap(), "apps/acme/shop/db");
}

#[test]
fn the_platforms_own_secrets_lie_wherever_it_says() {
    let text = "providers: {k3s: {kind: capi-k3s, secrets: [{name: pihole-password, namespace: external-dns, vault: ops/pihole}]}}";
    let settings = case().platform(text).settings();
    let (_, berth::settings::ProviderSettings::CapiK3s(k3s)) = settings.provider().unwrap();
    let repository: RepoName = "acme/shop".parse().unwrap();
    let path = k3s.inside.secrets[0].path(Some(&repository), &Variables::default()).unwrap();
    assert_eq!(path.as_ref(), "ops/pihole");
}

#[test]
fn a_secret_is_whole_and_stands_once() {
    let wrong = |list: &str| vault(RULE).app(&format!("secrets: [{list}]")).refused();
    assert_snapshot!(wrong("{name: a}"), @"error: berth.yaml:1:11: `secrets[0]` needs `vault`");
    assert_snapshot!(wrong("{vault: a/b}"), @"error: berth.yaml:1:11: `secrets[0]` needs `name`");
    assert_snapshot!(wrong("{name: A, vault: a/b}"), @r#"error: berth.yaml:1:18: "A" is no name of an object: 1 to 253 of a-z, 0-9, '-' and '.', each part between dots beginning and ending with a letter or digit"#);
    assert_snapshot!(wrong("{name: a, vault: a/b}, {name: a, vault: c/d}"), @"error: berth.yaml:1:34: `default/a` stands here twice");
    assert!(wrong("{name: a, vault: 'a/${REPOO}'}").contains("did you mean ${REPO}?"));
}

// ---- which pull requests ----

#[test]
fn filters_are_lists_of_what_pull_requests_are_like() {
    let app = of(
        "filter: {labels: [preview], base: [main, release/*], paths: ['src/**'], authors: [ann]}\nskip: {labels: [no-preview], paths: ['**.md'], authors: [], drafts: false}",
    );
    assert_eq!(app.filter.labels, ["preview".parse().unwrap()]);
    assert!(app.filter.base[1].matches("release/1.0") && app.filter.paths[0].matches("src/a/b.rs"));
    assert_eq!((app.filter.authors.len(), app.skip.like.authors.len(), app.skip.drafts), (1, 0, false));
    assert_snapshot!(refused("filter: {drafts: true}"), @"error: berth.yaml:1:10: unknown key `drafts`; known here: `labels`, `base`, `paths`, `authors`");
}

#[test]
fn patterns_match_whole_names_and_stars_stop_at_slashes() {
    let matches = |pattern: &str, text: &str| pattern.parse::<Pattern>().unwrap().matches(text);
    for (pattern, text) in [
        ("main", "main"),
        ("*", "main"),
        ("release/*", "release/1.0"),
        ("release/*", "release/"),
        ("docs/**", "docs/a/b.md"),
        ("**.md", "docs/a/b.md"),
        ("a?c", "aéc"),
        ("*a*b*", "xaxbx"),
        ("**/a/**/b", "x/a/y/z/b"),
    ] {
        assert!(matches(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [
        ("main", "maintenance"),
        ("main", "xmain"),
        ("*", "a/b"),
        ("release/*", "release/1/2"),
        ("docs/**", "doc/a"),
        ("a?c", "a/c"),
        ("a?c", "ac"),
        ("*.md", "docs/b.md"),
    ] {
        assert!(!matches(pattern, text), "{pattern} {text}");
    }
    // Hostile, and quick all the same: the work is the product of the lengths.
    assert!(!matches(&"*a".repeat(120), &"a".repeat(10_000).replace("aaaa", "aaa/")));
}

/// So that a form that is added is looked at here, too.
#[test]
fn every_form_of_a_source_is_told_from_the_others() {
    let form = |key: &str| of(&format!("deploy: {{{key}: x}}")).deploy.unwrap().source;
    let name = |source: Source| match source.form {
        Form::Manifests(_) => "manifests",
        Form::Kustomize(_) => "kustomize",
        Form::Chart(_) => "chart",
        Form::ArgoCd(_) => "argo-cd",
    };
    for key in ["manifests", "kustomize", "chart", "argo-cd"] {
        assert_eq!(name(form(key)), key);
    }
}
