//! Pods as their makers see them: whose they are, how far they are, and how a new one looks.

use super::super::{
    Kind, Reaction,
    conditions::{find, is_true},
    draft::{Draft, controller},
    names,
    objects::{is_going, list, name, namespace, text, time, uid},
};
use super::{POD, events::Teller, play};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Objects by the uid of the one that controls them.
pub(super) struct Owned<'a>(BTreeMap<&'a str, Vec<&'a Value>>);

impl<'a> Owned<'a> {
    pub(super) fn of(objects: impl Iterator<Item = &'a Value>) -> Self {
        let mut by_owner: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for object in objects {
            let owners = list(object, "/metadata/ownerReferences");
            if let Some(owner) = owners.iter().find(|owner| owner["controller"] == true) {
                by_owner.entry(text(owner, "/uid")).or_default().push(object);
            }
        }
        Self(by_owner)
    }

    /// Those of this object, by name.
    pub(super) fn by(&self, owner: &Value) -> Vec<&'a Value> {
        self.0.get(uid(owner)).cloned().unwrap_or_default()
    }
}

/// Whether it still counts: it has not ended and is not going.
pub(super) fn is_active(pod: &Value) -> bool {
    !is_going(pod) && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether it has been ready for this long.
pub(super) fn is_available(pod: &Value, seconds: i64, reaction: &mut Reaction, now: Timestamp) -> bool {
    let ready = find(pod, "Ready").filter(|_| is_true(pod, "Ready"));
    let since = ready.and_then(|ready| time(ready, "/lastTransitionTime"));
    since.is_some_and(|since| reaction.passed(since, SignedDuration::from_secs(seconds), now))
}

/// The containers of a pod or a template, but those that run before the others.
pub(super) fn containers(pod: &Value) -> &[Value] {
    list(pod, "/spec/containers")
}

/// How many there are to be; absurd numbers are nobody's.
pub(super) fn wanted(object: &Value, pointer: &str) -> usize {
    let number = object.pointer(pointer).and_then(Value::as_i64).unwrap_or(1);
    usize::try_from(number.clamp(0, 100)).unwrap_or_default()
}

/// What is counted as none is not written.
pub(super) fn count(draft: &mut Draft<'_>, field: &str, number: usize) {
    match number {
        0 => draft.unset(&["status", field]),
        number => draft.set(&["status", field], number),
    }
}

/// That this generation of an object has been seen.
pub(super) fn observe(draft: &mut Draft<'_>) {
    if let Some(generation) = super::super::objects::number(draft.wanted(), "/metadata/generation") {
        draft.set(&["status", "observedGeneration"], generation);
    }
}

/// What a template is told apart by.
pub(super) fn hash(template: &Value) -> String {
    let text = template.to_string();
    names::suffix(&["template", &text]) + &names::suffix(&["hash", &text])[..4]
}

/// A pod of this template, unless the API server would not have it: then why.
pub(super) fn make(
    kind: Kind,
    maker: &Value,
    template: &Value,
    called: &str,
    labels: &[(&str, &str)],
) -> Result<Value, String> {
    if let Some(why) = play::refused(template, called) {
        return Err(why);
    }
    let mut metadata = object(&template["metadata"]);
    for (key, value) in labels {
        metadata["labels"] = object(&metadata["labels"]);
        metadata["labels"][*key] = (*value).into();
    }
    metadata["name"] = called.into();
    metadata["namespace"] = namespace(maker).into();
    metadata["ownerReferences"] = json!([controller(kind, maker)]);
    Ok(json!({
        "apiVersion": "v1", "kind": POD.kind, "metadata": metadata, "spec": object(&template["spec"]),
        "status": { "phase": "Pending" },
    }))
}

/// A copy to write on, also of what should be an object and is none.
pub(super) fn object(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { json!({}) }
}

/// The first names of this number that are free.
pub(super) fn free_names(maker: &Value, taken: &[&Value], number: usize) -> Vec<String> {
    let names =
        (0..).map(|at: usize| format!("{}-{}", name(maker), names::suffix(&[uid(maker), &at.to_string()])));
    names.filter(|one| !taken.iter().any(|pod| name(pod) == one)).take(number).collect()
}

impl super::Look<'_> {
    /// That something is not as it should be, told by the controller of this name.
    pub(super) fn warn(
        &mut self,
        component: &'static str,
        kind: Kind,
        about: &Value,
        reason: &str,
        message: &str,
    ) {
        let teller = Teller { objects: self.objects, component, now: self.now };
        teller.warn(&mut self.reaction, kind, about, reason, message);
    }

    /// That something is as it should be.
    pub(super) fn note(
        &mut self,
        component: &'static str,
        kind: Kind,
        about: &Value,
        reason: &str,
        message: &str,
    ) {
        let teller = Teller { objects: self.objects, component, now: self.now };
        teller.note(&mut self.reaction, kind, about, reason, message);
    }
}
