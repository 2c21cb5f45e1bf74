//! GitHub's own examples of webhooks: berth reads them all, and what the embedded GitHub tells is of their form.

use berth::{
    domain::{
        dispatch::Types,
        event::{Heard, hear},
        payload::{Action, Origin, Payload, Standing, Subject},
    },
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

/// What each official example leads to, event by event, each once; reviewed.
#[test]
fn the_official_examples_lead_to_what_the_table_says() {
    let mut lines = BTreeSet::new();
    for (event, bodies) in examples() {
        for body in bodies {
            let payload = Payload::parse(&event, body.to_string().as_bytes()).unwrap();
            let heard = hear(&event, &payload, &Types::default()).unwrap();
            let action = body["action"].as_str().unwrap_or("-");
            let told = match &heard {
                Heard::Pull(happened) => match &happened.only_for {
                    Some(_) => "look, if the label is known",
                    None => "look",
                },
                Heard::Group { .. } => "look at the group",
                Heard::Asked { .. } => "DISPATCH",
                Heard::Spoken(_) => "COMMAND",
                Heard::Sweep => "SWEEP",
                Heard::ByHand => "as the inputs say",
                Heard::Nothing { .. } => continue,
            };
            lines.insert(format!("{event} {action}: {told}"));
        }
    }
    insta::assert_snapshot!(lines.into_iter().collect::<Vec<_>>().join("\n"), @r#"
    merge_group checks_requested: look at the group
    pull_request closed: look
    pull_request converted_to_draft: look
    pull_request labeled: look, if the label is known
    pull_request opened: look
    pull_request ready_for_review: look
    pull_request reopened: look
    pull_request synchronize: look
    pull_request unlabeled: look, if the label is known
    workflow_dispatch -: as the inputs say
    "#);
}

/// Random numbers that are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// One place of a payload made into something else: gone, of another kind, doubled, or another place's value.
fn mutate(value: &mut Value, chance: &mut Chance) {
    let depth = chance.below(6);
    let mut place = value;
    for _ in 0..depth {
        let next = match &*place {
            Value::Object(map) if !map.is_empty() => {
                map.keys().nth(chance.below(map.len())).cloned().map(|key| (Some(key), 0))
            }
            Value::Array(items) if !items.is_empty() => Some((None, chance.below(items.len()))),
            _ => None,
        };
        place = match next {
            Some((Some(key), _)) => &mut place[key.as_str()],
            Some((None, at)) => &mut place[at],
            None => break,
        };
    }
    let strange = [
        Value::Null,
        Value::Bool(true),
        (-1).into(),
        u64::MAX.into(),
        "".into(),
        "please /berth down".into(),
        "create_ephemeral_cluster".into(),
        "../../etc/passwd".into(),
        "$(reboot) ${{ secrets.TOKEN }} \u{202e}\n::error::x".into(),
        "x".repeat(70_000).into(),
        Value::Array(vec![]),
        Value::Object(Default::default()),
    ];
    *place = strange[chance.below(strange.len())].clone();
}

/// Whatever is wrong with a payload: it is refused, or leads to nothing, or to a look at the very pull request that it
/// names. Never to a command, a dispatch or a sweep, and never to a panic.
#[test]
fn ten_thousand_mutations_of_the_examples_lead_to_no_command_and_no_panic() {
    let ours = [
        "pull_request",
        "issue_comment",
        "repository_dispatch",
        "merge_group",
        "ping",
        "push",
        "workflow_dispatch",
    ];
    let examples: Vec<(String, Value)> = examples()
        .into_iter()
        .filter(|(event, _)| ours.contains(&event.as_str()))
        .flat_map(|(event, bodies)| bodies.into_iter().map(move |body| (event.clone(), body)))
        .collect();
    let (mut chance, mut looks, mut refused) = (Chance(7), 0, 0);
    for n in 0..10_000 {
        let (event, example) = &examples[n % examples.len()];
        let mut body = example.clone();
        for _ in 0..=chance.below(3) {
            mutate(&mut body, &mut chance);
        }
        let Ok(payload) = Payload::parse(event, body.to_string().as_bytes()) else {
            refused += 1;
            continue;
        };
        match hear(event, &payload, &Types::default()) {
            Ok(Heard::Pull(happened)) => {
                looks += 1;
                let named = body["repository"]["full_name"].as_str().unwrap().to_ascii_lowercase();
                assert_eq!(happened.of.to_string(), format!("{named}#{}", body["number"]));
            }
            Ok(Heard::Group { .. } | Heard::Nothing { .. } | Heard::ByHand) => {}
            Ok(other) => panic!("{event} led to {other:?}: {body}"),
            Err(_) => refused += 1,
        }
    }
    assert!(looks > 500 && refused > 500, "the mutations miss: {looks} looks, {refused} refused");
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
