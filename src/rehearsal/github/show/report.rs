//! What is told about commits: statuses, check runs, deployments, runs of workflows.

use super::{
    super::state::{CheckRun, Deployment, DeploymentStatus, Repository, Run, Status},
    Show, node, with,
};
use serde_json::{Value, json};

impl Show<'_> {
    /// As the combined status shows it: without its creator.
    pub(in super::super) fn simple_status(&self, repository: &Repository, status: &Status) -> Value {
        let creator = self.person(Some(&status.creator));
        json!({
            "url": format!("{}/statuses/{}", self.url(repository), status.sha),
            "avatar_url": creator["avatar_url"], "id": status.id, "node_id": node("SC", status.id),
            "state": status.state, "description": status.description, "target_url": status.target_url,
            "context": status.context, "created_at": status.at, "updated_at": status.at,
        })
    }

    pub(in super::super) fn status(&self, repository: &Repository, status: &Status) -> Value {
        let creator = self.person(Some(&status.creator));
        with(self.simple_status(repository, status), json!({ "creator": creator }))
    }

    pub(in super::super) fn check(&self, repository: &Repository, check: &CheckRun) -> Value {
        let url = format!("{}/check-runs/{}", self.url(repository), check.id);
        let html = format!("https://github.com/{}/runs/{}", repository.full_name(), check.id);
        let pulls = repository.pulls.values().filter(|pull| pull.is_open() && pull.head.sha == check.sha);
        let side = |branch: &str, sha: &str, of: &Repository| json!({ "ref": branch, "sha": sha, "repo": { "id": of.id, "name": of.name, "url": self.url(of) } });
        let pulls: Vec<Value> = pulls
            .filter(|pull| pull.head.repository == Some(repository.id))
            .map(|pull| {
                let base = repository.branches.get(&pull.base).map(String::as_str).unwrap_or_default();
                json!({
                    "id": pull.id, "number": pull.number, "url": format!("{}/pulls/{}", self.url(repository), pull.number),
                    "head": side(&pull.head.branch, &pull.head.sha, repository),
                    "base": side(&pull.base, base, repository),
                })
            })
            .collect();
        json!({
            "id": check.id, "node_id": node("CR", check.id), "head_sha": check.sha, "name": check.name, "url": url,
            "external_id": check.external_id.as_deref().unwrap_or_default(), "html_url": html,
            "details_url": check.details_url.as_ref().unwrap_or(&html), "status": check.status,
            "conclusion": check.conclusion, "started_at": check.started_at, "completed_at": check.completed_at,
            "output": {
                "title": check.output.get("title"), "summary": check.output.get("summary"),
                "text": check.output.get("text"), "annotations_count": check.annotations.len(),
                "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": { "id": check.id }, "app": self.app(&check.app), "pull_requests": pulls,
        })
    }

    pub(in super::super) fn run(&self, repository: &Repository, id: u64, run: &Run) -> Value {
        let url = format!("{}/actions/runs/{id}", self.url(repository));
        let (branch, api) = (&repository.default_branch, self.url(repository));
        let sha = repository.branches.get(branch).map(String::as_str).unwrap_or_default();
        let person = json!({ "name": "GitHub", "email": "noreply@github.com" });
        json!({
            "id": id, "node_id": node("WFR", id), "name": "preview", "head_branch": branch, "run_number": 1,
            "run_attempt": run.again.len() + 1, "display_title": "preview", "event": "pull_request",
            "status": if run.conclusion.is_some() { "completed" } else { "in_progress" },
            "conclusion": run.conclusion, "head_sha": sha, "path": ".github/workflows/preview.yml", "workflow_id": 1,
            "url": url, "html_url": format!("https://github.com/{}/actions/runs/{id}", repository.full_name()),
            "created_at": repository.created_at, "updated_at": self.github.now, "pull_requests": [],
            "head_commit": {
                "id": sha, "tree_id": sha, "message": "", "timestamp": self.github.now, "author": person,
                "committer": person,
            },
            "head_repository": self.minimal(repository), "repository": self.minimal(repository),
            "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"),
            "check_suite_url": format!("{api}/check-suites/{id}"), "cancel_url": format!("{url}/cancel"),
            "rerun_url": format!("{url}/rerun"), "artifacts_url": format!("{url}/artifacts"),
            "workflow_url": format!("{api}/actions/workflows/1"),
        })
    }

    pub(in super::super) fn annotation(
        &self,
        repository: &Repository,
        sha: &str,
        annotation: &Value,
    ) -> Value {
        let html = format!("https://github.com/{}/blob/{sha}", repository.full_name());
        let path = annotation["path"].as_str().unwrap_or_default();
        let mut shown = json!({ "blob_href": format!("{html}/{path}") });
        let keys = [
            "path",
            "start_line",
            "end_line",
            "start_column",
            "end_column",
            "annotation_level",
            "title",
            "message",
            "raw_details",
        ];
        for key in keys {
            shown[key] = annotation[key].clone();
        }
        shown
    }

    pub(in super::super) fn deployment(&self, repository: &Repository, deployment: &Deployment) -> Value {
        let Deployment { id, environment, .. } = deployment;
        let url = format!("{}/deployments/{id}", self.url(repository));
        json!({
            "url": url, "id": id, "node_id": node("DE", *id), "sha": deployment.sha, "ref": deployment.reference,
            "task": deployment.task, "payload": deployment.payload, "environment": environment,
            "original_environment": environment, "description": deployment.description,
            "creator": self.person(Some(&deployment.creator)), "created_at": deployment.created_at,
            "updated_at": deployment.updated_at, "statuses_url": format!("{url}/statuses"),
            "repository_url": self.url(repository), "transient_environment": deployment.transient,
            "production_environment": deployment.production,
        })
    }

    pub(in super::super) fn deployment_status(
        &self,
        repository: &Repository,
        deployment: u64,
        status: &DeploymentStatus,
    ) -> Value {
        let url = format!("{}/deployments/{deployment}", self.url(repository));
        json!({
            "url": format!("{url}/statuses/{}", status.id), "id": status.id, "node_id": node("DES", status.id),
            "state": status.state, "creator": self.person(Some(&status.creator)), "description": status.description,
            "environment": status.environment, "target_url": status.log_url, "log_url": status.log_url,
            "environment_url": status.environment_url, "created_at": status.at, "updated_at": status.at,
            "deployment_url": url, "repository_url": self.url(repository),
        })
    }
}
