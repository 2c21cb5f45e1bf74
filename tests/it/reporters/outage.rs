//! Sinks that fail, hang or are refused: the run goes on, ends in time, and is told wherever it can be.

use super::{Site, began, green, sinks, told};
use anyhow::Result;
use async_trait::async_trait;
use berth::{
    clients::{Failure, Kind},
    clock::Clock,
    domain::report::{Outcome, Report},
    mask::Mask,
    rehearsal::gate::Verdict,
    reporters::{Reporter, Reporters},
};
use jiff::SignedDuration;
use serde_json::json;
use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

#[tokio::test]
async fn an_outage_of_github_neither_fails_a_run_nor_holds_it_up() {
    let words =
        |message: &str| json!({"message": message, "documentation_url": "https://docs.github.com/rest"});
    for fault in [
        Verdict::json(503, &words("Service Unavailable")),
        Verdict::json(401, &words("Bad credentials")),
        Verdict::json(403, &words("Resource not accessible by integration")),
        Verdict::json(429, &words("You have exceeded a secondary rate limit")),
        Verdict::html(200, "<html>"),
        Verdict::json(200, &json!([])),
        Verdict::Cut,
        Verdict::CutAfter,
        Verdict::Truncate,
        Verdict::Hang,
        Verdict::HangAfter,
    ] {
        let site = Site::start().await;
        let always = fault.clone();
        site.served.gate.rule(move |_| always.clone());
        let sinks = sinks(&site);
        let telling = sinks.reporters.start(told(None), &Mask::default(), &berth::clock::Clock::system());
        telling.say(|report| report.phases[2].detail = "1/2".to_owned());
        telling.say(|report| *report = green());
        // One request that is never answered takes longer than the test waits.
        let ended = tokio::time::timeout(Duration::from_secs(20), telling.finish(Duration::from_millis(300)));
        let ended = ended.await.unwrap();
        assert_eq!(ended.outcome, Some(Outcome::Ready), "{fault:?}");
        assert!(fs::read_to_string(&sinks.summary).unwrap().contains("✅ Ready"), "{fault:?}");
        assert!(fs::read_to_string(&sinks.outputs).unwrap().contains("\nready\n"), "{fault:?}");
    }
}

/// Fails each time in the same way.
struct Failing {
    kind: Kind,
    shown: Mutex<Vec<bool>>,
    has_shown: Notify,
}

#[async_trait]
impl Reporter for Failing {
    fn name(&self) -> &'static str {
        "sink"
    }

    async fn show(&self, report: &Report) -> Result<()> {
        self.shown.lock().unwrap().push(report.outcome.is_some());
        self.has_shown.notify_one();
        Err(Failure { kind: self.kind, detail: "no".to_owned() }.into())
    }
}

/// Whether each state that it was shown was the last one.
async fn shown(kind: Kind) -> Vec<bool> {
    let sink = Arc::new(Failing { kind, shown: Mutex::default(), has_shown: Notify::new() });
    let clock = Clock::stepped(began());
    let telling = Reporters::new(vec![sink.clone()]).start(told(None), &Mask::default(), &clock);
    telling.say(|report| report.phases[2].detail = "1/2".to_owned());
    sink.has_shown.notified().await;
    telling.say(|report| *report = Report { began: began(), ..green() });
    let time = async {
        loop {
            clock.advance(SignedDuration::from_secs(5));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = telling.finish(Duration::from_secs(20)) => {}
        () = time => unreachable!("time does not end"),
    }
    sink.shown.lock().unwrap().clone()
}

#[tokio::test]
async fn who_is_refused_once_is_not_asked_again() {
    assert_eq!(shown(Kind::Refused).await, [false]);
}

#[tokio::test]
async fn who_does_not_answer_is_asked_again_with_the_next_state_and_thrice_for_the_last_word() {
    assert_eq!(shown(Kind::Unavailable { wait: None }).await, [false, true, true, true]);
    assert_eq!(shown(Kind::Invalid).await, [false, true]);
}
