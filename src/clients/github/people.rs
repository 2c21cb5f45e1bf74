//! What somebody may do in a repository.

use super::{Bearer, GitHub, request::Asked};
use crate::{
    clients::Failure,
    domain::names::{Login, RepoName},
};
use secrecy::ExposeSecret as _;
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
    /// `User`, `Bot`, …
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// What the token of an app's installation begins with, and so a job's.
const INSTALLATION: &str = "ghs_";

impl GitHub {
    /// Whose token we have; none: an installation's, which speaks as its app's bot and as nobody else. `repo` is where it is
    /// used.
    pub async fn person(&self, repo: &RepoName) -> Result<Option<Login>, Failure> {
        match &*self.bearer {
            Bearer::App(_) => return Ok(None),
            Bearer::Token(token) if token.expose_secret().starts_with(INSTALLATION) => return Ok(None),
            Bearer::Token(_) => {}
        }
        let asked = Asked::read(repo, &["user"], "read whose token it is".to_owned());
        let asked = asked.needs("metadata: read").beside_repositories();
        Ok(Some(self.ask::<Account>(&asked).await?.login))
    }

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
