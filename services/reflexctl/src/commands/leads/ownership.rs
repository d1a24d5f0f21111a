//! `reflexctl leads ownership` and `dispute`.

use clap::{Args, Subcommand};
use reflex_proto::leads::v1::ownership_service_client::OwnershipServiceClient;
use reflex_proto::leads::v1::{
    DecideDisputeRequest, Dispute as DisputeMessage, DisputeEvidence, GetDisputeRequest, GetOwnerAtRequest,
    ListDisputesRequest, ListDisputesResponse, ListOwnershipRequest, OpenDisputeRequest, Ownership as Span,
};

use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::commands::{answer, lead_name, named, request_id};
use crate::output::{Output, Table, more};

/// Tells who had a lead, and why it went from one to the next.
#[derive(Debug, Args)]
pub(super) struct Ownership {
    /// Number, id or resource name of the lead.
    lead: String,
    /// Only whose it was then, with an offset or in --time-zone.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// Opens, decides and shows disputes about whose lead it is.
#[derive(Debug, Args)]
pub(super) struct Dispute {
    #[command(subcommand)]
    command: DisputeCommand,
}

#[derive(Debug, Subcommand)]
enum DisputeCommand {
    /// Says that a lead is somebody's.
    #[command(
        after_help = "Example:\n  reflexctl leads dispute open L000123 --claimant li.na --reason 展会上是我接待的"
    )]
    Open {
        /// Number, id or resource name of the lead.
        lead: String,
        /// Whose it is; the member of the token if left out.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "MEMBER")]
        claimant: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Decides a dispute; the lead becomes theirs at once.
    #[command(
        after_help = "Example:\n  reflexctl leads dispute decide DISPUTE --owner li.na --reason 首次有效触达在先"
    )]
    Decide {
        /// Id or resource name of the dispute.
        dispute: String,
        /// Whose the lead is.
        #[arg(long, value_name = "MEMBER")]
        owner: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Shows a dispute and what the records say.
    #[command(after_help = "Example:\n  reflexctl leads dispute show DISPUTE")]
    Show {
        /// Id or resource name of the dispute.
        dispute: String,
    },
    /// Lists disputes, newest first.
    #[command(after_help = "Example:\n  reflexctl leads dispute list --open")]
    List {
        /// Only those about this lead: number, id or resource name.
        lead: Option<String>,
        /// Only those that are not decided.
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        page: PageArgs,
    },
}

impl Ownership {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let lead = lead_name(&connection, &self.lead).await?;
        let client = OwnershipServiceClient::new(connection.to(Owner::Leads)?);
        if let Some(at) = &self.at {
            let instant = reflex_calendar::parse_instant(at, &output.zone)?;
            let time = Some(prost_types::Timestamp {
                seconds: instant.as_second(),
                nanos: instant.subsec_nanosecond(),
            });
            let request = GetOwnerAtRequest { lead, time };
            let response = answer(async || client.clone().get_owner_at(request.clone()).await).await?;
            output.response(
                "reflex.leads.v1.GetOwnerAtResponse",
                &response,
                |response| match &response.ownership {
                    Some(span) => spans(std::slice::from_ref(span), output),
                    None => "it was nobody's".to_owned(),
                },
            )?;
            return Ok(());
        }
        let request = ListOwnershipRequest { lead };
        let response = answer(async || client.clone().list_ownership(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListOwnershipResponse", &response, |response| {
            spans(&response.ownerships, output)
        })?;
        Ok(())
    }
}

impl Dispute {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let client = OwnershipServiceClient::new(connection.to(Owner::Leads)?);
        match &self.command {
            DisputeCommand::Open { lead, claimant, reason } => {
                let request = OpenDisputeRequest {
                    lead: lead_name(&connection, lead).await?,
                    claimant: named("members", claimant),
                    reason: reason.clone(),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().open_dispute(request.clone()).await).await?;
                output.response("reflex.leads.v1.OpenDisputeResponse", &response, |response| {
                    shown(response.dispute.as_ref(), response.evidence.as_ref(), output)
                })?;
            }
            DisputeCommand::Decide { dispute, owner, reason } => {
                let request = DecideDisputeRequest {
                    name: named("disputes", dispute),
                    owner: named("members", owner),
                    reason: reason.clone(),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().decide_dispute(request.clone()).await).await?;
                output.response("reflex.leads.v1.DecideDisputeResponse", &response, |response| {
                    shown(response.dispute.as_ref(), None, output)
                })?;
            }
            DisputeCommand::Show { dispute } => {
                let request = GetDisputeRequest {
                    name: named("disputes", dispute),
                };
                let response = answer(async || client.clone().get_dispute(request.clone()).await).await?;
                output.response("reflex.leads.v1.GetDisputeResponse", &response, |response| {
                    shown(response.dispute.as_ref(), response.evidence.as_ref(), output)
                })?;
            }
            DisputeCommand::List { lead, open, page } => {
                let lead = match lead {
                    Some(lead) => lead_name(&connection, lead).await?,
                    None => String::new(),
                };
                let request = ListDisputesRequest {
                    lead,
                    open_only: *open,
                    page_size: page.page_size.min(500),
                    page_token: page.page_token.clone(),
                };
                let response = answer(async || client.clone().list_disputes(request.clone()).await).await?;
                output.response("reflex.leads.v1.ListDisputesResponse", &response, |response| {
                    list(response, output)
                })?;
            }
        }
        Ok(())
    }
}

fn spans(spans: &[Span], output: &Output) -> String {
    let mut table = Table::new(["FROM", "UNTIL", "OWNER", "TEAM", "GOT IT BY", "LOST IT BY", "LEAD"]);
    for span in spans {
        table.row([
            output.time(span.start_time.as_ref()),
            output.time(span.end_time.as_ref()),
            span.owner.clone(),
            span.team.clone(),
            span.start_reason.clone(),
            span.end_reason.clone(),
            span.lead.clone(),
        ]);
    }
    table.render(0)
}

fn list(response: &ListDisputesResponse, output: &Output) -> String {
    let mut table = Table::new([
        "DISPUTE",
        "LEAD",
        "CLAIMANT",
        "OPENED",
        "REASON",
        "DECIDED FOR",
        "DECIDED",
    ]);
    for dispute in &response.disputes {
        table.row([
            dispute.name.clone(),
            dispute.lead.clone(),
            dispute.claimant.clone(),
            output.time(dispute.open_time.as_ref()),
            dispute.reason.clone(),
            dispute.owner.clone(),
            output.time(dispute.decide_time.as_ref()),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

/// Writes a dispute, and what the records say.
fn shown(dispute: Option<&DisputeMessage>, evidence: Option<&DisputeEvidence>, output: &Output) -> String {
    let dispute = dispute.cloned().unwrap_or_default();
    let mut table = Table::new(["dispute", dispute.name.as_str()]);
    for (label, value) in [
        ("lead", dispute.lead),
        ("claimant", dispute.claimant),
        ("reason", dispute.reason),
        ("opened", output.time(dispute.open_time.as_ref())),
        ("by", dispute.opener),
        ("decided for", dispute.owner),
        ("decision", dispute.decision),
        ("decided", output.time(dispute.decide_time.as_ref())),
        ("by", dispute.decider),
    ] {
        if !value.is_empty() {
            table.row([label.to_owned(), value]);
        }
    }
    let mut text = table.render(0);
    let Some(evidence) = evidence else { return text };
    let mut touches = Table::new(["CAME", "BY", "LEAD"]);
    for touch in &evidence.touches {
        touches.row([
            output.time(touch.capture_time.as_ref()),
            touch.source.clone(),
            touch.lead.clone(),
        ]);
    }
    text = text + "\n" + &touches.render(0) + "\n";
    let first = match &evidence.first_contact {
        None => "nobody called or visited\n".to_owned(),
        Some(first) => format!(
            "first call or visit: {} at {}, recorded at {}\n",
            first.member,
            output.time(first.occur_time.as_ref()),
            output.time(first.record_time.as_ref())
        ),
    };
    text += &first;
    let mut members = Table::new(["MEMBER", "CALLS AND VISITS", "MESSAGES", "FIRST"]);
    for member in &evidence.members {
        members.row([
            member.member.clone(),
            member.contact_count.to_string(),
            member.message_count.to_string(),
            output.time(member.first_contact_time.as_ref()),
        ]);
    }
    text + &members.render(0) + "\n" + &spans(&evidence.ownerships, output)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use reflex_proto::leads::v1::dispute_evidence::{Contact, MemberRecord, Touch};

    use super::*;
    use crate::cli::Format;

    #[test]
    fn disputes_are_shown_with_what_the_records_say() {
        let output = Output {
            format: Format::Table,
            zone: TimeZone::UTC,
        };
        let dispute = DisputeMessage {
            name: "disputes/1".to_owned(),
            claimant: "members/li".to_owned(),
            ..DisputeMessage::default()
        };
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let evidence = DisputeEvidence {
            touches: vec![Touch {
                lead: "leads/1".to_owned(),
                source: "展会".to_owned(),
                capture_time: time(0),
            }],
            first_contact: Some(Contact {
                member: "members/wang".to_owned(),
                occur_time: time(60),
                record_time: time(3_600),
                ..Contact::default()
            }),
            members: vec![MemberRecord {
                member: "members/wang".to_owned(),
                contact_count: 2,
                ..MemberRecord::default()
            }],
            ownerships: Vec::new(),
        };
        let text = shown(Some(&dispute), Some(&evidence), &output);
        for part in [
            "claimant  members/li",
            "1970-01-01 00:00:00  展会  leads/1",
            "members/wang at 1970-01-01 00:01:00, recorded at 1970-01-01 01:00:00",
            "members/wang  2 ",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
