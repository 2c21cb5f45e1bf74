//! A process dies at its k-th mutating request, for every k: before it lands, or after it landed and before the answer.
//! Whoever comes next ends in the same world as if nobody had died.

use crate::lifecycle::{Stage, pull};
use berth::{domain::intent::Occasion, rehearsal::gate::Verdict};

fn kill_at(stage: &Stage, k: usize, how: &Verdict) {
    let (how, mut count) = (how.clone(), 0);
    stage.bed.gate().rule(move |request| {
        count += usize::from(request.mutates());
        if request.mutates() && count == k { how.clone() } else { Verdict::Pass }
    });
}

async fn until_it_is_gone(stage: &Stage, run: &str) {
    stage.set_open(1, false);
    stage.run(&format!("{run}-close"), 1, Occasion::Event).await;
    stage.sweep_after_cooling(&format!("{run}-sweep"), 1).await;
    stage.sweep_after_cooling(&format!("{run}-sweep-again"), 1).await;
}

async fn up_in_a_clean_world() -> String {
    let stage = Stage::start().await;
    stage.set_open(1, true);
    assert_eq!(stage.run("clean", 1, Occasion::Event).await.as_deref(), Some("up"));
    stage.unbroken("a clean run");
    stage.canonical()
}

async fn gone_in_a_clean_world() -> String {
    let stage = Stage::start().await;
    stage.set_open(1, true);
    stage.run("clean", 1, Occasion::Event).await;
    until_it_is_gone(&stage, "clean").await;
    stage.unbroken("a clean end");
    stage.canonical()
}

#[tokio::test]
async fn what_a_clean_life_leaves_behind_is_the_other_tools_entries() {
    insta::assert_snapshot!(gone_in_a_clean_world().await, @r#"
    {
      "ephemeral-clusters/ip-allocations": {
        "192.168.1.148": "pr-old-9",
        "192.168.1.149": "pr-old-9"
      }
    }
    "#);
}

#[tokio::test]
async fn killed_at_any_request_of_an_up_the_next_run_ends_in_the_same_world() {
    let (up, gone) = (up_in_a_clean_world().await, gone_in_a_clean_world().await);
    let mut cases = 0;
    for how in [Verdict::DieBefore, Verdict::DieAfter] {
        for k in 1.. {
            let mut killed = false;
            for then in ["the same event", "a close", "the sweep"] {
                let what = format!("{how:?} at request {k}, then {then}");
                let stage = Stage::start().await;
                stage.set_open(1, true);
                kill_at(&stage, k, &how);
                killed = stage.run("dies", 1, Occasion::Event).await.is_none();
                stage.bed.gate().open();
                if then == "the same event" {
                    assert_eq!(stage.run("again", 1, Occasion::Event).await.as_deref(), Some("up"), "{what}");
                    assert_eq!(stage.canonical(), up, "{what}");
                } else if then == "the sweep" {
                    stage.run("swept", 1, Occasion::Sweep).await;
                }
                until_it_is_gone(&stage, "end").await;
                assert_eq!(stage.canonical(), gone, "{what}");
                stage.unbroken(&what);
                cases += 1;
            }
            if !killed {
                assert!(k > 3, "an up has more than {k} mutating requests");
                break;
            }
        }
    }
    println!("{cases} cases");
}

#[tokio::test]
async fn killed_at_any_request_of_a_down_whoever_comes_next_finishes_it() {
    let gone = gone_in_a_clean_world().await;
    let mut cases = 0;
    for how in [Verdict::DieBefore, Verdict::DieAfter] {
        for k in 1.. {
            let what = format!("{how:?} at request {k}");
            let stage = Stage::start().await;
            stage.set_open(1, true);
            stage.run("up", 1, Occasion::Event).await;
            stage.set_open(1, false);
            kill_at(&stage, k, &how);
            let closed = stage.run("dies", 1, Occasion::Event).await;
            let swept = stage.sweep_after_cooling("dies", 1).await;
            stage.bed.gate().open();
            until_it_is_gone(&stage, "end").await;
            assert_eq!(stage.canonical(), gone, "{what}");
            stage.unbroken(&what);
            cases += 1;
            if closed.is_some() && swept.is_some() {
                assert!(k > 5, "a down has more than {k} mutating requests");
                break;
            }
        }
    }
    println!("{cases} cases");
}

#[tokio::test]
async fn reopened_while_cooling_it_has_the_same_addresses_again() {
    let stage = Stage::start().await;
    stage.set_open(1, true);
    stage.run("up", 1, Occasion::Event).await;
    let before = stage.canonical();
    stage.set_open(1, false);
    assert_eq!(stage.run("close", 1, Occasion::Event).await.as_deref(), Some("cooling"));
    stage.set_open(2, true);
    assert_eq!(stage.run("other", 2, Occasion::Event).await.as_deref(), Some("up"));
    stage.set_open(1, true);
    assert_eq!(stage.run("reopen", 1, Occasion::Event).await.as_deref(), Some("up"));
    stage.set_open(2, false);
    stage.run("other-close", 2, Occasion::Event).await;
    stage.sweep_after_cooling("other-sweep", 2).await;
    assert_eq!(stage.canonical(), before);
    stage.unbroken("reopening");
}

#[tokio::test]
async fn whoever_meets_a_claim_that_has_cooled_may_finish_it() {
    use berth::{
        domain::intent::Wanted,
        engine::{Freed, Presence, Removed},
    };
    let stage = Stage::start().await;
    stage.set_open(1, true);
    stage.run("up", 1, Occasion::Event).await;
    stage.set_open(1, false);
    stage.run("close", 1, Occasion::Event).await;
    let engine = stage.engine("passer-by");
    let finish = async |presence| {
        engine
            .finish(&pull(1), async |_| Ok(Wanted::Down), async || Ok(presence), async |_| Ok(()))
            .await
            .unwrap()
    };
    assert!(matches!(finish(Presence::Absent).await, Some(Freed::NotYet(_))), "not before its time");
    stage.bed.pass(crate::lifecycle::COOLING);
    // What has come back is removed again, and cools from then on.
    let Some(Freed::StillThere(mut fence)) = finish(Presence::There).await else { panic!("it is there") };
    assert_eq!(fence.claim().state().word(), "draining");
    assert!(matches!(engine.removed(&mut fence, Vec::new()).await.unwrap(), Removed::Cooling(_)));
    assert!(matches!(finish(Presence::Absent).await, Some(Freed::NotYet(_))), "it cools anew");
    stage.bed.pass(crate::lifecycle::COOLING);
    assert!(matches!(finish(Presence::Absent).await, Some(Freed::Gone)));
    assert!(finish(Presence::Absent).await.is_none(), "there is nothing left to finish");
    stage.unbroken("finishing");
}
