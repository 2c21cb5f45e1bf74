//! What the server does on a request: who asks, what for, and the verbs.
//!
//! It must never answer what it does not serve as if it had done it: a dry run changes nothing, and a watch is not a list.

use super::super::{Reply, Request};
use super::refusal::{self, Refusal};
use super::select::Selector;
use super::target::Target;
use super::validate::{nameless, normalise, validate, versionless};
use super::{ApiServer, Key, Page, deleting, held};
use serde_json::{Value, json};

fn verb(request: &Request, target: &Target) -> Option<&'static str> {
    Some(match (request.method.as_str(), &target.name) {
        ("GET", None) if flag(request, "watch") => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", None) => "create",
        ("PUT", Some(_)) => "update",
        ("PATCH", Some(_)) => "patch",
        ("DELETE", Some(_)) => "delete",
        ("DELETE", None) => "deletecollection",
        _ => return None,
    })
}

fn flag(request: &Request, name: &str) -> bool {
    let value = request.query.get(name);
    value.is_some_and(|v| !matches!(v.as_str(), "false" | "0"))
}

type Answer = Result<(u16, Value), Refusal>;

impl ApiServer {
    pub(in super::super) fn handle(&mut self, request: &Request) -> Reply {
        let dry = request.query.contains_key("dryRun")
            || request.body.get("dryRun").is_some_and(|d| request.method == "DELETE" && !d.is_null());
        let answer = if dry { self.clone().answer(request) } else { self.answer(request) };
        match answer {
            Ok((code, body)) => Reply::Json(code, body),
            Err(refusal) => refusal.into(),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let user = match request.bearer().and_then(|token| self.users.get(token)) {
            Some(user) => user.as_str(),
            None if self.users.is_empty() => "system:anonymous",
            None => return Err(refusal::unauthorized()),
        };
        if request.path == ["version"] {
            return Ok((
                200,
                json!({"major": "1", "minor": "37", "gitVersion": "v1.37.0", "platform": "linux/amd64"}),
            ));
        }
        let target = Target::of(&request.path).ok_or_else(refusal::no_such_path)?;
        let verb = verb(request, &target).ok_or_else(refusal::not_allowed)?;
        let denied =
            |(v, r): &(String, String)| (v == "*" || v == verb) && (r == "*" || *r == target.qualified());
        if self.denials.iter().any(denied) {
            return Err(refusal::forbidden(&target, user, verb));
        }
        let name = target.name.as_deref().unwrap_or_default();
        match verb {
            "list" => self.list(&target, request),
            "get" => match self.objects.get(&target.key(name)) {
                Some(object) => Ok((200, target.show(object))),
                None => Err(refusal::not_found(&target, name)),
            },
            "create" => self.create(&target, &request.body),
            "update" => self.update(&target, name, &request.body),
            "delete" => self.delete(&target, name, &request.body),
            // Watches, patches and deleting many are not served.
            _ => Err(refusal::not_allowed()),
        }
    }

    fn list(&mut self, target: &Target, request: &Request) -> Answer {
        let limit = match request.query.get("limit").map(String::as_str) {
            None | Some("" | "0") => usize::MAX,
            Some(text) => text.parse().map_err(|_| {
                refusal::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            })?,
        };
        let token = request.query.get("continue").filter(|token| !token.is_empty());
        let page = match token {
            Some(token) => self.continued(token)?,
            None => self.selected(target, &Selector::of(&request.query)?),
        };
        let mut items = page.rest;
        let rest = items.split_off(limit.min(items.len()));
        let mut metadata = json!({"resourceVersion": page.version.to_string()});
        if !rest.is_empty() {
            if page.counted {
                metadata["remainingItemCount"] = json!(rest.len());
            }
            self.issued_pages += 1;
            metadata["continue"] = json!(format!("page-{}", self.issued_pages));
            self.pages.insert(self.issued_pages, Page { rest, ..page });
        }
        Ok((
            200,
            json!({
                "kind": format!("{}List", self.kind(target)), "apiVersion": target.api_version(),
                "metadata": metadata, "items": items,
            }),
        ))
    }

    fn continued(&self, token: &str) -> Result<Page, Refusal> {
        let number = token.strip_prefix("page-").and_then(|n| n.parse().ok());
        match number {
            Some(number) if (1..=self.issued_pages).contains(&number) => {
                self.pages.get(&number).cloned().ok_or_else(refusal::expired)
            }
            _ => Err(refusal::bad_request("continue key is not valid")),
        }
    }

    fn selected(&self, target: &Target, selector: &Selector) -> Page {
        let namespace = target.namespace.as_deref();
        let resource = target.qualified();
        let rest = self
            .all(&resource)
            .filter(|(within, _, object)| namespace.is_none_or(|n| n == *within) && selector.matches(object))
            .map(|(_, _, object)| {
                let mut item = target.show(object);
                if let Some(fields) = item.as_object_mut().filter(|_| target.built_in()) {
                    fields.remove("kind");
                    fields.remove("apiVersion");
                }
                item
            })
            .collect();
        Page { version: self.version, rest, counted: selector.is_everything() }
    }

    /// The kind of a resource, learned from its objects but for those that are known.
    fn kind(&self, target: &Target) -> String {
        let resource = target.qualified();
        match resource.as_str() {
            "configmaps" => "ConfigMap".to_owned(),
            "namespaces" => "Namespace".to_owned(),
            "secrets" => "Secret".to_owned(),
            resource => self
                .all(resource)
                .find_map(|(_, _, object)| object["kind"].as_str())
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// The object that a body holds: of the kind and in the namespace that the path says, with metadata.
    fn object(&self, target: &Target, body: &Value) -> Result<Value, Refusal> {
        let mut object = match body {
            Value::Object(fields) if fields.get("metadata").is_none_or(Value::is_object) => body.clone(),
            _ => {
                return Err(refusal::bad_request(
                    "the object provided is unrecognized (must be of type object)",
                ));
            }
        };
        let expected = target.api_version();
        match object.get("apiVersion").and_then(Value::as_str) {
            None | Some("") => {}
            Some(given) if given == expected => {}
            Some(given) => {
                return Err(refusal::bad_request(format!(
                    "the API version in the data ({given}) does not match the expected API version ({expected})"
                )));
            }
        }
        if object["kind"].as_str().is_none_or(str::is_empty) {
            object["kind"] = json!(self.kind(target));
        }
        object["apiVersion"] = json!(expected);
        let given = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
        match &target.namespace {
            Some(namespace) if given.is_empty() || given == namespace => {
                object["metadata"]["namespace"] = json!(namespace);
            }
            None if given.is_empty() => {}
            _ => {
                return Err(refusal::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
        }
        Ok(object)
    }

    fn create(&mut self, target: &Target, body: &Value) -> Answer {
        let mut object = self.object(target, body)?;
        let name = match object["metadata"]["name"].as_str() {
            None | Some("") => return Err(nameless(target, &object)),
            Some(name) => name.to_owned(),
        };
        if let Some(namespace) = &target.namespace {
            match self.objects.get(&Key::new("namespaces", "", namespace)) {
                None => {
                    let namespaces = Target {
                        group: String::new(),
                        version: "v1".to_owned(),
                        resource: "namespaces".to_owned(),
                        namespace: None,
                        name: None,
                    };
                    return Err(refusal::not_found(&namespaces, namespace));
                }
                Some(found) if deleting(found) => return Err(refusal::terminating(target, &name, namespace)),
                Some(_) => {}
            }
        }
        normalise(target, &mut object)?;
        validate(target, &object)?;
        if version_of(&object).is_some() {
            return Err(refusal::version_on_create());
        }
        let key = target.key(&name);
        if self.objects.contains_key(&key) {
            return Err(refusal::already_exists(target, &name));
        }
        let metadata = &mut object["metadata"];
        for foreign in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"] {
            if let Some(fields) = metadata.as_object_mut() {
                fields.remove(foreign);
            }
        }
        self.bear(metadata);
        if object.get("spec").is_some() && key.resource != "namespaces" {
            object["metadata"]["generation"] = json!(1);
        }
        Ok((201, target.show(&self.store(key, object))))
    }

    fn update(&mut self, target: &Target, name: &str, body: &Value) -> Answer {
        let key = target.key(name);
        let mut next = self.object(target, body)?;
        match next["metadata"]["name"].as_str() {
            Some(given) if given == name => {}
            Some(given) if !given.is_empty() => {
                return Err(refusal::bad_request(format!(
                    "the name of the object ({given}) does not match the name on the URL ({name})"
                )));
            }
            _ => return Err(refusal::bad_request("the name of the object is empty")),
        }
        let Some(current) = self.objects.get(&key) else {
            return Err(refusal::not_found(target, name));
        };
        match version_of(&next) {
            Some(version) if version_of(current) != Some(version) => {
                return Err(refusal::conflict(target, name, STALE));
            }
            None if !target.built_in() => return Err(versionless(target, &next, name)),
            _ => {}
        }
        let born = &current["metadata"];
        if let Some(uid) = next["metadata"]["uid"].as_str().filter(|uid| born["uid"] != *uid) {
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                born["uid"].as_str().unwrap_or_default()
            );
            return Err(refusal::conflict(target, name, &why));
        }
        // These are the server's, whatever a client sends; what the object lacks becomes null and is dropped below.
        for own in [
            "uid",
            "creationTimestamp",
            "resourceVersion",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            next["metadata"][own] = born[own].clone();
        }
        normalise(target, &mut next)?;
        validate(target, &next)?;
        // Stored in another version of the API, it is the same object all the same.
        if next == target.show(current) {
            return Ok((200, next));
        }
        if let Some(generation) = born["generation"].as_u64().filter(|_| next["spec"] != current["spec"]) {
            next["metadata"]["generation"] = json!(generation + 1);
        }
        let stored = self.store(key.clone(), next);
        // The last finalizer of an object that was only waiting for it.
        if deleting(&stored) && !held(&key, &stored) {
            self.erase(&key);
        }
        Ok((200, target.show(&stored)))
    }

    fn delete(&mut self, target: &Target, name: &str, body: &Value) -> Answer {
        let key = target.key(name);
        let Some(object) = self.objects.get(&key) else {
            return Err(refusal::not_found(target, name));
        };
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let version = version_of(object).unwrap_or_default();
        let wanted = |field: &str| body["preconditions"][field].as_str();
        if let Some(wanted) = wanted("uid").filter(|wanted| *wanted != uid) {
            let why = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            );
            return Err(refusal::conflict(target, name, &why));
        }
        if let Some(wanted) = wanted("resourceVersion").filter(|wanted| *wanted != version) {
            let why = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
            );
            return Err(refusal::conflict(target, name, &why));
        }
        Ok((
            200,
            match self.delete_or_mark(&key) {
                Some(left) => target.show(&left),
                None => {
                    let mut details = json!({"name": name, "kind": target.resource, "uid": uid});
                    if !target.group.is_empty() {
                        details["group"] = json!(target.group);
                    }
                    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
                }
            },
        ))
    }
}

const STALE: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

fn version_of(object: &Value) -> Option<&str> {
    object["metadata"]["resourceVersion"].as_str().filter(|v| !v.is_empty())
}
