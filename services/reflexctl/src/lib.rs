//! `reflexctl`: Reflex from the command line, and bundles for whoever sets up a tenant by program.
//!
//! [`bundle`] reads YAML, [`connection`] finds the services, [`apply`] compares and puts, [`export`] reads
//! a set-up back, [`run`] takes a command line:
//! `cli` says what can be typed, `commands` does it, `output` prints, `failure` explains.

pub mod apply;
pub mod bundle;
pub mod connection;
pub mod export;

mod cli;
mod commands;
mod dynamic;
mod failure;
mod output;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

/// Runs a command line, the program's name first, and prints as the program does.
///
/// # Errors
///
/// When it was asked wrongly or could not do what was asked.
pub async fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> anyhow::Result<()> {
    commands::run(cli::Cli::try_parse_from(arguments)?).await
}

/// Runs the command line of this process: 0 when it did what was asked, 1 when it could not, 2 when it was asked wrongly.
#[must_use]
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough, as in `reflexctl leads list | head`.
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", failure::describe(&error));
            ExitCode::FAILURE
        }
    }
}
