//! `reflexctl routing`.

mod plot;
mod simulate;

use clap::{Args, Subcommand};

use crate::cli::ConnectionArgs;
use crate::output::Output;

/// Rehearses who would get which lead.
#[derive(Debug, Args)]
pub(crate) struct Routing {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: RoutingCommand,
}

#[derive(Debug, Subcommand)]
enum RoutingCommand {
    Simulate(simulate::Simulate),
}

impl Routing {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            RoutingCommand::Simulate(simulate) => simulate.run(&self.connection, output).await,
        };
        self.connection.explain(outcome)
    }
}
