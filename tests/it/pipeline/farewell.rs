//! What is told of an environment once it is gone: its receipt, and its history.

use super::{
    bed::{Bed, holder},
    lives::kill_at,
};
use crate::bed::ROOT;
use berth::{
    domain::{
        history::{History, Life},
        intent::Occasion,
        report::{Outcome, Report},
    },
    engine::Mode,
    rehearsal::gate::Verdict,
    reporters::markdown::{Beside, body},
};
use regex::Regex;
use serde_json::{Value, json};

/// What the history tells.
fn lives(bed: &Bed) -> Vec<Life> {
    let world = bed.world();
    let Some(document) = world.vault.document(&format!("{ROOT}/{}/history", holder().name())) else {
        return Vec::new();
    };
    History::of(document.clone()).unwrap().lives().to_vec()
}

/// What was seen gone, and how; what goes side by side, in no order.
fn rows(receipt: &[berth::domain::claim::Gone]) -> String {
    let mut rows: Vec<String> =
        receipt.iter().map(|gone| format!("{}: {}\n", gone.what, gone.proof)).collect();
    rows.sort();
    rows.concat()
}

/// Without what players name after uids.
fn plain(text: &str) -> String {
    let names = Regex::new(r"cp-[a-z0-9]{5}\b|proxmox://[0-9a-f-]+|[0-9]{2}:[0-9]{2}:[0-9]{2}").unwrap();
    names.replace_all(text, "#").into_owned()
}

fn comment(bed: &Bed, report: &Report) -> String {
    let body = plain(&body(report, bed.clock.now(), &Beside::default()));
    // What goes side by side is told in the order in which it was seen.
    let (mut rows, mut rest): (Vec<&str>, Vec<&str>) = body.lines().partition(|line| line.starts_with("| `"));
    rows.sort();
    rest.extend(rows);
    rest.join("\n")
}

#[test]
fn after_a_down_the_comment_tells_what_is_gone_and_at_its_end_that_all_of_it_is() {
    let bed = Bed::new();
    bed.up("one");
    bed.sweep("sweep", Mode::Do).unwrap();
    bed.close();
    let cooling = bed.run("two", Occasion::Event).unwrap();
    insta::assert_snapshot!(comment(&bed, &cooling), @r#"
    <!-- berth v1 acme/shop#42 g2 -->
    ### 🧹 Removed · nothing left

    | gone | seen at | proof |
    |---|---|---|
    | `192.168.1.140`, `.141` | | cooling, free at 00:10 UTC |
    | `Cluster pr-shop-42` | # | `not in a complete list` |
    | `Machine pr-shop-42-# (#)` | # | `none in a complete list` |
    | `Namespace pr-shop-42` | # | `not in a complete list` |
    | `ProxmoxCluster pr-shop-42`, `KThreesControlPlane pr-shop-42-cp`, `ProxmoxMachineTemplate pr-shop-42-cp-mt` | # | `not in a complete list` |
    | `Vault token` | # | `revoked` |
    | `kubeconfig` | # | `removed from the store` |
    | `merged kubeconfig` | # | `no entry of its name` |
    | `pr-42-shop.preview.example.com` | # | `NXDOMAIN, 1 of 1 server` |
    "#);
    bed.pass(601);
    let freed = bed.run("three", Occasion::Sweep).unwrap();
    insta::assert_snapshot!(comment(&bed, &freed), @r#"
    <!-- berth v1 acme/shop#42 g3 -->
    ### 🧹 Removed · nothing left

    | gone | seen at | proof |
    |---|---|---|
    | `192.168.1.140`, `.141` | # | `cooled 10 min, freed` |
    | `Cluster pr-shop-42` | # | `not in a complete list` |
    | `Machine pr-shop-42-# (#)` | # | `none in a complete list` |
    | `Namespace pr-shop-42` | # | `not in a complete list` |
    | `ProxmoxCluster pr-shop-42`, `KThreesControlPlane pr-shop-42-cp`, `ProxmoxMachineTemplate pr-shop-42-cp-mt` | # | `not in a complete list` |
    | `Vault token` | # | `revoked` |
    | `kubeconfig` | # | `removed from the store` |
    | `merged kubeconfig` | # | `no entry of its name` |
    | `pr-42-shop.preview.example.com` | # | `NXDOMAIN, 1 of 1 server` |
    "#);
    bed.unbroken();
}

#[test]
fn closed_removed_and_freed_it_leaves_one_life_with_its_receipt() {
    let bed = Bed::new();
    bed.up("one");
    assert_eq!(lives(&bed), [], "it lives");
    bed.close();
    bed.run("two", Occasion::Event).unwrap();
    assert_eq!(lives(&bed), [], "it may come back");
    bed.pass(601);
    let report = bed.run("three", Occasion::Sweep).unwrap();
    let [life] = &lives(&bed)[..] else { panic!("{:#?}", lives(&bed)) };
    assert_eq!(life.receipt, report.receipt);
    assert_eq!(life.holder, holder());
    assert_eq!(life.why, "closed");
    let passed: Vec<&str> = life.passed.iter().map(|passed| passed.to.as_str()).collect();
    assert_eq!(passed, ["draining", "cooling"], "its grace is none here");
    let last = life.last.as_ref().unwrap();
    assert_eq!((last.outcome.as_str(), last.phases.len()), ("ready", 9));
    assert_eq!(life.addresses.len(), 2);
    insta::assert_snapshot!(plain(&rows(&life.receipt)), @r#"
    192.168.1.140, 192.168.1.141: cooled 10 min, freed
    Cluster pr-shop-42: not in a complete list
    Machine pr-shop-42-# (#): none in a complete list
    Namespace pr-shop-42: not in a complete list
    ProxmoxCluster pr-shop-42, KThreesControlPlane pr-shop-42-cp, ProxmoxMachineTemplate pr-shop-42-cp-mt: not in a complete list
    Vault token: revoked
    kubeconfig: removed from the store
    merged kubeconfig: no entry of its name
    pr-42-shop.preview.example.com: NXDOMAIN, 1 of 1 server
    "#);
    bed.unbroken();
}

#[test]
fn what_argo_cd_was_handed_is_on_the_receipt() {
    let bed = Bed::entitled();
    bed.up("one");
    bed.end();
    insta::assert_snapshot!(plain(&rows(&lives(&bed)[0].receipt)), @r#"
    192.168.1.140, 192.168.1.141: cooled 10 min, freed
    Argo CD's Application shop-42: not in a complete list
    Argo CD's registration berth-pr-shop-42: 404
    Cluster pr-shop-42: not in a complete list
    Machine pr-shop-42-# (#): none in a complete list
    Namespace pr-shop-42: not in a complete list
    ProxmoxCluster pr-shop-42, KThreesControlPlane pr-shop-42-cp, ProxmoxMachineTemplate pr-shop-42-cp-mt: not in a complete list
    Vault token: revoked
    kubeconfig: removed from the store
    merged kubeconfig: no entry of its name
    "#);
}

/// Nobody within could be told to take it away.
fn goes_and_keeps_its_name(bed: &Bed) -> Report {
    bed.up("one");
    bed.close();
    bed.served.gate.rule(|request| match request.server {
        berth::rehearsal::Server::Environment if request.method == "DELETE" => Verdict::json(403, &json!({})),
        _ => Verdict::Pass,
    });
    let report = bed.run_beside("two", Occasion::Event).unwrap();
    bed.served.gate.open();
    report
}

#[test]
fn a_name_that_could_not_be_seen_gone_from_within_is_on_the_receipt_once_it_was_seen_from_outside() {
    let bed = Bed::new();
    let cooling = goes_and_keeps_its_name(&bed);
    let of = |report: &Report| report.receipt.iter().find(|gone| gone.what.contains("preview")).cloned();
    assert_eq!(of(&cooling), None, "{cooling:#?}");
    assert!(comment(&bed, &cooling).contains("not all of it could be verified"), "{cooling:#?}");
    bed.withdraw("pr-42-shop.preview.example.com");
    bed.pass(601);
    let freed = bed.run("three", Occasion::Sweep).unwrap();
    assert_eq!(of(&freed).unwrap().proof, "NXDOMAIN, 1 of 1 server");
    assert!(comment(&bed, &freed).contains("nothing left"));
    bed.unbroken();
}

#[test]
fn a_name_that_nobody_takes_away_keeps_the_addresses_and_each_sweep_says_so_until_it_is_gone() {
    let bed = Bed::new();
    goes_and_keeps_its_name(&bed);
    let of = |name: &str| bed.world().vault.document(&format!("{ROOT}/{name}")).cloned().unwrap_or_default();
    let (measured, pool) = (of("berth/measured"), of("ip-allocations"));
    for run in ["three", "four", "five"] {
        bed.pass(1801);
        let swept = bed.sweep(run, Mode::Do).unwrap();
        let [report] = swept.ended.values().collect::<Vec<_>>()[..] else { panic!("{swept:#?}") };
        let Some(Outcome::Failed { step, why }) = &report.outcome else { panic!("{report:#?}") };
        assert_eq!(step.as_str(), "dns");
        assert!(why.contains("pr-42-shop.preview.example.com") && why.contains("by hand"), "{why}");
        let comment = comment(&bed, report);
        assert!(comment.contains("Not removed: `dns`") && !comment.contains("nothing left"), "{comment}");
        assert_eq!((of("berth/measured"), of("ip-allocations")), (measured.clone(), pool.clone()));
    }
    assert!(of("berth/sweep")["stuck"].as_object().unwrap().contains_key("pr-shop-42"));
    bed.withdraw("pr-42-shop.preview.example.com");
    bed.pass(601);
    let freed = bed.run("six", Occasion::Sweep).unwrap();
    assert_eq!(freed.outcome, Some(Outcome::Removed { free_at: None }), "{freed:#?}");
    bed.unbroken();
}

#[test]
fn killed_anywhere_on_its_last_way_it_leaves_one_life() {
    for how in [Verdict::DieBefore, Verdict::DieAfter] {
        for k in 1.. {
            let bed = Bed::standing();
            bed.close();
            bed.run("two", Occasion::Event).unwrap();
            bed.pass(601);
            kill_at(&bed, k, &how);
            let killed = bed.run("dies", Occasion::Sweep).is_none();
            bed.served.gate.open();
            bed.run("again", Occasion::Sweep).unwrap();
            let lives = lives(&bed);
            assert_eq!(lives.len(), 1, "{how:?} at {k}: {lives:#?}");
            assert_eq!(
                lives[0].receipt.last().unwrap().what,
                "192.168.1.140, 192.168.1.141",
                "{how:?} at {k}"
            );
            if !killed {
                assert!(k > 5, "the last way has more than {k} mutating requests");
                break;
            }
        }
    }
}

#[test]
fn reopened_after_its_end_it_leaves_a_life_of_its_own_each_time() {
    let bed = Bed::standing();
    bed.end();
    bed.reopen();
    bed.up("again");
    bed.end();
    each_its_own(&lives(&bed));
}

#[test]
fn reopened_while_it_is_freed_its_life_is_told_before_the_next_begins_and_while_it_cools_it_is_the_same_one()
{
    let mut states = Vec::new();
    for k in 1..=3 {
        let bed = Bed::standing();
        bed.close();
        bed.run("two", Occasion::Event).unwrap();
        bed.pass(601);
        kill_at(&bed, k, &Verdict::DieAfter);
        assert!(bed.run("dies", Occasion::Sweep).is_none(), "at {k}");
        bed.served.gate.open();
        let claim = bed.world().vault.document(&format!("{ROOT}/pr-shop-42/claim")).unwrap().clone();
        let state = claim["state"]["is"].as_str().unwrap().to_owned();
        bed.reopen();
        bed.up("again");
        let told = usize::from(state == "freeing");
        assert_eq!(lives(&bed).len(), told, "{state}, at {k}");
        bed.end();
        assert_eq!(lives(&bed).len(), told + 1, "{state}, at {k}");
        if told == 1 {
            each_its_own(&lives(&bed));
        }
        states.push(state);
    }
    assert_eq!(states, ["cooling", "freeing", "freeing"]);
}

fn each_its_own(lives: &[Life]) {
    let [one, other] = lives else { panic!("{lives:#?}") };
    assert_ne!(one.uid, other.uid);
    assert!(one.ended <= other.created, "{lives:#?}");
    assert!(other.last.as_ref().is_none_or(|last| last.at >= other.created), "{lives:#?}");
}

#[test]
fn as_long_as_its_history_cannot_be_read_a_claim_does_not_end_and_its_addresses_are_free() {
    let bed = Bed::standing();
    let (history, pool) = (format!("{ROOT}/pr-shop-42/history"), format!("{ROOT}/ip-allocations"));
    bed.close();
    bed.run("two", Occasion::Event).unwrap();
    let Value::Object(broken) = json!({"lives": "none"}) else { unreachable!() };
    bed.world().vault.put(&history, broken);
    bed.pass(601);
    let report = bed.run("three", Occasion::Sweep).unwrap();
    let Some(Outcome::Unknown { why, .. }) = &report.outcome else { panic!("{report:#?}") };
    assert!(why.contains("its history could not be written") && why.contains("correct its"), "{why}");
    let claim = format!("{ROOT}/pr-shop-42/claim");
    assert_eq!(bed.world().vault.document(&claim).unwrap()["state"]["is"], "freeing");
    assert_eq!(bed.world().vault.document(&pool).unwrap().get("192.168.1.140"), None);
    bed.world().vault.put(&history, serde_json::Map::new());
    let report = bed.run("four", Occasion::Sweep).unwrap();
    assert_eq!(report.outcome, Some(Outcome::Removed { free_at: None }), "{report:#?}");
    assert_eq!(lives(&bed).len(), 1);
    bed.unbroken();
}

#[test]
fn no_secret_is_in_a_receipt_or_a_history() {
    let bed = Bed::standing();
    let secrets: Vec<String> = {
        let world = bed.world();
        let kubeconfig =
            world.vault.document(&format!("{ROOT}/pr-shop-42/kubeconfig")).unwrap()["value"].clone();
        let accessor =
            world.vault.document(&format!("{ROOT}/pr-shop-42/vault-token")).unwrap()["accessor"].clone();
        let given = world.vault.document("ephemeral-clusters/pr-shop-42/secrets").unwrap().clone();
        let texts = given.values().chain([&accessor]).filter_map(Value::as_str);
        let credentials = berth::domain::kubeconfig::credentials(kubeconfig.as_str().unwrap()).unwrap();
        texts.map(str::to_owned).chain(credentials).collect()
    };
    assert!(secrets.len() > 2, "{secrets:?}");
    bed.close();
    let cooling = bed.run("two", Occasion::Event).unwrap();
    bed.pass(601);
    let freed = bed.run("three", Occasion::Sweep).unwrap();
    let history = bed.world().vault.document(&format!("{ROOT}/pr-shop-42/history")).unwrap().clone();
    let told = [json!(cooling), json!(freed), json!(history)].map(|told| told.to_string()).concat();
    assert!(told.contains("NXDOMAIN"));
    assert_eq!(secrets.iter().find(|secret| told.contains(secret.as_str())), None);
}
