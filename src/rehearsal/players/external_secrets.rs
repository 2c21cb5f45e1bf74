//! external-secrets: Secrets made of what a store outside holds.
//!
//! The store's content is a parameter: path, key, value. Not played: templates, `find`, generators, creation policies but
//! `Owner` and `Orphan`, deletion policies but `Retain`, events.

use super::{
    Change, Kind, Objects, Pace, Player, Reaction,
    conditions::{self, is_true},
    draft::{Draft, controller},
    names::token,
    objects::{SECRET, is_going, list, name, namespace, number, text, time},
};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const GROUP: &str = "external-secrets.io";
const STORE: Kind = Kind { group: GROUP, version: "v1", kind: "SecretStore", plural: "secretstores" };
const EXTERNAL: Kind =
    Kind { group: GROUP, version: "v1", kind: "ExternalSecret", plural: "externalsecrets" };

const MANAGED: &str = "reconcile.external-secrets.io/managed";

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
        let data = match self.data(objects, external) {
            Some(data) => data,
            // The real one tells its log and an event what is missing, lest a value be told: the condition never.
            None => {
                say(&mut draft, now, "False", "SecretSyncedError", "could not get secret data from provider");
                return reaction.push(draft.end());
            }
        };
        if data.is_empty() {
            self.done(&mut draft, "secret retained due to DeletionPolicy=Retain", now);
            return reaction.push(draft.end());
        }
        match secret {
            None => reaction.push([Change::Create(made(external, called, data))]),
            // Another is made when it is gone.
            Some(secret) if is_going(secret) => {}
            Some(secret) => {
                let mut kept = Draft::of(SECRET, secret);
                kept.set(&["data"], data);
                kept.set(&["metadata", "labels", MANAGED], "true");
                if is_owner(external) {
                    kept.own(controller(EXTERNAL, external));
                }
                let put_right = kept.end();
                if put_right.is_none() {
                    draft.set(&["status", "binding", "name"], called);
                    self.done(&mut draft, "secret synced", now);
                }
                reaction.push(put_right);
            }
        }
        reaction.push(draft.end());
    }

    /// Once for each version of the ExternalSecret: nobody asks the store again.
    fn done(&self, draft: &mut Draft<'_>, message: &str, now: Timestamp) {
        let metadata = &draft.wanted()["metadata"];
        let generation = number(metadata, "/generation").unwrap_or(0);
        let said = metadata["labels"].to_string() + &metadata["annotations"].to_string();
        let version = format!("{generation}-{}", token(&[&said]));
        if text(draft.wanted(), "/status/syncedResourceVersion") != version {
            draft.set(&["status", "syncedResourceVersion"], version);
            draft.set(&["status", "refreshTime"], conditions::stamp(now));
        }
        say(draft, now, "True", "SecretSynced", message);
    }

    /// None if a store, a path or a key is not there.
    fn data(&self, objects: &Objects<'_>, external: &Value) -> Option<Map<String, Value>> {
        let store = text(external, "/spec/secretStoreRef/name");
        // A store of the whole cluster is there: whoever refers to one has been given it.
        if text(external, "/spec/secretStoreRef/kind") != "ClusterSecretStore" {
            objects.get(STORE, namespace(external), store).filter(|store| is_true(store, "Ready"))?;
        }
        let mut data = Map::new();
        let mut put = |key: &str, value: &str| {
            data.insert(key.to_owned(), json!(ByteString(value.as_bytes().to_vec())));
        };
        for extract in list(external, "/spec/dataFrom").iter().filter_map(|from| from.get("extract")) {
            self.values.get(text(extract, "/key"))?.iter().for_each(|(key, value)| put(key, value));
        }
        for one in list(external, "/spec/data") {
            let (path, property) = (text(one, "/remoteRef/key"), text(one, "/remoteRef/property"));
            put(text(one, "/secretKey"), self.values.get(path)?.get(property)?);
        }
        Some(data)
    }
}

fn is_owner(external: &Value) -> bool {
    text(external, "/spec/target/creationPolicy") != "Orphan"
}

fn made(external: &Value, called: &str, data: Map<String, Value>) -> Value {
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "namespace": namespace(external), "name": called,
            "labels": { MANAGED: "true" },
        },
        "data": data,
    });
    if is_owner(external) {
        secret["metadata"]["ownerReferences"] = json!([controller(EXTERNAL, external)]);
    }
    secret
}

/// Its conditions observe no generation.
fn say(draft: &mut Draft<'_>, now: Timestamp, status: &str, reason: &str, message: &str) {
    conditions::tell_plainly(draft, now, "Ready", status, reason, message);
}
