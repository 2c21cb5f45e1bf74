//! The real binary as its users have it, killed at random moments over environments that come and go; then the sweep alone.
//!
//! What is drawn by chance follows from the seed that is printed; what it meets on real servers does not. No `dns.domain` is
//! set: a process asks authoritative servers at the port of DNS, which not every user of a machine may listen on. The records
//! are made and taken away all the same, and must be gone.

use super::bed::{Bed, LABEL, TOKEN};
use crate::{
    depth,
    harness::{
        control_plane::token,
        keeper::{self, file},
    },
};
use berth::{clients::vault::BORN, clock::Clock, rehearsal::Server};
use futures::{TryStreamExt, future::join_all};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, WatchEvent, WatchParams},
};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    pin::pin,
    process::Stdio,
    sync::Mutex,
    time::Duration,
};
use tokio::process::Command;

/// So many environments at a time, one for each of these branches.
const BRANCHES: [&str; 3] = ["cart", "search", "checkout"];

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Up,
    Down,
    Sweep,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Killed,
    Exit(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Killed => f.write_str("killed"),
            End::Exit(code) => write!(f, "exit {code}"),
        }
    }
}

/// Numbers by a seed.
struct Chance(u64);

impl Chance {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One below this.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What has come of all processes so far.
#[derive(Default)]
struct Tally {
    ended: BTreeMap<(Verb, End), u64>,
    /// How long a process took that was let to its end; the longest of a verb.
    whole: BTreeMap<Verb, Duration>,
}

impl Tally {
    fn kills(&self) -> u64 {
        self.ended.iter().filter(|((_, end), _)| *end == End::Killed).map(|(_, count)| count).sum()
    }
}

/// The directory and the environment of all processes, and what came of them.
struct Processes<'a> {
    bed: &'a Bed,
    directory: PathBuf,
    token: String,
    tally: Mutex<Tally>,
}

impl<'a> Processes<'a> {
    async fn of(bed: &'a Bed) -> Self {
        let directory = keeper::directory("killed");
        let (_, repository) = bed.repository.split_once('/').unwrap();
        let filled = |text: &str| {
            let here = [
                ("MOUNT", bed.mount.as_str()),
                ("ROLE", &bed.role),
                ("ARGO", &bed.argo_cd.namespace),
                ("BOUND", &format!("{}-environment", bed.namespace)),
                ("CREDENTIALS", &bed.credentials),
                ("THEIRS", repository),
            ];
            here.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        for (name, text) in [
            ("platform.yaml", include_str!("files/killed/platform.yaml")),
            ("berth.yaml", include_str!("files/killed/berth.yaml")),
            ("app.yaml", include_str!("files/app.yaml")),
        ] {
            file(&directory, name, &filled(text));
        }
        Self { bed, directory, token: bed.vault.token(&bed.mount).await, tally: Mutex::default() }
    }

    /// One process, killed when this time is over: how it ended, and what it said.
    async fn run(
        &self,
        lane: &str,
        (verb, arguments): (Verb, &[&str]),
        after: Option<Duration>,
    ) -> (End, String) {
        let said = self.directory.join(format!("{lane}.log"));
        let (clock, to) = (Clock::system(), File::create(&said).unwrap());
        let began = clock.now();
        {
            // Its limits are by the minute.
            let mut world = self.bed.served.lock();
            let passed = began.duration_since(world.now());
            world.pass_by(passed);
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(arguments)
            .env_clear()
            .env("HOME", &self.directory)
            .env("BERTH_PLATFORM", "platform.yaml")
            .env("KUBECONFIG", &self.bed.kubeconfig)
            .env("VAULT_ADDR", &self.bed.way.url)
            .env("VAULT_TOKEN", &self.token)
            .env("GITHUB_API_URL", self.bed.served.url(Server::GitHub))
            .env("GITHUB_TOKEN", TOKEN)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(to.try_clone().unwrap())
            .stderr(to)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let death = async {
            match after {
                Some(after) => clock.pass(after).await,
                None => std::future::pending().await,
            }
        };
        let status = tokio::select! {
            status = child.wait() => status.unwrap(),
            () = death => {
                child.start_kill().unwrap();
                child.wait().await.unwrap()
            }
        };
        let end = match (status.code(), status.signal()) {
            (Some(code), _) => End::Exit(code),
            (None, Some(9)) => End::Killed,
            (None, other) => panic!("{arguments:?} was ended by the signal {other:?}"),
        };
        let took = began.duration_until(clock.now()).unsigned_abs();
        let mut tally = self.tally.lock().unwrap();
        *tally.ended.entry((verb, end)).or_default() += 1;
        if matches!(end, End::Exit(_)) {
            let longest = tally.whole.entry(verb).or_default();
            *longest = took.max(*longest);
        }
        (end, fs::read_to_string(&said).unwrap())
    }

    /// A moment within a whole run of this verb; of one that nobody has let to its end yet, within an Up.
    fn moment(&self, verb: Verb, chance: &mut Chance) -> Duration {
        let tally = self.tally.lock().unwrap();
        let whole = tally.whole.get(&verb).unwrap_or(&tally.whole[&Verb::Up]);
        Duration::from_millis(chance.below(whole.as_millis() as u64 + 1))
    }

    /// One pull request, until enough processes were killed; the first is let to its end, which says how long that takes.
    async fn lane(&self, number: u64, kills: u64, mut chance: Chance) {
        let (lane, which) = (format!("lane-{number}"), format!("{}#{number}", self.bed.repository));
        let (up, down) = (["up", which.as_str()], ["down", "--now", which.as_str()]);
        let (end, said) = self.run(&lane, (Verb::Up, &up), None).await;
        assert_eq!(end, End::Exit(0), "{said}");
        let mut is_open = true;
        while self.tally.lock().unwrap().kills() < kills {
            let draw = chance.below(8);
            let what: (Verb, &[&str]) = match draw {
                0..=4 => (Verb::Up, &up),
                5 => (Verb::Down, &down),
                _ => (Verb::Sweep, &["sweep"]),
            };
            {
                let github = &mut self.bed.served.lock().github;
                match (what.0, is_open) {
                    (Verb::Up, false) => github.reopen(&self.bed.repository, number, "ada").unwrap(),
                    (Verb::Up, true) if draw == 0 => {
                        let commit = format!("{:040x}", chance.below(u64::MAX));
                        github.push(&self.bed.repository, number, "ada", &commit).unwrap();
                    }
                    (Verb::Sweep, true) => github.close(&self.bed.repository, number, "ada").unwrap(),
                    _ => {}
                }
            }
            is_open = match what.0 {
                Verb::Up => true,
                Verb::Sweep => false,
                Verb::Down => is_open,
            };
            let after = self.moment(what.0, &mut chance);
            let (end, said) = self.run(&lane, what, Some(after)).await;
            // Another's sweep may have met the same claim.
            let is_fine = matches!(end, End::Killed | End::Exit(0 | 5));
            assert!(is_fine, "{:?} of {which}: {end}\n{said}", what.0);
        }
        if is_open {
            self.bed.close(number);
        }
    }
}

/// What berth makes inside of an environment here.
const INSIDE: [(&str, &str, &str); 6] = [
    ("apps", "v1", "Deployment"),
    ("networking.k8s.io", "v1", "Ingress"),
    ("helm.cattle.io", "v1", "HelmChart"),
    ("", "v1", "Service"),
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
];

/// The clusters that stand for the environments' own stay, so what berth has made inside ends here as if with the machine.
async fn end_inside(client: &Client) {
    for (group, version, kind) in INSIDE {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        for object in all.list(&ListParams::default().labels(LABEL)).await.unwrap() {
            let (name, namespace) = (object.name_any(), object.namespace().unwrap());
            let there: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind);
            match there.delete(&name, &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => panic!("{namespace}/{name}: {error}"),
            }
        }
    }
}

/// Goes on for ever, over every state of every Cluster: addresses that two had at once are told. Clients of environments go by
/// these' names.
async fn watch(clusters: Api<DynamicObject>, inside: BTreeMap<String, Client>, twice: &Mutex<Vec<String>>) {
    let mut version = clusters.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let (params, mut used) = (WatchParams::default().labels(LABEL), BTreeMap::<String, String>::new());
    loop {
        let mut events = pin!(clusters.watch(&params, &version).await.unwrap());
        while let Some(event) = events.try_next().await.unwrap() {
            let (cluster, is_gone) = match event {
                WatchEvent::Added(cluster) | WatchEvent::Modified(cluster) => (cluster, false),
                WatchEvent::Deleted(cluster) => (cluster, true),
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(status) => panic!("the watch of Clusters: {status:?}"),
            };
            version = cluster.resource_version().unwrap();
            let (name, spec) = (cluster.namespace().unwrap(), &cluster.data["spec"]);
            // Those of other facts have ranges of their own.
            let Some(client) = inside.get(&name) else { continue };
            used.remove(&name);
            if is_gone {
                end_inside(client).await;
            } else if spec["paused"] != true {
                let address = spec["controlPlaneEndpoint"]["host"].as_str().unwrap().to_owned();
                let others = used.iter().filter(|(_, used)| **used == address);
                twice
                    .lock()
                    .unwrap()
                    .extend(others.map(|(other, _)| format!("{address}: {other} and {name}")));
                used.insert(name, address);
            }
        }
    }
}

/// Of these environments. One that nobody could note any more ends by itself, soon.
async fn tokens(bed: &Bed, numbers: &[u64]) -> Vec<String> {
    let names: Vec<String> = numbers.iter().map(|number| bed.name(*number)).collect();
    let all = bed.vault.tokens().await.into_iter().filter(|token| {
        let is_of =
            token["meta"]["environment"].as_str().is_some_and(|of| names.iter().any(|name| name == of));
        is_of && token["ttl"].as_u64().unwrap() > BORN.as_secs()
    });
    all.map(|token| token["accessor"].to_string()).collect()
}

/// By so many all is gone; mostly it takes two.
const SWEEPS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_and_then_swept_nothing_is_left() {
    let kills = depth::number("KILLS").unwrap_or(4);
    let seed = depth::number("SEED").unwrap_or_else(|| u64::from_str_radix(&token()[..12], 16).unwrap());
    println!("{kills} kills, SEED={seed}");
    let bed = Bed::with_rights(|_| {}).await;
    let numbers = BRANCHES.map(|branch| bed.open(branch));
    let environments = bed.environments(&numbers).await;
    let mut inside = BTreeMap::new();
    for (number, environment) in numbers.iter().zip(&environments) {
        inside.insert(bed.name(*number), environment.plane.client("bench").await);
    }
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", "Cluster"));
    let clusters = Api::all_with(bed.management.client("bench").await, &kind);
    let (processes, twice) = (Processes::of(&bed).await, Mutex::default());
    let mut sweeps = 0;
    let work = async {
        join_all(numbers.map(|number| processes.lane(number, kills, Chance::of(seed ^ number)))).await;
        let mut left = Vec::new();
        while sweeps < SWEEPS {
            let (end, said) = processes.run("sweep", (Verb::Sweep, &["sweep"]), None).await;
            assert_eq!(end, End::Exit(0), "{said}");
            sweeps += 1;
            left = bed.left(&numbers, &environments).await;
            if left.is_empty() {
                break;
            }
            println!("after sweep {sweeps}: {left:?}\n{said}");
        }
        assert_eq!(left, Vec::<String>::new(), "after {sweeps} sweeps");
    };
    tokio::select! {
        () = watch(clusters, inside, &twice) => unreachable!("it goes on for ever"),
        () = work => {}
    }
    let tally = processes.tally.into_inner().unwrap();
    tally.ended.iter().for_each(|((verb, end), count)| println!("{count:4} {verb:?} {end}"));
    println!(
        "{} killed; nothing is left after {sweeps} sweeps; whole runs took {:.1?}",
        tally.kills(),
        tally.whole
    );
    // Not whether its players were refused anything: a cluster that outlives its machine is none that they know.
    bed.argo_cd.is_as_it_was(bed.management);
    assert_eq!(tokens(&bed, &numbers).await, Vec::<String>::new());
    assert_eq!(twice.into_inner().unwrap(), Vec::<String>::new(), "in use twice");
}
