//! The KV v2 engine: versions, compare-and-set, soft delete, destruction, listing.
//!
//! It must never know who asks.

use super::{Answer, Operation, Refusal, Request, Success, Timestamp, nothing_here, refuse, unsupported};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many versions are kept where nothing else is said.
const MAX_VERSIONS: u64 = 10;

const NO_NUMBER: &str = "'' cannot parse value as 'int': strconv.ParseInt: invalid syntax";

const NO_VERSION: &str = "No version number provided";
/// Only here it is written so.
const NO_VERSION_TO_DESTROY: &str = "no version number provided";

const NO_NAME: Success =
    Success::Misplaced("Non-listing operations on the root of a K/V v2 mount are not supported.");

const NO_PART: Success = Success::Misplaced(
    "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use.",
);

fn unreadable(field: &str, why: &str) -> Refusal {
    refuse(400, format!("Field validation failed: error converting input for field \"{field}\": {why}"))
}

/// All secrets of the mount, by path.
#[derive(Clone, Default)]
pub(super) struct Secrets(BTreeMap<String, Secret>);

#[derive(Clone)]
struct Secret {
    current: u64,
    oldest: u64,
    versions: BTreeMap<u64, Version>,
    cas_required: bool,
    /// 0: the default.
    max_versions: u64,
    custom: Value,
    created: Timestamp,
    updated: Timestamp,
}

#[derive(Clone)]
struct Version {
    /// None where null was written, which is no mistake to the real server.
    data: Option<Map<String, Value>>,
    created: Timestamp,
    deleted: Option<Timestamp>,
    destroyed: bool,
}

impl Version {
    fn live(&self) -> bool {
        self.deleted.is_none() && !self.destroyed
    }

    fn times(&self) -> Map<String, Value> {
        let deleted = self.deleted.map(|t| t.to_string()).unwrap_or_default();
        let times = [
            ("created_time", json!(self.created)),
            ("deletion_time", json!(deleted)),
            ("destroyed", json!(self.destroyed)),
        ];
        times.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

impl Secret {
    fn new(now: Timestamp) -> Self {
        Self {
            current: 0,
            oldest: 0,
            versions: BTreeMap::new(),
            cas_required: false,
            max_versions: 0,
            custom: Value::Null,
            created: now,
            updated: now,
        }
    }

    fn write(&mut self, now: Timestamp, data: Option<Map<String, Value>>) {
        self.current += 1;
        self.updated = now;
        let version = Version { data, created: now, deleted: None, destroyed: false };
        self.versions.insert(self.current, version);
        let kept = match self.max_versions {
            0 => MAX_VERSIONS,
            some => some,
        };
        if self.current - self.oldest >= kept {
            self.oldest = self.current - kept + 1;
            self.versions = self.versions.split_off(&self.oldest);
        }
    }

    fn describe(&self, number: u64, version: &Version) -> Value {
        let mut described = version.times();
        described.insert("version".to_owned(), json!(number));
        described.insert("custom_metadata".to_owned(), self.custom.clone());
        described.into()
    }

    /// `options.cas` against the current version. A deleted version is still the current one.
    fn check(&self, cas: Option<&Value>) -> Result<(), Refusal> {
        let given = match cas {
            None if self.cas_required => {
                return Err(refuse(400, "check-and-set parameter required for this call"));
            }
            None => return Ok(()),
            // The real server reads it as weakly as this.
            Some(Value::Null) => Some(0),
            Some(Value::String(text)) if text.is_empty() => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_i64(),
        };
        match given {
            None => Err(refuse(400, "error parsing check-and-set parameter")),
            Some(cas) if u64::try_from(cas) == Ok(self.current) => Ok(()),
            Some(_) => Err(refuse(400, "check-and-set parameter did not match the current version")),
        }
    }
}

impl Secrets {
    pub(super) fn put(&mut self, now: Timestamp, path: &str, data: Map<String, Value>) {
        let secret = self.0.entry(path.to_owned());
        secret.or_insert_with(|| Secret::new(now)).write(now, Some(data));
    }

    pub(super) fn document(&self, path: &str) -> Option<&Map<String, Value>> {
        let secret = self.0.get(path)?;
        let version = secret.versions.get(&secret.current)?;
        version.data.as_ref().filter(|_| version.live())
    }

    pub(super) fn version(&self, path: &str) -> u64 {
        self.0.get(path).map_or(0, |s| s.current)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let paths = self.0.keys().map(String::as_str);
        paths.filter(|path| self.document(path).is_some())
    }

    /// Whether a write to this path under the mount would be an update, for the policy.
    pub(super) fn exists(&self, within: &str) -> bool {
        match within.split_once('/') {
            Some(("data" | "metadata", path)) => self.0.contains_key(path),
            // These know nothing but updates.
            _ => true,
        }
    }

    pub(super) fn answer(
        &mut self,
        now: Timestamp,
        operation: Operation,
        within: &str,
        request: &Request,
    ) -> Answer {
        use Operation::{Delete, List, Read, Write};
        let (part, path) = within.split_once('/').unwrap_or((within, ""));
        let body = &request.body;
        match (part, operation) {
            ("metadata", List) => self.list(path),
            ("data" | "metadata" | "delete" | "undelete" | "destroy", _) if path.is_empty() => Ok(NO_NAME),
            ("data", Read) => self.read(path, request.query.get("version")),
            ("data", Write) => self.write(now, path, body),
            ("data", Delete) => {
                let current = self.version(path);
                self.change(path, &[current], |version| delete(version, now))
            }
            ("delete", Write) => {
                self.change(path, &versions(body, NO_VERSION)?, |version| delete(version, now))
            }
            ("undelete", Write) => {
                self.change(path, &versions(body, NO_VERSION)?, |version| version.deleted = None)
            }
            ("destroy", Write) => self.change(path, &versions(body, NO_VERSION_TO_DESTROY)?, |version| {
                version.destroyed = true;
                version.data = None;
            }),
            ("metadata", Read) => self.metadata(path),
            ("metadata", Write) => self.configure(now, path, body),
            ("metadata", Delete) => {
                self.0.remove(path);
                Ok(Success::Nothing)
            }
            ("data" | "delete" | "undelete" | "destroy", _) => Err(unsupported()),
            _ => Ok(NO_PART),
        }
    }

    fn read(&self, path: &str, version: Option<&String>) -> Answer {
        let asked = match version.map(String::as_str) {
            None | Some("") => 0,
            Some(text) => text.parse::<i64>().map_err(|_| unreadable("version", NO_NUMBER))?,
        };
        let secret = self.0.get(path).ok_or_else(nothing_here)?;
        let number = u64::try_from(asked).ok().filter(|n| *n > 0).unwrap_or(secret.current);
        let version = secret.versions.get(&number).ok_or_else(nothing_here)?;
        let metadata = secret.describe(number, version);
        Ok(if version.live() {
            Success::Data(json!({"data": version.data, "metadata": metadata}))
        } else {
            Success::Deleted(json!({"data": null, "metadata": metadata}))
        })
    }

    fn write(&mut self, now: Timestamp, path: &str, body: &Value) -> Answer {
        let data = match body.get("data") {
            None => return Err(refuse(400, "no data provided")),
            Some(Value::Null) => None,
            Some(Value::Object(data)) => {
                Some(data.iter().map(|(key, value)| (key.clone(), kept(value))).collect())
            }
            Some(Value::Array(none)) if none.is_empty() => Some(Map::new()),
            Some(_) => {
                let why =
                    "error converting input for field \"data\": '' expected type 'map[string]interface {}'";
                return Err(refuse(400, why));
            }
        };
        let mut secret = match self.0.get(path) {
            Some(secret) => secret.clone(),
            None => Secret::new(now),
        };
        secret.check(body.pointer("/options/cas"))?;
        secret.write(now, data);
        let current = secret.current;
        let written = secret.versions.get(&current).map(|v| secret.describe(current, v));
        self.0.insert(path.to_owned(), secret);
        Ok(Success::Data(written.unwrap_or_default()))
    }

    /// Changes those of the versions that still are; of the others the real server says nothing.
    fn change(&mut self, path: &str, versions: &[u64], change: impl Fn(&mut Version)) -> Answer {
        if let Some(secret) = self.0.get_mut(path) {
            for number in versions {
                if let Some(version) = secret.versions.get_mut(number)
                    && !version.destroyed
                {
                    change(version);
                }
            }
        }
        Ok(Success::Nothing)
    }

    fn metadata(&self, path: &str) -> Answer {
        let secret = self.0.get(path).ok_or_else(nothing_here)?;
        let versions: Map<_, _> = secret
            .versions
            .iter()
            .map(|(number, version)| (number.to_string(), version.times().into()))
            .collect();
        Ok(Success::Data(json!({
            "cas_required": secret.cas_required, "created_time": secret.created,
            "current_version": secret.current, "custom_metadata": secret.custom,
            "delete_version_after": "0s", "max_versions": secret.max_versions,
            "oldest_version": secret.oldest, "updated_time": secret.updated, "versions": versions,
        })))
    }

    fn configure(&mut self, now: Timestamp, path: &str, body: &Value) -> Answer {
        let cas_required = body["cas_required"].as_bool();
        let max_versions = body["max_versions"].as_u64();
        let custom = body.get("custom_metadata").filter(|c| c.is_object());
        if cas_required.is_none() && max_versions.is_none() && custom.is_none() {
            return Ok(Success::Nothing);
        }
        let secret = self.0.entry(path.to_owned());
        let secret = secret.or_insert_with(|| Secret::new(now));
        secret.cas_required = cas_required.unwrap_or(secret.cas_required);
        secret.max_versions = max_versions.unwrap_or(secret.max_versions);
        if let Some(custom) = custom {
            secret.custom = custom.clone();
        }
        Ok(Success::Nothing)
    }

    /// The direct children of a folder; deleted ones too, as long as their metadata is.
    fn list(&self, folder: &str) -> Answer {
        let prefix = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let below = self.0.keys().filter_map(|path| path.strip_prefix(&prefix));
        let keys: BTreeSet<&str> =
            below.map(|path| path.find('/').map_or(path, |slash| &path[..=slash])).collect();
        if keys.is_empty() {
            return Err(nothing_here());
        }
        Ok(Success::Data(json!({ "keys": keys })))
    }
}

/// As the server keeps it: every number is a double, so that integers beyond 53 bits are rounded; and what has no fraction
/// is written without one, so that 1.0 becomes 1.
fn kept(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let double = number.as_f64().map(|double| double.to_string());
            double.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| value.clone())
        }
        Value::Array(list) => list.iter().map(kept).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), kept(value))).collect(),
        other => other.clone(),
    }
}

fn delete(version: &mut Version, now: Timestamp) {
    version.deleted.get_or_insert(now);
}

/// `versions` as numbers, each of them as text too, or as one text with commas.
fn versions(body: &Value, none: &str) -> Result<Vec<u64>, Refusal> {
    let text = |text: &str| text.parse::<i64>().ok();
    let numbers: Option<Vec<i64>> = match &body["versions"] {
        Value::Null => Some(vec![]),
        Value::Array(given) => given.iter().map(|n| n.as_str().map_or(n.as_i64(), text)).collect(),
        Value::String(given) => given.split(',').map(text).collect(),
        one => one.as_i64().map(|n| vec![n]),
    };
    match numbers {
        None => Err(unreadable(
            "versions",
            &format!("decoding failed due to the following error(s):\n\n{NO_NUMBER}"),
        )),
        Some(numbers) if numbers.is_empty() => Err(refuse(400, none)),
        // No version is below 1.
        Some(numbers) => Ok(numbers.into_iter().filter_map(|n| u64::try_from(n).ok()).collect()),
    }
}
