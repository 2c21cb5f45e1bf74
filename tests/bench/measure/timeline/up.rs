//! A run of berth against the embedded world as a process of its own, so that it can be measured as the shell tool is. It is
//! put together as the binary does it, but for where DNS and the app are met: those have no ports of their own here.

use super::super::harness::keeper::file;
use berth::{
    assemble::{self, Outside},
    clients::{
        child::Surroundings,
        dns::{self, Dns},
        github::{self, GitHub},
        kubernetes::Clusters,
        registry::{self, Docker, Registries},
        vault::{self, Access, Auth, Vault},
    },
    clock::Clock,
    domain::{
        holder::Holder,
        intent::Occasion,
        plan::Spec,
        report::{Outcome, Report},
    },
    engine::{Engine, Event, Ids, Pace, Pulls, Retry},
    mask::Mask,
    rehearsal::{
        Server,
        example::{Credentials, NUMBER, REPOSITORY},
        serve::Served,
    },
    reporters::Reporters,
    settings::{Environment, Flags, Settings, Sources, Trust},
    steps::{Tools, tests::Shown},
    stores::vault::VaultStore,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    future::pending,
    net::SocketAddr,
    path::Path,
    sync::Arc,
};

/// What a run leaves in the directory.
pub(super) const REPORT: &str = "report.json";
const SERVERS: &str = "servers.json";

/// Where the servers are, for a process that is told the directory alone.
pub(super) fn introduce(served: &Served, directory: &Path) {
    let addresses = Server::ALL.map(|server| (server.to_string(), served.address(server)));
    let addresses: BTreeMap<String, SocketAddr> = addresses.into();
    file(directory, SERVERS, &serde_json::to_string(&addresses).unwrap());
}

/// One run in this directory, to its end.
pub(crate) async fn up(directory: &Path) {
    let event = Event { holder: holder(), occasion: Occasion::Event };
    let report = engine(directory).handle(&event, pending()).await;
    let Report { outcome, .. } = &report;
    assert_eq!(*outcome, Some(Outcome::Ready), "{report:#?}");
    file(directory, REPORT, &serde_json::to_string(&report).unwrap());
}

/// What the plan of such a run is made of.
pub(super) fn plan(directory: &Path) -> Vec<Spec> {
    engine(directory).steps.iter().map(|step| step.spec()).collect()
}

fn holder() -> Holder {
    Holder::PullRequest(format!("{REPOSITORY}#{NUMBER}").parse().unwrap())
}

fn engine(directory: &Path) -> Engine {
    let servers = fs::read_to_string(directory.join(SERVERS)).unwrap();
    let servers: BTreeMap<String, SocketAddr> = serde_json::from_str(&servers).unwrap();
    let at = |server: Server| servers[&server.to_string()];
    let url = |server: Server| format!("http://{}", at(server));
    let settings = Settings::load(&Sources {
        environment: &Environment::of([("HOME", "/nowhere"), ("VAULT_TOKEN", "hvs.none")]),
        directory,
        platform: Some("platform.yaml".into()),
        config: None,
        base: None,
        trust: Trust::App,
        flags: Flags::default(),
    })
    .unwrap();
    let (clock, ids, credentials) = (Clock::system(), Ids::random().unwrap(), Credentials::default());
    let run = ids.to_string();
    let access = Access {
        address: url(Server::Vault),
        namespace: None,
        ca: None,
        auth: Auth::Token(credentials.vault.into()),
        timeout: vault::TIMEOUT,
    };
    let vault = Vault::new(access, clock.clone(), &run).unwrap();
    let github = github::Access {
        address: url(Server::GitHub),
        credential: github::Credential::Token(credentials.github.into()),
        timeout: github::TIMEOUT,
    };
    let authority = at(Server::Dns);
    let dns = Dns::new(vec![at(Server::Resolver).into()], dns::TIMEOUT).unwrap();
    let registries = Registries::new(Docker::default(), BTreeSet::new(), registry::TIMEOUT, &run).unwrap();
    let registries = registries.routed("harbor.example.com", url(Server::Registry).parse().unwrap());
    let outside = Outside {
        store: Arc::new(VaultStore::new(vault.clone(), "kv", "ephemeral-clusters")),
        clusters: Arc::new(Clusters::at(url(Server::Kubernetes), &run, clock.clone())),
        wishes: Arc::new(Pulls::all(GitHub::new(github, clock.clone(), &run).unwrap())),
        calls: None,
        reporters: Reporters::default(),
        ids,
        pace: Pace::default(),
        retry: Retry::default(),
        job: None,
        tools: Tools {
            kubeconfig: Some(directory.join("kubeconfig")),
            mask: Mask::default(),
            vault: Some((Arc::new(vault), "kv".parse().unwrap())),
            dns: Some(Arc::new(dns.routed(Arc::new(move |_| authority)))),
            registries: Some(Arc::new(registries)),
            surroundings: Surroundings::of(|_| None),
            shown: Shown::Plain(Arc::new(|_| {})),
            rehearsed: Some(at(Server::App)),
            clock: clock.clone(),
        },
        clock,
    };
    assemble::engine(&settings, &holder(), outside).unwrap()
}
