//! Every look at GitHub that a run of the action rests on, answered wrongly once: nothing follows from it, and the same event
//! once more comes to the end that it should.

use super::bed::{APP, Bed, Event, sha};
use berth::rehearsal::{Request, Server, gate::Verdict};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Not what is told, which is tried again and fails no run.
fn is_a_look(request: &Request) -> bool {
    let tells = ["comments", "statuses", "status", "check-runs", "deployments"];
    request.server == Server::GitHub
        && !request.mutates()
        && !request.path.iter().any(|part| tells.contains(&part.as_str()))
}

/// What happens, to whom, and how it must end.
struct Case {
    what: &'static str,
    bed: fn() -> (Bed, Event),
    outcome: &'static str,
}

fn up() -> Bed {
    let bed = Bed::of(APP);
    assert_eq!(bed.acts(&bed.opened()).output("outcome"), "ready");
    bed
}

const CASES: [Case; 4] = [
    Case {
        what: "opened",
        bed: || {
            let bed = Bed::of(&format!("{APP}filter: {{paths: [\"**\"]}}\n"));
            let event = bed.opened();
            (bed, event)
        },
        outcome: "nothing",
    },
    Case {
        what: "pushed",
        bed: || {
            let bed = up();
            let event = bed.pushed('b');
            (bed, event)
        },
        outcome: "ready",
    },
    Case {
        what: "closed",
        bed: || {
            let bed = up();
            let event = bed.closed();
            (bed, event)
        },
        outcome: "closing",
    },
    Case {
        what: "told to go",
        bed: || {
            let bed = up();
            let event = bed.says("ada", "/berth down");
            (bed, event)
        },
        outcome: "removed",
    },
];

/// How many looks a run takes, and what it comes to if the one of this number is answered so.
fn faulted(case: &Case, number: usize, fault: &Verdict) -> (Bed, Event, crate::runner::Ran, usize) {
    let (bed, event) = (case.bed)();
    let (seen, fault) = (Arc::new(Mutex::new(0)), fault.clone());
    let count = seen.clone();
    bed.served.gate.rule(move |request| {
        if !is_a_look(request) {
            return Verdict::Pass;
        }
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        if *seen == number { fault.clone() } else { Verdict::Pass }
    });
    let ran = bed.acts(&event);
    bed.served.gate.open();
    let looks = *count.lock().unwrap();
    (bed, event, ran, looks)
}

#[test]
fn no_look_at_github_that_fails_once_is_taken_for_an_answer() {
    let said =
        |message: &str| json!({"message": message, "documentation_url": "https://docs.github.com/rest"});
    let faults = [
        Verdict::json(403, &said("Resource not accessible by integration")),
        // Not in GitHub's words: somebody on the way. In its own, it says that there is no such pull request.
        Verdict::html(404, "<h1>Not Found</h1>"),
        Verdict::json(502, &json!({})),
        Verdict::Truncate,
    ];
    let mut runs = 0;
    for case in &CASES {
        let (bed, _, whole, looks) = faulted(case, usize::MAX, &faults[0]);
        assert_eq!(whole.output("outcome"), case.outcome, "{}: {}", case.what, whole.log);
        assert!((1..10).contains(&looks), "{}: {looks} looks", case.what);
        drop(bed);
        for number in 1..=looks {
            for fault in &faults {
                let (bed, event, ran, _) = faulted(case, number, fault);
                let what = format!("{} with {fault:?} at look {number}:\n{}", case.what, ran.log);
                let ended = (ran.exit, ran.output("outcome"));
                let is_right = ended == (whole.exit, case.outcome);
                assert!(is_right || ended == (4, "unknown") || ended.1 == "nothing", "{what}");
                if !is_right {
                    let before = if case.what == "opened" { None } else { Some(sha('a')) };
                    assert_eq!(bed.deployed(), before, "{what}");
                }
                let again = bed.acts(&event);
                assert_eq!(again.output("outcome"), case.outcome, "{what}\nand once more:\n{}", again.log);
                runs += 2;
            }
        }
    }
    println!("{runs} runs");
}
