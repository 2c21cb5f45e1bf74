//! One world, and the processes that run in it.

use crate::bed::{ROOT, crypto};
use anyhow::Result;
use async_trait::async_trait;
use berth::{
    assemble::{self, Clusters, Outside},
    clock::Clock,
    domain::{
        holder::Holder,
        intent::{Occasion, Wanted},
        report::Report,
    },
    engine::{Asked, Engine, Event, Ids, Pace as Tries, Retry, Wishes},
    rehearsal::{
        Server, World,
        example::{Credentials, NUMBER, REPOSITORY},
        github::PullState,
        players::Pace,
        serve::Served,
    },
    reporters::Reporters,
    settings::{Environment, Flags, Settings, Sources, Trust},
    steps::Tools,
    stores::vault::{Access, Auth, TIMEOUT, VaultStore},
};
use jiff::SignedDuration;
use std::{
    future::pending,
    sync::{Arc, MutexGuard, OnceLock},
    time::Duration,
};

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

pub(super) struct Bed {
    pub(super) served: Served,
    pub(super) clock: Clock,
    settings: Settings,
}

impl Bed {
    pub(super) fn new() -> Self {
        let world = World::example(&Credentials::default(), &sha('a')).unwrap();
        let clock = Clock::stepped(world.now());
        let served = ground().block_on(Served::start(world)).unwrap();
        served.play(Pace::AT_ONCE);
        Self { served, clock, settings: settings() }
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
        self.world().github.close(REPOSITORY, NUMBER, "ada").unwrap();
    }

    pub(super) fn push(&self, commit: char) {
        self.world().github.push(REPOSITORY, NUMBER, "ada", &sha(commit)).unwrap();
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

    /// One process, to its end; `None`: it was killed.
    pub(super) fn run(&self, run: &str, occasion: Occasion) -> Option<Report> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(async {
            let engine = self.engine(run);
            let event = Event { holder: holder(), occasion };
            tokio::select! {
                report = engine.handle(&event, pending()) => Some(report),
                () = self.served.gate.death(run) => None,
                () = tokio::time::sleep(Duration::from_secs(20)) => {
                    panic!("a wait that nothing wakes:\n{}", self.served.gate.log().join("\n"))
                }
            }
        });
        runtime.shutdown_background();
        report
    }

    fn engine(&self, run: &str) -> Engine {
        let clock = self.clock.clone();
        let access = Access {
            address: self.served.url(Server::Vault),
            namespace: None,
            ca: None,
            mount: "kv".to_owned(),
            path: ROOT.to_owned(),
            auth: Auth::Token(Credentials::default().vault.into()),
            timeout: TIMEOUT,
        };
        let outside = Outside {
            store: Arc::new(VaultStore::new(access, clock.clone(), run).unwrap()),
            clusters: Clusters::at(self.served.url(Server::Kubernetes), run, clock.clone()),
            wishes: Arc::new(OnGitHub(self.served.clone())),
            reporters: Reporters::default(),
            clock,
            ids: Ids::of(run).unwrap(),
            pace: Tries { first: Duration::ZERO, most: Duration::ZERO, tries: 1000 },
            retry: Retry { first: Duration::ZERO, most: Duration::ZERO, ..Retry::default() },
            tools: Tools { kubeconfig: None, mask: |_| {} },
        };
        assemble::engine(&self.settings, &holder(), outside).unwrap()
    }
}

/// As the embedded GitHub has it.
struct OnGitHub(Served);

#[async_trait(?Send)]
impl Wishes for OnGitHub {
    async fn of(&self, _: &Holder) -> Result<Asked> {
        let world = self.0.lock();
        let pull = world.github.repository(REPOSITORY).unwrap().pull(NUMBER).unwrap();
        let wanted = match pull.state {
            PullState::Open => Wanted::Up(Some(pull.head.sha.parse().unwrap())),
            _ => Wanted::Down,
        };
        Ok(Asked { wanted, merge: None })
    }
}

const PLATFORM: &str = "\
version: 1
lifetime: {grace: 0s}
dns: {domain: preview.example.com}
pools: {lab: {range: 192.168.1.140-192.168.1.149, block: 2, when-full: fail}}
providers:
  k3s: {kind: capi-k3s, copy-secrets: [dev/proxmox-credentials]}
";

fn settings() -> Settings {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("platform.yaml"), PLATFORM).unwrap();
    let variables = [(std::ffi::OsString::from("HOME"), std::ffi::OsString::from("/home/ann"))];
    Settings::load(&Sources {
        environment: &Environment::of(variables),
        directory: directory.path(),
        platform: Some("platform.yaml".into()),
        config: None,
        trust: Trust::App,
        flags: Flags::default(),
    })
    .unwrap()
}
