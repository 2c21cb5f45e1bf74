//! What berth knows and decides, as pure values: no async, no clients, no clock, no environment variables.
//!
//! Time, randomness and the world's state are arguments. Nothing here can fail for a reason outside of its arguments,
//! so all of it is proven by tables, property tests and the model checker, without a server.
//! Must never: import another layer of berth, read the clock, perform I/O.

pub mod image;

pub mod names;

pub mod name_server;

pub mod duration;
pub mod history;
pub mod holder;
pub mod time;

pub mod pool;

pub mod claim;
mod job;
mod receipt;
pub mod removal;
mod reported;

pub mod intent;
pub mod sweep;
pub mod swept;

pub mod measured;
pub mod queue;

pub mod command;
pub mod dispatch;
pub mod event;
pub mod payload;

pub mod junit;
pub mod plan;
pub mod report;
pub mod results;
pub mod scope;

pub mod diagnosis;
pub mod evidence;

pub mod template;
pub mod yaml;

pub mod app;
pub mod kubeconfig;
