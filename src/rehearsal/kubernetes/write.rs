//! Creating and updating whole objects, and storing what has become of one.
//!
//! It must never store what is no change: that would be a new version of nothing.

use super::admit;
use super::kinds::Kind;
use super::options::Options;
use super::ownership::{Manager, Operation, Ownership};
use super::refusal::{self, Cause, Refusal};
use super::requests::Answer;
use super::target::Target;
use super::validate::{nameless, versionless};
use super::{ApiServer, Key, deleting, held, version_of};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const STALE: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// What is the server's, whatever a client sends.
const SERVERS: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

impl Target {
    /// One who writes here otherwise than by applying.
    pub(super) fn updater(&self, name: &str) -> Manager {
        Manager {
            operation: Operation::Update,
            name: name.to_owned(),
            api_version: self.kind.api_version(),
            subresource: if self.status { "status" } else { "" }.to_owned(),
        }
    }
}

impl ApiServer {
    /// The object that a body holds: of the kind and in the namespace that the path says, with metadata.
    fn object(&self, target: &Target, body: &Value) -> Result<Value, Refusal> {
        let kind = &target.kind;
        let mut object = match body {
            Value::Object(fields) if fields.get("metadata").is_none_or(Value::is_object) => body.clone(),
            _ => {
                let why = format!("the object provided is unrecognized (must be of type {})", kind.kind);
                return Err(refusal::bad_request(why));
            }
        };
        let expected = kind.api_version();
        match object.get("apiVersion").and_then(Value::as_str) {
            None | Some("") => {}
            Some(given) if given == expected => {}
            Some(given) => {
                return Err(refusal::bad_request(format!(
                    "the API version in the data ({given}) does not match the expected API version ({expected})"
                )));
            }
        }
        let given = object["kind"].as_str().unwrap_or_default().to_owned();
        match given.as_str() {
            "" if !kind.built_in() => {
                let why = format!(
                    "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing",
                    kind.kind
                );
                return Err(refusal::bad_request(why));
            }
            "" => object["kind"] = json!(kind.kind),
            given if given != kind.kind && !kind.built_in() => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let message = format!("Invalid value: {given:?}: must be {}", kind.kind);
                let cause = Cause::new("FieldValueInvalid", "kind", message);
                return Err(refusal::invalid(given, &kind.group, name, &[cause]));
            }
            _ => {}
        }
        object["apiVersion"] = json!(expected);
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        place(target, &mut object)?;
        Ok(object)
    }

    pub(super) fn create(&mut self, target: &Target, body: &Value, options: &Options) -> Answer {
        let mut object = self.object(target, body)?;
        admit::read_body(target, &mut object, options.unknown)?;
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        if text("name").is_empty() {
            match text("generateName").as_str() {
                "" => return Err(nameless(target, &object)),
                prefix => object["metadata"]["name"] = json!(format!("{prefix}{}", self.suffix())),
            }
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.open_namespace(target, &name)?;
        let given_version = version_of(&object).is_some();
        let writer = Ownership::Writer(target.updater(&options.manager));
        let object = self.newborn(target, object, writer)?;
        if given_version {
            return Err(refusal::version_on_create());
        }
        let key = target.key(&name);
        if self.objects.contains_key(&key) {
            return Err(refusal::already_exists(target, &name));
        }
        Ok((201, target.show(&self.store(key, object))))
    }

    /// Five characters that no other object has been given, as the server's own have no vowels.
    fn suffix(&self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut number = self.version + 1;
        let mut digit = || {
            let digit = ALPHABET[(number % ALPHABET.len() as u64) as usize];
            number /= ALPHABET.len() as u64;
            char::from(digit)
        };
        (0..5).map(|_| digit()).collect()
    }

    /// Refuses what would come to be in a namespace that is not there, or that is going.
    pub(super) fn open_namespace(&self, target: &Target, name: &str) -> Result<(), Refusal> {
        let Some(namespace) = &target.namespace else { return Ok(()) };
        match self.objects.get(&Key::new("namespaces", "", namespace)) {
            None => Err(refusal::no_namespace(namespace)),
            Some(found) if deleting(found) => Err(refusal::terminating(target, name, namespace)),
            Some(_) => Ok(()),
        }
    }

    /// What a new object is when it is stored.
    pub(super) fn newborn(
        &self,
        target: &Target,
        mut object: Value,
        ownership: Ownership,
    ) -> Result<Value, Refusal> {
        if let Some(fields) = object.as_object_mut().filter(|_| target.kind.status) {
            fields.remove("status");
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for foreign in SERVERS.iter().chain(&["selfLink", "managedFields"]) {
                metadata.remove(*foreign);
            }
        }
        admit::complete(target, &mut object)?;
        admit::check(target, &object)?;
        self.ask_webhooks(target, None, &object)?;
        // A status that was filled in is nobody's.
        let mut written = object.clone();
        if let Some(fields) = written.as_object_mut().filter(|_| target.kind.status) {
            fields.remove("status");
        }
        let owners = ownership.after(&json!({}), &written, target.kind.shape(), self.now);
        if target.qualified() == "services" && object["spec"]["type"] != "ExternalName" {
            let number = self.version % 60_000 + 1;
            if object["spec"]["clusterIP"].is_null() {
                object["spec"]["clusterIP"] = json!(format!("10.96.{}.{}", number / 250, number % 250 + 1));
            }
            object["spec"]["clusterIPs"] = json!([object["spec"]["clusterIP"]]);
        }
        self.bear(&mut object["metadata"]);
        if target.kind.generation {
            object["metadata"]["generation"] = json!(1);
        }
        owners.write(&mut object);
        self.as_stored(target, &mut object);
        Ok(object)
    }

    pub(super) fn update(&mut self, target: &Target, name: &str, body: &Value, options: &Options) -> Answer {
        let key = target.key(name);
        let mut next = self.object(target, body)?;
        named(&next, name)?;
        admit::read_body(target, &mut next, options.unknown)?;
        let Some(current) = self.objects.get(&key).cloned() else {
            return Err(refusal::not_found(target, name));
        };
        match version_of(&next) {
            Some(version) if version_of(&current) != Some(version) => {
                return Err(refusal::conflict(target, name, STALE));
            }
            None if must_have_version(&target.kind) => return Err(versionless(target, &next, name)),
            _ => {}
        }
        let uid = current["metadata"]["uid"].as_str().unwrap_or_default();
        if let Some(given) =
            next["metadata"]["uid"].as_str().filter(|given| *given != uid && !given.is_empty())
        {
            return Err(refusal::other_uid(target, name, given, uid));
        }
        let ownership = Ownership::of(target.updater(&options.manager), &next);
        Ok((200, target.show(&*self.replace(target, &current, next, ownership)?)))
    }

    /// Stores what has become of an object: the part of it that may change here, if it has changed.
    pub(super) fn replace(
        &mut self,
        target: &Target,
        current: &Arc<Value>,
        next: Value,
        ownership: Ownership,
    ) -> Result<Arc<Value>, Refusal> {
        let mut next = with_servers_own(within_reach(target, current, next), current);
        admit::complete(target, &mut next)?;
        admit::check(target, &next)?;
        no_new_finalizers(target, current, &next)?;
        self.ask_webhooks(target, Some(current), &next)?;
        Ok(self.replace_unchecked(target, current, next, ownership))
    }

    /// The same, past all rules.
    pub(super) fn replace_unchecked(
        &mut self,
        target: &Target,
        current: &Arc<Value>,
        next: Value,
        ownership: Ownership,
    ) -> Arc<Value> {
        let mut next = with_servers_own(within_reach(target, current, next), current);
        let owners = ownership.after(&target.show(current), &next, target.kind.shape(), self.now);
        owners.write(&mut next);
        self.as_stored(target, &mut next);
        let name = current["metadata"]["name"].as_str().unwrap_or_default();
        self.commit(&target.kind, target.key(name), current, next)
    }

    /// In the version of its kind that is stored.
    fn as_stored(&self, target: &Target, object: &mut Value) {
        let stored = self.kinds.stored(&target.qualified()).unwrap_or(&target.kind);
        object["apiVersion"] = json!(stored.api_version());
    }

    fn commit(&mut self, kind: &Kind, key: Key, current: &Arc<Value>, mut next: Value) -> Arc<Value> {
        if next == **current {
            return current.clone();
        }
        let wish = |object: &Value| {
            let mut wish = object.clone();
            if let Some(fields) = wish.as_object_mut() {
                let seen = ["metadata", "apiVersion", if kind.status { "status" } else { "metadata" }];
                fields.retain(|name, _| !seen.contains(&name.as_str()));
            }
            wish
        };
        let generation = current["metadata"]["generation"].as_u64();
        if let Some(generation) = generation.filter(|_| wish(&next) != wish(current)) {
            next["metadata"]["generation"] = json!(generation + 1);
        }
        // The last finalizer of an object that was only waiting for it.
        if deleting(&next) && !held(&key, &next) {
            self.erase(&key);
            return Arc::new(next);
        }
        self.store(key, next)
    }
}

/// The next object with only what may be changed by this way.
fn within_reach(target: &Target, current: &Value, mut next: Value) -> Value {
    if target.status {
        let mut whole = current.clone();
        whole["apiVersion"] = json!(target.kind.api_version());
        whole["status"] = next["status"].take();
        return without_null(whole, "status");
    }
    if target.kind.status {
        next["status"] = current["status"].clone();
        return without_null(next, "status");
    }
    next
}

/// What is the server's is as it was.
fn with_servers_own(mut next: Value, current: &Value) -> Value {
    if !next["metadata"].is_object() {
        next["metadata"] = json!({});
    }
    if let Some(metadata) = next["metadata"].as_object_mut() {
        for own in SERVERS {
            match current["metadata"].get(own) {
                Some(value) => drop(metadata.insert(own.to_owned(), value.clone())),
                None => drop(metadata.remove(own)),
            }
        }
    }
    next
}

fn without_null(mut object: Value, field: &str) -> Value {
    if let Some(fields) =
        object.as_object_mut().filter(|fields| fields.get(field).is_some_and(Value::is_null))
    {
        fields.remove(field);
    }
    object
}

/// Of some kinds the server takes no update that does not say what it has seen.
fn must_have_version(kind: &Kind) -> bool {
    !kind.built_in()
        || matches!(kind.kind.as_str(), "CustomResourceDefinition" | "Lease" | "PodDisruptionBudget")
}

/// The object's name must be the path's.
pub(super) fn named(object: &Value, name: &str) -> Result<(), Refusal> {
    match object["metadata"]["name"].as_str() {
        Some(given) if given == name => Ok(()),
        Some(given) if !given.is_empty() => Err(refusal::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        ))),
        _ => Err(refusal::bad_request("the name of the object is empty")),
    }
}

/// The object's namespace is the path's.
pub(super) fn place(target: &Target, object: &mut Value) -> Result<(), Refusal> {
    let given = object["metadata"]["namespace"].as_str().unwrap_or_default();
    match &target.namespace {
        Some(namespace) if given.is_empty() || given == namespace => {
            object["metadata"]["namespace"] = json!(namespace);
            Ok(())
        }
        None if given.is_empty() => Ok(()),
        _ => Err(refusal::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

fn no_new_finalizers(target: &Target, current: &Value, next: &Value) -> Result<(), Refusal> {
    let finalizers =
        |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let before = finalizers(current);
    let new: Vec<String> =
        finalizers(next).iter().filter(|f| !before.contains(f)).map(Value::to_string).collect();
    if !deleting(current) || new.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.join(", ")
    );
    let cause = || Cause::new("FieldValueForbidden", "metadata.finalizers", message.clone());
    let name = next["metadata"]["name"].as_str().unwrap_or_default();
    // The real server checks twice, and says it twice.
    Err(refusal::repeated(&target.kind, name, &[cause(), cause()]))
}
