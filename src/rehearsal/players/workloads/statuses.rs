//! How a pod's status says what its kubelet has done.

use super::super::{
    conditions::tell_briefly,
    draft::Draft,
    names,
    objects::{name, text, uid},
};
use super::pods::containers;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A kubelet's first pause between two starts, and its longest.
const PAUSES: (i64, i64) = (10, 300);

/// Before the start after this many.
pub(super) fn pause(starts: i64) -> SignedDuration {
    let doubled = u32::try_from(starts.saturating_sub(1).clamp(0, 10)).unwrap_or(0);
    SignedDuration::from_secs((PAUSES.0 << doubled).min(PAUSES.1))
}

/// As Go writes it: `1m20s`.
pub(super) fn go_duration(duration: SignedDuration) -> String {
    match (duration.as_secs() / 60, duration.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

pub(super) fn unready(draft: &mut Draft<'_>, pod: &Value, now: Timestamp) {
    let names: Vec<&str> = containers(pod).iter().map(|container| text(container, "/name")).collect();
    let message = format!("containers with unready status: [{}]", names.join(" "));
    for kind in ["Ready", "ContainersReady"] {
        tell_briefly(draft, now, kind, ("False", "ContainersNotReady", &message));
    }
}

pub(super) fn waiting(pod: &Value, said: impl Fn(&Value) -> (&'static str, String)) -> Value {
    let statuses = containers(pod).iter().map(|container| {
        let (reason, message) = said(container);
        let mut waiting = json!({ "reason": reason });
        if !message.is_empty() {
            waiting["message"] = message.into();
        }
        json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "started": false,
            "restartCount": 0, "state": { "waiting": waiting },
        })
    });
    statuses.collect()
}

/// Of k3s' range for pods.
pub(super) fn address(pod: &Value) -> String {
    let token = names::token(&[name(pod), uid(pod)]);
    let part = |at: usize| u8::from_str_radix(&token[at..at + 2], 16).unwrap_or(1);
    format!("10.42.{}.{}", part(0) % 16, part(2).clamp(2, 250))
}
