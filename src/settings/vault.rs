//! How Vault is reached and logged in to, from configuration and Vault's own variables.
//!
//! Must never: read a secret from a configuration file; talk to a Vault whose certificate nobody checks.

use super::{
    address::{VaultAddress, VaultPath},
    defaults,
    environment::Environment,
    file::{
        AppRoleLayer, At, AuthLayer, JwtLayer, Layer, MergedKubeconfigLayer, ServiceAccountLayer, VaultLayer,
    },
    layers::{Found, Layers, Owner, Place},
    secrets::AppSecrets,
    values::Word,
};
use crate::errors::UserError;
use secrecy::SecretString;
use std::{fmt, path::PathBuf};

pub(super) const ADDRESS: &str = "VAULT_ADDR";
pub(super) const TOKEN: &str = "VAULT_TOKEN";
pub(super) const SECRET_ID_HINT: &str =
    "set BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID, or name a file by `secret-id-file`";

/// Vault's key-value engine, version 2.
#[derive(Debug, Clone)]
pub struct Vault {
    /// Scheme, host and port.
    pub address: VaultAddress,
    /// Where the engine is mounted.
    pub mount: VaultPath,
    /// Below what berth's documents lie.
    pub path: VaultPath,
    /// Where in it the secrets of apps lie; none: an app file names no secret.
    pub app_secrets: Option<AppSecrets>,
    /// The one document with all kubeconfigs, for those who read it.
    pub merged_kubeconfig: Option<MergedKubeconfig>,
    /// Vault's own namespace, where it has several.
    pub namespace: Option<VaultPath>,
    /// A certificate authority to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// How to log in.
    pub auth: Auth,
}

/// A document with all kubeconfigs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedKubeconfig {
    /// Its path in the engine.
    pub path: VaultPath,
    /// Under which key of it.
    pub key: String,
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// With this token.
    Token(SecretString),
    /// By AppRole.
    AppRole {
        /// Where it is mounted.
        path: VaultPath,
        /// The role's id.
        role_id: String,
        /// Its secret.
        secret_id: SecretId,
    },
    /// By a pod's service account.
    Kubernetes {
        /// Where it is mounted.
        path: VaultPath,
        /// The role to log in to.
        role: String,
        /// The file that holds the pod's token.
        token_file: PathBuf,
    },
    /// By a JSON web token.
    Jwt {
        /// Where it is mounted.
        path: VaultPath,
        /// The role to log in to.
        role: String,
        /// Who gives the token.
        token: Jwt,
    },
}

/// Where an AppRole's secret is.
#[derive(Debug, Clone)]
pub enum SecretId {
    /// Here.
    Value(SecretString),
    /// In a file.
    File(PathBuf),
}

/// Who gives the JSON web token.
#[derive(Debug, Clone)]
pub enum Jwt {
    /// A file.
    File(PathBuf),
    /// GitHub, to the running job.
    GitHub {
        /// Where to ask.
        url: String,
        /// With what.
        token: SecretString,
        /// For whom; GitHub has a default of its own.
        audience: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Token,
    AppRole,
    Kubernetes,
    Jwt,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Token => "token",
            Kind::AppRole => "approle",
            Kind::Kubernetes => "kubernetes",
            Kind::Jwt => "jwt",
        })
    }
}

/// All of it, or what is missing.
pub(super) fn resolve(layers: &Layers, environment: &Environment) -> Result<Vault, UserError> {
    let vault = Keys { layers };
    checked_certificates(environment)?;
    let path = vault.find(|v| v.path.as_ref()).map_or_else(defaults::vault_path, cloned);
    Ok(Vault {
        address: match vault.find(|v| v.address.as_ref()) {
            Some(address) => address.value.clone(),
            None => environment
                .text(ADDRESS)?
                .ok_or_else(|| {
                    UserError::usage(format!("the vault store has no address: {}", environment.lack(ADDRESS)))
                        .hint("set it, or `store.vault.address` in the platform file")
                })?
                .parse()
                .map_err(|error| UserError::usage(format!("{ADDRESS}: {error}")))?,
        },
        mount: vault.find(|v| v.mount.as_ref()).map_or_else(defaults::vault_mount, cloned),
        app_secrets: vault.app_secrets(&path)?,
        merged_kubeconfig: vault.merged_kubeconfig(&path)?,
        path,
        namespace: match (vault.find(|v| v.namespace.as_ref()), environment.text("VAULT_NAMESPACE")?) {
            (Some(namespace), _) => Some(cloned(namespace)),
            (None, Some(text)) => {
                Some(text.parse().map_err(|e| UserError::usage(format!("VAULT_NAMESPACE: {e}")))?)
            }
            (None, None) => None,
        },
        ca: match vault.find(|v| v.ca.as_ref()) {
            Some(ca) => Some(ca.place.path(&ca.value.0)),
            None => environment.path("VAULT_CACERT"),
        },
        auth: vault.auth(environment)?,
    })
}

/// Vault's own tool can be told to check no certificate; whoever answers then gets the token.
fn checked_certificates(environment: &Environment) -> Result<(), UserError> {
    match environment.text("VAULT_SKIP_VERIFY")?.map(str::to_ascii_lowercase).as_deref() {
        None | Some("0" | "f" | "false") => Ok(()),
        Some(_) => {
            Err(UserError::usage("VAULT_SKIP_VERIFY is set, and berth checks Vault's certificate always")
                .hint("unset it, and name the certificate authority by VAULT_CACERT or `store.vault.ca`"))
        }
    }
}

struct Keys<'a> {
    layers: &'a Layers,
}

impl<'a> Keys<'a> {
    fn find<T>(&self, pick: impl Fn(&VaultLayer) -> Option<&At<T>>) -> Option<Found<'a, T>> {
        self.layers.find(|layer| pick(vault(layer)?))
    }

    /// Apps read what lies there: nothing of berth's own may.
    fn app_secrets(&self, own: &VaultPath) -> Result<Option<AppSecrets>, UserError> {
        let found = self.find(|v| v.app_secrets.as_ref());
        match found {
            Some(found) if found.value.meets(own) => {
                let message =
                    format!("`app-secrets` {} could be where berth's own documents are ({own})", found.value);
                Err(found
                    .wrong(message)
                    .hint("give it a first segment of its own, as in apps/${OWNER}/${REPO}"))
            }
            _ => Ok(found.map(cloned)),
        }
    }

    fn merged_kubeconfig(&self, own: &VaultPath) -> Result<Option<MergedKubeconfig>, UserError> {
        fn keys(vault: &VaultLayer) -> Option<&MergedKubeconfigLayer> {
            Some(&vault.merged_kubeconfig.as_ref()?.value)
        }
        let group = self.layers.find_among(|_| true, |layer| vault(layer)?.merged_kubeconfig.as_ref());
        let Some(group) = group else { return Ok(None) };
        let path = self.find(|v| keys(v)?.path.as_ref()).map_or_else(defaults::merged_kubeconfig, cloned);
        let key = self.find(|v| keys(v)?.key.as_ref());
        let key =
            key.map_or_else(|| defaults::MERGED_KUBECONFIG_KEY.to_owned(), |found| found.value.0.clone());
        // Its other keys are kept, but a document of berth's has none to spare.
        if path == *own || path.as_ref().starts_with(&format!("{own}/")) {
            return Err(
                group.wrong(format!("`merged-kubeconfig` {path} is among berth's own documents ({own})"))
            );
        }
        Ok(Some(MergedKubeconfig { path, key }))
    }

    fn auth(&self, environment: &Environment) -> Result<Auth, UserError> {
        let kind =
            self.layers.choice("store.vault.auth", (Owner::Platform, super::variables::STORE), kinds)?;
        match kind {
            None | Some((Kind::Token, _)) => token(environment),
            Some((Kind::AppRole, place)) => self.approle(place),
            Some((Kind::Kubernetes, place)) => self.service_account(place),
            Some((Kind::Jwt, place)) => self.jwt(place, environment),
        }
    }

    fn approle(&self, place: Place<'_>) -> Result<Auth, UserError> {
        fn keys(vault: &VaultLayer) -> Option<&AppRoleLayer> {
            Some(&vault.auth.as_ref()?.approle.as_ref()?.value)
        }
        let secret_id = match (
            self.find(|v| keys(v)?.secret_id.as_ref()),
            self.find(|v| keys(v)?.secret_id_file.as_ref()),
        ) {
            (Some(secret), _) => SecretId::Value(secret.value.0.clone()),
            (None, Some(file)) => SecretId::File(file.place.path(&file.value.0)),
            (None, None) => return Err(place.wrong("the AppRole has no secret id").hint(SECRET_ID_HINT)),
        };
        Ok(Auth::AppRole {
            path: self.find(|v| keys(v)?.path.as_ref()).map_or_else(defaults::approle_path, cloned),
            role_id: needed(place, Kind::AppRole, "role-id", self.find(|v| keys(v)?.role_id.as_ref()))?,
            secret_id,
        })
    }

    fn service_account(&self, place: Place<'_>) -> Result<Auth, UserError> {
        fn keys(vault: &VaultLayer) -> Option<&ServiceAccountLayer> {
            Some(&vault.auth.as_ref()?.kubernetes.as_ref()?.value)
        }
        let token_file = self.find(|v| keys(v)?.token_file.as_ref());
        Ok(Auth::Kubernetes {
            path: self.find(|v| keys(v)?.path.as_ref()).map_or_else(defaults::kubernetes_path, cloned),
            role: needed(place, Kind::Kubernetes, "role", self.find(|v| keys(v)?.role.as_ref()))?,
            token_file: token_file.map_or_else(
                || defaults::SERVICE_ACCOUNT_TOKEN.into(),
                |file| file.place.path(&file.value.0),
            ),
        })
    }

    fn jwt(&self, place: Place<'_>, environment: &Environment) -> Result<Auth, UserError> {
        fn keys(vault: &VaultLayer) -> Option<&JwtLayer> {
            Some(&vault.auth.as_ref()?.jwt.as_ref()?.value)
        }
        let audience = self.find(|v| keys(v)?.audience.as_ref());
        let token = match (self.find(|v| keys(v)?.token_file.as_ref()), audience) {
            (Some(file), None) => Jwt::File(file.place.path(&file.value.0)),
            (Some(_), Some(audience)) => {
                return Err(audience.wrong("`audience` is for GitHub's token; a `token-file` has one in it"));
            }
            (None, audience) => github(place, environment, audience)?,
        };
        Ok(Auth::Jwt {
            path: self.find(|v| keys(v)?.path.as_ref()).map_or_else(defaults::jwt_path, cloned),
            role: needed(place, Kind::Jwt, "role", self.find(|v| keys(v)?.role.as_ref()))?,
            token,
        })
    }
}

fn vault(layer: &Layer) -> Option<&VaultLayer> {
    Some(&layer.store.as_ref()?.vault.as_ref()?.value)
}

fn kinds(layer: &Layer) -> Vec<At<Kind>> {
    let Some(AuthLayer { token, approle, kubernetes, jwt }) = vault(layer).and_then(|v| v.auth.as_ref())
    else {
        return Vec::new();
    };
    let kinds = [
        token.as_ref().map(|at| at.mark(Kind::Token)),
        approle.as_ref().map(|at| at.mark(Kind::AppRole)),
        kubernetes.as_ref().map(|at| at.mark(Kind::Kubernetes)),
        jwt.as_ref().map(|at| at.mark(Kind::Jwt)),
    ];
    kinds.into_iter().flatten().collect()
}

fn token(environment: &Environment) -> Result<Auth, UserError> {
    // A secret that was pasted or read from a file often ends in a line break, which no header can carry.
    match environment.text(TOKEN)?.map(str::trim).filter(|token| !token.is_empty()) {
        Some(token) => Ok(Auth::Token(token.to_owned().into())),
        None => Err(UserError::usage(format!("the vault store has no token: {}", environment.lack(TOKEN)))
            .hint("set it, or another way to log in as `store.vault.auth` in the platform file")),
    }
}

fn github(
    place: Place<'_>,
    environment: &Environment,
    audience: Option<Found<'_, Word>>,
) -> Result<Jwt, UserError> {
    let (url, token) = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let needed = |name| {
        environment.text(name)?.ok_or_else(|| {
            let message = format!("the job cannot ask GitHub for a token: {}", environment.lack(name));
            place
                .wrong(message)
                .hint("give the job `permissions: {id-token: write}`, or set `token-file` outside of GitHub")
        })
    };
    Ok(Jwt::GitHub {
        url: needed(url)?.to_owned(),
        token: needed(token)?.to_owned().into(),
        audience: audience.map(|audience| audience.value.0.clone()),
    })
}

fn needed(
    place: Place<'_>,
    kind: Kind,
    key: &str,
    found: Option<Found<'_, Word>>,
) -> Result<String, UserError> {
    let lacking = || place.wrong(format!("`store.vault.auth.{kind}` needs `{key}`"));
    found.map(|found| found.value.0.clone()).ok_or_else(lacking)
}

fn cloned<T: Clone>(found: Found<'_, T>) -> T {
    found.value.clone()
}
