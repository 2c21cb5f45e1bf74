//! Nobody else attends the facts of the embedded GitHub here. (In the bench, in this module's place: the judge.)

use berth::rehearsal::gate::Gate;

pub(crate) fn attend(_: &Gate) {}
