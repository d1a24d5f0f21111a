//! `reflexctl leads watch`.

use std::time::Duration;

use clap::Args;
use reflex_proto::leads::v1::lead_service_client::LeadServiceClient;
use reflex_proto::leads::v1::{LeadChange, WatchLeadsRequest, WatchLeadsResponse};
use tonic::{Code, Streaming};

use super::{State, named};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Format};
use crate::dynamic::to_json;
use crate::output::{Output, one_line, print, word};

/// Wait before a broken watch goes on.
const RESUME_AFTER: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Only changes that led to this state.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only changes that concern this member or their leads.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "MEMBER")]
    owner: String,
    /// Only changes of leads of this team.
    #[arg(long, default_value = "", hide_default_value = true)]
    team: String,
    /// Starts after this place, the resumeToken of the last object seen with the same filter.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TOKEN")]
    resume_token: String,
}

impl Watch {
    /// Prints changes as they come. A break after the first connection is bridged by the resume token.
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let mut client = LeadServiceClient::new(connection.connect()?.to(Owner::Leads)?);
        let mut request = WatchLeadsRequest {
            state: State::wanted(self.state).into(),
            owner: named("members", &self.owner),
            team: named("teams", &self.team),
            resume_token: self.resume_token.clone(),
        };
        let mut connected = false;
        loop {
            let outcome = client.watch_leads(request.clone()).await;
            let failure = match outcome {
                Ok(stream) => {
                    connected = true;
                    show_all(stream.into_inner(), &mut request.resume_token, output).await?
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
}

/// Prints a stream to its end and keeps its last token; returns why it ended, if not of itself.
async fn show_all(
    mut stream: Streaming<WatchLeadsResponse>,
    resume_token: &mut String,
    output: &Output,
) -> anyhow::Result<Option<tonic::Status>> {
    loop {
        match stream.message().await {
            Ok(Some(response)) => {
                resume_token.clone_from(&response.resume_token);
                match (output.format, &response.change) {
                    (Format::Json, _) => {
                        print(&to_json("reflex.leads.v1.WatchLeadsResponse", &response).to_string())?;
                    }
                    (Format::Table, Some(change)) => print(&line(change, output))?,
                    (Format::Table, None) => {}
                }
            }
            Ok(None) => return Ok(None),
            Err(status) => return Ok(Some(status)),
        }
    }
}

fn line(change: &LeadChange, output: &Output) -> String {
    let lead = change.lead.clone().unwrap_or_default();
    let parts = [
        output.time(change.time.as_ref()),
        word(change.kind().as_str_name(), "KIND_"),
        lead.number,
        lead.company,
        change.member.clone(),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| one_line(part))
        .collect();
    shown.join("  ")
}
