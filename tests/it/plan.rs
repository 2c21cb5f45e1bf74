//! Which step comes when.

use berth::domain::plan::{Direction, NoPlan, Plan, Spec, StepName};
use std::{collections::BTreeSet, time::Duration};

const A: StepName = StepName::new("a");
const B: StepName = StepName::new("b");
const C: StepName = StepName::new("c");
const D: StepName = StepName::new("d");

/// `a` before `b` and `c`, both before `d`.
const DIAMOND: &[Spec] = &[spec(A, &[]), spec(B, &[A]), spec(C, &[A]), spec(D, &[B, C])];

const fn spec(name: StepName, needs: &'static [StepName]) -> Spec {
    Spec { name, needs, patience: Duration::from_secs(1) }
}

/// What may begin at once, again and again, when each ends at once.
fn waves(plan: &Plan) -> String {
    let (mut done, mut waves) = (BTreeSet::new(), Vec::new());
    loop {
        let wave: Vec<StepName> = plan.ready(&done, &done).collect();
        if wave.is_empty() {
            return waves.join(", ");
        }
        waves.push(wave.iter().map(StepName::to_string).collect::<Vec<_>>().join("+"));
        done.extend(wave);
    }
}

fn plan(direction: Direction, used: &[StepName]) -> Plan {
    Plan::new(direction, DIAMOND, |step| used.contains(&step)).unwrap()
}

#[test]
fn a_step_begins_when_what_it_needs_is_done_and_not_later() {
    assert_eq!(waves(&plan(Direction::Up, &[A, B, C, D])), "a, b+c, d");
    let plan = plan(Direction::Up, &[A, B, C, D]);
    let (begun, done) = (BTreeSet::from([A, B, C]), BTreeSet::from([A, B]));
    assert_eq!(plan.ready(&begun, &done).count(), 0, "c is not done");
}

#[test]
fn what_others_stand_on_goes_last_and_the_rest_side_by_side() {
    assert_eq!(waves(&plan(Direction::Down, &[A, B, C, D])), "d+c+b, a");
}

#[test]
fn what_needs_a_step_that_is_not_used_needs_what_that_needs() {
    assert_eq!(waves(&plan(Direction::Up, &[A, D])), "a, d");
    assert_eq!(waves(&plan(Direction::Down, &[A, D])), "d, a");
    assert_eq!(waves(&plan(Direction::Up, &[B, C])), "b+c");
}

#[test]
fn steps_that_form_no_plan_are_told() {
    let of = |specs: &[Spec]| Plan::new(Direction::Up, specs, |_| true).unwrap_err();
    assert_eq!(of(&[spec(A, &[B]), spec(B, &[])]), NoPlan::Needs(A, B));
    assert_eq!(of(&[spec(A, &[A])]), NoPlan::Needs(A, A));
    assert_eq!(of(&[spec(A, &[]), spec(A, &[])]), NoPlan::Twice(A));
}
