//! The action: the real binary in a job, on what the embedded GitHub tells of. (In the bench the judge sees every request.)

mod app;
pub(crate) mod bed;
mod commands;
mod faults;
mod forks;
mod job;
mod one_file;
mod order;
mod queue;
mod secrets;
mod stories;
mod sweep;
