//! The protocol of DESIGN §3, searched exhaustively: the engine's own code, every order of its requests.

mod alone;
mod broken;
mod port;
mod queue;
mod runs;
mod search;
mod stages;
mod waiting;
mod world;

use crate::depth::{deep, widest};
use alone::alone;
use berth::domain::{claim::State, holder::Holder, intent::Occasion, names::EnvironmentName};
use runs::{Broken, Spec, Starts};
use search::{Budget, Counts, End, Happening, Scenario, Search};
use world::{Old, World};

fn pull(number: u64) -> Holder {
    Holder::PullRequest(format!("acme/shop#{number}").parse().unwrap())
}
fn name(number: u64) -> EnvironmentName {
    pull(number).name()
}

/// Whatever happened: once its pull request is closed, its time has passed and a sweep has come by, nothing is left.
fn nothing_leaks(end: &End<'_>) -> Result<(), String> {
    let mut world = end.world.clone();
    for open in world.open.values_mut() {
        *open = false;
    }
    let names: Vec<u64> = (1..=3).filter(|number| world.open.contains_key(&name(*number))).collect();
    for (round, process) in ["sweep1", "sweep2", "sweep3"].into_iter().enumerate() {
        for number in &names {
            // An inert leftover that no claim explains is the sweep's to take away.
            if world.claim(&name(*number)).is_none()
                && let Some(object) = world.objects.get(&name(*number))
            {
                if object.active.is_some() {
                    return Err(format!("no claim explains {object:?} of {}", name(*number)));
                }
                world.objects.remove(&name(*number));
            }
            let like = end.scenario.runs[0].clone();
            alone(&mut world, &Spec { process, holder: pull(*number), occasion: Occasion::Sweep, ..like })
                .map_err(|e| format!("sweep {round}: {e}"))?;
        }
        world.time += 2;
    }
    let left: Vec<String> = world
        .pool()
        .entries()
        .filter(|(address, _)| !world.resurrected.contains(address))
        .filter(|(_, holder)| holder.parse().is_ok_and(|n: EnvironmentName| world.open.contains_key(&n)))
        .map(|(address, holder)| format!("{address} of {holder}"))
        .chain(world.claims().map(|claim| format!("the claim of {}: {:?}", claim.holder(), claim.state())))
        .chain(world.objects.iter().map(|(name, object)| format!("{object:?} of {name}")))
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
}

/// What the shell tool took from us is noticed at the next look: after one more event for each, what is up has its
/// addresses in the pool, and everything that is not is on its way down. Then nothing leaks either.
fn what_is_lost_is_noticed(end: &End<'_>) -> Result<(), String> {
    let mut world = end.world.clone();
    for number in [1, 2] {
        if world.open.contains_key(&name(number)) {
            let look = Spec {
                process: "look",
                holder: pull(number),
                occasion: Occasion::Event,
                grace: 0,
                ..end.scenario.runs[0].clone()
            };
            let outcome = alone(&mut world, &look).map_err(|e| format!("the next look at {number}: {e}"))?;
            let block = world.objects.get(&name(number)).and_then(|object| object.active);
            let pool = world.pool();
            let ours = |a| pool.holder(a).and_then(|holder| holder.as_str()) == Some(name(number).as_ref());
            if outcome == "up" && !block.is_some_and(|block| block.addresses().all(ours)) {
                return Err(format!(
                    "{} is called up on {block:?}, which the pool does not give it",
                    name(number)
                ));
            }
        }
    }
    nothing_leaks(end)
}

/// And while nothing went wrong on the way, what stands is what the pull request says.
fn what_stands_is_what_is_wanted(end: &End<'_>) -> Result<(), String> {
    nothing_leaks(end)?;
    if !end.undisturbed {
        return Ok(());
    }
    let (name, world) = (name(1), end.world);
    if world.open.get(&name) == Some(&true) {
        let held = world.claim(&name).is_some_and(|c| matches!(c.state(), State::Held { .. }));
        let active = world.objects.get(&name).is_some_and(|o| o.active.is_some());
        if !held || !active {
            let claim = world.claim(&name);
            return Err(format!("it is open, and yet: {claim:?}, {:?}", world.objects.get(&name)));
        }
    }
    Ok(())
}

fn spec(process: &'static str, number: u64, broken: Broken) -> Spec {
    let (holder, occasion) = (pull(number), Occasion::Event);
    Spec { process, holder, occasion, blocks: 1, grace: 0, broken, line: None, starts: Starts::AtOnce }
}

fn world(broken: Broken, numbers: &[u64]) -> World {
    World::new(numbers.iter().map(|n| name(*n)), broken == Broken::LazyVersions).used()
}

/// Opened, closed, reopened: three runs of one environment.
fn one_environment(broken: Broken, budget: Budget) -> Scenario {
    Scenario {
        runs: vec![spec("opened", 1, broken), spec("closed", 1, broken), spec("reopened", 1, broken)],
        after: vec![0, 1, 2],
        happenings: vec![Happening { name: name(1), open: false }, Happening { name: name(1), open: true }],
        world: world(broken, &[1]),
        budget,
        at_the_end: what_stands_is_what_is_wanted,
    }
}

/// Standing, then closed, reopened within its grace or after it, and a sweep that comes by at any time.
fn within_its_grace(broken: Broken, budget: Budget) -> Scenario {
    let mut world = world(broken, &[1]);
    world.grace = 1;
    let mut runs = vec![spec("closed", 1, broken), spec("sweep", 1, broken), spec("reopened", 1, broken)];
    runs[1].occasion = Occasion::Sweep;
    for run in &mut runs {
        run.grace = 1;
    }
    let opened = Spec { process: "opened", ..runs[0].clone() };
    assert_eq!(alone(&mut world, &opened).unwrap(), "up");
    Scenario {
        runs,
        after: vec![1, 1, 2],
        happenings: vec![Happening { name: name(1), open: false }, Happening { name: name(1), open: true }],
        world,
        budget,
        at_the_end: nothing_goes_within_its_grace,
    }
}

/// As long as no grace can be over, the very environment stands.
fn nothing_goes_within_its_grace(end: &End<'_>) -> Result<(), String> {
    let object = end.world.objects.get(&name(1));
    let stands = object.is_some_and(|object| object.uid == 1 && object.active.is_some());
    if end.world.time == end.scenario.world.time && !stands {
        return Err(format!("it goes within its grace: {object:?}"));
    }
    what_stands_is_what_is_wanted(end)
}

/// Opened and closed beside another environment that wants the only block, and the shell tool.
fn beside_others(broken: Broken, blocks: u8, old: Vec<Old>, budget: Budget) -> Scenario {
    let mut world = world(broken, &[1, 2]);
    world.old.program = old;
    let mut runs = vec![spec("opened", 1, broken), spec("closed", 1, broken), spec("other", 2, broken)];
    for run in &mut runs {
        run.blocks = blocks;
    }
    Scenario {
        runs,
        after: vec![0, 1, 0],
        happenings: vec![Happening { name: name(1), open: false }],
        world,
        budget,
        at_the_end: what_is_lost_is_noticed,
    }
}

/// Two environments that are opened beside the shell tool, and not closed.
fn two_beside_the_old_tool(broken: Broken, old: Old, budget: Budget) -> Scenario {
    let mut scenario = beside_others(broken, 2, vec![old], budget);
    scenario.happenings.clear();
    scenario.runs.remove(1);
    scenario.after = vec![0, 0];
    scenario
}

/// Opened, closed and reopened beside the shell tool.
fn one_beside_the_old_tool(broken: Broken, old: Old, budget: Budget) -> Scenario {
    let mut scenario = one_environment(broken, budget);
    scenario.world.old.program = vec![old];
    scenario.at_the_end = what_is_lost_is_noticed;
    scenario
}

const CALM: Budget = Budget { crashes: 0, lost: 0, time_steps: 1 };
const CRASH: Budget = Budget { crashes: 1, ..CALM };
const LOST: Budget = Budget { lost: 1, ..CALM };
const BOTH: Budget = Budget { crashes: 1, lost: 1, ..CALM };

/// Searches it whole.
fn holds(what: &str, scenario: &Scenario) {
    let Counts { states, transitions, ends } =
        Search::new(scenario).run().unwrap_or_else(|e| panic!("{what}: {e}"));
    println!("{what}: {states} states, {transitions} transitions, {ends} endings");
    assert!(ends > 10, "{what}: a search that ends nowhere proves nothing");
}

#[test]
fn opened_closed_and_reopened_with_a_crash_anywhere() {
    holds("three runs, a crash", &one_environment(Broken::Nothing, if deep() { BOTH } else { CRASH }));
}

#[test]
fn closed_swept_and_reopened_within_its_grace_or_after_it_with_a_crash_anywhere() {
    holds("a grace and a sweep, a crash", &within_its_grace(Broken::Nothing, CRASH));
    let budget = if deep() { Budget { time_steps: 2, ..BOTH } } else { LOST };
    holds("a grace and a sweep, a lost answer", &within_its_grace(Broken::Nothing, budget));
}

#[test]
fn opened_closed_and_reopened_with_a_lost_or_late_answer_anywhere() {
    holds("three runs, a lost answer", &one_environment(Broken::Nothing, LOST));
}

#[test]
fn opened_and_closed_beside_another_that_wants_the_only_block_with_a_crash_and_a_lost_answer_anywhere() {
    let budget = if deep() { BOTH } else { CRASH };
    holds("two environments, one block", &beside_others(Broken::Nothing, 1, vec![], budget));
    holds("two environments, one block, a lost answer", &beside_others(Broken::Nothing, 1, vec![], LOST));
}

#[test]
fn beside_the_old_tool_that_takes_a_block_or_erases_ours() {
    for old in [Old::Allocate, Old::Release] {
        let budget = if deep() { CRASH } else { CALM };
        holds(&format!("two environments, {old:?}"), &beside_others(Broken::Nothing, 1, vec![old], budget));
    }
}

#[test]
fn opened_closed_and_reopened_beside_the_old_tool() {
    let cases: &[_] = match (deep(), widest()) {
        (false, _) => &[(Old::Release, CALM)],
        (true, false) => &[(Old::Release, CRASH)],
        (true, true) => &[(Old::Allocate, CRASH), (Old::Release, LOST), (Old::Release, BOTH)],
    };
    for (old, budget) in cases {
        holds(
            &format!("three runs, {old:?}, {budget:?}"),
            &one_beside_the_old_tool(Broken::Nothing, *old, *budget),
        );
    }
}

#[test]
fn two_opened_beside_the_old_tool_with_a_crash_and_a_lost_or_late_answer_anywhere() {
    for old in [Old::Allocate, Old::Release] {
        let budget = if deep() { BOTH } else { LOST };
        holds(&format!("two opened, {old:?}"), &two_beside_the_old_tool(Broken::Nothing, old, budget));
    }
}

/// Else a rule that is taken away from a copy might be seen for a flaw of the copy.
#[test]
fn the_copies_that_rules_are_taken_from_hold_as_the_engine_does() {
    holds("copies, three runs", &one_environment(Broken::Copies, CALM));
    holds("copies, two environments", &beside_others(Broken::Copies, 1, vec![], CALM));
    holds("copies, the old tool", &two_beside_the_old_tool(Broken::Copies, Old::Release, CALM));
}

/// Takes a rule away and expects the search to see it.
fn fails(broken: Broken, scenario: impl Fn(Broken) -> Scenario, how: &str) {
    let found = Search::new(&scenario(broken)).run();
    let found = found.expect_err(&format!("{broken:?} goes unseen"));
    assert!(found.contains(how), "{broken:?} is seen, but not as {how:?}:\n{found}");
    // And that with the rule in place the very scenario holds is what the tests above show.
}

#[test]
fn without_rule_1_an_older_look_at_the_pull_request_wins() {
    fails(Broken::WantedReadFirst, |broken| one_environment(broken, CALM), "it is open, and yet");
}

#[test]
fn without_rule_2_a_close_that_nobody_wrote_down_leaks() {
    fails(Broken::JudgedByItsRecord, |broken| one_environment(broken, CALM), "left behind");
}

#[test]
fn without_rule_3_two_runs_hold_one_fence() {
    fails(Broken::OneRunId, |broken| one_environment(broken, CALM), "two runs hold one fence");
}

#[test]
fn without_rule_4_in_allocating_an_entry_stays_that_no_claim_explains() {
    fails(Broken::ClaimCheckedBeforePool, |broken| beside_others(broken, 1, vec![], CALM), "left behind");
}

#[test]
fn without_rule_4_in_freeing_a_live_environment_loses_its_addresses() {
    fails(Broken::FreeUnchecked, |broken| one_environment(broken, CALM), "is freed under");
    fails(Broken::NoFreeing, |broken| one_environment(broken, CALM), "is freed under");
}

#[test]
fn without_rule_5_a_late_allocation_or_a_dead_runs_entry_leaks() {
    fails(Broken::FreeOnlyIfThere, |broken| beside_others(broken, 1, vec![], CALM), "left behind");
    fails(Broken::FreeByList, |broken| beside_others(broken, 1, vec![], CALM), "left behind");
}

#[test]
fn without_rule_6_a_late_create_uses_addresses_that_are_anothers() {
    fails(Broken::BornActive, |broken| beside_others(broken, 1, vec![], CALM), "is used by");
}

#[test]
fn without_rule_7_a_reopening_is_forgotten() {
    fails(Broken::WishForgotten, |broken| one_environment(broken, CALM), "it is open, and yet");
}

#[test]
fn without_rule_8_what_the_old_tool_erased_is_given_away() {
    let scenario = |broken| beside_others(broken, 1, vec![Old::Release], CALM);
    fails(Broken::ClaimsNotTaken, scenario, "is used by");
}

#[test]
fn without_the_second_half_of_rule_8_a_loss_goes_unnoticed() {
    let scenario = |broken| two_beside_the_old_tool(broken, Old::Allocate, CALM);
    fails(Broken::VerifySkipped, scenario, "which the pool does not give it");
}

#[test]
fn with_the_check_before_the_look_a_newer_runs_object_is_deleted() {
    fails(Broken::DeleteUnchecked, |broken| one_environment(broken, CALM), "is deleted while it is up");
}

#[test]
fn with_a_store_that_gives_an_unchanged_write_no_version_a_late_allocation_leaks() {
    fails(Broken::LazyVersions, |broken| beside_others(broken, 1, vec![], CALM), "left behind");
}
