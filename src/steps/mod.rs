//! The named parts of a plan: one file per step, `ensure` and `remove` side by side.
//!
//! A step takes what it needs from the [`Context`] and hands nothing on: what a later step needs is a function of the
//! scope, or is observed. It looks, and does what is lacking; that something is not ready yet is `Waiting`, never an error.
//! Must never: assume that an earlier run did what it began; try again by itself (the engine does).

pub mod access;
pub mod cluster;
pub mod health;
pub mod sources;
pub mod tests;

use crate::{
    clock::Clock,
    documents::{Store, claims::Fence},
    domain::{
        plan::{Spec, StepName},
        results::Results,
        scope::Scope,
        template::Variables,
    },
    progress::Progress,
    providers::{Access, Guard, Inside, Provider},
    settings::{CapiK3s, Settings, Var},
};
use anyhow::Result;
use async_trait::async_trait;
use jiff::SignedDuration;
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

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

/// What steps are made of, beside the settings.
pub struct Tools {
    /// Where the kubeconfig is written for later jobs.
    pub kubeconfig: Option<PathBuf>,
    /// Told each text that must never be shown.
    pub mask: fn(&str),
}

/// All steps, each after those that it needs: a step is one file and one line. `of`: the provider's settings, which a Down
/// does without.
pub fn all(settings: &Settings, of: Option<&CapiK3s>, tools: Tools) -> Vec<Box<dyn Step>> {
    let _ = of;
    let patience = |step| settings.app.timeouts.of(step).map_or(PATIENCE, SignedDuration::unsigned_abs);
    vec![
        Box::new(cluster::Cluster { patience: patience(CLUSTER) }),
        Box::new(access::KeepKubeconfig {
            patience: patience(ACCESS),
            file: tools.kubeconfig,
            mask: tools.mask,
        }),
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
}

/// What steps find out that no other step needs: only the report tells it.
#[derive(Default)]
pub struct Board(Mutex<Option<Verdict>>);

/// What is known of the tests.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// They were run.
    Ran(Results),
    /// Another job hands them in under this name.
    Awaited(String),
}

impl Board {
    /// Says it.
    pub fn say(&self, verdict: Verdict) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
    }
    /// What was said.
    pub fn verdict(&self) -> Option<Verdict> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    /// Whether `remove` works within the environment alone: what it cannot reach there goes with the cluster.
    fn is_within(&self) -> bool {
        false
    }
}

/// A step that works within the environment. Being let in is settled in one place, [`Within`].
#[async_trait(?Send)]
pub trait InsideStep {
    /// What the plan must know of it.
    fn spec(&self) -> Spec;
    /// Makes it true.
    async fn ensure(&self, cx: &Context<'_>, inside: &Access) -> Result<Progress>;
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
        match cx.provider.inside(cx.scope).await? {
            Inside::Open(access) => self.0.ensure(cx, &access).await,
            Inside::NotYet(wait) => Ok(Progress::Waiting(wait)),
            Inside::Gone => Err(gone(cx.scope)),
        }
    }

    async fn remove(&self, cx: &Context<'_>) -> Result<Progress> {
        match cx.provider.inside(cx.scope).await? {
            Inside::Open(access) => self.0.remove(cx, &access).await,
            // It never came up, or is gone: nothing of ours can be inside.
            Inside::NotYet(_) | Inside::Gone => Ok(Progress::done("nothing was inside")),
        }
    }

    fn is_within(&self) -> bool {
        true
    }
}

/// Somebody has removed the cluster under our hands: the next look of its own step makes it anew.
fn gone(scope: &Scope) -> anyhow::Error {
    use crate::errors::{Exit, UserError};
    let message = format!("the cluster of {} has gone while it was being set up", scope.name);
    UserError::new(Exit::Failed, message)
        .hint("somebody else has deleted it; run again to make it anew")
        .into()
}

/// What placeholders stand for: berth's own names, and the app's.
pub fn variables(scope: &Scope, vars: &[Var]) -> Result<Variables> {
    use crate::errors::{Exit, UserError};
    Var::over(&scope.variables(), vars).map_err(|mistakes| {
        let first = mistakes.first().map_or(String::new(), ToString::to_string);
        UserError::new(Exit::Failed, format!("`vars`{first}")).into()
    })
}
