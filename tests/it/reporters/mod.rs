//! Where a run is told: what each sink writes, when, and what it leaves alone. (In the bench the judge sees every request.)

mod canary;
mod check;
mod comment;
mod deployment;
mod files;
mod outage;
mod status;
mod turns;

pub(super) use super::github_client::{APP, Site, pull, repo};
use berth::{
    clients::github::{Access, Credential, GitHub, TIMEOUT},
    domain::{
        diagnosis::Diagnosis,
        holder::Holder,
        plan::{Direction, StepName},
        queue::Full,
        report::{Outcome, Phase, Report, Status},
        results::{Failure, Results},
    },
    rehearsal::{BEGINNING, Server},
    reporters::{
        Reporter, Reporters,
        check::Check,
        comment::Comment,
        deployment::Deployment,
        markdown::Beside,
        outputs::Outputs,
        status::CommitStatus,
        summary::Summary,
        terminal::{Look, Terminal},
    },
    settings::default_status,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;

pub(super) const REPOSITORY: &str = "acme/web";
pub(super) const SHA: &str = "1111111111111111111111111111111111111111";
pub(super) const LOG: &str = "https://github.com/acme/web/actions/runs/512";
pub(super) const URL: &str = "https://pr-1-web.preview.example.com";

/// When the world does.
pub(super) fn began() -> Timestamp {
    BEGINNING
}

pub(super) fn after(seconds: i64) -> Timestamp {
    began() + SignedDuration::from_secs(seconds)
}

pub(super) fn step(name: &'static str) -> StepName {
    StepName::new(name)
}

/// Of a run that has brought up acme/web#1 and taken its claim thrice, or is at it.
pub(super) fn told(outcome: Option<Outcome>) -> Report {
    let mut report = Report::new(&Holder::PullRequest(pull(1)), began());
    report.direction = Some(Direction::Up);
    report.generation = Some("3".parse().unwrap());
    report.head_sha = Some(SHA.parse().unwrap());
    report.url = Some(URL.to_owned());
    report.addresses = ["192.168.1.140", "192.168.1.141"].map(|address| address.parse().unwrap()).to_vec();
    report.ended = outcome.is_some().then(|| after(192));
    let phase = |name, status, from: i64, seconds: f64, detail: &str| Phase {
        step: step(name),
        status,
        seconds,
        detail: detail.to_owned(),
        began: (status != Status::Pending).then(|| after(from)),
    };
    let last = if outcome.is_some() { Status::Done } else { Status::Running };
    report.phases = vec![
        phase("claim", Status::Done, 0, 0.01, "held, generation 3, 192.168.1.140-141"),
        phase("cluster", Status::Done, 1, 124.0, "5 objects applied, API server ready"),
        phase("deploy", last, 125, 21.0, "deployment/web 2/2"),
    ];
    report.outcome = outcome;
    report
}

pub(super) fn of_generation(generation: &str, outcome: Option<Outcome>) -> Report {
    Report { generation: Some(generation.parse().unwrap()), ..told(outcome) }
}

/// Its tests passed.
pub(super) fn green() -> Report {
    let tests = Results { passed: 148, skipped: 2, name: "cypress".to_owned(), ..Results::default() };
    Report { tests: Some(tests), ..told(Some(Outcome::Ready)) }
}

/// Some of them failed.
pub(super) fn tests_failed() -> Report {
    let failure = |name: &str, message: &str, at: &str| Failure {
        name: name.to_owned(),
        message: message.to_owned(),
        at: Some(at.to_owned()),
    };
    let failures = vec![
        failure("cart adds an item", "expected 1, got 0", "cart.cy.ts:31"),
        failure("login expires", "timed out after 4 s", "login.cy.ts:12"),
    ];
    let tests =
        Results { passed: 146, failed: 2, skipped: 2, failures, seconds: None, name: "cypress".to_owned() };
    Report { tests: Some(tests), ..told(Some(Outcome::TestsFailed)) }
}

/// It does not stand, and that is likely why.
pub(super) fn red() -> Report {
    let why = "deploy gave up after 15 m, waiting for deployment/web 0/2".to_owned();
    let mut report = told(Some(Outcome::Failed { step: step("deploy"), why }));
    report.phases[2] = Phase { status: Status::Failed, seconds: 900.0, ..report.phases[2].clone() };
    report.diagnosis = Some(Diagnosis {
        cause: "image not found",
        object: "pod default/web-7d9".to_owned(),
        detail: "harbor.example.com/web:pr-1-1111111: not found".to_owned(),
        advice: "look at the job that builds it",
    });
    report.evidence = Some("pod default/web-7d9\n  12:01 Failed: not found\n".to_owned());
    report
}

/// All ways to end.
pub(super) fn outcomes(text: &str) -> Vec<Outcome> {
    let why = text.to_owned();
    vec![
        Outcome::Ready,
        Outcome::AwaitingTests { report: why.clone() },
        Outcome::TestsFailed,
        Outcome::Failed { step: step("deploy"), why: why.clone() },
        Outcome::Removed { free_at: None },
        Outcome::Closing { until: after(3600), why: None },
        Outcome::AwaitsApproval { label: why.clone() },
        Outcome::WithoutSecrets { why: why.clone() },
        Outcome::Nothing { why: why.clone() },
        Outcome::Queued,
        Outcome::PoolFull { why: Full::Taken },
        Outcome::Unknown { step: Some(step("claim")), why: why.clone() },
        Outcome::Superseded,
        Outcome::Refused { why },
        Outcome::Interrupted { signal: 15 },
    ]
}

/// The same site for another run.
pub(super) fn of_run(site: &Site, run: &str) -> GitHub {
    let address = site.served.url(Server::GitHub);
    let credential = Credential::Token(APP.to_owned().into());
    let access = Access { address, credential, timeout: TIMEOUT };
    GitHub::new(access, site.clock.clone(), run).unwrap()
}

/// What was asked of GitHub since the first `so many` requests.
pub(super) fn asked(site: &Site, since: usize) -> Vec<String> {
    let log = site.served.gate.log().split_off(since);
    log.into_iter().map(|line| line.replace("run ", "").replace(" github /repos/acme/web", " ")).collect()
}

/// What a terminal was told.
#[derive(Clone, Default)]
pub(super) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// All that a job has, and what they write to beside GitHub.
pub(super) struct Sinks {
    pub(super) reporters: Reporters,
    pub(super) summary: PathBuf,
    pub(super) outputs: PathBuf,
    pub(super) paper: Paper,
    _kept: TempDir,
}

pub(super) fn sinks(site: &Site) -> Sinks {
    let kept = TempDir::new().unwrap();
    let [summary, outputs] = ["summary", "outputs"].map(|name| kept.path().join(name));
    let paper = Paper::default();
    let (beside, clock) = (Beside { log: Some(LOG.to_owned()), ..Beside::default() }, &site.clock);
    let (github, look) = (of_run(site, "run"), Look::Lines { groups: true });
    let all: Vec<Arc<dyn Reporter>> = vec![
        Arc::new(Comment::new(github.clone(), pull(1), beside.clone(), clock.clone())),
        Arc::new(CommitStatus::new(github.clone(), repo(), default_status(), None, beside.clone())),
        Arc::new(Check::new(github.clone(), pull(1), beside.clone())),
        Arc::new(Deployment::new(github, pull(1), beside.clone())),
        Arc::new(Summary::new(summary.clone(), beside, clock.clone())),
        Arc::new(Outputs::new(outputs.clone(), None)),
        Arc::new(Terminal::new(Box::new(paper.clone()), look, "", clock.clone())),
    ];
    Sinks { reporters: Reporters::new(all), summary, outputs, paper, _kept: kept }
}
