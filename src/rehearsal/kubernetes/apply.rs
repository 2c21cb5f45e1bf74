//! Server-side apply: an object becomes what its manager says of it, and keeps what others say.
//!
//! It must never take a field from another manager unless it is forced to.

use super::fields::{Fields, Told};
use super::merge::{difference, fields, merge, prune};
use super::options::Options;
use super::ownership::{Manager, Operation, Owners, Ownership};
use super::patch::same_life;
use super::refusal::{self, Refusal};
use super::requests::Answer;
use super::target::Target;
use super::write::{named, place};
use super::{ApiServer, admit, version_of};
use serde_json::{Value, json};

/// Owns what was there before anybody applied, if nobody else does.
const BEFORE: &str = "before-first-apply";

impl ApiServer {
    pub(super) fn apply(&mut self, target: &Target, name: &str, body: &Value, options: &Options) -> Answer {
        let config = configuration(target, name, body)?;
        let current = self.objects.get(&target.key(name)).cloned();
        if current.is_none() {
            self.can_be_created(target, name, &config)?;
        }
        let named = typed(target, body, &config)?;
        let manager = Manager {
            operation: Operation::Apply,
            name: options.manager.clone(),
            ..target.updater(&options.manager)
        };
        let live = match &current {
            Some(current) => without_managers(target.show(current)),
            None => json!({}),
        };
        let shape = target.kind.shape();
        let mut owners = current.as_ref().map(|current| Owners::of(current)).unwrap_or_default();
        if owners.is_empty() && current.is_some() {
            owners.update(target.updater(BEFORE), &json!({}), &live, shape, self.now);
        }
        let mut merged = merge(&live, &config, shape);
        let last = owners.applied(&manager);
        owners.set(manager.clone(), named, self.now);
        prune(&mut merged, shape, &last, &owners.everything());
        let difference = difference(&live, &merged, shape);
        let conflicts = owners.conflicts(&manager, &difference.written);
        if !options.force && !conflicts.is_empty() {
            let told = |(manager, path): &(Manager, Vec<_>)| (manager.told(), Told(path).to_string());
            return Err(refusal::owned_by_others(&conflicts.iter().map(told).collect::<Vec<_>>()));
        }
        owners.give(&manager, &difference.written, &difference.removed);
        let settled = Ownership::Settled(owners);
        match current {
            None => {
                let object = self.newborn(target, merged, settled)?;
                Ok((201, target.show(&self.store(target.key(name), object))))
            }
            Some(current) => {
                same_life(target, name, &current, &merged)?;
                Ok((200, target.show(&*self.replace(target, &current, merged, settled)?)))
            }
        }
    }

    fn can_be_created(&self, target: &Target, name: &str, config: &Value) -> Result<(), Refusal> {
        if target.status {
            return Err(refusal::not_found(target, name));
        }
        if let Some(uid) = config["metadata"]["uid"].as_str() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(refusal::conflict(target, name, &why));
        }
        match version_of(config) {
            Some(version) if version.parse::<u64>().is_err() => Err(refusal::no_version_in_object(version)),
            // Whatever version saw it absent, it is absent.
            _ => self.open_namespace(target, name),
        }
    }
}

/// What a body says of the object, without what this path does not change.
fn configuration(target: &Target, name: &str, body: &Value) -> Result<Value, Refusal> {
    let undecoded = |why: &str| Err(refusal::bad_request(format!("error decoding YAML: {why}")));
    let mut config = match body {
        Value::Object(_) => body.clone(),
        Value::Null => {
            return undecoded("error converting YAML to JSON: yaml: did not find expected node content");
        }
        _ => {
            let why = "json: cannot unmarshal array into Go value of type map[string]interface {}";
            return undecoded(&format!("error unmarshaling JSON: while decoding JSON: {why}"));
        }
    };
    let text = |field: &str| config[field].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if (api_version.as_str(), kind.as_str()) != (&target.kind.api_version(), &target.kind.kind) {
        let told = if api_version.contains('/') { api_version } else { format!("/{api_version}") };
        return Err(refusal::bad_request(format!("invalid object type: {told}, Kind={kind}")));
    }
    if !config["metadata"].is_object() {
        config["metadata"] = json!({});
    }
    if config["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(refusal::bad_request("metadata.managedFields must be nil"));
    }
    if config["metadata"]["name"].is_null() {
        config["metadata"]["name"] = json!(name);
    }
    named(&config, name)?;
    place(target, &mut config)?;
    if let Some(fields) = config.as_object_mut().filter(|_| target.kind.status) {
        match target.status {
            true => fields
                .retain(|field, _| ["apiVersion", "kind", "metadata", "status"].contains(&field.as_str())),
            false => drop(fields.remove("status")),
        }
    }
    if target.status {
        let identity = ["name", "namespace", "uid", "resourceVersion"];
        if let Some(metadata) = config["metadata"].as_object_mut() {
            metadata.retain(|field, _| identity.contains(&field.as_str()));
        }
    }
    Ok(config)
}

/// The fields that a configuration names, if its kind has them all.
fn typed(target: &Target, body: &Value, config: &Value) -> Result<Fields, Refusal> {
    let text = |field: &str| body["metadata"][field].as_str().unwrap_or_default();
    let untyped = |why: &str| refusal::untyped(text("namespace"), text("name"), &target.kind, why);
    if target.kind.built_in() {
        let unread = |why: String| match admit::fits_the_schema(&why) {
            true => refusal::unconverted(text("namespace"), text("name"), &target.kind, &why),
            false => untyped(&why),
        };
        let unknown = admit::read(&target.kind, &mut body.clone()).map_err(unread)?;
        if let Some(field) = unknown.first() {
            return Err(untyped(&format!("{}: field not declared in schema", field.told)));
        }
    }
    fields(body, target.kind.shape()).map_err(|why| untyped(&why))?;
    fields(config, target.kind.shape()).map_err(|why| untyped(&why))
}

fn without_managers(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    object
}
