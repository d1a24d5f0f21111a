//! `reflexctl leads`.

mod capture;
mod check;
mod correct;
mod duplicates;
mod explain;
mod file;
mod import;
mod imports;
mod merge;
mod ownership;
mod pick;
mod resuming;
mod show;
mod tag;
mod validity;
mod watch;
mod why_not;

use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::leads::v1::lead_service_client::LeadServiceClient;
use reflex_proto::leads::v1::routing_service_client::RoutingServiceClient;
use reflex_proto::leads::v1::{ExplainAssignmentRequest, GetLeadRequest, ListLeadsRequest, lead};

use super::{answer, duplicates as pairs, lead_name, named};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::output::Output;

/// Takes leads in and shows them.
#[derive(Debug, Args)]
pub(crate) struct Leads {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: LeadsCommand,
}

#[derive(Debug, Subcommand)]
enum LeadsCommand {
    Capture(Box<capture::Capture>),
    Import(Box<import::Import>),
    Imports(imports::Imports),
    Duplicates(Box<duplicates::Duplicates>),
    Check(Box<check::Check>),
    Validity(Box<validity::Validity>),
    /// Says whether a lead is one, whatever it looks like: it goes to salespeople, or is set aside, and later leads are judged by it.
    #[command(
        after_help = "Examples:\n  reflexctl leads correct L000123 valid --note 老客户的新邮箱\n  reflexctl leads correct L000124 invalid --note 机器人"
    )]
    Correct(correct::Correct),
    /// Lists what was said of leads, the latest first, and what screening learned from it.
    #[command(after_help = "Examples:\n  reflexctl leads corrections\n  reflexctl leads corrections --lang en")]
    Corrections(correct::Corrections),
    /// Lists leads, newest first or by a calculated field.
    #[command(
        after_help = "Examples:\n  reflexctl leads list --state queued --team ortho-1\n  reflexctl leads list --order-by '权重 desc'"
    )]
    List(List),
    /// Shows changes of leads as they are committed, until Ctrl-C; goes on by itself after a break, and misses nothing.
    #[command(after_help = "\
JSON, one object a line, the first without a change: {\"change\": {\"kind\", \"time\", \"state\", \"member\", \"lead\"}, \"resumeToken\"}

Examples:
  reflexctl leads watch --team ortho-1
  reflexctl leads watch --state queued -o json")]
    Watch(watch::Watch),
    /// Shows one lead.
    #[command(after_help = "Example:\n  reflexctl leads show L000123")]
    Show {
        /// Number, id or resource name of the lead.
        lead: String,
    },
    /// Tells why a lead has the owner it has: what was looked up, who could take it, who could not, and what happened.
    #[command(after_help = "Examples:\n  reflexctl leads explain L000123\n  reflexctl leads explain L000123 --lang en")]
    Explain {
        /// Number, id or resource name of the lead.
        lead: String,
        /// Language of the explanation.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        lang: Language,
    },
    /// Tells what would have had to be otherwise for a member to get a lead: the fewest changes of lead, policy or member.
    #[command(
        after_help = "Examples:\n  reflexctl leads why-not L000123 wang-lei\n  reflexctl leads why-not L000123 wang-lei --lang en"
    )]
    WhyNot(why_not::WhyNot),
    /// Takes a waiting lead from the pool; it counts as claimed.
    #[command(
        after_help = "What waits: reflexctl leads list --state queued\n\nExamples:\n  reflexctl leads pick L000123\n  reflexctl leads pick L000123 --member li.na"
    )]
    Pick(pick::Pick),
    Tag(tag::AddTag),
    Untag(tag::RemoveTag),
    Progress(tag::SetProgress),
    Fact(tag::RecordFact),
    /// Merges a lead into another that it is the same as: the filled value over the empty one, that of the lead whose customer
    /// was reached last, of consents the stricter one.
    #[command(after_help = "\
Example:\n  reflexctl leads merge L000123 L000124 --take phone --reason 同一联系人")]
    Merge(merge::Merge),
    /// Makes two leads of one again, as they were; what was done since has to be decided.
    #[command(after_help = "\
Examples:
  reflexctl leads unmerge MERGE --preview
  reflexctl leads unmerge MERGE --keep phone --restore-rest")]
    Unmerge(merge::Unmerge),
    /// Lists merges, newest first, also those that were undone.
    #[command(after_help = "Example:\n  reflexctl leads merges L000123")]
    Merges(merge::Merges),
    /// Tells who had a lead from its capture until now, and why it went from one to the next.
    #[command(
        after_help = "Examples:\n  reflexctl leads ownership L000123\n  reflexctl leads ownership L000123 --at '2026-03-05 10:00'"
    )]
    Ownership(ownership::Ownership),
    Dispute(ownership::Dispute),
}

#[derive(Debug, Args)]
struct List {
    /// Only leads of this state.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only leads of this member.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "MEMBER")]
    owner: String,
    /// Only leads of this team.
    #[arg(long, default_value = "", hide_default_value = true)]
    team: String,
    /// Calculated field, then desc for the greatest first; else the newest first.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "FIELD")]
    order_by: String,
    /// Only leads with this tag.
    #[arg(long, default_value = "", hide_default_value = true)]
    tag: String,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Captured,
    Queued,
    Assigned,
    Claimed,
    Contacted,
    Closed,
    Merged,
    Held,
    Nurture,
    SetAside,
}

impl State {
    /// Returns what a filter asks for.
    fn wanted(state: Option<Self>) -> lead::State {
        match state {
            None => lead::State::Unspecified,
            Some(Self::Captured) => lead::State::Captured,
            Some(Self::Queued) => lead::State::Queued,
            Some(Self::Assigned) => lead::State::Assigned,
            Some(Self::Claimed) => lead::State::Claimed,
            Some(Self::Contacted) => lead::State::Contacted,
            Some(Self::Closed) => lead::State::Closed,
            Some(Self::Merged) => lead::State::Merged,
            Some(Self::Held) => lead::State::Held,
            Some(Self::Nurture) => lead::State::Nurture,
            Some(Self::SetAside) => lead::State::SetAside,
        }
    }
}

impl Leads {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            LeadsCommand::Capture(capture) => capture.run(&self.connection, output).await,
            LeadsCommand::Import(import) => import.run(&self.connection, output).await,
            LeadsCommand::Imports(imports) => imports.run(&self.connection, output).await,
            LeadsCommand::Duplicates(duplicates) => duplicates.run(output),
            LeadsCommand::Check(check) => check.run(&self.connection, output).await,
            LeadsCommand::Validity(validity) => validity.run(output),
            LeadsCommand::Correct(correct) => correct.run(&self.connection, output).await,
            LeadsCommand::Corrections(corrections) => corrections.run(&self.connection, output).await,
            LeadsCommand::List(list) => self.list(list, output).await,
            LeadsCommand::Watch(watch) => watch.run(&self.connection, output).await,
            LeadsCommand::Show { lead } => self.show(lead, output).await,
            LeadsCommand::WhyNot(why_not) => why_not.run(&self.connection, output).await,
            LeadsCommand::Pick(pick) => pick.run(&self.connection, output).await,
            LeadsCommand::Tag(tag) => tag.run(&self.connection, output).await,
            LeadsCommand::Untag(untag) => untag.run(&self.connection, output).await,
            LeadsCommand::Progress(progress) => progress.run(&self.connection, output).await,
            LeadsCommand::Fact(fact) => fact.run(&self.connection, output).await,
            LeadsCommand::Merge(merge) => merge.run(&self.connection, output).await,
            LeadsCommand::Unmerge(unmerge) => unmerge.run(&self.connection, output).await,
            LeadsCommand::Merges(merges) => merges.run(&self.connection, output).await,
            LeadsCommand::Ownership(ownership) => ownership.run(&self.connection, output).await,
            LeadsCommand::Dispute(dispute) => dispute.run(&self.connection, output).await,
            LeadsCommand::Explain { lead, lang } => self.explain(lead, *lang, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn list(&self, list: &List, output: &Output) -> anyhow::Result<()> {
        let request = ListLeadsRequest {
            page_size: list.page.page_size,
            page_token: list.page.page_token.clone(),
            state: State::wanted(list.state).into(),
            owner: named("members", &list.owner),
            team: named("teams", &list.team),
            number: String::new(),
            order_by: list.order_by.clone(),
            tag: list.tag.clone(),
        };
        let client = LeadServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let response = answer(async || client.clone().list_leads(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListLeadsResponse", &response, |response| {
            show::render_list(response, output)
        })?;
        Ok(())
    }

    async fn show(&self, lead: &str, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let name = lead_name(&connection, lead).await?;
        let request = GetLeadRequest { name };
        let client = LeadServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().get_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.GetLeadResponse", &response, |response| {
            let lead = response.lead.as_ref().map(|lead| show::render_lead(lead, output));
            let merged = match response.merged_lead.as_str() {
                "" => String::new(),
                merged => format!("{merged} was merged into this lead\n"),
            };
            let duplicates = response.duplicates.iter().map(|pair| {
                let (earlier, later) = (pair.earlier.as_ref(), pair.later.as_ref());
                let sides = [earlier, later].map(pairs::side).join(" | ");
                format!(
                    "suspected duplicate {} {}: {sides}\n",
                    pairs::score(pair.score),
                    pair.name
                )
            });
            merged + &lead.unwrap_or_default() + &duplicates.collect::<String>()
        })?;
        Ok(())
    }

    async fn explain(&self, lead: &str, lang: Language, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let name = lead_name(&connection, lead).await?;
        let request = ExplainAssignmentRequest { name };
        let client = RoutingServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().explain_assignment(request.clone()).await).await?;
        output.response("reflex.leads.v1.ExplainAssignmentResponse", &response, |response| {
            explain::render(response, lang, output)
        })?;
        Ok(())
    }
}
