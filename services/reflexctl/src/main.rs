//! The command line of Reflex.

use std::process::ExitCode;

fn main() -> ExitCode {
    reflexctl::main()
}
