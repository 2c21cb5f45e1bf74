//! What an app says of itself: what is deployed and tested, for which pull requests, and how long each step may take.
//!
//! Most of it comes with the code under review. Must never: let that code keep a run busy for as long as it likes.

use super::{
    app_values::{ImageName, Placeholders, VariableName},
    checks::{self, Health, Tests},
    defaults,
    file::{At, Layer, TimeoutsLayer},
    filter::{self, Filter, Skip},
    layers::{Found, Layers, Origin},
    placeholders::{Names, host_variable},
    providers::{self, ProviderSettings},
    secrets::{self, Reach, Secret},
    source::{self, Source},
    values::{HostLabel, Namespace, ProviderName},
};
use crate::domain::duration::Duration;
use crate::{
    domain::{
        plan::StepName,
        template::{Mistake, Variables},
    },
    errors::UserError,
};
use jiff::SignedDuration;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// What an app says of itself.
#[derive(Debug, Clone)]
pub struct App {
    /// Which provider it names.
    pub provider: Option<ProviderName>,
    /// What is deployed; none is a cluster with its operators and nothing more.
    pub deploy: Option<Deploy>,
    /// The labels of further hosts.
    pub hosts: Vec<HostLabel>,
    /// When it counts as healthy; none: as soon as it is rolled out.
    pub health: Option<Health>,
    /// What is run against it.
    pub tests: Option<Tests>,
    /// Secrets that it asks for.
    pub secrets: Vec<Secret>,
    /// Only pull requests that are like this get an environment.
    pub filter: Filter,
    /// Pull requests that are like this get none.
    pub skip: Skip,
    /// Variables of its own.
    pub vars: Vec<Var>,
    /// How long each step may take.
    pub timeouts: Timeouts,
}

/// A variable of a user's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Var {
    /// What it is called.
    pub name: VariableName,
    /// What it stands for, with its placeholders of berth's own names.
    pub value: Value,
}

impl Var {
    /// Adds these to those of berth.
    pub fn over(built_in: &Variables, own: &[Self]) -> Result<Variables, Vec<Mistake>> {
        let mut all = built_in.clone();
        for Var { name, value } in own {
            all.set(name.as_ref(), built_in.fill(value)?);
        }
        Ok(all)
    }
}

/// What is deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Deploy {
    /// Which manifests.
    pub source: Source,
    /// Where objects go that name no namespace.
    pub namespace: Namespace,
    /// By name in the manifests, the images that are waited for and then set.
    pub images: BTreeMap<ImageName, Placeholders>,
    /// How long images are waited for.
    pub image_wait: SignedDuration,
    /// Literals that are replaced in texts of the manifests.
    pub replace: BTreeMap<String, Placeholders>,
    /// Files with Jobs that must complete, one after the other.
    pub after: Vec<PathBuf>,
}

/// How long each step may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts(BTreeMap<&'static str, SignedDuration>);

impl Timeouts {
    /// That of this step, if it is one that users know. What `deploy.image-wait` and `tests.timeout` say comes on top.
    pub fn of(&self, step: StepName) -> Option<SignedDuration> {
        self.0.get(step.as_str()).copied()
    }
}

/// All of it. `reach` is what the platform allows app files; `names` are berth's own.
pub(super) fn resolve(
    layers: &Layers,
    providers: &BTreeMap<ProviderName, ProviderSettings>,
    reach: Reach,
    names: Names,
) -> Result<App, UserError> {
    let hosts = hosts(layers)?;
    let vars = vars(layers);
    let names = names.with_hosts(&hosts).with_vars(&vars)?;
    let provider = layers.app(|layer| layer.provider.as_ref());
    if let Some(found) = provider.filter(|_| !providers.is_empty()) {
        providers::named(providers, Some(found.value)).map_err(|error| error.at(found.place))?;
    }
    let secrets = layers.app(|layer| layer.secrets.as_ref());
    // Without a platform nobody knows what it allows; whoever reads the secret's path is told.
    let early = !providers.is_empty();
    Ok(App {
        provider: provider.map(Found::cloned),
        deploy: deploy(layers, &names)?,
        health: checks::health(layers, &names)?,
        tests: checks::tests(layers)?,
        secrets: secrets::list(secrets, "secrets", (reach, early), &names)?,
        filter: filter::filter(layers),
        skip: filter::skip(layers),
        timeouts: timeouts(layers)?,
        vars: vars.into_iter().map(|(_, var)| var).collect(),
        hosts,
    })
}

fn hosts(layers: &Layers) -> Result<Vec<HostLabel>, UserError> {
    let Some(found) = layers.app(|layer| layer.hosts.as_ref()) else { return Ok(Vec::new()) };
    let mut variables = BTreeSet::new();
    match found.value.iter().find(|host| !variables.insert(host_variable(host))) {
        Some(twice) => Err(found.wrong(format!("the host `{twice}` stands here twice"))),
        None => Ok(found.cloned()),
    }
}

/// Each name as the uppermost source has it.
fn vars(layers: &Layers) -> Vec<(Found<'_, Value>, Var)> {
    let said = layers.0.iter().filter_map(|source| source.layer.vars.as_ref());
    let names: BTreeSet<&VariableName> = said.flat_map(BTreeMap::keys).collect();
    let vars = names.into_iter().filter_map(|name| {
        let found = layers.app(|layer| layer.vars.as_ref()?.get(name))?;
        Some((found, Var { name: name.clone(), value: found.cloned() }))
    });
    vars.collect()
}

fn deploy(layers: &Layers, names: &Names) -> Result<Option<Deploy>, UserError> {
    let Some(source) = source::deploy(layers, names)? else { return Ok(None) };
    let namespace = layers.app(|l| l.deploy.as_ref()?.value.source.namespace.as_ref());
    let after = layers.app(|l| l.deploy.as_ref()?.value.after.as_ref());
    let after = after.iter().flat_map(|found| found.value.iter().map(|file| found.place.file(&file.0)));
    let mut deploy = Deploy {
        source,
        namespace: namespace.map_or_else(defaults::deploy_namespace, Found::cloned),
        images: BTreeMap::new(),
        image_wait: patience(layers, "deploy.image-wait", defaults::IMAGE_WAIT, |layer| {
            layer.deploy.as_ref()?.value.image_wait.as_ref()
        })?,
        replace: BTreeMap::new(),
        after: after.collect::<Result<_, _>>()?,
    };
    for source in &layers.0 {
        let Some(keys) = source.layer.deploy.as_ref().map(|at| &at.value) else { continue };
        for (name, at) in keys.images.iter().flatten() {
            let found = super::layers::found(source, at);
            let sample = names.check_text(&found, &format!("deploy.images.{name}"))?;
            if !super::app_values::is_reference(&sample) {
                return Err(found.wrong(format!("`deploy.images.{name}` is no reference of an image")));
            }
            deploy.images.insert(name.clone(), at.value.clone());
        }
        for (literal, at) in keys.replace.iter().flatten() {
            let found = super::layers::found(source, at);
            names.check_text(&found, &format!("deploy.replace.{}", literal.0))?;
            deploy.replace.insert(literal.0.clone(), at.value.clone());
        }
    }
    Ok(Some(deploy))
}

/// A step, its default, and the key that says otherwise.
type Step = (&'static str, SignedDuration, fn(&TimeoutsLayer) -> Option<&At<Duration>>);

const STEPS: [Step; 9] = [
    ("cluster", defaults::CLUSTER, |t| t.cluster.as_ref()),
    ("access", defaults::STEP, |t| t.access.as_ref()),
    ("secrets", defaults::STEP, |t| t.secrets.as_ref()),
    ("operators", defaults::STEP, |t| t.operators.as_ref()),
    ("resources", defaults::STEP, |t| t.resources.as_ref()),
    ("deploy", defaults::STEP, |t| t.deploy.as_ref()),
    ("dns", defaults::STEP, |t| t.dns.as_ref()),
    ("health", defaults::STEP, |t| t.health.as_ref()),
    ("tests", defaults::STEP, |t| t.tests.as_ref()),
];

fn timeouts(layers: &Layers) -> Result<Timeouts, UserError> {
    let each = STEPS.iter().map(|(step, default, pick)| {
        let length =
            patience(layers, &format!("timeouts.{step}"), *default, |layer| pick(layer.timeouts.as_ref()?))?;
        Ok((*step, length))
    });
    each.collect::<Result<_, _>>().map(Timeouts)
}

/// How long something is waited for. Whoever writes the code under review must not hold a runner for days.
pub(super) fn patience(
    layers: &Layers,
    key: &str,
    default: SignedDuration,
    pick: impl Fn(&Layer) -> Option<&At<Duration>>,
) -> Result<SignedDuration, UserError> {
    let Some(found) = layers.app(&pick) else { return Ok(default) };
    if found.value.0.is_zero() {
        return Err(found.wrong(format!("`{key}` is no time at all")));
    }
    let platform = layers.find_among(|origin| matches!(origin, Origin::Platform | Origin::Both), &pick);
    let longest = platform.map_or(defaults::LONGEST_STEP, |said| said.value.0.max(defaults::LONGEST_STEP));
    let app = layers.find_among(|origin| origin == Origin::App, &pick);
    if let Some(app) = app.filter(|app| app.value.0 > longest) {
        let message = format!(
            "`{key}` is {}, longer than the {} that an app file may ask for",
            app.value,
            Duration(longest)
        );
        return Err(app.wrong(message).hint("the platform file may say more"));
    }
    Ok(found.value.0)
}
