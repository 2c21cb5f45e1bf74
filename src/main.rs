//! `berth`: hands the process over to the library, and its outcome back to the caller.

use berth::settings::Environment;
use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: rustls has no provider of its own here. It fails only if one is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(berth::run(std::env::args_os(), &Environment::of_process()).code())
}
