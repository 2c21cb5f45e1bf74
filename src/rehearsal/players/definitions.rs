//! The definitions of kinds that come to an environment: with its k3s, and with the charts that are installed in it.
//!
//! They are those that the bench gives its real API server. Must never: be read from a disk.

use super::Kind;
use serde_json::Value;
use std::sync::LazyLock;

pub(super) const DEFINITION: Kind = Kind {
    group: "apiextensions.k8s.io",
    version: "v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
};

static ALL: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let texts = [
        include_str!("../../../tests/bench/crds/helm.yaml"),
        include_str!("../../../tests/bench/crds/cert-manager.yaml"),
        include_str!("../../../tests/bench/crds/cloudnative-pg.yaml"),
        include_str!("../../../tests/bench/crds/external-dns.yaml"),
        include_str!("../../../tests/bench/crds/external-secrets.yaml"),
    ];
    // Files of our own, and long ones.
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    let read = |text| {
        serde_saphyr::from_multiple_with_options::<Value>(text, options.clone())
            .expect("they are part of the program, and tests read them")
    };
    let mut all: Vec<Value> = texts.into_iter().flat_map(read).collect();
    let store =
        all.iter().find(|one| one["spec"]["names"]["kind"] == "SecretStore").map(of_the_whole_cluster);
    all.extend(store);
    all
});

/// A store of secrets for all namespaces is written like one for a single.
fn of_the_whole_cluster(store: &Value) -> Value {
    let mut definition = store.clone();
    definition["metadata"]["name"] = "clustersecretstores.external-secrets.io".into();
    definition["spec"]["scope"] = "Cluster".into();
    let names = &mut definition["spec"]["names"];
    for (field, name) in [
        ("kind", "ClusterSecretStore"),
        ("listKind", "ClusterSecretStoreList"),
        ("plural", "clustersecretstores"),
        ("singular", "clustersecretstore"),
    ] {
        names[field] = name.into();
    }
    names.as_object_mut().map(|names| names.remove("shortNames"));
    definition
}

/// The definitions of a group.
pub(super) fn of(group: &str) -> impl Iterator<Item = &'static Value> {
    ALL.iter().filter(move |definition| definition["spec"]["group"] == group)
}
