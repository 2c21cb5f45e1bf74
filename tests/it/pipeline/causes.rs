//! Why an environment is not ready, from its opening to the line that its author reads: every cause once at least.

use super::{bed::Bed, files::MANIFESTS};
use crate::{
    bed::{ROOT, document},
    terminal::Paper,
};
use berth::{
    domain::{diagnosis::causes, intent::Occasion},
    rehearsal::{Server, gate::Verdict, players::saboteur::Saboteur},
    reporters::{
        Reporter as _, markdown,
        terminal::{Look, Terminal},
    },
};
use regex::Regex;
use serde_json::json;
use std::collections::BTreeSet;
use tokio::runtime::Builder;

/// What is wrong, and where.
struct Case {
    /// In the platform's provider.
    provider: &'static str,
    files: Vec<(&'static str, String)>,
    world: fn(&Bed),
}

const APP: &str = "\
version: 1
deploy: {manifests: app.yaml, image-wait: 1m}
timeouts: {deploy: 2m, dns: 2m}
";

impl Case {
    fn of(manifests: impl Into<String>) -> Self {
        let files = vec![("berth.yaml", APP.to_owned()), ("app.yaml", manifests.into())];
        Self { provider: "", files, world: |_| {} }
    }

    fn platform(self, provider: &'static str) -> Self {
        Self { provider, ..self }
    }

    fn file(mut self, name: &'static str, text: &str) -> Self {
        self.files.retain(|(known, _)| *known != name);
        self.files.push((name, text.to_owned()));
        self
    }

    fn impatient_of(self, step: &str) -> Self {
        self.file("berth.yaml", &APP.replace("dns: 2m", &format!("{step}: 2m")))
    }

    fn world(self, world: fn(&Bed)) -> Self {
        Self { world, ..self }
    }

    /// The cause, and what the comment says of it.
    fn told(&self) -> (&'static str, String) {
        let files: Vec<(&str, &str)> = self.files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let bed = Bed::with(self.provider, &files);
        (self.world)(&bed);
        let report = bed.run_beside("one", Occasion::Event).unwrap();
        assert_eq!(bed.served.gate.broken(), None);
        let cause = report.diagnosis.as_ref().map_or("none", |found| found.cause);
        let comment = markdown::body(&report, bed.clock.now(), &markdown::Beside::default());
        let lines: Vec<&str> = comment.lines().filter(|line| !line.is_empty()).skip(1).take(2).collect();
        (cause, plain(&lines.join("\n")))
    }
}

/// Without what servers name at random, and what time they take.
fn plain(text: &str) -> String {
    let made = Regex::new(r"(shop|cp|migrate)-[a-z0-9]{5,10}(-[a-z0-9]{5})?\b").unwrap();
    let text = made.replace_all(text, "$1-*");
    // As often as there was time for.
    let text =
        Regex::new("restarted [0-9]+ times").unwrap().replace_all(&text, "restarted # times").into_owned();
    Regex::new(r"127\.0\.0\.1:[0-9]+").unwrap().replace_all(&text, "#").into_owned()
}

/// The app, of whose pods this becomes.
fn shop(annotations: &str, pod: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}, annotations: {{{annotations}}}}}
    spec:
      containers: [{{name: app, image: \"harbor.example.com/shop:pr-42\"}}]
{pod}"
    )
}

fn plays(word: &str) -> Case {
    Case::of(shop(&format!("play.berth.dev/play: {word}"), ""))
}

fn webhook(asked: &str) -> String {
    format!(
        "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: policies}}
webhooks:
  - name: policies.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {{service: {{name: policies, namespace: default}}}}
    rules: [{{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [{asked}]}}]
"
    )
}

const CHOOSY: &str = "      nodeSelector: {disk: none-has-it}\n";
const STORED: &str = "      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}
";
const CONFIGURED: &str = "      volumes: [{name: settings, secret: {secretName: shop-settings}}]\n";
const CERTIFIED: &str = "\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: corporate}
spec: {ca: {secretName: corporate-ca}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: shop}
spec: {secretName: shop-tls, dnsNames: [\"${HOST}\"], issuerRef: {name: corporate}}
";
const MIGRATED: &str = "\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {play.berth.dev/play: fail, play.berth.dev/exit-code: \"3\"}}
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: \"harbor.example.com/shop:pr-42\"}]
";
const CHART: &str = "\
apiVersion: helm.cattle.io/v1
kind: HelmChart
metadata: {name: shop, namespace: kube-system, annotations: {play.berth.dev/play: fail}}
spec: {chart: shop, repo: \"https://charts.example.com\", targetNamespace: default}
";
const WIDGET: &str = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: shop}\n";

fn cases() -> Vec<Case> {
    vec![
        plays("image-pull-back-off"),
        // Nobody has pushed it, and berth waits for that before it applies anything.
        Case::of(shop("", "").replace("harbor.example.com/shop:pr-42", "shop")).file("berth.yaml", &APP.replace(
            "app.yaml,",
            "app.yaml, images: {shop: \"harbor.example.com/shop:pr-42\"},",
        )),
        plays("image-refused"),
        plays("registry-down"),
        plays("out-of-memory"),
        plays("crash-loop"),
        Case::of(shop("", CONFIGURED)),
        plays("no-requests"),
        plays("quota"),
        plays("too-small"),
        plays("webhook-down"),
        // Of what berth applies itself: the API server does not do it, and that is no verdict on the environment.
        Case::of(shop("", ""))
            .platform("    resources: [{manifests: hook.yaml}]\n")
            .file("hook.yaml", &webhook("deployments")),
        plays("not-permitted"),
        Case::of(shop("", STORED)),
        Case::of(shop("", CHOOSY)),
        Case::of(MANIFESTS).impatient_of("cluster").world(|bed| bed.world().begin_with(Saboteur::Nodes)),
        Case::of(MANIFESTS).world(|bed| bed.world().fail("dns")),
        Case::of(MANIFESTS).world(|bed| bed.publish("pr-42-shop.preview.example.com", "192.168.1.77")),
        Case::of(CERTIFIED).platform("    operators: [{chart: cert-manager}]\n"),
        Case::of(shop("", ""))
            .file("berth.yaml", &APP.replace("app.yaml,", "app.yaml, after: [migrate.yaml],"))
            .file("migrate.yaml", MIGRATED),
        Case::of(CHART),
        plays("never-ready"),
        Case::of(MANIFESTS)
            .platform("    operators: [{manifests: operator.yaml}]\n")
            .file("operator.yaml", &webhook("deployments")),
        Case::of(MANIFESTS).platform("    machine: {vm-ids: 401-405}\n").impatient_of("cluster").world(|bed| {
            for id in 401..=405 {
                let machine = json!({
                    "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "ProxmoxMachine",
                    "metadata": {"name": id.to_string(), "namespace": "default"}, "spec": {"virtualMachineID": id},
                });
                let resource = "proxmoxmachines.infrastructure.cluster.x-k8s.io";
                bed.world().kubernetes.put(resource, "default", &id.to_string(), machine);
            }
        }),
        Case::of(shop("play.berth.dev/delay: 1h", "").replace("spec:\n  sel", "spec:\n  progressDeadlineSeconds: 50\n  sel")),
        Case::of(WIDGET),
    ]
}

#[test]
fn every_cause_is_named_in_one_line_by_a_whole_run() {
    let cases = cases();
    // Two at a time: each runs in a world of its own.
    let (some, others) = cases.split_at(cases.len() / 2);
    let told = |cases: &[Case]| cases.iter().map(Case::told).collect::<Vec<_>>();
    let told = std::thread::scope(|scope| {
        let others = scope.spawn(|| told(others));
        [told(some), others.join().unwrap()].concat()
    });
    let produced: BTreeSet<&str> = told.iter().map(|(cause, _)| *cause).collect();
    assert_eq!(produced, causes().collect::<BTreeSet<_>>());
    let lines: Vec<&str> = told.iter().map(|(_, lines)| lines.as_str()).collect();
    insta::assert_snapshot!(lines.join("\n\n"), @r#"
    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: image not found.** `pod default/shop-*`: `harbor.example.com/shop:pr-42: not found`; look at the job that builds it, and at its name and tag in `deploy`.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: image not found.** `harbor.example.com/shop:pr-42`: `its registry answers 404`; look at the job that builds it, and at its name and tag in `deploy`.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: image refused.** `pod default/shop-*`: `harbor.example.com/shop:pr-42: failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://harbor.example.com/service/token: 401 Unauthorized`; put the registry's credentials under `secrets` and name them in `imagePullSecrets`, or make the image readable.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: image cannot be pulled.** `pod default/shop-*`: `harbor.example.com/shop:pr-42: failed to do request: Head "https://harbor.example.com/v2/": dial tcp: i/o timeout`; look whether the registry answers the cluster's nodes.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: out of memory.** `pod default/shop-*`: `container app ended with exit code 137 (OOMKilled), restarted # times`; raise the container's memory limit.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: container crashes.** `pod default/shop-*`: `container app ended with exit code 1, restarted # times`; read its last log lines.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: configuration missing.** `pod default/shop-*`: `MountVolume.SetUp failed for volume "settings" : secret "shop-*" not found`; make what it names part of `deploy`, or list it under `secrets`.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: requests missing.** `replicaset default/shop-*`: `pods "shop-*" is forbidden: failed quota: compute: must specify requests.cpu for: app`; give each container the `resources` that it names: the namespace's quota counts them.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: quota exceeded.** `replicaset default/shop-*`: `pods "shop-*" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10`; ask for less, or for a larger quota of the provider.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: requests too small.** `replicaset default/shop-*`: `pods "shop-*" is forbidden: minimum cpu usage per Container is 100m, but request is 50m`; ask for as much as it names: the namespace's LimitRange takes no less.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: webhook in the way.** `replicaset default/shop-*`: `failed calling webhook "pods.play.berth.dev": Post "https://webhook.berth-play.svc:443/mutate?timeout=10s": no endpoints available for service "webhook"`; look whether the operator behind it runs and answers.

    ### ❔ Unknown during `deploy`: something could not be read or reached
    **Likely cause: webhook in the way.** `deployment default/shop`: `failed calling webhook "policies.example.com": Post "https://policies.default.svc:443?timeout=10s": service "policies" not found`; look whether the operator behind it runs and answers.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: not permitted.** `replicaset default/shop-*`: `pods "shop-*" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false)`; change what it names, or the policy that forbids it.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: volume pending.** `persistentvolumeclaim default/data`: `storageclass.storage.k8s.io "fast" not found`; look whether the claim's storage class exists and its provisioner runs.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: unschedulable.** `pod default/shop-*`: `0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.`; ask for what its nodes have, or give the cluster more or larger ones.

    ### ❌ Not ready: `cluster` gave up after 2 m
    **Likely cause: node not ready.** `node pr-shop-42-cp-*`: `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized`; look at the machine behind it, and at the log of its k3s.

    ### ❌ Not ready: `dns` gave up after 2 m
    **Likely cause: name does not lead here.** `dns`: `ns.preview.example.com (127.0.0.1) says that there is no pr-42-shop.preview.example.com (NXDOMAIN)`; look at external-dns and its log, at the Ingress or DNSEndpoint that asks for the name, and for older records.

    ### ❌ Not ready: `dns` gave up after 2 m
    **Likely cause: name does not lead here.** `dns`: `ns.preview.example.com (127.0.0.1) says 192.168.1.77 for pr-42-shop.preview.example.com, not 192.168.1.140, 192.168.1.141`; look at external-dns and its log, at the Ingress or DNSEndpoint that asks for the name, and for older records.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: certificate not issued.** `issuer default/corporate`: `Error getting keypair for CA issuer: secrets "corporate-ca" not found`; look at its issuer, and whether the name resolves for it.

    ### ❌ Not ready: `deploy` failed
    **Likely cause: job failed.** `job default/migrate-*`: `Job has reached the specified backoff limit; pod default/migrate-*: container migrate ended with exit code 3`; read its last log lines.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: job keeps failing.** `job kube-system/helm-install-shop`: `pod kube-system/helm-install-shop-*: container helm ended with exit code 1, restarted # times`; read its last log lines.

    ### ❌ Not ready: `deploy` gave up after 3 m
    **Likely cause: probe fails.** `pod default/shop-*`: `container app: Readiness probe failed: HTTP probe failed with statuscode: 503`; look at what the probe asks, and at the log.

    ### ❌ Not ready: `operators` gave up after 5 m
    **Likely cause: webhook does not answer.** `webhook policies.example.com`: `it has no certificate, or nobody who answers`; look at the log of the operator behind it.

    ### ❌ Not ready: `cluster` gave up after 2 m
    **Likely cause: machine not ready.** `proxmoxmachine pr-shop-42/pr-shop-42-cp-*`: `no free vmid in the range 401-405`; look at the infrastructure provider: its log in the management cluster, and the machine itself.

    ### ❌ Not ready: `deploy` failed
    **Likely cause: rollout stuck.** `deployment default/shop`: `ReplicaSet "shop-*" has timed out progressing.`; look at its pods; if they are only slow, raise `progressDeadlineSeconds`.

    ### ❌ Not ready: `deploy` failed
    **Likely cause: kind not served.** `widget shop`: `the API server has no Widget of example.com/v1`; list the operator that brings it under `operators`, or correct its apiVersion and kind.
    "#);
}

#[test]
fn what_a_container_that_crashes_said_last_is_told() {
    let said = "play.berth.dev/play: crash-loop, play.berth.dev/log: \"panic: no database at db:5432\"";
    let files = [("berth.yaml", APP), ("app.yaml", &shop(said, ""))];
    let report = Bed::with("", &files).run_beside("one", Occasion::Event).unwrap();
    let evidence = plain(&report.evidence.unwrap());
    let end = "pod default/shop-* container app, the end of its log:\n  panic: no database at db:5432";
    assert!(evidence.ends_with(end), "{evidence}");
}

#[test]
fn a_log_that_never_comes_costs_nobody_the_line() {
    let files = [("berth.yaml", APP), ("app.yaml", &shop("play.berth.dev/play: crash-loop", ""))];
    let bed = Bed::with("", &files);
    bed.served.gate.rule(|request| match request.path.last().is_some_and(|last| last == "log") {
        true => Verdict::Hang,
        false => Verdict::Pass,
    });
    let report = bed.run_beside("one", Occasion::Event).unwrap();
    assert_eq!(report.diagnosis.unwrap().cause, "container crashes");
    assert!(!report.evidence.unwrap().contains("the end of its log"));
}

/// What `deploy` looks at is answered by 503 in the last minute that it has.
fn last_requests_fail(bed: &Bed) {
    let clock = bed.clock.clone();
    let mut begun = None;
    bed.served.gate.rule(move |request| {
        if request.server != Server::Environment {
            return Verdict::Pass;
        }
        let path = request.path.join("/");
        let begun = *begun.get_or_insert_with(|| clock.now());
        let late = clock.now().duration_since(begun).as_secs();
        match path.ends_with("deployments") && (120..180).contains(&late) {
            true => Verdict::json(503, &json!({"kind": "Status", "code": 503, "message": "try again"})),
            false => Verdict::Pass,
        }
    });
}

#[test]
fn one_unlucky_request_at_the_end_of_its_patience_hides_no_cause() {
    let crashes = shop("play.berth.dev/play: crash-loop", "");
    // Whose end, shortly before that of the patience, is what `deploy` is woken by.
    let slow = shop("play.berth.dev/delay: 150s", "").replace(": shop}", ": slow}");
    let case = Case::of(format!("{crashes}---\n{slow}")).world(last_requests_fail);
    let (cause, lines) = case.told();
    assert!(lines.starts_with("### ❔ Unknown during `deploy`"), "the last request failed: {lines}");
    assert_eq!(cause, "container crashes", "{lines}");
}

#[test]
fn what_vault_keeps_secret_is_in_no_comment_on_no_terminal_and_in_no_json() {
    const CANARY: &str = "canary-7f3a9c";
    let says = format!(
        "play.berth.dev/play: crash-loop, play.berth.dev/log: \"no answer of postgres://shop:{CANARY}@db\""
    );
    let bed = Bed::with("", &[("berth.yaml", APP), ("app.yaml", &shop(&says, ""))]);
    let path = format!("{ROOT}/pr-shop-42/secrets");
    bed.world().vault.put(&path, document(json!({"password": CANARY, "user": "shop"})));
    let report = bed.run_beside("one", Occasion::Event).unwrap();
    let evidence = report.evidence.clone().unwrap();
    assert!(evidence.contains("no answer of postgres://shop:***@db"), "{evidence}");
    let comment = markdown::body(&report, bed.clock.now(), &markdown::Beside::default());
    assert!(comment.contains("postgres://shop:***@db"), "{comment}");
    let json = serde_json::to_string(&report).unwrap();
    let (paper, look) = (Paper::default(), Look::Lines { groups: false });
    let terminal = Terminal::new(Box::new(paper.clone()), look, "", bed.clock.clone());
    Builder::new_current_thread().build().unwrap().block_on(terminal.show(&report)).unwrap();
    let printed = paper.take();
    assert!(printed.contains("postgres://shop:***@db"), "{printed}");
    for shown in [comment, json, printed, format!("{report:?}")] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}
