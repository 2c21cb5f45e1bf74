//! What berth is to GitHub: for whom it works, as whom it speaks, and by which names.
//!
//! Must never: hold a private key; let a repository in by a part of its name.

use super::{
    address::VaultPath,
    app_values::Pattern,
    defaults,
    file::{At, GitHubLayer, Layer},
    layers::{Found, Layers},
    values::Word,
};
use crate::{
    domain::{
        dispatch::Types,
        names::{LabelName, RepoName},
    },
    errors::UserError,
};
use std::path::PathBuf;

/// What berth is to GitHub.
#[derive(Debug, Clone)]
pub struct GitHubSettings {
    /// For whose pull requests it works; `None`: for those of the repository that a run is of.
    pub repositories: Option<Vec<Pattern>>,
    /// The name of its commit status.
    pub status: String,
    /// By which label code of a fork is let in.
    pub approval_label: LabelName,
    /// By which label an environment gets its whole lifetime anew.
    pub extend_label: LabelName,
    /// What dispatches are called.
    pub dispatch: Types,
    /// As which app it speaks; `None`: by the token that it is given.
    pub app: Option<AppOnGitHub>,
}

/// A GitHub App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppOnGitHub {
    /// Its id.
    pub id: u64,
    /// Where its private key is.
    pub key: Key,
}

/// Where a private key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// In Vault, below the store's mount.
    Vault {
        /// At which path.
        path: VaultPath,
        /// Under which key.
        key: String,
    },
    /// In a file.
    File(PathBuf),
}

impl GitHubSettings {
    /// Whether berth works for this repository, in a run of that one.
    pub fn serves(&self, repository: &RepoName, of_run: Option<&RepoName>) -> bool {
        match &self.repositories {
            // GitHub tells none apart by case, and names of repositories are in lower case here.
            Some(patterns) => {
                patterns.iter().any(|pattern| pattern.in_lower_case().matches(&repository.to_string()))
            }
            None => of_run.is_none_or(|run| run == repository),
        }
    }
}

/// What the keys say.
pub(super) fn resolve(layers: &Layers) -> Result<GitHubSettings, UserError> {
    fn keys(layer: &Layer) -> Option<&GitHubLayer> {
        layer.github.as_ref()
    }
    let types = |pick: fn(&GitHubLayer) -> Option<&At<Vec<Word>>>| {
        let found = layers.find(|layer| pick(keys(layer)?));
        found.map(|found| found.value.iter().map(|word| word.0.clone()).collect::<Vec<_>>())
    };
    let known = Types::default();
    let status = layers.find(|layer| keys(layer)?.status.as_ref());
    let approval = layers.find(|layer| keys(layer)?.approval_label.as_ref());
    let extend = layers.find(|layer| keys(layer)?.extend_label.as_ref());
    Ok(GitHubSettings {
        repositories: layers.find(|layer| keys(layer)?.repositories.as_ref()).map(Found::cloned),
        status: status.map_or_else(|| defaults::STATUS.to_owned(), |found| found.value.0.clone()),
        approval_label: approval.map_or_else(|| defaults::label(defaults::APPROVAL_LABEL), Found::cloned),
        extend_label: extend.map_or_else(|| defaults::label(defaults::EXTEND_LABEL), Found::cloned),
        dispatch: Types {
            up: types(|keys| keys.dispatch.as_ref()?.up.as_ref()).unwrap_or(known.up),
            down: types(|keys| keys.dispatch.as_ref()?.down.as_ref()).unwrap_or(known.down),
            typed: types(|keys| keys.dispatch.as_ref()?.typed.as_ref()).unwrap_or(known.typed),
        },
        app: layers.find(|layer| keys(layer)?.app.as_ref()).map(app).transpose()?,
    })
}

fn app(found: Found<'_, super::file::GitHubAppLayer>) -> Result<AppOnGitHub, UserError> {
    let needed = |what: &str| found.wrong(format!("`github.app` needs `{what}`"));
    let id = found.value.id.as_ref().ok_or_else(|| needed("id"))?;
    let key = found.beside(found.value.key.as_ref().ok_or_else(|| needed("key"))?);
    let text = key.value.0.as_str();
    let wrong = || {
        // Not quoted: it may be the key itself.
        key.wrong("`github.app.key` does not say where the key is")
            .hint("write vault:PATH#KEY or file:PATH; the key itself belongs into neither file nor variable")
    };
    let key =
        match (text.strip_prefix("vault:").and_then(|rest| rest.split_once('#')), text.strip_prefix("file:"))
        {
            (Some((path, name)), _) if !name.is_empty() => {
                Key::Vault { path: path.parse().map_err(|_| wrong())?, key: name.to_owned() }
            }
            (_, Some(file)) if !file.is_empty() => Key::File(key.place.path(file.as_ref())),
            _ => return Err(wrong()),
        };
    let number = id
        .value
        .0
        .parse()
        .map_err(|_| found.beside(id).wrong("`github.app.id` is the app's id, a number"))?;
    Ok(AppOnGitHub { id: number, key })
}
