//! Those who wait for a place that is full, over real HTTP: nobody takes what is another's.

use crate::lifecycle::{Stage, layout, pull};
use berth::{
    domain::{
        claim::Claim,
        intent::{Occasion, Wanted},
        queue::Room,
    },
    engine::{Opened, Verified},
    rehearsal::gate::Verdict,
};
use serde_json::{Value, json};

fn one_block() -> Room {
    Room::Blocks(layout("192.168.1.140-141"))
}

/// The pull requests come one after the other.
async fn come(stage: &Stage, numbers: &[u64]) -> Vec<String> {
    let mut outcomes = Vec::new();
    for number in numbers {
        stage.set_open(*number, true);
        stage.bed.pass(1);
        outcomes.push(stage.run(&format!("up-{number}"), *number, Occasion::Event).await.unwrap());
    }
    outcomes
}

async fn goes(stage: &Stage, number: u64) {
    stage.set_open(number, false);
    stage.run("closed", number, Occasion::Event).await;
    stage.sweep_after_cooling("sweep", number).await;
    assert!(!stage.canonical().contains(&format!("{}/claim", pull(number).name())));
}

async fn is_called(stage: &Stage, number: u64) {
    let (claims, now) = (stage.engine("caller").pools.claims, stage.bed.clock.now());
    let basis = claims.read(&pull(number).name()).await.unwrap();
    claims.annotate(&basis, |claim| claim.called(now)).await.unwrap();
}

fn claim(stage: &Stage, number: u64) -> Value {
    let path = format!("{}/{}/claim", crate::bed::ROOT, pull(number).name());
    json!(stage.bed.world().vault.document(&path))
}

#[tokio::test]
async fn a_younger_one_does_not_take_what_is_free_while_an_older_one_waits() {
    for room in [one_block(), Room::Most(1)] {
        let stage = Stage::narrow(room).await;
        assert_eq!(come(&stage, &[1, 2, 3]).await, ["up", "Full", "Full"]);
        goes(&stage, 1).await;
        assert_eq!(
            stage.run("three", 3, Occasion::Event).await.as_deref(),
            Some("Full"),
            "it is kept for the second"
        );
        assert_eq!(stage.run("two", 2, Occasion::Event).await.as_deref(), Some("up"));
        goes(&stage, 2).await;
        assert_eq!(stage.run("three", 3, Occasion::Event).await.as_deref(), Some("up"));
        stage.unbroken("in line");
    }
}

#[tokio::test]
async fn an_update_of_what_has_its_place_never_waits() {
    for room in [one_block(), Room::Most(1)] {
        let stage = Stage::narrow(room).await;
        come(&stage, &[1, 2]).await;
        assert_eq!(stage.run("pushed", 1, Occasion::Event).await.as_deref(), Some("up"));
    }
}

#[tokio::test]
async fn who_has_a_place_without_addresses_and_is_superseded_is_told_so_at_its_next_look() {
    let stage = Stage::narrow(Room::Most(1)).await;
    let (first, wanted) = (stage.engine("first"), async |_: Option<&Claim>| Ok(Wanted::Up(None)));
    let opened = first.open(&pull(1), Occasion::Event, wanted).await.unwrap();
    let Opened::Taken(mut fence, _) = opened else { panic!("{opened:?}") };
    first.pools.hold(&mut fence, &Default::default()).await.unwrap();
    assert_eq!(first.pools.verify(&fence).await.unwrap(), Verified::Ours);
    assert_eq!(come(&stage, &[1]).await, ["up"]);
    assert_eq!(first.pools.verify(&fence).await.unwrap(), Verified::Superseded);
}

#[tokio::test]
async fn a_hand_over_that_is_not_taken_up_within_ten_minutes_goes_to_the_next_and_who_comes_late_keeps_its_place()
 {
    for room in [one_block(), Room::Most(1)] {
        let stage = Stage::narrow(room).await;
        come(&stage, &[1, 2, 3]).await;
        goes(&stage, 1).await;
        is_called(&stage, 2).await;
        stage.bed.pass(599);
        assert_eq!(stage.run("early", 3, Occasion::Event).await.as_deref(), Some("Full"));
        stage.bed.pass(1);
        assert_eq!(stage.run("next", 3, Occasion::Event).await.as_deref(), Some("up"));
        assert_eq!(stage.run("late", 2, Occasion::Event).await.as_deref(), Some("Full"));
        assert_eq!(claim(&stage, 2)["state"]["called"], Value::Null, "it has come, and looked");
        come(&stage, &[1]).await;
        goes(&stage, 3).await;
        assert_eq!(stage.run("younger", 1, Occasion::Event).await.as_deref(), Some("Full"));
        assert_eq!(stage.run("first", 2, Occasion::Event).await.as_deref(), Some("up"));
    }
}

#[tokio::test]
async fn whoever_is_called_and_whose_runs_all_end_before_they_have_it_lets_the_next_one_pass() {
    let stage = Stage::narrow(one_block()).await;
    come(&stage, &[1, 2, 3]).await;
    goes(&stage, 1).await;
    is_called(&stage, 2).await;
    for minute in 1..10 {
        stage.bed.pass(59);
        dies_at_the_pool(&stage, &format!("dies-{minute}"), 2, Verdict::DieBefore).await;
    }
    assert_eq!(stage.run("early", 3, Occasion::Event).await.as_deref(), Some("Full"));
    stage.bed.pass(60);
    assert_eq!(stage.run("next", 3, Occasion::Event).await.as_deref(), Some("up"));
    stage.unbroken("in line");
}

/// The next write to the pool is the last thing that its run does.
async fn dies_at_the_pool(stage: &Stage, run: &str, number: u64, how: Verdict) {
    stage.set_open(number, true);
    stage.bed.pass(1);
    stage.bed.gate().rule(move |request| {
        let is_pool = request.path.last().is_some_and(|last| last == "ip-allocations");
        if request.mutates() && is_pool { how.clone() } else { Verdict::Pass }
    });
    assert_eq!(stage.run(run, number, Occasion::Event).await, None);
    stage.bed.gate().open();
}

#[tokio::test]
async fn a_run_that_died_between_the_pool_and_its_claim_has_its_place_and_keeps_nobody_from_another() {
    let stage = Stage::narrow(Room::Blocks(layout("192.168.1.140-143"))).await;
    dies_at_the_pool(&stage, "dies", 1, Verdict::DieAfter).await;
    assert_eq!(claim(&stage, 1)["state"]["is"], "waiting");
    assert_eq!(come(&stage, &[2, 3]).await, ["up", "Full"]);
    assert_eq!(stage.run("again", 1, Occasion::Event).await.as_deref(), Some("up"));
}

#[tokio::test]
async fn whoever_died_while_it_was_counted_is_counted_on_and_goes_on_from_there() {
    for how in [Verdict::DieBefore, Verdict::DieAfter] {
        let stage = Stage::narrow(Room::Most(1)).await;
        dies_at_the_pool(&stage, "dies", 2, how).await;
        assert_eq!(claim(&stage, 2)["state"]["granted"], true);
        assert_eq!(come(&stage, &[1]).await, ["Full"]);
        assert_eq!(stage.run("again", 2, Occasion::Event).await.as_deref(), Some("up"));
        goes(&stage, 2).await;
        assert_eq!(stage.run("next", 1, Occasion::Event).await.as_deref(), Some("up"));
    }
}
