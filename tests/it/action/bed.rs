//! A job of GitHub Actions around the real binary: what happens on the embedded GitHub is its event, and the embedded servers
//! are the world that it reaches.

use crate::{
    bed::crypto,
    runner::{Ran, Runner},
};
use berth::rehearsal::{
    Server, World,
    example::{Credentials, Given, NUMBER, REPOSITORY},
    github::{Comment, Delivery, Grant, Hook, Role, Status},
    players::{Pace, k3s::Environment},
    serve::Served,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::MutexGuard,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// No log, comment, status, output or summary may hold a text that holds this.
pub(crate) const CANARY: &str = "CANARY-7f3a";
pub(crate) const TOKEN: &str = "ghs_CANARY-7f3a-github";
const VAULT: &str = "hvs.CANARY-7f3a-vault";

const PLATFORM: &str = "\
version: 1
store: {vault: {address: \"VAULT\"}}
lifetime: {grace: 1h, max: 3d}
pools: {lab: {range: 192.168.1.140-192.168.1.149, block: 2, reuse-after: 0s}}
providers: {k3s: {kind: capi-k3s, kubernetes: {context: world}, copy-secrets: [dev/proxmox-credentials]}}
";

pub(crate) const APP: &str = "version: 1\ndeploy: {manifests: app.yaml}\n";

const MANIFESTS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {commit: \"${HEAD_SHA}\", number: \"${PR_NUMBER}\"}
";

pub(crate) fn sha(of: char) -> String {
    of.to_string().repeat(40)
}

/// A repository with its pull request, a checkout, and the servers.
pub(crate) struct Bed {
    pub(crate) served: Served,
    _ground: Runtime,
    directory: TempDir,
    variables: BTreeMap<String, String>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::of(APP)
    }

    /// With this app file in the checkout.
    pub(crate) fn of(app: &str) -> Self {
        Self::reached_by(app, |_| {})
    }

    /// And with environments that are reached so.
    pub(crate) fn reached_by(app: &str, so: impl FnOnce(&mut Environment)) -> Self {
        crypto();
        let credentials = Credentials { vault: VAULT.to_owned(), github: TOKEN.to_owned() };
        let mut world = World::example(&credentials, &Given { head: sha('a'), ..Given::default() }).unwrap();
        let github = &mut world.github;
        github.hook = Some(Hook::default());
        github.limits.making_a_minute = 1_000;
        github.limits.making_an_hour = 10_000;
        github.limits.points_a_minute = 10_000;
        let repository = github.change(REPOSITORY).unwrap();
        repository.collaborators.insert("ada".to_owned(), Role::Write);
        repository.collaborators.insert("rita".to_owned(), Role::Read);
        github.add_token(TOKEN, Grant::workflow(REPOSITORY).may_all());
        let ground = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let served = ground.block_on(Served::start(world)).unwrap();
        let mut environment = Environment::at(&served.url(Server::Environment));
        so(&mut environment);
        served.play_where(Pace::AT_ONCE, environment);
        crate::attending::attend_client(&served.gate);
        served.gate.witness(|request, _, _, _| {
            let told = request.server == Server::GitHub && request.body.to_string().contains(CANARY);
            if told { Err(format!("GitHub is told a secret: {}", request.body)) } else { Ok(()) }
        });
        let directory = tempfile::tempdir().unwrap();
        let bed = Self { served, _ground: ground, directory, variables: BTreeMap::new() };
        fs::create_dir(bed.path("checkout")).unwrap();
        bed.writes("berth.yaml", app);
        bed.writes("app.yaml", MANIFESTS);
        fs::write(bed.path("platform.yaml"), bed.platform(PLATFORM)).unwrap();
        let cluster = json!({"cluster": {"server": bed.served.url(Server::Kubernetes)}, "name": "world"});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "world", "clusters": [cluster],
            "users": [{"user": {"token": format!("{CANARY}-kubernetes")}, "name": "berth"}],
            "contexts": [{"context": {"cluster": "world", "user": "berth"}, "name": "world"}],
        });
        fs::write(bed.path("kubeconfig"), config.to_string()).unwrap();
        let own = [
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_REPOSITORY_OWNER", "acme".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_API_URL", bed.served.url(Server::GitHub)),
            ("GITHUB_RUN_ID", "512".to_owned()),
            ("GITHUB_ACTOR", "ada".to_owned()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("BERTH_GITHUB_TOKEN", TOKEN.to_owned()),
            ("BERTH_PLATFORM", bed.path("platform.yaml").display().to_string()),
            ("VAULT_TOKEN", VAULT.to_owned()),
            ("KUBECONFIG", bed.path("kubeconfig").display().to_string()),
        ];
        own.into_iter().fold(bed, |bed, (name, value)| bed.with(name, &value))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// A platform's words with the servers' addresses in them.
    pub(crate) fn platform(&self, text: &str) -> String {
        text.replace("VAULT", &self.served.url(Server::Vault))
    }

    /// Its environments have names, and nobody who knows them.
    pub(crate) fn named(self) -> Self {
        let platform = fs::read_to_string(self.path("platform.yaml")).unwrap();
        let resolver = self.served.address(Server::Resolver);
        let dns = format!("dns: {{domain: preview.example.com, resolvers: [\"{resolver}\"]}}\n");
        fs::write(self.path("platform.yaml"), platform + &dns).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// In the checkout.
    pub(crate) fn writes(&self, name: &str, text: &str) {
        let path = self.path("checkout").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.served.lock()
    }

    /// Makes something happen on GitHub, and gives what it tells of it.
    pub(crate) fn happens(&self, what: impl FnOnce(&mut World)) -> Event {
        let mut world = self.world();
        world.github.take_deliveries();
        what(&mut world);
        let delivery = world.github.take_deliveries().pop().expect("GitHub tells of it");
        Event::of(&delivery)
    }

    /// The event by which its pull request was opened.
    pub(crate) fn opened(&self) -> Event {
        let pull = self.happens(|world| world.github.label(REPOSITORY, NUMBER, "ada", "x").unwrap());
        self.world().github.unlabel(REPOSITORY, NUMBER, "ada", "x").unwrap();
        let mut body = pull.body;
        body["action"] = json!("opened");
        body["pull_request"]["labels"] = json!([]);
        body.as_object_mut().unwrap().remove("label");
        Event { name: "pull_request".to_owned(), body }
    }

    pub(crate) fn pushed(&self, commit: char) -> Event {
        self.happens(|world| world.github.push(REPOSITORY, NUMBER, "ada", &sha(commit)).unwrap())
    }

    pub(crate) fn closed(&self) -> Event {
        self.happens(|world| world.github.close(REPOSITORY, NUMBER, "ada").unwrap())
    }

    pub(crate) fn says(&self, who: &str, words: &str) -> Event {
        self.happens(|world| {
            world.github.comment(REPOSITORY, NUMBER, who, words).unwrap();
        })
    }

    /// What is checked out is this commit.
    pub(crate) fn checked_out(&self, commit: &str) {
        self.writes(".git/HEAD", commit);
    }

    pub(crate) fn comments(&self) -> Vec<Comment> {
        let world = self.world();
        let all = world.github.repository(REPOSITORY).unwrap().comments(NUMBER).into_iter().cloned();
        all.filter(|comment| comment.author.as_ref().is_some_and(|author| author.ends_with("[bot]")))
            .collect()
    }

    /// The only one there is of berth's.
    pub(crate) fn comment(&self) -> String {
        let [comment] = &self.comments()[..] else { panic!("{:#?}", self.comments()) };
        comment.body.clone()
    }

    /// Each as `state: description`, oldest first, of this commit.
    pub(crate) fn statuses(&self, commit: &str) -> Vec<String> {
        let world = self.world();
        let all: Vec<Status> = world.github.repository(REPOSITORY).unwrap().statuses().to_vec();
        all.iter()
            .filter(|status| status.sha == commit)
            .map(|status| format!("{}: {}", status.state, status.description.as_deref().unwrap_or_default()))
            .collect()
    }

    /// What is deployed in the environment; none: nothing.
    pub(crate) fn deployed(&self) -> Option<String> {
        let world = self.world();
        let object = world.environment.get("configmaps", "default", "shop")?;
        object["data"]["commit"].as_str().map(str::to_owned)
    }

    /// A document of berth's in Vault.
    pub(crate) fn document(&self, path: &str) -> Option<Value> {
        self.world().vault.document(&format!("ephemeral-clusters/{path}")).map(|document| json!(document))
    }

    /// The job of a workflow that uses the action, as a runner runs it.
    pub(crate) fn job(&self, event: &Event) -> Runner {
        let action = Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml");
        let runner = Runner::new(&action).event(&event.name, event.body.clone());
        let runner = runner.checkout(self.path("checkout")).env("BERTH_BIN", env!("CARGO_BIN_EXE_berth"));
        self.variables.iter().fold(runner, |runner, (name, value)| {
            let word = |rest: &str, between: &str| rest.to_lowercase().replace('_', between);
            match (name.strip_prefix("GITHUB_"), name.strip_prefix("BERTH_")) {
                (Some(context), _) => runner.github(&word(context, "_"), value),
                (_, Some(input)) => runner.input(&word(input, "-"), value),
                _ => runner.env(name, value),
            }
        })
    }

    /// The job, to its end.
    pub(crate) fn acts(&self, event: &Event) -> Ran {
        self.ran(self.job(event))
    }

    /// Another job of the same event: it hands in what its tests left here.
    pub(crate) fn reports(&self, event: &Event, junit: &str) -> Ran {
        self.ran(self.job(event).input("command", "report").input("junit", junit).input("name", "cypress"))
    }

    pub(crate) fn ran(&self, job: Runner) -> Ran {
        let ran = job.run();
        assert!(!ran.log.contains("panicked"), "it panicked:\n{}", ran.log);
        let outputs: String = ran.outputs.values().map(|value| format!("{value}\n")).collect();
        for (place, text) in [("log", &ran.log), ("summary", &ran.summary), ("outputs", &outputs)] {
            assert!(!text.contains(CANARY), "a secret is in the {place}:\n{text}");
        }
        assert_eq!(self.served.gate.broken(), None);
        ran
    }
}

/// Something that happened, as the runner tells it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) body: Value,
}

impl Event {
    pub(crate) fn of(delivery: &Delivery) -> Self {
        Self { name: delivery.event.to_owned(), body: serde_json::from_slice(&delivery.body).unwrap() }
    }

    pub(crate) fn new(name: &str, body: Value) -> Self {
        Self { name: name.to_owned(), body }
    }

    /// The same, where the workflow listens to it so.
    pub(crate) fn in_target(mut self) -> Self {
        self.name = "pull_request_target".to_owned();
        self
    }
}
