//! Tokens, and the logins that give them.
//!
//! It must never know what a path means.

use super::super::later;
use super::policy::{self, Capability, Rule};
use super::{Answer, Operation, Refusal, Success, Timestamp, denied, no_route, refuse, unsupported, wrapped};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Vault's own limit for tokens: 32 days.
const MAX_TTL: u64 = 768 * 3600;

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

/// Credentials that are right.
#[derive(Debug, Clone)]
pub struct Login {
    method: Method,
    role: String,
    secret: String,
    uses: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Method {
    AppRole,
    Kubernetes,
    Jwt,
}

impl Login {
    /// A secret id of an AppRole.
    pub fn approle(role_id: &str, secret_id: &str) -> Self {
        Self::new(Method::AppRole, role_id, secret_id)
    }

    /// A service account's token that a role of the Kubernetes method takes.
    pub fn kubernetes(role: &str, jwt: &str) -> Self {
        Self::new(Method::Kubernetes, role, jwt)
    }

    /// A token that a role of the JWT or OIDC method takes.
    pub fn jwt(role: &str, jwt: &str) -> Self {
        Self::new(Method::Jwt, role, jwt)
    }

    /// Good for so many logins only.
    #[must_use]
    pub fn uses(mut self, uses: u32) -> Self {
        self.uses = Some(uses);
        self
    }

    fn new(method: Method, role: &str, secret: &str) -> Self {
        let (role, secret) = (role.to_owned(), secret.to_owned());
        Self { method, role, secret, uses: None }
    }

    /// Takes one use of it, if this is the secret.
    fn accept(&mut self, secret: &str) -> bool {
        let right = self.secret == secret && self.uses != Some(0);
        if right {
            self.uses = self.uses.map(|left| left - 1);
        }
        right
    }
}

impl Method {
    /// What the two halves of the credentials are called.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::AppRole => ("role_id", "secret_id"),
            Self::Kubernetes | Self::Jwt => ("role", "jwt"),
        }
    }

    /// What a login without one of them is told.
    fn missing(self, field: &str) -> Refusal {
        match (self, field) {
            (Self::AppRole, "role_id") => refuse(500, "missing role_id"),
            (Self::Jwt, "jwt") => refuse(400, "missing token"),
            _ => refuse(400, format!("missing {field}")),
        }
    }

    fn unknown_role(self, role: &str) -> Refusal {
        match self {
            Self::AppRole => refuse(400, WRONG_APPROLE),
            Self::Kubernetes => refuse(400, format!("invalid role name {role:?}")),
            Self::Jwt => refuse(400, format!("role {role:?} could not be found")),
        }
    }

    fn wrong_secret(self) -> Refusal {
        match self {
            Self::AppRole => refuse(400, WRONG_APPROLE),
            Self::Kubernetes => refuse(403, "permission denied"),
            Self::Jwt => refuse(400, WRONG_JWT),
        }
    }
}

/// Which of the two is wrong is not told.
const WRONG_APPROLE: &str = "invalid role or secret ID";

const WRONG_JWT: &str = "error validating token: error verifying token signature: \
    no known key successfully validated the token signature";

#[derive(Clone)]
struct Token {
    grant: Grant,
    number: u64,
    issued: Timestamp,
    expires: Option<Timestamp>,
    path: String,
    meta: Value,
}

impl Token {
    fn policies(&self) -> Value {
        match self.grant.policy {
            None => json!(["root"]),
            Some(_) => json!(["rehearsal"]),
        }
    }

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
            "client_token": id, "accessor": self.accessor(), "policies": self.policies(),
            "token_policies": self.policies(), "metadata": self.meta, "lease_duration": self.left(now),
            "renewable": self.renewable(), "entity_id": "", "token_type": "service", "orphan": true,
            "mfa_requirement": null, "num_uses": 0,
        })
    }
}

#[derive(Clone, Default)]
pub(super) struct Auth {
    tokens: BTreeMap<String, Token>,
    logins: Vec<(String, Login, Grant)>,
    issued: u64,
}

impl Auth {
    pub(super) fn add_token(&mut self, now: Timestamp, id: &str, grant: Grant) {
        self.issue(now, id, grant, "auth/token/create", Value::Null);
    }

    fn issue(&mut self, now: Timestamp, id: &str, grant: Grant, path: &str, meta: Value) {
        self.issued += 1;
        let token = Token {
            expires: grant.ttl.map(|ttl| later(now, ttl.into())),
            number: self.issued,
            issued: now,
            grant,
            path: path.to_owned(),
            meta,
        };
        self.tokens.insert(id.to_owned(), token);
    }

    pub(super) fn add_login(&mut self, mount: &str, login: Login, grant: Grant) {
        self.logins.push((mount.to_owned(), login, grant));
    }

    /// How to log in there, if one can.
    fn method(&self, mount: &str) -> Option<Method> {
        let login = self.logins.iter().find(|(at, ..)| at == mount);
        login.map(|(_, login, _)| login.method)
    }

    /// Whether one can log in there at all.
    pub(super) fn has_mount(&self, mount: &str) -> bool {
        self.method(mount).is_some()
    }

    fn token(&mut self, id: &str) -> Result<&mut Token, Refusal> {
        self.tokens.get_mut(id).ok_or_else(|| refuse(403, "permission denied"))
    }

    /// Whether this is a token at all.
    pub(super) fn admit(&mut self, now: Timestamp, id: &str) -> Result<(), Refusal> {
        self.tokens.retain(|_, token| token.expires.is_none_or(|end| end > now));
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

    /// `auth/token/…`: what a token asks about itself.
    pub(super) fn own(
        &mut self,
        now: Timestamp,
        id: &str,
        operation: Operation,
        what: &str,
        body: &Value,
    ) -> Answer {
        match (what, operation) {
            ("lookup-self", Operation::Read) => self.look_up(now, id),
            ("renew-self", Operation::Write) => self.renew(now, id, body),
            ("revoke-self", Operation::Write) => {
                self.tokens.remove(id);
                Ok(Success::Nothing)
            }
            ("lookup-self" | "renew-self" | "revoke-self", _) => Err(unsupported()),
            _ => Err(wrapped(404, "unsupported path")),
        }
    }

    fn look_up(&mut self, now: Timestamp, id: &str) -> Answer {
        let token = self.token(id)?;
        Ok(Success::Data(json!({
            "accessor": token.accessor(), "creation_time": token.issued.as_second(),
            "creation_ttl": token.grant.ttl.unwrap_or(0), "display_name": "rehearsal", "entity_id": "",
            "expire_time": token.expires, "explicit_max_ttl": 0, "id": id, "issue_time": token.issued,
            "meta": token.meta, "num_uses": 0, "orphan": true, "path": token.path,
            "policies": token.policies(), "renewable": token.renewable(), "ttl": token.left(now),
            "type": "service",
        })))
    }

    fn renew(&mut self, now: Timestamp, id: &str, body: &Value) -> Answer {
        let token = self.token(id)?;
        if !token.renewable() {
            return Err(refuse(400, "lease is not renewable"));
        }
        let unreadable = |why: String| {
            refuse(
                400,
                format!("Field validation failed: error converting input for field \"increment\": {why}"),
            )
        };
        let wanted = match &body["increment"] {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => {
                let read = seconds(text);
                Some(read.ok_or_else(|| unreadable(format!("time: invalid duration {text:?}")))?)
            }
            other => {
                let read = other.as_u64();
                Some(read.ok_or_else(|| unreadable("could not parse duration from input".to_owned()))?)
            }
        };
        // No increment, or 0: as long as at first.
        let wanted = wanted.filter(|s| *s > 0);
        let wanted = wanted.unwrap_or(token.grant.ttl.unwrap_or(0).into());
        let most = token.grant.max_ttl.map_or(MAX_TTL, u64::from);
        let (end, limit) = (later(now, wanted), later(token.issued, most));
        token.expires = Some(end.min(limit));
        let warnings = (end > limit).then(|| {
            format!("TTL of \"{wanted}s\" exceeded the effective max_ttl of \"{most}s\"; TTL value is capped accordingly")
        });
        Ok(Success::Auth(token.describe(id, now), warnings.into_iter().collect()))
    }

    pub(super) fn login(&mut self, now: Timestamp, mount: &str, body: &Value) -> Answer {
        let path = format!("auth/{mount}/login");
        let method = self.method(mount).ok_or_else(|| no_route(&path))?;
        let field = |name: &str| match body[name].as_str().map(str::trim) {
            None | Some("") => Err(method.missing(name)),
            Some(text) => Ok(text),
        };
        let (role, secret) = method.fields();
        let role = field(role)?;
        let here = |at: &str, login: &Login| at == mount && login.role == role;
        if !self.logins.iter().any(|(at, login, _)| here(at, login)) {
            return Err(method.unknown_role(role));
        }
        let secret = field(secret)?;
        let mut logins = self.logins.iter_mut().filter(|(at, login, _)| here(at, login));
        let grant = logins
            .find_map(|(_, login, grant)| login.accept(secret).then(|| grant.clone()))
            .ok_or_else(|| method.wrong_secret())?;
        let id = format!("hvs.rehearsal-{}", self.issued + 1);
        let meta = match method {
            Method::AppRole => json!({ "role_name": role }),
            Method::Kubernetes | Method::Jwt => json!({ "role": role }),
        };
        self.issue(now, &id, grant, &path, meta);
        Ok(Success::Auth(self.token(&id)?.describe(&id, now), vec![]))
    }
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
