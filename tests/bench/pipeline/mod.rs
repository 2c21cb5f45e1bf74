//! The whole pipeline on real servers: the management cluster with the real Cluster API core, OpenBao, CoreDNS, and for each
//! environment a control plane of its own; by an account that has the rights of `deploy/`, and none beside.

mod admission;
mod argo_cd;
mod bed;
mod killed;
mod rights;

use bed::Bed;
use berth::domain::{intent::Occasion, plan::Direction, report::Outcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pull_requests_get_their_environments_and_leave_nothing_behind() {
    let bed = Bed::with_rights(|_| {}).await;
    // One alone, then two at once.
    for numbers in [vec![bed.open("cart")], vec![bed.open("search"), bed.open("checkout")]] {
        let environments = bed.environments(&numbers).await;
        let reports = bed.all(&numbers, Occasion::Event).await;
        for (number, report) in numbers.iter().zip(&reports) {
            assert_eq!(report.outcome, Some(Outcome::Ready), "{number}: {report:#?}");
            assert_eq!(report.direction, Some(Direction::Up));
        }
        bed.stand(&numbers, &environments).await;
        numbers.iter().for_each(|number| bed.close(*number));
        for report in bed.all(&numbers, Occasion::Event).await {
            assert!(matches!(report.outcome, Some(Outcome::Removed { .. })), "{report:#?}");
        }
        bed.nothing_is_left(&numbers, &environments).await;
    }
}
