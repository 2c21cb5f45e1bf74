//! The named steps that make an intent true, and which must be done before which. Pure.
//!
//! A Down is the Up turned round: what others stand on is removed after them. What stands on something is undone side by
//! side, because it goes with the ground in any case. Must never: hold two sets of edges.

use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// A step's name, as users see it and name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StepName(&'static str);

impl StepName {
    /// Of one of the steps.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// What a step says of itself; the only thing that the pure side knows of it.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: StepName,
    /// What must be done before it begins.
    pub needs: &'static [StepName],
    /// How long it may take, if nobody says otherwise.
    pub patience: Duration,
}

/// Which way a plan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Making true.
    Up,
    /// Making gone.
    Down,
}

/// Steps, each with those that come before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    direction: Direction,
    /// In the order in which the steps are listed; a Down's is turned round.
    steps: Vec<(StepName, BTreeSet<StepName>)>,
}

/// Why steps form no plan: a mistake of ours, not of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPlan {
    /// Two are called so.
    Twice(StepName),
    /// It needs one that is not listed before it, so it may need itself in the end.
    Needs(StepName, StepName),
}

impl fmt::Display for NoPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(step) => write!(f, "two steps are called {step}"),
            Self::Needs(step, needed) => write!(f, "{step} needs {needed}, which is not listed before it"),
        }
    }
}

impl Plan {
    /// Of those steps that `used` picks; what needs one of the others needs in its place what that needs.
    pub fn new(
        direction: Direction,
        specs: &[Spec],
        used: impl Fn(StepName) -> bool,
    ) -> Result<Self, NoPlan> {
        // What stands for a step in the needs of others: itself, or what it needs.
        let mut stands: BTreeMap<StepName, BTreeSet<StepName>> = BTreeMap::new();
        let mut steps = Vec::new();
        for spec in specs {
            let mut before = BTreeSet::new();
            for needed in spec.needs {
                let needed = stands.get(needed).ok_or(NoPlan::Needs(spec.name, *needed))?;
                before.extend(needed.iter().copied());
            }
            let standing = if used(spec.name) {
                steps.push((spec.name, before));
                BTreeSet::from([spec.name])
            } else {
                before
            };
            if stands.insert(spec.name, standing).is_some() {
                return Err(NoPlan::Twice(spec.name));
            }
        }
        if direction == Direction::Down {
            // What stands on nothing goes last, and takes with it what was made on it.
            let on_something: BTreeSet<_> =
                steps.iter().filter(|(_, before)| !before.is_empty()).map(|(step, _)| *step).collect();
            let turned = steps.iter().rev().map(|(step, before)| {
                (*step, if before.is_empty() { on_something.clone() } else { BTreeSet::new() })
            });
            steps = turned.collect();
        }
        Ok(Self { direction, steps })
    }

    /// Which way it goes.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// All steps, each after those that come before it.
    pub fn steps(&self) -> impl Iterator<Item = StepName> {
        self.steps.iter().map(|(step, _)| *step)
    }

    /// Those that may begin: all that come before them are done.
    pub fn ready<'a>(
        &'a self,
        begun: &'a BTreeSet<StepName>,
        done: &'a BTreeSet<StepName>,
    ) -> impl Iterator<Item = StepName> + 'a {
        let ready =
            self.steps.iter().filter(|(step, before)| !begun.contains(step) && before.is_subset(done));
        ready.map(|(step, _)| *step)
    }
}
