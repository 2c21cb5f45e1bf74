//! A secret in every text of a report: no sink shows it.

use super::{Site, outcomes, red, sinks, tests_failed, told};
use berth::{
    domain::report::{Outcome, Report},
    mask::Mask,
};
use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

const SECRET: &str = "CANARY-7f3a9c";

/// Wherever a server, a log or a test could have put it.
fn poisoned(outcome: Outcome) -> Report {
    let text = format!("it says {SECRET}: no\n{SECRET}");
    let mut report = Report { outcome: Some(outcome), tests: tests_failed().tests, ..red() };
    report.phases.iter_mut().for_each(|phase| phase.detail.clone_from(&text));
    report.evidence = Some(text.clone());
    if let Some(found) = &mut report.diagnosis {
        (found.object, found.detail) = (text.clone(), text.clone());
    }
    for failure in report.tests.iter_mut().flat_map(|tests| &mut tests.failures) {
        (failure.name, failure.message) = (text.clone(), text.clone());
        failure.at = Some(format!("{SECRET}.ts:3"));
    }
    report
}

/// What each sink has shown of runs that ended in every way, one after the other.
async fn shown(mask: &Mask) -> BTreeMap<&'static str, String> {
    let sent = Arc::new(Mutex::new(BTreeMap::<&str, String>::new()));
    for outcome in outcomes(&format!("it says {SECRET}\n{SECRET}")) {
        // What the configuration calls a job or a label is nobody's secret.
        if matches!(outcome, Outcome::AwaitingTests { .. } | Outcome::AwaitsApproval { .. }) {
            continue;
        }
        let (site, sent_here) = (Site::start().await, sent.clone());
        site.served.gate.witness(move |request, _, _, _| {
            let sink = match request.path.get(3).map(String::as_str) {
                Some("issues") => "comment",
                Some("statuses") => "status",
                Some("check-runs") => "check",
                Some("deployments") => "deployment",
                _ => "elsewhere",
            };
            sent_here.lock().unwrap().entry(sink).or_default().push_str(&request.body.to_string());
            Ok(())
        });
        let sinks = sinks(&site);
        let telling = sinks.reporters.start(told(None), mask, &berth::clock::Clock::system());
        telling.say(|report| *report = poisoned(outcome));
        telling.finish(Duration::from_secs(20)).await;
        let mut sent = sent.lock().unwrap();
        sent.entry("summary").or_default().push_str(&fs::read_to_string(&sinks.summary).unwrap());
        sent.entry("outputs").or_default().push_str(&fs::read_to_string(&sinks.outputs).unwrap());
        sent.entry("terminal").or_default().push_str(&sinks.paper.text());
    }
    std::mem::take(&mut *sent.lock().unwrap())
}

#[tokio::test]
async fn no_sink_shows_a_secret() {
    let mask = Mask::default();
    mask.hide(SECRET);
    for (sink, text) in shown(&mask).await {
        assert!(!text.contains(SECRET), "{sink}: {text}");
    }
    // It would have been found: each but the outputs shows texts of others.
    let open = shown(&Mask::default()).await;
    let found: Vec<&str> =
        open.iter().filter(|(_, text)| text.contains(SECRET)).map(|(sink, _)| *sink).collect();
    assert_eq!(found, ["check", "comment", "deployment", "status", "summary", "terminal"]);
    assert!(open["outputs"].contains("\nready\n"));
}
