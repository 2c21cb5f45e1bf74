//! Who asks, and what that account may not do.
//!
//! Everybody may do everything until a test says otherwise. It must never take a request for somebody else's.

use super::super::{Reply, Request};
use super::ApiServer;
use super::refusal::{self, Refusal};
use super::target::Target;
use serde_json::{Value, json};

const REVIEWS: [&str; 4] = ["apis", "authentication.k8s.io", "v1", "selfsubjectreviews"];

impl ApiServer {
    /// Lets this bearer token in as this user; from now on requests without a known token get 401.
    pub fn add_user(&mut self, token: &str, user: &str) {
        self.users.insert(token.to_owned(), user.to_owned());
    }

    /// Denies a verb (`get`, `list`, `create`, …) on a resource (`configmaps`, …) to everybody; `*` is any.
    pub fn deny(&mut self, verb: &str, resource: &str) {
        self.denials.push((verb.to_owned(), resource.to_owned()));
    }

    /// Takes back all denials.
    pub fn allow(&mut self) {
        self.denials.clear();
        self.bound.clear();
    }

    /// Denies this resource to everybody but in namespaces where a RoleBinding gives them this ClusterRole.
    pub fn deny_unless_bound(&mut self, resource: &str, role: &str) {
        self.bound.push((resource.to_owned(), role.to_owned()));
    }

    pub(super) fn user(&self, request: &Request) -> Result<String, Refusal> {
        match request.bearer().and_then(|token| self.users.get(token)) {
            Some(user) => Ok(user.clone()),
            None if self.users.is_empty() => Ok("system:anonymous".to_owned()),
            None => Err(refusal::unauthorized()),
        }
    }

    pub(super) fn may(&self, user: &str, verb: &str, resource: &str, target: &Target) -> Result<(), Refusal> {
        let denied = |(v, r): &(String, String)| (v == "*" || v == verb) && (r == "*" || r == resource);
        let unbound = |(r, role): &(String, String)| r == resource && !self.is_bound(user, role, target);
        match self.denials.iter().any(denied) || self.bound.iter().any(unbound) {
            true => Err(refusal::forbidden(target, user, verb)),
            false => Ok(()),
        }
    }

    fn is_bound(&self, user: &str, role: &str, target: &Target) -> bool {
        let is_user = |subject: &Value| match subject["kind"].as_str() {
            Some("User") => subject["name"] == user,
            Some("ServiceAccount") => {
                let text = |field: &str| subject[field].as_str().unwrap_or_default().to_owned();
                user == format!("system:serviceaccount:{}:{}", text("namespace"), text("name"))
            }
            _ => false,
        };
        self.all("rolebindings.rbac.authorization.k8s.io").any(|(namespace, _, binding)| {
            let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
            target.namespace.as_deref() == Some(namespace)
                && binding["roleRef"] == role
                && binding["subjects"].as_array().into_iter().flatten().any(is_user)
        })
    }

    /// SelfSubjectReview: who asks is told who that is, and nothing is kept of it. None if something else is asked for.
    pub(super) fn review(&self, request: &Request, user: &str) -> Option<Result<Reply, Refusal>> {
        (request.path == REVIEWS).then(|| self.told(request, user))
    }

    fn told(&self, request: &Request, user: &str) -> Result<Reply, Refusal> {
        if request.method != "POST" {
            return Err(refusal::not_allowed());
        }
        let (version, kind) = ("authentication.k8s.io/v1", "SelfSubjectReview");
        let said = |field: &str| request.body[field].as_str().unwrap_or_default();
        if (said("apiVersion"), said("kind")) != (version, kind) {
            let (group, given) = said("apiVersion").split_once('/').unwrap_or(("", said("apiVersion")));
            let what = said("kind");
            let why = format!("no kind {what:?} that {group} could convert is registered");
            let message = format!("{what} in version {given:?} cannot be handled as a {kind}: {why}");
            return Err(refusal::bad_request(message));
        }
        let groups = match user {
            "system:anonymous" => vec!["system:unauthenticated".to_owned()],
            user => match user.strip_prefix("system:serviceaccount:").and_then(|own| own.split_once(':')) {
                Some((namespace, _)) => vec![
                    "system:serviceaccounts".to_owned(),
                    format!("system:serviceaccounts:{namespace}"),
                    "system:authenticated".to_owned(),
                ],
                None => vec!["system:authenticated".to_owned()],
            },
        };
        Ok(Reply::Json(
            201,
            json!({
                "kind": kind, "apiVersion": version, "metadata": {"creationTimestamp": self.now},
                "status": {"userInfo": {"username": user, "groups": groups}},
            }),
        ))
    }
}
