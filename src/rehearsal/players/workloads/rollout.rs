//! How many pods an old and a new ReplicaSet may have while one replaces the other.

use super::super::objects::{number, text};
use super::pods::wanted;
use serde_json::Value;

/// What a Deployment allows while it rolls out.
pub(super) struct Strategy {
    pub(super) replicas: usize,
    pub(super) recreate: bool,
    pub(super) surge: usize,
    pub(super) unavailable: usize,
}

impl Strategy {
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = wanted(deployment, "/spec/replicas");
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        let recreate = text(deployment, "/spec/strategy/type") == "Recreate";
        let surge = portion(&rolling["maxSurge"], replicas, true);
        let mut unavailable = portion(&rolling["maxUnavailable"], replicas, false).min(replicas);
        if surge == 0 && unavailable == 0 {
            // Else it could never move.
            unavailable = 1;
        }
        if recreate {
            Self { replicas, recreate, surge: 0, unavailable: 0 }
        } else {
            Self { replicas, recreate, surge, unavailable }
        }
    }

    /// How many are to be available at least.
    pub(super) fn least(&self) -> usize {
        self.replicas.saturating_sub(self.unavailable)
    }

    /// How many the new set shall want; `new` is none before it is there.
    pub(super) fn new_size(&self, new: Option<&Value>, old: &[&Value]) -> usize {
        let (has, others) = (new.map_or(0, size), old.iter().map(|set| size(set)).sum::<usize>());
        if has > self.replicas || others == 0 && !(self.recreate && old.iter().any(|set| pods(set) > 0)) {
            return self.replicas;
        }
        if self.recreate {
            return has;
        }
        let room = self.replicas.saturating_add(self.surge).saturating_sub(has + others);
        has + room.min(self.replicas - has)
    }

    /// How many each of the old shall want, in their order.
    pub(super) fn old_sizes(&self, new: Option<&Value>, old: &[&Value]) -> Vec<usize> {
        let mut sizes: Vec<usize> = old.iter().map(|set| size(set)).collect();
        if self.recreate {
            return vec![0; sizes.len()];
        }
        let Some(new) = new else { return sizes };
        let total = size(new) + sizes.iter().sum::<usize>();
        let coming = size(new).saturating_sub(available(new));
        let mut spare = total.saturating_sub(self.least() + coming);
        if spare == 0 {
            return sizes;
        }
        // Those that are not available are no loss.
        for (set, size) in old.iter().zip(&mut sizes) {
            let broken = size.saturating_sub(left(set)).min(spare);
            *size -= broken;
            spare -= broken;
        }
        let all = available(new) + old.iter().map(|set| left(set)).sum::<usize>();
        let mut spare = all.saturating_sub(self.least());
        for (set, size) in old.iter().zip(&mut sizes) {
            let fewer = (*size).min(left(set)).min(spare);
            *size -= fewer;
            spare -= fewer;
        }
        sizes
    }
}

pub(super) fn size(set: &Value) -> usize {
    wanted(set, "/spec/replicas")
}

fn pods(set: &Value) -> usize {
    seen(set, "/status/replicas")
}

pub(super) fn available(set: &Value) -> usize {
    seen(set, "/status/availableReplicas")
}

/// How many are available of those that it still wants: what it says may be older than what it wants.
fn left(set: &Value) -> usize {
    available(set).min(size(set))
}

/// A number of its status.
pub(super) fn seen(set: &Value, pointer: &str) -> usize {
    number(set, pointer).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

/// A number, or a part of a hundred.
fn portion(value: &Value, of: usize, up: bool) -> usize {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    let percent =
        value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<usize>().ok());
    match (number, percent.unwrap_or(25).min(1000) * of) {
        (Some(number), _) => number,
        (None, parts) if up => parts.div_ceil(100),
        (None, parts) => parts / 100,
    }
}
