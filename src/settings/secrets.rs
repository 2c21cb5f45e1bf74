//! Secrets that environments get from Vault, and how far an app file may reach for them.
//!
//! Must never: let the code under review name a secret that the platform did not give to its repository.

use super::{
    address::VaultPath,
    app_values::{ObjectName, Placeholders},
    defaults,
    file::{At, SecretLayer},
    layers::{Found, Origin},
    placeholders::Names,
    store::Store,
    values::{Namespace, leaf},
    vault::Vault,
};
use crate::{
    domain::{
        names::{Malformed, RepoName},
        template::Variables,
    },
    errors::UserError,
};
use std::{fmt, str::FromStr};

/// A secret of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is called there.
    pub name: ObjectName,
    /// The namespace that it is put into.
    pub namespace: Namespace,
    /// `berth.yaml:12:5`, for messages.
    place: String,
    /// Its path, with placeholders.
    path: Placeholders,
    reach: Reach,
}

/// Which paths its author may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// All: it is said by the platform, or by a user of their own.
    All,
    /// Those of the pull request's repository.
    Below(AppSecrets),
    /// None: the platform gives none.
    Nothing,
}

impl Secret {
    /// Its path in Vault, below `store.vault.mount`, for this repository's environment.
    pub fn path(&self, repository: Option<&RepoName>, variables: &Variables) -> Result<VaultPath, UserError> {
        let wrong = |why: &dyn fmt::Display| UserError::usage(format!("{}: {why}", self.place));
        let filled = variables.fill(&self.path.as_ref().into());
        let filled = filled.map_err(|mistakes| match mistakes.first() {
            Some(mistake) => wrong(&super::explain(mistake, variables.names())),
            None => wrong(&"its path cannot be substituted"),
        })?;
        let text = filled.as_str().map_or_else(|| filled.to_string(), str::to_owned);
        let path: VaultPath = text.parse().map_err(|error| wrong(&error))?;
        let (below, repository) = match (&self.reach, repository) {
            (Reach::All, _) => return Ok(path),
            (Reach::Below(rule), Some(repository)) => (rule.of(repository), repository),
            (Reach::Below(_), None) => {
                return Err(wrong(&"an environment of no repository has no secrets of one"));
            }
            (Reach::Nothing, _) => return Err(wrong(&NOTHING).hint(HINT)),
        };
        match path.as_ref().strip_prefix(below.as_ref()).is_some_and(|rest| rest.starts_with('/')) {
            true => Ok(path),
            false => Err(wrong(&format!(
                "the secret {path} is not below {below}, where those of {repository} are"
            ))
            .hint("`store.vault.app-secrets` in the platform file says where an app's secrets are")),
        }
    }
}

const NOTHING: &str = "the platform lets an app file name no secret";
const HINT: &str = "set `store.vault.app-secrets` in the platform file, as in apps/${OWNER}/${REPO}";

/// What the platform allows app files.
pub(super) fn reach(store: &Store) -> Reach {
    match store {
        Store::Vault(Vault { app_secrets: Some(rule), .. }) => Reach::Below(rule.clone()),
        _ => Reach::Nothing,
    }
}

/// The secrets of a list. `reach` holds for an app file; `early` is whether it is known already.
pub(super) fn list(
    list: Option<Found<'_, Vec<At<SecretLayer>>>>,
    what: &str,
    (reach, early): (Reach, bool),
    names: &Names,
) -> Result<Vec<Secret>, UserError> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut secrets: Vec<Secret> = Vec::new();
    for (n, item) in list.value.iter().enumerate() {
        let here = list.beside(item);
        let needed = |key| here.wrong(format!("`{what}[{n}]` needs `{key}`"));
        let SecretLayer { name, namespace, vault } = &item.value;
        let vault = vault.as_ref().ok_or_else(|| needed("vault"))?;
        let sample = names.check_text(&list.beside(vault), &format!("{what}[{n}].vault"))?;
        sample.parse::<VaultPath>().map_err(|error| list.beside(vault).wrong(error))?;
        let reach = match list.place.origin() {
            Origin::App => match &reach {
                Reach::Nothing if early => return Err(here.wrong(NOTHING).hint(HINT)),
                reach => reach.clone(),
            },
            _ => Reach::All,
        };
        let secret = Secret {
            name: name.as_ref().ok_or_else(|| needed("name"))?.value.clone(),
            namespace: namespace.as_ref().map_or_else(defaults::deploy_namespace, |at| at.value.clone()),
            place: here.place.to_string(),
            path: vault.value.clone(),
            reach,
        };
        if secrets.iter().any(|other| (&other.namespace, &other.name) == (&secret.namespace, &secret.name)) {
            return Err(here.wrong(format!("`{}/{}` stands here twice", secret.namespace, secret.name)));
        }
        secrets.push(secret);
    }
    Ok(secrets)
}

/// Below which path in Vault the secrets of a repository lie: `apps/${OWNER}/${REPO}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSecrets(String);

impl AppSecrets {
    /// The path of this repository.
    pub fn of(&self, repository: &RepoName) -> VaultPath {
        let path = fill(&self.0, repository.owner(), repository.repo());
        // A repository's name has no character that a segment has not, and is neither `.` nor `..`.
        path.and_then(|path| path.parse().ok()).expect("what fits one repository fits all")
    }

    /// Whether some repository's path and this one lie one in the other.
    pub(super) fn meets(&self, path: &VaultPath) -> bool {
        let mut pairs = self.0.split('/').zip(path.as_ref().split('/'));
        pairs.all(|(rule, segment)| rule.contains("${") || rule == segment)
    }
}

fn fill(rule: &str, owner: &str, repo: &str) -> Option<String> {
    let mut variables = Variables::default();
    variables.set("OWNER", owner);
    variables.set("REPO", repo);
    variables.fill(&rule.into()).ok()?.as_str().map(str::to_owned)
}

impl FromStr for AppSecrets {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let rule = "segments of letters, digits, '-', '_', '.', ${OWNER} and ${REPO}, joined by '/'";
        let text = text.strip_suffix('/').unwrap_or(text);
        let sample = fill(text, "acme", "shop").filter(|path| path.parse::<VaultPath>().is_ok());
        match sample {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(Malformed::new("path of apps' secrets", text, rule)),
        }
    }
}

impl fmt::Display for AppSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

leaf!(AppSecrets, {"type": "string", "examples": ["apps/${OWNER}/${REPO}"]});
