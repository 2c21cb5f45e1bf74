//! Deployments: where a commit is to be seen.

use super::{GitHub, request::Asked, statuses::short};
use crate::{
    clients::Failure,
    domain::names::{HeadSha, RepoName},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A deployment to be. It waits for no status or check, merges nothing, and is of an environment that will go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDeployment {
    /// The commit.
    #[serde(rename = "ref")]
    pub head: HeadSha,
    /// Where to: many deployments may share one.
    pub environment: String,
    /// Tells it from others of the same environment.
    pub task: String,
    /// A sentence of 140 characters at most.
    pub description: String,
    /// For whoever reads it.
    pub payload: Map<String, Value>,
}

/// A deployment that is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: u64,
    /// The commit.
    #[serde(rename = "sha")]
    pub head: HeadSha,
    /// Where to.
    pub environment: String,
    /// What tells it from others there.
    pub task: String,
}

/// What has become of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStatus {
    /// How it stands.
    pub state: DeploymentState,
    /// Where the environment is to be seen: http(s), or empty.
    pub environment_url: String,
    /// Where to read on: http(s), or empty.
    pub log_url: String,
    /// A sentence of 140 characters at most.
    pub description: String,
}

/// The seven that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// Something broke.
    Error,
    /// It is not good.
    Failure,
    /// It is not there any more.
    Inactive,
    /// It is being made.
    InProgress,
    /// It will be made.
    Queued,
    /// Nobody knows yet.
    Pending,
    /// It is there.
    Success,
}

impl GitHub {
    /// A new one.
    pub async fn create_deployment(
        &self,
        repo: &RepoName,
        deployment: &NewDeployment,
    ) -> Result<Deployment, Failure> {
        let mut body = json!(deployment);
        body["auto_merge"] = json!(false);
        // None: by itself it would wait for every status, ours too.
        body["required_contexts"] = json!([]);
        body["transient_environment"] = json!(true);
        body["production_environment"] = json!(false);
        let head = &deployment.head;
        let doing = format!("make a deployment of {} in {repo}", short(head));
        let asked = Asked::write(Method::POST, repo, &["deployments"], Some(body), doing);
        let asked = asked.needs("deployments: write");
        let made: Deployment = self.ask(&asked).await?;
        if made.head != *head || made.environment != deployment.environment || made.task != deployment.task {
            return Err(self.garbled(&asked, "it answers with another one"));
        }
        Ok(made)
    }

    /// All of an environment and task, newest first; of one commit, if it is named.
    pub async fn deployments(
        &self,
        repo: &RepoName,
        environment: &str,
        task: &str,
        head: Option<&HeadSha>,
    ) -> Result<Vec<Deployment>, Failure> {
        let doing = format!("list the deployments to {environment:?} in {repo}");
        let asked = Asked::read(repo, &["deployments"], doing).needs("deployments: read");
        let asked = asked.with("environment", environment).with("task", task);
        let asked = match head {
            Some(head) => asked.with("sha", head.as_ref()),
            None => asked,
        };
        self.all(asked, |deployment: &Deployment| deployment.id).await
    }

    /// Says what has become of it. Others of its environment stay as they are: they are of other pull requests.
    pub async fn create_deployment_status(
        &self,
        repo: &RepoName,
        deployment: u64,
        status: &DeploymentStatus,
    ) -> Result<(), Failure> {
        let number = deployment.to_string();
        let path = ["deployments", &number, "statuses"];
        let doing = format!("say what became of deployment {deployment} of {repo}");
        let mut body = json!(status);
        body["auto_inactive"] = json!(false);
        let asked = Asked::write(Method::POST, repo, &path, Some(body), doing).needs("deployments: write");
        let made: DeploymentStatus = self.ask(&asked).await?;
        if made.state == status.state {
            Ok(())
        } else {
            Err(self.garbled(&asked, "it answers with another one"))
        }
    }

    /// All that has been said of it, newest first.
    pub async fn deployment_statuses(
        &self,
        repo: &RepoName,
        deployment: u64,
    ) -> Result<Vec<DeploymentStatus>, Failure> {
        #[derive(Deserialize)]
        struct Raw {
            id: u64,
            #[serde(flatten)]
            status: DeploymentStatus,
        }
        let number = deployment.to_string();
        let path = ["deployments", &number, "statuses"];
        let doing = format!("list what became of deployment {deployment} of {repo}");
        let asked = Asked::read(repo, &path, doing).needs("deployments: read");
        let all = self.all::<Raw, _>(asked, |status| status.id).await?;
        Ok(all.into_iter().map(|raw| raw.status).collect())
    }
}
