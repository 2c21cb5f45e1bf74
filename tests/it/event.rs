//! What an event leads to: the table as people read it, and that nothing else leads to anything.

use berth::domain::{
    claim::Wish,
    command::Command,
    dispatch::Types,
    event::{Heard, TABLE, hear},
    payload::Payload,
};
use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};

const SHA: &str = "1111111111111111111111111111111111111111";

fn repository() -> Value {
    json!({ "id": 7, "full_name": "acme/shop" })
}

pub(crate) fn pull_request(action: &str) -> Value {
    json!({
        "action": action, "number": 42,
        "pull_request": {
            "number": 42, "state": "open", "draft": false, "merged": false, "labels": [],
            "head": { "sha": SHA, "ref": "topic", "repo": repository() },
            "base": { "ref": "main", "repo": repository() }, "user": { "login": "alice" },
        },
        "label": { "name": "preview" }, "repository": repository(), "sender": { "login": "bob" },
    })
}

fn dispatch(kind: &str, payload: Value) -> Value {
    json!({ "action": kind, "client_payload": payload, "repository": repository(), "sender": { "login": "bob" } })
}

fn comment(body: &str) -> Value {
    json!({
        "action": "created", "issue": { "number": 42, "pull_request": {} },
        "comment": { "id": 9, "body": body, "user": { "login": "bob" }, "author_association": "NONE" },
        "repository": repository(), "sender": { "login": "bob" },
    })
}

fn heard(event: &str, body: &Value) -> Result<Heard, String> {
    let payload = Payload::parse(event, body.to_string().as_bytes()).map_err(|why| why.to_string())?;
    hear(event, &payload, &Types::default()).map_err(|why| why.to_string())
}

/// In a few words.
pub(crate) fn told(heard: &Heard) -> String {
    match heard {
        Heard::Pull(happened) => {
            let only =
                happened.only_for.as_ref().map_or(String::new(), |label| format!(", if {label} is known"));
            let by = happened.labeled.as_ref().map_or("", |_| ", which may approve");
            format!("look at {}{only}{by}", happened.of)
        }
        Heard::Group { holder, .. } => format!("look at {holder}"),
        Heard::Asked { which, wish } => {
            format!("{} {}", if *wish == Wish::Up { "up" } else { "down" }, which.name())
        }
        Heard::Spoken(spoken) => format!("command on {}: {:?}", spoken.on, spoken.command),
        Heard::Sweep => "sweep".to_owned(),
        Heard::ByHand => "as the inputs say".to_owned(),
        Heard::Nothing { .. } => "nothing".to_owned(),
    }
}

fn leads(event: &str, body: &Value) -> String {
    heard(event, body).map_or_else(|why| format!("refused: {why}"), |heard| told(&heard))
}

#[test]
fn each_row_of_the_table_is_heard_so() {
    let mut text = String::new();
    for row in TABLE {
        for event in row.events {
            for action in if row.actions.is_empty() { &[""][..] } else { row.actions } {
                let body = match *event {
                    "pull_request" | "pull_request_target" => pull_request(action),
                    "repository_dispatch" => {
                        let typed = json!({ "command": "up", "repository": "acme/shop", "number": 42 });
                        dispatch(action, json!({ "cluster_name": "pr-shop-42", "berth": typed }))
                    }
                    "issue_comment" => comment("/berth up"),
                    "merge_group" => json!({
                        "action": action, "repository": repository(),
                        "merge_group": { "head_sha": SHA, "head_ref": "refs/heads/gh-readonly-queue/main/pr-1-x",
                                         "base_ref": "refs/heads/main" },
                    }),
                    _ => json!({}),
                };
                text += &format!("{event} {action}: {}\n", leads(event, &body));
            }
        }
    }
    assert_snapshot!(text, @r#"
    pull_request opened: look at acme/shop#42
    pull_request reopened: look at acme/shop#42
    pull_request synchronize: look at acme/shop#42
    pull_request ready_for_review: look at acme/shop#42
    pull_request converted_to_draft: look at acme/shop#42
    pull_request closed: look at acme/shop#42
    pull_request_target opened: look at acme/shop#42
    pull_request_target reopened: look at acme/shop#42
    pull_request_target synchronize: look at acme/shop#42
    pull_request_target ready_for_review: look at acme/shop#42
    pull_request_target converted_to_draft: look at acme/shop#42
    pull_request_target closed: look at acme/shop#42
    pull_request labeled: look at acme/shop#42, if preview is known, which may approve
    pull_request unlabeled: look at acme/shop#42, if preview is known
    pull_request_target labeled: look at acme/shop#42, if preview is known, which may approve
    pull_request_target unlabeled: look at acme/shop#42, if preview is known
    pull_request edited: nothing
    pull_request_target edited: nothing
    merge_group checks_requested: look at merge group 111111111111 of acme/shop
    merge_group destroyed: look at merge group 111111111111 of acme/shop
    repository_dispatch create_ephemeral_cluster: up pr-shop-42
    repository_dispatch provision_ephemeral_infrastructure: up pr-shop-42
    repository_dispatch delete_ephemeral_cluster: down pr-shop-42
    repository_dispatch destroy_ephemeral_infrastructure: down pr-shop-42
    repository_dispatch berth: up pr-shop-42
    issue_comment created: command on acme/shop#42: Ok(Up(None))
    schedule : sweep
    workflow_dispatch : as the inputs say
    "#);
}

#[test]
fn whatever_the_table_does_not_name_leads_to_nothing() {
    for action in ["assigned", "review_requested", "auto_merge_enabled", "locked", "enqueued", "teleported"] {
        assert_eq!(leads("pull_request", &pull_request(action)), "nothing", "{action}");
    }
    for event in ["push", "issues", "workflow_run", "release", "check_run", "deployment_status", "fork"] {
        assert_eq!(leads(event, &json!({ "action": "opened" })), "nothing", "{event}");
    }
    assert_eq!(leads("repository_dispatch", &dispatch("deploy", json!({}))), "nothing");
    let mut edited = comment("/berth down");
    edited["action"] = json!("edited");
    assert_eq!(leads("issue_comment", &edited), "nothing");
    let mut on_issue = comment("/berth down");
    on_issue["issue"] = json!({ "number": 42 });
    assert_eq!(leads("issue_comment", &on_issue), "nothing");
}

#[test]
fn an_edit_matters_only_where_the_base_has_changed() {
    let mut body = pull_request("edited");
    assert_eq!(leads("pull_request", &body), "nothing");
    body["changes"] = json!({ "title": { "from": "x" } });
    assert_eq!(leads("pull_request", &body), "nothing");
    body["changes"] = json!({ "base": { "ref": { "from": "main" } } });
    assert_eq!(leads("pull_request", &body), "look at acme/shop#42");
}

#[test]
fn a_dispatch_names_its_environment_in_the_words_of_old_or_in_berths() {
    let up = |payload: Value| leads("repository_dispatch", &dispatch("create_ephemeral_cluster", payload));
    let old =
        json!({ "pr_number": "42", "repository": "shop", "branch": "$(id)", "install_postgres": "true" });
    assert_eq!(up(old), "up pr-shop-42");
    assert_eq!(up(json!({ "pr_number": "42", "repository": "other/web" })), "up pr-web-42");
    let typed =
        |payload: Value| leads("repository_dispatch", &dispatch("berth", json!({ "berth": payload })));
    let ours = |command: &str, number: Value| json!({ "command": command, "repository": "other/web", "number": number });
    assert_eq!(typed(ours("up", json!(7))), "up pr-web-7");
    assert_eq!(typed(ours("down", json!("7"))), "down pr-web-7");
    let delete =
        json!({ "cluster_name": "pr-cks-backend-42", "pr_number": "42", "repository": "cks-backend" });
    assert_eq!(
        leads("repository_dispatch", &dispatch("delete_ephemeral_cluster", delete)),
        "down pr-cks-backend-42"
    );
    let destroy =
        dispatch("destroy_ephemeral_infrastructure", json!({ "cluster_name": "pr-cks-backend-42" }));
    assert_eq!(leads("repository_dispatch", &destroy), "down pr-cks-backend-42");
    let Ok(Heard::Asked { which, .. }) = heard("repository_dispatch", &destroy) else { panic!() };
    assert!(format!("{which:?}").contains("acme"), "the receiver's owner owns it: {which:?}");
}

#[test]
fn a_dispatch_that_is_hostile_or_contradicts_itself_is_refused() {
    let up = |payload: Value| leads("repository_dispatch", &dispatch("create_ephemeral_cluster", payload));
    let text: Vec<String> = [
        json!({}),
        json!({ "pr_number": "42" }),
        json!({ "pr_number": 42, "repository": "shop" }),
        json!({ "pr_number": "1; id", "repository": "shop" }),
        json!({ "pr_number": "42", "repository": "shop; rm -rf /" }),
        json!({ "pr_number": "42", "repository": "../shop" }),
        json!({ "pr_number": "42", "repository": "shop", "cluster_name": "pr-shop-43" }),
        json!({ "cluster_name": "PR-Shop-42" }),
        json!({ "cluster_name": ["pr-shop-42"] }),
        json!({ "pr_number": "42", "repository": "shop", "note": "x".repeat(70_000) }),
        (0..11).map(|n| (n.to_string(), json!(n))).collect(),
    ]
    .into_iter()
    .map(up)
    .chain(
        [
            json!(null),
            json!("acme/shop#42"),
            json!({}),
            json!({ "command": "up", "repository": "acme/shop", "number": -1 }),
            json!({ "command": "up", "repository": "shop", "number": 1 }),
            json!({ "command": "Up", "repository": "acme/shop", "number": 1 }),
            json!({ "command": "up", "repository": "acme/shop", "number": 1.5 }),
            json!({ "command": "down", "repository": ["acme/shop"], "number": 1 }),
        ]
        .into_iter()
        .map(|typed| leads("repository_dispatch", &dispatch("berth", json!({ "berth": typed })))),
    )
    .collect();
    assert!(text.iter().all(|told| told.starts_with("refused")), "{text:#?}");
    assert_snapshot!(text.join("\n"), @r#"
    refused: the payload of the dispatch names no environment: it has neither `repository` and `pr_number` nor `cluster_name`
    refused: the payload of the dispatch names no environment: of `repository` and `pr_number` it has one alone
    refused: the payload of the dispatch names no environment: `pr_number` is no text
    refused: the payload of the dispatch names no environment: "1; id" is no pull request number: a whole number from 1
    refused: the payload of the dispatch names no environment: "shop; rm -rf /" is no repository: owner/name, the owner of 1 to 39 letters, digits, '-' or '_', the name of 1 to 100 letters, digits, '-', '_' or '.'
    refused: the payload of the dispatch names no environment: "../shop" is no repository: owner/name, the owner of 1 to 39 letters, digits, '-' or '_', the name of 1 to 100 letters, digits, '-', '_' or '.'
    refused: the payload of the dispatch names no environment: acme/shop#42 is not called pr-shop-43
    refused: the payload of the dispatch names no environment: "PR-Shop-42" is no environment name: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit
    refused: the payload of the dispatch names no environment: `cluster_name` is no text
    refused: the payload of the dispatch names no environment: it is larger than 10 properties and 65535 bytes
    refused: the payload of the dispatch names no environment: it is larger than 10 properties and 65535 bytes
    refused: the payload of the dispatch names no environment: `berth` is missing
    refused: the payload of the dispatch names no environment: `berth` is missing
    refused: the payload of the dispatch names no environment: `berth.command` is missing
    refused: the payload of the dispatch names no environment: "-1" is no pull request number: a whole number from 1
    refused: the payload of the dispatch names no environment: "shop" is no repository: owner/name, the owner of 1 to 39 letters, digits, '-' or '_', the name of 1 to 100 letters, digits, '-', '_' or '.'
    refused: the payload of the dispatch names no environment: `berth.command` is neither up nor down
    refused: the payload of the dispatch names no environment: "1.5" is no pull request number: a whole number from 1
    refused: the payload of the dispatch names no environment: `repository` is no text
    "#);
}

#[test]
fn a_command_is_the_first_line_of_a_comment_and_nothing_else() {
    let said = |body: &str| match Command::parse(body) {
        None => "nothing".to_owned(),
        Some(Ok(command)) => format!("{command:?}"),
        Some(Err(not)) => not.to_string().split(';').next().unwrap().to_owned(),
    };
    let told: Vec<String> = [
        "/berth up",
        "/berth up\r\nplease",
        "  /berth up",
        "> /berth down",
        "```\n/berth down\n```",
        "please /berth down",
        "hello\n/berth down",
        "/berthing down",
        "/BERTH down",
        "/berth",
        "/berth Down",
        "/berth down now",
        "/berth extend 24h",
        "/berth extend 24",
        "/berth extend 0s",
        "/berth extend -1h",
        "/berth extend",
        "/berth retest",
        "/berth status",
        "/berth up 9f2c1ab",
        "/berth up 1111111111111111111111111111111111111111",
        "/berth up ; reboot",
        "/berth explode",
        "",
    ]
    .iter()
    .map(|body| format!("{body:?}: {}", said(body)))
    .collect();
    assert_snapshot!(told.join("\n"), @r#"
    "/berth up": Up(None)
    "/berth up\r\nplease": Up(None)
    "  /berth up": nothing
    "> /berth down": nothing
    "```\n/berth down\n```": nothing
    "please /berth down": nothing
    "hello\n/berth down": nothing
    "/berthing down": nothing
    "/BERTH down": nothing
    "/berth": no command follows
    "/berth Down": there is no such command
    "/berth down now": there are too many words
    "/berth extend 24h": Extend(Duration(24h))
    "/berth extend 24": "24" is no duration: it has no unit
    "/berth extend 0s": that is no time at all
    "/berth extend -1h": "-1h" is no duration: write it as 90s, 15m, 1h, 3d or 1d12h, of at most 3650d
    "/berth extend": it is not said how much longer
    "/berth retest": Retest
    "/berth status": Status
    "/berth up 9f2c1ab": a commit is named by its whole SHA
    "/berth up 1111111111111111111111111111111111111111": Up(Some(HeadSha("1111111111111111111111111111111111111111")))
    "/berth up ; reboot": there are too many words
    "/berth explode": there is no such command
    "": nothing
    "#);
}

proptest! {
    #[test]
    fn no_comment_makes_it_panic(body in ".{0,200}", tail in "(/berth [a-z ]{0,20}[0-9a-z]{0,41}.{0,9})?") {
        let _ = Command::parse(&body);
        let _ = Command::parse(&tail);
    }
}
