//! The judge attends the facts of the embedded GitHub.

use crate::github::judge::{Judge, Sender};
use berth::rehearsal::gate::Gate;

/// Where wrong things are sent on purpose.
pub(crate) fn attend(gate: &Gate) {
    Judge::new().attend(gate, Sender::Tester);
}

/// Where berth's own client sends what it sends.
pub(crate) fn attend_client(gate: &Gate) {
    Judge::new().attend(gate, Sender::Client);
}
