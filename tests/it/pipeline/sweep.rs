//! The sweep on a world that is whole: what it takes away, what it leaves, and that nothing that could not be read takes
//! anything away.

use super::{
    bed::{Bed, holder},
    canonical::same,
    files::{APP, MANIFESTS, PLATFORM},
    lives::kill_at,
};
use crate::bed::{ROOT, document};
use berth::{
    domain::{sweep::Line, swept::Blown},
    engine::{Mode, Sweep},
    rehearsal::gate::Verdict,
};
use serde_json::json;

fn told(sweep: &Sweep) -> Vec<String> {
    let line = |(number, line): (usize, &Line)| {
        let came = sweep.ended.get(&number).and_then(|report| report.outcome.as_ref());
        let came = came.map_or(String::new(), |outcome| format!(" -> {}", outcome.word()));
        format!("{:?} {}{came}", line.action, line.what)
    };
    sweep.plan.lines.iter().enumerate().map(line).collect()
}

pub(super) fn swept(bed: &Bed, run: &str) -> Vec<String> {
    told(&bed.sweep(run, Mode::Do).unwrap())
}

/// Where an environment stands whose claim has been lost.
pub(super) fn lost() -> Bed {
    let bed = Bed::standing();
    bed.forget(&format!("{}/claim", holder().name()));
    bed
}

/// As it is after an ordinary end, but for what the sweep itself leaves.
fn gone(bed: &Bed) -> String {
    bed.forget("berth/sweep");
    bed.canonical()
}

#[test]
fn what_a_lost_claim_leaves_behind_goes_by_two_sweeps_and_its_addresses_last() {
    let clean = Bed::standing();
    clean.end();
    let bed = lost();
    bed.close();
    assert_eq!(swept(&bed, "first"), ["Mark namespace pr-shop-42 and 3 more"]);
    bed.pass(300);
    assert_eq!(swept(&bed, "soon"), ["Mark namespace pr-shop-42 and 3 more"]);
    bed.unbroken();
    bed.pass(300);
    assert_eq!(swept(&bed, "second"), ["Remove namespace pr-shop-42 and 3 more -> removed"]);
    bed.pass(601);
    assert_eq!(swept(&bed, "third"), ["Free acme/shop#42 -> removed"]);
    same(&gone(&bed), &gone(&clean), "a lost claim");
    bed.unbroken();
}

#[test]
fn what_is_wanted_and_has_lost_its_claim_is_left_alone_and_its_next_event_claims_it() {
    let bed = lost();
    for run in ["first", "second", "third"] {
        assert_eq!(swept(&bed, run), ["Report namespace pr-shop-42 and 3 more"]);
        bed.pass(601);
    }
    let machines = bed.machines();
    bed.up("next");
    assert_eq!(bed.machines(), machines, "it is the same machine");
    bed.unbroken();
}

/// What could be read of a sweep: each request of it, in order.
fn requests(bed: &Bed, run: &str) -> Vec<String> {
    let log = bed.served.gate.log();
    log.into_iter().filter(|line| line.starts_with(&format!("{run} "))).collect()
}

fn faults() -> Vec<Verdict> {
    let said =
        |message: &str| json!({"message": message, "documentation_url": "https://docs.github.com/rest"});
    vec![
        Verdict::json(403, &said("Resource not accessible by integration")),
        Verdict::json(404, &said("Not Found")),
        Verdict::html(404, "<h1>Not Found</h1>"),
        Verdict::json(500, &json!({})),
        Verdict::json(200, &json!([])),
        Verdict::json(200, &json!({})),
        Verdict::json(200, &json!({"data": {"keys": []}})),
        Verdict::json(200, &json!({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []})),
        Verdict::Truncate,
        Verdict::Cut,
    ]
}

#[test]
fn no_answer_that_is_wrong_has_a_sweep_remove_what_is_wanted() {
    let mut bed = Bed::standing();
    // Its mark would stand already, should somebody find a reason to remove it.
    bed.sweep("earlier", Mode::Do).unwrap();
    bed.pass(601);
    let saved = bed.save();
    bed.sweep("sweep", Mode::Do).unwrap();
    let all = requests(&bed, "sweep").len();
    let before = gone(&bed);
    let mut runs = 0;
    for fault in faults() {
        for number in 1..=all {
            bed.begin_at(&saved);
            let (answer, mut count) = (fault.clone(), 0);
            bed.served.gate.rule(move |_| {
                count += 1;
                if count == number { answer.clone() } else { Verdict::Pass }
            });
            let swept = bed.sweep("sweep", Mode::Do);
            bed.served.gate.open();
            let what = format!("{fault:?} at request {number}: {:?}", swept.as_ref().map(told));
            same(&gone(&bed), &before, &what);
            bed.unbroken();
            runs += 1;
        }
    }
    println!("{runs} sweeps");
}

#[test]
fn a_dry_run_says_what_a_sweep_would_do_and_changes_nothing() {
    let bed = lost();
    bed.close();
    bed.sweep("first", Mode::Do).unwrap();
    bed.pass(601);
    let (before, mutating) = (bed.canonical(), bed.served.gate.count_mutating());
    let sweep = bed.sweep("dry", Mode::DryRun).unwrap();
    assert_eq!(told(&sweep), ["Remove namespace pr-shop-42 and 3 more"]);
    assert_eq!(bed.served.gate.count_mutating(), mutating, "{}", bed.log());
    same(&bed.canonical(), &before, "a dry run");
}

#[test]
fn a_blown_fuse_removes_nothing_and_goes_on_with_what_goes_already() {
    let bed = lost();
    bed.close();
    bed.sweep("first", Mode::Do).unwrap();
    bed.pass(601);
    let before = bed.machines();
    let tight = bed.sweeps("tight", Mode::Do, |sweeper| (sweeper.fuse.limit, sweeper.fuse.percent) = (0, 0));
    let tight = tight.unwrap();
    assert_eq!(tight.plan.blown, Some(Blown { removals: 1, of: 1 }));
    assert_eq!(told(&tight), ["Remove namespace pr-shop-42 and 3 more"]);
    assert_eq!(bed.machines(), before);
    assert_eq!(swept(&bed, "wide"), ["Remove namespace pr-shop-42 and 3 more -> removed"]);
}

#[test]
fn what_another_installation_has_in_the_same_cluster_is_told_and_left() {
    let bed = lost();
    bed.close();
    // Be it that its store is another one, be it that this one is not the one that is meant.
    bed.world().vault.put(&format!("{ROOT}/berth/installation"), document(json!({"id": "99999999"})));
    bed.forget(&format!("{}/kubeconfig", holder().name()));
    bed.forget(&format!("{}/vault-token", holder().name()));
    let machines = bed.machines();
    for run in ["first", "second", "third"] {
        let told = swept(&bed, run);
        assert!(told.contains(&"Report 1 environment of another installation".to_owned()), "{told:?}");
        assert!(told.iter().all(|line| line.starts_with("Report ")), "{told:?}");
        bed.pass(601);
    }
    assert_eq!(bed.machines(), machines);
    bed.unbroken();
}

#[test]
fn what_lies_under_the_name_of_another_installations_environment_does_not_take_that_along() {
    let bed = lost();
    bed.close();
    // Ours are its kubeconfig and its token, as a team's earlier store may have kept them; the cluster is of their new one.
    bed.world().vault.put(&format!("{ROOT}/berth/installation"), document(json!({"id": "99999999"})));
    let machines = bed.machines();
    for run in ["first", "second", "third"] {
        let told = swept(&bed, run);
        assert!(told.iter().all(|line| line.starts_with("Report ")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("kubeconfig")), "{told:?}");
        bed.pass(601);
    }
    assert_eq!(bed.machines(), machines);
    bed.unbroken();
}

#[test]
fn where_something_was_handed_over_an_argo_cd_that_may_not_be_looked_at_is_not_an_empty_one() {
    for is_handed_over in [true, false] {
        let bed = if is_handed_over { Bed::entitled() } else { Bed::standing() };
        bed.up("one");
        bed.world().kubernetes.deny("list", "applications.argoproj.io");
        let told = swept(&bed, "sweep");
        assert_eq!(told.iter().any(|line| line.starts_with("Unknown ")), is_handed_over, "{told:?}");
    }
}

#[test]
fn what_was_handed_over_to_an_argo_cd_goes_with_its_registration_though_its_claim_is_lost() {
    let bed = Bed::entitled();
    bed.up("one");
    let there = |kind: &str, name: &str| bed.world().kubernetes.get(kind, "argocd", name).is_some();
    let registration = || there("secrets", "berth-pr-shop-42");
    assert!(registration() && there("applications.argoproj.io", "shop-42"));
    bed.close();
    bed.forget(&format!("{}/claim", holder().name()));
    for run in ["first", "second"] {
        swept(&bed, run);
        bed.pass(601);
    }
    assert!(!there("applications.argoproj.io", "shop-42"));
    assert!(!registration(), "whoever has it has a way into a cluster: {}", bed.log());
    bed.unbroken();
}

#[test]
fn addresses_cool_as_long_as_the_pool_of_their_own_has_it_whoever_removes_what_had_them() {
    let quick = "pools:\n  aaa: {range: 10.0.0.10-10.0.0.13, block: 2, reuse-after: 0s}\n  lab:";
    let bed = Bed::on(
        &PLATFORM
            .replace("pools: {lab:", quick)
            .replace("fail}}", "fail}")
            .replace("capi-k3s\n", "capi-k3s\n    pool: lab\n"),
        &[("berth.yaml", APP), ("app.yaml", MANIFESTS)],
    );
    bed.up("one");
    bed.close();
    assert_eq!(swept(&bed, "sweep"), ["Remove acme/shop#42 -> removed"]);
    bed.pass(599);
    assert_eq!(swept(&bed, "soon"), ["Keep acme/shop#42"]);
    bed.pass(2);
    assert_eq!(swept(&bed, "later"), ["Free acme/shop#42 -> removed"]);
}

#[test]
fn a_repository_that_is_out_of_sight_keeps_nothing_beyond_its_time() {
    let bed = Bed::standing();
    bed.served.gate.rule(|request| match request.path.first().map(String::as_str) {
        Some("repos") => Verdict::json(
            404,
            &json!({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}),
        ),
        _ => Verdict::Pass,
    });
    assert_eq!(swept(&bed, "unknown"), ["Unknown acme/shop#42"]);
    bed.pass(72 * 3600);
    assert_eq!(swept(&bed, "over"), ["Remove acme/shop#42 -> removed"]);
    bed.pass(601);
    assert_eq!(swept(&bed, "freed"), ["Free acme/shop#42 -> removed"]);
    assert_eq!(swept(&bed, "nothing"), Vec::<String>::new());
    bed.unbroken();
}

#[test]
fn a_sweep_that_is_slow_leaves_alone_what_a_later_one_has_left_meanwhile() {
    for comes_later in [false, true] {
        let bed = Bed::standing();
        bed.close();
        bed.world().kubernetes.deny("delete", "clusters.cluster.x-k8s.io");
        assert_eq!(swept(&bed, "first"), ["Remove acme/shop#42 -> failed"]);
        bed.pass(1801);
        let (path, mark) =
            (format!("{ROOT}/berth/sweep"), json!({"since": "2030-01-01T00:00:00Z", "seen": ["it"]}));
        let later = json!({"schema": 1, "at": "2030-01-01T00:00:00Z", "marks": {"pr-shop-7": mark}});
        let (served, there, mut looks) = (bed.served.clone(), path.clone(), 0);
        let (left, mut answered) = (document(later.clone()), false);
        bed.served.gate.rule(move |request| {
            looks += usize::from(
                request.method == "GET" && request.path.ends_with(&["berth".into(), "sweep".into()]),
            );
            // At first it is read, then over what it leaves its marks, then what it has met.
            if comes_later && looks == 3 && !answered {
                served.lock().vault.put(&there, left.clone());
                answered = true;
            }
            Verdict::Pass
        });
        assert_eq!(swept(&bed, "slow"), ["Resume acme/shop#42 -> failed"]);
        bed.served.gate.open();
        let left = json!(bed.world().vault.document(&path).unwrap());
        assert_eq!(left == later, comes_later, "{left:#}");
        assert_eq!(left["stuck"].is_object(), !comes_later, "{left:#}");
    }
}

#[test]
fn of_two_sweeps_at_once_and_of_one_that_dies_nothing_is_left_either() {
    let clean = Bed::standing();
    clean.end();
    let clean = gone(&clean);
    let mut cases = 0;
    for how in [Verdict::DieBefore, Verdict::DieAfter] {
        for k in 1.. {
            let bed = lost();
            bed.close();
            bed.sweep("first", Mode::Do).unwrap();
            bed.pass(601);
            kill_at(&bed, k, &how);
            let died = bed.sweep("dies", Mode::Do).is_err();
            bed.served.gate.open();
            for run in ["again", "cooled", "cooled-again"] {
                bed.sweep(run, Mode::Do).unwrap();
                bed.pass(601);
            }
            same(&gone(&bed), &clean, &format!("{how:?} at request {k}"));
            bed.unbroken();
            cases += 1;
            if !died {
                assert!(k > 7, "a sweep that removes has more than {k} mutating requests");
                break;
            }
        }
    }
    println!("{cases} cases");
}
