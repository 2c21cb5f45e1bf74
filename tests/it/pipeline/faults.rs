//! Every request of every client, answered by every fault, once: nothing is created, deleted or released on the ground of it
//! that would not be without it, the run ends as it should or says that it does not know, and the same event once more converges.
//!
//! Each request meets one fault, in turn, in the first life that sends it; `tests/run deep` takes them all. That an answer never comes is tried with the clients
//! themselves: here, each such case would wait for it.

use super::{
    bed::Bed,
    lives::{Act, After, LIVES},
    scene::{Scene, Spot, alike, mutates, sent, spots},
};
use crate::depth::deep;
use berth::{
    domain::{
        intent::Occasion,
        report::{Outcome, Report},
    },
    rehearsal::{Server, gate::Verdict},
};
use serde_json::{Map, json};
use std::{collections::BTreeSet, sync::atomic::Ordering::Relaxed};

/// What a server can answer, and whether that is its own last word.
struct Fault {
    verdict: Verdict,
    is_own: bool,
}

/// What was begun and not handed over is undone by whoever finds it.
const UNDOES: &str = "POST vault /v1/auth/token/revoke-accessor";
/// Who is refused what is within an environment's namespace asks as whom, and binds the right where it may.
const REFUSED: [&str; 2] = [
    "POST kubernetes /apis/authentication.k8s.io/v1/selfsubjectreviews",
    "PATCH kubernetes /apis/rbac.authorization.k8s.io/v1/namespaces/pr-shop-42/rolebindings/berth",
];

/// Of the server that a line of the log is about.
fn faults(line: &str) -> Vec<Fault> {
    let server = line.split(' ').nth(1).unwrap_or_default();
    let (own, other) =
        (|verdict| Fault { verdict, is_own: true }, |verdict| Fault { verdict, is_own: false });
    if matches!(server, "dns" | "resolver") {
        // No datagram is lost here: that would be waited for.
        let answers = [503, 403, 200].map(|status| Verdict::html(status, ""));
        return answers.into_iter().chain([Verdict::Truncate]).map(other).collect();
    }
    let says = |code: u16, reason: &str| {
        let body = match server {
            "kubernetes" | "environment" => json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
                "reason": reason, "message": reason, "details": {},
            }),
            "github" => json!({"message": reason, "documentation_url": "https://docs.github.com/rest"}),
            _ => json!({"errors": [reason]}),
        };
        Verdict::json(code, &body)
    };
    vec![
        own(says(403, "Forbidden")),
        own(says(409, "Conflict")),
        other(says(429, "TooManyRequests").header("retry-after", "7")),
        other(says(500, "InternalError")),
        other(says(503, "ServiceUnavailable")),
        other(Verdict::html(404, "<html>not here</html>")),
        other(Verdict::html(404, "")),
        other(Verdict::html(200, "<html>log in</html>")),
        other(Verdict::json(200, &json!({}))),
        other(Verdict::html(307, "").header("location", "http://127.0.0.1:1/")),
        other(Verdict::Cut),
        other(Verdict::CutAfter),
        other(Verdict::Truncate),
    ]
}

/// Whether a process may end so that has met this.
fn may_end(report: &Report, clean: &Report, fault: &Fault) -> bool {
    match &report.outcome {
        Some(Outcome::Unknown { .. }) => true,
        Some(Outcome::Failed { .. }) => fault.is_own,
        // What came before it did not know; so this one has gone less far.
        Some(Outcome::Removed { .. }) => matches!(clean.outcome, Some(Outcome::Removed { .. })),
        outcome => alike(outcome, &clean.outcome),
    }
}

/// In every life.
fn faulted_in(act: Act) {
    let (mut cases, mut all, mut met, mut unknown) = (0, 0, 0, 0);
    let (mut wrong, mut tried) = (Vec::new(), BTreeSet::new());
    for life in &LIVES {
        let mut scene = Scene::new(life, act);
        let (requests, clean) = scene.requests();
        let due = scene.due(After::SameEvent);
        act.go(scene.again(), "clean");
        scene.ending(due.after);
        let clean_ones = sent(&scene.bed).into_iter().filter(|line| mutates(line));
        let may: BTreeSet<String> = clean_ones.chain([UNDOES.to_owned()]).collect();
        for spot in &spots(&requests) {
            let (faults, at) = (faults(&spot.line), tried.len());
            all += faults.len();
            if !tried.insert(spot.line.clone()) && !deep() {
                continue;
            }
            for (which, fault) in faults.iter().enumerate() {
                if !deep() && which != at % faults.len() {
                    continue;
                }
                let befell = spot.befall(scene.again(), &fault.verdict);
                let reports = act.go(&scene.bed, "meets");
                scene.bed.served.gate.open();
                let ended = scene.ending(due.after);
                let mut tell = |why: String| {
                    let what = format!("{}, {act:?}: {:?} at {spot}: {why}", life.name, fault.verdict);
                    wrong.push(what);
                };
                for (report, clean) in reports.iter().zip(&clean) {
                    unknown += usize::from(matches!(report.outcome, Some(Outcome::Unknown { .. })));
                    if !may_end(report, clean, fault) {
                        tell(format!("it came to {:?}", report.outcome));
                    }
                }
                let is_refused = matches!(fault.verdict, Verdict::Answer { status: 403, .. });
                let may_be =
                    |line: &String| may.contains(line) || (is_refused && REFUSED.contains(&line.as_str()));
                if let Some(more) = sent(&scene.bed).iter().find(|line| mutates(line) && !may_be(line)) {
                    tell(format!("nobody would send {more}"));
                }
                if let Err(why) = due.is(&ended, &scene.bed) {
                    tell(why);
                }
                cases += 1;
                met += befell.load(Relaxed);
            }
        }
    }
    println!(
        "{act:?}, in {} lives: {cases} of {all} cases, {met} met their fault, {unknown} runs did not know",
        LIVES.len()
    );
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(met * 20 >= cases * 19, "of {cases} only {met} came to where the fault should be");
}

#[test]
fn no_fault_at_any_request_of_an_up_does_harm_or_lasts() {
    faulted_in(Act::Up);
}

#[test]
fn no_fault_at_any_request_after_a_push_does_harm_or_lasts() {
    faulted_in(Act::Push);
}

#[test]
fn no_fault_at_any_request_of_a_down_does_harm_or_lasts() {
    faulted_in(Act::Down);
}

#[test]
fn no_fault_at_any_request_after_a_reopening_does_harm_or_lasts() {
    faulted_in(Act::Reopened);
}

#[test]
fn no_fault_at_any_request_after_a_reopening_while_it_cools_does_harm_or_lasts() {
    faulted_in(Act::Revived);
}

#[test]
fn addresses_that_are_freed_while_something_uses_them_are_noticed() {
    let mut scene = Scene::new(&LIVES[0], Act::Down);
    let bed = scene.again();
    let served = bed.served.clone();
    bed.served.gate.rule(move |request| {
        if request.method == "DELETE" && request.server == Server::Kubernetes {
            served.lock().vault.put("ephemeral-clusters/ip-allocations", Map::new());
        }
        Verdict::Pass
    });
    Act::Down.go(bed, "frees-early");
    let broken = bed.served.gate.broken().unwrap_or_else(|| bed.log());
    assert!(broken.contains("its addresses are free, and namespaces"), "{broken}");
}

#[test]
fn a_write_that_somebody_on_the_way_answers_is_no_verdict_about_the_environment() {
    let bed = Bed::new();
    let page = Verdict::html(404, "<html>not here</html>");
    Spot::first("PATCH kubernetes /api/v1/namespaces/pr-shop-42").befall(&bed, &page);
    let report = bed.run_beside("one", Occasion::Event).unwrap();
    assert!(matches!(report.outcome, Some(Outcome::Unknown { .. })), "{report:#?}");
    bed.served.gate.open();
    bed.up("two");
    bed.unbroken();
}

#[test]
fn an_environment_that_goes_is_not_taken_for_dead_because_of_one_answer_from_elsewhere() {
    let record = "DELETE environment /apis/externaldns.k8s.io/v1alpha1/namespaces/default/dnsendpoints/shop";
    for (line, answer) in [
        ("GET environment /apis/networking.k8s.io/v1/ingresses", Verdict::html(404, "<html>not here</html>")),
        // Nothing is deleted by it.
        (record, Verdict::json(200, &json!({}))),
    ] {
        let bed = Bed::standing();
        bed.close();
        Spot::first(line).befall(&bed, &answer);
        bed.run_beside("closed", Occasion::Event);
        assert_eq!(bed.world().zone.records(), [], "its names went before its cluster: {line}");
        bed.pass(601);
        let report = bed.run("freed", Occasion::Sweep).unwrap();
        assert_eq!(report.outcome, Some(Outcome::Removed { free_at: None }), "{line}: {}", bed.log());
        bed.unbroken();
    }
}
