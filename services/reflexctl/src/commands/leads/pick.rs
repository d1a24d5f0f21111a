//! `reflexctl leads pick`.

use clap::Args;
use reflex_proto::leads::v1::PickLeadRequest;
use reflex_proto::leads::v1::pool_service_client::PoolServiceClient;

use crate::bundle::Owner;
use crate::cli::ConnectionArgs;
use crate::commands::{answer, claims::standing, lead_name, named, request_id};
use crate::output::Output;

/// A lead to take from the pool.
#[derive(Debug, Args)]
pub(super) struct Pick {
    /// Number, id or resource name of the lead.
    lead: String,
    /// Who takes it; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true)]
    member: String,
}

impl Pick {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let request = PickLeadRequest {
            name: lead_name(&connection, &self.lead).await?,
            member: named("members", &self.member),
            request_id: request_id(),
        };
        let client = PoolServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().pick_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.PickLeadResponse", &response, |response| {
            let lead = standing(response.lead.as_ref());
            format!(
                "{lead}; {} of {} picks of the day",
                response.picks, response.picks_per_day
            )
        })?;
        Ok(())
    }
}
