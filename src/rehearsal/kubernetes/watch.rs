//! Watches: an answer that goes on, one JSON line for each event that the watcher has asked for.
//!
//! It must never skip an event in silence: what can no longer be told in order ends with `Expired`.

use super::super::{Request, later};
use super::kinds::Kind;
use super::refusal::{self, Refusal};
use super::select::Selector;
use super::target::{Target, show};
use super::{ApiServer, history::Event};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Of a watch that names no time itself. The real server takes something between this and twice as long.
const LONGEST: u32 = 1800;

/// A watch that has begun: what it has still to tell, and how far it has come.
pub struct Watch {
    kind: Arc<Kind>,
    namespace: Option<String>,
    selector: Selector,
    /// The last version that it has seen.
    seen: u64,
    ready: VecDeque<Value>,
    ends: Timestamp,
    limit: Duration,
    woken: watch::Receiver<()>,
}

/// What a watch has to tell.
pub enum Told {
    /// This line.
    Line(String),
    /// Nothing until it is woken.
    Nothing,
    /// Nothing any more.
    End,
}

impl Watch {
    /// Resolves when there may be something new; none if nothing will ever come.
    pub(in super::super) async fn woken(&mut self) -> Option<()> {
        self.woken.changed().await.ok()
    }

    /// How long it goes on by the time of those who wait.
    pub(in super::super) fn limit(&self) -> Duration {
        self.limit
    }

    /// The next that it has to tell of this server.
    pub(in super::super) fn next(&mut self, server: &ApiServer) -> Told {
        if self.ready.is_empty() && self.seen < server.version {
            match server.history.since(self.seen) {
                Some(events) => {
                    let told: Vec<Value> = events.filter_map(|event| self.tell(event)).collect();
                    self.ready.extend(told);
                    self.seen = server.version;
                }
                None => {
                    let status = refusal::too_old(self.seen, server.history.oldest()).status();
                    self.ready.push_back(json!({"type": "ERROR", "object": status}));
                    // After an error nothing follows.
                    (self.seen, self.ends) = (u64::MAX, Timestamp::MIN);
                }
            }
        }
        match self.ready.pop_front() {
            Some(event) => Told::Line(format!("{event}\n")),
            None if self.ends <= server.now => Told::End,
            None => Told::Nothing,
        }
    }

    fn tell(&self, event: &Event) -> Option<Value> {
        let key = &event.key;
        if key.resource != self.kind.resource()
            || self.namespace.as_ref().is_some_and(|n| *n != key.namespace)
        {
            return None;
        }
        let selected =
            |object: &Option<Arc<Value>>| object.as_ref().filter(|o| self.selector.matches(o)).cloned();
        let (verb, object) = match (selected(&event.before), selected(&event.after)) {
            (None, None) => return None,
            (None, Some(after)) => ("ADDED", after),
            (Some(_), Some(after)) => ("MODIFIED", after),
            // As it last was, with the version at which it ceased to be, or to be selected.
            (Some(before), None) => ("DELETED", before),
        };
        let mut shown = show(&self.kind, &object);
        shown["metadata"]["resourceVersion"] = json!(event.version.to_string());
        Some(json!({"type": verb, "object": shown}))
    }
}

impl ApiServer {
    pub(super) fn watch(&self, target: &Target, request: &Request) -> Result<Watch, Refusal> {
        let option = |name: &str| request.query.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let on = |name: &str| option(name).is_some_and(|value| !matches!(value, "false" | "0"));
        let selector = Selector::of(&target.kind, &request.query)?;
        let from = option("resourceVersion").unwrap_or("0");
        let from: u64 = from.parse().map_err(|_| refusal::no_version(from))?;
        let initial = initial(request, on("allowWatchBookmarks"), from == 0)?;
        let seconds = option("timeoutSeconds").and_then(|text| text.parse().ok()).filter(|n| *n > 0);
        let seconds = seconds.unwrap_or(LONGEST);
        let mut watch = Watch {
            kind: target.kind.clone(),
            namespace: target.namespace.clone(),
            selector,
            seen: from,
            ready: VecDeque::new(),
            ends: later(self.now, seconds.into()),
            limit: Duration::from_secs(seconds.into()),
            woken: self.history.listen(),
        };
        if initial != Initial::None {
            for object in self.within(target, &watch.selector) {
                watch.ready.push_back(json!({"type": "ADDED", "object": target.show(object)}));
            }
            watch.seen = self.version;
        }
        if initial == Initial::Marked {
            let metadata = json!({
                "resourceVersion": self.version.to_string(), "annotations": {"k8s.io/initial-events-end": "true"},
            });
            let mark = json!({"kind": target.kind.kind, "apiVersion": target.kind.api_version(), "metadata": metadata});
            watch.ready.push_back(json!({"type": "BOOKMARK", "object": mark}));
        }
        Ok(watch)
    }
}

/// Whether a watch begins with what is there.
#[derive(PartialEq)]
enum Initial {
    None,
    /// It does.
    Added,
    /// It does, and a bookmark says where that ends.
    Marked,
}

fn initial(request: &Request, bookmarks: bool, from_anywhere: bool) -> Result<Initial, Refusal> {
    let query = &request.query;
    let matching = query.get("resourceVersionMatch").map(String::as_str).filter(|text| !text.is_empty());
    let forbidden = |why: &str| {
        refusal::options(
            "ListOptions",
            "resourceVersionMatch",
            "FieldValueForbidden",
            &format!("Forbidden: {why}"),
        )
    };
    match query.get("sendInitialEvents").map(String::as_str) {
        None | Some("") => match matching {
            Some(_) => Err(forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )),
            None if !from_anywhere => Ok(Initial::None),
            None if bookmarks => Ok(Initial::Marked),
            None => Ok(Initial::Added),
        },
        Some(_) if matching != Some("NotOlderThan") => {
            Err(forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
        }
        Some("true" | "1") => Ok(if bookmarks { Initial::Marked } else { Initial::Added }),
        Some(_) => Ok(Initial::None),
    }
}
