//! What the harnesses try: lives, whose plans hold every step that there is, and what may befall an environment in them.
//!
//! A new step or provider that is in no life fails the last tests here; once it is, every harness goes through it.

use super::{
    bed::Bed,
    files::{APP, AT_WORK, MANIFESTS, MORE, OPERATORS, RESOURCES, TESTS, WHOLE},
};
use berth::{
    domain::{
        claim::{ProviderKind, Removal},
        intent::Occasion,
        report::{Outcome, Report, Status},
    },
    engine::Mode,
    rehearsal::gate::Verdict,
    steps::NAMES,
};
use std::collections::BTreeSet;

/// A token that was made and not written down lives no longer.
const MINUTES: u32 = 301;
/// Whatever nobody is at any more is brought on by then.
const STUCK: u32 = 1801;
/// Addresses have cooled by then.
const COOLED: u32 = 601;

/// An environment of one kind.
pub(super) struct Life {
    pub(super) name: &'static str,
    pub(super) begin: fn() -> Bed,
    /// What is deployed from the second commit on.
    later: Option<&'static str>,
}

pub(super) const LIVES: [Life; 4] = [
    Life { name: "plain", begin: Bed::new, later: None },
    Life { name: "entitled, and handed over to Argo CD", begin: Bed::entitled, later: None },
    Life { name: "whole, with a Job for its tests", begin: whole, later: None },
    Life { name: "lessened by a push", begin: more_at_first, later: Some(MANIFESTS) },
];

fn whole() -> Bed {
    let app = format!("{MANIFESTS}{AT_WORK}");
    let more = "    operators: [{manifests: operators.yaml}]\n    resources: [{manifests: resources.yaml}]\n";
    let files = [
        ("berth.yaml", WHOLE),
        ("app.yaml", app.as_str()),
        ("operators.yaml", OPERATORS),
        ("resources.yaml", RESOURCES),
        ("tests.yaml", TESTS),
    ];
    Bed::with(more, &files)
}

fn more_at_first() -> Bed {
    Bed::of(APP, &format!("{MANIFESTS}{MORE}"))
}

/// Kills who sends the k-th request that may change something.
pub(super) fn kill_at(bed: &Bed, k: usize, how: &Verdict) {
    let (how, mut count) = (how.clone(), 0);
    bed.served.gate.rule(move |request| {
        count += usize::from(request.mutates());
        if request.mutates() && count == k { how.clone() } else { Verdict::Pass }
    });
}

/// What befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Opened.
    Up,
    /// Pushed to, where it stands.
    Push,
    /// Closed: removed, cooled and freed.
    Down,
    /// Reopened, half removed.
    Reopened,
    /// Reopened, while its addresses cool.
    Revived,
}

impl Act {
    /// Whatever must have happened before.
    pub(super) fn prepare(self, bed: &Bed, life: &Life) {
        if self == Self::Up {
            return;
        }
        bed.up("earlier");
        match self {
            Self::Up => {}
            Self::Push => life.push(bed, 'b'),
            Self::Down => bed.close(),
            Self::Reopened => {
                bed.close();
                kill_at(bed, 4, &Verdict::DieAfter);
                assert!(bed.run_beside("removes-half", Occasion::Event).is_none());
                bed.served.gate.open();
                bed.reopen();
            }
            Self::Revived => {
                bed.close();
                bed.run_beside("removes", Occasion::Event);
                bed.reopen();
            }
        }
    }

    /// The processes that it takes, each with its own name after this one; they end with one that is killed.
    pub(super) fn go(self, bed: &Bed, called: &str) -> Vec<Report> {
        let mut reports: Vec<Report> =
            bed.run_beside(&format!("{called}-acts"), Occasion::Event).into_iter().collect();
        if self == Self::Down && !reports.is_empty() {
            bed.pass(COOLED);
            reports.extend(bed.run_beside(&format!("{called}-frees"), Occasion::Sweep));
        }
        reports
    }

    /// How many processes that are.
    pub(super) fn processes(self) -> usize {
        if self == Self::Down { 2 } else { 1 }
    }

    /// What may follow; a close of what is closed is the same event.
    pub(super) fn afters(self) -> &'static [After] {
        match self {
            Self::Down => &[After::SameEvent, After::Push, After::Sweep],
            _ => &[After::SameEvent, After::Push, After::Close, After::Sweep],
        }
    }
}

/// What comes after the act, or after the death of who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The very same once more.
    SameEvent,
    /// A newer commit; what was closed is reopened for it.
    Push,
    /// It is closed.
    Close,
    /// No event at all: sweeps alone, which find it closed from the second on.
    Sweep,
}

impl After {
    /// To its end; the outcome of the last process.
    pub(super) fn follow(self, act: Act, bed: &Bed, life: &Life) -> Option<Outcome> {
        let last = match self {
            Self::SameEvent => act.go(bed, "again").pop(),
            Self::Push => {
                if act == Act::Down {
                    bed.reopen();
                }
                life.push(bed, 'c');
                bed.run_beside("pushed", Occasion::Event)
            }
            Self::Close => {
                bed.close();
                bed.run_beside("closed", Occasion::Event);
                swept(bed, &["freed", "freed-again"])
            }
            Self::Sweep => {
                bed.pass(STUCK);
                sweep(bed, "swept");
                bed.close();
                let sweeps = ["removed", "freed", "freed-again"];
                sweeps
                    .map(|run| {
                        bed.pass(COOLED);
                        sweep(bed, run)
                    })
                    .into_iter()
                    .last()
                    .flatten()
            }
        };
        bed.pass(MINUTES);
        last.and_then(|report| report.outcome)
    }
}

/// What became of the one that it had something to do for.
fn sweep(bed: &Bed, run: &str) -> Option<Report> {
    let mut swept = bed.sweep(run, Mode::Do).unwrap();
    swept.ended.pop_first().map(|(_, report)| report)
}

fn swept(bed: &Bed, runs: &[&str]) -> Option<Report> {
    let mut last = None;
    for run in runs {
        bed.pass(COOLED);
        last = bed.run_beside(run, Occasion::Sweep);
    }
    last
}

impl Life {
    fn push(&self, bed: &Bed, commit: char) {
        if let Some(later) = self.later {
            bed.writes("app.yaml", later);
        }
        bed.push(commit);
    }
}

/// What is done where nobody has asked for anything.
const IDLE: [&str; 6] = [
    "not asked for",
    "none are configured",
    "none are asked for",
    "no app is configured",
    "it has no address",
    "it has no name",
];

#[test]
fn every_step_is_at_work_in_some_life() {
    let mut at_work = BTreeSet::new();
    for life in &LIVES {
        let report = (life.begin)().up("one");
        let done = report.phases.into_iter().filter(|phase| phase.status == Status::Done);
        at_work.extend(done.filter(|phase| !IDLE.contains(&phase.detail.as_str())).map(|phase| phase.step));
    }
    let idle: Vec<_> = NAMES.iter().filter(|step| !at_work.contains(step)).collect();
    assert!(idle.is_empty(), "in no life is there anything to do for {idle:?}");
}

#[test]
fn every_provider_that_there_is_has_a_life() {
    let mut lived = BTreeSet::new();
    for life in &LIVES {
        let bed = (life.begin)();
        bed.up("one");
        lived.insert(bed.claim().removal().provider.to_string());
    }
    let bed = Bed::new();
    for provider in
        [ProviderKind::CapiK3s, ProviderKind::Namespace, ProviderKind::FluxRelease, ProviderKind::Metal3Host]
    {
        let removal = Removal { provider, context: None, objects: vec![], elsewhere: vec![], hosts: vec![] };
        let is_there = bed.knows_provider(&removal);
        assert_eq!(
            is_there,
            lived.contains(&provider.to_string()),
            "{provider} has code, or a life, but not both"
        );
    }
}
