//! `reflexctl accounts`.

use clap::{Args, Subcommand};
use reflex_proto::leads::v1::account_service_client::AccountServiceClient;
use reflex_proto::leads::v1::{ListAccountsRequest, ListAccountsResponse};

use super::answer;
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::output::{Output, Table, more, values};

/// Shows the customers that leads belong to; bundles create and change them (kind Account).
#[derive(Debug, Args)]
pub(crate) struct Accounts {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: AccountsCommand,
}

#[derive(Debug, Subcommand)]
enum AccountsCommand {
    /// Lists accounts with what is known and calculated of them.
    #[command(
        after_help = "Examples:\n  reflexctl accounts list\n  reflexctl accounts list --order-by '工艺匹配度 desc' --tenant huakang-east"
    )]
    List {
        /// Calculated field, then desc for the greatest first; else in the order of keys.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "FIELD")]
        order_by: String,
        #[command(flatten)]
        page: PageArgs,
    },
}

impl Accounts {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let AccountsCommand::List { order_by, page } = &self.command;
        let client = AccountServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = ListAccountsRequest {
            page_size: page.page_size.min(500),
            page_token: page.page_token.clone(),
            order_by: order_by.clone(),
        };
        let outcome = answer(async || client.clone().list_accounts(request.clone()).await).await;
        let response = self.connection.explain(outcome.map_err(Into::into))?;
        output.response("reflex.leads.v1.ListAccountsResponse", &response, render)?;
        Ok(())
    }
}

fn render(response: &ListAccountsResponse) -> String {
    let mut table = Table::new(["ACCOUNT", "NAME", "OWNER", "KNOWN", "CALCULATED"]);
    for account in &response.accounts {
        let known = account
            .attributes
            .iter()
            .map(|(name, value)| format!("{name} = {value}"));
        table.row([
            account.name.clone(),
            account.display_name.clone(),
            account.owner.clone(),
            known.collect::<Vec<_>>().join(", "),
            values(&account.calculated_values),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}
