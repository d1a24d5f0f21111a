//! The notifications service as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    reflex_host::run::<reflex_notifications::Notifications>()
}
