//! GitHub's own examples of webhooks: berth reads them all, and what the embedded GitHub tells is of their form.

use berth::{
    domain::payload::{Action, Origin, Payload, Standing, Subject},
    rehearsal::{
        World,
        github::{Delivery, Grant, Hook, Opening},
    },
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Event by event.
fn examples() -> BTreeMap<String, Vec<Value>> {
    let all = super::fetched("webhooks.json");
    let each = all.as_array().unwrap().iter();
    each.map(|event| {
        (event["name"].as_str().unwrap().to_owned(), event["examples"].as_array().unwrap().clone())
    })
    .collect()
}

#[test]
fn every_official_example_is_read() {
    let examples = examples();
    assert_eq!(examples.len(), 58);
    let mut read = 0;
    for (event, bodies) in &examples {
        for body in bodies {
            let payload = Payload::parse(event, body.to_string().as_bytes())
                .unwrap_or_else(|why| panic!("{why}\n{body}"));
            let action = body["action"].as_str();
            match (event.as_str(), payload) {
                ("pull_request", Payload::PullRequest(pull)) => {
                    assert_eq!(pull.of.to_string(), format!("{}#{}", pull.source.repository, body["number"]));
                    assert_eq!(Some(pull.head.as_ref()), body["pull_request"]["head"]["sha"].as_str());
                    assert_eq!(pull.origin, Origin::Same);
                    assert_eq!(pull.action == Action::Closed, action == Some("closed"));
                    assert_eq!(pull.standing == Standing::Draft, body["pull_request"]["draft"] == true);
                    assert_eq!(pull.source.installation, body["installation"]["id"].as_u64());
                    assert_eq!(pull.label.is_some(), matches!(action, Some("labeled" | "unlabeled")));
                }
                ("issue_comment", Payload::Comment(comment)) => {
                    assert_eq!(Some(comment.body.as_str()), body["comment"]["body"].as_str());
                    assert_eq!(comment.on == Subject::Issue, body["issue"]["pull_request"].is_null());
                }
                ("repository_dispatch", Payload::Dispatch(dispatch)) => {
                    assert_eq!(Some(dispatch.event_type.as_str()), action);
                }
                ("merge_group", Payload::MergeGroup(group)) => {
                    assert!(group.branch.as_ref().starts_with("gh-readonly-queue/"));
                }
                ("ping", Payload::Ping) => {}
                (event, Payload::Other(name)) => assert_eq!(event, name),
                (event, other) => panic!("{event} was read as {other:?}"),
            }
            read += 1;
        }
    }
    assert_eq!(read, 329);
    for known in ["pull_request", "issue_comment", "repository_dispatch", "merge_group", "ping"] {
        assert!(examples.contains_key(known), "{known} has no example");
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Every path in a payload with the kinds of what stands there; `*` for the items of a list.
fn form(value: &Value, at: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    found.entry(at.to_owned()).or_default().insert(kind(value));
    match value {
        Value::Array(items) => items.iter().for_each(|item| form(item, &format!("{at}/*"), found)),
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| form(value, &format!("{at}/{key}"), found))
        }
        _ => {}
    }
}

fn form_of(value: &Value) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut found = BTreeMap::new();
    form(value, "", &mut found);
    found
}

/// What every example of this event and action has must be in ours. Where ours has null or an empty list, what lies below
/// is not owed. What stands there must be of a kind that some example of the event, of whatever action, shows at that place.
fn differences(event: &str, ours: &Value, examples: &[Value]) -> Vec<String> {
    let alike: Vec<&Value> =
        examples.iter().filter(|e| event == "repository_dispatch" || e["action"] == ours["action"]).collect();
    assert!(!alike.is_empty(), "no example of {event} {}", ours["action"]);
    let forms: Vec<_> = alike.iter().map(|example| form_of(example)).collect();
    let mut kinds: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for example in examples {
        for (place, shown) in form_of(example) {
            kinds.entry(place).or_default().extend(shown);
        }
    }
    let own = form_of(ours);
    let mut wrong = Vec::new();
    for place in forms[0].keys().filter(|place| forms.iter().all(|form| form.contains_key(*place))) {
        match own.get(place) {
            Some(found) if found.is_subset(&kinds[place]) => {}
            Some(found)
                if found.len() == 1
                    && ALSO.iter().any(|(end, kind, _)| place.ends_with(end) && found.contains(kind)) => {}
            Some(found) => wrong.push(format!("{place} is {found:?}, not {:?}", kinds[place])),
            None => {
                let above = place.rsplit_once('/').unwrap().0;
                let cut = |place: &str| {
                    own.get(place).is_none_or(|kind| kind.contains("null"))
                        || own.get(place).is_some_and(|kind| {
                            kind.contains("array") && !own.contains_key(&format!("{place}/*"))
                        })
                };
                if !cut(above) {
                    wrong.push(format!("{place} is missing"));
                }
            }
        }
    }
    wrong
}

/// What the few examples of an event happen not to show: where a place ends, what may stand there, and why.
const ALSO: &[(&str, &str, &str)] = &[
    ("/description", "null", "a label or repository without one; the API's description has null there"),
    ("/homepage", "null", "a repository without one; other events' examples have null"),
    ("/language", "null", "a repository without code; other events' examples have null"),
    ("/pull_request/merged_at", "string", "no example is of a merge"),
    ("/pull_request/merged_by", "object", "no example is of a merge"),
];

fn told() -> Vec<Delivery> {
    let mut github = World::default().github;
    github.add_token("ghs_app", Grant::app("berth", &["acme/web"]).may_all());
    github.hook = Some(Hook { secret: None, installation: Some(7) });
    github.add_repository("acme/web").unwrap();
    let sha = |digit: &str| digit.repeat(40);
    github.open("acme/web", Opening::new("alice", "topic", &sha("1"))).unwrap();
    github.label("acme/web", 1, "alice", "preview").unwrap();
    github.push("acme/web", 1, "alice", &sha("2")).unwrap();
    github.set_draft("acme/web", 1, "alice", true).unwrap();
    github.set_draft("acme/web", 1, "alice", false).unwrap();
    github.comment("acme/web", 1, "alice", "/berth up").unwrap();
    github.unlabel("acme/web", 1, "alice", "preview").unwrap();
    github.label("acme/web", 1, "alice", "preview").unwrap();
    github.close("acme/web", 1, "alice").unwrap();
    github.reopen("acme/web", 1, "alice").unwrap();
    github.enqueue("acme/web", 1, "alice").unwrap();
    github.merge("acme/web", 1, "alice").unwrap();
    github.ping("acme/web").unwrap();
    github.take_deliveries()
}

#[test]
fn what_the_embedded_one_tells_is_of_the_official_form() {
    let examples = examples();
    let mut wrong = Vec::new();
    let mut told_of = BTreeSet::new();
    for delivery in told() {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        told_of.insert(format!("{} {}", delivery.event, body["action"].as_str().unwrap_or_default()));
        let found = differences(delivery.event, &body, &examples[delivery.event]);
        wrong.extend(found.into_iter().map(|why| format!("{} {}: {why}", delivery.event, body["action"])));
        Payload::parse(delivery.event, &delivery.body).unwrap();
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ALSO.iter().all(|(_, _, why)| !why.is_empty()));
    assert_eq!(
        told_of.into_iter().collect::<Vec<_>>(),
        [
            "issue_comment created",
            "merge_group checks_requested",
            "ping ",
            "pull_request closed",
            "pull_request converted_to_draft",
            "pull_request labeled",
            "pull_request opened",
            "pull_request ready_for_review",
            "pull_request reopened",
            "pull_request synchronize",
            "pull_request unlabeled",
        ]
    );
}
