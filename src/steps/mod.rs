//! The named parts of a plan: one file per step, `ensure` and `remove` side by side.
//!
//! A step takes what it needs from the [`Context`] and hands nothing on: what a later step needs is a function of the
//! scope, or is observed. It looks, and does what is lacking; that something is not ready yet is `Waiting`, never an error.
//! Must never: assume that an earlier run did what it began; try again by itself (the engine does).

pub mod access;
mod board;
pub mod cluster;
pub mod deploy;
pub mod dns;
mod field;
pub mod health;
mod install;
pub mod operators;
pub mod resources;
pub mod secrets;
pub mod sources;
pub mod tests;

pub use board::{Board, Verdict};
pub use field::Field;

use crate::{
    clients::{
        Failure, Kind, child::Surroundings, dns::Dns, kubernetes::Clusters, registry::Registries,
        vault::Vault,
    },
    clock::{Clock, Rhythm},
    documents::{NotWritten, Store, claims::Fence},
    domain::{
        plan::{Spec, StepName},
        scope::Scope,
        sweep::{Entry, Trace},
        template::Variables,
    },
    errors::{Exit, UserError},
    mask::Mask,
    progress::{Progress, Wait},
    providers::{Access, Guard, Inside, Provider},
    settings::{self, CapiK3s, Namespace, Settings, Source, Var, VaultPath, explain},
};
use anyhow::Result;
use async_trait::async_trait;
use install::Rendering;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::OnceCell;

/// The provider's objects.
pub const CLUSTER: StepName = StepName::new("cluster");
/// The kubeconfig, kept where people and later jobs find it.
pub const ACCESS: StepName = StepName::new("access");
/// The configured secrets.
pub const SECRETS: StepName = StepName::new("secrets");
/// What is installed first.
pub const OPERATORS: StepName = StepName::new("operators");
/// What needs the operators.
pub const RESOURCES: StepName = StepName::new("resources");
/// The app.
pub const DEPLOY: StepName = StepName::new("deploy");
/// Its name.
pub const DNS: StepName = StepName::new("dns");
/// Its answer.
pub const HEALTH: StepName = StepName::new("health");
/// Its tests.
pub const TESTS: StepName = StepName::new("tests");
/// All of them, in their order.
pub const NAMES: [StepName; 9] = [CLUSTER, ACCESS, SECRETS, OPERATORS, RESOURCES, DEPLOY, DNS, HEALTH, TESTS];

/// What steps are made of, beside the settings.
#[derive(Clone)]
pub struct Tools {
    /// Where the kubeconfig is written for later jobs.
    pub kubeconfig: Option<PathBuf>,
    /// Told each text that must never be shown.
    pub mask: Mask,
    /// Where secrets come from, and in which engine; `None`: berth keeps no documents in Vault.
    pub vault: Option<(Arc<Vault>, VaultPath)>,
    /// Who is asked for names; `None`: nobody.
    pub dns: Option<Arc<Dns>>,
    /// Where images are looked for; `None`: they are not waited for.
    pub registries: Option<Arc<Registries>>,
    /// What child processes get of the outside.
    pub surroundings: Surroundings,
    /// Where what tests print is shown.
    pub shown: tests::Shown,
    /// Where every environment answers in a rehearsal, in plain HTTP.
    pub rehearsed: Option<SocketAddr>,
    /// Of the process.
    pub clock: Clock,
}

/// All steps, each after those that it needs: a step is one file and one line. `of`: the provider's settings, which a Down
/// does without.
pub fn all(
    settings: &Settings,
    of: Option<&CapiK3s>,
    tools: Tools,
    clusters: Arc<Clusters>,
    hand_over: Option<deploy::HandOver>,
) -> Vec<Box<dyn Step>> {
    let patience = |step| settings.app.timeouts.of(step).map_or(PATIENCE, SignedDuration::unsigned_abs);
    let Tools { kubeconfig, mask, vault, dns, registries, surroundings, shown, rehearsed, clock } = tools;
    let merged = match (&settings.store, &vault) {
        (settings::Store::Vault(of), Some((vault, mount))) => of
            .merged_kubeconfig
            .clone()
            .map(|of| access::Merged { vault: vault.clone(), mount: mount.clone(), of }),
        _ => None,
    };
    let (inside, app) = (of.map(|of| &of.inside), &settings.app);
    let renderer = sources::Renderer { surroundings: surroundings.clone(), clock };
    let renderer = Arc::new(renderer);
    let rendering = |sources: &[Source]| Rendering::new(sources.to_vec(), renderer.clone());
    let platform = inside.map_or(&[][..], |inside| &inside.secrets);
    let namespace: Namespace = "default".parse().expect("a namespace of every cluster");
    let default = namespace.clone();
    let image_wait = app.deploy.as_ref().map_or(SignedDuration::ZERO, |deploy| deploy.image_wait);
    vec![
        Box::new(cluster::Cluster { patience: patience(CLUSTER) }),
        Box::new(access::KeepKubeconfig {
            patience: patience(ACCESS),
            file: kubeconfig,
            merged,
            mask: mask.clone(),
        }),
        Box::new(secrets::Secrets {
            patience: patience(SECRETS),
            secrets: platform.iter().chain(&app.secrets).cloned().collect(),
            token: inside.and_then(|inside| inside.vault_token.clone()),
            vault,
            mask: mask.clone(),
        }),
        Box::new(Within(operators::Operators {
            patience: patience(OPERATORS),
            rendering: rendering(inside.map_or(&[], |inside| &inside.operators)),
            namespace: namespace.clone(),
        })),
        Box::new(Within(resources::Resources {
            patience: patience(RESOURCES),
            rendering: rendering(inside.map_or(&[], |inside| &inside.resources)),
            namespace,
            postgres: inside.and_then(|inside| inside.postgres.clone()),
        })),
        Box::new(deploy::Deploy {
            patience: patience(DEPLOY) + image_wait.unsigned_abs(),
            app: app.clone(),
            renderer: renderer.clone(),
            registries,
            asking: Rhythm::new(deploy::ASKING),
            rendered: OnceCell::new(),
            pushed: AtomicBool::new(false),
            clusters,
            hand_over,
        }),
        Box::new(Within(dns::Names::new(patience(DNS), dns))),
        asked(
            Spec { name: HEALTH, needs: &[DNS], patience: patience(HEALTH) },
            app.health.clone().map(|health| health::Healthy {
                health,
                vars: app.vars.clone(),
                patience: patience(HEALTH),
                rehearsed,
                asking: Rhythm::new(health::ASKING),
            }),
        ),
        asked(
            Spec { name: TESTS, needs: &[HEALTH], patience: patience(TESTS) },
            app.tests.clone().map(|tests| tests::Tested {
                // On top of what the tests themselves may take.
                patience: patience(TESTS) + tests.timeout.unsigned_abs(),
                tests,
                vars: app.vars.clone(),
                namespace: app.deploy.as_ref().map_or(default, |deploy| deploy.namespace.clone()),
                surroundings,
                shown,
                mask,
                run: tests::Progressed::default(),
            }),
        ),
    ]
}

/// Of a step of which nobody says how long it may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a step works with.
pub struct Context<'a> {
    /// On what.
    pub scope: &'a Scope,
    /// The right to change it.
    pub fence: &'a Fence,
    /// Who looks after that right.
    pub guard: &'a dyn Guard,
    /// How the environment is made real.
    pub provider: &'a dyn Provider,
    /// The documents.
    pub store: &'a dyn Store,
    /// Of the process.
    pub clock: &'a Clock,
    /// What is found out for the report alone.
    pub board: &'a Board,
    /// From when on no request of an earlier run can land any more.
    pub quiet: Timestamp,
}

impl Context<'_> {
    /// The way into the environment; inner error: what it is waited for.
    async fn enter(&self) -> Result<Result<Access, Wait>> {
        match self.provider.inside(self.scope).await? {
            Inside::Open(access) => Ok(Ok(access)),
            Inside::NotYet(wait) => Ok(Err(wait)),
            Inside::Gone => Err(gone(self.scope)),
        }
    }
}

/// One part of a plan.
#[async_trait(?Send)]
pub trait Step {
    /// What the plan must know of it.
    fn spec(&self) -> Spec;
    /// Makes it true.
    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress>;
    /// Makes it gone, whether or not `ensure` ever ran.
    async fn remove(&self, cx: &Context<'_>) -> Result<Progress>;
    /// What of it is left, by a look from outside: asked once more before addresses are freed, when a request of a superseded
    /// run that was still under way has had its time. `None`: nothing is.
    async fn remains(&self, _cx: &Context<'_>) -> Result<Option<String>> {
        Ok(None)
    }
    /// What of it is left outside of environments, of whichever: asked by the sweep.
    async fn traces(&self, _field: &Field<'_>) -> Result<Vec<Trace>> {
        Ok(Vec::new())
    }
    /// What stands in documents that others write, too, be it of an environment or not: asked by the sweep.
    async fn entries(&self) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }
    /// Whether `remove` works within the environment alone: what it cannot reach there goes with the cluster.
    fn is_within(&self) -> bool {
        false
    }
}

/// A step that works within the environment, and is let in by [`Within`].
#[async_trait(?Send)]
pub trait InsideStep {
    /// What the plan must know of it.
    fn spec(&self) -> Spec;
    /// Makes it true.
    async fn ensure(&self, cx: &Context<'_>, inside: &Access) -> Result<Progress>;
    /// What of it is left outside of the environment.
    async fn remains(&self, _cx: &Context<'_>) -> Result<Option<String>> {
        Ok(None)
    }
    /// Makes it gone; most of it goes with the environment.
    async fn remove(&self, _cx: &Context<'_>, _inside: &Access) -> Result<Progress> {
        Ok(Progress::done("goes with the cluster"))
    }
}

/// Lets a step in.
pub struct Within<S>(pub S);

#[async_trait(?Send)]
impl<S: InsideStep> Step for Within<S> {
    fn spec(&self) -> Spec {
        self.0.spec()
    }

    async fn ensure(&self, cx: &Context<'_>) -> Result<Progress> {
        match cx.enter().await? {
            Ok(access) => self.0.ensure(cx, &access).await,
            Err(wait) => Ok(Progress::Waiting(wait)),
        }
    }

    async fn remove(&self, cx: &Context<'_>) -> Result<Progress> {
        match cx.provider.inside(cx.scope).await? {
            Inside::Open(access) => self.0.remove(cx, &access).await,
            // It never came up, or is gone: nothing of ours can be inside.
            Inside::NotYet(_) | Inside::Gone => Ok(Progress::done("nothing was inside")),
        }
    }

    async fn remains(&self, cx: &Context<'_>) -> Result<Option<String>> {
        self.0.remains(cx).await
    }

    fn is_within(&self) -> bool {
        true
    }
}

/// A write to a document, or why it did not count.
fn settled(written: Result<(), NotWritten>, place: &str) -> Result<()> {
    match written {
        Ok(()) => Ok(()),
        Err(NotWritten::Conflict) => {
            let detail = "somebody else wrote there at the same time".to_owned();
            let message = format!("could not write {place}");
            Err(anyhow::Error::new(Failure { kind: Kind::Conflict, detail })
                .context(UserError::new(Exit::Unknown, message).hint("look again")))
        }
        Err(NotWritten::Unknown(error)) => Err(error),
    }
}

/// One that is made if it is not there.
fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// Somebody has removed the cluster under our hands: the next look of its own step makes it anew.
fn gone(scope: &Scope) -> anyhow::Error {
    let message = format!("the cluster of {} has gone while it was being set up", scope.name);
    UserError::new(Exit::Failed, message)
        .hint("somebody else has deleted it; run again to make it anew")
        .into()
}

/// A step, or, if nobody asked for it, one of this name that has nothing to do: others may need it.
fn asked(spec: Spec, step: Option<impl Step + 'static>) -> Box<dyn Step> {
    match step {
        Some(step) => Box::new(step),
        None => Box::new(Nothing(spec)),
    }
}

/// What nobody asked for.
struct Nothing(Spec);

#[async_trait(?Send)]
impl Step for Nothing {
    fn spec(&self) -> Spec {
        self.0
    }
    async fn ensure(&self, _cx: &Context<'_>) -> Result<Progress> {
        Ok(Progress::done("not asked for"))
    }
    async fn remove(&self, _cx: &Context<'_>) -> Result<Progress> {
        Ok(Progress::done("nothing to undo"))
    }
}

/// What placeholders stand for: berth's own names, and the app's.
pub fn variables(scope: &Scope, vars: &[Var]) -> Result<Variables> {
    let built_in = scope.variables();
    Var::over(&built_in, vars).map_err(|mistakes| {
        let why = mistakes.first().map_or_else(String::new, |mistake| explain(mistake, built_in.names()));
        UserError::usage(format!("`vars`: {why}")).into()
    })
}
