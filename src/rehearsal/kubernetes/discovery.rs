//! Discovery: what is served, in the two forms that clients ask for, and the few pages that are no resources.
//!
//! It must never tell of a kind that a request to it would not find.

use super::super::{Reply, Request};
use super::ApiServer;
use super::kinds::Kind;
use super::refusal::{self, Refusal};
use serde_json::{Value, json};
use std::sync::Arc;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The first form that a client accepts and that is served: only lists of groups are served in both.
enum Form {
    Plain,
    Aggregated,
}

impl Form {
    fn of(request: &Request, is_list: bool) -> Option<Self> {
        let accept = request.headers.get("accept").map_or("", String::as_str);
        if accept.is_empty() {
            return Some(Self::Plain);
        }
        accept.split(',').find_map(|form| {
            let mut parts = form.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let parameters: Vec<&str> = parts.filter(|part| !part.starts_with("q=")).collect();
            let aggregated = ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"];
            match (media, parameters.as_slice()) {
                ("application/json", many) if aggregated.iter().all(|part| many.contains(part)) => {
                    is_list.then_some(Self::Aggregated)
                }
                ("application/json", many) if !many.iter().any(|part| part.starts_with("as=")) => {
                    Some(Self::Plain)
                }
                ("*/*" | "application/*", _) => Some(Self::Plain),
                _ => None,
            }
        })
    }
}

/// A group with its versions, the preferred first.
struct Group<'a> {
    name: &'a str,
    versions: Vec<(&'a str, Vec<&'a Arc<Kind>>)>,
}

impl ApiServer {
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = vec![];
        for kind in self.kinds.all() {
            let at = groups.iter().position(|group| group.name == kind.group).unwrap_or_else(|| {
                groups.push(Group { name: &kind.group, versions: vec![] });
                groups.len() - 1
            });
            let versions = &mut groups[at].versions;
            match versions.iter_mut().find(|(version, _)| *version == kind.version) {
                Some((_, kinds)) => kinds.push(kind),
                None => versions.push((&kind.version, vec![kind])),
            }
        }
        groups
    }

    /// The answer, if the path is one of these.
    pub(super) fn discover(&self, request: &Request) -> Result<Option<Reply>, Refusal> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        if let ["healthz" | "readyz" | "livez"] = path.as_slice() {
            return Ok(Some(Reply::Text(200, "ok".into())));
        }
        let is_list = matches!(path.as_slice(), ["api"] | ["apis"]);
        let is_page =
            is_list || matches!(path.as_slice(), ["version"] | ["api", _] | ["apis", _] | ["apis", _, _]);
        if !is_page {
            return Ok(None);
        }
        if request.method != "GET" {
            return Err(refusal::not_allowed());
        }
        let groups = self.groups();
        let form = Form::of(request, is_list).ok_or_else(refusal::not_acceptable)?;
        let aggregated = matches!(form, Form::Aggregated);
        let (core, named): (Vec<_>, Vec<_>) = groups.iter().partition(|group| group.name.is_empty());
        let found = match path.as_slice() {
            ["version"] => Some(version()),
            ["api"] if aggregated => return Ok(Some(Reply::Typed(AGGREGATED, discovery(&core)))),
            ["apis"] if aggregated => return Ok(Some(Reply::Typed(AGGREGATED, discovery(&named)))),
            ["api"] => Some(json!({
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:443"}],
            })),
            ["apis"] => {
                let groups: Vec<Value> = named.iter().map(|group| about(group)).collect();
                Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
            }
            ["api", "v1"] => resources(&core, "", "v1"),
            ["apis", name, version] => resources(&named, name, version),
            ["apis", name] => named.iter().find(|group| group.name == *name).map(|group| {
                let mut group = about(group);
                (group["kind"], group["apiVersion"]) = (json!("APIGroup"), json!("v1"));
                group
            }),
            _ => None,
        };
        match (found, path.as_slice()) {
            (Some(found), _) => Ok(Some(Reply::Json(200, found))),
            // A handler says no in its own words.
            (None, ["apis", group, _]) if self.kinds.knows_group(group) => Err(refusal::no_such_path()),
            (None, ["api", _]) => Err(refusal::no_such_path()),
            (None, _) => Err(refusal::no_page()),
        }
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.2", "gitCommit": "", "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "go1.26.8", "compiler": "gc", "platform": "linux/amd64",
    })
}

fn about(group: &Group<'_>) -> Value {
    let version = |(version, _): &(&str, Vec<_>)| json!({"groupVersion": format!("{}/{version}", group.name), "version": version});
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    json!({"name": group.name, "preferredVersion": versions[0], "versions": versions})
}

/// In the order of the real server.
fn verbs(kind: &Kind) -> &'static [&'static str] {
    match kind.built_in() {
        true if kind.plural == "namespaces" => {
            &["create", "delete", "get", "list", "patch", "update", "watch"]
        }
        true => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        false => &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
    }
}

const OF_STATUS: [&str; 3] = ["get", "patch", "update"];

fn names(into: &mut Value, kind: &Kind) {
    for (field, names) in [("shortNames", &kind.short), ("categories", &kind.categories)] {
        if !names.is_empty() {
            into[field] = json!(names);
        }
    }
}

fn resources(groups: &[&Group<'_>], group: &str, version: &str) -> Option<Value> {
    let group = groups.iter().find(|known| known.name == group)?;
    let (_, kinds) = group.versions.iter().find(|(known, _)| *known == version)?;
    let mut resources = vec![];
    for kind in kinds {
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": verbs(kind),
        });
        names(&mut resource, kind);
        resources.push(resource);
        if kind.status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": OF_STATUS,
            }));
        }
    }
    let mut list = json!({"kind": "APIResourceList", "resources": resources});
    match group.name {
        // The core group's list says no version of itself.
        "" => list["groupVersion"] = json!(version),
        name => {
            list["groupVersion"] = json!(format!("{name}/{version}"));
            list["apiVersion"] = json!("v1");
        }
    }
    Some(list)
}

fn discovery(groups: &[&Group<'_>]) -> Value {
    let resource = |kind: &&Arc<Kind>| {
        // Of its own kinds the server gives no version here; who reads it takes the list's.
        let (group, version) = match kind.group.as_str() {
            "" => ("", ""),
            group => (group, kind.version.as_str()),
        };
        let response = json!({"group": group, "version": version, "kind": kind.kind});
        let mut resource = json!({
            "resource": kind.plural, "responseKind": response, "singularResource": kind.singular,
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" }, "verbs": verbs(kind),
        });
        names(&mut resource, kind);
        if kind.status {
            resource["subresources"] =
                json!([{"subresource": "status", "responseKind": response, "verbs": OF_STATUS}]);
        }
        resource
    };
    let version = |(version, kinds): &(&str, Vec<&Arc<Kind>>)| {
        let resources: Vec<Value> = kinds.iter().map(resource).collect();
        json!({"version": version, "resources": resources, "freshness": "Current"})
    };
    let group = |group: &&Group<'_>| {
        let versions: Vec<Value> = group.versions.iter().map(version).collect();
        let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": group.name}) };
        json!({"metadata": metadata, "versions": versions})
    };
    let items: Vec<Value> = groups.iter().map(group).collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}
