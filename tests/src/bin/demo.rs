//! `make demo` plays the main job and ends; `make up` runs everything with the demo's data and stays.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};
use reflex_tests::demo::{Options, play, up};

/// Plays the main job on real input: 2,000 forms, who gets them, who is told, and what happens when nobody calls.
#[derive(Parser)]
struct Arguments {
    /// Folder with bundles, robots and leads.
    #[arg(long, default_value = "deploy/demo")]
    data: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything on its usual addresses until Ctrl-C instead.
    Up {
        /// Where data, keys and client.toml are kept; as root /var/lib/reflex unless given, else ~/.local/share/reflex.
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let program = std::env::current_exe()?;
    let programs = program.parent().context("programs stand in a folder")?.to_owned();
    let options = Options {
        programs,
        data: arguments.data,
    };
    match arguments.command {
        Some(Command::Up { data_dir }) => up(&options, data_dir).await.map(|()| true),
        None => play(&options).await,
    }
}
