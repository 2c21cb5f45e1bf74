//! A player whose changes come as late as the infrastructure is slow.
//!
//! By the players' own paces it could not be measured: they count from times that the API tells in whole seconds.

use super::delays::Delay;
use berth::rehearsal::{
    kubernetes::Webhook,
    players::{Change, Kind, Objects, Player, Reaction},
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

struct Late {
    player: Arc<dyn Player>,
    /// When what was wanted once comes about.
    due: Mutex<BTreeMap<String, Timestamp>>,
}

/// The same player, late.
pub(super) fn late(player: Arc<dyn Player>) -> Arc<dyn Player> {
    Arc::new(Late { player, due: Mutex::default() })
}

impl Player for Late {
    fn name(&self) -> &'static str {
        self.player.name()
    }

    fn watches(&self) -> &'static [Kind] {
        self.player.watches()
    }

    fn webhooks(&self) -> &'static [(Kind, Webhook)] {
        self.player.webhooks()
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let Reaction { mut changes, mut again } = self.player.react(objects, now);
        let mut all = self.due.lock().unwrap();
        changes.retain(|change| {
            let Some(delay) = Delay::of(change) else { return true };
            let due =
                *all.entry(format!("{} {}", delay.what(), about(change))).or_insert(now + delay.takes());
            if due > now {
                again = Some(again.map_or(due, |again| again.min(due)));
            }
            due <= now
        });
        Reaction { changes, again }
    }
}

/// The same for the same thing, whatever else has changed about it.
fn about(change: &Change) -> String {
    match change {
        Change::Create(object) => object["metadata"]["name"].to_string(),
        Change::Merge(target, _) | Change::MergeStatus(target, _) | Change::Delete(target) => {
            target.to_string()
        }
        Change::Publish(record) | Change::Withdraw(record) => format!("{} {}", record.name, record.kind),
        Change::Join(_, node) => node["metadata"]["name"].to_string(),
        Change::Leave(_, node) => node.clone(),
    }
}
