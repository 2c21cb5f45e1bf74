//! What an account has asked of an API server, by the server's own log.

use super::control_plane::{AUDIT, ControlPlane};
use serde_json::Value;
use std::{collections::BTreeSet, fmt, fs};

/// A request about objects, as roles see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sent {
    pub(crate) verb: String,
    pub(crate) group: String,
    /// With its subresource, if it is about one.
    pub(crate) resource: String,
    /// Empty for all of them, and where there is none.
    pub(crate) namespace: String,
    /// Empty if it is about none, or not about one alone.
    pub(crate) name: String,
    pub(crate) code: u64,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, group, resource, namespace, name, code } = self;
        write!(f, "{verb} {resource}.{group} {namespace}/{name}: {code}")
    }
}

impl ControlPlane {
    /// All that this account has sent about objects so far, and what an apply that makes an object is asked for beside.
    pub(crate) fn sent_by(&self, user: &str) -> BTreeSet<Sent> {
        let log = fs::read_to_string(self.directory.join(AUDIT)).unwrap();
        // The last line may be half written.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut all = BTreeSet::new();
        for event in events.filter(|event| event["user"]["username"] == user) {
            let about = &event["objectRef"];
            if about.is_null() {
                continue;
            }
            let text = |field: &str| about[field].as_str().unwrap_or_default().to_owned();
            let mut resource = text("resource");
            if !text("subresource").is_empty() {
                resource = format!("{resource}/{}", text("subresource"));
            }
            let sent = Sent {
                verb: event["verb"].as_str().unwrap().to_owned(),
                group: text("apiGroup"),
                resource,
                namespace: text("namespace"),
                name: text("name"),
                code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
            };
            // The server asks for both, and logs the one.
            if sent.verb == "patch" && sent.code == 201 {
                all.insert(Sent { verb: "create".to_owned(), ..sent.clone() });
            }
            all.insert(sent);
        }
        all
    }
}
