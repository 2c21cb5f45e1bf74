//! What a rehearsal is given: the user's configuration and event, or the example's, and a world in which that can work.

use crate::{
    cli::Rehearse,
    domain::{
        claim::{ProviderKind, Removal},
        holder::{Holder, PullRequest},
        image::Image,
        names::HeadSha,
        payload::Payload,
        plan::StepName,
        scope::{Commit, Hosts, Scope, Target},
    },
    errors::{Exit, UserError},
    rehearsal::example::{FILES, Given, HEAD},
    settings::{Environment, ProviderSettings, Settings, Sources},
    steps,
};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{fs, path::Path, str::FromStr as _};
use tempfile::TempDir;

/// The user's own, or, where no provider is configured, the example's.
pub(super) fn settings(sources: &Sources<'_>) -> Result<(Settings, Option<TempDir>)> {
    let own = Settings::load(sources)?;
    if !own.providers.is_empty() {
        return Ok((own, None));
    }
    let directory = tempfile::tempdir().context("make a directory for the built-in example")?;
    for (name, text) in FILES {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap_or(directory.path()))?;
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    let nothing = Environment::of([("VAULT_TOKEN", "hvs.rehearsal")]);
    let settings = Settings::load(&Sources {
        environment: &nothing,
        directory: directory.path(),
        platform: Some("platform.yaml".into()),
        config: Some("berth.yaml".into()),
        base: None,
        trust: sources.trust,
        flags: Default::default(),
    });
    Ok((settings.context("the built-in example")?, Some(directory)))
}

/// Whose event it was, and of which commit.
pub(super) fn of_event(file: &Path) -> Result<(PullRequest, HeadSha)> {
    let wrong = || UserError::usage(format!("{} is no payload of a pull request", file.display()));
    let body = fs::read(file).with_context(wrong)?;
    match Payload::parse("pull_request", &body).map_err(anyhow::Error::from).with_context(wrong)? {
        Payload::PullRequest(pull) => Ok((pull.of, pull.head)),
        _ => Err(wrong().into()),
    }
}

/// What must be in the world for these settings to work.
pub(super) fn given(
    settings: &Settings,
    pull: &PullRequest,
    head: &HeadSha,
    asked: &Rehearse,
) -> Result<Given> {
    let holder = Holder::PullRequest(pull.clone());
    let ProviderSettings::CapiK3s(of) = settings.provider()?.1;
    let scope = scope(settings, &holder, Some(head))?;
    let variables = scope.variables();
    let secrets = of.inside.secrets.iter().chain(&settings.app.secrets);
    let paths = secrets.map(|secret| Ok(secret.path(holder.repository(), &variables)?.to_string()));
    let missing = |step: StepName| asked.fail.as_deref() == Some(step.as_str());
    Ok(Given {
        repository: pull.repo.to_string(),
        number: pull.number.to_string().parse().context("a pull request's number")?,
        head: head.to_string(),
        domain: settings
            .dns
            .domain
            .as_ref()
            .map_or_else(|| "preview.example.com".to_owned(), ToString::to_string),
        secrets: of
            .copy_secrets
            .iter()
            .filter(|_| !missing(steps::CLUSTER))
            .map(|secret| (secret.namespace.to_string(), secret.name.to_string()))
            .collect(),
        vault: if missing(steps::SECRETS) { Vec::new() } else { paths.collect::<Result<_>>()? },
        images: images(settings, &holder, Some(head))?
            .iter()
            .map(|image| (image.repository().to_owned(), image.reference().to_owned()))
            .collect(),
    })
}

fn scope(settings: &Settings, holder: &Holder, head: Option<&HeadSha>) -> Result<Scope> {
    let main = settings.dns.domain.as_ref().map(|domain| holder.host(domain)).transpose()?;
    Ok(Scope {
        holder: holder.clone(),
        name: holder.name(),
        addresses: settings.pool(None).ok().and_then(|(_, pool)| pool.layout.blocks().next()),
        hosts: Hosts { main, ..Hosts::default() },
        target: Target::Up(Commit { head: head.cloned(), merge: head.cloned() }),
        removal: Removal {
            provider: ProviderKind::CapiK3s,
            context: None,
            objects: Vec::new(),
            elsewhere: Vec::new(),
            hosts: Vec::new(),
        },
    })
}

/// The images of the app.
pub(super) fn images(settings: &Settings, holder: &Holder, head: Option<&HeadSha>) -> Result<Vec<Image>> {
    let some = HeadSha::from_str(HEAD)?;
    let scope = scope(settings, holder, Some(head.unwrap_or(&some)))?;
    let variables = steps::variables(&scope, &settings.app.vars)?;
    let references = settings.app.deploy.iter().flat_map(|deploy| deploy.images.values());
    let images = references.map(|reference| {
        let filled = variables.fill(&Value::from(reference.as_ref())).ok();
        let text = filled.as_ref().and_then(Value::as_str).unwrap_or(reference.as_ref());
        text.parse()
            .with_context(|| UserError::new(Exit::Usage, format!("{text:?} is no reference of an image")))
    });
    images.collect()
}
