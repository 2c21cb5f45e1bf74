//! Conditions in the two dialects that are spoken: with a severity (Cluster API's older contract) and with an observed
//! generation (everybody else).

use super::{draft::Draft, objects};
use jiff::Timestamp;
use serde_json::{Value, json};

const PATH: &[&str] = &["status", "conditions"];
/// Where Cluster API's newer objects keep those of the older contract.
pub(super) const OLDER: &[&str] = &["status", "deprecated", "v1beta1", "conditions"];

/// Cluster API's older contract: any change is a transition, what is true says no more, and the list is sorted, `Ready` first.
pub(super) fn say(draft: &mut Draft<'_>, now: Timestamp, kind: &str, said: Result<(), Not>) {
    say_at(PATH, draft, now, kind, said);
}

/// The same elsewhere.
pub(super) fn say_at(
    path: &[&str],
    draft: &mut Draft<'_>,
    now: Timestamp,
    kind: &str,
    said: Result<(), Not>,
) {
    let mut condition = match said {
        Ok(()) => json!({ "type": kind, "status": "True" }),
        Err(Not { severity, reason, message }) => {
            let mut no = json!({ "type": kind, "status": "False", "severity": severity, "reason": reason });
            if !message.is_empty() {
                no["message"] = message.into();
            }
            no
        }
    };
    let known = find_at(path, draft.wanted(), kind);
    let same = |key: &str| known.is_some_and(|known| known.get(key) == condition.get(key));
    if ["status", "severity", "reason", "message"].into_iter().all(same) {
        return;
    }
    condition["lastTransitionTime"] = stamp(now).into();
    put(path, draft, kind, condition);
    draft.list(path).sort_by_key(|c| (c["type"] != "Ready", objects::text(c, "/type").to_owned()));
}

/// Why something is not so.
pub(super) struct Not {
    pub(super) severity: &'static str,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Not {
    pub(super) fn yet(reason: &str) -> Self {
        Self { severity: "Info", reason: reason.to_owned(), message: String::new() }
    }

    pub(super) fn warning(reason: &str, message: impl Into<String>) -> Self {
        Self { severity: "Warning", reason: reason.to_owned(), message: message.into() }
    }

    pub(super) fn error(reason: &str, message: impl Into<String>) -> Self {
        Self { severity: "Error", reason: reason.to_owned(), message: message.into() }
    }
}

/// `Ready` as the summary of these: the worst of those that are not so, in this order; true if all that exist are.
pub(super) fn summarize(draft: &mut Draft<'_>, now: Timestamp, of: &[&str]) {
    summarize_at(PATH, draft, now, of);
}

/// The same elsewhere.
pub(super) fn summarize_at(path: &[&str], draft: &mut Draft<'_>, now: Timestamp, of: &[&str]) {
    let known: Vec<&Value> = of.iter().filter_map(|kind| find_at(path, draft.wanted(), kind)).collect();
    if known.is_empty() {
        return;
    }
    let worst = ["Error", "Warning", "Info"].into_iter().find_map(|severity| {
        let no = known.iter().find(|c| c["status"] != "True" && c["severity"] == severity)?;
        let (reason, message) =
            (objects::text(no, "/reason").to_owned(), objects::text(no, "/message").to_owned());
        Some(Not { severity, reason, message })
    });
    say_at(path, draft, now, "Ready", worst.map_or(Ok(()), Err));
}

/// The dialect of everybody else: only another status is a transition.
pub(super) fn tell(
    draft: &mut Draft<'_>,
    now: Timestamp,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
) {
    let mut condition = plain(draft, now, kind, status, reason, message);
    if let Some(generation) = objects::number(draft.wanted(), "/metadata/generation") {
        condition["observedGeneration"] = generation.into();
    }
    put(PATH, draft, kind, condition);
}

/// The same where no generation is observed.
pub(super) fn tell_plainly(
    draft: &mut Draft<'_>,
    now: Timestamp,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
) {
    let condition = plain(draft, now, kind, status, reason, message);
    put(PATH, draft, kind, condition);
}

/// The same where an empty reason or message is not written.
pub(super) fn tell_briefly(
    draft: &mut Draft<'_>,
    now: Timestamp,
    kind: &str,
    (status, reason, message): (&str, &str, &str),
) {
    let mut condition = plain(draft, now, kind, status, reason, message);
    if let Some(fields) = condition.as_object_mut() {
        fields.retain(|_, value| *value != "");
    }
    put(PATH, draft, kind, condition);
}

fn plain(draft: &Draft<'_>, now: Timestamp, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let known = find(draft.wanted(), kind).filter(|known| known["status"] == status);
    let since = known.and_then(|known| known.get("lastTransitionTime"));
    let since = since.cloned().unwrap_or_else(|| stamp(now).into());
    json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since })
}

fn put(path: &[&str], draft: &mut Draft<'_>, kind: &str, condition: Value) {
    let all = draft.list(path);
    match all.iter_mut().find(|known| known["type"] == kind) {
        Some(known) => *known = condition,
        None => all.push(condition),
    }
}

/// A condition of an object.
pub(super) fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    find_at(PATH, object, kind)
}

fn find_at<'a>(path: &[&str], object: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = path.iter().try_fold(object, |at, key| at.get(*key))?;
    all.as_array()?.iter().find(|condition| condition["type"] == kind)
}

pub(super) fn is_true(object: &Value, kind: &str) -> bool {
    find(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Since when a condition gives this reason.
pub(super) fn since(object: &Value, kind: &str, reason: &str) -> Option<Timestamp> {
    let condition = find(object, kind).filter(|condition| condition["reason"] == reason)?;
    objects::time(condition, "/lastTransitionTime")
}

/// As Kubernetes writes times: whole seconds.
pub(super) fn stamp(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}
