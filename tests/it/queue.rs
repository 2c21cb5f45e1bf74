//! The line of those who wait for a place: who gets what is free, and what each is told.

use crate::claims::{removal, run, uid};
use berth::{
    assemble::places,
    domain::{
        claim::{Claim, Reported},
        holder::Holder,
        measured::Measured,
        names::PlaceName,
        pool::{Block, Layout, Pool},
        queue::{Full, GoesOn, Place, Queue, Room, Stage, Standing, Times, turn_since},
    },
    settings::{PoolName, ProviderName, Within},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    slice::from_ref,
};

fn at(minutes: i64) -> Timestamp {
    let noon: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
    noon + SignedDuration::from_mins(minutes)
}

fn place() -> PlaceName {
    "pool lab".parse().unwrap()
}

fn layout(blocks: u8) -> Layout {
    let range = format!("192.168.1.140-{}", 139 + 2 * u32::from(blocks.max(1))).parse().unwrap();
    // A pool has a block at least; of none, its only one is somebody else's.
    let exclude = if blocks == 0 { ["192.168.1.140".parse().unwrap()].into() } else { BTreeSet::new() };
    Layout { range, exclude, size: 2.try_into().unwrap(), align: 2.try_into().unwrap() }
}

fn lab(blocks: u8, per_repository: u32) -> Place {
    let reuse_after = SignedDuration::from_mins(10);
    Place { room: Room::Blocks(layout(blocks)), per_repository, reuse_after }
}

/// `acme/shop#42`, in line since so many minutes.
pub(crate) fn waits(holder: &str, since: i64) -> Claim {
    let holder = Holder::PullRequest(holder.parse().unwrap());
    let life = SignedDuration::from_hours(72);
    let claim = Claim::first(holder, (uid("uid-1"), run("run-1")), None, removal(), at(since), life);
    let by = claim.generation();
    let ended = Reported {
        outcome: "queued".to_owned(),
        by,
        head: None,
        at: at(since),
        tests: None,
        counted: None,
        took: 1,
        phases: vec![],
    };
    claim.at(Some(place())).reporting(ended)
}

/// The n-th block.
fn block(n: u8) -> Block {
    layout(n + 1).blocks().nth(n.into()).unwrap()
}

fn holds(holder: &str, n: u8) -> Claim {
    waits(holder, -60).held(Some(block(n))).unwrap()
}

/// What the claims that hold say, as the pool says it.
fn pool(claims: &[Claim]) -> Pool {
    let held = claims.iter().flat_map(|claim| {
        let name = json!(claim.name().to_string());
        claim.addresses().into_iter().flat_map(Block::addresses).map(move |a| (a.to_string(), name.clone()))
    });
    Pool::parse(&held.collect())
}

fn standing<'a>(lab: &'a Place, claims: &'a [Claim], name: &PlaceName) -> Standing<'a> {
    Standing::of((name, lab), claims, &pool(claims), &BTreeSet::new())
}

/// Whose turn it is, in order.
fn turns(lab: &Place, claims: &[Claim], now: i64) -> Vec<String> {
    let name = place();
    standing(lab, claims, &name).turns(at(now)).iter().map(|claim| claim.holder().to_string()).collect()
}

fn to_call(lab: &Place, claims: &[Claim], now: i64) -> Vec<String> {
    let name = place();
    standing(lab, claims, &name).to_call(at(now)).iter().map(|claim| claim.holder().to_string()).collect()
}

#[test]
fn what_is_free_goes_to_who_has_come_first() {
    let claims =
        [waits("acme/web#2", 2), waits("acme/shop#1", 1), waits("acme/shop#9", 1), holds("acme/a#1", 0)];
    assert_eq!(turns(&lab(1, 0), &claims, 3), Vec::<String>::new());
    assert_eq!(turns(&lab(2, 0), &claims, 3), ["acme/shop#1"]);
    assert_eq!(turns(&lab(3, 0), &claims, 3), ["acme/shop#1", "acme/shop#9"], "at one moment, by name");
    assert_eq!(turns(&lab(9, 0), &claims, 3), ["acme/shop#1", "acme/shop#9", "acme/web#2"]);
}

#[test]
fn who_is_at_its_repositorys_limit_lets_the_next_one_pass_in_whatever_state_its_others_are() {
    let waiting = [waits("acme/shop#1", 1), waits("acme/web#2", 2)];
    let held = holds("acme/shop#7", 0);
    let draining = held.clone().draining(at(0)).unwrap();
    let cooling = draining.clone().cooling(at(1)).unwrap();
    let freeing = cooling.clone().freeing(at(1)).unwrap();
    for other in [held, draining, cooling, freeing] {
        let claims: Vec<Claim> = waiting.iter().cloned().chain([other]).collect();
        assert_eq!(turns(&lab(2, 1), &claims, 3), ["acme/web#2"]);
        assert_eq!(turns(&lab(2, 2), &claims, 3), ["acme/shop#1"]);
    }
    let two = [waits("acme/shop#1", 1), waits("acme/shop#2", 2), waits("acme/web#3", 3)];
    assert_eq!(
        turns(&lab(3, 1), &two, 4),
        ["acme/shop#1", "acme/web#3"],
        "who waits counts, too, once it is its turn"
    );
}

#[test]
fn who_was_called_keeps_its_turn_for_ten_minutes_and_what_is_left_after_that() {
    let called = |minutes| [waits("acme/shop#1", 1).called(at(minutes)), waits("acme/web#2", 2)];
    assert_eq!(turns(&lab(1, 0), &called(10), 19), ["acme/shop#1"]);
    assert_eq!(turns(&lab(1, 0), &called(10), 20), ["acme/web#2"]);
    assert_eq!(turns(&lab(2, 0), &called(10), 20), ["acme/web#2", "acme/shop#1"]);
    let [late, _] = called(10);
    assert_eq!(turns(&lab(1, 0), from_ref(&late), 20), ["acme/shop#1"], "nobody else wants it");
    let come = [late.taken(run("run-2"), at(21)).waiting_on(), waits("acme/web#2", 2)];
    assert_eq!(
        turns(&lab(1, 0), &come, 21),
        ["acme/shop#1"],
        "it has come, and looked, and its place is the one that it had"
    );
}

#[test]
fn a_run_that_came_and_ended_before_it_had_its_place_does_not_begin_its_ten_minutes_anew() {
    let came = waits("acme/shop#1", 1).called(at(10)).taken(run("run-2"), at(12));
    let claims = [came, waits("acme/web#2", 2)];
    assert_eq!(turns(&lab(1, 0), &claims, 19), ["acme/shop#1"]);
    assert_eq!(turns(&lab(1, 0), &claims, 20), ["acme/web#2"]);
}

#[test]
fn of_those_who_do_not_come_each_is_called_before_one_is_called_again() {
    let mut claims = ["acme/a#1", "acme/b#2", "acme/c#3"].map(|holder| waits(holder, 1));
    let mut order = Vec::new();
    for round in 0..6 {
        let now = 10 + 10 * round;
        let [next] = &to_call(&lab(1, 0), &claims, now)[..] else { panic!("{claims:?}") };
        order.push(next.clone());
        let holder = next.clone();
        claims = claims.map(|claim| match claim.holder().to_string() == holder {
            true => claim.called(at(now)),
            false => claim,
        });
    }
    assert_eq!(order, ["acme/a#1", "acme/b#2", "acme/c#3", "acme/a#1", "acme/b#2", "acme/c#3"]);
    let [.., last] = &claims;
    let there = [last.clone(), waits("acme/d#4", 65)];
    assert_eq!(to_call(&lab(1, 0), &there, 70), ["acme/d#4"], "who may still come goes before");
}

#[test]
fn who_was_called_in_vain_may_be_called_at_once_and_lets_the_next_one_pass_all_the_same() {
    let first = waits("acme/shop#1", 1);
    assert_eq!(turn_since(&first, at(10)), at(10));
    let vain = first.called_in_vain(at(10));
    let claims = [vain.clone(), waits("acme/web#2", 2)];
    assert_eq!(to_call(&lab(1, 0), &claims, 10), ["acme/shop#1"]);
    assert_eq!(turn_since(&vain, at(19)), at(10), "another vain call does not prolong it");
    assert_eq!(to_call(&lab(1, 0), &claims, 20), ["acme/web#2"]);
    assert_eq!(turn_since(&vain, at(20)), at(20), "its next turn comes after the others'");
    let heard = [vain.called(at(12)), waits("acme/web#2", 2)];
    assert_eq!(to_call(&lab(1, 0), &heard, 21), Vec::<String>::new());
}

#[test]
fn who_gets_nothing_is_told_whether_it_is_taken_or_limited_or_kept_for_others() {
    let claims = [waits("acme/shop#1", 1), waits("acme/web#2", 2), holds("acme/web#3", 0)];
    let why = |lab: &Place, n: usize| {
        let name = place();
        standing(lab, &claims, &name).keeps_out(&claims[n], at(3))
    };
    assert_eq!(why(&lab(1, 0), 0), Some(Full::Taken));
    assert_eq!(why(&lab(2, 0), 0), None);
    assert_eq!(why(&lab(2, 0), 1), Some(Full::Kept));
    assert_eq!(why(&lab(9, 1), 1), Some(Full::Limited));
}

#[test]
fn what_live_objects_use_is_nobodys_turn() {
    let (name, lab, claims) = (place(), lab(2, 0), [waits("acme/shop#1", 1), waits("acme/web#2", 2)]);
    let used = ["192.168.1.143".parse().unwrap()].into();
    let standing = Standing::of((&name, &lab), &claims, &Pool::default(), &used);
    assert_eq!(standing.turns(at(3)).len(), 1);
}

#[test]
fn nobody_is_called_who_was_called_just_now_or_whose_run_is_at_it() {
    let first = waits("acme/shop#1", 1);
    assert_eq!(to_call(&lab(1, 0), from_ref(&first), 2), ["acme/shop#1"]);
    let none = Vec::<String>::new();
    let called = first.clone().called(at(2));
    assert_eq!(to_call(&lab(1, 0), from_ref(&called), 11), none);
    assert_eq!(to_call(&lab(1, 0), &[called], 12), ["acme/shop#1"], "nobody else was there to be called");
    let at_it = first.taken(run("run-2"), at(2));
    assert_eq!(to_call(&lab(1, 0), from_ref(&at_it), 11), none);
    assert_eq!(
        to_call(&lab(1, 0), &[at_it], 12),
        ["acme/shop#1"],
        "a run that is silent for so long is dead"
    );
}

#[test]
fn who_has_its_block_in_the_pool_already_waits_for_none() {
    let claims = [waits("acme/shop#1", 1), waits("acme/web#2", 2)];
    let has = |address: &str| json!({ address: "pr-shop-1" });
    let (name, lab) = (place(), lab(2, 0));
    for (document, first) in [(has("192.168.1.140"), "acme/web#2"), (has("192.168.1.150"), "acme/shop#1")] {
        let pool = Pool::parse(document.as_object().unwrap());
        let standing = Standing::of((&name, &lab), &claims, &pool, &BTreeSet::new());
        assert_eq!(standing.turns(at(3))[0].holder().to_string(), first, "{document}");
    }
}

#[test]
fn whoever_has_its_part_and_waits_all_the_same_is_called_once_its_run_is_dead() {
    let (name, lab, at_it) = (place(), lab(1, 0), waits("acme/shop#1", 1).taken(run("run-2"), at(2)));
    let claims = [at_it.clone(), waits("acme/web#2", 2)];
    let pool = json!({ "192.168.1.140": "pr-shop-1", "192.168.1.141": "pr-shop-1" });
    let pool = Pool::parse(pool.as_object().unwrap());
    let counted = Place { room: Room::Most(1), ..lab.clone() };
    let granted = [at_it.granted(true), waits("acme/web#2", 2)];
    for (lab, claims, pool) in [(lab, claims, pool), (counted, granted, Pool::default())] {
        let standing = Standing::of((&name, &lab), &claims, &pool, &BTreeSet::new());
        let to_call = |now| standing.to_call(at(now)).into_iter().map(Claim::holder).collect::<Vec<_>>();
        assert!(to_call(11).is_empty(), "it may be at it still");
        assert_eq!(to_call(12), [claims[0].holder()], "nobody else can have what it has");
    }
}

#[test]
fn a_place_without_addresses_has_room_for_so_many_and_0_is_none() {
    let (name, of) = (place(), |most| Place { room: Room::Most(most), ..lab(1, 0) });
    let claims =
        [waits("acme/shop#1", 1), waits("acme/web#2", 2), waits("acme/api#3", 3).held(None).unwrap()];
    let turns = |most, claims: &[Claim]| {
        let place = of(most);
        Standing::of((&name, &place), claims, &Pool::default(), &BTreeSet::new()).turns(at(4)).len()
    };
    assert_eq!([0, 1, 2, 3, 9].map(|most| turns(most, &claims)), [0, 0, 1, 2, 2]);
    let granted =
        claims.map(|claim| if claim.name().as_ref() == "pr-web-2" { claim.granted(true) } else { claim });
    assert_eq!(
        [1, 2, 3].map(|most| turns(most, &granted)),
        [0, 0, 1],
        "who is about to take its place counts"
    );
}

#[test]
fn a_provider_without_a_pool_has_room_for_as_many_as_it_says() {
    let (k3s, release): (ProviderName, ProviderName) = ("k3s".parse().unwrap(), "release".parse().unwrap());
    let lab: PoolName = "lab".parse().unwrap();
    let providers = [(&k3s, Within::Pool(&lab)), (&release, Within::Most(20))];
    let places = places(&BTreeMap::new(), providers);
    let rooms: Vec<_> = places.iter().map(|(name, place)| (name.to_string(), place.room.clone())).collect();
    assert_eq!(rooms, [("provider release".to_owned(), Room::Most(20))]);
}

#[test]
fn who_waits_elsewhere_is_in_another_line() {
    let elsewhere = waits("acme/shop#1", 1).at(Some("pool big".parse().unwrap()));
    let claims = [elsewhere, waits("acme/web#2", 2)];
    assert_eq!(turns(&lab(1, 0), &claims, 3), ["acme/web#2"]);
}

fn times(measured: Measured, now: i64) -> Times {
    Times { measured, grace: SignedDuration::from_hours(1), now: at(now) }
}

/// Removals of 4 to 6 minutes, lives of 2 to 3 hours.
fn measured() -> Measured {
    let minutes = SignedDuration::from_mins;
    Measured::default().with(minutes(4), minutes(120)).with(minutes(6), minutes(180))
}

fn told(lab: &Place, claims: &[Claim], holder: &str, times: &Times) -> Option<Queue> {
    let name = place();
    let claim = claims.iter().find(|claim| claim.holder().to_string() == holder).unwrap();
    standing(lab, claims, &name).queue(claim, times, GoesOn::ByJob)
}

#[test]
fn the_place_in_the_line_comes_with_what_frees_next_and_when_and_others_are_not_named() {
    let cooling = holds("acme/web#7", 0).draining(at(0)).unwrap().cooling(at(14)).unwrap();
    let claims = [
        waits("acme/shop#1", 1),
        waits("acme/shop#2", 2),
        holds("acme/shop#8", 1).closed(at(-20)).unwrap(),
        cooling,
        holds("acme/shop#9", 2),
    ];
    let queue = told(&lab(4, 0), &claims, "acme/shop#2", &times(measured(), 5)).unwrap();
    // A block of the fourth is nobody's that is known here: it is free, and goes to the first.
    assert_eq!((queue.place, queue.of, queue.free, queue.others), (2, 2, 1, 0));
    assert_eq!(queue.begins, Some((at(14), at(14))));
    let rows: Vec<_> =
        queue.blocks.iter().map(|taken| (taken.whose.as_deref(), taken.stage, taken.frees)).collect();
    let used = Stage::Used { until: at(-60 + 72 * 60) };
    assert_eq!(
        rows,
        [
            (None, Stage::Cooling, Some((at(14), at(14)))),
            (Some("acme/shop 8"), Stage::Grace { until: at(40) }, Some((at(54), at(56)))),
            (Some("acme/shop 9"), used, Some((at(60 + 14), at(120 + 16)))),
        ]
    );
    let full = lab(3, 0);
    assert_eq!(
        told(&full, &claims, "acme/shop#1", &times(measured(), 5)).unwrap().begins,
        Some((at(14), at(14)))
    );
    assert_eq!(
        told(&full, &claims, "acme/shop#2", &times(measured(), 5)).unwrap().begins,
        Some((at(54), at(56)))
    );
}

#[test]
fn without_measurements_no_time_is_guessed() {
    let claims =
        [waits("acme/shop#1", 1), holds("acme/shop#8", 0).closed(at(-20)).unwrap(), holds("acme/shop#9", 1)];
    let queue = told(&lab(2, 0), &claims, "acme/shop#1", &times(Measured::default(), 5)).unwrap();
    assert_eq!(queue.begins, None);
    assert!(queue.blocks.iter().all(|taken| taken.frees.is_none()), "{queue:?}");
}

#[test]
fn entries_that_no_claim_explains_are_counted_and_who_has_its_turn_or_its_fill_is_promised_no_time() {
    let claims = [waits("acme/shop#1", 1), holds("acme/shop#8", 0)];
    let mut pool = pool(&claims).document();
    pool.insert("192.168.1.142".to_owned(), json!("pr-of-the-old-tool"));
    let (name, full, limited) = (place(), lab(2, 0), lab(9, 1));
    let look = |lab| {
        let pool = Pool::parse(&pool);
        Standing::of((&name, lab), &claims, &pool, &BTreeSet::new()).queue(
            &claims[0],
            &times(measured(), 5),
            GoesOn::ByHand,
        )
    };
    let queue = look(&full).unwrap();
    assert_eq!((queue.blocks.len(), queue.others, queue.free, queue.goes_on), (1, 1, 0, GoesOn::ByHand));
    let queue = look(&limited).unwrap();
    assert_eq!((queue.is_limited, queue.begins), (true, None));
    assert_eq!(
        told(&lab(2, 0), &claims, "acme/shop#1", &times(measured(), 5)).unwrap().begins,
        None,
        "it is its turn"
    );
    assert_eq!(told(&full, &claims, "acme/shop#8", &times(measured(), 5)), None, "it does not wait");
}

#[test]
fn of_removals_and_lives_the_last_thirty_are_kept_and_the_outermost_tenths_left_out() {
    let seconds = SignedDuration::from_secs;
    let all = (1..=100).fold(Measured::default(), |all, n| all.with(seconds(n), seconds(1000 + n)));
    assert_eq!(all.removals(), Some((seconds(74), seconds(97))));
    assert_eq!(all.lives(), Some((seconds(1074), seconds(1097))));
    assert_eq!(Measured::of(&all.document()), all);
    assert_eq!(Measured::default().removals(), None);
    let one = Measured::default().with(seconds(-5), seconds(7));
    assert_eq!(
        (one.removals(), one.lives()),
        (Some((seconds(0), seconds(0))), Some((seconds(7), seconds(7))))
    );
    let strange = json!({"removals": "soon"});
    assert_eq!(Measured::of(strange.as_object().unwrap()), Measured::default());
}

/// Who waits: of which repository, since when, and how many minutes ago it was called.
type Waiter = (u8, i64, Option<i64>);

const NOW: i64 = 100;

fn repository(n: u8) -> String {
    format!("acme/repo-{n}")
}

fn line(waiters: &[Waiter]) -> Vec<Claim> {
    let claim = |(n, (of, since, called)): (usize, &Waiter)| {
        let claim = waits(&format!("{}#{}", repository(*of), n + 1), *since);
        called.map_or(claim.clone(), |ago| claim.called(at(NOW - ago)))
    };
    waiters.iter().enumerate().map(claim).collect()
}

proptest! {
    #[test]
    fn nobody_is_passed_without_a_reason_no_slot_is_given_twice_and_limits_hold(
        holders in prop::collection::vec(0..3u8, 0..4),
        waiters in prop::collection::vec((0..3u8, 0..90i64, prop::option::of(0..30i64)), 0..8),
        free in 0..5u8,
        limit in 0..4u32,
    ) {
        let lab = lab(holders.len() as u8 + free, limit);
        let held = holders.iter().enumerate().map(|(n, of)| holds(&format!("{}#{}", repository(*of), 100 + n), n as u8));
        let claims: Vec<Claim> = line(&waiters).into_iter().chain(held).collect();
        let name = place();
        let standing = standing(&lab, &claims, &name);
        let turns: Vec<String> = standing.turns(at(NOW)).iter().map(|claim| claim.name().to_string()).collect();
        prop_assert!(turns.len() <= free as usize);
        prop_assert_eq!(turns.iter().collect::<BTreeSet<_>>().len(), turns.len());
        let has_turn = |claim: &Claim| turns.contains(&claim.name().to_string());
        let full = |repository: u8| {
            let of = |claim: &&Claim| claim.holder().repository().unwrap().to_string() == self::repository(repository);
            let has = claims.iter().filter(of).filter(|claim| claim.addresses().is_some() || has_turn(claim)).count();
            limit > 0 && has >= limit as usize
        };
        for (n, (of, since, called)) in waiters.iter().enumerate() {
            let held = holders.iter().filter(|other| *other == of).count();
            let mine = waiters.iter().enumerate().filter(|(n, (other, ..))| other == of && has_turn(&claims[*n])).count();
            prop_assert!(limit == 0 || mine == 0 || held + mine <= limit as usize, "a limit is broken");
            if has_turn(&claims[n]) || full(*of) {
                continue;
            }
            prop_assert_eq!(turns.len(), free as usize, "something is free, and {} gets nothing", claims[n].name());
            let is_late = called.is_some_and(|ago| ago >= 10);
            for (m, (_, others_since, others_called)) in waiters.iter().enumerate().filter(|(m, _)| has_turn(&claims[*m])) {
                let other_is_late = others_called.is_some_and(|ago| ago >= 10);
                let is_younger = (*others_since, claims[m].name()) > (*since, claims[n].name());
                let was_called_before = is_late && other_is_late && others_called >= called;
                prop_assert!(!is_younger || is_late && !other_is_late || was_called_before, "{} passes {}", claims[m].name(), claims[n].name());
            }
        }
        for claim in standing.to_call(at(NOW)) {
            prop_assert!(has_turn(claim));
        }
    }
}
