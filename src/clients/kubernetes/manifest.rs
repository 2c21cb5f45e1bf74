//! What is to be applied: one object as somebody wrote it, checked and stamped. Pure.
//!
//! Must never: take an object that is not named exactly; send what only a server may say of an object.

use crate::{
    domain::{
        claim::{Claim, ObjectName},
        plan::StepName,
    },
    errors::{Exit, UserError},
};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Whose an object is: on everything that berth makes.
pub const ENVIRONMENT: &str = "berth.dev/environment";
/// In which life of it: the claim by which it was written last.
pub const CLAIM: &str = "berth.dev/claim";
/// By which taking of that claim.
pub const GENERATION: &str = "berth.dev/generation";
/// Whose environment that is, as the claim has it: so it can be told where the claim is gone.
pub const HOLDER: &str = "berth.dev/holder";
/// Which step of a plan made it, where that matters.
pub const STEP: &str = "berth.dev/step";
/// The digest of what was applied last.
pub const APPLIED: &str = "berth.dev/applied";

/// What of an object's metadata is the server's. What is neither this nor known is sent, so that a typo is told.
const SERVERS: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// The longest name that a server takes.
const NAME: usize = 253;

/// An object as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    name: ObjectName,
    value: Value,
    step: Option<StepName>,
}

impl Manifest {
    /// Takes one object; where it is wrong, the error names it as far as it can.
    pub fn parse(value: Value) -> Result<Self> {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let namespace = Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty());
        let (api_version, kind) = (text("/apiVersion"), text("/kind"));
        let name = ObjectName { api_version, kind, namespace, name: text("/metadata/name") };
        let mut value = value;
        check(&name, &value).and_then(|()| normalise(&name, &mut value)).with_context(|| {
            UserError::new(Exit::Failed, format!("{} cannot be applied", described(&name)))
        })?;
        Ok(Self { name, value, step: None })
    }

    /// What it is called. The namespace is what it says itself.
    pub fn name(&self) -> &ObjectName {
        &self.name
    }
    /// The object.
    pub fn value(&self) -> &Value {
        &self.value
    }
    /// What its kind belongs to; empty for the core.
    pub fn group(&self) -> &str {
        group(&self.name.api_version)
    }

    /// In this namespace.
    pub(super) fn within(mut self, namespace: Option<String>) -> Self {
        match &namespace {
            Some(namespace) => self.value["metadata"]["namespace"] = json!(namespace),
            None => drop(self.metadata().remove("namespace")),
        }
        self.name.namespace = namespace;
        self
    }

    /// As it is sent: with the digest of itself, and with the mark of the environment and generation, if it is to be
    /// ours. The generation is no part of the digest.
    pub(super) fn stamped(mut self, owner: Option<&Claim>) -> Value {
        if let Some(claim) = owner {
            self.value["metadata"]["labels"][ENVIRONMENT] = json!(claim.name());
            self.value["metadata"]["annotations"][HOLDER] = json!(json!(claim.holder()).to_string());
            if let Some(step) = self.step {
                self.value["metadata"]["labels"][STEP] = json!(step.as_str());
            }
        }
        // A map of serde_json is sorted: equal objects have equal texts.
        let digest = ring::digest::digest(&ring::digest::SHA256, self.value.to_string().as_bytes());
        let digest: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.value["metadata"]["annotations"][APPLIED] = json!(digest);
        if let Some(claim) = owner {
            let labels = self.metadata().entry("labels").or_insert_with(|| json!({}));
            marks(claim).into_iter().for_each(|(key, mark)| labels[key] = mark);
        }
        self.value
    }

    fn metadata(&mut self) -> &mut Map<String, Value> {
        self.value["metadata"].as_object_mut().expect("`check` took only objects with metadata")
    }
}

/// What tells who wrote an object last; it changes where its content does not.
pub(super) fn marks(claim: &Claim) -> [(&'static str, Value); 2] {
    [(CLAIM, json!(claim.uid())), (GENERATION, json!(claim.generation().to_string()))]
}

/// What is applied together: no object twice.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    pub(super) manifests: Vec<Manifest>,
    pub(super) namespace: Option<String>,
    pub(super) shared: BTreeSet<ObjectName>,
    pub(super) kept: bool,
}

impl Bundle {
    /// Of these objects, in any order. A `List` is what it holds.
    pub fn of(objects: impl IntoIterator<Item = Value>) -> Result<Self> {
        let mut manifests = Vec::new();
        for object in objects {
            unfold(object, &mut manifests)?;
        }
        let mut names = BTreeSet::new();
        for manifest in &manifests {
            let name = manifest.name();
            if !names.insert((manifest.group(), &name.kind, &name.namespace, &name.name)) {
                bail!(
                    UserError::new(Exit::Failed, format!("{name} is there twice"))
                        .hint("one of the two would win, and nobody could say which: leave one away")
                );
            }
        }
        Ok(Self { manifests, namespace: None, shared: BTreeSet::new(), kept: false })
    }

    /// Where objects of kinds with namespaces are that name none.
    pub fn within(self, namespace: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), ..self }
    }

    /// Labelled as this step's.
    pub fn made_by(mut self, step: StepName) -> Self {
        self.manifests.iter_mut().for_each(|manifest| manifest.step = Some(step));
        self
    }

    /// What is there stays as it is, and is only marked; what is not there is made.
    pub fn keeping_what_stands(self) -> Self {
        Self { kept: true, ..self }
    }

    /// These may be there already and be nobody's, such as the CRDs of an operator that the whole cluster uses. They get
    /// our fields but not our labels, so that berth never takes them for its own, and never deletes them. Those that are
    /// not there are made as all others; those of another environment are refused as all others.
    pub fn sharing(mut self, names: impl IntoIterator<Item = ObjectName>) -> Self {
        self.shared.extend(names);
        self
    }
}

fn unfold(object: Value, into: &mut Vec<Manifest>) -> Result<()> {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match object {
        // A document of comments alone.
        Value::Null => Ok(()),
        Value::Object(mut list) if is_list && list.get("items").is_some_and(Value::is_array) => {
            let Some(Value::Array(items)) = list.remove("items") else { return Ok(()) };
            items.into_iter().try_for_each(|item| unfold(item, into))
        }
        object => {
            into.push(Manifest::parse(object)?);
            Ok(())
        }
    }
}

/// The part of `group/version` before the slash; the core's versions have none.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// What becomes a segment of a path must stay one.
pub(super) fn is_segment(text: &str) -> bool {
    (1..=NAME).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"/%?#\\\"<>^`{|}".contains(&b))
}

fn check(name: &ObjectName, value: &Value) -> Result<()> {
    if !value.is_object() || !value["metadata"].is_object() {
        bail!("it is no object with metadata");
    }
    if value["metadata"].get("generateName").is_some() {
        bail!("metadata.generateName: its name would be another each time; give it a name");
    }
    if value["metadata"].get("namespace").is_some_and(|namespace| !namespace.is_string()) {
        bail!("metadata.namespace is no text");
    }
    let api_version: Vec<&str> = name.api_version.split('/').collect();
    if api_version.len() > 2 || !api_version.iter().all(|part| is_segment(part)) {
        bail!("apiVersion is none: {:?}", name.api_version);
    }
    for (field, text) in [("kind", Some(&name.kind)), ("metadata.name", Some(&name.name))]
        .into_iter()
        .chain([("metadata.namespace", name.namespace.as_ref())])
    {
        if text.is_some_and(|text| !is_segment(text)) {
            bail!("{field} is none: {:?}", text.map_or("", |text| text));
        }
    }
    for marks in ["labels", "annotations"] {
        match &value["metadata"][marks] {
            Value::Null => {}
            Value::Object(marks)
                if marks
                    .keys()
                    .any(|key| [ENVIRONMENT, CLAIM, GENERATION, HOLDER, STEP, APPLIED].contains(&&**key)) =>
            {
                bail!("labels and annotations of berth.dev are berth's own to set");
            }
            Value::Object(all) => {
                if let Some((key, _)) = all.iter().find(|(_, text)| !text.is_string()) {
                    bail!("metadata.{marks}[{key:?}] is no text: put it in quotes");
                }
            }
            _ => bail!("metadata.{marks} is no map"),
        }
    }
    Ok(())
}

/// Leaves away what is the server's: a status, a uid. What is written in a way that the server does not keep is written
/// as it is kept, so that it can be found again.
fn normalise(name: &ObjectName, value: &mut Value) -> Result<()> {
    let Value::Object(fields) = value else { return Ok(()) };
    fields.remove("status");
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata.retain(|field, value| !SERVERS.contains(&field.as_str()) && !value.is_null());
    }
    if (name.api_version.as_str(), name.kind.as_str()) == ("v1", "Secret") {
        fold(fields)?;
    }
    Ok(())
}

/// A Secret's `stringData` into its `data`. A server that cannot read a value quotes it: so it is read here, and no error
/// may hold more of it than its key.
fn fold(secret: &mut Map<String, Value>) -> Result<()> {
    let mut map = |field: &str| match secret.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => bail!("{field} is no map"),
    };
    let (mut data, plain) = (map("data")?, map("stringData")?);
    for text in data.iter_mut().flat_map(|data| data.values_mut()) {
        // Ends of lines, of a block of YAML.
        if let Value::String(text) = text {
            text.retain(|c| !"\r\n".contains(c));
        }
    }
    if let Some((key, _)) = data.iter().flatten().find(|(_, value)| !is_base64(value)) {
        bail!("data[{key:?}] is no text in base64; what is not encoded belongs into stringData");
    }
    if data.is_none() && plain.is_none() {
        return Ok(());
    }
    let mut data = data.unwrap_or_default();
    for (key, text) in plain.into_iter().flatten() {
        let Value::String(text) = text else { bail!("stringData[{key:?}] is no text") };
        data.insert(key, json!(k8s_openapi::ByteString(text.into_bytes())));
    }
    secret.insert("data".to_owned(), data.into());
    Ok(())
}

/// With its padding, in the one alphabet. A null is nothing to a server.
fn is_base64(value: &Value) -> bool {
    let text = match value {
        Value::Null => return true,
        Value::String(text) => text,
        _ => return false,
    };
    let digits = text.trim_end_matches('=');
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
    text.len() % 4 == 0 && text.len() - digits.len() <= 2 && digits.bytes().all(is_digit)
}

fn described(name: &ObjectName) -> String {
    match (name.kind.as_str(), name.name.as_str()) {
        ("", "") => "an object without kind and name".to_owned(),
        ("", _) => format!("an object without kind called {:?}", name.name),
        (_, "") => format!("a {} without name", name.kind.to_lowercase()),
        _ => name.to_string(),
    }
}
