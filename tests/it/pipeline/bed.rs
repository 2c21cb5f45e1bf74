//! One world, and the processes that run in it.

use super::{
    files::{
        ACCOUNT, APP, APPLICATION, HANDED_OVER, MANIFESTS, OTHERS, PLATFORM, ROLE, ROLE_BINDINGS, settings,
    },
    resting::Resting,
};
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
        report::{Outcome, Report},
    },
    engine::{Engine, Event, Ids, Mode, Pace as Tries, Pulls, Retry, Sweep, Sweeper},
    mask::Mask,
    rehearsal::{
        Server, World,
        example::{Credentials, Given, NUMBER, REPOSITORY},
        github::PullState,
        kv::TokenRole,
        players::{Pace, Record},
        serve::Served,
    },
    reporters::Reporters,
    settings::Settings,
    steps::{Tools, tests::Shown},
    stores::vault::VaultStore,
};
use jiff::SignedDuration;
use serde_json::json;
use std::{
    collections::BTreeSet,
    future::pending,
    path::PathBuf,
    sync::{Arc, MutexGuard},
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

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

pub(super) fn reopen(served: &Served) {
    served.lock().github.reopen(REPOSITORY, NUMBER, "ada").unwrap();
}

pub(super) fn push(served: &Served, commit: char) {
    served.lock().github.push(REPOSITORY, NUMBER, "ada", &sha(commit)).unwrap();
}

pub(super) struct Bed {
    pub(super) served: Served,
    pub(super) clock: Clock,
    settings: Settings,
    /// The runs that have nothing to do until something happens.
    pub(super) resting: Resting,
    /// The world's own runtime: it outlives every process.
    _ground: Runtime,
    kubeconfig: Option<PathBuf>,
    files: TempDir,
    /// How often it has begun anew.
    case: usize,
}

/// What a bed can begin at again: its world, and the text of what is deployed.
pub(super) struct Saved(World, String);

impl Bed {
    pub(super) fn new() -> Self {
        Self::of(APP, MANIFESTS)
    }

    /// With this app file, and this beside it.
    pub(super) fn of(app: &str, manifests: &str) -> Self {
        Self::with("", &[("berth.yaml", app), ("app.yaml", manifests)])
    }

    /// With an account that may touch Secrets only where a role is bound to it, which it may do by itself in environments'
    /// namespaces, and with an app that Argo CD deploys. Nobody asks for names: what leads to them is not played.
    pub(super) fn entitled() -> Self {
        let platform = PLATFORM
            .replace("dns: {domain: preview.example.com}\n", "")
            .replace("capi-k3s\n", &format!("capi-k3s\n    secrets-role: {ROLE}\n"));
        let mut bed = Self::on(&platform, &[("berth.yaml", HANDED_OVER), ("app.yaml", APPLICATION)]);
        let user = json!({"user": {"token": ACCOUNT}, "name": "berth"});
        let cluster = json!({"cluster": {"server": bed.served.url(Server::Kubernetes)}, "name": "world"});
        let context = json!({"context": {"cluster": "world", "user": "berth"}, "name": "world"});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "world",
            "clusters": [cluster], "users": [user], "contexts": [context],
        });
        let path = bed.files.path().join("kubeconfig");
        std::fs::write(&path, config.to_string()).unwrap();
        bed.kubeconfig = Some(path);
        let mut world = bed.world();
        world.kubernetes.add_user(ACCOUNT, "system:serviceaccount:berth:berth");
        world.kubernetes.deny_unless_bound("secrets", ROLE);
        for namespace in ["dev", "argocd"] {
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
                "subjects": [{"kind": "ServiceAccount", "namespace": "berth", "name": "berth"}],
            });
            world.kubernetes.put(ROLE_BINDINGS, namespace, "berth", binding);
        }
        drop(world);
        bed
    }

    /// With this more in the provider's settings, and these files.
    pub(super) fn with(more: &str, files: &[(&str, &str)]) -> Self {
        Self::on(&format!("{PLATFORM}{more}"), files)
    }

    pub(super) fn on(platform: &str, files: &[(&str, &str)]) -> Self {
        let vault = vec!["ephemeral-clusters/pr-shop-42/secrets".to_owned()];
        crypto();
        let images = vec![("shop".to_owned(), "at-hand".to_owned())];
        let given = Given { head: sha('a'), vault, images, ..Given::default() };
        let mut world = World::example(&Credentials::default(), &given).unwrap();
        // The shell tool leaves it like this, too.
        world.vault.put(&format!("{ROOT}/ip-allocations"), serde_json::Map::new());
        let role = TokenRole::default().allowing("preview", Vec::new()).orphans();
        world.vault.add_token_role("berth-environment", role);
        world.vault.put(&format!("{ROOT}/berth/installation"), document(json!({"id": "0a1b2c3d"})));
        // Somebody else's, and so is the rest of the document.
        let others = document(json!({"OTHER": "kept", "PR_KUBECONFIG": OTHERS}));
        world.vault.put("cluster-secret-store/secrets", others);
        let clock = Clock::stepped(world.now());
        let (resting, mut ground) = (Resting::default(), Builder::new_multi_thread());
        ground.worker_threads(1);
        let ground = resting.of("the world", ground);
        let served = ground.block_on(Served::start(world)).unwrap();
        served.play(Pace::AT_ONCE);
        served.gate.invariant(super::invariants::no_address_twice);
        let (settings, files) = settings(platform, files);
        Self { served, clock, settings, kubeconfig: None, resting, _ground: ground, files, case: 0 }
    }

    /// Where an environment stands already.
    pub(super) fn standing() -> Self {
        let bed = Self::new();
        bed.up("earlier");
        bed
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.served.lock()
    }

    /// In the checkout.
    pub(super) fn writes(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).unwrap();
    }

    /// What the checkout deploys.
    fn app(&self) -> PathBuf {
        self.files.path().join("app.yaml")
    }

    pub(super) fn save(&self) -> Saved {
        Saved(self.world().clone(), std::fs::read_to_string(self.app()).unwrap())
    }

    /// At what was saved, with no rule, and with a clock and runs of its own.
    pub(super) fn begin_at(&mut self, Saved(world, app): &Saved) {
        self.case += 1;
        self.clock = Clock::stepped(world.now());
        self.served.begin_at(world.clone());
        self.served.gate.invariant(super::invariants::no_address_twice);
        std::fs::write(self.app(), app).unwrap();
    }

    /// Who has run in a case before is dead.
    fn called(&self, run: &str) -> String {
        if self.case == 0 { run.to_owned() } else { format!("{run}-{}", self.case) }
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
        reopen(&self.served);
    }

    /// The document is there no more, as after a removal.
    pub(super) fn forget(&self, document: &str) {
        let path = format!("{ROOT}/{document}");
        self.world().vault.put(&path, crate::bed::document(json!({"_gone": true})));
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

    /// What berth keeps of it.
    pub(super) fn claim(&self) -> Claim {
        let path = format!("{ROOT}/{}/claim", holder().name());
        let document = self.world().vault.document(&path).cloned().unwrap();
        serde_json::from_value(document.into()).unwrap()
    }

    /// Whether this binary can remove what was made so.
    pub(super) fn knows_provider(&self, removal: &Removal) -> bool {
        let runtime = self.resting.process("asks");
        runtime.block_on(async { self.engine("asks").providers.of(removal).await.is_ok() })
    }

    /// As somebody else's external-dns does.
    pub(super) fn publish(&self, name: &str, address: &str) {
        self.world().zone.publish(record(name, address));
    }

    pub(super) fn withdraw(&self, name: &str) {
        self.world().zone.withdraw(&record(name, ""));
    }

    /// The commit that is deployed, or that Argo CD is to deploy.
    pub(super) fn deployed(&self) -> Option<String> {
        let world = self.world();
        let application = world.kubernetes.get("applications.argoproj.io", "argocd", "shop-42");
        let handed_over = application.map(|application| &application["spec"]["source"]["targetRevision"]);
        let config = world.environment.get("configmaps", "default", "shop");
        let commit = handed_over.or(config.map(|config| &config["data"]["commit"]))?;
        commit.as_str().map(str::to_owned)
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

    /// The same for one that ends well.
    #[track_caller]
    pub(super) fn up(&self, run: &str) -> Report {
        let report = self.run(run, Occasion::Event).unwrap();
        assert_eq!(report.outcome, Some(Outcome::Ready), "{report:#?}\n{}", self.log());
        report
    }

    /// As [`Self::run`], for what is overtaken by another: where nothing happens any more, some time passes. It wakes those who ask
    /// what cannot be watched, and who looks after the fence; what waits for a change, it does not.
    pub(super) fn run_beside(&self, run: &str, occasion: Occasion) -> Option<Report> {
        self.process(run, occasion, 20)
    }

    fn process(&self, run: &str, occasion: Occasion, times: usize) -> Option<Report> {
        let run = &self.called(run);
        let runtime = self.resting.process(run);
        let report = runtime.block_on(async {
            let engine = self.engine(run);
            let event = Event { holder: holder(), occasion };
            let time = self.resting.pass(&self.served, &self.clock, times);
            tokio::select! {
                report = engine.handle(&event, pending()) => Some(report),
                () = self.served.gate.death(run) => None,
                () = time => panic!("{run}: a wait that nothing wakes:\n{}", self.log()),
            }
        });
        self.resting.ended(run);
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
        assemble::engine(&self.settings, &holder(), self.outside(run)).unwrap()
    }

    /// A sweep, to its end.
    pub(super) fn sweep(&self, run: &str, mode: Mode) -> anyhow::Result<Sweep> {
        self.sweeps(run, mode, |_| {})
    }

    /// With this changed of it.
    pub(super) fn sweeps(
        &self,
        run: &str,
        mode: Mode,
        change: impl FnOnce(&mut Sweeper),
    ) -> anyhow::Result<Sweep> {
        let run = &self.called(run);
        let runtime = self.resting.process(run);
        let swept = runtime.block_on(async {
            let mut sweeper = assemble::sweeping(&self.settings, self.outside(run)).unwrap();
            change(&mut sweeper);
            let time = self.resting.pass(&self.served, &self.clock, 20);
            tokio::select! {
                swept = sweeper.sweep(mode, pending()) => swept,
                () = self.served.gate.death(run) => Err(anyhow::anyhow!("killed")),
                () = time => panic!("{run}: a wait that nothing wakes:\n{}", self.log()),
            }
        });
        self.resting.ended(run);
        runtime.shutdown_background();
        swept
    }

    fn outside(&self, run: &str) -> Outside {
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
            credential: github::Credential::Token(Credentials::default().github.into()),
            timeout: TIMEOUT,
        };
        let github = GitHub::new(github, clock.clone(), run).unwrap();
        let clusters = match &self.kubeconfig {
            Some(file) => Clusters::listed(vec![file.clone()], run, clock.clone()),
            None => Clusters::at(self.served.url(Server::Kubernetes), run, clock.clone()),
        };
        Outside {
            store: Arc::new(VaultStore::new(vault.clone(), MOUNT, ROOT)),
            clusters: Arc::new(clusters),
            wishes: Arc::new(Pulls::all(github)),
            calls: None,
            reporters: Reporters::default(),
            clock,
            ids: Ids::of(run).unwrap().asking(),
            pace: Tries { first: Duration::ZERO, most: Duration::ZERO, tries: 1000 },
            retry: Retry { first: Duration::from_secs(1), most: Duration::from_secs(1), ..Retry::default() },
            job: None,
            tools: Tools {
                kubeconfig: None,
                mask: Mask::default(),
                vault: Some((Arc::new(vault), MOUNT.parse().unwrap())),
                dns: Some(Arc::new(self.dns())),
                registries: Some(Arc::new(self.registries(run))),
                surroundings: Surroundings::of(|_| None),
                shown: Shown::Plain(Arc::new(|_| {})),
                rehearsed: Some(self.served.address(Server::App)),
                clock: self.clock.clone(),
            },
        }
    }
}

fn record(name: &str, address: &str) -> Record {
    let (name, kind, owner) = (name.to_owned(), "A".to_owned(), String::new());
    Record { name, kind, targets: vec![address.to_owned()], ttl: 300, owner, resource: String::new() }
}
