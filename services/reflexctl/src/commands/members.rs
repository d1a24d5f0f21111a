//! `reflexctl members`.

use clap::{Args, Subcommand};
use reflex_proto::leads::v1::directory_service_client::DirectoryServiceClient;
use reflex_proto::leads::v1::{ListMembersRequest, ListMembersResponse};

use super::{answer, named};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::output::{Output, Table, more, word};

/// Shows the people who work with leads.
#[derive(Debug, Args)]
pub(crate) struct Members {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: MembersCommand,
}

#[derive(Debug, Subcommand)]
enum MembersCommand {
    /// Lists members with what they hold now.
    #[command(after_help = "Example:\n  reflexctl members list --team ortho-1 --tenant huakang-east")]
    List {
        /// Only members of this team.
        #[arg(long, default_value = "", hide_default_value = true)]
        team: String,
        #[command(flatten)]
        page: PageArgs,
    },
}

impl Members {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let MembersCommand::List { team, page } = &self.command;
        let client = DirectoryServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = ListMembersRequest {
            page_size: page.page_size,
            page_token: page.page_token.clone(),
            team: named("teams", team),
        };
        let outcome = answer(async || client.clone().list_members(request.clone()).await).await;
        let response = self.connection.explain(outcome.map_err(Into::into))?;
        output.response("reflex.leads.v1.ListMembersResponse", &response, render)?;
        Ok(())
    }
}

fn render(response: &ListMembersResponse) -> String {
    let headings = [
        "MEMBER", "NAME", "TEAM", "ROLE", "WEIGHT", "OPEN", "CAPACITY", "SKILLS", "ACTIVE",
    ];
    let mut table = Table::new(headings);
    for member in &response.members {
        table.row([
            member.name.clone(),
            member.display_name.clone(),
            member.team.clone(),
            word(member.role().as_str_name(), "ROLE_"),
            member.weight.to_string(),
            member.open_leads.to_string(),
            member.capacity.to_string(),
            member.skills.join(" "),
            if member.active { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}
