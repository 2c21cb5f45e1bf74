//! Patches: what a request's body does to an object that is there.
//!
//! Merge patches here, applied configurations in `apply`. Of the others (`json-patch`, `strategic-merge-patch`) none is
//! served: they are refused as an unknown format. It must never take one format for another.

use super::super::Request;
use super::options::Options;
use super::ownership::Ownership;
use super::refusal::{self, Cause, Refusal};
use super::requests::{Answer, media_type};
use super::target::Target;
use super::write::{STALE, named, place};
use super::{ApiServer, admit, version_of};
use serde_json::{Map, Value};

impl ApiServer {
    pub(super) fn patch(
        &mut self,
        target: &Target,
        name: &str,
        request: &Request,
        options: &Options,
    ) -> Answer {
        match media_type(request) {
            "application/apply-patch+yaml" => self.apply(target, name, &request.body, options),
            "application/merge-patch+json" => self.merge_patch(target, name, &request.body, options),
            _ => Err(refusal::unsupported_media_type()),
        }
    }

    fn merge_patch(&mut self, target: &Target, name: &str, patch: &Value, options: &Options) -> Answer {
        let Some(current) = self.objects.get(&target.key(name)).cloned() else {
            return Err(refusal::not_found(target, name));
        };
        match patch {
            Value::Object(_) => {}
            Value::Null => {
                return Err(refusal::bad_request("error decoding patch: unexpected end of JSON input"));
            }
            _ => {
                let why = "json: cannot unmarshal array into Go value of type map[string]interface {}";
                return Err(refusal::bad_request(format!("error decoding patch: {why}")));
            }
        }
        let mut next = target.show(&current);
        merge(&mut next, patch);
        if !next["metadata"].is_object() {
            next["metadata"] = Map::new().into();
        }
        named(&next, name)?;
        place(target, &mut next)?;
        admit::read_patched(target, &mut next, options.unknown)?;
        same_life(target, name, &current, &next)?;
        let ownership = Ownership::of(target.updater(&options.manager), &next);
        Ok((200, target.show(&*self.replace(target, &current, next, ownership)?)))
    }
}

/// Refuses what was made of another version of the object, or of another object of its name.
pub(super) fn same_life(target: &Target, name: &str, current: &Value, next: &Value) -> Result<(), Refusal> {
    if version_of(next).is_some_and(|version| version_of(current) != Some(version)) {
        return Err(refusal::conflict(target, name, STALE));
    }
    let uid = &current["metadata"]["uid"];
    match &next["metadata"]["uid"] {
        Value::Null => Ok(()),
        given if given == uid => Ok(()),
        given => {
            let message = format!("Invalid value: {given}: field is immutable");
            let cause = || Cause::new("FieldValueInvalid", "metadata.uid", message.clone());
            // The real server checks twice, and says it twice.
            Err(refusal::repeated(&target.kind, name, &[cause(), cause()]))
        }
    }
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Map::new().into();
    }
    for (name, value) in patch {
        match (value, target.as_object_mut()) {
            (Value::Null, Some(fields)) => drop(fields.remove(name)),
            _ => merge(&mut target[name], value),
        }
    }
}
