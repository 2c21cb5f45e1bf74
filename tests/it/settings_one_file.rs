//! A small team's one file, in a job: what is the platform's in it counts as the base branch has it, whatever the checkout
//! says.

use crate::settings::case;
use berth::settings::{Form, Source, Store};
use insta::assert_snapshot;

const BASE: &str = "\
version: 1
store: {vault: {address: \"https://vault.example.com\"}}
lifetime: {max: 2d}
pools: {lab: {range: 192.168.1.10-192.168.1.13}}
providers: {k3s: {kind: capi-k3s, operators: [{manifests: operators/metrics.yaml}]}}
deploy: {manifests: of-base.yaml}
skip: {labels: [on-hold]}
";

#[test]
fn the_platforms_keys_count_as_the_base_branch_has_them() {
    let evil = "\
version: 1
store: {vault: {address: \"https://evil.example.com\"}}
pools: {lab: {range: 10.0.0.0/28}}
providers: {k3s: {kind: capi-k3s, copy-secrets: [kube-system/everything]}}
github: {repositories: [\"*/*\"]}
deploy: {manifests: app.yaml}
";
    let case = case().var("VAULT_TOKEN", "hvs.x").base(BASE).app(evil);
    let settings = case.settings();
    let Store::Vault(vault) = &settings.store else { panic!("{:?}", settings.store) };
    assert_eq!(vault.address.to_string(), "https://vault.example.com");
    assert_eq!(settings.pool(None).unwrap().1.layout.range.to_string(), "192.168.1.10-192.168.1.13");
    assert_eq!(settings.github.repositories, None);
    let berth::settings::ProviderSettings::CapiK3s(of) = settings.provider().unwrap().1;
    assert_eq!(of.copy_secrets.len(), 0);
    let files = |source: &Source| match &source.form {
        Form::Manifests(path) => path.strip_prefix(case.path()).unwrap().display().to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(files(&of.inside.operators[0]), "base/operators/metrics.yaml");
    // What is the app's comes with the commit that is deployed.
    assert_eq!(files(&settings.app.deploy.unwrap().source), "app.yaml");
    assert!(settings.app.skip.like.labels.is_empty());
}

#[test]
fn a_lifetime_may_only_be_shortened_against_the_base_branch() {
    let asked = |lifetime: &str| {
        let app = format!("version: 1\nlifetime: {{max: {lifetime}}}\n");
        case().var("VAULT_TOKEN", "hvs.x").base(BASE).app(&app)
    };
    assert_eq!(asked("1d").settings().lifetime.max.as_hours(), 24);
    assert_snapshot!(asked("3d").refused(), @r#"
    error: berth.yaml:2:17: `lifetime.max` is 3d, longer than the platform's 2d (berth.yaml of acme/shop at main:3:17)
    hint: an app file may only shorten a lifetime
    "#);
}

#[test]
fn what_is_wrong_in_either_is_told_with_its_place() {
    let broken = case().base("version: 1\npool: {}\n").app("version: 1\n");
    assert_snapshot!(broken.refused(), @r#"error: berth.yaml of acme/shop at main:2:1: unknown key `pool`, did you mean `pools`?"#);
    let mistyped = case().var("VAULT_TOKEN", "hvs.x").base(BASE).app("version: 1\nstor: {}\n");
    assert_snapshot!(mistyped.refused(), @r#"error: berth.yaml:2:1: unknown key `stor`, did you mean `store`?"#);
}

#[test]
fn whoever_names_a_platform_file_keeps_the_base_branch_out() {
    let case = case().base(BASE).platform("version: 1\npools: {own: {}}\n").app("version: 1\npools: {}\n");
    assert_snapshot!(case.refused(), @r#"
    error: berth.yaml:2:1: `pools` belongs into the platform file, not into an app file
    hint: name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input
    "#);
}
