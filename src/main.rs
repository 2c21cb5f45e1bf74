//! Hands the process over to the library.

fn main() {}
