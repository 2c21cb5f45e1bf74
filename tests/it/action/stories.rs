//! From the pull request that is opened to the one that is closed, as its author and the workflow see it.

use super::bed::{APP, Bed, Event, sha};
use berth::rehearsal::{
    Server,
    example::{NUMBER, REPOSITORY},
    gate::Verdict,
    github::{Level, Opening, Permission},
};
use serde_json::json;
use std::fs;

#[test]
fn an_opened_pull_request_gets_its_environment_and_every_place_says_so() {
    let bed = Bed::new();
    let acted = bed.acts(&bed.opened());
    assert_eq!(acted.exit, 0, "{}", acted.log);
    assert_eq!(bed.deployed(), Some(sha('a')));
    let comment = bed.comment();
    assert!(comment.starts_with("<!-- berth v1 acme/shop#42 g1 -->\n### ✅ Ready"), "{comment}");
    assert_eq!(bed.statuses(&sha('a')).last().unwrap(), "success: Ready");
    assert_eq!((acted.output("outcome"), acted.output("name")), ("ready", "pr-shop-42"));
    assert_eq!(acted.output("addresses"), "192.168.1.140,192.168.1.141");
    let kubeconfig = fs::read_to_string(acted.output("kubeconfig-path")).unwrap();
    assert!(kubeconfig.contains("server:"), "{kubeconfig}");
    assert!(acted.summary.contains("### ✅ Ready") && acted.summary.contains("gantt"), "{}", acted.summary);
    let world = bed.world();
    let deployments = world.github.repository(REPOSITORY).unwrap().deployments();
    assert_eq!(deployments.len(), 1);
    assert_eq!(deployments[0].statuses.last().unwrap().state, "success");
}

#[test]
fn a_push_moves_environment_and_comment_and_a_close_begins_the_grace() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    let acted = bed.acts(&bed.pushed('b'));
    assert_eq!((acted.exit, bed.deployed()), (0, Some(sha('b'))), "{}", acted.log);
    assert!(bed.comment().contains("g2") && bed.comment().contains("`bbbbbbb`"), "{}", bed.comment());
    assert_eq!(bed.statuses(&sha('b')).last().unwrap(), "success: Ready");

    let acted = bed.acts(&bed.closed());
    assert_eq!((acted.exit, acted.output("outcome")), (0, "closing"), "{}", acted.log);
    assert!(bed.comment().contains("### ⏳ Closed · removed at"), "{}", bed.comment());
    assert_eq!(bed.deployed(), Some(sha('b')), "reopening keeps it");
    assert_eq!(bed.comments().len(), 1);
}

#[test]
fn removal_needs_neither_a_checkout_nor_what_the_app_says() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    for file in ["berth.yaml", "app.yaml"] {
        fs::remove_file(bed.path("checkout").join(file)).unwrap();
    }
    let down = bed.says("ada", "/berth down");
    let acted = bed.acts(&down);
    assert_eq!((acted.exit, acted.output("outcome")), (0, "removed"), "{}", acted.log);
    assert!(bed.comment().contains("### 🧹 Removed"), "{}", bed.comment());
    assert_eq!(bed.document("pr-shop-42/claim"), None, "{}", acted.log);
}

#[test]
fn what_was_closed_unheard_goes_with_the_sweep() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    bed.closed();
    let platform = fs::read_to_string(bed.path("platform.yaml")).unwrap().replace("grace: 1h", "grace: 0s");
    fs::write(bed.path("platform.yaml"), platform).unwrap();
    let swept = bed.acts(&Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_eq!(swept.exit, 0, "{}", swept.log);
    assert!(
        swept.log.contains("remove  acme/shop#42  closed, and there is no grace -> removed"),
        "{}",
        swept.log
    );
    assert_eq!(bed.document("pr-shop-42/claim"), None, "{}", swept.log);
    assert!(swept.summary.contains("### Swept: 1 removed, of 1"), "{}", swept.summary);
    assert!(bed.comment().contains("### 🧹 Removed"), "{}", bed.comment());
}

/// GitHub.md 7.12.
#[test]
fn one_environment_that_may_not_be_deleted_does_not_keep_the_sweep_from_the_others_and_it_is_red() {
    let bed = Bed::new();
    let first = bed.opened();
    let second = bed.happens(|world| {
        world.github.open(REPOSITORY, Opening::new("ada", "other", &sha('c'))).unwrap();
    });
    for (event, name) in [(&first, "one"), (&second, "two")] {
        // All environments of this world are on one server, so each has an object of its own.
        bed.writes("app.yaml", &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"));
        assert_eq!(bed.acts(event).output("outcome"), "ready");
    }
    for number in [42, 43] {
        bed.happens(|world| world.github.close(REPOSITORY, number, "ada").unwrap());
    }
    let platform = fs::read_to_string(bed.path("platform.yaml")).unwrap().replace("grace: 1h", "grace: 0s");
    fs::write(bed.path("platform.yaml"), platform).unwrap();
    bed.served.gate.rule(|request| {
        let deletes = request.server == Server::Kubernetes && request.method == "DELETE";
        let no = json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"});
        let refused = deletes && request.path.iter().any(|part| part == "pr-shop-42");
        if refused { Verdict::json(403, &no) } else { Verdict::Pass }
    });
    let swept = bed.acts(&Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_ne!(swept.exit, 0, "{}", swept.log);
    assert!(bed.document("pr-shop-42/claim").is_some(), "{}", swept.log);
    assert_eq!(bed.document("pr-shop-43/claim"), None, "{}", swept.log);
    assert!(
        swept.summary.contains("remove  acme/shop#43  closed, and there is no grace -> removed"),
        "{}",
        swept.summary
    );
}

#[test]
fn a_sweep_that_cannot_read_removes_nothing_and_is_red() {
    let bed = Bed::new();
    bed.acts(&bed.opened());
    bed.closed();
    bed.served.gate.rule(|request| {
        let reads = request.server == Server::GitHub;
        let no = json!({"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"});
        // As for another repository's token.
        if reads { Verdict::json(404, &no) } else { Verdict::Pass }
    });
    let swept = bed.acts(&Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert_eq!(swept.exit, 4, "{}", swept.log);
    assert_eq!(bed.deployed(), Some(sha('a')));
}

#[test]
fn an_event_that_leads_to_nothing_says_so_and_asks_nobody() {
    let bed = Bed::new();
    let mut assigned = bed.opened();
    assigned.body["action"] = json!("assigned");
    let before = bed.served.gate.log().len();
    let acted = bed.acts(&assigned);
    assert_eq!((acted.exit, acted.output("outcome")), (0, "nothing"), "{}", acted.log);
    assert!(
        acted.summary.contains("nothing follows from `pull_request` of the type `assigned`"),
        "{}",
        acted.summary
    );
    assert_eq!(bed.served.gate.log().len(), before, "not one request");
}

#[test]
fn a_label_that_no_setting_names_changes_nothing_and_one_that_opts_in_brings_it_up() {
    let bed = Bed::of(&format!("{APP}filter: {{labels: [preview]}}\n"));
    let opened = bed.acts(&bed.opened());
    assert_eq!((opened.exit, opened.output("outcome")), (0, "nothing"), "{}", opened.log);
    assert!(bed.comments().is_empty());
    assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("success"));
    let label =
        |name: &str| bed.happens(|world| world.github.label(REPOSITORY, NUMBER, "ada", name).unwrap());
    let other = bed.acts(&label("bug"));
    assert_eq!((other.output("outcome"), bed.deployed()), ("nothing", None), "{}", other.log);
    let preview = bed.acts(&label("preview"));
    assert_eq!((preview.output("outcome"), bed.deployed()), ("ready", Some(sha('a'))), "{}", preview.log);
    let away = bed.happens(|world| world.github.unlabel(REPOSITORY, NUMBER, "ada", "preview").unwrap());
    let acted = bed.acts(&away);
    assert_eq!(acted.output("outcome"), "closing");
    // It is open, and so nobody is told that it is closed.
    assert!(bed.comment().contains("### ⏳ Not wanted any more · removed at"), "{}", bed.comment());
    assert!(
        bed.comment().contains("`filter.labels` asks for one of the labels preview"),
        "{}",
        bed.comment()
    );
    let swept = bed.acts(&Event::new("schedule", json!({"schedule": "17 * * * *"})));
    assert!(swept.log.contains("keep"), "{}", swept.log);
    let claim = bed.document("pr-shop-42/claim").unwrap();
    assert!(claim["state"]["closed-at"].is_string(), "its grace goes on: {claim}");
}

#[test]
fn a_wrong_configuration_is_told_on_the_pull_request_and_fails_the_job() {
    let bed = Bed::of("version: 1\ndeplyo: {}\n");
    let acted = bed.acts(&bed.opened());
    assert_eq!(acted.exit, 2, "{}", acted.log);
    assert!(
        bed.comment().contains("### ❌ Refused") && bed.comment().contains("did you mean `deploy`"),
        "{}",
        bed.comment()
    );
    assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("failure"));
    assert!(acted.summary.contains("did you mean"), "{}", acted.summary);
}

#[test]
fn a_world_that_cannot_be_read_is_an_error_on_the_commit_and_exit_4() {
    let bed = Bed::new().with("VAULT_TOKEN", "hvs.wrong");
    let acted = bed.acts(&bed.opened());
    assert_eq!(acted.exit, 4, "{}", acted.log);
    assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("error"));
    assert!(acted.summary.contains("Unknown"), "{}", acted.summary);
    assert_eq!(bed.deployed(), None);
}

#[test]
fn a_token_that_may_only_read_leaves_the_summary_and_the_log_names_what_is_missing() {
    let bed = Bed::new();
    {
        let grant = berth::rehearsal::github::Grant::workflow(REPOSITORY)
            .may(Permission::Contents, Level::Read)
            .may(Permission::PullRequests, Level::Read);
        bed.world().github.add_token(super::bed::TOKEN, grant);
    }
    let acted = bed.acts(&bed.opened());
    assert_eq!(
        (acted.exit, acted.output("outcome"), bed.deployed()),
        (0, "ready", Some(sha('a'))),
        "{}",
        acted.log
    );
    for permission in ["statuses: write", "pull-requests: write", "deployments: write"] {
        assert!(acted.log.contains(permission), "{permission}:\n{}", acted.log);
    }
    assert!(acted.summary.contains("Ready"));
}

#[test]
fn github_that_does_not_answer_fails_no_run_that_needs_it_no_more() {
    let bed = Bed::new();
    bed.served.gate.rule(|request| {
        let tells = request.server == Server::GitHub && request.mutates();
        if tells { Verdict::json(503, &json!({"message": "unavailable"})) } else { Verdict::Pass }
    });
    let acted = bed.acts(&bed.opened());
    assert_eq!((acted.exit, bed.deployed()), (0, Some(sha('a'))), "{}", acted.log);
}

#[test]
fn a_merge_group_has_an_environment_as_long_as_its_branch_is_there() {
    let bed = Bed::new();
    // A group is of no one pull request.
    bed.writes(
        "app.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {commit: \"${HEAD_SHA}\"}\n",
    );
    let queued = bed.happens(|world| world.github.enqueue(REPOSITORY, NUMBER, "ada").unwrap());
    assert_eq!(queued.name, "merge_group");
    let head = queued.body["merge_group"]["head_sha"].as_str().unwrap().to_owned();
    let acted = bed.acts(&queued);
    assert_eq!((acted.exit, acted.output("outcome")), (0, "ready"), "{}", acted.log);
    assert_eq!(bed.statuses(&head).last().unwrap(), "success: Ready");
    assert_eq!(bed.deployed(), Some(head));
    let mut over = queued;
    over.body["action"] = json!("destroyed");
    let branch =
        over.body["merge_group"]["head_ref"].as_str().unwrap().trim_start_matches("refs/heads/").to_owned();
    bed.world().github.change(REPOSITORY).unwrap().branches.remove(&branch);
    assert_eq!(bed.acts(&over).output("outcome"), "closing");
}

#[test]
fn a_dispatch_of_the_workflows_of_old_brings_up_and_takes_down() {
    let bed = Bed::new();
    let dispatch = |kind: &str, payload| {
        let repository = json!({"id": bed.opened().body["repository"]["id"], "full_name": REPOSITORY});
        Event::new(
            "repository_dispatch",
            json!({
                "action": kind, "client_payload": payload, "repository": repository, "sender": {"login": "ada"},
            }),
        )
    };
    bed.checked_out(&sha('a'));
    let payload =
        json!({"pr_number": "42", "repository": "shop", "branch": "$(id)", "install_postgres": "true"});
    let acted = bed.acts(&dispatch("create_ephemeral_cluster", payload));
    assert_eq!((acted.exit, bed.deployed()), (0, Some(sha('a'))), "{}", acted.log);
    let delete = json!({"cluster_name": "pr-shop-42", "pr_number": "42", "repository": "shop"});
    bed.closed();
    let acted = bed.acts(&dispatch("delete_ephemeral_cluster", delete));
    assert_eq!(acted.output("outcome"), "closing", "{}", acted.log);
    let other = bed.acts(&dispatch("deploy", json!({})));
    assert_eq!((other.exit, other.output("outcome")), (0, "nothing"), "{}", other.log);
    let hostile =
        bed.acts(&dispatch("create_ephemeral_cluster", json!({"pr_number": "1; id", "repository": "shop"})));
    assert_eq!(hostile.exit, 2, "{}", hostile.log);
    let foreign = bed
        .acts(&dispatch("create_ephemeral_cluster", json!({"pr_number": "1", "repository": "other/shop"})));
    assert_eq!(foreign.exit, 2, "{}", foreign.log);
    assert!(foreign.log.contains("github.repositories"), "{}", foreign.log);
}

#[test]
fn results_that_another_job_hands_in_decide() {
    let bed = Bed::of(&format!("{APP}tests: {{report: cypress}}\n"));
    let opened = bed.opened();
    let acted = bed.acts(&opened);
    assert_eq!((acted.exit, acted.output("outcome")), (0, "awaiting-tests"), "{}", acted.log);
    assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("pending"));
    let hand_in = |junit: &str| {
        bed.writes("results/cart.xml", junit);
        bed.reports(&opened, "results/*.xml")
    };
    let red = "<testsuite name=\"cart\"><testcase name=\"adds an item\" file=\"cart.cy.ts\" line=\"31\">\
               <failure message=\"expected 1, got 0\"/></testcase><testcase name=\"opens\"/></testsuite>";
    let acted = hand_in(red);
    assert_eq!((acted.exit, acted.output("outcome")), (1, "tests-failed"), "{}", acted.log);
    assert_eq!((acted.output("tests-passed"), acted.output("tests-failed")), ("1", "1"));
    assert!(
        bed.comment().contains("### ❌ 1 test failed") && bed.comment().contains("adds an item"),
        "{}",
        bed.comment()
    );
    assert_eq!(bed.statuses(&sha('a')).last().unwrap().split(':').next(), Some("failure"));
    {
        let world = bed.world();
        let checks = world.github.repository(REPOSITORY).unwrap().checks();
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].annotations.len(), 1, "{:#?}", checks[0]);
    }
    let green =
        "<testsuite name=\"cart\"><testcase name=\"adds an item\"/><testcase name=\"opens\"/></testsuite>";
    let acted = hand_in(green);
    assert_eq!((acted.exit, acted.output("outcome")), (0, "ready"), "{}", acted.log);
    assert!(
        bed.comment().contains("### ✅ Ready") && bed.comment().contains("**2 passed**"),
        "{}",
        bed.comment()
    );
    let nothing = {
        fs::remove_file(bed.path("checkout/results/cart.xml")).unwrap();
        bed.reports(&opened, "results")
    };
    assert_eq!(
        (nothing.exit, nothing.output("outcome")),
        (1, "tests-failed"),
        "no JUnit is no success: {}",
        nothing.log
    );
}

/// As in app.yml, whose job `report` runs behind a red one, too.
#[test]
fn results_make_nothing_good_that_does_not_stand() {
    let bed = Bed::of(&format!("{APP}tests: {{report: cypress}}\n"));
    let opened = bed.opened();
    bed.writes("app.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: Shop}\nspec: {containers: []}\n");
    let failed = bed.acts(&opened);
    assert_ne!(failed.exit, 0, "{}", failed.log);
    assert_eq!(failed.output("url"), "");
    let (comment, statuses) = (bed.comment(), bed.statuses(&sha('a')));
    for junit in ["<testsuite><testcase name=\"x\"/></testsuite>", ""] {
        bed.writes("r.xml", junit);
        let acted = bed.reports(&opened, "r.xml");
        assert_eq!((acted.exit, acted.output("outcome")), (0, "nothing"), "{}", acted.log);
        assert!(acted.summary.contains("does not stand"), "{}", acted.summary);
    }
    assert_eq!((bed.comment(), bed.statuses(&sha('a'))), (comment, statuses));
}

#[test]
fn results_of_an_older_commit_judge_nothing() {
    let bed = Bed::of(&format!("{APP}tests: {{report: cypress}}\n"));
    let old = bed.opened();
    bed.acts(&old);
    bed.acts(&bed.pushed('b'));
    bed.writes("r.xml", "<testsuite><testcase name=\"x\"><failure message=\"no\"/></testcase></testsuite>");
    let acted = bed.reports(&old, "r.xml");
    assert_eq!((acted.exit, acted.output("outcome")), (0, "nothing"), "{}", acted.log);
    assert_eq!(bed.statuses(&sha('b')).last().unwrap().split(':').next(), Some("pending"));
}

#[test]
fn inputs_that_are_wrong_are_named() {
    for (variable, value, says) in [
        ("BERTH_COMMAND", "destroy", "input `command`: \"destroy\" is none of auto, sweep, up, down, report"),
        ("BERTH_COMMAND", "report", "input `junit`"),
        ("BERTH_ENVIRONMENT", "acme/shop", "input `environment`"),
        ("BERTH_NAME", "a\u{7}b", "input `name`"),
    ] {
        let bed = Bed::new().with(variable, value);
        let acted = bed.acts(&bed.opened());
        assert_eq!(acted.exit, 2, "{}", acted.log);
        assert!(acted.log.contains(says), "{says}:\n{}", acted.log);
        assert!(acted.summary.contains("Refused"), "{}", acted.summary);
        assert!(bed.statuses(&sha('a')).last().unwrap().starts_with("failure: Refused"), "{variable}");
    }
}

/// The one that a branch requires, and no second one that nobody ever turns green.
#[test]
fn what_goes_wrong_behind_the_settings_is_told_in_the_status_that_they_name() {
    let bed = Bed::new();
    let platform = std::fs::read_to_string(bed.path("platform.yaml")).unwrap();
    let github = "github: {status: preview, repositories: [other/*]}\n";
    std::fs::write(bed.path("platform.yaml"), format!("{platform}{github}")).unwrap();
    let acted = bed.acts(&bed.opened());
    assert_eq!(acted.exit, 2, "{}", acted.log);
    let world = bed.world();
    let contexts: Vec<_> = world
        .github
        .repository(REPOSITORY)
        .unwrap()
        .statuses()
        .iter()
        .map(|one| one.context.clone())
        .collect();
    assert_eq!(contexts, ["preview"]);
}

#[test]
fn repositories_are_served_in_whatever_case_their_owner_is_written() {
    let bed = Bed::new();
    let platform = std::fs::read_to_string(bed.path("platform.yaml")).unwrap();
    std::fs::write(bed.path("platform.yaml"), format!("{platform}github: {{repositories: [Acme/*]}}\n"))
        .unwrap();
    let acted = bed.acts(&bed.opened());
    assert_eq!((acted.exit, acted.output("outcome")), (0, "ready"), "{}", acted.log);
}
