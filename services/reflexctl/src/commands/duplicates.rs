//! `reflexctl duplicates`.

use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::leads::v1::duplicate_service_client::DuplicateServiceClient;
use reflex_proto::leads::v1::{
    DecideDuplicateRequest, Duplicate, DuplicateLead, FieldChoice, FieldEvidence, GetDuplicateRequest,
    ListDuplicatesRequest, ListDuplicatesResponse, decide_duplicate_request::Decision, duplicate,
};

use super::{answer, lead_name, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::output::{Output, Table, more, word};

/// Shows pairs of leads that may be the same, and decides about them; bundles set up how leads are compared
/// (`kind: DuplicatePolicy`).
#[derive(Debug, Args)]
pub(crate) struct Duplicates {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: DuplicatesCommand,
}

#[derive(Debug, Subcommand)]
enum DuplicatesCommand {
    /// Lists pairs, those that were found last first.
    #[command(
        after_help = "Examples:\n  reflexctl duplicates list\n  reflexctl duplicates list --state suspected --least-score 0.95\n  reflexctl duplicates list --lead L000123 -o json"
    )]
    List(List),
    /// Shows a pair with what each field says.
    #[command(
        after_help = "Examples:\n  reflexctl duplicates show DUPLICATE\n  reflexctl duplicates show DUPLICATE --lang en"
    )]
    Show {
        /// Id or resource name of the pair.
        duplicate: String,
        /// Language of what fields say.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        lang: Language,
    },
    /// Decides about a pair, for good: two that are distinct are never suspected again, two that are the same are merged.
    #[command(
        after_help = "Examples:\n  reflexctl duplicates decide DUPLICATE distinct --reason 同名不同人\n  reflexctl duplicates decide DUPLICATE merge --survivor L000123"
    )]
    Decide(Decide),
}

#[derive(Debug, Args)]
struct List {
    /// Only pairs that stand like this.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only pairs of this lead: number, id or resource name.
    #[arg(long, default_value = "", hide_default_value = true)]
    lead: String,
    /// Only pairs with at least this score, 0 to 1.
    #[arg(long, default_value_t = 0.0, hide_default_value = true)]
    least_score: f64,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
struct Decide {
    /// Id or resource name of the pair.
    duplicate: String,
    /// What they are.
    #[arg(value_enum)]
    decision: Word,
    /// The lead that stays when they are merged; the earlier one, or the one that is still open, if not given.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "LEAD")]
    survivor: String,
    /// Fields that are taken from this lead whatever the rules say, as LEAD:FIELD.
    #[arg(long, value_name = "LEAD:FIELD")]
    take: Vec<String>,
    /// Why.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Word {
    Distinct,
    Merge,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Suspected,
    Withdrawn,
    Distinct,
    Merged,
}

impl State {
    fn wanted(state: Option<Self>) -> duplicate::State {
        match state {
            None => duplicate::State::Unspecified,
            Some(Self::Suspected) => duplicate::State::Suspected,
            Some(Self::Withdrawn) => duplicate::State::Withdrawn,
            Some(Self::Distinct) => duplicate::State::Distinct,
            Some(Self::Merged) => duplicate::State::Merged,
        }
    }
}

impl Duplicates {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            DuplicatesCommand::List(list) => self.list(list, output).await,
            DuplicatesCommand::Show { duplicate, lang } => self.show(duplicate, *lang, output).await,
            DuplicatesCommand::Decide(decide) => self.decide(decide, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn list(&self, list: &List, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let lead = match list.lead.as_str() {
            "" => String::new(),
            lead => lead_name(&connection, lead).await?,
        };
        let request = ListDuplicatesRequest {
            page_size: list.page.page_size.min(500),
            page_token: list.page.page_token.clone(),
            state: State::wanted(list.state).into(),
            lead,
            least_score: list.least_score,
        };
        let client = DuplicateServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().list_duplicates(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListDuplicatesResponse", &response, render_list)?;
        Ok(())
    }

    async fn show(&self, duplicate: &str, lang: Language, output: &Output) -> anyhow::Result<()> {
        let client = DuplicateServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = GetDuplicateRequest {
            name: named("duplicates", duplicate),
        };
        let response = answer(async || client.clone().get_duplicate(request.clone()).await).await?;
        output.response("reflex.leads.v1.GetDuplicateResponse", &response, |response| {
            render(&response.duplicate.clone().unwrap_or_default(), lang, output)
        })?;
        Ok(())
    }

    async fn decide(&self, decide: &Decide, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let mut choices = Vec::with_capacity(decide.take.len());
        for taken in &decide.take {
            let (lead, field) = taken
                .split_once(':')
                .ok_or_else(|| anyhow::anyhow!("{taken:?} is not LEAD:FIELD"))?;
            choices.push(FieldChoice {
                field: field.to_owned(),
                lead: lead_name(&connection, lead).await?,
            });
        }
        let survivor = match decide.survivor.as_str() {
            "" => String::new(),
            lead => lead_name(&connection, lead).await?,
        };
        let request = DecideDuplicateRequest {
            name: named("duplicates", &decide.duplicate),
            decision: match decide.decision {
                Word::Distinct => Decision::Distinct,
                Word::Merge => Decision::Merge,
            }
            .into(),
            survivor,
            choices,
            reason: decide.reason.clone(),
            request_id: request_id(),
        };
        let client = DuplicateServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().decide_duplicate(request.clone()).await).await?;
        output.response("reflex.leads.v1.DecideDuplicateResponse", &response, |response| {
            let duplicate = response.duplicate.clone().unwrap_or_default();
            let merge = response.merge.as_ref().map(|merge| merge.name.as_str());
            let merge = merge.map(|merge| format!("{merge}\n")).unwrap_or_default();
            render(&duplicate, Language::En, output) + &merge
        })?;
        Ok(())
    }
}

fn render_list(response: &ListDuplicatesResponse) -> String {
    let mut table = Table::new(["DUPLICATE", "STATE", "SCORE", "EARLIER", "LATER", "FOUND"]);
    for pair in &response.duplicates {
        let found = pair
            .fields
            .iter()
            .map(|field| format!("{} {}", field.field, field.finding));
        table.row([
            pair.name.clone(),
            word(pair.state().as_str_name(), "STATE_"),
            score(pair.score),
            side(pair.earlier.as_ref()),
            side(pair.later.as_ref()),
            found.collect::<Vec<_>>().join(", "),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

/// Shows a pair with what each field says.
fn render(pair: &Duplicate, lang: Language, output: &Output) -> String {
    let mut table = Table::new(["", ""]);
    for (label, text) in [
        ("duplicate", pair.name.clone()),
        ("state", word(pair.state().as_str_name(), "STATE_")),
        ("score", score(pair.score)),
        ("earlier", side(pair.earlier.as_ref())),
        ("later", side(pair.later.as_ref())),
        ("suspected", output.time(pair.suspect_time.as_ref())),
        ("decided", output.time(pair.decide_time.as_ref())),
        ("by", pair.member.clone()),
        ("reason", pair.reason.clone()),
    ] {
        if !text.is_empty() {
            table.row([label.to_owned(), text]);
        }
    }
    table.render(0) + "\n" + &evidence(&pair.fields, lang)
}

/// Shows what fields say.
pub(super) fn evidence(fields: &[FieldEvidence], lang: Language) -> String {
    let mut table = Table::new(["FIELD", "FOUND", "ALIKE", "BITS"]);
    for field in fields {
        let found = match lang {
            Language::Zh => &field.finding_zh,
            Language::En => &field.finding_en,
        };
        table.row([
            field.field.clone(),
            found.clone(),
            score(field.similarity),
            format!("{:+.1}", field.bits),
        ]);
    }
    table.render(0)
}

/// Shows a score in per cent.
pub(super) fn score(score: f64) -> String {
    format!("{:.1}%", score * 100.0)
}

/// Shows a lead of a pair in one line.
pub(super) fn side(lead: Option<&DuplicateLead>) -> String {
    let Some(lead) = lead else { return String::new() };
    let said = [
        &lead.number,
        &lead.company,
        &lead.contact_name,
        &lead.phone,
        &lead.owner,
    ];
    let said: Vec<&str> = said
        .into_iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    said.join(" ")
}
