//! What a platform and a team have written.

use berth::settings::{Environment, Flags, Settings, Sources, Trust};
use tempfile::TempDir;

/// A kubeconfig that somebody else has put where berth merges its own.
pub(super) const OTHERS: &str = "apiVersion: v1\nclusters:\n- cluster:\n    server: https://192.168.1.148:6443\n  name: pr-old-9\ncontexts:\n- context:\n    cluster: pr-old-9\n    user: pr-old-9\n  name: pr-old-9\ncurrent-context: pr-old-9\nkind: Config\nusers:\n- name: pr-old-9\n  user:\n    token: theirs\n";

pub(super) const PLATFORM: &str = "\
version: 1
store: {vault: {address: \"https://vault.example.com\", mount: kv, merged-kubeconfig: {}}}
lifetime: {grace: 0s}
dns: {domain: preview.example.com}
pools: {lab: {range: 192.168.1.140-192.168.1.149, block: 2, when-full: fail}}
providers:
  k3s:
    kind: capi-k3s
    copy-secrets: [dev/proxmox-credentials]
    secrets: [{name: registry, vault: \"ephemeral-clusters/${NAME}/secrets\"}]
    vault-token: {policies: [preview]}
";

/// Of an account of the management cluster.
pub(super) const ACCOUNT: &str = "token-of-berth";
/// That it binds to itself.
pub(super) const ROLE: &str = "berth-environment";
pub(super) const ROLE_BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";

pub(super) const HANDED_OVER: &str = "version: 1\ndeploy: {argo-cd: app.yaml}\n";
pub(super) const APPLICATION: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: whatever}
spec:
  project: theirs
  source: {repoURL: https://git.example.com/shop.git, path: deploy, targetRevision: \"${HEAD_SHA}\"}
  destination: {server: https://kubernetes.default.svc, namespace: shop}
";

pub(super) const APP: &str = "version: 1\ndeploy: {manifests: app.yaml}\n";

/// What tells which commit was deployed last.
pub(super) const MANIFESTS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {commit: \"${HEAD_SHA}\", host: \"${HOST}\", address: \"${ADDRESS}\"}
---
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: shop}
spec: {endpoints: [{dnsName: \"${HOST}\", recordType: A, recordTTL: 300, targets: [\"${ADDRESS}\"]}]}
";

/// What has something for each step to do.
pub(super) const WHOLE: &str = "\
version: 1
deploy: {manifests: app.yaml, images: {shop: \"harbor.example.com/shop:at-hand\"}}
health: {url: \"${URL}/healthz\"}
tests: {job: tests.yaml}
";

pub(super) const AT_WORK: &str = "\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: shop}]}
";

pub(super) const OPERATORS: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: caches.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: caches, singular: cache, kind: Cache, listKind: CacheList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: v1
kind: Namespace
metadata: {name: caches}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: caches, namespace: caches}
spec:
  selector: {matchLabels: {app: caches}}
  template:
    metadata: {labels: {app: caches}}
    spec: {containers: [{name: caches, image: harbor.example.com/caches}]}
";

pub(super) const RESOURCES: &str = "\
apiVersion: example.com/v1
kind: Cache
metadata: {name: shop}
";

pub(super) const TESTS: &str = "\
apiVersion: batch/v1
kind: Job
metadata: {name: shop-tests}
spec:
  backoffLimit: 0
  template:
    metadata:
      annotations:
        play.berth.dev/log: |
          -----BEGIN JUNIT-----
          <testsuite name=\"cart\"><testcase name=\"cart adds an item\"/></testsuite>
          -----END JUNIT-----
    spec:
      restartPolicy: Never
      containers: [{name: cypress, image: \"harbor.example.com/shop-tests:${HEAD_SHA}\"}]
";

/// What the first commit alone has.
pub(super) const MORE: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: dropped}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: dropped, namespace: elsewhere}
spec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: elsewhere}
";

/// With the files that they name: those must live as long.
pub(super) fn settings(platform: &str, files: &[(&str, &str)]) -> (Settings, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("platform.yaml", platform)].iter().chain(files) {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let settings = Settings::load(&Sources {
        environment: &Environment::of([("HOME", "/home/ann"), ("VAULT_TOKEN", "hvs.none")]),
        directory: directory.path(),
        platform: Some("platform.yaml".into()),
        config: None,
        base: None,
        trust: Trust::App,
        flags: Flags::default(),
    });
    (settings.unwrap(), directory)
}
