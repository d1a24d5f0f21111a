//! Measures the goals of `make bench`: one JSON line a figure on standard output, everything for people on stderr.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use reflex_tests::bench::{Goal, Options, Verdict, run, table};

/// Compares Reflex with bare loops on the same servers in the same run.
#[derive(Parser)]
struct Arguments {
    /// What to measure, separated by commas; everything unless given.
    #[arg(long, value_enum, value_delimiter = ',')]
    goals: Vec<Goal>,
    /// Plays one short round a goal: shows that everything runs, its figures say little.
    #[arg(long)]
    quick: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let options = Options {
        goals: arguments.goals,
        quick: arguments.quick,
    };
    let print = |verdict: &Verdict| Ok(writeln!(std::io::stdout(), "{}", verdict.json())?);
    let verdicts = run(options, print).await?;
    eprintln!("\n{}", table(&verdicts));
    let missed = verdicts.iter().filter(|verdict| !verdict.pass).count();
    if missed > 0 {
        eprintln!("{missed} of {} figures missed their target", verdicts.len());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
