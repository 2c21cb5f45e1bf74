//! `berth rehearse`: the whole pipeline with the user's own configuration on an embedded world, and what users fear.
//!
//! The engine, the steps and the clients are those of real life; only where the servers are is another. Must never: reach
//! anything but loopback; leave anything behind.

mod given;

use super::{Outside, engine::engine};
use crate::{
    cli::{Outage, Output, Rehearse},
    clients::{
        child::Surroundings,
        dns::{self, Dns},
        github::{self, GitHub},
        kubernetes::Clusters,
        registry::{self, Docker, Registries},
        vault::{self, Vault},
    },
    clock::Clock,
    domain::{
        claim::ObjectName,
        holder::{Holder, PullRequest},
        intent::Occasion,
        name_server::NameServer,
        plan::StepName,
        report::Report,
        swept::Swept,
        yaml,
    },
    engine::{Event, Ids, Pace as Tries, Pulls, Retry},
    errors::UserError,
    fronts::command::{Answer, run},
    mask::Mask,
    rehearsal::{
        Server, World,
        example::{Credentials, HEAD, NUMBER, REPOSITORY},
        gate::Verdict,
        players::Pace,
        serve::Served,
    },
    reporters::{Reporters, markdown, terminal},
    settings::{Environment, Settings, Sources},
    steps::{self, Tools, tests::Shown},
    stores::vault::VaultStore,
};
use anyhow::{Context as _, Result, bail};
use given::{given, images, of_event, settings};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// How often the world's time goes on, and how long nothing must have happened before it leaps.
const TICK: Duration = Duration::from_millis(20);
const IDLE: u32 = 4;
/// So much passes then: what is asked again and again must not keep the time from passing.
const LEAP: SignedDuration = SignedDuration::from_secs(10);
/// What one question comes to, with the look before it.
const QUESTION: usize = 12;

/// Runs it.
pub(crate) async fn rehearse(
    asked: &Rehearse,
    sources: &Sources<'_>,
    output: Output,
    reporters: impl Fn(&Clock, &str) -> Reporters,
) -> Result<Answer> {
    let stage = Stage::set(asked, sources).await?;
    let mut report = stage.run("rehearsal", asked.kill_at.is_some(), reporters(&stage.clock, NOTE)).await?;
    if let Some(step) = &asked.kill_at {
        match report {
            Some(_) => {
                bail!(UserError::usage(format!("the run has ended before it was at {step:?}")).hint(format!(
                    "name one of its steps: {}",
                    steps::NAMES.map(StepName::as_str).join(", ")
                )))
            }
            None => stage.served.gate.open(),
        }
        let note = format!("the same event once more, after a kill at {step}");
        report = stage.run("rehearsal-again", false, reporters(&stage.clock, &note)).await?;
    }
    let Some(mut report) = report else { bail!("the run was killed, and nobody asked for that") };
    let objects = stage.objects();
    report.objects = Some(objects.iter().map(ObjectName::of).collect());
    let comment = markdown::body(&report, stage.clock.now(), &markdown::Beside::default());
    report.comment = Some(comment.clone());
    let mut answer = run::answer(&report, output)?;
    match output {
        Output::Text => {
            answer.said = terminal::rehearsed(&report);
            answer.data = comment + "\n";
        }
        Output::Json => {}
        Output::Yaml => answer.data = yaml::text(&objects),
    }
    Ok(answer)
}

/// Of DNS.
const SERVER_FAILURE: u16 = 2;

const NOTE: &str = "embedded world, offline";

/// The world, and the settings that are rehearsed in it.
struct Stage {
    served: Served,
    clock: Clock,
    settings: Settings,
    holder: Holder,
    _example: Option<TempDir>,
}

impl Stage {
    async fn set(asked: &Rehearse, sources: &Sources<'_>) -> Result<Self> {
        let (settings, _example) = settings(sources)?;
        let (pull, head) = match &asked.event {
            None => (
                PullRequest { repo: REPOSITORY.parse()?, number: NUMBER.to_string().parse()? },
                HEAD.parse()?,
            ),
            Some(file) => of_event(file)?,
        };
        let holder = Holder::PullRequest(pull.clone());
        let given = given(&settings, &pull, &head, asked)?;
        let mut world = World::example(&Credentials::default(), &given).map_err(anyhow::Error::msg)?;
        // As a schedule has it: who waits is not told that there is none.
        if let Value::Object(swept) = json!(Swept::new(world.now(), BTreeMap::new(), None)) {
            world.vault.put("ephemeral-clusters/berth/sweep", swept);
        }
        let clock = Clock::stepped(world.now());
        let served = Served::start(world).await.context("serve the embedded world on loopback")?;
        served.play(Pace::AT_ONCE);
        let stage = Self { served, clock, settings, holder, _example };
        stage.sabotage(asked)?;
        Ok(stage)
    }

    /// What users fear.
    fn sabotage(&self, asked: &Rehearse) -> Result<()> {
        let step = |text: &String| {
            steps::NAMES.iter().find(|step| step.as_str() == text).copied().ok_or_else(|| {
                UserError::usage(format!("{text:?} is no step"))
                    .hint(format!("the steps are {}", steps::NAMES.map(StepName::as_str).join(", ")))
            })
        };
        let mut world = self.served.lock();
        if asked.full_pool {
            let addresses = self.settings.pool(None)?.1.layout.blocks().flat_map(|block| block.addresses());
            let all = addresses
                .enumerate()
                .map(|(n, address)| (address.to_string(), json!(format!("pr-other-{}", n / 2))));
            world.vault.put("ephemeral-clusters/ip-allocations", all.collect());
        }
        if let Some(text) = &asked.fail {
            world.fail(step(text)?.as_str());
        }
        drop(world);
        let down = asked.outage.map(|outage| match outage {
            Outage::Vault => Server::Vault,
            Outage::Kubernetes => Server::Kubernetes,
            Outage::Github => Server::GitHub,
            Outage::Dns => Server::Dns,
        });
        let kill = asked.kill_at.as_ref().map(step).transpose()?;
        let broken = asked.fail.as_deref() == Some(steps::ACCESS.as_str());
        if down.is_some() || kill.is_some() || broken {
            self.served.gate.rule(move |request| {
                if down == Some(request.server) {
                    if request.server == Server::Dns {
                        Verdict::json(SERVER_FAILURE, &json!({}))
                    } else {
                        Verdict::json(503, &json!({"errors": ["rehearsed outage"]}))
                    }
                } else if broken
                    && request.mutates()
                    && request.path.last().is_some_and(|last| last == "kubeconfig")
                {
                    Verdict::json(403, &json!({"errors": ["permission denied"]}))
                } else if kill.is_some_and(|kill| is_of(kill, request)) {
                    Verdict::DieBefore
                } else {
                    Verdict::Pass
                }
            });
        }
        Ok(())
    }

    /// One process, to its end; `None`: it was killed.
    async fn run(&self, run: &str, may_die: bool, reporters: Reporters) -> Result<Option<Report>> {
        let engine = engine(&self.settings, &self.holder, self.outside(run, reporters)?)?;
        let event = Event { holder: self.holder.clone(), occasion: Occasion::Event };
        let time = self.let_time_pass();
        tokio::select! {
            report = engine.handle(&event, crate::stopped()) => Ok(Some(report)),
            () = self.served.gate.death(run), if may_die => Ok(None),
            () = time => unreachable!("time does not end"),
        }
    }

    /// As the machine's does, and in leaps while nobody does anything.
    async fn let_time_pass(&self) {
        let (machine, mut before, mut idle) = (Clock::system(), 0, 0);
        loop {
            machine.pass(TICK).await;
            let now = self.served.gate.log().len();
            idle = if now - before <= QUESTION { idle + 1 } else { 0 };
            before = now;
            let step = if idle > IDLE { LEAP } else { SignedDuration::from_millis(20) };
            self.served.lock().pass_by(step);
            self.clock.advance(step);
        }
    }

    fn outside(&self, run: &str, reporters: Reporters) -> Result<Outside> {
        let (clock, credentials) = (self.clock.clone(), Credentials::default());
        let access = vault::Access {
            address: self.served.url(Server::Vault),
            namespace: None,
            ca: None,
            auth: vault::Auth::Token(credentials.vault.into()),
            timeout: vault::TIMEOUT,
        };
        let vault = Vault::new(access, clock.clone(), run)?;
        let (mount, path) = match &self.settings.store {
            crate::settings::Store::Vault(of) => (of.mount.clone(), of.path.clone()),
            _ => ("kv".parse()?, "ephemeral-clusters".parse()?),
        };
        let github = github::Access {
            address: self.served.url(Server::GitHub),
            credential: github::Credential::Token(credentials.github.into()),
            timeout: github::TIMEOUT,
        };
        let authority = self.served.address(Server::Dns);
        let resolver = NameServer::from(self.served.address(Server::Resolver));
        let dns = Dns::new(vec![resolver], dns::TIMEOUT)?.routed(Arc::new(move |_| authority));
        let mut registries = Registries::new(Docker::default(), BTreeSet::new(), registry::TIMEOUT, run)?;
        for image in images(&self.settings, &self.holder, None)? {
            registries = registries.routed(image.registry(), self.served.url(Server::Registry).parse()?);
        }
        Ok(Outside {
            store: Arc::new(VaultStore::new(vault.clone(), mount.as_ref(), path.as_ref())),
            clusters: Arc::new(Clusters::at(self.served.url(Server::Kubernetes), run, clock.clone())),
            wishes: Arc::new(Pulls::all(GitHub::new(github, clock.clone(), run)?)),
            calls: None,
            reporters,
            ids: Ids::of(run)?,
            pace: Tries::default(),
            retry: Retry::default(),
            job: None,
            tools: Tools {
                kubeconfig: None,
                mask: Mask::default(),
                vault: Some((Arc::new(vault), mount)),
                dns: Some(Arc::new(dns)),
                registries: Some(Arc::new(registries)),
                surroundings: Surroundings::of(|name| Environment::of_process().path(name).map(Into::into)),
                shown: Shown::Plain(Arc::new(|line| tracing::debug!("{line}"))),
                rehearsed: Some(self.served.address(Server::App)),
                clock: clock.clone(),
            },
            clock,
        })
    }

    /// All that was made and carries the environment's label, as it was applied.
    fn objects(&self) -> Vec<Value> {
        let (world, name) = (self.served.lock(), self.holder.name());
        let all = world.kubernetes.objects().chain(world.environment.objects());
        let ours =
            all.filter(|object| object["metadata"]["labels"]["berth.dev/environment"] == name.as_ref());
        ours.map(plain).collect()
    }
}

/// Without what servers and controllers have written.
fn plain(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    }
    if object["kind"] == "Secret" && object["data"].is_object() {
        object["data"] = json!("(not shown)");
    }
    object
}

/// Whether only this step sends such requests.
fn is_of(step: StepName, request: &crate::rehearsal::Request) -> bool {
    let path = request.path.join("/");
    let inside = request.server == Server::Environment && request.mutates();
    match step {
        steps::CLUSTER => request.server == Server::Kubernetes && request.mutates(),
        steps::ACCESS => request.mutates() && path.ends_with("/kubeconfig"),
        steps::SECRETS => inside && path.contains("/secrets/"),
        steps::OPERATORS => inside && path.contains("/helmcharts/"),
        steps::RESOURCES => inside && (path.contains("cert-manager.io") || path.contains("cnpg")),
        steps::DEPLOY => inside && path.contains("/namespaces/default/"),
        steps::DNS => request.server == Server::Dns,
        steps::HEALTH => request.server == Server::App,
        steps::TESTS => inside && path.contains("/jobs/"),
        _ => false,
    }
}
