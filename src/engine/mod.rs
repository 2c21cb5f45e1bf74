//! One run: open (the claim by compare-and-set, which makes the fence), drive the plan, close. `handle` is what every front
//! calls.
//!
//! Two documents and a cluster are never atomic together, so the order of requests is the proof; each function of the
//! protocol (`open`, `hold`, `close`, `by_name`) says its order, and `tests/it/model` searches all interleavings of these very
//! functions. Must never: change a claim without having read it, then the world; write the pool without having looked at
//! the claim after reading the pool; let a step go on whose fence has fallen.

mod by_name;
mod call;
mod close;
mod diagnose;
mod drive;
mod extend;
mod farewell;
mod guard;
mod hand_in;
mod handle;
mod hold;
mod line;
mod look;
mod open;
mod pace;
mod protocol;
mod run;
mod sweep;
mod told;
mod wishes;

pub use by_name::{Given, Released};
pub use call::{Called, Calls, OnGitHub, Way};
pub use close::{Freed, Presence, Removed};
pub use drive::Retry;
pub use extend::{Extended, Longer};
pub use handle::{Asked, CLAIM, Declined, Engine, Event, HostsOf, Wishes, outcome_of};
pub use hold::{Holding, Verified};
pub use open::Opened;
pub use pace::{Ids, Pace};
pub use protocol::{Pools, Protocol};
pub use sweep::{Counts, Ground, Mode, RemovalOf, Sweep, Sweeper};
pub use wishes::{At, Forks, Pulls, Said};
