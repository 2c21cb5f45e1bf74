//! Events: what happened to an object, once for each message.

use super::super::{Change, Kind, Objects, Reaction, conditions::stamp, names, objects};
use super::EVENT;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Who tells, and when.
pub(in super::super) struct Teller<'a> {
    pub(in super::super) objects: &'a Objects<'a>,
    pub(in super::super) component: &'static str,
    pub(in super::super) now: Timestamp,
}

impl Teller<'_> {
    /// Something that should not be.
    pub(in super::super) fn warn(
        &self,
        reaction: &mut Reaction,
        kind: Kind,
        about: &Value,
        reason: &str,
        message: &str,
    ) {
        self.tell(reaction, kind, about, "Warning", (reason, message));
    }

    /// Something that should.
    pub(in super::super) fn note(
        &self,
        reaction: &mut Reaction,
        kind: Kind,
        about: &Value,
        reason: &str,
        message: &str,
    ) {
        self.tell(reaction, kind, about, "Normal", (reason, message));
    }

    fn tell(
        &self,
        reaction: &mut Reaction,
        kind: Kind,
        about: &Value,
        of: &str,
        (reason, message): (&str, &str),
    ) {
        let (name, uid) = (objects::name(about), objects::uid(about));
        // What has no namespace is told of in the first one.
        let namespace = match objects::namespace(about) {
            "" => "default",
            namespace => namespace,
        };
        let token = names::token(&[uid, reason, message]);
        let called = format!("{name}.{}", &token[..16]);
        if self.objects.get(EVENT, namespace, &called).is_some() {
            return;
        }
        let mut involved =
            json!({ "apiVersion": kind.api_version(), "kind": kind.kind, "name": name, "uid": uid });
        if !objects::namespace(about).is_empty() {
            involved["namespace"] = namespace.into();
        }
        let now = stamp(self.now);
        reaction.push([Change::Create(json!({
            "apiVersion": "v1", "kind": EVENT.kind,
            "metadata": { "namespace": namespace, "name": called },
            "involvedObject": involved, "type": of, "reason": reason, "message": message,
            "source": { "component": self.component }, "reportingComponent": self.component,
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        }))]);
    }
}
