//! All that the removal of an environment needs to know, so that it needs neither checkout nor configuration. Pure.

use super::names::{ContextName, DnsName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// How an environment is made real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// A k3s cluster through Cluster API.
    CapiK3s,
    /// A namespace in a shared cluster.
    Namespace,
    /// A Flux HelmRelease.
    FluxRelease,
    /// A machine of Metal3.
    Metal3Host,
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CapiK3s => "capi-k3s",
            Self::Namespace => "namespace",
            Self::FluxRelease => "flux-release",
            Self::Metal3Host => "metal3-host",
        })
    }
}

/// One object by its exact name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    /// `group/version`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// `None`: the kind has no namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectName {
    /// Of an object as it is written; what it does not say is empty.
    pub fn of(object: &Value) -> Self {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty()),
            name: text("/metadata/name"),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.to_lowercase())?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// All that a Down needs, so that it needs neither checkout nor configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Removal {
    /// Who made it.
    pub provider: ProviderKind,
    /// The kubeconfig context of the cluster that it was made in; `None` is the cluster that berth itself runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextName>,
    /// What was made there.
    pub objects: Vec<ObjectName>,
    /// What was made in other clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// The names that lead to it.
    pub hosts: Vec<DnsName>,
}

/// One object of another cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Elsewhere {
    /// The kubeconfig context of that cluster; `None` is the one that berth itself runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextName>,
    /// What was made there.
    pub object: ObjectName,
}
