//! The six rules that carry the correctness, one test each, as far as they reach without a cluster. What depends on the
//! order of requests is searched in `model`; here each rule is seen once, plainly.

use crate::{
    bed::ROOT,
    lifecycle::{COOLING, Stage, pull},
};
use berth::{
    domain::{
        holder::{Holder, PullRequest},
        intent::{Occasion, Then, Wanted},
    },
    engine::{Given, Holding, Opened, Released},
    rehearsal::gate::Verdict,
};
use serde_json::{Value, json};

fn pool(stage: &Stage) -> serde_json::Map<String, Value> {
    stage.bed.world().vault.document(&format!("{ROOT}/ip-allocations")).cloned().unwrap_or_default()
}

fn state(stage: &Stage, number: u64) -> Option<String> {
    let world = stage.bed.world();
    let claim = world.vault.document(&format!("{ROOT}/{}/claim", pull(number).name()))?;
    Some(claim.get("state")?["is"].as_str()?.to_owned())
}

async fn opened(stage: &Stage, run: &str) -> (berth::engine::Protocol, berth::documents::claims::Fence) {
    let engine = stage.engine(run);
    match engine.open(&pull(1), Occasion::Event, async |_| Ok(Wanted::Up(None))).await.unwrap() {
        Opened::Taken(fence, Then::Up) => (engine, fence),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rule_1_claim_before_create_the_first_thing_written_is_the_claim() {
    let stage = Stage::start().await;
    stage.set_open(1, true);
    stage.run("up", 1, Occasion::Event).await;
    let log = stage.bed.gate().log();
    let written: Vec<&str> = log
        .iter()
        .filter(|line| line.contains(" POST "))
        .filter_map(|line| line.rsplit('/').next())
        .collect();
    assert_eq!(written, ["claim", "ip-allocations", "claim"]);
}

#[test]
fn rule_2_names_are_functions_of_the_environment_however_it_is_spelled() {
    let name = |text: &str| Holder::PullRequest(text.parse::<PullRequest>().unwrap()).name();
    assert_eq!(name("Acme/Shop#42"), name("acme/shop#42"));
    assert_eq!(name("acme/my.app#42"), name("acme/My.App#42"));
}

#[tokio::test]
async fn rule_3_the_world_decides_and_a_late_run_of_an_old_event_cannot_win() {
    let stage = Stage::start().await;
    let (early, mut old_fence) = opened(&stage, "early").await;
    let (late, mut new_fence) = opened(&stage, "late").await;
    assert_eq!(early.pools.hold(&mut old_fence, &Default::default()).await.unwrap(), Holding::Superseded);
    assert!(!pool(&stage).values().any(|holder| holder == "pr-shop-1"), "and it has written nothing");
    assert!(matches!(late.pools.hold(&mut new_fence, &Default::default()).await.unwrap(), Holding::Held(_)));
}

#[tokio::test]
async fn rule_4_free_last_the_addresses_stay_taken_until_they_have_cooled() {
    let stage = Stage::start().await;
    stage.set_open(1, true);
    stage.run("up", 1, Occasion::Event).await;
    let held = pool(&stage);
    stage.set_open(1, false);
    assert_eq!(stage.run("close", 1, Occasion::Event).await.as_deref(), Some("cooling"));
    assert_eq!((pool(&stage), state(&stage, 1).as_deref()), (held.clone(), Some("cooling")));
    stage.bed.pass(COOLING - 1);
    stage.run("early", 1, Occasion::Sweep).await;
    assert_eq!((pool(&stage), state(&stage, 1).as_deref()), (held, Some("cooling")), "one second too early");
    stage.bed.pass(1);
    let before = stage.bed.gate().log().len();
    assert_eq!(stage.run("sweep", 1, Occasion::Sweep).await.as_deref(), Some("gone"));
    let log = stage.bed.gate().log();
    let written: Vec<&str> = log[before..]
        .iter()
        .filter(|line| line.contains(" POST "))
        .filter_map(|line| line.split_once("/v1/kv/").map(|(_, path)| path))
        .map(|path| path.trim_start_matches("data/").trim_start_matches("ephemeral-clusters/"))
        .collect();
    // Taken, `freeing`, the pool, then the claim itself: its tombstone and the deletion of that.
    insta::assert_snapshot!(written.join("\n"), @r"
    pr-shop-1/claim
    pr-shop-1/claim
    ip-allocations
    pr-shop-1/claim
    delete/ephemeral-clusters/pr-shop-1/claim
    ");
    assert_eq!(state(&stage, 1), None);
}

#[tokio::test]
async fn rule_5_unknown_is_not_absent_an_outage_creates_nothing() {
    let stage = Stage::start().await;
    stage.set_open(1, true);
    let before = stage.canonical();
    stage.bed.gate().rule(|request| {
        if request.mutates() {
            Verdict::Pass
        } else {
            Verdict::json(503, &json!({"errors": ["Vault is sealed"]}))
        }
    });
    assert_eq!(stage.run("up", 1, Occasion::Event).await.as_deref(), Some("exit 4"));
    assert_eq!(stage.canonical(), before);
    assert_eq!(stage.bed.gate().count_mutating(), 0, "{:?}", stage.bed.gate().log());
}

#[tokio::test]
async fn rule_6_never_free_what_we_cannot_prove_ours_by_its_exact_name() {
    let stage = Stage::start().await;
    stage.set_open(1, true);
    stage.run("up", 1, Occasion::Event).await;
    let mut map = pool(&stage);
    // Names that contain ours, or that ours contains; a holder that is no text; a key that is no address.
    map.insert("192.168.1.144".to_owned(), json!("pr-shop-11"));
    map.insert("192.168.1.145".to_owned(), json!("pr-shop"));
    map.insert("192.168.1.146".to_owned(), json!(["pr-shop-1"]));
    map.insert("note".to_owned(), json!("pr-shop-1"));
    stage.bed.world().vault.put(&format!("{ROOT}/ip-allocations"), map.clone());
    stage.set_open(1, false);
    stage.run("close", 1, Occasion::Event).await;
    assert_eq!(stage.sweep_after_cooling("sweep", 1).await.as_deref(), Some("gone"));
    map.retain(|key, holder| key == "note" || *holder != json!("pr-shop-1"));
    assert_eq!(pool(&stage), map);
}

#[tokio::test]
async fn the_second_owner_of_a_name_is_refused_with_the_first_named() {
    let stage = Stage::start().await;
    let (engine, _fence) = opened(&stage, "first").await;
    let second = Holder::PullRequest("other/shop#1".parse().unwrap());
    assert_eq!(second.name(), pull(1).name());
    match engine.open(&second, Occasion::Event, async |_| Ok(Wanted::Up(None))).await.unwrap() {
        Opened::Refused { held_by } => assert_eq!(held_by.to_string(), "acme/shop#1"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_that_a_claim_holds_is_neither_given_out_nor_released_by_name_in_any_of_its_states() {
    let stage = Stage::start().await;
    let pools = stage.engine("by-name").pools;
    let refused = async |state: &str| {
        let before = stage.canonical();
        assert!(matches!(pools.allocate(&pull(1).name()).await.unwrap(), Given::Claimed(_)), "{state}");
        assert!(matches!(pools.release(&pull(1).name()).await.unwrap(), Released::Claimed(_)), "{state}");
        assert_eq!(stage.canonical(), before, "{state}");
    };
    let (engine, mut fence) = opened(&stage, "up").await;
    refused("waiting").await;
    engine.pools.hold(&mut fence, &Default::default()).await.unwrap();
    refused("held").await;
    // The shell tool has erased its entries: they are still not a name's to have.
    let others = others(&stage);
    stage.bed.world().vault.put(&format!("{ROOT}/ip-allocations"), others);
    refused("held, erased").await;
    stage.set_open(1, false);
    stage.run("close", 1, Occasion::Event).await;
    refused("cooling").await;
}

fn others(stage: &Stage) -> serde_json::Map<String, Value> {
    let mut map = pool(stage);
    map.retain(|_, holder| *holder != json!("pr-shop-1"));
    map
}
