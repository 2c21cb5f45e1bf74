//! An object as a server showed it.
//!
//! Must never: stand for something that the server did not say in full: without uid and version nothing may be written
//! over it.

use super::{
    Denial,
    manifest::{CLAIM, ENVIRONMENT, GENERATION, HOLDER},
};
use crate::domain::{
    claim::ObjectName,
    holder::Holder,
    names::{ClaimUid, EnvironmentName, Generation},
};
use serde_json::{Value, json};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    name: ObjectName,
    uid: String,
    version: String,
    value: Value,
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This environment's, written last by whom this tells.
    Own(Mark),
    /// Somebody's, or of unclear marks: why.
    Foreign(String),
    /// It carries no mark of berth.
    Nobody,
}

/// Who wrote an object last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The claim's uid: in which life of the environment. `None`: it does not say.
    pub claim: Option<String>,
    /// Which taking of that claim.
    pub generation: Generation,
}

impl Object {
    /// Of an item of a listing, or of an event. Servers leave kind and version out of items.
    pub(super) fn parse(api_version: &str, kind: &str, mut value: Value) -> Result<Self, Denial> {
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (name, uid, version) = (text("name"), text("uid"), text("resourceVersion"));
        let namespace = Some(text("namespace")).filter(|namespace| !namespace.is_empty());
        if [&name, &uid, &version].iter().any(|text| text.is_empty()) {
            return Err(Denial::garbled("the answer has an object without name, uid or version"));
        }
        value["apiVersion"] = json!(api_version);
        value["kind"] = json!(kind);
        let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
        Ok(Self { name: ObjectName { api_version, kind, namespace, name }, uid, version, value })
    }

    /// What it is called.
    pub fn name(&self) -> &ObjectName {
        &self.name
    }
    /// Tells it from any other of the same name.
    pub fn uid(&self) -> &str {
        &self.uid
    }
    /// What a write over it must expect.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// All of it.
    pub fn value(&self) -> &Value {
        &self.value
    }
    /// Whether it is on its way out.
    pub fn is_ending(&self) -> bool {
        self.value["metadata"]["deletionTimestamp"].is_string()
    }

    /// Whose it says that it is.
    pub fn environment(&self) -> Option<EnvironmentName> {
        self.value["metadata"]["labels"][ENVIRONMENT].as_str()?.parse().ok()
    }
    /// For whom that is, as whoever made it wrote there.
    pub fn holder(&self) -> Option<Holder> {
        serde_json::from_str(self.value["metadata"]["annotations"][HOLDER].as_str()?).ok()
    }
    /// In which life of that environment it was written last.
    pub fn life(&self) -> Option<ClaimUid> {
        self.value["metadata"]["labels"][CLAIM].as_str()?.parse().ok()
    }
    /// Who keeps it, though it is to go.
    pub fn held_by(&self) -> Option<String> {
        let finalizers = self.value["metadata"]["finalizers"].as_array()?;
        let names: Vec<&str> = finalizers.iter().filter_map(Value::as_str).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// By its labels, exactly.
    pub fn owner(&self, environment: &EnvironmentName) -> Owner {
        let label = |key: &str| self.value["metadata"]["labels"].get(key).and_then(Value::as_str);
        match (label(ENVIRONMENT), label(GENERATION)) {
            (None, None) => Owner::Nobody,
            (Some(owner), _) if owner != environment.as_ref() => {
                Owner::Foreign(format!("it is of the environment {owner:?}"))
            }
            (Some(_), Some(generation)) => match generation.parse() {
                Ok(generation) => Owner::Own(Mark { claim: label(CLAIM).map(str::to_owned), generation }),
                Err(malformed) => Owner::Foreign(format!("its label {GENERATION}: {malformed}")),
            },
            (_, None) => Owner::Foreign(format!("it lacks the label {GENERATION}")),
            (None, _) => Owner::Foreign(format!("it lacks the label {ENVIRONMENT}")),
        }
    }
}
