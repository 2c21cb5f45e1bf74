//! Tokens for others: made by a role of Vault's, renewed and revoked by their accessor, which is all that is kept of them.
//!
//! A token is born with a few minutes, so that one of which nobody could note the accessor ends by itself. Must never: make
//! one that ends with ours, or has our policies; take any answer for a revocation but Vault's own.

use super::{
    Vault,
    failure::{self, NOTHING_CHANGED, Told},
};
use crate::{
    clients::{Failure, Kind},
    errors::{Exit, UserError},
};
use anyhow::Result;
use rustify::{endpoint::Endpoint as _, errors::ClientError as Rest};
use secrecy::SecretString;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use vaultrs::{
    api::{
        self, EndpointError, EndpointResult,
        token::requests::{CreateRoleTokenRequest, RevokeTokenAccessorRequest},
    },
    error::ClientError,
};

/// What a token has before it is renewed for the first time.
pub const BORN: Duration = Duration::from_secs(5 * 60);

/// A token that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// For whom it was made.
    pub token: SecretString,
    /// Renews and revokes it, and lets nobody in.
    pub accessor: String,
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It lasts for this long from now, which may be less than was asked for.
    Lasts(Duration),
    /// There is no such token any more.
    Gone,
}

const RENEW: &str = "auth/token/renew-accessor";
const REVOKE: &str = "auth/token/revoke-accessor";

impl Vault {
    /// Makes a token with these policies and not even the default one, so that it cannot renew itself.
    ///
    /// `life` is told to Vault, but of a role's tokens Vault bounds renewals by the role's own `token_explicit_max_ttl` and
    /// by nothing else: whoever renews it must not go beyond.
    pub async fn create_token(
        &self,
        role: &str,
        policies: &[String],
        life: Duration,
        meta: &BTreeMap<String, String>,
    ) -> Result<Made> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if role.is_empty() || role.starts_with('.') || !role.chars().all(plain) {
            return Err(UserError::usage(format!("{role:?} is no name of a token role")).into());
        }
        // Without any it would get what the role says, and where that says nothing, ours.
        if policies.is_empty() {
            return Err(UserError::usage(format!("a token of the role {role} needs a policy")).into());
        }
        let path = format!("auth/token/create/{role}");
        let invalid = format!(
            "there must be a token role `{role}` which allows these policies, with orphan=true and renewable=true: \
             `vault read auth/token/roles/{role}`"
        );
        let told = |error: &ClientError| {
            let lost = "a token that was made all the same ends by itself within minutes: try again";
            self.told_of_token("make a token at", &path, &invalid, lost, error)
        };
        let client = self.0.client().await?;
        let request = CreateRoleTokenRequest::builder()
            .role_name(role)
            .policies(policies.to_vec())
            .no_default_policy(true)
            .ttl(seconds(BORN.min(life)))
            .explicit_max_ttl(seconds(life))
            .meta(meta.clone().into_iter().collect::<HashMap<_, _>>())
            .build()?;
        let made = api::auth(&*client, request).await.map_err(|error| told(&error))?;
        if made.client_token.is_empty() || made.accessor.is_empty() {
            return Err(told(&ClientError::ResponseEmptyError));
        }
        if !made.orphan || !made.renewable {
            let detail = "its tokens end with the one that makes them, or cannot be renewed".to_owned();
            let message = format!("could not use the token role {role} on {}", self.address());
            return Err(anyhow::Error::new(Failure { kind: Kind::Invalid, detail })
                .context(UserError::new(Exit::Unknown, message).hint(invalid)));
        }
        Ok(Made { token: made.client_token.into(), accessor: made.accessor })
    }

    /// Lets it last for so long from now.
    pub async fn renew_accessor(&self, accessor: &str, increment: Duration) -> Result<Renewal> {
        let client = self.0.client().await?;
        match vaultrs::token::renew_accessor(&*client, accessor, Some(&seconds(increment))).await {
            Ok(renewed) => Ok(Renewal::Lasts(Duration::from_secs(renewed.lease_duration))),
            Err(error) if is_unknown(&error) => Ok(Renewal::Gone),
            Err(error) => {
                let invalid = "is it a token that can be renewed? its role must have renewable=true";
                Err(self.told_of_token("renew a token at", RENEW, invalid, NOTHING_CHANGED, &error))
            }
        }
    }

    /// Ends it, unless it has ended already: afterwards there is no such token.
    pub async fn revoke_accessor(&self, accessor: &str) -> Result<()> {
        let client = self.0.client().await?;
        let request = RevokeTokenAccessorRequest::builder().accessor(accessor).build()?;
        // Not through vaultrs, which takes any page with a 200 for a success, and leaves out Vault's warning.
        let answer = request.with_middleware(&client.middle).exec(&client.http).await;
        let error = match answer {
            Ok(answer) if answer.response.status().as_u16() == 204 => return Ok(()),
            Ok(answer) => match answer.wrap::<EndpointResult<()>>() {
                Ok(said) if said.warnings.iter().flatten().any(|warning| warning == NO_SUCH_TOKEN) => {
                    return Ok(());
                }
                Ok(_) => ClientError::ResponseDataEmptyError,
                Err(error) => error.into(),
            },
            Err(error) => in_vaults_words(error),
        };
        if is_unknown(&error) {
            return Ok(());
        }
        let invalid = "is this the address of a Vault server?";
        let lost = "it may have landed all the same: the same command finds out; `vault status` tells more";
        Err(self.told_of_token("revoke a token at", REVOKE, invalid, lost, &error))
    }

    fn told_of_token(
        &self,
        doing: &str,
        path: &str,
        invalid: &str,
        unavailable: &str,
        error: &ClientError,
    ) -> anyhow::Error {
        let object = format!("{path} on {}", self.address());
        let refused =
            format!("the token must not have expired, and its policy must allow `update` on `{path}`");
        failure::told(Told { doing, object: &object, refused: &refused, invalid, unavailable }, error)
    }
}

/// To Vault 0 is not said, and what is not said is as long as it gets.
fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs().max(1))
}

/// A revocation of what is not there is no failure to Vault.
const NO_SUCH_TOKEN: &str = "No token found with this accessor";

/// Whether Vault says that no token has this accessor: 400, though others have been seen to be 403 and 404. The words are
/// what tells it from every other refusal.
fn is_unknown(error: &ClientError) -> bool {
    let says = |error: &String| {
        error.lines().any(|line| line.trim_start_matches(['\t', ' ', '*']) == "invalid accessor")
    };
    matches!(error, ClientError::APIError { code: 400 | 403 | 404, errors } if errors.iter().any(says))
}

/// As vaultrs reads errors.
fn in_vaults_words(error: Rest) -> ClientError {
    let said = match &error {
        Rest::ServerResponseError { code, content: Some(body) } => {
            serde_json::from_str(body).ok().map(|said: EndpointError| (*code, said.errors))
        }
        _ => None,
    };
    said.map_or_else(|| error.into(), |(code, errors)| ClientError::APIError { code, errors })
}
