//! `reflexctl followup`.

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::leads::v1::follow_up_service_client::FollowUpServiceClient;
use reflex_proto::leads::v1::{
    AcknowledgeEscalationRequest, FollowUp, ListFollowUpsRequest, ListFollowUpsResponse, RecordFollowUpRequest,
    follow_up,
};

use super::{answer, lead_name, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::output::{Output, Table, more, word};

/// Records and lists what was done with a lead.
#[derive(Debug, Args)]
pub(crate) struct FollowUps {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: FollowUpsCommand,
}

#[derive(Debug, Subcommand)]
enum FollowUpsCommand {
    /// Records a call, visit or message; the first call or visit stops the lead's clock and ladder.
    #[command(
        after_help = "Example:\n  reflexctl followup record L000123 --kind call --attitude supports --next-action 预约演示"
    )]
    Record(Record),
    /// Says that what a lead's ladder told somebody was understood; where the ladder says so, it ends.
    #[command(after_help = "Example:\n  reflexctl followup acknowledge L000123 --member liu.min")]
    Acknowledge {
        /// Number, id or resource name of the lead.
        lead: String,
        /// Who was told; the member of the token if left out.
        #[arg(long, default_value = "", hide_default_value = true)]
        member: String,
    },
    /// Lists a lead's follow-ups, newest first.
    #[command(after_help = "Example:\n  reflexctl followup list L000123 -o json")]
    List {
        /// Number, id or resource name of the lead.
        lead: String,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, Args)]
struct Record {
    /// Number, id or resource name of the lead.
    lead: String,
    /// How the customer was reached.
    #[arg(long, value_enum, default_value_t = Kind::Call)]
    kind: Kind,
    /// Where the decision maker stands: 明确支持, 需再沟通, 已否决.
    #[arg(long, value_enum)]
    attitude: Option<Attitude>,
    /// What comes next, for example 预约演示.
    #[arg(long, default_value = "", hide_default_value = true)]
    next_action: String,
    /// Free text.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
    /// How far the sale is now: a progress tag, with or without progressTags/.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TAG")]
    progress: String,
    /// The needs screening form (需求初筛表) is complete.
    #[arg(long)]
    screening_complete: bool,
    /// When it was done, with an offset or in --time-zone; now if left out.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Who did it; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true)]
    member: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Call,
    Visit,
    Message,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Attitude {
    Supports,
    Undecided,
    Rejects,
}

impl FollowUps {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            FollowUpsCommand::Record(record) => self.record(record, output).await,
            FollowUpsCommand::Acknowledge { lead, member } => self.acknowledge(lead, member, output).await,
            FollowUpsCommand::List { lead, page } => self.list(lead, page, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn acknowledge(&self, lead: &str, member: &str, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let request = AcknowledgeEscalationRequest {
            name: lead_name(&connection, lead).await?,
            member: named("members", member),
            request_id: request_id(),
        };
        let client = FollowUpServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().acknowledge_escalation(request.clone()).await).await?;
        output.response("reflex.leads.v1.AcknowledgeEscalationResponse", &response, |response| {
            let ladder = if response.ladder_stopped {
                "has ended"
            } else {
                "goes on"
            };
            format!("acknowledged, the ladder {ladder}\n")
        })?;
        Ok(())
    }

    async fn record(&self, record: &Record, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let occur_time = record
            .at
            .as_deref()
            .map(|text| reflex_calendar::parse_instant(text, &output.zone))
            .transpose()?;
        let occur_time = occur_time.map(|instant| prost_types::Timestamp {
            seconds: instant.as_second(),
            nanos: instant.subsec_nanosecond(),
        });
        let kind = match record.kind {
            Kind::Call => follow_up::Kind::Call,
            Kind::Visit => follow_up::Kind::Visit,
            Kind::Message => follow_up::Kind::Message,
        };
        let attitude = match record.attitude {
            None => follow_up::Attitude::Unspecified,
            Some(Attitude::Supports) => follow_up::Attitude::Supports,
            Some(Attitude::Undecided) => follow_up::Attitude::Undecided,
            Some(Attitude::Rejects) => follow_up::Attitude::Rejects,
        };
        let follow_up = FollowUp {
            lead: lead_name(&connection, &record.lead).await?,
            member: named("members", &record.member),
            kind: kind.into(),
            attitude: attitude.into(),
            next_action: record.next_action.clone(),
            note: record.note.clone(),
            screening_complete: record.screening_complete,
            occur_time,
            progress_tag: named("progressTags", &record.progress),
            ..FollowUp::default()
        };
        let client = FollowUpServiceClient::new(connection.to(Owner::Leads)?);
        let request = RecordFollowUpRequest {
            follow_up: Some(follow_up),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().record_follow_up(request.clone()).await).await?;
        let name = response
            .follow_up
            .as_ref()
            .context("the server sent no follow-up")?
            .name
            .clone();
        output.response("reflex.leads.v1.RecordFollowUpResponse", &response, |response| {
            let clock = if response.clock_stopped {
                "; the lead's clock stopped"
            } else {
                ""
            };
            format!("recorded {name}{clock}")
        })?;
        Ok(())
    }

    async fn list(&self, lead: &str, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let request = ListFollowUpsRequest {
            lead: lead_name(&connection, lead).await?,
            page_size: page.page_size,
            page_token: page.page_token.clone(),
        };
        let client = FollowUpServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().list_follow_ups(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListFollowUpsResponse", &response, |response| {
            render(response, output)
        })?;
        Ok(())
    }
}

fn render(response: &ListFollowUpsResponse, output: &Output) -> String {
    let mut table = Table::new(["TIME", "MEMBER", "KIND", "ATTITUDE", "NEXT", "PROGRESS", "NOTE"]);
    for follow_up in &response.follow_ups {
        table.row([
            output.time(follow_up.occur_time.as_ref()),
            follow_up.member.clone(),
            word(follow_up.kind().as_str_name(), "KIND_"),
            word(follow_up.attitude().as_str_name(), "ATTITUDE_"),
            follow_up.next_action.clone(),
            follow_up.progress_tag.clone(),
            follow_up.note.clone(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}
