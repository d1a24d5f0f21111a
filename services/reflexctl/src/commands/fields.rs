//! `reflexctl fields`.

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::leads::v1::field_service_client::FieldServiceClient;
use reflex_proto::leads::v1::{
    CalculatedField, CalculatedValue, DeleteCalculatedFieldRequest, ListCalculatedFieldsRequest,
    ListCalculatedFieldsResponse, PreviewCalculatedFieldRequest, PreviewCalculatedFieldResponse,
    PutCalculatedFieldRequest, calculated_field,
};

use super::{answer, lead_name, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::connection::{Connection, Wire};
use crate::output::{Output, Table, more, value, word};

/// Defines fields that formulas calculate for leads and accounts, and tries them first.
#[derive(Debug, Args)]
pub(crate) struct Fields {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: FieldsCommand,
}

#[derive(Debug, Subcommand)]
enum FieldsCommand {
    /// Lists fields with their formulas, and whether lists can be ordered by them yet.
    #[command(after_help = "Example:\n  reflexctl fields list --tenant huakang-east")]
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows what a formula gives for real leads or accounts, what it read and what failed; stores nothing.
    #[command(
        after_help = "Examples:\n  reflexctl fields preview --entity account \"IF(CONTAINS(客户.设备型号,'锻造'),0.8,0.3)\"\n  \
                      reflexctl fields preview --entity lead \"预算 / 10000\" --record L000123 --lang en"
    )]
    Preview(Preview),
    /// Defines a field, or replaces its definition by the next version; stored values follow in the background.
    #[command(
        after_help = "Example:\n  reflexctl fields put process-match --entity account --field-name 工艺匹配度 --alias process_match \
                      \"IF(CONTAINS(客户.设备型号,'锻造'),0.8,0.3)\""
    )]
    Put(Put),
    /// Deletes a field that no other field and no routing policy uses.
    #[command(after_help = "Example:\n  reflexctl fields delete process-match")]
    Delete {
        /// Name of the field, with or without calculatedFields/.
        field: String,
    },
}

#[derive(Debug, Args)]
struct Preview {
    /// The formula.
    formula: String,
    /// Whose field it would be.
    #[arg(long, value_enum)]
    entity: Entity,
    /// A field that it would replace.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "FIELD")]
    replacing: String,
    /// Number, id or name of a lead, or key of an account, may be repeated; else the newest leads or first accounts.
    #[arg(long = "record")]
    records: Vec<String>,
    /// How many leads or accounts, where none are named.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=100), value_name = "N")]
    page_size: i32,
    /// Language of what failed.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

#[derive(Debug, Args)]
struct Put {
    /// Name of the field, with or without calculatedFields/.
    field: String,
    /// The formula.
    formula: String,
    /// Whose field it is.
    #[arg(long, value_enum)]
    entity: Entity,
    /// What formulas, conditions and lists call it, for example 工艺匹配度.
    #[arg(long)]
    field_name: String,
    /// English name.
    #[arg(long, default_value = "", hide_default_value = true)]
    alias: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Entity {
    Lead,
    Account,
}

impl Entity {
    fn number(self) -> i32 {
        match self {
            Self::Lead => calculated_field::Entity::Lead.into(),
            Self::Account => calculated_field::Entity::Account.into(),
        }
    }
}

impl Fields {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = self.ask(output).await;
        self.connection.explain(outcome)
    }

    async fn ask(&self, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let client = FieldServiceClient::new(connection.to(Owner::Leads)?);
        match &self.command {
            FieldsCommand::List { page } => list(client, page, output).await,
            FieldsCommand::Preview(preview) => preview.run(&connection, client, output).await,
            FieldsCommand::Put(put) => put.run(client, output).await,
            FieldsCommand::Delete { field } => delete(client, field, output).await,
        }
    }
}

type Client = FieldServiceClient<Wire>;

async fn list(client: Client, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
    let request = ListCalculatedFieldsRequest {
        page_size: page.page_size.min(500),
        page_token: page.page_token.clone(),
    };
    let response = answer(async || client.clone().list_calculated_fields(request.clone()).await).await?;
    output.response("reflex.leads.v1.ListCalculatedFieldsResponse", &response, render_list)?;
    Ok(())
}

async fn delete(client: Client, field: &str, output: &Output) -> anyhow::Result<()> {
    let request = DeleteCalculatedFieldRequest {
        name: named("calculatedFields", field),
        request_id: request_id(),
    };
    let response = answer(async || client.clone().delete_calculated_field(request.clone()).await).await?;
    output.response("reflex.leads.v1.DeleteCalculatedFieldResponse", &response, |_| {
        format!("deleted {}", request.name)
    })?;
    Ok(())
}

impl Put {
    async fn run(&self, client: Client, output: &Output) -> anyhow::Result<()> {
        let request = PutCalculatedFieldRequest {
            field: Some(CalculatedField {
                name: named("calculatedFields", &self.field),
                entity: self.entity.number(),
                field_name: self.field_name.clone(),
                alias: self.alias.clone(),
                formula: self.formula.clone(),
                ..CalculatedField::default()
            }),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().put_calculated_field(request.clone()).await).await?;
        let field = response.field.clone().context("the server sent no field")?;
        output.response("reflex.leads.v1.PutCalculatedFieldResponse", &response, |_| {
            let kind = word(field.r#type().as_str_name(), "TYPE_");
            let state = if field.recomputing {
                "; stored values follow"
            } else {
                ""
            };
            format!("{} is a {kind}, version {}{state}", field.name, field.version)
        })?;
        Ok(())
    }
}

impl Preview {
    async fn run(&self, connection: &Connection, client: Client, output: &Output) -> anyhow::Result<()> {
        let mut records = Vec::with_capacity(self.records.len());
        for record in &self.records {
            records.push(match self.entity {
                Entity::Lead => lead_name(connection, record).await?,
                Entity::Account => named("accounts", record),
            });
        }
        let request = PreviewCalculatedFieldRequest {
            field: Some(CalculatedField {
                name: named("calculatedFields", &self.replacing),
                entity: self.entity.number(),
                formula: self.formula.clone(),
                ..CalculatedField::default()
            }),
            records,
            page_size: self.page_size,
        };
        let response = answer(async || client.clone().preview_calculated_field(request.clone()).await).await?;
        output.response(
            "reflex.leads.v1.PreviewCalculatedFieldResponse",
            &response,
            |response| render_preview(response, self.lang),
        )?;
        Ok(())
    }
}

fn render_list(response: &ListCalculatedFieldsResponse) -> String {
    let headings = ["FIELD", "ENTITY", "CALLED", "TYPE", "VERSION", "READY", "FORMULA"];
    let mut table = Table::new(headings);
    for field in &response.fields {
        let ready = match (field.ready, field.recomputing) {
            (false, _) => "no",
            (true, true) => "recomputing",
            (true, false) => "yes",
        };
        table.row([
            field.name.clone(),
            word(field.entity().as_str_name(), "ENTITY_"),
            [field.field_name.as_str(), field.alias.as_str()]
                .join(" ")
                .trim()
                .to_owned(),
            word(field.r#type().as_str_name(), "TYPE_"),
            field.version.to_string(),
            ready.to_owned(),
            crate::output::one_line(&field.formula),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn render_preview(response: &PreviewCalculatedFieldResponse, lang: Language) -> String {
    let mut table = Table::new(["RECORD", "CALLED", "VALUE", "READ"]);
    for row in &response.rows {
        let read = row
            .inputs
            .iter()
            .map(|input| format!("{} = {}", input.field, told(input, lang)));
        table.row([
            row.record.clone(),
            row.label.clone(),
            row.result.as_ref().map(|result| told(result, lang)).unwrap_or_default(),
            read.collect::<Vec<_>>().join(", "),
        ]);
    }
    let kind = word(response.r#type().as_str_name(), "TYPE_");
    format!("results in a {kind}\n{}", table.render(0))
}

/// Writes a value, or why there is none.
fn told(told: &CalculatedValue, lang: Language) -> String {
    let error = match lang {
        Language::Zh => &told.error_zh,
        Language::En => &told.error_en,
    };
    if error.is_empty() {
        value(told)
    } else {
        format!("({error})")
    }
}
