//! What vaultrs says of a failed request, as a `clients::Failure` for the program and a sentence with a hint for people.
//!
//! Must never: show a token, or a body of which nobody knows what is in it.

use crate::{
    clients::{Failure, Kind},
    errors::{Exit, UserError},
};
use rustify::errors::ClientError as Rest;
use std::{error::Error, io};
use vaultrs::error::ClientError;

/// What was being done.
pub(super) struct Told<'a> {
    /// In one verb.
    pub(super) doing: &'a str,
    /// To which object, on which server.
    pub(super) object: &'a str,
    /// What to look at if Vault refuses it.
    pub(super) refused: &'a str,
    /// What to look at if the request makes no sense to the server.
    pub(super) invalid: &'a str,
    /// What may have become of it if no answer came.
    pub(super) unavailable: &'a str,
}

/// Of what only reads, or does no harm twice.
pub(super) const NOTHING_CHANGED: &str =
    "nothing was changed on that ground; `vault status` tells more, then try again";

/// By what a caller would do about it.
pub(super) fn kind(error: &ClientError) -> Kind {
    match error {
        ClientError::APIError { code: 400, errors } if is_cas_mismatch(errors) => Kind::Conflict,
        ClientError::APIError { code, .. } => of_status(*code),
        ClientError::RestClientError { source: Rest::ServerResponseError { code, .. } } => of_status(*code),
        // No server gets another certificate by being asked again.
        error if is_distrusted(error) => Kind::Invalid,
        ClientError::RestClientError { source: Rest::RequestError { .. } | Rest::ResponseError { .. } } => {
            Kind::Unavailable { wait: None }
        }
        _ => Kind::Invalid,
    }
}

fn of_status(code: u16) -> Kind {
    match code {
        401 | 403 => Kind::Refused,
        // 412: an Enterprise standby that has not seen the latest write yet. 429, 472, 473: a standby that cannot answer.
        408 | 412 | 429 | 472 | 473 | 500..=599 => Kind::Unavailable { wait: None },
        _ => Kind::Invalid,
    }
}

/// There is a second 400 about check-and-set, "parameter required": that one is a mistake of ours, not a conflict.
fn is_cas_mismatch(errors: &[String]) -> bool {
    errors.iter().any(|e| e.contains("check-and-set parameter did not match the current version"))
}

/// The failure with all that a person needs.
pub(super) fn told(what: Told<'_>, error: &ClientError) -> anyhow::Error {
    let kind = kind(error);
    let failure = Failure { kind, detail: detail(error) };
    let message = format!("could not {} {}", what.doing, what.object);
    anyhow::Error::new(failure).context(UserError::new(Exit::Unknown, message).hint(hint(&what, kind, error)))
}

fn detail(error: &ClientError) -> String {
    match error {
        ClientError::APIError { code, errors } if errors.is_empty() => format!("Vault answered {code}"),
        ClientError::APIError { code, errors } => {
            let said: Vec<&str> = errors.iter().flat_map(|e| e.lines()).map(str::trim).collect();
            format!("Vault answered {code}: {}", shortened(&said.join(" ")))
        }
        ClientError::RestClientError { source } => match source {
            Rest::ServerResponseError { code, .. } if (300..400).contains(code) => {
                format!(
                    "the server answered {code}, a redirect, which is not followed: the token would go along"
                )
            }
            Rest::ServerResponseError { code, .. } => {
                format!("the server answered {code}, and not in Vault's words")
            }
            Rest::RequestError { source, .. } | Rest::ResponseError { source } => transport(source),
            Rest::ResponseParseError { .. } => "the answer is not what Vault answers".to_owned(),
            other => other.to_string(),
        },
        ClientError::ResponseDataEmptyError | ClientError::ResponseEmptyError => {
            "the answer has no data: not what Vault answers".to_owned()
        }
        other => other.to_string(),
    }
}

fn transport(error: &anyhow::Error) -> String {
    match error.downcast_ref::<reqwest::Error>() {
        Some(e) if e.is_timeout() => "no answer in time".to_owned(),
        Some(e) if e.is_connect() => format!("no connection: {}", error.root_cause()),
        _ => format!("the connection broke: {}", error.root_cause()),
    }
}

fn hint(what: &Told<'_>, kind: Kind, error: &ClientError) -> String {
    match kind {
        Kind::Refused => what.refused.to_owned(),
        Kind::Unavailable { .. } => what.unavailable.to_owned(),
        Kind::Conflict | Kind::Superseded => "somebody else wrote there: try again".to_owned(),
        Kind::Invalid if is_redirect(error) => {
            "give the address of the active node, or of a load balancer that forwards to it".to_owned()
        }
        Kind::Invalid if is_distrusted(error) => {
            "name the authority that signed the server's certificate: `store.vault.ca`, or VAULT_CACERT"
                .to_owned()
        }
        Kind::Invalid => what.invalid.to_owned(),
    }
}

fn is_redirect(error: &ClientError) -> bool {
    matches!(error, ClientError::RestClientError { source: Rest::ServerResponseError { code, .. } }
        if (300..400).contains(code))
}

/// Whether the server's certificate is not to be trusted.
fn is_distrusted(error: &ClientError) -> bool {
    matches!(error, ClientError::RestClientError { source: Rest::RequestError { source, .. } }
        if source.chain().any(is_certificates))
}

/// An io::Error hides what it wraps: its source is already the source of that.
fn is_certificates(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => is_certificates(wrapped),
        None => matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))),
    }
}

/// A server's words are not ours to print at any length.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
