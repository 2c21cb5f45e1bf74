//! What a sweep means to do, as a table: of each claim, of what nobody claims, and of what is not ours.

use crate::claims::{at, first, in_each_state, pair, pull, removal};
use berth::domain::{
    claim::{Claim, Elsewhere, ObjectName, Reported},
    holder::Holder,
    intent::{Terms, Wanted},
    sweep::{Action, Found, Fuse, On, Plan, Rules, Trace, plan},
    swept::{Blown, Mark, Swept},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const FUSE: Fuse = Fuse { limit: 5, percent: 20 };

fn planned(found: &Found, now: Timestamp) -> Plan {
    let terms = Terms {
        life: SignedDuration::from_hours(72),
        grace: SignedDuration::from_hours(1),
        reuse_after: SignedDuration::from_mins(10),
        removal: removal(),
        place: None,
        job: None,
    };
    let rules = Rules {
        terms: &terms,
        warn: SignedDuration::from_hours(4),
        stuck: SignedDuration::from_mins(30),
        fuse: FUSE,
        places: &BTreeMap::new(),
    };
    plan(found, &rules, now)
}

/// Of these claims, whose pull requests are open or closed.
fn found(claims: Vec<(Claim, Wanted)>) -> Found {
    let wanted = claims.iter().map(|(claim, wanted)| (claim.name(), Ok(wanted.clone()))).collect();
    Found {
        claims: claims.into_iter().map(|(claim, _)| claim).collect(),
        unreadable: BTreeMap::new(),
        traces: Vec::new(),
        foreign: BTreeSet::new(),
        others: BTreeSet::new(),
        used: BTreeSet::new(),
        wanted,
        began: at(10),
        last: None,
        looked: Vec::new(),
        unseen: Vec::new(),
    }
}

fn lines(plan: &Plan) -> String {
    let line = |line: &berth::domain::sweep::Line| {
        let word = format!("{:?}", line.action).to_lowercase();
        format!("{word:8} {:30} {}", line.what, line.why)
    };
    plan.lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn up() -> Wanted {
    Wanted::Up(None)
}

fn ready(claim: Claim, hour: i64) -> Claim {
    let (by, head) = (claim.generation(), claim.head().cloned());
    let outcome = "ready".to_owned();
    claim.reporting(Reported {
        outcome,
        by,
        head,
        at: at(hour),
        tests: None,
        counted: None,
        took: 1,
        phases: vec![],
    })
}

fn held(holder: &str) -> Claim {
    ready(first(holder).held(Some(pair())).unwrap(), 1)
}

fn failed(holder: &str) -> Claim {
    let mut reported = held(holder).reported().unwrap().clone();
    reported.outcome = "failed".to_owned();
    held(holder).reporting(reported)
}

#[test]
fn of_each_claim_it_is_said_what_is_done_to_it_and_why() {
    let [waiting, _, draining, cooling, freeing] = in_each_state("acme/web#1");
    let holders = |claim: &Claim, number: u64| {
        let text =
            serde_json::to_string(claim).unwrap().replace("\"number\":1}", &format!("\"number\":{number}}}"));
        serde_json::from_str::<Claim>(&text).unwrap()
    };
    let claims = vec![
        (held("acme/shop#1"), up()),
        (held("acme/shop#2").closed(at(9) + SignedDuration::from_mins(32)).unwrap(), Wanted::Down),
        (held("acme/shop#3").closed(at(8)).unwrap(), Wanted::Down),
        (held("acme/shop#4"), Wanted::Down),
        (held("acme/shop#5").closed(at(9)).unwrap(), up()),
        (held("acme/shop#6").expiring(at(9)), up()),
        (held("acme/shop#7").expiring(at(9)).warned(), up()),
        (held("acme/shop#8").expiring(at(13)), up()),
        (held("acme/shop#9").expiring(at(13)).warned(), up()),
        (first("acme/shop#10").held(Some(pair())).unwrap(), up()),
        (failed("acme/shop#11").expiring(at(13)), up()),
        (holders(&waiting, 2), up()),
        (holders(&waiting, 3), Wanted::Down),
        (holders(&draining, 4), Wanted::Down),
        (holders(&cooling, 5).wishing(berth::domain::claim::Wish::Down), Wanted::Down),
        (holders(&freeing, 6), Wanted::Down),
    ];
    let mut found = found(claims);
    let down = held("acme/docs#3");
    found.wanted.insert(down.name(), Err("GitHub does not answer".to_owned()));
    found.claims.push(down);
    found.unreadable.insert("pr-odd-1".parse().unwrap(), "it was written by a newer berth".to_owned());
    let plan = planned(&found, at(10));
    insta::assert_snapshot!(lines(&plan), @r#"
    unknown  acme/docs#3                    GitHub does not answer
    unknown  pr-odd-1                       it was written by a newer berth
    remove   acme/shop#3                    closed 20:00 UTC, its grace is over
    remove   acme/shop#6                    lifetime over since 21:00 UTC
    remove   acme/shop#7                    lifetime over since 21:00 UTC, people were warned
    remove   acme/web#3                     closed while it waited
    resume   acme/web#4                     draining 8 h
    free     acme/web#5                     gone, cooled since 17:00 UTC
    free     acme/web#6                     it was being freed
    close    acme/shop#4                    closed, and no event has said so: grace until 23:00 UTC
    reopen   acme/shop#5                    reopened, and no event has said so
    start    acme/shop#10                   starting 10 h, and its run has not said how it went
    warn     acme/shop#8                    its lifetime is over at 6 Jan 01:00 UTC
    keep     acme/shop#2                    closed 21:32 UTC, grace until 22:32 UTC
    "#);
    assert_eq!((plan.removals, plan.of, plan.blown), (4, 18, None));
}

#[test]
fn what_is_past_its_time_goes_and_what_goes_goes_on_though_nobody_knows_what_its_repository_wants() {
    let unseen = || Err("acme/gone: it answers 404; is it there, and may the token see it?".to_owned());
    let mut found = found(Vec::new());
    let [_, _, draining, cooling, _] = in_each_state("acme/gone#1");
    for (number, claim) in
        [(2, held("acme/gone#2").expiring(at(9))), (3, held("acme/gone#3").closed(at(1)).unwrap())]
    {
        found.wanted.insert(format!("pr-gone-{number}").parse().unwrap(), unseen());
        found.claims.push(claim);
    }
    found.wanted.insert(draining.name(), unseen());
    found.claims.extend([draining, cooling]);
    insta::assert_snapshot!(lines(&planned(&found, at(10))), @r#"
    unknown  acme/gone#3                    acme/gone: it answers 404; is it there, and may the token see it?
    remove   acme/gone#2                    lifetime over since 21:00 UTC
    resume   acme/gone#1                    draining 8 h
    free     acme/gone#1                    gone, cooled since 17:00 UTC
    "#);
}

#[test]
fn a_run_that_died_at_a_commit_that_was_told_of_before_is_noticed() {
    let again = held("acme/shop#1").taken("run-2".parse().unwrap(), at(9)).brought_up();
    let plan = planned(&found(vec![(again.clone(), up())]), at(10));
    assert_eq!(plan.lines[0].action, Action::Start, "{}", lines(&plan));
    // One that was not to bring it up has nothing to tell.
    let swept = held("acme/shop#1").taken("sweep-2".parse().unwrap(), at(9));
    assert_eq!(planned(&found(vec![(swept, up())]), at(10)).lines, vec![]);
    assert_eq!(planned(&found(vec![(ready(again, 9), up())]), at(10)).lines, vec![]);
}

fn trace(name: &str, holder: Option<&str>, kind: &str) -> Trace {
    let name: berth::domain::names::EnvironmentName = name.parse().unwrap();
    let object = ObjectName {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: name.to_string(),
    };
    Trace {
        holder: holder.map(pull),
        what: object.to_string(),
        id: "uid-1".to_owned(),
        life: None,
        object: Some(Elsewhere { context: None, object }),
        held_by: None,
        name,
    }
}

/// Swept before, so long ago, and left this behind.
fn left(mut found: Found, before: &Plan, minutes: i64) -> Found {
    let at = at(10) - SignedDuration::from_mins(minutes);
    let marks =
        before.marks.iter().map(|(name, mark)| (name.clone(), Mark { since: at, seen: mark.seen.clone() }));
    found.last = Some(Swept::new(at, marks.collect(), None));
    found
}

fn orphans() -> Found {
    let mut found = found(Vec::new());
    found.traces = vec![
        trace("pr-shop-4", Some("acme/shop#4"), "Namespace"),
        trace("pr-shop-4", Some("acme/shop#4"), "Cluster"),
        trace("pr-shop-5", Some("acme/shop#5"), "Namespace"),
        trace("pr-shop-6", Some("acme/shop#6"), "Namespace"),
        trace("pr-old-3", None, "Namespace"),
        // Its marks contradict each other.
        trace("pr-shop-7", Some("acme/web#7"), "Namespace"),
        trace("pr-shop-8", Some("acme/shop#8"), "Namespace"),
        trace("pr-shop-8", Some("other/shop#8"), "Cluster"),
    ];
    let wanted = [
        ("pr-shop-4", Ok(Wanted::Down)),
        ("pr-shop-5", Ok(up())),
        ("pr-shop-6", Err("GitHub does not answer".to_owned())),
        ("pr-old-3", Ok(Wanted::Down)),
        ("pr-shop-7", Ok(Wanted::Down)),
        ("pr-shop-8", Ok(Wanted::Down)),
    ];
    found.wanted = wanted.into_iter().map(|(name, wanted)| (name.parse().unwrap(), wanted)).collect();
    found.foreign.insert("192.168.1.148 pr-legacy-7".to_owned());
    found.others = BTreeSet::from(["pr-web-1".parse().unwrap(), "pr-web-2".parse().unwrap()]);
    found
}

#[test]
fn what_nobody_claims_goes_once_two_sweeps_agree_that_are_ten_minutes_apart() {
    let marked = planned(&orphans(), at(10));
    insta::assert_snapshot!(lines(&marked), @r#"
    unknown  namespace pr-shop-6            GitHub does not answer
    mark     namespace pr-old-3             ours, and no claim says whose; removed if still so after 22:10 UTC
    mark     namespace pr-shop-4 and 1 more ours, and no claim says whose; removed if still so after 22:10 UTC
    report   192.168.1.148 pr-legacy-7      no claim of ours: left alone
    report   2 environments of another installation the claims of another store are for it: pr-web-1, pr-web-2
    report   namespace pr-shop-5            ours, its claim is lost, and acme/shop#5 is open: left alone, its next event claims it
    report   namespace pr-shop-7            its marks contradict each other: left alone
    report   namespace pr-shop-8 and 1 more its marks contradict each other: left alone
    "#);
    let soon = planned(&left(orphans(), &marked, 9), at(10));
    assert_eq!(soon.removals, 0, "{}", lines(&soon));
    let later = planned(&left(orphans(), &marked, 10), at(10));
    insta::assert_snapshot!(lines(&later), @r#"
    unknown  namespace pr-shop-6            GitHub does not answer
    remove   namespace pr-old-3             ours, and no claim has said whose since 21:50 UTC
    remove   namespace pr-shop-4 and 1 more ours, and no claim has said whose since 21:50 UTC
    report   192.168.1.148 pr-legacy-7      no claim of ours: left alone
    report   2 environments of another installation the claims of another store are for it: pr-web-1, pr-web-2
    report   namespace pr-shop-5            ours, its claim is lost, and acme/shop#5 is open: left alone, its next event claims it
    report   namespace pr-shop-7            its marks contradict each other: left alone
    report   namespace pr-shop-8 and 1 more its marks contradict each other: left alone
    "#);
    let holders: BTreeSet<String> = later
        .lines
        .iter()
        .filter_map(|line| match &line.on {
            On::Orphan(orphan) => Some(format!("{} {}", orphan.holder, orphan.objects.len())),
            _ => None,
        })
        .collect();
    assert_eq!(holders, BTreeSet::from(["acme/shop#4 2", "pr-old-3 1"].map(str::to_owned)));
}

#[test]
fn nobodys_things_stay_while_not_every_cluster_could_be_looked_at() {
    let later = || left(orphans(), &planned(&orphans(), at(10)), 10);
    assert_eq!(planned(&later(), at(10)).removals, 2);
    let mut unseen = later();
    unseen.unseen.push(("provider other".to_owned(), "its API server does not answer".to_owned()));
    let plan = planned(&unseen, at(10));
    assert_eq!((plan.removals, plan.marks.len()), (0, 2), "{}", lines(&plan));
    assert_eq!(planned(&left(later(), &plan, 10), at(10)).removals, 2, "their marks are kept meanwhile");
}

#[test]
fn what_could_not_be_judged_keeps_its_mark() {
    let closed = || {
        let mut found = orphans();
        found.wanted.insert("pr-shop-6".parse().unwrap(), Ok(Wanted::Down));
        found
    };
    let marked = planned(&closed(), at(10));
    let unknown = planned(&left(orphans(), &marked, 10), at(10));
    let name = "pr-shop-6".parse().unwrap();
    assert_eq!(unknown.marks.get(&name).map(|mark| &mark.seen), Some(&marked.marks[&name].seen));
    assert_eq!(planned(&left(closed(), &unknown, 10), at(10)).removals, 3);
}

#[test]
fn what_has_come_since_is_not_what_was_marked() {
    let marked = planned(&orphans(), at(10));
    let mut again = left(orphans(), &marked, 60);
    for trace in &mut again.traces {
        trace.id = "uid-2".to_owned();
    }
    assert_eq!(planned(&again, at(10)).removals, 0);
}

#[test]
fn what_is_claimed_is_nobodys_orphan_be_it_that_its_claim_cannot_be_read() {
    let marked = planned(&orphans(), at(10));
    let mut again = left(orphans(), &marked, 60);
    for name in ["pr-shop-4", "pr-old-3"] {
        again.unreadable.insert(name.parse().unwrap(), "damaged".to_owned());
    }
    assert_eq!(planned(&again, at(10)).removals, 0);
}

#[test]
fn what_lies_under_the_name_of_somebodys_live_cluster_does_not_take_that_along() {
    let of = |object: bool| {
        let mut found = found(Vec::new());
        let token = Trace { object: None, ..trace("pr-shop-1", None, "kv/pr-shop-1/vault-token") };
        found.traces.push(token);
        if object {
            found.traces.push(trace("pr-shop-1", Some("acme/shop#1"), "Namespace"));
        }
        found.wanted.insert("pr-shop-1".parse().unwrap(), Ok(Wanted::Down));
        found.used.insert("pr-shop-1".parse().unwrap());
        planned(&found, at(10)).lines[0].action
    };
    assert_eq!(of(false), Action::Report);
    // The cluster that has the address is its own.
    assert_eq!(of(true), Action::Mark);
}

#[test]
fn who_waits_where_nothing_is_any_more_is_told() {
    let waits = |place: &str| found(vec![(first("acme/shop#1").at(Some(place.parse().unwrap())), up())]);
    let plan = planned(&waits("pool lab"), at(10));
    assert_eq!(plan.lines[0].action, Action::Unknown, "{}", lines(&plan));
    assert!(
        plan.lines[0].why.contains("pool lab, which the platform file does not have"),
        "{}",
        lines(&plan)
    );
}

#[test]
fn what_was_ready_and_is_not_there_any_more_is_started_anew_once_two_sweeps_agree() {
    let gone = |claim| {
        let mut found = found(vec![(claim, up())]);
        found.looked = vec![(removal().provider, removal().context)];
        found
    };
    let lost = || gone(held("acme/shop#1"));
    let marked = planned(&lost(), at(10));
    assert_eq!(marked.lines[0].action, Action::Mark, "{}", lines(&marked));
    let later = planned(&left(lost(), &marked, 10), at(10));
    assert_eq!(later.lines[0].action, Action::Start, "{}", lines(&later));
    // It never stood, so that it is not there is no news; nobody has looked there; something is there.
    assert_eq!(planned(&left(gone(failed("acme/shop#1")), &marked, 10), at(10)).lines, vec![]);
    let mut unseen = left(lost(), &marked, 10);
    unseen.looked.clear();
    assert_eq!(planned(&unseen, at(10)).lines, vec![]);
    let mut there = left(lost(), &marked, 10);
    there.traces.push(trace("pr-shop-1", Some("acme/shop#1"), "Namespace"));
    assert_eq!(planned(&there, at(10)).lines, vec![]);
}

#[test]
fn beyond_so_many_and_so_many_of_a_hundred_the_fuse_blows() {
    let of = |closed: u64, open: u64| {
        let closed = (0..closed).map(|n| (held(&format!("acme/shop#{}", n + 1)), true));
        let open = (0..open).map(|n| (held(&format!("acme/web#{}", n + 1)), false));
        let claims = closed.chain(open).map(|(claim, is_closed)| match is_closed {
            true => (claim.closed(at(1)).unwrap(), Wanted::Down),
            false => (claim, up()),
        });
        planned(&found(claims.collect()), at(10)).blown
    };
    // All of a few, and a fifth of many, are an ordinary evening.
    assert_eq!(of(5, 0), None);
    assert_eq!(of(6, 24), None);
    assert_eq!(of(6, 23), Some(Blown { removals: 6, of: 29 }));
    assert_eq!(of(200, 800), None);
    assert_eq!(of(201, 799), Some(Blown { removals: 201, of: 1000 }));
}

#[test]
fn whoever_waits_for_the_sweep_is_told_what_keeps_it() {
    let swept = |at, blown| Swept::new(at, BTreeMap::new(), blown);
    let told = |last: Option<&Swept>| Swept::trouble(last, at(48)).unwrap_or_default();
    assert_eq!(told(Some(&swept(at(47), None))), "");
    let mut stuck = swept(at(47), None);
    stuck.stuck.insert("pr-shop-1".parse().unwrap(), at(40));
    let all = [
        told(None),
        told(Some(&swept(at(20), None))),
        told(Some(&swept(at(47), Some(Blown { removals: 12, of: 20 })))),
        told(Some(&stuck)),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    No sweep has ever run here, so nothing goes by itself: is one scheduled?
    The last sweep ran 1 d 4 h ago, so nothing goes by itself: is it still scheduled?
    The last sweep would have removed 12 of 20, and has stopped there: somebody must look, `berth sweep --dry-run` says what it means
    One environment does not go away; the sweep tells what keeps it
    "#);
}

/// Keys among them.
fn texts(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(all) => all.iter().map(texts).sum(),
        Value::Object(all) => all.values().map(|one| 1 + texts(one)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[test]
fn however_much_is_marked_and_stuck_what_a_sweep_leaves_is_no_document_that_openbao_refuses() {
    for seen in [1, 2, 4, 40] {
        let name = |number: usize| format!("pr-old-{number:04}").parse().unwrap();
        let mark = Mark { since: at(10), seen: (0..seen).map(|one| format!("thing {one} of it")).collect() };
        let marks: BTreeMap<_, _> = (0..5000).map(|number| (name(number), mark.clone())).collect();
        let swept = Swept::new(at(10), marks.clone(), Some(Blown { removals: 5000, of: 5000 }));
        let swept = swept.meeting((0..5000).map(|number| (name(number), at(1))).collect());
        assert!(texts(&serde_json::to_value(&swept).unwrap()) <= 1000);
        // The same ones each time, so that they are seen twice and go; and those first that have waited longest.
        assert!(swept.marks.len() > 10 && swept.marks.iter().eq(marks.iter().take(swept.marks.len())));
        let mut aged = marks;
        aged.get_mut(&name(4999)).unwrap().since = at(9);
        assert!(Swept::new(at(10), aged, None).marks.contains_key(&name(4999)));
    }
}

#[test]
fn a_bare_name_is_whose_what_says_nothing_of_its_holder() {
    let later = left(orphans(), &planned(&orphans(), at(10)), 10);
    let plan = planned(&later, at(10));
    let bare = plan.lines.iter().any(|line| {
        matches!(&line.on, On::Orphan(orphan) if orphan.holder == Holder::Named("pr-old-3".parse().unwrap()))
    });
    assert!(bare);
}
