//! Tests against an environment: what they may see, what counts as their result, and what is kept of it.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    child::path,
    stand::{KUBECONFIG, Stand},
};
use anyhow::{Result, anyhow};
use async_trait::async_trait;
use berth::{
    clients::child::Surroundings,
    documents::{Document, Entry, Key, NotWritten, Read, Store, Version},
    domain::{
        history::{COMMITS, History},
        names::{EnvironmentName, HeadSha},
        results::Results,
    },
    errors,
    mask::Mask,
    progress::Progress,
    rehearsal::{
        gate::Verdict as Answer,
        players::{Pace, environment_players},
    },
    settings::{self, Run},
    steps::{
        Step, Verdict,
        tests::{BEGIN, END, Progressed, Shown, Tested, keep},
    },
};
use bytes::Bytes;
use futures::{future::BoxFuture, stream};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::Frame,
    http::{Request, Response},
};
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, VecDeque},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const JUNIT: &str = "<testsuite><testcase name='a'/><testcase name='b'/></testsuite>";
const FAILING: &str =
    "<testsuite><testcase name='a'/><testcase name='b'><failure message='red'/></testcase></testsuite>";

/// What was shown, line by line.
type Screen = Arc<Mutex<Vec<String>>>;

/// Not under its lock: a failed assertion would poison it for whoever is dropped after.
fn lines(screen: &Screen) -> Vec<String> {
    screen.lock().unwrap().clone()
}

fn step(run: Run) -> (Tested, Screen) {
    let screen = Screen::default();
    let print = {
        let screen = screen.clone();
        Arc::new(move |line: &str| screen.lock().unwrap().push(line.to_owned()))
    };
    let surroundings = Surroundings::of(|name| {
        Some(if name == "PATH" { path() } else { OsString::from(format!("canary-{name}")) })
    });
    let tests = settings::Tests { run, timeout: SignedDuration::from_mins(20) };
    let step = Tested {
        tests,
        vars: vec![],
        namespace: "default".parse().unwrap(),
        surroundings,
        mask: Mask::default(),
        shown: Shown::OnGitHub(print),
        patience: Duration::from_secs(1500),
        run: Progressed::default(),
    };
    (step, screen)
}

fn sha(of: char) -> HeadSha {
    of.to_string().repeat(40).parse().unwrap()
}

fn ran(stand: &Stand) -> Results {
    match stand.board.verdict() {
        Some(Verdict::Ran(results)) => results,
        other => panic!("{other:?}"),
    }
}

fn counts(results: &Results) -> (u32, u32, u32) {
    (results.passed, results.failed, results.skipped)
}

// ---- a command ----

struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn command(&self, script: &str) -> Run {
        Run::Command {
            command: ["sh", "-c", script].map(str::to_owned).into(),
            directory: self.0.path().to_owned(),
            junit: self.junit(),
        }
    }
    fn junit(&self) -> PathBuf {
        self.0.path().join("results.xml")
    }
}

#[tokio::test]
async fn a_command_has_what_it_needs_to_test_and_nothing_else() {
    let (stand, checkout) = (Stand::start('9').await, Checkout::new());
    let script = format!(
        "env; pwd; echo kubeconfig $KUBECONFIG $(stat -c %a $KUBECONFIG); cat $KUBECONFIG; echo \"{JUNIT}\" > results.xml"
    );
    let (step, screen) = step(checkout.command(&script));
    assert_eq!(stand.done(&step).await, "2 passed, 0 failed, 0 skipped");
    let screen = lines(&screen);
    let has = |line: &str| assert!(screen.iter().any(|one| one == line), "{line} is not in {screen:#?}");
    has("BERTH_URL=https://pr-42-shop.preview.example.com");
    has("BERTH_HOST=pr-42-shop.preview.example.com");
    has("BERTH_ADDRESS=127.0.0.1");
    has(&format!("BERTH_NAME={}", stand.scope.name));
    has(&format!("BERTH_HEAD_SHA={}", "9".repeat(40)));
    has(KUBECONFIG.trim_end());
    has(&fs::canonicalize(checkout.0.path()).unwrap().display().to_string());
    let kubeconfig = screen.iter().find_map(|line| line.strip_prefix("kubeconfig ")).unwrap();
    let (file, mode) = kubeconfig.split_once(' ').unwrap();
    assert_eq!(mode, "600");
    assert!(!Path::new(file).exists(), "it is gone afterwards");
    let strange = ["VAULT", "TOKEN", "ACTIONS", "AWS", "DOCKER", "GITHUB"];
    assert!(!screen.iter().any(|line| strange.iter().any(|word| line.contains(word))), "{screen:#?}");
}

#[tokio::test]
async fn no_line_of_theirs_is_a_command_to_the_runner() {
    let (stand, checkout) = (Stand::start('9').await, Checkout::new());
    let script = format!("echo '::error::mine'; echo '::guessed::'; echo \"{JUNIT}\" > results.xml");
    let (step, screen) = step(checkout.command(&script));
    stand.done(&step).await;
    let screen = lines(&screen);
    let [first, .., last] = screen.as_slice() else { panic!("{screen:?}") };
    let token = first.strip_prefix("::stop-commands::").unwrap();
    assert_eq!((token.len(), last), (32, &format!("::{token}::")));
    assert_eq!(screen[1..screen.len() - 1], ["::error::mine", "::guessed::"]);
}

#[tokio::test]
async fn failing_tests_are_a_result_and_not_a_failed_step() {
    let (stand, checkout) = (Stand::start('9').await, Checkout::new());
    let (step, _) = step(checkout.command(&format!("echo \"{FAILING}\" > results.xml; exit 1")));
    assert_eq!(stand.done(&step).await, "1 passed, 1 failed, 0 skipped");
    let results = ran(&stand);
    assert_eq!((results.failures[0].message.as_str(), results.name.as_str()), ("red", "sh"));
}

#[tokio::test]
async fn a_command_without_results_has_failed_whatever_it_says() {
    for (script, says) in [
        ("exit 0", "ended with 0, and left no JUnit in "),
        ("exit 3", "ended with 3, and left no JUnit in "),
        ("kill -9 $$", "was ended: signal: 9"),
        ("echo > results.xml", "the JUnit report"),
        ("echo '<testsuite/>' > results.xml", "the JUnit report tells of no test"),
        ("mkdir results.xml", "left no JUnit"),
        ("ln -s /proc/self/environ results.xml", "left no JUnit"),
        ("mkfifo results.xml", "left no JUnit"),
        // What passed, and then broke.
        (
            &format!("echo \"{JUNIT}\" > results.xml; exit 2"),
            "ended with 2, though no test of its report failed",
        ),
    ] {
        let (stand, checkout) = (Stand::start('9').await, Checkout::new());
        // From before, and good.
        fs::write(checkout.junit(), JUNIT).unwrap();
        let (step, _) = step(checkout.command(script));
        stand.done(&step).await;
        let results = ran(&stand);
        assert_eq!(results.failed, 1, "{script}");
        assert!(results.failures[0].message.contains(says), "{script}: {:?}", results.failures);
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_has_failed() {
    let (stand, checkout) = (Stand::start('9').await, Checkout::new());
    let (step, screen) = step(checkout.command("echo begun; sleep 1000"));
    let clock = stand.bed.clock.clone();
    let (done, ()) = futures::join!(stand.done(&step), async {
        clock.waited_for(1).await;
        clock.advance(SignedDuration::from_mins(20));
    });
    assert_eq!(done, "0 passed, 1 failed, 0 skipped");
    assert!(ran(&stand).failures[0].message.contains("took longer than it may"));
    assert!(lines(&screen).last().unwrap().ends_with("::"), "what was stopped goes on");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_mistake() {
    let (stand, checkout) = (Stand::start('9').await, Checkout::new());
    let Run::Command { directory, junit, .. } = checkout.command("") else { panic!() };
    let (step, _) = step(Run::Command { command: vec!["no-such-program".into()], directory, junit });
    let error = step.ensure(&stand.context()).await.err().unwrap();
    assert!(error.to_string().contains("no-such-program is not on the PATH"), "{error}");
    assert_eq!(stand.board.verdict(), None);
}

// ---- what is kept ----

#[tokio::test]
async fn a_result_of_this_commit_is_used_again_and_one_of_another_is_not() {
    let (mut stand, checkout) = (Stand::start('9').await, Checkout::new());
    let script = format!("echo run >> runs; echo \"{FAILING}\" > results.xml");
    let runs = || fs::read_to_string(checkout.0.path().join("runs")).unwrap().lines().count();
    stand.done(&step(checkout.command(&script)).0).await;
    let first = ran(&stand);
    assert_eq!(stand.done(&step(checkout.command(&script)).0).await, "1 passed, 1 failed, 0 skipped");
    assert_eq!((runs(), ran(&stand)), (1, first));
    let other = Stand::start('8').await;
    stand.scope = other.scope;
    stand.done(&step(checkout.command(&script)).0).await;
    assert_eq!(runs(), 2);
}

/// A store that somebody else writes to at the wrong moment, or that fails once.
struct Awkward {
    inner: Arc<dyn Store>,
    meanwhile: Mutex<Option<Document>>,
    fails: AtomicBool,
}

#[async_trait]
impl Store for Awkward {
    async fn read(&self, key: &Key) -> Result<Read> {
        self.inner.read(key).await
    }
    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(NotWritten::Unknown(anyhow!("it is down")));
        }
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            self.inner.write(key, &meanwhile, expected).await?;
        }
        self.inner.write(key, document, expected).await
    }
    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        self.inner.remove(key, expected).await
    }
    async fn claims(&self) -> Result<Vec<Entry>> {
        self.inner.claims().await
    }
    async fn names(&self) -> Result<BTreeSet<EnvironmentName>> {
        self.inner.names().await
    }
    fn place(&self, key: &Key) -> String {
        self.inner.place(key)
    }
}

fn results(passed: u32) -> Results {
    Results { passed, ..Results::default() }
}

fn now() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn what_another_job_hands_in_at_the_same_time_is_not_lost() {
    let stand = Stand::start('9').await;
    let theirs = History::default().with(&sha('9'), "cypress", &results(5), now()).into_document();
    let store =
        Awkward { inner: stand.store.clone(), meanwhile: Mutex::new(Some(theirs)), fails: false.into() };
    keep(&store, &stand.scope.name, &sha('9'), "unit", &results(7), now()).await.unwrap();
    let read = stand.store.read(&Key::History(stand.scope.name.clone())).await.unwrap();
    let history = History::of(read.document().unwrap().clone()).unwrap();
    for (report, passed) in [("cypress", 5), ("unit", 7)] {
        let kept = history.results(&sha('9'), report).unwrap();
        assert_eq!((kept.passed, kept.name.as_str()), (passed, report));
    }
}

#[tokio::test]
async fn tests_are_not_run_again_because_their_result_could_not_be_kept() {
    let (mut stand, checkout) = (Stand::start('9').await, Checkout::new());
    stand.store =
        Arc::new(Awkward { inner: stand.store.clone(), meanwhile: Mutex::default(), fails: true.into() });
    let (step, _) = step(checkout.command(&format!("echo run >> runs; echo \"{JUNIT}\" > results.xml")));
    let error = step.ensure(&stand.context()).await.err().unwrap();
    assert!(error.to_string().contains("it is down"), "{error}");
    assert_eq!(stand.board.verdict(), None, "nothing is said that is not kept");
    assert_eq!(stand.done(&step).await, "2 passed, 0 failed, 0 skipped");
    assert_eq!(fs::read_to_string(checkout.0.path().join("runs")).unwrap(), "run\n");
}

#[test]
fn a_history_keeps_the_newest_commits_and_what_others_wrote() {
    let other = json!({"events": [1, 2], "results": {"7777777777777777777777777777777777777777": {
        "at": "2026-01-01T00:00:00Z", "reports": {"a": {"passed": 1, "failed": 0, "skipped": 0, "new": true}},
    }}});
    let Value::Object(document) = other else { panic!() };
    let mut history = History::of(document).unwrap();
    assert_eq!(history.results(&sha('7'), "a").unwrap().passed, 1);
    for n in 0..25_u32 {
        let head: HeadSha = format!("{n:040}").parse().unwrap();
        let at = now() + SignedDuration::from_secs(n.into());
        history = history.with(&head, "a", &results(n), at);
    }
    let document = history.into_document();
    assert_eq!(document["events"], json!([1, 2]));
    let kept: Vec<&String> = document["results"].as_object().unwrap().keys().collect();
    let newest: Vec<String> = (5..25).map(|n| format!("{n:040}")).collect();
    assert_eq!((kept.len(), kept), (COMMITS, newest.iter().collect()));
}

#[test]
fn a_history_stays_small_whatever_failed() {
    let long =
        || berth::domain::results::Failure { name: "ä".repeat(5000), message: "ö".repeat(5000), at: None };
    let many = Results { failed: 100, failures: (0..100).map(|_| long()).collect(), ..Results::default() };
    let mut history = History::default();
    for n in 0..40 {
        let head: HeadSha = format!("{n:040}").parse().unwrap();
        for report in 0..15 {
            history =
                history.with(&head, &format!("r{report:02}"), &many, now() + SignedDuration::from_secs(n));
        }
    }
    let last: HeadSha = format!("{:040}", 39).parse().unwrap();
    assert_eq!(history.results(&last, "r14").unwrap().failed, 100);
    let text = serde_json::to_string(&history.into_document()).unwrap();
    assert!(text.len() <= 256 << 10, "{} bytes", text.len());
}

#[tokio::test]
async fn results_that_cannot_be_read_are_not_absent() {
    let (stand, checkout) = (Stand::start('9').await, Checkout::new());
    let key = Key::History(stand.scope.name.clone());
    let version = stand.store.read(&key).await.unwrap().version().clone();
    let Value::Object(broken) = json!({"results": {"x": "a text"}}) else { panic!() };
    stand.store.write(&key, &broken, &version).await.unwrap();
    let (step, _) = step(checkout.command("exit 0"));
    let error = step.ensure(&stand.context()).await.err().unwrap();
    assert_eq!(errors::exit(&error).code(), 4);
    assert!(errors::render(&error).contains("the history in "), "{error:#}");
}

// ---- another job's report ----

#[tokio::test]
async fn a_report_of_another_job_is_awaited_until_it_is_there_for_this_commit() {
    let stand = Stand::start('9').await;
    let (step, _) = step(Run::Report("cypress".into()));
    let awaited = Some(Verdict::Awaited("cypress".into()));
    stand.done(&step).await;
    assert_eq!(stand.board.verdict(), awaited);
    let name = &stand.scope.name;
    keep(&*stand.store, name, &sha('8'), "cypress", &results(3), now()).await.unwrap();
    keep(&*stand.store, name, &sha('9'), "unit", &results(4), now()).await.unwrap();
    stand.done(&step).await;
    assert_eq!(stand.board.verdict(), awaited);
    keep(&*stand.store, name, &sha('9'), "cypress", &results(5), now()).await.unwrap();
    assert_eq!(stand.done(&step).await, "5 passed, 0 failed, 0 skipped");
    assert_eq!(counts(&ran(&stand)), (5, 0, 0));
}

// ---- a Job ----

const JOB: &str = "
apiVersion: batch/v1
kind: Job
metadata: {name: e2e}
spec:
  ttlSecondsAfterFinished: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: 'e2e:${HEAD_SHA}', command: [npm, test], args: [--url, '${URL}']}]
";

/// The file that it is in lives as long as this.
fn job(text: &str, junit: Option<&str>) -> (Run, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("e2e.yaml");
    fs::write(&file, text).unwrap();
    (Run::Job { file, junit: junit.map(PathBuf::from) }, directory)
}

const NAME: &str = "e2e-999999999999";

fn the_job(stand: &Stand) -> Value {
    stand.bed.world().environment.get("jobs.batch", "default", NAME).expect("the Job").clone()
}

/// As the Job's controller and the kubelet do.
fn pod(stand: &Stand, name: &str, state: Value) {
    let uid = the_job(stand)["metadata"]["uid"].clone();
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"batch.kubernetes.io/controller-uid": uid}},
        "spec": {"containers": [{"name": "main", "image": "e2e"}]},
    });
    let mut world = stand.bed.world();
    world.environment.create_as("kubelet", &object);
    let status = json!({"status": {"containerStatuses": [{"name": "main", "state": state}]}});
    assert!(world.environment.merge_status("kubelet", "pods", "default", name, &status));
}

fn end(stand: &Stand, kind: &str, reason: &str) {
    let said = json!({"status": {"conditions": [{"type": kind, "status": "True", "reason": reason, "message": "as it is"}]}});
    let mut world = stand.bed.world();
    assert!(world.environment.merge_status("job-controller", "jobs.batch", "default", NAME, &said));
}

/// What the log of the pod is; else the world goes on as it does.
fn logs(stand: &Stand, log: &str) -> Arc<Mutex<usize>> {
    let (log, asked) = (log.to_owned(), Arc::new(Mutex::new(0)));
    let count = asked.clone();
    stand.bed.gate().rule(move |request| {
        if request.path.last().is_none_or(|last| last != "log") {
            return Answer::Pass;
        }
        *count.lock().unwrap() += 1;
        Answer::Answer { status: 200, headers: vec![], body: log.clone() }
    });
    asked
}

#[tokio::test]
async fn a_job_runs_once_for_a_commit_and_its_log_is_shown_as_it_comes() {
    let stand = Stand::start('9').await;
    let (run, _directory) = job(JOB, None);
    let (step, screen) = step(run.clone());
    let asked = logs(
        &stand,
        &format!("one\n::error::two\n{BEGIN}\n{FAILING}\n{END}\n{BEGIN}\n{JUNIT}\n{END}\nthree"),
    );
    let wait = stand.waits(&step).await;
    assert_eq!(wait.on, format!("job default/{NAME} to make its pod"));
    let spec = the_job(&stand)["spec"].clone();
    assert_eq!((&spec["backoffLimit"], &spec["activeDeadlineSeconds"]), (&json!(0), &json!(1200)));
    assert!(spec.get("ttlSecondsAfterFinished").is_none(), "it stays until its log was read");
    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], format!("e2e:{}", "9".repeat(40)));
    assert_eq!(container["command"], json!(["npm", "test"]), "without `junit` it is as it was");
    pod(&stand, "e2e-a", json!({"waiting": {"reason": "ImagePullBackOff"}}));
    wait.wake.await.unwrap();
    let wait = stand.waits(&step).await;
    assert_eq!(wait.on, format!("job default/{NAME}: its pod is not running: ImagePullBackOff"));
    pod(&stand, "e2e-a", json!({"running": {}}));
    wait.wake.await.unwrap();
    let wait = stand.waits(&step).await;
    assert_eq!(wait.on, format!("the tests of job default/{NAME}"));
    assert_eq!(*asked.lock().unwrap(), 0);
    // The log, which ends at once; and the Job is not done yet.
    wait.wake.await.unwrap();
    let shown = ["one", "::error::two", "three"];
    assert_eq!(lines(&screen)[1..], shown);
    let wait = stand.waits(&step).await;
    end(&stand, "Complete", "Completed");
    wait.wake.await.unwrap();
    assert_eq!(*asked.lock().unwrap(), 1, "a log that has ended is not followed");
    assert_eq!(stand.done(&step).await, "3 passed, 1 failed, 0 skipped");
    let (screen, results) = (lines(&screen), ran(&stand));
    assert!(screen[0].starts_with("::stop-commands::") && screen[4].ends_with("::"), "{screen:?}");
    assert_eq!(
        (screen[1..4].to_vec(), screen.len()),
        (shown.map(str::to_owned).to_vec(), 5),
        "nothing is shown twice"
    );
    assert_eq!(results.name, "e2e");
    // Another process, the same commit.
    let before = stand.bed.gate().count_mutating();
    assert_eq!(stand.done(&self::step(run).0).await, "3 passed, 1 failed, 0 skipped");
    assert_eq!(stand.bed.gate().count_mutating(), before);
}

#[tokio::test]
async fn a_job_that_is_there_for_a_commit_stays_as_it_is() {
    let stand = Stand::start('9').await;
    for image in ["one", "two"] {
        let (run, _directory) = job(&JOB.replace("e2e:${HEAD_SHA}", image), None);
        drop(stand.waits(&step(run).0).await);
        // What a Job runs cannot be changed: a server refuses it.
        assert_eq!(the_job(&stand)["spec"]["template"]["spec"]["containers"][0]["image"], "one");
    }
}

/// Answers requests for logs with these parts; after the last of them the connection is cut, unless it is the last answer.
#[derive(Clone)]
struct Logs {
    inner: Client,
    answers: Arc<Mutex<VecDeque<&'static [&'static str]>>>,
}

type Parts = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

impl tower_service::Service<Request<Body>> for Logs {
    type Response = Response<Parts>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Response<Parts>, kube::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), kube::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { inner, answers } = self.clone();
        Box::pin(async move {
            if !request.uri().path().ends_with("/log") {
                let answer = inner.send(request).await?;
                return Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()));
            }
            let mut answers = answers.lock().unwrap();
            let parts = answers.pop_front().expect("nobody asks more often");
            let cut = (!answers.is_empty()).then(|| Err(std::io::Error::other("cut")));
            let parts = parts.iter().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes()))));
            let body = StreamBody::new(stream::iter(parts.chain(cut).collect::<Vec<_>>()));
            Ok(Response::new(body.map_err(|error: std::io::Error| error.into()).boxed_unsync()))
        })
    }
}

#[tokio::test]
async fn a_log_that_is_cut_is_read_again_and_shown_once() {
    let mut stand = Stand::start('9').await;
    let answers: [&[&str]; 3] = [&["one\ntw"], &["one", "\ntwo\nth"], &["one\ntwo\nthree\nfo", "ur"]];
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let left = answers.clone();
    stand.through(|inner| Client::new(Logs { inner, answers }, "default"));
    let (run, _directory) = job(JOB, None);
    let (step, screen) = step(run);
    drop(stand.waits(&step).await);
    pod(&stand, "e2e-a", json!({"running": {}}));
    // Each time the pod changes there is another look, and the log is followed anew.
    for message in ["a", "b"] {
        let wait = stand.waits(&step).await;
        let asked = left.lock().unwrap().len();
        pod(
            &stand,
            "e2e-a",
            json!({"running": {"startedAt": "2026-01-05T12:00:00Z"}, "waiting": {"message": message}}),
        );
        let mut wake = wait.wake;
        // Until the log was asked for and cut, and the change was told.
        futures::future::poll_fn(|cx| {
            let woken = wake.as_mut().poll(cx);
            cx.waker().wake_by_ref();
            if left.lock().unwrap().len() < asked { woken } else { std::task::Poll::Pending }
        })
        .await
        .unwrap();
    }
    assert_eq!(lines(&screen)[1..], ["one", "two"]);
    end(&stand, "Complete", "Completed");
    stand.done(&step).await;
    assert_eq!(lines(&screen)[1..5], ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn a_job_that_ends_badly_has_failed_whatever_its_report_says() {
    for (junit, log, says) in [
        (None, "no report", "the Job failed: BackoffLimitExceeded: as it is"),
        (None, &*format!("{BEGIN}\n{JUNIT}\n{END}\n"), "the Job failed: BackoffLimitExceeded"),
        (Some("/out/junit.xml"), "no report", "and there is no JUnit of /out/junit.xml in its log"),
        (None, &*format!("{BEGIN}\n{JUNIT}\n"), "its JUnit in the log has no end"),
    ] {
        let stand = Stand::start('9').await;
        let (run, _directory) = job(JOB, junit);
        let (step, _) = step(run);
        logs(&stand, log);
        drop(stand.waits(&step).await);
        pod(&stand, "e2e-a", json!({"terminated": {"exitCode": 1}}));
        end(&stand, "Failed", "BackoffLimitExceeded");
        stand.done(&step).await;
        let results = ran(&stand);
        assert_eq!(results.failed, 1, "{log}");
        assert!(results.failures[0].message.contains(says), "{:?}", results.failures);
    }
}

#[tokio::test]
async fn a_job_without_a_report_is_judged_by_its_end_and_one_with_a_missing_report_has_failed() {
    for (junit, wanted) in [(None, (1, 0, 0)), (Some("/out/junit.xml"), (0, 1, 0))] {
        let stand = Stand::start('9').await;
        let (run, _directory) = job(JOB, junit);
        let (step, _) = step(run);
        drop(stand.waits(&step).await);
        // Its pod was cleaned up.
        end(&stand, "Complete", "Completed");
        stand.done(&step).await;
        assert_eq!(counts(&ran(&stand)), wanted);
    }
}

#[tokio::test]
async fn a_job_that_never_began_has_failed_when_its_time_is_over() {
    let stand = Stand::start('9').await;
    let (run, _directory) = job(JOB, None);
    let (step, _) = step(run);
    drop(stand.waits(&step).await);
    pod(&stand, "e2e-a", json!({"waiting": {"reason": "ImagePullBackOff"}}));
    end(&stand, "Failed", "DeadlineExceeded");
    stand.bed.gate().rule(|request| match request.path.last().is_some_and(|last| last == "log") {
        true => Answer::json(400, &json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "BadRequest", "code": 400,
            "message": "container \"main\" in pod \"e2e-a\" is waiting to start: trying and failing to pull image",
        })),
        false => Answer::Pass,
    });
    assert_eq!(stand.done(&step).await, "0 passed, 1 failed, 0 skipped");
    assert!(ran(&stand).failures[0].message.starts_with("the Job failed: DeadlineExceeded"));
}

/// By those who play an environment's controllers and its kubelets, with their log.
#[tokio::test]
async fn a_job_in_an_environment_at_work_is_run_read_and_kept() {
    for (play, wanted) in [("", "2 passed, 0 failed, 0 skipped"), ("fail", "2 passed, 1 failed, 0 skipped")] {
        let stand = Stand::start('9').await;
        {
            let mut world = stand.bed.world();
            environment_players(Pace::AT_ONCE)
                .into_iter()
                .for_each(|player| world.play_in_environments(player));
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}});
            assert!(world.environment.create_as("kubelet", &node));
            let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}});
            assert!(world.environment.merge_status("kubelet", "nodes", "", "node-a", &ready));
        }
        let log = format!("one\n{BEGIN}\n{JUNIT}\n{END}\n");
        let annotations = json!({"play.berth.dev/log": log, "play.berth.dev/play": play});
        let template = format!("template:\n    metadata: {{annotations: {annotations}}}");
        let (run, _directory) = job(&JOB.replace("template:", &template), None);
        let (step, screen) = step(run);
        let mut looks = 0;
        let done = loop {
            looks += 1;
            assert!(looks < 20, "{}", the_job(&stand));
            match step.ensure(&stand.context()).await.unwrap() {
                Progress::Done(detail) => break detail,
                Progress::Waiting(wait) => {
                    stand.bed.pass(1);
                    wait.wake.await.unwrap();
                }
            }
        };
        assert_eq!(done, wanted);
        assert_eq!(lines(&screen)[1], "one");
        assert_eq!(stand.bed.world().refused(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_no_result() {
    let stand = Stand::start('9').await;
    let (run, _directory) = job(JOB, None);
    let (step, _) = step(run);
    drop(stand.waits(&step).await);
    pod(&stand, "e2e-a", json!({"terminated": {"exitCode": 0}}));
    end(&stand, "Complete", "Completed");
    for verdict in [Answer::json(503, &json!({})), Answer::Cut, Answer::json(403, &json!({}))] {
        let verdict_again = verdict.clone();
        stand.bed.gate().rule(move |request| match request.path.last().is_some_and(|last| last == "log") {
            true => verdict_again.clone(),
            false => Answer::Pass,
        });
        let error = step.ensure(&stand.context()).await.err().unwrap();
        assert_eq!(errors::exit(&error).code(), 4, "{verdict:?}: {error:#}");
        assert_eq!(stand.board.verdict(), None);
    }
    logs(&stand, &format!("{BEGIN}\n{JUNIT}\n{END}\n"));
    assert_eq!(stand.done(&step).await, "2 passed, 0 failed, 0 skipped");
}

#[tokio::test]
async fn a_command_that_is_wrapped_prints_its_junit_and_ends_as_it_ends() {
    let stand = Stand::start('9').await;
    let text = JOB.replace(
        "command: [npm, test], args: [--url, '${URL}']",
        "command: [sh, -c, 'echo \"$0 $1\"; cp $2 $1; exit 7'], args: [run, OUT, IN]",
    );
    let directory = tempfile::tempdir().unwrap();
    let (out, source) = (directory.path().join("out.xml"), directory.path().join("in.xml"));
    fs::write(&source, JUNIT).unwrap();
    fs::write(&out, "from before").unwrap();
    let text = text.replace("OUT", out.to_str().unwrap()).replace("IN]", &format!("{}]", source.display()));
    let (run, _directory) = job(&text, Some(out.to_str().unwrap()));
    let (step, _) = step(run);
    drop(stand.waits(&step).await);
    let container = the_job(&stand)["spec"]["template"]["spec"]["containers"][0].clone();
    assert!(container.get("args").is_none());
    let words: Vec<&str> =
        container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let ended = std::process::Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert_eq!(ended.status.code(), Some(7));
    let said = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(said, format!("run {}\n\n{BEGIN}\n{JUNIT}\n{END}\n", out.display()));
    fs::remove_file(source).unwrap();
    let ended = std::process::Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(!String::from_utf8(ended.stdout).unwrap().contains(BEGIN), "an old report is not printed");
}

#[tokio::test]
async fn a_file_that_holds_no_job_is_pointed_at() {
    let two = format!("{JOB}---\n{JOB}");
    for (text, junit, says) in [
        ("kind: Job\n", None, "it holds no Job of batch/v1"),
        (two.as_str(), None, "it holds 2 documents"),
        (&*JOB.replace("e2e}", "''}"), None, "its metadata.name is lacking"),
        (&*JOB.replace("command: [npm, test], ", ""), Some("/out.xml"), "needs a `command`"),
        (&*JOB.replace("${URL}", "${NOBODY}"), None, "${NOBODY} is unknown"),
    ] {
        let stand = Stand::start('9').await;
        let (run, _directory) = job(text, junit);
        let error = step(run).0.ensure(&stand.context()).await.err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(errors::exit(&error).code(), 1);
    }
}
