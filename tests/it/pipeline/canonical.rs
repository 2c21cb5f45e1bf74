//! A world as text, by which two endings are compared: all but what tells one run, life or moment from another.
//!
//! It drops uid, version, generation, run and times, and nothing else of what is; and what has been: that a run was killed
//! may stand in a history.

use berth::rehearsal::World;
use regex::Regex;
use serde_json::{Map, Value, json};

pub(super) fn of(world: &World) -> String {
    let mut all = Map::new();
    for path in world.vault.paths() {
        // How long it took.
        if path.ends_with("/berth/measured") {
            continue;
        }
        // A tombstone reads as absent; the sweep clears them away.
        let document = world.vault.document(path).filter(|document| document.get("_gone").is_none());
        let Some(mut document) = document.cloned() else { continue };
        if path.ends_with("/history") {
            each_life_once(world, &document);
            document.remove("lives");
        }
        if !document.is_empty() || !path.ends_with("/history") {
            all.insert(format!("vault {path}"), plain(&Value::Object(document)));
        }
    }
    for (server, cluster) in [("management", &world.kubernetes), ("environment", &world.environment)] {
        for object in cluster.objects() {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            let kind = object["kind"].as_str().unwrap_or_default();
            // Nobody changes them, and they are long.
            if kind == "CustomResourceDefinition" {
                continue;
            }
            let key = format!("{server} {kind} {}/{}", text("namespace"), text("name"));
            let mut object = plain(&object);
            // Made of uids and of this world's port.
            if kind == "Secret"
                && ["-kubeconfig", "-token", "/vault-token", "argocd/berth-pr-shop-42"]
                    .iter()
                    .any(|end| key.ends_with(end))
            {
                object["data"] = json!("of this world");
                object["metadata"]["annotations"] = Value::Null;
            }
            all.insert(key, object);
        }
    }
    let tokens: Vec<Value> = world.vault.made_tokens().map(|(_, told)| told.clone()).collect();
    all.insert("tokens".to_owned(), tokens.into());
    let records: Vec<Value> =
        world.zone.records().iter().map(|record| json!(format!("{record:?}"))).collect();
    all.insert("records".to_owned(), records.into());
    let text = format!("{:#}", Value::Object(all));
    // What players name after uids, and where Proxmox puts its machines.
    let names = Regex::new(r"-cp-[a-z0-9]{5}\b|proxmox://[0-9a-f-]+|127\.0\.0\.1:[0-9]+").unwrap();
    names.replace_all(&text, "#").into_owned()
}

/// No life is told twice, and none that still goes on.
fn each_life_once(world: &World, history: &Map<String, Value>) {
    let lives = history.get("lives").and_then(Value::as_array).into_iter().flatten();
    let mut uids: Vec<&Value> = lives.map(|life| &life["uid"]).collect();
    let count = uids.len();
    uids.sort_by_key(ToString::to_string);
    uids.dedup();
    assert_eq!(uids.len(), count, "{history:#?}");
    let claim =
        world.vault.document("ephemeral-clusters/pr-shop-42/claim").and_then(|claim| claim.get("uid"));
    let ending = |uid: &&&Value| claim == Some(**uid) && !freeing(world);
    assert_eq!(uids.iter().find(ending), None, "it has not ended");
}

fn freeing(world: &World) -> bool {
    let claim = world.vault.document("ephemeral-clusters/pr-shop-42/claim");
    claim.is_some_and(|claim| claim.get("state").is_some_and(|state| state["is"] == "freeing"))
}

/// Tells the lines that are in one alone.
#[track_caller]
pub(super) fn same(one: &str, other: &str, what: &str) {
    let only = |a: &str, b: &str| {
        let b: Vec<&str> = b.lines().collect();
        a.lines().filter(|line| !b.contains(line)).collect::<Vec<_>>().join("\n")
    };
    assert!(one == other, "{what}: only here:\n{}\nonly there:\n{}", only(one, other), only(other, one));
}

const DROPPED: [&str; 27] = [
    "uid",
    "resourceVersion",
    "generation",
    "managedFields",
    "creationTimestamp",
    "run",
    "created",
    "expires",
    "since",
    "lastTransitionTime",
    "lastProbeTime",
    "observedGeneration",
    "startTime",
    "lastHeartbeatTime",
    "renewTime",
    "until",
    "berth.dev/generation",
    "systemUUID",
    "machineID",
    "vmID",
    "instanceID",
    "token",
    "by",
    "accessor",
    "at",
    "took",
    "millis",
];

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields =
                map.iter().filter(|(key, _)| !DROPPED.contains(&key.as_str()) && *key != "berth.dev/claim");
            Value::Object(fields.map(|(key, value)| (key.clone(), plain(value))).collect())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}
