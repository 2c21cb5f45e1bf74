//! The bench: our embedded servers and clients, held against what the real ones are and say of themselves.
//!
//! It needs what the scripts beside it fetch and build; `tests/run` calls them first.
#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect shall end there")]

mod github;
