//! That the facts beside this one could fail: what a player may not write is refused, and told.

use super::Outside;
use crate::harness::players::NoRecords;
use berth::rehearsal::players::{Change, Kind, Objects, Player, Reaction, Target};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

const ENDPOINT: Kind =
    Kind { group: "externaldns.k8s.io", version: "v1alpha1", kind: "DNSEndpoint", plural: "dnsendpoints" };

/// Writes what the kind has not, then what it has.
struct Careless {
    namespace: String,
    has_tried: AtomicBool,
}

impl Player for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn watches(&self) -> &'static [Kind] {
        &[ENDPOINT]
    }

    fn react(&self, objects: &Objects<'_>, _: Timestamp) -> Reaction {
        if !format!("{objects:?}").contains("\"names\"") {
            return Reaction::default();
        }
        let target = Target { kind: ENDPOINT, namespace: self.namespace.clone(), name: "names".to_owned() };
        let field = if self.has_tried.swap(true, Relaxed) { "observedGeneration" } else { "nonsense" };
        Reaction { changes: vec![Change::MergeStatus(target, json!({"status": {field: 7}}))], again: None }
    }
}

#[tokio::test]
async fn a_field_that_a_kind_does_not_have_is_refused_and_told() {
    let player =
        |namespace: &str| Careless { namespace: namespace.to_owned(), has_tried: AtomicBool::new(false) };
    let outside = Outside::keeping(Arc::new(NoRecords), player).await;
    let names =
        outside.object("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "names", json!({"endpoints": []}));
    outside.apply(&[&names]).await;
    let written = |names: Option<&Value>| (names?["status"]["observedGeneration"] == 7).then_some(());
    outside.until(&names, "what the kind has", written).await;
    let refused = outside.playing.refused();
    assert!(refused.iter().any(|why| why.contains("unknown field \"status.nonsense\"")), "{refused:?}");
}
