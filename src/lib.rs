//! berth gives every pull request its own environment and takes it away again.

#![warn(missing_docs)]

pub mod domain;
pub mod rehearsal;
pub mod documents;
pub mod clients;
pub mod stores;
pub mod clock;
pub mod errors;
pub mod engine;
pub mod settings;
