//! A listing: all pages of one snapshot, or an error.
//!
//! Must never: take a listing whose pages do not add up, or that was cut, for the whole.

use super::{Denial, request};
use kube::{
    Client,
    api::ListParams,
    core::{ListMeta, Request as Requests},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;

/// Objects of one page.
const PAGE: u32 = 500;
/// How often a listing is begun whose pages the server forgets before the last is read.
const LISTINGS: usize = 3;

/// Everything that was there at one version.
#[derive(Debug)]
pub struct Listing<T> {
    /// What was there.
    pub items: Vec<T>,
    /// When: a watch from here misses nothing, and an apply with it creates only what was not there.
    pub version: String,
}

#[derive(Deserialize)]
struct Page<T> {
    metadata: ListMeta,
    items: Vec<T>,
}

/// An object but for who has written which of its fields: nobody here asks, and of small objects that is the larger part.
#[derive(Debug, Deserialize)]
#[serde(from = "Value")]
pub(super) struct Unsigned(pub(super) Value);

impl From<Value> for Unsigned {
    fn from(mut object: Value) -> Self {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        Self(object)
    }
}

/// Lists what `params` select, within `limit` for each page.
pub async fn list<T: DeserializeOwned>(
    client: &Client,
    requests: &Requests,
    params: &ListParams,
    limit: Duration,
) -> Result<Listing<T>, Denial> {
    for _ in 0..LISTINGS {
        if let Some(listing) = pages(client, requests, params.clone().limit(PAGE), limit).await? {
            return Ok(listing);
        }
    }
    Err(Denial::garbled(format!("the listing expired {LISTINGS} times before its last page")))
}

/// `None`: the server forgot the snapshot before its last page.
async fn pages<T: DeserializeOwned>(
    client: &Client,
    requests: &Requests,
    mut params: ListParams,
    limit: Duration,
) -> Result<Option<Listing<T>>, Denial> {
    let (mut items, mut snapshot) = (Vec::new(), None);
    loop {
        let page: Page<T> = match request(client, requests.list(&params), limit).await {
            Ok(page) => page,
            Err(denial) if denial.is_expired() && params.continue_token.is_some() => return Ok(None),
            Err(denial) => return Err(denial),
        };
        let version = page.metadata.resource_version.unwrap_or_default();
        let more = page.metadata.continue_.filter(|token| !token.is_empty());
        // A page that promises more and brings nothing would make this endless.
        let adds_up = !version.is_empty() && (more.is_none() || !page.items.is_empty());
        if !adds_up || *snapshot.get_or_insert_with(|| version.clone()) != version {
            return Err(Denial::garbled("the pages of the listing do not add up"));
        }
        items.extend(page.items);
        match more {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(Some(Listing { items, version })),
        }
    }
}
