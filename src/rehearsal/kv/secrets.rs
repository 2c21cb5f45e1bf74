//! The KV v2 engine: versions, compare-and-set, soft delete, destruction, listing.
//!
//! It must never know who asks.

use super::{Answer, Operation, Refusal, Request, Success, Timestamp, nothing_here, refuse, unsupported};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many versions are kept where nothing else is said.
const MAX_VERSIONS: u64 = 10;

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
    data: Map<String, Value>,
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

    fn write(&mut self, now: Timestamp, data: Map<String, Value>) {
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
        secret.or_insert_with(|| Secret::new(now)).write(now, data);
    }

    pub(super) fn document(&self, path: &str) -> Option<&Map<String, Value>> {
        let secret = self.0.get(path)?;
        let version = secret.versions.get(&secret.current)?;
        version.live().then_some(&version.data)
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
            ("data" | "metadata" | "delete" | "undelete" | "destroy", _) if path.is_empty() => {
                Err(refuse(404, "unsupported path"))
            }
            ("data", Read) => self.read(path, request.query.get("version")),
            ("data", Write) => self.write(now, path, body),
            ("data", Delete) => {
                let current = self.version(path);
                self.change(path, &[current], |version| delete(version, now))
            }
            ("delete", Write) => self.change(path, &versions(body)?, |version| delete(version, now)),
            ("undelete", Write) => self.change(path, &versions(body)?, |version| version.deleted = None),
            ("destroy", Write) => self.change(path, &versions(body)?, |version| {
                version.destroyed = true;
                version.data.clear();
            }),
            ("metadata", Read) => self.metadata(path),
            ("metadata", Write) => self.configure(now, path, body),
            ("metadata", Delete) => {
                self.0.remove(path);
                Ok(Success::Nothing)
            }
            ("data" | "delete" | "undelete" | "destroy", _) => Err(unsupported()),
            _ => Err(refuse(404, "unsupported path")),
        }
    }

    fn read(&self, path: &str, version: Option<&String>) -> Answer {
        let asked = match version {
            None => 0,
            Some(text) => text.parse().map_err(|_| {
                refuse(
                    400,
                    format!("Field validation failed: error converting input {text} for field \"version\""),
                )
            })?,
        };
        let secret = self.0.get(path).ok_or_else(nothing_here)?;
        let number = if asked == 0 { secret.current } else { asked };
        let version = secret.versions.get(&number).ok_or_else(nothing_here)?;
        let metadata = secret.describe(number, version);
        Ok(if version.live() {
            Success::Data(json!({"data": version.data, "metadata": metadata}))
        } else {
            Success::Deleted(json!({"data": null, "metadata": metadata}))
        })
    }

    fn write(&mut self, now: Timestamp, path: &str, body: &Value) -> Answer {
        let data = match &body["data"] {
            Value::Null => return Err(refuse(400, "no data provided")),
            Value::Object(data) => data.iter().map(|(key, value)| (key.clone(), kept(value))).collect(),
            _ => {
                return Err(refuse(
                    400,
                    "Field validation failed: error converting input for field \"data\": expected a map",
                ));
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

/// As the server keeps it: every number is a double, so that integers beyond 53 bits are rounded.
fn kept(value: &Value) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.abs() >= EXACT => json!(double),
            _ => value.clone(),
        },
        Value::Array(list) => list.iter().map(kept).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), kept(value))).collect(),
        other => other.clone(),
    }
}

fn delete(version: &mut Version, now: Timestamp) {
    version.deleted.get_or_insert(now);
}

/// `versions` as numbers, as text, or as text with commas.
fn versions(body: &Value) -> Result<Vec<u64>, Refusal> {
    let given = match &body["versions"] {
        Value::Array(given) => given.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut numbers = vec![];
    for value in given {
        match value {
            Value::Null => {}
            Value::String(text) => numbers.extend(text.split(',').map(|n| n.trim().parse().ok())),
            other => numbers.push(other.as_u64()),
        }
    }
    let numbers: Option<Vec<u64>> = numbers.into_iter().collect();
    match numbers {
        None => Err(refuse(400, "Field validation failed: error converting input for field \"versions\"")),
        Some(none) if none.is_empty() => Err(refuse(400, "No version number provided")),
        Some(numbers) => Ok(numbers),
    }
}
