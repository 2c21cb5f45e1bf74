//! What a job finds in the files that GitHub names: its summary, and its outputs.

use super::{LOG, after, began, green, outcomes, red, tests_failed, told};
use berth::{
    clock::Clock,
    domain::report::{Outcome, Report, Status},
    reporters::{
        Reporter,
        markdown::Beside,
        outputs::Outputs,
        summary::{self, Summary},
    },
};
use insta::assert_snapshot;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};
use tempfile::TempDir;

fn directory() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    (directory, file)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

fn beside() -> Beside {
    Beside { log: Some(LOG.to_owned()), ..Beside::default() }
}

fn summary(file: &Path) -> Summary {
    Summary::new(file.to_owned(), beside(), Clock::stepped(after(192)))
}

#[test]
fn the_summary_of_a_green_run() {
    assert_snapshot!(summary::text(&green(), after(192), &beside()), @r#"
    ### ✅ Ready · [pr-1-web.preview.example.com](https://pr-1-web.preview.example.com)

    `1111111` up in 3 m 12 s · **148 passed**, 2 skipped

    <details><summary>Phases, access, commands</summary>

    | phase | time | |
    |---|--:|---|
    | claim | under 1 s | `held, generation 3, 192.168.1.140-141` |
    | cluster | 2 m 04 s | `5 objects applied, API server ready` |
    | deploy | 21 s | `deployment/web 2/2` |

    `berth kubeconfig acme/web#1` · `/berth retest` · `/berth extend 24h` · `/berth down`
    </details>

    ```mermaid
    gantt
        dateFormat x
        axisFormat %H:%M:%S
        claim :done, 1767225600000, 1767225601000
        cluster :done, 1767225601000, 1767225725000
        deploy :done, 1767225725000, 1767225746000
    ```
    "#);
}

#[test]
fn the_summary_of_a_red_run() {
    assert_snapshot!(summary::text(&red(), after(1025), &beside()), @r#"
    ### ❌ Not ready: `deploy` gave up after 15 m

    **Likely cause: image not found.** `pod default/web-7d9`: `harbor.example.com/web:pr-1-1111111: not found`; look at the job that builds it.
    The cluster is kept: push a fix or comment `/berth up`.

    <details><summary><code>pod default/web-7d9</code>: conditions, events, last log lines</summary>

    ```text
    deploy gave up after 15 m, waiting for deployment/web 0/2
    ```

    ```text
    pod default/web-7d9
      12:01 Failed: not found
    ```
    </details>

    ```mermaid
    gantt
        dateFormat x
        axisFormat %H:%M:%S
        claim :done, 1767225600000, 1767225601000
        cluster :done, 1767225601000, 1767225725000
        deploy :crit, 1767225725000, 1767226625000
    ```
    "#);
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_what_it_knew() {
    let (_kept, file) = directory();
    let summary = summary(&file);
    let mut report = told(None);
    summary.show(&report).await.unwrap();
    assert!(read(&file).starts_with("### ⏳ Coming up: `deploy`\n"));
    report.phase(super::step("dns"), Status::Running, "2 of 3 servers", after(150));
    summary.show(&report).await.unwrap();
    assert!(read(&file).contains("2 of 3 servers"));
    assert!(read(&file).contains("\n    dns :active, "));
    // Shorter than what stood there: nothing of that is left.
    summary.show(&told(Some(Outcome::Superseded))).await.unwrap();
    assert!(!read(&file).contains("2 of 3 servers"));
    assert_eq!(read(&file).matches("```").count(), 2);
}

#[tokio::test]
async fn what_others_wrote_into_the_summary_stays() {
    let (_kept, file) = directory();
    fs::write(&file, "# Theirs\n").unwrap();
    let summary = summary(&file);
    summary.show(&told(None)).await.unwrap();
    summary.show(&green()).await.unwrap();
    let text = read(&file);
    assert!(text.starts_with("# Theirs\n### ✅ Ready"), "{text}");
    assert_eq!(text.matches("###").count(), 1);
}

#[tokio::test]
async fn the_summary_is_smaller_than_what_github_shows() {
    let (_kept, file) = directory();
    let evidence = Some("line é 👩‍👩‍👧\n".repeat(200_000));
    summary(&file).show(&Report { evidence: evidence.clone(), ..red() }).await.unwrap();
    assert!(read(&file).ends_with("```\n"), "it is whole");
    // Where others have all but filled it: up to a character.
    fs::write(&file, "x".repeat(summary::BYTES - 1000)).unwrap();
    summary(&file).show(&Report { evidence, ..red() }).await.unwrap();
    let text = read(&file);
    assert!(text.len() <= summary::BYTES && text.len() > summary::BYTES - 10);
    fs::write(&file, "x".repeat(summary::BYTES + 7)).unwrap();
    summary(&file).show(&green()).await.unwrap();
    assert_eq!(read(&file).len(), summary::BYTES + 7);
}

#[tokio::test]
async fn the_summary_tells_of_every_ending() {
    for outcome in outcomes("EVIL ``` @everyone") {
        let (_kept, file) = directory();
        let mut report = told(Some(outcome.clone()));
        report.phases[2].detail = "EVIL\n```\n    dns :crit, 0, 1".to_owned();
        summary(&file).show(&report).await.unwrap();
        let text = read(&file);
        assert!(text.starts_with("### ") && !text.contains("<!-- berth"), "{outcome:?}: {text}");
        let drawn = text.split_once("```mermaid\n").unwrap().1;
        assert!(drawn.ends_with("\n```\n") && !drawn.contains("EVIL"), "{outcome:?}: {drawn}");
    }
}

#[test]
fn nothing_is_drawn_of_what_has_not_begun() {
    let mut report = told(Some(Outcome::Ready));
    report.phases.iter_mut().for_each(|phase| (phase.status, phase.began) = (Status::Pending, None));
    assert!(!summary::text(&report, began(), &beside()).contains("mermaid"));
}

/// What a runner reads: each output, or an error.
fn outputs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap();
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        found.push((name.to_owned(), value.join("\n")));
    }
    found
}

async fn written(report: &Report) -> Vec<(String, String)> {
    let (_kept, file) = directory();
    Outputs::new(file.clone(), None).show(report).await.unwrap();
    outputs(&read(&file))
}

fn listed(outputs: &[(String, String)]) -> String {
    outputs.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

#[tokio::test]
async fn later_steps_are_told_what_came_of_it() {
    let (kept, file) = directory();
    let kubeconfig = kept.path().join("kubeconfig");
    fs::write(&file, "theirs=1\n").unwrap();
    fs::write(&kubeconfig, "secret").unwrap();
    let outputs_to = Outputs::new(file.clone(), Some(kubeconfig.clone()));
    outputs_to.show(&told(None)).await.unwrap();
    assert_eq!(read(&file), "theirs=1\n", "nothing has come of it yet");
    outputs_to.show(&tests_failed()).await.unwrap();
    outputs_to.show(&green()).await.unwrap();
    let text = read(&file);
    let found = listed(&outputs(text.strip_prefix("theirs=1\n").unwrap()));
    let found = found.replace(&kubeconfig.display().to_string(), "KUBECONFIG");
    assert_snapshot!(found, @r#"
    name=pr-web-1
    url=https://pr-1-web.preview.example.com
    dns=pr-1-web.preview.example.com
    addresses=192.168.1.140,192.168.1.141
    kubeconfig-path=KUBECONFIG
    outcome=tests-failed
    tests-passed=146
    tests-failed=2
    "#);
}

#[tokio::test]
async fn what_is_not_there_is_no_output() {
    let mut report = told(Some(Outcome::Queued));
    (report.url, report.addresses) = (None, Vec::new());
    assert_snapshot!(listed(&written(&report).await), @r#"
    name=pr-web-1
    outcome=queued
    "#);
    // A kubeconfig that was never written is not handed on.
    let (kept, file) = directory();
    Outputs::new(file.clone(), Some(kept.path().join("none"))).show(&green()).await.unwrap();
    assert!(!read(&file).contains("kubeconfig"));
}

#[tokio::test]
async fn an_output_that_holds_the_delimiter_is_one_output_all_the_same() {
    let (_kept, file) = directory();
    let url = "https://a.example.com\r\nfirst\r\nevil=1";
    let drawn = AtomicUsize::new(0);
    let outputs_to = Outputs::new(file.clone(), None).between(Box::new(move || {
        Ok(["first", "second"][drawn.fetch_add(1, Ordering::Relaxed).min(1)].to_owned())
    }));
    outputs_to.show(&Report { url: Some(url.to_owned()), ..told(Some(Outcome::Ready)) }).await.unwrap();
    let text = read(&file);
    assert!(!text.contains('\r'));
    let found = outputs(&text);
    assert_eq!(found[1], ("url".to_owned(), "https://a.example.com\nfirst\nevil=1".to_owned()));
    assert!(found.iter().all(|(name, _)| name != "evil"), "{found:?}");
}

#[tokio::test]
async fn without_a_safe_delimiter_nothing_is_written() {
    let (_kept, file) = directory();
    let outputs = Outputs::new(file.clone(), None).between(Box::new(|| Ok("a".to_owned())));
    let error = outputs.show(&green()).await.unwrap_err();
    assert!(error.to_string().contains("no delimiter was found"), "{error}");
    assert!(!file.exists());
}

#[tokio::test]
async fn no_two_delimiters_are_the_same() {
    let (_kept, file) = directory();
    Outputs::new(file.clone(), None).show(&green()).await.unwrap();
    let text = read(&file);
    let mut all: Vec<&str> = text.lines().filter_map(|line| line.split_once("<<")).map(|(_, d)| d).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert!(count == 7 && all.len() == count && all.iter().all(|one| one.len() >= 32), "{text}");
}
