//! What outlives a claim: the receipt of its removal, and its life, which the history keeps.
//!
//! The life is written after its addresses were freed and before the claim ends or begins anew. A history that cannot be
//! read or written keeps the claim: the run ends as unknown, and the next event or sweep tries again. By then nothing is
//! held any more but the claim's own document, so what waits for a store that is down, or for a person who mends the
//! document, takes no address from anybody. Must never: end a claim whose life is not written; write one life twice.

use super::Engine;
use crate::{
    domain::{
        claim::{Claim, Gone},
        history::Life,
    },
    steps::tests,
};
use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};

impl Engine {
    /// All that was seen gone of it: by those who have had the claim before, and by this run.
    pub(super) fn gone(&self, claim: &Claim, seen: &[Gone]) -> Vec<Gone> {
        let redact = |text: &str| self.mask.redact(text);
        let seen =
            seen.iter().map(|gone| Gone { what: redact(&gone.what), proof: redact(&gone.proof), ..*gone });
        claim.clone().without(seen).gone().to_vec()
    }

    /// The same once its addresses have been freed, which comes last.
    pub(super) fn receipt(&self, claim: &Claim, seen: &[Gone]) -> Vec<Gone> {
        let at = self.protocol.pools.clock.now();
        let cooling = claim.leaving().passed.iter().find(|passed| passed.to == "cooling");
        let cooled = cooling.map_or(String::new(), |cooling| format!("cooled {}, ", minutes(cooling.at, at)));
        let addresses: Vec<String> = claim
            .addresses()
            .into_iter()
            .flat_map(|block| block.addresses())
            .map(|address| address.to_string())
            .collect();
        let freed = Gone { what: addresses.join(", "), at, proof: format!("{cooled}freed") };
        let mut all = self.gone(claim, seen);
        all.extend(Some(freed).filter(|freed| !freed.what.is_empty()));
        all
    }

    /// Keeps its life, once. Of one that never had anything there is nothing to tell.
    pub(super) async fn remember(&self, claim: &Claim, receipt: &[Gone]) -> Result<()> {
        if receipt.is_empty() {
            return Ok(());
        }
        let life = Life::of(claim, receipt, self.protocol.pools.clock.now());
        let (store, name) = (self.protocol.pools.claims.store(), claim.name());
        let kept = self
            .patiently(async || tests::mend(store, &name, |history| history.with_life(life.clone())).await);
        kept.await.with_context(|| {
            format!(
                "{} is removed and its addresses are free, but its history could not be written",
                claim.holder()
            )
        })
    }
}

/// `10 min`.
fn minutes(from: Timestamp, to: Timestamp) -> String {
    let span: SignedDuration = to.duration_since(from);
    if span.as_mins() > 0 {
        format!("{} min", span.as_mins())
    } else {
        format!("{} s", span.as_secs().max(0))
    }
}
