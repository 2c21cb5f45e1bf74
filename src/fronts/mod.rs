//! Fronts: from the outside world to calls of the engine, and back to what whoever asked can read.
//!
//! Must never: decide anything that the domain or the engine decides; print (they give back what is to be printed).

pub(crate) mod action;
pub(crate) mod command;
