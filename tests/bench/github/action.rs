//! The stories of the action, under the judge. Those that look for secrets, or break single requests, ask for nothing else.

#[path = "../../it/action/app.rs"]
mod app;
#[path = "../../it/action/bed.rs"]
pub(crate) mod bed;
#[path = "../../it/action/commands.rs"]
mod commands;
#[path = "../../it/action/forks.rs"]
mod forks;
#[path = "../../it/action/job.rs"]
mod job;
#[path = "../../it/action/one_file.rs"]
mod one_file;
#[path = "../../it/action/order.rs"]
mod order;
#[path = "../../it/action/queue.rs"]
mod queue;
#[path = "../../it/action/stories.rs"]
mod stories;
