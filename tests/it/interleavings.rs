//! Several runs at once over real HTTP, their requests let through one at a time in an order that a seed picks.
//!
//! `model` searches all orders of the same engine; this is for what the model has not: the store, its requests, its wire.

use crate::{
    bed::{ROOT, TOKEN},
    depth::seeds_or,
    lifecycle::{COOLING, Stage, layout, pull},
    turns::{Absent, Happening, Seeded},
};
use berth::{
    domain::{claim::State, intent::Occasion, queue::Room},
    rehearsal::Server,
};
use futures::future::join_all;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// Among so many first requests turns are taken away, and things happen.
const STEPS: u64 = 45;

fn seeds() -> u64 {
    seeds_or(150)
}

/// All runs at once; their outcomes in order.
async fn at_once(stage: &Stage, turns: &Arc<Seeded>, runs: &[(&str, u64)]) -> Vec<String> {
    stage.bed.gate().schedule(turns.clone());
    let outcomes = join_all(runs.iter().map(async |(run, number)| {
        let outcome = match *run {
            "old" => old_tool(stage, run).await,
            "sweep" => stage.run(run, *number, Occasion::Sweep).await.unwrap(),
            _ => stage.run(run, *number, Occasion::Event).await.unwrap(),
        };
        turns.ended(run);
        outcome
    }));
    let outcomes = outcomes.await;
    drop(turns.unhappened());
    outcomes
}

/// Reads the pool, adds a pair, puts it back: without a compare-and-set, whatever was written since.
async fn old_tool(stage: &Stage, run: &str) -> String {
    let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    let url = format!("{}/v1/kv/data/{ROOT}/ip-allocations", stage.bed.served.url(Server::Vault));
    let send = |request: reqwest::RequestBuilder| {
        request.header("x-vault-token", TOKEN).header("berth-run", run).send()
    };
    let read: Value = send(http.get(&url)).await.unwrap().json().await.unwrap();
    let mut map = read["data"]["data"].as_object().unwrap().clone();
    let free = (140..=148).step_by(2).find(|n| !map.contains_key(&format!("192.168.1.{n}"))).unwrap();
    map.extend([free, free + 1].map(|n| (format!("192.168.1.{n}"), json!("pr-old-7"))));
    send(http.post(&url).json(&json!({"data": map}))).await.unwrap().error_for_status().unwrap();
    "put".to_owned()
}

#[tokio::test]
async fn opened_closed_and_reopened_in_any_order_of_requests_it_stands_as_it_is_wanted_and_nothing_leaks() {
    let mut orders = BTreeSet::new();
    for seed in 1..=seeds() {
        let stage = Stage::start().await;
        for number in [1, 2] {
            stage.set_open(number, true);
        }
        let changed = [false, true].map(|open| {
            let stage = stage.clone();
            Box::new(move || stage.set_open(1, open)) as Happening
        });
        let runs = [("opened", 1), ("closed", 1), ("reopened", 1), ("other", 2), ("sweep", 1)];
        let turns = Seeded::new(seed, &runs.map(|(run, _)| run), STEPS, changed.into(), Absent::Never);
        let outcomes = at_once(&stage, &turns, &runs).await;
        let what = format!("seed {seed}: {outcomes:?}");
        // The events that come after both changes: whatever the runs met, these see the pull request as it is.
        stage.set_open(1, true);
        assert_eq!(stage.run("last", 1, Occasion::Event).await.as_deref(), Some("up"), "{what}");
        assert_eq!(outcomes[3], "up", "{what}");
        stage.unbroken(&what);
        for number in [1, 2] {
            stage.set_open(number, false);
            stage.run("end", number, Occasion::Event).await;
            stage.sweep_after_cooling("sweep", number).await;
        }
        assert!(!stage.canonical().contains("shop"), "{what}: {}", stage.canonical());
        stage.unbroken(&what);
        orders.insert(outcomes);
    }
    println!("{} seeds, {} different ends", seeds(), orders.len());
    assert!(orders.len() > 3, "the seeds make no difference: {orders:?}");
}

#[tokio::test]
async fn the_one_block_that_is_left_is_one_environments_at_a_time_whoever_wants_it_while_it_is_freed() {
    let mut orders = BTreeSet::new();
    for seed in 1..=seeds() {
        let stage = Stage::start().await;
        let others = (142..150).map(|n| (format!("192.168.1.{n}"), json!("pr-old-9"))).collect();
        stage.bed.world().vault.put(&format!("{ROOT}/ip-allocations"), others);
        for number in [1, 2] {
            stage.set_open(number, true);
        }
        assert_eq!(stage.run("first", 1, Occasion::Event).await.as_deref(), Some("up"));
        stage.set_open(1, false);
        assert_eq!(stage.run("close", 1, Occasion::Event).await.as_deref(), Some("cooling"));
        stage.bed.pass(COOLING);
        // It is freed, wanted by another, and wanted back.
        let runs = [("sweep", 1), ("other", 2), ("reopened", 1)];
        let reopens = {
            let stage = stage.clone();
            Box::new(move || stage.set_open(1, true)) as Happening
        };
        let turns = Seeded::new(seed, &runs.map(|(run, _)| run), STEPS, vec![reopens], Absent::Never);
        let outcomes = at_once(&stage, &turns, &runs).await;
        let what = format!("seed {seed}: {outcomes:?}");
        stage.set_open(1, true);
        let mut looks =
            [stage.run("look", 1, Occasion::Event).await, stage.run("look", 2, Occasion::Event).await];
        looks.sort();
        assert_eq!(looks, [Some("Full".to_owned()), Some("up".to_owned())], "{what}");
        stage.unbroken(&what);
        for number in [1, 2] {
            stage.set_open(number, false);
            stage.run("end", number, Occasion::Event).await;
            stage.sweep_after_cooling("frees", number).await;
        }
        assert!(!stage.canonical().contains("shop"), "{what}: {}", stage.canonical());
        stage.unbroken(&what);
        orders.insert(outcomes);
    }
    println!("{} seeds, {} different ends", seeds(), orders.len());
    assert!(orders.len() > 3, "the seeds make no difference: {orders:?}");
}

#[tokio::test]
async fn beside_the_old_tool_no_address_is_verified_for_two_and_a_lost_entry_is_noticed_at_the_next_look() {
    let mut lost = 0;
    for seed in 1..=seeds() {
        let stage = Stage::start().await;
        for number in [1, 2] {
            stage.set_open(number, true);
        }
        let runs = [("one", 1), ("two", 2), ("old", 0)];
        let turns = Seeded::new(seed, &runs.map(|(run, _)| run), STEPS, vec![], Absent::Never);
        let outcomes = at_once(&stage, &turns, &runs).await;
        let what = format!("seed {seed}: {outcomes:?}");
        let pool = |stage: &Stage| {
            let world = stage.bed.world();
            world.vault.document(&format!("{ROOT}/ip-allocations")).cloned().unwrap_or_default()
        };
        let before = pool(&stage);
        let mut ours = BTreeSet::new();
        for number in [1, 2] {
            let looked = stage.run("look", number, Occasion::Event).await.unwrap();
            let engine = stage.engine("reader");
            let basis = engine.pools.claims.read(&pull(number).name()).await.unwrap();
            let claim = basis.claim().unwrap_or_else(|| panic!("{what}: no claim of {number}")).clone();
            let State::Held { addresses: Some(block), .. } = *claim.state() else {
                panic!("{what}: {claim:?}")
            };
            let name = pull(number).name().to_string();
            let stands = |pool: &serde_json::Map<String, Value>| {
                block.addresses().all(|a| pool.get(&a.to_string()) == Some(&json!(name)))
            };
            lost += u32::from(!stands(&before));
            if looked == "up" {
                assert!(
                    stands(&pool(&stage)),
                    "{what}: {block} of {name} is not its own, and nobody said so"
                );
                assert!(block.addresses().all(|a| ours.insert(a)), "{what}: {block} is verified for two");
            } else {
                assert!(looked.starts_with("Lost"), "{what}: {looked}");
            }
        }
        assert_eq!(pool(&stage).get("192.168.1.148"), Some(&json!("pr-old-9")), "{what}");
    }
    println!("{} seeds, {lost} entries lost", seeds());
    assert!(lost > 0, "in no order did the old tool erase an entry of ours: the test has lost its point");
}

/// Never more environments at once than there is room for.
async fn with_room_for_one(room: Room) -> Stage {
    let stage = Stage::narrow(room).await;
    stage.bed.gate().invariant(|world, _| {
        let states = world.vault.paths().filter(|path| path.ends_with("/claim"));
        let is_held =
            |path: &&str| world.vault.document(path)?.get("state").map(|state| state["is"] == "held");
        let held: Vec<&str> = states.filter(|path| is_held(path) == Some(true)).collect();
        if held.len() > 1 { Err(format!("all of these have the one place: {held:?}")) } else { Ok(()) }
    });
    stage
}

fn rooms_for_one() -> [Room; 2] {
    [Room::Blocks(layout("192.168.1.140-141")), Room::Most(1)]
}

#[tokio::test]
async fn of_three_who_want_the_one_place_one_gets_it_and_when_it_goes_the_first_in_line_does() {
    let mut winners = BTreeSet::new();
    for (seed, room) in (1..=seeds()).zip(rooms_for_one().into_iter().cycle()) {
        let stage = with_room_for_one(room).await;
        let runs = [("one", 1), ("two", 2), ("three", 3)];
        for (_, number) in runs {
            stage.set_open(number, true);
        }
        let turns = Seeded::new(seed, &runs.map(|(run, _)| run), STEPS, vec![], Absent::Never);
        let outcomes = at_once(&stage, &turns, &runs).await;
        let what = format!("seed {seed}: {outcomes:?}");
        let mut waiting: Vec<u64> = Vec::new();
        let mut winner = 0;
        for (outcome, (_, number)) in outcomes.iter().zip(runs) {
            match outcome.as_str() {
                "up" => winner = number,
                "Full" => waiting.push(number),
                _ => panic!("{what}"),
            }
        }
        assert_eq!(waiting.len(), 2, "{what}");
        stage.set_open(winner, false);
        stage.run("closed", winner, Occasion::Event).await;
        stage.sweep_after_cooling("sweep", winner).await;
        assert!(!stage.canonical().contains(&format!("{}/claim", pull(winner).name())), "{what}");
        // They have come at one moment: then it goes by name. Whoever asks first.
        let again = [("again", waiting[0]), ("too", waiting[1])];
        let turns = Seeded::new(seed, &again.map(|(run, _)| run), STEPS, vec![], Absent::Never);
        assert_eq!(at_once(&stage, &turns, &again).await, ["up", "Full"], "{what}");
        stage.unbroken(&what);
        winners.insert(winner);
    }
    assert_eq!(winners.len(), 3, "the seeds make no difference: {winners:?}");
}

#[tokio::test]
async fn one_that_was_called_and_comes_late_and_the_next_one_do_not_both_get_the_place() {
    let mut endings = BTreeSet::new();
    for (seed, room) in (1..=seeds()).zip(rooms_for_one().into_iter().cycle()) {
        let stage = with_room_for_one(room).await;
        for (run, number) in [("holder", 3), ("first", 1), ("second", 2)] {
            stage.set_open(number, true);
            stage.run(run, number, Occasion::Event).await;
            stage.bed.pass(1);
        }
        stage.set_open(3, false);
        stage.run("closed", 3, Occasion::Event).await;
        stage.sweep_after_cooling("sweep", 3).await;
        let claims = stage.engine("caller").pools.claims;
        let now = stage.bed.clock.now();
        claims
            .annotate(&claims.read(&pull(1).name()).await.unwrap(), |claim| claim.called(now))
            .await
            .unwrap();
        stage.bed.pass(600);
        let runs = [("late", 1), ("next", 2)];
        let turns = Seeded::new(seed, &runs.map(|(run, _)| run), STEPS / 2, vec![], Absent::Never);
        let mut outcomes = at_once(&stage, &turns, &runs).await;
        endings.insert(outcomes.clone());
        outcomes.sort();
        assert_eq!(outcomes, ["Full", "up"], "seed {seed}");
        stage.unbroken(&format!("seed {seed}"));
    }
    assert_eq!(endings.len(), 2, "the seeds make no difference: {endings:?}");
}
