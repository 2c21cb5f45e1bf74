//! One life of an environment that has ended: when, why, what it last came to, and how it was seen gone. Pure.
//!
//! Must never: be made of a claim that still may come back.

use crate::domain::{
    claim::{Claim, Gone, Passed, ProviderKind, Reported},
    holder::Holder,
    names::{ClaimUid, HeadSha},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::Ipv4Addr;

/// So many things that are gone are told of each.
const GONE: usize = 50;
/// Of each text so many characters.
const TEXT: usize = 300;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Life {
    /// Which.
    pub uid: ClaimUid,
    /// Whose.
    pub holder: Holder,
    /// What made it real.
    pub provider: ProviderKind,
    /// The commit that was wanted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadSha>,
    /// When it was claimed.
    pub created: Timestamp,
    /// Why it went, in a word or two.
    pub why: String,
    /// What it had come to on its way, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
    /// When its addresses had been freed, and nothing was left.
    pub ended: Timestamp,
    /// What it held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Ipv4Addr>,
    /// What people were told last of it as it stood, or did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Reported>,
    /// What was seen gone, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipt: Vec<Gone>,
    /// What a newer berth wrote.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Life {
    /// Of a claim whose addresses have been freed, with what was seen gone of it in all.
    pub fn of(claim: &Claim, receipt: &[Gone], ended: Timestamp) -> Self {
        let cut = |text: &str| text.chars().take(TEXT).collect::<String>();
        let receipt = receipt.iter().take(GONE).map(|gone| Gone {
            what: cut(&gone.what),
            proof: cut(&gone.proof),
            ..*gone
        });
        let leaving = claim.leaving();
        Self {
            uid: claim.uid().clone(),
            holder: claim.holder().clone(),
            provider: claim.removal().provider,
            head: claim.head().cloned(),
            created: claim.created(),
            why: leaving.cause.map_or_else(|| "unknown".to_owned(), |cause| cause.to_string()),
            passed: leaving.passed.clone(),
            ended,
            addresses: claim.addresses().into_iter().flat_map(|block| block.addresses()).collect(),
            // One that comes anew knows what was told of the life before it.
            last: claim.reported().filter(|told| told.at >= claim.created()).cloned(),
            receipt: receipt.collect(),
            rest: Map::new(),
        }
    }
}
