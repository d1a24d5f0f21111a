//! `reflexctl routing`: versions of the routing policy, and its entries as a decision table.

mod change;
mod diff;
mod findings;
mod plot;
mod show;
mod simulate;
mod table;

use clap::{Args, Subcommand};
use reflex_proto::leads::v1::routing_service_client::RoutingServiceClient;
use reflex_proto::leads::v1::{GetRoutingPolicyRequest, GetRoutingPolicyResponse};

use super::answer;
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::connection::{Connection, Wire};
use crate::output::Output;

/// Shows and changes who gets which lead: drafts, activation, the way back, decision tables, rehearsals.
#[derive(Debug, Args)]
pub(crate) struct Routing {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Language of headings and explanations; `simulate` has one only.
    #[arg(long, global = true, value_enum, default_value_t = Language::Zh)]
    lang: Language,
    #[command(subcommand)]
    command: RoutingCommand,
}

#[derive(Debug, Subcommand)]
enum RoutingCommand {
    /// Lists the versions of the policy, newest first: draft, active or retired.
    #[command(after_help = "Example:\n  reflexctl routing versions")]
    Versions {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Lists when which version became active, by whom and why, latest first.
    #[command(after_help = "Example:\n  reflexctl routing activations")]
    Activations {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows a version: its entries and the rest.
    #[command(after_help = "Examples:\n  reflexctl routing show\n  reflexctl routing show 3 --lang en")]
    Show {
        /// The version; the active one if left out.
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        version: Option<i32>,
    },
    /// Tells which entries were added, removed, changed or moved from one version to another.
    #[command(after_help = "\
JSON: {\"settings\": [{\"field\", \"before\", \"after\"}], \"entries\": [{\"kind\": added, removed, changed or moved, \"number_before\",
       \"number_after\", \"moved\", \"before\", \"after\": the entry as `routing show` has it, or null}]}

Example:
  reflexctl routing diff 3 4")]
    Diff {
        /// The version before.
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        before: i32,
        /// The version after.
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        after: i32,
    },
    /// Tells what speaks against a policy, with today's teams and people; stores nothing. Exits 1 if it could not be activated.
    #[command(after_help = "\
The file is a bundle with a document of kind RoutingPolicy, or a decision table that ends in .csv.

Examples:
  reflexctl routing check policy.yaml
  reflexctl routing check matrix.csv --lang en
  reflexctl routing check --version 4")]
    Check(change::Check),
    /// Stores a policy as a draft, or makes it the active one at once.
    #[command(after_help = "\
The file is a bundle with a document of kind RoutingPolicy; for decision tables there is `routing table import`.

Examples:
  reflexctl routing put policy.yaml --note 华东换组
  reflexctl routing put policy.yaml --activate")]
    Put(change::Put),
    /// Makes a stored version the active one: a draft, or the way back to an earlier one.
    #[command(after_help = "Example:\n  reflexctl routing activate 3 --note 换回上周的分配")]
    Activate(change::Activate),
    Simulate(simulate::Simulate),
    /// The entries as a table for spreadsheets.
    Table {
        #[command(subcommand)]
        command: table::TableCommand,
    },
}

impl Routing {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let way = Way {
            connection: &self.connection,
            lang: self.lang,
            output,
        };
        let outcome = match &self.command {
            RoutingCommand::Versions { page } => show::versions(&way, page).await,
            RoutingCommand::Activations { page } => show::activations(&way, page).await,
            RoutingCommand::Show { version } => show::version(&way, version.unwrap_or_default()).await,
            RoutingCommand::Diff { before, after } => diff::run(&way, *before, *after).await,
            RoutingCommand::Check(command) => command.run(&way).await,
            RoutingCommand::Put(command) => command.run(&way).await,
            RoutingCommand::Activate(command) => command.run(&way).await,
            RoutingCommand::Simulate(simulate) => simulate.run(&self.connection, output).await,
            RoutingCommand::Table { command } => command.run(&way).await,
        };
        self.connection.explain(outcome)
    }
}

/// What every command needs: the way to the service, and how to answer.
struct Way<'a> {
    connection: &'a ConnectionArgs,
    lang: Language,
    output: &'a Output,
}

impl Way<'_> {
    fn client(&self) -> anyhow::Result<RoutingServiceClient<Wire>> {
        client(&self.connection.connect()?)
    }

    /// Reads a version, the active one for 0.
    async fn policy(&self, version: i32) -> anyhow::Result<GetRoutingPolicyResponse> {
        let client = self.client()?;
        let request = GetRoutingPolicyRequest { version };
        Ok(answer(async || client.clone().get_routing_policy(request).await).await?)
    }
}

fn client(connection: &Connection) -> anyhow::Result<RoutingServiceClient<Wire>> {
    Ok(RoutingServiceClient::new(connection.to(Owner::Leads)?))
}
