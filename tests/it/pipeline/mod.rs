//! The pipeline on the embedded world: one process after the other, or several at once, each with its own runtime and clients.

mod bed;
mod canonical;
mod causes;
mod crash;
mod entitled;
mod entries;
mod farewell;
mod faults;
mod files;
mod interleavings;
mod invariants;
mod lives;
mod outdated;
mod resting;
mod scene;
mod stories;
mod sweep;
