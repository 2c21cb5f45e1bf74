//! The servers, berth's account on them, and runs of berth.

use super::argo_cd::ArgoCd;
use crate::{
    bed::{ROOT, crypto},
    dns::{ZONE, shared},
    harness::{
        cluster_api::{self, documents},
        control_plane::{ControlPlane, connect_as},
        dns::Dns,
        environment::Environment,
        openbao::{self, OpenBao},
        proxy::{self, Proxy},
    },
};
use berth::{
    assemble::{self, Outside},
    clients::{
        child::Surroundings,
        dns,
        github::{self, GitHub},
        kubernetes::Clusters,
        registry::{self, Docker, Registries},
        vault::{self, Access, Auth, Vault},
    },
    clock::Clock,
    domain::{holder::Holder, intent::Occasion, report::Report},
    engine::{Engine, Event, Ids, Pace, Pulls, Retry},
    mask::Mask,
    rehearsal::{
        Server, World,
        gate::Verdict,
        github::{Grant, Opening},
        serve::Served,
    },
    reporters::Reporters,
    settings::{self, Flags, Settings, Sources, Trust},
    steps::{Tools, tests::Shown},
    stores::vault::VaultStore,
};
use futures::future::join_all;
use hyper::{Request, body::Incoming};
use k8s_openapi::ByteString;
use kube::Client;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    future::pending,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;

pub(super) const TOKEN: &str = "ghs_bench";
pub(super) const LABEL: &str = "berth.dev/environment";
const TESTED: [&str; 3] = [
    "-----BEGIN JUNIT-----",
    r#"<testsuite name="cart" tests="1"><testcase name="cart adds an item"/></testsuite>"#,
    "-----END JUNIT-----",
];

/// See the module.
pub(super) struct Bed {
    pub(super) management: &'static ControlPlane,
    /// Of berth's account.
    pub(super) namespace: String,
    /// Where the credentials are that environments get.
    pub(super) credentials: String,
    pub(super) argo_cd: ArgoCd,
    pub(super) vault: &'static OpenBao,
    pub(super) mount: String,
    /// Of the tokens of environments.
    pub(super) role: String,
    auth: Auth,
    pub(super) way: Proxy,
    sent: Arc<Mutex<Vec<(String, String)>>>,
    dns: &'static Dns,
    pub(super) served: Served,
    pub(super) kubeconfig: PathBuf,
    settings: Settings,
    /// The same, but for the app.
    handing_over: Settings,
    directory: TempDir,
    /// Its own, so that no two facts have an environment of one name.
    pub(super) repository: String,
}

/// What is shipped for the management cluster, for an account and under names that no other fact has, for the namespace in
/// which the credentials are that environments get, and for that of an Argo CD.
pub(super) fn shipped(namespace: &str, credentials: &str, argo_cd: &str) -> Vec<Value> {
    let all = [
        include_str!("../../../deploy/kubernetes/capi-k3s.yaml"),
        include_str!("../../../deploy/kubernetes/argo-cd.yaml"),
        include_str!("../../../deploy/kubernetes/admission.yaml"),
    ];
    let text = all.join("\n---\n");
    let mut text = text.replace("namespace: dev\n", &format!("namespace: {credentials}\n"));
    for (own, here) in [
        ("namespace: argocd\n", format!("namespace: {argo_cd}\n")),
        ("request.namespace != 'argocd'", format!("request.namespace != '{argo_cd}'")),
    ] {
        assert!(text.contains(own), "{own} is not shipped any more");
        text = text.replace(own, &here);
    }
    for role in ["-capi-k3s", "-environment"] {
        text = text.replace(&format!("berth{role}"), &format!("{namespace}{role}"));
    }
    for (own, here) in [
        ("kind: Namespace\nmetadata:\n  name: berth\n", "kind: Namespace\nmetadata:\n  name: {}\n"),
        ("namespace: berth\n", "namespace: {}\n"),
        ("Policy\nmetadata:\n  name: berth\n", "Policy\nmetadata:\n  name: {}\n"),
        ("Binding\nmetadata:\n  name: berth\n", "Binding\nmetadata:\n  name: {}\n"),
        ("policyName: berth\n", "policyName: {}\n"),
        ("system:serviceaccount:berth:berth", "system:serviceaccount:{}:berth"),
        ("request.namespace == 'berth'", "request.namespace == '{}'"),
    ] {
        assert!(text.contains(own), "{own} is not shipped any more");
        text = text.replace(own, &here.replace("{}", namespace));
    }
    documents(&text)
}

/// Of what is shipped, the objects of this kind.
pub(super) fn of_kind<'a>(rights: &'a mut [Value], kind: &str) -> impl Iterator<Item = &'a mut Value> {
    rights.iter_mut().filter(move |object| object["kind"] == kind)
}

impl Bed {
    /// With the rights that are shipped, but for what is taken away.
    pub(super) async fn with_rights(narrow: impl FnOnce(&mut Vec<Value>)) -> Self {
        Self::with(narrow, |policy| policy).await
    }

    /// The same for what is shipped for Vault.
    pub(super) async fn with(
        narrow: impl FnOnce(&mut Vec<Value>),
        narrowed: impl FnOnce(String) -> String,
    ) -> Self {
        crypto();
        let (management, vault, dns) = tokio::join!(cluster_api::management(), openbao::shared(), shared());
        let namespace = management.fresh_name("berth");
        let credentials = management.fresh_namespace("dev").await;
        let argo_cd = ArgoCd::of(management).await;
        let mut rights = shipped(&namespace, &credentials, &argo_cd.namespace);
        narrow(&mut rights);
        grant(management, rights);
        let kubeconfig = management.kubeconfig_of(&namespace, "berth").await;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "proxmox-credentials", "namespace": credentials},
            "stringData": {"url": "https://proxmox.example:8006", "token": "ops@pve!capi", "secret": "not-one"},
        });
        management.kubectl(&["create", "-f", "-"], &secret.to_string());

        let (mount, role) = (vault.fresh_mount().await, vault.fresh_name("environments"));
        vault.policy(&mount, &narrowed(policy(&mount, &role))).await;
        let theirs = format!(r#"path "{mount}/data/berth/registry" {{ capabilities = ["read"] }}"#);
        vault.policy(&role, &theirs).await;
        let allows = json!({"allowed_policies": [role], "orphan": true, "token_explicit_max_ttl": "72h"});
        vault.root(Method::POST, &format!("auth/token/roles/{role}"), allows).await;
        let of_app = json!({"data": {"password": "not-one"}});
        vault.root(Method::POST, &format!("{mount}/data/berth/registry"), of_app).await;
        let by = vault.approle(&mount).await;
        let secret_id = vault.secret_id(&by, 0).await.into();
        let auth = Auth::AppRole { path: by.path, role_id: by.role_id, secret_id };
        let sent = Arc::new(Mutex::<Vec<(String, String)>>::default());
        let heard = sent.clone();
        let listen = move |request: &Request<Incoming>| {
            let lists = request.uri().query().is_some_and(|query| query.contains("list=true"));
            let method = if lists { "LIST" } else { request.method().as_str() };
            heard.lock().unwrap().push((method.to_owned(), request.uri().path().to_owned()));
            Verdict::Pass
        };
        let way = Proxy::start(&vault.url, proxy::plain(), listen).await;

        let mut world = World::default();
        let repository = format!("acme/{namespace}");
        world.github.add_repository(&repository).unwrap();
        world.github.add_token(TOKEN, Grant::app("berth", &[repository.as_str()]).may_all());
        let served = Served::start(world).await.unwrap();
        let ca = serde_json::to_string(&ByteString(management.authority.pem().into_bytes())).unwrap();
        let ([settings, handing_over], directory) = configured(&[
            ("CREDENTIALS", &credentials),
            ("ARGO", &argo_cd.namespace),
            ("BOUND", &format!("{namespace}-environment")),
            ("MOUNT", &mount),
            ("ROLE", &role),
            ("CA", &ca),
        ]);
        let bed = Self {
            management,
            namespace,
            credentials,
            argo_cd,
            vault,
            mount,
            role,
            auth,
            way,
            sent,
            dns,
            served,
            kubeconfig,
            settings,
            handing_over,
            directory,
            repository,
        };
        bed.in_force().await;
        bed
    }

    /// From now on apps are handed over to Argo CD.
    pub(super) fn hands_over(&mut self) {
        self.settings.clone_from(&self.handing_over);
    }

    /// As API servers name the account.
    pub(super) fn user(&self) -> String {
        format!("system:serviceaccount:{}:berth", self.namespace)
    }

    /// What was sent to Vault, in its order: method and path.
    pub(super) fn sent_to_vault(&self) -> Vec<(String, String)> {
        self.sent.lock().unwrap().clone()
    }

    /// As the account.
    pub(super) async fn client(&self) -> Client {
        connect_as(&self.kubeconfig, "bench").await
    }

    /// The role lets the account make namespaces, and the policy forbids it this one.
    async fn in_force(&self) {
        let client = self.client().await;
        let nobodys = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nobodys"}});
        self.management
            .eventually("rights in force", async || {
                let request = hyper::Request::post("/api/v1/namespaces?dryRun=All")
                    .header("content-type", "application/json")
                    .body(nobodys.to_string().into_bytes())
                    .unwrap();
                match client.request::<Value>(request).await {
                    Err(kube::Error::Api(status)) => {
                        status.message.contains("carries the label").then_some(())
                    }
                    _ => None,
                }
            })
            .await;
    }

    /// A pull request: its number. Its image is in the registry.
    pub(super) fn open(&self, branch: &str) -> u64 {
        let head: String = branch.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().repeat(20);
        let head = &head[..40];
        let mut world = self.served.lock();
        let number = world.github.open(&self.repository, Opening::new("ada", branch, head)).unwrap();
        let (kind, now) = ("application/vnd.oci.image.manifest.v1+json", world.now());
        world.registry.push("shop", head, kind, json!({"schemaVersion": 2}), now);
        number
    }

    pub(super) fn close(&self, number: u64) {
        self.served.lock().github.close(&self.repository, number, "ada").unwrap();
    }

    /// What it is called.
    pub(super) fn name(&self, number: u64) -> String {
        self.holder(number).name().to_string()
    }

    fn holder(&self, number: u64) -> Holder {
        Holder::PullRequest(format!("{}#{number}", self.repository).parse().unwrap())
    }

    pub(super) fn host(&self, number: u64) -> String {
        self.holder(number).host(self.settings.dns.domain.as_ref().unwrap()).unwrap().to_string()
    }

    /// A cluster for each, and what its tests print.
    pub(super) async fn environments(&self, numbers: &[u64]) -> Vec<Environment> {
        let all = numbers.iter().map(|number| async {
            let namespace = self.name(*number);
            let environment = Environment::of(&namespace, self.management, self.dns, ZONE).await;
            environment.workloads.logs("default", "cypress", &TESTED, &[]).await;
            environment
        });
        join_all(all).await
    }

    /// A process for each of them, all at once, each to its end.
    pub(super) async fn all(&self, numbers: &[u64], occasion: Occasion) -> Vec<Report> {
        join_all(numbers.iter().map(|number| self.run(*number, occasion))).await
    }

    /// One process, to its end.
    pub(super) async fn run(&self, number: u64, occasion: Occasion) -> Report {
        let clock = Clock::system();
        let (began, event) = (clock.now(), Event { holder: self.holder(number), occasion });
        let report = self.engine(number).handle(&event, pending()).await;
        let took = began.duration_until(clock.now());
        println!("{number}: {:?} in {:.1} s", report.outcome, took.as_secs_f64());
        for phase in &report.phases {
            println!("  {:10} {:5.1} s  {}", phase.step.as_str(), phase.seconds, phase.detail);
        }
        report
    }

    fn engine(&self, number: u64) -> Engine {
        let (clock, ids) = (Clock::system(), Ids::random().unwrap());
        let run = ids.to_string();
        let vault = self.vault_client(clock.clone(), &run);
        let github = github::Access {
            address: self.served.url(Server::GitHub),
            credential: github::Credential::Token(TOKEN.into()),
            timeout: github::TIMEOUT,
        };
        let registries =
            Registries::new(Docker::default(), BTreeSet::new(), registry::TIMEOUT, &run).unwrap();
        let registry = self.served.url(Server::Registry).parse().unwrap();
        let outside = Outside {
            store: Arc::new(VaultStore::new(vault.clone(), &self.mount, ROOT)),
            clusters: Arc::new(Clusters::listed(vec![self.kubeconfig.clone()], &run, clock.clone())),
            wishes: Arc::new(Pulls::all(GitHub::new(github, clock.clone(), &run).unwrap())),
            calls: None,
            reporters: Reporters::default(),
            ids,
            pace: Pace::default(),
            retry: Retry::default(),
            job: None,
            tools: Tools {
                kubeconfig: Some(self.directory.path().join(number.to_string()).join("kubeconfig")),
                mask: Mask::default(),
                vault: Some((Arc::new(vault), self.mount.parse().unwrap())),
                dns: Some(Arc::new(self.dns_client())),
                registries: Some(Arc::new(registries.routed("harbor.example.com", registry))),
                surroundings: Surroundings::of(|_| None),
                shown: Shown::Plain(Arc::new(|_| {})),
                // kwok's pods answer nobody.
                rehearsed: Some(self.served.address(Server::App)),
                clock: clock.clone(),
            },
            clock,
        };
        assemble::engine(&self.settings, &self.holder(number), outside).unwrap()
    }

    pub(super) fn vault_client(&self, clock: Clock, run: &str) -> Vault {
        let access = Access {
            address: self.way.url.clone(),
            namespace: None,
            ca: None,
            auth: self.auth.clone(),
            timeout: vault::TIMEOUT,
        };
        Vault::new(access, clock, run).unwrap()
    }

    fn dns_client(&self) -> dns::Dns {
        // DNS tells no ports.
        let port = self.dns.authoritative().port();
        let resolvers = vec![self.dns.resolver().into()];
        dns::Dns::new(resolvers, dns::TIMEOUT).unwrap().routed(Arc::new(move |ip| SocketAddr::new(ip, port)))
    }

    /// Each in its own cluster, none of them half.
    pub(super) async fn stand(&self, numbers: &[u64], environments: &[Environment]) {
        for (number, environment) in numbers.iter().zip(environments) {
            assert_eq!(environment.refused(), Vec::<String>::new());
            let nodes = environment.plane.kubectl(&["get", "nodes", "-o", "name"], "");
            assert_eq!(nodes.lines().count(), 1, "{nodes}");
            let said =
                "jsonpath={.status.availableReplicas} {.spec.template.spec.containers[0].env[0].value}";
            let said = environment.plane.kubectl(&["get", "deployment", "shop", "-o", said], "");
            let (name, host) = (self.name(*number), self.host(*number));
            assert_eq!(said, format!("2 https://{host}"));
            let there = self.left(&[*number], std::slice::from_ref(environment)).await;
            for one in [
                format!("namespace/{name}"),
                format!("cluster.cluster.x-k8s.io/{name}"),
                "secret/proxmox-credentials".to_owned(),
                "node/".to_owned(),
                "ingress.networking.k8s.io/shop".to_owned(),
                format!("the record of {host}"),
                format!("the document {name}/claim"),
                format!("the document {name}/kubeconfig"),
                format!("the document {name}/vault-token"),
                format!("the kubeconfig of {name}"),
            ] {
                assert!(there.iter().any(|found| found.starts_with(&one)), "no {one}: {there:#?}");
            }
        }
    }

    /// Neither in any cluster, nor in the store, nor in DNS.
    pub(super) async fn nothing_is_left(&self, numbers: &[u64], environments: &[Environment]) {
        assert_eq!(self.left(numbers, environments).await, Vec::<String>::new());
        for environment in environments {
            assert_eq!(environment.refused(), Vec::<String>::new());
        }
        self.argo_cd.is_as_it_was(self.management);
    }

    /// All that there is of these: in the management cluster by label, and the namespace with all that carries none; in their
    /// own clusters what is told outside of them; their names; all documents, but for an empty pool.
    pub(super) async fn left(&self, numbers: &[u64], environments: &[Environment]) -> Vec<String> {
        let mut left = Vec::new();
        for environment in environments {
            let sources = ["get", "nodes,ingresses,dnsendpoints.externaldns.k8s.io", "-A", "-o", "name"];
            left.push(environment.plane.kubectl(&sources, ""));
        }
        let kinds = self.management.kubectl(&["api-resources", "--verbs=list,create", "-o", "name"], "");
        let kinds = kinds.split_whitespace().collect::<Vec<_>>().join(",");
        let names: Vec<String> = numbers.iter().map(|number| self.name(*number)).collect();
        let ours = format!("-l={LABEL} in ({})", names.join(","));
        left.push(self.management.kubectl(&["get", &kinds, "-A", &ours, "-o", "name"], ""));
        let all = self.management.kubectl(&["get", "namespaces", "-o", "name"], "");
        let namespace = |line: &&str| names.iter().any(|name| *line == format!("namespace/{name}"));
        left.extend(all.lines().filter(namespace).map(str::to_owned));
        let hosts: Vec<String> = numbers.iter().map(|number| self.host(*number)).collect();
        let records = self.dns.entries().await.into_iter().filter(|record| hosts.contains(&record.name));
        left.extend(records.map(|record| format!("the record of {}", record.name)));
        let documents = self.documents().await.into_iter();
        let documents =
            documents.filter(|(path, document)| path != "ip-allocations" || *document != json!({}));
        left.extend(documents.map(|(path, _)| format!("the document {path}")));
        let merged = format!("{}/data/cluster-secret-store/secrets", self.mount);
        if self.sent_to_vault().iter().any(|(method, path)| method != "GET" && path.ends_with(&merged)) {
            let merged = self.vault.root(Method::GET, &merged, Value::Null).await.to_string();
            let inside = names.iter().filter(|name| merged.contains(name.as_str()));
            left.extend(inside.map(|name| format!("the kubeconfig of {name}")));
        }
        left.iter().flat_map(|lines| lines.lines()).map(str::to_owned).collect()
    }

    /// All that can be read below the root, but for the history, which outlives its environment, what a sweep leaves, and what was measured.
    async fn documents(&self) -> Vec<(String, Value)> {
        let root = format!("{}/metadata/{ROOT}", self.mount);
        let mut folders = vec![String::new()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for key in self.vault.names(&format!("{root}/{folder}")).await {
                let path = format!("{folder}{key}");
                if path.ends_with('/') {
                    folders.push(path);
                    continue;
                }
                let kept = self.vault.root(Method::GET, &format!("{root}/{path}"), Value::Null).await;
                let last = kept["data"]["current_version"].to_string();
                let is_gone = kept["data"]["versions"][&last]["deletion_time"] != "";
                if !is_gone
                    && !path.ends_with("/history")
                    && !["berth/sweep", "berth/measured", "berth/installation"].contains(&&*path)
                {
                    let at = format!("{}/data/{ROOT}/{path}", self.mount);
                    let read = self.vault.root(Method::GET, &at, Value::Null).await;
                    let document = &read["data"]["data"];
                    // Who was killed before it could delete that version has removed it all the same: nothing is in it.
                    if *document != json!({"_gone": true}) {
                        found.push((path, document.clone()));
                    }
                }
            }
        }
        found
    }
}

/// These objects are there as they are here.
pub(super) fn grant(plane: &ControlPlane, rights: Vec<Value>) {
    let all = json!({"apiVersion": "v1", "kind": "List", "items": rights});
    plane.kubectl(&["apply", "-f", "-"], &all.to_string());
}

/// The policy that is shipped, for this mount and this role.
pub(super) fn policy(mount: &str, role: &str) -> String {
    let shipped = include_str!("../../../deploy/vault/berth.hcl");
    let (kv, named) = ("\"kv/", "auth/token/create/berth-environment\"");
    assert!(shipped.contains(kv) && shipped.contains(named));
    shipped.replace(kv, &format!("\"{mount}/")).replace(named, &format!("auth/token/create/{role}\""))
}

/// With each of the app files.
fn configured(here: &[(&str, &String)]) -> ([Settings; 2], TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let filled =
        |text: &str| here.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let platform = filled(include_str!("files/platform.yaml"));
    let operator = filled(include_str!("files/operator.yaml"));
    for (name, text) in [
        ("platform.yaml", platform.as_str()),
        ("berth.yaml", include_str!("files/berth.yaml")),
        ("handed.yaml", include_str!("files/handed.yaml")),
        ("application.yaml", include_str!("files/application.yaml")),
        ("operator.yaml", operator.as_str()),
        ("resources.yaml", include_str!("files/resources.yaml")),
        ("app.yaml", include_str!("files/app.yaml")),
        ("tests.yaml", include_str!("files/tests.yaml")),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let settings = ["berth.yaml", "handed.yaml"].map(|app| {
        let settings = Settings::load(&Sources {
            environment: &settings::Environment::of([("HOME", "/nowhere"), ("VAULT_TOKEN", "hvs.none")]),
            directory: directory.path(),
            platform: Some("platform.yaml".into()),
            config: Some(app.into()),
            base: None,
            trust: Trust::App,
            flags: Flags::default(),
        });
        settings.unwrap()
    });
    (settings, directory)
}
