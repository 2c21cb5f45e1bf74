//! One world, and the processes that run in it.

use crate::bed::{MOUNT, ROOT, crypto, document};
use berth::{
    assemble::{self, Outside},
    clients::{
        child::Surroundings,
        dns::Dns,
        github::{self, GitHub},
        kubernetes::Clusters,
        registry::{self, Docker, Registries},
        vault::{Access, Auth, TIMEOUT, Vault},
    },
    clock::Clock,
    domain::{
        claim::{Claim, ProviderKind, Removal},
        holder::Holder,
        intent::Occasion,
        name_server::NameServer,
        report::Report,
    },
    engine::{Engine, Event, Ids, Pace as Tries, Pulls, Retry},
    rehearsal::{
        Server, World,
        example::{Credentials, Given, NUMBER, REPOSITORY},
        github::PullState,
        kv::TokenRole,
        players::{Pace, Record},
        serve::Served,
    },
    reporters::Reporters,
    settings::{Environment, Flags, Settings, Sources, Trust},
    steps::{Tools, tests::Shown},
    stores::vault::VaultStore,
};
use jiff::SignedDuration;
use serde_json::json;
use std::{
    collections::BTreeSet,
    future::pending,
    sync::{Arc, MutexGuard, OnceLock},
    time::Duration,
};
use tempfile::TempDir;

/// The world's own runtime: it outlives every process.
fn ground() -> &'static tokio::runtime::Runtime {
    static GROUND: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    GROUND.get_or_init(|| {
        crypto();
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

pub(super) fn sha(of: char) -> String {
    of.to_string().repeat(40)
}

pub(super) fn holder() -> Holder {
    Holder::PullRequest(format!("{REPOSITORY}#{NUMBER}").parse().unwrap())
}

/// The pull request is closed, if it is not.
pub(super) fn close(served: &Served) {
    let mut world = served.lock();
    let is_open = world.github.repository(REPOSITORY).unwrap().pull(NUMBER).unwrap().state == PullState::Open;
    if is_open {
        world.github.close(REPOSITORY, NUMBER, "ada").unwrap();
    }
}

pub(super) fn push(served: &Served, commit: char) {
    served.lock().github.push(REPOSITORY, NUMBER, "ada", &sha(commit)).unwrap();
}

pub(super) struct Bed {
    pub(super) served: Served,
    pub(super) clock: Clock,
    settings: Settings,
    _files: TempDir,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self::of(APP, MANIFESTS)
    }

    /// With this app file, and this beside it.
    pub(super) fn of(app: &str, manifests: &str) -> Self {
        Self::with("", &[("berth.yaml", app), ("app.yaml", manifests)])
    }

    /// With this more in the provider's settings, and these files.
    pub(super) fn with(more: &str, files: &[(&str, &str)]) -> Self {
        let vault = vec!["ephemeral-clusters/pr-shop-42/secrets".to_owned()];
        let given = Given { head: sha('a'), vault, ..Given::default() };
        let world = World::example(&Credentials::default(), &given).unwrap();
        let clock = Clock::stepped(world.now());
        let served = ground().block_on(Served::start(world)).unwrap();
        served.play(Pace::AT_ONCE);
        // The shell tool leaves it like this, too.
        served.lock().vault.put(&format!("{ROOT}/ip-allocations"), serde_json::Map::new());
        let role = TokenRole::default().allowing("preview", Vec::new()).orphans();
        served.lock().vault.add_token_role("berth-environment", role);
        // Somebody else's, and so is the rest of the document.
        served
            .lock()
            .vault
            .put("cluster-secret-store/secrets", document(json!({"OTHER": "kept", "PR_KUBECONFIG": OTHERS})));
        served.gate.invariant(super::invariants::no_address_twice);
        let (settings, _files) = settings(more, files);
        Self { served, clock, settings, _files }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.served.lock()
    }

    pub(super) fn pass(&self, seconds: u32) {
        self.world().pass(seconds);
        self.clock.advance(SignedDuration::from_secs(seconds.into()));
    }

    pub(super) fn log(&self) -> String {
        self.served.gate.log().join("\n")
    }

    pub(super) fn close(&self) {
        close(&self.served);
    }

    pub(super) fn push(&self, commit: char) {
        push(&self.served, commit);
    }

    /// No player was refused anything, and no invariant broke.
    pub(super) fn unbroken(&self) {
        assert_eq!(self.served.gate.broken(), None);
        assert_eq!(self.world().refused(), Vec::<String>::new());
    }

    /// All that there is, but for what tells one run from another.
    pub(super) fn canonical(&self) -> String {
        super::canonical::of(&self.world())
    }

    pub(super) fn reopen(&self) {
        self.world().github.reopen(REPOSITORY, NUMBER, "ada").unwrap();
    }

    /// What was provisioned, each by its uid.
    pub(super) fn machines(&self) -> Vec<String> {
        let world = self.world();
        let all = world.kubernetes.all("machines.cluster.x-k8s.io");
        all.map(|(_, name, machine)| format!("{name} {}", machine["metadata"]["uid"])).collect()
    }

    /// The environment of another pull request, by its claim alone.
    pub(super) fn claimed_by(&self, pull: &str, host: &str) {
        let holder = Holder::PullRequest(pull.parse().unwrap());
        let removal = Removal {
            provider: ProviderKind::CapiK3s,
            context: None,
            objects: vec![],
            elsewhere: vec![],
            hosts: vec![host.parse().unwrap()],
        };
        let ids = ("uid-other".parse().unwrap(), "run-other".parse().unwrap());
        let claim =
            Claim::first(holder.clone(), ids, None, removal, self.clock.now(), SignedDuration::from_hours(9));
        let path = format!("{ROOT}/{}/claim", holder.name());
        self.world().vault.put(&path, document(serde_json::to_value(&claim).unwrap()));
    }

    /// As somebody else's external-dns does.
    pub(super) fn publish(&self, name: &str, address: &str) {
        self.world().zone.publish(record(name, address));
    }

    pub(super) fn withdraw(&self, name: &str) {
        self.world().zone.withdraw(&record(name, ""));
    }

    /// The commit that is deployed.
    pub(super) fn deployed(&self) -> Option<String> {
        let world = self.world();
        let config = world.environment.get("configmaps", "default", "shop")?;
        config["data"]["commit"].as_str().map(str::to_owned)
    }

    /// Closed, removed, cooled and freed, by as many processes as that takes.
    pub(super) fn end(&self) {
        self.close();
        self.run_beside("end", Occasion::Event);
        self.pass(601);
        self.run_beside("freed", Occasion::Sweep);
    }

    /// One process, to its end; `None`: it was killed. Time stands still: whatever waits is woken by a change, or never.
    pub(super) fn run(&self, run: &str, occasion: Occasion) -> Option<Report> {
        self.process(run, occasion, 0)
    }

    /// The same, for what is overtaken by another: where nothing happens any more, some time passes. It wakes those who ask
    /// what cannot be watched, and who looks after the fence; what waits for a change, it does not.
    pub(super) fn run_beside(&self, run: &str, occasion: Occasion) -> Option<Report> {
        self.process(run, occasion, 20)
    }

    fn process(&self, run: &str, occasion: Occasion, times: usize) -> Option<Report> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(async {
            let (engine, machine) = (self.engine(run), Clock::system());
            let event = Event { holder: holder(), occasion };
            let time = async {
                // So often in a row: as long as somebody is at it, nobody is stuck.
                let mut idle = 0;
                while idle < times {
                    let before = self.served.gate.log().len();
                    machine.pass(Duration::from_millis(80)).await;
                    idle = if before == self.served.gate.log().len() { idle + 1 } else { 0 };
                    if idle > 0 {
                        self.pass(21);
                    }
                }
                machine.pass(Duration::from_secs(20)).await;
            };
            tokio::select! {
                report = engine.handle(&event, pending()) => Some(report),
                () = self.served.gate.death(run) => None,
                () = time => panic!("{run}: a wait that nothing wakes:\n{}", self.log()),
            }
        });
        runtime.shutdown_background();
        report
    }

    fn dns(&self) -> Dns {
        let authority = self.served.address(Server::Dns);
        let resolver = NameServer::from(self.served.address(Server::Resolver));
        Dns::new(vec![resolver], TIMEOUT).unwrap().routed(Arc::new(move |_| authority))
    }

    fn registries(&self, run: &str) -> Registries {
        let all = Registries::new(Docker::default(), BTreeSet::new(), registry::TIMEOUT, run).unwrap();
        all.routed("harbor.example.com", self.served.url(Server::Registry).parse().unwrap())
    }

    fn engine(&self, run: &str) -> Engine {
        let clock = self.clock.clone();
        let access = Access {
            address: self.served.url(Server::Vault),
            namespace: None,
            ca: None,
            auth: Auth::Token(Credentials::default().vault.into()),
            timeout: TIMEOUT,
        };
        let vault = Vault::new(access, clock.clone(), run).unwrap();
        let github = github::Access {
            address: self.served.url(Server::GitHub),
            token: Credentials::default().github.into(),
            timeout: TIMEOUT,
        };
        let github = GitHub::new(github, clock.clone(), run).unwrap();
        let outside = Outside {
            store: Arc::new(VaultStore::new(vault.clone(), MOUNT, ROOT)),
            clusters: Arc::new(Clusters::at(self.served.url(Server::Kubernetes), run, clock.clone())),
            wishes: Arc::new(Pulls(github)),
            reporters: Reporters::default(),
            clock,
            ids: Ids::of(run).unwrap(),
            pace: Tries { first: Duration::ZERO, most: Duration::ZERO, tries: 1000 },
            retry: Retry { first: Duration::from_secs(1), most: Duration::from_secs(1), ..Retry::default() },
            tools: Tools {
                kubeconfig: None,
                mask: |_| {},
                vault: Some((Arc::new(vault), MOUNT.parse().unwrap())),
                dns: Some(Arc::new(self.dns())),
                registries: Some(Arc::new(self.registries(run))),
                surroundings: Surroundings::of(|_| None),
                shown: Shown::Plain(Arc::new(|_| {})),
                rehearsed: None,
                clock: self.clock.clone(),
            },
        };
        assemble::engine(&self.settings, &holder(), outside).unwrap()
    }
}

fn record(name: &str, address: &str) -> Record {
    let (name, kind, owner) = (name.to_owned(), "A".to_owned(), String::new());
    Record { name, kind, targets: vec![address.to_owned()], ttl: 300, owner, resource: String::new() }
}

const OTHERS: &str = "apiVersion: v1\nclusters:\n- cluster:\n    server: https://192.168.1.148:6443\n  name: pr-old-9\ncontexts:\n- context:\n    cluster: pr-old-9\n    user: pr-old-9\n  name: pr-old-9\ncurrent-context: pr-old-9\nkind: Config\nusers:\n- name: pr-old-9\n  user:\n    token: theirs\n";

const PLATFORM: &str = "\
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

const APP: &str = "version: 1\ndeploy: {manifests: app.yaml}\n";

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

/// With the files that they name: those must live as long.
fn settings(more: &str, files: &[(&str, &str)]) -> (Settings, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let platform = format!("{PLATFORM}{more}");
    for (name, text) in [("platform.yaml", platform.as_str())].iter().chain(files) {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let settings = Settings::load(&Sources {
        environment: &Environment::of([("HOME", "/home/ann"), ("VAULT_TOKEN", "hvs.none")]),
        directory: directory.path(),
        platform: Some("platform.yaml".into()),
        config: None,
        trust: Trust::App,
        flags: Flags::default(),
    });
    (settings.unwrap(), directory)
}
