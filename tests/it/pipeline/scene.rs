//! What the harnesses have in common: a life at the beginning of an act, as often as it is asked for, its requests one by one,
//! and the ending by which all others are judged.

use super::{
    bed::{Bed, Saved},
    canonical::{self, as_whole_or_never},
    lives::{Act, After, Life},
};
use berth::{
    domain::report::{Outcome, Report},
    rehearsal::gate::Verdict,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// A life at the beginning of an act, as often as it is asked for.
pub(super) struct Scene {
    pub(super) life: &'static Life,
    pub(super) act: Act,
    pub(super) bed: Bed,
    before: Saved,
}

impl Scene {
    pub(super) fn new(life: &'static Life, act: Act) -> Self {
        let bed = (life.begin)();
        act.prepare(&bed, life);
        bed.unbroken();
        let before = bed.save();
        Self { life, act, bed, before }
    }

    /// Once more, with the invariants of one environment that one process at a time is at.
    pub(super) fn again(&mut self) -> &Bed {
        self.bed.begin_at(&self.before);
        self.bed.served.gate.invariant(super::invariants::nothing_unexplained);
        &self.bed
    }

    /// What the act sends from its beginning to its end, without the names of its runs, and how its processes end.
    pub(super) fn requests(&mut self) -> (Vec<String>, Vec<Report>) {
        let act = self.act;
        let bed = self.again();
        let reports = act.go(bed, "clean");
        assert_eq!(reports.len(), act.processes());
        bed.unbroken();
        (sent(bed), reports)
    }

    /// How it ends when this has followed.
    pub(super) fn ending(&self, after: After) -> Ending {
        let outcome = after.follow(self.act, &self.bed, self.life);
        Ending { world: canonical::parts(&self.bed.world()), outcome }
    }

    /// The endings by which others are judged, if nothing is cut short.
    pub(super) fn due(&mut self, after: After) -> Due {
        let act = self.act;
        act.go(self.again(), "clean");
        let whole = self.ending(after);
        self.bed.unbroken();
        self.again();
        let never = self.ending(after);
        self.bed.unbroken();
        Due { after, whole, never }
    }
}

/// A world, and to what the last process came.
pub(super) struct Ending {
    world: BTreeMap<String, String>,
    outcome: Option<Outcome>,
}

/// How it ends if nothing was cut short, and if it had never begun.
pub(super) struct Due {
    pub(super) after: After,
    whole: Ending,
    never: Ending,
}

impl Due {
    /// It has ended so, and nothing has broken on the way; if not, how it differs.
    pub(super) fn is(&self, ended: &Ending, bed: &Bed) -> Result<(), String> {
        if let Some(broken) = bed.served.gate.broken() {
            return Err(broken);
        }
        if let Some(refused) = bed.world().refused().first() {
            return Err(refused.clone());
        }
        let expected = &self.whole.outcome;
        if !alike(&ended.outcome, expected) {
            return Err(format!("it came to {:?}, and not to {expected:?}", ended.outcome));
        }
        as_whole_or_never(&ended.world, &self.whole.world, &self.never.world)
    }
}

/// Whether two runs have come to the same, whatever the time.
pub(super) fn alike(one: &Option<Outcome>, other: &Option<Outcome>) -> bool {
    let is_gone = |outcome: &Option<Outcome>| {
        matches!(outcome, Some(Outcome::Removed { free_at: None } | Outcome::Nothing { .. }))
    };
    match (one, other) {
        // Who came first has taken it away, and who came second has found nothing.
        _ if is_gone(one) && is_gone(other) => true,
        (Some(one), Some(other)) => std::mem::discriminant(one) == std::mem::discriminant(other),
        (one, other) => one == other,
    }
}

/// One request of those that an act sends: what stands in the log, and at which time. Steps go side by side, so their
/// requests have no order.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) line: String,
    time: usize,
}

/// Each request by itself.
pub(super) fn spots(lines: &[String]) -> Vec<Spot> {
    let mut times = BTreeMap::<&str, usize>::new();
    let each = lines.iter().map(|line| {
        let time = times.entry(line).or_default();
        *time += 1;
        Spot { line: line.clone(), time: *time }
    });
    each.collect()
}

/// Of a line as [`sent`] tells it.
pub(super) fn mutates(line: &str) -> bool {
    let method = line.split(' ').next().unwrap_or_default();
    !["GET", "HEAD", "LIST", "OPTIONS", "QUERY"].contains(&method)
}

impl Spot {
    pub(super) fn first(line: &str) -> Self {
        Self { line: line.to_owned(), time: 1 }
    }

    /// This befalls it, once. The number of times that it did.
    pub(super) fn befall(&self, bed: &Bed, verdict: &Verdict) -> Arc<AtomicUsize> {
        let (spot, verdict, befell) = (self.clone(), verdict.clone(), Arc::new(AtomicUsize::new(0)));
        let (mut times, did) = (0, befell.clone());
        bed.served.gate.rule(move |request| {
            let line = request.to_string();
            let is_it = line.strip_prefix(&request.run).is_some_and(|rest| rest.trim_start() == spot.line);
            times += usize::from(is_it);
            if is_it && times == spot.time {
                did.fetch_add(1, Relaxed);
                return verdict.clone();
            }
            Verdict::Pass
        });
        befell
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.line, self.time)
    }
}

/// All requests so far, without the names of the runs.
pub(super) fn sent(bed: &Bed) -> Vec<String> {
    let log = bed.served.gate.log();
    log.iter()
        .map(|line| line.split_once(' ').map_or_else(String::new, |(_, rest)| rest.to_owned()))
        .collect()
}
