//! Waits for what objects of the real API server say, by a list and the watch that goes on from it.
//!
//! Our own and simple, so that it may judge the waits of what is tested.

use super::PATIENCE;
use futures::TryStreamExt;
use kube::{
    Api, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{cell::RefCell, fmt::Debug, pin::pin};

/// Objects of one kind, in one namespace or all.
pub(crate) trait Object: kube::Resource + Clone + Debug + Serialize + DeserializeOwned {}
impl<K: kube::Resource + Clone + Debug + Serialize + DeserializeOwned> Object for K {}

/// Goes on when the object with this name says what is wanted.
pub(crate) async fn until<K: Object, T>(api: &Api<K>, name: &str, wanted: impl FnMut(&K) -> Option<T>) -> T {
    until_any(api, &format!("metadata.name={name}"), "", wanted).await
}

/// Goes on when any object of the selectors says what is wanted.
pub(crate) async fn until_any<K: Object, T>(
    api: &Api<K>,
    fields: &str,
    labels: &str,
    mut wanted: impl FnMut(&K) -> Option<T>,
) -> T {
    let seen = RefCell::new(None::<K>);
    let watching = async {
        loop {
            let list = api.list(&ListParams::default().fields(fields).labels(labels)).await.unwrap();
            for object in &list.items {
                if let Some(found) = wanted(object) {
                    return found;
                }
                seen.replace(Some(object.clone()));
            }
            let version = list.metadata.resource_version.unwrap();
            let params = WatchParams::default().fields(fields).labels(labels);
            let mut events = pin!(api.watch(&params, &version).await.unwrap());
            while let Some(event) = events.try_next().await.unwrap() {
                match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        if let Some(found) = wanted(&object) {
                            return found;
                        }
                        seen.replace(Some(object));
                    }
                    WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => {}
                    // Too old to go on from: a new list.
                    WatchEvent::Error(status) if status.code == 410 => break,
                    WatchEvent::Error(status) => panic!("the watch of {fields:?} {labels:?}: {status:?}"),
                }
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, watching).await;
    waited.unwrap_or_else(|_| {
        let last = seen.borrow();
        let last = serde_json::to_string_pretty(&*last).unwrap();
        panic!("{fields:?} {labels:?} has not come to what was wanted in {PATIENCE:?}; it said last:\n{last}")
    })
}

/// Goes on when no object has this name, or when it is another one of that name.
pub(crate) async fn until_gone<K: Object>(api: &Api<K>, name: &str) {
    let fields = format!("metadata.name={name}");
    let watching = async {
        loop {
            let list = api.list(&ListParams::default().fields(&fields)).await.unwrap();
            let Some(object) = list.items.first() else { return };
            let (uid, version) = (object.uid(), list.metadata.resource_version.unwrap());
            let params = WatchParams::default().fields(&fields);
            let mut events = pin!(api.watch(&params, &version).await.unwrap());
            while let Some(event) = events.try_next().await.unwrap() {
                match event {
                    WatchEvent::Deleted(object) if object.uid() == uid => return,
                    WatchEvent::Error(_) => break,
                    _ => {}
                }
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, watching).await;
    waited.unwrap_or_else(|_| panic!("{name} has not gone in {PATIENCE:?}"));
}
