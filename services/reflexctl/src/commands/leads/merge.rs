//! `reflexctl leads merge`, `unmerge` and `merges`.

use clap::Args;
use reflex_proto::leads::v1::merge_service_client::MergeServiceClient;
use reflex_proto::leads::v1::{
    ConflictDecision, ConflictResolution, FieldChoice, GetMergeRequest, GetMergeResponse, ListMergesRequest,
    ListMergesResponse, Merge as MergeMessage, MergeLeadsRequest, UnmergeLeadsRequest,
};

use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::commands::{answer, lead_name, named, request_id};
use crate::output::{Output, Table, more, word};

/// Merges a lead into another that it is the same as.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The lead that stays: number, id or resource name.
    survivor: String,
    /// The lead that becomes a pointer to it: number, id or resource name.
    loser: String,
    /// Fields that the survivor keeps whatever the rules say, such as phone, budget, attributes.科室.
    #[arg(long, value_name = "FIELD")]
    keep: Vec<String>,
    /// Fields that are taken from the other lead whatever the rules say.
    #[arg(long, value_name = "FIELD")]
    take: Vec<String>,
    /// Why they are the same.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

/// Makes two leads of one again.
#[derive(Debug, Args)]
pub(super) struct Unmerge {
    /// Id or resource name of the merge.
    merge: String,
    /// Only shows the merge and what would have to be decided.
    #[arg(long)]
    preview: bool,
    /// Conflicts in which the survivor keeps what it has: a field, a follow-up or closed.
    #[arg(long, value_name = "CONFLICT")]
    keep: Vec<String>,
    /// Conflicts in which everything becomes what it would be without the merge.
    #[arg(long, value_name = "CONFLICT")]
    restore: Vec<String>,
    /// Keeps in all other conflicts.
    #[arg(long, conflicts_with = "restore_rest")]
    keep_rest: bool,
    /// Restores in all other conflicts.
    #[arg(long)]
    restore_rest: bool,
    /// Why they are two after all.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

/// Lists merges, newest first.
#[derive(Debug, Args)]
pub(super) struct Merges {
    /// Only those of this lead: number, id or resource name.
    lead: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

impl Merge {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let survivor = lead_name(&connection, &self.survivor).await?;
        let loser = lead_name(&connection, &self.loser).await?;
        let chosen = |fields: &[String], lead: &str| {
            let choice = |field: &String| FieldChoice {
                field: field.clone(),
                lead: lead.to_owned(),
            };
            fields.iter().map(choice).collect::<Vec<_>>()
        };
        let request = MergeLeadsRequest {
            choices: [chosen(&self.keep, &survivor), chosen(&self.take, &loser)].concat(),
            survivor,
            loser,
            reason: self.reason.clone(),
            request_id: request_id(),
        };
        let client = MergeServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().merge_leads(request.clone()).await).await?;
        output.response("reflex.leads.v1.MergeLeadsResponse", &response, |response| {
            let merge = response.merge.clone().unwrap_or_default();
            let lead = response.lead.as_ref();
            render(&merge, output)
                + "\n"
                + &lead
                    .map(|lead| super::show::render_lead(lead, output))
                    .unwrap_or_default()
        })?;
        Ok(())
    }
}

impl Unmerge {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let client = MergeServiceClient::new(connection.connect()?.to(Owner::Leads)?);
        let name = named("merges", &self.merge);
        if self.preview {
            let request = GetMergeRequest { name };
            let response = answer(async || client.clone().get_merge(request.clone()).await).await?;
            output.response("reflex.leads.v1.GetMergeResponse", &response, |response| {
                conflicts(response, output)
            })?;
            return Ok(());
        }
        let decided = |conflicts: &[String], resolution: ConflictResolution| {
            let decision = |conflict: &String| ConflictDecision {
                conflict: conflict.clone(),
                resolution: resolution.into(),
            };
            conflicts.iter().map(decision).collect::<Vec<_>>()
        };
        let other_conflicts = match (self.keep_rest, self.restore_rest) {
            (true, _) => ConflictResolution::Keep,
            (_, true) => ConflictResolution::Restore,
            _ => ConflictResolution::Unspecified,
        };
        let request = UnmergeLeadsRequest {
            name,
            decisions: [
                decided(&self.keep, ConflictResolution::Keep),
                decided(&self.restore, ConflictResolution::Restore),
            ]
            .concat(),
            other_conflicts: other_conflicts.into(),
            reason: self.reason.clone(),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().unmerge_leads(request.clone()).await).await?;
        output.response("reflex.leads.v1.UnmergeLeadsResponse", &response, |response| {
            let leads = [&response.survivor, &response.restored].into_iter().flatten();
            let texts: Vec<String> = leads.map(|lead| super::show::render_lead(lead, output)).collect();
            texts.join("\n")
        })?;
        Ok(())
    }
}

impl Merges {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let lead = match &self.lead {
            Some(lead) => lead_name(&connection, lead).await?,
            None => String::new(),
        };
        let request = ListMergesRequest {
            lead,
            page_size: self.page.page_size.min(500),
            page_token: self.page.page_token.clone(),
        };
        let client = MergeServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().list_merges(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListMergesResponse", &response, |response| {
            list(response, output)
        })?;
        Ok(())
    }
}

fn list(response: &ListMergesResponse, output: &Output) -> String {
    let mut table = Table::new(["MERGE", "LEAD", "INTO", "WHEN", "BY", "REASON", "UNDONE"]);
    for merge in &response.merges {
        table.row([
            merge.name.clone(),
            merge.loser.clone(),
            merge.survivor.clone(),
            output.time(merge.merge_time.as_ref()),
            merge.member.clone(),
            merge.reason.clone(),
            output.time(merge.unmerge_time.as_ref()),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

/// Writes a merge, and from which lead each field on which the two did not agree is.
fn render(merge: &MergeMessage, output: &Output) -> String {
    let mut table = Table::new(["merge", merge.name.as_str()]);
    let mut row = |label: &str, value: String| {
        if !value.is_empty() {
            table.row([label.to_owned(), value]);
        }
    };
    row("lead", merge.loser.clone());
    row("into", merge.survivor.clone());
    row("when", output.time(merge.merge_time.as_ref()));
    row("by", merge.member.clone());
    row("reason", merge.reason.clone());
    row("undone", output.time(merge.unmerge_time.as_ref()));
    row("by", merge.unmerge_member.clone());
    row("reason", merge.unmerge_reason.clone());
    if merge.fields.is_empty() {
        return table.render(0);
    }
    let mut fields = Table::new(["FIELD", "FROM", "AS IT IS"]);
    for field in &merge.fields {
        let rule = word(field.rule().as_str_name(), "RULE_");
        fields.row([field.field.clone(), field.lead.clone(), rule]);
    }
    table.render(0) + "\n" + &fields.render(0)
}

fn conflicts(response: &GetMergeResponse, output: &Output) -> String {
    let text = response
        .merge
        .as_ref()
        .map(|merge| render(merge, output))
        .unwrap_or_default();
    if response.conflicts.is_empty() {
        return text + "\nnothing would have to be decided";
    }
    let mut table = Table::new(["CONFLICT", "KEPT", "RESTORED", "WHAT IT IS"]);
    for conflict in &response.conflicts {
        table.row([
            conflict.name.clone(),
            conflict.kept_value.clone(),
            conflict.restored_value.clone(),
            conflict.description.clone(),
        ]);
    }
    text + "\n" + &table.render(0)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use reflex_proto::leads::v1::{MergeConflict, MergedField, merged_field};

    use super::*;
    use crate::cli::Format;

    #[test]
    fn merges_tell_where_fields_are_from_and_what_is_to_be_decided() {
        let output = Output {
            format: Format::Table,
            zone: TimeZone::UTC,
        };
        let merge = MergeMessage {
            name: "merges/1".to_owned(),
            loser: "leads/b".to_owned(),
            survivor: "leads/a".to_owned(),
            fields: vec![MergedField {
                field: "phone".to_owned(),
                lead: "leads/b".to_owned(),
                rule: merged_field::Rule::Confirmed.into(),
            }],
            ..MergeMessage::default()
        };
        let mut response = GetMergeResponse {
            merge: Some(merge),
            conflicts: Vec::new(),
        };
        let text = conflicts(&response, &output);
        for part in [
            "lead   leads/b",
            "phone  leads/b  confirmed",
            "nothing would have to be decided",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        response.conflicts.push(MergeConflict {
            name: "phone".to_owned(),
            description: "was changed since".to_owned(),
            kept_value: "1".to_owned(),
            restored_value: "2".to_owned(),
        });
        assert!(conflicts(&response, &output).contains("phone     1     2         was changed since"));
    }
}
