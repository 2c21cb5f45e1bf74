//! What of a snapshot explains a failure to people, beside the one likely cause. Pure.

use super::diagnosis::{
    Snapshot,
    signs::{containers, items, named, one_line, text},
};
use serde_json::Value;

/// What of a snapshot explains a failure to people: what is not well, and what happened to it, the newest last; then what it said.
pub fn evidence(all: &Snapshot) -> String {
    let mut lines = Vec::new();
    let is_over = |object: &Value| object["kind"] == "Pod" && object["status"]["phase"] == "Succeeded";
    for object in all.objects.iter().filter(|object| object["kind"] != "Event" && !is_over(object)) {
        let bad = items(&object["status"], "conditions").filter(|said| is_bad(said));
        let bad = bad.map(|said| {
            let words = [text(said, "reason"), text(said, "message")].join(": ");
            format!("{} {}={} {}", named(object), text(said, "type"), text(said, "status"), one_line(&words))
        });
        lines.extend(bad);
        if object["kind"] == "Pod" {
            lines.extend(containers(object).filter_map(|container| {
                let waiting = &container["state"]["waiting"];
                let why = one_line(&[text(waiting, "reason"), text(waiting, "message")].join(": "));
                waiting
                    .is_object()
                    .then(|| format!("{} container {} waits: {why}", named(object), text(container, "name")))
            }));
        }
    }
    let mut events: Vec<&Value> = all.of("Event").filter(|event| event["type"] == "Warning").collect();
    events.sort_by_key(|event| text(event, "lastTimestamp"));
    let events = events.iter().rev().take(EVENTS).rev().map(|event| {
        let object = &event["involvedObject"];
        let about = format!(
            "{} {}/{}",
            text(object, "kind").to_lowercase(),
            text(object, "namespace"),
            text(object, "name")
        );
        format!(
            "{} {about} {}: {}",
            text(event, "lastTimestamp"),
            text(event, "reason"),
            one_line(text(event, "message"))
        )
    });
    lines.extend(events);
    for words in &all.last_words {
        lines.push(format!("{}, the end of its log:", words.of));
        lines.extend(words.text.lines().map(|line| format!("  {line}")));
    }
    lines.join("\n")
}

/// More are read by nobody.
const EVENTS: usize = 20;

/// Conditions that tell of trouble when they are false; what others mean, nobody can know from their names.
fn is_bad(condition: &Value) -> bool {
    let kind = text(condition, "type");
    let good = kind.ends_with("Ready")
        || kind.ends_with("Available")
        || [
            "Progressing",
            "PodScheduled",
            "Initialized",
            "Established",
            "RemoteConnectionProbe",
            "NamesAccepted",
        ]
        .contains(&kind);
    let troubles =
        ["ReplicaFailure", "Failed", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];
    let over = ["PodCompleted", "Succeeded", "Complete"].contains(&text(condition, "reason"));
    !over
        && (good && condition["status"] == "False"
            || troubles.contains(&kind) && condition["status"] == "True")
}
