//! Deployments and what becomes of them.
//!
//! GitHub refuses a deployment while any status or check of the commit is not green, unless it is told which to look at
//! (`required_contexts`; an empty list: none).

use super::{
    Answer, Call, GitHub, created, done,
    fields::{Fields, texts},
    listed, ok,
    refusal::{self, Refusal},
    state::{Deployment, DeploymentStatus, Repository},
    statuses::is_web,
};
use serde_json::{Value, json};

const LONGEST_DESCRIPTION: usize = 140;
const LONGEST_ENVIRONMENT: usize = 255;
const STATES: &[&str] = &["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];

fn find(repository: &Repository, deployment: &str) -> Result<Deployment, Refusal> {
    let id: u64 = deployment.parse().map_err(|_| refusal::not_found())?;
    repository.deployments.get(&id).cloned().ok_or_else(refusal::not_found)
}

/// The contexts of a commit that are not green, of those that are asked for (none: all that there are).
fn not_green(repository: &Repository, sha: &str, required: Option<&[String]>) -> Vec<Value> {
    let mut states: Vec<(String, &str)> = repository
        .latest_statuses(sha)
        .into_iter()
        .map(|status| (status.context.clone(), status.state))
        .collect();
    for check in repository.checks.values().rev().filter(|check| check.sha == sha) {
        if !states.iter().any(|(context, _)| *context == check.name) {
            let green = matches!(check.conclusion, Some("success" | "neutral" | "skipped"));
            let state = if green { "success" } else { check.conclusion.unwrap_or("pending") };
            states.push((check.name.clone(), state));
        }
    }
    if let Some(required) = required {
        for context in required {
            if !states.iter().any(|(known, _)| known == context) {
                states.push((context.clone(), "missing"));
            }
        }
        states.retain(|(context, _)| required.contains(context));
    }
    let red = states.into_iter().filter(|(_, state)| *state != "success");
    red.map(|(context, state)| json!({ "context": context, "state": state })).collect()
}

impl GitHub {
    pub(super) fn list_deployments(&self, call: &Call<'_>, id: u64) -> Answer {
        let repository = &self.repositories[&id];
        // The description gives each of these the default "none", and GitHub means it.
        let asked =
            |key: &str, value: &str| call.query(key).is_none_or(|asked| asked == "none" || asked == value);
        let deployments = repository.deployments.values().rev().filter(|deployment| {
            asked("sha", &deployment.sha)
                && asked("ref", &deployment.reference)
                && asked("task", &deployment.task)
                && asked("environment", &deployment.environment)
        });
        let (deployments, link) = self.cut(call, id, deployments.collect());
        let show = self.show(call);
        listed((deployments.into_iter().map(|each| show.deployment(repository, each)).collect(), link))
    }

    pub(super) fn make_deployment(&mut self, call: &Call<'_>, id: u64) -> Answer {
        let keys = [
            "ref",
            "task",
            "auto_merge",
            "required_contexts",
            "payload",
            "environment",
            "description",
            "transient_environment",
            "production_environment",
        ];
        let fields = Fields::of(call.request, &keys)?;
        let reference = fields.needed("ref")?;
        // A branch behind the default one would be merged with it first; nothing here is ever behind.
        fields.flag("auto_merge")?;
        let payload = match fields.get("payload") {
            None => json!({}),
            Some(payload @ (Value::Object(_) | Value::String(_))) => payload.clone(),
            Some(_) => return Err(refusal::malformed("For 'properties/payload', it is not an object.")),
        };
        let description = fields.text_or_null("description")?;
        if description.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
            return Err(refusal::too_long("Deployment", "description", LONGEST_DESCRIPTION));
        }
        let environment = fields.text("environment")?.unwrap_or("production");
        if environment.chars().count() > LONGEST_ENVIRONMENT {
            return Err(refusal::too_long("Deployment", "environment", LONGEST_ENVIRONMENT));
        }
        let required =
            fields.list("required_contexts")?.map(|list| texts("required_contexts", list)).transpose()?;
        let repository = &self.repositories[&id];
        let Some(sha) = repository.commit(reference) else {
            return Err(refusal::unprocessable(format!("No ref found for: {reference}")));
        };
        let red = not_green(repository, sha, required.as_deref());
        if !red.is_empty() {
            let error = json!({
                "resource": "Deployment", "field": "required_contexts", "code": "invalid", "contexts": red,
            });
            let message = format!("Conflict: Commit status checks failed for {reference}.");
            return Err(refusal::conflict(message, error));
        }
        let deployment = Deployment {
            sha: sha.to_owned(),
            id: self.next_id(),
            reference: reference.to_owned(),
            task: fields.text("task")?.unwrap_or("deploy").to_owned(),
            payload,
            environment: environment.to_owned(),
            description: description.map(str::to_owned),
            transient: fields.flag("transient_environment")?.unwrap_or(false),
            production: fields.flag("production_environment")?.unwrap_or(environment == "production"),
            creator: call.grant.as_ref().map(|grant| grant.login.clone()).unwrap_or_default(),
            created_at: self.now,
            updated_at: self.now,
            statuses: Vec::new(),
        };
        let shown = self.show(call).deployment(&self.repositories[&id], &deployment);
        if let Some(repository) = self.repositories.get_mut(&id) {
            repository.deployments.insert(deployment.id, deployment);
        }
        created(shown)
    }

    pub(super) fn read_deployment(&self, call: &Call<'_>, id: u64, deployment: &str) -> Answer {
        let repository = &self.repositories[&id];
        ok(self.show(call).deployment(repository, &find(repository, deployment)?))
    }

    /// Only an inactive one; the last of all in any state.
    pub(super) fn delete_deployment(&mut self, id: u64, deployment: &str) -> Answer {
        let repository = &self.repositories[&id];
        let deployment = find(repository, deployment)?;
        if deployment.state() != "inactive" && repository.deployments.len() > 1 {
            let message = "We cannot delete an active deployment unless it is the only deployment in a given environment.";
            return Err(refusal::unprocessable(message));
        }
        if let Some(repository) = self.repositories.get_mut(&id) {
            repository.deployments.remove(&deployment.id);
        }
        done()
    }

    pub(super) fn list_deployment_statuses(&self, call: &Call<'_>, id: u64, deployment: &str) -> Answer {
        let repository = &self.repositories[&id];
        let deployment = find(repository, deployment)?;
        let (statuses, link) = self.cut(call, id, deployment.statuses.iter().rev().collect());
        let show = self.show(call);
        let shown =
            statuses.into_iter().map(|status| show.deployment_status(repository, deployment.id, status));
        listed((shown.collect(), link))
    }

    pub(super) fn make_deployment_status(&mut self, call: &Call<'_>, id: u64, deployment: &str) -> Answer {
        let keys = [
            "state",
            "target_url",
            "log_url",
            "description",
            "environment",
            "environment_url",
            "auto_inactive",
        ];
        let fields = Fields::of(call.request, &keys)?;
        fields.needed("state")?;
        let Some(state) = fields.one_of("state", STATES)? else { return Err(refusal::not_found()) };
        let description = fields.text("description")?.unwrap_or_default();
        if description.chars().count() > LONGEST_DESCRIPTION {
            return Err(refusal::too_long("DeploymentStatus", "description", LONGEST_DESCRIPTION));
        }
        let url = |key: &str| match fields.text(key)?.unwrap_or_default() {
            url if url.is_empty() || is_web(url) => Ok(url.to_owned()),
            _ => Err(refusal::custom("DeploymentStatus", key, format!("{key} must use http(s) scheme"))),
        };
        let (target, log, environment_url) = (url("target_url")?, url("log_url")?, url("environment_url")?);
        let auto_inactive = fields.flag("auto_inactive")?.unwrap_or(true);
        let deployment = find(&self.repositories[&id], deployment)?;
        let environment = fields.text("environment")?.unwrap_or(&deployment.environment).to_owned();
        let made = DeploymentStatus {
            id: self.next_id(),
            state,
            description: description.to_owned(),
            environment: environment.clone(),
            environment_url,
            log_url: if log.is_empty() { target } else { log },
            creator: call.grant.as_ref().map(|grant| grant.login.clone()).unwrap_or_default(),
            at: self.now,
        };
        let mut others = Vec::new();
        if state == "success" && auto_inactive {
            // Transient and production environments are left alone.
            let before = self.repositories[&id].deployments.values().filter(|other| {
                other.id < deployment.id
                    && other.environment == environment
                    && !other.transient
                    && !other.production
                    && other.state() != "inactive"
            });
            others.extend(before.map(|other| other.id));
        }
        for other in others {
            let inactive = DeploymentStatus {
                id: self.next_id(),
                state: "inactive",
                description: String::new(),
                ..made.clone()
            };
            self.put_status(id, other, inactive);
        }
        self.put_status(id, deployment.id, made.clone());
        created(self.show(call).deployment_status(&self.repositories[&id], deployment.id, &made))
    }

    fn put_status(&mut self, id: u64, deployment: u64, status: DeploymentStatus) {
        let now = self.now;
        let found =
            self.repositories.get_mut(&id).and_then(|repository| repository.deployments.get_mut(&deployment));
        if let Some(deployment) = found {
            deployment.updated_at = now;
            deployment.statuses.push(status);
        }
    }
}
