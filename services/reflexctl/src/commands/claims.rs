//! `reflexctl claim` and `reflexctl release`.

use anyhow::Context as _;
use clap::Args;
use reflex_proto::leads::v1::claim_service_client::ClaimServiceClient;
use reflex_proto::leads::v1::lead_service_client::LeadServiceClient;
use reflex_proto::leads::v1::{ClaimLeadRequest, GetLeadRequest, Lead, ReleaseLeadRequest};

use super::{answer, lead_name, named, request_id};
use crate::bundle::Owner;
use crate::cli::ConnectionArgs;
use crate::connection::Connection;
use crate::output::{Output, word};

/// Takes a lead that one was given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  reflexctl claim L000123 --member li.na")]
pub(crate) struct Claim {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    held: HeldLead,
}

/// Gives a lead back; it is routed anew, past its present owner.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  reflexctl release L000123 --member li.na --reason 客户在外区")]
pub(crate) struct Release {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    held: HeldLead,
    /// Why, at most 500 characters.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

/// A lead and who has it.
#[derive(Debug, Args)]
struct HeldLead {
    /// Number, id or resource name of the lead.
    lead: String,
    /// Who acts; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true)]
    member: String,
    /// The lead's fencing token as last seen; the present one if left out.
    #[arg(long, value_name = "N")]
    fencing_token: Option<i64>,
}

impl HeldLead {
    async fn find(&self, connection: &Connection) -> anyhow::Result<(String, i64)> {
        let name = lead_name(connection, &self.lead).await?;
        if let Some(token) = self.fencing_token {
            return Ok((name, token));
        }
        let client = LeadServiceClient::new(connection.to(Owner::Leads)?);
        let request = GetLeadRequest { name: name.clone() };
        let found = answer(async || client.clone().get_lead(request.clone()).await).await?;
        let lead = found.lead.context("the server sent no lead")?;
        Ok((name, lead.fencing_token))
    }
}

impl Claim {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        self.connection.explain(self.claim(output).await)
    }

    async fn claim(&self, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let (name, fencing_token) = self.held.find(&connection).await?;
        let client = ClaimServiceClient::new(connection.to(Owner::Leads)?);
        let request = ClaimLeadRequest {
            name,
            member: named("members", &self.held.member),
            fencing_token,
            request_id: request_id(),
        };
        let response = answer(async || client.clone().claim_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.ClaimLeadResponse", &response, |response| {
            standing(response.lead.as_ref())
        })?;
        Ok(())
    }
}

impl Release {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        self.connection.explain(self.release(output).await)
    }

    async fn release(&self, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let (name, fencing_token) = self.held.find(&connection).await?;
        let client = ClaimServiceClient::new(connection.to(Owner::Leads)?);
        let request = ReleaseLeadRequest {
            name,
            member: named("members", &self.held.member),
            fencing_token,
            reason: self.reason.clone(),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().release_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.ReleaseLeadResponse", &response, |response| {
            standing(response.lead.as_ref())
        })?;
        Ok(())
    }
}

pub(super) fn standing(lead: Option<&Lead>) -> String {
    let Some(lead) = lead else { return String::new() };
    let state = word(lead.state().as_str_name(), "STATE_");
    let owner = if lead.owner.is_empty() { "nobody" } else { &lead.owner };
    format!("{} is {state}, with {owner}", lead.number)
}
