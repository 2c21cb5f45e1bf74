//! Tokens: what they may do, for how long, and what they ask about themselves and about others.
//!
//! It must never know what a path means.

use super::super::later;
use super::policy::{self, Capability, Rule};
use super::roles::TokenRole;
use super::{Answer, Operation, Refusal, Success, Timestamp, denied, refuse, unsupported, wrapped};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Vault's own limit for tokens: 32 days.
pub(super) const MAX_TTL: u64 = 768 * 3600;

/// What a token may do, and for how long. The default may do everything, for ever, as the root token.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// The rules of its policy, with no `default` policy beside it; none: everything is permitted.
    pub policy: Option<Vec<Rule>>,
    /// Seconds until it expires unless renewed; none: it never does.
    pub ttl: Option<u32>,
    /// Seconds after which no renewal helps; none: 32 days.
    pub max_ttl: Option<u32>,
    /// Whether it refuses to be renewed.
    pub fixed: bool,
}

/// A token to be.
pub(super) struct Birth {
    pub(super) grant: Grant,
    /// What its policies are called.
    pub(super) policies: Vec<String>,
    /// Where it was made.
    pub(super) path: String,
    pub(super) meta: Value,
    /// The role that it was made by.
    pub(super) role: Option<String>,
    /// Whose child it is.
    pub(super) parent: Option<String>,
    /// Its longest life, as it was told when it was made.
    pub(super) explicit_max_ttl: u64,
}

impl Birth {
    /// An orphan that no role has made.
    pub(super) fn of(grant: Grant, path: &str, meta: Value) -> Self {
        let policies = vec![if grant.policy.is_none() { "root" } else { "rehearsal" }.to_owned()];
        Self { grant, policies, path: path.to_owned(), meta, role: None, parent: None, explicit_max_ttl: 0 }
    }
}

#[derive(Clone)]
struct Token {
    grant: Grant,
    policies: Vec<String>,
    number: u64,
    issued: Timestamp,
    expires: Option<Timestamp>,
    path: String,
    meta: Value,
    role: Option<String>,
    parent: Option<String>,
    explicit_max_ttl: u64,
}

impl Token {
    fn renewable(&self) -> bool {
        self.expires.is_some() && !self.grant.fixed
    }

    fn accessor(&self) -> String {
        format!("accessor-{}", self.number)
    }

    fn left(&self, now: Timestamp) -> u64 {
        let left = self.expires.map_or(0, |end| end.as_second() - now.as_second());
        u64::try_from(left).unwrap_or(0)
    }

    /// As a login and a renewal tell of it.
    fn describe(&self, id: &str, now: Timestamp) -> Value {
        json!({
            "client_token": id, "accessor": self.accessor(), "policies": self.policies,
            "token_policies": self.policies, "metadata": self.meta, "lease_duration": self.left(now),
            "renewable": self.renewable(), "entity_id": "", "token_type": "service",
            "orphan": self.parent.is_none(), "mfa_requirement": null, "num_uses": 0,
        })
    }
}

#[derive(Clone, Default)]
pub(super) struct Tokens {
    all: BTreeMap<String, Token>,
    pub(super) roles: BTreeMap<String, TokenRole>,
    issued: u64,
}

impl Tokens {
    pub(super) fn add(&mut self, now: Timestamp, id: &str, birth: Birth) {
        self.issued += 1;
        let Birth { grant, policies, path, meta, role, parent, explicit_max_ttl } = birth;
        let expires = grant.ttl.map(|ttl| later(now, ttl.into()));
        let number = self.issued;
        let issued = now;
        let token =
            Token { grant, policies, number, issued, expires, path, meta, role, parent, explicit_max_ttl };
        self.all.insert(id.to_owned(), token);
    }

    /// With an id of its own.
    pub(super) fn make(&mut self, now: Timestamp, birth: Birth) -> String {
        let id = format!("hvs.rehearsal-{}", self.issued + 1);
        self.add(now, &id, birth);
        id
    }

    pub(super) fn describe(&mut self, now: Timestamp, id: &str) -> Result<Value, Refusal> {
        Ok(self.token(id)?.describe(id, now))
    }

    fn token(&mut self, id: &str) -> Result<&mut Token, Refusal> {
        self.all.get_mut(id).ok_or_else(|| refuse(403, "permission denied"))
    }

    /// The accessors of those that roles have made and that live, with what they were given to tell them by.
    pub(super) fn made(&self, now: Timestamp) -> impl Iterator<Item = (String, &Value)> {
        let lives = move |token: &&Token| token.expires.is_none_or(|end| end > now);
        let made = self.all.values().filter(|token| token.role.is_some()).filter(lives);
        made.map(|token| (token.accessor(), &token.meta))
    }

    /// Those whose time is over end, and their children with them.
    fn end(&mut self, is_over: impl Fn(&str, &Token) -> bool) {
        self.all.retain(|id, token| !is_over(id, token));
        loop {
            let living: BTreeSet<String> = self.all.keys().cloned().collect();
            let has_parent =
                |token: &Token| token.parent.as_ref().is_none_or(|parent| living.contains(parent));
            self.all.retain(|_, token| has_parent(token));
            if self.all.len() == living.len() {
                return;
            }
        }
    }

    /// Whether this is a token at all.
    pub(super) fn admit(&mut self, now: Timestamp, id: &str) -> Result<(), Refusal> {
        self.end(|_, token| token.expires.is_some_and(|end| end <= now));
        self.token(id).map(drop)
    }

    /// Whether the policy of an admitted token permits this.
    pub(super) fn permit(
        &mut self,
        id: &str,
        operation: Operation,
        exists: bool,
        path: &str,
    ) -> Result<(), Refusal> {
        let Some(policy) = &self.token(id)?.grant.policy else {
            return Ok(());
        };
        let needed = match operation {
            Operation::Read => Capability::Read,
            Operation::List => Capability::List,
            Operation::Delete => Capability::Delete,
            Operation::Write if exists => Capability::Update,
            Operation::Write => Capability::Create,
        };
        // A folder is listed as `folder/`; rules are written with and without that slash.
        let folder = (operation == Operation::List).then(|| format!("{path}/"));
        let paths = [Some(path), folder.as_deref()];
        match policy::decides(policy, paths.into_iter().flatten()) {
            Some(rule) if rule.permits(needed) => Ok(()),
            _ => Err(denied()),
        }
    }

    /// `auth/token/…`: what a token asks about itself, and about others.
    pub(super) fn answer(
        &mut self,
        now: Timestamp,
        id: &str,
        operation: Operation,
        what: &str,
        body: &Value,
    ) -> Answer {
        match (what.split_once('/').unwrap_or((what, "")), operation) {
            (("lookup-self", ""), Operation::Read) => self.look_up(now, id),
            (("renew-self", ""), Operation::Write) => self.renew(now, id, body),
            (("revoke-self", ""), Operation::Write) => {
                self.end(|other, _| other == id);
                Ok(Success::Nothing)
            }
            (("create", role), Operation::Write) if !role.is_empty() => self.create(now, id, role, body),
            (("renew-accessor", ""), Operation::Write) => self.renew_other(now, body),
            (("revoke-accessor", ""), Operation::Write) => self.revoke_other(body),
            (("create", role), _) if !role.is_empty() => Err(unsupported()),
            (
                ("lookup-self" | "renew-self" | "revoke-self" | "renew-accessor" | "revoke-accessor", ""),
                Operation::Read | Operation::Write | Operation::Delete,
            ) => Err(unsupported()),
            _ => Err(wrapped(404, "unsupported path")),
        }
    }

    fn look_up(&mut self, now: Timestamp, id: &str) -> Answer {
        let token = self.token(id)?;
        let mut told = json!({
            "accessor": token.accessor(), "creation_time": token.issued.as_second(),
            "creation_ttl": token.grant.ttl.unwrap_or(0), "display_name": "rehearsal", "entity_id": "",
            "expire_time": token.expires, "explicit_max_ttl": token.explicit_max_ttl, "id": id, "issue_time": token.issued,
            "meta": token.meta, "num_uses": 0, "orphan": token.parent.is_none(), "path": token.path,
            "policies": token.policies, "renewable": token.renewable(), "ttl": token.left(now),
            "type": "service",
        });
        if let Some(role) = &token.role {
            told["role"] = json!(role);
        }
        Ok(Success::Data(told))
    }

    fn renew(&mut self, now: Timestamp, id: &str, body: &Value) -> Answer {
        let token = self.token(id)?;
        if !token.renewable() {
            return Err(refuse(400, "lease is not renewable"));
        }
        let wanted = duration(&body["increment"]).map_err(|why| {
            refuse(
                400,
                format!("Field validation failed: error converting input for field \"increment\": {why}"),
            )
        })?;
        // No increment, or 0: as long as at first.
        let wanted = wanted.unwrap_or(token.grant.ttl.unwrap_or(0).into());
        let most = token.grant.max_ttl.map_or(MAX_TTL, u64::from);
        let (end, limit) = (later(now, wanted), later(token.issued, most));
        token.expires = Some(end.min(limit));
        let warnings = (end > limit).then(|| {
            format!("TTL of \"{wanted}s\" exceeded the effective max_ttl of \"{most}s\"; TTL value is capped accordingly")
        });
        Ok(Success::Auth(token.describe(id, now), warnings.into_iter().collect()))
    }

    /// Whose accessor this is.
    fn of_accessor(&self, body: &Value) -> Result<Option<String>, Refusal> {
        let asked = body["accessor"].as_str().unwrap_or_default();
        if asked.is_empty() {
            return Err(wrapped(400, "missing accessor"));
        }
        let found = self.all.iter().find(|(_, token)| token.accessor() == asked);
        Ok(found.map(|(id, _)| id.clone()))
    }

    fn renew_other(&mut self, now: Timestamp, body: &Value) -> Answer {
        let id = self.of_accessor(body)?.ok_or_else(|| wrapped(400, "invalid accessor"))?;
        if !self.token(&id)?.renewable() {
            return Err(wrapped(400, "invalid request"));
        }
        let mut renewed = self.renew(now, &id, body)?;
        // Who has no more than the accessor does not get the token by it.
        if let Success::Auth(told, _) = &mut renewed {
            told["client_token"] = json!("");
        }
        Ok(renewed)
    }

    fn revoke_other(&mut self, body: &Value) -> Answer {
        match self.of_accessor(body)? {
            None => Ok(Success::Unmoved("No token found with this accessor")),
            Some(id) => {
                self.end(|other, _| other == id);
                Ok(Success::Nothing)
            }
        }
    }
}

/// None: not said, or 0.
pub(super) fn duration(value: &Value) -> Result<Option<u64>, String> {
    let read = match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(seconds(text).ok_or_else(|| format!("time: invalid duration {text:?}"))?),
        other => Some(other.as_u64().ok_or("could not parse duration from input")?),
    };
    Ok(read.filter(|seconds| *seconds > 0))
}

/// A duration as Vault reads one: plain seconds, or `1h30m`.
fn seconds(text: &str) -> Option<u64> {
    if let Ok(plain) = text.parse() {
        return Some(plain);
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let unit = match tail.as_bytes() {
            [b'h', ..] => 3600,
            [b'm', ..] => 60,
            [b's', ..] => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = &tail[1..];
    }
    Some(total)
}
