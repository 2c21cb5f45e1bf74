//! A world as text, by which two endings are compared: all but what tells one run, life or moment from another.
//!
//! It drops uid, version, generation, run and times, what controllers name by chance, and nothing else of what is; and what
//! has been: that a run was killed may stand in a history.

use berth::rehearsal::World;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

pub(super) fn of(world: &World) -> String {
    let parts = parts(world).into_iter().map(|(name, part)| format!("{name}: {part}\n"));
    parts.collect()
}

/// The same, part by part: each document and each object by its name.
pub(super) fn parts(world: &World) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut put = |name: String, part: &Value| {
        let text = |text: &str| OF_PLAYERS.replace_all(text, "#").into_owned();
        all.insert(text(&name), text(&format!("{part:#}")));
    };
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
            put(format!("vault {path}"), &plain(&Value::Object(document)));
        }
    }
    for (server, cluster) in [("management", &world.kubernetes), ("environment", &world.environment)] {
        for (resource, object) in cluster.stored().filter(|(resource, _)| !LEFT_OUT.contains(resource)) {
            let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            let name = format!("{server} {resource} {}/{}", text("namespace"), text("name"));
            let mut object = plain(object);
            // Made of uids and of this world's port.
            if resource == "secrets"
                && ["-kubeconfig", "-token", "/vault-token", "argocd/berth-pr-shop-42"]
                    .iter()
                    .any(|end| name.ends_with(end))
            {
                object["data"] = json!("of this world");
                object["metadata"]["annotations"] = Value::Null;
            }
            put(name, &object);
        }
    }
    let tokens: Vec<Value> = world.vault.made_tokens().map(|(_, told)| told.clone()).collect();
    put("tokens".to_owned(), &tokens.into());
    let records: Vec<Value> =
        world.zone.records().iter().map(|record| json!(format!("{record:?}"))).collect();
    put("records".to_owned(), &records.into());
    all
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

/// Definitions nobody changes, and they are long. What controllers make of what is compared has names and addresses by chance.
const LEFT_OUT: [&str; 3] = ["customresourcedefinitions.apiextensions.k8s.io", "pods", "events"];

/// What players name after uids, and where Proxmox puts its machines.
static OF_PLAYERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-cp-[a-z0-9]{5}\b|proxmox://[0-9a-f-]+|127\.0\.0\.1:[0-9]+").unwrap());

/// Tells the lines that are in one alone.
#[track_caller]
pub(super) fn same(one: &str, other: &str, what: &str) {
    assert!(one == other, "{what}: only here:\n{}\nonly there:\n{}", only(one, other), only(other, one));
}

/// Each part is as it would be if all had come to its end, or as if what was cut short had never begun; if not, how it differs.
pub(super) fn as_whole_or_never(
    ended: &BTreeMap<String, String>,
    whole: &BTreeMap<String, String>,
    never: &BTreeMap<String, String>,
) -> Result<(), String> {
    let names: BTreeSet<&String> = ended.keys().chain(whole.keys()).chain(never.keys()).collect();
    let text = |part: Option<&String>| part.map_or_else(|| "nothing".to_owned(), String::clone);
    let differs = names.into_iter().find(|name| {
        let (is, may, might) = (ended.get(*name), whole.get(*name), never.get(*name));
        is != may && is != might
    });
    match differs {
        None => Ok(()),
        Some(name) => {
            let (is, may) = (text(ended.get(name)), text(whole.get(name)));
            Err(format!("{name}: only here:\n{}\nonly there:\n{}", only(&is, &may), only(&may, &is)))
        }
    }
}

/// The lines that are in one alone.
fn only(one: &str, other: &str) -> String {
    let other: Vec<&str> = other.lines().collect();
    one.lines().filter(|line| !other.contains(line)).collect::<Vec<_>>().join("\n")
}

const DROPPED: [&str; 29] = [
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
    "phases",
    "millis",
    "brought-by",
];

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields =
                map.iter().filter(|(key, _)| !DROPPED.contains(&key.as_str()) && *key != "berth.dev/claim");
            Value::Object(fields.map(|(key, value)| (key.clone(), plain(value))).collect())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => json!("some time"),
        other => other.clone(),
    }
}
