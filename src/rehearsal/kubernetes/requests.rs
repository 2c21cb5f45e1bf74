//! What the server does on a request: who asks, what for, and which verb that is.
//!
//! It must never answer what it does not serve as if it had done it: a dry run changes nothing.

use super::super::{Reply, Request};
use super::options::Options;
use super::refusal::{self, Refusal};
use super::target::Target;
use super::{ApiServer, version_of};
use serde_json::{Value, json};

pub(super) type Answer = Result<(u16, Value), Refusal>;

fn verb(request: &Request, target: &Target) -> Option<&'static str> {
    let watch = request.query.get("watch").is_some_and(|v| !matches!(v.as_str(), "false" | "0"));
    Some(match (request.method.as_str(), &target.name) {
        ("GET", None) if watch => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", None) if target.namespace.is_some() == target.kind.namespaced => "create",
        ("PUT", Some(_)) => "update",
        ("PATCH", Some(_)) => "patch",
        ("DELETE", Some(_)) if !target.status => "delete",
        // A namespace is deleted by its name or not at all.
        ("DELETE", None) if target.kind.plural != "namespaces" && in_one_place(target) => "deletecollection",
        _ => return None,
    })
}

fn in_one_place(target: &Target) -> bool {
    target.namespace.is_some() == target.kind.namespaced
}

fn is_apply(request: &Request) -> bool {
    media_type(request) == "application/apply-patch+yaml"
}

/// Of the body.
pub(super) fn media_type(request: &Request) -> &str {
    let kind = request.headers.get("content-type").map_or("", String::as_str);
    kind.split(';').next().unwrap_or_default().trim()
}

impl ApiServer {
    pub(in super::super) fn handle(&mut self, request: &Request) -> Reply {
        match self.reply(request) {
            Ok(reply) => reply,
            Err(refusal) => refusal.into(),
        }
    }

    fn reply(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let user = self.user(request)?;
        if let Some(reply) = self.discover(request)? {
            return Ok(reply);
        }
        if let Some(told) = self.logs(request, &user).or_else(|| self.review(request, &user)) {
            return told;
        }
        let target = Target::of(&request.path, &self.kinds)?;
        let verb = verb(request, &target).ok_or_else(refusal::not_allowed)?;
        let resource = match target.status {
            true => format!("{}/status", target.qualified()),
            false => target.qualified(),
        };
        self.may(&user, verb, &resource, &target)?;
        match verb {
            "watch" => return Ok(Reply::Watch(Box::new(self.watch(&target, request)?))),
            "list" => return self.list(&target, request).map(json_reply),
            "get" => {
                let name = target.name.as_deref().unwrap_or_default();
                return match self.objects.get(&target.key(name)) {
                    Some(object) => Ok(Reply::Json(200, target.show(object))),
                    None => Err(refusal::not_found(&target, name)),
                };
            }
            _ => {}
        }
        let kind = match verb {
            "create" => "CreateOptions",
            "update" => "UpdateOptions",
            "patch" => "PatchOptions",
            _ => "DeleteOptions",
        };
        let options = Options::of(request, kind, is_apply(request))?;
        if options.dry {
            let (code, mut body) = self.clone().change(verb, &target, request, &options)?;
            self.undated(&target, &mut body);
            return Ok(Reply::Json(code, body));
        }
        let answer = self.change(verb, &target, request, &options)?;
        self.settle();
        Ok(json_reply(answer))
    }

    fn change(&mut self, verb: &str, target: &Target, request: &Request, options: &Options) -> Answer {
        let name = target.name.as_deref().unwrap_or_default();
        match verb {
            "create" => self.create(target, &request.body, options),
            "update" => self.update(target, name, &request.body, options),
            "patch" => self.patch(target, name, request, options),
            "delete" => self.delete(target, name, request),
            _ => self.delete_many(target, request),
        }
    }

    /// What was not stored has no version of its own.
    fn undated(&self, target: &Target, body: &mut Value) {
        if version_of(body).is_none() || body["items"].is_array() {
            return;
        }
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        let before =
            self.objects.get(&target.key(name)).map(|object| object["metadata"]["resourceVersion"].clone());
        let metadata = body["metadata"].as_object_mut();
        match (metadata, before) {
            (Some(metadata), Some(version)) => drop(metadata.insert("resourceVersion".to_owned(), version)),
            (Some(metadata), None) => drop(metadata.remove("resourceVersion")),
            (None, _) => {}
        }
    }
}

fn json_reply((code, body): (u16, Value)) -> Reply {
    Reply::Json(code, body)
}

/// What a deletion that is done is answered with.
pub(super) fn success(target: &Target, name: &str, uid: &Value) -> Value {
    let mut details = json!({"name": name, "kind": target.kind.plural, "uid": uid});
    if !target.kind.group.is_empty() {
        details["group"] = json!(target.kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
