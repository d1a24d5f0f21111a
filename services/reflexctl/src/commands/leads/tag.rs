//! Tags of a lead, its progress, and facts about it.

use clap::Args;
use reflex_proto::leads::v1::tag_service_client::TagServiceClient;
use reflex_proto::leads::v1::{
    AddLeadTagRequest, Lead, LeadFact, RecordLeadFactsRequest, RemoveLeadTagRequest, SetLeadProgressRequest,
};

use super::super::{answer, lead_name, named, request_id};
use crate::bundle::Owner;
use crate::cli::ConnectionArgs;
use crate::output::Output;

/// Gives a lead a tag by hand; rules do not touch it while it lasts.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  reflexctl leads tag L000123 重点客户 --expire-days 90")]
pub(super) struct AddTag {
    /// Number, id or resource name of the lead.
    lead: String,
    /// The tag, at most 40 characters.
    tag: String,
    /// Days it lasts; 0 for ever.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=3650), value_name = "N")]
    expire_days: i32,
    /// Who gives it; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true)]
    member: String,
}

/// Takes a tag from a lead, whoever gave it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  reflexctl leads untag L000123 重点客户")]
pub(super) struct RemoveTag {
    /// Number, id or resource name of the lead.
    lead: String,
    /// The tag.
    tag: String,
    /// Who takes it away; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true)]
    member: String,
}

/// Says how far a sale is, in place of what was said before.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  reflexctl leads progress L000123 quoted")]
pub(super) struct SetProgress {
    /// Number, id or resource name of the lead.
    lead: String,
    /// The progress tag, with or without progressTags/.
    progress: String,
    /// Who says it; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true)]
    member: String,
}

/// Records something that was seen of a lead, which may give it tags.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  reflexctl leads fact L000123 whitepaper_downloaded --object 锻造工艺白皮书\n  \
                  reflexctl leads fact L000123 page_visited --object /cases --seconds 200"
)]
pub(super) struct RecordFact {
    /// Number, id or resource name of the lead.
    lead: String,
    /// What it was, for example `whitepaper_downloaded`.
    kind: String,
    /// What it was about, such as a page.
    #[arg(long, default_value = "", hide_default_value = true)]
    object: String,
    /// How long it took.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..=86_400), value_name = "N")]
    seconds: Option<i64>,
    /// When it was, with an offset or in --time-zone; now if left out.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Its id where it comes from, a UUID, which makes a repeat harmless; a new one if left out.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "UUID")]
    id: String,
}

impl AddTag {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let client = TagServiceClient::new(connection.to(Owner::Leads)?);
        let request = AddLeadTagRequest {
            lead: lead_name(&connection, &self.lead).await?,
            tag: self.tag.clone(),
            expire_days: self.expire_days,
            member: named("members", &self.member),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().add_lead_tag(request.clone()).await).await?;
        output.response("reflex.leads.v1.AddLeadTagResponse", &response, |response| {
            told(response.lead.as_ref())
        })?;
        Ok(())
    }
}

impl RemoveTag {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let client = TagServiceClient::new(connection.to(Owner::Leads)?);
        let request = RemoveLeadTagRequest {
            lead: lead_name(&connection, &self.lead).await?,
            tag: self.tag.clone(),
            member: named("members", &self.member),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().remove_lead_tag(request.clone()).await).await?;
        output.response("reflex.leads.v1.RemoveLeadTagResponse", &response, |response| {
            told(response.lead.as_ref())
        })?;
        Ok(())
    }
}

impl SetProgress {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let client = TagServiceClient::new(connection.to(Owner::Leads)?);
        let request = SetLeadProgressRequest {
            lead: lead_name(&connection, &self.lead).await?,
            progress_tag: named("progressTags", &self.progress),
            member: named("members", &self.member),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().set_lead_progress(request.clone()).await).await?;
        output.response("reflex.leads.v1.SetLeadProgressResponse", &response, |response| {
            told(response.lead.as_ref())
        })?;
        Ok(())
    }
}

impl RecordFact {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let client = TagServiceClient::new(connection.to(Owner::Leads)?);
        let at = match &self.at {
            Some(text) => reflex_calendar::parse_instant(text, &output.zone)?,
            None => now(),
        };
        let duration = self.seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        let fact = LeadFact {
            id: if self.id.is_empty() {
                request_id()
            } else {
                self.id.clone()
            },
            kind: self.kind.clone(),
            occur_time: Some(prost_types::Timestamp {
                seconds: at.as_second(),
                nanos: at.subsec_nanosecond(),
            }),
            object: self.object.clone(),
            duration,
        };
        let request = RecordLeadFactsRequest {
            lead: lead_name(&connection, &self.lead).await?,
            facts: vec![fact],
            request_id: request_id(),
        };
        let response = answer(async || client.clone().record_lead_facts(request.clone()).await).await?;
        output.response("reflex.leads.v1.RecordLeadFactsResponse", &response, |response| {
            let kept = if response.existed_count > 0 {
                "was known already"
            } else {
                "recorded"
            };
            if response.tags.is_empty() {
                kept.to_owned()
            } else {
                format!("{kept}; tags given: {}", response.tags.join(", "))
            }
        })?;
        Ok(())
    }
}

fn now() -> jiff::Timestamp {
    use reflex_runtime::clock::{Clock as _, SystemClock};
    SystemClock::new().now()
}

fn told(lead: Option<&Lead>) -> String {
    let tags: Vec<&str> = lead
        .iter()
        .flat_map(|lead| &lead.tags)
        .map(|tag| tag.tag.as_str())
        .collect();
    let number = lead.map(|lead| lead.number.as_str()).unwrap_or_default();
    if tags.is_empty() {
        format!("{number} has no tags")
    } else {
        format!("{number} has {}", tags.join(", "))
    }
}
