//! external-secrets: Secrets made of what a store outside holds.
//!
//! The store's content is a parameter: path, key, value. Not played: templates, `find`, generators.

use super::{
    Change, Kind, Objects, Pace, Player, Reaction,
    conditions::{self, find, is_true},
    draft::{Draft, controller},
    objects::{SECRET, is_going, list, name, namespace, text, time},
};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const GROUP: &str = "external-secrets.io";
const STORE: Kind = Kind { group: GROUP, version: "v1", kind: "SecretStore", plural: "secretstores" };
const EXTERNAL: Kind =
    Kind { group: GROUP, version: "v1", kind: "ExternalSecret", plural: "externalsecrets" };

/// external-secrets, and the store behind it.
#[derive(Debug, Clone)]
pub struct ExternalSecrets {
    /// How long a look at the store takes.
    pub pace: Pace,
    /// What the store holds: by path, by key.
    pub values: BTreeMap<String, BTreeMap<String, String>>,
}

impl Player for ExternalSecrets {
    fn name(&self) -> &'static str {
        "external-secrets"
    }

    fn watches(&self) -> &'static [Kind] {
        &[STORE, EXTERNAL, SECRET]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        for store in objects.all(STORE).filter(|store| !is_going(store)) {
            let mut draft = Draft::of(STORE, store);
            draft.set(&["status", "capabilities"], "ReadWrite");
            say(&mut draft, now, "True", "Valid", "store validated");
            reaction.push(draft.end());
        }
        for external in objects.all(EXTERNAL).filter(|external| !is_going(external)) {
            let created = time(external, "/metadata/creationTimestamp").unwrap_or(Timestamp::MIN);
            if reaction.passed(created, self.pace.secret, now) {
                self.sync(&mut reaction, objects, external, now);
            }
        }
        reaction
    }
}

impl ExternalSecrets {
    fn sync(&self, reaction: &mut Reaction, objects: &Objects<'_>, external: &Value, now: Timestamp) {
        let mut draft = Draft::of(EXTERNAL, external);
        let called = match text(external, "/spec/target/name") {
            "" => name(external),
            called => called,
        };
        let secret = objects.get(SECRET, namespace(external), called);
        match self.data(objects, external) {
            Err(why) => say(&mut draft, now, "False", "SecretSyncedError", &why),
            Ok(data) => match secret {
                Some(secret) if secret.get("data").unwrap_or(&Value::Null) == &data => {
                    if !find(external, "Ready").is_some_and(|ready| ready["status"] == "True") {
                        draft.set(&["status", "refreshTime"], conditions::stamp(now));
                    }
                    draft.set(&["status", "binding", "name"], called);
                    say(&mut draft, now, "True", "SecretSynced", "secret synced");
                }
                Some(secret) if !is_going(secret) => {
                    let mut secret = Draft::of(SECRET, secret);
                    secret.set(&["data"], data);
                    reaction.push(secret.end());
                }
                Some(_) => {}
                None => reaction.push([Change::Create(made(external, called, data))]),
            },
        }
        reaction.push(draft.end());
    }

    fn data(&self, objects: &Objects<'_>, external: &Value) -> Result<Value, String> {
        let store = text(external, "/spec/secretStoreRef/name");
        // A store of the whole cluster is there: whoever refers to one has been given it.
        let of_namespace = text(external, "/spec/secretStoreRef/kind") != "ClusterSecretStore";
        if of_namespace {
            match objects.get(STORE, namespace(external), store) {
                None => return Err(format!("could not get SecretStore {store:?}, not found")),
                Some(store) if !is_true(store, "Ready") => {
                    return Err(format!("SecretStore {:?} is not ready", name(store)));
                }
                Some(_) => {}
            }
        }
        let at = |path: &str| {
            let found = self.values.get(path);
            found.ok_or_else(|| {
                format!("could not get secret data from provider: Secret does not exist: {path}")
            })
        };
        let mut data = Map::new();
        let mut put = |key: &str, value: &str| {
            data.insert(key.to_owned(), json!(ByteString(value.as_bytes().to_vec())));
        };
        for extract in list(external, "/spec/dataFrom").iter().filter_map(|from| from.get("extract")) {
            at(text(extract, "/key"))?.iter().for_each(|(key, value)| put(key, value));
        }
        for one in list(external, "/spec/data") {
            let (path, property) = (text(one, "/remoteRef/key"), text(one, "/remoteRef/property"));
            let value = at(path)?.get(property);
            let value =
                value.ok_or_else(|| format!("cannot find secret data for key: {property:?} in {path}"))?;
            put(text(one, "/secretKey"), value);
        }
        Ok(data.into())
    }
}

fn made(external: &Value, called: &str, data: Value) -> Value {
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "namespace": namespace(external), "name": called,
            "labels": { "reconcile.external-secrets.io/managed": "true" },
        },
        "data": data,
    });
    if text(external, "/spec/target/creationPolicy") != "Orphan" {
        secret["metadata"]["ownerReferences"] = json!([controller(EXTERNAL, external)]);
    }
    secret
}

/// Its conditions observe no generation.
fn say(draft: &mut Draft<'_>, now: Timestamp, status: &str, reason: &str, message: &str) {
    conditions::tell_plainly(draft, now, "Ready", status, reason, message);
}
