//! One request to GitHub, and its answer read to the end.
//!
//! Must never: take for a success what is not in GitHub's words; quote what an answer holds; show the token.

use super::{
    GitHub,
    denial::{Denial, judge},
};
use crate::{
    clients::{Failure, Kind},
    domain::names::RepoName,
};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};
use secrecy::ExposeSecret as _;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

/// More than a page of the longest comments.
const MOST: usize = 64 << 20;

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) repo: &'a RepoName,
    /// Below the repository.
    pub(super) path: &'a [&'a str],
    pub(super) page: Option<usize>,
    pub(super) body: Option<Value>,
    /// The verb and the object, for people.
    pub(super) doing: String,
    /// What a token needs for it, as workflows and apps call it: `pull-requests: read`.
    pub(super) permission: &'static str,
}

impl<'a> Asked<'a> {
    /// A look.
    pub(super) fn read(repo: &'a RepoName, path: &'a [&'a str], doing: String) -> Self {
        let permission = "pull-requests: read";
        Self { method: Method::GET, repo, path, page: None, body: None, doing, permission }
    }

    /// A change.
    pub(super) fn write(
        method: Method,
        repo: &'a RepoName,
        path: &'a [&'a str],
        body: Option<Value>,
        doing: String,
    ) -> Self {
        Self { method, repo, path, page: None, body, doing, permission: "pull-requests: write" }
    }

    pub(super) fn needs(self, permission: &'static str) -> Self {
        Self { permission, ..self }
    }
}

/// Of a success.
pub(super) struct Answer {
    headers: HeaderMap,
    status: u16,
    body: Vec<u8>,
}

impl GitHub {
    /// What is there, or was made.
    pub(super) async fn ask<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> Result<T, Denial> {
        let answer = self.send(asked).await?;
        Ok(self.understand(asked, &answer)?)
    }

    /// Of what GitHub says no more than that it is done.
    pub(super) async fn ask_for_nothing(&self, asked: &Asked<'_>) -> Result<(), Denial> {
        let answer = self.send(asked).await?;
        if answer.status == 204 && answer.body.is_empty() {
            return Ok(());
        }
        Err(self.garbled(asked, "it answers with something where there is nothing to say").into())
    }

    /// That what GitHub calls not found is not there: we can see the repository in which it would be.
    pub(super) async fn is_absent(&self, repo: &RepoName) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Repository {
            #[serde(rename = "full_name")]
            _name: IgnoredAny,
        }
        let asked = Asked::read(repo, &[], format!("read {repo}")).needs("metadata: read");
        match self.ask::<Repository>(&asked).await {
            Ok(_) => Ok(()),
            // Not that it is gone: nobody knows.
            Err(denial) if denial.is_not_found => {
                let why = "it answers 404: there is no such repository, or none for this token; \
                           an app must be installed there, a person's token reach it";
                Err(self.failure(&asked, Kind::Refused, why))
            }
            Err(denial) => Err(denial.failure),
        }
    }

    pub(super) async fn send(&self, asked: &Asked<'_>) -> Result<Answer, Denial> {
        let mut url = self.address.clone();
        // An http:// address has a path, be it an empty one.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["repos", asked.repo.owner(), asked.repo.repo()]).extend(asked.path);
        }
        if let Some(page) = asked.page {
            url.query_pairs_mut().append_pair("per_page", "100").append_pair("page", &page.to_string());
        }
        let request = self.http.request(asked.method.clone(), url).bearer_auth(self.token.expose_secret());
        let request = match &asked.body {
            Some(body) => request.json(body),
            None => request,
        };
        let mut answer = request.send().await.map_err(|error| self.broken(asked, &error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(asked, &error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(self.garbled(asked, "its answer has no end").into());
            }
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_success() {
            return Ok(Answer { headers, status: status.as_u16(), body });
        }
        let judged = judge(status.as_u16(), &headers, &body, self.clock.now(), asked.permission);
        Err(Denial {
            failure: self.failure(asked, judged.kind, &judged.why),
            is_not_found: judged.is_not_found,
        })
    }

    pub(super) fn understand<T: DeserializeOwned>(
        &self,
        asked: &Asked<'_>,
        answer: &Answer,
    ) -> Result<T, Failure> {
        // Not the parser's words: they may quote the answer.
        serde_json::from_slice(&answer.body).map_err(|error| {
            let at = format!("line {}, column {}", error.line(), error.column());
            self.garbled(asked, &format!("its answer is not what was asked for ({at})"))
        })
    }

    fn broken(&self, asked: &Asked<'_>, error: &reqwest::Error) -> Failure {
        let why = match error {
            error if error.is_timeout() => format!("no answer within {:?}", self.limit),
            error if error.is_connect() => format!("no connection: {}", root(error)),
            error => format!("the connection broke: {}", root(error)),
        };
        self.garbled(asked, &why)
    }

    /// Nobody knows what it says.
    pub(super) fn garbled(&self, asked: &Asked<'_>, why: &str) -> Failure {
        self.failure(asked, Kind::Unavailable { wait: None }, why)
    }

    fn failure(&self, asked: &Asked<'_>, kind: Kind, why: &str) -> Failure {
        let address = self.address.origin().ascii_serialization();
        Failure { kind, detail: format!("could not {} on {address}: {why}", asked.doing) }
    }
}

impl Answer {
    /// A header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::to_str)?.ok()
    }
}

/// The innermost cause: the outer ones name the URL.
fn root(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
