//! What a k3s server has made of its own cluster before anybody asks it: the system's namespaces, the storage class of its
//! own provisioner, and the kinds of its helm-controller.
//!
//! Not played: its own workloads and charts (DNS, metrics, ingress), and service load balancers.

use super::{
    Change, Kind, Objects, Player, Reaction,
    definitions::{self, DEFINITION},
    objects::name,
    workloads::STORAGE_CLASS,
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const NAMESPACE: Kind = Kind { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };

/// k3s itself.
#[derive(Debug, Clone)]
pub struct K3sServer;

impl Player for K3sServer {
    fn name(&self) -> &'static str {
        "k3s"
    }

    fn watches(&self) -> &'static [Kind] {
        &[NAMESPACE, STORAGE_CLASS, DEFINITION]
    }

    fn react(&self, objects: &Objects<'_>, _: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        let mut have = |kind: Kind, called: &str, make: &dyn Fn() -> Value| {
            if objects.get(kind, "", called).is_none() {
                reaction.push([Change::Create(make())]);
            }
        };
        for called in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            have(NAMESPACE, called, &|| namespace(called));
        }
        have(STORAGE_CLASS, "local-path", &|| {
            json!({
                "apiVersion": STORAGE_CLASS.api_version(), "kind": STORAGE_CLASS.kind,
                "metadata": {
                    "name": "local-path", "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
                },
                "provisioner": "rancher.io/local-path", "reclaimPolicy": "Delete",
                "volumeBindingMode": "WaitForFirstConsumer",
            })
        });
        for definition in definitions::of("helm.cattle.io") {
            have(DEFINITION, name(definition), &|| definition.clone());
        }
        reaction
    }
}

/// As the API server stores a new one.
pub(super) fn namespace(called: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": NAMESPACE.kind,
        "metadata": { "name": called, "labels": { "kubernetes.io/metadata.name": called } },
        "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
    })
}
