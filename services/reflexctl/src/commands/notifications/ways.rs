//! `reflexctl notifications kinds`, `channels`, `quotas` and `bounce`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reflex_proto::notifications::v1::channel_service_client::ChannelServiceClient;
use reflex_proto::notifications::v1::{
    ListChannelKindsRequest, ListChannelKindsResponse, ListChannelsRequest, ListChannelsResponse, ListQuotasRequest,
    ListQuotasResponse, ReportBounceRequest,
};

use super::super::{answer, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::output::{Output, Table, more, word};

#[derive(Debug, Subcommand)]
pub(super) enum Ways {
    /// Shows what each kind of channel can take.
    #[command(after_help = "\
JSON: the proto3 JSON of ListChannelKindsResponse

Example:
  reflexctl notifications kinds")]
    Kinds(ConnectionArgs),
    /// Lists channels with what is left of their budgets; `apply` sets them up (kind Channel).
    #[command(after_help = "\
JSON: the proto3 JSON of ListChannelsResponse

Example:
  reflexctl notifications channels -o json")]
    Channels(List),
    /// Lists what may be sent in a month and what is used of it; `apply` sets it (kind Quota).
    #[command(after_help = "\
JSON: the proto3 JSON of ListQuotasResponse

Example:
  reflexctl notifications quotas")]
    Quotas(List),
    /// Hands in what a mail server sent back: the message failed, and a dead address gets no mail for 30 days.
    #[command(after_help = "\
JSON: the proto3 JSON of ReportBounceResponse

Example:
  reflexctl notifications bounce returned.eml")]
    Bounce(Bounce),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
pub(super) struct Bounce {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// The mail as it came, headers included.
    file: PathBuf,
}

impl Ways {
    pub(super) async fn run(self, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Kinds(connection) => {
                let outcome = kinds(&connection, output).await;
                connection.explain(outcome)
            }
            Self::Channels(list) => {
                let outcome = channels(&list, output).await;
                list.connection.explain(outcome)
            }
            Self::Quotas(list) => {
                let outcome = quotas(&list, output).await;
                list.connection.explain(outcome)
            }
            Self::Bounce(bounce) => {
                let outcome = report(&bounce, output).await;
                bounce.connection.explain(outcome)
            }
        }
    }
}

async fn kinds(connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
    let client = ChannelServiceClient::new(connection.connect()?.to(Owner::Notifications)?);
    let response = answer(async || client.clone().list_channel_kinds(ListChannelKindsRequest {}).await).await?;
    output.response(
        "reflex.notifications.v1.ListChannelKindsResponse",
        &response,
        render_kinds,
    )?;
    Ok(())
}

async fn channels(list: &List, output: &Output) -> anyhow::Result<()> {
    let client = ChannelServiceClient::new(list.connection.connect()?.to(Owner::Notifications)?);
    let request = ListChannelsRequest {
        page_size: list.page.page_size,
        page_token: list.page.page_token.clone(),
    };
    let response = answer(async || client.clone().list_channels(request.clone()).await).await?;
    output.response(
        "reflex.notifications.v1.ListChannelsResponse",
        &response,
        render_channels,
    )?;
    Ok(())
}

async fn quotas(list: &List, output: &Output) -> anyhow::Result<()> {
    let client = ChannelServiceClient::new(list.connection.connect()?.to(Owner::Notifications)?);
    let request = ListQuotasRequest {
        page_size: list.page.page_size,
        page_token: list.page.page_token.clone(),
    };
    let response = answer(async || client.clone().list_quotas(request.clone()).await).await?;
    output.response("reflex.notifications.v1.ListQuotasResponse", &response, render_quotas)?;
    Ok(())
}

async fn report(bounce: &Bounce, output: &Output) -> anyhow::Result<()> {
    let file = bounce.file.display();
    let request = ReportBounceRequest {
        raw_message: std::fs::read(&bounce.file).with_context(|| format!("cannot read {file}"))?,
        request_id: request_id(),
    };
    let client = ChannelServiceClient::new(bounce.connection.connect()?.to(Owner::Notifications)?);
    let response = answer(async || client.clone().report_bounce(request.clone()).await).await?;
    output.response("reflex.notifications.v1.ReportBounceResponse", &response, |response| {
        let address = if response.address_dead {
            ", and its address gets no mail for now"
        } else {
            ""
        };
        format!("{} came back with {}{address}\n", response.message, response.status)
    })?;
    Ok(())
}

fn render_kinds(response: &ListChannelKindsResponse) -> String {
    let mut table = Table::new([
        "KIND", "AUDIENCE", "SIZE", "UNIT", "FORMAT", "MENTION", "A MINUTE", "USUALLY", "BEYOND",
    ]);
    for kind in &response.kinds {
        table.row([
            word(kind.kind().as_str_name(), "KIND_"),
            kind.audience.clone(),
            kind.max_size.to_string(),
            kind.size_unit.clone(),
            kind.format.clone(),
            kind.mention.clone(),
            kind.most_per_minute.to_string(),
            kind.usual_per_minute.to_string(),
            kind.surplus.clone(),
        ]);
    }
    table.render(0)
}

fn render_channels(response: &ListChannelsResponse) -> String {
    let mut table = Table::new(["CHANNEL", "KIND", "ENDPOINT", "A MINUTE", "KEPT", "NOW", "ENABLED"]);
    for channel in &response.channels {
        table.row([
            channel.name.clone(),
            word(channel.kind().as_str_name(), "KIND_"),
            channel.endpoint.clone(),
            channel.messages_per_minute.to_string(),
            channel.reserved_for_escalations.to_string(),
            channel.available_now.to_string(),
            channel.enabled.to_string(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn render_quotas(response: &ListQuotasResponse) -> String {
    let mut table = Table::new(["QUOTA", "COUNTS", "MONTH", "USED", "OF", "KEPT"]);
    for quota in &response.quotas {
        let counts = match (quota.channel.as_str(), quota.of_kind().as_str_name()) {
            ("", "KIND_UNSPECIFIED") => "everything".to_owned(),
            ("", kind) => word(kind, "KIND_"),
            (channel, _) => channel.to_owned(),
        };
        table.row([
            quota.name.clone(),
            counts,
            quota.month.clone(),
            quota.used.to_string(),
            quota.messages_per_month.to_string(),
            quota.reserved_for_escalations.to_string(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}
