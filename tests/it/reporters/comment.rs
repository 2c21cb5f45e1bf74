//! The one comment: found, posted, edited, left alone.

use super::{REPOSITORY, Site, after, asked, began, green, of_generation, of_run, outcomes, pull, red, told};
use berth::{
    domain::report::{Outcome, Report},
    mask::Mask,
    rehearsal::{
        gate::Verdict,
        github::{Grant, Role},
    },
    reporters::{
        Reporter, Reporters,
        comment::{Comment, PACE},
        markdown::{self, BYTES, Beside},
    },
};
use insta::assert_snapshot;
use jiff::SignedDuration;
use std::{sync::Arc, time::Duration};

fn on(site: &Site, run: &str) -> Comment {
    Comment::new(of_run(site, run), pull(1), Beside::default(), site.clock.clone())
}

fn by(site: &Site, token: &str) -> Comment {
    Comment::new(site.by(token), pull(1), Beside::default(), site.clock.clone())
}

/// Who said what, without what follows the verdict.
fn comments(site: &Site) -> Vec<String> {
    let world = site.served.lock();
    let all = world.github.repository(REPOSITORY).unwrap().comments(1);
    let brief = |body: &str| body.lines().take(2).collect::<Vec<_>>().join(" ");
    all.iter().map(|one| format!("{}: {}", one.author.as_deref().unwrap_or("-"), brief(&one.body))).collect()
}

fn says(site: &Site, by: &str, body: &str) -> u64 {
    site.served.lock().github.comment(REPOSITORY, 1, by, body).unwrap()
}

/// As the app says it, by another run.
async fn said(site: &Site, report: &Report) {
    on(site, "other").show(report).await.unwrap();
}

#[tokio::test]
async fn it_is_posted_once_and_edited_from_then_on() {
    let site = Site::start().await;
    let comment = on(&site, "run");
    comment.show(&told(None)).await.unwrap();
    assert_snapshot!(comments(&site).join("\n"), @"berth[bot]: <!-- berth v1 acme/web#1 g3 --> ### ⏳ Coming up: `deploy`");
    comment.show(&green()).await.unwrap();
    assert_snapshot!(comments(&site).join("\n"), @"berth[bot]: <!-- berth v1 acme/web#1 g3 --> ### ✅ Ready · [pr-1-web.preview.example.com](https://pr-1-web.preview.example.com)");
    // Another process finds it.
    said(&site, &of_generation("4", Some(Outcome::Closing { until: after(3600), why: None }))).await;
    assert_snapshot!(comments(&site).join("\n"), @"berth[bot]: <!-- berth v1 acme/web#1 g4 --> ### ⏳ Closed · removed at 01:00 UTC unless reopened");
    assert_snapshot!(asked(&site, 0).join("\n"), @r#"
    GET /issues/1/comments
    POST /issues/1/comments
    GET /issues/1/comments
    GET /issues/1/comments
    PATCH /issues/comments/1012
    other GET /issues/1/comments
    other PATCH /issues/comments/1012
    "#);
}

#[tokio::test]
async fn what_has_not_changed_is_not_asked_about() {
    let site = Site::start().await;
    let comment = on(&site, "run");
    for _ in 0..10 {
        comment.show(&told(None)).await.unwrap();
    }
    assert_eq!(asked(&site, 0).len(), 3);
    // And what another process has said already is read, and no more.
    on(&site, "later").show(&told(None)).await.unwrap();
    assert_eq!(asked(&site, 3).len(), 1);
}

#[tokio::test]
async fn a_person_who_copies_the_marker_is_left_alone() {
    let site = Site::start().await;
    let copied = markdown::body(&of_generation("9", Some(Outcome::Ready)), began(), &Beside::default());
    says(&site, "mallory", &copied);
    on(&site, "run").show(&green()).await.unwrap();
    assert_snapshot!(comments(&site).join("\n"), @r#"
    mallory: <!-- berth v1 acme/web#1 g9 --> ### ✅ Ready · [pr-1-web.preview.example.com](https://pr-1-web.preview.example.com)
    berth[bot]: <!-- berth v1 acme/web#1 g3 --> ### ✅ Ready · [pr-1-web.preview.example.com](https://pr-1-web.preview.example.com)
    "#);
    assert_eq!(site.served.lock().github.repository(REPOSITORY).unwrap().comments(1)[0].body, copied);
}

#[tokio::test]
async fn by_a_persons_token_it_is_known_by_that_persons_name() {
    let site = Site::start().await;
    {
        let github = &mut site.served.lock().github;
        github.change(REPOSITORY).unwrap().collaborators.insert("carol".to_owned(), Role::Write);
        github.add_account("carol", berth::rehearsal::github::AccountKind::User);
        github.add_token("ghp_canary", Grant::personal("carol").may_all());
    }
    let marked = markdown::body(&told(None), began(), &Beside::default());
    says(&site, "alice", &marked);
    says(&site, "carol", "looks good to me");
    let comment = by(&site, "ghp_canary");
    comment.show(&told(None)).await.unwrap();
    comment.show(&green()).await.unwrap();
    assert_snapshot!(comments(&site).join("\n"), @r#"
    alice: <!-- berth v1 acme/web#1 g3 --> ### ⏳ Coming up: `deploy`
    carol: looks good to me
    carol: <!-- berth v1 acme/web#1 g3 --> ### ✅ Ready · [pr-1-web.preview.example.com](https://pr-1-web.preview.example.com)
    "#);
    let asked = site.served.gate.log();
    assert_eq!(asked.iter().filter(|line| line.ends_with("GET github /user")).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn whose_token_it_is_must_be_known_first() {
    let site = Site::start().await;
    site.served.lock().github.add_token("unheard_canary", Grant::app("berth", &[REPOSITORY]).may_all());
    let error = by(&site, "unheard_canary").show(&green()).await.unwrap_err();
    assert!(error.to_string().contains("could not read whose token it is"), "{error}");
    assert_eq!(comments(&site), [""; 0]);
}

#[tokio::test]
async fn a_run_of_a_lower_generation_writes_nothing() {
    let site = Site::start().await;
    said(&site, &of_generation("4", Some(Outcome::Ready))).await;
    let before = comments(&site);
    on(&site, "late").show(&of_generation("3", Some(Outcome::Interrupted { signal: 15 }))).await.unwrap();
    let unread = Outcome::Unknown { step: None, why: "503".to_owned() };
    on(&site, "blind").show(&Report { generation: None, ..told(Some(unread)) }).await.unwrap();
    assert_eq!(comments(&site), before);
    assert_eq!(site.served.gate.count_mutating(), 1);
}

#[tokio::test]
async fn generations_that_have_begun_again_are_not_lower() {
    let site = Site::start().await;
    said(&site, &of_generation("9", Some(Outcome::Removed { free_at: None }))).await;
    // The clocks are not quite the same: a run that began just then may be an older one.
    let first = |began| Report { began, ..of_generation("1", None) };
    on(&site, "near").show(&first(after(10))).await.unwrap();
    assert!(comments(&site)[0].contains("g9"));
    on(&site, "anew").show(&first(after(11))).await.unwrap();
    assert_snapshot!(comments(&site).join("\n"), @"berth[bot]: <!-- berth v1 acme/web#1 g1 --> ### ⏳ Coming up: `deploy`");
    // Whoever has not taken the claim knows nothing of that.
    let unread = Some(Outcome::Unknown { step: None, why: "503".to_owned() });
    let blind = Report { generation: None, began: after(3600), ..told(unread) };
    on(&site, "blind").show(&blind).await.unwrap();
    assert!(comments(&site)[0].contains("g1"));
}

#[tokio::test]
async fn somebody_deletes_it_and_it_is_posted_anew() {
    let site = Site::start().await;
    let comment = on(&site, "run");
    comment.show(&told(None)).await.unwrap();
    let delete = async || {
        let github = of_run(&site, "somebody");
        for one in github.comments(&pull(1)).await.unwrap() {
            github.delete_comment(&super::repo(), one.id).await.unwrap();
        }
    };
    delete().await;
    comment.show(&green()).await.unwrap();
    assert_eq!(comments(&site).len(), 1);
    // Also between the look and the edit.
    let world = site.served.world.clone();
    let mut before = true;
    site.served.gate.rule(move |request| {
        if request.method == "PATCH" && std::mem::take(&mut before) {
            let delete = berth::rehearsal::Request { method: "DELETE".to_owned(), ..request.clone() };
            world.lock().unwrap().handle(&delete);
        }
        Verdict::Pass
    });
    comment.show(&red()).await.unwrap();
    assert_snapshot!(comments(&site).join("\n"), @"berth[bot]: <!-- berth v1 acme/web#1 g3 --> ### ❌ Not ready: `deploy` gave up after 15 m");
}

#[tokio::test]
async fn nothing_is_said_of_what_is_no_news_for_the_pull_request() {
    let site = Site::start().await;
    for outcome in outcomes("why") {
        let silent =
            matches!(outcome, Outcome::Nothing { .. } | Outcome::Superseded | Outcome::WithoutSecrets { .. });
        let before = site.served.gate.log().len();
        on(&site, "run").show(&told(Some(outcome.clone()))).await.unwrap();
        assert_eq!(asked(&site, before).is_empty(), silent, "{outcome:?}");
    }
    // Who has not taken the claim may yet find that there is nothing to do.
    let before = site.served.gate.log().len();
    on(&site, "run").show(&Report { generation: None, ..told(None) }).await.unwrap();
    assert_eq!(asked(&site, before), [""; 0]);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_one() {
    for lost in [Verdict::CutAfter, Verdict::Truncate] {
        let site = Site::start().await;
        site.served.gate.rule(
            move |request| {
                if request.method == "POST" { lost.clone() } else { Verdict::Pass }
            },
        );
        let comment = on(&site, "run");
        comment.show(&told(None)).await.unwrap();
        comment.show(&green()).await.unwrap();
        assert_eq!(comments(&site).len(), 1);
        assert!(comments(&site)[0].contains("✅ Ready"));
    }
}

#[tokio::test]
async fn what_did_not_land_is_an_error_and_is_said_with_the_next_change() {
    let site = Site::start().await;
    let comment = on(&site, "run");
    site.served.gate.rule(|request| if request.method == "POST" { Verdict::Cut } else { Verdict::Pass });
    let error = comment.show(&told(None)).await.unwrap_err();
    assert!(error.to_string().contains("could not comment on acme/web#1"), "{error}");
    site.served.gate.open();
    comment.show(&told(None)).await.unwrap();
    assert_eq!(comments(&site).len(), 1);
}

#[tokio::test]
async fn of_two_that_a_run_has_left_the_younger_goes() {
    let site = Site::start().await;
    said(&site, &of_generation("2", Some(Outcome::Ready))).await;
    let body = markdown::body(&of_generation("2", Some(Outcome::Ready)), began(), &Beside::default());
    of_run(&site, "died").create_comment(&pull(1), &body).await.unwrap();
    assert_eq!(comments(&site).len(), 2);
    on(&site, "run").show(&red()).await.unwrap();
    assert_snapshot!(comments(&site).join("\n"), @"berth[bot]: <!-- berth v1 acme/web#1 g3 --> ### ❌ Not ready: `deploy` gave up after 15 m");
}

/// Two runs at once, one request of each at a time: `turns` says whose.
async fn both(turns: u32) -> Site {
    let site = Site::start().await;
    let order = super::turns::Alternating::new(turns, ["a", "b"]);
    site.served.gate.schedule(order.clone());
    let one = async |run: &str, generation: &str| {
        let comment = on(&site, run);
        comment.show(&of_generation(generation, None)).await.unwrap();
        order.ended(run);
        comment
    };
    let (a, b) = futures::join!(one("a", "3"), one("b", "4"));
    assert_eq!(comments(&site).len(), 1, "{turns}: {:?}", site.served.gate.log());
    // The older one hears that it is superseded; the younger has the last word.
    a.show(&of_generation("3", Some(Outcome::Superseded))).await.unwrap();
    b.show(&of_generation("4", Some(Outcome::Ready))).await.unwrap();
    site
}

#[tokio::test]
async fn two_runs_at_once_end_with_one_comment_and_the_younger_ones_words() {
    let mut posted = Vec::new();
    for turns in 0..64 {
        let site = both(turns).await;
        assert_eq!(comments(&site).len(), 1, "{turns}");
        assert!(comments(&site)[0].contains("g4 --> ### ✅ Ready"), "{turns}: {:?}", comments(&site));
        posted.push(site.served.gate.log().iter().filter(|line| line.contains(" POST ")).count());
    }
    assert!(posted.contains(&1) && posted.contains(&2), "both ways must have been gone: {posted:?}");
}

#[tokio::test]
async fn a_comment_of_300_kb_with_emoji_is_cut_between_characters_with_marker_and_verdict_whole() {
    let site = Site::start().await;
    let log: String = (0..10_000).map(|n| format!("line {n} 🚢🧹 é ⏳⏹️\n")).collect();
    assert!(log.len() > 300_000);
    on(&site, "run").show(&Report { evidence: Some(log), ..red() }).await.unwrap();
    let world = site.served.lock();
    let body = &world.github.repository(REPOSITORY).unwrap().comments(1)[0].body;
    assert!((50_000..=BYTES).contains(&body.len()), "{}", body.len());
    assert!(
        body.starts_with("<!-- berth v1 acme/web#1 g3 -->\n### ❌ Not ready: `deploy` gave up after 15 m\n")
    );
    assert!(body.contains("line 9999 🚢🧹 é ⏳⏹️\n") && body.contains(" bytes are left out here …]"));
}

#[tokio::test]
async fn while_it_runs_it_is_edited_every_fifteen_seconds_at_most_and_its_last_word_waits_for_nothing() {
    let site = Site::start().await;
    let telling = Reporters::new(vec![Arc::new(on(&site, "run"))]).start(
        told(None),
        &Mask::default(),
        &berth::clock::Clock::system(),
    );
    let detail = |detail: &str| telling.say(|report| report.phases[2].detail = detail.to_owned());
    let shown = || site.served.lock().github.repository(REPOSITORY).unwrap().comments(1)[0].body.clone();
    detail("1/9");
    site.clock.waited_for(1).await;
    assert!(shown().contains("1/9"));
    for n in 2..9 {
        detail(&format!("{n}/9"));
        site.clock.advance(SignedDuration::from_secs(1));
    }
    assert!(shown().contains("1/9"));
    site.clock.advance(SignedDuration::try_from(PACE).unwrap());
    site.clock.waited_for(2).await;
    // What came in between is skipped.
    assert!(shown().contains("8/9"));
    telling.say(|report| report.outcome = Some(Outcome::Ready));
    telling.finish(Duration::from_secs(20)).await;
    assert!(shown().contains("✅ Ready"));
    assert_eq!(site.served.gate.count_mutating(), 3);
}
