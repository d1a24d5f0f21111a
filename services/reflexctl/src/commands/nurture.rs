//! `reflexctl nurture`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::leads::v1::nurture_service_client::NurtureServiceClient;
use reflex_proto::leads::v1::{ListNurtureRequest, ListNurtureResponse, NurtureLeadRequest, ReturnLeadRequest, lead};

use super::{answer, claims::standing, lead_name, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::output::{Output, Table, more, word};

/// Shows and moves the leads that are kept from salespeople.
#[derive(Debug, Args)]
pub(crate) struct Nurture {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: NurtureCommand,
}

#[derive(Debug, Subcommand)]
enum NurtureCommand {
    /// Lists leads that are kept, newest first, with how many there are and how many are unconverted after sixty days.
    #[command(
        after_help = "Examples:\n  reflexctl nurture list\n  reflexctl nurture list --state held\n  reflexctl nurture list --kept-for stale"
    )]
    List {
        /// Where they are kept.
        #[arg(long, value_enum, default_value_t = Kept::Nurture)]
        state: Kept,
        /// Only those kept for this reason: gate, `hold_over`, stale, manual or invalid.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "REASON")]
        kept_for: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Brings a lead back: it is routed anew, whatever the gate says.
    #[command(after_help = "Example:\n  reflexctl nurture return L000123 --reason 客户来电")]
    Return(Move),
    /// Sends a lead to the nurture pool; its owner loses it, and its clocks stop.
    #[command(after_help = "Example:\n  reflexctl nurture send L000123 --reason 预算明年才有")]
    Send(Move),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kept {
    /// In the nurture pool.
    Nurture,
    /// Waiting for a source of the gate.
    Held,
    /// Looking like no real lead.
    SetAside,
}

#[derive(Debug, Args)]
struct Move {
    /// Number, id or resource name of the lead.
    lead: String,
    /// Why; kept in its history.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Nurture {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            NurtureCommand::List { state, kept_for, page } => self.list(*state, kept_for, page, output).await,
            NurtureCommand::Return(it) => self.bring_back(it, output).await,
            NurtureCommand::Send(it) => self.send(it, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn list(&self, state: Kept, kept_for: &str, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let state = match state {
            Kept::Nurture => lead::State::Nurture,
            Kept::Held => lead::State::Held,
            Kept::SetAside => lead::State::SetAside,
        };
        let request = ListNurtureRequest {
            state: state.into(),
            kept_for: kept_for.to_owned(),
            page_size: page.page_size.min(500),
            page_token: page.page_token.clone(),
        };
        let client = NurtureServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let response = answer(async || client.clone().list_nurture(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListNurtureResponse", &response, |response| {
            render(response, output)
        })?;
        Ok(())
    }

    async fn bring_back(&self, it: &Move, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let request = ReturnLeadRequest {
            name: lead_name(&connection, &it.lead).await?,
            reason: it.reason.clone(),
            request_id: request_id(),
        };
        let client = NurtureServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().return_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.ReturnLeadResponse", &response, |response| {
            standing(response.lead.as_ref())
        })?;
        Ok(())
    }

    async fn send(&self, it: &Move, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let request = NurtureLeadRequest {
            name: lead_name(&connection, &it.lead).await?,
            reason: it.reason.clone(),
            request_id: request_id(),
        };
        let client = NurtureServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().nurture_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.NurtureLeadResponse", &response, |response| {
            standing(response.lead.as_ref())
        })?;
        Ok(())
    }
}

fn render(response: &ListNurtureResponse, output: &Output) -> String {
    let mut table = Table::new(["NUMBER", "COMPANY", "KEPT FOR", "SINCE", "THE GATE SAID"]);
    for kept in &response.leads {
        let lead = kept.lead.clone().unwrap_or_default();
        table.row([
            lead.number,
            lead.company,
            kept.kept_for.clone(),
            output.time(kept.since.as_ref()),
            kept.summary.clone(),
        ]);
    }
    let mut text = table.render(0) + &more(&response.next_page_token);
    let counts: Vec<String> = response
        .counts
        .iter()
        .map(|it| {
            format!(
                "{} {} ({})",
                it.count,
                word(it.state().as_str_name(), "STATE_"),
                it.kept_for
            )
        })
        .collect();
    if !counts.is_empty() {
        let _ = writeln!(text, "kept: {}", counts.join(", "));
    }
    let _ = writeln!(text, "unconverted for 60 days: {}", response.unconverted_count);
    text
}
