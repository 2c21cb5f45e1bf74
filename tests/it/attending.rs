//! Nobody else attends the facts of the embedded GitHub here. (In the bench, in this module's place: the judge.)

use berth::rehearsal::gate::Gate;

/// Where wrong things are sent on purpose.
pub(crate) fn attend(_: &Gate) {}

/// Where berth's own client sends what it sends.
pub(crate) fn attend_client(_: &Gate) {}
