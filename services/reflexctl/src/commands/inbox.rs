//! `reflexctl inbox`.

use std::time::Duration;

use clap::{Args, Subcommand};
use reflex_proto::notifications::v1::inbox_service_client::InboxServiceClient;
use reflex_proto::notifications::v1::{
    InboxItem, ListInboxItemsRequest, ListInboxItemsResponse, MarkInboxItemReadRequest, WatchInboxRequest,
};
use tonic::Code;

use super::{answer, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Format, PageArgs};
use crate::connection::Wire;
use crate::dynamic::to_json;
use crate::output::{Output, Table, more, print};

/// Wait before a broken watch goes on.
const RESUME_AFTER: Duration = Duration::from_millis(500);

/// Shows what people find in their inbox.
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: InboxCommand,
}

#[derive(Debug, Subcommand)]
enum InboxCommand {
    /// Lists items, newest first.
    #[command(after_help = "Example:\n  reflexctl inbox list --recipient li.na --unread")]
    List {
        #[command(flatten)]
        whose: Whose,
        /// Only those not read.
        #[arg(long)]
        unread: bool,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows items as they come, until Ctrl-C; goes on by itself after a break. As JSON, one object a line.
    #[command(after_help = "Example:\n  reflexctl inbox watch --recipient li.na")]
    Watch {
        #[command(flatten)]
        whose: Whose,
        /// Starts after this place, the resumeToken of the last object seen.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TOKEN")]
        resume_token: String,
    },
    /// Marks an item read.
    #[command(after_help = "Example:\n  reflexctl inbox read inboxItems/0199c0de-0000-7000-8000-000000000001")]
    Read {
        /// Id or resource name of the item.
        item: String,
    },
}

#[derive(Debug, Args)]
struct Whose {
    /// Whose inbox; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "MEMBER")]
    recipient: String,
}

impl Inbox {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        self.connection.explain(self.run_command(output).await)
    }

    async fn run_command(&self, output: &Output) -> anyhow::Result<()> {
        let client = InboxServiceClient::new(self.connection.connect()?.to(Owner::Notifications)?);
        match &self.command {
            InboxCommand::List { whose, unread, page } => {
                let request = ListInboxItemsRequest {
                    recipient: named("members", &whose.recipient),
                    page_size: page.page_size,
                    page_token: page.page_token.clone(),
                    unread_only: *unread,
                };
                let response = answer(async || client.clone().list_inbox_items(request.clone()).await).await?;
                output.response(
                    "reflex.notifications.v1.ListInboxItemsResponse",
                    &response,
                    |response| render(response, output),
                )?;
            }
            InboxCommand::Watch { whose, resume_token } => {
                let recipient = named("members", &whose.recipient);
                let resume_token = resume_token.clone();
                watch(
                    client,
                    WatchInboxRequest {
                        recipient,
                        resume_token,
                    },
                    output,
                )
                .await?;
            }
            InboxCommand::Read { item } => {
                let request = MarkInboxItemReadRequest {
                    name: named("inboxItems", item),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().mark_inbox_item_read(request.clone()).await).await?;
                output.response("reflex.notifications.v1.MarkInboxItemReadResponse", &response, |_| {
                    format!("{} is read", request.name)
                })?;
            }
        }
        Ok(())
    }
}

/// Prints items as they come. A break after the first connection is bridged by the resume token.
async fn watch(
    mut client: InboxServiceClient<Wire>,
    mut request: WatchInboxRequest,
    output: &Output,
) -> anyhow::Result<()> {
    let mut connected = false;
    loop {
        let failure = match client.watch_inbox(request.clone()).await {
            Ok(stream) => {
                connected = true;
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(response)) => {
                            request.resume_token.clone_from(&response.resume_token);
                            let text = match output.format {
                                Format::Json => {
                                    to_json("reflex.notifications.v1.WatchInboxResponse", &response).to_string()
                                }
                                Format::Table => response
                                    .item
                                    .as_ref()
                                    .map(|item| line(item, output))
                                    .unwrap_or_default(),
                            };
                            print(&text)?;
                        }
                        Ok(None) => break None,
                        Err(status) => break Some(status),
                    }
                }
            }
            Err(status) => Some(status),
        };
        if let Some(status) = failure {
            // A server that stops, a slow reader, a cut line: all of them are passing.
            let passing = matches!(
                status.code(),
                Code::Unavailable | Code::ResourceExhausted | Code::Cancelled | Code::Unknown
            );
            if !connected || !passing {
                return Err(status.into());
            }
        }
        tokio::time::sleep(RESUME_AFTER).await;
    }
}

fn line(item: &InboxItem, output: &Output) -> String {
    let urgent = if item.urgent { "! " } else { "" };
    let body = item.body.trim().replace('\n', "\n    ");
    format!(
        "{}  {urgent}{}  {}\n    {body}",
        output.time(item.create_time.as_ref()),
        item.title,
        item.subject
    )
}

fn render(response: &ListInboxItemsResponse, output: &Output) -> String {
    let mut table = Table::new(["TIME", "READ", "TITLE", "ABOUT", "ITEM"]);
    for item in &response.items {
        table.row([
            output.time(item.create_time.as_ref()),
            if item.read_time.is_some() { "yes" } else { "no" }.to_owned(),
            item.title.clone(),
            item.subject.clone(),
            item.name.clone(),
        ]);
    }
    format!(
        "{}{} unread\n{}",
        table.render(0),
        response.unread_count,
        more(&response.next_page_token)
    )
}
