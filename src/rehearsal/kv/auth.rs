//! The ways to log in, each of which gives a token.
//!
//! It must never know what a token may do.

use super::tokens::{Birth, Grant, Tokens};
use super::{Answer, Refusal, Success, Timestamp, no_route, refuse};
use serde_json::{Value, json};

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

/// All that log in.
#[derive(Clone, Default)]
pub(super) struct Logins(Vec<(String, Login, Grant)>);

impl Logins {
    pub(super) fn add(&mut self, mount: &str, login: Login, grant: Grant) {
        self.0.push((mount.to_owned(), login, grant));
    }

    /// How to log in there, if one can.
    fn method(&self, mount: &str) -> Option<Method> {
        let login = self.0.iter().find(|(at, ..)| at == mount);
        login.map(|(_, login, _)| login.method)
    }

    /// Whether one can log in there at all.
    pub(super) fn has_mount(&self, mount: &str) -> bool {
        self.method(mount).is_some()
    }

    pub(super) fn login(&mut self, tokens: &mut Tokens, now: Timestamp, mount: &str, body: &Value) -> Answer {
        let path = format!("auth/{mount}/login");
        let method = self.method(mount).ok_or_else(|| no_route(&path))?;
        let field = |name: &str| match body[name].as_str().map(str::trim) {
            None | Some("") => Err(method.missing(name)),
            Some(text) => Ok(text),
        };
        let (role, secret) = method.fields();
        let role = field(role)?;
        let here = |at: &str, login: &Login| at == mount && login.role == role;
        if !self.0.iter().any(|(at, login, _)| here(at, login)) {
            return Err(method.unknown_role(role));
        }
        let secret = field(secret)?;
        let mut logins = self.0.iter_mut().filter(|(at, login, _)| here(at, login));
        let grant = logins
            .find_map(|(_, login, grant)| login.accept(secret).then(|| grant.clone()))
            .ok_or_else(|| method.wrong_secret())?;
        let meta = match method {
            Method::AppRole => json!({ "role_name": role }),
            Method::Kubernetes | Method::Jwt => json!({ "role": role }),
        };
        let birth = Birth::of(grant, &path, meta);
        let id = tokens.make(now, birth);
        Ok(Success::Auth(tokens.describe(now, &id)?, vec![]))
    }
}
