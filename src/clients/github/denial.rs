//! What an answer that is no success means: pure.
//!
//! GitHub's 403 is many things: a permission that is missing, a limit that is reached, a thing that nobody may change.
//! Must never: call a limit a refusal, or anything an absence that is not in GitHub's own words.

use crate::clients::{Failure, Kind};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Why there is no answer.
pub(super) struct Denial {
    pub(super) failure: Failure,
    /// Whether GitHub itself says that there is no such thing, or none that we may see.
    pub(super) is_not_found: bool,
    /// Whether GitHub says that it runs already, what is to run once more.
    pub(super) is_running: bool,
}

impl From<Failure> for Denial {
    fn from(failure: Failure) -> Self {
        Self { failure, is_not_found: false, is_running: false }
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        denial.failure
    }
}

/// What an answer comes to.
pub(super) struct Judged {
    pub(super) kind: Kind,
    pub(super) why: String,
    pub(super) is_not_found: bool,
    pub(super) is_running: bool,
}

/// How GitHub says no; whoever says it otherwise is somebody on the way.
#[derive(Deserialize)]
struct Said {
    message: String,
    documentation_url: String,
    /// What is wrong with a request, in several forms.
    #[serde(default)]
    errors: Value,
}

impl Said {
    fn words(&self) -> String {
        let wrong = self.errors.as_array().into_iter().flatten().filter_map(|wrong| {
            let text = |key: &str| wrong[key].as_str();
            match (wrong.as_str().or_else(|| text("message")), text("field"), text("code")) {
                (Some(message), ..) => Some(message.to_owned()),
                (None, Some(field), Some(code)) => Some(format!("{field}: {code}")),
                _ => None,
            }
        });
        let words: Vec<String> = [self.message.clone()].into_iter().chain(wrong).collect();
        // A server's words are not ours to print at any length.
        words.join(": ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
    }

    /// Limits that are told by words alone.
    fn is_limit(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        ["secondary rate limit", "api rate limit exceeded", "abuse detection"]
            .iter()
            .any(|said| message.contains(said))
            || self.documentation_url.contains("secondary-rate-limit")
    }

    /// Whether another permission would not help.
    fn is_about_the_object(&self) -> bool {
        ["archived", "locked", ALREADY_RUNNING].iter().any(|said| self.message.contains(said))
    }
}

/// Of a run, or of the run of a job.
const ALREADY_RUNNING: &str = "is already running";

/// GitHub asks for at least this where it does not say how long it will refuse.
const A_MINUTE: Duration = Duration::from_secs(60);

pub(super) fn judge(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    permission: Option<&str>,
) -> Judged {
    let said: Option<Said> = serde_json::from_slice(body).ok();
    let retry_after = number(headers, "retry-after").filter(|seconds| *seconds > 0);
    let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
    let limit = limit(status, headers, said.as_ref(), now);
    let kind = match status {
        401 => Kind::Refused,
        403 | 429 if retry_after.is_some() || limit.is_some() => {
            Kind::Unavailable { wait: retry_after.or(limit) }
        }
        403 => Kind::Refused,
        408 | 429 | 500.. => Kind::Unavailable { wait: retry_after },
        409 => Kind::Conflict,
        _ => Kind::Invalid,
    };
    let hint = match (status, kind, &said) {
        (401, _, Some(_)) if permission.is_none() => {
            "; is it the app's key, and is this machine's clock right?".to_owned()
        }
        (401, _, Some(_)) => "; the token is wrong, or has expired".to_owned(),
        (403, Kind::Refused, Some(said)) if !said.is_about_the_object() => {
            permission.map(|needed| format!("; the token needs `{needed}`")).unwrap_or_default()
        }
        (404, _, Some(_)) => "; is it there, and may the token see it?".to_owned(),
        (300..=399, _, _) => "; a redirect to elsewhere is not followed: the token would go along".to_owned(),
        (_, Kind::Unavailable { wait: Some(wait) }, _) => format!("; it asks us to wait {wait:?}"),
        (400..=499, _, None) => "; is it GitHub's API?".to_owned(),
        _ => String::new(),
    };
    let words = said
        .as_ref()
        .map_or_else(|| ", and not in GitHub's words".to_owned(), |said| format!(" ({})", said.words()));
    Judged {
        kind,
        why: format!("it answers {status}{words}{hint}"),
        is_not_found: status == 404 && said.is_some(),
        is_running: status == 403 && said.is_some_and(|said| said.message.contains(ALREADY_RUNNING)),
    }
}

/// How long a limit lasts, if it is one.
fn limit(status: u16, headers: &HeaderMap, said: Option<&Said>, now: Timestamp) -> Option<Duration> {
    if !matches!(status, 403 | 429) {
        return None;
    }
    if number(headers, "x-ratelimit-remaining") == Some(0) {
        let left = number(headers, "x-ratelimit-reset").map(|reset| reset.saturating_sub(now.as_second()));
        // It may be over at this very moment.
        return Some(left.map_or(A_MINUTE, |left| Duration::from_secs(left.max(1).unsigned_abs())));
    }
    said.filter(|said| said.is_limit()).map(|_| A_MINUTE)
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name).map(HeaderValue::to_str)?.ok()?.parse().ok()
}
