//! GitHub's REST API, as far as a bot on pull requests sees it: repositories, pull requests, comments, labels, statuses,
//! check runs, deployments, dispatches, branches, files, apps and their tokens, and the webhooks that follow from what
//! happens.
//!
//! `state` is what GitHub holds, `people` what happens to it without us; `routes` leads a request to the module of its
//! subject; `show` turns state into answers and payloads; `access` knows tokens and limits; `hooks` is what GitHub sends.
//! It must never be kinder than the real one: what that refuses is refused, with its status and its words. Where GitHub
//! takes more than its description says, the description counts: the bench holds every exchange against it.

mod access;
mod apps;
mod branches;
mod checks;
mod comments;
mod contents;
mod deployments;
mod dispatches;
mod fields;
mod hooks;
mod labels;
mod page;
mod people;
mod pulls;
mod reactions;
mod refusal;
mod routes;
mod runs;
mod show;
mod state;
mod statuses;

pub use access::{Grant, Kind, Level, Limits, Permission};
pub use apps::App;
pub use hooks::{Delivery, Hook};
pub use people::Opening;
pub use state::{
    AccountKind, Changed, CheckRun, Comment, Deployment, DeploymentStatus, Head, Pull, PullState, Reaction,
    Repository, Role, Run, Status,
};

use super::{BEGINNING, Reply, Request};
use access::Meter;
use jiff::{SignedDuration, Timestamp};
use page::Page;
use refusal::Refusal;
use serde_json::{Value, json};
use show::Show;
use state::Account;
use std::collections::BTreeMap;

/// The only version of the API that is spoken here.
const VERSION: &str = "2022-11-28";
/// Who has no token shares these with everybody at the same address.
const ANONYMOUS: u32 = 60;

/// The server. A new one is empty: give it a repository and a token.
#[derive(Clone)]
pub struct GitHub {
    /// How much it lets an account do.
    pub limits: Limits,
    /// Whom it tells what happens; none: nobody.
    pub hook: Option<Hook>,
    pub(super) now: Timestamp,
    accounts: BTreeMap<String, Account>,
    repositories: BTreeMap<u64, Repository>,
    /// By `owner/name` in lower case; old names stay until they are given again.
    names: BTreeMap<String, u64>,
    tokens: BTreeMap<String, Grant>,
    apps: BTreeMap<u64, apps::Installed>,
    meters: BTreeMap<String, Meter>,
    deliveries: Vec<Delivery>,
    last_id: u64,
    requests: u64,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            hook: None,
            now: BEGINNING,
            accounts: BTreeMap::new(),
            repositories: BTreeMap::new(),
            names: BTreeMap::new(),
            tokens: BTreeMap::new(),
            apps: BTreeMap::new(),
            meters: BTreeMap::new(),
            deliveries: Vec::new(),
            last_id: 1000,
            requests: 0,
        }
    }
}

/// One request, with who sent it and the address that it was sent to.
struct Call<'a> {
    request: &'a Request,
    api: String,
    grant: Option<Grant>,
}

impl Call<'_> {
    fn query(&self, key: &str) -> Option<&str> {
        self.request.query.get(key).map(String::as_str)
    }
}

struct Success {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

type Answer = Result<Success, Refusal>;

fn ok(body: Value) -> Answer {
    Ok(Success { status: 200, headers: Vec::new(), body })
}

/// What was made, and where it is.
fn created(body: Value) -> Answer {
    let at = body["url"].as_str().map(|url| ("location".to_owned(), url.to_owned()));
    Ok(Success { status: 201, headers: at.into_iter().collect(), body })
}

fn done() -> Answer {
    Ok(Success { status: 204, headers: Vec::new(), body: Value::Null })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A commit or blob id that is a function of these words.
fn sha_of(words: &[&str]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, words.join("\0").as_bytes());
    hex(digest.as_ref()).chars().take(40).collect()
}

impl GitHub {
    /// Lets a token in.
    pub fn add_token(&mut self, token: &str, grant: Grant) {
        let kind = match grant.kind {
            Kind::Personal => AccountKind::User,
            Kind::App(_) => AccountKind::Bot,
        };
        self.add_account(&grant.login, kind);
        self.tokens.insert(token.to_owned(), grant);
    }

    /// Uses up what the account of this token has left this hour.
    pub fn use_up(&mut self, token: &str) {
        self.meter(self.tokens.get(token).cloned().as_ref()).use_up();
    }

    /// Refuses the account of this token for some seconds, as for asking too fast.
    pub fn hold(&mut self, token: &str, seconds: u32) {
        let until = self.now.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX);
        self.meter(self.tokens.get(token).cloned().as_ref()).hold(until);
    }

    fn meter(&mut self, grant: Option<&Grant>) -> &mut Meter {
        let (account, hourly) = match grant {
            // What an app may ask is counted for each of its installations.
            Some(grant) => (format!("{} {:?}", grant.login, grant.repositories), grant.hourly),
            None => (String::new(), ANONYMOUS),
        };
        self.meters.entry(account).or_insert_with(|| Meter::new(self.now, hourly))
    }

    fn next_id(&mut self) -> u64 {
        // Pull requests are issues too, and have an id as such: the one after theirs.
        self.last_id += 2;
        self.last_id
    }

    /// A server of one's own has it all below a path.
    pub(super) fn handle(&mut self, request: &Request) -> Reply {
        let host = request.headers.get("host").map_or("", String::as_str);
        match request.path.as_slice() {
            [api, v3, below @ ..] if api == "api" && v3 == "v3" => {
                let request = Request { path: below.to_vec(), ..request.clone() };
                self.handle_at(&format!("http://{host}/api/v3"), &request)
            }
            _ => self.handle_at(&format!("http://{host}"), request),
        }
    }

    fn handle_at(&mut self, api: &str, request: &Request) -> Reply {
        self.requests += 1;
        let mut headers = vec![
            ("content-type".to_owned(), "application/json; charset=utf-8".to_owned()),
            ("x-github-media-type".to_owned(), "github.v3; format=json".to_owned()),
            ("x-github-request-id".to_owned(), format!("BEEF:{:X}", self.requests)),
        ];
        let mut grant = None;
        let answer = self.admit(request, &mut grant).and_then(|()| {
            headers.push(("x-github-api-version-selected".to_owned(), VERSION.to_owned()));
            let call = Call { request, api: api.to_owned(), grant: grant.clone() };
            self.route(&call)
        });
        let (status, more, mut body) = match answer {
            Ok(Success { status, headers, body }) => (status, headers, body),
            Err(Refusal { status, headers, body }) => (status, headers, body.into()),
        };
        headers.extend(more);
        let mut status = status;
        if request.method == "GET" && status == 200 && request.path != ["rate_limit"] {
            let digest = ring::digest::digest(&ring::digest::SHA256, body.to_string().as_bytes());
            let tag = format!("W/\"{}\"", hex(digest.as_ref()));
            let same = |known: &String| known.split(',').any(|known| known.trim() == tag);
            if request.headers.get("if-none-match").is_some_and(same) {
                (status, body) = (304, Value::Null);
                if grant.is_some() {
                    self.meter(grant.as_ref()).refund();
                }
            }
            headers.push(("etag".to_owned(), tag));
        }
        for (name, value) in self.meter(grant.as_ref()).figures() {
            headers.push((format!("x-ratelimit-{name}"), value.to_string()));
        }
        headers.push(("x-ratelimit-resource".to_owned(), "core".to_owned()));
        Reply::Headed(status, headers, body)
    }

    /// All that is asked of a request before it is looked at.
    fn admit(&mut self, request: &Request, grant: &mut Option<Grant>) -> Result<(), Refusal> {
        if request.headers.get("user-agent").is_none_or(String::is_empty) {
            let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
            return Err(refusal::forbidden(message));
        }
        if let Some(asked) = request.headers.get("x-github-api-version").filter(|asked| *asked != VERSION) {
            return Err(refusal::bad_request(&format!("{asked} is not a supported version of the API.")));
        }
        if let Some(sent) = request.headers.get("authorization") {
            let token = sent.strip_prefix("Bearer ").or_else(|| sent.strip_prefix("token "));
            let token = token.ok_or_else(refusal::bad_credentials)?;
            if apps::is_for_apps(&request.path) {
                *grant = Some(self.app_by(token)?);
            } else {
                let known = self.tokens.get(token).ok_or_else(refusal::bad_credentials)?;
                if known.expires.is_some_and(|end| end <= self.now) {
                    return Err(refusal::bad_credentials());
                }
                *grant = Some(known.clone());
            }
        }
        let (now, limits) = (self.now, self.limits.clone());
        let meter = self.meter(grant.as_ref());
        if request.path == ["rate_limit"] {
            meter.turn(now);
            return Ok(());
        }
        meter.admit(now, &limits, &request.method)
    }

    fn rate_limit(&mut self, grant: Option<&Grant>) -> Answer {
        let core: Value =
            self.meter(grant).figures().into_iter().map(|(k, v)| (k.to_owned(), json!(v))).collect();
        let reset = core["reset"].clone();
        let of = |limit: u32| json!({ "limit": limit, "remaining": limit, "reset": reset, "used": 0 });
        ok(json!({ "resources": { "core": core, "search": of(30), "graphql": of(5000) }, "rate": core }))
    }

    fn show<'a>(&'a self, call: &'a Call<'_>) -> Show<'a> {
        Show { github: self, api: &call.api }
    }

    /// One page of a list, and the header that leads to the others.
    fn cut<T>(&self, call: &Call<'_>, repository: u64, all: Vec<T>) -> (Vec<T>, Vec<(String, String)>) {
        let below = match call.request.path.as_slice() {
            [repositories, _, below @ ..] if repositories == "repositories" => below,
            [_, _, _, below @ ..] => below,
            short => short,
        };
        let below: String = below.iter().map(|segment| format!("/{}", page::escaped(segment))).collect();
        let url = format!("{}/repositories/{repository}{below}", call.api);
        let query = call.request.query.iter().filter(|(key, _)| *key != "page");
        let query: Vec<_> = query.map(|(key, value)| (key.clone(), value.clone())).collect();
        let (part, link) = Page::of(call.request).cut(all, &url, &query);
        (part, link.map(|link| ("link".to_owned(), link)).into_iter().collect())
    }
}

/// A page of a list as the whole answer.
fn listed((items, headers): (Vec<Value>, Vec<(String, String)>)) -> Answer {
    Ok(Success { status: 200, headers, body: items.into() })
}
