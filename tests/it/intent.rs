//! Intent: the whole decision table, to be read by a person; then the rules that it must keep, one by one.

use crate::claims::{LIFE, at, first, in_each_state, pair, pull, removal, run, uid};
use berth::domain::{
    claim::{Claim, State, Wish},
    holder::Holder,
    intent::{Ids, Intent, Occasion, Terms, Then, Wanted, Why, decide},
    names::{Generation, HeadSha},
};
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, sample::select};
use std::fmt::Write;

const US: &str = "acme/shop#42";
const GRACE: SignedDuration = SignedDuration::from_hours(1);
const OCCASIONS: [Occasion; 4] = [Occasion::Event, Occasion::UpNow, Occasion::Sweep, Occasion::DownNow];

fn terms() -> Terms {
    Terms {
        life: LIFE,
        grace: GRACE,
        reuse_after: SignedDuration::from_mins(10),
        removal: removal(),
        place: None,
        job: None,
    }
}

fn ids() -> Ids {
    Ids { run: run("this-run"), uid: uid("this-uid") }
}

fn head() -> HeadSha {
    "89abcdef0123456789abcdef0123456789abcdef".parse().expect("a SHA")
}

fn up() -> Wanted {
    Wanted::Up(Some(head()))
}

fn decided_at(now: Timestamp, occasion: Occasion, wanted: Wanted, claim: Option<&Claim>) -> Intent {
    decide(&pull(US), occasion, wanted, claim, ids(), now, &terms())
        .expect("the table holds no illegal transition")
}

/// Ten hours after the claim was made.
fn decided(occasion: Occasion, wanted: Wanted, claim: Option<&Claim>) -> Intent {
    decided_at(at(10), occasion, wanted, claim)
}

/// What a taking wrote, and what follows.
fn taken(intent: Intent) -> (Claim, Then) {
    match intent {
        Intent::Take(claim, then) => (claim, then),
        Intent::Leave(_) | Intent::Refuse { .. } => panic!("not taken: {intent:?}"),
    }
}

fn held_until(expires: i64) -> Claim {
    let [_, held, ..] = in_each_state(US);
    held.expiring(at(expires))
}

fn closed_at(hour: i64) -> Claim {
    held_until(72).wishing(Wish::Down).closed(at(hour)).expect("legal")
}

/// Everything that a claim can be found as at `at(10)`, with each thing that the decision may depend on.
fn situations() -> Vec<(&'static str, Option<Claim>)> {
    let [waiting, _, draining, cooling, freeing] = in_each_state(US);
    let cools_until = |hour| draining.clone().wishing(Wish::Down).cooling(at(hour)).expect("legal");
    vec![
        ("no claim", None),
        ("another's claim", Some(first("other/shop#42"))),
        ("waiting", Some(waiting.clone())),
        ("waiting, expired now", Some(waiting.expiring(at(10)))),
        ("held", Some(held_until(72))),
        ("held, expired now", Some(held_until(10))),
        (
            "held, closed, half of the grace left",
            Some(held_until(72).closed(at(10) - GRACE / 2).expect("legal")),
        ),
        ("held, closed, grace over now", Some(closed_at(9))),
        (
            "held, closed, grace left, but expired",
            Some(held_until(10).closed(at(10) - GRACE / 2).expect("legal")),
        ),
        ("draining, wish down", Some(draining.clone().wishing(Wish::Down))),
        ("draining, wish up", Some(draining.clone())),
        ("draining, wish down, expired", Some(draining.clone().wishing(Wish::Down).expiring(at(10)))),
        ("cooling for 5 hours more", Some(cools_until(15))),
        ("cooling for 5 hours more, expired", Some(cools_until(15).expiring(at(10)))),
        ("cooling for 5 hours more, knows of no addresses", {
            let without = first(US).draining(at(2)).and_then(|c| c.wishing(Wish::Down).cooling(at(15)));
            Some(without.expect("legal"))
        }),
        ("cooled now", Some(cools_until(10))),
        ("cooled now, wish up", Some(cooling.cooled_until(at(10)))),
        ("freeing, wish down", Some(freeing.clone().wishing(Wish::Down))),
        ("freeing, wish up", Some(freeing)),
    ]
}

trait CooledUntil {
    fn cooled_until(self, until: Timestamp) -> Claim;
}

impl CooledUntil for Claim {
    /// No transition moves the end of a cooling; the document may say any.
    fn cooled_until(self, until: Timestamp) -> Claim {
        let mut document = serde_json::to_value(self).expect("plain data");
        document["state"]["until"] = serde_json::json!(until);
        serde_json::from_value(document).expect("a claim")
    }
}

fn hours(time: Timestamp) -> String {
    format!("{:+}h", time.duration_since(at(10)).as_secs_f64() / 3600.0)
}

fn why(why: Why) -> String {
    match why {
        Why::NothingThere => "nothing there".to_owned(),
        Why::Wanted => "wanted".to_owned(),
        Why::Grace(until) => format!("grace until {}", hours(until)),
        Why::Cooling(until) => format!("cooling until {}", hours(until)),
    }
}

/// The new claim in words, in as far as it is decided here.
fn shown(before: Option<&Claim>, intent: &Intent) -> String {
    match intent {
        Intent::Leave(reason) => format!("leave: {}", why(*reason)),
        Intent::Refuse { held_by } => format!("refuse: {held_by} has it"),
        Intent::Take(claim, then) => {
            let mut text = claim.state().word().to_owned();
            if let State::Held { closed_at: Some(time), .. } = claim.state() {
                write!(text, " closed {}", hours(*time)).expect("a String takes all");
            }
            text += if claim.wish() == Wish::Up { ", wish up" } else { ", wish down" };
            if before.is_none_or(|before| before.expires() != claim.expires()) {
                write!(text, ", expires {}", hours(claim.expires())).expect("a String takes all");
            }
            let then = match then {
                Then::Up => "go up".to_owned(),
                Then::Down => "go down".to_owned(),
                Then::Rest(reason) => format!("rest: {}", why(*reason)),
            };
            format!("take: {text}; {then}")
        }
    }
}

#[test]
fn the_table_of_all_decisions() {
    let mut table = String::new();
    for (situation, claim) in situations() {
        writeln!(table, "{situation}").unwrap();
        for (occasion, word) in [(Occasion::Event, "event"), (Occasion::Sweep, "sweep")] {
            for (wanted, which) in [(up(), "open"), (Wanted::Down, "closed")] {
                let intent = decided(occasion, wanted, claim.as_ref());
                writeln!(table, "  {word}, {which:<8} {}", shown(claim.as_ref(), &intent)).unwrap();
            }
        }
        let now = decided(Occasion::DownNow, up(), claim.as_ref());
        assert_eq!(
            now,
            decided(Occasion::DownNow, Wanted::Down, claim.as_ref()),
            "{situation}: down is down"
        );
        writeln!(table, "  down now        {}", shown(claim.as_ref(), &now)).unwrap();
    }
    insta::assert_snapshot!(table, @r"
    no claim
      event, open     take: waiting, wish up, expires +72h; go up
      event, closed   leave: nothing there
      sweep, open     leave: nothing there
      sweep, closed   leave: nothing there
      down now        leave: nothing there
    another's claim
      event, open     refuse: other/shop#42 has it
      event, closed   refuse: other/shop#42 has it
      sweep, open     refuse: other/shop#42 has it
      sweep, closed   refuse: other/shop#42 has it
      down now        refuse: other/shop#42 has it
    waiting
      event, open     take: waiting, wish up; go up
      event, closed   take: draining, wish down; go down
      sweep, open     leave: wanted
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    waiting, expired now
      event, open     take: draining, wish up, expires +72h; go down
      event, closed   take: draining, wish down; go down
      sweep, open     take: draining, wish down; go down
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    held
      event, open     take: held, wish up; go up
      event, closed   take: held closed +0h, wish down; rest: grace until +1h
      sweep, open     leave: wanted
      sweep, closed   take: held closed +0h, wish down; rest: grace until +1h
      down now        take: draining, wish down; go down
    held, expired now
      event, open     take: draining, wish up, expires +72h; go down
      event, closed   take: draining, wish down; go down
      sweep, open     take: draining, wish down; go down
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    held, closed, half of the grace left
      event, open     take: held, wish up; go up
      event, closed   leave: grace until +0.5h
      sweep, open     take: held, wish up; rest: wanted
      sweep, closed   leave: grace until +0.5h
      down now        take: draining, wish down; go down
    held, closed, grace over now
      event, open     take: held, wish up; go up
      event, closed   take: draining, wish down; go down
      sweep, open     take: held, wish up; rest: wanted
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    held, closed, grace left, but expired
      event, open     take: draining, wish up, expires +72h; go down
      event, closed   take: draining, wish down; go down
      sweep, open     take: draining, wish down; go down
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    draining, wish down
      event, open     take: draining, wish up, expires +72h; go down
      event, closed   take: draining, wish down; go down
      sweep, open     take: draining, wish down; go down
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    draining, wish up
      event, open     take: draining, wish up, expires +72h; go down
      event, closed   take: draining, wish down; go down
      sweep, open     take: draining, wish up; go down
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    draining, wish down, expired
      event, open     take: draining, wish up, expires +72h; go down
      event, closed   take: draining, wish down; go down
      sweep, open     take: draining, wish down; go down
      sweep, closed   take: draining, wish down; go down
      down now        take: draining, wish down; go down
    cooling for 5 hours more
      event, open     take: held, wish up, expires +72h; go up
      event, closed   leave: cooling until +5h
      sweep, open     leave: cooling until +5h
      sweep, closed   leave: cooling until +5h
      down now        leave: cooling until +5h
    cooling for 5 hours more, expired
      event, open     take: held, wish up, expires +72h; go up
      event, closed   leave: cooling until +5h
      sweep, open     leave: cooling until +5h
      sweep, closed   leave: cooling until +5h
      down now        leave: cooling until +5h
    cooling for 5 hours more, knows of no addresses
      event, open     take: waiting, wish up, expires +72h; go up
      event, closed   leave: cooling until +5h
      sweep, open     leave: cooling until +5h
      sweep, closed   leave: cooling until +5h
      down now        leave: cooling until +5h
    cooled now
      event, open     take: held, wish up, expires +72h; go up
      event, closed   take: cooling, wish down; go down
      sweep, open     take: cooling, wish down; go down
      sweep, closed   take: cooling, wish down; go down
      down now        take: cooling, wish down; go down
    cooled now, wish up
      event, open     take: held, wish up, expires +72h; go up
      event, closed   take: cooling, wish down; go down
      sweep, open     take: cooling, wish up; go down
      sweep, closed   take: cooling, wish down; go down
      down now        take: cooling, wish down; go down
    freeing, wish down
      event, open     take: freeing, wish up, expires +72h; go down
      event, closed   take: freeing, wish down; go down
      sweep, open     take: freeing, wish down; go down
      sweep, closed   take: freeing, wish down; go down
      down now        take: freeing, wish down; go down
    freeing, wish up
      event, open     take: freeing, wish up, expires +72h; go down
      event, closed   take: freeing, wish down; go down
      sweep, open     take: freeing, wish up; go down
      sweep, closed   take: freeing, wish down; go down
      down now        take: freeing, wish down; go down
    ");
}

#[test]
fn a_close_event_for_a_pull_request_that_is_open_brings_it_up() {
    // There is no argument for what an event said; what `closed` woke is judged by the world, like everything.
    let (claim, then) = taken(decided(Occasion::Event, up(), None));
    assert_eq!((claim.wish(), then), (Wish::Up, Then::Up));
    let (claim, then) = taken(decided(Occasion::Event, up(), Some(&closed_at(9))));
    assert_eq!((claim.state(), then), (&State::Held { addresses: Some(pair()), closed_at: None }, Then::Up));
}

#[test]
fn a_push_event_for_a_pull_request_that_is_closed_brings_nothing_up() {
    assert_eq!(decided(Occasion::Event, Wanted::Down, None), Intent::Leave(Why::NothingThere));
    for (situation, claim) in situations() {
        if let Intent::Take(_, then) = decided(Occasion::Event, Wanted::Down, claim.as_ref()) {
            assert_ne!(then, Then::Up, "{situation}");
        }
    }
}

#[test]
fn a_sweep_never_starts_anything() {
    for (situation, claim) in situations() {
        for wanted in [up(), Wanted::Down] {
            match decided(Occasion::Sweep, wanted, claim.as_ref()) {
                Intent::Leave(_) | Intent::Refuse { .. } => {}
                Intent::Take(after, then) => {
                    let before = claim.as_ref().expect("a sweep makes no claim");
                    assert_ne!(then, Then::Up, "{situation}");
                    // What stands and is wanted may say so; what goes is not wished back.
                    let stands = matches!(after.state(), State::Held { .. });
                    let wished = after.wish() == Wish::Down || before.wish() == Wish::Up;
                    assert!(stands || wished, "{situation}: wishes by itself");
                    assert_eq!(after.head(), before.head(), "{situation}: deploys nothing new");
                }
            }
        }
    }
}

#[test]
fn a_sweep_that_sees_an_open_pull_request_takes_the_close_off_without_touching_the_environment() {
    let (claim, then) = taken(decided(Occasion::Sweep, up(), Some(&closed_at(3))));
    assert_eq!(claim.state(), &State::Held { addresses: Some(pair()), closed_at: None });
    assert_eq!(then, Then::Rest(Why::Wanted));
    // So the next close has a grace of its own.
    let (claim, then) = taken(decided(Occasion::Sweep, Wanted::Down, Some(&claim)));
    assert_eq!(claim.state(), &State::Held { addresses: Some(pair()), closed_at: Some(at(10)) });
    assert_eq!(then, Then::Rest(Why::Grace(at(11))));
}

/// Filters stand in the app's own file, which the sweep does not have: to it, it is open and no more.
#[test]
fn a_sweep_does_not_bring_back_what_a_filter_left_out() {
    let held = situations().into_iter().find_map(|(situation, claim)| {
        claim.filter(|claim| {
            situation == "held" && matches!(claim.state(), State::Held { closed_at: None, .. })
        })
    });
    let (claim, then) = taken(decided(Occasion::Event, Wanted::LeftOut, held.as_ref()));
    assert_eq!((claim.is_left_out(), then), (true, Then::Rest(Why::Grace(at(11)))));
    assert_eq!(
        decided(Occasion::Sweep, up(), Some(&claim)),
        Intent::Leave(Why::Grace(at(11))),
        "it is open, and stays left out"
    );
    let (gone, then) = taken(decided_at(at(11), Occasion::Sweep, up(), Some(&claim)));
    assert_eq!((gone.state().word(), then), ("draining", Then::Down));
    let (back, then) = taken(decided(Occasion::Event, up(), Some(&claim)));
    assert_eq!((back.is_left_out(), then), (false, Then::Up));
    // Closed in earnest and reopened unheard, it is wanted as any other.
    let (closed, _) = taken(decided(Occasion::Event, Wanted::Down, Some(&claim)));
    assert_eq!(taken(decided(Occasion::Sweep, up(), Some(&closed))).1, Then::Rest(Why::Wanted));
}

#[test]
fn the_first_sighting_of_a_close_counts_and_a_later_one_does_not_start_the_grace_again() {
    for occasion in [Occasion::Event, Occasion::Sweep] {
        let seen = |now, claim: &Claim| decided_at(now, occasion, Wanted::Down, Some(claim));
        let (closed, then) = taken(seen(at(10), &held_until(72)));
        assert_eq!(then, Then::Rest(Why::Grace(at(11))));
        let second = SignedDuration::from_secs(1);
        assert_eq!(seen(at(11) - second, &closed), Intent::Leave(Why::Grace(at(11))));
        let (draining, then) = taken(seen(at(11), &closed));
        assert_eq!((draining.state().word(), then), ("draining", Then::Down));
    }
}

#[test]
fn reopening_within_the_grace_gives_the_same_environment_back_untouched() {
    let before = closed_at(10);
    let (after, then) = taken(decided(Occasion::Event, up(), Some(&before)));
    let expected =
        before.reopened().unwrap().taken(run("this-run"), at(10)).wishing(Wish::Up).wanting(Some(head()));
    assert_eq!((after, then), (expected, Then::Up));
}

#[test]
fn reopening_while_it_cools_gives_the_same_addresses() {
    for (situation, claim) in situations().into_iter().filter(|(word, _)| word.starts_with("cool")) {
        let before = claim.expect("it cools").addresses();
        let claim =
            situations().into_iter().find(|(word, _)| *word == situation).and_then(|(_, claim)| claim);
        let (after, then) = taken(decided(Occasion::Event, up(), claim.as_ref()));
        assert_eq!((after.addresses(), then), (before, Then::Up), "{situation}");
    }
}

#[test]
fn what_drains_or_is_being_freed_goes_on_down_whoever_looks_and_carries_the_wish() {
    let [_, _, draining, _, freeing] = in_each_state(US);
    for claim in [draining, freeing] {
        for (occasion, wanted, wish) in [
            (Occasion::Event, up(), Wish::Up),
            (Occasion::Event, Wanted::Down, Wish::Down),
            (Occasion::Sweep, Wanted::Down, Wish::Down),
            (Occasion::DownNow, up(), Wish::Down),
        ] {
            for claim in [claim.clone().wishing(Wish::Up), claim.clone().wishing(Wish::Down)] {
                let (after, then) = taken(decided(occasion, wanted.clone(), Some(&claim)));
                assert_eq!((after.state(), after.wish(), then), (claim.state(), wish, Then::Down));
            }
        }
        for wish in [Wish::Up, Wish::Down] {
            let (after, _) = taken(decided(Occasion::Sweep, up(), Some(&claim.clone().wishing(wish))));
            assert_eq!(
                after.wish(),
                wish,
                "a sweep leaves the wish of an open pull request as an event left it"
            );
        }
    }
}

#[test]
fn a_grace_of_nothing_is_no_grace() {
    let terms = Terms { grace: SignedDuration::ZERO, ..terms() };
    let claim = held_until(72);
    let intent =
        decide(&pull(US), Occasion::Event, Wanted::Down, Some(&claim), ids(), at(10), &terms).unwrap();
    let (claim, then) = taken(intent);
    assert_eq!((claim.state().word(), then), ("draining", Then::Down));
}

#[test]
fn a_grace_without_end_is_no_panic() {
    let terms = Terms { grace: SignedDuration::MAX, ..terms() };
    let claim = held_until(72);
    let intent =
        decide(&pull(US), Occasion::Sweep, Wanted::Down, Some(&claim), ids(), at(10), &terms).unwrap();
    assert_eq!(taken(intent).1, Then::Rest(Why::Grace(Timestamp::MAX)));
}

/// What the engine makes of a claim that goes down with a wish carried, once all was seen absent.
fn brought_back(claim: Claim) -> Claim {
    match claim.state() {
        State::Draining { .. } => claim.revived(at(11)).expect("legal"),
        _ => claim,
    }
}

#[test]
fn what_is_built_anew_has_a_whole_life_before_it() {
    for (situation, claim) in situations() {
        let Intent::Take(after, then) = decided(Occasion::Event, up(), claim.as_ref()) else { continue };
        let after = brought_back(after);
        if matches!(after.state(), State::Waiting { .. } | State::Held { .. }) {
            let next = decided_at(at(12), Occasion::Sweep, up(), Some(&after));
            assert!(
                !matches!(next, Intent::Take(_, Then::Down)),
                "{situation}, {then:?}: swept away an hour later"
            );
        }
    }
}

#[test]
fn a_push_does_not_lengthen_the_life_of_what_stands() {
    for claim in [first(US), held_until(11), closed_at(9)] {
        let (after, _) = taken(decided(Occasion::Event, up(), Some(&claim)));
        assert_eq!(after.expires(), claim.expires());
    }
}

fn occasion() -> impl Strategy<Value = Occasion> {
    select(OCCASIONS.to_vec())
}

fn wanted() -> impl Strategy<Value = Wanted> {
    select(vec![up(), Wanted::Up(None), Wanted::Down])
}

/// Any claim that transitions can lead to, whoever holds it, at any time.
fn claims(holder: &'static str) -> impl Strategy<Value = Claim> {
    let wish = select(vec![Wish::Up, Wish::Down]);
    let grace = prop::option::of(0i64..20);
    (0usize..5, wish, 0i64..20, grace, 0i64..20, any::<bool>()).prop_map(
        move |(state, wish, expires, closed, until, addressed)| {
            let addresses = addressed.then(pair);
            let steps = |claim: Claim| -> Result<Claim, _> {
                let held = || claim.clone().held(addresses);
                match state {
                    0 => Ok(claim),
                    1 => closed.map_or_else(held, |hour| held()?.closed(at(hour))),
                    2 => held()?.draining(at(2)),
                    3 => held()?.draining(at(2))?.cooling(at(until)),
                    _ => held()?.draining(at(2))?.cooling(at(until))?.freeing(at(until)),
                }
            };
            steps(first(holder).wishing(wish).expiring(at(expires))).expect("legal")
        },
    )
}

proptest! {
    #[test]
    fn every_taking_is_of_the_next_generation_and_bears_the_run_that_was_given(
        occasion in occasion(), wanted in wanted(), claim in prop::option::of(claims(US)), now in -1i64..25,
    ) {
        let intent = decide(&pull(US), occasion, wanted.clone(), claim.as_ref(), ids(), at(now), &terms());
        let intent = intent.expect("the table holds no illegal transition");
        assert!(!matches!(intent, Intent::Refuse { .. }), "it is ours");
        if let Intent::Take(after, _) = intent {
            let next = claim.as_ref().map_or(Generation::FIRST, |before| before.generation().next());
            prop_assert_eq!((after.generation(), after.run()), (next, &run("this-run")));
            prop_assert_eq!(after.holder(), &pull(US));
            prop_assert!(claim.is_none() || after.addresses() == claim.as_ref().and_then(Claim::addresses));
            if let (Occasion::Event, Wanted::Up(head)) = (occasion, &wanted) {
                prop_assert_eq!(after.head(), head.as_ref());
            }
        }
    }

    #[test]
    fn deciding_again_at_once_changes_nothing_but_the_hands(
        occasion in occasion(), wanted in wanted(), claim in prop::option::of(claims(US)), now in -1i64..25,
    ) {
        let again = |claim: Option<&Claim>| decided_at(at(now), occasion, wanted.clone(), claim);
        if let Intent::Take(once, then) = again(claim.as_ref()) {
            match again(Some(&once)) {
                Intent::Take(twice, next) => prop_assert_eq!((once.taken(run("this-run"), at(now)), then), (twice, next)),
                Intent::Leave(why) => prop_assert_eq!(then, Then::Rest(why)),
                Intent::Refuse { .. } => prop_assert!(false),
            }
        }
    }

    #[test]
    fn nobody_takes_a_claim_of_another_holder(
        occasion in occasion(), wanted in wanted(), claim in claims("other/shop#42"), now in -1i64..25,
    ) {
        prop_assert_eq!(claim.name(), pull(US).name());
        let held_by = pull("other/shop#42");
        prop_assert_eq!(decided_at(at(now), occasion, wanted, Some(&claim)), Intent::Refuse { held_by });
    }
}

#[test]
fn a_holder_of_the_same_name_is_refused_whatever_kind_it_is() {
    let hashed = pull("acme/my.app#7");
    let spelled =
        format!("acme/{}#7", hashed.name().as_ref().trim_start_matches("pr-").trim_end_matches("-7"));
    let by_hand = Holder::Named(hashed.name());
    for other in [pull(&spelled), by_hand] {
        assert_eq!(other.name(), hashed.name());
        let claim = first("acme/my.app#7");
        for occasion in OCCASIONS {
            let intent = decide(&other, occasion, up(), Some(&claim), ids(), at(10), &terms()).unwrap();
            assert_eq!(intent, Intent::Refuse { held_by: hashed.clone() });
        }
    }
}
