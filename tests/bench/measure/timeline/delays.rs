//! What the infrastructure takes, a twentieth of real time each, and the longest way through it: what no run can undercut.
//!
//! The way is computed from the delays and from which step needs which, never from what was measured.

use berth::{
    domain::plan::{Spec, StepName},
    rehearsal::players::Change,
    steps::{CLUSTER, DEPLOY, DNS, HEALTH, OPERATORS, TESTS},
};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// One second here stands for so many.
const SCALE: i32 = 20;

/// A part of the infrastructure that takes its time.
pub(super) struct Delay {
    what: &'static str,
    /// In real life.
    seconds: i64,
    /// The step that begins it; `None`: the event does.
    with: Option<StepName>,
    /// What it must wait for beside that.
    after: Option<&'static Delay>,
    /// The step that is not done before this is over.
    holds: StepName,
}

const fn delay(
    (what, seconds): (&'static str, i64),
    with: Option<StepName>,
    after: Option<&'static Delay>,
    holds: StepName,
) -> Delay {
    Delay { what, seconds, with, after, holds }
}

/// Another job builds it, beside the boot.
pub(super) static BUILD: Delay = delay(("the image is built and pushed", 90), None, None, DEPLOY);
static BOOT: Delay = delay(("a machine is cloned, boots and runs k3s", 120), Some(CLUSTER), None, CLUSTER);
static CHART: Delay = delay(("Helm installs the operators", 20), Some(OPERATORS), None, OPERATORS);
static IMAGES: Delay =
    delay(("their images are pulled, and they start", 45), Some(OPERATORS), Some(&CHART), OPERATORS);
static ROLLOUT: Delay = delay(("the app's pods get ready", 30), Some(DEPLOY), Some(&BUILD), DEPLOY);
static CERTIFICATE: Delay = delay(("the app gets its certificate", 40), Some(DEPLOY), Some(&BUILD), HEALTH);
static RECORD: Delay = delay(("external-dns publishes its name", 60), Some(DEPLOY), Some(&BUILD), DNS);
static SUITE: Delay = delay(("the tests run", 60), Some(TESTS), None, TESTS);

/// Each behind what it waits for.
static ALL: [&Delay; 8] = [&BUILD, &BOOT, &CHART, &IMAGES, &ROLLOUT, &CERTIFICATE, &RECORD, &SUITE];

impl Delay {
    pub(super) fn what(&self) -> &'static str {
        self.what
    }

    /// Here.
    pub(super) fn takes(&self) -> SignedDuration {
        SignedDuration::from_secs(self.seconds) / SCALE
    }

    /// What of the world's own changes comes only after a delay.
    pub(super) fn of(change: &Change) -> Option<&'static Self> {
        match change {
            Change::Publish(_) => Some(&RECORD),
            Change::Create(object) if object["type"] == "kubernetes.io/tls" => Some(&CERTIFICATE),
            Change::MergeStatus(target, patch) => match target.kind.kind {
                "ProxmoxMachine" if patch["status"]["ready"] == true => Some(&BOOT),
                "Pod" => {
                    let is = |phase: &str| patch["status"]["phase"] == phase;
                    match (target.namespace.as_str(), target.name.as_str()) {
                        (_, name) if name.starts_with("helm-install-") => is("Running").then_some(&CHART),
                        ("default", name) if name.starts_with("shop-tests-") => {
                            is("Succeeded").then_some(&SUITE)
                        }
                        ("default", _) => is("Running").then_some(&ROLLOUT),
                        _ => is("Running").then_some(&IMAGES),
                    }
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// One delay of a run that adds nothing to them.
pub(super) struct Moment {
    pub(super) what: &'static str,
    pub(super) from: SignedDuration,
    pub(super) to: SignedDuration,
    /// Whether it stands on the longest way.
    pub(super) is_critical: bool,
}

/// When something is at the earliest, and what it waited for in turn.
type When = (SignedDuration, Vec<&'static str>);

/// All delays in the order in which they end: with the last of them ends the longest way through these steps.
pub(super) fn path(steps: &[Spec]) -> Vec<Moment> {
    let (mut begun, mut done, mut over) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for step in steps {
        let begin = latest(step.needs.iter().map(|needed| &done[needed]));
        begun.insert(step.name, begin.clone());
        let mut end = begin;
        for delay in ALL.iter().filter(|delay| delay.holds == step.name) {
            let with = delay.with.iter().map(|step| &begun[step]);
            let (from, mut way) = latest(with.chain(delay.after.iter().map(|before| &over[before.what])));
            way.push(delay.what);
            let to = (from + delay.takes(), way);
            end = latest([&end, &to]);
            over.insert(delay.what, to);
        }
        done.insert(step.name, end);
    }
    let (_, critical) = latest(done.values());
    let moments = ALL.iter().map(|delay| {
        let to = over[delay.what].0;
        let is_critical = critical.contains(&delay.what);
        Moment { what: delay.what, from: to - delay.takes(), to, is_critical }
    });
    let mut moments: Vec<Moment> = moments.collect();
    moments.sort_by_key(|moment| moment.to);
    moments
}

/// Of nothing, the beginning.
fn latest<'a>(all: impl IntoIterator<Item = &'a When>) -> When {
    all.into_iter().max_by_key(|(when, _)| *when).cloned().unwrap_or_default()
}
