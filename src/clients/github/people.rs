//! What somebody may do in a repository.

use super::{GitHub, request::Asked};
use crate::{
    clients::Failure,
    domain::names::{Login, RepoName},
};
use serde::Deserialize;

/// What somebody may do, and all that comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Not even look.
    None,
    /// Look; triage is no more than this.
    Read,
    /// Push; maintaining is no more than this.
    Write,
    /// All.
    Admin,
}

/// An account, wherever one stands.
#[derive(Deserialize)]
pub(super) struct Account {
    pub(super) login: Login,
}

impl GitHub {
    /// What a person may do in a repository. An app, and whom GitHub does not know, may do nothing.
    pub async fn permission(&self, repo: &RepoName, login: &Login) -> Result<Permission, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            None,
            Read,
            Write,
            Admin,
        }
        #[derive(Deserialize)]
        struct Raw {
            permission: Word,
        }
        let path = ["collaborators", login.as_ref(), "permission"];
        let doing = format!("read what {login} may do in {repo}");
        let asked = Asked::read(repo, &path, doing).needs("metadata: read");
        match self.ask::<Raw>(&asked).await {
            Ok(raw) => Ok(match raw.permission {
                Word::None => Permission::None,
                Word::Read => Permission::Read,
                Word::Write => Permission::Write,
                Word::Admin => Permission::Admin,
            }),
            Err(denial) if denial.is_not_found => self.is_absent(repo).await.map(|()| Permission::None),
            Err(denial) => Err(denial.failure),
        }
    }
}
