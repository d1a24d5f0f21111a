//! The standalone program: `reflex-standalone --help` says what it does.

mod program;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::run()
}
