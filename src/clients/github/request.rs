//! One request to GitHub, and its answer read to the end.
//!
//! Must never: take for a success what is not in GitHub's words; quote what an answer holds; show the token.

use super::{
    Bearer, GitHub,
    denial::{Denial, judge},
};
use crate::{
    clients::{Failure, Kind},
    domain::names::RepoName,
};
use reqwest::{
    Method, StatusCode, Url,
    header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

/// A renamed repository answers with one, a twice renamed one with no more.
const REDIRECTS: usize = 3;
/// More than a page of the longest comments.
const MOST: usize = 64 << 20;

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) repo: &'a RepoName,
    below: Below,
    pub(super) path: &'a [&'a str],
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) page: Option<usize>,
    /// What a list stands under; none: it is the whole answer.
    pub(super) within: Option<&'static str>,
    pub(super) body: Option<Value>,
    /// The verb and the object, for people.
    pub(super) doing: String,
    /// What a token needs for it, as workflows and apps call it: `pull-requests: read`.
    /// None: an app asks by its own key.
    permission: Option<&'static str>,
}

/// Where the path begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Repository,
    GitHub,
}

impl<'a> Asked<'a> {
    /// A look.
    pub(super) fn read(repo: &'a RepoName, path: &'a [&'a str], doing: String) -> Self {
        Self::new(Method::GET, repo, path, None, doing).needs("pull-requests: read")
    }

    /// A change.
    pub(super) fn write(
        method: Method,
        repo: &'a RepoName,
        path: &'a [&'a str],
        body: Option<Value>,
        doing: String,
    ) -> Self {
        Self::new(method, repo, path, body, doing).needs("pull-requests: write")
    }

    fn new(
        method: Method,
        repo: &'a RepoName,
        path: &'a [&'a str],
        body: Option<Value>,
        doing: String,
    ) -> Self {
        let (query, page, within, permission) = (Vec::new(), None, None, None);
        let below = Below::Repository;
        Self { method, repo, below, path, query, page, within, body, doing, permission }
    }

    /// Not in the repository, but about it.
    pub(super) fn beside_repositories(self) -> Self {
        Self { below: Below::GitHub, ..self }
    }

    pub(super) fn needs(self, permission: &'static str) -> Self {
        Self { permission: Some(permission), ..self }
    }

    pub(super) fn by_an_app(self) -> Self {
        Self { permission: None, ..self }
    }

    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    pub(super) fn within(self, key: &'static str) -> Self {
        Self { within: Some(key), ..self }
    }
}

/// An answer, read to the end.
#[derive(Clone)]
pub(super) struct Answer {
    url: Url,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl GitHub {
    /// What is there, or was made.
    pub(super) async fn ask<T: DeserializeOwned>(&self, asked: &Asked<'_>) -> Result<T, Denial> {
        let url = self.url(asked);
        let may_be_kept = asked.method == Method::GET;
        let kept = if may_be_kept { self.kept.get(&url) } else { None };
        let answer = self.deliver(asked, kept.as_ref()).await?;
        let answer = match kept {
            Some(kept) if answer.status == StatusCode::NOT_MODIFIED => kept,
            _ => self.success(asked, answer)?,
        };
        let understood = self.understand(asked, &answer)?;
        if may_be_kept {
            self.kept.keep(url, answer);
        }
        Ok(understood)
    }

    /// Of what GitHub says no more than that it is done, or begun: that by an object with nothing in it.
    pub(super) async fn ask_for_nothing(&self, asked: &Asked<'_>) -> Result<(), Denial> {
        let answer = self.send(asked).await?;
        match answer.status {
            StatusCode::NO_CONTENT if answer.body.is_empty() => return Ok(()),
            StatusCode::CREATED if answer.body.trim_ascii() == b"{}" => return Ok(()),
            _ => {}
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

    /// A success.
    pub(super) async fn send(&self, asked: &Asked<'_>) -> Result<Answer, Denial> {
        let answer = self.deliver(asked, None).await?;
        self.success(asked, answer)
    }

    /// In its turn, and with a token.
    async fn deliver(&self, asked: &Asked<'_>, kept: Option<&Answer>) -> Result<Answer, Failure> {
        // Before the token, which may have ended until it is our turn.
        let _turn = match asked.method {
            Method::GET => None,
            _ => Some(self.pace.turn(&self.clock).await),
        };
        match &*self.bearer {
            Bearer::Token(token) => self.exchange(asked, token, kept).await,
            Bearer::App(app) => {
                let token = self.installed(app, asked.repo).await?;
                self.exchange(asked, &token, kept).await
            }
        }
    }

    fn url(&self, asked: &Asked<'_>) -> Url {
        let mut url = self.address.clone();
        // An http:// address has a path, be it an empty one.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            if asked.below == Below::Repository {
                path.extend(["repos", asked.repo.owner(), asked.repo.repo()]);
            }
            path.extend(asked.path);
        }
        if !asked.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&asked.query);
        }
        if let Some(page) = asked.page {
            url.query_pairs_mut().append_pair("per_page", "100").append_pair("page", &page.to_string());
        }
        url
    }

    /// Whatever is answered; to what is kept, GitHub may answer that it is still so.
    pub(super) async fn exchange(
        &self,
        asked: &Asked<'_>,
        bearer: &SecretString,
        kept: Option<&Answer>,
    ) -> Result<Answer, Failure> {
        let mut url = self.url(asked);
        for _ in 0..REDIRECTS {
            let answer = self.once(asked, url, bearer, kept).await?;
            match self.led_to(asked, &answer) {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        self.once(asked, url, bearer, kept).await
    }

    async fn once(
        &self,
        asked: &Asked<'_>,
        url: Url,
        bearer: &SecretString,
        kept: Option<&Answer>,
    ) -> Result<Answer, Failure> {
        let mut request = self.http.request(asked.method.clone(), url).bearer_auth(bearer.expose_secret());
        if let Some(tag) = kept.and_then(|kept| kept.headers.get(ETAG)) {
            request = request.header(IF_NONE_MATCH, tag);
        }
        if let Some(body) = &asked.body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(|error| self.broken(asked, &error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(asked, &error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(self.garbled(asked, "its answer has no end"));
            }
        }
        let (url, status, headers) = (answer.url().clone(), answer.status(), answer.headers().clone());
        Ok(Answer { url, status, headers, body })
    }

    /// A renamed repository is found under its id. Elsewhere nobody is to know the token.
    fn led_to(&self, asked: &Asked<'_>, answer: &Answer) -> Option<Url> {
        let follows = match answer.status.as_u16() {
            301 | 302 => asked.method == Method::GET,
            307 | 308 => true,
            _ => false,
        };
        let mut next = answer.url.join(answer.header("location").filter(|_| follows)?).ok()?;
        if next.query().is_none() {
            // Without it another page, or another branch, would be read than was asked for.
            next.set_query(answer.url.query());
        }
        (next.origin() == self.address.origin()).then_some(next)
    }

    /// What an answer says if it is one.
    pub(super) fn success(&self, asked: &Asked<'_>, answer: Answer) -> Result<Answer, Denial> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        if answer.status == StatusCode::NOT_MODIFIED {
            let why = "it answers that it is as before, and there is no answer from before";
            return Err(self.garbled(asked, why).into());
        }
        let Answer { status, headers, body, .. } = &answer;
        let judged = judge(status.as_u16(), headers, body, self.clock.now(), asked.permission);
        Err(Denial {
            failure: self.failure(asked, judged.kind, &judged.why),
            is_not_found: judged.is_not_found,
            is_running: judged.is_running,
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
        self.kept.forget(&self.url(asked));
        self.failure(asked, Kind::Unavailable { wait: None }, why)
    }

    pub(super) fn failure(&self, asked: &Asked<'_>, kind: Kind, why: &str) -> Failure {
        let address = self.address.origin().ascii_serialization();
        Failure { kind, detail: format!("could not {} on {address}: {why}", asked.doing) }
    }
}

impl Answer {
    /// A header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::to_str)?.ok()
    }

    pub(super) fn size(&self) -> usize {
        self.body.len()
    }

    /// The id of the repository, if GitHub has led to it from an old name.
    pub(super) fn moved_to(&self) -> Option<u64> {
        let mut path = self.url.path_segments()?.skip_while(|segment| *segment != "repositories");
        path.nth(1)?.parse().ok()
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
