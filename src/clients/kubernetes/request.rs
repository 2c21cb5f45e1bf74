//! One request to an API server, and what its answer proves.
//!
//! Not kube's `Client::request`, which takes any JSON object for a `Status` (a proxy's 403 loses its code), calls a page
//! of HTML that came with a 404 "not found", forgets `Retry-After`, and logs the answers that it cannot parse, Secrets
//! too. Must never: take anything but the API server's own word about the very object for its absence or for a
//! conflict; wait without a limit; quote what an object holds.

use crate::clients::{Failure, Kind};
use hyper::http::{
    HeaderMap, Request, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use kube::{
    Client,
    client::{AuthError, Body},
    core::{ApiResource, Status, request::Error as NotBuilt, response::reason},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{error::Error, time::Duration};

/// Why a request did not do what it asked for.
#[derive(Debug)]
pub struct Denial {
    /// For whoever only passes it on.
    pub failure: Failure,
    /// The API server's own word, if it is one.
    status: Option<Box<Status>>,
    /// Whether the answer is 404, whoever gave it.
    is_not_found: bool,
    /// Whether somebody on the way gave the answer.
    is_anothers: bool,
}

impl Denial {
    /// Whether the API server gave this reason about exactly this object. A 404 may as well be about the namespace,
    /// about the path or from a proxy, and a 409 about a quota.
    pub fn says(&self, reason: &str, resource: &ApiResource, name: &str) -> bool {
        let Some(status) = &self.status else { return false };
        status.reason == reason
            && status.details.as_ref().is_some_and(|about| {
                // A delete whose precondition fails names the kind where all others name the plural.
                let kinds = [resource.plural.as_str(), resource.kind.as_str()];
                about.name == name && about.group == resource.group && kinds.contains(&about.kind.as_str())
            })
    }

    /// Whether it is the API server that says so, and nobody on the way to it.
    pub fn is_servers_own(&self) -> bool {
        self.status.is_some()
    }

    /// Whether it was answered by somebody on the way, whose word about a request is no verdict.
    pub fn is_anothers(&self) -> bool {
        self.is_anothers
    }

    /// Whether nothing was found, be it the object, its namespace, or the path: a server that does not serve a kind so
    /// far answers with a page.
    pub fn is_not_found(&self) -> bool {
        self.is_not_found
    }

    /// Whether the server has forgotten the version that was asked for.
    pub fn is_expired(&self) -> bool {
        let forgotten = [reason::EXPIRED, reason::GONE];
        self.status.as_ref().is_some_and(|status| forgotten.contains(&status.reason.as_str()))
    }

    /// An answer that cannot be what it claims to be.
    pub fn garbled(detail: impl Into<String>) -> Self {
        Failure { kind: Kind::Unavailable { wait: None }, detail: detail.into() }.into()
    }

    /// Of an answer that is no success.
    fn answered(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        // At once is no time to wait.
        let retry_after = retry_after.filter(|seconds| *seconds > 0);
        let Some(status) = own_word(code, body) else {
            // Not the body: some pages show the request that they answer, its token too.
            let of =
                headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
            let of: String = of.chars().filter(|c| !c.is_control()).take(60).collect();
            let detail = format!("the answer is {code}, and no Status of Kubernetes ({of})");
            let failure = Failure { kind: kind(code.as_u16(), retry_after), detail };
            let is_not_found = code == StatusCode::NOT_FOUND;
            return Self { is_not_found, is_anothers: true, ..failure.into() };
        };
        let mut denial = Self::from(kube::Error::Api(status));
        if let Kind::Unavailable { wait: wait @ None } = &mut denial.failure.kind {
            *wait = retry_after.map(Duration::from_secs);
        }
        denial
    }
}

impl From<Failure> for Denial {
    fn from(failure: Failure) -> Self {
        Self { failure, status: None, is_not_found: false, is_anothers: false }
    }
}

/// Also for what comes from kube's own `Api`, such as a watch.
impl From<kube::Error> for Denial {
    fn from(error: kube::Error) -> Self {
        use kube::Error::{Api, Auth, HyperError, ReadEvents, SerdeError, Service};
        let (kind, detail) = match error {
            Api(status) => {
                let asked = status.details.as_ref().map(|about| about.retry_after_seconds);
                let wait = asked.filter(|seconds| *seconds > 0).map(u64::from);
                let kind = match status.code {
                    // An applied object that does not fit its kind is answered like a broken server, but trying again
                    // will not mend it.
                    500 if does_not_fit(&status.message) => Kind::Invalid,
                    // The namespace of an environment's earlier life: it will be gone.
                    403 if is_about_an_end(&status) => kind(503, wait),
                    code => kind(code, wait),
                };
                let detail = match status.message.as_str() {
                    "" => format!("the answer is {} {}", status.code, status.reason),
                    message => message.to_owned(),
                };
                let is_not_found = status.code == 404;
                let failure = Failure { kind, detail };
                return Self { failure, status: Some(status), is_not_found, is_anothers: false };
            }
            // Its text may quote the answer.
            SerdeError(e) => {
                let at = format!("line {}, column {}", e.line(), e.column());
                (Kind::Unavailable { wait: None }, format!("the answer is not what was asked for ({at})"))
            }
            Service(e) => (Kind::Unavailable { wait: None }, causes(&*e)),
            HyperError(e) => (Kind::Unavailable { wait: None }, causes(&e)),
            ReadEvents(e) => (Kind::Unavailable { wait: None }, causes(&e)),
            Auth(e) => (Kind::Refused, no_credentials(&e)),
            // All else happens before anything is sent.
            e => (Kind::Invalid, causes(&e)),
        };
        Failure { kind, detail }.into()
    }
}

/// Sends it once, and reads the answer to its end.
pub async fn request<T: DeserializeOwned>(
    client: &Client,
    request: Result<Request<Vec<u8>>, NotBuilt>,
    limit: Duration,
) -> Result<T, Denial> {
    let exchange = async { Ok(open_now(client, request).await?.collect_bytes().await?) };
    let body = within(limit, exchange).await?;
    Ok(serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?)
}

/// Sends it once, and leaves the answer to be read as it comes. The limit is for its beginning.
pub async fn open(
    client: &Client,
    request: Result<Request<Vec<u8>>, NotBuilt>,
    limit: Duration,
) -> Result<Body, Denial> {
    within(limit, open_now(client, request)).await
}

async fn open_now(client: &Client, request: Result<Request<Vec<u8>>, NotBuilt>) -> Result<Body, Denial> {
    let request = request.map_err(kube::Error::BuildRequest)?;
    let (head, body) = client.send(request.map(Body::from)).await?.into_parts();
    if !head.status.is_success() {
        return Err(Denial::answered(head.status, &head.headers, &body.collect_bytes().await?));
    }
    Ok(body)
}

async fn within<T>(limit: Duration, exchange: impl Future<Output = Result<T, Denial>>) -> Result<T, Denial> {
    match tokio::time::timeout(limit, exchange).await {
        Ok(exchanged) => exchanged,
        Err(_) => Err(Denial::garbled(format!("no answer within {limit:?}"))),
    }
}

fn is_about_an_end(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|about| &about.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// Not by the conversion alone: that may also be a webhook of a CRD, which is down.
fn does_not_fit(message: &str) -> bool {
    message.contains("failed to create typed patch object")
        || ["failed to convert new object", "unable to convert unstructured object"]
            .iter()
            .all(|said| message.contains(said))
}

/// The body, if it is a `Status` that fits the answer's code.
fn own_word(code: StatusCode, body: &[u8]) -> Option<Box<Status>> {
    let said: Value = serde_json::from_slice(body).ok()?;
    if said["kind"] != "Status" || said["apiVersion"] != "v1" {
        return None;
    }
    let status: Status = serde_json::from_value(said).ok()?;
    (status.is_failure() && status.code == code.as_u16()).then(|| status.boxed())
}

fn kind(code: u16, wait: Option<u64>) -> Kind {
    match code {
        401 | 403 => Kind::Refused,
        409 => Kind::Conflict,
        // 410: the version asked for is forgotten; whoever starts afresh gets another.
        408 | 410 | 429 | 500.. => Kind::Unavailable { wait: wait.map(Duration::from_secs) },
        // kube takes any JSON for a Status, and then knows no code.
        0 => Kind::Unavailable { wait: None },
        _ => Kind::Invalid,
    }
}

/// What a credential plugin is given and what it prints may be secret, except for its talk on stderr.
fn no_credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let talk = String::from_utf8_lossy(&out.stderr);
            format!("the kubeconfig's credential plugin ended with {}: {}", out.status, talk.trim())
        }
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) => {
            "what the kubeconfig's credential plugin printed cannot be read as credentials".to_owned()
        }
        error => causes(error),
    }
}

/// The error and its sources, each once: the outermost of a connection's errors says only "client error (Connect)".
fn causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !said.contains(&cause_text) {
            said = format!("{said}: {cause_text}");
        }
        next = cause.source();
    }
    said
}
