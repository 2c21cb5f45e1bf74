//! What becomes of an environment from its opening to its end.

use super::{bed::Bed, canonical::same};
use berth::domain::{intent::Occasion, report::Outcome};

#[test]
fn opened_it_comes_up_and_closed_it_goes_without_a_trace() {
    let bed = Bed::new();
    let before = bed.canonical();
    let report = bed.run("one", Occasion::Event).unwrap();
    assert_eq!(report.outcome, Some(Outcome::Ready), "{report:#?}\n{}", bed.log());
    bed.close();
    let report = bed.run("two", Occasion::Event).unwrap();
    assert!(
        matches!(report.outcome, Some(Outcome::Removed { free_at: Some(_) })),
        "{report:#?}\n{}",
        bed.log()
    );
    bed.pass(601);
    let report = bed.run("three", Occasion::Sweep).unwrap();
    assert_eq!(report.outcome, Some(Outcome::Removed { free_at: None }), "{report:#?}\n{}", bed.log());
    same(&bed.canonical(), &before, "nothing is left");
    bed.unbroken();
}
