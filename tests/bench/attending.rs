//! The judge attends the facts of the embedded GitHub.

use crate::github::judge::{Judge, Sender};
use berth::rehearsal::gate::Gate;

pub(crate) fn attend(gate: &Gate) {
    Judge::new().attend(gate, Sender::Tester);
}
