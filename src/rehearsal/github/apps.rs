//! Apps: who they say they are by a key of their own, where they are installed, and the tokens that they make there.
//!
//! A token is for some of an installation's repositories and permissions, for an hour.

use super::{
    AccountKind, Answer, Call, GitHub, Grant, Kind, Level, Permission, created,
    fields::{Fields, texts},
    hex, ok,
    refusal::{self, Refusal},
    show::Show,
    state::Repository,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long a token lasts, in seconds.
const LASTS: i64 = 3600;
/// How far ahead of GitHub's time an app's word may end.
const MOST_AHEAD: i64 = 600;

/// An app, and where it is installed.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id, which it says it is.
    pub id: u64,
    /// What its bot is called, without `[bot]`.
    pub slug: String,
    /// Of the key that it signs with: an `RSAPublicKey` in DER.
    pub public_key: Vec<u8>,
    /// What it was given wherever it is installed.
    pub permissions: BTreeMap<Permission, Level>,
    /// Where it is installed, by full name. Each owner's are one installation.
    pub repositories: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Installed {
    app: App,
    /// The installation of each owner, in lower case.
    installations: BTreeMap<String, u64>,
}

fn owner(full_name: &str) -> String {
    full_name.split('/').next().unwrap_or_default().to_ascii_lowercase()
}

fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::Contents => "contents",
        Permission::Issues => "issues",
        Permission::PullRequests => "pull_requests",
        Permission::Statuses => "statuses",
        Permission::Checks => "checks",
        Permission::Deployments => "deployments",
        Permission::Actions => "actions",
        Permission::Metadata => "metadata",
    }
}

fn words(permissions: &BTreeMap<Permission, Level>) -> Value {
    let level = |level: &Level| if *level == Level::Write { "write" } else { "read" };
    permissions.iter().map(|(permission, has)| (word(*permission).to_owned(), json!(level(has)))).collect()
}

/// Whether only an app may ask this, by its own key.
pub(super) fn is_for_apps(path: &[String]) -> bool {
    match path {
        [app, ..] if app == "app" => true,
        [repos, _, _, installation] if repos == "repos" => installation == "installation",
        [repositories, _, installation] if repositories == "repositories" => installation == "installation",
        _ => false,
    }
}

impl GitHub {
    /// Registers an app and installs it.
    pub fn add_app(&mut self, app: App) {
        self.add_account(&format!("{}[bot]", app.slug), AccountKind::Bot);
        let mut installations = BTreeMap::new();
        for name in &app.repositories {
            let id = self.next_id();
            installations.entry(owner(name)).or_insert(id);
        }
        self.apps.insert(app.id, Installed { app, installations });
    }

    /// Which app says this, with a signature.
    pub(super) fn app_by(&self, word: &str) -> Result<Grant, Refusal> {
        let undecoded = || refusal::unauthorized("A JSON web token could not be decoded");
        let [head, claims, signature] = word.split('.').collect::<Vec<_>>()[..] else {
            return Err(undecoded());
        };
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| undecoded());
        let read = |text| serde_json::from_slice::<Value>(&decode(text)?).map_err(|_| undecoded());
        let (how, said) = (read(head)?, read(claims)?);
        if how["alg"] != "RS256" {
            return Err(undecoded());
        }
        let issuer = match &said["iss"] {
            Value::String(id) => id.parse().ok(),
            id => id.as_u64(),
        };
        let issuer = issuer.ok_or_else(|| refusal::unauthorized("Missing 'issuer' claim ('iss')"))?;
        let Some(Installed { app, .. }) = self.apps.get(&issuer) else {
            return Err(refusal::nothing_at("Integration not found"));
        };
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
        let signed = format!("{head}.{claims}");
        key.verify(signed.as_bytes(), &decode(signature)?).map_err(|_| undecoded())?;
        let now = self.now.as_second();
        let Some(end) = said["exp"].as_i64().filter(|end| *end > now) else {
            let message = "'Expiration time' claim ('exp') must be a numeric value representing the future time at \
                           which the assertion expires";
            return Err(refusal::unauthorized(message));
        };
        if end > now + MOST_AHEAD {
            return Err(refusal::unauthorized("'Expiration time' claim ('exp') is too far in the future"));
        }
        if said["iat"].as_i64().is_none_or(|at| at > now) {
            let message = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
            return Err(refusal::unauthorized(message));
        }
        // By itself it may nothing, and is counted apart from its installations.
        Ok(Grant::app(&app.slug, &[]))
    }

    fn asking(&self, call: &Call<'_>) -> Result<&Installed, Refusal> {
        let Some(Kind::App(slug)) = call.grant.as_ref().map(|grant| &grant.kind) else {
            return Err(refusal::unauthorized("A JSON web token could not be decoded"));
        };
        self.apps.values().find(|installed| installed.app.slug == *slug).ok_or_else(refusal::not_found)
    }

    /// The asking app's installation that this repository is in.
    pub(super) fn installation_of(&self, call: &Call<'_>, id: u64) -> Result<u64, Refusal> {
        let Installed { app, installations } = self.asking(call)?;
        let named =
            app.repositories.iter().find(|name| self.names.get(&name.to_ascii_lowercase()) == Some(&id));
        named.and_then(|name| installations.get(&owner(name))).copied().ok_or_else(refusal::not_found)
    }

    pub(super) fn read_installation(&self, call: &Call<'_>, id: u64) -> Answer {
        let installation = self.installation_of(call, id)?;
        ok(self.show(call).installation(&self.asking(call)?.app, installation, &self.repositories[&id]))
    }

    pub(super) fn make_installation_token(&mut self, call: &Call<'_>, installation: &str) -> Answer {
        let Installed { app, installations } = self.asking(call)?.clone();
        let of = installations.into_iter().find(|(_, id)| id.to_string() == installation);
        let (of, _) = of.ok_or_else(refusal::not_found)?;
        let fields = Fields::of(call.request, &["repositories", "repository_ids", "permissions"])?;
        let elsewhere = || {
            refusal::unprocessable(
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        };
        let all: Vec<&Repository> = app
            .repositories
            .iter()
            .filter(|name| owner(name) == of)
            .filter_map(|name| self.repositories.get(self.names.get(&name.to_ascii_lowercase())?))
            .collect();
        let mut chosen: Vec<String> = Vec::new();
        let named = fields.list("repositories")?.map(|list| texts("repositories", list)).transpose()?;
        for name in named.iter().flatten() {
            let found = all.iter().find(|repository| repository.name.eq_ignore_ascii_case(name));
            chosen.push(found.ok_or_else(elsewhere)?.full_name());
        }
        let ids = fields.list("repository_ids")?;
        for id in ids.into_iter().flatten() {
            let found = all.iter().find(|repository| Some(repository.id) == id.as_u64());
            chosen.push(found.ok_or_else(elsewhere)?.full_name());
        }
        let selected = named.is_some() || ids.is_some();
        if !selected {
            chosen = all.iter().map(|repository| repository.full_name()).collect();
        }
        let mut permissions = BTreeMap::new();
        match fields.object("permissions")? {
            None => permissions.clone_from(&app.permissions),
            Some(asked) => {
                for (key, level) in asked {
                    let level = if level == "write" { Level::Write } else { Level::Read };
                    let granted =
                        app.permissions.iter().find(|(has, most)| word(**has) == key && **most >= level);
                    let metadata =
                        (key == "metadata" && level == Level::Read).then_some(Permission::Metadata);
                    let permission =
                        granted.map(|(permission, _)| *permission).or(metadata).ok_or_else(|| {
                            refusal::unprocessable(
                                "The permissions requested are not granted to this installation.",
                            )
                        })?;
                    permissions.insert(permission, level);
                }
            }
        }
        let expires = self.now.checked_add(SignedDuration::from_secs(LASTS)).unwrap_or(jiff::Timestamp::MAX);
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.next_id().to_be_bytes());
        let token = format!("ghs_{}", &hex(digest.as_ref())[..36]);
        let names: Vec<&str> = chosen.iter().map(String::as_str).collect();
        let shown = json!({
            "token": token, "expires_at": expires, "permissions": words(&permissions),
            "repository_selection": if selected { "selected" } else { "all" },
        });
        let grant = Grant { permissions, expires: Some(expires), ..Grant::app(&app.slug, &names) };
        self.tokens.insert(token, grant);
        created(shown)
    }
}

impl Show<'_> {
    fn installation(&self, app: &App, installation: u64, repository: &Repository) -> Value {
        let account = self.person(Some(&repository.owner));
        let url = format!("{}/app/installations/{installation}", self.api);
        json!({
            "id": installation, "app_id": app.id, "app_slug": app.slug, "target_id": account["id"],
            "target_type": account["type"], "account": account, "single_file_name": null,
            "repository_selection": "selected", "access_tokens_url": format!("{url}/access_tokens"),
            "html_url": format!("https://github.com/settings/installations/{installation}"),
            "repositories_url": format!("{}/installation/repositories", self.api), "events": [],
            "permissions": words(&app.permissions), "created_at": super::BEGINNING, "updated_at": super::BEGINNING,
            "suspended_by": null, "suspended_at": null,
        })
    }
}
